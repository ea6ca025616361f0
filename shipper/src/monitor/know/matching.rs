//! Whether a position belongs to a file: never without proof by content.
//!
//! The same inode with the same content is the same file. What another inode with the same content
//! is, [`super::copies`] says.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

use omphalos_common::numbers::at_most;

use crate::monitor::position::entry::{Entry, Stamp};
use crate::monitor::position::identity::{FileKey, Fingerprint, GUARD_BYTES, PREFIX_BYTES};
use crate::monitor::read::content::Content;

/// Whether everything that `entry` knows of its file is so in `content`: it is long enough, begins
/// with the same bytes, and has the same bytes before the offset.
///
/// # Errors
/// When the file cannot be read.
pub fn fits(content: &mut Content, entry: &Entry) -> io::Result<bool> {
    let needed = entry.offset.max(u64::from(entry.prefix.length));
    if let Content::Plain(file) = content
        && file.metadata()?.len() < needed
    {
        return Ok(false);
    }
    let guard_start = entry.offset.saturating_sub(u64::from(entry.guard.length));
    Ok(has(content, 0, entry.prefix)? && has(content, guard_start, entry.guard)?)
}

/// Whether as much of a file's beginning as is ever kept stands at the beginning of `content`: what follows
/// was edited, be it in place.
///
/// # Errors
/// When the file cannot be read.
pub fn begins_as(content: &mut Content, entry: &Entry) -> io::Result<bool> {
    Ok(entry.prefix.length as usize >= PREFIX_BYTES && has(content, 0, entry.prefix)?)
}

fn has(content: &mut Content, start: u64, fingerprint: Fingerprint) -> io::Result<bool> {
    let mut bytes = vec![0; fingerprint.length as usize];
    let read = content.read_up_to(&mut bytes, start)?;
    Ok(fingerprint.matches(read))
}

/// The entry of `entries` that is of the file `key` and has its content.
///
/// # Errors
/// When the file cannot be read.
pub fn find_same<'a>(
    content: &mut Content,
    key: FileKey,
    entries: impl Iterator<Item = &'a Entry>,
) -> io::Result<Option<&'a Entry>> {
    for entry in entries.filter(|entry| entry.key.is_like(&key)) {
        if fits(content, entry)? {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// Whether all of `copy` stands at the beginning of `original` too, which was read up to `offset`:
/// as far as the bytes at both ends of it say.
///
/// # Errors
/// When one of the files cannot be read.
pub fn is_beginning(copy: &mut Content, original: &mut Content, offset: u64) -> io::Result<bool> {
    let length = length_up_to(copy, offset)?;
    let is_whole = copy.is_seekable() || copy.outlook().is_final();
    if !is_whole || length > offset {
        return Ok(false);
    }
    let mut same = |start: u64, length: usize| -> io::Result<bool> {
        let (mut left, mut right) = (vec![0; length], vec![0; length]);
        copy.read_exact(&mut left, start)?;
        let read = original.read_up_to(&mut right, start)?;
        Ok(left == read)
    };
    let tail = at_most(length, GUARD_BYTES);
    let is_alike = same(0, at_most(length, PREFIX_BYTES))? && same(length - tail as u64, tail)?;
    Ok(length > 0 && is_alike)
}

/// Whether both begin with the same bytes, as far as both go.
///
/// # Errors
/// When one of the files cannot be read.
pub fn begin_alike(left: &mut Content, right: &mut Content) -> io::Result<bool> {
    let mut heads = [[0; PREFIX_BYTES]; 2];
    let [left_head, right_head] = &mut heads;
    let (left, right) = (left.read_up_to(left_head, 0)?, right.read_up_to(right_head, 0)?);
    let is_alike = left.starts_with(right) || right.starts_with(left);
    Ok(!left.is_empty() && !right.is_empty() && is_alike)
}

/// How long `content` is; of an archive that is found by reading it.
///
/// # Errors
/// When it cannot be read.
pub fn length(content: &mut Content) -> io::Result<u64> {
    length_up_to(content, u64::MAX)
}

/// The same; of an archive that is longer than `most` it is only found to be so.
fn length_up_to(content: &mut Content, most: u64) -> io::Result<u64> {
    if let Content::Plain(file) = content {
        return Ok(file.metadata()?.len());
    }
    let mut block = vec![0; 64 * 1024];
    let mut end = 0;
    while end <= most {
        let read = content.read_up_to(&mut block, end)?.len();
        end += read as u64;
        if read < block.len() {
            break;
        }
    }
    Ok(end)
}

/// Where the file `key` is in the directory of `path`, whatever it is called now.
///
/// # Errors
/// When the directory cannot be read.
pub fn find_inode(path: &Path, key: FileKey) -> io::Result<Option<PathBuf>> {
    if fs::metadata(path).is_ok_and(|metadata| key.is_like(&FileKey::from(&metadata))) {
        return Ok(Some(path.to_owned()));
    }
    let Some(parent) = path.parent() else { return Ok(None) };
    let listed = match fs::read_dir(parent) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    for entry in listed {
        let entry = entry?;
        if entry.ino() == key.inode
            && entry.metadata().is_ok_and(|metadata| key.is_like(&FileKey::from(&metadata)))
        {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// What tells whether a file has changed.
pub fn stamp(metadata: &Metadata) -> Stamp {
    let seconds = metadata.mtime().saturating_mul(1_000_000_000);
    Stamp { bytes: metadata.len(), modified: seconds.saturating_add(metadata.mtime_nsec()) }
}

#[cfg(test)]
pub(in crate::monitor) mod tests {
    use super::*;

    /// What is known of a file that was read up to `offset`.
    pub fn entry_of(path: &Path, offset: u64) -> Entry {
        let content = fs::read(path).unwrap();
        let offset_index = usize::try_from(offset).unwrap();
        let guard_start = offset_index.saturating_sub(256);
        Entry {
            prefix: Fingerprint::of(&content[..content.len().min(1024)]),
            offset,
            guard: Fingerprint::of(&content[guard_start..offset_index]),
            ..Entry::blank(path, FileKey::from(&fs::metadata(path).unwrap()))
        }
    }

    fn matches(path: &Path, entry: &Entry) -> bool {
        fits(&mut Content::open(path).unwrap(), entry).unwrap()
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
    fn a_copy_of_the_beginning_is_known_by_both_its_ends() {
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) = (directory.path().join("a.log"), directory.path().join("a.log.1"));
        let text = "one line like all others\n".repeat(400);
        fs::write(&path, &text).unwrap();
        let end = text.len() as u64;
        let begins = |part: &[u8], offset: u64| {
            fs::write(&copy, part).unwrap();
            let mut original = Content::open(&path).unwrap();
            is_beginning(&mut Content::open(&copy).unwrap(), &mut original, offset).unwrap()
        };
        let text = text.as_bytes();
        assert!(begins(text, end) && begins(&text[..5000], end));
        assert!(!begins(text, end - 1), "it is longer than what was read");
        assert!(!begins(b"", end) && !begins(&text[1..], end));
        let mut other = text[..5000].to_vec();
        other[4900] = b'!';
        assert!(!begins(&other, end));
    }
}
