//! Whether a file that begins like a known one was made from it.
//!
//! Taking another file for a copy loses its lines; taking a copy for another file ships lines
//! without a time once more. So doubt never ends in "a copy": two inodes that both exist are two
//! files, unless one was seen to be emptied into the other, which is what a rotation by copying
//! does, or one is an archive that unpacks to the other.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::monitor::know::matching::{find_inode, fits, length};
use crate::monitor::position::entry::{Entry, Stamp};
use crate::monitor::position::identity::{FileKey, logical_path};
use crate::monitor::read::archive::Compression;
use crate::monitor::read::content::Content;

/// Of a file up to this size every byte is compared with that of which it may be a copy.
const COMPARED_WHOLE: u64 = 8 << 20;
/// Of a larger one so many blocks are, evenly spread, the last one among them.
const COMPARED_BLOCKS: u64 = 128;
const BLOCK_BYTES: usize = 64 * 1024;

/// A file that begins like one that is known.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Path under which it was found.
    pub path: &'a Path,
    /// Which file.
    pub key: FileKey,
    /// When it was written.
    pub modified: i64,
}

/// What became of a file that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is nowhere in its directory.
    Gone,
    /// It is there, and its content is another one now.
    Emptied,
    /// It is there, with its content, under the name that a log has before any rotation.
    InPlace,
    /// It is there, with its content, under the name of a rotated log.
    Rotated,
    /// The same, as an archive.
    Archived,
}

/// What a file is to one that is known and has the same bytes, as far as was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// It was made from the other.
    Copy,
    /// It is a file of its own.
    Other,
    /// It is a copy if the other is emptied soon.
    Undecided,
    /// Nobody can say: the other is nowhere. Who would lose lines by taking it for a copy must
    /// not, and who would by taking it for a file of its own must not either.
    Unknown,
}

/// What became of the file that `entry` knows.
///
/// # Errors
/// When its directory or the file cannot be read; of the kind `NotFound` when it is being renamed.
pub fn standing(entry: &Entry) -> io::Result<Standing> {
    let Some(place) = find_inode(&entry.path, entry.key)? else { return Ok(Standing::Gone) };
    let mut content = Content::open(&place)?;
    if !content.key()?.is_like(&entry.key) {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it is being renamed"));
    }
    if !fits(&mut content, entry)? {
        return Ok(Standing::Emptied);
    }
    Ok(match Compression::of(&place) {
        Some(_) => Standing::Archived,
        None if is_first_name(&place) => Standing::InPlace,
        None => Standing::Rotated,
    })
}

/// What `candidate` is to the file that `entry` knows, which stands like that now.
pub fn kinship(candidate: Candidate<'_>, entry: &Entry, standing: Standing) -> Kinship {
    if Compression::of(candidate.path).is_some() {
        return if standing == Standing::Archived { Kinship::Other } else { Kinship::Copy };
    }
    // A new file under the first name is what is to be expected.
    let is_first = is_first_name(candidate.path);
    match standing {
        Standing::Emptied if !is_first => Kinship::Copy,
        Standing::InPlace if !is_first => Kinship::Undecided,
        // A file system that was mounted anew may have another number; and what was written before
        // the original was last seen is no successor of it.
        Standing::Gone if is_same_inode(candidate.key, entry.key) => Kinship::Copy,
        Standing::Gone if candidate.modified < seen_until(entry) => Kinship::Copy,
        Standing::Gone if !is_first => Kinship::Unknown,
        _ => Kinship::Other,
    }
}

fn is_same_inode(one: FileKey, other: FileKey) -> bool {
    (one.inode, one.born) == (other.inode, other.born)
}

/// Whether this is what a log is called before any rotation.
pub fn is_first_name(path: &Path) -> bool {
    logical_path(path) == path
}

/// A file that was there so long before its original was last seen would have been found then, and
/// have an entry of its own, were it another one.
const FOUND_AFTER_SECONDS: i64 = 60;

/// What was written before this moment, in nanoseconds since the epoch, is no successor of the file
/// that `entry` knows.
fn seen_until(entry: &Entry) -> i64 {
    entry.seen.saturating_sub(FOUND_AFTER_SECONDS).saturating_mul(1_000_000_000)
}

/// Of what a file is a copy.
#[derive(Debug)]
pub enum Origin<'a> {
    /// Nothing: it is a file of its own.
    Own,
    /// It is a copy of the file that this knows.
    CopyOf(&'a Entry),
    /// It may be, if the file that this knows is emptied soon.
    PerhapsOf(&'a Entry),
}

/// Of which of the files that `entries` know, all of one logical path, `candidate` is a copy.
///
/// An entry that has seen nothing of its file proves nothing, so it needs device and inode.
///
/// # Errors
/// When one of the files cannot be read.
pub fn find_original<'a>(
    content: &mut Content,
    candidate: Candidate<'_>,
    entries: impl Iterator<Item = &'a Entry>,
) -> io::Result<Origin<'a>> {
    let (mut copy_of, mut perhaps): (Option<&Entry>, Option<&Entry>) = (None, None);
    // Of several that fit, the one that knows most: another may know of no more than the beginning
    // of a line.
    let known = |entry: &Entry| (entry.offset, entry.prefix.length);
    for entry in entries.filter(|entry| entry.has_seen()) {
        if !fits(content, entry)? {
            continue;
        }
        match kinship(candidate, entry, standing(entry)?) {
            Kinship::Copy if copy_of.is_none_or(|other| known(entry) > known(other)) => {
                copy_of = Some(entry);
            }
            Kinship::Undecided => perhaps = Some(entry),
            Kinship::Copy | Kinship::Other | Kinship::Unknown => {}
        }
    }
    let perhaps = perhaps.map_or(Origin::Own, Origin::PerhapsOf);
    Ok(copy_of.map_or(perhaps, Origin::CopyOf))
}

/// Whether everything that is in `copy` stands at the beginning of `original` too; it may be nothing
/// yet.
///
/// # Errors
/// When one of them cannot be read.
pub fn is_prefix(copy: &mut Content, original: &mut Content) -> io::Result<bool> {
    let length = length(copy)?;
    let step = if length <= COMPARED_WHOLE {
        BLOCK_BYTES as u64
    } else {
        (length / COMPARED_BLOCKS).max(BLOCK_BYTES as u64)
    };
    let (mut left, mut right) = (vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES]);
    let last = length.saturating_sub(BLOCK_BYTES as u64);
    let steps = std::iter::successors(Some(0), |start| Some(start + step));
    let mut starts = steps.take_while(|start| *start < length).chain([last]);
    let mut same = |start: u64| -> io::Result<bool> {
        let read = copy.read_up_to(&mut left, start)?;
        let beside = original.read_up_to(&mut right, start)?;
        Ok(beside.starts_with(read))
    };
    starts.try_fold(true, |is_same, start| Ok(is_same && same(start)?))
}

/// Files that look like copies of others that are not emptied, and since when.
#[derive(Debug, Default)]
pub struct Suspects(HashMap<FileKey, Suspect>);

#[derive(Debug)]
struct Suspect {
    since: Instant,
    /// How long the original was then: a copy that is being made will have at least that.
    original_bytes: u64,
}

impl Suspects {
    /// Whether the file `key`, which is like `stamp` now, is still to be waited for: a copy that
    /// is being made, or one whose original is about to be emptied. Neither takes longer than
    /// `patience` after the copy's last byte.
    pub fn waits(
        &mut self,
        key: FileKey,
        stamp: Stamp,
        original_bytes: u64,
        patience: Duration,
    ) -> bool {
        let now = Instant::now();
        let suspect = self.0.entry(key).or_insert(Suspect { since: now, original_bytes });
        let is_quiet = age_of(stamp.modified).is_none_or(|age| age >= patience);
        let is_whole = stamp.bytes >= suspect.original_bytes;
        let is_over = now.duration_since(suspect.since) >= patience && (is_quiet || is_whole);
        !is_over
    }

    /// Forgets those that are not among `keys`.
    pub fn keep_only(&mut self, is_there: impl Fn(FileKey) -> bool) {
        self.0.retain(|key, _| is_there(*key));
    }
}

/// How long ago that was, in nanoseconds since the epoch; `None` if it is in the future.
fn age_of(nanos: i64) -> Option<Duration> {
    let since_epoch = Duration::from_nanos(u64::try_from(nanos).ok()?);
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + since_epoch).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::monitor::know::matching::stamp;
    use crate::monitor::know::matching::tests::entry_of;

    const PATIENCE: Duration = Duration::from_hours(1);

    /// What a file at `path` is to the one that `entry` knows.
    fn of(path: &Path, entry: &Entry) -> Kinship {
        let metadata = fs::metadata(path).unwrap();
        let (key, modified) = (FileKey::from(&metadata), stamp(&metadata).modified);
        kinship(Candidate { path, key, modified }, entry, standing(entry).unwrap())
    }

    #[test]
    fn a_file_is_a_copy_only_if_its_original_was_emptied_or_it_is_an_archive_or_older() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let (path, rotated, older) = (at("a.log"), at("a.log.1"), at("a.log.2"));
        fs::write(&path, b"begun\n").unwrap();
        let entry = entry_of(&path, 6);
        fs::copy(&path, &rotated).unwrap();
        assert_eq!(of(&rotated, &entry), Kinship::Undecided, "it may be emptied yet");
        fs::write(at("a.log.1.gz"), "").unwrap();
        assert_eq!(of(&at("a.log.1.gz"), &entry), Kinship::Copy);
        let text = fs::read(&path).unwrap();
        fs::write(&path, b"").unwrap();
        assert_eq!(of(&rotated, &entry), Kinship::Copy, "it was");
        fs::write(&path, &text).unwrap();
        fs::rename(&path, &older).unwrap();
        assert_eq!(of(&rotated, &entry), Kinship::Other, "two rotated files");
        fs::write(&path, &text).unwrap();
        assert_eq!(of(&path, &entry), Kinship::Other, "a new file under the first name");
        fs::remove_file(&older).unwrap();
        assert_eq!(of(&path, &entry), Kinship::Other, "the same, and the original was deleted");
        let long_after = Entry { seen: i64::MAX / 1_000_000_000, ..entry };
        assert_eq!(of(&path, &long_after), Kinship::Copy, "brought back with its old time");
    }

    #[test]
    fn an_inode_that_is_used_again_is_not_the_same_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        fs::write(&path, b"begun\n").unwrap();
        let entry = entry_of(&path, 6);
        let key = FileKey { born: entry.key.born.map(|born| born - 1), ..entry.key };
        assert_eq!(standing(&entry).unwrap(), Standing::InPlace);
        assert_eq!(standing(&Entry { key, ..entry.clone() }).unwrap(), Standing::Gone);
        // Earlier versions did not write down when a file was born.
        let key = FileKey { born: None, ..key };
        assert_eq!(standing(&Entry { key, ..entry }).unwrap(), Standing::InPlace);
    }

    #[test]
    fn one_byte_that_differs_makes_another_file() {
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) = (directory.path().join("a.log"), directory.path().join("a.log.1"));
        let mut text = b"one line like all others\n".repeat(20_000);
        fs::write(&path, &text).unwrap();
        let is_copy = |text: &[u8]| {
            fs::write(&copy, text).unwrap();
            let mut original = Content::open(&path).unwrap();
            is_prefix(&mut Content::open(&copy).unwrap(), &mut original).unwrap()
        };
        assert!(is_copy(&text) && is_copy(&text[..100_001]) && is_copy(b""));
        assert!(!is_copy(&[&text[..], b"x"].concat()), "it is longer");
        text[70_000] = b'!';
        assert!(!is_copy(&text));
    }

    #[test]
    fn a_suspect_is_waited_for_while_it_grows_or_its_original_may_be_emptied() {
        let key = FileKey { device: 1, inode: 2, born: None };
        let old = Stamp { bytes: 10, modified: 0 };
        let mut suspects = Suspects::default();
        assert!(suspects.waits(key, old, 10, PATIENCE));
        assert!(!suspects.waits(key, old, 10, Duration::ZERO), "it is as long as its original");
        let new = Stamp { bytes: 9, modified: i64::MAX };
        assert!(!suspects.waits(key, new, 10, Duration::ZERO));
        suspects.keep_only(|_| false);
        assert!(suspects.0.is_empty());
    }
}
