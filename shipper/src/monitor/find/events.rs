//! File events from the crate `notify`: what they mean to the monitor, and whether they still come.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use notify::event::{AccessKind, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::debug;

use crate::monitor::wake::Inbox;

/// Beyond so many changed files it is cheaper to look at all.
const MOST_TOUCHED: usize = 10_000;

/// A running thread of `notify`.
///
/// Calls of `notify` panic when the thread is gone. So they are made only while it lives, and where
/// it ends just then, the panic is caught. (Release builds end with any panic; there a thread can
/// only be missing from the start, or hang.)
#[derive(Debug)]
pub struct Events {
    /// `None` only while it is dropped.
    notify: Option<RecommendedWatcher>,
    /// Kept by the thread as long as it lives.
    thread: Weak<()>,
}

/// What the thread tells the watcher.
#[derive(Debug)]
pub struct Signals {
    /// Events of this directory show that events come, and nothing else.
    pub pulse: PathBuf,
    /// Whether an event of the pulse has come.
    pub was_felt: AtomicBool,
    gone: Mutex<Gone>,
}

/// Paths that were deleted or renamed: a watch there has ended, or is about another directory.
#[derive(Debug, Default)]
pub struct Gone {
    paths: HashSet<PathBuf>,
    /// Whether there were too many paths to keep.
    is_all: bool,
}

/// The part that the thread calls.
struct Listener {
    inbox: Inbox,
    signals: Arc<Signals>,
    _thread: Arc<()>,
}

impl Events {
    /// Starts a thread without watches.
    ///
    /// # Errors
    /// When there are too many inotify instances, or threads.
    pub fn start(inbox: Inbox, signals: Arc<Signals>) -> notify::Result<Self> {
        let thread = Arc::new(());
        let weak = Arc::downgrade(&thread);
        let notify = notify::recommended_watcher(Listener { inbox, signals, _thread: thread })?;
        let events = Self { notify: Some(notify), thread: weak };
        // Notify does not say when it could not start its thread.
        if events.is_alive() { Ok(events) } else { Err(notify::Error::generic("no thread")) }
    }

    /// Whether the thread lives.
    pub fn is_alive(&self) -> bool {
        self.thread.strong_count() > 0
    }

    /// Watches what happens in a directory, and not deeper.
    ///
    /// # Errors
    /// When that is not possible there, or there are too many watches.
    pub fn watch(&mut self, directory: &Path) -> notify::Result<()> {
        self.call(|notify| notify.watch(directory, RecursiveMode::NonRecursive))
    }

    /// Ends what [`Events::watch`] began, if it has not ended by itself.
    pub fn unwatch(&mut self, directory: &Path) {
        if let Err(error) = self.call(|notify| notify.unwatch(directory)) {
            debug!(directory = %directory.display(), %error, "was not watched any more");
        }
    }

    fn call(
        &mut self,
        call: impl FnOnce(&mut RecommendedWatcher) -> notify::Result<()>,
    ) -> notify::Result<()> {
        let gone = || notify::Error::generic("its thread is gone");
        let is_alive = self.is_alive();
        let notify = self.notify.as_mut().filter(|_| is_alive).ok_or_else(gone)?;
        catch_unwind(AssertUnwindSafe(|| call(notify))).unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let notify = self.notify.take();
        if self.is_alive() {
            if catch_unwind(AssertUnwindSafe(|| drop(notify))).is_err() {
                debug!("the thread of file events had ended by itself");
            }
        } else {
            // It would panic, because it cannot tell its thread to end.
            std::mem::forget(notify);
        }
    }
}

impl Signals {
    /// Nothing has been told yet.
    pub fn new(pulse: PathBuf) -> Self {
        Self { pulse, was_felt: AtomicBool::new(false), gone: Mutex::default() }
    }

    /// Takes the paths that were deleted or renamed since the last time.
    pub fn take_gone(&self) -> Gone {
        std::mem::take(&mut *self.gone.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note_gone(&self, paths: &[PathBuf]) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.paths.extend(paths.iter().cloned());
        if gone.paths.len() > MOST_TOUCHED {
            *gone = Gone { paths: HashSet::new(), is_all: true };
        }
    }
}

impl Gone {
    /// Keeps only what `is_watched`: of other paths no watch could have ended.
    pub fn retain(&mut self, is_watched: impl Fn(&Path) -> bool) {
        self.paths.retain(|path| is_watched(path));
    }

    /// Whether the watch of this directory may have ended: it, or one above it, went away.
    pub fn concerns(&self, directory: &Path) -> bool {
        let mut above = directory.ancestors();
        self.is_all || (!self.paths.is_empty() && above.any(|path| self.paths.contains(path)))
    }
}

impl notify::EventHandler for Listener {
    fn handle_event(&mut self, event: notify::Result<notify::Event>) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                debug!(%error, "a file event was lost; looking at everything");
                return self.inbox.put(|news| news.rescan = true);
            }
        };
        #[cfg(test)]
        break_if_told(&event);
        if event.paths.iter().any(|path| path.starts_with(&self.signals.pulse)) {
            if matches!(event.kind, EventKind::Access(AccessKind::Open(_))) {
                self.signals.was_felt.store(true, Ordering::Release);
            }
            return;
        }
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => self.inbox.put(|news| {
                news.touched.extend(event.paths);
                if news.touched.len() > MOST_TOUCHED {
                    news.touched.clear();
                    news.rescan = true;
                }
            }),
            // Our own opening and closing of files is among these.
            EventKind::Access(_) => {}
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                self.signals.note_gone(&event.paths);
                self.inbox.put(|news| news.rescan = true);
            }
            // New files; and permissions, which may have been given back.
            _ => self.inbox.put(|news| news.rescan = true),
        }
    }
}

/// Lets tests end or stop the thread by creating a file.
#[cfg(test)]
fn break_if_told(event: &notify::Event) {
    let is_there = |name| event.paths.iter().any(|path| path.ends_with(name));
    assert!(!is_there("end-this-thread"), "told to end");
    while is_there("stop-this-thread") {
        std::thread::park();
    }
}
