//! A writer of many files: one line to each every second, evenly.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use omphalos_tests::generate::Generator;
use omphalos_tests::rest;

use crate::measure::thread_seconds;

/// A second has so many ticks; in each of them a part of the files is written to.
const TICKS: usize = 100;
const PAUSE: Duration = Duration::from_millis(1000 / TICKS as u64);

/// The thread that writes.
pub struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Written>,
}

/// What was written.
pub struct Written {
    pub ticks: Vec<Tick>,
    /// What share of a processor it took to write that.
    pub cpu: f64,
}

/// Some of it.
pub struct Tick {
    /// Before the first line of it.
    pub begun: Instant,
    /// How many lines were written up to its end, since the beginning.
    pub lines: u64,
}

impl Writer {
    /// Begins to write to these files; no line is like another.
    pub fn start(files: Vec<File>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || write(&files, &stopped));
        Self { stop, thread }
    }

    /// Stops writing.
    pub fn stop(self) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the writer does not panic")
    }
}

impl Written {
    /// How many lines.
    pub fn lines(&self) -> u64 {
        self.ticks.last().map_or(0, |tick| tick.lines)
    }
}

fn write(files: &[File], stopped: &AtomicBool) -> Written {
    let mut generator = Generator::new(13);
    let (mut text, mut lines) = (String::new(), 0);
    let mut ticks = Vec::new();
    let (begun, cpu) = (Instant::now(), thread_seconds());
    let mut due = begun;
    for part in files.chunks(files.len().div_ceil(TICKS)).cycle() {
        if stopped.load(Ordering::Relaxed) {
            break;
        }
        let begun = Instant::now();
        for mut file in part {
            text.clear();
            generator.numbered_line(&mut text, lines);
            file.write_all(text.as_bytes()).expect("the log can be written");
            lines += 1;
        }
        ticks.push(Tick { begun, lines });
        due += PAUSE;
        rest(due.saturating_duration_since(Instant::now()));
    }
    let cpu = (thread_seconds() - cpu) / begun.elapsed().as_secs_f64();
    Written { ticks, cpu }
}
