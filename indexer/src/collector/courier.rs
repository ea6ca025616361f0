//! One bulk on its way: sent until every document in it has a final verdict.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use omphalos_common::retry::Retry;
use omphalos_common::shutdown::Shutdown;
use tracing::info;

use super::Unsettled;
use super::bulk::{Bulk, DeliveryId};
use super::dead::{DeadLetters, Letter, Stored};
use super::gate::{Gate, Pass};
use super::reply::verdicts;
use super::tally::{Tally, is_too_large, letter};
use crate::elasticsearch::{self, Client, Fault, Problem, TemplateOptions};
use crate::metrics::IndexerMetrics;

/// Requests are not made smaller than this because the server takes none so large.
const SMALLEST_REQUEST: usize = 16 * 1024;

/// Delivers bulks; shared by all that are in flight.
#[derive(Debug)]
pub struct Courier {
    /// The way to the cluster.
    pub client: Client,
    /// Closed while the cluster takes nothing.
    pub gate: Gate,
    /// Closed while the cluster has no shard for a new index.
    pub shards: Gate,
    /// Where refused documents go.
    pub dead: DeadLetters,
    /// What is counted.
    pub metrics: IndexerMetrics,
    /// The template to install; `None` when someone else looks after it.
    pub template: Option<TemplateOptions>,
    /// The longest request that the server takes, in bytes, as learned from those that it refused.
    pub request_limit: AtomicUsize,
    /// Indices that were written to, so that their template was there.
    pub known_indices: Mutex<HashSet<Arc<str>>>,
}

/// Documents whose index needs a shard that the cluster does not have. They wait by themselves, so that
/// neither the others of their bulk nor those of other indices wait with them.
#[derive(Debug)]
pub struct Parked {
    /// The documents.
    pub bulk: Bulk,
    /// What the cluster says.
    reason: String,
}

/// How a bulk ended: every document of it has a final verdict, or is parked.
#[derive(Debug, Default)]
pub struct Done {
    /// How many documents of each delivery.
    pub settled: HashMap<DeliveryId, usize>,
    /// What has no verdict yet, because the cluster has no shard for its index.
    pub parked: Vec<Parked>,
    /// Whether the cluster said that it has too much to do.
    pub refused: bool,
    /// Time and size of the last request that was taken at the first attempt.
    pub taken: Option<(usize, Duration)>,
}

impl Done {
    fn park(&mut self, bulk: Bulk, reason: String) {
        for delivery in bulk.deliveries() {
            if let Some(settled) = self.settled.get_mut(&delivery) {
                *settled = settled.saturating_sub(1);
            }
        }
        self.settled.retain(|_, documents| *documents > 0);
        self.parked.push(Parked { bulk, reason });
    }
}

impl Courier {
    /// Waits until the cluster answers and has the template; `false` when told to stop before.
    pub async fn wait_until_ready(&self, shutdown: &Shutdown) -> bool {
        loop {
            let attempt = async {
                let pass = self.gate.pass().await;
                match self.introduce().await {
                    Ok(()) => {
                        self.gate.open();
                        true
                    }
                    Err(fault) => {
                        self.gate.close(&pass, &fault.to_string()).await;
                        false
                    }
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return false,
                ready = attempt => if ready { return true },
            }
        }
    }

    /// Whether the cluster answers now.
    pub async fn is_ready(&self) -> bool {
        self.client.info().await.is_ok()
    }

    /// Finds out what the server is, and installs the template.
    async fn introduce(&self) -> Result<(), Fault> {
        let info = self.client.info().await?;
        if let Some(options) = &self.template {
            elasticsearch::install(&self.client, options).await?;
        }
        info!(cluster = info.cluster, "{} {} is ready", info.product, info.version);
        Ok(())
    }

    /// Stores a message that could not be read, or lines of one.
    ///
    /// # Errors
    /// [`Unsettled::Ending`] when that was given up.
    pub async fn bury_unread(
        &self,
        delivery: DeliveryId,
        letters: Vec<Letter>,
    ) -> Result<Done, Unsettled> {
        let settled = HashMap::from([(delivery, letters.len())]);
        self.bury(letters).await?;
        Ok(Done { settled, ..Done::default() })
    }

    /// Delivers a bulk, however long it takes.
    ///
    /// # Errors
    /// [`Unsettled`] when a document has no final verdict, and will get none.
    pub async fn deliver(&self, bulk: Bulk) -> Result<Done, Unsettled> {
        let mut done = Done::default();
        for delivery in bulk.deliveries() {
            *done.settled.entry(delivery).or_default() += 1;
        }
        let mut retry = Retry::new(Duration::from_millis(50), Duration::from_secs(5));
        let mut left = vec![bulk];
        let mut attempts = 0;
        while let Some(bulk) = left.pop() {
            attempts += 1;
            match self.attempt(&bulk, attempts, &mut done, &mut left).await? {
                Attempt::Settled => attempts = 0,
                Attempt::Again(rest) => {
                    if rest.documents() < bulk.documents() {
                        // Some were taken: the cluster has room, if little.
                        retry.reset();
                    }
                    left.push(rest);
                    tokio::time::sleep(retry.next_wait()).await;
                }
                Attempt::Held(bulk) => left.push(bulk),
                Attempt::Split(first, second) => {
                    attempts = 0;
                    left.extend([second, first]);
                }
            }
        }
        Ok(done)
    }

    /// Delivers what was parked, when the cluster has shards again. One tries while the others wait; what
    /// is left of one of which some could be delivered is parked again.
    ///
    /// # Errors
    /// As [`Self::deliver`].
    pub async fn deliver_parked(&self, mut parked: Parked) -> Result<Done, Unsettled> {
        loop {
            let pass = self.shards.pass().await;
            let documents = parked.bulk.documents();
            let mut done = self.deliver(parked.bulk).await?;
            match done.parked.pop() {
                None => {
                    self.shards.open();
                    return Ok(done);
                }
                Some(same) if done.parked.is_empty() && same.bulk.documents() == documents => {
                    self.shards.close(&pass, &same.reason).await;
                    parked = same;
                }
                Some(rest) => {
                    done.parked.push(rest);
                    return Ok(done);
                }
            }
        }
    }

    async fn attempt(
        &self,
        bulk: &Bulk,
        attempts: u32,
        done: &mut Done,
        left: &mut Vec<Bulk>,
    ) -> Result<Attempt, Unsettled> {
        let pass = self.gate.pass().await;
        if let Err(fault) = self.prepare(bulk).await {
            self.hold(&pass, &fault).await;
            return Ok(Attempt::Held(bulk.clone()));
        }
        let began = Instant::now();
        let size = bulk.body().len();
        let reply = match self.client.bulk(bulk.body()).await {
            Ok(reply) => reply,
            Err(Fault::TooLarge(problem)) => return self.too_large(bulk, problem).await,
            // Servers count a request piece by piece, as it comes in.
            Err(Fault::Full(problem, _))
                if bulk.documents() > 1 && is_too_large(&problem, bulk) =>
            {
                return self.too_large(bulk, problem).await;
            }
            Err(Fault::Wrong(problem)) => return self.split_or_bury(bulk, problem).await,
            Err(fault) => {
                done.refused |= matches!(fault, Fault::Transient(_) | Fault::Full(..));
                self.metrics.bulk("failed", began.elapsed());
                self.hold(&pass, &fault).await;
                return Ok(Attempt::Held(bulk.clone()));
            }
        };
        self.metrics.bulk("taken", began.elapsed());
        match verdicts(&reply, bulk.documents()) {
            Ok(verdicts) => {
                if attempts == 1 {
                    done.taken = Some((size, began.elapsed()));
                }
                let mut tally = Tally::of(bulk, verdicts, attempts)?;
                done.refused |= tally.has_retries;
                left.extend(tally.as_text.take());
                if let Some(problem) = tally.no_shard.take() {
                    let reason = format!("{}: {problem}; {SHARD_ADVICE}", self.client.shown());
                    done.park(bulk.only(&tally.without_shard)?, reason);
                }
                self.follow(bulk, tally, &pass).await
            }
            Err(error) => {
                self.gate.close(&pass, &format!("{}: {error}", self.client.shown())).await;
                Ok(Attempt::Held(bulk.clone()))
            }
        }
    }

    /// Makes sure that an index is not created without its mapping.
    async fn prepare(&self, bulk: &Bulk) -> Result<(), Fault> {
        let Some(options) = &self.template else { return Ok(()) };
        let known = |index: &Arc<str>| {
            self.known_indices.lock().unwrap_or_else(PoisonError::into_inner).contains(index)
        };
        if bulk.indices().all(known) {
            return Ok(());
        }
        if !elasticsearch::is_installed(&self.client, options).await? {
            elasticsearch::install(&self.client, options).await?;
        }
        let mut known = self.known_indices.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(bulk.indices().cloned());
        Ok(())
    }

    async fn hold(&self, pass: &Pass<'_>, fault: &Fault) {
        self.gate.close(pass, &fault.to_string()).await;
    }

    /// Counts what is final, buries what is refused, and returns what is left.
    async fn follow(
        &self,
        bulk: &Bulk,
        tally: Tally,
        pass: &Pass<'_>,
    ) -> Result<Attempt, Unsettled> {
        self.metrics.settled(tally.created, tally.duplicate);
        self.metrics.conflicting(tally.conflicting);
        self.metrics.retried(tally.left.len());
        self.bury(tally.letters).await?;
        let rest = bulk.only(&tally.left)?;
        let Some(problem) = tally.held else {
            self.gate.open();
            if let Some(problem) = tally.too_large
                && let Some((first, second)) = rest.halves()
            {
                self.learn_limit(bulk, &problem);
                return Ok(Attempt::Split(first, second));
            }
            let settled = rest.documents() == 0;
            return Ok(if settled { Attempt::Settled } else { Attempt::Again(rest) });
        };
        let shown = self.client.shown();
        self.gate.close(pass, &format!("{shown}: {problem}; {}", advice(&problem))).await;
        Ok(Attempt::Held(rest))
    }

    async fn too_large(&self, bulk: &Bulk, problem: Problem) -> Result<Attempt, Unsettled> {
        self.learn_limit(bulk, &problem);
        let mut reason = format!(
            "a request of {} bytes with this document alone is larger than the server takes (http.max_content_length, a proxy's limit, or its memory for indexing)",
            bulk.body().len()
        );
        if !problem.reason.is_empty() {
            reason = format!("{reason}; {}", problem.reason);
        }
        let kind = "content_too_large".to_owned();
        self.split_or_bury(bulk, Problem { kind, reason, ..problem }).await
    }

    /// Makes requests smaller from now on. A single document says nothing about the others.
    fn learn_limit(&self, bulk: &Bulk, problem: &Problem) {
        if bulk.documents() < 2 {
            return;
        }
        let size = bulk.body().len();
        let limit = (size / 2).max(SMALLEST_REQUEST);
        let before = self.request_limit.fetch_min(limit, Ordering::Relaxed);
        if before > limit + limit / 2 {
            info!(
                request_bytes = size,
                limit,
                "the server takes no request so large ({}); sending smaller ones from now on",
                problem.status
            );
        }
    }

    /// Something in the request is not acceptable: halves it until that is alone.
    async fn split_or_bury(&self, bulk: &Bulk, problem: Problem) -> Result<Attempt, Unsettled> {
        if let Some((first, second)) = bulk.halves() {
            return Ok(Attempt::Split(first, second));
        }
        self.bury(vec![letter(bulk, 0, problem)?]).await?;
        Ok(Attempt::Settled)
    }

    /// Stores dead letters.
    async fn bury(&self, letters: Vec<Letter>) -> Result<(), Unsettled> {
        if letters.is_empty() {
            return Ok(());
        }
        let kinds: Vec<String> = letters.iter().map(|letter| letter.problem.kind.clone()).collect();
        let dropped = match self.dead.store(letters).await {
            Stored::Kept => None,
            Stored::Dropped => Some("dead_letters_full"),
            Stored::GivenUp => return Err(Unsettled::Ending),
        };
        self.metrics.dead(kinds, dropped);
        Ok(())
    }
}

/// What one request came to.
enum Attempt {
    /// Every document has a final verdict.
    Settled,
    /// These documents have none yet, and are sent again after a while.
    Again(Bulk),
    /// The cluster took nothing, or these not.
    Held(Bulk),
    /// Too large, or something in it is wrong: in two parts.
    Split(Bulk, Bulk),
}

const SHARD_ADVICE: &str =
    "the cluster has no more shards: raise cluster.max_shards_per_node or delete old indices";

fn advice(problem: &Problem) -> &'static str {
    match problem.kind.as_str() {
        "cluster_block_exception" if problem.reason.contains("disk") => {
            "the disk is too full: free space, then remove index.blocks.read_only_allow_delete"
        }
        "cluster_block_exception" => "remove the block from the index or the cluster",
        "index_closed_exception" => "open the index",
        "i_o_exception" | "translog_exception" => "a node cannot write: look at its disk",
        "index_not_found_exception" => "allow action.auto_create_index for it",
        _ => "grant the privileges auto_configure and create_doc",
    }
}
