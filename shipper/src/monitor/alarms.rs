//! When to look at which file although no event asks for it.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use crate::monitor::read::tail::TailId;

/// At most one time for each file.
#[derive(Debug, Default)]
pub struct Alarms {
    by_time: BTreeSet<(Instant, TailId)>,
    by_file: HashMap<TailId, Instant>,
}

impl Alarms {
    /// Sets or clears the time of a file.
    pub fn set(&mut self, id: TailId, time: Option<Instant>) {
        if self.by_file.get(&id).copied() == time {
            return;
        }
        if let Some(old) = self.by_file.remove(&id) {
            self.by_time.remove(&(old, id));
        }
        if let Some(time) = time {
            self.by_file.insert(id, time);
            self.by_time.insert((time, id));
        }
    }

    /// The earliest time.
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(time, _)| *time)
    }

    /// A file whose time has come, which has none then.
    pub fn take(&mut self, now: Instant) -> Option<TailId> {
        let (_, id) = self.by_time.first().copied().filter(|(time, _)| *time <= now)?;
        self.set(id, None);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_file_has_one_alarm_and_they_go_off_in_order() {
        let mut alarms = Alarms::default();
        let start = Instant::now();
        let after = |seconds| Some(start + Duration::from_secs(seconds));
        alarms.set(TailId(1), after(5));
        alarms.set(TailId(2), after(3));
        alarms.set(TailId(1), after(1));
        alarms.set(TailId(3), after(2));
        alarms.set(TailId(3), None);
        assert_eq!(alarms.next(), after(1));
        assert_eq!(alarms.take(start), None);
        let later = start + Duration::from_secs(9);
        assert_eq!(alarms.take(later), Some(TailId(1)));
        assert_eq!(alarms.take(later), Some(TailId(2)));
        assert_eq!((alarms.take(later), alarms.next()), (None, None));
    }
}
