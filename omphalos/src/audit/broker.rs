//! The broker, as far as an audit needs it: how much waits there, dead letters, and where missing
//! documents are shipped to.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use omphalos_common::config::ConfigError;
use omphalos_common::telemetry::Health;
use omphalos_transport::amqp::{
    AmqpSender, AmqpSenderOptions, AmqpSettings, Broker, DeadQueue, SenderMetrics, Topology,
    waiting_messages,
};
use omphalos_transport::{Message, Receipt, Window};
use tokio::task::JoinHandle;

use crate::local_road::LocalRoad;

/// What may be in flight at once.
const WINDOW: Window = Window { messages: 64, bytes: 8 * 1024 * 1024 };
/// A connection on which a confirm takes longer is given up.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the connection may take to be closed.
const CLOSING: Duration = Duration::from_secs(2);

/// The broker: dead letters are read from it, and repairs sent to it.
pub struct Mq {
    broker: Arc<Broker>,
    topology: Topology,
}

impl Mq {
    /// The broker of these settings.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn new(settings: &AmqpSettings) -> Result<Self, ConfigError> {
        let broker = Arc::new(Broker::new(settings, "omphalos audit")?);
        Ok(Self { broker, topology: Topology::new(settings) })
    }

    /// The queue that the indexer consumes.
    pub fn queue(&self) -> &str {
        &self.topology.queue
    }

    /// How many messages wait there; `None` when there is no such queue.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    pub async fn waiting(&self) -> anyhow::Result<Option<u32>> {
        Ok(waiting_messages(&self.broker, &self.topology.queue).await?)
    }

    /// The queue of dead letters, if it is there and not empty.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    pub async fn dead_letters(&self) -> anyhow::Result<Option<DeadQueue>> {
        match waiting_messages(&self.broker, &self.topology.dead_letters).await? {
            None | Some(0) => Ok(None),
            Some(_) => Ok(Some(DeadQueue::open(&self.broker, self.topology.clone()).await?)),
        }
    }

    /// Begins to publish; nothing may take longer than `patience`.
    pub fn publisher(&self, patience: Duration) -> Publisher {
        let options = AmqpSenderOptions {
            part: "amqp",
            exchange: self.topology.exchange.clone(),
            id_prefix: format!("audit-{:016x}", rand::random::<u64>()),
            window: WINDOW,
            confirm_timeout: CONFIRM_TIMEOUT,
        };
        let (metrics, health) = (SenderMetrics::default(), Health::default());
        let (broker, topology) = (Arc::clone(&self.broker), self.topology.clone());
        let (sender, task) = AmqpSender::start(broker, topology, options, metrics, health);
        Publisher::new(Way::Broker(sender, task), patience)
    }
}

/// The way that what is missing takes.
enum Way {
    Broker(AmqpSender, JoinHandle<()>),
    Local(LocalRoad),
}

/// Publishes with confirms.
pub struct Publisher {
    way: Way,
    patience: Duration,
    receipts: FuturesUnordered<Receipt>,
}

impl Publisher {
    /// Straight to Elasticsearch, along the local road.
    pub fn local(road: LocalRoad, patience: Duration) -> Self {
        Self::new(Way::Local(road), patience)
    }

    fn new(way: Way, patience: Duration) -> Self {
        Self { way, patience, receipts: FuturesUnordered::new() }
    }

    /// Publishes a message.
    ///
    /// # Errors
    /// When nothing is taken for too long.
    pub async fn publish(&mut self, message: Message) -> anyhow::Result<()> {
        let sending = tokio::time::timeout(self.patience, self.way.send(message));
        let receipt = sending.await.map_err(|_| self.unconfirmed())?;
        self.receipts.push(receipt);
        // What is confirmed by now need not be kept.
        while self.receipts.len() > WINDOW.messages {
            self.confirm_one().await?;
        }
        Ok(())
    }

    /// Waits until everything is confirmed.
    ///
    /// # Errors
    /// When that takes too long.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        while !self.receipts.is_empty() {
            self.confirm_one().await?;
        }
        match self.way {
            Way::Broker(sender, mut task) => {
                drop(sender);
                if tokio::time::timeout(CLOSING, &mut task).await.is_err() {
                    task.abort();
                }
            }
            Way::Local(road) => {
                road.close().await?;
            }
        }
        Ok(())
    }

    async fn confirm_one(&mut self) -> anyhow::Result<()> {
        match tokio::time::timeout(self.patience, self.receipts.next()).await {
            Ok(None | Some(true)) => Ok(()),
            Ok(Some(false)) | Err(_) => Err(self.unconfirmed()),
        }
    }

    fn unconfirmed(&self) -> anyhow::Error {
        anyhow::anyhow!(
            "{} has confirmed nothing for {:?}; another --repair indexes nothing twice, because ids prevent duplicates",
            self.way.whose(),
            self.patience
        )
    }
}

impl Way {
    async fn send(&self, message: Message) -> Receipt {
        match self {
            Self::Broker(sender, _) => sender.send(message).await,
            Self::Local(road) => road.send(message).await,
        }
    }

    /// Whose confirms are waited for.
    fn whose(&self) -> &'static str {
        match self {
            Self::Broker(..) => "the broker",
            Self::Local(_) => "Elasticsearch",
        }
    }
}
