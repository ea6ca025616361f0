//! Dead letters: what Elasticsearch will never take, and messages that are not what they say, kept
//! with the reason in a queue of their own, or in a file where there is no broker.
//!
//! A dead letter's body is the document, or the message as it came. Its headers, all text, are
//! named here; `omphalos dead` reads them and can replay what is in the queue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use omphalos_common::retry::Retry;
use omphalos_transport::amqp::{
    AMQPValue, BasicProperties, FieldTable, Message, Sender, ShortString,
};
use omphalos_transport::dead_letter::{self as header, Header};
use omphalos_transport::wire::CONTENT_TYPE_JSON;
use tracing::{error, warn};

use super::dead_file::{DeadFile, Line};
use super::elasticsearch::{DeliveryId, Filing, Problem};

/// Where a delivery came from.
#[derive(Debug, Clone, Default)]
pub struct Came {
    /// The exchange it was published to.
    pub exchange: String,
    /// The routing key it was published with.
    pub routing_key: String,
    /// Its properties; content type and encoding are kept where the message is stored as it came.
    pub properties: BasicProperties,
}

/// A document, or a whole message, to be stored.
#[derive(Debug)]
pub struct Letter {
    /// Which delivery it came with.
    pub delivery: DeliveryId,
    /// Where it was to be filed; `None` for a whole message.
    pub filing: Option<Filing>,
    /// Its id; `None` for a whole message.
    pub id: Option<String>,
    /// The document, or the message as it came.
    pub body: Bytes,
    /// Why.
    pub problem: Problem,
}

/// Where dead letters are kept.
#[derive(Debug)]
enum Store {
    Queue(Sender),
    File(DeadFile),
}

/// What became of dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// They are kept.
    Kept,
    /// The file has no room for them, and they are dropped.
    Dropped,
    /// They are not kept, because the process is ending.
    GivenUp,
}

/// The dead letters.
#[derive(Debug)]
pub struct DeadLetters {
    store: Store,
    came: Mutex<HashMap<DeliveryId, Arc<Came>>>,
}

impl DeadLetters {
    /// Dead letters that go to the queue, through `sender`.
    pub fn in_queue(sender: Sender) -> Self {
        Self { store: Store::Queue(sender), came: Mutex::default() }
    }

    /// Dead letters that go to a file.
    pub fn in_file(file: DeadFile) -> Self {
        Self { store: Store::File(file), came: Mutex::default() }
    }

    /// Remembers where a delivery came from, until [`Self::forget`].
    pub fn remember(&self, delivery: DeliveryId, came: Came) {
        self.came().insert(delivery, Arc::new(came));
    }

    /// The delivery is dealt with.
    pub fn forget(&self, delivery: DeliveryId) {
        self.came().remove(&delivery);
    }

    /// All deliveries go back to the broker.
    pub fn forget_all(&self) {
        self.came().clear();
    }

    fn came(&self) -> MutexGuard<'_, HashMap<DeliveryId, Arc<Came>>> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores letters, and waits until they are safe.
    pub async fn store(&self, letters: Vec<Letter>) -> Stored {
        let with_origin = letters.into_iter().map(|letter| {
            let came = self.came().get(&letter.delivery).cloned().unwrap_or_default();
            (letter, came)
        });
        let letters: Vec<(Letter, Arc<Came>)> = with_origin.collect();
        match &self.store {
            Store::Queue(sender) => publish(sender, letters).await,
            Store::File(file) => write(file, &letters).await,
        }
    }
}

async fn publish(sender: &Sender, letters: Vec<(Letter, Arc<Came>)>) -> Stored {
    let mut receipts = Vec::new();
    for (letter, came) in letters {
        receipts.push(sender.send(message(letter, &came)).await);
    }
    for receipt in receipts {
        if !receipt.await {
            return Stored::GivenUp;
        }
    }
    Stored::Kept
}

/// Writes letters into the file, for as long as that takes. They are few: what little it blocks
/// does not matter.
async fn write(file: &DeadFile, letters: &[(Letter, Arc<Came>)]) -> Stored {
    let line = |(letter, came): &'_ (Letter, Arc<Came>)| {
        let named = headers(letter, came).into_iter().map(|(name, value)| (name.0, value));
        named.collect()
    };
    let lines: Vec<Line<'_>> =
        letters.iter().map(|with| Line { headers: line(with), body: &with.0.body }).collect();
    let mut retry = Retry::new(Duration::from_millis(200), Duration::from_secs(15));
    loop {
        match file.append(&lines) {
            Ok(true) => return Stored::Kept,
            Ok(false) => {
                error!(
                    letters = lines.len(),
                    "{} is full, dead letters are dropped; look at them, then move the file away",
                    file.path().display()
                );
                return Stored::Dropped;
            }
            Err(error) => {
                warn!(%error, "cannot write {}; trying again, for ever", file.path().display());
                tokio::time::sleep(retry.next_wait()).await;
            }
        }
    }
}

/// All that is said about a letter.
fn headers(letter: &Letter, came: &Came) -> Vec<(Header, String)> {
    let mut headers = vec![
        (header::STATUS, letter.problem.status.to_string()),
        (header::TYPE, letter.problem.kind.clone()),
        (header::REASON, letter.problem.reason.clone()),
        (header::EXCHANGE, came.exchange.clone()),
        (header::ROUTING_KEY, came.routing_key.clone()),
        (header::AT, crate::now_seconds().to_string()),
    ];
    if let Some(message_id) = came.properties.message_id() {
        headers.push((header::MESSAGE_ID, message_id.as_str().to_owned()));
    }
    if let (Some(filing), Some(id)) = (&letter.filing, &letter.id) {
        headers.push((header::ID, id.clone()));
        headers.push((header::INDEX, filing.index.to_string()));
        headers.push((header::DATASET, filing.dataset.to_string()));
        headers.extend(filing.day.map(|day| (header::DAY, day.to_string())));
        headers.extend(filing.made_at.map(|at| (header::MADE_AT, at.to_string())));
    }
    headers
}

fn message(letter: Letter, came: &Came) -> Message {
    let mut table = FieldTable::default();
    for (name, value) in headers(&letter, came) {
        table.insert(ShortString::from(name.0), AMQPValue::LongString(value.into()));
    }
    let mut properties = BasicProperties::default();
    if letter.id.is_some() {
        properties = properties.with_content_type(CONTENT_TYPE_JSON.into());
    } else {
        if let Some(kind) = came.properties.content_type() {
            properties = properties.with_content_type(kind.clone());
        }
        if let Some(encoding) = came.properties.content_encoding() {
            properties = properties.with_content_encoding(encoding.clone());
        }
    }
    let properties = properties.with_headers(table).with_app_id("omphalos-indexer".into());
    Message { routing_key: came.routing_key.clone(), properties, body: letter.body }
}
