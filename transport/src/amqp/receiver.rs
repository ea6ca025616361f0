//! Consuming: deliveries as long as someone asks for them, from a consumer that is set up again
//! whenever the connection, the channel or the queue fails.

mod drain;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use lapin::message::Delivery as LapinDelivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Consumer, Event};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tracing::{debug, info, warn};

use self::drain::{Adrift, is_refusal};
use super::access::{Doing, lacking};
use super::properties::from_properties;
use super::{Broker, BrokerLink, ReceiverMetrics, Topology};
use crate::Message;
use crate::intake::{Answer, Delivery, Intake, Load};
use omphalos_common::retry::Retry;
use omphalos_common::telemetry::{CALM, Due, Health, Repeats};

/// Between two attempts; the longer, the later it is noticed that a broker is back.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A connection that lasted so long is no reason to wait longer than after the first failure.
const PROVEN: Duration = Duration::from_secs(1);

/// How often a consumer that gets nothing asks whether messages wait for it. If they do twice in a
/// row, the broker has forgotten it: RabbitMQ 3.10 was seen to do so when a quorum queue was deleted
/// and declared again, without a word to the consumer.
const IDLE_LOOK: Duration = Duration::from_secs(5);

/// A consumer that ends by itself at the moment when it is replaced may leave us waiting for its
/// end, on a connection that is well: such a connection is made anew.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

/// What a receiver is started with.
#[derive(Debug, Clone)]
pub struct ReceiverOptions {
    /// The name of the receiver in [`Health`].
    pub part: &'static str,
    /// Queue to consume.
    pub queue: String,
    /// Deliveries that may be unacknowledged at first.
    pub prefetch: u16,
    /// The users whose batches are those of shippers; where none is named, those of all who may
    /// publish.
    pub shipper_users: Vec<String>,
}

/// The answer that a message waits for.
#[derive(Debug)]
struct ToBroker {
    acker: Acker,
    acknowledged: prometheus_client::metrics::counter::Counter,
    /// Counts the answers of its connection.
    answered: Arc<AtomicU64>,
}

impl Answer for ToBroker {
    /// Where the connection is gone, the message comes again.
    fn acknowledge(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            match self.acker.ack(BasicAckOptions::default()).await {
                Ok(true) => {
                    self.answered.fetch_add(1, Ordering::Release);
                    self.acknowledged.inc();
                }
                Ok(false) => {}
                Err(error) => {
                    debug!(%error, "an acknowledgement was not sent; the message comes again");
                }
            }
        })
    }

    fn is_stale(&self) -> bool {
        !self.acker.usable()
    }

    /// The broker has its `consumer_timeout`.
    fn is_timed(&self) -> bool {
        true
    }
}

/// What the user of a receiver wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    /// Consume, with so many deliveries unacknowledged.
    Prefetch(u16),
    /// Do not consume, and hand back what is unacknowledged.
    Paused,
    /// Do not consume any more, but keep what is unacknowledged, to be answered.
    Stopped,
}

/// The consuming end; dropping it ends the consumer.
#[derive(Debug)]
pub struct Receiver {
    deliveries: mpsc::Receiver<Delivery>,
    demand: watch::Sender<Demand>,
    questions: mpsc::Sender<oneshot::Sender<bool>>,
}

impl Receiver {
    /// Starts a supervisor.
    pub fn start(
        broker: Arc<Broker>,
        topology: Topology,
        options: ReceiverOptions,
        metrics: ReceiverMetrics,
        health: Health,
    ) -> (Self, JoinHandle<()>) {
        // The prefetch bounds what is in here; no prefetch is larger.
        let (sender, deliveries) = mpsc::channel(usize::from(u16::MAX));
        let (demand, demand_seen) = watch::channel(Demand::Prefetch(options.prefetch));
        let (questions, asked) = mpsc::channel(1);
        let supervisor = ConsumerSupervisor {
            broker,
            topology,
            options,
            metrics,
            health,
            deliveries: sender,
            demand: demand_seen,
            questions: asked,
            consumers: 0,
            pushed: 0,
            answered: Arc::default(),
            adrift: Adrift::default(),
            greeting: Repeats::every(CALM),
        };
        (Self { deliveries, demand, questions }, tokio::spawn(supervisor.run()))
    }
}

impl Intake for Receiver {
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>> {
        Box::pin(self.deliveries.recv())
    }

    /// Sets how many deliveries may be unacknowledged, and consumes if it was paused.
    fn resume(&self, prefetch: u16) {
        let wanted = Demand::Prefetch(prefetch.max(1));
        self.demand.send_if_modified(|demand| std::mem::replace(demand, wanted) != wanted);
    }

    /// Stops consuming; everything unacknowledged goes back to the broker. What is still in the
    /// receiver becomes stale.
    fn pause(&self) {
        self.demand
            .send_if_modified(|demand| std::mem::replace(demand, Demand::Paused) != Demand::Paused);
    }

    /// Stops consuming for good. What is unacknowledged can still be answered; what is still in the
    /// receiver need not be looked at, and goes back to the broker when the receiver is dropped.
    fn stop(&mut self) {
        self.demand.send_replace(Demand::Stopped);
    }

    /// Whether nothing is left in the queue for us, at one moment while this is waited for: our
    /// consumer was cancelled, everything that was pushed to us is answered, and the queue has no
    /// message that is not delivered to anyone. Consuming goes on after that moment. What other
    /// consumers hold is not known. Waits for a broker that is away.
    fn is_drained(&self) -> BoxFuture<'static, bool> {
        let questions = self.questions.clone();
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            questions.send(answer).await.is_ok() && answered.await.unwrap_or(false)
        })
    }
}

struct ConsumerSupervisor {
    broker: Arc<Broker>,
    topology: Topology,
    options: ReceiverOptions,
    metrics: ReceiverMetrics,
    health: Health,
    deliveries: mpsc::Sender<Delivery>,
    demand: watch::Receiver<Demand>,
    /// Whoever asks whether nothing is left.
    questions: mpsc::Receiver<oneshot::Sender<bool>>,
    /// For consumer tags that differ.
    consumers: u64,
    /// How many deliveries came over this connection, and how many of them were answered.
    pushed: u64,
    answered: Arc<AtomicU64>,
    /// What went down unanswered with a connection.
    adrift: Adrift,
    /// For "consuming", which a connection that breaks at once would repeat.
    greeting: Repeats,
}

/// Why a connection is no longer used.
enum ConsumingEnd {
    /// Nobody wants deliveries any more.
    Dropped,
    /// They are not wanted now.
    Paused,
    /// It failed.
    Lost(String),
}

impl ConsumerSupervisor {
    async fn run(mut self) {
        let mut retry = Retry::new(Duration::from_millis(200), LONGEST_WAIT);
        let mut trouble = Repeats::new();
        while self.wanted().await {
            let ended = match self.open().await {
                Ok((link, channel)) => {
                    trouble.over();
                    let opened = Instant::now();
                    let heartbeat = link.connection.configuration().heartbeat();
                    let ended = self.consume(link, channel).await;
                    self.adrift.add(self.unanswered(), heartbeat);
                    if opened.elapsed() > PROVEN {
                        retry.reset();
                    }
                    ended
                }
                Err(reason) => ConsumingEnd::Lost(reason),
            };
            self.metrics.connected.set(0);
            match ended {
                ConsumingEnd::Dropped => return,
                ConsumingEnd::Paused => {
                    info!(part = self.options.part, "handed all deliveries back");
                }
                ConsumingEnd::Lost(reason) => {
                    if let Some(Due { repeats }) = trouble.due() {
                        warn!(
                            part = self.options.part,
                            repeats, "{reason}; trying again, for ever"
                        );
                    }
                    self.health.problem(self.options.part, reason);
                    tokio::select! {
                        () = tokio::time::sleep(retry.next_wait()) => {}
                        () = self.deliveries.closed() => return,
                    }
                }
            }
        }
    }

    /// Waits until deliveries are wanted; `false` when they never will be.
    async fn wanted(&mut self) -> bool {
        loop {
            match *self.demand.borrow_and_update() {
                Demand::Prefetch(_) => return true,
                // There is no connection on which anything could still be answered.
                Demand::Stopped => return false,
                Demand::Paused => {}
            }
            if self.demand.changed().await.is_err() {
                return false;
            }
        }
    }

    async fn open(&mut self) -> Result<(BrokerLink, Channel), String> {
        let link = self.broker.connect().await.map_err(|error| error.to_string())?;
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", link.shown);
        self.topology.establish(&link.connection).await.map_err(|error| told(&error))?;
        let channel = link.connection.create_channel().await.map_err(|error| told(&error))?;
        self.metrics.connects.inc();
        self.metrics.connected.set(1);
        self.health.well(self.options.part);
        if let Some(Due { repeats }) = self.greeting.due() {
            let Self { options: ReceiverOptions { part, queue, .. }, .. } = &self;
            info!(part, queue, repeats, "consuming from {}", link.shown);
        }
        self.greeting.over();
        Ok((link, channel))
    }

    async fn consume(&mut self, link: BrokerLink, channel: Channel) -> ConsumingEnd {
        let lost = |reason: String| ConsumingEnd::Lost(format!("{}: {reason}", link.shown));
        let mut events = std::pin::pin!(link.connection.events_listener());
        let mut consumer = None;
        (self.pushed, self.answered) = (0, Arc::default());
        let mut waiting = false;
        let mut looks = tokio::time::interval(IDLE_LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let following = self.follow_demand(&channel, &mut consumer);
            match tokio::time::timeout(LONGEST_ANSWER, following).await {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(ended))) => {
                    close(&link).await;
                    return ended;
                }
                Ok(Err(error)) => return lost(cannot_consume(&error)),
                Err(_) => {
                    drop(tokio::time::timeout(LONGEST_ANSWER, close(&link)).await);
                    return lost(format!("no answer to consume or cancel in {LONGEST_ANSWER:?}"));
                }
            }
            tokio::select! {
                biased;
                Some(event) = events.next() => {
                    // A refusal ends the channel that asked, which was made for that alone.
                    if let Event::Error(error) = event
                        && !is_refusal(&error)
                    {
                        return lost(format!("the connection is lost: {error}"));
                    }
                }
                // What it says, or that nobody is left to say anything, is seen above.
                _ = self.demand.changed() => {}
                () = self.deliveries.closed() => {}
                Some(asker) = self.questions.recv() => {
                    match self.is_drained(&link, &channel, &mut consumer).await {
                        // The asker may have gone; then nobody wants to know.
                        Ok(drained) => drop(asker.send(drained)),
                        Err(reason) => return lost(reason),
                    }
                }
                _ = looks.tick() => {
                    if let Err(reason) = self.look(&link, consumer.is_some(), &mut waiting).await {
                        return lost(reason);
                    }
                }
                delivery = next(&mut consumer) => match delivery {
                    Some(Ok(delivery)) => {
                        waiting = false;
                        self.forward(delivery).await;
                    }
                    Some(Err(error)) => return lost(format!("the consumer failed: {error}")),
                    None => return lost(format!(
                        "the broker cancelled the consumer; was queue {:?} deleted?",
                        self.options.queue
                    )),
                }
            }
        }
    }

    /// Makes the consumer what is wanted now; `Some` when the connection is not wanted any more.
    async fn follow_demand(
        &mut self,
        channel: &Channel,
        consumer: &mut Option<(Consumer, u16)>,
    ) -> lapin::Result<Option<ConsumingEnd>> {
        if self.deliveries.is_closed() {
            return Ok(Some(ConsumingEnd::Dropped));
        }
        let demand = *self.demand.borrow_and_update();
        match (demand, consumer.as_ref().map(|(_, prefetch)| *prefetch)) {
            (Demand::Paused, _) => return Ok(Some(ConsumingEnd::Paused)),
            (Demand::Stopped, Some(_)) => self.cancel(channel, consumer.take()).await?,
            (Demand::Prefetch(wanted), has) if has != Some(wanted) => {
                // A prefetch counts for consumers begun after it, so the consumer is replaced.
                self.cancel(channel, consumer.take()).await?;
                *consumer = Some((self.subscribe(channel, wanted).await?, wanted));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Ends a consumer, and forwards what it had still received.
    async fn cancel(
        &mut self,
        channel: &Channel,
        old: Option<(Consumer, u16)>,
    ) -> lapin::Result<()> {
        let Some((mut old, _)) = old else { return Ok(()) };
        channel.basic_cancel(old.tag(), BasicCancelOptions::default()).await?;
        while let Some(delivery) = old.next().await {
            self.forward(delivery?).await;
        }
        Ok(())
    }

    async fn subscribe(&mut self, channel: &Channel, prefetch: u16) -> lapin::Result<Consumer> {
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        self.consumers += 1;
        let tag = format!("omphalos-{}", self.consumers);
        let options = BasicConsumeOptions::default();
        let queue = self.options.queue.as_str().into();
        let consumer =
            channel.basic_consume(queue, tag.into(), options, FieldTable::default()).await?;
        self.metrics.prefetch.set(i64::from(prefetch));
        debug!(part = self.options.part, prefetch, "consuming");
        Ok(consumer)
    }

    /// How many deliveries of this connection wait for their answers.
    fn unanswered(&self) -> u64 {
        self.pushed.saturating_sub(self.answered.load(Ordering::Acquire))
    }

    async fn forward(&mut self, delivery: LapinDelivery) {
        self.pushed += 1;
        self.metrics.received.inc();
        if delivery.redelivered {
            self.metrics.redelivered.inc();
            self.adrift.came_again();
        }
        let (exchange, key) = (delivery.exchange.as_str(), delivery.routing_key.as_str());
        let about = from_properties(&delivery.properties, exchange, key);
        let delivery = Delivery {
            origin: about.sender(&self.options.shipper_users),
            is_repeat: delivery.redelivered,
            load: Load::Message(Message { body: delivery.data.into(), about }),
            answer: Box::new(ToBroker {
                acker: delivery.acker,
                acknowledged: self.metrics.acknowledged.clone(),
                answered: Arc::clone(&self.answered),
            }),
        };
        if self.deliveries.send(delivery).await.is_err() {
            debug!("a delivery came too late; it goes back to the broker");
        }
    }

    /// Looks whether messages wait for a consumer that has nothing to do, and have since the last
    /// look (`waiting`; a delivery takes that back).
    async fn look(
        &self,
        link: &BrokerLink,
        consuming: bool,
        waiting: &mut bool,
    ) -> Result<(), String> {
        let has_nothing = consuming && self.unanswered() == 0;
        let ready = if has_nothing { self.count_ready(link).await? } else { 0 };
        if ready > 0 && *waiting {
            let queue = &self.options.queue;
            return Err(format!("{ready} messages wait in queue {queue:?} and none is delivered"));
        }
        *waiting = ready > 0;
        Ok(())
    }
}

/// The next delivery; never, without a consumer.
async fn next(consumer: &mut Option<(Consumer, u16)>) -> Option<lapin::Result<LapinDelivery>> {
    match consumer {
        Some((consumer, _)) => consumer.next().await,
        None => std::future::pending().await,
    }
}

/// Why the broker gives nothing.
fn cannot_consume(error: &lapin::Error) -> String {
    let lacking = lacking(error, Doing::Consume);
    format!("cannot consume: {}", lacking.unwrap_or_else(|| error.to_string()))
}

async fn close(link: &BrokerLink) {
    if let Err(error) = link.connection.close(200, "done".into()).await {
        debug!(%error, "while closing the connection");
    }
}
