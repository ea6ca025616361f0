//! A writer that goes on writing while a test pulls plugs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::LogFile;
use crate::wait::{eventually, holds, rest};

/// Between two writes.
const PAUSE: Duration = Duration::from_millis(5);

/// A log being written by a thread of its own.
pub struct Load {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: JoinHandle<LogFile>,
}

impl Load {
    /// Writes `lines` at a time to `log`, 200 times a second at most, and calls `between` after
    /// each write, with the log and how often that was.
    pub fn start(
        mut log: LogFile,
        lines: u64,
        mut between: impl FnMut(&mut LogFile, u64) + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicU64::new(log.written()));
        let (stopped, counter) = (Arc::clone(&stop), Arc::clone(&written));
        let thread = thread::spawn(move || {
            let mut times = 0;
            while !stopped.load(Ordering::Relaxed) {
                log.append(lines);
                times += 1;
                between(&mut log, times);
                counter.store(log.written(), Ordering::Relaxed);
                rest(PAUSE);
            }
            log
        });
        Self { stop, written, thread }
    }

    /// How many lines there are by now.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Waits until so many more lines are written.
    pub fn wait_for_more(&self, lines: u64) {
        let target = self.written() + lines;
        eventually("more lines are written", || {
            let written = self.written();
            holds(written >= target, format!("{written} of {target}"))
        });
    }

    /// Stops writing; returns the log.
    pub fn stop(self) -> LogFile {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the writer does not panic")
    }
}
