//! The watcher's side: a queue of its own, and what was missed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, Consumer};
use omphalos_common::heartbeat;
use omphalos_common::retry::Retry;
use omphalos_common::telemetry::Health;
use tokio::sync::mpsc;

use super::super::properties::from_properties;
use super::super::{AmqpSettings, Broker};
use super::{QUESTION, SHARES, declare, exchange_of};
use crate::Message;

/// The queue holds so many bytes; the oldest are dropped.
const MOST_BYTES: i64 = 32 << 20;
/// Older messages are dropped: what is watched is now.
const MOST_AGE: Duration = Duration::from_secs(10);
/// Deliveries under way.
const PREFETCH: u16 = 64;
/// So many are acknowledged at once.
const ACKNOWLEDGE_EACH: u64 = 16;
/// Senders that are told apart; a fleet has not more at a time.
const MOST_SENDERS: usize = 100_000;
/// Between two attempts to connect.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The name of the watcher in [`Health`].
const PART: &str = "watching";

/// Which share of the messages is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample(u8);

impl Sample {
    /// All messages.
    pub const ALL: Self = Self(SHARES);
    /// No messages, only heartbeats, which are always there: no sender makes copies for it.
    pub const HEARTBEATS: Self = Self(0);

    /// So many of [`SHARES`]; `None` for none of them, or more.
    pub fn of(shares: u8) -> Option<Self> {
        (1..=SHARES).contains(&shares).then_some(Self(shares))
    }

    fn keys(self) -> Vec<String> {
        match self {
            Self::ALL => vec!["#".to_owned()],
            Self(shares) => {
                let shares = (0..shares).map(|share| format!("#.s{share}"));
                shares.chain([heartbeat::routing_pattern()]).collect()
            }
        }
    }
}

/// A message that was published, or a copy of it.
#[derive(Debug)]
pub struct WatchedMessage {
    /// The message.
    pub message: Message,
    /// How many of the same sender are missing before it.
    pub missed: u64,
}

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    messages: mpsc::Receiver<WatchedMessage>,
    connects: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Watcher {
    /// Begins to watch what is published to the exchange of `settings`. What hinders it is said to
    /// `health`.
    pub fn start(
        broker: Arc<Broker>,
        settings: &AmqpSettings,
        sample: Sample,
        health: Health,
    ) -> Self {
        let (sender, messages) = mpsc::channel(1);
        let connects = Arc::new(AtomicU64::new(0));
        let watching = Watching {
            broker,
            exchange: exchange_of(&settings.exchange),
            sample,
            health,
            messages: sender,
            connects: Arc::clone(&connects),
            numbers: Numbers::default(),
        };
        Self { messages, connects, task: tokio::spawn(watching.run()) }
    }

    /// The next message; `None` never, in practice.
    pub async fn next(&mut self) -> Option<WatchedMessage> {
        self.messages.recv().await
    }

    /// How often it was connected.
    pub fn connects(&self) -> u64 {
        self.connects.load(Ordering::Relaxed)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Watching {
    broker: Arc<Broker>,
    exchange: String,
    sample: Sample,
    health: Health,
    messages: mpsc::Sender<WatchedMessage>,
    connects: Arc<AtomicU64>,
    numbers: Numbers,
}

impl Watching {
    async fn run(mut self) {
        let mut retry = Retry::new(Duration::from_millis(200), LONGEST_WAIT);
        while !self.messages.is_closed() {
            let reason = match self.broker.connect().await {
                Ok(link) => match self.watch(&link.connection).await {
                    Ok(()) => return,
                    Err(error) => format!("{}: {error}", link.shown),
                },
                Err(error) => error.to_string(),
            };
            self.health.problem(PART, reason);
            // What was published meanwhile was seen by nobody, and is not counted.
            self.numbers = Numbers::default();
            tokio::time::sleep(retry.next_wait()).await;
        }
    }

    /// Watches until nobody wants it any more.
    async fn watch(&mut self, connection: &Connection) -> lapin::Result<()> {
        let channel = connection.create_channel().await?;
        let mut consumer = self.queue(&channel).await?;
        self.health.well(PART);
        self.connects.fetch_add(1, Ordering::Relaxed);
        let mut seen = 0;
        while let Some(delivery) = consumer.next().await {
            let delivery = delivery?;
            seen += 1;
            if seen % ACKNOWLEDGE_EACH == 0 {
                let all = BasicAckOptions { multiple: true };
                delivery.acker.ack(all).await?;
            }
            if delivery.routing_key.as_str() == QUESTION {
                continue;
            }
            let watched = self.watched(delivery);
            if self.messages.send(watched).await.is_err() {
                return Ok(());
            }
        }
        Err(std::io::Error::other("the queue is gone").into())
    }

    async fn queue(&self, channel: &Channel) -> lapin::Result<Consumer> {
        let name = || self.exchange.as_str().into();
        declare(channel, &self.exchange).await?;
        let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
        let queue = channel.queue_declare("".into(), own, limits()).await?;
        let queue = queue.name().clone();
        for key in self.sample.keys() {
            let options = QueueBindOptions::default();
            channel
                .queue_bind(queue.clone(), name(), key.into(), options, FieldTable::default())
                .await?;
        }
        if self.sample != Sample::ALL && self.sample != Sample::HEARTBEATS {
            // Senders are to know that somebody watches.
            let options = QueueBindOptions::default();
            let key = QUESTION.into();
            channel.queue_bind(queue.clone(), name(), key, options, FieldTable::default()).await?;
        }
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions { exclusive: true, ..Default::default() };
        channel.basic_consume(queue, "watch".into(), options, FieldTable::default()).await
    }

    fn watched(&mut self, delivery: Delivery) -> WatchedMessage {
        let Delivery { exchange, routing_key, properties, data, .. } = delivery;
        let about = from_properties(&properties, exchange.as_str(), routing_key.as_str());
        let id = about.id.as_deref().unwrap_or_default();
        // A heartbeat has no copy, and those that are dropped are nobody's loss.
        let missed = if heartbeat::is_routed_so(&about.routing_key) {
            0
        } else {
            self.numbers.missed_before(id, self.sample)
        };
        WatchedMessage { message: Message { body: data.into(), about }, missed }
    }
}

/// Bounded in bytes and age; the oldest are dropped, which is how queues are unless they say otherwise.
/// <https://www.rabbitmq.com/docs/maxlength#overflow-behaviour>
fn limits() -> FieldTable {
    let mut table = FieldTable::default();
    let age = i64::try_from(MOST_AGE.as_millis()).unwrap_or(i64::MAX);
    table.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(MOST_BYTES));
    table.insert("x-message-ttl".into(), AMQPValue::LongLongInt(age));
    table
}

/// The number of the newest message of each sender.
#[derive(Debug, Default)]
struct Numbers(HashMap<Box<str>, u64>);

impl Numbers {
    /// How many are missing between the one before and this one, whose id is that of a message: the
    /// sender's prefix and a number, which counts up.
    fn missed_before(&mut self, id: &str, sample: Sample) -> u64 {
        let Some((prefix, number)) = id.rsplit_once('-') else { return 0 };
        let Ok(number) = number.parse::<u64>() else { return 0 };
        match self.0.get_mut(prefix) {
            Some(last) if number > *last => {
                let missed = sample.count(*last + 1, number);
                *last = number;
                missed
            }
            // A message that is sent once more has its old number.
            Some(_) => 0,
            None => {
                if self.0.len() >= MOST_SENDERS {
                    self.0.clear();
                }
                self.0.insert(prefix.into(), number);
                0
            }
        }
    }
}

impl Sample {
    /// How many numbers from `first` to before `end` are in the sample.
    fn count(self, first: u64, end: u64) -> u64 {
        let below = |number: u64| {
            let (rounds, rest) = (number / u64::from(SHARES), number % u64::from(SHARES));
            rounds * u64::from(self.0) + rest.min(u64::from(self.0))
        };
        below(end).saturating_sub(below(first))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_missing_is_seen_by_the_numbers() {
        let mut numbers = Numbers::default();
        let mut missed = |id: &str| numbers.missed_before(id, Sample::ALL);
        assert_eq!(missed("web-1-ab-7"), 0);
        assert_eq!(missed("web-1-ab-8"), 0);
        assert_eq!(missed("web-1-ab-12"), 3);
        assert_eq!(missed("web-1-ab-9"), 0, "sent once more");
        assert_eq!(missed("web-1-ab-13"), 0);
        assert_eq!(missed("other-3"), 0);
        assert_eq!(missed("other"), 0);
        assert_eq!(missed("other-x"), 0);
    }

    proptest! {
        #[test]
        fn of_a_sample_only_its_own_are_missed(shares in 1..=SHARES, first in 0..100u64, more in 0..100u64) {
            let sample = Sample::of(shares).unwrap();
            let numbers = first..first + more;
            let own = numbers.filter(|number| number % u64::from(SHARES) < u64::from(shares));
            prop_assert_eq!(sample.count(first, first + more), own.count() as u64);
        }
    }
}
