//! Files, patterns and standard input, read by the shipper's own monitor: rotation, archives, all
//! formats. No document is made: the fields that the parser finds are counted as they are.

use std::ffi::OsStr;
use std::io::stdin;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use omphalos_common::clock::now_millis;
use omphalos_common::config::{Period, Size};
use omphalos_common::telemetry::Health;
use omphalos_live::{DocumentReader, Pace, Place, with_event};
use omphalos_parser::Documents;
use omphalos_shipper::metrics::ShipperMetrics;
use omphalos_shipper::monitor::{ClosedBatch, Host, Input, Owner, PIPE, Remembered, Start};
use omphalos_transport::batch::BatchSettings;
use tokio::sync::{Notify, mpsc};

use super::Source;
use super::missing::{Absent, Lookout, check_fields, damaged};
use super::pacing::Pacing;
use crate::reading::{Reading as FileReading, Source as Read};
use crate::top::counter::Counter;
use crate::top::figures::{Reading, SourceState};

/// A batch is so many lines: the document of each is an empty one.
const BATCH_LINES: u64 = 8 * 1024;
/// How long lines wait for others.
const FLUSH: Duration = Duration::from_millis(100);
/// Lines that come at once, and were written during so long, were held back by who wrote them.
const BLOCK: i64 = 2_000_000_000;
/// So many blocks are needed to say so.
const BLOCKS: u64 = 3;
/// A newest line that is older was not written now, in milliseconds.
const RECENT_MILLIS: i64 = 60_000;
/// So many files are told apart; the lines of others are counted together.
const MOST_FILES: usize = 256;

/// How files are read.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Whether to wait for more at their ends.
    pub follows: bool,
    /// How many seconds of a log pass in one; as fast as possible without.
    pub replay: Option<f64>,
    /// Whether time goes on by the clock once all is read, however old the last line is: that nothing
    /// comes is news then.
    pub goes_on: bool,
}

/// What is known of each file; shared with whoever shows it.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Vec<Account>>>);

/// One file.
#[derive(Debug)]
struct Account {
    path: Box<[u8]>,
    /// The same, as batches and people call it.
    shown: String,
    lines: u64,
    failures: u64,
    /// Up to where it was read.
    offset: u64,
    /// When lines came last.
    last: Instant,
    /// Times of the oldest and newest line since lines came last, in nanoseconds.
    span: Option<(i64, i64)>,
    /// The time of its newest line, in nanoseconds.
    newest: i64,
    /// How often lines of a long time came at once, and how often others did.
    blocks: u64,
    others: u64,
    /// Whether its end was reached once.
    is_read: bool,
    has_ended: bool,
}

/// Files that are being read.
pub struct Files {
    plan: Plan,
    reading: FileReading,
    batches: mpsc::Receiver<Vec<Owner>>,
    anew: Arc<Notify>,
    is_over: Arc<AtomicBool>,
}

/// What is read, and how.
struct Plan {
    inputs: Vec<Input>,
    host: Host,
    manner: Manner,
    counter: Arc<Counter>,
    ledger: Ledger,
    health: Health,
    metrics: ShipperMetrics,
}

/// How files are, and the way to have them read once more.
pub struct Shelf {
    ledger: Ledger,
    counter: Arc<Counter>,
    anew: Arc<Notify>,
    has_pipe: bool,
    begins_at_end: bool,
    lookout: Lookout,
    absent: Absent,
    is_over: Arc<AtomicBool>,
    metrics: ShipperMetrics,
}

impl Files {
    /// Begins to read the files of `inputs`.
    ///
    /// # Errors
    /// When something cannot be looked at, or nothing temporary be written.
    pub fn start(
        inputs: Vec<Input>,
        host: Host,
        manner: Manner,
        counter: Arc<Counter>,
    ) -> anyhow::Result<(Self, Shelf)> {
        let (ledger, anew) = (Ledger::default(), Arc::new(Notify::new()));
        let has_pipe = inputs.iter().any(|input| input.has_pipe);
        let (health, metrics) = (Health::default(), ShipperMetrics::default());
        let is_over = Arc::new(AtomicBool::new(false));
        let watched = inputs.iter().map(|input| input.watched.clone()).collect();
        let shelf = Shelf {
            ledger: ledger.clone(),
            counter: Arc::clone(&counter),
            anew: Arc::clone(&anew),
            has_pipe,
            begins_at_end: inputs.iter().any(|input| input.start == Start::End),
            lookout: Lookout::new(watched, health.clone()),
            absent: Absent::default(),
            is_over: Arc::clone(&is_over),
            metrics: metrics.clone(),
        };
        let plan = Plan { inputs, host, manner, counter, ledger, health, metrics };
        let pipe = has_pipe.then(|| Box::new(stdin()) as Box<dyn std::io::Read + Send>);
        let (reading, batches) = plan.begin(pipe)?;
        Ok((Self { plan, reading, batches, anew, is_over }, shelf))
    }

    /// Reads to the end, or for ever; whether all of it could be read.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn read(mut self) -> anyhow::Result<bool> {
        loop {
            tokio::select! {
                owners = self.batches.recv() => {
                    let Some(owners) = owners else { break };
                    self.reading.confirm(owners);
                    self.plan.settle_pace();
                }
                () = self.anew.notified() => {
                    (self.reading, self.batches) = self.plan.begin(None)?;
                }
            }
        }
        // From here on nobody reads anything once more.
        self.is_over.store(true, Ordering::Release);
        let finished = self.reading.finish().await?;
        self.plan.ledger.end();
        self.plan.counter.finish_alerts();
        Ok(!finished.is_cut)
    }
}

impl Plan {
    fn begin(
        &self,
        pipe: Option<Box<dyn std::io::Read + Send>>,
    ) -> anyhow::Result<(FileReading, mpsc::Receiver<Vec<Owner>>)> {
        let source = Read {
            pipe,
            says_untimed: false,
            follows: self.manner.follows,
            documents: watching(self.manner, self.ledger.clone(), Arc::clone(&self.counter)),
            // Where reading begins at the ends, it does so once: as if nothing had ever been read.
            remembered: Remembered { is_first_start: true, ..Remembered::default() },
            health: self.health.clone(),
            metrics: self.metrics.clone(),
            ..Read::once(self.inputs.clone(), self.host.clone())
        };
        self.counter.set_pace(Pace::Lines);
        let batch = BatchSettings {
            bytes: Size(BATCH_LINES),
            flush_interval: Period(FLUSH),
            ..BatchSettings::default()
        };
        let noted = self.ledger.clone();
        FileReading::start(source, &batch, move |closed| {
            noted.note(closed);
            std::mem::take(&mut closed.owners)
        })
    }

    /// Lines that come as they are written move time together with the clock; old ones do it alone where
    /// they are looked at, or the last of them would leave the window while nothing comes.
    fn settle_pace(&self) {
        let newest = now_millis().saturating_sub(self.ledger.newest() / 1_000_000);
        let is_now = self.manner.follows
            && self.manner.replay.is_none()
            && (newest < RECENT_MILLIS || self.manner.goes_on)
            && self.ledger.has_caught_up();
        self.counter.set_pace(if is_now { Pace::Clock } else { Pace::Lines });
    }
}

/// Counts each event, and writes no document. What was begun before the figures were forgotten counts
/// no more.
fn watching(manner: Manner, ledger: Ledger, counter: Arc<Counter>) -> Documents {
    let mut reader = DocumentReader::default();
    let mut pacing = manner.replay.map(Pacing::new);
    let round = counter.round();
    let mut at = 0;
    Documents::shown_to(Box::new(move |event, place| {
        if counter.round() != round {
            return;
        }
        if let Some(pacing) = &mut pacing {
            pacing.wait_for(event.time.as_nanos());
        }
        at = ledger.see(at, event.time.as_nanos(), &place.path, event.problem.is_some());
        let place = Place {
            host: Some(place.host.as_bytes()),
            source: Some(&place.path),
            dataset: Some(place.dataset.as_bytes()),
        };
        with_event(event, &place, &mut reader, |hit| {
            counter.take_of(round, hit);
        });
    }))
}

impl Source for Shelf {
    fn states(&self) -> Vec<SourceState> {
        let mut states: Vec<_> = self.ledger.lock().iter().map(Account::state).collect();
        if !self.is_over.load(Ordering::Acquire) {
            self.lookout.judge(&mut states);
        }
        states.extend(damaged(self.metrics.archives_damaged() > 0));
        states
    }

    fn begin_again(&self, forget: &dyn Fn()) -> Result<Option<String>, String> {
        if self.is_over.load(Ordering::Acquire) {
            return Err("what is read has ended and cannot be read again: what was counted of it would be lost; give --filter and --interval on the command line".to_owned());
        }
        if self.has_pipe {
            forget();
            return Ok(Some("standard input cannot be read again".to_owned()));
        }
        self.absent.note(&self.ledger.lines());
        self.counter.end_round(forget);
        self.ledger.lock().clear();
        self.anew.notify_one();
        Ok(self.begins_at_end.then(|| "files are read from their ends (--from end)".to_owned()))
    }

    fn check_fields(&self, fields: &[&str]) -> Result<(), String> {
        check_fields(fields)
    }

    fn notice(&self) -> Option<String> {
        let is_read = !self.begins_at_end && self.ledger.has_caught_up();
        self.absent.lines(&self.ledger.lines(), is_read).map(|lines| {
            format!(
                "{lines} lines were in files that are gone or renamed, and are not counted any more"
            )
        })
    }
}

impl Ledger {
    /// Counts a line of a file, which was at this place before; returns where it is.
    fn see(&self, at: usize, time: i64, path: &[u8], is_failure: bool) -> usize {
        let mut accounts = self.lock();
        let at = place_of(&mut accounts, at, path);
        if let Some(account) = accounts.get_mut(at) {
            account.lines += 1;
            account.failures += u64::from(is_failure);
            let (oldest, newest) = account.span.unwrap_or((time, time));
            account.span = Some((oldest.min(time), newest.max(time)));
            account.newest = account.newest.max(time);
        }
        at
    }

    /// Notes up to where files were read.
    fn note(&self, closed: &ClosedBatch) {
        let mut accounts = self.lock();
        let now = Instant::now();
        for chunk in &closed.batch.chunks {
            let mut of_file = accounts.iter_mut();
            let Some(account) = of_file.find(|account| *account.shown == *chunk.path) else {
                continue;
            };
            account.offset = chunk.end;
            account.last = now;
            if let Some((oldest, newest)) = account.span.take()
                && account.is_read
            {
                let is_block = newest.saturating_sub(oldest) >= BLOCK;
                account.blocks += u64::from(is_block);
                account.others += u64::from(!is_block);
            }
            account.is_read |= account.behind() == Some(0);
        }
    }

    /// Whether all of each file was read.
    fn has_caught_up(&self) -> bool {
        self.lock().iter().all(|account| account.is_read || account.behind().is_none())
    }

    /// How many lines came from each file.
    fn lines(&self) -> Vec<(String, u64)> {
        let accounts = self.lock();
        accounts.iter().map(|account| (account.shown.clone(), account.lines)).collect()
    }

    /// The time of the newest line, in nanoseconds.
    fn newest(&self) -> i64 {
        self.lock().iter().map(|account| account.newest).max().unwrap_or(0)
    }

    fn end(&self) {
        for account in self.lock().iter_mut() {
            account.has_ended = true;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the account of a file is; it is opened if there is none.
fn place_of(accounts: &mut Vec<Account>, guess: usize, path: &[u8]) -> usize {
    let is_of = |account: &Account| *account.path == *path;
    if accounts.get(guess).is_some_and(is_of) {
        return guess;
    }
    if let Some(at) = accounts.iter().position(is_of) {
        return at;
    }
    if accounts.len() < MOST_FILES {
        accounts.push(Account::new(path));
    }
    accounts.len() - 1
}

impl Account {
    fn new(path: &[u8]) -> Self {
        Self {
            path: path.into(),
            shown: String::from_utf8_lossy(path).into_owned(),
            lines: 0,
            failures: 0,
            offset: 0,
            last: Instant::now(),
            span: None,
            newest: 0,
            blocks: 0,
            others: 0,
            is_read: false,
            has_ended: false,
        }
    }

    /// Bytes that are not read yet, where that is known.
    fn behind(&self) -> Option<u64> {
        if *self.path == *PIPE.as_bytes() {
            return None;
        }
        let size = std::fs::metadata(OsStr::from_bytes(&self.path)).ok()?.len();
        Some(size.saturating_sub(self.offset))
    }

    fn state(&self) -> SourceState {
        let state = match () {
            () if self.has_ended => Reading::Ended,
            () if self.is_read => Reading::Following,
            () => Reading::CatchingUp,
        };
        SourceState {
            lines: self.lines,
            failures: self.failures,
            behind: self.behind(),
            silent_for: self.last.elapsed(),
            in_blocks: self.blocks >= BLOCKS && self.blocks > self.others,
            ..SourceState::new(self.shown.clone(), state)
        }
    }
}
