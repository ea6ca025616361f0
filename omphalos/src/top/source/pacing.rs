//! Old logs as if they were written now, at any speed.

use std::thread;
use std::time::{Duration, Instant};

/// A pause in a log is not waited for longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Holds lines up until it is their time.
#[derive(Debug)]
pub struct Pacing {
    /// How many seconds of the log pass in one.
    speed: f64,
    /// The time of the newest line, in nanoseconds, and when it was let through.
    newest: Option<(i64, Instant)>,
}

impl Pacing {
    /// Plays `speed` seconds of a log in one.
    pub fn new(speed: f64) -> Self {
        Self { speed, newest: None }
    }

    /// Waits until it is time for a line of this time, in nanoseconds since 1970.
    pub fn wait_for(&mut self, time: i64) {
        let now = Instant::now();
        let Some((newest, at)) = self.newest else {
            self.newest = Some((time, now));
            return;
        };
        // Lines that are not in order are not waited for.
        let Ok(ahead) = u64::try_from(time.saturating_sub(newest)) else { return };
        if ahead == 0 {
            return;
        }
        let pause = Duration::from_nanos(ahead).div_f64(self.speed).min(LONGEST_PAUSE);
        let due = at + pause;
        #[expect(
            clippy::disallowed_methods,
            reason = "there is no condition but the time of the line"
        )]
        thread::sleep(due.saturating_duration_since(now));
        // Counted from when it was due and not from now, so that delays do not add up; unless the reader
        // cannot keep up.
        let late = now.saturating_duration_since(due) > LONGEST_PAUSE;
        self.newest = Some((time, if late { now } else { due }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_let_through_when_it_is_their_time_and_no_pause_is_endless() {
        let mut pacing = Pacing::new(1_000.0);
        let began = Instant::now();
        for second in [10, 40, 20, 50] {
            pacing.wait_for(second * 1_000_000_000);
        }
        assert!(began.elapsed() >= Duration::from_millis(40));
        let mut fast = Pacing::new(1e12);
        fast.wait_for(0);
        fast.wait_for(i64::MAX);
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
