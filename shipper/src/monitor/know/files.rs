//! The set of files being read. How one gets in is in [`super::open`], how it goes out in
//! [`super::gone`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use omphalos_common::ids::{IdKeys, IdMakers};
use tracing::{debug, info, warn};

use crate::metrics::ShipperMetrics;
use crate::monitor::find::discover::{Found, Scan, Watched};
use crate::monitor::know::copies::Suspects;
use crate::monitor::know::gone::REMEMBER_SECONDS;
use crate::monitor::know::matching::stamp;
use crate::monitor::know::open::MOST_NAMED;
use crate::monitor::know::positions::Positions;
use crate::monitor::position::checkpoint::{Entry, Remembered};
use crate::monitor::position::clock::Sources;
use crate::monitor::position::identity::{FileKey, logical_path};
use crate::monitor::read::content::{Compression, Content};
use crate::monitor::read::tail::{Tail, TailId, Waits};
use crate::monitor::settings::Input;
use omphalos_common::clock::now_seconds;

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
}

/// What was said of the last scan, and is not said again while it is so.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Announced {
    /// A file that was named is not there.
    Missing(PathBuf),
    /// What was named is no regular file.
    Irregular(PathBuf),
    /// No file matches a pattern.
    Empty(String),
    /// A file or directory cannot be looked at.
    Unreadable(PathBuf),
}

/// All files being read.
pub struct Files {
    pub(in crate::monitor) inputs: Vec<Input>,
    pub(in crate::monitor) host: Host,
    pub(in crate::monitor) tails: BTreeMap<TailId, Tail>,
    pub(in crate::monitor) by_key: HashMap<FileKey, TailId>,
    pub(in crate::monitor) by_path: HashMap<PathBuf, TailId>,
    /// Since when a file is not where it was found, and when it was last written.
    pub(in crate::monitor) gone: HashMap<TailId, Instant>,
    /// Files of which a copy is read on.
    pub(in crate::monitor) continued: HashSet<TailId>,
    /// The files of each logical path, to recognise copies of them.
    pub(in crate::monitor) by_logical: HashMap<PathBuf, BTreeSet<TailId>>,
    /// Positions of files that are not being read: not there, or with nothing new in them.
    pub(in crate::monitor) remembered: Positions,
    /// What was said once of what a scan saw, and need not be said again.
    announced: HashSet<Announced>,
    /// What could not be looked at by the last scan, and why.
    unseen: BTreeMap<PathBuf, String>,
    /// Files that were found and cannot be read now, and why.
    pub(in crate::monitor) unreadable: BTreeMap<PathBuf, String>,
    /// Which file has which source.
    pub(in crate::monitor) sources: Sources,
    pub(in crate::monitor) next_id: u64,
    /// This is the first look of the first start with this state directory.
    pub(in crate::monitor) is_first_start: bool,
    /// How many files the last scan opened.
    pub(in crate::monitor) opened_now: usize,
    /// What was found and cannot be judged yet.
    pub(in crate::monitor) waiting: HashSet<FileKey>,
    /// What looks like a copy of a file that may be emptied.
    pub(in crate::monitor) suspects: Suspects,
    /// What the last scan found and was renamed before it could be opened.
    pub(in crate::monitor) overtaken: Vec<Found>,
    /// Whether names were changed while they were looked at.
    pub(in crate::monitor) is_unsettled: bool,
    /// Files without a descriptor that were nowhere at the last look, and when that was first so.
    pub(in crate::monitor) missed: HashMap<TailId, Instant>,
    /// Files with a descriptor that may be closed, the one used last at the end.
    pub(in crate::monitor) opened: BTreeMap<u64, (TailId, Instant)>,
    /// How often a descriptor was used.
    uses: u64,
    pub(in crate::monitor) limits: Limits,
    pub(in crate::monitor) metrics: ShipperMetrics,
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
            announced: HashSet::new(),
            unseen: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            sources: Sources::default(),
            next_id: 0,
            opened_now: 0,
            waiting: HashSet::new(),
            suspects: Suspects::default(),
            overtaken: Vec::new(),
            is_unsettled: false,
            missed: HashMap::new(),
            opened: BTreeMap::new(),
            uses: 0,
            limits,
            metrics,
        }
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

    /// The checkpoint's entries: files being read, and files remembered.
    pub fn entries(&self, now: i64) -> Vec<Entry> {
        let absent = self.remembered.iter();
        let fresh = absent.filter(|entry| entry.seen > now - REMEMBER_SECONDS);
        let tails = self.tails.values().filter(|tail| !tail.is_pipe());
        tails.map(|tail| tail.entry(now)).chain(fresh.cloned()).collect()
    }

    /// Whether something that was named is not there, or could not be read to its end, in a single
    /// pass.
    pub fn misses_some(&self) -> bool {
        let is_missed = |fact: &Announced| !matches!(fact, Announced::Empty(_));
        let mut cut = self.tails.values().filter(|tail| tail.is_cut()).peekable();
        let misses = !self.unreadable.is_empty()
            || self.announced.iter().any(is_missed)
            || cut.peek().is_some();
        for tail in cut {
            warn!(path = %tail.path.display(), offset = tail.known_size(), "the archive ends in the middle; what stands before this offset was read");
        }
        misses
    }

    /// What cannot be read now, in a few words; `None` when everything can.
    pub fn trouble(&self) -> Option<String> {
        let (path, reason) = self.unreadable.iter().chain(&self.unseen).next()?;
        let path = path.display();
        Some(match self.unreadable_count() {
            1 => format!("cannot read {path}: {reason}"),
            count => format!("cannot read {count} files or directories, such as {path}: {reason}"),
        })
    }

    /// How many files and directories cannot be read now.
    pub fn unreadable_count(&self) -> usize {
        self.unreadable.len() + self.unseen.len()
    }

    /// Whether to look again soon, although nothing may happen: a file is found that cannot be
    /// judged yet, or one was not, while names were changed.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty() || self.is_unsettled || !self.missed.is_empty()
    }

    /// Takes in what a scan found. Returns the files to look at: new ones and renamed ones.
    pub fn update(&mut self, mut scan: Scan) -> Vec<TailId> {
        self.announce(&scan);
        let mut to_read = Vec::new();
        let mut present = HashSet::new();
        let mut files_waiting = (0, 0);
        let hidden: Vec<PathBuf> =
            std::mem::take(&mut scan.unreadable).into_iter().map(|(path, _)| path).collect();
        self.by_path.clear();
        self.waiting.clear();
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
                files_waiting.0 += 1;
                files_waiting.1 += found.stamp.bytes;
            }
            if let Some(id) = id {
                present.insert(id);
                if let Some(tail) = self.tails.get_mut(&id)
                    && tail.stamp.replace(found.stamp) != Some(found.stamp)
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
                    tail.is_at_end = false;
                    to_read.push(*id);
                    Instant::now()
                });
            }
        }
        to_read.extend(self.open_overtaken());
        to_read.extend(self.find_rotated());
        self.suspects.keep_only(|key| self.waiting.contains(&key));
        to_read.extend(self.missed.keys());
        if self.opened_now > MOST_NAMED {
            info!(files = self.opened_now, "reading these and more");
        }
        self.is_first_start = false;
        self.metrics.files_waiting(files_waiting);
        to_read
    }

    /// Begins to read what comes in through a pipe, which belongs to the table `input`.
    ///
    /// # Errors
    /// Never in practice: nothing is read yet.
    pub fn open_pipe(&mut self, input: usize, content: Content) -> io::Result<()> {
        let path = PathBuf::from(PIPE);
        let setup = self.setup(input, &path)?;
        self.add(Tail::open(setup, path, content, None)?);
        Ok(())
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
        let now = stamp(&metadata);
        tail.stamp.replace(now) != Some(now)
    }

    fn announce(&mut self, scan: &Scan) {
        let mut current = HashSet::new();
        let mut once = |fact: Announced, say: &dyn Fn()| {
            if !self.announced.contains(&fact) {
                say();
            }
            current.insert(fact);
        };
        for path in &scan.missing {
            once(Announced::Missing(path.clone()), &|| {
                warn!(path = %path.display(), "the file is not there; waiting for it");
            });
        }
        for (path, kind) in &scan.irregular {
            once(Announced::Irregular(path.clone()), &|| {
                warn!(path = %path.display(), "is {kind}, not a regular file; it is not read");
            });
        }
        for pattern in &scan.empty {
            once(Announced::Empty(pattern.clone()), &|| {
                warn!(pattern, "no file matches; waiting for one");
            });
        }
        for (path, error) in &scan.unreadable {
            once(Announced::Unreadable(path.clone()), &|| {
                warn!(path = %path.display(), %error, "cannot look there; what was read of it stays remembered, trying again");
            });
        }
        self.announced = current;
        let unseen = scan.unreadable.iter();
        self.unseen = unseen.map(|(path, error)| (path.clone(), error.to_string())).collect();
        // What went away need not be read any more. Mostly there is nothing, and many files.
        if !self.unreadable.is_empty() {
            let found: HashSet<&Path> = scan.found.iter().map(|found| &*found.path).collect();
            self.unreadable.retain(|path, _| found.contains(&**path));
        }
    }

    pub(in crate::monitor) fn add(&mut self, tail: Tail) -> TailId {
        let id = tail.id;
        self.by_key.insert(tail.key, id);
        if let Some(source) = tail.clock.timed_source() {
            self.sources.claim(source, id, tail.names.numbered.is_some());
        }
        self.by_logical.entry(logical_path(&tail.path)).or_default().insert(id);
        self.enter_held(&tail, (0, tail.held()));
        self.tails.insert(id, tail);
        self.note_use(id);
        id
    }

    /// Lays out content that is nowhere any more, for what it holds; nobody finds it.
    pub fn lay_out(&mut self, tail: Tail) {
        self.enter_held(&tail, (0, tail.held()));
        self.tails.insert(tail.id, tail);
    }

    /// Puts that away again.
    pub fn put_away(&mut self, id: TailId) {
        if let Some(tail) = self.tails.remove(&id) {
            self.opened.remove(&tail.last_use);
            self.enter_held(&tail, (tail.held(), 0));
        }
    }

    /// Enters into the books that a file comes or goes with what it holds.
    fn enter_held(&self, tail: &Tail, held: (u64, u64)) {
        if let Some(input) = self.inputs.get(tail.input) {
            self.metrics.held(&input.clean_dataset, held);
        }
    }

    /// Notes that a file was used; closes the one that was not used for longest, if too many are
    /// open. Those that are gone from where they were found stay open, as long as they are few:
    /// nobody knows where they go. Deleted ones always do.
    pub fn note_use(&mut self, id: TailId) {
        let Some(tail) = self.tails.get_mut(&id) else { return };
        self.uses += 1;
        self.opened.remove(&std::mem::replace(&mut tail.last_use, self.uses));
        self.opened.insert(self.uses, (id, Instant::now()));
        while self.opened.len() > self.limits.open_files
            && let Some((_, (oldest, _))) = self.opened.pop_first()
        {
            let too_many_gone = self.gone.len() > self.limits.open_files;
            let Some(tail) = self.tails.get_mut(&oldest) else { continue };
            let is_linked = |tail: &Tail| tail.metadata().is_ok_and(|found| found.nlink() > 0);
            if !self.gone.contains_key(&oldest) || (too_many_gone && is_linked(tail)) {
                tail.close();
            }
        }
    }

    pub(in crate::monitor) fn remove(&mut self, id: TailId) -> Option<Tail> {
        let tail = self.tails.remove(&id)?;
        self.missed.remove(&id);
        self.enter_held(&tail, (tail.held(), 0));
        self.by_key.remove(&tail.key);
        if let Some(source) = tail.clock.timed_source() {
            self.sources.release(source, id);
        }
        self.forget_logical(&tail.path, id);
        Some(tail)
    }

    fn rename(&mut self, id: TailId, path: &Path) {
        let Some(tail) = self.tails.get_mut(&id).filter(|tail| tail.path != path) else { return };
        debug!(from = %tail.path.display(), to = %path.display(), "a file was renamed");
        let old = tail.path.clone();
        tail.rename(path);
        self.forget_logical(&old, id);
        self.by_logical.entry(logical_path(path)).or_default().insert(id);
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
    pub(in crate::monitor) fn alike(&self, logical: &Path) -> impl Iterator<Item = &Tail> {
        let ids = self.by_logical.get(logical).into_iter().flatten();
        ids.filter_map(|id| self.tails.get(id))
    }

    /// The cleaned dataset of a file.
    pub fn dataset_of(&self, id: TailId) -> Option<Arc<str>> {
        let tail = self.tails.get(&id)?;
        let input = self.inputs.get(tail.input)?;
        Some(Arc::clone(&input.clean_dataset))
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
            warn!(path = %tail.path.display(), offset = tail.offset(), reason, "the archive is damaged; what stands behind this offset cannot be read");
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

    /// Notes that a file cannot be opened now, and says so once.
    pub(in crate::monitor) fn note_unopened(&mut self, path: &Path, error: &io::Error) {
        if self.unreadable.insert(path.to_owned(), error.to_string()).is_none() {
            warn!(path = %path.display(), %error, "cannot read the file; trying again");
        }
    }

    /// Notes that a file was read.
    pub fn note_read(&mut self, id: TailId) {
        self.missed.remove(&id);
        if !self.unreadable.is_empty()
            && let Some(tail) = self.tails.get(&id)
        {
            self.unreadable.remove(&tail.path);
        }
    }

    /// Notes that a file can be opened.
    pub(in crate::monitor) fn note_readable(&mut self, path: &Path) {
        self.unreadable.remove(path);
    }
}
