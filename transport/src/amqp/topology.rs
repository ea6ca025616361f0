//! Exchanges and queues: what they are called, how they are declared, and what it means when
//! someone else declared them differently.
//!
//! `logs` exchange (topic) ─► `index` queue (quorum, bounded, refuses when full)
//! and beside it, for who watches, an exchange of copies (topic)
//! `dead letters` exchange (fanout) ─► `dead letters` queue (quorum)

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

use super::access::{Doing, advice};
use super::{AmqpSettings, TopologyMode, watch};

/// A quorum queue counts a redelivery for each consumer it loses, and RabbitMQ 4 gives up after
/// 20 by default: a restart storm of the indexer would dead-letter good messages. What cannot be
/// decoded is dead-lettered by the indexer at once, so this limit has nothing left to catch.
/// <https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling>
const DELIVERY_LIMIT: i64 = 1_000_000_000;

/// The names and limits of exchanges and queues.
#[derive(Debug, Clone)]
pub struct Topology {
    /// Exchange of the batches.
    pub exchange: String,
    /// Queue of the batches.
    pub queue: String,
    /// Exchange and queue of the dead letters.
    pub dead_letters: String,
    queue_max_bytes: i64,
    mode: TopologyMode,
}

/// Why the topology is not there.
#[derive(thiserror::Error, Debug, Clone)]
pub enum TopologyError {
    /// Someone declared it differently, it is missing, or we may not declare it.
    #[error("{0}")]
    Refused(String),
    /// The connection failed meanwhile.
    #[error("while declaring exchanges and queues: {0}")]
    Lost(#[from] lapin::Error),
}

impl Topology {
    /// The topology that `settings` names.
    pub fn new(settings: &AmqpSettings) -> Self {
        Self {
            exchange: settings.exchange.clone(),
            queue: settings.queue.clone(),
            dead_letters: settings.dead_letters.clone(),
            queue_max_bytes: i64::try_from(settings.queue_max_bytes.0).unwrap_or(i64::MAX),
            mode: settings.topology,
        }
    }

    /// Declares all of it, or checks that it is there.
    ///
    /// # Errors
    /// [`TopologyError::Refused`] names the exchange or queue, what was found and what to do.
    pub async fn establish(&self, connection: &Connection) -> Result<(), TopologyError> {
        // A refusal closes the channel, so declarations have one of their own.
        let channel = connection.create_channel().await?;
        let dead = &self.dead_letters;
        self.exchange(&channel, dead, ExchangeKind::Fanout).await?;
        self.queue(&channel, dead, Self::dead_arguments()).await?;
        self.exchange(&channel, &self.exchange, ExchangeKind::Topic).await?;
        self.queue(&channel, &self.queue, self.queue_arguments()).await?;
        if self.mode == TopologyMode::Declare {
            self.bind(&channel, dead, dead).await?;
            self.bind(&channel, &self.queue, &self.exchange).await?;
        }
        channel.close(200, "done".into()).await?;
        if self.mode == TopologyMode::Declare {
            watch::establish(connection, &self.exchange).await;
        }
        Ok(())
    }

    async fn exchange(
        &self,
        channel: &Channel,
        name: &str,
        kind: ExchangeKind,
    ) -> Result<(), TopologyError> {
        let options = ExchangeDeclareOptions {
            durable: true,
            passive: self.mode == TopologyMode::Passive,
            ..ExchangeDeclareOptions::default()
        };
        channel
            .exchange_declare(name.into(), kind, options, FieldTable::default())
            .await
            .map_err(|error| explain(error, Doing::DeclareExchange, &format!("exchange {name:?}")))
    }

    async fn queue(
        &self,
        channel: &Channel,
        name: &str,
        arguments: FieldTable,
    ) -> Result<(), TopologyError> {
        let options = QueueDeclareOptions {
            durable: true,
            passive: self.mode == TopologyMode::Passive,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(name.into(), options, arguments)
            .await
            .map(|_| ())
            .map_err(|error| explain(error, Doing::DeclareQueue, &format!("queue {name:?}")))
    }

    async fn bind(
        &self,
        channel: &Channel,
        queue: &str,
        exchange: &str,
    ) -> Result<(), TopologyError> {
        channel
            .queue_bind(
                queue.into(),
                exchange.into(),
                "#".into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(|error| {
                explain(
                    error,
                    Doing::Bind,
                    &format!("binding of queue {queue:?} to exchange {exchange:?}"),
                )
            })
    }

    fn queue_arguments(&self) -> FieldTable {
        table([
            ("x-queue-type", text("quorum")),
            ("x-max-length-bytes", AMQPValue::LongLongInt(self.queue_max_bytes)),
            // Refusing is back-pressure; the default would drop the oldest messages.
            ("x-overflow", text("reject-publish")),
            ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
            ("x-dead-letter-exchange", text(&self.dead_letters)),
            // The default strategy may lose messages on their way to the dead letters.
            ("x-dead-letter-strategy", text("at-least-once")),
        ])
    }

    fn dead_arguments() -> FieldTable {
        table([
            ("x-queue-type", text("quorum")),
            ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
        ])
    }
}

fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert(ShortString::from(key), value);
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn explain(error: lapin::Error, doing: Doing, what: &str) -> TopologyError {
    let ErrorKind::ProtocolError(refusal) = error.kind() else {
        return TopologyError::Lost(error);
    };
    let found = refusal.get_message();
    let remedy = match refusal.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => {
            "it was declared differently; use the same amqp.queue_max_bytes everywhere, or other names, or delete it if it is empty and not needed, or set amqp.topology = \"passive\" to take it as it is"
        }
        AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => {
            "it is not there; create it, or set amqp.topology = \"declare\""
        }
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => {
            let lacking = advice(found.as_str(), doing);
            let lacking = lacking.unwrap_or_else(|| {
                "the user may not; grant the permission (rabbitmqctl set_permissions)".to_owned()
            });
            return TopologyError::Refused(format!(
                "{what}: {lacking}; or leave it to a user that may, and set amqp.topology = \"passive\" (the broker says: {found})"
            ));
        }
        _ => return TopologyError::Lost(error),
    };
    TopologyError::Refused(format!("{what}: {remedy} (the broker says: {found})"))
}
