//! The task behind a [`AmqpSender`](super::AmqpSender): it keeps messages until they are confirmed, judges
//! confirms and returns, and makes connections anew for ever.

mod round;
mod trouble;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info};

use super::super::properties::to_properties;
use super::super::watch::Copies;
use super::super::{Broker, BrokerLink, SenderMetrics, Topology};
use super::heartbeats::Publishing;
use super::{AmqpSenderOptions, Queued};
use crate::Message;
use omphalos_common::retry::Retry;
use omphalos_common::telemetry::{CALM, Due, Health, Repeats};
use round::{Judged, Round};

/// Between two attempts; the longer, the later it is noticed that a broker is back.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A connection that lasted so long is no reason to wait longer than after the first failure.
const PROVEN: Duration = Duration::from_secs(1);

/// Where messages go.
pub(super) struct Place {
    pub broker: Arc<Broker>,
    pub topology: Topology,
}

/// Where it says what it does.
pub(super) struct Reports {
    pub metrics: SenderMetrics,
    pub health: Health,
}

/// What it is given.
pub(super) struct Taken {
    pub queue: mpsc::Receiver<Queued>,
    pub heartbeats: mpsc::Receiver<Message>,
}

/// Keeps what is not confirmed, and connections coming.
pub(super) struct SenderSupervisor {
    broker: Arc<Broker>,
    topology: Topology,
    options: AmqpSenderOptions,
    metrics: SenderMetrics,
    health: Health,
    /// `None` once all senders are gone.
    queue: Option<mpsc::Receiver<Queued>>,
    heartbeats: mpsc::Receiver<Message>,
    /// What is not confirmed, by its number.
    pending: BTreeMap<u64, Pending>,
    pending_bytes: usize,
    /// Numbers that were returned and whose confirm has not come yet.
    returned: HashSet<u64>,
    next_number: u64,
    trouble: Repeats,
    /// For "connected", which a connection that breaks at once would repeat.
    greeting: Repeats,
    /// When the broker last did not take a message, until it has taken all for a while.
    refused_at: Option<Instant>,
    reconnect: Retry,
    resend: Retry,
}

struct Pending {
    message: Message,
    done: oneshot::Sender<()>,
    published: Option<Instant>,
    /// Whether the broker did not take it the last time.
    is_refused: bool,
}

/// Why a connection is no longer used.
enum SessionEnd {
    /// Everything is confirmed and nobody can send any more.
    Finished,
    /// It failed; another one is needed.
    Lost(String),
}

type Settled = (u64, lapin::Result<Confirmation>);
type Awaited = Pin<Box<dyn Future<Output = Settled> + Send>>;

/// One channel on one connection, and what was published on it.
struct Session {
    channel: Channel,
    settling: FuturesUnordered<Awaited>,
    /// Who publishes, where messages are to say that.
    user: Option<String>,
    /// Numbers to publish now.
    backlog: VecDeque<u64>,
    /// Numbers that the broker refused, to publish again at `retry_at`.
    refused: Vec<u64>,
    retry_at: tokio::time::Instant,
    blocked: bool,
    /// For whoever watches.
    copies: Copies,
    heartbeats: Publishing,
}

impl SenderSupervisor {
    pub(super) fn new(
        place: Place,
        options: AmqpSenderOptions,
        reports: Reports,
        taken: Taken,
    ) -> Self {
        let Taken { queue, heartbeats } = taken;
        let Place { broker, topology } = place;
        let Reports { metrics, health } = reports;
        Self {
            broker,
            topology,
            options,
            metrics,
            health,
            queue: Some(queue),
            heartbeats,
            pending: BTreeMap::new(),
            pending_bytes: 0,
            returned: HashSet::new(),
            next_number: 0,
            trouble: Repeats::new(),
            greeting: Repeats::every(CALM),
            refused_at: None,
            reconnect: Retry::new(Duration::from_millis(200), LONGEST_WAIT),
            resend: Retry::new(Duration::from_millis(200), LONGEST_WAIT),
        }
    }

    /// Works until all senders are gone and everything is confirmed.
    pub(super) async fn run(mut self) {
        loop {
            let ended = match self.open().await {
                Some(Ok((link, session))) => {
                    let opened = Instant::now();
                    let ended = self.serve(link, session).await;
                    if opened.elapsed() > PROVEN {
                        self.reconnect.reset();
                    }
                    ended
                }
                Some(Err(reason)) => SessionEnd::Lost(reason),
                None => SessionEnd::Finished,
            };
            self.metrics.connected.set(0);
            self.metrics.blocked.set(0);
            match ended {
                SessionEnd::Finished => return,
                SessionEnd::Lost(reason) => {
                    if !self.pause_after(reason).await {
                        return;
                    }
                }
            }
        }
    }

    /// Connects and declares; `None` when there is nothing left to do.
    async fn open(&mut self) -> Option<Result<(BrokerLink, Session), String>> {
        let broker = Arc::clone(&self.broker);
        let topology = self.topology.clone();
        let opened = self
            .while_accepting(async move {
                let link = broker.connect().await.map_err(|error| error.to_string())?;
                let told = |error: &dyn std::fmt::Display| format!("{}: {error}", link.shown);
                topology.establish(&link.connection).await.map_err(|error| told(&error))?;
                let channel =
                    link.connection.create_channel().await.map_err(|error| told(&error))?;
                let confirm = channel.confirm_select(ConfirmSelectOptions::default());
                confirm.await.map_err(|error| told(&error))?;
                Ok((link, channel))
            })
            .await?;
        Some(opened.map(|(link, channel)| {
            self.connected(&link);
            let session = Session {
                channel,
                settling: FuturesUnordered::new(),
                user: link.user.clone(),
                backlog: self.pending.keys().copied().collect(),
                refused: Vec::new(),
                retry_at: tokio::time::Instant::now(),
                blocked: false,
                copies: self.copies(&link),
                heartbeats: self.heartbeats(&link),
            };
            (link, session)
        }))
    }

    fn copies(&self, link: &BrokerLink) -> Copies {
        Copies::start(&link.connection, &self.broker, &self.options.exchange)
    }

    /// A heartbeat that waits says how it was before the connection was there.
    fn heartbeats(&mut self, link: &BrokerLink) -> Publishing {
        while self.heartbeats.try_recv().is_ok() {
            self.metrics.heartbeats_dropped.inc();
        }
        Publishing::start(&link.connection, &self.options.exchange, &self.metrics)
    }

    fn connected(&mut self, link: &BrokerLink) {
        self.metrics.connects.inc();
        self.metrics.connected.set(1);
        // What it refused will be tried at once; whether it takes it now is another matter.
        if self.refused_at.is_none() {
            self.health.well(self.options.part);
        }
        self.returned.clear();
        if let Some(Due { repeats }) = self.greeting.due() {
            let part = self.options.part;
            info!(part, waiting = self.pending.len(), repeats, "connected to {}", link.shown);
        }
        self.greeting.over();
    }

    /// Waits for `work` and takes in messages meanwhile, as far as the window allows; `None` when
    /// there is nothing left to do.
    async fn while_accepting<F: Future>(&mut self, work: F) -> Option<F::Output> {
        let mut work = std::pin::pin!(work);
        loop {
            if self.finished() {
                return None;
            }
            tokio::select! {
                result = &mut work => return Some(result),
                queued = accept(&mut self.queue), if self.has_room() => {
                    self.take(queued);
                }
            }
        }
    }

    fn finished(&self) -> bool {
        self.queue.is_none() && self.pending.is_empty()
    }

    fn has_room(&self) -> bool {
        let window = self.options.window;
        self.queue.is_some()
            && (self.pending.is_empty()
                || (self.pending.len() < window.messages && self.pending_bytes < window.bytes))
    }

    /// Notes a message, or that there will be none; returns its number.
    fn take(&mut self, queued: Option<Queued>) -> Option<u64> {
        let Some(Queued { message, done }) = queued else {
            self.queue = None;
            return None;
        };
        let number = self.next_number;
        self.next_number += 1;
        self.pending_bytes += message.body.len();
        self.pending.insert(number, Pending { message, done, published: None, is_refused: false });
        self.metrics.in_flight.set(gauge(self.pending.len()));
        Some(number)
    }

    async fn serve(&mut self, link: BrokerLink, mut session: Session) -> SessionEnd {
        let mut events = std::pin::pin!(link.connection.events_listener());
        let mut watchdog = tokio::time::interval(Duration::from_secs(1));
        loop {
            while let Some(number) = session.next_to_publish() {
                self.publish(&mut session, number);
            }
            if self.finished() {
                if let Err(error) = link.connection.close(200, "done".into()).await {
                    debug!(%error, "while closing the connection");
                }
                return SessionEnd::Finished;
            }
            tokio::select! {
                biased;
                Some(event) = events.next() => {
                    if let Some(reason) = self.notice(&mut session, event) {
                        return SessionEnd::Lost(format!("{}: {reason}", link.shown));
                    }
                }
                Some(first) = session.settling.next(), if !session.settling.is_empty() => {
                    if let Err(reason) = self.settle(&mut session, first) {
                        return SessionEnd::Lost(format!("{}: {reason}", link.shown));
                    }
                }
                () = tokio::time::sleep_until(session.retry_at), if !session.refused.is_empty() => {
                    session.backlog.extend(session.refused.drain(..));
                }
                _ = watchdog.tick() => {
                    self.calm_down();
                    if !session.blocked && self.overdue() {
                        let limit = self.options.confirm_timeout;
                        return SessionEnd::Lost(format!("{}: no confirm within {limit:?}", link.shown));
                    }
                }
                // Before the lines, which may be ready all the time; of each host it is one each half minute.
                Some(heartbeat) = self.heartbeats.recv() => {
                    if session.blocked || !session.heartbeats.offer(heartbeat) {
                        self.metrics.heartbeats_dropped.inc();
                    }
                }
                queued = accept(&mut self.queue), if self.has_room() && !session.blocked => {
                    session.backlog.extend(self.take(queued));
                }
            }
        }
    }

    /// Puts a message on its way; the confirm arrives in `session.settling`.
    fn publish(&mut self, session: &mut Session, number: u64) {
        let Some(pending) = self.pending.get_mut(&number) else {
            return;
        };
        let id = format!("{}-{number}", self.options.id_prefix);
        match pending.published.replace(Instant::now()) {
            Some(_) => {
                self.metrics.resent.inc();
            }
            None => session.copies.offer(&pending.message, &id, number),
        }
        let message = pending.message.clone();
        let channel = session.channel.clone();
        let exchange = self.options.exchange.clone();
        let user = session.user.clone();
        session.settling.push(Box::pin(async move {
            const PERSISTENT: u8 = 2;
            let mut properties = to_properties(&message.about)
                .with_delivery_mode(PERSISTENT)
                .with_message_id(id.into());
            if let Some(user) = user {
                properties = properties.with_user_id(user.into());
            }
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let key = message.about.routing_key.as_str().into();
            let published =
                channel.basic_publish(exchange.into(), key, options, &message.body, properties);
            match published.await {
                Ok(confirm) => (number, confirm.await),
                Err(error) => (number, Err(error)),
            }
        }));
    }

    /// Judges all confirms that have arrived.
    ///
    /// RabbitMQ returns an unroutable message before it confirms it, and lapin hands the returned
    /// message to whichever confirm it resolves next, which may be another one's. The message id
    /// says which message it really was; and because that other confirm was resolved no later
    /// than this one, reading all that are ready before judging any sees every return in time.
    ///
    /// # Errors
    /// Why the connection is of no use any more.
    fn settle(&mut self, session: &mut Session, first: Settled) -> Result<(), String> {
        let mut round = Round::default();
        let mut next = Some(first);
        while let Some((number, outcome)) = next {
            round.add(number, outcome);
            next = session.settling.next().now_or_never().flatten();
        }
        let Judged { refused, returned, failure } = self.judge(round)?;
        if !refused.is_empty() || !returned.is_empty() {
            self.refused(session, refused, returned);
        }
        failure.map_or(Ok(()), |error| Err(self.explain(&error)))
    }

    fn confirmed(&mut self, number: u64) {
        let Some(pending) = self.pending.remove(&number) else {
            return;
        };
        self.pending_bytes -= pending.message.body.len();
        self.metrics.in_flight.set(gauge(self.pending.len()));
        self.metrics.confirmed.inc();
        if let Some(published) = pending.published {
            self.metrics.confirm_seconds.observe(published.elapsed().as_secs_f64());
        }
        if pending.done.send(()).is_err() {
            debug!(number, "nobody waits for this confirm any more");
        }
        self.resend.reset();
        if self.refused_at.is_none() {
            self.all_is_well();
        }
    }

    fn overdue(&self) -> bool {
        let limit = self.options.confirm_timeout;
        let published = self.pending.values().filter_map(|pending| pending.published);
        published.min().is_some_and(|oldest| oldest.elapsed() > limit)
    }
}

impl Session {
    fn next_to_publish(&mut self) -> Option<u64> {
        if self.blocked { None } else { self.backlog.pop_front() }
    }
}

/// The next message; never, when there will be none.
async fn accept(queue: &mut Option<mpsc::Receiver<Queued>>) -> Option<Queued> {
    match queue {
        Some(queue) => queue.recv().await,
        None => std::future::pending().await,
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
