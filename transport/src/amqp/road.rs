//! The shipper's end: batches to the exchange, each delivered when the broker has routed and
//! confirmed it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use omphalos_common::config::ConfigError;
use tokio::task::JoinHandle;

use super::{AmqpSender, AmqpSenderOptions, AmqpSettings, Broker, SenderMetrics, Topology};
use crate::batch::BatchSettings;
use crate::messages::{BatchMessages, MessageRoad, SendMessage, heartbeat_messages};
use crate::road::{Open, Plan, Site};
use crate::{Message, Receipt};

/// How long the supervisor may take to close its connection, when all is confirmed.
const LONGEST_CLOSE: Duration = Duration::from_secs(2);

/// A road to a broker.
pub struct AmqpPlan {
    broker: Arc<Broker>,
    settings: AmqpSettings,
    batch: BatchSettings,
}

impl AmqpPlan {
    /// The road that these settings mean.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn new(settings: &AmqpSettings, batch: &BatchSettings) -> Result<Self, ConfigError> {
        let broker = Arc::new(Broker::new(settings, "omphalos-shipper")?);
        Ok(Self { broker, settings: settings.clone(), batch: batch.clone() })
    }

    async fn check_nth(&self, turn: usize) -> Result<String, String> {
        let topology = Topology::new(&self.settings);
        let link = self.broker.connect_nth(turn).await.map_err(|error| error.to_string())?;
        let established = topology.establish(&link.connection).await;
        established.map_err(|error| format!("{}: {error}", link.shown))?;
        Ok(format!(
            "{}: connected; exchange {:?}, queue {:?} and dead letters {:?} are there",
            link.shown, topology.exchange, topology.queue, topology.dead_letters
        ))
    }
}

impl Plan for AmqpPlan {
    fn shown(&self) -> String {
        self.broker.shown()
    }

    fn check(&self) -> BoxFuture<'_, Vec<Result<String, String>>> {
        Box::pin(async {
            let mut findings = Vec::new();
            for turn in 0..self.broker.url_count() {
                findings.push(self.check_nth(turn).await);
            }
            findings
        })
    }

    fn open(self: Box<Self>, site: &Site) -> io::Result<Open> {
        let Self { broker, settings, batch } = *self;
        let metrics = SenderMetrics::default();
        site.telemetry.register(|registry| metrics.register(registry));
        let id_prefix = format!("{}-{:016x}", site.host, rand::random::<u64>());
        let mut message_of = heartbeat_messages("omphalos-shipper", &site.host, &id_prefix);
        let options = AmqpSenderOptions {
            part: "amqp",
            exchange: settings.exchange.clone(),
            id_prefix,
            window: batch.window(),
            confirm_timeout: batch.confirm_timeout.0,
        };
        let topology = Topology::new(&settings);
        let health = site.telemetry.health.clone();
        let _runtime = site.runtime.enter();
        let (sender, task) = AmqpSender::start(broker, topology, options, metrics, health);
        let messages = BatchMessages::new(&site.host, batch.encoding, batch.compression_level)?;
        let heartbeats = sender.heartbeats();
        let road = Box::new(MessageRoad::new(messages, sender, site));
        Ok(Open {
            road,
            close: Box::new(|is_settled| Box::pin(close(task, is_settled))),
            heartbeats: Some(Box::new(move |document| heartbeats.offer(message_of(document)))),
        })
    }
}

/// The supervisor closes the connection by itself when all is confirmed.
async fn close(task: JoinHandle<()>, is_settled: bool) {
    let abort = task.abort_handle();
    if !is_settled || tokio::time::timeout(LONGEST_CLOSE, task).await.is_err() {
        abort.abort();
    }
}

impl SendMessage for AmqpSender {
    async fn send(&self, message: Message) -> Receipt {
        Self::send(self, message).await
    }
}
