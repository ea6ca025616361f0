//! The engine: in rounds, it deals with what came in and does what is due.

mod turns;

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use omphalos_common::telemetry::Health;

use crate::metrics::{FileLag, ShipperMetrics};
use crate::monitor::alarms::Alarms;
use crate::monitor::batch::{ClosedBatch, OpenBatch};
use crate::monitor::bodies::Bodies;
use crate::monitor::find::discover::scan;
use crate::monitor::find::watcher::{WatchMode, Watcher};
use crate::monitor::know::files::{Files, Host, Limits};
use crate::monitor::know::turn::Turn;
use crate::monitor::position::saver::Saver;
use crate::monitor::position::state::{Remembered, StateDir};
use crate::monitor::read::content::{Content, Pipe, Window};
use crate::monitor::read::pipe::Piece;
use crate::monitor::read::tail::reading::READ_BYTES;
use crate::monitor::read::tail::{Tail, TailId};
use crate::monitor::ready::Ready;
use crate::monitor::schedule::Schedule;
use crate::monitor::settings::{EngineSettings, Input};
use crate::monitor::wake::{End, GATHER, Inbox, News};
use omphalos_common::clock::now_seconds;
use omphalos_parser::Documents;
use omphalos_transport::batch::BatchSettings;

/// The name of the monitor in [`Health`].
const PART: &str = "monitor";
/// The name of what it reads, in the same place.
const FILES: &str = "files";

/// How often files without a cover by inotify are searched for new ones.
const RESCAN_WITHOUT_EVENTS: Duration = Duration::from_secs(1);
/// See [`Limits`].
const LINGER: Duration = Duration::from_mins(1);
const ARCHIVE_QUIET: Duration = Duration::from_secs(2);
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// How often file events are checked, idle files closed, and files looked at that no scan sees, at
/// least.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// How often a file that cannot be judged yet is looked at in a single pass.
const RESCAN_ONCE: Duration = Duration::from_millis(100);
/// How often the lag of all files is measured.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// The monitor goes round at least so often, to show that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// What a monitor is started with.
#[derive(Debug, Clone)]
pub struct MonitorOptions {
    /// Read every file to its present end, and stop.
    pub once: bool,
    /// What is set once for all files.
    pub settings: EngineSettings,
    /// When a batch is full, and when it is old enough.
    pub batch: BatchSettings,
    /// Whether to measure how far each file is behind, because somebody may ask.
    pub measures_lag: bool,
    /// Whether to say which files have lines without a time: nobody who reads once more what is, or
    /// was, shipped has that to say.
    pub says_untimed: bool,
    /// Who we are.
    pub host: Host,
}

/// What the monitor is joined to.
pub struct Joints {
    /// Where everything comes in.
    pub inbox: Inbox,
    /// Where batches go.
    pub batches: SyncSender<ClosedBatch>,
    /// What comes in on standard input, if that is read.
    pub pipe: Option<Receiver<Piece>>,
    /// What writes the documents.
    pub documents: Documents,
    /// Bodies of batches that were sent, to be filled again.
    pub bodies: Bodies,
    /// What is counted.
    pub metrics: ShipperMetrics,
    /// Whether it works.
    pub health: Health,
}

/// How the monitor ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was read is confirmed, and the checkpoint says so.
    Settled,
    /// The same, but of what should be read once these could not be, at least not to their ends.
    Incomplete(Vec<String>),
    /// Something that was read is not confirmed; it is read again at the next start.
    Unconfirmed,
    /// The last checkpoint could not be saved.
    Unsaved,
    /// What cannot be was found; this says what. It stopped at once.
    Broken(String),
}

/// What the monitor is doing.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// Reading, as long as it may.
    Reading,
    /// Passing on what is read.
    Emptying,
    /// Waiting for confirms.
    Waiting,
    /// Nothing is on its way any more, and nothing will be.
    Over,
}

/// The monitor; [`Monitor::run`] is its thread.
pub struct Monitor {
    pub(super) options: MonitorOptions,
    inbox: Inbox,
    bodies: Bodies,
    metrics: ShipperMetrics,
    health: Health,
    stage: Stage,
    /// `None` once nothing more will be sent.
    batches: Option<SyncSender<ClosedBatch>>,
    pub(super) files: Files,
    pub(super) watcher: Watcher,
    /// Whether events come from everywhere.
    has_events: bool,
    /// Links to files whose own directory has no events.
    uncovered_links: HashSet<PathBuf>,
    pub(super) saver: Saver,
    documents: Documents,
    buffer: Vec<u8>,
    pub(super) ready: Ready,
    alarms: Alarms,
    /// Whether more may come in on standard input.
    is_pipe_open: bool,
    /// Whether there is nothing but standard input to read.
    is_pipe_only: bool,
    /// In a single pass: where each file ended when it was found.
    ends: Option<HashMap<TailId, u64>>,
    /// With those who may find the same files at the same moment.
    pub(super) turn: Turn,
    open: HashMap<Arc<str>, OpenBatch>,
    outbox: VecDeque<ClosedBatch>,
    pub(super) schedule: Schedule,
    pub(super) next_report: Instant,
}

impl Monitor {
    /// A monitor of these inputs, which goes on where `remembered` says.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn new(
        options: MonitorOptions,
        inputs: Vec<Input>,
        state: StateDir,
        remembered: Remembered,
        joints: Joints,
    ) -> std::io::Result<Self> {
        let Joints { inbox, batches, pipe, documents, bodies, metrics, health } = joints;
        let now = Instant::now();
        let mode = if options.once { WatchMode::Poll } else { options.settings.watch };
        let interval = options.settings.checkpoint_interval.0;
        let is_pipe_only = inputs.iter().all(|input| input.is_pipe_only);
        let limits = Limits {
            open_files: options.settings.max_open_files as usize,
            deleted_bytes: options.settings.max_deleted_bytes.0,
            linger: LINGER,
            archive_quiet: ARCHIVE_QUIET,
            copy_wait: if options.once { ARCHIVE_QUIET } else { LINGER },
            second_look: SECOND_LOOK,
            is_single_pass: options.once,
        };
        let host = options.host.clone();
        let of_pipe = inputs.iter().position(|input| input.has_pipe);
        let turn = Turn::new(&remembered.others, state.path());
        let mut files = Files::new(inputs, host, remembered, limits, metrics.clone());
        let is_pipe_open = pipe.is_some();
        if let (Some(pipe), Some(input)) = (pipe, of_pipe) {
            files.open_pipe(input, Content::Pipe(Window::new(Pipe::new(pipe))))?;
        }
        Ok(Self {
            stage: Stage::Reading,
            batches: Some(batches),
            files,
            watcher: Watcher::new(mode, inbox.clone(), state.path()),
            has_events: false,
            uncovered_links: HashSet::new(),
            saver: Saver::start(state, inbox.clone(), health.clone(), interval)?,
            documents,
            buffer: vec![0; READ_BYTES],
            ready: Ready::default(),
            alarms: Alarms::default(),
            is_pipe_open,
            is_pipe_only,
            ends: None,
            turn,
            open: HashMap::new(),
            outbox: VecDeque::new(),
            schedule: Schedule::new(now),
            next_report: now,
            options,
            inbox,
            bodies,
            metrics,
            health,
        })
    }

    /// Goes round until told to stop, or until the end of all files in a single pass.
    pub fn run(mut self) -> Ended {
        loop {
            let news = self.wait();
            if let Some(ended) = self.go_round(news) {
                return ended;
            }
        }
    }

    /// Deals with what came in, and does what there is to do. How it ended, if it did.
    pub(super) fn go_round(&mut self, news: News) -> Option<Ended> {
        let finished = news.end == End::Finished;
        if finished && self.stage == Stage::Waiting {
            // How far everything came is known now, and is to be on disk.
            self.stage = Stage::Over;
            self.saver.changed_urgently();
        }
        if news.end > End::Away && self.stage == Stage::Reading {
            self.stop_reading();
        }
        self.absorb(news);
        self.turn.give(|number| self.saver.has_saved(number));
        if self.stage == Stage::Reading {
            // Also while nothing may be read: a file that comes and is rotated meanwhile would be
            // nobody's.
            self.look_around();
        }
        if self.may_read() {
            self.read();
        }
        // Before anything more leaves, or is remembered.
        if let Some(what) = self.files.broken() {
            return Some(Ended::Broken(what.to_owned()));
        }
        self.flush_old();
        self.send();
        if finished {
            self.saver.hurry();
        }
        self.save();
        self.report();
        self.health.beat(PART);
        let is_over = finished && (self.saver.is_settled() || self.saver.has_failed());
        is_over.then(|| self.end())
    }

    /// Whether there is nothing to do before something happens.
    pub(super) fn is_idle(&self) -> bool {
        let is_done = self.ready.is_empty() && self.outbox.is_empty() && self.open.is_empty();
        is_done && self.saver.is_resting() && self.saver.can_remember()
    }

    fn end(&self) -> Ended {
        if !self.saver.can_remember() {
            return Ended::Unsaved;
        }
        if !self.files.iter().all(|tail| tail.progress.is_settled()) {
            return Ended::Unconfirmed;
        }
        let is_over = self.options.once || self.is_pipe_only;
        let missed = if is_over { self.files.missed() } else { Vec::new() };
        if missed.is_empty() { Ended::Settled } else { Ended::Incomplete(missed) }
    }

    /// Waits until there is something to do.
    fn wait(&self) -> News {
        let now = Instant::now();
        if self.may_read() && !self.ready.is_empty() {
            return self.inbox.wait(now, now);
        }
        let deadline = self.deadline(now);
        self.inbox.wait(deadline, (now + GATHER).min(deadline))
    }

    /// Until when there is nothing to do if nothing happens.
    pub(super) fn deadline(&self, now: Instant) -> Instant {
        let flush = self.options.batch.flush_interval.0;
        let deadlines = [
            self.open.values().map(|batch| batch.opened() + flush).min(),
            self.saver.due(),
            self.may_read().then(|| self.alarms.next()).flatten(),
            (self.stage == Stage::Reading).then(|| self.next_look()).flatten(),
        ];
        deadlines.into_iter().flatten().fold(now + HEARTBEAT, Instant::min)
    }

    /// When to look at what is there; in a single pass that is once, and again only where something
    /// cannot be judged yet. A time that has passed and nobody moves would keep us from resting.
    fn next_look(&self) -> Option<Instant> {
        if !self.options.once {
            return Some(self.schedule.next(!self.has_events));
        }
        let has_more = self.ends.is_none() || self.files.is_waiting();
        has_more.then(|| self.schedule.next_rescan())
    }

    fn may_read(&self) -> bool {
        self.stage == Stage::Reading && self.outbox.is_empty() && self.saver.can_remember()
    }

    fn absorb(&mut self, news: News) {
        for owner in news.confirmed {
            // What is nowhere any more has no position to move.
            let Some(tail) = self.files.get_mut(owner.tail) else { continue };
            match tail.confirm(owner.chunk) {
                Ok(()) => self.saver.changed(),
                Err(error) => self.files.note_unreadable(owner.tail, &error),
            }
        }
        if let Some((number, result)) = news.saved {
            self.saver.result(number, result);
        }
        for path in news.touched {
            self.touch(&path);
        }
        if news.rescan {
            self.schedule.ask_for_rescan(Instant::now());
        }
    }

    /// Has a file read that was written to. It may have been found under another name, or be
    /// none of ours.
    fn touch(&mut self, path: &Path) {
        if let Some(id) = self.files.at(path).or_else(|| self.files.now_at(path)) {
            self.files.note_written(id);
            self.ready.push(id);
        } else if self.files.owns(path) {
            self.schedule.ask_for_rescan(Instant::now());
        }
    }

    /// Rescans and polls when it is time; once only in a single pass.
    fn look_around(&mut self) {
        let now = Instant::now();
        if self.options.once {
            if self.files.is_waiting() && self.schedule.is_rescan_due(now) {
                self.rescan();
                self.schedule.rescanned(now, now, RESCAN_ONCE);
            }
            if self.ends.is_none() {
                self.rescan();
                let files = self.files.iter().filter(|tail| tail.is_plain());
                // One that cannot be measured now is read to where it ends when it is.
                let end = |tail: &Tail| Some((tail.id, tail.metadata().ok()?.len()));
                self.ends = Some(files.filter_map(end).collect());
            }
            return;
        }
        let poll = self.options.settings.poll_interval.0;
        let regular = self.options.settings.rescan_interval.0;
        if self.schedule.is_rescan_due(now) {
            self.rescan();
            let often = regular.min(RESCAN_WITHOUT_EVENTS);
            let is_quiet = self.has_events && !self.files.is_waiting();
            let interval = if is_quiet { regular } else { often };
            self.schedule.rescanned(now, Instant::now(), interval);
        }
        while let Some(id) = self.alarms.take(now) {
            self.ready.push(id);
        }
        if now >= self.schedule.look {
            self.schedule.look = now + regular.min(LOOK_INTERVAL);
            for id in self.files.close_idle() {
                self.ready.push(id);
            }
            self.saver.check_state();
            if self.watcher.check(now) {
                self.metrics.watcher_restarted();
            }
            // The others are compared by what a scan sees of them.
            for id in self.files.gone_ids() {
                self.ready.push(id);
            }
        }
        if !self.has_events && now >= self.schedule.poll {
            self.schedule.poll = now + poll;
            self.poll();
        }
    }

    /// Has files looked at that no event tells of.
    fn poll(&mut self) {
        let is_uncovered = |tail: &&Tail| {
            !self.watcher.covers(&tail.path) || self.uncovered_links.contains(&tail.path)
        };
        let uncovered = self.files.iter().filter(is_uncovered);
        let uncovered: Vec<TailId> = uncovered.map(|tail| tail.id).collect();
        for id in uncovered {
            if self.files.may_have_changed(id) {
                self.ready.push(id);
            }
        }
    }

    fn rescan(&mut self) {
        self.turn.take();
        let mut scan = scan(&self.files.watched());
        self.has_events = self.watcher.watch(&scan.directories);
        let links = std::mem::take(&mut scan.links).into_iter();
        let uncovered = links.filter(|(_, target)| !self.watcher.covers(target));
        self.uncovered_links = uncovered.map(|(link, _)| link).collect();
        for id in self.files.update(scan) {
            self.ready.push(id);
            self.saver.changed();
        }
        // What is found is remembered at once: after a crash it may have another name.
        if self.files.has_opened() {
            self.turn.keep(self.saver.changed_urgently());
        }
        self.turn.give(|number| self.saver.has_saved(number));
        if self.files.close_gone() {
            self.saver.changed();
        }
    }

    /// Passes batches on in order, each when the checkpoint that it needs is on disk.
    fn send(&mut self) {
        while let (Some(batches), Some(batch)) = (&self.batches, self.outbox.pop_front()) {
            if !self.saver.has_saved(batch.needs_save) {
                self.outbox.push_front(batch);
                return;
            }
            match batches.try_send(batch) {
                Ok(()) => {}
                Err(TrySendError::Full(batch)) => {
                    self.outbox.push_front(batch);
                    return;
                }
                Err(TrySendError::Disconnected(_)) => {
                    // The stages behind are gone, after the grace period; what they did not take
                    // is read again at the next start.
                    self.outbox.clear();
                    self.stage = Stage::Emptying;
                }
            }
        }
        if self.stage == Stage::Emptying {
            self.stage = Stage::Waiting;
            self.batches = None;
        }
    }

    fn save(&mut self) {
        let (files, is_over) = (&self.files, self.stage == Stage::Over);
        self.saver.save_if_due(|| files.entries(now_seconds(), is_over));
    }

    pub(super) fn report(&mut self) {
        let now = Instant::now();
        if now < self.next_report {
            return;
        }
        self.next_report = now + REPORT_INTERVAL;
        match self.files.trouble() {
            Some(trouble) => self.health.problem(FILES, trouble),
            None => self.health.well(FILES),
        }
        if !self.options.measures_lag {
            return;
        }
        let lag = |tail: &Tail| FileLag {
            path: tail.path.clone(),
            bytes: tail.lag(),
            waiting: tail.progress.waiting(),
        };
        let lags = self.files.iter().map(lag).collect();
        self.metrics.report(lags, self.files.unreadable_count());
    }
}
