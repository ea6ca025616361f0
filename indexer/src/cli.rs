//! The command line: what is asked for, and with which settings.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use omphalos_common::config::add_flags;
use omphalos_common::program::{
    Daemon, Source, arguments, begin, checked, conclude, explain_flag, until_signals,
};
use omphalos_common::rounds::{Round, Rounds, tell_to_reload};

use crate::check::check;
use crate::config::{Settings, all_settings};
use crate::relay::PROGRAM as RELAY;
use crate::run::{self, check_relay};
use crate::{relay, streams};

const PROGRAM: &str = "omphalos-indexer";

/// The whole command line.
pub fn command() -> Command {
    let drain = Arg::new("drain")
        .long("drain")
        .action(ArgAction::SetTrue)
        .help("Index until nothing is left in the queue or the spool, then exit");
    let health = Command::new("health")
        .about("Ask the running indexer whether it is ready, and exit with 1 if it is not");
    let reload = Command::new("reload").about(
        "Have the indexer or relay that runs with this state directory read its settings again; it goes on with the present ones if they cannot be used, and this exits with 2",
    );
    let relay = Command::new("relay")
        .about("Take documents over UDP and publish them to RabbitMQ, for another indexer");
    let streams = Command::new("streams")
        .about("Show what came over UDP and what was lost, stream by stream, from the ledger in state_dir")
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print the whole ledger as JSON"),
        );
    let check = Command::new("check")
        .arg(explain_flag())
        .about("Check the settings, connect to both sides, declare, report, and exit with 1 if anything is wrong there, or with 2 if the settings are");
    add_flags(Command::new("omphalos-indexer"), &all_settings())
        .about("Takes documents from RabbitMQ or over UDP and bulk-writes them to Elasticsearch or OpenSearch")
        .version(env!("CARGO_PKG_VERSION"))
        .max_term_width(100)
        .arg(drain)
        .subcommand(relay)
        .subcommand(streams)
        .subcommand(check)
        .subcommand(health)
        .subcommand(reload)
}

/// Runs the program.
pub fn main() -> ExitCode {
    begin();
    match arguments(command()) {
        Ok(given) => conclude("omphalos-indexer", start(&given)),
        Err(code) => code,
    }
}

fn start(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (wanted, given) = matches.subcommand().unwrap_or(("", matches));
    let drain = matches.get_flag("drain");
    let daemon = Daemon { rows: all_settings(), threads: None };
    daemon.run((wanted, given), async |settings: Settings, source| match wanted {
        "check" => {
            source.explain_if_wanted()?;
            Ok(checked(check(&settings, true).await?))
        }
        "streams" => {
            streams::print(&settings.state_dir, given.get_flag("json"))?;
            Ok(ExitCode::SUCCESS)
        }
        "reload" => tell_to_reload(&settings.state_dir, &[PROGRAM, RELAY]).await,
        "relay" => rounds(source, RELAY, &check_relay).work(settings, relay).await,
        _ if drain => {
            until_signals(async |stop| run::run(settings, true, Round::only(stop)).await).await
        }
        _ => {
            let rounds = rounds(source, PROGRAM, &run::check);
            rounds
                .work(settings, async |settings, round| run::run(settings, false, round).await)
                .await
        }
    })
}

fn rounds<'a>(
    source: &'a Source<'a>,
    program: &'static str,
    check: &'a dyn Fn(&Settings) -> anyhow::Result<()>,
) -> Rounds<'a, Settings> {
    Rounds { program, source, check, state_dir: |settings| settings.state_dir.clone() }
}
