//! The steady load of one site: a log that is written and rotated by a thread of its own, and can
//! be held still.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::LogFile;
use crate::wait::rest;

/// Between two writes.
const PAUSE: Duration = Duration::from_millis(20);
/// Between two rotations.
const ROTATION: Duration = Duration::from_secs(7);

/// What is in the log, and what becomes of it when it is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Lines of the combined format; renamed.
    Renamed,
    /// Lines of the combined format; copied and emptied.
    CopiedAndTruncated,
    /// A JSON object a line; renamed, and compressed at the rotation after that.
    Compressed,
}

/// A log that is being written.
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    kind: Kind,
    log: Mutex<State>,
    written: AtomicU64,
    is_paused: AtomicBool,
    is_over: AtomicBool,
    /// How many lines are still to be written that Elasticsearch will refuse.
    refused_wanted: AtomicU64,
}

struct State {
    log: LogFile,
    rotations: u32,
    rotated: Instant,
    /// The numbers of the lines that Elasticsearch will refuse.
    refused: Vec<u64>,
}

impl Writer {
    /// Writes so many lines a second into a new log at `path`.
    pub fn start(kind: Kind, path: &Path, lines: u64, seed: u64) -> Self {
        let state = State {
            log: LogFile::seeded(path, seed),
            rotations: 0,
            rotated: Instant::now(),
            refused: Vec::new(),
        };
        let shared = Arc::new(Shared {
            kind,
            log: Mutex::new(state),
            written: AtomicU64::new(0),
            is_paused: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            refused_wanted: AtomicU64::new(0),
        });
        let own = Arc::clone(&shared);
        let thread = thread::spawn(move || own.run(lines));
        Self { shared, thread: Some(thread) }
    }

    /// How many lines there are by now.
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::SeqCst)
    }

    /// Holds still; no line is written any more when this returns.
    pub fn pause(&self) {
        self.shared.is_paused.store(true, Ordering::SeqCst);
        drop(self.shared.state());
    }

    /// Goes on.
    pub fn resume(&self) {
        self.shared.is_paused.store(false, Ordering::SeqCst);
    }

    /// Writes so many lines, among the others, with a member of a type that its index does not
    /// have.
    pub fn write_refused(&self, lines: u64) {
        self.shared.refused_wanted.store(lines, Ordering::SeqCst);
    }

    /// The numbers of those lines.
    pub fn refused(&self) -> Vec<u64> {
        self.shared.state().refused.clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, lines_a_second: u64) {
        let begun = Instant::now();
        let mut due = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            rest(PAUSE);
            let mut state = self.state();
            let elapsed = u64::try_from(begun.elapsed().as_millis()).expect("some minutes");
            let now_due = elapsed * lines_a_second / 1000;
            let lines = now_due - due;
            due = now_due;
            // What is due while it is held still is not written later.
            if !self.is_paused.load(Ordering::SeqCst) {
                self.write(&mut state, lines);
            }
        }
    }

    fn write(&self, state: &mut State, lines: u64) {
        if self.kind == Kind::Compressed {
            for _ in 0..lines {
                self.write_event(state);
            }
        } else {
            state.log.append(lines);
        }
        self.written.store(state.log.written(), Ordering::SeqCst);
        if state.rotated.elapsed() > ROTATION {
            state.rotations += 1;
            state.rotated = Instant::now();
            self.rotate(&mut state.log, state.rotations);
        }
    }

    fn write_event(&self, state: &mut State) {
        let wanted = self.refused_wanted.load(Ordering::SeqCst);
        if wanted > 0 {
            self.refused_wanted.store(wanted - 1, Ordering::SeqCst);
            state.refused.push(state.log.written());
            state.log.append_event(r#"{"not":"a number"}"#);
        } else {
            state.log.append_event("17");
        }
    }

    fn rotate(&self, log: &mut LogFile, number: u32) {
        match self.kind {
            Kind::Renamed => log.rotate(number),
            Kind::CopiedAndTruncated => log.copy_and_truncate(number),
            Kind::Compressed => {
                log.rotate(number);
                if number > 1 {
                    log.compress(number - 1);
                }
            }
        }
    }
}
