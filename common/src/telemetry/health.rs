//! Whether the process works and whether it can do its job, part by part.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clean::clean;
use crate::masked::masked;

/// A part that has not shown itself for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_mins(1);

/// Shared by all parts of a process; cheap to clone.
#[derive(Clone, Default, Debug)]
pub struct Health(Arc<Mutex<Parts>>);

#[derive(Default, Debug)]
struct Parts {
    problems: BTreeMap<&'static str, String>,
    beats: BTreeMap<&'static str, Instant>,
}

impl Health {
    /// `part` cannot do its job, and why.
    pub fn problem(&self, part: &'static str, reason: impl Into<String>) {
        let reason = clean(&masked(&reason.into())).into_owned();
        self.parts().problems.insert(part, reason);
    }

    /// `part` can do its job.
    pub fn well(&self, part: &'static str) {
        self.parts().problems.remove(part);
    }

    /// `part` shows that it still goes round; to be called more often than once a minute.
    pub fn beat(&self, part: &'static str) {
        self.parts().beats.insert(part, Instant::now());
    }

    /// Why the process is not ready: one line a part, empty when it is.
    pub fn problems(&self) -> Vec<String> {
        self.parts().problems.iter().map(|(part, reason)| format!("{part}: {reason}")).collect()
    }

    /// The parts that seem stuck.
    pub fn stuck(&self) -> Vec<String> {
        let parts = self.parts();
        let stuck = parts.beats.iter().filter(|(_, beat)| beat.elapsed() > STUCK_AFTER);
        stuck.map(|(part, beat)| format!("{part}: silent for {:?}", beat.elapsed())).collect()
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
