//! The metrics of the AMQP sender and receiver.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Counters of a [`super::AmqpSender`].
#[derive(Clone, Debug)]
pub struct SenderMetrics {
    pub(super) connects: Counter,
    pub(super) connected: Gauge,
    pub(super) blocked: Gauge,
    pub(super) in_flight: Gauge,
    pub(super) confirmed: Counter,
    pub(super) refused: Counter,
    pub(super) returned: Counter,
    pub(super) resent: Counter,
    pub(super) confirm_seconds: Histogram,
    pub(super) heartbeats_published: Counter,
    pub(super) heartbeats_dropped: Counter,
}

impl Default for SenderMetrics {
    fn default() -> Self {
        Self {
            connects: Counter::default(),
            connected: Gauge::default(),
            blocked: Gauge::default(),
            in_flight: Gauge::default(),
            confirmed: Counter::default(),
            refused: Counter::default(),
            returned: Counter::default(),
            resent: Counter::default(),
            confirm_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            heartbeats_published: Counter::default(),
            heartbeats_dropped: Counter::default(),
        }
    }
}

impl SenderMetrics {
    /// Registers the counters under `amqp_sender_`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("amqp_sender");
        let Self { connects, connected, blocked, in_flight, .. } = self;
        registry.register("connects", "Connections made", connects.clone());
        registry.register("connected", "1 while connected to the broker", connected.clone());
        registry.register("blocked", "1 while the broker blocks publishing", blocked.clone());
        registry.register(
            "messages_in_flight",
            "Messages awaiting their confirm",
            in_flight.clone(),
        );
        let Self { confirmed, refused, returned, resent, confirm_seconds, .. } = self;
        registry.register("messages_confirmed", "Messages routed and confirmed", confirmed.clone());
        registry.register(
            "messages_refused",
            "Negative confirms, such as a full queue",
            refused.clone(),
        );
        registry.register("messages_returned", "Messages returned as unroutable", returned.clone());
        registry.register("messages_resent", "Messages published again", resent.clone());
        registry.register(
            "confirm_seconds",
            "Time from publishing to the confirm",
            confirm_seconds.clone(),
        );
        registry.register(
            "heartbeats_published",
            "Heartbeats given to the broker",
            self.heartbeats_published.clone(),
        );
        registry.register(
            "heartbeats_dropped",
            "Heartbeats that could not go at once: no connection, or one that is blocked or refused",
            self.heartbeats_dropped.clone(),
        );
    }
}

/// Counters of a [`super::Receiver`].
#[derive(Clone, Debug, Default)]
pub struct ReceiverMetrics {
    pub(super) connects: Counter,
    pub(super) connected: Gauge,
    pub(super) received: Counter,
    pub(super) redelivered: Counter,
    pub(super) acknowledged: Counter,
    pub(super) prefetch: Gauge,
}

impl ReceiverMetrics {
    /// Registers the counters under `amqp_receiver_`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("amqp_receiver");
        registry.register("connects", "Connections made", self.connects.clone());
        registry.register("connected", "1 while consuming", self.connected.clone());
        registry.register("messages_received", "Messages delivered", self.received.clone());
        registry.register(
            "messages_redelivered",
            "Messages delivered that had been delivered before",
            self.redelivered.clone(),
        );
        registry.register(
            "messages_acknowledged",
            "Messages acknowledged",
            self.acknowledged.clone(),
        );
        registry.register(
            "prefetch",
            "Deliveries that may be unacknowledged",
            self.prefetch.clone(),
        );
    }
}
