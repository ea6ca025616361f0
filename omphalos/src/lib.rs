//! `omphalos`: one program for people at a keyboard.
//!
//! Exit codes: 0 done, 1 failed, 2 usage or configuration. Those of `audit`, `search` and
//! `fleet` are told apart as diff and grep do: 0 all there, found, or well; 1 something is missing,
//! nothing found, or somebody silent; 2 trouble of any kind.

mod alerts;
mod audit;
mod dead;
mod dead_files;
mod demo;
mod fleet;
#[doc(hidden)]
pub mod fuzzing;
mod import;
mod init;
mod local_road;
mod page;
mod parse;
mod parsers;
mod reading;
mod regular;
pub mod run;
mod search;
pub mod setup;
mod status;
mod store_owner;
mod top;
pub mod watch;

use std::process::ExitCode;

use clap::Command;
use omphalos_common::causes::joined;
use omphalos_common::program::{
    MISUSED, arguments, begin, code_of, complain, is_broken_pipe, let_pass,
};
use omphalos_common::said;

/// Runs the program.
pub fn main() -> ExitCode {
    begin();
    let_pass(omphalos_store::attempt::is_caught);
    let matches = match arguments(command()) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let result = match matches.subcommand() {
        Some(("parse", given)) => parse::run(given),
        Some(("parsers", _)) => parsers::run(),
        Some(("demo", given)) => demo::run(given),
        Some(("init", given)) => init::run(given),
        Some(("run", given)) => run::run(given),
        Some(("open", given)) => page::open::run(given),
        Some(("search", given)) => search::run(given),
        Some(("import", given)) => import::run(given),
        Some(("setup", given)) => setup::run(given),
        Some(("audit", given)) => audit::run(given),
        Some(("status", given)) => status::run(given),
        Some(("fleet", given)) => fleet::run(given),
        Some(("watch", given)) => watch::run(given),
        Some(("top", given)) => top::run(given, false),
        Some(("httptop", given)) => top::run(given, true),
        Some(("dead", given)) => dead::run(given).map(|()| ExitCode::SUCCESS),
        _ => Ok(ExitCode::SUCCESS),
    };
    let code = match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain("omphalos", &joined(error.chain()));
            let answers = matches!(matches.subcommand_name(), Some("audit" | "search" | "fleet"));
            ExitCode::from(if answers { MISUSED } else { code_of(&error) })
        }
    };
    said::flush();
    code
}

/// Where to go on for a fleet.
const DAEMONS: &str = "\
On a fleet, omphalos-shipper runs on every host and omphalos-indexer near Elasticsearch; see README.md.
";

/// The whole command line, in the order in which a newcomer needs it.
pub fn command() -> Command {
    Command::new("omphalos")
        .about("Ship log files to Elasticsearch, search them, and prove that nothing was lost")
        .after_help(DAEMONS)
        .version(env!("CARGO_PKG_VERSION"))
        .max_term_width(100)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(demo::command())
        .subcommand(init::command())
        .subcommand(run::command())
        .subcommand(page::open::command())
        .subcommand(search::command())
        .subcommand(top::command())
        .subcommand(top::classic_command())
        .subcommand(watch::command())
        .subcommand(status::command())
        .subcommand(fleet::command())
        .subcommand(import::command())
        .subcommand(parse::command())
        .subcommand(parsers::command())
        .subcommand(setup::command())
        .subcommand(audit::command())
        .subcommand(dead::command())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command().debug_assert();
    }
}
