//! `make bench`: what things cost, as ratios of two measurements in one run, best of several.
//!
//! The machine is noisy and shared, so absolute figures mean little; a ratio of two things that
//! were measured in turn on the same machine means something. Nothing is asserted.
//!
//! `bench` runs all, `bench udp` what is about UDP, `bench files` what is about many files, `bench
//! audit` what is about audits, `bench search` what is about
//! searching, `bench parsers` what is about parsing, `bench store` what is about indexing in the embedded store, `bench top` what is about the console and
//! its figures, `bench page` what is about the page, which takes half an hour and is no part of all; with other arguments it is the other side of a comparison, run as a process of its own so that it is
//! measured in the same way.
#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a benchmark that cannot set its scene says so by panicking"
)]

mod audit;
mod files;
mod indexer;
mod latency;
mod measure;
mod messages;
mod page;
mod parsers;
mod search;
mod shipper;
mod store;
mod table;
mod top;
mod udp;

use std::path::PathBuf;

use table::Table;

/// How often each side of a comparison is measured.
const RUNS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => all(),
        ["udp"] => udp(),
        ["files"] => files(),
        ["audit"] => audit(),
        ["search"] => search(),
        ["store"] => store(),
        ["top"] => top(),
        ["page"] => page(),
        ["parsers"] => parsers(),
        ["yardstick", file] => shipper::yardstick(file),
        ["publish", file, url, encoding, times] => messages::publish(file, url, encoding, times),
        ["send", file, url, times] => messages::send(file, url, times),
        other => {
            eprintln!(
                "bench: unknown arguments {other:?}; expected none, udp, files, audit, search, store, top, page, parsers, or those that it gives itself"
            );
            std::process::exit(2);
        }
    }
}

fn all() {
    let (directory, log, mut table) = begin();
    parsers::measure(&mut table);
    shipper::compare_parsing(&directory, &log, &mut table);
    shipper::compare_shipping(&directory, &log, &mut table);
    shipper::compare_sending(&directory, &mut table);
    shipper::compare_single_documents(&directory, &log, &mut table);
    shipper::idle_memory(&directory, &mut table);
    indexer::compare(&directory, &mut table);
    latency::measure(&directory, &mut table);
    udp::measure(&directory, &log, &mut table);
    files::measure(&mut table);
    audit::measure(&directory, &log, &mut table);
    search::measure(&directory, &log, &mut table);
    store::measure(&directory, &log, &mut table);
    top::measure(&directory, &log, &mut table);
    table.print();
}

fn top() {
    let (directory, log, mut table) = begin();
    top::measure(&directory, &log, &mut table);
    table.print();
}

fn parsers() {
    let (directory, log, mut table) = begin();
    parsers::measure(&mut table);
    shipper::compare_parsing(&directory, &log, &mut table);
    shipper::compare_shipping(&directory, &log, &mut table);
    table.print();
}

fn page() {
    let directory = scene();
    say_load();
    let mut table = Table::default();
    page::measure(&directory, &mut table);
    table.print();
}

fn audit() {
    let (directory, log, mut table) = begin();
    audit::measure(&directory, &log, &mut table);
    table.print();
}

fn search() {
    let (directory, log, mut table) = begin();
    search::measure(&directory, &log, &mut table);
    table.print();
}

fn store() {
    let (directory, log, mut table) = begin();
    store::measure(&directory, &log, &mut table);
    table.print();
}

fn udp() {
    let (directory, log, mut table) = begin();
    udp::measure(&directory, &log, &mut table);
    table.print();
}

fn files() {
    say_load();
    let mut table = Table::default();
    files::measure(&mut table);
    table.print();
}

/// Where everything happens, the log that everything is measured with, and an empty table.
fn begin() -> (PathBuf, PathBuf, Table) {
    let directory = scene();
    say_load();
    let log = shipper::make_log(&directory, 1_000_000);
    (directory, log, Table::default())
}

fn say_load() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load before: {}", load.trim());
}

/// A directory on the disk where the servers' data will be too, below the current one.
fn scene() -> PathBuf {
    let directory = std::path::absolute("target/bench").expect("a path");
    std::fs::remove_dir_all(&directory).ok();
    std::fs::create_dir_all(&directory).expect("target/bench can be created");
    directory
}
