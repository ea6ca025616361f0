//! Where a container's line begins in a file that was rotated: its other pieces are in the next one.
//!
//! The pieces are not joined over files. The position of the second file would have to name a place in
//! the first, and a piece that is held would keep back the checkpoints of both; so each part is a
//! document of its own, and says by a tag that it is one. What tells is the content of the older file and
//! not what was read of it so far, so that it does not matter which of them is read first, or after what.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tracing::debug;

use super::Files;
use crate::monitor::position::identity::{FileKey, logical_path};
use crate::monitor::read::archive::Compression;
use crate::monitor::read::content::Content;
use crate::monitor::read::tail::{PIECES_SEARCH, Tail};

/// So many files that were rotated before are looked at: as many as runtimes leave unpacked, and more.
const MOST_PREDECESSORS: usize = 5;

impl Files {
    /// Notes which lines of a container are begun in the file that was rotated before this one.
    pub(super) fn recall_pieces(&mut self, tail: &mut Tail) {
        if tail.offset() > PIECES_SEARCH as u64 || !tail.has_pieces() || !tail.is_plain() {
            return;
        }
        let recalled = self.predecessors(tail).and_then(|paths| {
            let mut contents = paths.iter().map(|path| Content::open(path));
            contents.try_for_each(|content| tail.recall_pieces_of(&mut content?))?;
            tail.recall_own_pieces()
        });
        if let Err(error) = recalled {
            // Then a piece at the beginning looks like a line.
            debug!(path = %tail.path.display(), %error, "cannot look at the files that were rotated before this one");
        }
    }

    /// The files that were rotated before this one, the last at the end: one stream of the container may
    /// have been silent for more than a file.
    fn predecessors(&mut self, tail: &Tail) -> io::Result<Vec<PathBuf>> {
        let path = fs::canonicalize(&tail.path)?;
        let own = tail.metadata()?.modified()?;
        let age = |other: &Path| -> Option<SystemTime> {
            let found = fs::metadata(other).ok().filter(fs::Metadata::is_file)?;
            let modified = found.modified().ok().filter(|modified| *modified <= own)?;
            (FileKey::from(&found) != tail.key).then_some(modified)
        };
        let current = logical_path(&path);
        // What has the name of the current file was not rotated yet.
        let is_rotated = |other: &&PathBuf| **other != current && Compression::of(other).is_none();
        let plain = self.neighbours.alike(&path)?.iter().filter(is_rotated);
        let mut aged: Vec<_> = plain.filter_map(|other| Some((age(other)?, other))).collect();
        aged.sort_unstable();
        let older = aged.len().saturating_sub(MOST_PREDECESSORS);
        Ok(aged.into_iter().skip(older).map(|(_, path)| path.clone()).collect())
    }
}
