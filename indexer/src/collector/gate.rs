//! Whether the cluster takes anything at all. While it does not, one bulk at a time tries, and the
//! others wait behind the gate; the first word about it is said at once, then at a rate. Another gate
//! is for the documents whose index needs a shard that the cluster does not have: they alone wait there.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use omphalos_common::retry::Retry;
use omphalos_common::telemetry::{Due, Health, Repeats};
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard};
use tracing::{info, warn};

/// Between two attempts. Only one bulk of each indexer tries.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// What waits at a gate.
#[derive(Debug)]
struct Held {
    /// The name in [`Health`].
    part: &'static str,
    /// What is held, for people.
    what: &'static str,
    /// What to say when it is not any more.
    over: &'static str,
}

const EVERYTHING: Held =
    Held { part: "elasticsearch", what: "everything", over: "Elasticsearch takes documents again" };

const NEW_INDICES: Held = Held {
    part: "elasticsearch_shards",
    what: "documents whose index is not there yet",
    over: "Elasticsearch has shards for new indices again",
};

/// The gate that all bulks pass.
#[derive(Debug)]
pub struct Gate {
    what: Held,
    state: Mutex<State>,
    /// Held by the one that tries while the gate is closed.
    probe: AsyncMutex<()>,
    health: Health,
    shown: Gauge,
}

#[derive(Debug)]
struct State {
    closed_since: Option<Instant>,
    trouble: Repeats,
    retry: Retry,
}

/// The right to send one request.
#[derive(Debug)]
pub struct Pass<'a>(Option<AsyncMutexGuard<'a, ()>>);

impl Gate {
    /// An open gate for everything; `shown` is 1 while it is closed.
    pub fn new(health: Health, shown: Gauge) -> Self {
        Self::of(EVERYTHING, health, shown)
    }

    /// The same for documents whose index is not there yet.
    pub fn of_shards(health: Health, shown: Gauge) -> Self {
        Self::of(NEW_INDICES, health, shown)
    }

    fn of(what: Held, health: Health, shown: Gauge) -> Self {
        let retry = Retry::new(Duration::from_millis(200), LONGEST_WAIT);
        let state = State { closed_since: None, trouble: Repeats::new(), retry };
        Self { what, state: Mutex::new(state), probe: AsyncMutex::new(()), health, shown }
    }

    /// Waits for the right to send.
    pub async fn pass(&self) -> Pass<'_> {
        if self.closed_since().is_none() {
            return Pass(None);
        }
        let probe = self.probe.lock().await;
        if self.closed_since().is_none() { Pass(None) } else { Pass(Some(probe)) }
    }

    /// The cluster takes nothing: closes the gate. Waits for a while; only then may the holder of
    /// `pass` try again.
    pub async fn close(&self, pass: &Pass<'_>, reason: &str) {
        let wait = {
            let mut state = self.state();
            state.closed_since.get_or_insert_with(Instant::now);
            if let Some(Due { repeats }) = state.trouble.due() {
                let what = self.what.what;
                warn!(repeats, "{reason}; holding {what}, trying again, for ever");
            }
            state.retry.next_wait()
        };
        self.shown.set(1);
        self.health.problem(self.what.part, reason);
        // Whoever came before the gate was closed waits at it in the next round.
        if pass.0.is_some() {
            tokio::time::sleep(wait).await;
        }
    }

    /// The cluster took something: opens the gate.
    pub fn open(&self) {
        let mut state = self.state();
        if state.closed_since.take().is_some() {
            state.retry.reset();
            if state.trouble.over() {
                info!("{}", self.what.over);
            }
            self.shown.set(0);
            self.health.well(self.what.part);
        }
    }

    /// Since when the gate is closed.
    pub fn closed_since(&self) -> Option<Instant> {
        self.state().closed_since
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn one_tries_while_the_others_wait() {
        let gate = Arc::new(Gate::new(Health::default(), Gauge::default()));
        let first = gate.pass().await;
        gate.close(&first, "away").await;
        assert!(gate.closed_since().is_some());
        let prober = gate.pass().await;
        let through = Arc::new(AtomicUsize::new(0));
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let (gate, through) = (Arc::clone(&gate), Arc::clone(&through));
                tokio::spawn(async move {
                    drop(gate.pass().await);
                    through.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        gate.close(&prober, "still away").await;
        assert_eq!(through.load(Ordering::SeqCst), 0);
        gate.open();
        drop(prober);
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(through.load(Ordering::SeqCst), 3);
    }
}
