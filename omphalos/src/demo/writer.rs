//! The web server of the demo: a thread that writes its access log.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;

use super::proof::Tally;
use super::traffic::{Traffic, rate};

/// Between two writes.
const STEP: Duration = Duration::from_millis(50);
/// A demo that nobody ends must not fill the disk.
const MOST_BYTES: u64 = 1 << 30;

/// The log being written.
pub struct Writer {
    path: PathBuf,
    begun: Instant,
    stop: Arc<AtomicBool>,
    lines: Arc<AtomicU64>,
    thread: JoinHandle<std::io::Result<Tally>>,
}

impl Writer {
    /// Begins to write a new file.
    ///
    /// # Errors
    /// When that cannot be made.
    pub fn start(path: &Path, seed: u64) -> anyhow::Result<Self> {
        let shown = || format!("cannot make {}", path.display());
        let file = File::options().create_new(true).append(true).open(path).with_context(shown)?;
        let (stop, lines) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (begun, stopped, counter) = (Instant::now(), Arc::clone(&stop), Arc::clone(&lines));
        let work = move || write(file, seed, (&stopped, &counter), begun);
        let thread = thread::Builder::new().name("web server".to_owned()).spawn(work)?;
        Ok(Self { path: path.to_owned(), begun, stop, lines, thread })
    }

    /// The log.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long it has been writing.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How many lines there are by now.
    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Ends; returns what was written.
    ///
    /// # Errors
    /// When something could not be.
    pub fn stop(self) -> anyhow::Result<Tally> {
        self.stop.store(true, Ordering::Relaxed);
        let shown = format!("cannot write {}", self.path.display());
        self.thread.join().map_err(|_| anyhow::anyhow!("the web server is gone"))?.context(shown)
    }
}

fn write(
    mut file: File,
    seed: u64,
    (stop, lines): (&AtomicBool, &AtomicU64),
    begun: Instant,
) -> std::io::Result<Tally> {
    let mut traffic = Traffic::new(seed);
    let mut tally = Tally::default();
    let mut text = String::new();
    let mut due = 0.0;
    let mut offset = 0;
    while !stop.load(Ordering::Relaxed) && offset < MOST_BYTES {
        let (elapsed, now) = (begun.elapsed(), Timestamp::now());
        due += rate(elapsed) * STEP.as_secs_f64();
        text.clear();
        while due >= 1.0 {
            due -= 1.0;
            tally.add(offset + text.len() as u64);
            traffic.line(&mut text, elapsed, now);
        }
        file.write_all(text.as_bytes())?;
        offset += text.len() as u64;
        lines.store(tally.count(), Ordering::Relaxed);
        thread::park_timeout(STEP.saturating_sub(begun.elapsed().saturating_sub(elapsed)));
    }
    Ok(tally)
}
