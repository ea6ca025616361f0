//! What is asked for on the command line.

use std::io::IsTerminal;

use clap::{Arg, ArgAction, ArgMatches, Command};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ZonedDateTime};
use omphalos_common::config::{About, ConfigError, Setting, add_flags, load};

use omphalos_common::said::takes_colours;

use super::lines::Lines;
use super::query::{Query, SHORT_NAMES};
use crate::run::{Settings, all_settings};

/// What to search for, and how to show it.
pub struct Options {
    /// Where to search.
    pub settings: Settings,
    /// What to search for.
    pub query: Query,
    /// The query as it was typed.
    pub typed: String,
    /// The most lines to print.
    pub limit: usize,
    /// Whether lines, new lines too, or a histogram are printed.
    pub shape: Shape,
    /// How lines look.
    pub lines: Lines,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The newest lines.
    Lines,
    /// The same, and then what is new, for ever.
    Follow,
    /// How many there are over time.
    Histogram,
}

/// How a document is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Readable,
    /// For programs.
    Json,
}

/// Where to search.
fn rows() -> Vec<Setting> {
    let mut rows = all_settings();
    rows.retain(|row| row.is_about(&[About::Place]));
    rows.iter().map(place).collect()
}

/// A row that says where to search, in the words of those who only read.
pub fn place(row: &Setting) -> Setting {
    match row.key {
        "elasticsearch.url" => row.alias("url").help(
            "Elasticsearch or OpenSearch URLs to search; by default the embedded store at store.listen.",
        ),
        "store.listen" => row.help("Address of the embedded store."),
        _ => *row,
    }
}

fn help() -> String {
    let width = SHORT_NAMES.iter().map(|(short, _)| short.len()).max().unwrap_or(0);
    let names: Vec<String> =
        SHORT_NAMES.iter().map(|(short, field)| format!("  {short:width$}  {field}")).collect();
    format!(
        "\
The query is Elasticsearch's query_string: words, \"phrases\", field:value, wildcards * and ?, ranges
such as status:[500 TO 599] or bytes:>1000, AND, OR, NOT and parentheses. Parts without an operator
between them must all match. A slash is a slash, not the beginning of a regular expression. You can
name any field; these have short names:
{}

A word also matches inside of values: of paths, agents and all other fields that are no texts.
What has blanks or parentheses in it is quoted: path:\"/a b\".

Times: 15m, 1h, 2d or 1h 30m ago; 2026-11-22; 2026-11-22T10:00; 2026-11-22T10:00:00+02:00. Without an
offset they are local times, or with --utc those of UTC. They are shown so on a terminal, elsewhere in
UTC; with a question mark where a line had no time of its own and the time of reading was taken.

--follow then goes on and prints each newly indexed line once. It leaves out lines whose time is more
than 10 minutes before the search began, or less if more than {} documents match in that time.

Exit codes: 0 something was found, 1 nothing was found, 2 an error.

Examples:
  omphalos search 'status:500 AND path:/api*' --since 1h
  omphalos search 'ip:203.0.113.0/24' --since 1d --histogram
  omphalos search 'level:error' --follow
  omphalos search 'method:POST' --json --limit 10000 | jq .url.path",
        names.join("\n"),
        super::follow::MOST_KNOWN
    )
}

/// The subcommand.
pub fn command() -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let query = Arg::new("query")
        .value_name("QUERY")
        .num_args(0..)
        .allow_hyphen_values(false)
        .help("What to search for; everything by default");
    let limit = Arg::new("limit")
        .long("limit")
        .value_name("N")
        .default_value("100")
        .value_parser(clap::value_parser!(u32).range(1..))
        .help("Print at most this many lines, the newest");
    let colour = Arg::new("color")
        .long("color")
        .value_name("WHEN")
        .default_value("auto")
        .value_parser(["auto", "always", "never"])
        .help("Use colours: auto on a terminal unless NO_COLOR is set, always, or never");
    let search = Command::new("search")
        .about("Search the embedded store or any Elasticsearch, and print matching lines")
        .after_help(help())
        .arg(query)
        .arg(time_arg("since", "Only lines of this time or later"))
        .arg(time_arg("until", "Only lines from before this time").conflicts_with("follow"))
        .arg(limit)
        .arg(switch("follow", "Go on, and print new lines as they are indexed").short('f'))
        .arg(switch("utc", "Read and show times in UTC"))
        .arg(switch("wide", "Do not cut lines at the width of the terminal"))
        .arg(switch("json", "Print whole documents as JSON, one per line"))
        .arg(
            switch("histogram", "Print how many lines there are over time, instead of the lines")
                .conflicts_with_all(["follow", "json", "limit"]),
        )
        .arg(colour);
    add_flags(search, &rows())
}

impl Options {
    /// Reads flags, environment and the file of settings.
    ///
    /// # Errors
    /// When something cannot be used; the message names it.
    pub fn read(given: &ArgMatches) -> Result<(Self, Form), ConfigError> {
        let read = |name: &str| std::env::var_os(name);
        let settings: Settings = load(&rows(), given, read, std::iter::empty())?.settings;
        let words: Vec<&str> =
            given.get_many::<String>("query").unwrap_or_default().map(String::as_str).collect();
        let typed = words.join(" ");
        super::check(&typed)
            .map_err(|what| ConfigError::invalid(format!("the query {typed:?}: {what}")))?;
        let zone = if given.get_flag("utc") { TimeZone::UTC } else { TimeZone::system() };
        let now = Timestamp::now().to_zoned_datetime(zone);
        let (since, until) = times(given, &now)?;
        let shape = match () {
            () if given.get_flag("follow") => Shape::Follow,
            () if given.get_flag("histogram") => Shape::Histogram,
            () => Shape::Lines,
        };
        let form = if given.get_flag("json") { Form::Json } else { Form::Readable };
        let limit = given.get_one::<u32>("limit").copied().unwrap_or(1);
        let options = Self {
            settings,
            query: Query::new(&typed, since, until),
            typed,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            shape,
            lines: lines(given, &now),
        };
        Ok((options, form))
    }
}

/// What `--since` and `--until` say.
///
/// # Errors
/// When one is no time, or nothing can be between them.
pub fn times(
    given: &ArgMatches,
    now: &ZonedDateTime,
) -> Result<(Option<Timestamp>, Option<Timestamp>), ConfigError> {
    let time = |name: &str| match given.get_one::<String>(name) {
        Some(text) => time(name, text, now).map(Some),
        None => Ok(None),
    };
    let (since, until) = (time("since")?, time("until")?);
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(ConfigError::invalid(format!(
            "--since {since} is not before --until {until}: nothing can be between"
        )));
    }
    Ok((since, until))
}

/// A flag for a time.
pub fn time_arg(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("TIME").allow_hyphen_values(true).help(help)
}

/// How lines look on what they are printed to.
fn lines(given: &ArgMatches, now: &ZonedDateTime) -> Lines {
    let is_terminal = std::io::stdout().is_terminal();
    let width = terminal_size::terminal_size_of(std::io::stdout());
    let width = width.map(|(width, _)| usize::from(width.0));
    Lines {
        colour: colour(given),
        zone: if is_terminal { now.time_zone().clone() } else { TimeZone::UTC },
        width: width.filter(|_| is_terminal && !given.get_flag("wide")),
    }
}

fn colour(given: &ArgMatches) -> bool {
    match given.get_one::<String>("color").map(String::as_str) {
        Some("always") => true,
        Some("never") => false,
        _ => takes_colours(&std::io::stdout()),
    }
}

/// A time as it was typed: a length of time ago, or a date with or without a time of day, in the zone
/// of `now` unless it says otherwise.
///
/// # Errors
/// When it is no time; the message names the flag.
pub fn time(name: &str, text: &str, now: &ZonedDateTime) -> Result<Timestamp, ConfigError> {
    let text = text.trim();
    let in_zone = |time: DateTime| {
        time.to_zoned_datetime(now.time_zone().clone()).ok().map(|time| time.timestamp())
    };
    let ago = |span: Span| {
        let span = span.abs();
        now.checked_sub(span).ok().map(|time| time.timestamp())
    };
    // With a zone in brackets first (RFC 9557), which the others pass over.
    text.parse::<ZonedDateTime>()
        .ok()
        .map(|time| time.timestamp())
        .or_else(|| text.parse::<Timestamp>().ok())
        .or_else(|| text.parse::<DateTime>().ok().and_then(in_zone))
        .or_else(|| text.parse::<Date>().ok().and_then(|date| in_zone(date.at(0, 0, 0, 0))))
        .or_else(|| text.parse::<Span>().ok().and_then(ago))
        .ok_or_else(|| {
            ConfigError::invalid(format!(
                "--{name}: expected a length of time such as 15m, 1h or 2d, or a time such as 2026-11-22T10:00, found {text:?}"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        let now = now.to_zoned_datetime(TimeZone::UTC);
        for (text, expected) in [
            ("1h", "2026-11-27T11:00:00Z"),
            ("1h 30m", "2026-11-27T10:30:00Z"),
            ("2d", "2026-11-25T12:00:00Z"),
            ("2026-11-22", "2026-11-22T00:00:00Z"),
            ("2026-11-22T10:00", "2026-11-22T10:00:00Z"),
            ("2026-11-22 10:00:01", "2026-11-22T10:00:01Z"),
            ("2026-11-22T10:00:00+02:00", "2026-11-22T08:00:00Z"),
            ("2026-11-22T10:00[Europe/Berlin]", "2026-11-22T09:00:00Z"),
            ("2026-07-22T10:00:00+02:00[Europe/Berlin]", "2026-07-22T08:00:00Z"),
        ] {
            assert_eq!(time("since", text, &now).unwrap().to_string(), expected, "{text}");
        }
        let there = now.with_time_zone(TimeZone::fixed(jiff::tz::offset(2)));
        assert_eq!(
            time("since", "2026-11-22T10:00", &there).unwrap().to_string(),
            "2026-11-22T08:00:00Z"
        );
        let error = time("since", "yesterday", &now).unwrap_err().to_string();
        assert!(error.starts_with("--since: expected a length of time such as 15m"), "{error}");
    }
}
