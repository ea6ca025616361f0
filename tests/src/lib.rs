//! What the end-to-end tests, the benchmarks and the demo are made of: real servers, the built
//! programs as processes, log files, and words for what is done with them.
//!
//! Everything here panics when it fails: a test that cannot set its scene has failed.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code says what went wrong by panicking"
)]

pub mod amqp;
pub mod chaos;
pub mod clock;
pub mod cluster;
pub mod elastic;
pub mod embedded;
pub mod filler;
pub mod generate;
pub mod interposer;
pub mod load;
pub mod log_file;
pub mod logrotate;
pub mod mount;
mod port;
pub mod program;
pub mod scenario;
pub mod scraper;
pub mod server;
pub mod stack;
pub mod tcp_proxy;
pub mod udp;
pub mod udp_proxy;
pub mod wait;

pub use amqp::Amqp;
pub use clock::Clock;
pub use cluster::{BrokerCluster, SearchCluster};
pub use elastic::Elastic;
pub use embedded::Embedded;
pub use filler::Filler;
pub use interposer::{Action, Interposer};
pub use load::Load;
pub use log_file::LogFile;
pub use logrotate::Logrotate;
pub use mount::Mount;
pub use port::free_port;
pub use program::{Exited, Program};
pub use scraper::Scraper;
pub use server::{Engine, Server};
pub use stack::Stack;
pub use tcp_proxy::{Link, Side, TcpProxy};
pub use udp_proxy::{Flood, Harm, Hostile, UdpProxy};
pub use wait::{eventually, holds, rest};

use std::path::PathBuf;

/// The repository.
pub fn repository() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests/ is in the repository").to_owned()
}
