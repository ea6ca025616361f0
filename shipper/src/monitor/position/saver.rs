//! Saving the checkpoint beside the reading: a sync can take long on a busy disk.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use omphalos_common::retry::Retry;
use omphalos_common::telemetry::{Due, Health, Repeats};
use tracing::{error, info};

use crate::monitor::position::checkpoint::serialize;
use crate::monitor::position::entry::Entry;
use crate::monitor::position::state::StateDir;
use crate::monitor::wake::Inbox;

/// The name of the checkpoint in [`Health`].
const PART: &str = "checkpoint";

/// Between two attempts, in which nothing is read.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Whether there is something to save.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Want {
    /// There is nothing to save.
    Nothing,
    /// There is, and it may wait for the next interval.
    Soon,
    /// There is, and it is to be saved at once.
    Now,
}

/// Saves checkpoints one after another, each under a number, and knows which is on disk.
pub struct Saver {
    state: Arc<StateDir>,
    jobs: SyncSender<(u64, Vec<u8>)>,
    health: Health,
    interval: Duration,
    /// The number of the last checkpoint that was begun.
    begun: u64,
    /// The number of the last one that is on disk.
    saved: u64,
    want: Want,
    busy: bool,
    failed: bool,
    not_before: Instant,
    retry: Retry,
    trouble: Repeats,
}

impl Saver {
    /// Starts the thread that writes to `state`.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn start(
        state: StateDir,
        inbox: Inbox,
        health: Health,
        interval: Duration,
    ) -> std::io::Result<Self> {
        let state = Arc::new(state);
        let (jobs, received) = sync_channel::<(u64, Vec<u8>)>(1);
        let written = Arc::clone(&state);
        thread::Builder::new().name("checkpoint".to_owned()).spawn(move || {
            while let Ok((number, bytes)) = received.recv() {
                let result = written.save(&bytes).map_err(|error| error.to_string());
                inbox.put(|news| news.saved = Some((number, result)));
            }
        })?;
        Ok(Self {
            state,
            jobs,
            health,
            interval,
            begun: 0,
            saved: 0,
            // The first one proves that the state directory can be written.
            want: Want::Now,
            busy: false,
            failed: false,
            not_before: Instant::now(),
            retry: Retry::new(Duration::from_millis(200), LONGEST_WAIT),
            trouble: Repeats::new(),
        })
    }

    /// There is something to save, at the next interval.
    pub fn changed(&mut self) {
        self.want = self.want.max(Want::Soon);
    }

    /// Saves at once if the state directory is not ours any more: whoever uses it instead ships
    /// the same lines, and we find out by trying.
    pub fn check_state(&mut self) {
        if !self.state.is_held() {
            self.want = Want::Now;
        }
    }

    /// There is something to save at once; returns the number under which it will be.
    pub fn changed_urgently(&mut self) -> u64 {
        self.want = Want::Now;
        self.begun + 1
    }

    /// What there is to save should not wait for the interval.
    pub fn hurry(&mut self) {
        if self.want == Want::Soon {
            self.want = Want::Now;
        }
    }

    /// Whether the checkpoint of this number is on disk.
    pub fn has_saved(&self, number: u64) -> bool {
        self.saved >= number
    }

    /// Whether what is read could be remembered: a first checkpoint is on disk, and the last
    /// attempt to write one did not fail.
    pub fn can_remember(&self) -> bool {
        self.saved > 0 && !self.failed
    }

    /// Whether the last attempt to write one failed.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether everything is on disk.
    pub fn is_settled(&self) -> bool {
        !self.busy && self.want == Want::Nothing
    }

    /// Whether nothing is being saved, and nothing must be now.
    pub fn is_resting(&self) -> bool {
        !self.busy && self.due().is_none_or(|due| due > Instant::now()) && self.want < Want::Now
    }

    /// When the next save is due, if any is.
    pub fn due(&self) -> Option<Instant> {
        (self.want != Want::Nothing && !self.busy).then_some(self.not_before)
    }

    /// Begins to save if it is time.
    pub fn save_if_due(&mut self, entries: impl FnOnce() -> Vec<Entry>) {
        let now = Instant::now();
        let waiting = now < self.not_before && (self.want < Want::Now || self.failed);
        if self.busy || self.want == Want::Nothing || waiting {
            return;
        }
        self.begun += 1;
        self.want = Want::Nothing;
        self.not_before = now + self.interval;
        match serialize(entries()) {
            // The thread takes one job at a time, and is not busy.
            Ok(bytes) => self.busy = self.jobs.try_send((self.begun, bytes)).is_ok(),
            Err(error) => self.result(self.begun, Err(error.to_string())),
        }
    }

    /// Takes note of how a save ended.
    pub fn result(&mut self, number: u64, result: Result<(), String>) {
        self.busy = false;
        match result {
            Ok(()) => {
                self.saved = number;
                self.failed = false;
                self.retry.reset();
                self.health.well(PART);
                if self.trouble.over() {
                    info!("the checkpoint can be saved again");
                }
            }
            Err(reason) => {
                if let Some(Due { repeats }) = self.trouble.due() {
                    error!(repeats, "{reason}; reading stops until it can be saved");
                }
                self.health.problem(PART, reason);
                self.failed = true;
                self.want = self.want.max(Want::Soon);
                self.not_before = Instant::now() + self.retry.next_wait();
            }
        }
    }
}
