//! The command line: what is asked for, and with which settings.
//!
//! Exit codes: 0 done, 1 failed, 2 usage or configuration.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use omphalos_common::config::{ConfigError, Loaded, Setting, add_flags, load};
use omphalos_common::shutdown;
use omphalos_common::telemetry::{address_to_ask, ask_ready, init_logs};
use tracing::{error, warn};

use crate::check::check;
use crate::config::{Settings, all_settings};
use crate::run;

/// The shipper needs little: one worker for the connection, one for everything else.
const WORKER_THREADS: usize = 2;

const FAILED: u8 = 1;
const MISUSED: u8 = 2;

/// The whole command line.
pub fn command() -> Command {
    let once = Arg::new("once")
        .long("once")
        .action(ArgAction::SetTrue)
        .help("Read every file to its present end, deliver, write the checkpoint, and exit");
    let settings = all_settings();
    let health =
        Command::new("health").about("Ask the running shipper whether it is ready; exit 1 if not");
    let check = Command::new("check").about(
        "Check the settings, connect, declare, and say what was found; exit 2 if anything is wrong",
    );
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
}

/// The settings that are given without a flag.
fn positional() -> Vec<Setting> {
    let mut settings = all_settings();
    settings.retain(|setting| setting.positional_name().is_some());
    settings
}

/// Runs the program.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    match start(&matches) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("omphalos-shipper: {error:#}");
            let misused = error.downcast_ref::<ConfigError>().is_some();
            ExitCode::from(if misused { MISUSED } else { FAILED })
        }
    }
}

fn start(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (wanted, given) = matches.subcommand().unwrap_or(("", matches));
    let is_given = |setting: &Setting| matches.contains_id(setting.key);
    if wanted == "check" && positional().iter().any(is_given) {
        let message = "name files behind `check`: omphalos-shipper check FILE…";
        return Err(ConfigError::invalid(message).into());
    }
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let read = |name: &str| std::env::var(name).ok();
    let Loaded { settings, warnings } = load::<Settings>(&all_settings(), given, read, variables)?;
    init_logs(settings.log_format, &settings.log_level)?;
    for warning in warnings {
        warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match wanted {
            "check" => {
                return Ok(ExitCode::from(if check(&settings).await? { 0 } else { MISUSED }));
            }
            "health" => {
                ask_ready(address_to_ask(settings.listen)?).await?;
                println!("ready");
                return Ok(ExitCode::SUCCESS);
            }
            _ => {}
        }
        let shutdown = shutdown::on_signals()?;
        let result = run(settings, matches.get_flag("once"), shutdown).await;
        if let Err(failure) = &result {
            error!("{failure:#}");
        }
        result.map(|()| ExitCode::SUCCESS)
    })
}
