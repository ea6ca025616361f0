//! The steady load of one site: logs that are written and rotated by a thread of its own, and can
//! be held still.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::many_logs::ManyLogs;
use crate::LogFile;
use crate::wait::rest;

/// Between two writes.
const PAUSE: Duration = Duration::from_millis(20);
/// Between two rotations.
const ROTATION: Duration = Duration::from_secs(7);

/// What is in the logs, and what becomes of them when they are rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Lines of the combined format; renamed.
    Renamed,
    /// Lines of the combined format; copied and emptied.
    CopiedAndTruncated,
    /// A JSON object a line; renamed, and compressed at the rotation after that.
    Compressed,
    /// Lines without any time; renamed, and compressed at the rotation after that.
    Untimed,
    /// Many logs, half of them with times and half without; renamed, all at once, by a fault.
    Many,
}

impl Kind {
    /// All of them, those with times in all lines first.
    pub const ALL: [Self; 5] =
        [Self::Renamed, Self::CopiedAndTruncated, Self::Compressed, Self::Untimed, Self::Many];
    /// How many have times in all lines.
    pub const TIMED: usize = 3;

    fn lines_a_second(self) -> u64 {
        match self {
            Self::Renamed | Self::CopiedAndTruncated | Self::Compressed => 200,
            Self::Untimed | Self::Many => 100,
        }
    }
}

/// Logs that are being written.
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    kind: Kind,
    state: Mutex<State>,
    written: AtomicU64,
    is_paused: AtomicBool,
    is_over: AtomicBool,
    /// How many lines are still to be written that do not fit the mapping.
    misfits_wanted: AtomicU64,
}

struct State {
    logs: Logs,
    rotations: u32,
    rotated: Instant,
}

enum Logs {
    One(LogFile),
    Many(ManyLogs),
}

impl Writer {
    /// Writes into new logs of this kind in the directory `logs`.
    pub fn start(kind: Kind, logs: &Path, seed: u64) -> Self {
        let one = |name: &str| Logs::One(LogFile::seeded(&logs.join(name), seed));
        let logs = match kind {
            Kind::Renamed | Kind::CopiedAndTruncated => one("access.log"),
            Kind::Compressed => one("events.json"),
            Kind::Untimed => one("jobs.log"),
            Kind::Many => Logs::Many(ManyLogs::create(logs, seed)),
        };
        let state = State { logs, rotations: 0, rotated: Instant::now() };
        let shared = Arc::new(Shared {
            kind,
            state: Mutex::new(state),
            written: AtomicU64::new(0),
            is_paused: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            misfits_wanted: AtomicU64::new(0),
        });
        let own = Arc::clone(&shared);
        let thread = thread::spawn(move || own.run());
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

    /// All lines that were written are in Elasticsearch, for good.
    pub fn settle(&self) {
        if self.has_many_logs() {
            self.with_many_logs(ManyLogs::settle);
        }
    }

    /// Writes so many lines, among the others, with a member of a type that its index does not
    /// have.
    pub fn write_misfits(&self, lines: u64) {
        self.shared.misfits_wanted.store(lines, Ordering::SeqCst);
    }

    /// Whether there are many logs.
    pub fn has_many_logs(&self) -> bool {
        self.shared.kind == Kind::Many
    }

    /// Does something with the many logs, while nothing else is written to them.
    pub fn with_many_logs<T>(&self, act: impl FnOnce(&mut ManyLogs) -> T) -> T {
        let mut state = self.shared.state();
        let Logs::Many(logs) = &mut state.logs else { panic!("there is one log") };
        let result = act(logs);
        self.shared.written.store(logs.written(), Ordering::SeqCst);
        result
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let begun = Instant::now();
        let mut due = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            rest(PAUSE);
            let mut state = self.state();
            let elapsed = u64::try_from(begun.elapsed().as_millis()).expect("some minutes");
            let now_due = elapsed * self.kind.lines_a_second() / 1000;
            let lines = now_due - due;
            due = now_due;
            // What is due while it is held still is not written later.
            if !self.is_paused.load(Ordering::SeqCst) {
                self.write(&mut state, lines);
            }
        }
    }

    fn write(&self, state: &mut State, lines: u64) {
        let State { logs, rotations, rotated } = state;
        let written = match logs {
            Logs::Many(logs) => {
                logs.append(lines);
                logs.written()
            }
            Logs::One(log) => {
                self.write_one(log, lines);
                if rotated.elapsed() > ROTATION {
                    *rotations += 1;
                    *rotated = Instant::now();
                    self.rotate(log, *rotations);
                }
                log.written()
            }
        };
        self.written.store(written, Ordering::SeqCst);
    }

    fn write_one(&self, log: &mut LogFile, lines: u64) {
        match self.kind {
            Kind::Compressed => (0..lines).for_each(|_| self.write_event(log)),
            Kind::Untimed => log.append_untimed(lines),
            _ => log.append(lines),
        }
    }

    fn write_event(&self, log: &mut LogFile) {
        let wanted = self.misfits_wanted.load(Ordering::SeqCst);
        if wanted > 0 {
            self.misfits_wanted.store(wanted - 1, Ordering::SeqCst);
            log.append_event(r#"{"not":"a number"}"#);
        } else {
            log.append_event("17");
        }
    }

    fn rotate(&self, log: &mut LogFile, number: u32) {
        if self.kind == Kind::CopiedAndTruncated {
            return log.copy_and_truncate(number);
        }
        log.rotate(number);
        if matches!(self.kind, Kind::Compressed | Kind::Untimed) && number > 1 {
            log.compress(number - 1);
        }
    }
}
