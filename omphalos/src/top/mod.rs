//! `omphalos top`: the traffic of files, live.
//!
//! Sources ([`source`]) read lines and put them into the collectors ([`counter`]); a console, or
//! [`mod@printed`] for scripts, asks them ([`figures`]). What is stored is asked where it is ([`history`]).
//! Nothing that shows figures holds up what counts them.

pub(crate) mod alarms;
mod console;
pub(crate) mod counter;
pub(crate) mod figures;
pub(crate) mod history;
pub(crate) mod number;
pub(crate) mod options;
mod printed;
pub(crate) mod source;
pub(crate) mod text;
mod watched;

use std::io::Write;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::bail;
use clap::{ArgMatches, Command};
use omphalos_common::clock::now_millis;
use omphalos_common::printed::{Form, printed};
use omphalos_common::telemetry::{LogFormat, init_logs};
use omphalos_live::Scope;
use omphalos_shipper::monitor::Host;
use tokio::time::{MissedTickBehavior, interval};

use counter::Counter;
use figures::{Figures, Reading as State, SourceState};
use history::{History, Period};
use options::{From, Options, Screen};
use printed::{Figured, Wanted};
use source::Source;
use source::files::{Files, Manner};
use source::fleet::Fleet;
use source::udp::Datagrams;
use watched::Watched;

use crate::run::Settings;
use crate::search::{asker, explain};

/// How often the clock moves the collectors.
const TICK: Duration = Duration::from_millis(250);
/// So many rows where there is no screen to fill.
const ROWS: usize = 12;

/// `omphalos top`.
pub fn command() -> Command {
    options::command()
}

/// `omphalos httptop`.
pub fn classic_command() -> Command {
    options::classic_command()
}

/// Runs it.
///
/// # Errors
/// [`omphalos_common::config::ConfigError`] for what cannot be used; others when files cannot be read,
/// or nothing be shown.
pub fn run(given: &ArgMatches, is_classic: bool) -> anyhow::Result<ExitCode> {
    let options = Options::read(given, is_classic)?;
    let is_console = matches!(options.screen, Screen::Full | Screen::Classic);
    init_logs(LogFormat::Human, if is_console { "off" } else { "warn" })?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let is_whole = runtime.block_on(async {
        let (figures, reading) = start(&options).await?;
        show(&options, &figures, reading).await
    })?;
    // What still reads has nothing to keep.
    runtime.shutdown_background();
    Ok(ExitCode::from(u8::from(!is_whole)))
}

/// Begins to read, or to ask.
async fn start(options: &Options) -> anyhow::Result<(Arc<dyn Figures>, Reading)> {
    let counter = Arc::new(Counter::new(options.live.clone())?);
    counter.judge(options.rules.clone())?;
    let counting = Arc::clone(&counter);
    if let From::History(settings, period) = &options.from {
        return start_history(options, settings, *period).await;
    }
    let (source, reading) = begin(&options.from, &options.host, options.manner, counting)?;
    tokio::spawn(tick(Arc::clone(&counter)));
    Ok((
        Arc::new(Watched {
            counter,
            source,
            shown: options.shown.clone(),
            since: Mutex::default(),
        }),
        reading,
    ))
}

/// Begins to read lines.
///
/// # Errors
/// When a setting cannot be used, an address be bound, or a file be looked at.
pub(crate) fn begin(
    from: &From,
    host: &Host,
    manner: Manner,
    counter: Arc<Counter>,
) -> anyhow::Result<(Arc<dyn Source>, Reading)> {
    Ok(match from {
        From::Files(inputs) => {
            let (files, shelf) = Files::start(inputs.clone(), host.clone(), manner, counter)?;
            (Arc::new(shelf), tokio::spawn(files.read()))
        }
        From::Fleet(settings, sample) => {
            let fleet = Arc::new(Fleet::new(settings)?);
            let watching = Arc::clone(&fleet).watch(*settings.clone(), *sample, counter);
            (fleet, tokio::spawn(watching))
        }
        From::Udp(receive) => {
            let (datagrams, taking) = Datagrams::start(receive.clone())?;
            let watching = Arc::clone(&datagrams).watch(taking, counter);
            (datagrams, tokio::spawn(watching))
        }
        From::History(..) => bail!("what is stored has no lines that come"),
    })
}

/// Asks once, so that what is wrong is known before a screen opens.
async fn start_history(
    options: &Options,
    settings: &Settings,
    period: Period,
) -> anyhow::Result<(Arc<dyn Figures>, Reading)> {
    let filter = options.live.filter.as_ref().map(|filter| filter.text().to_owned());
    let typed = filter.clone().unwrap_or_default();
    let history = History::start(asker(settings)?, period, options.window, filter).await;
    let history = history.map_err(|fault| explain(settings, &typed, fault.into()))?;
    Ok((Arc::new(history), tokio::spawn(std::future::ready(Ok(true)))))
}

async fn tick(counter: Arc<Counter>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        counter.advance(now_millis().saturating_mul(1_000_000));
    }
}

pub(crate) type Reading = tokio::task::JoinHandle<anyhow::Result<bool>>;

/// Shows figures until that is enough; whether all was read that should be.
async fn show(
    options: &Options,
    figures: &Arc<dyn Figures>,
    reading: Reading,
) -> anyhow::Result<bool> {
    match options.screen {
        Screen::Text(None) | Screen::Json(None) => {
            let is_whole = reading.await??;
            print(options, &**figures, Scope::Start)?;
            Ok(is_whole)
        }
        Screen::Text(Some(times)) | Screen::Json(Some(times)) => {
            let mut ticks = interval(options.refresh);
            ticks.tick().await;
            for _ in 0..times {
                ticks.tick().await;
                print(options, &**figures, Scope::Window)?;
            }
            let sources = figures.feed().sources;
            let has_failed = |source: &SourceState| matches!(source.state, State::Failed(_));
            Ok(!sources.iter().any(has_failed))
        }
        Screen::Full | Screen::Classic => {
            let figures = Arc::clone(figures);
            let console = console_of(options);
            tokio::task::spawn_blocking(move || console::run(figures, console)).await??;
            Ok(true)
        }
    }
}

fn console_of(options: &Options) -> console::Options {
    let filter = options.live.filter.as_ref().map(|filter| filter.text().to_owned());
    console::Options {
        title: options.shown.clone(),
        dimension: options.dimension.clone(),
        sort: options.by,
        rows: options.rows,
        refresh: options.refresh,
        filter: filter.unwrap_or_default(),
        classic: options.screen == Screen::Classic,
        format: format_of(options),
        thresholds: options.thresholds,
        colours: options.colours,
        background: options.background,
    }
}

/// The format of all lines, where they have one that is known.
fn format_of(options: &Options) -> Option<&'static str> {
    let From::Files(inputs) = &options.from else { return None };
    let mut parsers = inputs.iter().map(|input| input.parser);
    let first = parsers.next()??;
    parsers.all(|parser| parser == Some(first)).then_some(first.name())
}

fn print(options: &Options, figures: &dyn Figures, scope: Scope) -> anyhow::Result<()> {
    let wanted = Wanted {
        scope,
        dimension: &options.dimension,
        by: options.by,
        rows: options.rows.unwrap_or(ROWS),
    };
    let figured = Figured::ask(figures, &wanted);
    let (form, text) = match options.screen {
        Screen::Json(_) => (Form::Json, figured.json()? + "\n"),
        _ => (Form::Plain, figured.text() + "\n"),
    };
    let mut out = printed(form);
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
