//! The set of files being read: found, followed through renames and copies, given up at last.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use super::checkpoint::Entry;
use super::discover::{Found, Scan, Watched};
use super::identity::{FileKey, logical_path};
use super::matching;
use super::positions::Positions;
use super::tail::{Setup, Tail, TailId};
use crate::config::{Input, LogicalPath, Start};
use crate::now_seconds;
use crate::parser::Frame;

/// A file that is renamed or deleted is read on for so long after its last line, because its
/// writer may not have noticed yet.
const LINGER: Duration = Duration::from_mins(1);

/// What is remembered of files that are not there: they may come back with their file system.
const REMEMBER_SECONDS: i64 = 7 * 24 * 3600;

/// Who we are, in every document.
#[derive(Debug, Clone)]
pub struct Host {
    /// `host.name`.
    pub name: String,
    /// `host.id`.
    pub id: String,
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
    /// The files of each logical path, to recognise copies of them.
    by_logical: HashMap<PathBuf, BTreeSet<TailId>>,
    /// Positions of files that are not there, and may come back.
    remembered: Positions,
    /// What was said once and need not be said again.
    announced: HashSet<String>,
    next_id: u64,
    first_scan: bool,
    /// Files with a descriptor that may be closed, in the order in which they were opened.
    opened: VecDeque<TailId>,
    max_open: usize,
}

impl Files {
    /// No files yet, and the positions of the last run. Of the files that are where they were
    /// found, `max_open` keep their descriptors.
    pub fn new(inputs: Vec<Input>, host: Host, remembered: Vec<Entry>, max_open: usize) -> Self {
        Self {
            inputs,
            host,
            tails: BTreeMap::new(),
            by_key: HashMap::new(),
            by_path: HashMap::new(),
            gone: HashMap::new(),
            by_logical: HashMap::new(),
            remembered: Positions::new(remembered),
            announced: HashSet::new(),
            next_id: 0,
            first_scan: true,
            opened: VecDeque::new(),
            max_open,
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
        self.tails.values().map(|tail| tail.entry(now)).chain(fresh.cloned()).collect()
    }

    /// Whether something that was named is not there, or cannot be read.
    pub fn misses_some(&self) -> bool {
        self.announced.iter().any(|text| !text.starts_with("empty "))
    }

    /// Takes in what a scan found. Returns the files to look at: new ones and renamed ones.
    pub fn update(&mut self, scan: Scan) -> Vec<TailId> {
        self.announce(&scan);
        let mut to_read = Vec::new();
        let mut present = HashSet::new();
        let unreadable: Vec<PathBuf> = scan.unreadable.into_iter().map(|(path, _)| path).collect();
        self.by_path.clear();
        for found in scan.found {
            let id = match self.by_key.get(&found.key) {
                Some(id) => Some(*id),
                None => self.open(&found).inspect(|id| to_read.push(*id)),
            };
            if let Some(id) = id {
                present.insert(id);
                self.rename(id, &found.path);
                self.by_path.insert(found.path, id);
            }
        }
        for (id, tail) in &self.tails {
            let hidden = unreadable.iter().any(|path| tail.path.starts_with(path));
            if present.contains(id) || hidden {
                self.gone.remove(id);
            } else {
                // It may have been written to until the moment it was renamed.
                self.gone.entry(*id).or_insert_with(|| {
                    to_read.push(*id);
                    Instant::now()
                });
            }
        }
        to_read.extend(self.find_rotated());
        self.first_scan = false;
        to_read
    }

    fn announce(&mut self, scan: &Scan) {
        let mut current = HashSet::new();
        let mut once = |key: String, say: &dyn Fn()| {
            if !self.announced.contains(&key) {
                say();
            }
            current.insert(key);
        };
        for path in &scan.missing {
            once(format!("missing {}", path.display()), &|| {
                warn!(path = %path.display(), "the file is not there; waiting for it");
            });
        }
        for (path, kind) in &scan.irregular {
            once(format!("irregular {}", path.display()), &|| {
                warn!(path = %path.display(), "is {kind}, not a regular file; it is not read");
            });
        }
        for pattern in &scan.empty {
            once(format!("empty {pattern}"), &|| {
                warn!(pattern, "no file matches; waiting for one");
            });
        }
        for (path, error) in &scan.unreadable {
            once(format!("unreadable {}", path.display()), &|| {
                warn!(path = %path.display(), %error, "cannot look there; what was read of it stays remembered, trying again");
            });
        }
        // What could not be opened is announced when that is tried, and kept until it works.
        current.extend(self.announced.iter().filter(|key| key.starts_with("open ")).cloned());
        self.announced = current;
    }

    /// Begins to read a file that was found; `None` when it cannot be opened now.
    fn open(&mut self, found: &Found) -> Option<TailId> {
        match self.try_open(found) {
            Ok(tail) => {
                self.announced.remove(&format!("open {}", found.path.display()));
                Some(self.add(tail))
            }
            Err(error) => {
                if self.announced.insert(format!("open {}", found.path.display())) {
                    warn!(path = %found.path.display(), %error, "cannot read the file; trying again");
                }
                None
            }
        }
    }

    fn try_open(&mut self, found: &Found) -> io::Result<Tail> {
        let file = File::open(&found.path)?;
        let logical = logical_path(&found.path);
        let absent = self.remembered.candidates(found.key, &logical);
        let live: Vec<Entry> = self.alike(&logical).map(|tail| tail.entry(0)).collect();
        let known = absent.iter().map(|(_, entry)| *entry).chain(&live);
        let entry = matching::find(&file, found.key, &found.path, known)?.cloned();
        let of_entry = absent.iter().find(|(_, known)| Some(*known) == entry.as_ref());
        if let Some(number) = of_entry.map(|(number, _)| *number) {
            self.remembered.remove(number);
        }
        let setup = self.setup(found.input, &found.path)?;
        let mut tail = Tail::open(setup, found.path.clone(), file, entry.as_ref())?;
        let input = self.inputs.get(found.input);
        let from_end = input.is_some_and(|input| input.start == Start::End);
        if entry.is_none() && self.first_scan && from_end {
            tail.skip_to_end()?;
        }
        info!(path = %found.path.display(), offset = tail.offset(), "reading");
        Ok(tail)
    }

    fn setup(&mut self, input: usize, path: &Path) -> io::Result<Setup> {
        let id = TailId(self.next_id);
        self.next_id += 1;
        let settings = self.inputs.get(input).ok_or(io::ErrorKind::InvalidInput)?;
        let bytes = path.as_os_str().as_encoded_bytes();
        let host = (&*self.host.name, &*self.host.id);
        Ok(Setup {
            id,
            input,
            parser: settings.parser.parser(),
            frame: Frame::new(&settings.dataset, host, bytes, settings.keep_original),
            logical_path: match &settings.logical_path {
                LogicalPath::Auto => logical_path(path),
                LogicalPath::Exact => path.to_owned(),
                LogicalPath::Given(path) => path.clone(),
            },
        })
    }

    fn add(&mut self, tail: Tail) -> TailId {
        let id = tail.id;
        self.by_key.insert(tail.key, id);
        self.by_logical.entry(logical_path(&tail.path)).or_default().insert(id);
        self.tails.insert(id, tail);
        self.note_open(id);
        id
    }

    /// Notes that a file was opened; closes the one that has been open for longest, if they are
    /// too many. Files that are gone stay open: they could not be opened again.
    pub fn note_open(&mut self, id: TailId) {
        self.opened.push_back(id);
        while self.opened.len() > self.max_open
            && let Some(oldest) = self.opened.pop_front()
        {
            if !self.gone.contains_key(&oldest)
                && let Some(tail) = self.tails.get_mut(&oldest)
            {
                tail.close();
            }
        }
    }

    /// Looks for a file that has no descriptor and is not where it was: it was renamed since it was
    /// last read. Returns how many bytes are known to be lost when it is not beside it any more.
    ///
    /// # Errors
    /// When its directory cannot be read now.
    pub fn find_again(&mut self, id: TailId) -> io::Result<Option<u64>> {
        let Some(tail) = self.tails.get_mut(&id) else { return Ok(Some(0)) };
        if let Some(path) = matching::find_inode(&tail.path, tail.key)? {
            tail.reopen(&path)?;
            self.gone.entry(id).or_insert_with(Instant::now);
            return Ok(None);
        }
        let lost = tail.known_size().saturating_sub(tail.offset());
        if lost > 0 {
            warn!(path = %tail.path.display(), lost_bytes = lost, "the file was deleted before it was read to its end");
        }
        self.close(id);
        Ok(Some(lost))
    }

    fn remove(&mut self, id: TailId) -> Option<Tail> {
        let tail = self.tails.remove(&id)?;
        self.by_key.remove(&tail.key);
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
    fn alike(&self, logical: &Path) -> impl Iterator<Item = &Tail> {
        let ids = self.by_logical.get(logical).into_iter().flatten();
        ids.filter_map(|id| self.tails.get(id))
    }

    /// Looks for files of the last run beside where they were: rotated while we were away.
    fn find_rotated(&mut self) -> Vec<TailId> {
        let mut opened = Vec::new();
        for entry in self.remembered.take_unsearched() {
            match self.open_rotated(&entry) {
                Ok(Some(id)) => opened.push(id),
                // Its inode holds something else now: the content is gone for good.
                Ok(None) if self.by_key.contains_key(&entry.key) => {
                    warn!(path = %entry.path.display(), offset = entry.offset, "the file was truncated or replaced while nobody read it, and no copy is beside it; what stood behind the offset is lost");
                }
                Ok(None) => self.remembered.add(entry, true),
                Err(error) => {
                    debug!(path = %entry.path.display(), %error, "cannot look for a rotated file");
                    self.remembered.add(entry, false);
                }
            }
        }
        opened
    }

    fn open_rotated(&mut self, entry: &Entry) -> io::Result<Option<TailId>> {
        let owner = self.inputs.iter().position(|input| input.watched.owns(&entry.path));
        let Some(input) = owner else { return Ok(None) };
        let found = matching::find_beside(entry, |key| self.by_key.contains_key(&key))?;
        let Some((path, _, file)) = found else { return Ok(None) };
        let setup = self.setup(input, &entry.path)?;
        let tail = Tail::open(setup, entry.path.clone(), file, Some(entry))?;
        let offset = tail.offset();
        info!(path = %path.display(), was = %entry.path.display(), offset, "reading the rest of a rotated file");
        let id = self.add(tail);
        self.gone.insert(id, Instant::now());
        Ok(Some(id))
    }

    /// The file has other content than was read: truncated and perhaps written anew. What was not
    /// read of the old content is looked for in a copy beside it. Returns the files to look at,
    /// and how many bytes were not found.
    pub fn rewritten(&mut self, id: TailId) -> (Vec<TailId>, u64) {
        let Some(mut old) = self.remove(id) else { return (Vec::new(), 0) };
        let found = Found { path: old.path.clone(), key: old.key, input: old.input };
        let position = old.entry_at_offset();
        let mut to_read = Vec::new();
        let is_taken = |key| key == found.key || self.by_key.contains_key(&key);
        let copy = matching::find_beside(&position, is_taken).unwrap_or_else(|error| {
            warn!(path = %found.path.display(), %error, "cannot look for a copy of the truncated file");
            None
        });
        let mut lost = 0;
        if let Some((path, key, file)) = copy {
            info!(path = %found.path.display(), copy = %path.display(), "the file was truncated; reading the rest from its copy");
            old.follow(key, file);
            self.gone.insert(id, Instant::now());
            to_read.push(self.add(old));
        } else {
            lost = old.known_size().saturating_sub(old.offset());
            if lost > 0 {
                warn!(path = %found.path.display(), lost_bytes = lost, "the file was truncated before it was read to its end, and no copy is beside it");
            } else {
                info!(path = %found.path.display(), "the file was truncated; reading it from its beginning");
            }
        }
        if let Some(new) = self.open(&found) {
            self.by_path.insert(found.path, new);
            to_read.push(new);
        }
        (to_read, lost)
    }

    /// A file that is gone was written to after all.
    pub fn is_alive(&mut self, id: TailId) {
        if let Some(since) = self.gone.get_mut(&id) {
            *since = Instant::now();
        }
    }

    /// Closes files that are gone, read to their end, confirmed, and silent for long enough.
    /// Returns whether there were any.
    pub fn close_gone(&mut self) -> bool {
        let silent = self.gone.iter().filter(|(_, since)| since.elapsed() > LINGER);
        let closing: Vec<TailId> =
            silent.map(|(id, _)| *id).filter(|id| self.is_finished(*id)).collect();
        for id in &closing {
            self.close(*id);
        }
        !closing.is_empty()
    }

    fn is_finished(&self, id: TailId) -> bool {
        let Some(tail) = self.tails.get(&id) else { return true };
        let Ok(metadata) = tail.metadata() else { return tail.progress.is_settled() };
        let at_end = tail.progress.is_settled() && metadata.len() <= tail.offset();
        // As long as nothing takes its place, its writer may not have noticed the rotation.
        at_end && (metadata.nlink() == 0 || self.has_successor(tail))
    }

    fn has_successor(&self, tail: &Tail) -> bool {
        let successor = self.by_path.get(&tail.path).filter(|id| **id != tail.id);
        successor.and_then(|id| self.tails.get(id)).is_some_and(|tail| tail.known_size() > 0)
    }

    fn close(&mut self, id: TailId) {
        self.gone.remove(&id);
        let Some(tail) = self.remove(id) else { return };
        debug!(path = %tail.path.display(), "closing a file that is gone");
        // Where its directory is away, or another one is mounted over it, the file may come back.
        let directory = tail.path.parent().and_then(|parent| fs::metadata(parent).ok());
        if directory.is_none_or(|directory| directory.dev() != tail.key.device) {
            self.remembered.add(tail.entry(now_seconds()), true);
        }
    }

    /// The cleaned dataset of a file, and how long its lines may be.
    pub fn input_of(&self, id: TailId) -> Option<(Arc<str>, usize)> {
        let tail = self.tails.get(&id)?;
        let input = self.inputs.get(tail.input)?;
        Some((Arc::clone(&input.clean_dataset), input.max_line_bytes))
    }

    /// Says once that a file cannot be read now.
    pub fn unreadable(&mut self, id: TailId, error: &io::Error) {
        let Some(tail) = self.tails.get(&id) else { return };
        if self.announced.insert(format!("open {}", tail.path.display())) {
            warn!(path = %tail.path.display(), %error, "cannot read on; trying again at every rescan");
        }
    }
}
