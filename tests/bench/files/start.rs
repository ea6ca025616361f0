//! A start with many files in the checkpoint.

use std::path::Path;
use std::time::{Duration, Instant};

use omphalos_tests::rest;

use super::FILES;
use super::running::Running;
use super::tree::{DATASET, Tree};
use crate::table::Table;

/// How often it is started.
const RUNS: usize = 5;

/// Everything is read and remembered, and no shipper runs.
pub fn measure(directory: &Path, tree: &mut Tree, table: &mut Table) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        tree.append_line(run);
        let begun = Instant::now();
        let mut running = Running::start(directory, |shipper| tree.watched_by(shipper));
        tree.append_line(FILES - 1 - run);
        first.push(confirmed_after(&running, 1, begun));
        second.push(confirmed_after(&running, 2, begun));
        running.settle();
        running.terminate();
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (first_median, second_median) = (median(&mut first), median(&mut second));
    table.row(
        &format!("start with {FILES} files in the checkpoint → first new line confirmed, median"),
        &format!("{first_median:.2} s"),
        "< 1 s",
        &format!(
            "{:.2} to {:.2} s; a line that was written just after the start: {second_median:.2} s",
            first[0],
            first[RUNS - 1]
        ),
    );
}

fn confirmed_after(running: &Running, documents: u64, begun: Instant) -> f64 {
    while running.scrape().confirmed(DATASET) < documents {
        rest(Duration::from_millis(10));
    }
    begun.elapsed().as_secs_f64()
}
