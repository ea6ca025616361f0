//! The metrics of the UDP sender.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Why documents are not sent. Shown from the beginning, at 0: Prometheus sees no increase from
/// nothing to 1.
const DROPPED: [&str; 1] = ["too_large"];

/// The label of what is counted for each destination.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct To {
    to: String,
}

/// The label of documents that are not sent.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// The counters; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct UdpSenderMetrics {
    pub(super) datagrams: Counter,
    pub(super) bytes: Counter,
    pub(super) documents: Counter,
    pub(super) parity: Counter,
    pub(super) marks: Counter,
    pub(super) heartbeats: Counter,
    pub(super) heartbeats_dropped: Counter,
    pub(super) requests: Counter,
    pub(super) resent: Counter,
    pub(super) not_kept: Counter,
    pub(super) refused: Counter,
    dropped: Family<Reason, Counter>,
    failures: Family<To, Counter>,
    up: Family<To, Gauge>,
}

impl UdpSenderMetrics {
    /// Registers the counters under `udp_sender_`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("udp_sender");
        let Self { datagrams, bytes, documents, parity, marks, heartbeats, .. } = self;
        registry.register("datagrams", "Datagrams with documents sent", datagrams.clone());
        registry.register("bytes", "Bytes of all datagrams sent", bytes.clone());
        registry.register("documents", "Documents in the datagrams sent", documents.clone());
        registry.register("parity", "Parity datagrams sent", parity.clone());
        registry.register("marks", "Marks sent", marks.clone());
        registry.register("heartbeats", "Heartbeats sent", heartbeats.clone());
        registry.register(
            "heartbeats_dropped",
            "Heartbeats that could not go at once: nobody listens, or the socket is full",
            self.heartbeats_dropped.clone(),
        );
        for reason in DROPPED {
            drop(self.dropped.get_or_create(&Reason { reason }));
        }
        let Self { requests, resent, not_kept, refused, dropped, failures, up, .. } = self;
        registry.register(
            "requests",
            "Requests of receivers for missing datagrams",
            requests.clone(),
        );
        registry.register(
            "resent",
            "Datagrams sent again because a receiver asked for them",
            resent.clone(),
        );
        registry.register(
            "not_kept",
            "Datagrams that were asked for and no longer kept",
            not_kept.clone(),
        );
        registry.register(
            "requests_refused",
            "Datagrams from receivers that were refused as not genuine",
            refused.clone(),
        );
        registry.register(
            "documents_dropped",
            "Documents that could not be sent at all",
            dropped.clone(),
        );
        registry.register(
            "failures",
            "How often a destination was found not to listen",
            failures.clone(),
        );
        registry.register("up", "1 while a destination seems to listen", up.clone());
    }

    pub(super) fn dropped(&self, reason: &'static str) {
        debug_assert!(DROPPED.contains(&reason), "{reason} is not shown from the beginning");
        self.dropped.get_or_create(&Reason { reason }).inc();
    }

    /// Shows a destination from the beginning.
    pub(super) fn open(&self, to: &str) {
        let label = To { to: to.to_owned() };
        drop(self.up.get_or_create(&label));
        drop(self.failures.get_or_create(&label));
    }

    pub(super) fn up(&self, to: &str) {
        self.up.get_or_create(&To { to: to.to_owned() }).set(1);
    }

    pub(super) fn down(&self, to: &str) {
        let label = To { to: to.to_owned() };
        self.up.get_or_create(&label).set(0);
        self.failures.get_or_create(&label).inc();
    }
}
