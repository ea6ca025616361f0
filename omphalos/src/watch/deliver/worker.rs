//! The task of one receiver.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use omphalos_common::clock::now_millis;
use omphalos_common::retry::Retry;
use omphalos_common::telemetry::{Due, Repeats};
use omphalos_live::alert::Event;
use tokio::select;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::active::Again;
use super::alertmanager::MOST_AT_ONCE;
use super::failure::Failure;
use super::queue::Room;
use super::road::Road;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Tells one receiver what waits for it.
#[derive(Debug)]
pub(super) struct Worker {
    room: Arc<Room>,
    road: Road,
    retry: Retry,
    trouble: Repeats,
    losses: Repeats,
    /// When the first of what waits was seen.
    first: Option<Instant>,
    /// Before this nothing is told: after a failure, or because something was told just now.
    not_before: Option<Instant>,
    /// When to tell again what is raised.
    again_at: Instant,
    /// So many go one by one, because together they were refused.
    alone: usize,
}

/// What is to be done next.
enum Work {
    Tell(Vec<Event>),
    TellAgain(Vec<Again>),
}

impl Worker {
    pub fn new(room: Arc<Room>, road: Road) -> Self {
        Self {
            room,
            road,
            retry: Retry::new(FIRST_WAIT, LONGEST_WAIT),
            trouble: Repeats::new(),
            losses: Repeats::new(),
            first: None,
            not_before: None,
            again_at: Instant::now(),
            alone: 0,
        }
    }

    /// Until the room is closed and nothing waits.
    pub async fn run(mut self) {
        while let Some(work) = self.next().await {
            match work {
                Work::Tell(events) => self.tell(&events).await,
                Work::TellAgain(alerts) => self.tell_again(&alerts).await,
            }
        }
    }

    /// Waits for what is to be done next; `None` when it is time to end.
    async fn next(&mut self) -> Option<Work> {
        loop {
            let now = Instant::now();
            let events_at = self.events_at(now);
            if events_at.is_some_and(|at| at <= now) {
                let most = if self.alone > 0 { 1 } else { self.road.pace().most };
                return Some(Work::Tell(self.room.take(most)));
            }
            if self.room.is_closing() && events_at.is_none() {
                return None;
            }
            let again_at = self.again_at(now);
            if again_at.is_some_and(|at| at <= now)
                && let Some(alerts) = self.room.again()
            {
                return Some(Work::TellAgain(alerts));
            }
            let until = [events_at, again_at].into_iter().flatten().min();
            select! {
                () = self.room.news.notified() => {}
                // What is to be told before the end is tried at once.
                () = self.room.end.notified() => self.not_before = None,
                () = until_then(until) => {}
            }
        }
    }

    /// When what waits may be told; `None` while nothing waits.
    fn events_at(&mut self, now: Instant) -> Option<Instant> {
        if self.room.waiting() == 0 {
            self.first = None;
            return None;
        }
        let first = *self.first.get_or_insert(now);
        let gather = if self.room.is_closing() { Duration::ZERO } else { self.road.pace().gather };
        Some((first + gather).max(self.not_before.unwrap_or(first)))
    }

    fn again_at(&self, now: Instant) -> Option<Instant> {
        if !self.room.is_anything_active() {
            return None;
        }
        // What is new is told first, and one that is down is left alone.
        let wait = self.not_before.filter(|at| *at > now);
        Some(self.again_at.max(wait.unwrap_or(self.again_at)))
    }

    async fn tell(&mut self, events: &[Event]) {
        let longest = self.room.receiver.timeout.0;
        let told = timeout(longest, self.road.deliver(events)).await;
        let told = told.unwrap_or_else(|_| Err(too_slow(longest)));
        self.alone = self.alone.saturating_sub(1);
        match told {
            Ok(()) => {
                self.room.delivered();
                self.first = None;
                let apart = self.road.pace().apart;
                self.not_before = Some(Instant::now() + apart).filter(|_| !apart.is_zero());
                self.went_well();
            }
            Err(failure) if failure.is_final && events.len() > 1 && self.road.pace().is_split => {
                self.alone = events.len();
                self.lost(&failure, self.room.kept_back(Duration::MAX, now_millis()));
            }
            Err(failure) if failure.is_final => {
                let lost = self.room.given_up();
                self.first = None;
                self.lost(&failure, lost);
            }
            Err(failure) => {
                let give_up_after = self.room.receiver.give_up_after.0;
                let lost = self.room.kept_back(give_up_after, now_millis());
                self.lost(&failure, lost);
                self.alone = self.alone.min(self.room.waiting());
                self.went_wrong(&failure);
            }
        }
    }

    async fn tell_again(&mut self, alerts: &[Again]) {
        let longest = self.room.receiver.timeout.0;
        self.again_at = Instant::now() + self.road.resend().unwrap_or(LONGEST_WAIT);
        for alerts in alerts.chunks(MOST_AT_ONCE) {
            let told = timeout(longest, self.road.tell_again(alerts)).await;
            if let Err(failure) = told.unwrap_or_else(|_| Err(too_slow(longest))) {
                self.room.failed();
                self.went_wrong(&failure);
                // The end that was told last must not come before it is told again.
                self.again_at = self.not_before.unwrap_or(self.again_at).min(self.again_at);
                return;
            }
        }
        self.went_well();
    }

    fn went_well(&mut self) {
        self.retry.reset();
        if self.trouble.over() {
            info!(receiver = self.room.receiver.name, "the receiver takes events again");
        }
    }

    fn went_wrong(&mut self, failure: &Failure) {
        let wait = self.retry.next_wait().max(failure.wait.unwrap_or_default());
        self.not_before = Some(Instant::now() + wait.max(self.road.pace().apart.min(FIRST_WAIT)));
        if let Some(Due { repeats }) = self.trouble.due() {
            warn!(
                receiver = self.room.receiver.name,
                repeats,
                waiting = self.room.waiting(),
                "the receiver could not be told; it is tried again: {}",
                failure.why
            );
        }
    }

    fn lost(&mut self, failure: &Failure, events: u64) {
        if events > 0
            && let Some(Due { repeats }) = self.losses.due()
        {
            warn!(
                receiver = self.room.receiver.name,
                repeats, events, "the receiver was not told, and will not be: {}", failure.why
            );
        }
    }
}

fn too_slow(longest: Duration) -> Failure {
    Failure::later(format!(
        "no answer within {longest:?}; give it more time with the receiver's timeout if it needs that"
    ))
}

async fn until_then(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
