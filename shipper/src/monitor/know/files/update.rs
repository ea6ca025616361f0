//! What a scan changes in the set of files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use omphalos_common::clock::now_seconds;
use tracing::{debug, info};

use super::Files;
use super::open::MOST_NAMED;
use crate::monitor::find::discover::{Found, Scan};
use crate::monitor::know::beside::Neighbours;
use crate::monitor::position::identity::logical_path;
use crate::monitor::read::archive::Compression;
use crate::monitor::read::tail::TailId;

impl Files {
    /// Takes in what a scan found. Returns the files to look at: new ones and renamed ones.
    pub fn update(&mut self, mut scan: Scan) -> Vec<TailId> {
        self.reports.announce(&scan);
        let mut to_read = Vec::new();
        let mut present = HashSet::new();
        let (mut archives, mut archive_bytes) = (0, 0);
        let hidden: Vec<PathBuf> =
            std::mem::take(&mut scan.unreadable).into_iter().map(|(path, _)| path).collect();
        self.by_path.clear();
        self.waiting.clear();
        self.neighbours = Neighbours::default();
        self.is_unsettled = false;
        self.opened_now = 0;
        // Files that are known tell what others are copies of.
        scan.found.sort_by_key(|found| !self.remembered.knows(found.key));
        for found in scan.found {
            let id = match self.by_key.get(&found.key).copied() {
                Some(id) => Some(id),
                None if self.is_passed_over(&found) => None,
                None => self.open(&found),
            };
            if self.waiting.contains(&found.key) {
                archives += 1;
                archive_bytes += found.stamp.bytes;
            }
            if let Some(id) = id {
                present.insert(id);
                if let Some(tail) = self.tails.get_mut(&id)
                    && tail.note_stamp(found.stamp)
                {
                    to_read.push(id);
                }
                self.rename(id, &found.path);
                self.by_path.insert(found.path, id);
            }
        }
        for (id, tail) in &mut self.tails {
            if tail.is_pipe()
                || present.contains(id)
                || hidden.iter().any(|path| tail.path.starts_with(path))
            {
                self.gone.remove(id);
            } else {
                // It may have been written to until the moment it was renamed.
                self.gone.entry(*id).or_insert_with(|| {
                    tail.look_again();
                    to_read.push(*id);
                    Instant::now()
                });
            }
        }
        to_read.extend(self.open_overtaken());
        to_read.extend(self.find_rotated());
        self.tell_of_cut_archives();
        self.suspects.keep_only(|key| self.waiting.contains(&key));
        to_read.extend(self.missed.keys());
        if self.opened_now > MOST_NAMED {
            info!(files = self.opened_now, "reading these and more");
        }
        self.is_first_start = false;
        self.metrics.files_waiting(archives, archive_bytes);
        to_read
    }

    /// Says which archives end in the middle and are written no further.
    fn tell_of_cut_archives(&mut self) {
        let cut = self.tails.values().filter(|tail| tail.is_cut()).map(|tail| tail.id);
        for id in cut.collect::<Vec<_>>() {
            self.tell_damage(id);
        }
    }

    /// Whether a file is not to be opened: an archive that nobody asked for, or one that has nothing
    /// new.
    fn is_passed_over(&mut self, found: &Found) -> bool {
        let input = self.inputs.get(found.input);
        if let Some(compression) = Compression::of(&found.path)
            && !input.is_some_and(|input| input.archives.include(compression))
        {
            return true;
        }
        self.remembered.is_complete(found.key, found.stamp, now_seconds())
    }

    fn rename(&mut self, id: TailId, path: &Path) {
        let Some(tail) = self.tails.get_mut(&id).filter(|tail| tail.path != path) else { return };
        debug!(from = %tail.path.display(), to = %path.display(), "a file was renamed");
        let old = tail.path.clone();
        tail.rename(path);
        self.forget_logical(&old, id);
        self.by_logical.entry(logical_path(path)).or_default().insert(id);
    }
}
