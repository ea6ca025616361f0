//! Which directories events come from, and which have to be polled.
//!
//! Events come from inotify where it works, which it does not on network file systems and beyond
//! its limits. Each directory is watched by itself: `notify` can watch whole trees, but does not
//! say where it could not.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use omphalos_common::own_files::OwnFile;
use tracing::{debug, info, warn};

use crate::monitor::find::events::{Events, Signals};
use crate::monitor::position::identity::FileKey;
use crate::monitor::wake::Inbox;

/// The directory below the state directory whose events show that events come.
const PULSE_DIRECTORY: &str = "watch";
/// The file in it.
const PULSE_FILE: &str = "pulse";
/// A healthy thread tells of an event within microseconds; a machine may be very busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// How file events are obtained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchMode {
    /// Inotify where it works, polling elsewhere.
    #[default]
    Auto,
    /// Polling everywhere.
    Poll,
}

/// The watched directories.
#[derive(Debug)]
pub struct Watcher {
    mode: WatchMode,
    inbox: Inbox,
    signals: Arc<Signals>,
    /// `None` where there are none, or not now.
    events: Option<Events>,
    /// With the identity of each: a directory that is replaced takes its watch with it.
    watched: HashMap<PathBuf, FileKey>,
    /// Why directories are polled, as far as that has been said.
    said: HashSet<String>,
    /// Whether the pulse's directory is watched.
    has_pulse: bool,
    /// When the pulse's file was opened.
    sent: Option<Instant>,
    #[cfg(test)]
    pub limit: Limit,
}

impl Watcher {
    /// A watcher without directories. It keeps a file of its own in the state directory.
    pub fn new(mode: WatchMode, inbox: Inbox, state: &Path) -> Self {
        let mut watcher = Self {
            mode,
            inbox,
            // Events have absolute paths.
            signals: Arc::new(Signals::new(
                std::path::absolute(state)
                    .unwrap_or_else(|_| state.to_owned())
                    .join(PULSE_DIRECTORY),
            )),
            events: None,
            watched: HashMap::new(),
            said: HashSet::new(),
            has_pulse: false,
            sent: None,
            #[cfg(test)]
            limit: Limit::default(),
        };
        if let Err(error) = watcher.start() {
            warn!(
                %error,
                "inotify does not work; polling instead (is fs.inotify.max_user_instances too low?)"
            );
        }
        watcher
    }

    /// Watches these directories and no others. Returns whether events come from all of them.
    ///
    /// It blocks for as long as the thread of `notify` does not answer.
    pub fn watch(&mut self, directories: &[PathBuf]) -> bool {
        self.remove_outdated(directories);
        if self.is_working() {
            let mut refused = Refused::default();
            let mut full = None;
            let mut file_systems = HashMap::new();
            for directory in directories {
                let result = match &full {
                    _ if self.is_done(directory) => Ok(()),
                    // Every further one would fail as well.
                    Some(reason) => Err(Refusal::Limit(String::clone(reason))),
                    None => self.add(directory, &mut file_systems),
                };
                if let Err(Refusal::Limit(reason)) = &result {
                    full = Some(reason.clone());
                }
                refused.note(directory, result);
            }
            self.announce(refused);
        }
        self.is_working() && directories.iter().all(|path| self.is_done(path))
    }

    /// Whether events come from the directory that this path is in.
    pub fn covers(&self, path: &Path) -> bool {
        path.parent().is_some_and(|parent| self.is_watched(parent))
    }

    /// Finds out whether events still come, and if not, begins anew; then it returns true.
    /// To be called again and again: each call sends an event that the next ones wait for.
    pub fn check(&mut self, now: Instant) -> bool {
        let was_felt = self.signals.was_felt.load(Ordering::Acquire);
        let waiting = self.sent.filter(|_| !was_felt).map(|sent| now.duration_since(sent));
        match &self.events {
            None => {
                if self.mode == WatchMode::Auto && self.start().is_ok() {
                    info!("inotify works now");
                    self.inbox.put(|news| news.rescan = true);
                }
                false
            }
            Some(events) if !events.is_alive() || waiting.is_some_and(|time| time >= PATIENCE) => {
                warn!("file events stopped; watching anew");
                self.restart();
                true
            }
            Some(_) => {
                if waiting.is_none() {
                    self.send_pulse(now);
                }
                false
            }
        }
    }

    fn is_working(&self) -> bool {
        self.events.as_ref().is_some_and(Events::is_alive)
    }

    /// Whether nothing need be done to watch it; what happens to the pulse is not told in any case.
    fn is_done(&self, directory: &Path) -> bool {
        self.watched.contains_key(directory) || directory == self.signals.pulse
    }

    fn is_watched(&self, directory: &Path) -> bool {
        self.is_working() && self.watched.contains_key(directory)
    }

    fn start(&mut self) -> notify::Result<()> {
        if self.mode == WatchMode::Auto {
            self.events = Some(Events::start(self.inbox.clone(), Arc::clone(&self.signals))?);
            self.has_pulse = false;
            self.sent = None;
        }
        Ok(())
    }

    fn restart(&mut self) {
        self.events = None;
        // What the old thread still tells is about watches that are no more.
        self.signals = Arc::new(Signals::new(self.signals.pulse.clone()));
        let mut directories: Vec<PathBuf> = self.watched.drain().map(|(path, _)| path).collect();
        directories.sort();
        match self.start() {
            Ok(()) => {
                self.watch(&directories);
            }
            Err(error) => warn!(%error, "inotify does not work any more; polling instead"),
        }
        // Nobody told what happened meanwhile.
        self.inbox.put(|news| news.rescan = true);
    }

    /// Causes an event, in a directory where nothing else happens.
    fn send_pulse(&mut self, now: Instant) {
        self.signals.was_felt.store(false, Ordering::Release);
        let file = self.signals.pulse.join(PULSE_FILE);
        let is_there = self.has_pulse && file.exists();
        let sent = if is_there { Ok(()) } else { self.watch_pulse(&file) }
            .and_then(|()| File::open(&file).map(|_| now));
        self.has_pulse = sent.is_ok();
        self.sent = sent
            .inspect_err(|error| debug!(path = %file.display(), %error, "cannot test file events"))
            .ok();
    }

    fn watch_pulse(&mut self, file: &Path) -> io::Result<()> {
        // The state directory itself is made only by who locks it.
        match fs::create_dir(&self.signals.pulse) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let made = OwnFile::default().with(|options| {
            options.write(true).create(true).truncate(false);
        });
        made.open(file)?;
        let Some(events) = &mut self.events else { return Err(ErrorKind::NotConnected.into()) };
        events.watch(&self.signals.pulse).map_err(io::Error::other)
    }

    /// Removes directories that are not wanted, and those whose watch has ended: they were
    /// replaced, or deleted and made again.
    fn remove_outdated(&mut self, wanted: &[PathBuf]) {
        let wanted: HashSet<&PathBuf> = wanted.iter().collect();
        let mut ended = self.signals.take_gone();
        ended.retain(|path| self.watched.contains_key(path));
        let is_outdated = |path: &PathBuf, key: &FileKey| {
            !wanted.contains(path) || ended.concerns(path) || key_of(path) != Some(*key)
        };
        let outdated = self.watched.extract_if(|path, key| is_outdated(path, key));
        let outdated: HashMap<PathBuf, FileKey> = outdated.collect();
        if outdated.is_empty() {
            return;
        }
        // A directory with two names has one watch, which ends with either name.
        let keys: HashSet<&FileKey> = outdated.values().collect();
        self.watched.retain(|_, key| !keys.contains(key));
        if let Some(events) = &mut self.events {
            for path in outdated.keys() {
                events.unwatch(path);
            }
        }
    }

    fn add(
        &mut self,
        directory: &Path,
        file_systems: &mut HashMap<u64, Option<&'static str>>,
    ) -> Result<(), Refusal> {
        let (Some(events), Some(key)) = (&mut self.events, key_of(directory)) else {
            return Err(Refusal::Vanished);
        };
        let kind = file_systems.entry(key.device).or_insert_with(|| without_inotify(directory));
        if let Some(kind) = kind {
            let reason = format!("inotify sees only this host's writes on {kind}");
            return Err(Refusal::Other(reason));
        }
        #[cfg(test)]
        self.limit.check(self.watched.len())?;
        events.watch(directory).map_err(|error| Refusal::from(&error))?;
        self.watched.insert(directory.to_owned(), key);
        // Something may have happened before the watch was there.
        self.inbox.put(|news| news.rescan = true);
        Ok(())
    }

    /// Says for which reasons directories are polled, unless that was so the last time.
    fn announce(&mut self, refused: Refused) {
        for (reason, (count, example)) in &refused.0 {
            if !self.said.contains(reason) {
                warn!(directories = count, example = %example.display(), "polling: {reason}");
            }
        }
        self.said = refused.0.into_keys().collect();
    }
}

/// Why a directory could not be watched.
#[derive(Debug)]
enum Refusal {
    /// It is not there any more.
    Vanished,
    /// There cannot be more watches.
    Limit(String),
    /// Inotify does not work there.
    Other(String),
}

impl From<&notify::Error> for Refusal {
    fn from(error: &notify::Error) -> Self {
        match &error.kind {
            notify::ErrorKind::PathNotFound => Self::Vanished,
            notify::ErrorKind::MaxFilesWatch => Self::Limit(
                "the limit of inotify watches is reached; raise it with: sysctl fs.inotify.max_user_watches=1048576".to_owned(),
            ),
            notify::ErrorKind::Io(error) => {
                Self::Other(format!("inotify does not work there ({error})"))
            }
            _ => Self::Other(format!("inotify does not work there ({error})")),
        }
    }
}

/// Directories without a watch, by reason: how many, and one of them.
#[derive(Debug, Default)]
struct Refused(BTreeMap<String, (usize, PathBuf)>);

impl Refused {
    fn note(&mut self, directory: &Path, result: Result<(), Refusal>) {
        if let Err(Refusal::Limit(reason) | Refusal::Other(reason)) = result {
            self.0.entry(reason).or_insert_with(|| (0, directory.to_owned())).0 += 1;
        }
    }
}

fn key_of(path: &Path) -> Option<FileKey> {
    fs::metadata(path).ok().map(|metadata| FileKey::from(&metadata))
}

/// The kind of file system at `path`, if changes on other hosts escape inotify there.
/// Numbers from statfs(2).
fn without_inotify(path: &Path) -> Option<&'static str> {
    let kind = rustix::fs::statfs(path).ok()?.f_type;
    match kind {
        0x6969 => Some("NFS"),
        0xff53_4d42 | 0xfe53_4d42 => Some("CIFS"),
        0x517b => Some("SMB"),
        0x6573_5546 => Some("FUSE"),
        0x0102_1997 => Some("9P"),
        0x00c3_6400 => Some("Ceph"),
        0x0bd0_0bd0 => Some("Lustre"),
        0x4750_4653 => Some("GPFS"),
        _ => None,
    }
}

/// How many watches there may be in a test, and how often one was tried.
#[cfg(test)]
#[derive(Debug)]
pub struct Limit {
    /// How many.
    pub most: usize,
    tried: usize,
}

#[cfg(test)]
impl Default for Limit {
    fn default() -> Self {
        Self { most: usize::MAX, tried: 0 }
    }
}

#[cfg(test)]
impl Limit {
    fn check(&mut self, watched: usize) -> Result<(), Refusal> {
        self.tried += 1;
        let error = notify::Error::new(notify::ErrorKind::MaxFilesWatch);
        if watched < self.most { Ok(()) } else { Err(Refusal::from(&error)) }
    }
}

#[cfg(test)]
mod tests;
