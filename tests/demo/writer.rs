//! The web server of this demo: a thread that writes access log lines at an even pace.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use omphalos_tests::generate::{Generator, clf_time};
use omphalos_tests::{LogFile, rest};

use crate::end::Stop;
use crate::scene::LOG;

/// How many lines are written in all.
pub const LINES: u64 = 200_000;
/// When the log is rotated.
pub const ROTATED_AT: u64 = LINES / 2;

/// In how many steps, and how long one takes: twelve seconds in all.
const STEPS: u32 = 60;
const STEP: Duration = Duration::from_millis(200);

/// The log being written.
pub struct Writer {
    written: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Begins.
    pub fn start(stop: Stop) -> Self {
        let written = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&written);
        let thread = thread::spawn(move || write(&counter, &stop));
        Self { written, thread }
    }

    /// How many lines there are by now.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Whether all are written.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

fn write(written: &AtomicU64, stop: &Stop) {
    let mut log = LogFile::create(Path::new(LOG));
    let mut generator = Generator::new(7);
    let begun = Instant::now();
    let mut number = 0;
    for step in 1..=STEPS {
        if stop.is_requested() {
            return;
        }
        let time = clf_time(Timestamp::now().as_second());
        let end = LINES * u64::from(step) / u64::from(STEPS);
        let mut text = String::new();
        while number < end {
            if number == ROTATED_AT {
                log.append_text(&std::mem::take(&mut text));
                log.rotate(1);
            }
            line(&mut generator, &mut text, number, &time);
            number += 1;
        }
        log.append_text(&text);
        written.store(number, Ordering::Relaxed);
        rest((STEP * step).saturating_sub(begun.elapsed()));
    }
}

/// Appends a line whose time is `time`, not the generator's.
fn line(generator: &mut Generator, text: &mut String, number: u64, time: &str) {
    let mut line = String::new();
    generator.numbered_line(&mut line, number);
    let parts = line.split_once('[').zip(line.split_once(']'));
    if let Some(((client, _), (_, request))) = parts {
        text.extend([client, "[", time, "]", request]);
    }
}
