//! Tailing: a thread that finds files, reads them fairly, has their lines parsed into batches,
//! and keeps the checkpoint of what is confirmed.
//!
//! It reads only what it could remember: while the checkpoint cannot be saved, and while the
//! stage behind it has no room, no file is read.

mod alarms;
mod assemble;
mod bodies;
mod charset;
mod checkpoint;
mod clock;
mod container;
mod content;
mod directives;
mod discover;
mod events;
mod files;
mod gone;
mod handle;
mod identity;
mod matching;
mod multiline;
mod open;
mod padding;
mod pattern;
mod place;
mod positions;
mod progress;
mod read;
mod ready;
mod saver;
mod schedule;
mod tail;
#[cfg(test)]
mod tests;
mod unfinished;
mod wake;
mod walk;
mod watcher;

pub use bodies::Bodies;
pub use charset::EncodingSetting;
pub use checkpoint::{Entry, StateDir, StateError};
pub use clock::Clock;
pub use container::Container;
pub use content::Compression;
pub use discover::{Watched, scan};
pub use files::{Host, PIPE};
pub use identity::logical_path;
pub use multiline::{MultilineKind, Rule};
pub use tail::{Counts, TailId, Waits};
pub use wake::{End, Inbox};
pub use watcher::WatchMode;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use omphalos_common::telemetry::Health;

use crate::batch::{ClosedBatch, OpenBatch};
use crate::config::{Input, Settings};
use crate::metrics::{FileLag, ShipperMetrics};
use crate::parser::Documents;
use crate::{now_millis, now_seconds};
use alarms::Alarms;
use content::{Content, Pipe, Window};
use files::{Files, Limits};
use read::{Look, READ_BYTES, Tools};
use ready::Ready;
use saver::Saver;
use schedule::Schedule;
use tail::Tail;
use wake::{GATHER, News};
use watcher::Watcher;

/// The name of the monitor in [`Health`].
const PART: &str = "monitor";
/// The name of what it reads, in the same place.
const FILES: &str = "files";

/// How often files without a cover by inotify are searched for new ones.
const RESCAN_WITHOUT_EVENTS: Duration = Duration::from_secs(1);
/// See [`Limits`].
const LINGER: Duration = Duration::from_mins(1);
const ARCHIVE_QUIET: Duration = Duration::from_secs(2);
/// How often a file that cannot be judged yet is looked at in a single pass.
const RESCAN_ONCE: Duration = Duration::from_millis(100);
/// How often the lag of all files is measured.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// The monitor goes round at least so often, to show that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How the monitor works.
#[derive(Debug, Clone)]
pub struct MonitorOptions {
    /// Read every file to its present end, and stop.
    pub once: bool,
    /// See [`Settings`].
    pub settings: Settings,
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
    pub pipe: Option<Receiver<Vec<u8>>>,
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
    /// The same, but a file that should be read once could not be.
    Incomplete,
    /// Something that was read is not confirmed; it is read again at the next start.
    Unconfirmed,
    /// The last checkpoint could not be saved.
    Unsaved,
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
}

/// The monitor; [`Monitor::run`] is its thread.
pub struct Monitor {
    options: MonitorOptions,
    inbox: Inbox,
    bodies: Bodies,
    metrics: ShipperMetrics,
    health: Health,
    stage: Stage,
    /// `None` once nothing more will be sent.
    batches: Option<SyncSender<ClosedBatch>>,
    files: Files,
    watcher: Watcher,
    /// Whether events come from everywhere.
    has_events: bool,
    /// Links to files whose own directory has no events.
    uncovered_links: HashSet<PathBuf>,
    saver: Saver,
    documents: Documents,
    buffer: Vec<u8>,
    ready: Ready,
    alarms: Alarms,
    /// Whether more may come in on standard input.
    is_pipe_open: bool,
    /// Whether there is nothing but standard input to read.
    is_pipe_only: bool,
    /// In a single pass: where each file ended when it was found.
    ends: HashMap<TailId, u64>,
    open: HashMap<Arc<str>, OpenBatch>,
    outbox: VecDeque<ClosedBatch>,
    schedule: Schedule,
    next_report: Instant,
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
        remembered: Vec<Entry>,
        joints: Joints,
    ) -> std::io::Result<Self> {
        let Joints { inbox, batches, pipe, bodies, metrics, health } = joints;
        let now = Instant::now();
        let mode = if options.once { WatchMode::Poll } else { options.settings.watch };
        let interval = options.settings.checkpoint_interval.0;
        let is_pipe_only = inputs.iter().all(|input| input.is_pipe_only);
        let limits = Limits {
            open_files: options.settings.max_open_files as usize,
            deleted_bytes: options.settings.max_deleted_bytes.0,
            linger: LINGER,
            archive_quiet: ARCHIVE_QUIET,
        };
        let host = options.host.clone();
        let of_pipe = inputs.iter().position(|input| input.has_pipe);
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
            documents: Documents::new(&options.host.id),
            buffer: vec![0; READ_BYTES],
            ready: Ready::default(),
            alarms: Alarms::default(),
            is_pipe_open,
            is_pipe_only,
            ends: HashMap::new(),
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
    fn go_round(&mut self, news: News) -> Option<Ended> {
        let finished = news.end == End::Finished;
        if news.end > End::Away && self.stage == Stage::Reading {
            self.stop_reading();
        }
        self.absorb(news);
        if self.may_read() {
            self.look_around();
            self.read();
        }
        self.flush_old();
        self.send();
        if finished {
            self.saver.hurry();
        }
        self.save();
        self.report();
        self.health.beat(PART);
        let is_over = finished && (self.saver.is_settled() || !self.saver.can_remember());
        is_over.then(|| self.end())
    }

    /// Whether there is nothing to do before something happens.
    #[cfg(test)]
    fn is_idle(&self) -> bool {
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
        if self.options.once && self.files.misses_some() {
            return Ended::Incomplete;
        }
        Ended::Settled
    }

    /// Waits until there is something to do.
    fn wait(&self) -> News {
        let now = Instant::now();
        if self.may_read() && !self.ready.is_empty() {
            return self.inbox.wait(now, now);
        }
        let flush = self.options.settings.batch.flush_interval.0;
        let deadlines = [
            Some(now + HEARTBEAT),
            self.open.values().map(|batch| batch.opened() + flush).min(),
            self.saver.due(),
            self.may_read().then(|| self.alarms.next()).flatten(),
            self.may_read().then(|| self.schedule.next(!self.has_events)),
        ];
        let deadline = deadlines.into_iter().flatten().min().unwrap_or(now);
        self.inbox.wait(deadline, (now + GATHER).min(deadline))
    }

    fn may_read(&self) -> bool {
        self.stage == Stage::Reading && self.outbox.is_empty() && self.saver.can_remember()
    }

    fn absorb(&mut self, news: News) {
        for (id, number) in news.confirmed {
            if let Some(tail) = self.files.get_mut(id) {
                tail.confirm(number);
                self.saver.changed();
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
            if self.ends.is_empty() {
                self.rescan();
                let files = self.files.iter().filter(|tail| tail.is_plain());
                self.ends = files.map(|tail| (tail.id, length_of(tail))).collect();
                // Not empty, so that it is done once even when there is no file.
                self.ends.insert(TailId(u64::MAX), 0);
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
            self.schedule.look = now + regular;
            if self.watcher.check(now) {
                self.metrics.watcher_restarted();
            }
            for id in self.files.ids() {
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
        for tail in self.files.iter() {
            if !self.watcher.covers(&tail.path) || self.uncovered_links.contains(&tail.path) {
                self.ready.push(tail.id);
            }
        }
    }

    fn rescan(&mut self) {
        let mut scan = scan(&self.files.watched());
        self.has_events = self.watcher.watch(&scan.directories);
        let links = std::mem::take(&mut scan.links).into_iter();
        let uncovered = links.filter(|(_, target)| !self.watcher.covers(target));
        self.uncovered_links = uncovered.map(|(link, _)| link).collect();
        for id in self.files.update(scan) {
            self.ready.push(id);
            self.saver.changed();
        }
        if self.files.close_gone() {
            self.saver.changed();
        }
    }

    /// Gives each file that is ready one turn, as long as there is room for what it says.
    fn read(&mut self) {
        for _ in 0..self.ready.len() {
            if !self.outbox.is_empty() {
                return;
            }
            let Some(id) = self.ready.pop() else { break };
            if self.read_one(id) {
                self.ready.push(id);
            }
        }
        let is_over = self.options.once || self.is_pipe_only;
        if is_over && self.ready.is_empty() && !self.is_pipe_open && !self.files.is_waiting() {
            self.read_rest();
            self.stop_reading();
        }
    }

    /// One turn of one file; whether it should have another.
    fn read_one(&mut self, id: TailId) -> bool {
        match self.with_tail(id, Tail::read) {
            Some(Ok(Look::More)) => {
                self.files.is_alive(id);
                let end = self.ends.get(&id).copied();
                let offset = self.files.get_mut(id).map_or(0, |tail| tail.offset());
                end.is_none_or(|end| offset < end)
            }
            Some(Ok(Look::Rewritten)) => {
                for id in self.files.rewritten(id) {
                    self.ready.push(id);
                }
                self.saver.changed();
                false
            }
            Some(Ok(Look::AtEnd)) => {
                self.at_end(id);
                false
            }
            None => false,
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => self.find_again(id),
            Some(Err(error)) => {
                self.files.note_unreadable(id, &error);
                false
            }
        }
    }

    /// Ships what has waited long enough for its end, at the end of a file.
    fn at_end(&mut self, id: TailId) {
        let Some((_, tail)) = self.files.waits_of(id) else { return };
        if tail.is_pipe() && tail.is_complete() {
            self.is_pipe_open = false;
        }
        let now = Instant::now();
        self.files.tell_damage(id);
        let Some((waits, tail)) = self.files.waits_of(id) else { return };
        if tail.due(waits).is_some_and(|due| due <= now) {
            let read = self.with_tail(id, |tail, tools| tail.read_due(now, waits, tools));
            if let Some(Err(error)) = read {
                self.files.note_unreadable(id, &error);
            }
        }
        if let Some((waits, tail)) = self.files.waits_of(id) {
            let due = tail.due(waits);
            self.alarms.set(id, due);
        }
    }

    /// Looks for a file that was renamed while it had no descriptor; whether it is to be read.
    fn find_again(&mut self, id: TailId) -> bool {
        match self.files.find_again(id) {
            Ok(true) => true,
            Ok(false) => {
                self.saver.changed();
                false
            }
            Err(error) => {
                self.files.note_unreadable(id, &error);
                false
            }
        }
    }

    /// Lets `work` put lines of a file into the open batch of its dataset.
    fn with_tail<T>(
        &mut self,
        id: TailId,
        work: impl FnOnce(&mut Tail, &mut Tools<'_>) -> T,
    ) -> Option<T> {
        let (dataset, max_line_bytes) = self.files.input_of(id)?;
        let tail = self.files.get_mut(id)?;
        let bodies = &self.bodies;
        let new_batch = || OpenBatch::new(Arc::clone(&dataset), bodies.take());
        let batch = self.open.entry(Arc::clone(&dataset)).or_insert_with(new_batch);
        let batch_bytes = self.options.settings.batch.bytes.as_usize();
        let before = (tail.marks_made(), tail.progress.confirmed().offset);
        let mut tools = Tools {
            documents: &mut self.documents,
            buffer: &mut self.buffer,
            batch,
            batch_bytes,
            max_line_bytes,
            now_millis: now_millis(),
        };
        let result = work(tail, &mut tools);
        self.metrics.count(&dataset, std::mem::take(&mut tail.counts));
        if tail.marks_made() != before.0 {
            batch.require_save(self.saver.changed_urgently());
        }
        if tail.progress.confirmed().offset != before.1 {
            self.saver.changed();
        }
        if batch.is_full(batch_bytes) || batch.is_empty() {
            self.close_batch(&dataset);
        }
        self.files.note_use(id);
        Some(result)
    }

    /// Passes a batch on, or gives its buffer back if there is nothing in it.
    fn close_batch(&mut self, dataset: &Arc<str>) {
        let Some(batch) = self.open.remove(dataset) else { return };
        let is_empty = batch.is_empty();
        let closed = batch.close();
        if is_empty {
            self.bodies.give_back(closed.batch.body);
        } else {
            self.metrics.in_flight(closed.batch.documents());
            self.outbox.push_back(closed);
        }
    }

    fn flush_old(&mut self) {
        let flush = self.options.settings.batch.flush_interval.0;
        let old = self.open.iter().filter(|(_, batch)| batch.opened().elapsed() >= flush);
        let datasets: Vec<_> = old.map(|(dataset, _)| Arc::clone(dataset)).collect();
        for dataset in &datasets {
            self.close_batch(dataset);
        }
    }

    /// Ships what has no end yet, of files that are read once.
    fn read_rest(&mut self) {
        for id in self.files.ids() {
            if let Some(Err(error)) = self.with_tail(id, Tail::read_rest) {
                self.files.note_unreadable(id, &error);
            }
        }
    }

    fn stop_reading(&mut self) {
        let datasets: Vec<_> = self.open.keys().cloned().collect();
        for dataset in &datasets {
            self.close_batch(dataset);
        }
        self.stage = Stage::Emptying;
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
        let files = &self.files;
        self.saver.save_if_due(|| files.entries(now_seconds()));
    }

    fn report(&mut self) {
        let now = Instant::now();
        if now < self.next_report {
            return;
        }
        self.next_report = now + REPORT_INTERVAL;
        match self.files.trouble() {
            Some(trouble) => self.health.problem(FILES, trouble),
            None => self.health.well(FILES),
        }
        if self.options.settings.listen.is_none() {
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

fn length_of(tail: &Tail) -> u64 {
    tail.metadata().map(|metadata| metadata.len()).unwrap_or_default()
}
