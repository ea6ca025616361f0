//! `omphalos dead`: look at dead letters, index them again, or drop them; in the queue of a broker
//! (`queue`), or in the files of a process without one and of imports (`files`, of which each is a `file`).

mod file;
mod files;
mod letter;
mod place;
mod queue;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use omphalos_common::config::{ConfigError, add_flags};
use omphalos_common::printed::{Form, printed};
use omphalos_common::telemetry::{LogFormat, init_logs};
use serde_json::Value;

use files::{Files, nothing};
pub(crate) use letter::Selection;
use place::{Place, Target};

use crate::run::Settings;

/// The subcommand.
pub fn command() -> Command {
    let all = Arg::new("all").long("all").action(ArgAction::SetTrue);
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    let limit = Arg::new("limit")
        .long("limit")
        .value_name("N")
        .default_value("100")
        .value_parser(clap::value_parser!(u32))
        .help("Look at this many at most");
    let list = Command::new("list")
        .about("List dead letters: when, why, and for which index")
        .arg(limit)
        .arg(json.help("Print JSON, one object per line"));
    let show = Command::new("show").about("Print whole dead letters: the reason and the document");
    let replay = Command::new("replay")
        .about(
            "Publish or index dead letters again, after the cause is fixed; ids prevent duplicates",
        )
        .arg(all.clone().help("All of them"));
    let drop = Command::new("drop")
        .about("Delete dead letters for good")
        .arg(all.help("All of them"))
        .arg(
            Arg::new("yes")
                .long("yes")
                .action(ArgAction::SetTrue)
                .help("Confirm the deletion, which cannot be undone"),
        );
    let dead = Command::new("dead")
        .about("Handle dead letters: documents that Elasticsearch refused for good, and messages that could not be read")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_selection(list))
        .subcommand(with_selection(show))
        .subcommand(with_selection(replay))
        .subcommand(with_selection(drop));
    let file = Arg::new("dead-file")
        .long("dead-file")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .global(true)
        .help("Dead letters in this file, such as one that was moved away; by default dead-letters.ndjson in the state directory and those of imports below it, if no broker is named");
    add_flags(dead.arg(file), &place::rows())
}

/// The newest letters in the files of a state directory, so many at most, and how many more there are.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn newest(state_dir: &Path, most: usize) -> anyhow::Result<(Vec<Value>, u64)> {
    Files::of(state_dir)?.newest(most)
}

/// Deletes letters in the files of a state directory; how many.
///
/// # Errors
/// When a file cannot be written, or not all could be done.
pub(crate) fn dropped(state_dir: &Path, selection: &Selection) -> anyhow::Result<usize> {
    let (dropped, left, ended) = Files::of(state_dir)?.drop(selection);
    ended?;
    nothing(&left)?;
    Ok(dropped)
}

/// Indexes letters in the files of the process with these settings, which has its store open itself and writes as
/// `indexer` says; what became of them, for people.
///
/// # Errors
/// When a file cannot be written, or the indexer failed, or not all could be replayed.
pub(crate) async fn replayed(
    settings: &Settings,
    indexer: &omphalos_indexer::config::Settings,
    selection: &Selection,
) -> anyhow::Result<String> {
    let files = Files::of(settings.state_dir())?;
    let of_import = files.of_import(settings)?;
    let (all, ended) = files.replay(selection, indexer, &of_import).await;
    ended?;
    nothing(&all.left)?;
    Ok(all.shown())
}

fn with_selection(command: Command) -> Command {
    let option = |name: &'static str, placeholder: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(placeholder).help(help)
    };
    command
        .arg(option("id", "ID", "Only the document with this id"))
        .arg(option("type", "TYPE", "Only errors of this type, such as document_parsing_exception"))
        .arg(option("index", "INDEX", "Only documents for this index"))
}

/// Runs the subcommand.
///
/// # Errors
/// [`ConfigError`] for what cannot be used; anything else when it could not be done, or not all of it.
pub fn run(given: &ArgMatches) -> anyhow::Result<()> {
    let Some((action, given)) = given.subcommand() else { return Ok(()) };
    let settings = place::settings(given)?;
    let selection = Selection::of(given);
    if matches!(action, "replay" | "drop") && selection.is_everything() && !given.get_flag("all") {
        anyhow::bail!(ConfigError::invalid(format!(
            "which dead letters? name some with --id, --type or --index, or give --all: omphalos dead {action} --all"
        )));
    }
    if action == "drop" && !given.get_flag("yes") {
        anyhow::bail!(ConfigError::invalid(
            "dead letters that are dropped are gone for good; look at them first (omphalos dead list), then add --yes"
        ));
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let files = match Place::of(&settings, given.get_one::<PathBuf>("dead-file")) {
        Place::Queue => None,
        Place::File(file) => Some(Files::named(file)?),
        Place::Directory(state_dir) => Some(Files::of(&state_dir)?),
    };
    let result = match (files, action) {
        (None, _) => {
            runtime.block_on(queue::run(&settings.shipper.amqp, action, &selection, given))
        }
        (Some(files), "list") => files.list(&selection, given),
        (Some(files), "show") => files.show(&selection),
        (Some(files), "drop") => {
            let (dropped, left, ended) = files.drop(&selection);
            writeln!(printed(Form::Plain), "{dropped} dead letters dropped")?;
            ended.and_then(|()| nothing(&left))
        }
        (Some(files), _) => runtime.block_on(async {
            // What the indexer waits for.
            init_logs(LogFormat::Human, "warn")?;
            replay(&files, &selection, settings).await
        }),
    };
    runtime.shutdown_background();
    result
}

/// Indexes letters in files where the settings say; those of imports into another place stay.
async fn replay(files: &Files, selection: &Selection, settings: Settings) -> anyhow::Result<()> {
    let of_import = files.of_import(&settings)?;
    let Target { indexer, embedded } = files.target(settings).await?;
    let (all, ended) = files.replay(selection, &indexer, &of_import).await;
    if ended.is_ok() || all.letters > 0 {
        writeln!(printed(Form::Plain), "{}", all.shown())?;
    }
    if let Some(embedded) = embedded {
        embedded.close().await?;
    }
    ended?;
    nothing(&all.left)
}
