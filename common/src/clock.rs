//! The present time, by the wall clock, which somebody may set while the program runs.

use std::time::{SystemTime, UNIX_EPOCH};

/// The present in milliseconds since the epoch.
pub fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The present in seconds since the epoch.
pub fn now_seconds() -> i64 {
    now_millis() / 1000
}
