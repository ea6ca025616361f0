//! A last line that has no end: shipped when nothing more came for a while.

use std::time::{Duration, Instant};

/// A line that grows for ever, a little at a time, is shipped after ever longer waits: at most so
/// many times the first one.
const LONGEST_FACTOR: u32 = 64;

/// What is known of the last line, while it has no end.
#[derive(Debug, Default)]
pub struct Unfinished {
    /// How many bytes of it there are.
    length: u64,
    /// Since when there are so many.
    since: Option<Instant>,
    /// How many of them were shipped.
    shipped: u64,
    /// How much longer than the first time to wait.
    factor: u32,
}

impl Unfinished {
    /// There are so many bytes behind the last line end now.
    pub fn seen(&mut self, length: u64) {
        if length == 0 {
            *self = Self::default();
        } else if length != self.length || self.since.is_none() {
            self.length = length;
            self.since = Some(Instant::now());
        }
    }

    /// When it is to be shipped, given how long the first wait is.
    pub fn due(&self, wait: Duration) -> Option<Instant> {
        let since = self.since.filter(|_| self.shipped != self.length)?;
        Some(since + wait * self.factor.max(1))
    }

    /// So many bytes were shipped.
    pub fn ship(&mut self, length: u64) {
        self.shipped = length;
        self.length = length;
        self.factor = (self.factor.max(1) * 2).min(LONGEST_FACTOR);
    }

    /// How many bytes of it there are, as far as was seen.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether all of it was shipped, be it that there is nothing.
    pub fn is_shipped(&self) -> bool {
        self.shipped == self.length
    }

    /// How many bytes were shipped last.
    pub fn shipped(&self) -> u64 {
        self.shipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_once_for_each_length_and_ever_later() {
        let wait = Duration::from_secs(1);
        let mut line = Unfinished::default();
        assert_eq!(line.due(wait), None);
        line.seen(5);
        let first = line.due(wait).unwrap();
        line.seen(5);
        assert_eq!(line.due(wait), Some(first), "nothing more came");
        line.ship(5);
        assert_eq!((line.due(wait), line.shipped()), (None, 5));
        line.seen(7);
        assert!(line.due(wait).unwrap() >= first + wait);
        line.seen(0);
        assert_eq!((line.due(wait), line.shipped()), (None, 0));
    }
}
