//! What is asked for on the command line and in the file.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use omphalos_common::config::{
    ConfigError, HasRows, Period, Setting, TableError, Tables, add_flags,
};
use omphalos_common::ids::IdKeys;
use omphalos_indexer::elasticsearch::Client;
use omphalos_live::alert::Rule;
use omphalos_shipper::host::{host_name, machine_id};
use omphalos_shipper::monitor::Host;

use super::deliver::{self, Documents, RECEIVER_SETTINGS, Receiver, Receivers};
use super::output::{OUTPUT_SETTINGS, Output, Outputs};
use crate::alerts::{self, ALERT_SETTINGS, Alerting};
use crate::run::{Settings, all_settings};
use crate::top::options::{self as top, From};

const EXAMPLES: &str = "\
Lines come from files, from the broker of a fleet, or as datagrams, as for omphalos top. Rules are
[[alert]] tables of the file, and --alert. Try rules on old lines first:
  omphalos top old.log --once --config rules.toml     (a file without [[monitor]] paths)

Examples:
  omphalos watch --config /etc/omphalos/omphalos.toml
  omphalos watch --amqp-url amqp://… --alert 'measure = \"silence\", by = \"host\", at_least = \"5m\"'
  omphalos watch /var/log/nginx/access.log --alert 'measure = \"error_share\", at_least = 5'";

/// How much later than the newest a line may come, unless it is said.
const LATENESS: Duration = Duration::from_secs(10);

/// Settings of the process itself, beside where lines come from.
const OWN: [&str; 5] = ["state_dir", "listen", "listen_hosts", "log_level", "log_format"];
/// Where events become documents.
const DOCUMENTS: [&str; 2] = ["elasticsearch", "index.prefix"];

/// Those that have flags.
fn rows() -> Vec<Setting> {
    let is_own = |row: &Setting| {
        OWN.contains(&row.key) || DOCUMENTS.contains(&row.top()) || DOCUMENTS.contains(&row.key)
    };
    let mut rows: Vec<Setting> = all_settings().into_iter().filter(is_own).collect();
    let is_new = |row: &Setting| !is_own(row);
    rows.extend(top::rows().into_iter().filter(is_new));
    rows
}

/// All of them.
pub fn all_rows() -> Vec<Setting> {
    let tables = [ALERT_SETTINGS, RECEIVER_SETTINGS, OUTPUT_SETTINGS].concat();
    [rows(), tables].concat()
}

/// `omphalos watch`.
pub fn command() -> Command {
    let health = Command::new("health")
        .about("Ask the running process whether it is ready, and exit with 1 if it is not");
    let reload = Command::new("reload").about(
        "Have the process that runs with this state directory read its settings again; it goes on with the present ones if they cannot be used, and this exits with 2",
    );
    let watch = Command::new("watch")
        .about("Judge lines as they come by rules, and tell what is raised and cleared")
        .after_help(EXAMPLES)
        .subcommand_precedence_over_arg(true)
        .subcommand(health)
        .subcommand(reload)
        .arg(
            Arg::new("from")
                .long("from")
                .value_name("WHERE")
                .default_value("end")
                .value_parser(["beginning", "end"])
                .help("Where to begin in files: at their beginning, or at their end"),
        )
        .arg(
            Arg::new("lateness")
                .long("lateness")
                .value_name("PERIOD")
                .default_value("10s")
                .value_parser(Period::from_str)
                .help("How much later than the newest a line may come and still count: what happens is known so much later. At most 1 minute"),
        )
        .arg(alerts::flag());
    add_flags(watch, &rows())
}

/// What is read of the file, the environment and flags.
#[derive(Debug, Clone)]
pub struct Read {
    settings: Settings,
    alerting: Alerting,
    receivers: Receivers,
    outputs: Outputs,
}

impl HasRows for Read {
    fn rows() -> Vec<Setting> {
        [Settings::rows(), Alerting::rows(), Receivers::rows(), Outputs::rows()].concat()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        let ((settings, alerting), (receivers, outputs)) = HasRows::read(tables)?;
        Ok(Self { settings, alerting, receivers, outputs })
    }
}

impl Read {
    /// Where alerts are kept.
    pub fn state_dir(&self) -> PathBuf {
        self.settings.state_dir().to_owned()
    }
}

/// What is to be done.
pub struct Wanted {
    /// Where lines come from.
    pub from: From,
    /// The same for people.
    pub shown: String,
    /// Whether what counts begins with the start, and not with the first line of a file.
    pub begins_now: bool,
    /// Who reads files.
    pub host: Host,
    /// When it is an alert.
    pub rules: Vec<Rule>,
    /// Who is told.
    pub receivers: Vec<Receiver>,
    /// Where events become documents, if anywhere.
    pub documents: Option<Documents>,
    /// Where series go.
    pub outputs: Vec<Output>,
    /// How much later than the newest a line may come.
    pub lateness: Duration,
    /// Where alerts are kept.
    pub state_dir: PathBuf,
    /// Where metrics are served.
    pub listen: Option<SocketAddr>,
    /// By which names they may be asked for.
    pub listen_hosts: Vec<String>,
}

impl Wanted {
    /// Checks what was read.
    ///
    /// # Errors
    /// When something cannot be used.
    pub fn new(read: Read, given: &ArgMatches) -> Result<Self, ConfigError> {
        let Read { settings, alerting, receivers, outputs } = read;
        let receivers = receivers.receiver;
        let mut tables = alerting.alert;
        tables.extend(alerts::of_flags(given)?);
        let outputs = outputs.output;
        outputs.iter().try_for_each(Output::check)?;
        if outputs.iter().filter(|output| output.is_scraped()).count() > 1 {
            return Err(ConfigError::invalid(
                "[[output]]: expected one of kind prometheus at most, because all are at one /metrics",
            ));
        }
        if tables.is_empty() && outputs.is_empty() {
            return Err(ConfigError::invalid(
                "nothing to do: expected an [[alert]] or an [[output]] in the file, or --alert, found none; see docs/alerts.md",
            ));
        }
        let lateness = given.get_one::<Period>("lateness").map_or(LATENESS, |period| period.0);
        if lateness > Duration::from_mins(1) {
            return Err(ConfigError::invalid(format!(
                "--lateness: expected at most 1m, found {lateness:?}"
            )));
        }
        if outputs.iter().any(Output::is_scraped) && settings.process().listen.is_none() {
            return Err(ConfigError::invalid(
                "[[output]] of kind prometheus: expected listen (--listen 127.0.0.1:9600), where it is read at /metrics, found none",
            ));
        }
        let (from, shown) = top::endless(&settings, given)?;
        let rules = alerts::rules(&tables)?;
        top::check_rules(&from, &rules)?;
        check_receivers(&receivers, &rules)?;
        let begins_now = !matches!(from, From::Files(_)) || top::begins_at_end(given);
        Ok(Self {
            begins_now,
            from,
            shown,
            host: Host::new(
                host_name(&settings.shipper),
                machine_id().unwrap_or_default(),
                &IdKeys::default(),
            ),
            rules,
            receivers,
            documents: documents(&settings)?,
            outputs,
            lateness,
            state_dir: settings.state_dir().to_owned(),
            listen: settings.process().listen,
            listen_hosts: settings.process().listen_hosts.clone(),
        })
    }
}

/// The server of the settings, if there is one that is named.
fn documents(settings: &Settings) -> Result<Option<Documents>, ConfigError> {
    let elasticsearch = &settings.indexer.elasticsearch;
    if elasticsearch.url.as_ref().is_none_or(Vec::is_empty) {
        return Ok(None);
    }
    let client = Client::new(elasticsearch, false)?;
    Ok(Some(Documents::new(client, settings.indexer.index.prefix.clone())))
}

/// Refuses receivers that cannot be used, and those of alerts that there are not.
///
/// # Errors
/// Which, and why.
pub fn check_receivers(receivers: &[Receiver], rules: &[Rule]) -> Result<(), ConfigError> {
    deliver::check(receivers)?;
    for receiver in receivers {
        let is_none = |severity: &&String| !rules.iter().any(|rule| rule.severity == **severity);
        if let Some(severity) = receiver.severities.iter().find(is_none) {
            let severities: BTreeSet<&str> = rules.iter().map(|rule| &*rule.severity).collect();
            let severities: Vec<&str> = severities.into_iter().collect();
            return Err(ConfigError::invalid(format!(
                "[[receiver]] {:?}: receiver.severities: expected severities of rules ({}), found {severity:?}",
                receiver.name,
                severities.join(", ")
            )));
        }
        if receiver.name == deliver::DOCUMENTS {
            return Err(ConfigError::invalid(format!(
                "[[receiver]]: receiver.name: expected another name than {:?}, which [elasticsearch] has",
                receiver.name
            )));
        }
        let unknown = |name: &&String| !rules.iter().any(|rule| rule.name == **name);
        if let Some(name) = receiver.alerts.iter().find(unknown) {
            let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
            return Err(ConfigError::invalid(format!(
                "[[receiver]] {:?}: receiver.alerts: expected names of rules ({}), found {name:?}",
                receiver.name,
                names.join(", ")
            )));
        }
    }
    Ok(())
}
