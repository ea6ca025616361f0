//! A file that is read at full speed, alone and with many slow ones beside it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use omphalos_tests::rest;

use super::in_time;
use super::lateness::{Lateness, sample};
use super::running::{Running, Scrape};
use super::tree::Tree;
use super::writer::Writer;
use crate::shipper::make_log;
use crate::table::Table;

/// How often each side is measured.
const RUNS: usize = 3;
/// Lines of the fast file: enough for slow ones to be written to several times meanwhile.
const LINES: u64 = 5_000_000;
const SLOW_FILES: usize = 1_000;
const FAST: &str = "fast";
const SLOW: &str = "slow";

/// One run.
struct Run {
    /// Lines a second of the fast file.
    rate: f64,
    /// Of the slow files, where there are some.
    late: Option<Lateness>,
}

/// Measures both sides in turn.
pub fn compare(directory: &Path, table: &mut Table) {
    fs::create_dir_all(directory).expect("a directory");
    let log = make_log(directory, LINES);
    File::open(&log).and_then(|log| log.sync_all()).expect("the log can be written out");
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        alone.push(run(directory, &log, 0));
        beside.push(run(directory, &log, SLOW_FILES));
    }
    let best = |runs: &[Run]| runs.iter().map(|run| run.rate).fold(0.0, f64::max);
    let (alone, with_slow) = (best(&alone), best(&beside));
    table.row(
        &format!("a file at full speed with {SLOW_FILES} slow ones beside it, against it alone"),
        &format!("{:.0} %", with_slow / alone * 100.0),
        "≥ 80 %",
        &format!("{with_slow:.0} lines/s against {alone:.0}; {LINES} lines, best of {RUNS}"),
    );
    let late: Vec<&Lateness> = beside.iter().filter_map(|run| run.late.as_ref()).collect();
    let worst = late.iter().map(|late| late.worst).fold(0.0, f64::max);
    let median = late.iter().map(|late| late.median).fold(0.0, f64::max);
    let is_complete = late.len() == RUNS;
    table.row(
        "the slow files meanwhile, written → confirmed, worst",
        &if is_complete { format!("{worst:.2} s") } else { "never".to_owned() },
        &in_time(),
        &format!("median {median:.2} s; of all {RUNS} runs"),
    );
    fs::remove_dir_all(directory).expect("the files can be removed");
}

fn run(directory: &Path, log: &Path, slow_files: usize) -> Run {
    let scene = directory.join("scene");
    let slow = Tree::create(&scene.join(SLOW), slow_files);
    slow.create_files();
    let fast = scene.join(FAST);
    fs::create_dir_all(&fast).expect("a directory");
    let configuration = configuration(&scene);
    let mut running =
        Running::start(&scene, |shipper| shipper.option("--config", configuration.display()));
    running.wait_for_log("no file matches");
    let writer = (slow_files > 0).then(|| Writer::start(slow.open()));
    rest(Duration::from_secs(3));
    let begun = Instant::now();
    fs::hard_link(log, fast.join("fast.log")).expect("a link");
    let (mut slow_samples, mut end) = (Vec::new(), None);
    slow_samples.extend(sample(
        &running,
        |scrape| scrape.confirmed(SLOW),
        |scrape| {
            end = (scrape.confirmed(FAST) >= LINES).then(Instant::now);
            end.is_some()
        },
    ));
    let seconds = end.expect("everything is confirmed").duration_since(begun).as_secs_f64();
    let late = writer.and_then(|writer| {
        let written = writer.stop();
        let confirmed = |scrape: &Scrape| scrape.confirmed(SLOW);
        let rest = sample(&running, confirmed, |scrape| confirmed(scrape) >= written.lines());
        slow_samples.extend(rest);
        Lateness::of(&written.ticks, &slow_samples, 0)
    });
    running.terminate();
    fs::remove_dir_all(&scene).expect("the files can be removed");
    Run { rate: LINES as f64 / seconds, late }
}

/// A dataset for each side, so that their documents are counted apart.
fn configuration(scene: &Path) -> PathBuf {
    let table = |dataset: &str| {
        let pattern = scene.join(dataset).join("**/*.log");
        let pattern = pattern.display();
        format!(
            "[[monitor]]\npaths = [\"{pattern}\"]\nparser = \"combined\"\ndataset = \"{dataset}\"\n"
        )
    };
    let path = scene.join("shipper.toml");
    fs::write(&path, [FAST, SLOW].map(table).concat()).expect("a configuration");
    path
}
