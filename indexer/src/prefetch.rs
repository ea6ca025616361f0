//! How many deliveries to ask for: as many as the bulks in flight, and the next ones, are made of.

use std::time::{Duration, Instant};

/// Bulks to have in hand besides those in flight: one being filled, one waiting.
const AHEAD: usize = 2;
/// Bounds on what is asked for.
const FEWEST: u16 = 4;
const MOST: u16 = 10_000;
/// The first guess, before any message was seen.
const FIRST: u16 = 16;
/// Share of the newest message in the running average.
const WEIGHT: f64 = 0.05;
/// Changing it means a new consumer, so it grows when that is worth it, and shrinks only for much: sizes
/// that waver about a power of two would else change it all the time.
const GROWS: f64 = 1.5;
const SHRINKS: f64 = 0.4;
const INTERVAL: Duration = Duration::from_secs(1);

/// Follows the size of messages and the number of bulks in flight.
#[derive(Debug)]
pub struct Prefetch {
    bulk_bytes: usize,
    /// Of a message, decompressed; the first one counts in full.
    average_bytes: Option<f64>,
    current: u16,
    changed: Instant,
}

impl Prefetch {
    /// Begins with a small prefetch, for bulks of this many bytes.
    pub fn new(bulk_bytes: usize) -> Self {
        Self { bulk_bytes, average_bytes: None, current: FIRST, changed: Instant::now() }
    }

    /// How many deliveries to ask for now.
    pub fn current(&self) -> u16 {
        self.current
    }

    /// Notes the size of a message, in bytes.
    pub fn observe(&mut self, bytes: usize) {
        let bytes = f64::from(u32::try_from(bytes.max(1)).unwrap_or(u32::MAX));
        let average = self.average_bytes.get_or_insert(bytes);
        *average += WEIGHT * (bytes - *average);
    }

    /// What should be asked for from now on, if that differs enough from what is.
    pub fn wanted(&mut self, bulks: usize) -> Option<u16> {
        let average = self.average_bytes?;
        if self.changed.elapsed() < INTERVAL {
            return None;
        }
        let wanted = wanted(self.bulk_bytes, bulks, average);
        let ratio = f64::from(wanted) / f64::from(self.current);
        if (SHRINKS..=GROWS).contains(&ratio) {
            return None;
        }
        self.current = wanted;
        self.changed = Instant::now();
        Some(wanted)
    }
}

fn wanted(bulk_bytes: usize, bulks: usize, average: f64) -> u16 {
    let mut messages = FEWEST;
    let bytes = (bulks + AHEAD).saturating_mul(bulk_bytes);
    let bytes = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
    // The number of messages that hold so many bytes, rounded up to a power of two.
    while messages < MOST && f64::from(messages) * average < bytes {
        messages *= 2;
    }
    messages.min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn small_messages_are_asked_for_by_the_thousand_and_large_ones_by_the_few() {
        assert_eq!(wanted(5 * MIB, 4, 1_048_576.0), 32);
        assert_eq!(wanted(5 * MIB, 4, 500.0), 10_000);
        assert_eq!(wanted(5 * MIB, 4, 64.0 * 1_048_576.0), 4);
    }

    #[test]
    fn it_changes_only_when_that_is_worth_it() {
        let mut prefetch = Prefetch::new(5 * MIB);
        assert_eq!(prefetch.wanted(4), None, "nothing is known yet");
        prefetch.observe(MIB);
        assert_eq!(prefetch.wanted(4), None, "too soon");
        prefetch.changed = prefetch.changed.checked_sub(INTERVAL).unwrap();
        assert_eq!(prefetch.wanted(4), Some(32));
        prefetch.changed = prefetch.changed.checked_sub(INTERVAL).unwrap();
        assert_eq!(prefetch.wanted(4), None, "it is already so");
        assert_eq!(prefetch.current(), 32);
    }
}
