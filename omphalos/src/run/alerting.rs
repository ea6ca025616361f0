//! What `omphalos run` tells of the rules that it judges: where all lines that are stored are read here, it does
//! so as `omphalos watch` does, by the same code. A restart goes on from what was raised.
//!
//! Elsewhere other processes see more of the lines, and it is for `omphalos watch` to tell.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use omphalos_common::shutdown::Shutdown;
use omphalos_indexer::config as indexer;
use omphalos_indexer::elasticsearch::Client;
use omphalos_live::alert::{Rule, Saved};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::chain::Watch;
use crate::page::Tap;
use crate::watch::deliver::{Deliveries, Documents, Receiver, Undelivered};
use crate::watch::{AlertMetrics, ReceiverMetrics, StateFile, Teller};

/// How often it is looked what happened.
const TICK: Duration = Duration::from_millis(250);

/// What was kept, by whom it is kept now, and who is told.
#[derive(Default)]
pub struct Kept {
    state: Option<StateFile>,
    /// What was raised when the last run ended.
    pub alerts: Saved,
    undelivered: Vec<Undelivered>,
}

impl Kept {
    /// What is kept in a state directory; nothing where there is nothing to judge, or another process tells.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(rules: &[Rule], tells: bool, state_dir: &Path) -> anyhow::Result<Self> {
        if rules.is_empty() || !tells {
            return Ok(Self::default());
        }
        let Some(state) = StateFile::open_unless_used(state_dir)? else {
            warn!(
                "an omphalos watch uses state_dir {}: that one tells what is raised, and this process only shows it",
                state_dir.display()
            );
            return Ok(Self::default());
        };
        let kept = state.load()?;
        Ok(Self { state: Some(state), alerts: kept.alerts, undelivered: kept.undelivered })
    }

    /// Begins to tell, and to write what happens to where the indexer writes; `None` where somebody else does.
    ///
    /// # Errors
    /// When a receiver cannot be used.
    pub fn tell(
        self,
        watch: &Watch,
        receivers: Vec<Receiver>,
        indexer: Option<&indexer::Settings>,
    ) -> anyhow::Result<Option<Telling>> {
        let (Some(state), Some(tap), Some(indexer)) = (self.state, &watch.tap, indexer) else {
            return Ok(None);
        };
        let client = Client::new(&indexer.elasticsearch, false)?;
        let documents = Documents::new(client, indexer.index.prefix.clone());
        let shown = receivers.iter().map(|receiver| receiver.name.as_str()).collect::<Vec<_>>();
        if !shown.is_empty() {
            info!("what is raised is told to {}", shown.join(", "));
        }
        let deliveries =
            Arc::new(Deliveries::start_with(receivers, Some(documents), self.undelivered)?);
        watch.round.telemetry.register(|registry| {
            registry.register_collector(Box::new(AlertMetrics(tap.counter())));
            registry.register_collector(Box::new(ReceiverMetrics(Arc::clone(&deliveries))));
        });
        let stop = Shutdown::new();
        let task = tokio::spawn(tell(tap, state, deliveries, stop.clone()));
        Ok(Some(Telling { stop, task }))
    }
}

/// Tells until it is stopped.
fn tell(
    tap: &Tap,
    state: StateFile,
    deliveries: Arc<Deliveries>,
    stop: Shutdown,
) -> impl Future<Output = anyhow::Result<()>> + use<> {
    let settled = deliveries.settled_news();
    let mut teller = Teller::new(tap.counter(), state, deliveries);
    async move {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => teller.round(),
                () = settled.notified() => teller.round(),
                () = stop.cancelled() => break,
            }
        }
        teller.last_round()?;
        teller.finish().await
    }
}

/// Somebody who tells.
pub struct Telling {
    stop: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Telling {
    /// Tells what is left, for a while, and remembers the rest.
    ///
    /// # Errors
    /// When it cannot be remembered.
    pub async fn end(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await?
    }
}
