//! The indexer: transport → collector.
//!
//! Deliveries come along the roads that are set ([`receive`], [`omphalos_transport::intake`]).
//! [`pipeline`] takes them, gathers their documents into bulks and acknowledges what has a
//! final verdict; [`collector`] gives the verdicts: it sends bulks with the client of [`mod@elasticsearch`],
//! retries what can be retried, and stores as dead letters what cannot.
//!
//! `main` ─► [`cli`] ─► [`run()`]: builds the stages, joins them, and stops them from the front.

pub mod check;
pub mod cli;
pub mod collector;
pub mod config;
pub mod elasticsearch;
#[doc(hidden)]
pub mod fuzzing;
mod heartbeat;
pub mod metrics;
pub mod pipeline;
pub mod prefetch;
pub mod receive;
pub mod relay;
mod run;
pub mod streams;
pub mod suspects;

pub use run::{Surroundings, relay, run, run_in};
