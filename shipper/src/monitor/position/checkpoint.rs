//! The checkpoint: how far each file is delivered, as it is on disk. Damage does not go unnoticed.
//!
//! A line with version, length and checksum, then JSON. How it is kept is in `state.rs`.

use std::io;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::monitor::position::entry::Entry;

const MAGIC: &str = "omphalos-checkpoint";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    files: Vec<Entry>,
}

/// The checkpoint with these entries, sorted by path, as it is written.
///
/// # Errors
/// Never in practice: the entries are plain data.
pub fn serialize(mut files: Vec<Entry>) -> io::Result<Vec<u8>> {
    files.sort_by(|left, right| left.path.cmp(&right.path).then(left.key.cmp(&right.key)));
    Ok(of_text(&serde_json::to_vec(&Contents { files })?))
}

/// The checkpoint that says this.
pub fn of_text(text: &[u8]) -> Vec<u8> {
    let hash = xxh3_128(text);
    let mut bytes = format!("{MAGIC} {VERSION} {} {hash:032x}\n", text.len()).into_bytes();
    bytes.extend_from_slice(text);
    bytes.push(b'\n');
    bytes
}

/// The entries of the checkpoint that `bytes` are.
///
/// # Errors
/// What is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let line_end = memchr::memchr(b'\n', bytes).ok_or("the first line does not end")?;
    let (head, body) = bytes.split_at(line_end);
    let [b'\n', body @ ..] = body else { return Err("the first line does not end".to_owned()) };
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    let head = std::str::from_utf8(head).map_err(|_| "the first line is not text")?;
    let mut words = head.split(' ');
    if words.next() != Some(MAGIC) {
        return Err(format!("the first line does not begin with {MAGIC}"));
    }
    let version = words.next().ok_or("the first line has no version")?;
    if version != VERSION.to_string() {
        return Err(format!("version {version:?}, expected {VERSION}"));
    }
    let length = words.next().ok_or("the first line has no length")?;
    let hash = words.next().ok_or("the first line has no checksum")?;
    if length != body.len().to_string() {
        return Err(format!("{} bytes, expected {length}", body.len()));
    }
    if hash != format!("{:032x}", xxh3_128(body)) {
        return Err("the checksum does not match".to_owned());
    }
    let contents: Contents = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(contents.files)
}

/// The same of a checkpoint that another one followed, which cannot be read: nobody knows how far it came.
pub fn overtaken(mut entries: Vec<Entry>) -> Vec<Entry> {
    for entry in &mut entries {
        entry.reached = None;
    }
    entries
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::ffi::OsStringExt;
    use std::path::PathBuf;

    use omphalos_common::event::SourceId;

    use omphalos_parser::settings::TimeSettings;

    use super::*;
    use crate::monitor::position::entry::{Former, Mark, Stamp};
    use crate::monitor::position::identity::{FileKey, Fingerprint};
    use crate::monitor::position::state::StateDir;
    use proptest::prelude::*;

    fn entry(path: &str, offset: u64) -> Entry {
        Entry {
            path: PathBuf::from(path),
            key: FileKey { device: 1, inode: 2, born: Some(3) },
            unread: false,
            prefix: Fingerprint::of(b"prefix"),
            offset,
            guard: Fingerprint::of(b"guard"),
            id_version: 2,
            id_key: Some("0123456789abcdef".parse().unwrap()),
            source: Some(SourceId::from_random(7)),
            untimed: None,
            last_time: Some((5, 6)),
            marks: vec![Mark { end: 10, millis: 20 }],
            splits: vec![11],
            complete: Some(Stamp { bytes: 1, modified: 2 }),
            reached: Some(offset + 1),
            turn: 2,
            formats: vec![Former { end: 3, parser: "raw".to_owned(), times: None, dataset: None }],
            parser: Some("json".to_owned()),
            times: Some(TimeSettings { zone: Some("+01:00".to_owned()), ..Default::default() }),
            dataset: Some("shop".to_owned()),
            seen: 100,
        }
    }

    fn save(state: &StateDir, entries: &[Entry]) {
        state.save(&serialize(entries.to_vec()).unwrap()).unwrap();
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(&directory.path().join("deep/er")).unwrap();
        assert_eq!(state.load().unwrap().entries, []);
        let odd = PathBuf::from(OsString::from_vec(b"/\xff".to_vec()));
        let entries = [entry("/a", 1), entry("/b", 2), Entry { path: odd, ..entry("", 3) }];
        save(&state, &entries);
        assert_eq!(state.load().unwrap().entries, entries);
    }

    #[test]
    fn what_an_older_shipper_wrote_is_loaded() {
        let new = entry("/a", 7);
        let mut old = serde_json::to_value(&new).unwrap();
        for name in ["reached", "turn", "dataset"] {
            old.as_object_mut().unwrap().remove(name).unwrap();
        }
        let loaded: Entry = serde_json::from_value(old).unwrap();
        assert_eq!(loaded, Entry { reached: None, turn: 0, dataset: None, ..new });
    }

    #[test]
    fn a_damaged_checkpoint_is_set_aside_and_the_previous_one_used() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        save(&state, &[entry("/a", 1)]);
        save(&state, &[entry("/a", 2)]);
        let path = directory.path().join("checkpoint");
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
        // Up to where that may have come when the other was saved, is not known.
        let previous = Entry { reached: None, ..entry("/a", 1) };
        assert_eq!(state.load().unwrap().entries, [previous]);
        assert!(directory.path().join("checkpoint.damaged").exists());
        // And when that one is damaged too, the files are read again.
        fs::write(directory.path().join("checkpoint.previous"), b"").unwrap();
        assert_eq!(state.load().unwrap().entries, []);
    }

    proptest! {
        #[test]
        fn no_damage_goes_unnoticed(position in 0usize..1000, bit in 0u8..8) {
            let mut bytes = serialize(vec![entry("/a", 1), entry("/b", 2)]).unwrap();
            let length = bytes.len() - 1;
            bytes[position % length] ^= 1 << bit;
            prop_assert!(parse(&bytes).is_err());
        }

        #[test]
        fn no_file_makes_parsing_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse(&bytes).is_err() || bytes.starts_with(MAGIC.as_bytes()));
        }
    }
}
