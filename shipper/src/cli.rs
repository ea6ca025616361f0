//! The command line: what is asked for, and with which settings.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use omphalos_common::config::{ConfigError, Setting, add_flags};
use omphalos_common::program::{
    Daemon, Source, arguments, begin, conclude, explain_flag, until_signals,
};
use omphalos_common::rounds::{Round, Rounds, tell_to_reload};

use crate::check::check;
use crate::config::{Settings, all_settings};
use crate::run::{self, run};

/// The shipper needs little: one worker for the connection, one for everything else.
const WORKER_THREADS: usize = 2;

const PROGRAM: &str = "omphalos-shipper";

/// The whole command line.
pub fn command() -> Command {
    let once = Arg::new("once").long("once").action(ArgAction::SetTrue).help(
        "Read every file to its present end, deliver everything, write the checkpoint, then exit",
    );
    let settings = all_settings();
    let health = Command::new("health")
        .about("Ask the running shipper whether it is ready, and exit with 1 if it is not");
    let reload = Command::new("reload").about(
        "Have the running shipper read its settings again; it goes on with the present ones if they cannot be used, and this exits with 2",
    );
    let check = Command::new("check").about(
        "Check settings and files, connect to the broker, declare, report, and exit with 1 if anything is wrong there, or with 2 if the settings are",
    );
    let check = check.arg(explain_flag());
    // Only the files: all other flags are global.
    let check = positional().iter().fold(check, |check, setting| {
        let name = setting.positional_name().unwrap_or_default();
        check.arg(Arg::new(setting.key).value_name(name).num_args(0..).help(setting.help))
    });
    add_flags(Command::new("omphalos-shipper"), &settings)
        .about(
            "Tails log files, parses each line into an ECS document and publishes it to RabbitMQ, or sends it as UDP datagrams",
        )
        .version(env!("CARGO_PKG_VERSION"))
        .max_term_width(100)
        .subcommand_precedence_over_arg(true)
        .arg(once)
        .subcommand(check)
        .subcommand(health)
        .subcommand(reload)
}

/// The settings that are given without a flag.
fn positional() -> Vec<Setting> {
    let mut settings = all_settings();
    settings.retain(|setting| setting.positional_name().is_some());
    settings
}

/// Runs the program.
pub fn main() -> ExitCode {
    begin();
    match arguments(command()) {
        Ok(given) => conclude("omphalos-shipper", start(&given)),
        Err(code) => code,
    }
}

fn start(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (wanted, given) = matches.subcommand().unwrap_or(("", matches));
    let is_given = |setting: &Setting| matches.contains_id(setting.key);
    if wanted == "check" && positional().iter().any(is_given) {
        let message = "name files behind `check`: omphalos-shipper check FILE…";
        return Err(ConfigError::invalid(message).into());
    }
    let once = matches.get_flag("once");
    let daemon = Daemon { rows: all_settings(), threads: Some(WORKER_THREADS) };
    daemon.run((wanted, given), async |settings: Settings, source| match wanted {
        "check" => {
            source.explain_if_wanted()?;
            check(&settings, None).await
        }
        "reload" => tell_to_reload(&settings.state_dir, &[PROGRAM]).await,
        _ if once => until_signals(async |stop| run(settings, true, Round::only(stop)).await).await,
        _ => {
            rounds(source)
                .work(settings, async |settings, round| run(settings, false, round).await)
                .await
        }
    })
}

fn rounds<'a>(source: &'a Source<'a>) -> Rounds<'a, Settings> {
    let state_dir = |settings: &Settings| settings.state_dir.clone();
    Rounds { program: PROGRAM, source, check: &run::check, state_dir }
}
