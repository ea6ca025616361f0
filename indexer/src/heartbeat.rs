//! What the indexer and the relay say of themselves in their heartbeats. Those of the indexer go straight to
//! Elasticsearch, because its user of the broker may not publish, and those of a relay to the broker. They are
//! in nobody's way: of an indexer one is under way at most, and none is tried again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use omphalos_common::clock::now_seconds;
use omphalos_common::config::ConfigError;
use omphalos_common::event::{content_id, day_of};
use omphalos_common::heartbeat::{self, Host, INDEX_DATASET, Maker, Now, Service, ticks};
use omphalos_common::machine::machine_id;
use omphalos_common::status::Status;
use omphalos_common::telemetry::Health;
use omphalos_transport::amqp;
use omphalos_transport::messages::heartbeat_messages;
use serde_json::json;
use tokio::task::JoinHandle;
use tracing::debug;

use crate::collector::Courier;
use crate::config::Settings;
use crate::elasticsearch::{Fault, IndexNames, with_stream};
use crate::metrics::IndexerMetrics;
use crate::relay::{self, RelayMetrics};

/// The heartbeats, as long as this is held.
pub struct Heartbeats(JoinHandle<()>);

impl Drop for Heartbeats {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What heartbeats are made of, and where they go.
struct Pulse {
    maker: Maker,
    names: IndexNames,
    /// That of the data streams, where there are any.
    namespace: Option<String>,
    courier: Arc<Courier>,
    health: Health,
}

/// Says how an indexer with these settings is, again and again; `None` where there are to be no heartbeats.
///
/// # Errors
/// When a setting cannot be used; the message names it.
pub fn start(
    settings: &Settings,
    host: Option<String>,
    courier: &Arc<Courier>,
    health: &Health,
) -> Result<Option<Heartbeats>, ConfigError> {
    let Some(interval) = heartbeat::checked_interval(settings.heartbeat_interval)? else {
        return Ok(None);
    };
    let pulse = Pulse {
        maker: maker("omphalos-indexer", settings, host, interval),
        names: IndexNames::new(settings.name_rules()?),
        namespace: settings.index.namespace().map(str::to_owned),
        courier: Arc::clone(courier),
        health: health.clone(),
    };
    Ok(Some(Heartbeats(tokio::spawn(pulse.run(interval)))))
}

/// Says how a relay on this host is, again and again, to the broker of its sender; `None` where there are to
/// be no heartbeats.
///
/// # Errors
/// When a setting cannot be used; the message names it.
pub fn start_of_relay(
    settings: &Settings,
    host: &str,
    (metrics, health): (RelayMetrics, Health),
    way: amqp::Heartbeats,
) -> Result<Option<Heartbeats>, ConfigError> {
    let Some(interval) = heartbeat::checked_interval(settings.heartbeat_interval)? else {
        return Ok(None);
    };
    let mut maker = maker(relay::PROGRAM, settings, Some(host.to_owned()), interval);
    let id_prefix = format!("{host}-{:016x}", rand::random::<u64>());
    let mut message_of = heartbeat_messages(relay::PROGRAM, host, &id_prefix);
    Ok(Some(Heartbeats(tokio::spawn(async move {
        let mut ticks = ticks(interval);
        loop {
            ticks.tick().await;
            if let Ok(document) = maker.make(now(metrics.books(), &health)).to_json() {
                way.offer(message_of(document));
            }
        }
    }))))
}

/// Has an indexer say how it is to who asks.
pub fn show(
    settings: &Settings,
    host: Option<String>,
    (status, metrics): (&Status, &IndexerMetrics),
    health: &Health,
) {
    let maker = maker("omphalos-indexer", settings, host, settings.heartbeat_interval.0);
    let (metrics, health) = (metrics.clone(), health.clone());
    status.begin("indexer", maker, move || now(metrics.columns(), &health));
}

/// The same of a relay on this host.
pub fn show_relay(
    settings: &Settings,
    host: &str,
    status: &Status,
    (metrics, health): (RelayMetrics, Health),
) {
    let interval = settings.heartbeat_interval.0;
    let maker = maker(relay::PROGRAM, settings, Some(host.to_owned()), interval);
    status.begin("relay", maker, move || now(metrics.books(), &health));
}

/// How it is, by the columns of its books and its problems.
fn now(books: Vec<(&'static str, u64)>, health: &Health) -> Now {
    let lines = books.iter().find(|(name, _)| *name == "received").map_or(0, |(_, count)| *count);
    Now { lines, books, problems: health.problems(), ..Now::default() }
}

fn maker(program: &str, settings: &Settings, host: Option<String>, interval: Duration) -> Maker {
    let host_name = || gethostname::gethostname().to_string_lossy().into_owned();
    let host = Host { name: host.unwrap_or_else(host_name), id: machine_id() };
    let service =
        Service { name: program.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let mut shown = settings.clone();
    (shown.elasticsearch.password, shown.elasticsearch.api_key) = (None, None);
    shown.elasticsearch.bearer_token = None;
    Maker::new(host, service, &format!("{shown:?}"), interval)
}

impl Pulse {
    async fn run(mut self, interval: Duration) {
        let mut ticks = ticks(interval);
        loop {
            ticks.tick().await;
            // What takes no documents takes no heartbeats.
            if self.courier.gate.closed_since().is_some() {
                continue;
            }
            if let Err(error) = self.beat().await {
                debug!(%error, "a heartbeat was not indexed");
            }
        }
    }

    async fn beat(&mut self) -> Result<(), Fault> {
        let now = now(self.courier.metrics.columns(), &self.health);
        let Ok(document) = self.maker.make(now).to_json() else { return Ok(()) };
        let seconds = now_seconds();
        let dataset = Arc::from(INDEX_DATASET);
        let index = self.names.name(&dataset, Some(day_of(seconds)), None, seconds);
        // No two are the same, wherever they come from.
        let nonce = rand::random::<u128>().to_be_bytes();
        let id = content_id(seconds, &[&nonce, document.as_slice()].concat());
        let mut room = Vec::new();
        let document = match &self.namespace {
            None => document.as_slice(),
            Some(namespace) => with_stream(&document, (INDEX_DATASET, namespace), &mut room),
        };
        let action = json!({ "create": { "_index": &*index, "_id": id.as_str() } });
        let mut body = action.to_string().into_bytes();
        body.push(b'\n');
        body.extend(document);
        body.push(b'\n');
        self.courier.client.bulk(Bytes::from(body)).await.map(drop)
    }
}
