//! When to look at what: all patterns, all files, and files without events.

use std::time::{Duration, Instant};

/// After a rescan that an event asked for there is another one so much later: something may have
/// been created in a new directory before its watch was there.
const AGAIN: Duration = Duration::from_secs(1);
/// How long after a rescan an event may not ask for the next one, at least.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// The same as a multiple of the last rescan: events cannot take more than a fifth of a processor.
const PAUSE_FACTOR: u32 = 4;

/// The times at which the monitor has something to look at.
#[derive(Debug)]
pub struct Schedule {
    rescan: Instant,
    /// An event asked for the next rescan.
    is_asked: bool,
    /// When the pause after the last rescan ends.
    pause_end: Instant,
    /// When all files are looked at.
    pub look: Instant,
    /// When files without events are looked at.
    pub poll: Instant,
}

impl Schedule {
    /// Everything is due now.
    pub fn new(now: Instant) -> Self {
        Self { rescan: now, is_asked: false, pause_end: now, look: now, poll: now }
    }

    /// Brings the next rescan forward, because of an event.
    pub fn ask_for_rescan(&mut self, now: Instant) {
        self.is_asked = true;
        self.rescan = self.rescan.min(now.max(self.pause_end));
    }

    /// Whether a rescan should begin.
    pub fn is_rescan_due(&self, now: Instant) -> bool {
        now >= self.rescan
    }

    /// Notes when a rescan began and ended; without an event the next one comes after `interval`.
    pub fn rescanned(&mut self, began: Instant, ended: Instant, interval: Duration) {
        self.pause_end = ended + SHORTEST_PAUSE + PAUSE_FACTOR * (ended - began);
        let regular = began + interval;
        let was_asked = std::mem::take(&mut self.is_asked);
        let next = if was_asked { regular.min(ended + AGAIN) } else { regular };
        self.rescan = next.max(self.pause_end);
    }

    /// When the next rescan should begin.
    pub fn next_rescan(&self) -> Instant {
        self.rescan
    }

    /// When there is something to do next.
    pub fn next(&self, polls: bool) -> Instant {
        let regular = self.rescan.min(self.look);
        if polls { regular.min(self.poll) } else { regular }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_storm_of_events_leaves_time_for_everything_else() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let cost = millis(100);
        let (mut now, mut spent) = (start, Duration::ZERO);
        while now < start + INTERVAL {
            schedule.ask_for_rescan(now);
            if schedule.is_rescan_due(now) {
                schedule.rescanned(now, now + cost, INTERVAL);
                now += cost;
                spent += cost;
            } else {
                now += millis(1);
            }
        }
        assert!((millis(1900)..=millis(2000)).contains(&spent), "{spent:?} of {INTERVAL:?}");
    }

    #[test]
    fn an_event_brings_the_next_rescan_forward_but_not_into_the_pause() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        schedule.rescanned(start, start + millis(5), INTERVAL);
        schedule.ask_for_rescan(start + millis(6));
        assert!(!schedule.is_rescan_due(start + millis(34)), "5 + 10 + 4 x 5");
        assert!(schedule.is_rescan_due(start + millis(35)));
        schedule.rescanned(start + millis(35), start + millis(40), INTERVAL);
        schedule.ask_for_rescan(start + millis(500));
        assert!(schedule.is_rescan_due(start + millis(500)));
    }

    #[test]
    fn a_rescan_for_an_event_is_followed_by_one_more() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        schedule.ask_for_rescan(start);
        schedule.rescanned(start, start, INTERVAL);
        assert!(!schedule.is_rescan_due(start + millis(999)));
        assert!(schedule.is_rescan_due(start + AGAIN));
        schedule.rescanned(start + AGAIN, start + AGAIN, INTERVAL);
        assert!(!schedule.is_rescan_due(start + INTERVAL));
        assert!(schedule.is_rescan_due(start + INTERVAL + AGAIN));
    }

    #[test]
    fn files_without_events_are_waited_for_only_where_there_are_some() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        schedule.rescanned(start, start, INTERVAL);
        schedule.look = start + INTERVAL;
        assert_eq!(schedule.next(true), start);
        assert_eq!(schedule.next(false), start + INTERVAL);
    }
}
