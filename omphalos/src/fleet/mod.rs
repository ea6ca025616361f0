//! `omphalos fleet`: who ships and indexes, how far behind, and since when silent. It reads heartbeats,
//! from the index or from the broker, and only reads: nobody can be told anything.
//!
//! Exit codes: 0 all are well; 1 somebody is silent or has a problem, or nobody is there; 2 trouble.

mod broker;
mod index;
mod member;
mod options;
mod table;

use std::io::Write;
use std::process::ExitCode;

use clap::ArgMatches;
use jiff::Timestamp;
use omphalos_common::clock::now_millis;
use omphalos_common::printed::{Form, printed};
use omphalos_common::tell;
use serde_json::{Value, json};

use member::Member;
pub use options::command;
use options::{Options, Place};
use table::{aligned, in_columns};

use crate::search::Asker;

/// Runs the subcommand.
///
/// # Errors
/// When the settings cannot be used, or nobody can be asked.
pub fn run(given: &ArgMatches) -> anyhow::Result<ExitCode> {
    let options = Options::read(given)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let members = runtime.block_on(async {
        match &options.place {
            Place::Index(asker) => {
                let index::Found { mut members, is_all } =
                    index::read(asker, options.since).await?;
                member::sort(&mut members);
                print(&members, options.is_json)?;
                if !is_all {
                    tell!("there are more, with fewer heartbeats: too many to be shown");
                }
                Ok::<_, anyhow::Error>(members)
            }
            Place::Broker(broker) => {
                let mut is_first = true;
                let heard = |member: &Member| {
                    let printed = print_one(member, is_first, options.is_json);
                    is_first = false;
                    printed
                };
                broker::listen(&broker.amqp, &broker.shipper_users, broker.wait, heard).await
            }
        }
    })?;
    summarize(&members, &options);
    let is_well = !members.is_empty() && !members.iter().any(Member::is_bad);
    Ok(ExitCode::from(u8::from(!is_well)))
}

/// Who was heard since then, the worst first, and whether that is everybody, for programs.
///
/// # Errors
/// When the index cannot be asked, or the answer not be read.
pub(crate) async fn stored(asker: &Asker, since: Timestamp) -> anyhow::Result<Value> {
    let index::Found { mut members, is_all } = index::read(asker, since).await?;
    member::sort(&mut members);
    let members: Vec<Value> = members.iter().map(Member::json).collect();
    Ok(json!({ "members": members, "is_all": is_all }))
}

fn print(members: &[Member], is_json: bool) -> anyhow::Result<()> {
    let mut out = printed(if is_json { Form::Json } else { Form::Plain });
    if is_json {
        for member in members {
            writeln!(out, "{}", member.json())?;
        }
    } else if !members.is_empty() {
        let now = now_millis();
        for line in aligned(members.iter().map(|member| member.row(now)).collect()) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn print_one(member: &Member, is_first: bool, is_json: bool) -> anyhow::Result<()> {
    let mut out = printed(if is_json { Form::Json } else { Form::Plain });
    if is_json {
        writeln!(out, "{}", member.json())?;
        return Ok(());
    }
    if is_first {
        writeln!(out, "{}", in_columns(&table::TITLES.map(str::to_owned)))?;
    }
    writeln!(out, "{}", in_columns(&member.row(now_millis())))?;
    Ok(())
}

/// How many there are stands on standard error, so that the table can go somewhere else.
fn summarize(members: &[Member], options: &Options) {
    if members.is_empty() {
        tell!("{}", options.nobody());
        return;
    }
    let bad = members.iter().filter(|member| member.is_bad()).count();
    tell!("{} shippers, relays and indexers, {bad} silent or with a problem", members.len());
}
