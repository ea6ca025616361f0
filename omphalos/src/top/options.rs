//! What is asked for on the command line: the words of `omphalos top`, and those of the httptop that it
//! continues.

mod contradictions;
mod values;

use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use omphalos_common::config::{About, ConfigError, Setting, add_flags, load};
use omphalos_common::ids::IdKeys;
use omphalos_live::alert::Rule;
use omphalos_live::{By, Dimension, Filter, Settings as LiveSettings};
use omphalos_shipper::host::{host_name, machine_id};
use omphalos_shipper::monitor::{Host, Input, MonitorSettings, Start};
use omphalos_transport::amqp::{AmqpSettings, Sample};
use omphalos_transport::udp::ReceiveOptions;

use super::console::thresholds::Thresholds;
use super::console::{Background, Colours};
use super::counter::{LONGEST_WINDOW, check_window, over};
use super::history::Period;
use super::source::files::Manner;
use crate::alerts::{self, ALERT_SETTINGS, AlertSettings, Alerting};
use crate::run::{Settings, all_settings};
use crate::search::{place, time_arg, times};
pub use contradictions::{begins_at_end, check_rules};
use contradictions::{check_beginning, check_endless, check_known, check_single, check_unsampled};
use values::{background, by, bytes, colours, period, sample, speed};

const EXAMPLES: &str = "\
Reads files to their ends and then what is added to them, as the shipper does: patterns, rotation,
archives, standard input (-), all formats. Nothing is written, and nothing else need run.

With --since it shows what is stored, from Elasticsearch or the embedded store, by their
aggregations: times are written as for omphalos search.

Times are those of the lines. With --once it prints the figures of all lines and ends.

Exit codes: 0 done; 1 some of a file could not be read, or nothing be reached; 2 usage.

Examples:
  omphalos top /var/log/nginx/access.log
  omphalos top '/var/log/nginx/*.log' --by errors --filter 'status:>=400 AND NOT path:/health'
  zcat old.log.gz | omphalos top - --once --dimension client
  omphalos top access.log.1 --replay 60
  omphalos top --since 1h --url http://127.0.0.1:9200
  omphalos httptop -p clf -i 120 --total-hits 1000 access.log";

/// How figures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// The console.
    Full,
    /// The screen of httptop.
    Classic,
    /// So many times as text, for scripts; `None` for once, at the end of all lines.
    Text(Option<u32>),
    /// The same as JSON.
    Json(Option<u32>),
}

/// Where lines come from.
pub enum From {
    /// Files and standard input.
    Files(Vec<Input>),
    /// What a fleet publishes to a broker, or a sample of it.
    Fleet(Box<AmqpSettings>, Sample),
    /// What shippers send as datagrams.
    Udp(ReceiveOptions),
    /// What is stored.
    History(Box<Settings>, Period),
}

/// What is asked for.
pub struct Options {
    /// Where lines come from.
    pub from: From,
    /// Who would ship it.
    pub host: Host,
    /// How it is read.
    pub manner: Manner,
    /// How it is counted.
    pub live: LiveSettings,
    /// When it is an alert.
    pub rules: Vec<Rule>,
    /// How far the window looks back, if that is said.
    pub window: Option<Duration>,
    /// How it is shown.
    pub screen: Screen,
    /// What is counted first.
    pub dimension: Dimension,
    /// By what it is ordered first.
    pub by: By,
    /// How many rows there are at most.
    pub rows: Option<usize>,
    /// How often figures are drawn.
    pub refresh: Duration,
    /// From when on something is red.
    pub thresholds: Thresholds,
    /// In how many colours.
    pub colours: Colours,
    /// What is behind the text.
    pub background: Background,
    /// What is read, for people.
    pub shown: String,
}

/// How the broker of a fleet is reached.
pub const OF_BROKER: [&str; 8] = [
    "amqp.url",
    "amqp.url_file",
    "amqp.exchange",
    "amqp.ca_file",
    "amqp.client_certificate_file",
    "amqp.client_key_file",
    "amqp.heartbeat",
    "amqp.connect_timeout",
];

/// How datagrams are taken.
const OF_UDP: [&str; 4] =
    ["receive.listen", "receive.encoding", "receive.key_file", "receive.buffer"];

/// What figures depend on, besides the lines.
pub fn rows() -> Vec<Setting> {
    let mut rows = all_settings();
    let is_wanted = |row: &Setting| {
        row.is_about(&[About::Document, About::Place])
            || row.key == "monitor.paths"
            || OF_BROKER.contains(&row.key)
            || OF_UDP.contains(&row.key)
    };
    rows.retain(is_wanted);
    for row in &mut rows {
        *row = match row.key {
            "monitor.paths" => row.help(
                "Files, patterns with * ? [ ] **, or - for standard input; also .gz and .zst.",
            ),
            "receive.listen" => row.alias("udp").help(
                "Count what shippers send as datagrams to this address, such as 127.0.0.1:5140.",
            ),
            _ => place(row),
        };
    }
    rows
}

/// `omphalos top`.
pub fn command() -> Command {
    with_own(
        Command::new("top")
            .about("Watch the traffic of log files live: top URIs, statuses, clients, latency")
            .after_help(EXAMPLES),
    )
}

/// `omphalos httptop`.
pub fn classic_command() -> Command {
    with_own(
        Command::new("httptop")
            .about(
                "The same with the words, keys and screen of the httptop that Omphalos continues",
            )
            .hide(true),
    )
}

fn with_own(command: Command) -> Command {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let threshold = |name, kind, help| value(name, kind, help).help_heading("Thresholds");
    let hits = || value_parser!(u64).range(1..);
    let command = command
        .arg(
            value("interval", "PERIOD", "How far the window looks back, in seconds or as 5m")
                .short('i')
                .visible_alias("window")
                .default_value("120")
                .value_parser(period),
        )
        .arg(
            value("refresh", "PERIOD", "How often figures are drawn, in seconds or as 500ms [default: 1, httptop and --since: 10]")
                .short('r')
                .value_parser(period),
        )
        .arg(
            value("count", "ROWS", "At most so many rows [default: as many as fit; 12 where there is no console]")
                .short('c')
                .value_parser(value_parser!(u16).range(1..)),
        )
        .arg(value("dimension", "FIELD", "What is counted: section, path, client, user, referrer, agent, status, method, vhost, host, source, or any field").default_value("section"))
        .arg(value("by", "COLUMN", "Order: hits, bytes, errors, latency or clients").default_value("hits").value_parser(by))
        .arg(value("filter", "QUERY", "Count only these lines; the query is one of omphalos search").allow_hyphen_values(true))
        .arg(
            value("from", "WHERE", "Where to begin in files: at their beginning, or at their end")
                .default_value("beginning")
                .value_parser(["beginning", "end"]),
        )
        .arg(value("replay", "SPEED", "Play old lines as if they were written now, so many times as fast, or as fast as can be (max)").value_parser(speed))
        .arg(time_arg("since", "Show what is stored, from this time on, instead of what comes").conflicts_with_all(["from", "replay", "sample"]))
        .arg(time_arg("until", "Show what is stored from before this time").requires("since"))
        .arg(value("sample", "PART", "Of a fleet, watch only this part of the messages: 1/2, 1/4, 1/8 or 1/16").value_parser(sample))
        .arg(
            Arg::new("once")
                .long("once")
                .action(ArgAction::SetTrue)
                .conflicts_with("batch")
                .help("Read all that is there, print the figures of all of it, and end"),
        )
        .arg(
            value("batch", "N", "Print the figures of the window N times, one each refresh, and end")
                .value_parser(value_parser!(u32).range(1..)),
        )
        .arg(value("color", "WHEN", "Colours: auto, never, 16, 256 or true [default: auto]").value_parser(colours))
        .arg(value("background", "SHADE", "What is behind the text: auto, light or dark [default: auto]").value_parser(background))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON, one object a line; with --once unless --batch is given"))
        .arg(threshold("total-size", "SIZE", "All bytes of the window are red from here on").value_parser(bytes))
        .arg(threshold("total-hits", "HITS", "All lines of the window are red from here on").value_parser(hits()))
        .arg(threshold("size", "SIZE", "The bytes of a section are red from here on").value_parser(bytes))
        .arg(threshold("hits", "HITS", "The lines of a section are red from here on").value_parser(hits()))
        .arg(alerts::flag());
    add_flags(command, &rows()).mut_arg("monitor.parser", |parser| parser.short('p'))
}

impl Options {
    /// Reads flags, environment and the file of settings.
    ///
    /// # Errors
    /// When something cannot be used; the message names it.
    pub fn read(given: &ArgMatches, is_classic: bool) -> Result<Self, ConfigError> {
        let environment = |name: &str| std::env::var(name).ok();
        let all = [rows(), ALERT_SETTINGS.to_vec()].concat();
        let (settings, alerting): (Settings, Alerting) =
            load(&all, given, environment, std::iter::empty())?.settings;
        let replay = given.get_one("replay").copied();
        let manner = Manner { follows: !is_once(given), replay, goes_on: false };
        let (from, shown) = from(&settings, given, is_classic)?;
        let host = Host::new(
            host_name(&settings.shipper),
            machine_id().unwrap_or_default(),
            &IdKeys::default(),
        );
        let text = |name: &str| given.get_one::<String>(name).map_or("", String::as_str);
        let dimension = Dimension::named(text("dimension"));
        let live = live(given, &dimension)?;
        check_known(&from, &live, &dimension)?;
        let by = given.get_one("by").copied().unwrap_or_default();
        let rows = given.get_one::<u16>("count").map(|rows| usize::from(*rows));
        let is_slow = is_classic || matches!(from, From::History(..));
        let default = Duration::from_secs(if is_slow { 10 } else { 1 });
        let refresh = given.get_one("refresh").copied().unwrap_or(default);
        if refresh < Duration::from_millis(50) {
            return Err(ConfigError::invalid("--refresh: expected at least 50ms"));
        }
        let thresholds = thresholds(given);
        let rules = rules(&from, alerting.alert, &thresholds, given)?;
        check_rules(&from, &rules)?;
        let says_window = given.value_source("interval") == Some(ValueSource::CommandLine);
        let asked = given.get_one::<Duration>("interval").copied();
        let window = asked.filter(|_| says_window);
        let screen = screen(given, is_classic);
        Ok(Self {
            from,
            host,
            manner,
            live,
            rules,
            window,
            screen,
            dimension,
            by,
            rows,
            refresh,
            thresholds,
            colours: given.get_one("color").copied().unwrap_or_default(),
            background: given.get_one("background").copied().unwrap_or_default(),
            shown,
        })
    }
}

/// What is stored, if a time is given; else files that are named; else an address or a broker that is
/// named, or files of the settings.
fn from(
    settings: &Settings,
    given: &ArgMatches,
    is_classic: bool,
) -> Result<(From, String), ConfigError> {
    let is_named = |name| given.contains_id(name);
    check_single(given, true)?;
    check_beginning(settings, given)?;
    let has_files = settings.shipper.monitor.iter().any(|table| !table.paths.is_empty());
    if let Some(period) = period_of(given)? {
        return Ok((From::History(Box::new(settings.clone()), period), shown_period(&period)));
    }
    let is_live = ["amqp.url", "amqp.url_file", "receive.listen"].into_iter().any(is_named);
    if is_named("monitor.paths") || has_files && !is_live {
        return from_files(settings, given, is_classic);
    }
    if is_named("receive.listen") {
        return from_udp(settings, given);
    }
    if !settings.shipper.amqp.names_broker() {
        return Err(ConfigError::invalid(
            "nothing to watch: name files (omphalos top /var/log/nginx/access.log), the broker of a fleet (--amqp-url), or a time from when on to show what is stored (--since 1h)",
        ));
    }
    check_endless(given, "a fleet")?;
    let amqp = &settings.shipper.amqp;
    let sample = given.get_one("sample").copied().unwrap_or(Sample::ALL);
    Ok((From::Fleet(Box::new(amqp.clone()), sample), amqp.shown()?))
}

fn from_files(
    settings: &Settings,
    given: &ArgMatches,
    is_classic: bool,
) -> Result<(From, String), ConfigError> {
    check_unsampled(given)?;
    let inputs = MonitorSettings::inputs(&tables(&settings.shipper.monitor, given, is_classic))?;
    let shown: Vec<&str> = inputs.iter().map(|input| input.shown.as_str()).collect();
    let shown = shown.join(", ");
    Ok((From::Files(inputs), shown))
}

fn from_udp(settings: &Settings, given: &ArgMatches) -> Result<(From, String), ConfigError> {
    check_unsampled(given)?;
    check_endless(given, "what comes as datagrams")?;
    datagrams(settings)
}

/// What comes as datagrams to the address of the settings.
fn datagrams(settings: &Settings) -> Result<(From, String), ConfigError> {
    let mut options = settings.indexer.udp_receivers()?;
    match options.pop() {
        Some(only) if options.is_empty() => {
            let shown = format!("udp {}", only.listen);
            Ok((From::Udp(only), shown))
        }
        _ => Err(ConfigError::invalid("--udp: expected one address, such as 127.0.0.1:5140")),
    }
}

/// Where lines come from that are watched for ever: files, or else an address or a broker.
///
/// # Errors
/// When nothing is named, or something cannot be used.
pub fn endless(settings: &Settings, given: &ArgMatches) -> Result<(From, String), ConfigError> {
    check_single(given, false)?;
    let named = |name| given.contains_id(name);
    let is_live = ["amqp.url", "amqp.url_file", "receive.listen"].into_iter().any(named);
    let tables = &settings.shipper.monitor;
    if !is_live && tables.iter().any(|table| !table.paths.is_empty()) {
        let mut tables = tables.clone();
        for table in &mut tables {
            table.ignore_older = None;
            table.start = if begins_at_end(given) { Start::End } else { Start::Beginning };
        }
        let inputs = MonitorSettings::inputs(&tables)?;
        let shown: Vec<&str> = inputs.iter().map(|input| input.shown.as_str()).collect();
        let shown = shown.join(", ");
        return Ok((From::Files(inputs), shown));
    }
    if named("receive.listen") {
        return datagrams(settings);
    }
    if !settings.shipper.amqp.names_broker() {
        return Err(ConfigError::invalid(
            "nothing to watch: name files (omphalos watch /var/log/nginx/access.log), the broker of a fleet (--amqp-url), or an address for datagrams (--udp)",
        ));
    }
    let amqp = &settings.shipper.amqp;
    Ok((From::Fleet(Box::new(amqp.clone()), Sample::ALL), amqp.shown()?))
}

fn period_of(given: &ArgMatches) -> Result<Option<Period>, ConfigError> {
    let now = Timestamp::now().to_zoned_datetime(TimeZone::system());
    let (since, until) = times(given, &now)?;
    match since {
        Some(since) if since >= now.timestamp() => Err(ConfigError::invalid(format!(
            "--since {since} is not before now: nothing can be stored yet"
        ))),
        since => Ok(since.map(|since| Period { since, until })),
    }
}

fn shown_period(period: &Period) -> String {
    let [since, until] = period.shown();
    format!("{since} to {until}")
}

fn is_once(given: &ArgMatches) -> bool {
    given.get_flag("once") || given.get_flag("json") && !given.contains_id("batch")
}

fn screen(given: &ArgMatches, is_classic: bool) -> Screen {
    let times = given.get_one("batch").copied();
    match () {
        () if given.get_flag("json") => Screen::Json(times),
        () if given.get_flag("once") || times.is_some() => Screen::Text(times),
        () if is_classic => Screen::Classic,
        () => Screen::Full,
    }
}

/// What is read: the format is found out unless it is said, and is that of the original there.
fn tables(
    tables: &[MonitorSettings],
    given: &ArgMatches,
    is_classic: bool,
) -> Vec<MonitorSettings> {
    let at_end = begins_at_end(given);
    let mut tables = tables.to_vec();
    for table in &mut tables {
        table.archives = true;
        table.start = if at_end { Start::End } else { Start::Beginning };
        table.ignore_older = None;
        if is_classic
            && !given.contains_id("monitor.parser")
            && !given.contains_id("monitor.format")
            && !given.contains_id("config")
        {
            table.recipe.parser = omphalos_parser::ParserKind::Clf;
        }
    }
    tables
}

fn live(given: &ArgMatches, dimension: &Dimension) -> Result<LiveSettings, ConfigError> {
    let window = given.get_one("interval").copied().unwrap_or(Duration::from_mins(2));
    let problem = |error| ConfigError::invalid(format!("--interval: {error}"));
    // What is stored has no steps, and any window.
    let window = if given.contains_id("since") { window.min(LONGEST_WINDOW) } else { window };
    check_window(window).map_err(problem)?;
    let mut live = over(window, LiveSettings::default());
    if !live.dimensions.contains(dimension) {
        live.dimensions.push(dimension.clone());
    }
    if let Some(filter) = given.get_one::<String>("filter") {
        let filter = Filter::new(filter)
            .map_err(|error| ConfigError::invalid(format!("--filter: {error}")))?;
        live.filter = Some(filter);
    }
    live.check().map_err(|error| problem(error.to_string()))?;
    Ok(live)
}

/// Those of the file and of flags, and thresholds, which are rules as well. What is stored raises none.
fn rules(
    from: &From,
    mut tables: Vec<AlertSettings>,
    thresholds: &Thresholds,
    given: &ArgMatches,
) -> Result<Vec<Rule>, ConfigError> {
    let of_flags = alerts::of_flags(given)?;
    if matches!(from, From::History(..)) {
        if of_flags.is_empty() {
            return Ok(Vec::new());
        }
        return Err(ConfigError::invalid(
            "--alert: expected lines as they come, found --since: alerts are judged while lines are read",
        ));
    }
    tables.extend(of_flags);
    let window = given.get_one("interval").copied().unwrap_or(Duration::from_mins(2));
    let section = Some("section".to_owned());
    for (name, measure, by, limit) in [
        ("total hits", "hits", None, thresholds.total_hits),
        ("total size", "bytes", None, thresholds.total_size),
        ("hits of each section", "hits", section.clone(), thresholds.hits),
        ("size of each section", "bytes", section, thresholds.size),
    ] {
        if let Some(limit) = limit {
            tables.push(AlertSettings::at_least(name, measure, by, limit, window));
        }
    }
    alerts::rules(&tables)
}

fn thresholds(given: &ArgMatches) -> Thresholds {
    let one = |name: &str| given.get_one::<u64>(name).copied();
    Thresholds {
        total_hits: one("total-hits"),
        total_size: one("total-size"),
        hits: one("hits"),
        size: one("size"),
    }
}
