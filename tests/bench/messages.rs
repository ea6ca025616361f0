//! Ready-made messages, a publisher that does nothing but publish them (with confirms, `mandatory`,
//! persistent, as many in flight as the shipper), and the shipper's own sender doing the same.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use omphalos_common::telemetry::Health;
use omphalos_tests::Amqp;
use omphalos_transport::amqp::{
    AmqpSender, AmqpSenderOptions, AmqpSettings, Broker, SenderMetrics, Topology,
};
use omphalos_transport::wire::{CONTENT_ENCODING_ZSTD, CONTENT_TYPE_BATCH, CONTENT_TYPE_JSON};
use omphalos_transport::{About, Message, Window};

use crate::measure::runtime;

/// The shipper's window: so many messages, and so many bytes.
const MOST_MESSAGES: usize = 1024;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Takes all messages of the queue and writes them to a file: length, then body, for each.
pub fn save(url: &str, file: &Path) {
    let amqp = Amqp::connect(url);
    let mut bytes = Vec::new();
    while let Some(message) = amqp.take("omphalos.index") {
        bytes.extend_from_slice(&(message.body.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&message.body);
    }
    fs::write(file, bytes).expect("the messages can be saved");
}

/// The bodies that [`save`] wrote.
pub fn load(file: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(file).expect("saved messages");
    let mut rest = &bytes[..];
    let mut bodies = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk::<8>() {
        let length = usize::try_from(u64::from_le_bytes(*length)).expect("a length");
        let (body, tail) = tail.split_at(length);
        bodies.push(body.to_vec());
        rest = tail;
    }
    bodies
}

/// Says that the body is a batch.
pub fn of_a_batch(properties: BasicProperties) -> BasicProperties {
    properties
        .with_content_type(CONTENT_TYPE_BATCH.into())
        .with_content_encoding(CONTENT_ENCODING_ZSTD.into())
}

/// The saved messages so many times over.
fn bodies(file: &str, times: &str) -> Vec<Vec<u8>> {
    let times = times.parse().expect("how many times");
    vec![load(Path::new(file)); times].concat()
}

/// Publishes the saved messages: batches, or else JSON documents.
pub fn publish(file: &str, url: &str, encoding: &str, times: &str) {
    let bodies = bodies(file, times);
    runtime().block_on(async {
        let connection =
            Connection::connect(url, ConnectionProperties::default()).await.expect("connected");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        let properties = BasicProperties::default().with_delivery_mode(2);
        let properties = match encoding {
            "batch" => of_a_batch(properties),
            _ => properties.with_content_type(CONTENT_TYPE_JSON.into()),
        };
        let mut confirms = FuturesUnordered::new();
        let mut in_flight = 0;
        for body in &bodies {
            while confirms.len() >= MOST_MESSAGES || in_flight > MOST_BYTES {
                in_flight -= confirms.next().await.expect("a confirm");
            }
            in_flight += body.len();
            let channel = channel.clone();
            let properties = properties.clone();
            confirms.push(async move {
                let options =
                    BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                let published = channel.basic_publish(
                    "omphalos.logs".into(),
                    "access.web1".into(),
                    options,
                    body,
                    properties,
                );
                assert!(published.await.expect("published").await.expect("confirmed").is_ack());
                body.len()
            });
        }
        while confirms.next().await.is_some() {}
        connection.close(200, "done".into()).await.expect("closed");
    });
}

/// Publishes saved batches with the shipper's sender.
pub fn send(file: &str, url: &str, times: &str) {
    let bodies = bodies(file, times);
    runtime().block_on(async {
        let settings = AmqpSettings { url: Some(vec![url.to_owned()]), ..AmqpSettings::default() };
        let broker = Arc::new(Broker::new(&settings, "bench").expect("a broker"));
        let options = AmqpSenderOptions {
            part: "bench",
            exchange: settings.exchange.clone(),
            id_prefix: "bench".to_owned(),
            window: Window { messages: MOST_MESSAGES, bytes: MOST_BYTES },
            confirm_timeout: Duration::from_mins(1),
        };
        let topology = Topology::new(&settings);
        let (metrics, health) = (SenderMetrics::default(), Health::default());
        let (sender, task) = AmqpSender::start(broker, topology, options, metrics, health);
        let mut receipts = FuturesUnordered::new();
        for body in bodies {
            let about = About::new("access.web1", CONTENT_TYPE_BATCH);
            let about = about.encoded(CONTENT_ENCODING_ZSTD);
            receipts.push(sender.send(Message { body: body.into(), about }).await);
        }
        while let Some(delivered) = receipts.next().await {
            assert!(delivered, "a message was not delivered");
        }
        drop(sender);
        task.await.expect("the sender ends");
    });
}
