//! Building the stages, joining them, and stopping them from the front: files first, then batches,
//! then confirms, then the checkpoint.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use omphalos_common::config::ConfigError;
use omphalos_common::heartbeat;
use omphalos_common::ids::IdKeys;
use omphalos_common::retry::Retry;
use omphalos_common::rounds::Round;
use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::{Due, Repeats};
use omphalos_parser::Documents;
use omphalos_parser::steps::Steps;
use omphalos_transport::batch::BatchSettings;
use omphalos_transport::local::LocalSender;
use omphalos_transport::road::{Open, Plan, Site};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error, info};

use crate::config::Settings;
use crate::heartbeat::{Pulse, Teller, maker};
use crate::host;
use crate::keys::check_keys;
use crate::metrics::ShipperMetrics;
use crate::monitor::{
    Bodies, End, Ended, EngineSettings, Host, Inbox, Input, Joints, Monitor, MonitorOptions, Other,
    Piece, Remembered, Start, StateDir, StateError, read_pipe,
};
use crate::pipeline::{Dispatcher, report_deliveries};
use crate::road;

/// Descriptors for other things than log files.
const OTHER_DESCRIPTORS: u64 = 256;

/// So many of the files that could not be read are named at the end.
const MOST_LISTED: usize = 50;

/// How many files may keep their descriptor: what is set, as far as the process may have so many.
/// The limit that can be raised without privileges is raised first.
fn open_files(wanted: u32) -> u32 {
    let limit = getrlimit(Resource::Nofile);
    let needed = u64::from(wanted) + OTHER_DESCRIPTORS;
    let most = limit.maximum.unwrap_or(u64::MAX).min(needed);
    let now = limit.current.unwrap_or(u64::MAX);
    let raised = now.max(most);
    if raised > now
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit })
    {
        debug!(%error, "the limit of open files cannot be raised");
    }
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let left = allowed.saturating_sub(OTHER_DESCRIPTORS).max(16);
    u32::try_from(left).unwrap_or(u32::MAX).min(wanted)
}

/// What the process around the shipper gives it.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The stretch of work that it is a part of.
    pub round: Round,
    /// Where it counts, for who wants to look.
    pub metrics: ShipperMetrics,
    /// Who else reads the same files.
    pub others: Vec<Other>,
    /// The state directory, where it is locked already.
    pub state: Option<StateDir>,
    /// The way to an indexer in the same process, which is taken instead of all others.
    pub local: Option<LocalSender>,
    /// What writes the documents, and may show them to somebody meanwhile.
    pub documents: Documents,
}

/// Checks all that can be known of settings without looking at files or asking servers.
///
/// # Errors
/// When one cannot be used; the message names it.
pub fn check(settings: &Settings) -> anyhow::Result<()> {
    settings.inputs()?;
    settings.id_keys()?;
    road::plan(settings, None)?;
    Ok(())
}

/// A process of its own: ships until told to stop; with `once`, until everything that is there now
/// is delivered.
///
/// # Errors
/// [`ConfigError`] for settings that cannot be used; anything else when what was read could not
/// be delivered or remembered.
pub async fn run(settings: Settings, once: bool, round: Round) -> anyhow::Result<()> {
    // Before the port is taken, so that bad settings are refused first.
    settings.inputs()?;
    settings.id_keys()?;
    let _serving = round.kept.serve(settings.process.listening(), round.telemetry.routes()).await?;
    let stop = round.stop.clone();
    run_in(Surroundings { round, ..Surroundings::default() }, settings, once, stop).await
}

/// The same as a part of a process.
///
/// # Errors
/// As [`run`].
pub async fn run_in(
    surroundings: Surroundings,
    settings: Settings,
    once: bool,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let inputs = settings.inputs()?;
    let keys = settings.id_keys()?;
    let Surroundings { round, metrics, others, state, local, documents } = surroundings;
    round.telemetry.register(|registry| metrics.register(registry));
    for input in &inputs {
        let steps = input.recipe.finish.steps.as_deref();
        let dropping = steps.map(Steps::dropping).unwrap_or_default();
        for dataset in input.datasets() {
            metrics.open(&dataset, &dropping);
        }
    }
    // Built before the wait for the state directory, so that bad settings are refused at once.
    let plan = road::plan(&settings, local)?;
    announce(&settings, &inputs, &*plan);
    let open = || StateDir::open(&settings.state_dir);
    let state = match state {
        Some(state) => Some(state),
        None => patiently(&round, &shutdown, open).await?,
    };
    let Some(state) = state else { return Ok(()) };
    let stages = Stages { settings, keys, once, inputs, round, metrics, plan, others, documents };
    stages.run(state, shutdown).await
}

/// One line: version, what is watched, where it goes.
fn announce(settings: &Settings, inputs: &[Input], plan: &dyn Plan) {
    let shown: Vec<&str> = inputs.iter().map(|input| input.shown.as_str()).collect();
    info!(
        "omphalos-shipper {} reads {} and sends to {}; checkpoint in {}",
        env!("CARGO_PKG_VERSION"),
        shown.join(", "),
        plan.shown(),
        settings.state_dir.display()
    );
}

/// Tries until it is possible to do something in the state directory: nothing is shipped that could not
/// be remembered. `None` when told to stop before.
async fn patiently<T>(
    round: &Round,
    shutdown: &Shutdown,
    mut attempt: impl FnMut() -> Result<T, StateError>,
) -> Result<Option<T>, ConfigError> {
    let health = &round.telemetry.health;
    let mut retry = Retry::new(Duration::from_millis(500), Duration::from_secs(30));
    let mut trouble = Repeats::new();
    loop {
        match attempt() {
            Ok(done) => {
                health.well("checkpoint");
                return Ok(Some(done));
            }
            Err(error @ StateError::Locked { .. }) => {
                return Err(ConfigError::invalid(error.to_string()));
            }
            Err(error) => {
                if let Some(Due { repeats }) = trouble.due() {
                    error!(repeats, "{error}; trying again, for ever");
                }
                health.problem("checkpoint", error.to_string());
                // It waits, which is no fault of the settings.
                round.begin();
            }
        }
        tokio::select! {
            () = tokio::time::sleep(retry.next_wait()) => {}
            () = shutdown.cancelled() => return Ok(None),
        }
    }
}

/// Nothing is skipped where it is not known what was there at the first start.
fn tell_of_damage(inputs: &[Input]) {
    let from_end = inputs.iter().any(|input| input.start == Start::End);
    let although = if from_end { ", although start = \"end\"" } else { "" };
    error!(
        "no checkpoint can be read: all files are read from their beginning{although}; lines that were shipped before are refused as duplicates if they have times, others come twice"
    );
}

struct Stages {
    settings: Settings,
    keys: IdKeys,
    once: bool,
    inputs: Vec<Input>,
    round: Round,
    metrics: ShipperMetrics,
    plan: Box<dyn Plan>,
    others: Vec<Other>,
    documents: Documents,
}

impl Stages {
    /// Who we are, and what is remembered of the last time; `None` when told to stop before.
    async fn recall(
        &mut self,
        state: &StateDir,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Option<(Host, Remembered)>> {
        let identify = || host::identify(&self.settings, &self.keys, state);
        let host = patiently(&self.round, shutdown, identify).await?;
        let Some(host) = host else { return Ok(None) };
        let mut remembered = state.load()?;
        remembered.others = std::mem::take(&mut self.others);
        check_keys(&remembered.entries, &self.keys, &self.settings)?;
        if remembered.is_damaged {
            tell_of_damage(&self.inputs);
        }
        let noted = patiently(&self.round, shutdown, || state.note_start()).await?;
        Ok(noted.map(|()| (host, remembered)))
    }

    /// What is to say to others how it is: nothing where it ships once and ends. Who asks is told anyway.
    fn pulse(&self, host: &Host) -> Option<Pulse> {
        let teller =
            Teller { metrics: self.metrics.clone(), health: self.round.telemetry.health.clone() };
        // It was checked before.
        let interval = heartbeat::checked_interval(self.settings.heartbeat_interval).ok().flatten();
        let making = maker(&self.settings, host, interval.unwrap_or_default());
        let beside = teller.clone();
        self.round.status.begin("shipper", making, move || beside.now());
        let interval = interval.filter(|_| !self.once)?;
        Some(Pulse { maker: maker(&self.settings, host, interval), interval, teller })
    }

    async fn run(mut self, state: StateDir, shutdown: Shutdown) -> anyhow::Result<()> {
        let Some((host, remembered)) = self.recall(&state, &shutdown).await? else { return Ok(()) };
        let inbox = Inbox::default();
        let bodies = Bodies::default();
        let (batches, batches_seen) = sync_channel(1);
        let (sent, sent_seen) = mpsc::channel(1);
        let give_up = Shutdown::new();
        let site = Site {
            host: host.name.clone(),
            telemetry: self.round.telemetry.clone(),
            give_up: give_up.clone(),
            runtime: Handle::current(),
        };
        let pulse = self.pulse(&host);
        let Open { road, close, heartbeats } =
            self.plan.open(&site).context("cannot open the road")?;
        let heartbeats = pulse.zip(heartbeats).map(|(pulse, take)| pulse.start(take));
        let dispatcher = Dispatcher {
            batches: batches_seen,
            road,
            sent,
            bodies: bodies.clone(),
            inbox: inbox.clone(),
        };
        let joints = Joints {
            documents: self.documents,
            inbox: inbox.clone(),
            batches,
            pipe: pipe_of(&self.inputs, &inbox)?,
            bodies,
            metrics: self.metrics.clone(),
            health: self.round.telemetry.health.clone(),
        };
        let grace = self.settings.stop_grace.0;
        let Settings { engine: settings, batch, .. } = self.settings;
        let options = options((settings, batch), self.once, host);
        let monitor = Monitor::new(options, self.inputs, state, remembered, joints)?;
        let dispatching = spawn("encoder", move || dispatcher.run())?;
        let monitoring = spawn("monitor", move || monitor.run())?;
        self.round.begin();
        let metrics = self.metrics.clone();
        let reporting =
            report_deliveries(sent_seen, inbox.clone(), metrics, shutdown.clone(), give_up.clone());
        let reporting = tokio::spawn(reporting);
        tokio::spawn(stop_in_order(shutdown, inbox, grace, give_up.clone()));
        let ended = monitoring.await.context("the monitor thread is gone")?;
        if let Some(heartbeats) = heartbeats {
            heartbeats.end().await;
        }
        if matches!(ended, Ended::Broken(_)) {
            // Nobody moves a checkpoint any more, so nothing is waited for.
            give_up.cancel();
        }
        let reported = reporting.await.context("the task of receipts is gone")?;
        dispatching.await.context("the encoder thread is gone")?.context("cannot send")?;
        close(matches!(ended, Ended::Settled | Ended::Incomplete(_))).await;
        self.metrics.log_books();
        reported?;
        conclude(&ended)
    }
}

fn options(
    (mut settings, batch): (EngineSettings, BatchSettings),
    once: bool,
    host: Host,
) -> MonitorOptions {
    settings.max_open_files = open_files(settings.max_open_files);
    // Whoever serves the metrics may be the process around us, whose `listen` is not ours.
    let (measures_lag, says_untimed) = (true, true);
    MonitorOptions { once, settings, batch, measures_lag, says_untimed, host }
}

/// Standard input, where a table reads it.
fn pipe_of(inputs: &[Input], inbox: &Inbox) -> anyhow::Result<Option<Receiver<Piece>>> {
    let has_pipe = inputs.iter().any(|input| input.has_pipe);
    let pipe = has_pipe.then(|| read_pipe(std::io::stdin(), inbox.clone())).transpose();
    pipe.context("cannot read standard input")
}

/// Runs `work` on a named thread and resolves with its result.
fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<oneshot::Receiver<T>> {
    let (done, result) = oneshot::channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody waits for it when the process is being ended otherwise.
        drop(done.send(work()));
    })?;
    Ok(result)
}

/// Tells the monitor to stop reading, and gives up what is not confirmed after the grace period.
async fn stop_in_order(shutdown: Shutdown, inbox: Inbox, grace: Duration, give_up: Shutdown) {
    shutdown.cancelled().await;
    inbox.put(|news| news.end = news.end.max(End::Stop));
    tokio::time::sleep(grace).await;
    give_up.cancel();
}

/// A line for each, as long as they are few.
fn listed(missed: &[String]) -> String {
    let mut lines: Vec<String> = missed.iter().take(MOST_LISTED).cloned().collect();
    if let Some(more) = missed.len().checked_sub(MOST_LISTED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines.iter().flat_map(|line| ["\n  ", line]).collect()
}

fn conclude(ended: &Ended) -> anyhow::Result<()> {
    match ended {
        Ended::Broken(what) => anyhow::bail!(
            "the monitor found what cannot be, and stopped before it lost or repeated lines: {what}; what is not confirmed is read again when it is started again; please report this"
        ),
        Ended::Settled => {
            info!("stopped; everything that was read is delivered and remembered");
            Ok(())
        }
        Ended::Incomplete(missed) => anyhow::bail!(
            "not everything that was named could be read; what could is delivered.{}",
            listed(missed)
        ),
        Ended::Unconfirmed => {
            info!("stopped; what was not confirmed in time is read again at the next start");
            Ok(())
        }
        Ended::Unsaved => anyhow::bail!(
            "stopped, but the checkpoint could not be saved; what was delivered since is delivered again at the next start, and refused as a duplicate"
        ),
    }
}
