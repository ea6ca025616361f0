//! `omphalos init`: finds the logs of this machine and their formats, and writes a configuration that reads them.
//! It asks nothing that it can find out.
//!
//! Exit codes: 0 done; 1 nothing was found, or what was written is not well; 2 usage.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, DirEntry, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use omphalos_common::clean::clean;
use omphalos_common::config::{ConfigError, from_text};
use omphalos_common::own_files;
use omphalos_common::printed::{Form, printed};
use omphalos_common::tell;
use omphalos_parser::ParserKind;
use omphalos_parser::scribe::Recipe;
use omphalos_shipper::monitor::{MonitorSettings, format_of};
use serde_json::Value;

use crate::run;

/// Where logs are on most machines.
const USUAL: &str = "/var/log";
/// Directories within directories are looked into so far.
const DEEPEST: usize = 4;
/// So many files are looked at, so that nobody waits for long.
const MOST_FILES: usize = 2_000;
/// What nobody has written to for so long is no log of now.
const LONGEST_SILENCE: Duration = Duration::from_hours(24 * 30);
/// From so many files of a kind in a directory on, they are named by a pattern.
const MANY: usize = 4;
/// So much of a file shows whether it is text, in bytes.
const HEAD_BYTES: u64 = 4096;
/// Records of logins and of the journal, which are no text.
const NO_TEXT: [&str; 5] = ["wtmp", "btmp", "lastlog", "faillog", "journal"];
/// What others keep for themselves: of a rotated log, a program that reads the log has what it needs.
const ENDINGS: [&str; 9] = ["gz", "xz", "bz2", "zst", "old", "journal", "db", "sqlite", "sock"];

const EXAMPLES: &str = "\
Examples:
  omphalos init                                          # /var/log, into omphalos.toml
  omphalos init --output /etc/omphalos/run.toml /var/log /srv/shop/log
  omphalos init --output - | less                        # writes nothing";

/// The subcommand.
pub fn command() -> Command {
    Command::new("init")
        .about("Look for logs on this machine, find out their formats, and write a configuration that reads them")
        .after_help(EXAMPLES)
        .arg(
            Arg::new("directories")
                .value_name("DIRECTORY")
                .num_args(0..)
                .default_value(USUAL)
                .value_parser(value_parser!(PathBuf))
                .help("Where to look"),
        )
        .arg(
            Arg::new("output")
                .long("output")
                .value_name("FILE")
                .default_value("omphalos.toml")
                .value_parser(value_parser!(PathBuf))
                .help("Where to write it; - is standard output. A file that is there is left alone"),
        )
        .arg(
            Arg::new("state-dir")
                .long("state-dir")
                .value_name("DIRECTORY")
                .value_parser(value_parser!(PathBuf))
                .help("Where what is configured is to keep its state, if not where it usually does"),
        )
        .arg(
            Arg::new("force")
                .long("force")
                .action(ArgAction::SetTrue)
                .help("Replace the file that is there"),
        )
}

/// What was found: the files of each format in each directory, and what could not be looked into.
struct Found {
    logs: BTreeMap<(PathBuf, &'static str), Vec<PathBuf>>,
    refused: Vec<(PathBuf, String)>,
    /// Directories may be named twice, or be in one another.
    looked_into: BTreeSet<PathBuf>,
    looked_at: usize,
    /// How files are read of which nothing is set.
    recipe: Recipe,
}

/// Runs it.
///
/// # Errors
/// [`ConfigError`] for what cannot be used; others when it cannot be written.
pub fn run(given: &ArgMatches) -> anyhow::Result<ExitCode> {
    let output = given.get_one::<PathBuf>("output").cloned().unwrap_or_default();
    let prints = output.as_os_str() == "-";
    if !prints && !given.get_flag("force") && output.exists() {
        return Err(ConfigError::invalid(format!(
            "{} is there: name another file with --output, or replace it with --force",
            output.display()
        ))
        .into());
    }
    let any = MonitorSettings { paths: vec![USUAL.to_owned()], ..MonitorSettings::default() };
    let recipes = MonitorSettings::inputs(&[any])?;
    let recipe = recipes.into_iter().next().map(|input| input.recipe);
    let recipe = recipe.ok_or_else(|| ConfigError::invalid("there is nothing to read"))?;
    let mut found = Found {
        logs: BTreeMap::new(),
        refused: Vec::new(),
        looked_into: BTreeSet::new(),
        looked_at: 0,
        recipe,
    };
    for directory in given.get_many::<PathBuf>("directories").unwrap_or_default() {
        let directory = directory.canonicalize().map_err(|error| {
            ConfigError::invalid(format!("cannot look into {}: {error}", directory.display()))
        })?;
        found.look_into(&directory, DEEPEST);
    }
    for (path, why) in &found.refused {
        tell!("cannot be read: {}: {why}", path.display());
    }
    if found.logs.is_empty() {
        tell!(
            "no log was found that was written in the last 30 days: name directories that have some, or do this as a user who may read them (root, or a member of adm)"
        );
        return Ok(ExitCode::FAILURE);
    }
    let text = found.configuration(given.get_one::<PathBuf>("state-dir"))?;
    if prints {
        write!(printed(Form::Plain), "{text}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = from_text(&text)?;
    let written = own_files::create(&output).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", output.display()))?;
    tell!("written: {}, which reads", output.display());
    for ((directory, parser), files) in &found.logs {
        tell!("  {:<18} {:>3} in {}", parser, files.len(), directory.display());
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let code = runtime.block_on(run::check_all(&wanted))?;
    tell!("next: omphalos run --config {}", output.display());
    Ok(code)
}

impl Found {
    /// Looks at what is in a directory, and in those in it.
    fn look_into(&mut self, directory: &Path, deeper: usize) {
        if !self.looked_into.insert(directory.to_owned()) {
            return;
        }
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => return self.refused.push((directory.to_owned(), error.to_string())),
        };
        let mut entries: Vec<DirEntry> = entries.flatten().collect();
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            if self.looked_at >= MOST_FILES {
                return;
            }
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && deeper > 0 && !is_no_text(&path) {
                self.look_into(&path, deeper - 1);
            } else if kind.is_file() && !is_rotated(&path) && !is_no_text(&path) {
                self.looked_at += 1;
                self.look_at(path);
            }
        }
    }

    fn look_at(&mut self, path: PathBuf) {
        let Ok(metadata) = path.metadata() else { return };
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let is_old = modified.elapsed().is_ok_and(|age| age > LONGEST_SILENCE);
        if metadata.len() == 0 || is_old {
            return;
        }
        let format = is_binary(&path)
            .and_then(|is_binary| (!is_binary).then(|| format_of(&path, &self.recipe)).transpose());
        match format {
            Ok(None) => {}
            Ok(Some(format)) => {
                let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
                self.logs.entry((directory, format.name())).or_default().push(path);
            }
            Err(error) => self.refused.push((path, error.to_string())),
        }
    }

    /// The configuration that reads what was found.
    fn configuration(&self, state_dir: Option<&PathBuf>) -> Result<String, std::fmt::Error> {
        let state_dir = state_dir.map_or_else(
            || "#state_dir = \"/var/lib/omphalos\"".to_owned(),
            |path| format!("state_dir = {}", quoted(path)),
        );
        let mut text = HEAD.replace("{state_dir}", &state_dir);
        for ((directory, parser), files) in &self.logs {
            let others =
                self.logs.iter().any(|((other, format), _)| other == directory && format != parser);
            let pattern = (files.len() >= MANY && !others && files.iter().all(|file| is_log(file)))
                .then(|| directory.join("*.log"));
            let paths: Vec<&Path> = match &pattern {
                Some(pattern) => vec![pattern],
                None => files.iter().map(PathBuf::as_path).collect(),
            };
            writeln!(text, "\n[[monitor]]")?;
            let quoted: Vec<String> = paths.iter().map(|path| quoted(path)).collect();
            writeln!(text, "paths = [{}]", quoted.join(", "))?;
            let is_text = *parser == ParserKind::Raw.name();
            let note = if is_text {
                " # of no format that is known here: each line is the message"
            } else {
                ""
            };
            writeln!(text, "parser = \"{parser}\"{note}")?;
        }
        for (path, why) in &self.refused {
            writeln!(
                text,
                "\n# cannot be read by who wrote this: {}: {}",
                clean(&path.display().to_string()),
                clean(why)
            )?;
        }
        Ok(text)
    }
}

/// What stands above the tables.
const HEAD: &str = "\
# Written by omphalos init. `omphalos run --config` this file reads the logs below, keeps their lines in a store of its
# own, and shows them on a page at http://127.0.0.1:9180/. All settings: docs/settings-run.md; try a change with
# `omphalos run check --config` this file.

# where it remembers how far it has read, and has its store; by default /var/lib/omphalos, or ~/.local/state/omphalos
{state_dir}

# to send the lines to RabbitMQ instead, for an indexer elsewhere (or use omphalos-shipper with this file):
#[amqp]
#url = [\"amqp://user:password@broker:5672/%2f\"]

# to write them to Elasticsearch, and not into the store:
#[elasticsearch]
#url = [\"http://127.0.0.1:9200\"]
";

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

/// Whether it is what a log became when it was rotated, or something that is no log.
fn is_rotated(path: &Path) -> bool {
    let Some(extension) = path.extension().and_then(|extension| extension.to_str()) else {
        return false;
    };
    let is_number = !extension.is_empty() && extension.bytes().all(|byte| byte.is_ascii_digit());
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    // As logrotate's dateext has it: access.log-20261129.
    let dated =
        path.file_name().and_then(|name| name.to_str()).and_then(|name| name.rsplit_once('-'));
    let is_dated = dated
        .is_some_and(|(_, date)| date.len() >= 8 && date.bytes().all(|byte| byte.is_ascii_digit()));
    is_number || is_dated || ENDINGS.contains(&extension) || stem.is_empty()
}

fn is_no_text(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    NO_TEXT.contains(&name)
}

/// Whether it has what no text has.
fn is_binary(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head.contains(&0))
}

/// A path as a text of TOML.
fn quoted(path: &Path) -> String {
    // What escapes are in JSON, they are there too.
    Value::from(path.display().to_string()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Wanted;

    #[test]
    fn what_is_commented_out_can_be_used_as_it_stands() {
        let text = HEAD.replace("{state_dir}", "#state_dir = \"/x\"");
        let is_setting = |line: &&str| line.starts_with("#[") || line.contains(" = ");
        let used: Vec<&str> =
            text.lines().filter(is_setting).map(|line| line.trim_start_matches('#')).collect();
        assert!(used.len() >= 5, "{used:?}");
        assert!(from_text::<Wanted>(&used.join("\n")).is_ok(), "{used:?}");
    }
}
