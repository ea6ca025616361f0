//! The one retry policy: exponential, with jitter, without end.
//!
//! Whoever retries decides what is worth retrying; this module only says how long to wait. It is
//! also the only file that knows the crate `backoff`, which is unmaintained (RUSTSEC-2025-0012).

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// Factor from one wait to the next.
const MULTIPLIER: f64 = 2.0;
/// Each wait is drawn from ± this share of itself, so that a fleet does not come back in step.
const JITTER: f64 = 0.3;

/// How long to wait before the next attempt.
#[derive(Debug)]
pub struct Retry {
    longest: Duration,
    backoff: ExponentialBackoff,
}

impl Retry {
    /// Waits that begin at `first` and grow to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        let mut backoff = ExponentialBackoff {
            initial_interval: first,
            max_interval: longest,
            multiplier: MULTIPLIER,
            randomization_factor: JITTER,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        backoff.reset();
        Self { longest, backoff }
    }

    /// The next wait; never more than 1.3 times the longest.
    pub fn next_wait(&mut self) -> Duration {
        // `None` means "give up", which is never reached without a maximum elapsed time.
        self.backoff.next_backoff().unwrap_or(self.longest)
    }

    /// Begins anew, after a success.
    pub fn reset(&mut self) {
        self.backoff.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_begin_anew_after_a_success() {
        let mut retry = Retry::new(Duration::from_millis(100), Duration::from_secs(5));
        let within = |wait: Duration, expected: f64| {
            let seconds = wait.as_secs_f64();
            assert!((expected * 0.69..=expected * 1.31).contains(&seconds), "{seconds} {expected}");
        };
        for expected in [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0] {
            within(retry.next_wait(), expected);
        }
        retry.reset();
        within(retry.next_wait(), 0.1);
    }
}
