//! Files of which each gets a line every second.

use std::time::{Duration, Instant};

use omphalos_tests::rest;

use super::lateness::{Lateness, sample};
use super::running::{Running, Scrape};
use super::tree::{DATASET, Tree};
use super::writer::Writer;
use super::{FILES, in_time};
use crate::table::Table;

/// How long each figure is measured. Processor time comes first, by itself: answering 20 scrapes a
/// second costs some as well.
const TIME: Duration = Duration::from_secs(20);

/// Everything that was written before is confirmed.
pub fn measure(running: &Running, tree: &Tree, table: &mut Table) {
    let before = running.scrape().confirmed(DATASET);
    let writer = Writer::start(tree.open());
    // All files have been written to once.
    rest(Duration::from_secs(1));
    let (cpu, system) = running.cpu_over(TIME).in_percent();
    let (resident, peak) = running.memory();
    let begun = Instant::now();
    let confirmed = |scrape: &Scrape| scrape.confirmed(DATASET);
    let mut samples = sample(running, confirmed, |_| begun.elapsed() >= TIME);
    let written = writer.stop();
    let all = before + written.lines();
    samples.extend(sample(running, confirmed, |scrape| scrape.confirmed(DATASET) >= all));
    let found = samples.last().map_or(0, |sample| sample.confirmed) - before;
    table.row(
        &format!("{FILES} files with a line a second each, CPU, of one core"),
        &cpu,
        "< 30 %",
        &format!(
            "of that {system}; the writer takes {:.1} %; RSS {resident:.1} MiB, peak {peak:.1} MiB",
            written.cpu * 100.0
        ),
    );
    let late = Lateness::of(&written.ticks, &samples, before);
    table.row(
        &format!("{FILES} files with a line a second each, written → confirmed, worst"),
        &late.as_ref().map_or("never".to_owned(), |late| format!("{:.2} s", late.worst)),
        &in_time(),
        &format!(
            "median {:.2} s; {found} of {} lines confirmed",
            late.map_or(f64::NAN, |late| late.median),
            written.lines()
        ),
    );
}
