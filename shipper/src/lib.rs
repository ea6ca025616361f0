//! The shipper: monitor → parser → transport.
//!
//! [`monitor`] tails files on a thread of its own and has each line parsed ([`omphalos_parser`]) into a
//! document; documents gather in batches; [`pipeline`] sends batches on another thread, along the
//! [`road`] that is set. Confirms travel the same road backwards: the transport resolves a
//! receipt, the pipeline tells the monitor, the monitor moves the checkpoint.
//!
//! `main` ─► [`cli`] ─► [`run()`]: builds the stages, joins them, and stops them from the front.

pub mod books;
pub mod check;
pub mod cli;
pub mod config;
mod heartbeat;
pub mod host;
pub mod keys;
pub mod metrics;
pub mod monitor;
pub mod pipeline;
pub mod road;
mod run;

pub use run::{Surroundings, run, run_in};
