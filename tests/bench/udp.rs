//! The UDP transport: what it costs to send and to receive, how much one receiver takes, and what
//! is left of a stream when the path loses datagrams, or when somebody floods the receiver.
//!
//! Everything goes over the loopback of this machine, so the kernel's work for both ends, the
//! sender, the receiver and whatever harms them share its processors.

mod drain;
mod flood;
mod loopback;
mod loss;
mod receiving;
mod sending;
mod source;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::table::Table;
use source::Source;

/// The packets of an Ethernet path, and of the widest path there is.
const ETHERNET: &str = "1500";
const LOOPBACK: &str = "auto";
/// What proxies and floods draw from.
const SEED: u64 = 20_251_125;

/// Measures all of it; `log` is the one that everything is measured with.
pub fn measure(directory: &Path, log: &Path, table: &mut Table) {
    let keys = key_file(directory);
    sending::compare(directory, log, &keys, table);
    receiving::compare(directory, log, &keys, table);
    let source = Source::new();
    loopback::measure(directory, &source, table);
    loss::measure(directory, &source, &keys, table);
    flood::measure(directory, &source, log, &keys, table);
}

/// A file with one key, which only we may read.
fn key_file(directory: &Path) -> PathBuf {
    let path = directory.join("keys");
    fs::write(&path, format!("1 {}\n", "5a".repeat(32))).expect("a key file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    path
}
