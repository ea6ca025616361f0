//! Looking into the broker, and being someone else's producer.

use std::process::Command;
use std::time::Duration;

use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::runtime::Runtime;

use crate::wait::{eventually, holds};

/// A connection with a channel.
pub struct Amqp {
    runtime: Runtime,
    connection: Connection,
    channel: Channel,
}

/// A message that was taken from a queue.
#[derive(Debug)]
pub struct Taken {
    /// Its body.
    pub body: Vec<u8>,
    /// Its properties.
    pub properties: BasicProperties,
    /// The key it was published with.
    pub routing_key: String,
}

impl Taken {
    /// The text of a header.
    pub fn header(&self, name: &str) -> String {
        let headers = self.properties.headers().clone().unwrap_or_default();
        match headers.inner().get(name) {
            Some(AMQPValue::LongString(text)) => {
                String::from_utf8_lossy(text.as_bytes()).into_owned()
            }
            other => format!("{other:?}"),
        }
    }
}

impl Amqp {
    /// Connects.
    pub fn connect(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (connection, channel) = runtime.block_on(async {
            let connection = Connection::connect(url, ConnectionProperties::default());
            let connection = connection.await.unwrap_or_else(|error| panic!("{url}: {error}"));
            let channel = connection.create_channel().await.expect("a channel");
            channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
            (connection, channel)
        });
        Self { runtime, connection, channel }
    }

    /// Creates a virtual host with this `rabbitmqctl`.
    pub fn create_vhost(tool: &str, vhost: &str) {
        for arguments in [
            vec!["add_vhost", vhost],
            vec!["set_permissions", "-p", vhost, "guest", ".*", ".*", ".*"],
        ] {
            // On a busy machine the node may not answer its tool in time.
            eventually("rabbitmqctl reaches the node", || {
                let output =
                    Command::new(tool).args(&arguments).output().expect("rabbitmqctl runs");
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let is_unreached = said.contains("unable to perform an operation on node");
                assert!(output.status.success() || is_unreached, "{tool} {arguments:?}: {said}");
                if is_unreached { Err(said) } else { Ok(()) }
            });
        }
    }

    /// The URL without its virtual host.
    pub fn without_vhost(url: &str) -> String {
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let authority = rest.split('/').next().expect("an authority");
        format!("{scheme}://{authority}")
    }

    /// Publishes a message and waits for the confirm. A quorum queue that was made a moment ago may refuse
    /// what comes before it has a leader; then it is published again, as by any publisher.
    #[expect(clippy::needless_pass_by_value, reason = "nobody has a use for it afterwards")]
    pub fn publish(&self, exchange: &str, key: &str, properties: BasicProperties, body: &[u8]) {
        eventually("the broker takes the message", || {
            let confirmation = self.runtime.block_on(async {
                let options =
                    BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                let (exchange, key) = (exchange.into(), key.into());
                let properties = properties.clone();
                let published =
                    self.channel.basic_publish(exchange, key, options, body, properties);
                published.await.expect("published").await.expect("confirmed")
            });
            let is_taken = confirmation.is_ack();
            assert!(confirmation.take_message().is_none(), "the message is not routed");
            holds(is_taken, "it refuses it")
        });
    }

    /// How many messages of a queue wait to be delivered.
    ///
    /// # Errors
    /// When the queue is not there.
    pub fn ready(&self, queue: &str) -> Result<u32, String> {
        self.runtime.block_on(async {
            let channel = self.connection.create_channel().await.map_err(|e| e.to_string())?;
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
            let declared =
                channel.queue_declare(queue.into(), options, FieldTable::default()).await;
            Ok(declared.map_err(|error| error.to_string())?.message_count())
        })
    }

    /// Takes the next message out of a queue.
    pub fn take(&self, queue: &str) -> Option<Taken> {
        self.runtime.block_on(async {
            let got = self.channel.basic_get(queue.into(), BasicGetOptions::default()).await;
            let message = got.expect("basic.get")?;
            message.delivery.acker.ack(BasicAckOptions::default()).await.expect("ack");
            Some(Taken {
                body: message.delivery.data,
                properties: message.delivery.properties,
                routing_key: message.delivery.routing_key.to_string(),
            })
        })
    }

    /// Takes messages out of a queue and goes away without an answer, so that they come again.
    pub fn take_and_hand_back(&self, queue: &str, messages: usize) {
        self.runtime.block_on(async {
            let channel = self.connection.create_channel().await.expect("a channel");
            for _ in 0..messages {
                let got = channel.basic_get(queue.into(), BasicGetOptions::default()).await;
                assert!(got.expect("basic.get").is_some(), "the queue has too few messages");
            }
            channel.close(200, "gone".into()).await.expect("closed");
        });
    }

    /// Declares a queue as someone else would.
    pub fn declare_queue(&self, queue: &str, arguments: &[(&str, AMQPValue)]) {
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            table.insert((*name).into(), value.clone());
        }
        self.runtime.block_on(async {
            let options = QueueDeclareOptions::durable();
            self.channel.queue_declare(queue.into(), options, table).await.expect("declared");
        });
    }

    /// Has everything that is published to an exchange put into a queue.
    pub fn bind_queue(&self, queue: &str, exchange: &str) {
        self.runtime.block_on(async {
            let (options, table) = (QueueBindOptions::default(), FieldTable::default());
            let bound =
                self.channel.queue_bind(queue.into(), exchange.into(), "#".into(), options, table);
            bound.await.expect("bound");
        });
    }

    /// Empties a queue.
    pub fn purge(&self, queue: &str) {
        self.runtime.block_on(async {
            let options = QueuePurgeOptions::default();
            self.channel.queue_purge(queue.into(), options).await.expect("purged");
        });
    }

    /// Deletes an exchange.
    pub fn delete_exchange(&self, exchange: &str) {
        self.runtime.block_on(async {
            let options = ExchangeDeleteOptions::default();
            self.channel.exchange_delete(exchange.into(), options).await.expect("deleted");
        });
    }

    /// Deletes a queue with all that is in it.
    pub fn delete_queue(&self, queue: &str) {
        self.runtime.block_on(async {
            let options = QueueDeleteOptions::default();
            self.channel.queue_delete(queue.into(), options).await.expect("deleted");
        });
    }
}

impl Drop for Amqp {
    fn drop(&mut self) {
        let close = self.connection.close(200, "done".into());
        self.runtime.block_on(async {
            drop(tokio::time::timeout(Duration::from_secs(2), close).await);
        });
    }
}
