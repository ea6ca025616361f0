//! What was found out about one file: counts, and the ranges of lines that are not there.

use std::collections::BTreeMap;
use std::io;

use omphalos_shipper::monitor::{Lines, Span, number_lines};

use super::absent::{Absent, AbsentList, State};
use super::target::Target;

/// So many ranges of a file are listed; the documents of the others are counted.
pub const MOST_RANGES: usize = 2_000;

/// Neighbouring documents of which the same is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// What is known of them.
    pub state: State,
    /// How many they are.
    pub documents: u64,
    /// Where the first one begins.
    pub start: u64,
    /// Where the last one begins.
    pub last: u64,
    /// Where the document behind them begins.
    pub end: u64,
    /// Which lines they are; `None` if the file has no such lines any more.
    pub lines: Option<Lines>,
}

/// The ranges of a file, and what was not listed.
#[derive(Debug, Default)]
pub struct Ranges {
    /// In the order of the file.
    pub listed: Vec<Range>,
    /// How many documents are in ranges that are not listed.
    pub unlisted: u64,
    /// How many documents there are of each group of dead letters.
    pub dead: BTreeMap<u16, u64>,
    /// How many are behind the checkpoint.
    pub undelivered: u64,
    /// Of how many nothing is known.
    pub missing: u64,
    /// How many of those have no time of their own.
    pub missing_untimed: u64,
    /// The number of the document that was added last.
    last: Option<u64>,
}

impl Ranges {
    /// The ranges of these documents, with line numbers.
    ///
    /// # Errors
    /// When the list or the file cannot be read.
    pub fn of(absent: &mut AbsentList, target: &Target) -> io::Result<Self> {
        let mut ranges = Self::default();
        for one in absent.read()? {
            ranges.add(&one?);
        }
        ranges.number_lines(target)?;
        Ok(ranges)
    }

    fn add(&mut self, one: &Absent) {
        match one.state {
            State::Missing => {
                self.missing += 1;
                self.missing_untimed += u64::from(one.is_untimed);
            }
            State::Undelivered => self.undelivered += 1,
            State::Dead(group) => *self.dead.entry(group).or_default() += 1,
        }
        let is_next = self.last.replace(one.number).is_some_and(|last| last + 1 == one.number);
        if let Some(range) = self.listed.last_mut()
            && self.unlisted == 0
            && is_next
            && range.state == one.state
        {
            range.documents += 1;
            (range.last, range.end) = (one.start, one.end);
        } else if self.listed.len() < MOST_RANGES {
            self.listed.push(Range {
                state: one.state,
                documents: 1,
                start: one.start,
                last: one.start,
                end: one.end,
                lines: None,
            });
        } else {
            self.unlisted += 1;
        }
    }

    /// Counts the lines of the file up to each range.
    fn number_lines(&mut self, target: &Target) -> io::Result<()> {
        if self.listed.is_empty() {
            return Ok(());
        }
        // Behind a line that is a document there may be lines that make none; behind the first line
        // of an event there are others of it.
        let joins = target.monitor.recipe.joins_lines();
        let last = |range: &Range| if joins { range.end - 1 } else { range.last };
        let spans = self.listed.iter().map(|range| Span { start: range.start, last: last(range) });
        let spans: Vec<Span> = spans.collect();
        let numbers = number_lines(&target.path, target.monitor.recipe.encoding, &spans)?;
        for (range, lines) in self.listed.iter_mut().zip(numbers) {
            range.lines = lines;
            range.end = lines.map_or(range.end, |lines| lines.end);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::event::DocumentId;

    fn absent(number: u64, state: State) -> Absent {
        let id = DocumentId::from_bytes([0; 16]);
        let start = number * 10;
        Absent { number, start, end: start + 10, id, day: 0, is_untimed: false, state }
    }

    fn added(all: &[(u64, State)]) -> Ranges {
        let mut ranges = Ranges::default();
        for (number, state) in all {
            ranges.add(&absent(*number, *state));
        }
        ranges
    }

    #[test]
    fn neighbours_of_one_kind_are_one_range() {
        let (missing, dead) = (State::Missing, State::Dead(1));
        let ranges = added(&[
            (1, missing),
            (2, missing),
            (4, missing),
            (5, dead),
            (6, dead),
            (7, State::Dead(2)),
        ]);
        let shown: Vec<_> = ranges
            .listed
            .iter()
            .map(|range| (range.state, range.documents, range.start, range.last, range.end))
            .collect();
        let expected = [
            (missing, 2, 10, 20, 30),
            (missing, 1, 40, 40, 50),
            (dead, 2, 50, 60, 70),
            (State::Dead(2), 1, 70, 70, 80),
        ];
        assert_eq!(shown, expected);
        assert_eq!((ranges.missing, ranges.undelivered, ranges.unlisted), (3, 0, 0));
        assert_eq!(ranges.dead, BTreeMap::from([(1, 2), (2, 1)]));
    }

    #[test]
    fn a_file_full_of_holes_does_not_fill_the_memory() {
        let holes = MOST_RANGES as u64 + 10;
        let all: Vec<_> = (0..holes).map(|number| (number * 2, State::Missing)).collect();
        let ranges = added(&all);
        assert_eq!(
            (ranges.listed.len(), ranges.unlisted, ranges.missing),
            (MOST_RANGES, 10, holes)
        );
        // What follows the last one that is not listed is not taken for a part of the last listed.
        let mut ranges = ranges;
        ranges.add(&absent(holes * 2 - 1, State::Missing));
        assert_eq!((ranges.listed.len(), ranges.unlisted), (MOST_RANGES, 11));
    }
}
