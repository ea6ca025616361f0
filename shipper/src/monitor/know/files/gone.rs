//! How a file goes out of the set: renamed, deleted, rewritten. The rest of it is read first, as
//! long as it can be had.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use crate::monitor::find::discover::Found;
use crate::monitor::know::beside::{self, Beside, Neighbours, Search};
use crate::monitor::know::copies::{Standing, standing};
use crate::monitor::know::files::Files;
use crate::monitor::know::matching;
use crate::monitor::know::others::Kin;
use crate::monitor::position::entry::{Entry, Stamp};
use crate::monitor::read::content::Content;
use crate::monitor::read::tail::{Tail, TailId};
use omphalos_common::clock::now_seconds;

/// A file keeps its descriptor for so long after it was last looked into.
const IDLE: Duration = Duration::from_secs(10);

/// What is remembered of files that are not there: they may come back with their file system, or
/// as archives.
pub const REMEMBER_SECONDS: i64 = 7 * 24 * 3600;

/// The unit of `st_blocks`, whatever the file system's own is.
const BLOCK_BYTES: u64 = 512;

/// How often a copy of an emptied file is looked for while names are being changed.
const SEARCHES: usize = 3;

/// What came of looking for a file that was rotated.
enum Rotated {
    /// It was found, and is read on.
    Opened(TailId),
    /// It is not there.
    Missed,
    /// Names were changed meanwhile.
    Unsettled,
}

impl Files {
    /// Looks for a file that has no descriptor and is not where it was: it was renamed since it was
    /// last read. Whether it is there to be read.
    ///
    /// # Errors
    /// When its directory cannot be read now.
    pub fn find_again(&mut self, id: TailId) -> io::Result<bool> {
        let Some(tail) = self.tails.get_mut(&id) else { return Ok(false) };
        self.gone.entry(id).or_insert_with(Instant::now);
        if let Some(path) = matching::find_inode(&tail.path, tail.key)? {
            match tail.reopen(&path) {
                // It is being renamed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                reopened => {
                    self.missed.remove(&id);
                    return reopened.map(|()| true);
                }
            }
        }
        // A name that is changed while its directory is read may not be seen.
        let missed = *self.missed.entry(id).or_insert_with(Instant::now);
        if missed.elapsed() < self.limits.second_look {
            return Ok(false);
        }
        let lost = tail.unread();
        // With its directory, it may come back.
        let is_away = tail.path.parent().is_some_and(|parent| !parent.exists());
        let lost = if is_away { 0 } else { lost };
        if lost > 0 {
            warn!(path = %tail.path.display(), lost_bytes = lost, "the file was deleted before it was read to its end; at least so many bytes are lost");
        }
        self.metrics.lost("deleted", lost);
        self.close(id);
        Ok(false)
    }

    /// Looks for files of the last run beside where they were: rotated while we were away.
    pub(super) fn find_rotated(&mut self) -> Vec<TailId> {
        let mut opened = Vec::new();
        let mut neighbours = Neighbours::default();
        for entry in self.remembered.take_unsearched() {
            match self.open_rotated(&entry, &mut neighbours) {
                Ok(Rotated::Opened(id)) => opened.push(id),
                // What cannot be judged yet may be it.
                Ok(Rotated::Missed) if !self.waiting.is_empty() => {
                    self.remembered.add(entry, false);
                }
                // Its inode holds something else now: the content is gone for good.
                Ok(Rotated::Missed) if self.by_key.contains_key(&entry.key) => {
                    warn!(path = %entry.path.display(), offset = entry.offset, "the file was truncated or replaced while nobody read it, and no copy is beside it; what came after the offset is lost");
                }
                Ok(Rotated::Missed) => self.remembered.add(entry, true),
                Ok(Rotated::Unsettled) => {
                    self.is_unsettled = true;
                    self.remembered.add(entry, false);
                }
                Err(error) => {
                    self.reports.note_broken(&entry.path, &error);
                    debug!(path = %entry.path.display(), %error, "cannot look for a rotated file");
                    self.remembered.add(entry, false);
                }
            }
        }
        opened
    }

    fn open_rotated(&mut self, entry: &Entry, neighbours: &mut Neighbours) -> io::Result<Rotated> {
        let owner = self.inputs.iter().position(|input| input.watched.owns(&entry.path));
        let Some(input) = owner else { return Ok(Rotated::Missed) };
        let search = Search {
            standing: &standing,
            is_taken: &|key| self.by_key.contains_key(&key) || self.waiting.contains(&key),
            is_permitted: &|path, content| self.permits(path, content),
            is_watched: &|path| self.owns(path),
        };
        let beside = beside::find_beside(entry, &search, neighbours)?;
        let (path, content) = match beside {
            Beside::Found(path, content) => (path, content),
            Beside::Nothing => return Ok(Rotated::Missed),
            Beside::Unsettled => return Ok(Rotated::Unsettled),
        };
        let offset = entry.offset;
        let was = entry.path.display();
        if self.is_to_be_named() {
            info!(path = %path.display(), %was, offset, "reading the rest of a rotated file");
        } else {
            debug!(path = %path.display(), %was, offset, "reading the rest of a rotated file");
        }
        self.open_gone(input, entry, content).map(Rotated::Opened)
    }

    /// The file has other content than was read: truncated and perhaps written anew. What was not
    /// read of the old content is looked for in a copy beside it. Returns the files to look at, and
    /// the old content where nothing more can be read of it: what it holds is only in memory.
    pub fn rewritten(&mut self, id: TailId) -> (Vec<TailId>, Option<Tail>) {
        let is_continued = self.continued.remove(&id);
        let is_gone = self.gone.remove(&id).is_some();
        let Some(mut old) = self.remove(id) else { return (Vec::new(), None) };
        let mut ended = None;
        let (path, key, input) = (old.path.clone(), old.key, old.input);
        let found = Found { path, key, input, stamp: Stamp::default() };
        let position = old.entry_at_offset();
        let content = old.take_content();
        let mut to_read = Vec::new();
        let copy = self.find_copy(&position);
        if let Some((path, content)) = copy
            && old.follow(content).is_ok()
        {
            info!(path = %found.path.display(), copy = %path.display(), "the file was truncated; reading the rest from its copy");
            self.gone.insert(id, Instant::now());
            to_read.push(self.put_in(old));
        } else {
            let (earlier, held) = self.let_go(old, is_continued);
            to_read.extend(earlier);
            ended = held;
        }
        if let Some(new) = self.open_rewritten(&found, content, (position, is_gone)) {
            to_read.push(new);
        }
        (to_read, ended)
    }

    /// Lets go of content that is nowhere any more. A copy that was made earlier has at least what
    /// is not delivered yet: it is read instead, or else the content is given back with what it
    /// holds.
    fn let_go(&mut self, old: Tail, is_continued: bool) -> (Option<TailId>, Option<Tail>) {
        let entry = old.entry(now_seconds());
        let copy = if old.progress.is_settled() { None } else { self.find_copy(&entry) };
        let opened = copy.and_then(|(copy, content)| {
            let opened = self.open_gone(old.input, &entry, content);
            opened.inspect_err(|error| self.note_unopened(&copy, error)).ok()
        });
        let path = old.path.display();
        let lost = old.known_size().saturating_sub(old.read_to());
        if lost > 0 && !is_continued {
            warn!(%path, lost_bytes = lost, "the file was truncated before it was read to its end, and no copy is beside it");
            self.metrics.lost("truncated", lost);
        } else {
            info!(%path, "the file was truncated; reading it from its beginning");
        }
        let held = (opened.is_none() && old.held() > 0).then_some(old);
        (opened, held)
    }

    /// A copy of a file that was seen to be emptied.
    fn find_copy(&self, position: &Entry) -> Option<(PathBuf, Content)> {
        let search = Search {
            standing: &|_| Ok(Standing::Emptied),
            is_taken: &|key| key == position.key || self.by_key.contains_key(&key),
            is_permitted: &|path, content| self.permits(path, content),
            is_watched: &|path| self.owns(path),
        };
        let mut neighbours = Neighbours::default();
        // Names may be changed while they are looked at, for a moment.
        for _ in 0..SEARCHES {
            match beside::find_beside(position, &search, &mut neighbours) {
                Ok(Beside::Found(path, content)) => return Some((path, content)),
                Ok(Beside::Nothing) => break,
                Ok(Beside::Unsettled) => {}
                Err(error) => {
                    warn!(path = %position.path.display(), %error, "cannot look for a copy of the truncated file");
                    break;
                }
            }
        }
        None
    }

    /// Reads on, from where `entry` says, a file that is not where it was found.
    fn open_gone(&mut self, input: usize, entry: &Entry, content: Content) -> io::Result<TailId> {
        let (path, key) = (entry.path.clone(), content.key()?);
        let found = Found { path, key, input, stamp: Stamp::default() };
        let tail = self.begin(&found, content, (Some(entry.clone()), Vec::new()))?;
        let id = self.add(tail);
        self.gone.insert(id, Instant::now());
        Ok(id)
    }

    /// Reads a file that has other content now, through the descriptor that is there: it may have
    /// been renamed or deleted since.
    fn open_rewritten(
        &mut self,
        found: &Found,
        content: Option<Content>,
        (position, is_gone): (Entry, bool),
    ) -> Option<TailId> {
        let Some(content) = content else {
            let new = self.open(found)?;
            self.by_path.insert(found.path.clone(), new);
            return Some(new);
        };
        let kin = Kin { entry: position, has_all: false };
        let opened = self.begin(found, content, (None, vec![kin]));
        let opened = opened.inspect_err(|error| self.note_unopened(&found.path, error));
        let new = self.add(opened.ok()?);
        if is_gone {
            self.gone.insert(new, Instant::now());
        } else {
            self.by_path.insert(found.path.clone(), new);
        }
        Some(new)
    }

    /// A file that is gone was written to after all.
    pub fn is_alive(&mut self, id: TailId) {
        if let Some(since) = self.gone.get_mut(&id) {
            *since = Instant::now();
        }
    }

    /// Closes files that are gone, read to their end, confirmed, and silent for long enough; gives
    /// up deleted ones that hold more disk space than they may. Returns whether there were any.
    pub fn close_gone(&mut self) -> bool {
        self.remembered.forget_before(now_seconds() - REMEMBER_SECONDS);
        let silent = self.gone.iter().filter(|(_, since)| since.elapsed() > self.limits.linger);
        let mut closing: Vec<TailId> =
            silent.map(|(id, _)| *id).filter(|id| self.is_finished(*id)).collect();
        // A read archive is never written to again.
        let is_read = |tail: &&Tail| tail.is_read_archive() && !self.is_to_be_said_again(tail);
        closing.extend(self.tails.values().filter(is_read).map(|tail| tail.id));
        for id in &closing {
            self.close(*id);
        }
        self.give_up_deleted() || !closing.is_empty()
    }

    /// Gives back descriptors of files that are where they were found and were not used for a
    /// while: many idle files need none, and their file system can be unmounted. Returns those that were
    /// written to all the same, which nobody has told: they are to be read first.
    pub fn close_idle(&mut self) -> Vec<TailId> {
        let mut changed = Vec::new();
        while let Some(id) = self.descriptors.take_idle(IDLE) {
            if self.tails.get(&id).is_some_and(|tail| tail.is_plain() && tail.has_grown()) {
                self.note_use(id);
                changed.push(id);
                continue;
            }
            if !self.gone.contains_key(&id)
                && let Some(tail) = self.tails.get_mut(&id)
            {
                tail.close();
            }
        }
        changed
    }

    /// Gives up the deleted files that are gone for longest, as long as all of them together hold
    /// too much.
    fn give_up_deleted(&mut self) -> bool {
        let mut deleted: Vec<(Instant, TailId, u64)> = Vec::new();
        for (id, since) in &self.gone {
            let metadata = self.tails.get(id).filter(|tail| tail.is_open()).map(Tail::metadata);
            if let Some(Ok(metadata)) = metadata
                && metadata.nlink() == 0
            {
                deleted.push((*since, *id, metadata.blocks() * BLOCK_BYTES));
            }
        }
        deleted.sort_unstable();
        let mut held: u64 = deleted.iter().map(|(_, _, bytes)| bytes).sum();
        let mut given_up = false;
        for (_, id, bytes) in deleted {
            if held <= self.limits.deleted_bytes {
                break;
            }
            held -= bytes;
            given_up = true;
            let Some(tail) = self.tails.get(&id) else { continue };
            let length = tail.metadata().map_or(0, |metadata| metadata.len());
            let lost = length.saturating_sub(tail.shipped_to());
            if lost > 0 {
                warn!(path = %tail.path.display(), lost_bytes = lost, "a deleted file that is not read to its end is given up: deleted files hold more disk space than max_deleted_bytes allows");
            }
            self.metrics.lost("given_up", lost);
            self.close(id);
        }
        given_up
    }

    fn is_finished(&self, id: TailId) -> bool {
        let Some(tail) = self.tails.get(&id) else { return true };
        let metadata = match tail.metadata() {
            Ok(metadata) => metadata,
            // It is looked for when it is read next.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return false,
            Err(_) => return tail.progress.is_settled(),
        };
        // Shorter than what was read means truncated: that is dealt with by reading.
        let is_read = tail.is_at_end() && tail.progress.is_settled();
        // How long the text of an archive is, its length does not tell.
        let at_end = is_read && (tail.is_archive() || metadata.len() == tail.shipped_to());
        // As long as nothing takes its place, its writer may not have noticed the rotation.
        at_end && (metadata.nlink() == 0 || self.has_successor(tail))
    }

    fn has_successor(&self, tail: &Tail) -> bool {
        let successor = self.by_path.get(&tail.path).filter(|id| **id != tail.id);
        successor.and_then(|id| self.tails.get(id)).is_some_and(|tail| tail.known_size() > 0)
    }

    fn close(&mut self, id: TailId) {
        self.gone.remove(&id);
        self.continued.remove(&id);
        let Some(tail) = self.remove(id) else { return };
        debug!(path = %tail.path.display(), "closing a file that is finished");
        // Where its directory is away, or another one is mounted over it, the file may come back;
        // an archive is there still, and one may be made of a file that was rotated.
        let directory = tail.path.parent().and_then(|parent| fs::metadata(parent).ok());
        let is_away = directory.is_none_or(|directory| directory.dev() != tail.key.device);
        let input = self.inputs.get(tail.input);
        if is_away || tail.is_archive() || input.is_some_and(|input| input.archives.are_read()) {
            self.remembered.add(tail.last_entry(now_seconds()), true);
        }
    }
}
