//! What the indexer counts. The books: documents received = indexed + duplicate + dead-lettered +
//! returned + in flight, at any moment. These columns stand behind one lock: a count moves from one to
//! another within it, and a scrape sees all of them at the same moment.

use std::collections::BTreeMap;
use std::fmt::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use omphalos_common::telemetry::{encode_counter, encode_counters, encode_gauge};
use omphalos_transport::wire::WireError;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tracing::info;

/// Why documents become dead letters: what Elasticsearch and OpenSearch say of a document that they will
/// never take, and what we say of messages. They are shown from the beginning, at 0: Prometheus sees no
/// increase from nothing to 1. A server may have other reasons, which appear with their first letter.
const DEAD: [&str; 8] = [
    "document_parsing_exception",
    "mapper_parsing_exception",
    "strict_dynamic_mapping_exception",
    "illegal_argument_exception",
    "failure_store",
    "content_too_large",
    "http",
    "unknown",
];

/// Why dead letters are not kept.
const DROPPED: [&str; 1] = ["dead_letters_full"];

/// What became of bulk requests.
const OUTCOMES: [&str; 2] = ["taken", "failed"];

/// The label of bulk requests.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// What became of documents so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Created in an index.
    pub indexed: u64,
    /// There already.
    pub duplicate: u64,
    /// Stored as dead letters.
    pub dead: u64,
}

/// The columns of the books.
#[derive(Debug, Clone)]
struct Columns {
    received: u64,
    indexed: u64,
    duplicate: u64,
    /// Dead letters for each reason.
    dead: BTreeMap<String, u64>,
    returned: u64,
    in_flight: u64,
    /// Those of the indexed whose fields clashed with the mapping, so that they are text.
    conflicting: u64,
    /// Those of the received that may have been received before, under other ids.
    possible_repeats: u64,
    /// Those of the dead that could not be kept, for each reason.
    dropped: BTreeMap<&'static str, u64>,
}

impl Default for Columns {
    fn default() -> Self {
        let known = DEAD.into_iter().chain(WireError::KINDS);
        Self {
            received: 0,
            indexed: 0,
            duplicate: 0,
            dead: known.map(|reason| (reason.to_owned(), 0)).collect(),
            returned: 0,
            in_flight: 0,
            conflicting: 0,
            possible_repeats: 0,
            dropped: DROPPED.map(|reason| (reason, 0)).into(),
        }
    }
}

impl Columns {
    fn all_dead(&self) -> u64 {
        self.dead.values().sum()
    }
}

/// The books; cheap to clone.
#[derive(Debug, Clone, Default)]
struct Books(Arc<Mutex<Columns>>);

impl Books {
    fn open(&self) -> MutexGuard<'_, Columns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Books {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let columns = self.open().clone();
        let Columns { received, indexed, duplicate, returned, in_flight, .. } = columns;
        let Columns { conflicting, possible_repeats, .. } = columns;
        for (name, help, value) in [
            ("documents_received", "Documents in messages delivered to us", received),
            ("documents_indexed", "Documents created in an index", indexed),
            (
                "documents_duplicate",
                "Documents refused because they were in their index already",
                duplicate,
            ),
            (
                "documents_returned",
                "Documents handed back to the broker or the spool without a verdict",
                returned,
            ),
            (
                "documents_mapping_conflict",
                "Documents indexed with their fields as text, because these clash with the mapping; they are among documents_indexed",
                conflicting,
            ),
            (
                "documents_possible_repeat",
                "Documents of redelivered messages without a message_id, which may be there twice; they are among documents_received",
                possible_repeats,
            ),
        ] {
            encode_counter(&mut encoder, (name, help), value)?;
        }
        let help = "Documents, or messages that could not be read, stored as dead letters";
        let dead = columns.dead.iter().map(|(reason, count)| ([("reason", &**reason)], *count));
        encode_counters(&mut encoder, ("documents_dead", help), dead)?;
        let help = "Dead letters that could not be kept; they are among documents_dead";
        let dropped = columns.dropped.iter().map(|(reason, count)| ([("reason", *reason)], *count));
        encode_counters(&mut encoder, ("documents_dropped", help), dropped)?;
        let help = "Documents without a final verdict";
        encode_gauge(&mut encoder, ("documents_in_flight", help), in_flight)
    }
}

/// The counters; cheap to clone.
#[derive(Clone, Debug)]
pub struct IndexerMetrics {
    books: Books,
    retried: Counter,
    bulks: Family<OutcomeLabel, Counter>,
    bulk_seconds: Histogram,
    concurrency: Gauge,
    /// 1 while the cluster takes nothing.
    pub held: Gauge,
    /// 1 while documents wait whose index the cluster has no shard for.
    pub without_shard: Gauge,
}

impl Default for IndexerMetrics {
    fn default() -> Self {
        Self {
            books: Books::default(),
            retried: Counter::default(),
            bulks: Family::default(),
            bulk_seconds: Histogram::new(exponential_buckets(0.005, 2.0, 15)),
            concurrency: Gauge::default(),
            held: Gauge::default(),
            without_shard: Gauge::default(),
        }
    }
}

impl IndexerMetrics {
    /// Registers the counters.
    pub fn register(&self, registry: &mut Registry) {
        let Self { books, retried, bulks, bulk_seconds, concurrency, held, without_shard } = self;
        registry.register_collector(Box::new(books.clone()));
        registry.register(
            "documents_retried",
            "Documents sent again after a temporary refusal",
            retried.clone(),
        );
        for outcome in OUTCOMES {
            drop(bulks.get_or_create(&OutcomeLabel { outcome }));
        }
        registry.register("bulk_requests", "Requests to _bulk", bulks.clone());
        registry.register("bulk_seconds", "Duration of requests to _bulk", bulk_seconds.clone());
        registry.register("bulk_concurrency", "Bulks that may be in flight", concurrency.clone());
        registry.register("held", "1 while Elasticsearch takes nothing", held.clone());
        registry.register(
            "without_shard",
            "1 while documents wait for whose new index the cluster has no shard",
            without_shard.clone(),
        );
    }

    /// Documents of a delivery, which are in flight from now on.
    pub fn received(&self, documents: usize) {
        let mut columns = self.books.open();
        columns.received += documents as u64;
        columns.in_flight += documents as u64;
    }

    /// Documents with a verdict that is good.
    pub fn settled(&self, created: u64, duplicate: u64) {
        let mut columns = self.books.open();
        columns.indexed += created;
        columns.duplicate += duplicate;
        columns.in_flight = columns.in_flight.saturating_sub(created + duplicate);
    }

    /// Documents of the created that have their fields as text.
    pub fn conflicting(&self, documents: u64) {
        self.books.open().conflicting += documents;
    }

    /// Documents of the received that may have come before.
    pub fn possible_repeats(&self, documents: usize) {
        self.books.open().possible_repeats += documents as u64;
    }

    /// Documents, or messages, of these kinds that are among the dead letters; or are not kept, for
    /// a reason.
    pub fn dead(&self, kinds: Vec<String>, dropped: Option<&'static str>) {
        let documents = kinds.len() as u64;
        let mut columns = self.books.open();
        for kind in kinds {
            *columns.dead.entry(kind).or_default() += 1;
        }
        if let Some(reason) = dropped {
            debug_assert!(DROPPED.contains(&reason), "{reason} is not shown from the beginning");
            *columns.dropped.entry(reason).or_default() += documents;
        }
        columns.in_flight = columns.in_flight.saturating_sub(documents);
    }

    /// Counts documents that are sent again.
    pub fn retried(&self, documents: usize) {
        self.retried.inc_by(documents as u64);
    }

    /// Everything without a verdict goes back to where it came from. A bulk of which only a part had
    /// one is told by these books, not by the deliveries it belongs to. No bulk may be under way.
    pub fn return_the_rest(&self) {
        let mut columns = self.books.open();
        columns.returned += std::mem::take(&mut columns.in_flight);
    }

    /// What became of documents so far.
    pub fn totals(&self) -> Sums {
        let columns = self.books.open();
        Sums { indexed: columns.indexed, duplicate: columns.duplicate, dead: columns.all_dead() }
    }

    /// The books, for heartbeats: a name for each column, and its count.
    pub fn columns(&self) -> Vec<(&'static str, u64)> {
        let columns = self.books.open();
        vec![
            ("received", columns.received),
            ("indexed", columns.indexed),
            ("duplicate", columns.duplicate),
            ("dead", columns.all_dead()),
            ("returned", columns.returned),
            ("in_flight", columns.in_flight),
        ]
    }

    /// Logs the counts since the start: after the end nobody can ask for them.
    pub fn log_books(&self) {
        let columns = self.books.open().clone();
        let dead = columns.all_dead();
        let Columns { received, indexed, duplicate, returned, in_flight, .. } = columns;
        let mapping_conflict = columns.conflicting;
        info!(
            received,
            indexed,
            mapping_conflict,
            duplicate,
            dead,
            returned,
            in_flight,
            "counts since the start"
        );
    }

    /// Counts a request to `_bulk`, and how long it took.
    pub fn bulk(&self, outcome: &'static str, time: Duration) {
        debug_assert!(OUTCOMES.contains(&outcome), "{outcome} is not shown from the beginning");
        self.bulks.get_or_create(&OutcomeLabel { outcome }).inc();
        self.bulk_seconds.observe(time.as_secs_f64());
    }

    /// How many bulks may be in flight now.
    pub fn concurrency(&self, bulks: usize) {
        self.concurrency.set(i64::try_from(bulks).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use omphalos_common::telemetry::Telemetry;

    use super::*;

    const REST: [&str; 5] =
        ["indexed_total", "duplicate_total", "dead_total", "returned_total", "in_flight"];

    /// The sum of `names` in a scrape.
    fn sum(text: &str, names: &[&str]) -> u64 {
        let is_one = |line: &&str| {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            names.iter().any(|own| name == format!("omphalos_documents_{own}"))
        };
        text.lines()
            .filter(is_one)
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    #[test]
    fn every_scrape_adds_up_while_documents_come_and_get_their_verdicts() {
        let metrics = IndexerMetrics::default();
        let telemetry = Telemetry::default();
        telemetry.register(|registry| metrics.register(registry));
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        metrics.received(10);
                        metrics.settled(5, 2);
                        metrics
                            .dead(vec!["a".to_owned(), "b".to_owned()], Some("dead_letters_full"));
                        metrics.settled(1, 0);
                    }
                });
            }
            let mut moved = 0;
            for _ in 0..3_000 {
                let text = telemetry.metrics();
                assert_eq!(sum(&text, &["received_total"]), sum(&text, &REST), "{text}");
                moved += u64::from(sum(&text, &["in_flight"]) > 0);
            }
            is_over.store(true, Ordering::Relaxed);
            assert!(moved > 0, "nothing was in flight in any scrape");
        });
        metrics.received(7);
        metrics.return_the_rest();
        let text = telemetry.metrics();
        assert_eq!((sum(&text, &["in_flight"]), sum(&text, &["returned_total"])), (0, 7));
        assert_eq!(sum(&text, &["received_total"]), sum(&text, &REST));
    }
}
