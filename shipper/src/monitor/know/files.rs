//! The set of files being read. How one gets in is in `files/open.rs`, how it goes out in
//! `files/gone.rs`; what a scan changes is in `files/update.rs`.

mod descriptors;
mod gone;
mod open;
mod pieces;
mod reports;
mod update;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use omphalos_common::ids::{IdKeys, IdMakers};
use tracing::error;

use crate::books::Held;
use crate::metrics::ShipperMetrics;
use crate::monitor::find::discover::{Found, Watched};
use crate::monitor::know::beside::Neighbours;
use crate::monitor::know::copies::Suspects;
use crate::monitor::know::files::gone::REMEMBER_SECONDS;
use crate::monitor::know::matching::stamp;
use crate::monitor::know::others::{Heard, Others};
use crate::monitor::know::positions::Positions;
use crate::monitor::position::clock::Sources;
use crate::monitor::position::entry::Entry;
use crate::monitor::position::identity::{FileKey, logical_path};
use crate::monitor::position::state::Remembered;
use crate::monitor::read::choice::Choices;
use crate::monitor::read::content::Content;
use crate::monitor::read::tail::{Tail, TailId, Waits};
use crate::monitor::settings::Input;
use descriptors::Descriptors;
use reports::Reports;

/// What standard input is called.
pub const PIPE: &str = "-";

/// Who we are, in every document.
#[derive(Debug, Clone)]
pub struct Host {
    /// `host.name`.
    pub name: String,
    /// `host.id`.
    pub id: String,
    /// What makes the ids of its lines.
    pub ids: IdMakers,
}

impl Host {
    /// The host of this name and id, whose ids are made with `keys`.
    pub fn new(name: String, id: String, keys: &IdKeys) -> Self {
        let ids = IdMakers::new(&id, keys);
        Self { name, id, ids }
    }
}

/// How many files may be held open, and for whose sake.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files that are where they were found and keep their descriptor.
    pub open_files: usize,
    /// Disk space of files that were deleted before they were read, in bytes.
    pub deleted_bytes: u64,
    /// A file that is renamed or deleted is read on for so long after its last line, because its
    /// writer may not have noticed yet.
    pub linger: Duration,
    /// An archive is read when it has not changed for so long: its writer is done with it then.
    pub archive_quiet: Duration,
    /// A file with the content of another one is waited for so long after its last change: it is
    /// a copy if the other is emptied by then, as a rotation that copies does at once.
    pub copy_wait: Duration,
    /// A file that is nowhere in its directory is believed to be gone when a look so much later
    /// does not find it either: names may be changed while a directory is read.
    pub second_look: Duration,
    /// Whether this is a single pass: what it cannot read to its end, the next one is to say again.
    pub is_single_pass: bool,
}

/// All files being read.
pub struct Files {
    inputs: Vec<Input>,
    host: Host,
    tails: BTreeMap<TailId, Tail>,
    by_key: HashMap<FileKey, TailId>,
    by_path: HashMap<PathBuf, TailId>,
    /// Since when a file is not where it was found, and when it was last written.
    gone: HashMap<TailId, Instant>,
    /// Files of which a copy is read on.
    continued: HashSet<TailId>,
    /// The files of each logical path, to recognise copies of them.
    by_logical: HashMap<PathBuf, BTreeSet<TailId>>,
    /// Positions of files that are not being read: not there, or with nothing new in them.
    remembered: Positions,
    /// What others know of the same files.
    others: Others,
    /// What was said of what cannot be read.
    reports: Reports,
    /// Which file has which source.
    sources: Sources,
    /// How many formats were found out.
    choices: Choices,
    /// How many files were read by other rules than those that are set.
    changes: Choices,
    next_id: u64,
    /// This is the first look of the first start with this state directory.
    is_first_start: bool,
    /// How many files the last scan opened.
    opened_now: usize,
    /// What was found and cannot be judged yet.
    waiting: HashSet<FileKey>,
    /// What looks like a copy of a file that may be emptied.
    suspects: Suspects,
    /// What the last scan found and was renamed before it could be opened.
    overtaken: Vec<Found>,
    /// Whether names were changed while they were looked at.
    is_unsettled: bool,
    /// Files without a descriptor that were nowhere at the last look, and when that was first so.
    missed: HashMap<TailId, Instant>,
    /// What is beside files that are opened.
    neighbours: Neighbours,
    /// Which files have a descriptor that may be closed.
    descriptors: Descriptors,
    limits: Limits,
    metrics: ShipperMetrics,
}

impl Files {
    /// No files yet, and the positions of the last run.
    pub fn new(
        inputs: Vec<Input>,
        host: Host,
        remembered: Remembered,
        limits: Limits,
        metrics: ShipperMetrics,
    ) -> Self {
        Self {
            inputs,
            host,
            tails: BTreeMap::new(),
            by_key: HashMap::new(),
            by_path: HashMap::new(),
            gone: HashMap::new(),
            continued: HashSet::new(),
            by_logical: HashMap::new(),
            is_first_start: remembered.is_first_start,
            remembered: Positions::new(remembered.entries),
            others: Others::new(remembered.others),
            reports: Reports::default(),
            sources: Sources::default(),
            choices: Choices::default(),
            changes: Choices::default(),
            next_id: 0,
            opened_now: 0,
            waiting: HashSet::new(),
            suspects: Suspects::default(),
            overtaken: Vec::new(),
            is_unsettled: false,
            missed: HashMap::new(),
            neighbours: Neighbours::default(),
            descriptors: Descriptors::default(),
            limits,
            metrics,
        }
    }

    /// How many files may be held open, and for how long, from now on.
    pub fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// What is watched, table by table.
    pub fn watched(&self) -> Vec<Watched> {
        self.inputs.iter().map(|input| input.watched.clone()).collect()
    }

    /// The file of this number.
    pub fn get_mut(&mut self, id: TailId) -> Option<&mut Tail> {
        self.tails.get_mut(&id)
    }

    /// All files.
    pub fn iter(&self) -> impl Iterator<Item = &Tail> {
        self.tails.values()
    }

    /// The numbers of all files.
    pub fn ids(&self) -> Vec<TailId> {
        self.tails.keys().copied().collect()
    }

    /// The file that was found at this path.
    pub fn at(&self, path: &Path) -> Option<TailId> {
        if path == Path::new(PIPE) {
            return self.by_key.get(&FileKey::PIPE).copied();
        }
        self.by_path.get(path).copied()
    }

    /// The file that is at this path now, under whatever name it was found.
    pub fn now_at(&self, path: &Path) -> Option<TailId> {
        let key = FileKey::from(&fs::metadata(path).ok()?);
        self.by_key.get(&key).copied()
    }

    /// Whether a file of this path would be read.
    pub fn owns(&self, path: &Path) -> bool {
        self.inputs.iter().any(|input| input.watched.owns(path))
    }

    /// Whether what was opened at this path may be read: no link led to it that is not to be followed.
    pub fn permits(&self, path: &Path, content: &Content) -> bool {
        let mut concerned = self.inputs.iter().filter(|input| input.watched.concerns(path));
        concerned
            .all(|input| content.file().is_none_or(|file| input.watched.permit(path, file).is_ok()))
    }

    /// The checkpoint's entries: files being read, and files remembered. As long as this is not the last
    /// one (`is_over`), more may be read of each before the next is on disk.
    pub fn entries(&self, now: i64, is_over: bool) -> Vec<Entry> {
        let absent = self.remembered.iter();
        let fresh = absent.filter(|entry| entry.seen > now - REMEMBER_SECONDS);
        let tails = self.tails.values().filter(|tail| !tail.is_pipe());
        let entry = |tail: &Tail| {
            let entry = tail.last_entry(now);
            let complete = entry.complete.filter(|_| !self.is_to_be_said_again(tail));
            Entry { complete, ..entry }
        };
        let entries = tails.map(entry).chain(fresh.cloned());
        let known = |entry: Entry| Entry { reached: entry.reached.filter(|_| is_over), ..entry };
        entries.map(known).collect()
    }

    /// Whether a file is damaged, and not to be forgotten for that.
    fn is_to_be_said_again(&self, tail: &Tail) -> bool {
        self.limits.is_single_pass && tail.is_damaged()
    }

    /// What was named and is not there, or could not be read to its end, and why: for a single pass.
    pub fn missed(&self) -> Vec<String> {
        let damaged = |tail: &Tail| Some(format!("{}: {}", tail.path.display(), tail.damage()?));
        let damaged = self.tails.values().filter_map(damaged);
        self.reports.missed().into_iter().chain(damaged).collect()
    }

    /// What cannot be read now, in a few words; `None` when everything can.
    pub fn trouble(&self) -> Option<String> {
        self.reports.trouble()
    }

    /// How many files and directories cannot be read now.
    pub fn unreadable_count(&self) -> usize {
        self.reports.unreadable_count()
    }

    /// Whether to look again soon, although nothing may happen: a file is found that cannot be
    /// judged yet, or one was not, while names were changed.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty() || self.is_unsettled || !self.missed.is_empty()
    }

    /// Begins to read what comes in through a pipe, which belongs to the table `input`.
    ///
    /// # Errors
    /// Never in practice: nothing is read yet.
    pub fn open_pipe(&mut self, input: usize, content: Content) -> io::Result<()> {
        let path = PathBuf::from(PIPE);
        let setup = self.setup(input, &path)?;
        self.add(Tail::open(setup, path, content, &Heard::default())?);
        Ok(())
    }

    /// Whether the last scan found files that were not known.
    pub fn has_opened(&self) -> bool {
        self.opened_now > 0
    }

    /// Files that no scan sees any more.
    pub fn gone_ids(&self) -> Vec<TailId> {
        self.gone.keys().copied().collect()
    }

    /// Whether a file may have changed since it was last looked at from outside: it need not be
    /// opened to find out.
    pub fn may_have_changed(&mut self, id: TailId) -> bool {
        let Some(tail) = self.tails.get_mut(&id) else { return false };
        let Ok(metadata) = tail.metadata() else { return true };
        tail.note_stamp(stamp(&metadata))
    }

    fn add(&mut self, mut tail: Tail) -> TailId {
        self.recall_pieces(&mut tail);
        self.put_in(tail)
    }

    /// The same for one that was read already.
    fn put_in(&mut self, tail: Tail) -> TailId {
        let id = tail.id;
        self.by_key.insert(tail.key, id);
        if let Some(source) = tail.timed_source() {
            self.sources.claim(source, id, tail.is_numbered());
        }
        self.by_logical.entry(logical_path(&tail.path)).or_default().insert(id);
        self.enter_held(&tail, Held { before: 0, after: tail.held() });
        self.tails.insert(id, tail);
        self.note_use(id);
        id
    }

    /// Lays out content that is nowhere any more, for what it holds; nobody finds it.
    pub fn lay_out(&mut self, tail: Tail) {
        self.enter_held(&tail, Held { before: 0, after: tail.held() });
        self.tails.insert(tail.id, tail);
    }

    /// Puts that away again.
    pub fn put_away(&mut self, id: TailId) {
        if let Some(tail) = self.tails.remove(&id) {
            self.descriptors.forget(id);
            self.enter_held(&tail, Held { before: tail.held(), after: 0 });
        }
    }

    /// Enters into the books that a file comes or goes with what it holds.
    fn enter_held(&self, tail: &Tail, held: Held) {
        self.metrics.held(&tail.dataset, held);
    }

    /// Notes that a file was used; closes the one that was not used for longest, if too many are
    /// open. Those that are gone from where they were found stay open, as long as they are few:
    /// nobody knows where they go. Deleted ones always do.
    pub fn note_use(&mut self, id: TailId) {
        if !self.tails.contains_key(&id) {
            return;
        }
        self.descriptors.used(id);
        while let Some(oldest) = self.descriptors.take_beyond(self.limits.open_files) {
            let too_many_gone = self.gone.len() > self.limits.open_files;
            let Some(tail) = self.tails.get_mut(&oldest) else { continue };
            let is_linked = |tail: &Tail| tail.metadata().is_ok_and(|found| found.nlink() > 0);
            if !self.gone.contains_key(&oldest) || (too_many_gone && is_linked(tail)) {
                tail.close();
            }
        }
    }

    fn remove(&mut self, id: TailId) -> Option<Tail> {
        let tail = self.tails.remove(&id)?;
        self.missed.remove(&id);
        self.descriptors.forget(id);
        self.enter_held(&tail, Held { before: tail.held(), after: 0 });
        self.by_key.remove(&tail.key);
        if let Some(source) = tail.timed_source() {
            self.sources.release(source, id);
        }
        self.forget_logical(&tail.path, id);
        Some(tail)
    }

    fn forget_logical(&mut self, path: &Path, id: TailId) {
        let logical = logical_path(path);
        if let Some(alike) = self.by_logical.get_mut(&logical) {
            alike.remove(&id);
            if alike.is_empty() {
                self.by_logical.remove(&logical);
            }
        }
    }

    /// The files of this logical path.
    fn alike(&self, logical: &Path) -> impl Iterator<Item = &Tail> {
        let ids = self.by_logical.get(logical).into_iter().flatten();
        ids.filter_map(|id| self.tails.get(id))
    }

    /// The cleaned dataset of a file.
    pub fn dataset_of(&self, id: TailId) -> Option<Arc<str>> {
        self.tails.get(&id).map(|tail| Arc::clone(&tail.dataset))
    }

    /// How long what has no end in a file waits for it, and the file.
    pub fn waits_of(&self, id: TailId) -> Option<(Waits, &Tail)> {
        let tail = self.tails.get(&id)?;
        Some((self.inputs.get(tail.input)?.waits, tail))
    }

    /// Says and counts that an archive is damaged, once.
    pub fn tell_damage(&mut self, id: TailId) {
        let Some(tail) = self.tails.get_mut(&id) else { return };
        if let Some(reason) = tail.take_damage() {
            // A single pass says it at its end, of all of them.
            if !self.limits.is_single_pass {
                error!(path = %tail.path.display(), offset = tail.known_size(), "cannot be read to its end: {reason}");
            }
            if tail.is_archive() {
                self.metrics.archive_damaged();
            }
        }
    }

    /// Notes that an archive ends in the middle, and that it cannot be told what of it was read before.
    fn note_cut(&mut self, path: &Path) {
        if self.reports.note_cut(path) {
            self.metrics.archive_damaged();
        }
    }

    /// Notes that a file cannot be read on now, and says so once.
    pub fn note_unreadable(&mut self, id: TailId, error: &io::Error) {
        let path = self.tails.get(&id).map(|tail| tail.path.clone());
        if let Some(path) = path {
            self.note_unopened(&path, error);
        }
    }

    /// What was found that cannot be, if anything was: nothing more must be read then.
    pub fn broken(&self) -> Option<&str> {
        self.reports.broken()
    }

    /// Notes that a file cannot be opened now, and says so once.
    fn note_unopened(&mut self, path: &Path, error: &io::Error) {
        self.reports.note_unopened(path, error);
    }

    /// Notes that a file was written to, as an event tells.
    pub fn note_written(&mut self, id: TailId) {
        if let Some(tail) = self.tails.get_mut(&id) {
            tail.note_written();
        }
    }

    /// Notes that a file was read.
    pub fn note_read(&mut self, id: TailId) {
        self.missed.remove(&id);
        if let Some(tail) = self.tails.get(&id) {
            self.reports.note_readable(&tail.path);
        }
    }

    /// Notes that a file can be opened.
    fn note_readable(&mut self, path: &Path) {
        self.reports.note_readable(path);
    }
}
