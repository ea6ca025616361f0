//! What wakes the monitor: file events, confirms, a saved checkpoint, room further on, the end.
//!
//! Everything comes in through one [`Inbox`]. File events are hints only; whoever gets one looks
//! again. They come from inotify (crate `notify`) where it works, which it does not on network
//! file systems and beyond its limits; what it does not cover is polled.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::{debug, warn};

use super::discover::WatchDirectory;
use super::identity::FileKey;
use super::tail::TailId;

/// Beyond so many changed files it is cheaper to look at all.
const MOST_TOUCHED: usize = 10_000;

/// Where everything that the monitor reacts to comes in; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Inbox(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    news: Mutex<News>,
    arrived: Condvar,
}

/// What has come in since the last look.
#[derive(Debug, Default)]
pub struct News {
    /// Files that were written to.
    pub touched: HashSet<PathBuf>,
    /// Files came, went or were renamed; or events were lost.
    pub rescan: bool,
    /// Chunks that are confirmed.
    pub confirmed: Vec<(TailId, u64)>,
    /// The result of saving the checkpoint of this number.
    pub saved: Option<(u64, Result<(), String>)>,
    /// The stage behind the monitor has taken something.
    pub room: bool,
    /// How far the end is.
    pub end: End,
}

/// How far the end of the process is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Far.
    #[default]
    Away,
    /// Nothing more should be read; what is read should be passed on.
    Stop,
    /// No more confirms will come.
    Finished,
}

impl News {
    /// Whether it should be dealt with at once, and not gathered for a moment.
    fn is_urgent(&self) -> bool {
        !self.confirmed.is_empty() || self.saved.is_some() || self.room || self.end > End::Away
    }

    fn is_empty(&self) -> bool {
        !self.is_urgent() && self.touched.is_empty() && !self.rescan
    }
}

impl Inbox {
    /// Puts something in and wakes the monitor.
    pub fn put(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.lock());
        self.0.arrived.notify_one();
    }

    /// Takes what is there, after waiting for it until `deadline`. File events are gathered until
    /// `gather`, so that a busy writer does not wake us for every line.
    pub fn wait(&self, deadline: Instant, gather: Instant) -> News {
        let mut news = self.lock();
        loop {
            let now = Instant::now();
            let gathering = now < gather && !news.is_urgent();
            let until = if gathering { gather.min(deadline) } else { deadline };
            if now >= deadline || (!gathering && !news.is_empty()) {
                // The end does not pass: whoever looks later must see it too.
                let rest = News { end: news.end, ..News::default() };
                return std::mem::replace(&mut *news, rest);
            }
            let timeout = until.saturating_duration_since(now);
            let waited = self.0.arrived.wait_timeout(news, timeout);
            news = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.0.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file_event(&self, event: notify::Result<notify::Event>) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                debug!(%error, "a file event was lost; looking at everything");
                return self.put(|news| news.rescan = true);
            }
        };
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => self.put(|news| {
                news.touched.extend(event.paths);
                if news.touched.len() > MOST_TOUCHED {
                    news.touched.clear();
                    news.rescan = true;
                }
            }),
            // Our own opening and closing of files is among these.
            EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => {}
            _ => self.put(|news| news.rescan = true),
        }
    }
}

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
    inbox: Inbox,
    notify: Option<RecommendedWatcher>,
    /// With the identity of each: a directory that is replaced takes its watch with it.
    watched: HashMap<WatchDirectory, FileKey>,
    /// Directories for which polling has been announced.
    polled: HashSet<PathBuf>,
}

impl Watcher {
    /// A watcher without directories.
    pub fn new(mode: WatchMode, inbox: Inbox) -> Self {
        let notify = match mode {
            WatchMode::Poll => None,
            WatchMode::Auto => {
                let events = inbox.clone();
                let handler = move |event| events.file_event(event);
                notify::recommended_watcher(handler)
                    .inspect_err(|error| {
                        warn!(
                            %error,
                            "inotify does not work; polling instead (is fs.inotify.max_user_instances too low?)"
                        );
                    })
                    .ok()
            }
        };
        Self { inbox, notify, watched: HashMap::new(), polled: HashSet::new() }
    }

    /// Watches these directories and no others. Returns whether events come from all of them.
    pub fn watch(&mut self, directories: &[WatchDirectory]) -> bool {
        let wanted: HashSet<&WatchDirectory> = directories.iter().collect();
        let gone: Vec<WatchDirectory> = self
            .watched
            .iter()
            .filter(|(directory, key)| {
                !wanted.contains(directory) || key_of(&directory.path) != Some(**key)
            })
            .map(|(directory, _)| directory.clone())
            .collect();
        for directory in gone {
            self.remove(&directory);
        }
        let mut all = true;
        for directory in wanted {
            all &= self.watched.contains_key(directory) || self.add(directory);
        }
        all
    }

    fn remove(&mut self, directory: &WatchDirectory) {
        self.watched.remove(directory);
        if let Some(notify) = &mut self.notify
            && let Err(error) = notify.unwatch(&directory.path)
        {
            debug!(directory = %directory.path.display(), %error, "was not watched any more");
        }
    }

    fn add(&mut self, directory: &WatchDirectory) -> bool {
        let path = &directory.path;
        let (Some(notify), Some(key)) = (&mut self.notify, key_of(path)) else { return false };
        if let Some(kind) = without_inotify(path) {
            self.announce_polling(
                path.clone(),
                &format!("it is on {kind}, where inotify sees only this host's writes"),
            );
            return false;
        }
        let mode = if directory.recursive {
            RecursiveMode::Recursive
        } else {
            RecursiveMode::NonRecursive
        };
        match notify.watch(path, mode) {
            Ok(()) => {
                self.watched.insert(directory.clone(), key);
                // Something may have happened before the watch was there.
                self.inbox.put(|news| news.rescan = true);
                true
            }
            Err(error) => {
                self.announce_polling(path.clone(), &explain(&error));
                false
            }
        }
    }

    fn announce_polling(&mut self, path: PathBuf, reason: &str) {
        if !self.polled.contains(&path) {
            warn!(directory = %path.display(), "polling this directory: {reason}");
            self.polled.insert(path);
        }
    }
}

fn key_of(path: &Path) -> Option<FileKey> {
    std::fs::metadata(path).ok().map(|metadata| FileKey::from(&metadata))
}

fn explain(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "the limit of inotify watches is reached; raise it with: sysctl fs.inotify.max_user_watches=1048576".to_owned()
        }
        _ => format!("inotify does not work there ({error})"),
    }
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

/// How long file events are gathered before they are dealt with.
pub const GATHER: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[test]
    fn a_write_and_a_new_file_are_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let inbox = Inbox::default();
        let mut watcher = Watcher::new(WatchMode::Auto, inbox.clone());
        let watched = WatchDirectory { path: directory.path().to_owned(), recursive: false };
        assert!(watcher.watch(&[watched]));
        assert!(inbox.wait(soon(), Instant::now()).rescan);
        let path = directory.path().join("a.log");
        std::fs::write(&path, b"x").unwrap();
        let mut touched = HashSet::new();
        while !touched.contains(&path) {
            touched.extend(inbox.wait(soon(), Instant::now()).touched);
        }
    }

    #[test]
    fn urgent_news_do_not_wait_for_file_events_to_gather() {
        let inbox = Inbox::default();
        inbox.put(|news| {
            news.touched.insert(PathBuf::from("/a"));
        });
        inbox.put(|news| news.confirmed.push((TailId::default(), 1)));
        let news = inbox.wait(soon(), soon());
        assert_eq!((news.touched.len(), news.confirmed.len()), (1, 1));
    }

    #[test]
    fn the_end_is_seen_by_every_look() {
        let inbox = Inbox::default();
        inbox.put(|news| news.end = End::Stop);
        assert_eq!(inbox.wait(soon(), soon()).end, End::Stop);
        assert_eq!(inbox.wait(soon(), soon()).end, End::Stop);
    }
}
