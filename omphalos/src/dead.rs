//! `omphalos dead`: look at dead letters, publish them again, or drop them.

use std::io::Write;

use clap::{Arg, ArgAction, ArgMatches, Command};
use jiff::Timestamp;
use omphalos_common::config::{
    ConfigError, HasRows, Loaded, Setting, TableError, Tables, add_flags, load,
};
use omphalos_transport::amqp::{
    AMQP_SETTINGS, AmqpSettings, Broker, DeadMessage, DeadQueue, Replayed, Topology,
};
use omphalos_transport::dead_letter as header;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a list shows of a reason, in characters; `show` has all of it.
const LONGEST_REASON: usize = 160;

/// The settings of this command.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    amqp: AmqpSettings,
}

impl HasRows for Settings {
    fn rows() -> Vec<Setting> {
        AMQP_SETTINGS.to_vec()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        tables.part(AMQP_SETTINGS)
    }
}

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
        .about("Publish dead letters again, after the cause is fixed; ids prevent duplicates")
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
    add_flags(dead, AMQP_SETTINGS)
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

/// Which dead letters are meant.
struct Selection {
    id: Option<String>,
    kind: Option<String>,
    index: Option<String>,
}

impl Selection {
    fn of(given: &ArgMatches) -> Self {
        let get = |name: &str| given.get_one::<String>(name).cloned();
        Self { id: get("id"), kind: get("type"), index: get("index") }
    }

    fn is_everything(&self) -> bool {
        self.id.is_none() && self.kind.is_none() && self.index.is_none()
    }

    fn has(&self, message: &DeadMessage) -> bool {
        let fits = |wanted: &Option<String>, header| {
            wanted.as_deref().is_none_or(|wanted| message.header(header) == Some(wanted))
        };
        fits(&self.id, header::ID)
            && fits(&self.kind, header::TYPE)
            && fits(&self.index, header::INDEX)
    }
}

/// Runs the subcommand.
pub fn run(given: &ArgMatches) -> anyhow::Result<()> {
    let Some((action, given)) = given.subcommand() else { return Ok(()) };
    let read = |name: &str| std::env::var(name).ok();
    let Loaded { settings, .. } = load::<Settings>(AMQP_SETTINGS, given, read, std::iter::empty())?;
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let broker = Broker::new(&settings.amqp, "omphalos dead")?;
        let mut queue = DeadQueue::open(&broker, Topology::new(&settings.amqp)).await?;
        let done = match action {
            "list" => list(&mut queue, &selection, given).await,
            "show" => show(&mut queue, &selection).await,
            "replay" => replay(&mut queue, &selection).await,
            _ => drop_them(&mut queue, &selection).await,
        };
        // However it went: what was published and not taken out would be published once more.
        let closed = queue.close().await;
        done?;
        Ok(closed?)
    })
}

async fn list(
    queue: &mut DeadQueue,
    selection: &Selection,
    given: &ArgMatches,
) -> anyhow::Result<()> {
    let mut left = given.get_one::<u32>("limit").copied().unwrap_or(u32::MAX);
    let as_json = given.get_flag("json");
    let mut out = std::io::stdout().lock();
    let mut shown = 0;
    while left > 0
        && let Some(message) = queue.next().await?
    {
        if !selection.has(&message) {
            continue;
        }
        left -= 1;
        shown += 1;
        if as_json {
            writeln!(out, "{}", summary(&message))?;
        } else {
            write_line(&mut out, &message)?;
        }
    }
    if !as_json {
        let more = queue.left();
        let rest =
            if more > 0 { format!("; {more} more not looked at (--limit)") } else { String::new() };
        writeln!(out, "{shown} dead letters{rest}")?;
    }
    Ok(())
}

fn write_line(out: &mut impl Write, message: &DeadMessage) -> std::io::Result<()> {
    let get = |header| message.header(header).unwrap_or("-");
    let whole = get(header::REASON);
    let mut reason: String = whole.chars().take(LONGEST_REASON).collect();
    if reason.len() < whole.len() {
        reason.push('…');
    }
    writeln!(
        out,
        "{}  {}  {}\n    {} {}: {reason}",
        time(message),
        get(header::ID),
        get(header::INDEX),
        get(header::STATUS),
        get(header::TYPE)
    )
}

fn time(message: &DeadMessage) -> String {
    let seconds = message.header(header::AT).and_then(|text| text.parse().ok());
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}

fn summary(message: &DeadMessage) -> Value {
    let get = |header| message.header(header);
    json!({
        "at": time(message),
        "id": get(header::ID),
        "index": get(header::INDEX),
        "dataset": get(header::DATASET),
        "status": get(header::STATUS),
        "type": get(header::TYPE),
        "reason": get(header::REASON),
        "exchange": get(header::EXCHANGE),
        "routing_key": get(header::ROUTING_KEY),
        "message_id": get(header::MESSAGE_ID),
        "content_type": message.content_type(),
        "bytes": message.body().len(),
    })
}

async fn show(queue: &mut DeadQueue, selection: &Selection) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    while let Some(message) = queue.next().await? {
        if !selection.has(&message) {
            continue;
        }
        let mut shown = summary(&message);
        if let Some(members) = shown.as_object_mut() {
            let body = serde_json::from_slice(message.body()).unwrap_or_else(|_| {
                Value::String(String::from_utf8_lossy(message.body()).into_owned())
            });
            members.insert("body".to_owned(), body);
        }
        writeln!(out, "{}", serde_json::to_string_pretty(&shown)?)?;
    }
    Ok(())
}

async fn replay(queue: &mut DeadQueue, selection: &Selection) -> anyhow::Result<()> {
    let (mut published, mut refused) = (0_u64, 0_u64);
    let ended = loop {
        let message = match queue.next().await {
            Ok(Some(message)) if selection.has(&message) => message,
            Ok(Some(_)) => continue,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        match queue.replay(message).await {
            Ok(Replayed::Published) => published += 1,
            Ok(Replayed::Refused(reason)) => {
                refused += 1;
                eprintln!("omphalos: {reason}");
            }
            Err(error) => break Err(error),
        }
    };
    println!(
        "{published} dead letters published again; those that are refused once more come back"
    );
    ended?;
    if refused > 0 {
        anyhow::bail!(
            "{refused} dead letters are garbled and were not published, see above; they are in the queue still"
        );
    }
    Ok(())
}

async fn drop_them(queue: &mut DeadQueue, selection: &Selection) -> anyhow::Result<()> {
    let mut count = 0;
    while let Some(message) = queue.next().await? {
        if selection.has(&message) {
            queue.remove(message).await?;
            count += 1;
        }
    }
    println!("{count} dead letters dropped");
    Ok(())
}
