//! Telling people and programs what is raised and what is cleared.
//!
//! Each receiver has a queue and a task of its own: one that is down keeps nobody waiting, neither the others nor
//! whoever hands over an event. Within a receiver the order is kept: what fails is tried again, and
//! what comes after it waits, until it is told or given up. An event has a key ([`key`]), and a receiver is told each key
//! once; only where an answer was lost on the way may it hear an event twice, with the same key.

mod active;
mod alertmanager;
mod command;
mod documents;
mod failure;
mod http;
mod mail;
mod queue;
mod road;
mod settings;
mod slack;
#[cfg(test)]
mod tests;
mod text;
mod webhook;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omphalos_common::clock::now_millis;
use omphalos_live::alert::{Alert, Event};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub use active::Cleared;
pub use documents::Documents;
pub use queue::{MOST_WAITING, Waiting};
pub use settings::{RECEIVER_SETTINGS, Receiver, ReceiverKind, Receivers, check};
pub use text::key;

use queue::Room;
use road::Road;
use worker::Worker;

/// What is called so writes documents, and no table.
pub const DOCUMENTS: &str = "elasticsearch";

/// What one receiver has been told, and what it has not, between two runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Undelivered {
    /// The name of the receiver.
    pub receiver: String,
    /// What it has not been told yet, the oldest first.
    pub waiting: Vec<Waiting>,
    /// The keys of what it was told last, and of what was given up: they are not told again.
    pub settled: Vec<String>,
    /// What was cleared not long ago, if it is told again that it was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cleared: Vec<Cleared>,
}

/// What became of the events for a receiver, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverCounts {
    /// The name of the receiver.
    pub receiver: String,
    /// Events that it was told.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Events that were given up: refused, or not told within `give_up_after`.
    pub given_up: u64,
    /// Events that were dropped because too many waited.
    pub dropped: u64,
    /// Events that wait now.
    pub waiting: usize,
}

/// The receivers, each with its task.
#[derive(Debug)]
pub struct Deliveries {
    rooms: Vec<Arc<Room>>,
    settled: Arc<Notify>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Deliveries {
    /// Starts a task for each receiver. `kept` is what an earlier run left ([`Self::undelivered`]); what it left for a
    /// receiver that is not there any more is forgotten, and that is said.
    ///
    /// # Errors
    /// When a receiver cannot be used as it is set, or there is no runtime.
    pub fn start(receivers: Vec<Receiver>, kept: Vec<Undelivered>) -> anyhow::Result<Self> {
        Self::start_with(receivers, None, kept)
    }

    /// The same, and events become documents as well.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(
        receivers: Vec<Receiver>,
        documents: Option<Documents>,
        mut kept: Vec<Undelivered>,
    ) -> anyhow::Result<Self> {
        let runtime = Handle::try_current()?;
        check(&receivers)?;
        let settled = Arc::new(Notify::new());
        let mut workers = Vec::new();
        let roads = receivers.into_iter().map(|receiver| Ok((Road::new(&receiver)?, receiver)));
        let mut roads = roads.collect::<anyhow::Result<Vec<_>>>()?;
        roads.extend(documents.map(|documents| {
            (
                Road::Documents(documents),
                Receiver { name: DOCUMENTS.to_owned(), ..Receiver::default() },
            )
        }));
        for (road, receiver) in roads {
            let place = kept.iter().position(|kept| kept.receiver == receiver.name);
            let kept = place.map(|place| kept.swap_remove(place)).unwrap_or_default();
            let room = Arc::new(Room::new(receiver, kept, Arc::clone(&settled)));
            workers.push((room.clone(), Worker::new(room, road)));
        }
        say_forgotten(&kept);
        let (rooms, workers): (Vec<_>, Vec<_>) = workers.into_iter().unzip();
        let tasks = workers.into_iter().map(|worker| runtime.spawn(worker.run())).collect();
        Ok(Self { rooms, settled, tasks: Mutex::new(tasks) })
    }

    /// Hands an event to each receiver that wants it, to be told at once.
    pub fn send(&self, event: &Event) {
        self.hold(event);
        self.release();
    }

    /// Hands an event to each receiver that wants it, to be told once it is released ([`Self::release`]). Never
    /// waits: where too many wait already, the oldest goes.
    pub fn hold(&self, event: &Event) {
        let now = now_millis();
        for room in self.wanting(&event.alert) {
            room.push(event, now);
        }
    }

    /// All that is raised now, after the events that were handed over until now. Receivers that forget what they are not told
    /// again are told of these until they are cleared.
    pub fn active(&self, alerts: &[Alert]) {
        for room in &self.rooms {
            room.set_active(alerts);
        }
    }

    /// What is not delivered yet, and what need not be delivered again: for the next run.
    pub fn undelivered(&self) -> Vec<Undelivered> {
        self.rooms.iter().map(|room| room.kept()).collect()
    }

    /// What became of events, for each receiver.
    pub fn counts(&self) -> Vec<ReceiverCounts> {
        self.rooms.iter().map(|room| room.counts()).collect()
    }

    /// Has all told that was handed over: it is on disk now, so that it is not forgotten once it is told.
    pub fn release(&self) {
        self.rooms.iter().for_each(|room| room.release());
    }

    /// Rings whenever receivers were told something, or it was given up.
    pub fn settled_news(&self) -> Arc<Notify> {
        Arc::clone(&self.settled)
    }

    /// How many events were told, or given up, since the start, by all receivers together.
    pub fn settled(&self) -> u64 {
        let counts = self.rooms.iter().map(|room| room.counts());
        counts.map(|counts| counts.delivered + counts.given_up).sum()
    }

    /// Delivers what waits, for at most `grace`; returns what is left then, as [`Self::undelivered`].
    pub async fn finish(&self, grace: Duration) -> Vec<Undelivered> {
        for room in &self.rooms {
            room.close();
        }
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let all = futures_util::future::join_all(tasks.iter_mut());
        let is_done = tokio::time::timeout(grace, all).await.is_ok();
        if !is_done {
            tasks.retain(|task| !task.is_finished());
            for task in &tasks {
                task.abort();
            }
            // They end at once, and what they were running ends with them.
            futures_util::future::join_all(tasks).await;
        }
        self.rooms.iter().map(|room| room.kept()).collect()
    }

    fn wanting(&self, alert: &Alert) -> impl Iterator<Item = &Arc<Room>> {
        self.rooms.iter().filter(move |room| room.receiver.wants(alert))
    }
}

fn say_forgotten(kept: &[Undelivered]) {
    for kept in kept {
        if !kept.waiting.is_empty() {
            tracing::warn!(
                receiver = kept.receiver,
                events = kept.waiting.len(),
                "there is no receiver of this name any more: what it was not told is forgotten"
            );
        }
    }
}
