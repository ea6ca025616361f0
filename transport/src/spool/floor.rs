//! The floor on disk: one line of text, `omphalos-floor <version> <floor> <checksum>`.
//!
//! Written beside the old one, synced, and renamed over it; the old one is kept as
//! `floor.previous`. A damaged floor is set aside and the previous one used; failing that, all
//! that is still on disk is delivered again.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use omphalos_common::own_files::create;
use omphalos_common::whole_file::read_own;
use tracing::warn;
use xxhash_rust::xxh3::xxh3_64;

use super::error::{FileError, failed};
use super::segment::MAX_NUMBER;

const MAGIC: &str = "omphalos-floor";
const VERSION: u32 = 1;

/// The floor that was saved last; `None` when there is none that can be read.
pub fn load(directory: &Path) -> Result<Option<u64>, FileError> {
    for name in ["floor", "floor.previous"] {
        let path = directory.join(name);
        let bytes = match read_own(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(failed("read", &path)(error)),
        };
        match parse(&bytes) {
            Some(floor) => return Ok(Some(floor)),
            None => set_aside(directory, &path),
        }
    }
    Ok(None)
}

fn set_aside(directory: &Path, path: &Path) {
    let aside = directory.join("floor.damaged");
    warn!(
        floor = %path.display(), set_aside = %aside.display(),
        "the floor of the spool is damaged; using the previous one, or delivering all that is on disk again"
    );
    if let Err(error) = fs::rename(path, &aside) {
        warn!(path = %path.display(), %error, "cannot set the damaged floor aside");
    }
}

/// Replaces the floor; when this returns, the new one survives a crash.
pub fn save(directory: &Path, floor: u64) -> Result<(), FileError> {
    let path = directory.join("floor");
    let new = directory.join("floor.new");
    let previous = directory.join("floor.previous");
    let mut file = create(&new).map_err(failed("create", &new))?;
    file.write_all(serialize(floor).as_bytes()).map_err(failed("write", &new))?;
    file.sync_all().map_err(failed("sync", &new))?;
    // After a crash between the two, the previous one is found.
    match fs::rename(&path, &previous) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(failed("keep", &previous)(error));
        }
        _ => {}
    }
    fs::rename(&new, &path).map_err(failed("replace", &path))?;
    sync_directory(directory)
}

/// Makes the names in the directory survive a crash.
pub fn sync_directory(directory: &Path) -> Result<(), FileError> {
    let file = File::open(directory).map_err(failed("open", directory))?;
    file.sync_all().map_err(failed("sync", directory))
}

fn serialize(floor: u64) -> String {
    let line = format!("{MAGIC} {VERSION} {floor}");
    format!("{line} {:016x}\n", xxh3_64(line.as_bytes()))
}

/// Strict: what is not exactly as written is damaged.
fn parse(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let floor: u64 = text.split(' ').nth(2)?.parse().ok()?;
    (text == serialize(floor) && floor <= MAX_NUMBER).then_some(floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_damage_to_the_floor_goes_unnoticed() {
        let good = serialize(1234).into_bytes();
        assert_eq!(parse(&good), Some(1234));
        for (position, bit) in (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bad = good.clone();
            bad[position] ^= 1 << bit;
            assert_eq!(parse(&bad), None, "{position} {bit}");
            assert_eq!(parse(&good[..position]), None);
        }
    }

    #[test]
    fn the_previous_floor_is_used_when_the_last_one_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!(load(path).unwrap(), None);
        save(path, 1).unwrap();
        save(path, 2).unwrap();
        assert_eq!(load(path).unwrap(), Some(2));
        fs::write(path.join("floor"), b"omphalos-floor 1 3 0000").unwrap();
        assert_eq!(load(path).unwrap(), Some(1));
        assert!(path.join("floor.damaged").exists());
        fs::write(path.join("floor.previous"), b"").unwrap();
        assert_eq!(load(path).unwrap(), None);
    }
}
