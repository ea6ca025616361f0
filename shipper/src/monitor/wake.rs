//! What wakes the monitor: file events, confirms, a saved checkpoint, room further on, the end.
//!
//! Everything comes in through one [`Inbox`]. File events are hints only; whoever gets one looks
//! again.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::monitor::batch::Owner;

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
    pub confirmed: Vec<Owner>,
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
    /// The process goes on.
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
}

/// How long file events are gathered before they are dealt with.
pub const GATHER: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::read::tail::TailId;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[test]
    fn urgent_news_do_not_wait_for_file_events_to_gather() {
        let inbox = Inbox::default();
        inbox.put(|news| {
            news.touched.insert(PathBuf::from("/a"));
        });
        inbox.put(|news| news.confirmed.push(Owner { tail: TailId::default(), chunk: 1 }));
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
