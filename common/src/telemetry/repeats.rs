//! For a log that says the first error at once and then only that it goes on.
//!
//! A trouble that comes and goes many times a second would fill a log in pairs of lines; so one that
//! is back soon after it was over is said at a rate as well.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A trouble that comes back within this time is not news.
pub const CALM: Duration = Duration::from_secs(5);

/// Decides whether a repeated event is logged: the first at once, later ones at a rate.
#[derive(Debug)]
pub struct Repeats {
    every: Duration,
    last: Option<Instant>,
    /// Whether it was said that the condition is there, and not yet that it is over.
    is_on: bool,
    suppressed: u64,
}

/// An event that is to be logged now, and how many were not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// How many were not, since the last one that was; a field of the log line.
    pub repeats: Option<u64>,
}

impl Repeats {
    /// At most one line each 30 seconds after the first.
    pub const fn new() -> Self {
        Self::every(Duration::from_secs(30))
    }

    /// At most one line each `every` after the first.
    pub const fn every(every: Duration) -> Self {
        Self { every, last: None, is_on: false, suppressed: 0 }
    }

    /// Call at each event: `Some` when it should be logged.
    pub fn due(&mut self) -> Option<Due> {
        let now = Instant::now();
        let pause = if self.is_on { self.every } else { CALM.min(self.every) };
        if self.last.is_some_and(|last| now.duration_since(last) < pause) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        self.is_on = true;
        let suppressed = std::mem::take(&mut self.suppressed);
        Some(Due { repeats: (suppressed > 0).then_some(suppressed) })
    }

    /// The condition is over: the next event is a first one again, unless it follows the last one
    /// that was logged within a few seconds.
    ///
    /// Returns whether it had been logged, so that its end is too.
    pub fn over(&mut self) -> bool {
        std::mem::take(&mut self.is_on)
    }
}

/// The same for those who share it, such as in a `static`.
#[derive(Debug)]
pub struct SharedRepeats(Mutex<Repeats>);

impl SharedRepeats {
    /// At most one line each 30 seconds after the first.
    pub const fn new() -> Self {
        Self(Mutex::new(Repeats::new()))
    }

    /// As [`Repeats::due`].
    pub fn due(&self) -> Option<Due> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).due()
    }
}

impl Default for SharedRepeats {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Repeats {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_due_at_once_and_then_a_rate() {
        let mut repeats = Repeats::every(Duration::from_hours(1));
        assert_eq!(repeats.due(), Some(Due { repeats: None }));
        assert_eq!((repeats.due(), repeats.due()), (None, None));
        repeats.every = Duration::ZERO;
        assert_eq!(repeats.due(), Some(Due { repeats: Some(2) }));
    }

    #[test]
    fn a_trouble_that_comes_and_goes_is_said_at_a_rate_and_never_ends_unsaid() {
        let mut repeats = Repeats::every(Duration::from_hours(1));
        assert!(repeats.due().is_some());
        assert!(repeats.over());
        for _ in 0..1_000 {
            assert_eq!(repeats.due(), None, "it is back at once");
            assert!(!repeats.over(), "nothing was said that could be over");
        }
        repeats.last = repeats.last.and_then(|last| last.checked_sub(CALM));
        assert_eq!(repeats.due(), Some(Due { repeats: Some(1_000) }), "it goes on for long");
        assert!(repeats.over());
    }
}
