//! The collectors, filled by sources and asked by whoever shows figures.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use omphalos_live::{Answer, Dimension, Filter, Live, Pace, Question, Settings, SettingsProblem};

/// The collectors, from any thread. A lock taken for each line costs nothing that can be measured, and
/// lets a question in between any two lines.
#[derive(Debug)]
pub struct Counter {
    live: Mutex<Live>,
    /// How many questions wait. Whoever has lines steps aside for them, because the lock is not fair.
    asking: AtomicUsize,
    /// How often the figures were forgotten because all lines are read once more.
    rounds: AtomicUsize,
}

impl Counter {
    /// Without a line.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(settings: Settings) -> Result<Self, SettingsProblem> {
        Ok(Self {
            live: Mutex::new(Live::new(settings)?),
            asking: AtomicUsize::new(0),
            rounds: AtomicUsize::new(0),
        })
    }

    /// The present round: whoever began in another one has nothing to count any more.
    pub fn round(&self) -> usize {
        self.rounds.load(Ordering::Acquire)
    }

    /// Ends the round, and then lets `forget` forget the figures: who is counting a line of the old
    /// round is waited for, and counts no other.
    pub fn end_round(&self, forget: &dyn Fn()) {
        self.asked(|_| self.rounds.fetch_add(1, Ordering::AcqRel));
        forget();
    }

    /// Lets `count` put lines in.
    pub fn fill<T>(&self, count: impl FnOnce(&mut Live) -> T) -> T {
        while self.asking.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        count(&mut self.lock())
    }

    fn asked<T>(&self, ask: impl FnOnce(&mut Live) -> T) -> T {
        self.asking.fetch_add(1, Ordering::Relaxed);
        let answer = ask(&mut self.lock());
        self.asking.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    /// Answers a question.
    pub fn ask(&self, question: &Question) -> Answer {
        self.asked(|live| live.ask(question))
    }

    /// Begins anew with another filter.
    pub fn set_filter(&self, filter: Option<Filter>) {
        self.asked(|live| live.set_filter(filter));
    }

    /// Counts one more dimension from now on.
    ///
    /// # Errors
    /// When there are as many as can be.
    pub fn count(&self, dimension: Dimension) -> Result<(), SettingsProblem> {
        self.asked(|live| live.count(dimension))
    }

    /// Looks back so far from now on.
    ///
    /// # Errors
    /// When a window cannot be so long.
    pub fn set_window(&self, window: Duration) -> Result<(), SettingsProblem> {
        self.asked(|live| live.set_window(window))
    }

    /// How far it looks back.
    pub fn window(&self) -> Duration {
        self.asked(|live| live.window())
    }

    /// What moves time from now on.
    pub fn set_pace(&self, pace: Pace) {
        self.asked(|live| live.set_pace(pace));
    }

    /// Moves time to that of the clock, in nanoseconds since 1970.
    pub fn advance(&self, now: i64) {
        self.asked(|live| live.advance(now));
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
