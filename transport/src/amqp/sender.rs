//! Publishing with confirms: a window of messages in flight, and a supervisor that keeps them until
//! the broker has routed and confirmed each, through as many connections as that takes.

mod heartbeats;
mod supervisor;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{Broker, SenderMetrics, Topology};
use crate::{Message, Receipt, Window};
pub use heartbeats::Heartbeats;
use omphalos_common::telemetry::Health;
use supervisor::{Place, Reports, SenderSupervisor, Taken};

/// What a sender is started with.
#[derive(Debug, Clone)]
pub struct AmqpSenderOptions {
    /// The name of the sender in [`Health`].
    pub part: &'static str,
    /// Exchange to publish to.
    pub exchange: String,
    /// Begins the message ids; must differ between processes that run at the same time.
    pub id_prefix: String,
    /// How much may be in flight.
    pub window: Window,
    /// A connection on which a confirm takes longer is given up.
    pub confirm_timeout: Duration,
}

/// Hands messages to the supervisor; cheap to clone. When the last one is dropped, the supervisor
/// waits for the confirms that are missing, closes the connection and ends.
#[derive(Debug, Clone)]
pub struct AmqpSender {
    queue: mpsc::Sender<Queued>,
    heartbeats: Heartbeats,
}

#[derive(Debug)]
struct Queued {
    message: Message,
    done: oneshot::Sender<()>,
}

impl AmqpSender {
    /// Starts a supervisor. Aborting the task gives up what is in flight.
    pub fn start(
        broker: Arc<Broker>,
        topology: Topology,
        options: AmqpSenderOptions,
        metrics: SenderMetrics,
        health: Health,
    ) -> (Self, JoinHandle<()>) {
        let (queue, receiver) = mpsc::channel(1);
        let (heartbeats, waiting) = Heartbeats::new(metrics.heartbeats_dropped.clone());
        let (place, reports) = (Place { broker, topology }, Reports { metrics, health });
        let taken = Taken { queue: receiver, heartbeats: waiting };
        let supervisor = SenderSupervisor::new(place, options, reports, taken);
        (Self { queue, heartbeats }, tokio::spawn(supervisor.run()))
    }

    /// The way of heartbeats, which the supervisor does not wait for at its end.
    pub fn heartbeats(&self) -> Heartbeats {
        self.heartbeats.clone()
    }

    /// Gives the message to the supervisor as soon as the window has room for it; the supervisor
    /// sets `mandatory`, persistence and the message id. Delivered means that it is routed and
    /// confirmed.
    pub async fn send(&self, message: Message) -> Receipt {
        let (done, receipt) = Receipt::new();
        // A failure drops `done`, which resolves the receipt to `false`.
        drop(self.queue.send(Queued { message, done }).await);
        receipt
    }
}
