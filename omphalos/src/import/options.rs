//! What is asked for: the settings of `omphalos run` that an import has a use for.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::PathBuf;

use clap::{ArgMatches, Command};
use omphalos_common::config::{About, ConfigError, Setting, add_flags, load, path_of, path_text};
use omphalos_shipper::monitor::{MonitorSettings, Start, UNREAD_ARCHIVES, Watched, scan};

use super::sizes::size;
use crate::audit::table_of;
use crate::regular::regular_file;
use crate::run::{Settings, all_settings};

const EXAMPLES: &str = "\
With --elasticsearch-url the lines go to Elasticsearch; with --amqp-url to RabbitMQ, from which an
indexer takes them; otherwise into the embedded store, through the process that has it open
(omphalos run), or directly if there is none.

Lines with a time that an import or a shipper on this host has indexed before are not there twice
afterwards, because their ids are the same. The settings of the format (--parser, --dataset …) must
be the same, too. If an import was interrupted, the same command continues it.

Exit codes: 0 everything is indexed; 1 some of it is not; 2 usage.

Examples:
  omphalos import /var/log/nginx/access.log.*.gz --parser combined
  omphalos import --config omphalos.toml /backup/access-2026*.zst
  omphalos import old/*.log --parser json --dataset shop --elasticsearch-url http://es1:9200 \\
      --index-period month --index-outlier-past-days 4000";

/// Somebody waits for the end: less than for a daemon, since what has no answer by then is read again
/// by the same command.
const STOP_GRACE: &str = "2s";

/// What is asked for.
pub struct Options {
    /// With a `[[monitor]]` table for each file.
    pub settings: Settings,
    /// The file of each.
    pub files: Vec<PathBuf>,
    /// How many bytes of lines are in them, about.
    pub bytes: u64,
}

fn rows() -> Vec<Setting> {
    let mut rows = all_settings();
    rows.retain(|row| !row.is_about(&[About::Daemon]));
    for row in &mut rows {
        *row = match row.key {
            "monitor.paths" => row.help("Files and patterns with * ? [ ] ** {a,b}, also of .gz and .zst; each file is read whole, however old it is."),
            "state_dir" => row.help(
                "State directory of the process whose store is filled; the import keeps its own state in the directory import below it.",
            ),
            "log_level" => row.default("warn"),
            "stop_grace" => row.default(STOP_GRACE),
            _ => *row,
        };
    }
    rows
}

/// The subcommand.
pub fn command() -> Command {
    let import = Command::new("import")
        .about("Index old logs and archives from beginning to end")
        .after_help(EXAMPLES);
    add_flags(import, &rows())
}

impl Options {
    /// Reads flags, environment and the file of settings.
    ///
    /// # Errors
    /// When something cannot be used; the message names it.
    pub fn read(given: &ArgMatches) -> Result<Self, ConfigError> {
        let read = |name: &str| match name {
            // The bar is better company than what a daemon says.
            "OMPHALOS_LOG_LEVEL" => Some(std::env::var_os(name).unwrap_or("warn".into())),
            "OMPHALOS_STOP_GRACE" => Some(std::env::var_os(name).unwrap_or(STOP_GRACE.into())),
            _ => std::env::var_os(name),
        };
        let names = given.get_many::<String>("monitor.paths").unwrap_or_default();
        let names: Vec<String> = names.cloned().collect();
        if names.is_empty() {
            return Err(ConfigError::invalid("name the files to import: omphalos import FILE…"));
        }
        let rows: Vec<Setting> =
            rows().into_iter().filter(|row| row.positional_name().is_none()).collect();
        let mut settings: Settings = load(&rows, given, read, std::iter::empty())?.settings;
        let mut bytes = 0;
        let (mut tables, mut files) = (Vec::new(), Vec::new());
        for name in &expanded(&names)? {
            let (path, length) = file(name)?;
            bytes += length;
            let mut table = table_of(&settings.shipper.monitor, &path).map_err(|_| {
                ConfigError::invalid(format!(
                    "none of the {} [[monitor]] tables reads {name}; name a file with one table, or give the format with --parser and no --config",
                    settings.shipper.monitor.len()
                ))
            })?;
            table.paths = vec![path.display().to_string()];
            table.only = Some(path.clone());
            table.start = Start::Beginning;
            table.ignore_older = None;
            tables.push(table);
            files.push(path);
        }
        settings.shipper.monitor = tables;
        Ok(Self { settings, files, bytes })
    }
}

/// The names, and for each pattern those of the files that match it, as in settings; each once.
fn expanded(names: &[String]) -> Result<Vec<String>, ConfigError> {
    let mut all = Vec::new();
    for name in names {
        let is_there = std::fs::symlink_metadata(path_of(name)).is_ok();
        if is_there || !name.contains(['*', '?', '[', '{']) {
            all.push(name.clone());
            continue;
        }
        let bad = |error| ConfigError::invalid(format!("{name}: {error}"));
        let watched = Watched::new(std::slice::from_ref(name), &MonitorSettings::default().exclude);
        let found = scan(&[watched.map_err(bad)?]);
        if let Some((path, error)) = found.unreadable.first() {
            return Err(ConfigError::invalid(format!("cannot read {}: {error}", path.display())));
        }
        if found.found.is_empty() {
            return Err(ConfigError::invalid(format!(
                "cannot read {name}: no file has this name, or matches it as a pattern"
            )));
        }
        all.extend(found.found.iter().map(|found| path_text(found.path.as_os_str())));
    }
    let mut known = HashSet::new();
    all.retain(|name| known.insert(name.clone()));
    Ok(all)
}

/// The absolute path of a file, and how many bytes of lines are in it.
fn file(name: &str) -> Result<(PathBuf, u64), ConfigError> {
    let unreadable = |error| ConfigError::invalid(format!("cannot read {name}: {error}"));
    let path = regular_file(&path_of(name))?;
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    if UNREAD_ARCHIVES.contains(&ending) {
        return Err(ConfigError::invalid(format!(
            "{name}: .{ending} archives are not read; unpack it, or pack it as .gz or .zst"
        )));
    }
    let length = size(&path).map_err(unreadable)?;
    Ok((path, length))
}
