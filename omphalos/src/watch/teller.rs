//! Telling what rules raise and clear: to the log, to receivers, and to the file from which the next run goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use omphalos_common::causes::joined;
use omphalos_common::telemetry::{Due, Repeats};
use omphalos_live::alert::Alert;
use tracing::{error, warn};

use super::deliver::Deliveries;
use super::state::{Kept, StateFile};
use super::tell;
use crate::top::alarms::Alarms;
use crate::top::counter::Counter;

/// How long to go on telling what waits at the end.
pub const GRACE: Duration = Duration::from_secs(5);
/// How often the state is written when nothing happens.
const SAVE: Duration = Duration::from_secs(10);

/// Whoever tells.
pub struct Teller {
    counter: Arc<Counter>,
    state: StateFile,
    deliveries: Arc<Deliveries>,
    saved: Instant,
    unsaved: Repeats,
    /// Whether receivers know what was raised before the start.
    has_told: bool,
    /// How many events were told, or given up, when that was written last.
    settled: u64,
}

impl Teller {
    /// What is raised by the rules of a counter, to these receivers.
    pub fn new(counter: Arc<Counter>, state: StateFile, deliveries: Arc<Deliveries>) -> Self {
        Self {
            counter,
            state,
            deliveries,
            saved: Instant::now(),
            unsaved: Repeats::new(),
            has_told: false,
            settled: 0,
        }
    }

    /// Tells what happened since the last time. Never waits for a receiver.
    pub fn round(&mut self) {
        let has_news = self.tell();
        let settled = self.deliveries.settled();
        // Who was told is remembered at once, so that it is not told again.
        if has_news || settled != self.settled || self.saved.elapsed() >= SAVE {
            self.settled = settled;
            // A disk that is full is no reason to be blind as well.
            if let Err(error) = self.save()
                && let Some(Due { repeats }) = self.unsaved.due()
            {
                error!(repeats, "{}; trying again, and going on meanwhile", joined(error.chain()));
            }
        }
        self.deliveries.release();
    }

    /// Tells the last.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn last_round(&mut self) -> anyhow::Result<()> {
        self.tell();
        self.save()?;
        self.deliveries.release();
        Ok(())
    }

    /// Ends when all was told, or it takes too long.
    ///
    /// # Errors
    /// When what is left cannot be kept.
    pub async fn finish(self) -> anyhow::Result<()> {
        let undelivered = self.deliveries.finish(GRACE).await;
        let alerts = self.counter.with_alarms(|alarms| alarms.save());
        self.state.save(&Kept { alerts, undelivered })
    }

    /// Tells what happened since the last time; whether there was something.
    fn tell(&mut self) -> bool {
        let (events, dropped) = self.counter.with_alarms(Alarms::take_new);
        if dropped > 0 {
            warn!("{dropped} events came at once, more than can be told, and are not");
        }
        for event in &events {
            tell::log(event);
            self.deliveries.hold(event);
        }
        if !events.is_empty() || !self.has_told {
            self.has_told = true;
            let active = self.counter.with_alarms(|alarms| alarms.active());
            let raised: Vec<Alert> =
                active.into_iter().filter(|alert| alert.state.is_raised()).collect();
            self.deliveries.active(&raised);
        }
        !events.is_empty()
    }

    fn save(&mut self) -> anyhow::Result<()> {
        let alerts = self.counter.with_alarms(|alarms| alarms.save());
        self.saved = Instant::now();
        let undelivered = self.deliveries.undelivered();
        self.state.save(&Kept { alerts, undelivered })
    }
}
