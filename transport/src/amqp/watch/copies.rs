//! The sender's side: whether anybody watches, and copies if so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::protocol::AMQPErrorKind;
use lapin::{BasicProperties, Channel, Confirmation, Connection, Error, ErrorKind};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use super::super::properties::to_properties;
use super::super::{Broker, BrokerLink};
use super::{QUESTION, copy_key, exchange_of};
use crate::Message;

/// How often it is asked whether anybody watches.
const ASK_INTERVAL: Duration = Duration::from_secs(2);
/// How long nobody is asked after the exchange was not there, or we may not publish to it.
const RESPITE: Duration = Duration::from_mins(5);
/// So many copies may wait; more are left out, and missed by whoever watches.
const MOST_WAITING: usize = 32;

/// Copies of what is published on one connection; they end with it. They have a connection of their own,
/// as long as somebody watches: a broker holds up whole connections.
pub struct Copies {
    copies: mpsc::Sender<Copy>,
    is_watched: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

struct Copy {
    message: Message,
    id: String,
    number: u64,
}

impl Copies {
    /// Begins to ask on a channel of `connection`.
    pub fn start(connection: &Arc<Connection>, broker: &Arc<Broker>, exchange: &str) -> Self {
        let (copies, waiting) = mpsc::channel(MOST_WAITING);
        let is_watched = Arc::new(AtomicBool::new(false));
        let publisher = Publisher {
            broker: Arc::clone(broker),
            exchange: exchange_of(exchange),
            is_watched: Arc::clone(&is_watched),
        };
        let connection = Arc::clone(connection);
        let task = tokio::spawn(async move { publisher.run(&connection, waiting).await });
        Self { copies, is_watched, task }
    }

    /// Passes a copy of a message on, if anybody watches and can keep up.
    pub fn offer(&self, message: &Message, id: &str, number: u64) {
        if self.is_watched.load(Ordering::Relaxed) {
            let copy = Copy { message: message.clone(), id: id.to_owned(), number };
            // Whoever watches sees by the numbers that one is missing.
            drop(self.copies.try_send(copy));
        }
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether this is what a broker says of the exchange of copies: it ends the channel that asks, and
/// nothing else.
pub fn is_about_copies(error: &Error, exchange: &str) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(refusal)
        if matches!(refusal.kind(), AMQPErrorKind::Soft(_))
            && refusal.get_message().as_str().contains(&format!("'{}'", exchange_of(exchange))))
}

struct Publisher {
    broker: Arc<Broker>,
    exchange: String,
    is_watched: Arc<AtomicBool>,
}

impl Publisher {
    async fn run(&self, connection: &Connection, mut waiting: mpsc::Receiver<Copy>) {
        while connection.status().connected() {
            if let Err(error) = self.serve(connection, &mut waiting).await {
                debug!(%error, exchange = self.exchange, "nobody can watch for a while");
            }
            self.is_watched.store(false, Ordering::Relaxed);
            tokio::time::sleep(RESPITE).await;
        }
    }

    /// Asks, and publishes copies, until it may not ask any more.
    async fn serve(
        &self,
        connection: &Connection,
        waiting: &mut mpsc::Receiver<Copy>,
    ) -> lapin::Result<()> {
        let asking = connection.create_channel().await?;
        asking.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut questions = interval(ASK_INTERVAL);
        questions.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut link = None;
        loop {
            tokio::select! {
                _ = questions.tick() => {
                    link = if self.ask(&asking).await? { self.linked(link).await } else { None };
                }
                copy = waiting.recv() => {
                    let Some(copy) = copy else { return Ok(()) };
                    if let Some((_, channel)) = &link
                        && let Err(error) = self.copy(channel, &copy).await
                    {
                        debug!(%error, "a copy was not published");
                        link = None;
                    }
                }
            }
            self.is_watched.store(link.is_some(), Ordering::Relaxed);
        }
    }

    /// The connection of the copies; `None` where there is none now.
    async fn linked(&self, link: Option<(BrokerLink, Channel)>) -> Option<(BrokerLink, Channel)> {
        if link.as_ref().is_some_and(|(_, channel)| channel.status().connected()) {
            return link;
        }
        let link = self.broker.connect().await.ok()?;
        let channel = link.connection.create_channel().await.ok()?;
        Some((link, channel))
    }

    /// Whether anybody watches: a message without content comes back where nobody does.
    async fn ask(&self, channel: &Channel) -> lapin::Result<bool> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let exchange = self.exchange.as_str().into();
        let properties = BasicProperties::default();
        let asked = channel.basic_publish(exchange, QUESTION.into(), options, b"", properties);
        let confirmed = asked.await?.await?;
        Ok(matches!(confirmed, Confirmation::Ack(None)))
    }

    async fn copy(&self, channel: &Channel, copy: &Copy) -> lapin::Result<()> {
        let Copy { message, id, number } = copy;
        let key = copy_key(&message.about.routing_key, *number);
        let properties = to_properties(&message.about).with_message_id(id.as_str().into());
        let options = BasicPublishOptions::default();
        let exchange = self.exchange.as_str().into();
        let published =
            channel.basic_publish(exchange, key.into(), options, &message.body, properties);
        published.await.map(drop)
    }
}
