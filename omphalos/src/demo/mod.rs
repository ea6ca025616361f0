//! `omphalos demo`: the whole chain in one process, on a log that is being written: a shop's traffic
//! with a burst, an attack, a deploy and an outage. Nothing has to be there before, and nothing is
//! left behind, unless a directory is named.

mod figures;
mod proof;
mod traffic;
mod view;
mod writer;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Arg, ArgMatches, Command};
use indicatif::HumanBytes;
use omphalos_common::config::{ConfigError, Period, Size, from_text, listen_address};
use omphalos_common::said::takes_colours;
use omphalos_common::shutdown::{self, Shutdown};
use omphalos_common::telemetry::{Kept, LogFormat, init_logs};
use omphalos_common::tell;
use omphalos_indexer::elasticsearch::{Client, ElasticsearchSettings, IndexPattern};
use omphalos_live::alert::{Rule, Saved};
use omphalos_parser::ParserKind;
use omphalos_parser::settings::RecipeSettings;
use omphalos_shipper::monitor::MonitorSettings;
use omphalos_store::StoreOptions;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::alerts::{self, Alerting};
use crate::page::{Behind, Bound, PageSettings, Tap};
use crate::run::Settings;
use crate::run::chain::{Chain, Embedded, Watch};
use crate::search::{Asker, Lines};
use figures::{Figures, memory, newest};
use proof::{Tally, stored};
use view::{Scene, View};
use writer::Writer;

/// Where the store listens if it can.
const USUAL: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9200);
/// All indices of the demo.
const PATTERN: &str = "omphalos-*";
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the last lines may take.
const LONGEST_END: Duration = Duration::from_secs(30);

/// The subcommand.
pub fn command() -> Command {
    Command::new("demo")
        .about("Show the whole chain at work in one process, reading a log as it is written")
        .arg(
            Arg::new("seconds")
                .long("seconds")
                .value_name("N")
                .value_parser(clap::value_parser!(u64).range(1..))
                .help("End after this many seconds; by default, run until Ctrl-C"),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("N")
                .value_parser(clap::value_parser!(u64))
                .default_value("7")
                .help("Seed of the traffic; another seed makes other traffic"),
        )
        .arg(
            Arg::new("directory")
                .long("directory")
                .value_name("DIR")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Keep the log and the store in this directory; by default they are temporary"),
        )
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .value_parser(listen_address)
                .help("Address at which the store listens; by default 127.0.0.1:9200, or a free port if that is taken"),
        )
}

/// Runs the subcommand.
///
/// # Errors
/// When a part failed, or what was written is not what is stored.
pub fn run(given: &ArgMatches) -> anyhow::Result<ExitCode> {
    init_logs(LogFormat::Human, "warn")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(play(given));
    runtime.shutdown_background();
    result.map(|()| ExitCode::SUCCESS)
}

/// Where everything is; removed at the end if nobody named it.
struct Place {
    path: PathBuf,
    _temporary: Option<TempDir>,
}

impl Place {
    fn new(given: Option<&PathBuf>) -> anyhow::Result<Self> {
        if let Some(path) = given {
            let path = std::path::absolute(path)?;
            std::fs::create_dir_all(&path).map_err(|error| {
                ConfigError::invalid(format!(
                    "--directory: cannot make {}: {error}",
                    path.display()
                ))
            })?;
            return Ok(Self { path, _temporary: None });
        }
        let temporary = TempDir::with_prefix("omphalos-demo-")?;
        Ok(Self { path: temporary.path().to_owned(), _temporary: Some(temporary) })
    }
}

async fn play(given: &ArgMatches) -> anyhow::Result<()> {
    let begun = Instant::now();
    let shutdown = shutdown::on_signals()?;
    let place = Place::new(given.get_one::<PathBuf>("directory"))?;
    let listener = listen(given.get_one::<SocketAddr>("listen").copied()).await?;
    let directory = place.path.join("store");
    let options = StoreOptions { directory, max_age: None, max_bytes: None };
    let embedded = Embedded::start(&options, listener, &[]).await?;
    let url = embedded.url();
    let name = format!("access-{}.log", jiff::Timestamp::now().as_millisecond());
    let seed = given.get_one::<u64>("seed").copied().unwrap_or_default();
    let writer = Writer::start(&place.path.join(name), seed)?;
    let stop_chain = Shutdown::new();
    let page = Bound::bind(&PageSettings::default(), &[], &Kept::default()).await?;
    let watch = Watch { tap: Some(Tap::new(rules()?, &Saved::default())?), ..Watch::default() };
    let chain = chain(&place.path, writer.path(), &url);
    let elasticsearch =
        ElasticsearchSettings { url: Some(vec![url.clone()]), ..ElasticsearchSettings::default() };
    let client = Client::new(&elasticsearch, false)?.for_reading();
    let behind = behind(&client, &watch, &chain);
    behind.look_before().await;
    let page = page.map(|page| (page.url(), page.serve(behind)));
    let _ticking = watch.tap.as_ref().map(Tap::start);
    let mut chain = tokio::spawn(chain.run(watch.clone(), stop_chain.clone()));
    let demo = Demo { client, watch, writer, begun, colour: takes_colours(&io::stderr()) };
    tell!("A shop's access log is being written, read, and stored, all in this process:\n");
    if let Some((url, _)) = &page {
        tell!("  page    {url}  (open it in a browser)");
    }
    tell!("  log     {}", demo.writer.path().display());
    tell!("  store   {url}  (Elasticsearch's HTTP API)");
    let end = given.get_one::<u64>("seconds").map(|seconds| begun + Duration::from_secs(*seconds));
    let result = demo.show(&url, end, (&shutdown, &mut chain)).await;
    stop_chain.cancel();
    if !chain.is_finished() {
        chain.await??;
    }
    embedded.close().await?;
    result
}

/// What the page shows as alerts: what the story of the traffic has in it.
fn rules() -> anyhow::Result<Vec<Rule>> {
    const RULES: &str = r#"
[[alert]]
name = "errors"
measure = "error_share"
at_least = "5 %"
clear = "2 %"
window = "30s"
severity = "critical"
[[alert]]
name = "doors are tried"
filter = "status:404 OR status:401 OR status:403"
measure = "rate"
at_least = "60/s"
clear = "30/s"
window = "30s"
"#;
    Ok(alerts::rules(&from_text::<Alerting>(RULES)?.alert)?)
}

/// What the page reads from: all lines are those of the log.
fn behind(client: &Client, watch: &Watch, chain: &Chain) -> Behind {
    Behind {
        tap: watch.tap.clone(),
        tap_has_all: true,
        asker: Some(Asker::new(client.clone(), IndexPattern::dated("omphalos"))),
        telemetry: watch.round.telemetry.clone(),
        shipper: watch.shipper.clone(),
        state_dir: None,
        audited: chain.audited(),
        replays: None,
    }
}

/// The usual port if it is free, else another.
async fn listen(wanted: Option<SocketAddr>) -> anyhow::Result<TcpListener> {
    if let Some(address) = wanted {
        return TcpListener::bind(address).await.map_err(|error| {
            ConfigError::invalid(format!("--listen: cannot listen on {address}: {error}")).into()
        });
    }
    match TcpListener::bind(USUAL).await {
        Ok(listener) => Ok(listener),
        Err(error) => {
            let listener = TcpListener::bind(SocketAddr::new(USUAL.ip(), 0)).await?;
            let address = listener.local_addr()?;
            tell!("{USUAL} cannot be used ({error}): the store listens at {address}\n");
            Ok(listener)
        }
    }
}

/// The chain, with less in flight than a server would have: this is somebody's own machine.
fn chain(directory: &Path, log: &Path, url: &str) -> Chain {
    let mut settings = Settings::default();
    settings.set_state_dir(directory.to_owned());
    settings.shipper.monitor = vec![MonitorSettings {
        paths: vec![log.display().to_string()],
        recipe: RecipeSettings { parser: ParserKind::Combined, ..RecipeSettings::default() },
        ..MonitorSettings::default()
    }];
    settings.shipper.batch.in_flight_bytes = Size(1024 * 1024);
    settings.indexer.bulk.bytes = Size(1024 * 1024);
    settings.indexer.bulk.concurrency = 2;
    // All documents are lines of the log here.
    settings.shipper.heartbeat_interval = Period(Duration::ZERO);
    settings.indexer.heartbeat_interval = Period(Duration::ZERO);
    settings.indexer.elasticsearch.url = Some(vec![url.to_owned()]);
    Chain {
        shipper: Some(settings.shipper),
        indexer: Some(settings.indexer),
        others: Vec::new(),
        state: None,
        is_local: true,
        once: false,
    }
}

struct Demo {
    client: Client,
    watch: Watch,
    writer: Writer,
    begun: Instant,
    colour: bool,
}

impl Demo {
    /// Shows how things are until told to stop, or until `end`, and then the proof.
    async fn show(
        self,
        url: &str,
        end: Option<Instant>,
        (shutdown, chain): (&Shutdown, &mut JoinHandle<anyhow::Result<()>>),
    ) -> anyhow::Result<()> {
        let mut view = View::new(self.colour);
        let mut is_found = false;
        let mut rate = Rate::default();
        while !shutdown.is_cancelled() && end.is_none_or(|end| Instant::now() < end) {
            tokio::select! {
                () = shutdown.cancelled() => break,
                ended = &mut *chain => {
                    ended??;
                    anyhow::bail!("the chain has ended by itself");
                }
                () = tokio::time::sleep(if is_found { PAUSE } else { PAUSE / 10 }) => {}
            }
            if !is_found {
                is_found = self.first(url).await?;
                continue;
            }
            let figures = Figures::ask(&self.client, PATTERN).await?;
            view.show(&self.scene(figures, &mut rate));
        }
        view.end();
        self.prove().await
    }

    /// Looks for the first result; says what can be tried when it is there.
    async fn first(&self, url: &str) -> anyhow::Result<bool> {
        let Some(document) = newest(&self.client, PATTERN).await? else { return Ok(false) };
        let zone = jiff::tz::TimeZone::UTC;
        let line = Lines { colour: self.colour, zone, width: None }.line(&document, "");
        let took = self.begun.elapsed().as_secs_f64();
        tell!("\nThe first line was found {took:.1} s after the start:\n\n  {line}\n");
        tell!("Try, in another terminal:\n");
        for line in to_try(url) {
            tell!("  {line}");
        }
        tell!();
        Ok(true)
    }

    fn scene(&self, figures: Figures, rate: &mut Rate) -> Scene {
        let written = self.writer.lines();
        let elapsed = self.writer.elapsed();
        let confirmed = self.watch.shipper.totals().confirmed;
        Scene {
            elapsed,
            written,
            rate: rate.of(elapsed, written),
            waiting: written.saturating_sub(confirmed),
            figures,
            memory: memory(),
        }
    }

    /// Ends the log and compares it with the store.
    async fn prove(self) -> anyhow::Result<()> {
        let path = self.writer.path().display().to_string();
        let written = self.writer.stop()?;
        let begun = Instant::now();
        while self.watch.shipper.totals().confirmed < written.count() {
            if begun.elapsed() > LONGEST_END {
                anyhow::bail!(
                    "{} lines were written, and only {} are stored after {LONGEST_END:?}",
                    written.count(),
                    self.watch.shipper.totals().confirmed
                );
            }
            tokio::time::sleep(PAUSE / 10).await;
        }
        let stored = stored(&self.client, PATTERN, &path).await?;
        compare(written, stored)
    }
}

/// Says whether each line is there once.
fn compare(written: Tally, stored: Tally) -> anyhow::Result<()> {
    use crate::search::grouped;
    tell!("  lines written        {:>10}", grouped(written.count()));
    tell!("  documents stored     {:>10}", grouped(stored.count()));
    tell!("  most memory          {:>10}", HumanBytes(memory().1).to_string());
    if written != stored {
        anyhow::bail!(
            "what is stored is not what was written: lines are missing, or are there twice"
        );
    }
    tell!("\nEvery line is stored, and each once.");
    Ok(())
}

/// What can be pasted into another terminal.
fn to_try(url: &str) -> [String; 5] {
    let program = std::env::args().next().unwrap_or_else(|| "omphalos".to_owned());
    let search = |rest: &str| format!("{program} search {rest} --url {url}");
    [
        search("'status:>=500' --since 5m"),
        search("'ip:198.51.100.0/24' --since 10m --histogram"),
        search("'path:/api/checkout' --follow"),
        format!(
            "curl '{url}/omphalos-access-*/_search?q=http.response.status_code:500&size=1&pretty'"
        ),
        format!("curl '{url}/_cat/indices?v'"),
    ]
}

/// Lines a second over the last seconds.
#[derive(Default)]
struct Rate(std::collections::VecDeque<(Duration, u64)>);

impl Rate {
    fn of(&mut self, elapsed: Duration, written: u64) -> u64 {
        const SAMPLES: usize = 6;
        self.0.push_back((elapsed, written));
        if self.0.len() > SAMPLES {
            self.0.pop_front();
        }
        let (since, before) = self.0.front().copied().unwrap_or_default();
        let millis = elapsed.saturating_sub(since).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        ((written - before) * 1000).checked_div(millis).unwrap_or(0)
    }
}
