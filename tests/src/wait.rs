//! Waiting for a condition, never for a guess.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Longer than anything takes on the busiest machine; only failures wait so long.
const LONGEST: Duration = Duration::from_secs(150);

/// Calls `attempt` until it succeeds; panics with its last error when that takes too long.
pub fn eventually<T, E: Display>(what: &str, mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        match attempt() {
            Ok(result) => return result,
            Err(state) if begun.elapsed() > LONGEST => {
                panic!("{what}: not after {LONGEST:?}; the last state: {state}")
            }
            Err(_) => rest(pause),
        }
        pause = (pause * 3 / 2).min(Duration::from_millis(500));
    }
}

/// `Ok` when `condition` holds, else `state` as the error, for [`eventually`].
///
/// # Errors
/// `state`, when `condition` does not hold.
pub fn holds(condition: bool, state: impl Display) -> Result<(), String> {
    if condition { Ok(()) } else { Err(state.to_string()) }
}

/// Between two looks at a condition, or two writes.
#[expect(clippy::disallowed_methods, reason = "paces loops that look at conditions, and writers")]
pub fn rest(pause: Duration) {
    std::thread::sleep(pause);
}
