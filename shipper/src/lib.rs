//! The shipper: monitor → parser → transport.
//!
//! [`monitor`] tails files on a thread of its own and has each line parsed ([`parser`]) into a
//! document; documents gather in a [`batch`]; [`pipeline`] encodes batches on another thread and
//! hands them to the transport. Confirms travel the same road backwards: the transport resolves a
//! receipt, the pipeline tells the monitor, the monitor moves the checkpoint.
//!
//! `main` ─► [`cli`] ─► [`run()`]: builds the stages, joins them, and stops them from the front.

pub mod batch;
pub mod books;
pub mod check;
pub mod cli;
pub mod config;
pub mod host;
pub mod keys;
pub mod metrics;
pub mod monitor;
pub mod parse;
pub mod parser;
pub mod pipeline;
mod run;

pub use run::{Surroundings, run, run_in};

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
