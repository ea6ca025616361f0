//! `omphalos parse`: what would become of these lines? The documents that the shipper makes of them,
//! made by the shipper's own monitor.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write, stdin};
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use omphalos_common::config::{About, ConfigError, Setting, add_flags, load};
use omphalos_common::ids::IdKeys;
use omphalos_common::printed::{Form, printed};
use omphalos_common::telemetry::{LogFormat, init_logs};
use omphalos_parser::Documents;
use omphalos_shipper::config::{Settings, all_settings};
use omphalos_shipper::host::{host_name, machine_id};
use omphalos_shipper::monitor::{Host, Input, MonitorSettings, PIPE};
use omphalos_transport::batch::BatchSettings;

use crate::audit::table_of;
use crate::reading::{Finished, Reading, Source};
use crate::regular::irregular;

const EXAMPLES: &str = "\
A line without a time gets the time of the line before it, or the present if no line before it has one.

Exit codes: 0 done; 1 some of a file could not be read; 2 usage.

Examples:
  omphalos parse --parser combined access.log | head -1
  omphalos parse --config omphalos.toml /var/log/nginx/access.log.2.gz
  tail -100 app.log | omphalos parse --multiline java -
  omphalos parse --config omphalos.toml --explain access.log | head";

/// What documents depend on, besides the lines.
fn rows() -> Vec<Setting> {
    let mut rows = all_settings();
    rows.retain(|row| row.is_about(&[About::Document]));
    rows
}

/// The subcommand.
pub fn command() -> Command {
    let name = clap::value_parser!(OsString);
    let files =
        Arg::new("files").value_name("FILE").required(true).num_args(1..).value_parser(name);
    let files = files.help(
        "Files, also .gz and .zst; - is standard input. With several [[monitor]] tables, the settings are those of the one that reads FILE",
    );
    let parse = Command::new("parse")
        .about(
            "Print the documents that the shipper would send for the lines of FILE, one per line",
        )
        .after_help(EXAMPLES)
        .arg(files);
    let explain = Arg::new("explain").long("explain").action(ArgAction::SetTrue).help(
        "Print each document as it is behind the parser, and behind each step of the [[monitor]] table",
    );
    add_flags(parse.arg(explain), &rows())
}

/// Runs it.
///
/// # Errors
/// [`ConfigError`] for settings and files that cannot be used; others when reading or writing fails.
pub fn run(given: &ArgMatches) -> anyhow::Result<ExitCode> {
    let read = |name: &str| std::env::var_os(name);
    let settings: Settings = load(&rows(), given, read, std::iter::empty())?.settings;
    init_logs(LogFormat::Human, "warn")?;
    let id = machine_id().unwrap_or_default();
    let host = Host::new(host_name(&settings), id, &IdKeys::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut is_cut = false;
    for name in given.get_many::<OsString>("files").unwrap_or_default() {
        let source = source(name, &settings.monitor, &host)?;
        let finished = if given.get_flag("explain") {
            runtime.block_on(explain(source))?
        } else {
            runtime.block_on(print(source))?
        };
        is_cut |= finished.is_cut;
    }
    Ok(ExitCode::from(u8::from(is_cut)))
}

/// What is read for `name`, and how.
fn source(name: &OsStr, tables: &[MonitorSettings], host: &Host) -> Result<Source, ConfigError> {
    if name == PIPE {
        let table = match tables {
            [] => MonitorSettings::default(),
            [table] => table.clone(),
            _ => {
                return Err(ConfigError::invalid(format!(
                    "-: the configuration file has {} [[monitor]] tables; name a file that one of them reads",
                    tables.len()
                )));
            }
        };
        let pipe: Box<dyn Read + Send> = Box::new(stdin());
        let source = Source::once(vec![table.input_of_pipe()?], host.clone());
        return Ok(Source { pipe: Some(pipe), ..source });
    }
    let shown = name.display();
    let unreadable = |error| ConfigError::invalid(format!("cannot read {shown}: {error}"));
    let path = std::path::absolute(name).map_err(unreadable)?;
    let kind = std::fs::metadata(&path).map_err(unreadable)?.file_type();
    let file = File::open(&path).map_err(unreadable)?;
    let table = table_of(tables, &path)?;
    if kind.is_dir() {
        return Err(irregular(Path::new(name), kind));
    }
    if kind.is_file() {
        return Ok(Source::once(vec![table.input_of_file(&path, &path)?], host.clone()));
    }
    // What a shell makes of <(…), and the like.
    let input = Input { called: Some(path), ..table.input_of_pipe()? };
    Ok(Source { pipe: Some(Box::new(file)), ..Source::once(vec![input], host.clone()) })
}

/// Prints what becomes of the documents of `source` at each step.
async fn explain(source: Source) -> anyhow::Result<Finished> {
    let mut before = Vec::new();
    let documents = Documents::explained_to(Box::new(move |number, step, document| {
        let unchanged = document.is_some_and(|document| document == before);
        let text = match document {
            None => "dropped".into(),
            Some(_) if unchanged && number > 0 => "unchanged".into(),
            Some(document) => String::from_utf8_lossy(document),
        };
        // Where nobody reads it any more, nothing is lost.
        let mut output = printed(Form::Plain);
        drop(match number {
            0 => writeln!(output, "{step:<16} {text}"),
            number => writeln!(output, "{:<16} {text}", format!("{number} {step}")),
        });
        document.unwrap_or_default().clone_into(&mut before);
    }));
    let source = Source { documents, ..source };
    let (reading, mut batches) = Reading::start(source, &BatchSettings::default(), |closed| {
        std::mem::take(&mut closed.owners)
    })?;
    while let Some(owners) = batches.recv().await {
        reading.confirm(owners);
    }
    reading.finish().await
}

/// Prints the documents of `source`.
async fn print(source: Source) -> anyhow::Result<Finished> {
    let batch = BatchSettings::default();
    let (reading, mut batches) = Reading::start(source, &batch, |closed| {
        (std::mem::take(&mut closed.batch.body), std::mem::take(&mut closed.owners))
    })?;
    let mut output = printed(Form::Json);
    while let Some((documents, owners)) = batches.recv().await {
        output.write_all(&documents)?;
        output.flush()?;
        reading.confirm(owners);
    }
    reading.finish().await
}
