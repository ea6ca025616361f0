//! Ready-made messages, and a publisher that does nothing but publish them: with confirms,
//! `mandatory`, persistent, as many in flight as the shipper.

use std::fs;
use std::path::Path;

use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use omphalos_tests::Amqp;

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

/// Publishes the saved messages: batches, or else JSON documents.
pub fn publish(file: &str, url: &str, encoding: &str) {
    let bodies = load(Path::new(file));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let connection =
            Connection::connect(url, ConnectionProperties::default()).await.expect("connected");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        let properties = BasicProperties::default().with_delivery_mode(2);
        let properties = match encoding {
            "batch" => properties
                .with_content_type("application/vnd.omphalos.batch.v1".into())
                .with_content_encoding("zstd".into()),
            _ => properties.with_content_type("application/json".into()),
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
