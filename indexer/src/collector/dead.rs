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
use omphalos_transport::amqp::AmqpSender;
use omphalos_transport::dead_letter::{self as header, Header};
use omphalos_transport::wire::CONTENT_TYPE_JSON;
use omphalos_transport::{About, Message};
use tracing::{error, warn};

use super::dead_file::{DeadFile, Line};
use super::{DeliveryId, Filing};
use crate::elasticsearch::Problem;

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
    /// Why it was refused.
    pub problem: Problem,
}

/// Where dead letters are kept.
#[derive(Debug)]
enum Store {
    Queue(AmqpSender),
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

/// Stores dead letters, in the queue or in the file.
#[derive(Debug)]
pub struct DeadLetters {
    store: Store,
    origins: Mutex<HashMap<DeliveryId, Arc<About>>>,
}

impl DeadLetters {
    /// Dead letters that go to the queue, through `sender`.
    pub fn in_queue(sender: AmqpSender) -> Self {
        Self { store: Store::Queue(sender), origins: Mutex::default() }
    }

    /// Dead letters that go to a file.
    pub fn in_file(file: DeadFile) -> Self {
        Self { store: Store::File(file), origins: Mutex::default() }
    }

    /// Remembers where a delivery came from, until [`Self::forget`].
    pub fn remember(&self, delivery: DeliveryId, origin: About) {
        self.origins().insert(delivery, Arc::new(origin));
    }

    /// Forgets where a delivery came from, because it is answered.
    pub fn forget(&self, delivery: DeliveryId) {
        self.origins().remove(&delivery);
    }

    /// All deliveries go back to the broker.
    pub fn forget_all(&self) {
        self.origins().clear();
    }

    fn origins(&self) -> MutexGuard<'_, HashMap<DeliveryId, Arc<About>>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores letters, and waits until they are safe.
    pub async fn store(&self, letters: Vec<Letter>) -> Stored {
        let with_origin = letters.into_iter().map(|letter| {
            // What came as datagrams comes from no exchange, and nothing is remembered of it.
            let origin = self.origins().get(&letter.delivery).cloned().unwrap_or_default();
            (letter, origin)
        });
        let letters: Vec<(Letter, Arc<About>)> = with_origin.collect();
        match &self.store {
            Store::Queue(sender) => publish(sender, letters).await,
            Store::File(file) => write(file, &letters).await,
        }
    }
}

async fn publish(sender: &AmqpSender, letters: Vec<(Letter, Arc<About>)>) -> Stored {
    let mut receipts = Vec::new();
    for (letter, origin) in letters {
        receipts.push(sender.send(message(letter, &origin)).await);
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
async fn write(file: &DeadFile, letters: &[(Letter, Arc<About>)]) -> Stored {
    let line = |(letter, origin): &'_ (Letter, Arc<About>)| {
        let named = headers(letter, origin).into_iter().map(|(name, value)| (name.0, value));
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
fn headers(letter: &Letter, origin: &About) -> Vec<(Header, String)> {
    let mut headers = vec![
        (header::STATUS, letter.problem.status.to_string()),
        (header::TYPE, letter.problem.kind.clone()),
        (header::REASON, letter.problem.reason.clone()),
        (header::EXCHANGE, origin.exchange.clone()),
        (header::ROUTING_KEY, origin.routing_key.clone()),
        (header::AT, omphalos_common::clock::now_seconds().to_string()),
    ];
    if let Some(id) = &origin.id {
        headers.push((header::MESSAGE_ID, id.clone()));
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

fn message(letter: Letter, origin: &About) -> Message {
    let named = headers(&letter, origin).into_iter().map(|(name, value)| (name.0.into(), value));
    let is_document = letter.id.is_some();
    let (content_type, content_encoding) = if is_document {
        (Some(CONTENT_TYPE_JSON.into()), None)
    } else {
        (origin.content_type.clone(), origin.content_encoding.clone())
    };
    let about = About {
        routing_key: origin.routing_key.clone(),
        content_type,
        content_encoding,
        app: Some("omphalos-indexer".into()),
        headers: named.collect(),
        ..About::default()
    };
    Message { body: letter.body, about }
}
