//! What waits for one receiver.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use omphalos_common::telemetry::{Due, SharedRepeats};
use omphalos_live::alert::{Alert, Event};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::active::Active;
use super::text::key;
use super::{Receiver, ReceiverCounts, ReceiverKind, Undelivered};

/// So many events wait for a receiver; with one more, the oldest goes.
pub const MOST_WAITING: usize = 1_000;

/// So many keys of what is settled are remembered.
const MOST_SETTLED: usize = 1_000;

/// An event that a receiver has not been told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// The event.
    pub event: Event,
    /// When it was handed over, by the clock, in milliseconds since 1970.
    pub since: i64,
}

/// A receiver, and what waits for it.
#[derive(Debug)]
pub(super) struct Room {
    pub receiver: Receiver,
    state: Mutex<State>,
    /// There is something new.
    pub news: Notify,
    /// It is time to end.
    pub end: Notify,
    /// Rings when something is settled.
    settled: Arc<Notify>,
    is_closing: AtomicBool,
    full: SharedRepeats,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// So many of the last of them are not to be told yet.
    held: usize,
    /// So many of the first are being told now, and cannot be dropped.
    in_flight: usize,
    settled: VecDeque<String>,
    counts: ReceiverCounts,
    /// Only for who has to be told again.
    active: Option<Active>,
}

impl Room {
    pub fn new(receiver: Receiver, kept: Undelivered, settled: Arc<Notify>) -> Self {
        let counts = ReceiverCounts { receiver: receiver.name.clone(), ..Default::default() };
        let is_told_again = receiver.kind == Some(ReceiverKind::Alertmanager);
        let mut active = is_told_again.then(Active::default);
        if let Some(active) = &mut active {
            active.remember(kept.cleared);
        }
        let mut state = State { settled: kept.settled.into(), counts, active, ..State::default() };
        state.bound_settled();
        for waiting in kept.waiting {
            state.push(waiting);
        }
        state.held = 0;
        Self {
            receiver,
            state: Mutex::new(state),
            news: Notify::new(),
            end: Notify::new(),
            settled,
            is_closing: AtomicBool::new(false),
            full: SharedRepeats::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, event: &Event, now: i64) {
        let dropped = {
            let mut state = self.state();
            if let Some(active) = &mut state.active {
                active.follow(event);
            }
            state.push(Waiting { event: event.clone(), since: now })
        };
        if dropped && let Some(Due { repeats }) = self.full.due() {
            tracing::warn!(
                receiver = self.receiver.name,
                repeats,
                "more than {MOST_WAITING} events wait for the receiver: the oldest was dropped"
            );
        }
    }

    /// Has all told that waits.
    pub fn release(&self) {
        if std::mem::take(&mut self.state().held) > 0 {
            self.news.notify_one();
        }
    }

    pub fn set_active(&self, alerts: &[Alert]) {
        let wanted = alerts.iter().filter(|alert| self.receiver.wants(alert));
        if let Some(active) = &mut self.state().active {
            active.replace(wanted.cloned());
            self.news.notify_one();
        }
    }

    /// What has to be told again, if that is known and there is any.
    pub fn again(&self) -> Option<Vec<super::active::Again>> {
        self.state().active.as_mut().and_then(Active::again)
    }

    pub fn is_anything_active(&self) -> bool {
        self.state().active.as_ref().is_some_and(Active::has_any)
    }

    /// How many wait to be told now.
    pub fn waiting(&self) -> usize {
        self.state().released()
    }

    /// The first `most` that wait, to be told now.
    pub fn take(&self, most: usize) -> Vec<Event> {
        let mut state = self.state();
        state.in_flight = most.min(state.released());
        let first = state.waiting.iter().take(state.in_flight);
        first.map(|waiting| waiting.event.clone()).collect()
    }

    /// What was taken is told.
    pub fn delivered(&self) {
        let mut state = self.state();
        let settled = state.settle(usize::MAX);
        state.counts.delivered += settled;
        self.settled.notify_one();
    }

    /// What was taken is given up.
    pub fn given_up(&self) -> u64 {
        let mut state = self.state();
        state.counts.failed += 1;
        let settled = state.settle(usize::MAX);
        state.counts.given_up += settled;
        self.settled.notify_one();
        settled
    }

    /// An attempt failed that was not about events.
    pub fn failed(&self) {
        self.state().counts.failed += 1;
    }

    /// What was taken waits again. Whatever has waited for longer than `longest` is given up, whether it was tried or not:
    /// returns how many that were.
    pub fn kept_back(&self, longest: Duration, now: i64) -> u64 {
        let mut state = self.state();
        state.counts.failed += 1;
        let longest = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
        let is_old = |waiting: &&Waiting| now.saturating_sub(waiting.since) >= longest;
        let old = state.waiting.iter().take_while(is_old).count().min(state.released());
        state.in_flight = old;
        let settled = state.settle(old);
        state.counts.given_up += settled;
        settled
    }

    pub fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.end.notify_one();
    }

    pub fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    pub fn kept(&self) -> Undelivered {
        let state = self.state();
        Undelivered {
            receiver: self.receiver.name.clone(),
            waiting: state.waiting.iter().cloned().collect(),
            settled: state.settled.iter().cloned().collect(),
            cleared: state.active.as_ref().map(Active::cleared).unwrap_or_default(),
        }
    }

    pub fn counts(&self) -> ReceiverCounts {
        let state = self.state();
        ReceiverCounts { waiting: state.waiting.len(), ..state.counts.clone() }
    }
}

impl State {
    /// Returns whether the oldest was dropped for it.
    fn push(&mut self, new: Waiting) -> bool {
        let is_waiting = self.waiting.iter().any(|waiting| is_same(&waiting.event, &new.event));
        if is_waiting || self.settled.contains(&key(&new.event)) {
            return false;
        }
        let is_full = self.waiting.len().saturating_sub(self.in_flight) >= MOST_WAITING;
        if is_full {
            self.waiting.remove(self.in_flight);
            self.counts.dropped += 1;
        }
        self.waiting.push_back(new);
        self.held = (self.held + 1).min(self.waiting.len() - self.in_flight);
        is_full
    }

    fn released(&self) -> usize {
        self.waiting.len().saturating_sub(self.held)
    }

    /// Takes out the first `most` of those in flight, whose keys are remembered; the others wait again.
    fn settle(&mut self, most: usize) -> u64 {
        let count = self.in_flight.min(most).min(self.waiting.len());
        self.in_flight = 0;
        let settled = self.waiting.drain(..count);
        self.settled.extend(settled.map(|waiting| key(&waiting.event)));
        self.bound_settled();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    fn bound_settled(&mut self) {
        let surplus = self.settled.len().saturating_sub(MOST_SETTLED);
        self.settled.drain(..surplus);
    }
}

/// Whether two events have the same key.
fn is_same(one: &Event, other: &Event) -> bool {
    let parts = |event: &Event| (event.at, event.change);
    parts(one) == parts(other) && one.alert.fingerprint == other.alert.fingerprint
}
