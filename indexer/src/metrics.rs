//! What the indexer counts. The books: documents received = indexed + duplicate + dead-lettered +
//! returned + in flight.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tracing::info;

/// The label of counters that are kept for each reason.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: String,
}

/// The label of bulk requests.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
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

/// The counters; cheap to clone.
#[derive(Clone, Debug)]
pub struct IndexerMetrics {
    received: Counter,
    indexed: Counter,
    duplicate: Counter,
    dead: Family<Reason, Counter>,
    /// The sum of `dead`.
    all_dead: Counter,
    dropped: Family<Reason, Counter>,
    returned: Counter,
    retried: Counter,
    in_flight: Gauge,
    bulks: Family<Outcome, Counter>,
    bulk_seconds: Histogram,
    concurrency: Gauge,
    /// 1 while the cluster takes nothing.
    pub held: Gauge,
}

impl Default for IndexerMetrics {
    fn default() -> Self {
        Self {
            received: Counter::default(),
            indexed: Counter::default(),
            duplicate: Counter::default(),
            dead: Family::default(),
            all_dead: Counter::default(),
            dropped: Family::default(),
            returned: Counter::default(),
            retried: Counter::default(),
            in_flight: Gauge::default(),
            bulks: Family::default(),
            bulk_seconds: Histogram::new(exponential_buckets(0.005, 2.0, 15)),
            concurrency: Gauge::default(),
            held: Gauge::default(),
        }
    }
}

impl IndexerMetrics {
    /// Registers the counters.
    pub fn register(&self, registry: &mut Registry) {
        let Self { received, indexed, duplicate, dead, dropped, returned, .. } = self;
        registry.register(
            "documents_received",
            "Documents in messages delivered to us",
            received.clone(),
        );
        registry.register("documents_indexed", "Documents created in an index", indexed.clone());
        registry.register(
            "documents_duplicate",
            "Documents refused because they were in their index already",
            duplicate.clone(),
        );
        registry.register(
            "documents_dead",
            "Documents, or messages that could not be read, stored as dead letters",
            dead.clone(),
        );
        registry.register(
            "documents_dropped",
            "Dead letters that could not be kept",
            dropped.clone(),
        );
        registry.register(
            "documents_returned",
            "Documents handed back to the broker or the spool without a verdict",
            returned.clone(),
        );
        let Self { retried, in_flight, bulks, bulk_seconds, concurrency, held, .. } = self;
        registry.register(
            "documents_in_flight",
            "Documents without a final verdict",
            in_flight.clone(),
        );
        registry.register("documents_retried", "Documents sent again, alone", retried.clone());
        registry.register("bulk_requests", "Requests to _bulk", bulks.clone());
        registry.register("bulk_seconds", "Duration of requests to _bulk", bulk_seconds.clone());
        registry.register("bulk_concurrency", "Bulks that may be in flight", concurrency.clone());
        registry.register("held", "1 while Elasticsearch takes nothing", held.clone());
    }

    /// Documents of a delivery.
    pub fn received(&self, documents: usize) {
        self.received.inc_by(documents as u64);
    }

    /// Documents with a verdict that is good.
    pub fn settled(&self, created: u64, duplicate: u64) {
        self.indexed.inc_by(created);
        self.duplicate.inc_by(duplicate);
    }

    /// A document, or a message, that is among the dead letters.
    pub fn dead(&self, reason: &str) {
        self.dead.get_or_create(&Reason { reason: reason.to_owned() }).inc();
        self.all_dead.inc();
    }

    /// Dead letters that are not kept.
    pub fn dropped(&self, reason: &str, documents: usize) {
        self.dropped.get_or_create(&Reason { reason: reason.to_owned() }).inc_by(documents as u64);
    }

    /// Documents that are sent again.
    pub fn retried(&self, documents: usize) {
        self.retried.inc_by(documents as u64);
    }

    /// Everything without a verdict goes back to where it came from. A bulk of which only a part had
    /// one is told by the sums, not by the deliveries it belongs to.
    pub fn return_the_rest(&self) {
        let Self { received, indexed, duplicate, all_dead, returned, .. } = self;
        let settled = indexed.get() + duplicate.get() + all_dead.get() + returned.get();
        returned.inc_by(received.get().saturating_sub(settled));
    }

    /// What became of documents so far.
    pub fn totals(&self) -> Sums {
        Sums {
            indexed: self.indexed.get(),
            duplicate: self.duplicate.get(),
            dead: self.all_dead.get(),
        }
    }

    /// Writes the books of this run into the log: after the end nobody can ask for them.
    pub fn log_books(&self) {
        info!(
            received = self.received.get(),
            indexed = self.indexed.get(),
            duplicate = self.duplicate.get(),
            dead = self.all_dead.get(),
            returned = self.returned.get(),
            "the books of this run"
        );
    }

    /// A request to `_bulk`.
    pub fn bulk(&self, outcome: &'static str, time: Duration) {
        self.bulks.get_or_create(&Outcome { outcome }).inc();
        self.bulk_seconds.observe(time.as_secs_f64());
    }

    /// What is under way now.
    pub fn now(&self, in_flight: usize, concurrency: usize) {
        self.in_flight.set(i64::try_from(in_flight).unwrap_or(i64::MAX));
        self.concurrency.set(i64::try_from(concurrency).unwrap_or(i64::MAX));
    }
}
