//! Whether the cluster takes anything at all. While it does not, one bulk at a time tries, and the
//! others wait behind the gate; the first word about it is said at once, then at a rate.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use omphalos_common::retry::Retry;
use omphalos_common::telemetry::{Due, Health, Repeats};
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard};
use tracing::{info, warn};

/// Between two attempts. Only one bulk of each indexer tries.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// The name of the cluster in [`Health`].
const PART: &str = "elasticsearch";

/// The gate that all bulks pass.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<State>,
    /// Held by the one that tries while the gate is closed.
    probe: AsyncMutex<()>,
    health: Health,
    held: Gauge,
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
    /// An open gate.
    pub fn new(health: Health, held: Gauge) -> Self {
        let retry = Retry::new(Duration::from_millis(200), LONGEST_WAIT);
        let state = State { closed_since: None, trouble: Repeats::new(), retry };
        Self { state: Mutex::new(state), probe: AsyncMutex::new(()), health, held }
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
                warn!(repeats, "{reason}; holding everything, trying again, for ever");
            }
            state.retry.next_wait()
        };
        self.held.set(1);
        self.health.problem(PART, reason);
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
                info!("Elasticsearch takes documents again");
            }
            self.held.set(0);
            self.health.well(PART);
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
