//! Heartbeats beside the messages: on channels of their own, without confirms, and dropped when they
//! cannot go at once. What a broker does with them is of no consequence to the messages.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::protocol::AMQPErrorKind;
use lapin::{Channel, Connection, Error, ErrorKind};
use omphalos_common::heartbeat::is_refused_in;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{debug, info};

use super::super::SenderMetrics;
use super::super::properties::to_properties;
use super::super::watch::exchange_of;
use crate::Message;

/// So many may wait for the one before: those that a relay passes on come in crowds. A shipper has one at a
/// time.
const WAITING: usize = 256;
/// How long none is published after one was refused.
const RESPITE: Duration = Duration::from_mins(5);

/// Where heartbeats are given to a sender; cheap to clone.
#[derive(Debug, Clone)]
pub struct Heartbeats {
    waiting: mpsc::Sender<Message>,
    dropped: Counter,
}

impl Heartbeats {
    /// The way, and where it ends.
    pub(super) fn new(dropped: Counter) -> (Self, mpsc::Receiver<Message>) {
        let (waiting, taken) = mpsc::channel(WAITING);
        (Self { waiting, dropped }, taken)
    }

    /// Publishes a heartbeat, if that can be done now.
    pub fn offer(&self, message: Message) {
        if self.waiting.try_send(message).is_err() {
            self.give_up();
        }
    }

    /// Counts a heartbeat that is dropped before it is offered.
    pub fn give_up(&self) {
        self.dropped.inc();
    }
}

/// Whether this is what a broker says of a heartbeat: it ends the channel of heartbeats, and nothing else.
pub(super) fn is_about_heartbeats(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(refusal)
        if matches!(refusal.kind(), AMQPErrorKind::Soft(_))
            && is_refused_in(refusal.get_message().as_str()))
}

/// Publishes heartbeats on one connection, and ends with it.
pub(super) struct Publishing {
    waiting: mpsc::Sender<Message>,
    dropped: Counter,
    task: JoinHandle<()>,
}

impl Publishing {
    /// On channels of this connection, to this exchange and to that of the copies.
    pub fn start(connection: &Arc<Connection>, exchange: &str, metrics: &SenderMetrics) -> Self {
        let (waiting, taken) = mpsc::channel(WAITING);
        let dropped = metrics.heartbeats_dropped.clone();
        let own = Place::new(exchange.to_owned(), false);
        let places = [own, Place::new(exchange_of(exchange), true)];
        let (connection, metrics) = (Arc::clone(connection), metrics.clone());
        let task = tokio::spawn(publish_all(connection, places, taken, metrics));
        Self { waiting, dropped, task }
    }

    /// Publishes one, unless too many before it have not gone yet; whether it does.
    pub fn offer(&self, message: Message) -> bool {
        self.waiting.try_send(message).is_ok()
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.task.abort();
        let left = self.waiting.max_capacity() - self.waiting.capacity();
        self.dropped.inc_by(left as u64);
    }
}

async fn publish_all(
    connection: Arc<Connection>,
    [mut own, mut copies]: [Place; 2],
    mut taken: mpsc::Receiver<Message>,
    metrics: SenderMetrics,
) {
    // Who only looks at the broker needs the copies, and who indexes the others.
    while let Some(message) = taken.recv().await {
        copies.publish(&connection, &message).await;
        if own.publish(&connection, &message).await {
            metrics.heartbeats_published.inc();
        } else {
            metrics.heartbeats_dropped.inc();
        }
    }
}

/// An exchange that heartbeats are published to.
struct Place {
    exchange: String,
    is_of_copies: bool,
    channel: Option<Channel>,
    /// Nothing is tried before.
    respite: Option<tokio::time::Instant>,
}

impl Place {
    fn new(exchange: String, is_of_copies: bool) -> Self {
        Self { exchange, is_of_copies, channel: None, respite: None }
    }

    async fn publish(&mut self, connection: &Connection, message: &Message) -> bool {
        let now = tokio::time::Instant::now();
        if self.respite.is_some_and(|until| now < until) {
            return false;
        }
        match self.try_to_publish(connection, message).await {
            Ok(()) => true,
            Err(error) => {
                self.channel = None;
                self.respite = Some(now + RESPITE);
                self.say(&error, connection.status().connected());
                false
            }
        }
    }

    /// Who may not publish copies cannot be watched, and that is all.
    fn say(&self, error: &Error, is_connected: bool) {
        let exchange = &self.exchange;
        if is_connected && !self.is_of_copies {
            info!(%error, exchange, "no heartbeats for five minutes: the broker takes none");
        } else {
            debug!(%error, exchange, "a heartbeat was not published");
        }
    }

    async fn try_to_publish(
        &mut self,
        connection: &Connection,
        message: &Message,
    ) -> lapin::Result<()> {
        // The refusal of the one before ended its channel.
        let channel = match self.channel.take() {
            Some(channel) => channel,
            None => connection.create_channel().await?,
        };
        let properties = to_properties(&message.about);
        let properties = match &message.about.id {
            Some(id) => properties.with_message_id(id.as_str().into()),
            None => properties,
        };
        let options = BasicPublishOptions::default();
        let (exchange, key) = (self.exchange.as_str(), message.about.routing_key.as_str());
        let published =
            channel.basic_publish(exchange.into(), key.into(), options, &message.body, properties);
        published.await?;
        self.channel = Some(channel);
        Ok(())
    }
}
