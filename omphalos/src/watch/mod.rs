//! `omphalos watch`: judges lines as they come, tells whoever wants to know what is raised and cleared,
//! and shows series to Prometheus. It is `omphalos top` without a screen, and nothing that it does
//! holds up what it watches.

pub mod deliver;
mod metrics;
mod options;
mod output;
mod state;
mod tell;
mod teller;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, Command};
use omphalos_common::clock::now_millis;
use omphalos_common::config::Setting;
use omphalos_common::program::Daemon;
use omphalos_common::rounds::{Round, Rounds, tell_to_reload};
use omphalos_common::shutdown::Shutdown;
use omphalos_live::{Pace, Settings as LiveSettings};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use deliver::Deliveries;
use metrics::OutputMetrics;
pub(crate) use metrics::{AlertMetrics, ReceiverMetrics};
pub use options::Read;
use options::Wanted;
pub(crate) use options::check_receivers;
use output::Sinks;
pub(crate) use state::StateFile;
pub(crate) use tell::{DATASET, word};
use teller::GRACE;
pub(crate) use teller::Teller;

use crate::top::begin;
use crate::top::counter::Counter;
use crate::top::figures::Reading;
use crate::top::source::Source;
use crate::top::source::files::Manner;

/// What it is called in its state directory.
const PROGRAM: &str = "omphalos-watch";
/// How often the clock moves time, and events are told.
const TICK: Duration = Duration::from_millis(250);
/// Shippers notice within so long that somebody watches, in nanoseconds.
const UNHEARD: i64 = 3_000_000_000;
/// After the broker was away, shippers connect again within so long, in nanoseconds: their pauses between
/// attempts grow to 10 s, and three tenths more.
const AWAY: i64 = 13_000_000_000;

/// All settings of `omphalos watch`, in the order of the manual.
pub fn settings() -> Vec<Setting> {
    options::all_rows()
}

/// `omphalos watch`.
pub fn command() -> Command {
    options::command()
}

/// Runs it.
///
/// # Errors
/// [`omphalos_common::config::ConfigError`] for what cannot be used; others when something cannot be
/// read, or the state not be kept.
pub fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (wanted, given) = matches.subcommand().unwrap_or(("", matches));
    let daemon = Daemon { rows: options::all_rows(), threads: Some(1) };
    daemon.run((wanted, given), async |read: Read, source| {
        if wanted == "reload" {
            return tell_to_reload(&read.state_dir(), &[PROGRAM]).await;
        }
        let check = |read: &Read| {
            Wanted::new(read.clone(), given)?;
            Ok(())
        };
        let rounds = Rounds { program: PROGRAM, source, check: &check, state_dir: Read::state_dir };
        rounds.work(read, async |read, round| watch(Wanted::new(read, given)?, round).await).await
    })
}

async fn watch(wanted: Wanted, round: Round) -> anyhow::Result<()> {
    let state = StateFile::open(&wanted.state_dir)?;
    let kept = state.load()?;
    let live = LiveSettings {
        dimensions: Vec::new(),
        line_bytes: 0,
        lateness: wanted.lateness,
        ..LiveSettings::default()
    };
    let counter = Arc::new(Counter::new(live)?);
    counter.judge(wanted.rules.clone())?;
    counter.with_alarms(|alarms| alarms.restore(&kept.alerts));
    let sinks = Sinks::start(wanted.outputs)?;
    let deliveries =
        Arc::new(Deliveries::start_with(wanted.receivers, wanted.documents, kept.undelivered)?);
    counter.count_series(sinks.series(wanted.lateness))?;
    let telemetry = &round.telemetry;
    telemetry.register(|registry| {
        registry.register_collector(Box::new(AlertMetrics(Arc::clone(&counter))));
        registry.register_collector(Box::new(OutputMetrics(sinks.queues())));
        registry.register_collector(Box::new(ReceiverMetrics(Arc::clone(&deliveries))));
        for scraped in sinks.scraped() {
            registry.register_collector(Box::new(scraped));
        }
    });
    let listening = (wanted.listen, &*wanted.listen_hosts);
    let _serving = round.kept.serve(listening, telemetry.routes()).await?;
    let manner = Manner { follows: true, replay: None, goes_on: true };
    let (source, reading) = begin(&wanted.from, &wanted.host, manner, Arc::clone(&counter))?;
    round.begin();
    info!(
        "watching {} by {} rules; state in {}",
        wanted.shown,
        wanted.rules.len(),
        shown(&wanted.state_dir)
    );
    let settled = deliveries.settled_news();
    let teller = Teller::new(Arc::clone(&counter), state, deliveries);
    let mut turns = Turns {
        counter,
        source,
        teller,
        sinks,
        is_blind: false,
        missed: 0,
        has_begun: !wanted.begins_now,
    };
    if !wanted.begins_now {
        turns.counter.begin_unknown();
    }
    let has_ended = turns.go(reading, (&settled, &round.stop)).await?;
    turns.end(has_ended).await
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// What is done again and again.
struct Turns {
    counter: Arc<Counter>,
    source: Arc<dyn Source>,
    teller: Teller,
    sinks: Sinks,
    /// Whether no line can come just now.
    is_blind: bool,
    /// How often lines went missing until now.
    missed: u64,
    /// Whether time goes on though no line has come yet.
    has_begun: bool,
}

impl Turns {
    /// Goes on until told to stop, or until there is nothing to read any more; whether there is not.
    async fn go(
        &mut self,
        mut reading: JoinHandle<anyhow::Result<bool>>,
        (settled, shutdown): (&Notify, &Shutdown),
    ) -> anyhow::Result<bool> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.round(),
                () = settled.notified() => self.round(),
                () = shutdown.cancelled() => return Ok(false),
                ended = &mut reading => {
                    ended??;
                    return Ok(true);
                }
            }
        }
    }

    fn round(&mut self) {
        let now = now_millis().saturating_mul(1_000_000);
        self.look_at_source(now);
        self.counter.advance(now);
        self.write_series();
        self.teller.round();
    }

    /// Nobody is silent because the broker is away, and no share is right of which lines are missing.
    fn look_at_source(&mut self, now: i64) {
        let states = self.source.states();
        let is_blind = self.source.is_shared()
            && states.iter().any(|state| matches!(state.state, Reading::Failed(_)));
        let is_well = !is_blind && states.iter().all(|state| state.state != Reading::CatchingUp);
        // Who publishes looks now and then whether anybody watches.
        let heard = if self.source.is_shared() { now.saturating_add(UNHEARD) } else { now };
        if !self.has_begun && is_well {
            self.has_begun = true;
            self.counter.set_pace(Pace::Clock);
            self.counter.begin(now, heard);
        }
        let missed = self.source.missed();
        if is_blind != self.is_blind || missed > self.missed && !is_blind {
            let was_blind = std::mem::replace(&mut self.is_blind, is_blind);
            self.missed = missed;
            match (is_blind, was_blind) {
                (true, _) => self.counter.pause(),
                (false, true) => self.counter.resume(heard.saturating_add(AWAY)),
                (false, false) => self.counter.resume(heard),
            }
        }
    }

    fn write_series(&self) {
        let (points, dropped) = self.counter.take_points();
        if dropped > 0 {
            warn!(
                "{dropped} points of series came at once, more than can be kept, and are dropped"
            );
        }
        for (number, points) in points.iter().enumerate() {
            self.sinks.take(number, points);
        }
    }

    /// Ends; `has_ended` says that no more lines will come, so that the last step is a whole one.
    async fn end(mut self, has_ended: bool) -> anyhow::Result<()> {
        self.teller.last_round()?;
        if has_ended {
            self.counter.finish_series();
        }
        self.write_series();
        let (told, ()) = tokio::join!(self.teller.finish(), self.sinks.finish(GRACE));
        told?;
        info!("stopped; what is raised is remembered");
        Ok(())
    }
}
