//! Many who watch at once: each is told everything, and what each costs.

use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use omphalos_tests::eventually;
use serde_json::Value;

use super::{OVERVIEW, Scene};
use crate::measure::memory_of;
use crate::table::Table;

const WATCHERS: usize = 100;
/// Lines that each has to be told of, in so many portions.
const LINES: u64 = 2_000;
const PORTIONS: u64 = 20;
/// How long the last of them may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Measures it.
pub fn measure(scene: &Scene, table: &mut Table) {
    let memory = || memory_of(scene.process.id(), "VmRSS:").expect("it runs");
    // What the page needs by itself, however many watch.
    scene.ask(&format!("overview?{OVERVIEW}"));
    let before = memory();
    let (ready, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (told, grown) = thread::scope(|scope| {
        let watch = || scope.spawn(|| watch(&scene.page, &ready, &is_over));
        let watchers: Vec<_> = (0..WATCHERS).map(|_| watch()).collect();
        eventually("all watch", || {
            let there = ready.load(Ordering::Relaxed);
            if there == WATCHERS { Ok(()) } else { Err(format!("{there} of them")) }
        });
        for portion in 0..PORTIONS {
            scene.write(LINES / PORTIONS, &format!("/marked{portion}"));
            omphalos_tests::rest(Duration::from_millis(500));
        }
        let grown = memory() - before;
        omphalos_tests::rest(PATIENCE);
        is_over.store(true, Ordering::Relaxed);
        let told = watchers.into_iter().map(|watcher| watcher.join().expect("a watcher"));
        (told.collect::<Vec<_>>(), grown)
    });
    let whole = told.iter().filter(|(lines, _)| *lines == LINES).count();
    let figures = told.iter().map(|(_, figures)| *figures).min().unwrap_or(0);
    table.row(
        "the page: watchers of 100 that were told each of 2,000 lines",
        &whole.to_string(),
        "100",
        &format!("and of the figures, each at least {figures} times"),
    );
    table.row(
        "the same: what each adds to the process's memory",
        &format!("{:.2} MiB", grown / WATCHERS as f64),
        "≤ 1 MiB",
        &format!("{before:.0} MiB before, {:.0} MiB with 100", before + grown),
    );
}

/// Watches until it is over; how many of the lines came, and how often figures. Something comes every two
/// seconds, also where nothing has happened.
fn watch(page: &str, ready: &AtomicUsize, is_over: &AtomicBool) -> (u64, u64) {
    let address = page.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a timeout");
    let path = format!("/api/v1/live?topics=overview,lines,sources,alerts,health&{OVERVIEW}");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").expect("sent");
    let (mut lines, mut figures, mut event) = (0, 0, String::new());
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { break };
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        if line.starts_with("retry:") {
            ready.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(name) = line.strip_prefix("event: ") {
            name.clone_into(&mut event);
        }
        let Some(data) = line.strip_prefix("data: ") else { continue };
        match event.as_str() {
            "overview" => figures += 1,
            "lines" => {
                let data: Value = serde_json::from_str(data).expect("JSON");
                let marked = |line: &&Value| {
                    line["url"]["path"].as_str().is_some_and(|path| path.starts_with("/marked"))
                };
                lines +=
                    data["lines"].as_array().into_iter().flatten().filter(marked).count() as u64;
            }
            _ => {}
        }
    }
    (lines, figures)
}
