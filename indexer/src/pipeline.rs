//! receive → collect → acknowledge: deliveries are decoded, their documents gathered into bulks,
//! the bulks delivered, and each delivery acknowledged when its last document has a final verdict.

mod taking;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use omphalos_common::config::ConfigError;
use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::Health;
use omphalos_transport::intake::Intake;
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use crate::collector::{Bulk, BulkBuilder, Concurrency, Courier, Done, Ledger, Unsettled};
use crate::config::Settings;
use crate::elasticsearch::IndexNames;
use crate::prefetch::Prefetch;
use crate::suspects::Suspects;

/// How often time limits are looked at.
const TICK: Duration = Duration::from_millis(200);

/// Deliveries are handed back after this share of the broker's `consumer_timeout`.
const SHARE_OF_CONSUMER_TIMEOUT: u32 = 3;

/// What it is called where its health is told.
const PART: &str = "pipeline";

/// What the pipeline is doing.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Stage {
    /// Taking deliveries.
    Consuming,
    /// Everything was handed back, until Elasticsearch answers.
    Away,
    /// Finishing what was taken.
    Stopping,
}

/// The pipeline; [`Pipeline::run`] is its task.
pub struct Pipeline {
    settings: Settings,
    intake: Box<dyn Intake>,
    courier: Arc<Courier>,
    names: IndexNames,
    health: Health,
    stage: Stage,
    ledger: Ledger,
    builder: BulkBuilder,
    /// When the first document came into the builder.
    opened: Instant,
    /// Bulks that wait for their turn.
    ready: VecDeque<Bulk>,
    bulks: JoinSet<Result<Done, Unsettled>>,
    /// What waits for shards, with its size in bytes; it takes no turn away from the others.
    parked: JoinSet<(usize, Result<Done, Unsettled>)>,
    parked_bytes: usize,
    answers: JoinSet<()>,
    concurrency: Concurrency,
    prefetch: Prefetch,
    suspects: Suspects,
    /// With `drain`, the broker's answer whether the queue is empty, while it is waited for.
    drained: Option<BoxFuture<'static, bool>>,
}

impl Pipeline {
    /// A pipeline from `intake` to `courier`.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn new(
        settings: Settings,
        intake: Box<dyn Intake>,
        courier: Arc<Courier>,
        health: Health,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            names: IndexNames::new(settings.name_rules()?),
            stage: Stage::Consuming,
            ledger: Ledger::default(),
            builder: BulkBuilder::with_capacity(settings.bulk.bytes.as_usize()),
            opened: Instant::now(),
            ready: VecDeque::new(),
            bulks: JoinSet::new(),
            parked: JoinSet::new(),
            parked_bytes: 0,
            answers: JoinSet::new(),
            concurrency: Concurrency::new(settings.bulk.concurrency),
            prefetch: Prefetch::new(settings.bulk.bytes.as_usize()),
            suspects: Suspects::noted_in(&settings.state_dir),
            drained: None,
            settings,
            intake,
            courier,
            health,
        })
    }

    /// Works until told to stop; with `drain`, until nothing is left.
    ///
    /// # Errors
    /// When a stage ended that should not have, or something that is relied on is not so
    /// ([`Unsettled::Broken`]).
    pub async fn run(mut self, drain: bool, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(TICK);
        // Ticks go first below: after a long one the others must not follow at once.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !shutdown.is_cancelled() {
            self.dispatch();
            let flush_at = self.opened + self.settings.bulk.flush_interval.0;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                Some(ended) = self.bulks.join_next(), if !self.bulks.is_empty() => {
                    self.settle(ended)?;
                }
                Some(ended) = self.parked.join_next(), if !self.parked.is_empty() => {
                    self.settle_parked(ended)?;
                }
                Some(_) = self.answers.join_next(), if !self.answers.is_empty() => {}
                empty = answer(&mut self.drained) => {
                    self.drained = None;
                    if empty && self.is_idle() {
                        info!("nothing is left to index");
                        break;
                    }
                }
                _ = tick.tick() => {
                    self.health.beat(PART);
                    self.look_at_limits().await;
                    // Not waited for here: a broker that is away must not hold up the spool.
                    if drain && self.drained.is_none() && self.is_idle() {
                        self.drained = Some(self.intake.is_drained());
                    }
                }
                delivery = self.intake.next(), if self.has_room() => match delivery {
                    Some(delivery) => self.take(delivery)?,
                    None => anyhow::bail!("a receiver is gone"),
                },
                () = tokio::time::sleep_until(flush_at.into()), if self.has_turn() && self.builder.documents() > 0 => {
                    self.finish_bulk();
                }
            }
        }
        self.finish().await
    }

    /// Whether another bulk may be sent now.
    fn has_turn(&self) -> bool {
        self.bulks.len() < self.concurrency.limit()
    }

    /// Whether another delivery may be taken: what is parked is in memory.
    fn has_room(&self) -> bool {
        let most = self.settings.bulk.bytes.as_usize();
        let most = most.saturating_mul(self.settings.bulk.concurrency as usize);
        self.ready.is_empty() && self.parked_bytes < most
    }

    /// Sends the bulks whose turn it is.
    fn dispatch(&mut self) {
        while self.has_turn()
            && let Some(bulk) = self.ready.pop_front()
        {
            let courier = Arc::clone(&self.courier);
            self.bulks.spawn(async move { courier.deliver(bulk).await });
        }
        self.courier.metrics.concurrency(self.concurrency.limit());
    }

    fn finish_bulk(&mut self) {
        self.ready.push_back(self.builder.finish());
    }

    /// Acknowledges what a bulk has settled.
    fn settle(&mut self, ended: Result<Result<Done, Unsettled>, JoinError>) -> anyhow::Result<()> {
        let done = match ended {
            Ok(Ok(done)) => done,
            Ok(Err(Unsettled::Ending)) => return Ok(()),
            Ok(Err(broken)) => return Err(broken.into()),
            Err(error) if error.is_cancelled() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.take_in(done)
    }

    /// The same of what was parked.
    fn settle_parked(
        &mut self,
        ended: Result<(usize, Result<Done, Unsettled>), JoinError>,
    ) -> anyhow::Result<()> {
        if let Ok((bytes, _)) = &ended {
            self.parked_bytes = self.parked_bytes.saturating_sub(*bytes);
        }
        self.settle(ended.map(|(_, done)| done))
    }

    fn take_in(&mut self, done: Done) -> anyhow::Result<()> {
        for parked in done.parked {
            let (courier, bytes) = (Arc::clone(&self.courier), parked.bulk.body().len());
            self.parked_bytes += bytes;
            self.parked.spawn(async move { (bytes, courier.deliver_parked(parked).await) });
        }
        if done.refused {
            self.concurrency.refused();
        } else if let Some((bytes, time)) = done.taken {
            self.concurrency.taken(bytes, time);
        }
        for (number, documents) in done.settled {
            if let Some(answer) = self.ledger.settle(number, documents)? {
                self.courier.dead.forget(number);
                self.answers.spawn(answer.acknowledge());
            }
        }
        Ok(())
    }

    /// Hands deliveries back before the broker takes them away, and asks for them again when
    /// Elasticsearch answers.
    async fn look_at_limits(&mut self) {
        let limit = self.settings.consume.consumer_timeout.0 / SHARE_OF_CONSUMER_TIMEOUT;
        match self.stage {
            Stage::Consuming => {
                if self.ledger.oldest().is_some_and(|since| since.elapsed() > limit) {
                    self.hand_back().await;
                } else if let Some(prefetch) = self.prefetch.wanted(self.concurrency.limit()) {
                    self.intake.resume(prefetch);
                }
            }
            Stage::Away => {
                if self.courier.is_ready().await {
                    info!("Elasticsearch answers; consuming again");
                    self.stage = Stage::Consuming;
                    self.intake.resume(self.prefetch.current());
                }
            }
            Stage::Stopping => {}
        }
    }

    async fn hand_back(&mut self) {
        let timeout = self.settings.consume.consumer_timeout.0;
        self.stage = Stage::Away;
        self.intake.pause();
        self.bulks.shutdown().await;
        self.forget_parked().await;
        self.ready.clear();
        self.builder = BulkBuilder::with_capacity(self.settings.bulk.bytes.as_usize());
        let documents = self.ledger.abandon();
        self.courier.dead.forget_all();
        self.courier.metrics.return_the_rest();
        warn!(
            documents,
            ?timeout,
            "handing deliveries back to the broker before its consumer_timeout; they come again when Elasticsearch answers"
        );
    }

    /// What waits for shards comes again with its deliveries.
    async fn forget_parked(&mut self) {
        self.parked.shutdown().await;
        self.parked_bytes = 0;
    }

    /// Whether there is nothing to do.
    fn is_idle(&self) -> bool {
        self.stage == Stage::Consuming
            && self.ledger.deliveries() == 0
            && self.answers.is_empty()
            && self.intake.is_quiet()
    }

    /// Finishes what was taken, within the grace period; the rest stays with the broker.
    async fn finish(mut self) -> anyhow::Result<()> {
        self.stage = Stage::Stopping;
        self.intake.stop();
        if self.builder.documents() > 0 {
            self.finish_bulk();
        }
        let grace = self.settings.stop_grace.0;
        let finished = tokio::time::timeout(grace, self.finish_bulks()).await;
        self.forget_parked().await;
        match finished {
            Ok(Ok(())) if self.ledger.deliveries() == 0 => {
                info!("stopped; everything that was taken is answered");
            }
            Ok(Err(failure)) => {
                self.courier.metrics.log_books();
                return Err(failure);
            }
            _ => {
                // What has a verdict until now is counted, and nothing more: the rest goes back.
                self.bulks.shutdown().await;
                let documents = self.ledger.abandon();
                self.courier.metrics.return_the_rest();
                info!(documents, "stopped; what has no verdict stays with the broker");
            }
        }
        self.courier.metrics.log_books();
        Ok(())
    }

    async fn finish_bulks(&mut self) -> anyhow::Result<()> {
        loop {
            // Behind a closed gate nothing will be finished.
            if self.courier.gate.closed_since().is_some() {
                return Ok(());
            }
            self.dispatch();
            let mut tick = tokio::time::interval(TICK);
            tick.tick().await;
            tokio::select! {
                Some(ended) = self.bulks.join_next() => self.settle(ended)?,
                Some(_) = self.answers.join_next() => {}
                _ = tick.tick() => {}
                else => return Ok(()),
            }
            if self.bulks.is_empty() && self.answers.is_empty() && self.ready.is_empty() {
                return Ok(());
            }
        }
    }
}

/// The answer to a question; never, without one.
async fn answer(question: &mut Option<BoxFuture<'static, bool>>) -> bool {
    match question {
        Some(question) => question.await,
        None => std::future::pending().await,
    }
}
