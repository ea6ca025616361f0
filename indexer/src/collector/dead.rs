//! Dead letters: what Elasticsearch will never take, and messages that are not what they say, kept
//! in a queue of their own with the reason.
//!
//! A dead letter's body is the document, or the message as it came. Its headers, all text, are
//! named here; `omphalos dead` reads them and can replay what is in the queue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use omphalos_common::transport::amqp::{
    AMQPValue, BasicProperties, FieldTable, Message, Sender, ShortString,
};
use omphalos_common::transport::dead_letter::{self as header, Header};
use omphalos_common::transport::wire::CONTENT_TYPE_JSON;

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

/// The queue of dead letters.
#[derive(Debug)]
pub struct DeadLetters {
    sender: Sender,
    came: Mutex<HashMap<DeliveryId, Arc<Came>>>,
}

impl DeadLetters {
    /// Dead letters that go through `sender`.
    pub fn new(sender: Sender) -> Self {
        Self { sender, came: Mutex::default() }
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

    /// Stores letters; `true` when the broker has confirmed all of them.
    pub async fn store(&self, letters: Vec<Letter>) -> bool {
        let mut receipts = Vec::new();
        for letter in letters {
            let came = self.came().get(&letter.delivery).cloned().unwrap_or_default();
            receipts.push(self.sender.send(message(letter, &came)).await);
        }
        for receipt in receipts {
            if !receipt.await {
                return false;
            }
        }
        true
    }
}

fn message(letter: Letter, came: &Came) -> Message {
    let Letter { filing, id, body, problem, .. } = letter;
    let mut headers = Headers(FieldTable::default());
    headers.set(header::STATUS, problem.status.to_string());
    headers.set(header::TYPE, problem.kind);
    headers.set(header::REASON, problem.reason);
    headers.set(header::EXCHANGE, came.exchange.clone());
    headers.set(header::ROUTING_KEY, came.routing_key.clone());
    headers.set(header::AT, crate::now_seconds().to_string());
    if let Some(message_id) = came.properties.message_id() {
        headers.set(header::MESSAGE_ID, message_id.as_str().to_owned());
    }
    let mut properties = BasicProperties::default();
    if let (Some(filing), Some(id)) = (filing, id) {
        headers.set(header::ID, id);
        headers.set(header::INDEX, filing.index.to_string());
        headers.set(header::DATASET, filing.dataset.to_string());
        if let Some(day) = filing.day {
            headers.set(header::DAY, day.to_string());
        }
        if let Some(made_at) = filing.made_at {
            headers.set(header::MADE_AT, made_at.to_string());
        }
        properties = properties.with_content_type(CONTENT_TYPE_JSON.into());
    } else {
        if let Some(kind) = came.properties.content_type() {
            properties = properties.with_content_type(kind.clone());
        }
        if let Some(encoding) = came.properties.content_encoding() {
            properties = properties.with_content_encoding(encoding.clone());
        }
    }
    let properties = properties.with_headers(headers.0).with_app_id("omphalos-indexer".into());
    Message { routing_key: came.routing_key.clone(), properties, body }
}

struct Headers(FieldTable);

impl Headers {
    fn set(&mut self, header: Header, value: String) {
        self.0.insert(ShortString::from(header.0), AMQPValue::LongString(value.into()));
    }
}
