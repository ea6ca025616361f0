//! Lines that come for minutes while somebody watches: what that costs the process, and the browser.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use omphalos_tests::rest;

use super::{Scene, browser, wanted};
use crate::measure::{load, seconds_of};
use crate::table::Table;

/// Lines each second, and how often some of them are written.
const RATE: u64 = 5_000;
const EVERY: Duration = Duration::from_millis(20);
/// How long processor time is added up for one figure.
const WINDOW: Duration = Duration::from_secs(10);
/// For how long nobody watches at first.
const UNWATCHED: u32 = 6;

/// Measures it.
pub fn measure(directory: &Path, table: &mut Table) {
    let minutes = wanted("OMPHALOS_PAGE_MINUTES", 10);
    let scene = Scene::start(directory);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| write(&scene, &is_over));
        rest(WINDOW);
        let process = scene.process.id();
        let alone = windows(process, |seen| seen.len() >= UNWATCHED as usize);
        let is_watched = Arc::new(AtomicBool::new(true));
        let (page, watched) = (scene.page.clone(), Arc::clone(&is_watched));
        let watcher = scope.spawn(move || {
            let seen = browser(&["live", &page, &minutes.to_string()]);
            watched.store(false, Ordering::Relaxed);
            seen
        });
        let beside = windows(process, |_| !is_watched.load(Ordering::Relaxed));
        let seen = watcher.join().expect("the browser");
        is_over.store(true, Ordering::Relaxed);
        let written = writer.join().expect("the writer");
        let (alone, beside) = (median(alone), median(beside));
        table.row(
            "the page: 5,000 lines/s, what one watcher adds to the process, of a core",
            &format!("{:.1} %", (beside - alone) * 100.0),
            "< 5 %",
            &format!(
                "medians of 10 s: {:.1} % with a browser, {:.1} % before; {written} lines in all; load {}",
                beside * 100.0,
                alone * 100.0,
                load()
            ),
        );
        let Some(seen) = seen else { return };
        table.row(
            "the same: frames over 50 ms in the browser, after the first 5 s",
            &seen["frames_over"].to_string(),
            "none",
            &format!(
                "of {} in {minutes} min; the longest {} ms; {} tasks of the page's own over 50 ms",
                seen["frames"], seen["longest"], seen["tasks_over"]
            ),
        );
        table.row(
            "the same: heap of the tab at its end, after the first minute",
            &format!("{:+.1} MiB", seen["grown"].as_f64().unwrap_or(f64::NAN)),
            "no growth",
            &format!("after each minute, garbage collected, in MiB: {}", seen["heap"]),
        );
    });
}

/// Writes lines until it is over; how many.
fn write(scene: &Scene, is_over: &AtomicBool) -> u64 {
    let begun = Instant::now();
    let mut written = 0;
    while !is_over.load(Ordering::Relaxed) {
        let due = RATE * u64::try_from(begun.elapsed().as_millis()).expect("a time") / 1000;
        scene.write(due - written, "/live");
        written = due;
        rest(EVERY);
    }
    written
}

/// The share of a core that a process takes, in each stretch of time until it is enough.
fn windows(process: u32, is_enough: impl Fn(&[f64]) -> bool) -> Vec<f64> {
    let mut shares = Vec::new();
    while !is_enough(&shares) {
        let (before, begun) = (seconds_of(process), Instant::now());
        rest(WINDOW);
        shares.push((seconds_of(process) - before) / begun.elapsed().as_secs_f64());
    }
    shares
}

fn median(mut shares: Vec<f64>) -> f64 {
    shares.sort_by(f64::total_cmp);
    shares[shares.len() / 2]
}
