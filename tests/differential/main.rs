//! `make store-differential`: the embedded store against the real Elasticsearch; see
//! `tests/src/differential`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for developers")]
#![allow(clippy::expect_used, reason = "a harness that cannot set its scene says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use omphalos_tests::differential::{Options, Report, run};
use omphalos_tests::{Embedded, Engine, Server};
use tempfile::TempDir;

/// Asks the embedded store and Elasticsearch the same, drawn from a seed, and tells where their answers
/// differ.
#[derive(Parser)]
struct Arguments {
    /// What documents and requests are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many requests.
    #[arg(long, default_value_t = 20_000)]
    requests: u64,
    /// Only of these kinds, divided by commas: query, string, sort, paging, fields, aggregations, write,
    /// path.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// Where mappings and documents are written: `NAME.json` for a PUT of `NAME`, and `NAME.ndjson` for
    /// its `_bulk`.
    #[arg(long, default_value = "target/differential")]
    directory: PathBuf,
}

/// A line after each scene, and all that differs up to there in a file, for who does not wait for the end.
fn progress(done: u64, report: &Report) {
    let [agree, refused, differ] = report.sums();
    eprintln!("{done} requests: {agree} answers agree, {refused} are refused, {differ} differ");
    fs::write(Path::new("target").join("differential.txt"), report.differences()).expect("a file");
}

fn main() -> ExitCode {
    let Arguments { seed, requests, kinds, directory } = Arguments::parse();
    // One that runs already saves its start.
    let running = std::env::var("OMPHALOS_TEST_ES_URL").ok();
    let home = TempDir::with_prefix("omphalos-differential-").expect("a directory");
    let own =
        running.is_none().then(|| Server::search(Engine::Es9, &home.path().join("search"), &[]));
    let url = running.or_else(|| own.as_ref().map(Server::url)).expect("one of both");
    let store = Embedded::start();
    let options = Options {
        seed,
        requests,
        kinds,
        documents: 160,
        directory: Some(directory),
        prefix: "differential".to_owned(),
        tell: progress,
    };
    let report = run(&url, &store.url(), &options);
    println!("{report}");
    let [_, _, differ] = report.sums();
    if differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
