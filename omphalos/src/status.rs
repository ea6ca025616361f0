//! `omphalos status`: how the programs of this machine are, asked by their sockets in their state directories. No
//! port is needed, and no server.
//!
//! Exit codes: 0 all that run are well; 1 one of them is not, or none runs; 2 usage.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use axum::http::Method;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use jiff::Timestamp;
use omphalos_common::clean::clean;
use omphalos_common::clock::now_millis;
use omphalos_common::control::{NotAsked, ask, programs};
use omphalos_common::heartbeat::{Heartbeat, Input, State};
use omphalos_common::printed::{Form, printed};
use omphalos_common::state_dir::default_state_dir;
use omphalos_common::status::Report;
use omphalos_common::tell;

use crate::search::grouped;
use crate::top::number::{byte_rate, bytes, rate, span};

/// How long a program may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many inputs are shown of each program, those that are furthest behind.
const MOST_INPUTS: usize = 5;
/// Where programs keep their state unless it is said.
const USUAL: [&str; 5] =
    ["omphalos", "omphalos-shipper", "omphalos-indexer", "omphalos-relay", "omphalos-run"];

/// The subcommand.
pub fn command() -> Command {
    Command::new("status")
        .about("How the shipper, the indexer, the relay and omphalos run on this machine are: files, rates, lag, what is in flight, dead letters, problems; exits with 1 if one is not well, or none runs")
        .arg(
            Arg::new("state-dir")
                .long("state-dir")
                .value_name("DIRECTORY")
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .help("A state directory to look into, in place of the usual ones; may be given several times"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print all that each program says, an object a line"),
        )
}

/// Runs it.
///
/// # Errors
/// When nothing can be printed.
pub fn run(given: &ArgMatches) -> anyhow::Result<ExitCode> {
    let directories: BTreeSet<PathBuf> = match given.get_many::<PathBuf>("state-dir") {
        Some(directories) => directories.cloned().collect(),
        None => usual(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut said, mut is_well) = (0, true);
    for directory in &directories {
        for program in programs(directory) {
            match runtime.block_on(report(directory, &program)) {
                Ok(report) => {
                    print(&report, directory, given.get_flag("json"))?;
                    is_well &= report.is_ready();
                    said += 1;
                }
                // It was killed, and has left its socket.
                Err(NotAsked::Nobody { .. }) => {}
                Err(silent) => {
                    tell!("omphalos: {silent}");
                    is_well = false;
                }
            }
        }
    }
    if said == 0 && is_well {
        let looked: Vec<String> =
            directories.iter().map(|directory| directory.display().to_string()).collect();
        tell!(
            "no program runs here, as far as this user can see: looked into {}; name the state directory of one with --state-dir, and ask as its user or as root",
            looked.join(", ")
        );
    }
    Ok(ExitCode::from(u8::from(said == 0 || !is_well)))
}

/// The usual state directories: those of the system's services, and those of this user's own processes.
fn usual() -> BTreeSet<PathBuf> {
    let of_system = USUAL.iter().map(|name| Path::new("/var/lib").join(name));
    of_system.chain(USUAL.iter().map(|name| default_state_dir(name))).collect()
}

async fn report(directory: &Path, program: &str) -> Result<Report, NotAsked> {
    let (_, body) = ask((directory, program), (Method::GET, "/status"), PATIENCE).await?;
    serde_json::from_slice(&body).map_err(|error| NotAsked::Silent {
        path: directory.to_owned(),
        why: format!(
            "expected a report, found something else ({error}); is it of another version?"
        ),
    })
}

fn print(report: &Report, directory: &Path, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        return Ok(writeln!(printed(Form::Json), "{}", serde_json::to_string(report)?)?);
    }
    Ok(write!(printed(Form::Plain), "{}", shown(report, directory, now_millis())?)?)
}

/// A report for people, some lines.
fn shown(report: &Report, directory: &Path, now: i64) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let state = if report.is_ready() { "well" } else { "NOT WELL" };
    let Report { program, version, pid, .. } = report;
    writeln!(text, "{} {}: {state}", clean(program), clean(version))?;
    write!(text, "  process      {pid}, for {}", since(&report.started, now))?;
    if let Some(reloaded) = &report.reloaded {
        write!(text, ", with settings of {} ago", since(reloaded, now))?;
    }
    writeln!(text, "; state in {}", directory.display())?;
    for part in &report.parts {
        part_shown(&mut text, part)?;
    }
    for problem in report.stuck.iter().chain(&report.problems) {
        writeln!(text, "  problem      {}", clean(problem))?;
    }
    if let Some(refused) = &report.refused {
        writeln!(text, "  not reloaded {}", clean(refused))?;
    }
    Ok(text)
}

fn part_shown(text: &mut String, part: &Heartbeat) -> std::fmt::Result {
    let State { inputs, inputs_total, inputs_unreadable, books, .. } = &part.omphalos.heartbeat;
    let state = &part.omphalos.heartbeat;
    let is_shipper = books.contains_key("read");
    let what = if is_shipper { "lines" } else { "documents" };
    write!(text, "  {:<12} {} {what}/s", words(&part.service.name), rate(state.lines_per_second))?;
    if is_shipper {
        write!(text, ", {}", byte_rate(state.bytes_per_second))?;
    }
    let counts: Vec<String> = books
        .iter()
        .filter(|(_, value)| **value > 0)
        .map(|(name, value)| format!("{} {}", grouped(*value), name.replace('_', " ")))
        .collect();
    let counts = if counts.is_empty() { "nothing yet".to_owned() } else { counts.join(", ") };
    writeln!(text, "; since its settings: {counts}")?;
    if is_shipper {
        write!(text, "  files        {inputs_total}")?;
        if *inputs_unreadable > 0 {
            write!(text, ", and {inputs_unreadable} that cannot be read")?;
        }
        writeln!(
            text,
            "; {} behind, the oldest line {:.1} s",
            bytes(state.lag_bytes),
            state.lag_seconds
        )?;
    }
    let behind = inputs.iter().filter(|input| input.lag_bytes > 0 || input.lag_seconds > 0.0);
    for Input { path, lag_bytes, lag_seconds } in behind.take(MOST_INPUTS) {
        writeln!(text, "    {:>10} {lag_seconds:>8.1} s  {}", bytes(*lag_bytes), clean(path))?;
    }
    Ok(())
}

/// The name of a part, without what all of them begin with.
fn words(name: &str) -> String {
    clean(name.trim_start_matches("omphalos-")).into_owned()
}

/// How long ago that was, for people.
fn since(time: &str, now: i64) -> String {
    let then = time.parse::<Timestamp>().map_or(now, Timestamp::as_millisecond);
    span(Duration::from_millis(u64::try_from(now.saturating_sub(then)).unwrap_or_default()))
}
