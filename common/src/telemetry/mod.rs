//! What a daemon says of itself: logs, metrics, health, and the HTTP listener that serves the
//! last two.

mod ask;
mod connections;
mod health;
mod http;
mod kept;
mod lines;
mod logs;
mod process;
mod repeats;
mod samples;
mod web;

pub(crate) use ask::{Failure, request_by};
pub use ask::{NotReady, address_to_ask, ask_ready};
pub use connections::{Incoming, Limits, Peer, serve};
pub use health::Health;
pub use http::{Listener, Routes, Telemetry};
pub use kept::Kept;
pub use logs::{LogFormat, init_logs};
pub use repeats::CALM;
pub use repeats::{Due, Repeats, SharedRepeats};
pub use samples::{encode_counter, encode_counters, encode_gauge, encode_gauges};
pub use web::Hosts;
