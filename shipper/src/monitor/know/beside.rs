//! Looking for the rest of a file in its directory: under another name, in a copy, in an archive.
//!
//! Names may be changed while they are looked at. That nothing is there is only said when nothing
//! was changed meanwhile.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tracing::debug;

use crate::monitor::know::copies::{Candidate, Kinship, Standing, kinship};
use crate::monitor::know::matching::{fits, length, stamp};
use crate::monitor::position::entry::Entry;
use crate::monitor::position::identity::{FileKey, logical_path};
use crate::monitor::read::archive::Compression;
use crate::monitor::read::content::Content;

/// A directory in which names go on changing is read again after so many times what that takes.
const KEEP_FACTOR: u32 = 4;

/// What is in directories; each is read once, and again where it was changed meanwhile.
#[derive(Debug, Default)]
pub struct Neighbours(HashMap<PathBuf, Listing>);

#[derive(Debug, Default)]
struct Listing {
    by_logical: HashMap<PathBuf, Vec<PathBuf>>,
    by_inode: HashMap<u64, PathBuf>,
    /// When the directory was changed last, as it said before it was read.
    changed: Option<SystemTime>,
    /// Until when it is not read again, though it be changed.
    keep_until: Option<Instant>,
    /// Whether that was so long before that a change while it was read would show.
    is_certain: bool,
}

impl Listing {
    fn read(directory: &Path) -> io::Result<Self> {
        let began = Instant::now();
        let changed = changed(directory);
        let mut listing = Self { changed, is_certain: is_past(changed), ..Self::default() };
        for listed in fs::read_dir(directory)? {
            let listed = listed?;
            let path = listed.path();
            listing.by_inode.insert(listed.ino(), path.clone());
            listing.by_logical.entry(logical_path(&path)).or_default().push(path);
        }
        for alike in listing.by_logical.values_mut() {
            // What need not be decompressed is looked at first.
            alike.sort_by_key(|path| Compression::of(path).is_some());
        }
        listing.keep_until = Some(Instant::now() + KEEP_FACTOR * began.elapsed());
        Ok(listing)
    }
}

/// When names in a directory were changed last.
fn changed(directory: &Path) -> Option<SystemTime> {
    fs::metadata(directory).and_then(|metadata| metadata.modified()).ok()
}

/// Whether this was long enough ago for another change to have another time: kernels count in
/// ticks of up to ten milliseconds.
fn is_past(changed: Option<SystemTime>) -> bool {
    const TICKS: Duration = Duration::from_millis(50);
    changed.is_some_and(|changed| changed.elapsed().is_ok_and(|elapsed| elapsed > TICKS))
}

impl Neighbours {
    /// The paths in the directory of `path` that have the same logical path.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn alike(&mut self, path: &Path) -> io::Result<&[PathBuf]> {
        let alike = self.of(path)?.by_logical.get(&logical_path(path));
        Ok(alike.map_or(&[], Vec::as_slice))
    }

    /// What is in the directory of `path`.
    fn of(&mut self, path: &Path) -> io::Result<&Listing> {
        let parent = path.parent().unwrap_or(path);
        let now = Instant::now();
        let is_old = |listing: &Listing| {
            listing.keep_until.is_none_or(|until| until <= now)
                && listing.changed != changed(parent)
        };
        if self.0.get(parent).is_none_or(is_old) {
            self.0.insert(parent.to_owned(), Listing::read(parent)?);
        }
        self.0.get(parent).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Listing {
    /// The files that may be the one that was at `path`: the one of this inode, whatever it is
    /// called, and those of its logical path.
    fn candidates(&self, path: &Path, inode: u64) -> impl Iterator<Item = &PathBuf> {
        let same = self.by_inode.get(&inode);
        let alike = self.by_logical.get(&logical_path(path));
        same.into_iter().chain(alike.into_iter().flatten())
    }

    /// Whether the directory still is as it was read.
    fn holds(&self, path: &Path) -> bool {
        self.is_certain && self.changed == changed(path.parent().unwrap_or(path))
    }
}

/// What stands beside a file.
#[derive(Debug)]
pub enum Beside {
    /// A file that goes on where it ended, and its name.
    Found(PathBuf, Content),
    /// Nothing that does.
    Nothing,
    /// Names were changed while they were looked at; another look will tell.
    Unsettled,
}

/// What a search has to know.
pub struct Search<'a> {
    /// What became of the file itself.
    pub standing: &'a dyn Fn(&Entry) -> io::Result<Standing>,
    /// Which files are read already.
    pub is_taken: &'a dyn Fn(FileKey) -> bool,
    /// Which files may be read, by their names: not those that a link leads to which is not followed.
    pub is_permitted: &'a dyn Fn(&Path, &Content) -> bool,
    /// Which names are read whole anyway.
    pub is_watched: &'a dyn Fn(&Path) -> bool,
}

/// A file beside `entry.path` that goes on where `entry` ends: the file itself, renamed by a
/// rotation, or a copy or an archive made by one.
///
/// # Errors
/// When the directory cannot be read.
pub fn find_beside(
    entry: &Entry,
    search: &Search<'_>,
    neighbours: &mut Neighbours,
) -> io::Result<Beside> {
    let listing = neighbours.of(&entry.path)?;
    let mut fitting: Vec<(PathBuf, Content)> = Vec::new();
    let mut is_settled = true;
    for path in listing.candidates(&entry.path, entry.key.inode) {
        match goes_on(entry, path, search) {
            Ok(Some((content, true))) => return Ok(Beside::Found(path.clone(), content)),
            Ok(Some((content, false))) => fitting.push((path.clone(), content)),
            Ok(None) => {}
            Err(error) => {
                is_settled &= error.kind() != ErrorKind::NotFound;
                debug!(path = %path.display(), %error, "cannot compare with a checkpoint");
            }
        }
    }
    // Of several one that has something that was not read, and the one that was written last: copies may
    // have been made at different times, also archives of copies, and files that begin alike may stand
    // here since earlier rotations.
    let mut last: Option<((bool, i64, u64), PathBuf, Content)> = None;
    for (path, mut content) in fitting {
        let has_more = !content.read_up_to(&mut [0], entry.offset)?.is_empty();
        let rank = (has_more, modified(&content)?, length(&mut content)?);
        if last.as_ref().is_none_or(|(other, ..)| rank > *other) {
            last = Some((rank, path, content));
        }
    }
    Ok(match last {
        Some((_, path, content)) => Beside::Found(path, content),
        None if is_settled && listing.holds(&entry.path) => Beside::Nothing,
        None => Beside::Unsettled,
    })
}

/// The content of the file at `path` if that goes on where `entry` ends, and whether it is the very
/// file that `entry` knows.
fn goes_on(entry: &Entry, path: &Path, search: &Search<'_>) -> io::Result<Option<(Content, bool)>> {
    // Looked at before it is opened: that would wait for the other end of a pipe, or fail.
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut content = Content::open(path)?;
    // What was opened counts: it may have been renamed since the directory was read.
    let key = content.key()?;
    let is_same = key.is_like(&entry.key);
    if (search.is_taken)(key)
        || !(search.is_permitted)(path, &content)
        || (!entry.has_seen() && !is_same)
        || !fits(&mut content, entry)?
    {
        return Ok(None);
    }
    let is_copy = || -> io::Result<bool> {
        let candidate = Candidate { path, key, modified: modified(&content)? };
        Ok(match kinship(candidate, entry, (search.standing)(entry)?) {
            Kinship::Copy => true,
            // Whoever reads all files of this name reads it whole; else it is this or nothing.
            Kinship::Unknown => !(search.is_watched)(path),
            Kinship::Other | Kinship::Undecided => false,
        })
    };
    Ok((is_same || is_copy()?).then_some((content, is_same)))
}

/// When a file was written, in nanoseconds since the epoch.
fn modified(content: &Content) -> io::Result<i64> {
    let metadata = content.file().map(File::metadata).transpose()?;
    Ok(metadata.map_or(0, |metadata| stamp(&metadata).modified))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::monitor::know::copies::standing;
    use crate::monitor::know::matching::tests::entry_of;

    /// A search among files of which none is watched.
    fn search(is_taken: &dyn Fn(FileKey) -> bool) -> Search<'_> {
        Search { standing: &standing, is_taken, is_permitted: &|_, _| true, is_watched: &|_| false }
    }

    /// What is found once nothing changes any more.
    fn found(entry: &Entry, is_taken: &dyn Fn(FileKey) -> bool) -> Option<PathBuf> {
        loop {
            match find_beside(entry, &search(is_taken), &mut Neighbours::default()).unwrap() {
                Beside::Found(path, _) => return Some(path),
                Beside::Nothing => return None,
                Beside::Unsettled => std::thread::yield_now(),
            }
        }
    }

    #[test]
    fn the_rotated_file_is_found_beside_and_a_copy_only_if_the_file_was_emptied() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        fs::write(&path, b"first\nsecond\n").unwrap();
        let entry = entry_of(&path, 6);
        let rotated = directory.path().join("a.log.1");
        fs::rename(&path, &rotated).unwrap();
        fs::write(&path, b"new\n").unwrap();
        fs::write(directory.path().join("b.log.1"), b"first\nsecond\n").unwrap();
        let is_it = |key: FileKey| key == entry.key;
        assert_eq!(found(&entry, &|_| false), Some(rotated.clone()));
        assert_eq!(found(&entry, &is_it), None);
        let copy = directory.path().join("a.log-20261122");
        fs::copy(&rotated, &copy).unwrap();
        assert_eq!(found(&entry, &is_it), None, "both exist");
        fs::write(&rotated, b"other\n").unwrap();
        assert_eq!(found(&entry, &is_it), Some(copy.clone()));
        fs::remove_file(&rotated).unwrap();
        assert_eq!(found(&entry, &is_it), Some(copy), "it is this or nothing");
    }

    #[test]
    fn nothing_is_said_to_be_missing_while_names_are_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        fs::write(&path, b"first\nsecond\n").unwrap();
        let entry = entry_of(&path, 6);
        let mut neighbours = Neighbours::default();
        neighbours.of(&path).unwrap();
        // Between the listing and the look.
        fs::rename(&path, directory.path().join("a.log.1")).unwrap();
        fs::write(&path, b"new\n").unwrap();
        neighbours.0.values_mut().for_each(|listing| {
            listing.keep_until = Some(Instant::now() + Duration::from_hours(1));
        });
        let beside = find_beside(&entry, &search(&|_| false), &mut neighbours).unwrap();
        assert!(matches!(beside, Beside::Unsettled), "{beside:?}");
        assert_eq!(found(&entry, &|_| false), Some(directory.path().join("a.log.1")));
    }
}
