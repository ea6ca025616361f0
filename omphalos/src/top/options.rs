//! What is asked for on the command line: the words of `omphalos top`, and those of the httptop that it
//! continues.

mod values;

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use omphalos_common::config::{About, ConfigError, Setting, add_flags, load};
use omphalos_common::ids::IdKeys;
use omphalos_live::{By, Dimension, Filter, Settings as LiveSettings};
use omphalos_shipper::config::{Settings, all_settings};
use omphalos_shipper::host::{host_name, machine_id};
use omphalos_shipper::monitor::{Host, Input, MonitorSettings, Start};
use omphalos_transport::amqp::{AmqpSettings, Sample};

use super::console::thresholds::Thresholds;
use super::console::{Background, Colours};
use super::counter::over;
use super::source::files::Manner;
use values::{background, by, bytes, colours, period, sample, speed};

const EXAMPLES: &str = "\
Reads files to their ends and then what is added to them, as the shipper does: patterns, rotation,
archives, standard input (-), all formats. Nothing is written, and nothing else need run.

Times are those of the lines. With --once it prints the figures of all lines and ends.

Exit codes: 0 done; 1 some of a file could not be read; 2 usage.

Examples:
  omphalos top /var/log/nginx/access.log
  omphalos top '/var/log/nginx/*.log' --by errors --filter 'status:>=400 AND NOT path:/health'
  zcat old.log.gz | omphalos top - --once --dimension client
  omphalos top access.log.1 --replay 60
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
const OF_BROKER: [&str; 8] = [
    "amqp.url",
    "amqp.url_file",
    "amqp.exchange",
    "amqp.ca_file",
    "amqp.client_certificate_file",
    "amqp.client_key_file",
    "amqp.heartbeat",
    "amqp.connect_timeout",
];

/// What figures depend on, besides the lines.
fn rows() -> Vec<Setting> {
    let mut rows = all_settings();
    let is_wanted = |row: &Setting| {
        row.is_about(&[About::Document])
            || row.key == "monitor.paths"
            || OF_BROKER.contains(&row.key)
    };
    rows.retain(is_wanted);
    for row in &mut rows {
        if row.key == "monitor.paths" {
            *row = row.help(
                "Files, patterns with * ? [ ] **, or - for standard input; also .gz and .zst.",
            );
        }
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
            value("refresh", "PERIOD", "How often figures are drawn, in seconds or as 500ms [default: 1, httptop: 10]")
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
        .arg(value("filter", "QUERY", "Count only these lines; the query is one of omphalos search"))
        .arg(
            value("from", "WHERE", "Where to begin in files: at their beginning, or at their end")
                .default_value("beginning")
                .value_parser(["beginning", "end"]),
        )
        .arg(value("replay", "SPEED", "Play old lines as if they were written now, so many times as fast").value_parser(speed))
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
        .arg(threshold("hits", "HITS", "The lines of a section are red from here on").value_parser(hits()));
    add_flags(command, &rows()).mut_arg("monitor.parser", |parser| parser.short('p'))
}

impl Options {
    /// Reads flags, environment and the file of settings.
    ///
    /// # Errors
    /// When something cannot be used; the message names it.
    pub fn read(given: &ArgMatches, is_classic: bool) -> Result<Self, ConfigError> {
        let environment = |name: &str| std::env::var(name).ok();
        let settings: Settings = load(&rows(), given, environment, std::iter::empty())?.settings;
        let manner = Manner { follows: !is_once(given), replay: given.get_one("replay").copied() };
        let (from, shown) = from(&settings, given, is_classic)?;
        let host =
            Host::new(host_name(&settings), machine_id().unwrap_or_default(), &IdKeys::default());
        let text = |name: &str| given.get_one::<String>(name).map_or("", String::as_str);
        let dimension = Dimension::named(text("dimension"));
        let live = live(given, &dimension)?;
        let by = given.get_one("by").copied().unwrap_or_default();
        let rows = given.get_one::<u16>("count").map(|rows| usize::from(*rows));
        let default = Duration::from_secs(if is_classic { 10 } else { 1 });
        let refresh = given.get_one("refresh").copied().unwrap_or(default);
        if refresh < Duration::from_millis(50) {
            return Err(ConfigError::invalid("--refresh: expected at least 50ms"));
        }
        let thresholds = thresholds(given);
        let screen = screen(given, is_classic);
        Ok(Self {
            from,
            host,
            manner,
            live,
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

/// Files that are named; else a broker that is named, or files of the settings.
fn from(
    settings: &Settings,
    given: &ArgMatches,
    is_classic: bool,
) -> Result<(From, String), ConfigError> {
    let sample = given.get_one("sample").copied();
    let names_broker = settings.amqp.names_broker();
    let has_files = settings.monitor.iter().any(|table| !table.paths.is_empty());
    let is_asked = given.contains_id("amqp.url") || given.contains_id("amqp.url_file");
    if given.contains_id("monitor.paths") || has_files && !is_asked {
        if sample.is_some() {
            return Err(ConfigError::invalid("--sample is for fleets: give --amqp-url as well"));
        }
        let inputs = MonitorSettings::inputs(&tables(&settings.monitor, given, is_classic))?;
        let shown: Vec<&str> = inputs.iter().map(|input| input.shown.as_str()).collect();
        let shown = shown.join(", ");
        return Ok((From::Files(inputs), shown));
    }
    if !names_broker {
        return Err(ConfigError::invalid(
            "nothing to watch: name files (omphalos top /var/log/nginx/access.log), or the broker of a fleet (--amqp-url)",
        ));
    }
    if is_once(given) || given.contains_id("replay") {
        return Err(ConfigError::invalid(
            "a fleet has no end and no beginning: --once, --replay and --json without --batch are for files",
        ));
    }
    let shown = settings.amqp.shown()?;
    Ok((From::Fleet(Box::new(settings.amqp.clone()), sample.unwrap_or(Sample::ALL)), shown))
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
    let at_end = given.get_one::<String>("from").is_some_and(|from| from == "end");
    let mut tables = tables.to_vec();
    for table in &mut tables {
        table.archives = true;
        table.start = if at_end { Start::End } else { Start::Beginning };
        table.ignore_older = None;
        if is_classic && !given.contains_id("monitor.parser") && !given.contains_id("config") {
            table.recipe.parser = omphalos_parser::ParserKind::Clf;
        }
    }
    tables
}

fn live(given: &ArgMatches, dimension: &Dimension) -> Result<LiveSettings, ConfigError> {
    let window = given.get_one("interval").copied().unwrap_or(Duration::from_mins(2));
    let mut live = over(window, LiveSettings::default());
    if !live.dimensions.contains(dimension) {
        live.dimensions.push(dimension.clone());
    }
    if let Some(filter) = given.get_one::<String>("filter") {
        let filter = Filter::new(filter)
            .map_err(|error| ConfigError::invalid(format!("--filter: {error}")))?;
        live.filter = Some(filter);
    }
    live.check().map_err(|error| ConfigError::invalid(format!("--interval: {error}")))?;
    Ok(live)
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
