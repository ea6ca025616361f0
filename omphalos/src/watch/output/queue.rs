//! Datapoints that wait for a server.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use omphalos_common::telemetry::{Due, SharedRepeats};
use tokio::sync::Notify;
use tracing::warn;

use super::OutputCounts;
use super::datapoint::Datapoint;

/// So many wait; with more, the oldest go.
const MOST_WAITING: usize = 100_000;

/// What waits, and what became of what did.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    news: Notify,
    full: SharedRepeats,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Datapoint>,
    counts: OutputCounts,
    is_closed: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self { state: Mutex::default(), news: Notify::new(), full: SharedRepeats::new() }
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds some.
    pub fn push(&self, points: Vec<Datapoint>) {
        let dropped = {
            let mut state = self.state();
            state.waiting.extend(points);
            let dropped = state.waiting.len().saturating_sub(MOST_WAITING);
            state.waiting.drain(..dropped);
            state.counts.dropped += dropped as u64;
            dropped
        };
        if dropped > 0
            && let Some(Due { repeats }) = self.full.due()
        {
            warn!(repeats, "more than {MOST_WAITING} datapoints wait: the oldest are dropped");
        }
        self.news.notify_one();
    }

    /// Takes at most so many, and waits for the first; `None` at the end.
    pub async fn take(&self, most: usize) -> Option<Vec<Datapoint>> {
        loop {
            let news = self.news.notified();
            {
                let mut state = self.state();
                let count = most.min(state.waiting.len());
                if count > 0 {
                    return Some(state.waiting.drain(..count).collect());
                }
                if state.is_closed {
                    return None;
                }
            }
            news.await;
        }
    }

    /// Notes what became of those that were taken.
    pub fn settle(&self, stored: usize, refused: usize) {
        let mut state = self.state();
        state.counts.stored += stored as u64;
        state.counts.refused += refused as u64;
    }

    /// No more will come.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.news.notify_one();
    }

    /// What became of all until now.
    pub fn counts(&self) -> OutputCounts {
        let state = self.state();
        OutputCounts { waiting: state.waiting.len() as u64, ..state.counts }
    }
}
