//! A storm of new files, in new directories.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use omphalos_tests::rest;

use super::FILES;
use super::lateness::sample;
use super::running::{Running, Scrape};
use super::tree::{DATASET, Tree};
use crate::table::Table;

/// How often there is one.
const RUNS: usize = 3;
/// What comes twice comes within this time.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// One storm.
struct Storm {
    /// From the first directory to the last file, in seconds.
    creating: f64,
    /// From then to the last line.
    writing: f64,
    /// From then until everything was confirmed.
    confirming: f64,
    read: u64,
    confirmed: u64,
}

/// Creates all files at once while the shipper watches, and then writes a line to each.
pub fn measure(directory: &Path, table: &mut Table) {
    let mut storms: Vec<Storm> = (0..RUNS).map(|_| storm(directory)).collect();
    storms.sort_by(|a, b| a.confirming.total_cmp(&b.confirming));
    let worst = storms.iter().map(|storm| storm.confirmed).min().unwrap_or(0);
    let read: Vec<String> = storms.iter().map(|storm| storm.read.to_string()).collect();
    table.row(
        &format!("{FILES} files created at once, then written once: lines confirmed"),
        &worst.to_string(),
        &FILES.to_string(),
        &format!("fewest of {RUNS} runs; lines read: {}", read.join(", ")),
    );
    let median = &storms[RUNS / 2];
    let (least, most) = (storms[0].confirming, storms[RUNS - 1].confirming);
    table.row(
        "the same, last line written → all confirmed, median",
        &format!("{:.2} s", median.confirming),
        "< 5 s",
        &format!(
            "{least:.2} to {most:.2} s; creating them took {:.2} s, writing {:.2} s",
            median.creating, median.writing
        ),
    );
}

fn storm(directory: &Path) -> Storm {
    let mut tree = Tree::create(&directory.join("logs"), FILES);
    let mut running = Running::start(directory, |shipper| tree.watched_by(shipper));
    running.wait_for_log("no file matches");
    running.settle();
    let begun = Instant::now();
    tree.create_files();
    let created = Instant::now();
    tree.append_to_each();
    let written = Instant::now();
    let confirmed = |scrape: &Scrape| scrape.confirmed(DATASET);
    let samples = sample(&running, confirmed, |scrape| confirmed(scrape) >= FILES as u64);
    let at = samples.last().expect("a sample").at;
    rest(AFTERWARDS);
    let last = running.scrape();
    running.terminate();
    fs::remove_dir_all(directory).expect("the files can be removed");
    Storm {
        creating: (created - begun).as_secs_f64(),
        writing: (written - created).as_secs_f64(),
        confirming: at.duration_since(written).as_secs_f64(),
        read: last.read(DATASET),
        confirmed: last.confirmed(DATASET),
    }
}
