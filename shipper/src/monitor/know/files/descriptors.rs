//! Which files have a descriptor that may be closed, in the order of their last uses.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::monitor::read::tail::TailId;

/// The descriptors, each counted once.
#[derive(Debug, Default)]
pub struct Descriptors {
    /// By the number of the last use, the one used last at the end.
    by_use: BTreeMap<u64, (TailId, Instant)>,
    /// The number of each one's last use.
    last_use: HashMap<TailId, u64>,
    /// How often any was used.
    uses: u64,
}

impl Descriptors {
    /// This one was used now.
    pub fn used(&mut self, id: TailId) {
        self.forget(id);
        self.uses += 1;
        self.by_use.insert(self.uses, (id, Instant::now()));
        self.last_use.insert(id, self.uses);
    }

    /// This one is away.
    pub fn forget(&mut self, id: TailId) {
        if let Some(last_use) = self.last_use.remove(&id) {
            self.by_use.remove(&last_use);
        }
    }

    /// Takes out the one that was not used for longest, if there are more than `most`.
    pub fn take_beyond(&mut self, most: usize) -> Option<TailId> {
        if self.by_use.len() > most { self.take_first() } else { None }
    }

    /// Takes out one that was not used for so long, if there is any.
    pub fn take_idle(&mut self, idle: Duration) -> Option<TailId> {
        let (_, (_, used)) = self.by_use.first_key_value()?;
        if used.elapsed() > idle { self.take_first() } else { None }
    }

    fn take_first(&mut self) -> Option<TailId> {
        let (_, (id, _)) = self.by_use.pop_first()?;
        self.last_use.remove(&id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_was_not_used_for_longest_goes_first() {
        let mut descriptors = Descriptors::default();
        for id in [1, 2, 3, 1] {
            descriptors.used(TailId(id));
        }
        assert_eq!(descriptors.take_beyond(3), None);
        assert_eq!(descriptors.take_beyond(2), Some(TailId(2)));
        descriptors.forget(TailId(3));
        descriptors.forget(TailId(3));
        assert_eq!(descriptors.take_idle(Duration::from_hours(1)), None);
        assert_eq!(descriptors.take_idle(Duration::ZERO), Some(TailId(1)));
        assert_eq!(descriptors.take_beyond(0), None);
    }
}
