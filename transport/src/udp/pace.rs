//! A token bucket: so many bytes a second, with bursts that fit the receiver's socket buffer.

use std::time::{Duration, Instant};

/// How many bytes may go at once. Linux gives sockets 208 KiB by default, in which a datagram
/// counts for more than its bytes.
const BURST: f64 = 64.0 * 1024.0;

/// Who has to wait waits for so many seconds' worth of bytes, and at most a quarter of a burst: each
/// wait is a sleep here, and wakes the receiver for a few datagrams.
const QUANTUM: f64 = 0.001;

/// The bucket; its tokens are bytes.
#[derive(Debug)]
pub struct Pace {
    bytes_per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl Pace {
    /// So many bytes a second, which must not be 0.
    pub fn new(bytes_per_second: u64) -> Self {
        let bytes = u32::try_from(bytes_per_second).unwrap_or(u32::MAX);
        Self { bytes_per_second: f64::from(bytes), tokens: BURST, filled: Instant::now() }
    }

    /// Takes `bytes`; returns how long to wait before sending them. The bucket goes into debt, so
    /// that what is larger than a burst passes, and those that follow wait for it.
    pub fn take(&mut self, bytes: usize, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + passed * self.bytes_per_second).min(BURST);
        let debt = -self.tokens;
        self.tokens -= f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        if debt <= 0.0 {
            return Duration::ZERO;
        }
        let quantum = (self.bytes_per_second * QUANTUM).min(BURST / 4.0);
        Duration::from_secs_f64((debt + quantum) / self.bytes_per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_than_the_rate_and_a_burst() {
        let mut pace = Pace::new(1_000_000);
        let begun = Instant::now();
        let mut now = begun;
        let mut sent = 0;
        while now < begun + Duration::from_secs(10) {
            now += pace.take(1400, now) + Duration::from_micros(1);
            sent += 1400;
        }
        assert!((9_900_000..10_100_000).contains(&sent), "{sent}");
    }

    #[test]
    fn after_a_rest_a_burst_goes_at_once_and_no_more() {
        let mut pace = Pace::new(1_000_000);
        let now = Instant::now() + Duration::from_secs(100);
        let mut at_once = 0;
        while pace.take(1400, now).is_zero() {
            at_once += 1400;
        }
        assert!((64_000..68_000).contains(&at_once), "{at_once}");
    }
}
