//! Reading files with the shipper's own monitor, so that their lines become the documents and ids
//! that the shipper makes, or made, of them.

use std::io::Read;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use omphalos_common::config::Period;
use omphalos_common::telemetry::Health;
use omphalos_parser::Documents;
use omphalos_shipper::metrics::ShipperMetrics;
use omphalos_shipper::monitor::{
    Bodies, ClosedBatch, End, Ended, EngineSettings, Host, Inbox, Input, Joints, Monitor,
    MonitorOptions, Owner, Remembered, StateDir, read_pipe,
};
use omphalos_transport::batch::BatchSettings;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tracing::subscriber::{NoSubscriber, with_default};
use tracing::warn;

/// Longer than any reading takes.
pub const NEVER: Duration = Duration::from_hours(10_000);

/// What is read, and as what.
pub struct Source {
    /// The tables that say how.
    pub inputs: Vec<Input>,
    /// Who ships it.
    pub host: Host,
    /// What is remembered of it.
    pub remembered: Remembered,
    /// What comes in, where that is no regular file; the table reads standard input then.
    pub pipe: Option<Box<dyn Read + Send>>,
    /// Whether to say that lines have no time.
    pub says_untimed: bool,
    /// Whether nothing is said at all, because the same is read by somebody else who says it.
    pub is_quiet: bool,
    /// Whether to wait for more at the ends of files.
    pub follows: bool,
    /// What writes the documents.
    pub documents: Documents,
    /// Where it is said what cannot be read now.
    pub health: Health,
    /// Where it is counted what is read, and what is damaged.
    pub metrics: ShipperMetrics,
}

impl Source {
    /// All that is there of these, once.
    pub fn once(inputs: Vec<Input>, host: Host) -> Self {
        Self {
            inputs,
            host,
            remembered: Remembered::default(),
            pipe: None,
            says_untimed: true,
            is_quiet: false,
            follows: false,
            documents: Documents::default(),
            health: Health::default(),
            metrics: ShipperMetrics::default(),
        }
    }
}

/// What was found out beside the documents.
#[derive(Debug, Clone, Copy)]
pub struct Finished {
    /// How many lines there are.
    pub lines: u64,
    /// How many events steps dropped.
    pub dropped: u64,
    /// Whether something of the file could not be read.
    pub is_cut: bool,
}

/// A file being read on a thread of its own. It is read no faster than [`Reading::confirm`] is
/// called.
pub struct Reading {
    inbox: Inbox,
    monitor: oneshot::Receiver<Ended>,
    metrics: ShipperMetrics,
    is_quiet: bool,
}

impl Reading {
    /// Begins to read; what `turn` makes of each batch comes out of the channel.
    ///
    /// # Errors
    /// When something cannot be looked at, or nothing temporary be written.
    pub fn start<T: Send + 'static>(
        source: Source,
        batch: &BatchSettings,
        turn: impl FnMut(&mut ClosedBatch) -> T + Send + 'static,
    ) -> anyhow::Result<(Self, mpsc::Receiver<T>)> {
        let Source { inputs, host, remembered, pipe, says_untimed, follows, documents, .. } =
            source;
        let (health, metrics, is_quiet) = (source.health, source.metrics, source.is_quiet);
        let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
        let state = StateDir::open(directory.path())?;
        let (batches, closed) = sync_channel(1);
        let (inbox, bodies) = (Inbox::default(), Bodies::default());
        let joints = Joints {
            inbox: inbox.clone(),
            batches,
            pipe: pipe.map(|pipe| read_pipe(pipe, inbox.clone())).transpose()?,
            documents,
            bodies: bodies.clone(),
            metrics: metrics.clone(),
            health,
        };
        // Nothing of what is remembered meanwhile is for anybody.
        let settings =
            EngineSettings { checkpoint_interval: Period(NEVER), ..EngineSettings::default() };
        let batch = batch.clone();
        let (once, measures_lag) = (!follows, follows);
        let options = MonitorOptions { once, settings, batch, measures_lag, says_untimed, host };
        let monitor = Monitor::new(options, inputs, state, remembered, joints)?;
        let (ended, monitoring) = oneshot::channel();
        thread::Builder::new().name("monitor".to_owned()).spawn(move || {
            // The monitor's checkpoint, which nobody needs, goes when the monitor has gone.
            let _state: TempDir = directory;
            let end = if is_quiet {
                with_default(NoSubscriber::default(), || monitor.run())
            } else {
                monitor.run()
            };
            // Nobody waits for it where the audit was given up.
            drop(ended.send(end));
        })?;
        let news = inbox.clone();
        let passed_on = pass_on(closed, news, bodies, turn)?;
        let reading = Self { inbox, monitor: monitoring, metrics, is_quiet };
        Ok((reading, passed_on))
    }

    /// Notes that what these stand for is dealt with.
    pub fn confirm(&self, owners: Vec<Owner>) {
        self.inbox.put(|news| news.confirmed.extend(owners));
    }

    /// How it ended, after everything that came was confirmed.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn finish(mut self) -> anyhow::Result<Finished> {
        self.inbox.put(|news| news.end = End::Finished);
        let ended = (&mut self.monitor).await.context("the monitor thread is gone")?;
        let missed = match ended {
            Ended::Broken(what) => anyhow::bail!(
                "reading found what cannot be, and stopped: {what}; what was shown is not all; please report this"
            ),
            Ended::Incomplete(missed) => missed,
            Ended::Settled | Ended::Unconfirmed | Ended::Unsaved => Vec::new(),
        };
        for one in missed.iter().filter(|_| !self.is_quiet) {
            warn!("{one}");
        }
        Ok(Finished {
            lines: self.metrics.lines_read(),
            dropped: self.metrics.totals().dropped,
            is_cut: !missed.is_empty() || self.metrics.archives_damaged() > 0,
        })
    }
}

impl Drop for Reading {
    /// The thread ends, whatever it has still to read.
    fn drop(&mut self) {
        self.inbox.put(|news| news.end = End::Finished);
    }
}

/// Turns batches into what is wanted of them, and gives their buffers back at once.
fn pass_on<T: Send + 'static>(
    closed: std::sync::mpsc::Receiver<ClosedBatch>,
    inbox: Inbox,
    bodies: Bodies,
    mut turn: impl FnMut(&mut ClosedBatch) -> T + Send + 'static,
) -> std::io::Result<mpsc::Receiver<T>> {
    let (sender, receiver) = mpsc::channel(1);
    thread::Builder::new().name("portions".to_owned()).spawn(move || {
        while let Ok(mut closed) = closed.recv() {
            inbox.put(|news| news.room = true);
            let turned = turn(&mut closed);
            bodies.give_back(closed.batch.body);
            if sender.blocking_send(turned).is_err() {
                break;
            }
        }
    })?;
    Ok(receiver)
}
