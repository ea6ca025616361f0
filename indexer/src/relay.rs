//! `omphalos-indexer relay`: UDP in at the edge of a site, AMQP out with confirms. What the broker
//! has not confirmed stays in the spool.

use std::collections::HashMap;
use std::fmt::Error;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use omphalos_common::event::{DocumentId, clean_name, day_of};
use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::{Health, encode_counter, encode_gauge};
use omphalos_transport::amqp::{AmqpSender, Heartbeats};
use omphalos_transport::batch::{Batch, Chunk};
use omphalos_transport::messages::heartbeat_message;
use omphalos_transport::udp::{Content, Feed, RecordReader, UdpAnswer};
use omphalos_transport::wire;
use omphalos_transport::{About, Message, Origin, Receipt};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;
use tracing::info;

use crate::collector::Unsettled;

use omphalos_common::clock::now_seconds;

/// A batch is sent when it has so many bytes, or so long after its first document.
const BATCH_BYTES: usize = 1024 * 1024;
/// Or of so many documents: a record has at most 65,535 more.
const BATCH_DOCUMENTS: usize = wire::MAX_DOCUMENTS - u16::MAX as usize;
const FLUSH: Duration = Duration::from_millis(300);
/// zstd level, as the shipper's default.
const LEVEL: i32 = 1;
/// How often the health is shown, and old batches are looked for.
const TICK: Duration = Duration::from_millis(100);

/// A heartbeat that waited for so many seconds in the spool, behind documents, has been followed by another.
const FRESH: i64 = 30;

/// What it is called where its messages and heartbeats say who made them.
pub const PROGRAM: &str = "omphalos-relay";

/// What the relay counts: received = confirmed + in flight, at any moment.
#[derive(Debug, Clone, Default)]
pub struct RelayMetrics(Arc<Mutex<Columns>>);

/// What stands behind one lock, so that it adds up in every scrape.
#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    received: u64,
    confirmed: u64,
    in_flight: u64,
}

impl RelayMetrics {
    /// Registers the counters under `relay_`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("relay");
        registry.register_collector(Box::new(self.clone()));
    }

    /// Documents were read, and put into batches.
    fn take(&self, read: usize, batched: usize) {
        let mut columns = self.columns();
        columns.received += read as u64;
        columns.in_flight += batched as u64;
    }

    /// Documents that were in flight are confirmed.
    fn confirm(&self, documents: usize) {
        let mut columns = self.columns();
        columns.confirmed += documents as u64;
        columns.in_flight = columns.in_flight.saturating_sub(documents as u64);
    }

    /// The columns of the books, with their names.
    pub fn books(&self) -> Vec<(&'static str, u64)> {
        let Columns { received, confirmed, in_flight } = *self.columns();
        vec![("received", received), ("confirmed", confirmed), ("in_flight", in_flight)]
    }

    fn columns(&self) -> MutexGuard<'_, Columns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for RelayMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Columns { received, confirmed, in_flight } = *self.columns();
        let help = "Documents read from the spool";
        encode_counter(&mut encoder, ("documents_received", help), received)?;
        let help = "Documents that the broker has confirmed";
        encode_counter(&mut encoder, ("documents_confirmed", help), confirmed)?;
        let help = "Documents read from the spool that the broker has not confirmed";
        encode_gauge(&mut encoder, ("documents_in_flight", help), in_flight)
    }
}

/// What a batch is of.
type Kind = (Arc<str>, Origin);

/// A batch being filled.
struct OpenRecords {
    batch: Batch,
    /// The records that its documents are from.
    records: Vec<u64>,
    since: Instant,
    made_at: i64,
    documents: usize,
}

impl OpenRecords {
    fn is_full(&self) -> bool {
        self.batch.body.len() >= BATCH_BYTES || self.documents >= BATCH_DOCUMENTS
    }
}

/// A record whose documents are not all confirmed.
struct UnconfirmedRecord {
    answer: UdpAnswer,
    /// How many batches have documents of it.
    batches: usize,
}

/// A batch that the broker has confirmed.
struct Confirmed {
    records: Vec<u64>,
    documents: usize,
}

/// The relay; [`Relay::run`] is its task.
pub struct Relay {
    feed: Feed,
    records: RecordReader,
    sender: AmqpSender,
    heartbeats: Heartbeats,
    encoder: wire::Encoder,
    /// Name of this host, for routing keys.
    host: String,
    /// By dataset, and by whether somebody vouches for who sent them.
    open: HashMap<Kind, OpenRecords>,
    pending: HashMap<u64, UnconfirmedRecord>,
    /// `None` when a batch was given up.
    confirms: FuturesUnordered<BoxFuture<'static, Option<Confirmed>>>,
    metrics: RelayMetrics,
    health: Health,
}

/// Where records come from, and what makes documents of them.
pub struct Source {
    /// The records of the spool.
    pub feed: Feed,
    /// Their reader.
    pub records: RecordReader,
}

impl Relay {
    /// A relay from `source` to `sender`.
    ///
    /// # Errors
    /// When zstd has no memory.
    pub fn new(
        source: Source,
        sender: AmqpSender,
        host: &str,
        metrics: RelayMetrics,
        health: Health,
    ) -> std::io::Result<Self> {
        let Source { feed, records } = source;
        Ok(Self {
            feed,
            records,
            heartbeats: sender.heartbeats(),
            sender,
            encoder: wire::Encoder::new(host, LEVEL)?,
            host: clean_name(host),
            open: HashMap::new(),
            pending: HashMap::new(),
            confirms: FuturesUnordered::new(),
            metrics,
            health,
        })
    }

    /// Relays until told to stop, then waits for what the broker still confirms within `grace`.
    ///
    /// # Errors
    /// When a batch cannot be encoded, or something that is relied on is not so.
    pub async fn run(mut self, grace: Duration, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(TICK);
        while !shutdown.is_cancelled() {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                Some(confirmed) = self.confirms.next(), if !self.confirms.is_empty() => {
                    self.settle(confirmed)?;
                }
                _ = tick.tick() => {
                    self.health.beat("relay");
                    self.send_ripe(FLUSH, &shutdown).await?;
                }
                Some(delivery) = self.feed.next() => {
                    let (number, record, answer) = delivery.into_parts();
                    self.take(number, &record, answer)?;
                    if self.open.values().any(OpenRecords::is_full) {
                        self.send_ripe(FLUSH, &shutdown).await?;
                    }
                }
            }
        }
        self.feed.stop();
        let finished = tokio::time::timeout(grace, self.finish()).await;
        let Ok(result) = finished else {
            info!("stopped; what the broker has not confirmed stays in the spool");
            return Ok(());
        };
        result
    }

    /// Adds the documents of a record to the batches of their datasets.
    fn take(&mut self, number: u64, record: &[u8], answer: UdpAnswer) -> Result<(), Unsettled> {
        let Some(content) = self.records.read(number, record) else {
            answer.acknowledge();
            return Ok(());
        };
        if content.is_heartbeat {
            self.pass_on(&content);
            answer.acknowledge();
            return Ok(());
        }
        let made_at = content.parcel.made_at.unwrap_or_else(now_seconds);
        let (mut batches, mut documents) = (0, 0);
        for (chunk, body) in chunks(&content, made_at)? {
            let kind = (Arc::clone(&chunk.dataset), content.parcel.origin);
            let open = self.open.entry(kind).or_insert_with(|| OpenRecords {
                batch: Batch::default(),
                records: Vec::new(),
                since: Instant::now(),
                made_at,
                documents: 0,
            });
            documents += chunk.ids.len();
            open.documents += chunk.ids.len();
            open.batch.body.extend_from_slice(&body);
            open.batch.chunks.push(chunk);
            if open.records.last() != Some(&number) {
                open.records.push(number);
                batches += 1;
            }
        }
        self.metrics.take(content.parcel.documents.len(), documents);
        if batches == 0 {
            // There is nothing in it to wait for.
            answer.acknowledge();
            return Ok(());
        }
        self.pending.insert(number, UnconfirmedRecord { answer, batches });
        Ok(())
    }

    /// Offers the heartbeat of a shipper to the broker, which is all that is done for it: the next one comes.
    fn pass_on(&self, content: &Content) {
        match heartbeat_of(content, now_seconds()) {
            Some(message) => self.heartbeats.offer(message),
            None => self.heartbeats.give_up(),
        }
    }

    /// Sends the batches that are full, or older than `age`.
    async fn send_ripe(&mut self, age: Duration, shutdown: &Shutdown) -> anyhow::Result<()> {
        let is_ripe = |open: &OpenRecords| open.is_full() || open.since.elapsed() >= age;
        let ripe = self.open.iter().filter(|(_, open)| is_ripe(open));
        let ripe: Vec<Kind> = ripe.map(|(kind, _)| kind.clone()).collect();
        for kind in ripe {
            let Some(open) = self.open.remove(&kind) else { continue };
            let message = self.message(&kind, &open)?;
            let (records, documents) = (open.records, open.batch.documents());
            // A batch that is given up here stays in the spool, like all that is not confirmed.
            let Some(receipt) = self.send(message, shutdown).await else { return Ok(()) };
            let confirm = async move { receipt.await.then_some(Confirmed { records, documents }) };
            self.confirms.push(Box::pin(confirm));
        }
        Ok(())
    }

    /// Waits until the broker may have another message; `None` when told to stop meanwhile.
    async fn send(&self, message: Message, shutdown: &Shutdown) -> Option<Receipt> {
        let mut sending = std::pin::pin!(self.sender.send(message));
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                receipt = &mut sending => return Some(receipt),
                () = shutdown.cancelled() => return None,
                _ = tick.tick() => self.health.beat("relay"),
            }
        }
    }

    fn message(
        &mut self,
        (dataset, origin): &Kind,
        open: &OpenRecords,
    ) -> std::io::Result<Message> {
        let body = self.encoder.encode_of(*origin, &open.batch, open.made_at)?;
        let about = About::new(format!("{dataset}.{}", self.host), wire::CONTENT_TYPE_BATCH)
            .encoded(wire::CONTENT_ENCODING_ZSTD)
            .made(PROGRAM, now_seconds());
        Ok(Message { body, about })
    }

    /// Answers the records all of whose documents are confirmed.
    fn settle(&mut self, confirmed: Option<Confirmed>) -> Result<(), Unsettled> {
        let Some(Confirmed { records, documents }) = confirmed else { return Ok(()) };
        self.metrics.confirm(documents);
        for number in records {
            let Some(mut pending) = self.pending.remove(&number) else {
                return Err(Unsettled::broken(format!(
                    "a batch with documents of record {number} is confirmed, which waits for none"
                )));
            };
            // Whatever waits has a batch to wait for, so this does not go below 0.
            pending.batches -= 1;
            if pending.batches == 0 {
                pending.answer.acknowledge();
            } else {
                self.pending.insert(number, pending);
            }
        }
        Ok(())
    }

    async fn finish(&mut self) -> anyhow::Result<()> {
        self.send_ripe(Duration::ZERO, &Shutdown::new()).await?;
        while let Some(confirmed) = self.confirms.next().await {
            self.settle(confirmed)?;
        }
        info!("stopped; the broker has confirmed all that was taken from the spool");
        Ok(())
    }
}

/// The message of a heartbeat, as it came; `None` when it waited for too long.
fn heartbeat_of(content: &Content, now: i64) -> Option<Message> {
    let Content { host, parcel, .. } = content;
    if parcel.made_at.is_some_and(|came_at| now.saturating_sub(came_at) > FRESH) {
        return None;
    }
    let document = parcel.documents.first()?;
    let text = parcel.text.get(document.start as usize..document.end as usize)?;
    let (id, body) = (document.id.to_string(), Bytes::copy_from_slice(text));
    let Message { body, about } = heartbeat_message(PROGRAM, host, id, body);
    let is_vouched_for = parcel.sender == Origin::Own;
    Some(Message { body, about: if is_vouched_for { about } else { about.unvouched() } })
}

/// The content as chunks of batches, each with its documents.
fn chunks(content: &Content, made_at: i64) -> Result<Vec<(Chunk, Vec<u8>)>, Unsettled> {
    let mut documents = content.parcel.documents.iter();
    let mut chunks: Vec<(Chunk, Vec<u8>)> = Vec::new();
    let empty = |source: &Arc<str>, path: &Arc<str>, dataset: &Arc<str>, range: (u64, u64)| Chunk {
        source: Arc::clone(source),
        id_version: None,
        path: Arc::clone(path),
        dataset: Arc::clone(dataset),
        start: range.0,
        end: range.1,
        ids: Vec::new(),
        days: Vec::new(),
        starts: Vec::new(),
    };
    let add = |(chunk, body): &mut (Chunk, Vec<u8>), document: &wire::Document| {
        let range = document.start as usize..document.end as usize;
        let text = content.parcel.text.get(range.clone());
        // Whatever we receive has ids of our own making.
        let (Some(text), Some(id)) = (text, DocumentId::parse(&document.id)) else {
            let Range { start, end } = range;
            let (bytes, id) = (content.parcel.text.len(), &document.id);
            return Err(Unsettled::broken(format!(
                "a document of a record has the id {id}, and stands at bytes {start}-{end} of {bytes}"
            )));
        };
        chunk.ids.push(id);
        chunk.days.push(document.day.unwrap_or_else(|| day_of(made_at)));
        body.extend_from_slice(text);
        body.push(b'\n');
        Ok(())
    };
    for part in &content.parts {
        let range = (part.start, part.end);
        let mut chunk = (empty(&part.source, &part.path, &part.dataset, range), Vec::new());
        documents
            .by_ref()
            .take(part.documents)
            .try_for_each(|document| add(&mut chunk, document))?;
        // Without documents it would only make the message larger.
        if !chunk.0.ids.is_empty() {
            chunks.push(chunk);
        }
    }
    // Plain lines come from no file.
    let nowhere: Arc<str> = Arc::from("");
    let mut places: HashMap<&str, usize> = HashMap::new();
    for document in documents {
        let place = places.entry(&document.dataset).or_insert_with(|| {
            chunks.push((empty(&nowhere, &nowhere, &document.dataset, (0, 0)), Vec::new()));
            chunks.len() - 1
        });
        if let Some(chunk) = chunks.get_mut(*place) {
            add(chunk, document)?;
        }
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use omphalos_transport::wire::{Document, Parcel};

    use super::*;

    #[test]
    fn a_heartbeat_is_passed_on_as_it_came_unless_it_waited_for_long() {
        let document =
            Document { id: "abc".into(), dataset: "fleet".into(), day: None, start: 0, end: 7 };
        let text = b"{\"a\":1}\n".to_vec();
        let parcel =
            Parcel { text, documents: vec![document], made_at: Some(100), ..Parcel::default() };
        let host = "Web1.example".to_owned();
        let content = Content { host, parcel, is_heartbeat: true, ..Content::default() };
        let Message { body, about } = heartbeat_of(&content, 100 + FRESH).unwrap();
        assert_eq!((&*body, about.id.as_deref()), (&b"{\"a\":1}"[..], Some("abc")));
        assert_eq!(about.routing_key, "_heartbeat.web1_example");
        assert_eq!(about.sender(&[]), Origin::Own);
        assert_eq!(heartbeat_of(&content, 101 + FRESH), None);
        let about = heartbeat_of(&content.foreign(), 100).unwrap().about;
        assert_eq!(about.sender(&[]), Origin::Foreign, "nobody vouched for the sender");
    }
}
