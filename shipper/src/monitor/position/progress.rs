//! How much of a file is delivered: the checkpoint moves only over a contiguous, confirmed range.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use crate::monitor::broken::Broken;
use crate::monitor::position::identity::Fingerprint;
use omphalos_parser::Time;

/// A place in a file where reading can go on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Position {
    /// Offset of the next line.
    pub offset: u64,
    /// The bytes before it.
    pub guard: Fingerprint,
    /// The time of the last line before it that had one.
    pub last_time: Option<Time>,
}

/// The chunks of a file that are on their way, in order.
#[derive(Debug, Default)]
pub struct Progress {
    confirmed: Position,
    in_flight: VecDeque<InFlight>,
    /// The number of the first chunk in flight.
    first: u64,
}

/// A chunk on its way, or a range with nothing to deliver behind one.
#[derive(Debug)]
struct InFlight {
    end: Position,
    since: Instant,
    confirmed: bool,
}

impl Progress {
    /// Everything before `confirmed` is delivered.
    pub fn new(confirmed: Position) -> Self {
        Self { confirmed, in_flight: VecDeque::new(), first: 0 }
    }

    /// Notes a chunk that ends at `end`; returns its number.
    pub fn push(&mut self, end: Position) -> u64 {
        self.put(end, false);
        self.first + self.in_flight.len() as u64 - 1
    }

    /// Notes a range that holds nothing to deliver.
    pub fn push_nothing(&mut self, end: Position) {
        self.put(end, true);
        self.advance();
    }

    /// The chunk `number` is confirmed.
    ///
    /// # Errors
    /// [`Broken`] when no chunk of this number is on its way: nothing is known of what was delivered.
    pub fn confirm(&mut self, number: u64) -> io::Result<()> {
        let place = number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        let under_way = place.and_then(|place| self.in_flight.get_mut(place));
        let Some(chunk) = under_way.filter(|chunk| !chunk.confirmed) else {
            return Err(Broken::error(format!(
                "chunk {number} was confirmed, and of those from {} on, {} are on their way without it",
                self.first,
                self.in_flight.len()
            )));
        };
        chunk.confirmed = true;
        self.advance();
        Ok(())
    }

    fn put(&mut self, end: Position, confirmed: bool) {
        self.in_flight.push_back(InFlight { end, since: Instant::now(), confirmed });
    }

    fn advance(&mut self) {
        while let Some(InFlight { end, confirmed: true, .. }) = self.in_flight.front() {
            self.confirmed = *end;
            self.in_flight.pop_front();
            self.first += 1;
        }
    }

    /// Up to where everything is delivered.
    pub fn confirmed(&self) -> Position {
        self.confirmed
    }

    /// How long the oldest chunk has been on its way.
    pub fn waiting(&self) -> Duration {
        self.in_flight.front().map_or(Duration::ZERO, |chunk| chunk.since.elapsed())
    }

    /// Whether nothing is on its way.
    pub fn is_settled(&self) -> bool {
        self.in_flight.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(offset: u64) -> Position {
        Position { offset, ..Position::default() }
    }

    #[test]
    fn a_gap_holds_everything_behind_it() {
        let mut progress = Progress::new(at(5));
        let first = progress.push(at(10));
        let second = progress.push(at(20));
        progress.push_nothing(at(25));
        progress.confirm(second).unwrap();
        assert_eq!(progress.confirmed().offset, 5);
        assert!(progress.confirm(second).is_err(), "it was confirmed before");
        progress.confirm(first).unwrap();
        assert_eq!(progress.confirmed().offset, 25);
        assert!(progress.is_settled());
        // A confirm that comes twice, or for what never was, changes nothing, and is no secret.
        assert!(progress.confirm(first).is_err());
        assert!(progress.confirm(99).is_err());
        assert_eq!(progress.confirmed().offset, 25);
    }

    proptest! {
        #[test]
        fn confirms_in_any_order_end_at_the_end(order in Just((0u64..30).collect::<Vec<_>>()).prop_shuffle()) {
            let mut progress = Progress::new(at(0));
            for chunk in 1..=30 {
                progress.push(at(chunk));
            }
            let mut confirmed = std::collections::BTreeSet::new();
            for number in order {
                progress.confirm(number).unwrap();
                confirmed.insert(number);
                let contiguous = (0u64..30).take_while(|n| confirmed.contains(n)).count() as u64;
                prop_assert_eq!(progress.confirmed().offset, contiguous);
            }
        }
    }
}
