//! Which numbers are acknowledged: a floor, and ranges above it.

use std::collections::BTreeMap;
use std::ops::Range;

/// As large as the disorder of the acknowledgements, not as their number.
#[derive(Debug)]
pub struct Progress {
    /// Every number below it is acknowledged.
    floor: u64,
    /// Acknowledged ranges above the floor, start to end; no two of them touch.
    ahead: BTreeMap<u64, u64>,
    /// How many numbers are in them.
    ahead_total: u64,
}

impl Progress {
    pub fn new(floor: u64) -> Self {
        Self { floor, ahead: BTreeMap::new(), ahead_total: 0 }
    }

    /// The first number that is not acknowledged.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    pub fn contains(&self, number: u64) -> bool {
        number < self.floor
            || self.ahead.range(..=number).next_back().is_some_and(|(_, end)| number < *end)
    }

    /// How many numbers below `end` are not acknowledged.
    pub fn missing_below(&self, end: u64) -> u64 {
        end.saturating_sub(self.floor).saturating_sub(self.ahead_total)
    }

    /// Returns how many of these were not acknowledged before.
    pub fn acknowledge(&mut self, numbers: Range<u64>) -> u64 {
        let wanted = numbers.start.max(self.floor)..numbers.end;
        if wanted.is_empty() {
            return 0;
        }
        let mut merged = wanted.clone();
        let mut known = 0;
        // From the back: every range that overlaps or touches becomes part of this one.
        while let Some((&start, &end)) = self.ahead.range(..=merged.end).next_back() {
            if end < merged.start {
                break;
            }
            self.ahead.remove(&start);
            self.ahead_total -= end - start;
            known += end.min(wanted.end).saturating_sub(start.max(wanted.start));
            merged = merged.start.min(start)..merged.end.max(end);
        }
        if merged.start == self.floor {
            self.floor = merged.end;
        } else {
            self.ahead_total += merged.end - merged.start;
            self.ahead.insert(merged.start, merged.end);
        }
        wanted.end - wanted.start - known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_floor_passes_what_was_acknowledged_ahead_of_it() {
        let mut progress = Progress::new(10);
        assert_eq!(progress.acknowledge(12..13), 1);
        assert_eq!(progress.acknowledge(11..12), 1);
        assert_eq!((progress.floor(), progress.missing_below(20)), (10, 8));
        assert_eq!(progress.acknowledge(10..11), 1);
        assert_eq!((progress.floor(), progress.missing_below(20)), (13, 7));
        assert_eq!(progress.ahead, BTreeMap::new());
    }

    proptest! {
        #[test]
        fn ranges_are_as_good_as_a_set(
            ranges in proptest::collection::vec((0u64..60, 0u64..12), 0..40)
        ) {
            let mut progress = Progress::new(5);
            let mut set: BTreeSet<u64> = (0..5).collect();
            for (start, length) in ranges {
                let new = (start..start + length).filter(|number| set.insert(*number)).count();
                prop_assert_eq!(progress.acknowledge(start..start + length), new as u64);
                let floor = (0..200).find(|number| !set.contains(number)).unwrap();
                prop_assert_eq!(progress.floor(), floor);
                for number in 0..80 {
                    prop_assert_eq!(progress.contains(number), set.contains(&number));
                }
                prop_assert_eq!(progress.missing_below(80), 80 - set.len() as u64);
                let ends: Vec<_> = progress.ahead.iter().collect();
                prop_assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0));
            }
        }
    }
}
