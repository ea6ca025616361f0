//! `omphalos run`: any part of the chain in one process, by default all of it: files are read, and
//! their lines are in a store on this machine that speaks Elasticsearch's HTTP API.
//!
//! Promises those of the daemons: `chain.rs` joins the same stages. A process that dies reads again
//! from its checkpoint, which moves only past what is indexed.

mod alerting;
pub(crate) mod chain;
mod figures;
mod plan;
mod settings;
mod stored;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use omphalos_common::config::{ConfigError, HasRows, Setting, TableError, Tables, add_flags};
use omphalos_common::printed::{Form, printed};
use omphalos_common::program::{Daemon, explain_flag};
use omphalos_common::rounds::{Round, Rounds, tell_to_reload};
use omphalos_transport::local::local;
use tokio_util::sync::DropGuard;
use tracing::info;

use crate::alerts::{self, Alerting};
use crate::import::imports;
use crate::page::open::note;
use crate::page::{Behind, Bound, Replays, Tap};
use crate::search::asker_at;
use crate::watch::check_receivers;
use crate::watch::deliver::Receivers;
use alerting::Kept;
use chain::{Chain, Watch};
use figures::StoreFigures;
use plan::Plan;
pub(crate) use plan::store_options;
use stored::Stored;

pub use settings::{Settings, StoreSettings, all_settings};

/// What it is called in its state directory.
const PROGRAM: &str = "omphalos-run";

const EXAMPLES: &str = "\
Examples:
  omphalos run /var/log/nginx/access.log --parser combined
  omphalos run --config omphalos.toml
  omphalos run --config omphalos.toml --amqp-url amqp://… --elasticsearch-url http://es1:9200";

/// The subcommand.
pub(crate) fn command() -> Command {
    let health = Command::new("health")
        .about("Ask the running process whether it is ready, and exit with 1 if it is not");
    let reload = Command::new("reload").about(
        "Have the process that runs with this state directory read its settings again; it goes on with the present ones if they cannot be used, and this exits with 2",
    );
    let check = Command::new("check").arg(explain_flag()).about(
        "Check settings, files and servers, report, and exit with 1 if anything is wrong there, or with 2 if the settings are",
    );
    let run = Command::new("run")
        .about("Run the whole chain in one process: read files, index their lines, and serve the store")
        .long_about("Reads files and indexes their lines into an embedded store that speaks Elasticsearch's HTTP API: all in one process, without other servers. With --amqp-url, documents go through RabbitMQ; with --elasticsearch-url, into Elasticsearch. The settings are those of omphalos-shipper and omphalos-indexer.")
        .after_help(EXAMPLES)
        .subcommand_precedence_over_arg(true)
        .subcommand(check)
        .subcommand(health)
        .subcommand(reload);
    add_flags(run, &all_settings())
}

/// Runs the subcommand.
///
/// # Errors
/// [`omphalos_common::config::ConfigError`] for settings that cannot be used; anything else when a
/// part failed.
pub(crate) fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (wanted, given) = matches.subcommand().unwrap_or(("", matches));
    let daemon = Daemon { rows: Wanted::rows(), threads: None };
    daemon.run((wanted, given), async |settings: Wanted, source| {
        let state_dir = |wanted: &Wanted| wanted.settings.state_dir().to_owned();
        if wanted == "reload" {
            return tell_to_reload(&state_dir(&settings), &[PROGRAM]).await;
        }
        if wanted == "check" {
            source.explain_if_wanted()?;
            return check_all(&settings).await;
        }
        let rounds = Rounds { program: PROGRAM, source, check: &check, state_dir };
        let stored = Stored::default();
        let work = async |wanted, round| work(&wanted, round, &stored).await;
        let code = rounds.work(settings, work).await;
        stored.close().await?;
        code
    })
}

/// What is set, when that is an alert, and who is told.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    settings: Settings,
    alerting: Alerting,
    receivers: Receivers,
}

impl HasRows for Wanted {
    fn rows() -> Vec<Setting> {
        [Settings::rows(), Alerting::rows(), Receivers::rows()].concat()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        let (settings, (alerting, receivers)) = HasRows::read(tables)?;
        Ok(Self { settings, alerting, receivers })
    }
}

/// Checks all that can be known of what is wanted without looking at files or asking servers.
fn check(wanted: &Wanted) -> anyhow::Result<()> {
    let Wanted { settings, alerting, receivers } = wanted;
    let Plan { chain, .. } = Plan::new(settings)?;
    if let Some(shipper) = &chain.shipper {
        shipper.inputs()?;
        shipper.id_keys()?;
    }
    if let Some(indexer) = &chain.indexer {
        indexer.check()?;
    }
    settings.page.check()?;
    Ok(check_receivers(&receivers.receiver, &alerts::rules(&alerting.alert)?)?)
}

/// Checks all of it, also files and servers, and prints a line for each thing that was looked at; the exit code.
///
/// # Errors
/// [`ConfigError`] for settings that cannot be used; others when nothing can be printed.
pub(crate) async fn check_all(wanted: &Wanted) -> anyhow::Result<ExitCode> {
    check(wanted)?;
    let settings = &wanted.settings;
    let Plan { chain, store } = Plan::new(settings)?;
    let mut code = ExitCode::SUCCESS;
    if let Some(indexer) = chain.indexer.as_ref().filter(|_| store.is_none())
        && !omphalos_indexer::check::check(indexer, !chain.is_local).await?
    {
        code = ExitCode::FAILURE;
    }
    if let Some(store) = &store {
        let directory = store_options(settings, store).directory;
        writeln!(printed(Form::Plain), "ok       the store is to be in {}", directory.display())?;
    }
    let Some(shipper) = &chain.shipper else { return Ok(code) };
    let road = chain.is_local.then(|| local(shipper.batch.window()).0);
    let shipped = omphalos_shipper::check::check(shipper, road).await?;
    Ok(if shipped == ExitCode::SUCCESS { code } else { shipped })
}

/// What the page of a chain reads from.
fn behind(settings: &Settings, chain: &Chain, watch: &Watch) -> Result<Behind, ConfigError> {
    // Who only sends knows no place to ask.
    let elsewhere = &settings.indexer.elasticsearch;
    let asked = chain.indexer.as_ref().map(|indexer| &indexer.elasticsearch);
    let asked =
        asked.or((elsewhere.url.is_some() || settings.store.is_some()).then_some(elsewhere));
    Ok(Behind {
        tap: watch.tap.clone(),
        tap_has_all: chain.reads_all(),
        asker: asked.map(|asked| asker_at(settings, asked)).transpose()?,
        telemetry: watch.round.telemetry.clone(),
        shipper: watch.shipper.clone(),
        state_dir: Some(settings.state_dir().to_owned()),
        audited: chain.audited(),
        replays: chain
            .indexer
            .clone()
            .map(|indexer| Replays { settings: settings.clone(), indexer }),
    })
}

/// Serves the page until what is returned is dropped.
async fn serve_page(
    page: Bound,
    settings: &Settings,
    (chain, watch): (&Chain, &Watch),
) -> Result<DropGuard, ConfigError> {
    note(settings.state_dir(), &page.url());
    let behind = behind(settings, chain, watch)?;
    behind.look_before().await;
    Ok(page.serve(behind))
}

/// Starts what is wanted, and stops it in the order of the data.
async fn work(wanted: &Wanted, round: Round, stored: &Stored) -> anyhow::Result<()> {
    check(wanted)?;
    let Wanted { settings, alerting, receivers } = wanted;
    let Plan { mut chain, store } = Plan::new(settings)?;
    chain.others = imports(settings, &chain)?;
    let page = Bound::bind(&settings.page, &settings.process().listen_hosts, &round.kept).await?;
    if let Some(page) = &page {
        info!("the page is at {} (omphalos open opens it in a browser)", page.url());
    }
    let rules = alerts::rules(&alerting.alert)?;
    let kept = Kept::load(&rules, chain.reads_all(), settings.state_dir())?;
    let is_seen = chain.shipper.is_some() && (page.is_some() || !rules.is_empty());
    let tap = is_seen.then(|| Tap::new(rules, &kept.alerts)).transpose()?;
    let _ticking = tap.as_ref().map(Tap::start);
    let (shutdown, kept_open) = (round.stop.clone(), round.kept.clone());
    let listening = settings.process().listening();
    let _serving = kept_open.serve(listening, round.telemetry.routes()).await?;
    let watch = Watch { round, tap, ..Watch::default() };
    if let Some(store) = store {
        let options = store_options(settings, &store);
        let directory = options.directory.clone();
        let hosts = settings.process().listen_hosts.clone();
        let url = stored.open((options, store.listen, hosts)).await?;
        let figures = Box::new(StoreFigures(directory.clone()));
        let telemetry = watch.round.telemetry.of_part("store");
        telemetry.register(|registry| registry.register_collector(figures));
        info!("the store in {} answers at {url}", directory.display());
        info!("look into it: omphalos search --url {url} --since 15m --follow");
        if let Some(indexer) = &mut chain.indexer {
            indexer.elasticsearch.url = Some(vec![url]);
        }
    } else {
        stored.close().await?;
        if settings.store.is_some() {
            info!("elasticsearch.url is set, so the embedded store of [store] is not used");
        }
    }
    let _page = match page {
        Some(page) => Some(serve_page(page, settings, (&chain, &watch)).await?),
        None => None,
    };
    let telling = kept.tell(&watch, receivers.receiver.clone(), chain.indexer.as_ref())?;
    let result = chain.run(watch, shutdown).await;
    let told = match telling {
        Some(telling) => telling.end().await,
        None => Ok(()),
    };
    result.and(told)
}
