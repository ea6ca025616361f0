//! Whether nothing is left in the queue.
//!
//! A count of what waits in the queue says nothing of messages on their way to us: the broker does
//! not count what it has pushed. So we ask while it pushes nothing and we hold nothing.

use std::time::{Duration, Instant};

use lapin::options::{BasicGetOptions, BasicNackOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer, Error, ErrorKind};

use super::{BrokerLink, ConsumerSupervisor, LONGEST_ANSWER};

/// A broker that does not learn that a connection is gone keeps what it pushed there for two
/// heartbeats; one more, because the clocks of the two sides do not start together.
const HEARTBEATS: u64 = 3;
/// Without heartbeats nobody can say how long that takes.
const NO_HEARTBEAT: u64 = 60;

/// What was pushed to us over connections that ended, and was not answered. It comes again, but until
/// then it is in no count.
#[derive(Debug, Default)]
pub(super) struct Adrift {
    messages: u64,
    /// The broker has taken it back by then.
    until: Option<Instant>,
}

impl Adrift {
    /// A connection with this heartbeat, in seconds, ended, and so many were not answered.
    pub(super) fn add(&mut self, messages: u64, heartbeat: u16) {
        if messages > 0 {
            let seconds = u64::from(heartbeat) * HEARTBEATS;
            let seconds = if seconds == 0 { NO_HEARTBEAT } else { seconds };
            self.messages += messages;
            self.until = Some(Instant::now() + Duration::from_secs(seconds));
        }
    }

    /// One of them was delivered again.
    pub(super) fn came_again(&mut self) {
        self.messages = self.messages.saturating_sub(1);
    }

    fn is_anything(&mut self) -> bool {
        if self.until.is_none_or(|until| Instant::now() >= until) {
            self.messages = 0;
        }
        self.messages > 0
    }
}

impl ConsumerSupervisor {
    /// Whether nothing is left, now. Leaves us without a consumer where it had to look closely.
    pub(super) async fn is_drained(
        &mut self,
        link: &BrokerLink,
        channel: &Channel,
        consumer: &mut Option<(Consumer, u16)>,
    ) -> Result<bool, String> {
        // What is cheap to know comes first.
        if self.adrift.is_anything() || self.unanswered() > 0 || self.count_ready(link).await? > 0 {
            return Ok(false);
        }
        let cancelled = self.cancel(channel, consumer.take());
        match tokio::time::timeout(LONGEST_ANSWER, cancelled).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(format!("cannot cancel the consumer: {error}")),
            Err(_) => return Err(format!("no answer to a cancel in {LONGEST_ANSWER:?}")),
        }
        // What was on its way to us is here, and forwarded.
        if self.unanswered() > 0 {
            return Ok(false);
        }
        Ok(self.count_ready(link).await? == 0 && self.gets_nothing(link).await?)
    }

    /// Whether the queue has nothing for somebody who asks for a message. Right after the start of a
    /// broker the count may be 0 while messages are there.
    async fn gets_nothing(&self, link: &BrokerLink) -> Result<bool, String> {
        let queue = self.options.queue.as_str().into();
        let asked = async {
            let channel = link.connection.create_channel().await?;
            let message = match channel.basic_get(queue, BasicGetOptions::default()).await {
                Ok(message) => message,
                // A queue with a single active consumer does not answer; then the count must do.
                Err(error) if is_refusal(&error) => None,
                Err(error) => return Err(error),
            };
            let nothing = message.is_none();
            if let Some(message) = message {
                let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                message.delivery.acker.nack(options).await?;
            }
            if channel.status().connected() {
                channel.close(200, "done".into()).await?;
            }
            Ok(nothing)
        };
        self.answered(asked, "cannot look into").await
    }

    /// How many messages of the queue are not delivered to anyone.
    pub(super) async fn count_ready(&self, link: &BrokerLink) -> Result<u32, String> {
        let options =
            QueueDeclareOptions { durable: true, passive: true, ..QueueDeclareOptions::default() };
        let queue = self.options.queue.as_str().into();
        let counted = async {
            let channel = link.connection.create_channel().await?;
            let state = channel.queue_declare(queue, options, FieldTable::default()).await?;
            channel.close(200, "done".into()).await?;
            Ok(state.message_count())
        };
        self.answered(counted, "cannot count the messages of").await
    }

    async fn answered<T>(
        &self,
        asked: impl Future<Output = lapin::Result<T>>,
        failed: &str,
    ) -> Result<T, String> {
        let reason = match tokio::time::timeout(LONGEST_ANSWER, asked).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {LONGEST_ANSWER:?}"),
        };
        Err(format!("{failed} queue {:?}: {reason}", self.options.queue))
    }
}

/// Whether this is how a broker says that a queue does not give messages one by one.
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(refusal)
        if matches!(refusal.kind(), AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_adrift_is_waited_for_until_it_comes_again_or_the_broker_must_have_it() {
        let mut adrift = Adrift::default();
        adrift.add(0, 15);
        assert!(!adrift.is_anything());
        adrift.add(1, 15);
        adrift.add(1, 0);
        adrift.came_again();
        assert!(adrift.is_anything());
        adrift.came_again();
        adrift.came_again();
        assert!(!adrift.is_anything());
        adrift.add(3, 15);
        adrift.until = Some(Instant::now());
        assert!(!adrift.is_anything());
        adrift.came_again();
        assert_eq!(adrift.messages, 0);
    }
}
