//! The command line: what is asked for, and with which settings.
//!
//! Exit codes: 0 done, 1 failed, 2 usage or configuration.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use omphalos_common::config::{ConfigError, Loaded, add_flags, load};
use omphalos_common::shutdown;
use omphalos_common::telemetry::{address_to_ask, ask_ready, init_logs};
use tracing::{error, warn};

use crate::check::check;
use crate::config::{Settings, all_settings};
use crate::{relay, run, streams};

const FAILED: u8 = 1;
const MISUSED: u8 = 2;

/// The whole command line.
pub fn command() -> Command {
    let drain = Arg::new("drain")
        .long("drain")
        .action(ArgAction::SetTrue)
        .help("Index until nothing is left in the queue or the spool, and exit");
    let health =
        Command::new("health").about("Ask the running indexer whether it is ready; exit 1 if not");
    let relay = Command::new("relay")
        .about("Take documents over UDP and publish them to RabbitMQ, for another indexer");
    let streams = Command::new("streams")
        .about("Show what came over UDP, stream by stream, and what was lost, from the ledger in state_dir")
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print the whole ledger as JSON"),
        );
    let check = Command::new("check")
        .about("Check the settings, connect to both sides, declare, and say what was found; exit 2 if anything is wrong");
    add_flags(Command::new("omphalos-indexer"), &all_settings())
        .about("Takes documents from RabbitMQ or over UDP and bulk-writes them to Elasticsearch or OpenSearch")
        .version(env!("CARGO_PKG_VERSION"))
        .max_term_width(100)
        .arg(drain)
        .subcommand(relay)
        .subcommand(streams)
        .subcommand(check)
        .subcommand(health)
}

/// Runs the program.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    match start(&matches) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("omphalos-indexer: {error:#}");
            let misused = error.downcast_ref::<ConfigError>().is_some();
            ExitCode::from(if misused { MISUSED } else { FAILED })
        }
    }
}

fn start(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (wanted, given) = matches.subcommand().unwrap_or(("", matches));
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let read = |name: &str| std::env::var(name).ok();
    let Loaded { settings, warnings } = load::<Settings>(&all_settings(), given, read, variables)?;
    init_logs(settings.log_format, &settings.log_level)?;
    for warning in warnings {
        warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(async {
        match wanted {
            "check" => {
                return Ok(ExitCode::from(if check(&settings).await? { 0 } else { MISUSED }));
            }
            "health" => {
                ask_ready(address_to_ask(settings.listen)?).await?;
                println!("ready");
                return Ok(ExitCode::SUCCESS);
            }
            "streams" => {
                streams::print(&settings.state_dir, given.get_flag("json"))?;
                return Ok(ExitCode::SUCCESS);
            }
            _ => {}
        }
        let shutdown = shutdown::on_signals()?;
        let result = match wanted {
            "relay" => relay(settings, shutdown).await,
            _ => run(settings, matches.get_flag("drain"), shutdown).await,
        };
        if let Err(failure) = &result {
            error!("{failure:#}");
        }
        result.map(|()| ExitCode::SUCCESS)
    });
    // A request that nobody waits for any more must not keep the process.
    runtime.shutdown_background();
    code
}
