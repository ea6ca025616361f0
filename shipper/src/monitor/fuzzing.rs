//! For `fuzz/` and the replay of its inputs: a monitor that is gone round by hand, and the text of
//! checkpoints. Nothing of the product uses it.

use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use omphalos_common::config::Period;
use omphalos_common::event::DocumentId;
use omphalos_common::ids::IdKeys;
use omphalos_common::telemetry::Health;
use omphalos_parser::Documents;
use omphalos_transport::batch::BatchSettings;

use crate::metrics::ShipperMetrics;
use crate::monitor::schedule::Schedule;
use crate::monitor::{
    Bodies, ClosedBatch, End, Ended, EngineSettings, Host, Inbox, Joints, Monitor, MonitorOptions,
    MonitorSettings, StateDir, WatchMode,
};

pub use crate::monitor::position::checkpoint::{of_text, parse, serialize};

/// A monitor whose batches are confirmed as they come.
pub struct Rounds {
    monitor: Monitor,
    inbox: Inbox,
    batches: Receiver<ClosedBatch>,
}

impl Rounds {
    /// Goes on with these tables where the state directory says. `None` where that cannot be used, or
    /// another monitor still has it.
    pub fn start(tables: &[MonitorSettings], state: &Path) -> Option<Self> {
        let inputs = MonitorSettings::inputs(tables).ok()?;
        let state = StateDir::open(state).ok()?;
        let remembered = state.load().ok()?;
        state.note_start().ok()?;
        let inbox = Inbox::default();
        let (sender, batches) = sync_channel(1);
        let joints = Joints {
            documents: Documents::default(),
            inbox: inbox.clone(),
            batches: sender,
            pipe: None,
            bodies: Bodies::default(),
            metrics: ShipperMetrics::default(),
            health: Health::default(),
        };
        let options = MonitorOptions {
            once: false,
            settings: EngineSettings {
                watch: WatchMode::Poll,
                checkpoint_interval: Period(Duration::ZERO),
                ..EngineSettings::default()
            },
            batch: BatchSettings { flush_interval: Period(Duration::ZERO), ..Default::default() },
            measures_lag: true,
            says_untimed: false,
            host: Host::new("web1".to_owned(), "id1".to_owned(), &IdKeys::default()),
        };
        let mut monitor = Monitor::new(options, inputs, state, remembered, joints).ok()?;
        let limits = monitor.files.limits_mut();
        limits.linger = Duration::ZERO;
        limits.archive_quiet = Duration::ZERO;
        limits.copy_wait = Duration::ZERO;
        limits.second_look = Duration::ZERO;
        Some(Self { monitor, inbox, batches })
    }

    /// Looks at all files and reads what is there, until nothing comes any more or time is up;
    /// `keep` gets each document. How it ended, if it did.
    pub fn settle(&mut self, mut keep: impl FnMut(DocumentId, &[u8])) -> Option<Ended> {
        // What cannot be judged at the first look is judged at the next.
        for _ in 0..3 {
            self.monitor.schedule = Schedule::new(Instant::now());
            let until = Instant::now() + Duration::from_secs(20);
            loop {
                let ended = self.round(&mut keep);
                if ended.is_some() {
                    return ended;
                }
                if self.monitor.is_idle() || Instant::now() > until {
                    break;
                }
                thread::yield_now();
            }
        }
        None
    }

    /// Ends as the process does when it is told to: what was read is passed on and remembered.
    pub fn stop(mut self, mut keep: impl FnMut(DocumentId, &[u8])) -> Option<Ended> {
        self.inbox.put(|news| news.end = End::Stop);
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            let ended = self.round(&mut keep);
            if ended.is_some() {
                return ended;
            }
            thread::yield_now();
        }
        None
    }

    fn round(&mut self, keep: &mut impl FnMut(DocumentId, &[u8])) -> Option<Ended> {
        let now = Instant::now();
        let news = self.inbox.wait(now, now);
        let ended = self.monitor.go_round(news);
        loop {
            let ClosedBatch { batch, owners, .. } = match self.batches.try_recv() {
                Ok(closed) => closed,
                Err(TryRecvError::Empty) => return ended,
                Err(TryRecvError::Disconnected) => {
                    self.inbox.put(|news| news.end = End::Finished);
                    return ended;
                }
            };
            let texts = batch.body.split_inclusive(|byte| *byte == b'\n');
            let ids = batch.chunks.iter().flat_map(|chunk| &chunk.ids);
            ids.zip(texts).for_each(|(id, text)| keep(*id, text));
            self.inbox.put(|news| {
                news.room = true;
                news.confirmed.extend(owners);
            });
        }
    }
}
