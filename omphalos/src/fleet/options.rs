//! What is asked for on the command line.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use omphalos_common::config::{About, ConfigError, Period, Setting, add_flags, load};
use omphalos_transport::amqp::AmqpSettings;

use crate::run::{Settings, all_settings};
use crate::search::{Asker, asker, place, time, time_arg};
use crate::top::options::OF_BROKER;

const EXAMPLES: &str = "\
STATE is silent (no heartbeat for three of its intervals and 5 s), problem with what is wrong, behind, or
ok. Where both a broker and an Elasticsearch are set, the index is asked, unless --from says otherwise.

Exit codes: 0 all are well; 1 somebody is silent or has a problem, or nobody is there; 2 trouble.

Examples:
  omphalos fleet --url http://es1.example.com:9200
  omphalos fleet --since 7d --json | jq 'select(.state == \"silent\") | .host'
  omphalos fleet --amqp-url amqp://watcher:secret@mq1.example.com --wait 35s";

/// What is to be shown.
pub struct Options {
    /// Where heartbeats are read.
    pub place: Place,
    /// Whoever was last heard before is left out.
    pub since: Timestamp,
    /// Whether a program reads it.
    pub is_json: bool,
}

/// Where heartbeats are.
pub enum Place {
    /// Stored.
    Index(Asker),
    /// At the broker, which is listened to for so long.
    Broker(Box<AmqpSettings>, Duration),
}

fn rows() -> Vec<Setting> {
    let mut rows = all_settings();
    let is_ours = |row: &Setting| row.is_about(&[About::Place]) || OF_BROKER.contains(&row.key);
    rows.retain(|row| is_ours(row) || row.key == "index.prefix");
    rows.iter().map(place).collect()
}

/// `omphalos fleet`.
pub fn command() -> Command {
    let from = Arg::new("from")
        .long("from")
        .value_name("WHERE")
        .value_parser(["index", "broker"])
        .help("Where to read heartbeats: the index has those of the past, the broker only those that come");
    let wait = Arg::new("wait")
        .long("wait")
        .value_name("TIME")
        .default_value("35s")
        .value_parser(clap::value_parser!(Period))
        .help("How long to listen to the broker");
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Print a JSON object for each, one per line");
    let fleet = Command::new("fleet")
        .about("List who ships and indexes, how far behind, and since when silent")
        .after_help(EXAMPLES)
        .arg(from)
        .arg(time_arg("since", "Whoever was not heard since then is left out").default_value("24h"))
        .arg(wait)
        .arg(json);
    add_flags(fleet, &rows())
}

impl Options {
    /// Reads flags, environment and the file of settings.
    ///
    /// # Errors
    /// When something cannot be used; the message names it.
    pub fn read(given: &ArgMatches) -> Result<Self, ConfigError> {
        let read = |name: &str| std::env::var_os(name);
        let settings: Settings = load(&rows(), given, read, std::iter::empty())?.settings;
        let amqp = &settings.shipper.amqp;
        let is_named = settings.indexer.elasticsearch.url.is_some();
        let from_broker = match given.get_one::<String>("from").map(String::as_str) {
            Some(place) => place == "broker",
            None => amqp.names_broker() && !is_named,
        };
        let place = if from_broker {
            let wait = given.get_one::<Period>("wait").map_or(Duration::ZERO, |wait| wait.0);
            amqp.shown()?;
            Place::Broker(Box::new(amqp.clone()), wait)
        } else {
            Place::Index(asker(&settings)?)
        };
        let now = Timestamp::now().to_zoned_datetime(TimeZone::system());
        // It has a default.
        let since = given.get_one::<String>("since").map_or("24h", String::as_str);
        let since = time("since", since, &now)?;
        Ok(Self { place, since, is_json: given.get_flag("json") })
    }

    /// What to say where nobody is.
    pub fn nobody(&self) -> String {
        match &self.place {
            Place::Index(asker) => format!(
                "no heartbeat since {} in {}; heartbeats come from shippers, relays and indexers whose heartbeat_interval is not 0",
                self.since,
                asker.asked()
            ),
            Place::Broker(_, wait) => format!(
                "no heartbeat came within {wait:?}; shippers and relays send one each heartbeat_interval (30 s by default): --wait longer than that"
            ),
        }
    }
}
