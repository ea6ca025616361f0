//! What the end-to-end tests, the benchmarks and the demo are made of: real servers, the built
//! programs as processes, log files, and words for what is done with them.
//!
//! Everything here panics when it fails: a test that cannot set its scene has failed.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "test code says what went wrong by panicking"
)]

pub mod alertmanager;
pub mod amqp;
pub mod chaos;
pub mod clock;
pub mod cluster;
pub mod differential;
pub mod elastic;
pub mod embedded;
pub mod filler;
pub mod generate;
pub mod interposer;
pub mod json;
pub mod load;
pub mod log_file;
pub mod logrotate;
pub mod mount;
mod port;
pub mod program;
pub mod prometheus;
pub mod scenario;
pub mod scraper;
pub mod server;
pub mod smtp;
pub mod stack;
pub mod tcp_proxy;
pub mod terminal;
pub mod udp;
pub mod udp_proxy;
pub mod wait;
pub mod worst;

pub use alertmanager::Alertmanager;
pub use amqp::Amqp;
pub use clock::Clock;
pub use cluster::{BrokerCluster, SearchCluster};
pub use elastic::Elastic;
pub use embedded::Embedded;
pub use filler::Filler;
pub use interposer::{Action, Interposer};
pub use json::any_value;
pub use load::Load;
pub use log_file::LogFile;
pub use logrotate::Logrotate;
pub use mount::Mount;
pub use port::{Port, free_port};
pub use program::{Exited, Program};
pub use prometheus::Prometheus;
pub use scraper::Scraper;
pub use server::{Engine, Server};
pub use smtp::Smtp;
pub use stack::Stack;
pub use tcp_proxy::{Link, Side, TcpProxy};
pub use terminal::Terminal;
pub use udp_proxy::{Flood, Harm, Hostile, UdpProxy};
pub use wait::{eventually, holds, rest};

use std::path::{Path, PathBuf};

/// The repository: that of the current directory, or else the one that this was compiled in, which need
/// not be there any more.
pub fn repository() -> PathBuf {
    let is_ours = |path: &Path| path.join("tests/stack/lib.sh").is_file();
    let current = std::env::current_dir().unwrap_or_default();
    let compiled = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut candidates = current.ancestors().chain(compiled);
    let found = candidates.find(|path| is_ours(path)).unwrap_or_else(|| {
        panic!(
            "tests/stack is neither here nor above {}: change to a checkout of the repository",
            current.display()
        )
    });
    found.to_owned()
}
