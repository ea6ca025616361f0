//! Reading a file with the shipper's own monitor, so that its lines become the documents and ids
//! that the shipper made of them.

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use omphalos_common::config::{Period, Size};
use omphalos_common::event::SourceId;
use omphalos_common::ids::IdScheme;
use omphalos_common::telemetry::Health;
use omphalos_shipper::batch::ClosedBatch;
use omphalos_shipper::config::{MonitorSettings, Settings};
use omphalos_shipper::metrics::ShipperMetrics;
use omphalos_shipper::monitor::{
    Bodies, End, Ended, Host, Inbox, Joints, Monitor, MonitorOptions, Recalled, Remembered,
    StateDir, TailId, begin_again,
};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

/// Longer than any audit takes: nothing is flushed or saved before its time.
const NEVER: Duration = Duration::from_hours(10_000);

/// A file, and with what it was shipped.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it is.
    pub path: PathBuf,
    /// What the shipper knows it as.
    pub called: PathBuf,
    /// How its lines become documents.
    pub monitor: MonitorSettings,
    /// Who shipped it.
    pub host: Host,
    /// What the shipper's checkpoint says of it.
    pub recalled: Option<Recalled>,
    /// The time of lines that have none, in milliseconds since the epoch.
    pub millis: i64,
    /// With what its ids may have been made: what the checkpoint says; else all that is known.
    pub ids: Vec<IdScheme>,
}

/// What was found out beside the documents.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    /// How many lines there are.
    pub lines: u64,
    /// Whether something of the file could not be read.
    pub is_cut: bool,
}

/// A file being read on a thread of its own. It is read no faster than [`Reading::confirm`] is
/// called.
pub struct Reading {
    inbox: Inbox,
    monitor: oneshot::Receiver<Ended>,
    metrics: ShipperMetrics,
    dataset: String,
    /// The monitor's checkpoint, which nobody needs.
    _state: TempDir,
}

impl Reading {
    /// Begins to read, with ids that are made so; what `turn` makes of each batch of `batch_bytes` comes out of the channel.
    ///
    /// # Errors
    /// When the file cannot be looked at, or nothing temporary be written.
    pub fn start<T: Send + 'static>(
        target: &Target,
        ids: IdScheme,
        batch_bytes: Size,
        turn: impl FnMut(&mut ClosedBatch) -> T + Send + 'static,
    ) -> anyhow::Result<(Self, mpsc::Receiver<T>)> {
        let shown = target.path.display();
        let input = target.monitor.input_of_file(&target.path, &target.called)?;
        let dataset = input.clean_dataset.to_string();
        let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
        let state = StateDir::open(directory.path())?;
        // Only ids of lines that cannot be told anyway are made of this.
        let untimed = SourceId::from_random(rand::random());
        let recalled = target.recalled.as_ref().filter(|known| known.ids() == Some(ids));
        let entry = begin_again(&target.path, recalled, ids, untimed, target.millis)
            .with_context(|| format!("cannot read {shown}"))?;
        let (batches, closed) = sync_channel(1);
        let (inbox, bodies) = (Inbox::default(), Bodies::default());
        let metrics = ShipperMetrics::default();
        let joints = Joints {
            inbox: inbox.clone(),
            batches,
            pipe: None,
            bodies: bodies.clone(),
            metrics: metrics.clone(),
            health: Health::default(),
        };
        let settings = settings(batch_bytes);
        let options = MonitorOptions { once: true, settings, host: target.host.clone() };
        let remembered = Remembered { entries: vec![entry], ..Remembered::default() };
        let monitor = Monitor::new(options, vec![input], state, remembered, joints)?;
        let (ended, monitoring) = oneshot::channel();
        thread::Builder::new().name("monitor".to_owned()).spawn(move || {
            // Nobody waits for it where the audit was given up.
            drop(ended.send(monitor.run()));
        })?;
        let news = inbox.clone();
        let passed_on = pass_on(closed, (news, bodies), turn)?;
        let reading = Self { inbox, monitor: monitoring, metrics, dataset, _state: directory };
        Ok((reading, passed_on))
    }

    /// Notes that what these stand for is dealt with.
    pub fn confirm(&self, owners: Vec<(TailId, u64)>) {
        self.inbox.put(|news| news.confirmed.extend(owners));
    }

    /// How it ended, after everything that came was confirmed.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn finish(mut self) -> anyhow::Result<Read> {
        self.inbox.put(|news| news.end = End::Finished);
        let ended = (&mut self.monitor).await.context("the monitor thread is gone")?;
        Ok(Read {
            lines: self.metrics.lines_read(&self.dataset),
            is_cut: ended == Ended::Incomplete || self.metrics.archives_damaged() > 0,
        })
    }
}

impl Drop for Reading {
    /// The thread ends, whatever it has still to read.
    fn drop(&mut self) {
        self.inbox.put(|news| news.end = End::Finished);
    }
}

fn settings(batch_bytes: Size) -> Settings {
    let mut settings = Settings { checkpoint_interval: Period(NEVER), ..Settings::default() };
    settings.batch.bytes = batch_bytes;
    settings.batch.flush_interval = Period(NEVER);
    settings
}

/// Turns batches into what is wanted of them, and gives their buffers back at once.
fn pass_on<T: Send + 'static>(
    closed: std::sync::mpsc::Receiver<ClosedBatch>,
    (inbox, bodies): (Inbox, Bodies),
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
