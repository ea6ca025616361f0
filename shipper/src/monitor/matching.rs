//! Whether a position belongs to a file: never without proof by content.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirEntryExt, FileExt};
use std::path::{Path, PathBuf};

use tracing::debug;

use super::checkpoint::Entry;
use super::identity::{FileKey, Fingerprint, logical_path};

/// Whether everything that `entry` knows of its file is so in `file`: it is long enough, begins
/// with the same bytes, and has the same bytes before the offset.
///
/// # Errors
/// When the file cannot be read.
pub fn fits(file: &File, entry: &Entry) -> io::Result<bool> {
    let needed = entry.offset.max(u64::from(entry.prefix.length));
    if file.metadata()?.len() < needed {
        return Ok(false);
    }
    let guard_start = entry.offset.saturating_sub(u64::from(entry.guard.length));
    Ok(has(file, 0, entry.prefix)? && has(file, guard_start, entry.guard)?)
}

fn has(file: &File, start: u64, fingerprint: Fingerprint) -> io::Result<bool> {
    let mut bytes = vec![0; usize::try_from(fingerprint.length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, start)?;
    Ok(fingerprint.matches(&bytes))
}

/// The entry of `entries` whose position belongs to the file `key` at `path`: by preference that
/// of the same device and inode, else one with the same content, such as a copy's original.
///
/// An entry that has seen nothing of its file proves nothing, so it needs device and inode.
///
/// # Errors
/// When the file cannot be read.
pub fn find<'a>(
    file: &File,
    key: FileKey,
    path: &Path,
    entries: impl Iterator<Item = &'a Entry> + Clone,
) -> io::Result<Option<&'a Entry>> {
    for entry in entries.clone().filter(|entry| entry.key == key) {
        if fits(file, entry)? {
            return Ok(Some(entry));
        }
    }
    let logical = logical_path(path);
    let alike = entries.filter(|entry| {
        entry.key != key && entry.prefix.length > 0 && logical_path(&entry.path) == logical
    });
    for entry in alike {
        if fits(file, entry)? {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// A file beside `entry.path` that goes on where `entry` ends: the file itself, renamed by a
/// rotation, or a copy made by one. `is_taken` tells which files are read already.
///
/// # Errors
/// When the directory cannot be read.
pub fn find_beside(
    entry: &Entry,
    is_taken: impl Fn(FileKey) -> bool,
) -> io::Result<Option<(PathBuf, FileKey, File)>> {
    let logical = logical_path(&entry.path);
    let Some(parent) = entry.path.parent() else { return Ok(None) };
    let directory = fs::read_dir(parent)?;
    let candidates = directory.flatten().map(|listed| listed.path());
    for path in candidates.filter(|path| logical_path(path) == logical) {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let key = FileKey::from(&metadata);
        if !metadata.is_file() || is_taken(key) || (entry.prefix.length == 0 && key != entry.key) {
            continue;
        }
        let fitting = File::open(&path).and_then(|file| Ok((fits(&file, entry)?, file)));
        match fitting {
            Ok((true, file)) => return Ok(Some((path, key, file))),
            Ok((false, _)) => {}
            Err(error) => {
                debug!(path = %path.display(), %error, "cannot compare with a checkpoint");
            }
        }
    }
    Ok(None)
}

/// Where the file `key` is in the directory of `path`, whatever it is called now.
///
/// # Errors
/// When the directory cannot be read.
pub fn find_inode(path: &Path, key: FileKey) -> io::Result<Option<PathBuf>> {
    let Some(parent) = path.parent() else { return Ok(None) };
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.ino() == key.inode
            && entry.metadata().is_ok_and(|metadata| FileKey::from(&metadata) == key)
        {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_of(path: &Path, offset: u64) -> Entry {
        let content = fs::read(path).unwrap();
        let offset_index = usize::try_from(offset).unwrap();
        let guard_start = offset_index.saturating_sub(256);
        Entry {
            path: path.to_owned(),
            key: FileKey::from(&fs::metadata(path).unwrap()),
            prefix: Fingerprint::of(&content[..content.len().min(1024)]),
            offset,
            guard: Fingerprint::of(&content[guard_start..offset_index]),
            source: None,
            untimed: None,
            last_time: None,
            marks: Vec::new(),
            seen: 0,
        }
    }

    fn matches(path: &Path, entry: &Entry) -> bool {
        fits(&File::open(path).unwrap(), entry).unwrap()
    }

    #[test]
    fn a_position_fits_its_own_content_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        fs::write(&path, b"first\nsecond\n").unwrap();
        let entry = entry_of(&path, 6);
        assert!(matches(&path, &entry));
        fs::write(&path, b"first\nsecond\nthird\n").unwrap();
        assert!(matches(&path, &entry), "it has grown");
        for other in ["first\n", "First\nsecond\n", "first\nother line\n", ""] {
            fs::write(&path, other).unwrap();
            assert!(!matches(&path, &entry), "{other:?}");
        }
    }

    #[test]
    fn a_change_just_before_the_offset_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let mut content = vec![b'x'; 5000];
        fs::write(&path, &content).unwrap();
        let entry = entry_of(&path, 4000);
        content[3999] = b'y';
        fs::write(&path, &content).unwrap();
        assert!(!matches(&path, &entry));
    }

    #[test]
    fn the_rotated_file_and_its_copy_are_found_beside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        fs::write(&path, b"first\nsecond\n").unwrap();
        let entry = entry_of(&path, 6);
        let rotated = directory.path().join("a.log.1");
        fs::rename(&path, &rotated).unwrap();
        fs::write(&path, b"new\n").unwrap();
        fs::write(directory.path().join("b.log.1"), b"first\nsecond\n").unwrap();
        assert_eq!(find_beside(&entry, |_| false).unwrap().unwrap().0, rotated);
        assert!(find_beside(&entry, |key| key == entry.key).unwrap().is_none());
        let copy = directory.path().join("a.log-20261122");
        fs::copy(&rotated, &copy).unwrap();
        assert_eq!(find_beside(&entry, |key| key == entry.key).unwrap().unwrap().0, copy);
    }

    #[test]
    fn device_and_inode_break_ties_between_copies() {
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) = (directory.path().join("a.log"), directory.path().join("a.log.1"));
        fs::write(&path, b"first\nsecond\n").unwrap();
        fs::copy(&path, &copy).unwrap();
        let entries = [entry_of(&copy, 6), entry_of(&path, 6)];
        let file = File::open(&path).unwrap();
        let found = find(&file, entries[1].key, &path, entries.iter()).unwrap();
        assert_eq!(found, Some(&entries[1]));
        let found = find(&file, entries[1].key, &path, entries[..1].iter()).unwrap();
        assert_eq!(found, Some(&entries[0]));
    }
}
