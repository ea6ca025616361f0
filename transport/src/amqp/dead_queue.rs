//! Going through the queue of dead letters by hand: looking, publishing again, dropping.

use std::str::FromStr;

use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel};

use super::access::{Doing, lacking};
use super::{Broker, BrokerLink, Topology};
use crate::dead_letter::{self as header, Header};
use crate::wire;

/// The queue of dead letters. What was looked at and not dealt with goes back when this is dropped.
pub struct DeadQueue {
    link: BrokerLink,
    channel: Channel,
    topology: Topology,
    left: u32,
}

/// A dead letter.
pub struct DeadMessage(Delivery);

/// What became of a dead letter that was to be published again.
#[derive(Debug)]
pub enum Replayed {
    /// The broker has confirmed it, and it is out of the queue.
    Published,
    /// It cannot be published as it was, and stays in the queue; why. The others may be.
    Refused(String),
}

/// Why a dead letter could not be read, published or dropped.
#[derive(thiserror::Error, Debug)]
#[error("{0}")]
pub struct DeadQueueError(String);

impl DeadQueueError {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    fn while_doing(error: lapin::Error, doing: Doing) -> Self {
        lacking(&error, doing).map_or_else(|| Self::from(error), Self)
    }
}

impl From<lapin::Error> for DeadQueueError {
    fn from(error: lapin::Error) -> Self {
        Self(format!("the connection to the broker failed: {error}"))
    }
}

impl DeadQueue {
    /// Connects to the first broker that answers.
    ///
    /// # Errors
    /// When none does, or the queue is not there.
    pub async fn open(broker: &Broker, topology: Topology) -> Result<Self, DeadQueueError> {
        let mut problem = String::new();
        for turn in 0..broker.url_count() {
            match broker.connect_nth(turn).await {
                Ok(link) => return Self::on(link, topology).await,
                Err(error) => problem = error.to_string(),
            }
        }
        Err(DeadQueueError(problem))
    }

    async fn on(link: BrokerLink, topology: Topology) -> Result<Self, DeadQueueError> {
        let channel = link.connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let options =
            QueueDeclareOptions { durable: true, passive: true, ..QueueDeclareOptions::default() };
        let queue = topology.dead_letters.as_str();
        let declared = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        let left = declared
            .map_err(|error| DeadQueueError(format!("{}: queue {queue:?}: {error}", link.shown)))?
            .message_count();
        Ok(Self { link, channel, topology, left })
    }

    /// How many dead letters there were, less those looked at.
    pub fn left(&self) -> u32 {
        self.left
    }

    /// The next dead letter; `None` after the last one there was at the beginning.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn next(&mut self) -> Result<Option<DeadMessage>, DeadQueueError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let queue = self.topology.dead_letters.as_str().into();
        let got = self.channel.basic_get(queue, BasicGetOptions::default()).await;
        let got = got.map_err(|error| DeadQueueError::while_doing(error, Doing::Consume))?;
        Ok(got.map(|message| DeadMessage(message.delivery)))
    }

    /// Publishes a dead letter again, so that it is indexed with the same id into the same index,
    /// and takes it out of the queue once the broker has confirmed that.
    ///
    /// # Errors
    /// When the broker does not take it, as it would take no other; it then stays in the queue.
    pub async fn replay(&self, message: DeadMessage) -> Result<Replayed, DeadQueueError> {
        let (body, mut properties) = match message.as_sent() {
            Ok(sent) => sent,
            Err(DeadQueueError(reason)) => return Ok(Replayed::Refused(reason)),
        };
        if let Some(user) = &self.link.user {
            properties = properties.with_user_id(user.as_str().into());
        }
        let exchange = self.topology.exchange.as_str();
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let key = message.header(header::ROUTING_KEY).unwrap_or("replay");
        let published =
            self.channel.basic_publish(exchange.into(), key.into(), options, &body, properties);
        let refused = |error| DeadQueueError::while_doing(error, Doing::Publish);
        let confirmation = published.await.map_err(refused)?.await.map_err(refused)?;
        if !confirmation.is_ack() {
            return Err(DeadQueueError(format!(
                "the broker refuses messages to exchange {exchange:?}; is the queue full?"
            )));
        }
        if confirmation.take_message().is_some() {
            return Err(DeadQueueError(format!("exchange {exchange:?} routes to no queue")));
        }
        self.remove(message).await?;
        Ok(Replayed::Published)
    }

    /// Takes a dead letter out of the queue for good.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn remove(&self, message: DeadMessage) -> Result<(), DeadQueueError> {
        message.0.acker.ack(BasicAckOptions::default()).await?;
        Ok(())
    }

    /// Closes the connection in good order, so that acknowledgements are not lost.
    ///
    /// # Errors
    /// When it fails meanwhile.
    pub async fn close(self) -> Result<(), DeadQueueError> {
        self.link.connection.close(200, "done".into()).await?;
        Ok(())
    }
}

impl DeadMessage {
    /// The text of a header.
    pub fn header(&self, header: Header) -> Option<&str> {
        let headers = self.0.properties.headers().as_ref()?;
        match headers.inner().get(header.0)? {
            AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
            AMQPValue::ShortString(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The document, or the message as it came.
    pub fn body(&self) -> &[u8] {
        &self.0.data
    }

    /// Content type of the body.
    pub fn content_type(&self) -> Option<&str> {
        self.0.properties.content_type().as_ref().map(ShortString::as_str)
    }

    /// The number in a header, if it is there.
    fn number<N: FromStr>(&self, header: Header) -> Result<Option<N>, DeadQueueError> {
        let headers = self.0.properties.headers().as_ref();
        let Some(value) = headers.and_then(|headers| headers.inner().get(header.0)) else {
            return Ok(None);
        };
        let number = self.header(header).and_then(|text| text.parse().ok());
        number.map(Some).ok_or_else(|| {
            let found = match self.header(header) {
                Some(text) => format!("{text:?}"),
                None => format!("{value:?}"),
            };
            self.garbled(&format!("its header {} is {found}, expected a number as text", header.0))
        })
    }

    /// Why this letter is not published again.
    fn garbled(&self, what: &str) -> DeadQueueError {
        let named = |header| self.header(header).unwrap_or("(none)");
        DeadQueueError(format!(
            "the dead letter with id {} of dataset {}, message {}: {what}; it would be filed elsewhere than before, so it is not published and stays in the queue: look at it with omphalos dead show, and take it out with omphalos dead drop",
            named(header::ID),
            named(header::DATASET),
            named(header::MESSAGE_ID)
        ))
    }

    /// The message that it was: for a document, one with the same id, dataset and day.
    fn as_sent(&self) -> Result<(Vec<u8>, BasicProperties), DeadQueueError> {
        let properties = BasicProperties::default().with_delivery_mode(2);
        match (self.header(header::ID), self.header(header::DATASET)) {
            (Some(id), Some(dataset)) => {
                // A document without a time was filed as an outlier, and so is the year -5,877,641.
                let day = self.number(header::DAY)?.unwrap_or(i32::MIN);
                let made_at = match self.number(header::MADE_AT)? {
                    Some(made_at) => made_at,
                    None => self.number(header::AT)?.unwrap_or(0),
                };
                let filing = wire::SingleFiling { id, dataset, day, made_at };
                let body = wire::encode_single(&filing, self.body());
                Ok((body, properties.with_content_type(wire::CONTENT_TYPE_BATCH.into())))
            }
            (None, None) => Ok((self.body().to_vec(), self.as_it_came(properties))),
            _ => Err(self.garbled("it has one of an id and a dataset, expected both or none")),
        }
    }

    /// `properties` with what the message said of itself.
    fn as_it_came(&self, mut properties: BasicProperties) -> BasicProperties {
        let original = &self.0.properties;
        if let Some(kind) = original.content_type() {
            properties = properties.with_content_type(kind.clone());
        }
        if let Some(encoding) = original.content_encoding() {
            properties = properties.with_content_encoding(encoding.clone());
        }
        if let Some(id) = self.header(header::MESSAGE_ID) {
            properties = properties.with_message_id(id.into());
        }
        properties
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A letter with these headers.
    fn letter(headers: &[(Header, AMQPValue)]) -> DeadMessage {
        let mut delivery = Delivery::mock(0, "".into(), "".into(), false, b"{}".to_vec());
        let mut table = FieldTable::default();
        for (header, value) in headers {
            table.insert(header.0.into(), value.clone());
        }
        delivery.properties = BasicProperties::default().with_headers(table);
        DeadMessage(delivery)
    }

    fn text(text: &str) -> AMQPValue {
        AMQPValue::LongString(text.into())
    }

    #[test]
    fn a_letter_whose_filing_is_garbled_is_refused_by_name() {
        let (id, dataset) = ((header::ID, text("abc")), (header::DATASET, text("access")));
        let sound = [
            vec![],
            vec![id.clone(), dataset.clone()],
            vec![id.clone(), dataset.clone(), (header::DAY, text("-3")), (header::AT, text("5"))],
        ];
        for headers in &sound {
            assert!(letter(headers).as_sent().is_ok(), "{headers:?}");
        }
        let garbled = [
            vec![id.clone()],
            vec![dataset.clone()],
            vec![id.clone(), dataset.clone(), (header::DAY, text("monday"))],
            vec![id.clone(), dataset.clone(), (header::DAY, text("2147483648"))],
            vec![id.clone(), dataset.clone(), (header::DAY, AMQPValue::LongInt(7))],
            vec![id.clone(), dataset.clone(), (header::MADE_AT, text(""))],
            vec![id.clone(), dataset.clone(), (header::AT, text("?"))],
        ];
        for headers in &garbled {
            assert!(letter(headers).as_sent().is_err(), "{headers:?}");
        }
        let error = letter(&garbled[2]).as_sent().unwrap_err().to_string();
        assert!(
            error.starts_with(
                "the dead letter with id abc of dataset access, message (none): its header x-omphalos-day is \"monday\", expected a number as text;"
            ),
            "{error}"
        );
    }
}
