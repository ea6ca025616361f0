//! Dead letters in the broker's queue.

use std::io::Write;

use clap::ArgMatches;
use omphalos_common::printed::{Form, printed};
use omphalos_common::program::complain;
use omphalos_transport::amqp::{AmqpSettings, Broker, DeadQueue, Replayed, Topology};

use super::letter::{List, Selection, show};

/// Does with them what is asked for.
///
/// # Errors
/// When the broker cannot be asked, or not all could be done.
pub async fn run(
    settings: &AmqpSettings,
    action: &str,
    selection: &Selection,
    given: &ArgMatches,
) -> anyhow::Result<()> {
    let broker = Broker::new(settings, "omphalos dead")?;
    let mut queue = DeadQueue::open(&broker, Topology::new(settings)).await?;
    let done = match action {
        "list" => list(&mut queue, selection, List::of(given)).await,
        "show" => show_them(&mut queue, selection).await,
        "replay" => replay(&mut queue, selection).await,
        _ => drop_them(&mut queue, selection).await,
    };
    // However it went: what was published and not taken out would be published once more.
    let closed = queue.close().await;
    done?;
    Ok(closed?)
}

async fn list(queue: &mut DeadQueue, selection: &Selection, mut list: List) -> anyhow::Result<()> {
    let mut out = printed(list.form());
    while list.has_room()
        && let Some(message) = queue.next().await?
    {
        if selection.has(&message) {
            list.add(&mut out, &message)?;
        }
    }
    Ok(list.end(&mut out, queue.left().into())?)
}

async fn show_them(queue: &mut DeadQueue, selection: &Selection) -> anyhow::Result<()> {
    let mut out = printed(Form::Json);
    while let Some(message) = queue.next().await? {
        if selection.has(&message) {
            show(&mut out, &message)?;
        }
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
                complain("omphalos", &reason);
            }
            Err(error) => break Err(error),
        }
    };
    writeln!(
        printed(Form::Plain),
        "{published} dead letters published again; those that are refused once more come back"
    )?;
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
    writeln!(printed(Form::Plain), "{count} dead letters dropped")?;
    Ok(())
}
