//! The checkpoint: how far each file is delivered, on disk, in a form that survives a crash at any
//! point of its being written.
//!
//! One file in the state directory: a line with version, length and checksum, then JSON. It is
//! written beside the old one, synced, and renamed over it; the old one is kept as
//! `checkpoint.previous`. A damaged checkpoint is set aside and the previous one used; failing
//! that, the files are read again, which their ids make harmless.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use omphalos_common::event::SourceId;
use omphalos_common::ids::{IdScheme, KeyPrint};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tracing::warn;
use xxhash_rust::xxh3::xxh3_128;

use crate::monitor::position::identity::{FileKey, Fingerprint};

const MAGIC: &str = "omphalos-checkpoint";
const VERSION: u32 = 1;

/// The file that is locked by the shipper that uses the directory.
const LOCK_NAME: &str = "lock";
/// It is there once a shipper has started.
const STARTED_NAME: &str = "started";
/// What a checkpoint is called that cannot be read.
const DAMAGED_NAME: &str = "checkpoint.damaged";

/// The checkpoint, and the one before it.
pub(in crate::monitor) const FILE_NAMES: [&str; 2] = ["checkpoint", "checkpoint.previous"];

/// How far one file is delivered, and what its lines' identities depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where the file was last seen.
    #[serde(serialize_with = "path_to_text", deserialize_with = "path_from_text")]
    pub path: PathBuf,
    /// Which file it is.
    pub key: FileKey,
    /// Its beginning.
    pub prefix: Fingerprint,
    /// Everything before this offset is delivered.
    pub offset: u64,
    /// The bytes just before the offset.
    pub guard: Fingerprint,
    /// The version of its lines' ids; 1 where nothing is said, as by a shipper that knew no other.
    #[serde(default = "first_version", skip_serializing_if = "is_first_version")]
    pub id_version: u32,
    /// The key of its lines' ids, where that is from a file of keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_key: Option<KeyPrint>,
    /// The source of lines with a time of their own.
    #[serde(default, with = "optional_source", skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// The source of lines without one: drawn at random.
    #[serde(default, with = "optional_source", skip_serializing_if = "Option::is_none")]
    pub untimed: Option<SourceId>,
    /// The time of the last line before the offset that had one: seconds and nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_time: Option<(i64, u32)>,
    /// The times given to lines that have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// Where an event of several lines was ended because nothing followed for long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<u64>,
    /// What the file was like when there was nothing more in it; it need not be looked into again
    /// as long as it is like that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<Stamp>,
    /// When the file was last seen, in seconds since the epoch.
    pub seen: i64,
}

impl Entry {
    /// Nothing is read yet of the file `key` at `path`, whose ids are to be made so; it was seen at
    /// `seen`, in seconds since the epoch.
    pub fn unread(path: &Path, key: FileKey, ids: IdScheme, seen: i64) -> Self {
        Self {
            path: path.to_owned(),
            key,
            prefix: Fingerprint::default(),
            offset: 0,
            guard: Fingerprint::default(),
            id_version: ids.version(),
            id_key: ids.key(),
            source: None,
            untimed: None,
            last_time: None,
            marks: Vec::new(),
            splits: Vec::new(),
            complete: None,
            seen,
        }
    }

    /// What makes the ids of its lines; `None` when only a later program knows.
    pub fn ids(&self) -> Option<IdScheme> {
        IdScheme::of(self.id_version, self.id_key)
    }

    /// Notes what makes the ids of its lines.
    pub fn set_ids(&mut self, scheme: IdScheme) {
        (self.id_version, self.id_key) = (scheme.version(), scheme.key());
    }
}

fn first_version() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_first_version(version: &u32) -> bool {
    *version == 1
}

#[cfg(test)]
impl Entry {
    /// Nothing is known of a file yet.
    pub fn blank(path: &Path, key: FileKey) -> Self {
        Self::unread(path, key, IdScheme::OfHost, 0)
    }
}

/// What tells that a file has not changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Its size on disk; compressed, for an archive.
    pub bytes: u64,
    /// When it was written, in nanoseconds since the epoch.
    pub modified: i64,
}

/// Lines without a time that begin before `end`, and after the previous mark's, happened at
/// `millis`, which is when they were first seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Offset.
    pub end: u64,
    /// Milliseconds since the epoch.
    pub millis: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    files: Vec<Entry>,
}

/// What is known when a shipper starts.
#[derive(Debug, Default)]
pub struct Remembered {
    /// How far each file is delivered.
    pub entries: Vec<Entry>,
    /// Whether no shipper ever started with this state directory. That there are no entries does
    /// not say so: there may have been no file yet, or the checkpoint may be damaged.
    pub is_first_start: bool,
    /// Whether there was a checkpoint and nothing of it can be read.
    pub is_damaged: bool,
}

/// The state directory, locked for this process.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    lock: Mutex<File>,
}

/// Why the state directory cannot be used.
#[derive(thiserror::Error, Debug)]
pub enum StateError {
    /// Another shipper uses it.
    #[error(
        "the state directory {path} is in use by another omphalos-shipper; stop it, or give this one a state_dir of its own"
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("cannot {action} {path}: {reason}; nothing is shipped that could not be remembered")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says. Not a source: it would be said twice where sources are shown.
        reason: io::Error,
    },
}

impl StateDir {
    /// Creates the directory if need be, and locks it until dropped.
    ///
    /// # Errors
    /// When it is locked by another process, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        Ok(Self { path: path.to_owned(), lock: Mutex::new(take_lock(path)?) })
    }

    /// Makes sure that the directory at our path is still the one that we have locked. Where
    /// somebody has deleted it, a new one is made and locked, unless another shipper was faster.
    fn hold(&self) -> Result<(), StateError> {
        if self.is_held() {
            return Ok(());
        }
        let lock = take_lock(&self.path)?;
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = lock;
        warn!(state_dir = %self.path.display(), "the state directory was deleted while it was in use; it is made anew, with all that is known");
        self.note_start()
    }

    /// Whether what stands at our path is what we have locked.
    pub fn is_held(&self) -> bool {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = lock.metadata().map(|ours| FileKey::from(&ours));
        let there = fs::metadata(self.path.join(LOCK_NAME)).map(|there| FileKey::from(&there));
        matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
    }

    /// Writes down that a shipper has started with this state directory, so that no later start
    /// takes itself for the first one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_start(&self) -> Result<(), StateError> {
        let text = || "a shipper has started with this state directory\n".to_owned();
        self.text_once(STARTED_NAME, text).map(|_| ())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finds out whether a checkpoint could be saved.
    ///
    /// # Errors
    /// When it could not.
    pub fn probe(&self) -> Result<(), StateError> {
        let path = self.path.join("probe");
        fs::write(&path, b"omphalos").map_err(failed("write", &path))?;
        fs::remove_file(&path).map_err(failed("remove", &path))
    }

    /// Reads the checkpoint; no entries when there is none that can be read.
    ///
    /// # Errors
    /// When a checkpoint is there and the system does not let us read it.
    pub fn load(&self) -> Result<Remembered, StateError> {
        let mut is_damaged = false;
        for name in FILE_NAMES {
            let path = self.path.join(name);
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(failed("read", &path)(error)),
            };
            match parse(&bytes) {
                Ok(entries) => return Ok(Remembered { entries, ..Remembered::default() }),
                Err(reason) => {
                    is_damaged = true;
                    self.set_aside(&path, &reason);
                }
            }
        }
        let traces = [STARTED_NAME, DAMAGED_NAME];
        let is_first_start = !traces.iter().any(|name| self.path.join(name).exists());
        Ok(Remembered { entries: Vec::new(), is_first_start, is_damaged })
    }

    fn set_aside(&self, path: &Path, reason: &str) {
        let aside = self.path.join(DAMAGED_NAME);
        warn!(
            checkpoint = %path.display(), set_aside = %aside.display(),
            "the checkpoint is damaged ({reason}); using the previous one, or reading the files again: their ids keep repeats out of the index"
        );
        if let Err(error) = fs::rename(path, &aside) {
            warn!(path = %path.display(), %error, "cannot set the damaged checkpoint aside");
        }
    }

    /// Replaces the checkpoint; when this returns, the new one survives a crash.
    ///
    /// # Errors
    /// When it cannot be written; the old one is then still in place.
    pub fn save(&self, bytes: &[u8]) -> Result<(), StateError> {
        self.hold()?;
        let path = self.path.join("checkpoint");
        let new = self.path.join("checkpoint.new");
        let previous = self.path.join("checkpoint.previous");
        let mut file = File::create(&new).map_err(failed("create", &new))?;
        file.write_all(bytes).map_err(failed("write", &new))?;
        file.sync_all().map_err(failed("sync", &new))?;
        keep_previous(&path, &previous).map_err(failed("keep", &previous))?;
        fs::rename(&new, &path).map_err(failed("replace", &path))?;
        self.sync_names()
    }

    fn sync_names(&self) -> Result<(), StateError> {
        let directory = File::open(&self.path).map_err(failed("open", &self.path))?;
        directory.sync_all().map_err(failed("sync", &self.path))
    }

    /// The text in the file `name` of the state directory, made by `make` if there is none.
    ///
    /// # Errors
    /// When it can be neither read nor written.
    pub fn text_once(
        &self,
        name: &str,
        make: impl FnOnce() -> String,
    ) -> Result<String, StateError> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(failed("read", &path)(error));
            }
            _ => {}
        }
        let text = make();
        let mut file = File::create(&path).map_err(failed("create", &path))?;
        file.write_all(text.as_bytes()).map_err(failed("write", &path))?;
        file.sync_all().map_err(failed("sync", &path))?;
        self.sync_names()?;
        Ok(text)
    }
}

/// Creates the directory if need be, and locks it.
fn take_lock(path: &Path) -> Result<File, StateError> {
    fs::create_dir_all(path).map_err(failed("create the state directory", path))?;
    let lock_path = path.join(LOCK_NAME);
    let mut options = OpenOptions::new();
    let lock = options.write(true).create(true).truncate(false).open(&lock_path);
    let lock = lock.map_err(failed("open", &lock_path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StateError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed("lock", &lock_path)(error)),
    }
}

/// A link keeps the old file in place until the new one takes its name; where the file system has
/// no links, the old one is away for a moment, and found again as the previous one.
fn keep_previous(path: &Path, previous: &Path) -> io::Result<()> {
    for result in [fs::remove_file(previous), fs::hard_link(path, previous)] {
        match result {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => return rename_if_there(path, previous),
            Ok(()) => {}
        }
    }
    Ok(())
}

fn rename_if_there(path: &Path, previous: &Path) -> io::Result<()> {
    match fs::rename(path, previous) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StateError + 'a {
    move |reason| StateError::Io { action, path: path.to_owned(), reason }
}

/// The checkpoint with these entries, sorted by path, as it is written.
///
/// # Errors
/// Never in practice: the entries are plain data.
pub fn serialize(mut files: Vec<Entry>) -> io::Result<Vec<u8>> {
    files.sort_by(|left, right| left.path.cmp(&right.path).then(left.key.cmp(&right.key)));
    let body = serde_json::to_vec(&Contents { files })?;
    let hash = xxh3_128(&body);
    let mut bytes = format!("{MAGIC} {VERSION} {} {hash:032x}\n", body.len()).into_bytes();
    bytes.extend_from_slice(&body);
    bytes.push(b'\n');
    Ok(bytes)
}

pub(in crate::monitor) fn parse(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let line_end = memchr::memchr(b'\n', bytes).ok_or("the first line does not end")?;
    let (head, body) = bytes.split_at(line_end);
    let body = body.get(1..).unwrap_or_default();
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    let head = std::str::from_utf8(head).map_err(|_| "the first line is not text")?;
    let mut words = head.split(' ');
    if words.next() != Some(MAGIC) {
        return Err(format!("the first line does not begin with {MAGIC}"));
    }
    let version = words.next().unwrap_or_default();
    if version != VERSION.to_string() {
        return Err(format!("version {version:?}, expected {VERSION}"));
    }
    let (length, hash) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if length != body.len().to_string() {
        return Err(format!("{} bytes, expected {length}", body.len()));
    }
    if hash != format!("{:032x}", xxh3_128(body)) {
        return Err("the checksum does not match".to_owned());
    }
    let contents: Contents = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(contents.files)
}

/// A path that is not UTF-8 is written as the numbers of its bytes.
fn path_to_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    match path.to_str() {
        Some(text) => serializer.serialize_str(text),
        None => path.as_os_str().as_bytes().serialize(serializer),
    }
}

fn path_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Bytes(Vec<u8>),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Text(text) => PathBuf::from(text),
        Either::Bytes(bytes) => PathBuf::from(OsString::from_vec(bytes)),
    })
}

mod optional_source {
    use super::{Deserialize, Deserializer, Serializer, SourceId};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(
        source: &Option<SourceId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match source {
            Some(source) => serializer.collect_str(source),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SourceId>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(path: &str, offset: u64) -> Entry {
        Entry {
            path: PathBuf::from(path),
            key: FileKey { device: 1, inode: 2, born: Some(3) },
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
        assert_eq!(state.load().unwrap().entries, [entry("/a", 1)]);
        assert!(directory.path().join("checkpoint.damaged").exists());
        // And when that one is damaged too, the files are read again.
        fs::write(directory.path().join("checkpoint.previous"), b"").unwrap();
        assert_eq!(state.load().unwrap().entries, []);
    }

    #[test]
    fn a_second_shipper_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let first = StateDir::open(directory.path()).unwrap();
        let error = StateDir::open(directory.path()).unwrap_err().to_string();
        assert!(error.contains("in use by another omphalos-shipper"), "{error}");
        drop(first);
        StateDir::open(directory.path()).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = StateDir::open(&file.join("state")).unwrap_err().to_string();
        assert!(
            error.contains("create the state directory") && error.contains("file/state"),
            "{error}"
        );
        // Root may write anywhere, so a directory in the way stands for a read-only one.
        let state = StateDir::open(&directory.path().join("state")).unwrap();
        fs::create_dir(state.path().join("checkpoint.new")).unwrap();
        let error = state.save(b"").unwrap_err().to_string();
        assert!(error.contains("checkpoint.new"), "{error}");
    }

    #[test]
    fn text_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        assert_eq!(state.text_once("host-id", || "a".to_owned()).unwrap(), "a");
        assert_eq!(state.text_once("host-id", || "b".to_owned()).unwrap(), "a");
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
