//! What is asked for: the settings of the shipper and of the indexer that ids and indices depend on,
//! with the flags and the files of both.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use omphalos_common::clock::now_millis;
use omphalos_common::config::{About, ConfigError, Period, Setting, add_flags, load, load_with};
use omphalos_common::ids::IdScheme;
use omphalos_indexer::config as indexer;
use omphalos_parser::ParserKind;
use omphalos_shipper::config::{self as shipper, TransportKind};
use omphalos_shipper::host::{host_name, known_id};
use omphalos_shipper::monitor::{Host, MonitorSettings, Recalled, format_of, logical_path, peek};
use omphalos_transport::amqp::{AMQP_SETTINGS, AmqpSettings};
use omphalos_transport::batch::COMPRESSION_LEVEL;
use omphalos_transport::batch::Encoding;
use omphalos_transport::udp::UdpEncoding;

use super::checkpoints::Checkpoints;
use super::store::{AskedStore, store_rows};
use super::target::Target;
use crate::dead_files;
use crate::import::REMEMBERED;
use crate::regular::regular_file;

const EXAMPLES: &str = "\
Exit codes: 0 everything is there (or not delivered yet, or a dead letter); 1 something is missing,
or a file could not be read to its end; 2 usage, or the audit could not be done.

Examples:
  omphalos audit access.log --parser combined --elasticsearch http://es1:9200
  omphalos audit /backup/access.log.gz --as /var/log/nginx/access.log --config shipper.toml \\
      --indexer-config indexer.toml --amqp-url amqp://… --repair";

/// What is asked for.
pub struct Options {
    /// The files.
    pub targets: Vec<Target>,
    /// The shipper's settings.
    pub shipper: shipper::Settings,
    /// The indexer's settings.
    pub indexer: indexer::Settings,
    /// How to reach the broker, if one is named.
    pub amqp: Option<AmqpSettings>,
    /// Why there may be nothing in a checkpoint about a file.
    pub why_unknown: String,
    /// The dead letters of a process without a broker and of imports, where there are files of them.
    pub dead_files: Vec<PathBuf>,
    /// The store, if no Elasticsearch is named.
    pub store: Option<AskedStore>,
    /// Whether to ship what is missing, and how long to wait for it.
    pub repair: Option<Duration>,
    /// Whether to print JSON.
    pub json: bool,
}

/// The subcommand.
pub fn command() -> Command {
    let path = |name: &'static str, placeholder: &'static str, help: &'static str| {
        let parser = clap::value_parser!(PathBuf);
        Arg::new(name).long(name).value_name(placeholder).value_parser(parser).help(help)
    };
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let files = Arg::new("files")
        .value_name("FILE")
        .required(true)
        .num_args(1..)
        .value_parser(clap::value_parser!(PathBuf))
        .help("Log files, also rotated ones, .gz and .zst; each is audited by itself");
    let host_id = Arg::new("host-id")
        .long("host-id")
        .value_name("ID")
        .help("host.id of the host that shipped the files; by default this machine's, or the one in the shipper's state directory");
    let timeout = Arg::new("repair-timeout")
        .long("repair-timeout")
        .value_name("TIME")
        .default_value("60s")
        .requires("repair")
        .value_parser(|text: &str| text.parse::<Period>())
        .help("Give up when nothing more of what was shipped has arrived for this long");
    let audit = Command::new("audit")
        .about("Report which lines of a file are in Elasticsearch, which are dead letters, and which are missing")
        .long_about("Computes the ids of the lines of each file as the shipper did, and asks Elasticsearch for them. The settings are those of the shipper (--config and its flags) and of the indexer (--indexer-config, --elasticsearch-…, --index-…).")
        .after_help(EXAMPLES)
        .arg(files)
        .arg(path("as", "PATH", "The path by which the shipper knows FILE, if it was moved"))
        .arg(host_id)
        .arg(path("indexer-config", "FILE", "Read the indexer's settings from this TOML file"))
        .arg(path("dead-file", "FILE", "Look for dead letters in this file, written by a process without a broker; by default dead-letters.ndjson in the state directory, and those of imports below it"))
        .arg(switch("repair", "Ship what is missing, through the broker, or straight to Elasticsearch if none is named, and wait until it is found"))
        .arg(timeout)
        .arg(switch("json", "Print one JSON object"));
    add_flags(audit, &[shipper_rows(), indexer_rows(), store_rows()].concat())
}

/// What documents and ids depend on, with the settings of the broker, none of which is taken for
/// granted.
fn shipper_rows() -> Vec<Setting> {
    let mut rows = shipper::all_settings();
    rows.retain(|row| row.is_about(&[About::Document, About::Identity]));
    rows.push(COMPRESSION_LEVEL);
    let no_default = |row: &Setting| if row.key == "amqp.url" { row.default("") } else { *row };
    rows.extend(AMQP_SETTINGS.iter().map(no_default));
    rows
}

/// Where documents are, and in which indices.
fn indexer_rows() -> Vec<Setting> {
    let mut rows = indexer::all_settings();
    rows.retain(|row| row.is_about(&[About::Place, About::Identity]));
    rows
}

impl Options {
    /// Reads flags, environment and files.
    ///
    /// # Errors
    /// When something cannot be used; the message names it.
    pub fn read(given: &ArgMatches) -> anyhow::Result<Self> {
        let read = |name: &str| std::env::var_os(name);
        let rows = shipper_rows();
        let mut shipper: shipper::Settings = load(&rows, given, read, std::iter::empty())?.settings;
        let by_itself = shipper::Settings::default().state_dir;
        let is_named = shipper.state_dir != by_itself;
        if !is_named {
            shipper.state_dir = likeliest([by_itself, run_state_dir()]);
        }
        // Without a file of the indexer's own, the one that is there may be for all programs.
        let named =
            ["indexer-config", "config"].map(|name| given.get_one::<PathBuf>(name).cloned());
        let file = named
            .into_iter()
            .flatten()
            .next()
            .or_else(|| read("OMPHALOS_CONFIG").map(PathBuf::from));
        let mut indexer: indexer::Settings =
            load_with(file.as_deref(), &indexer_rows(), given, read)?;
        let mut store = None;
        if indexer.elasticsearch.url.is_none() {
            let asked = AskedStore::read(given, file.as_deref(), &shipper.state_dir)?;
            indexer.elasticsearch.url = Some(vec![asked.url()]);
            store = Some(asked);
        }
        indexer.check()?;
        check_ids(&shipper)?;
        let checkpoints = Checkpoints::read(&shipper.state_dir, is_named)?;
        let names_broker = |amqp: &&AmqpSettings| amqp.names_broker();
        let amqp = [&shipper.amqp, &indexer.amqp].into_iter().find(names_broker).cloned();
        let repair = given.get_flag("repair").then(|| given.get_one::<Period>("repair-timeout"));
        let repair = repair.flatten().map(|period| period.0);
        let host = host(&shipper, given)?;
        if repair.is_some() && amqp.is_none() && !shipper.state_dir.is_dir() {
            return Err(ConfigError::invalid(
                "--repair ships through the broker: give it with --amqp-url; or, where there is none, straight to Elasticsearch: name the state directory of the process that shipped the file, for what is refused, with --state-dir",
            )
            .into());
        }
        if repair.is_some() && given.contains_id("host-id") && shipper.host_name.is_none() {
            return Err(ConfigError::invalid(
                "--repair of another host's file needs its name too, for host.name: give --host-name",
            )
            .into());
        }
        let dead_files = dead_files(given, &shipper.state_dir)?;
        let millis = now_millis();
        let known = Known { shipper: &shipper, host, checkpoints: &checkpoints, millis };
        let targets = targets(given, &known)?;
        Ok(Self {
            targets,
            shipper,
            indexer,
            amqp,
            why_unknown: checkpoints.why_unknown,
            dead_files,
            store,
            repair,
            json: given.get_flag("json"),
        })
    }
}

impl Options {
    /// A file that a process reads with these settings.
    ///
    /// # Errors
    /// When it cannot be read, or its ids cannot be computed.
    pub fn of_process(
        file: &Path,
        shipper: shipper::Settings,
        indexer: indexer::Settings,
    ) -> anyhow::Result<Self> {
        check_ids(&shipper)?;
        let checkpoints = Checkpoints::read(&shipper.state_dir, false)?;
        let (host, millis) = (own_host(&shipper)?, now_millis());
        let known = Known { shipper: &shipper, host, checkpoints: &checkpoints, millis };
        let targets = vec![Target { is_quiet: true, ..known.target(file, None)? }];
        let mut dead_files = dead_files::of_imports(&shipper.state_dir)?;
        let own = dead_files::of_process(&shipper.state_dir);
        dead_files.extend(Some(own).filter(|file| file.is_file()));
        let why_unknown = checkpoints.why_unknown;
        let (amqp, store, repair) = (None, None, None);
        let json = true;
        Ok(Self { targets, shipper, indexer, amqp, why_unknown, dead_files, store, repair, json })
    }
}

/// Refuses what was shipped without ids of its own.
fn check_ids(shipper: &shipper::Settings) -> Result<(), ConfigError> {
    let is_udp = shipper.transport() == TransportKind::Udp;
    let key = match () {
        () if is_udp && shipper.udp.encoding == UdpEncoding::Ndjson => "udp.encoding = \"ndjson\"",
        () if !is_udp && shipper.batch.encoding == Encoding::Json => "batch.encoding = \"json\"",
        () => return Ok(()),
    };
    Err(ConfigError::invalid(format!(
        "{key}: documents sent this way get their ids from whoever receives them, so an audit cannot compute them"
    )))
}

/// The state directory of `omphalos run`, unless it is told otherwise.
fn run_state_dir() -> PathBuf {
    crate::run::Settings::default().state_dir().to_owned()
}

/// The directory with a checkpoint, or else the first: of those that programs use by themselves.
fn likeliest(directories: [PathBuf; 2]) -> PathBuf {
    let [first, second] = directories;
    let is_there = |directory: &Path| {
        !matches!(peek(directory), Ok(None)) || directory.join(REMEMBERED).is_dir()
    };
    if !is_there(&first) && is_there(&second) { second } else { first }
}

/// The files of dead letters: the one that is named, or else those in the state directory.
fn dead_files(given: &ArgMatches, state_dir: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    if let Some(named) = given.get_one::<PathBuf>("dead-file") {
        return Ok(vec![named.clone()]);
    }
    let mut files = dead_files::of_imports(state_dir)?;
    files.extend(Some(dead_files::of_process(state_dir)).filter(|file| file.is_file()));
    Ok(files)
}

fn host(shipper: &shipper::Settings, given: &ArgMatches) -> Result<Host, ConfigError> {
    if let Some(id) = given.get_one::<String>("host-id") {
        return Ok(Host::new(host_name(shipper), id.clone(), &shipper.id_keys()?));
    }
    own_host(shipper)
}

/// This machine, as its shipper knows it.
fn own_host(shipper: &shipper::Settings) -> Result<Host, ConfigError> {
    let (name, keys) = (host_name(shipper), shipper.id_keys()?);
    let state_dir = &shipper.state_dir;
    let id = known_id(state_dir).map_err(|error| {
        ConfigError::invalid(format!("cannot read host-id in {}: {error}", state_dir.display()))
    })?;
    let id = id.ok_or_else(|| {
        ConfigError::invalid(format!(
            "ids depend on host.id, but this machine has none (/etc/machine-id), and neither has {}; give --host-id, or --state-dir",
            state_dir.display()
        ))
    })?;
    Ok(Host::new(name, id, &keys))
}

fn targets(given: &ArgMatches, known: &Known<'_>) -> Result<Vec<Target>, ConfigError> {
    let files: Vec<&PathBuf> = given.get_many("files").unwrap_or_default().collect();
    let called = given.get_one::<PathBuf>("as");
    if called.is_some() && files.len() > 1 {
        return Err(ConfigError::invalid(format!(
            "--as names one file, found {}; audit them one by one",
            files.len()
        )));
    }
    files.iter().map(|file| known.target(file, called)).collect()
}

/// What is known of files, whichever they are.
struct Known<'a> {
    shipper: &'a shipper::Settings,
    host: Host,
    checkpoints: &'a Checkpoints,
    /// Now, in milliseconds since 1970.
    millis: i64,
}

impl Known<'_> {
    /// A file, which may have been called otherwise.
    fn target(&self, file: &Path, called: Option<&PathBuf>) -> Result<Target, ConfigError> {
        let unreadable =
            |error| ConfigError::invalid(format!("cannot read {}: {error}", file.display()));
        let path = regular_file(file)?;
        let mut named = std::path::absolute(called.unwrap_or(&path)).map_err(unreadable)?;
        let recalled = self.checkpoints.recall(&path, &named).map_err(unreadable)?;
        // It was moved within its file system, and the checkpoint knows it by its inode.
        if let Some(known) = recalled.as_ref().map(Recalled::path)
            && called.is_none()
            && logical_path(known) != logical_path(&named)
        {
            known.clone_into(&mut named);
        }
        let ids = schemes(&self.host, &path, recalled.as_ref())?;
        let (host, millis) = (self.host.clone(), self.millis);
        let mut monitor = table_of(&self.shipper.monitor, &named)?;
        if monitor.recipe.kind() == ParserKind::Auto {
            let parser = match recalled.as_ref().and_then(Recalled::parser) {
                Some(known) => known,
                None => format_of(&path, &monitor.recipe.recipe()?).map_err(unreadable)?,
            };
            // What is said of times may be for other files.
            monitor.recipe = monitor.recipe.with_parser(parser);
        }
        let is_quiet = false;
        Ok(Target { path, called: named, monitor, host, recalled, millis, ids, is_quiet })
    }
}

/// With what the ids of a file may have been made: what the checkpoint says; else all that is known.
fn schemes(
    host: &Host,
    path: &Path,
    recalled: Option<&Recalled>,
) -> Result<Vec<IdScheme>, ConfigError> {
    let Some(recalled) = recalled else { return Ok(host.ids.schemes().collect()) };
    let refuse = |what: &str| {
        Err(ConfigError::invalid(format!(
            "{}: its shipper's checkpoint says that {what}",
            path.display()
        )))
    };
    match recalled.ids() {
        Some(ids) if host.ids.of(ids).is_some() => Ok(vec![ids]),
        Some(ids) => refuse(&format!(
            "its ids are made with {ids}, which is not among those that are given; give the shipper's: --id-key-file FILE"
        )),
        None => refuse("its ids are of a version that this program does not know; use a later one"),
    }
}

/// The `[[monitor]]` table that a file belongs to.
///
/// # Errors
/// When none of several is.
pub fn table_of(tables: &[MonitorSettings], called: &Path) -> Result<MonitorSettings, ConfigError> {
    match tables {
        [] => return Ok(MonitorSettings::default()),
        [one] => return Ok(one.clone()),
        _ => {}
    }
    for table in tables {
        if table.owns(called)? || table.owns(&logical_path(called))? {
            return Ok(table.clone());
        }
    }
    Err(ConfigError::invalid(format!(
        "none of the {} [[monitor]] tables reads {}; give the path by which the shipper knows it: --as PATH",
        tables.len(),
        called.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::config::from_text;
    use omphalos_parser::settings::RecipeSettings;

    fn table(path: &str, dataset: &str) -> MonitorSettings {
        MonitorSettings {
            paths: vec![path.to_owned()],
            recipe: RecipeSettings {
                dataset: Some(dataset.to_owned()),
                ..RecipeSettings::default()
            },
            ..MonitorSettings::default()
        }
    }

    #[test]
    fn a_file_belongs_to_the_table_that_reads_it_or_read_it_before_it_was_rotated() {
        let tables = [table("/l/*.access.log", "access"), table("/l/*.log", "rest")];
        let dataset =
            |path: &str| table_of(&tables, Path::new(path)).map(|table| table.recipe.dataset);
        assert_eq!(dataset("/l/a.access.log.3.gz").unwrap().as_deref(), Some("access"));
        assert_eq!(dataset("/l/b.log").unwrap().as_deref(), Some("rest"));
        let error = dataset("/elsewhere/b.log").unwrap_err().to_string();
        assert_eq!(
            error,
            "none of the 2 [[monitor]] tables reads /elsewhere/b.log; give the path by which the shipper knows it: --as PATH"
        );
        let alone = table_of(&tables[..1], Path::new("/elsewhere/b.log")).unwrap();
        assert_eq!(alone.recipe.dataset.as_deref(), Some("access"));
    }

    #[test]
    fn of_the_directories_that_programs_use_by_themselves_the_one_with_a_checkpoint_is_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let named = |name: &str| directory.path().join(name);
        let both = || [named("shipper"), named("run")];
        assert_eq!(likeliest(both()), named("shipper"));
        std::fs::create_dir(named("run")).unwrap();
        std::fs::write(named("run").join("checkpoint"), "damaged").unwrap();
        assert_eq!(likeliest(both()), named("run"));
        std::fs::create_dir(named("shipper")).unwrap();
        std::fs::write(named("shipper").join("checkpoint"), "damaged").unwrap();
        assert_eq!(likeliest(both()), named("shipper"));
    }

    #[test]
    fn what_has_no_ids_of_its_own_is_refused() {
        let refused = |text: &str| {
            let settings: shipper::Settings = from_text(text).unwrap();
            check_ids(&settings).err().map(|error| error.to_string())
        };
        assert_eq!(refused(""), None);
        assert!(
            refused("[batch]\nencoding = \"json\"").unwrap().contains("an audit cannot compute")
        );
        assert!(refused("[udp]\nto = [\"a:1\"]\nencoding = \"ndjson\"").is_some());
        assert_eq!(refused("[udp]\nto = [\"a:1\"]\n[batch]\nencoding = \"json\""), None);
    }
}
