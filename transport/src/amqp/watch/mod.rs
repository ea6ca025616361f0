//! Watching what is published, without being able to lose, hold up or fill anything.
//!
//! Whoever watches has a queue of its own: exclusive, deleted with its connection, and bounded in bytes
//! and age; what does not fit is dropped, and counted by whoever watches. It is not bound to the exchange
//! of the batches. A broker says of a message only whether *some* queue took it (`mandatory`), so one that
//! only a watcher took would count as delivered, and be lost. Instead, senders ask now and then whether
//! anybody watches, and then publish a copy of each message to an exchange beside, which waits for
//! nothing and is confirmed by nobody.

mod copies;
mod watcher;

pub(super) use copies::{Copies, is_about_copies};
pub use watcher::{Sample, WatchedMessage, Watcher};

use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ExchangeKind};
use tracing::debug;

/// Messages are spread over so many shares, of which a watcher may want some.
pub const SHARES: u8 = 16;

/// Makes the exchange of the copies, by whoever may; without it nobody can watch, and that is all.
pub(super) async fn establish(connection: &Connection, exchange: &str) {
    let exchange = exchange_of(exchange);
    let made = async {
        let channel = connection.create_channel().await?;
        declare(&channel, &exchange).await?;
        channel.close(200, "done".into()).await
    };
    if let Err(error) = made.await {
        debug!(%error, exchange, "nobody can watch");
    }
}

async fn declare(channel: &Channel, exchange: &str) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let kind = ExchangeKind::Topic;
    channel.exchange_declare(exchange.into(), kind, options, FieldTable::default()).await
}

/// The exchange of the copies of what is published to `exchange`.
pub(super) fn exchange_of(exchange: &str) -> String {
    format!("{exchange}.watch")
}

/// The routing key of the copy of message `number`: its own, and its share.
fn copy_key(routing_key: &str, number: u64) -> String {
    // Shares are taken in turn, so that each has messages of all times.
    format!("{routing_key}.s{}", number % u64::from(SHARES))
}

/// The routing key of a question whether anybody watches.
const QUESTION: &str = "anybody";
