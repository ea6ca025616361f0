//! Whether the process works and whether it can do its job, part by part.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clean::clean;
use crate::masked::masked;

/// A part that has not shown itself for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_mins(1);

/// A part that works on one thing for so long is stuck with that: nothing that it gets at once takes as
/// many seconds, however it is made.
const BUSY_AFTER: Duration = Duration::from_secs(30);

/// Shared by all parts of a process; cheap to clone.
#[derive(Clone, Default, Debug)]
pub struct Health(Arc<Mutex<Parts>>);

#[derive(Default, Debug)]
struct Parts {
    problems: BTreeMap<&'static str, String>,
    beats: BTreeMap<&'static str, Instant>,
    /// What each part works on, and since when.
    works: BTreeMap<&'static str, (Instant, String)>,
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

    /// Forgets all parts: they begin anew, with other settings.
    pub fn clear(&self) {
        *self.parts() = Parts::default();
    }

    /// `part` shows that it still goes round; to be called more often than once a minute.
    pub fn beat(&self, part: &'static str) {
        self.parts().beats.insert(part, Instant::now());
    }

    /// `part` begins to work on one thing, such as a block of a file or a message: `what` names it.
    pub fn begin(&self, part: &'static str, what: String) {
        self.parts().works.insert(part, (Instant::now(), what));
    }

    /// `part` is done with that.
    pub fn done(&self, part: &'static str) {
        self.parts().works.remove(part);
    }

    /// Why the process is not ready: one line a part, empty when it is.
    pub fn problems(&self) -> Vec<String> {
        self.parts().problems.iter().map(|(part, reason)| format!("{part}: {reason}")).collect()
    }

    /// The parts that seem stuck, with what they work on.
    pub fn stuck(&self) -> Vec<String> {
        self.stuck_at(Instant::now())
    }

    fn stuck_at(&self, now: Instant) -> Vec<String> {
        let parts = self.parts();
        let since = |begun: &Instant| now.saturating_duration_since(*begun);
        let seconds = |begun: &Instant| since(begun).as_secs();
        let busy = parts.works.iter().filter(|(_, (begun, _))| since(begun) > BUSY_AFTER);
        let busy = busy.map(|(part, (begun, what))| {
            format!("{part}: at work on {} for {} s", masked(what), seconds(begun))
        });
        let silent = parts.beats.iter().filter(|(_, beat)| since(beat) > STUCK_AFTER);
        let silent = silent.map(|(part, beat)| format!("{part}: silent for {} s", seconds(beat)));
        busy.chain(silent).collect()
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_at_one_thing_for_too_long_is_stuck_with_that() {
        let health = Health::default();
        health.beat("monitor");
        health.begin("monitor", "/var/log/x.log at byte 7".to_owned());
        // Not before what is noted above, of which seconds are counted that are over.
        let now = Instant::now();
        let later = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(health.stuck_at(later(20)), [""; 0]);
        assert_eq!(
            health.stuck_at(later(40)),
            ["monitor: at work on /var/log/x.log at byte 7 for 40 s"]
        );
        assert_eq!(health.stuck_at(later(70)).len(), 2);
        health.done("monitor");
        assert_eq!(health.stuck_at(later(40)), [""; 0]);
        assert_eq!(health.stuck_at(later(70)), ["monitor: silent for 70 s"]);
    }
}
