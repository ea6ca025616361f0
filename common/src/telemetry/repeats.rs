//! For a log that says the first error at once and then only that it goes on.

use std::time::{Duration, Instant};

/// Decides whether a repeated event is logged: the first at once, later ones at a rate.
#[derive(Debug)]
pub struct Repeats {
    every: Duration,
    last: Option<Instant>,
    suppressed: u64,
}

/// An event that should be logged.
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
        Self { every, last: None, suppressed: 0 }
    }

    /// Call at each event: `Some` when it should be logged.
    pub fn due(&mut self) -> Option<Due> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < self.every) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        let suppressed = std::mem::take(&mut self.suppressed);
        Some(Due { repeats: (suppressed > 0).then_some(suppressed) })
    }

    /// The condition is over: the next event is a first one again.
    ///
    /// Returns whether it had ever been logged, so that its end is too.
    pub fn over(&mut self) -> bool {
        self.suppressed = 0;
        self.last.take().is_some()
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
        assert!(repeats.over());
        assert!(!repeats.over());
        assert_eq!(repeats.due(), Some(Due { repeats: None }));
    }
}
