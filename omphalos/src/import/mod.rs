//! `omphalos import`: indexes files from their beginning to their end. The stages are those of `run`,
//! with `--once`; what is remembered is kept apart from what a running process remembers.

mod known;
mod options;
mod progress;
mod sizes;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;
use omphalos_common::causes::joined;
use omphalos_common::config::ConfigError;
use omphalos_common::shutdown::{self, Shutdown};
use omphalos_common::telemetry::init_logs;
use omphalos_common::tell;
use omphalos_indexer::collector::DEAD_FILE_NAME;
use omphalos_shipper::host::keep_id;
use omphalos_shipper::monitor::{Other, StateDir, StateError};
use tokio::net::TcpListener;

use crate::run::Settings;
use crate::run::chain::{Chain, Embedded, Watch};
use crate::run::store_options;
use crate::search::grouped;
use crate::store_owner::{check_owner, url_of};
use options::Options;
pub use options::command;
use progress::Progress;

/// Where imports keep what they remember, and their dead letters: below the state directory.
pub const REMEMBERED: &str = "import";
/// How long the name of a directory below that may be, in bytes.
const LONGEST_NAME: usize = 120;

/// Runs the subcommand.
///
/// # Errors
/// [`ConfigError`] for settings that cannot be used; anything else when not all is indexed.
pub fn run(given: &ArgMatches) -> anyhow::Result<ExitCode> {
    let options = Options::read(given)?;
    let process = options.settings.process();
    init_logs(process.log_format, &process.log_level)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(import(options));
    runtime.shutdown_background();
    result
}

async fn import(options: Options) -> anyhow::Result<ExitCode> {
    let Options { mut settings, files, bytes } = options;
    let shutdown = shutdown::on_signals()?;
    let is_remote = settings.shipper.amqp.names_broker();
    let state = prepare(&settings, is_remote)?;
    let embedded = match &settings.indexer.elasticsearch.url {
        None if !is_remote => store(&mut settings).await?,
        _ => None,
    };
    say_where(&settings, embedded.is_some())?;
    let others = known::processes(settings.state_dir());
    settings.set_state_dir(state.path().to_owned());
    tokio::select! {
        noted = known::note(&settings, &state, &others, &files) => noted?,
        () = shutdown.cancelled() => anyhow::bail!("stopped before anything was imported"),
    }
    let chain = Chain {
        shipper: Some(settings.shipper.clone()),
        indexer: (!is_remote).then(|| settings.indexer.clone()),
        others,
        state: Some(state),
        is_local: !is_remote,
        once: true,
    };
    let watch = Watch::default();
    let stop = Shutdown::new();
    let ends = (stop.clone(), shutdown.clone());
    let progress = Progress::start((files.len(), bytes), watch.shipper.clone(), ends);
    let result = chain.run(watch.clone(), shutdown.clone()).await;
    stop.cancel();
    progress.end().await;
    if let Some(embedded) = embedded {
        embedded.close().await?;
    }
    report(&watch, is_remote, if result.is_ok() { bytes } else { 0 }, &settings);
    if shutdown.is_cancelled() {
        tell!("stopped; the same command goes on where it stopped");
    }
    result?;
    let is_whole = !shutdown.is_cancelled() && watch.indexer.totals().dead == 0;
    Ok(ExitCode::from(u8::from(!is_whole)))
}

/// Says where documents go: what is written to the wrong place is hard to find again.
fn say_where(settings: &Settings, is_opened: bool) -> Result<(), ConfigError> {
    let names = settings.indexer.index.pattern().all();
    match &settings.indexer.elasticsearch.url {
        Some(urls) if is_opened => {
            let store = store_options(settings, &settings.store());
            tell!(
                "into the store in {}, which is served at {} meanwhile, as {names}",
                store.directory.display(),
                urls.join(", ")
            );
        }
        Some(_) => {
            tell!("into {}, as {names}", settings.indexer.elasticsearch.shown()?);
        }
        None => tell!("into the exchange {} of the broker", settings.shipper.amqp.exchange),
    }
    Ok(())
}

/// The embedded store: the one that listens already, or else opened here.
///
/// # Errors
/// When it cannot be opened, or what listens there is another one.
pub async fn store(settings: &mut Settings) -> anyhow::Result<Option<Embedded>> {
    settings.indexer.index.check_for_store()?;
    let store = settings.store();
    let (url, embedded) = match TcpListener::bind(store.listen).await {
        Ok(listener) => {
            let options = store_options(settings, &store);
            let hosts = &settings.process().listen_hosts;
            let embedded = Embedded::start(&options, listener, hosts).await;
            let embedded = embedded.map_err(|error| {
                ConfigError::invalid(format!(
                    "{}; if a process has it open, this can go through that one: name the address where it listens: --store-listen",
                    joined(error.chain())
                ))
            })?;
            (embedded.url(), Some(embedded))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            check_owner(store.listen, &store_options(settings, &store).directory).await?;
            (url_of(store.listen), None)
        }
        Err(error) => {
            return Err(ConfigError::invalid(format!(
                "store.listen: cannot listen on {}: {error}",
                store.listen
            ))
            .into());
        }
    };
    settings.indexer.elasticsearch.url = Some(vec![url]);
    Ok(embedded)
}

/// Where what was imported is remembered, below the state directory: of each place that documents go
/// to by itself, because what is in one is not in another.
///
/// # Errors
/// When the settings do not say where.
pub fn remembered(settings: &Settings, is_remote: bool) -> Result<PathBuf, ConfigError> {
    let (shipper, indexer) = (&settings.shipper, &settings.indexer);
    let place = match &indexer.elasticsearch.url {
        _ if is_remote => format!("{}-{}", shipper.amqp.shown()?, shipper.amqp.exchange),
        Some(_) => {
            let names = match indexer.index.namespace() {
                None => indexer.index.prefix.clone(),
                Some(_) => indexer.index.pattern().all(),
            };
            format!("{}-{names}", indexer.elasticsearch.shown()?)
        }
        None => return Ok(PathBuf::from(REMEMBERED)),
    };
    let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '.';
    let name = place.chars().map(|one| if is_plain(one) { one } else { '-' });
    Ok(Path::new(REMEMBERED).join(name.take(LONGEST_NAME).collect::<String>()))
}

/// The imports to the places that `chain` writes to: they may have read the same files.
///
/// # Errors
/// When the settings do not say where.
pub fn imports(settings: &Settings, chain: &Chain) -> Result<Vec<Other>, ConfigError> {
    let (to_broker, is_indexed) = (settings.shipper.amqp.names_broker(), chain.indexer.is_some());
    let places = [to_broker.then_some(true), is_indexed.then_some(false)].into_iter().flatten();
    let import =
        |is_remote| Ok(Other::Import(settings.state_dir().join(remembered(settings, is_remote)?)));
    places.map(import).collect()
}

/// Takes the place where it is remembered what was imported, out of the way of a running process, with
/// the same host id: ids are made of it. That comes first, because who waits for another import would wait
/// for its store too.
fn prepare(settings: &Settings, is_remote: bool) -> Result<StateDir, ConfigError> {
    let directory = settings.state_dir().join(remembered(settings, is_remote)?);
    keep_id(settings.state_dir(), &directory).map_err(|error| unusable(&directory, &error))?;
    StateDir::open(&directory).map_err(|error| match error {
        StateError::Locked { process, .. } => ConfigError::invalid(format!(
            "state_dir: another import{} is at work with {}; wait for its end, and give this command again, or name all files in one",
            process.map(|number| format!(" (pid {number})")).unwrap_or_default(),
            settings.state_dir().display()
        )),
        error @ StateError::Io { .. } => ConfigError::invalid(format!("state_dir: {error}")),
    })
}

fn unusable(directory: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError::invalid(format!(
        "state_dir: cannot use {}: {error}; name a directory that this user may write to: --state-dir",
        directory.display()
    ))
}

/// The last word: what became of the lines, of which there should be so many `bytes`, about; 0 where
/// it is said what could not be read.
fn report(watch: &Watch, is_remote: bool, bytes: u64, settings: &Settings) {
    let (read, became) = (watch.shipper.totals(), watch.indexer.totals());
    let row = |name: &str, number: u64| tell!("  {name:<14}{:>14}", grouped(number));
    row("lines read", read.lines);
    if read.lines == 0 && bytes > 0 {
        tell!(
            "nothing is new: all of it was imported before. To import it again, delete {}; what is there already is refused as a duplicate",
            settings.state_dir().display()
        );
    }
    if read.skipped > 0 {
        row("empty", read.skipped);
    }
    if read.joined > 0 {
        row("joined", read.joined);
    }
    if is_remote {
        row("in the queue", read.confirmed);
        return;
    }
    row("indexed", became.indexed);
    row("duplicate", became.duplicate);
    row("dead letters", became.dead);
    if became.dead > 0 {
        let file = settings.state_dir().join(DEAD_FILE_NAME);
        tell!("  why: {}; omphalos dead list shows them", file.display());
    }
}
