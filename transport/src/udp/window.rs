//! Which numbers of a stream have been seen: exactly, for the last [`REACH`] of them.
//!
//! Numbers are compared as serial numbers (RFC 1982), so that a stream may go on past the largest.
//! A number that is not seen is *missing* for a while, because it may still come, and then *given
//! up*, once; if it comes after that it is *late*.

use std::ops::Range;

use omphalos_common::numbers::at_most;

use super::datagram::Refusal;

/// How many numbers are remembered: what is older cannot be told from a replay, and is refused.
pub const REACH: u64 = 65_536;
const WORD: u64 = 64;
const WORDS: usize = 1024;
const _: () = assert!(WORDS as u64 * WORD == REACH, "a bit for each number");

/// A stream does not skip so many numbers; what says so is damaged, or forged.
const LEAP: u64 = 1 << 32;

/// A number that was not seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberSeen {
    /// It had not been given up.
    Fresh,
    /// It had been given up.
    Late,
}

/// What can be said of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It was not seen.
    New(NumberSeen),
    /// It was.
    Repeated,
}

/// Which of a stream's newest numbers were seen, and which were given up.
#[derive(Debug, Clone)]
pub struct NumberWindow {
    /// A bit for each of the last [`REACH`] numbers; that of `n` is `n % REACH`.
    bits: Box<[u64]>,
    first: u64,
    /// One more than the highest number that is known to exist.
    next: u64,
    /// Below this, everything is seen or given up.
    settled: u64,
    /// How many numbers were given up.
    given_up: u64,
}

impl NumberWindow {
    /// A window for a stream that begins with this number.
    pub fn new(first: u64) -> Self {
        let bits = vec![0; WORDS].into_boxed_slice();
        Self { bits, first, next: first, settled: first, given_up: 0 }
    }

    /// A window as it was: everything from `first` to `next` seen, but for what was given up
    /// and what `unseen` names. `None` where there can be no such window: what is not settled is
    /// looked through again and again, so a file must not say that it is half of all numbers.
    pub fn restore(
        first: u64,
        next: u64,
        settled: u64,
        given_up: u64,
        unseen: &[(u64, u64)],
    ) -> Option<Self> {
        let open = next.wrapping_sub(settled);
        if open > REACH || open > next.wrapping_sub(first) {
            return None;
        }
        let mut window = Self::new(first);
        window.bits.fill(u64::MAX);
        (window.next, window.settled, window.given_up) = (next, settled, given_up);
        for (start, length) in unseen {
            for offset in 0..(*length).min(REACH) {
                window.clear(start.wrapping_add(offset));
            }
        }
        Some(window)
    }

    /// The first number.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// One more than the highest number that is known to exist.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Below this, everything is seen or given up.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// How many numbers were given up; some may have come late.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// What can be said of `number`; changes nothing.
    ///
    /// # Errors
    /// When it is too old to say, or impossibly far ahead.
    pub fn look(&self, number: u64) -> Result<Look, Refusal> {
        let ahead = number.wrapping_sub(self.next);
        if ahead < LEAP {
            return Ok(Look::New(NumberSeen::Fresh));
        }
        let behind = self.next.wrapping_sub(number);
        if behind > LEAP {
            return Err(Refusal::TooFar);
        }
        if behind > REACH || behind > self.next.wrapping_sub(self.first) {
            return Err(Refusal::TooOld);
        }
        if self.is_seen(number) {
            return Ok(Look::Repeated);
        }
        let is_given_up = behind > self.next.wrapping_sub(self.settled);
        Ok(Look::New(if is_given_up { NumberSeen::Late } else { NumberSeen::Fresh }))
    }

    /// Notes a number that [`Self::look`] called new.
    pub fn see(&mut self, number: u64) {
        if number.wrapping_sub(self.next) < LEAP {
            self.expect(number.wrapping_add(1));
        }
        let (word, bit) = place(number);
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bit;
        }
    }

    /// Notes that all numbers before `next` exist.
    pub fn expect(&mut self, next: u64) {
        let ahead = next.wrapping_sub(self.next);
        if ahead == 0 || ahead > LEAP {
            return;
        }
        // What leaves the window unseen can never be told from a replay: it is lost.
        let floor = next.wrapping_sub(REACH);
        let leaving = floor.wrapping_sub(self.settled);
        if next.wrapping_sub(self.settled) > REACH {
            let known = self.next.wrapping_sub(self.settled).min(leaving);
            let lost = self.count_unseen(self.settled, known) + (leaving - known);
            self.given_up = self.given_up.saturating_add(lost);
            self.settled = floor;
        }
        for offset in 0..ahead.min(REACH) {
            self.clear(next.wrapping_sub(1).wrapping_sub(offset));
        }
        self.next = next;
    }

    /// Gives up what is unseen before `number`; returns how much that was.
    pub fn give_up(&mut self, number: u64) -> u64 {
        let open = self.next.wrapping_sub(self.settled);
        let length = number.wrapping_sub(self.settled);
        if length > open {
            return 0;
        }
        let lost = self.count_unseen(self.settled, length);
        self.given_up = self.given_up.saturating_add(lost);
        self.settled = number;
        lost
    }

    /// Moves what is settled over what is seen, but not over `limit`, so that looking for the unseen
    /// is short.
    pub fn settle_seen(&mut self, limit: u64) {
        while self.settled != self.next && self.settled != limit && self.is_seen(self.settled) {
            self.settled = self.settled.wrapping_add(1);
        }
    }

    /// Takes back that a number was given up, because it could be restored after all.
    pub fn reclaim(&mut self) {
        self.given_up = self.given_up.saturating_sub(1);
    }

    /// The counterpart of [`Self::reclaim`]: notes that a number was given up.
    pub fn concede(&mut self) {
        self.given_up = self.given_up.saturating_add(1);
    }

    /// Takes back that a number was seen, which then is missing, or given up if that is settled.
    pub fn forget(&mut self, number: u64) {
        let behind = self.next.wrapping_sub(number);
        if behind == 0 || behind > REACH {
            return;
        }
        self.clear(number);
        if self.is_settled(number) {
            self.concede();
        }
    }

    /// How many numbers are neither seen nor given up.
    pub fn missing(&self) -> u64 {
        self.count_unseen(self.settled, self.next.wrapping_sub(self.settled))
    }

    /// Whether `number` lies before what is settled.
    pub fn is_settled(&self, number: u64) -> bool {
        let behind = self.next.wrapping_sub(number);
        behind <= LEAP && behind > self.next.wrapping_sub(self.settled)
    }

    /// The unseen numbers from what is settled to before `end`, as first number and length.
    pub fn unseen(&self, end: u64) -> Vec<(u64, u64)> {
        let length = end.wrapping_sub(self.settled);
        let open = self.next.wrapping_sub(self.settled);
        self.ranges(self.settled, length.min(open))
    }

    /// All that is unseen in the window, even if it was given up.
    pub fn unseen_at_all(&self) -> Vec<(u64, u64)> {
        let length = self.next.wrapping_sub(self.first).min(REACH);
        self.ranges(self.next.wrapping_sub(length), length)
    }

    fn ranges(&self, start: u64, length: u64) -> Vec<(u64, u64)> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for (first, mut unseen) in self.unseen_words(start, length) {
            while unseen != 0 {
                let offset = first + u64::from(unseen.trailing_zeros());
                unseen &= unseen - 1;
                match ranges.last_mut() {
                    Some(range) if range.end == offset => range.end += 1,
                    _ => ranges.push(offset..offset + 1),
                }
            }
        }
        let numbered =
            |range: &Range<u64>| (start.wrapping_add(range.start), range.end - range.start);
        ranges.iter().map(numbered).collect()
    }

    fn count_unseen(&self, start: u64, length: u64) -> u64 {
        self.unseen_words(start, length).map(|(_, unseen)| u64::from(unseen.count_ones())).sum()
    }

    /// The `length` numbers from `start`, a word of bits at a time, because workers wait while the
    /// ledger is taken: the offset of the first in the word, and a bit for each that is unseen.
    fn unseen_words(&self, start: u64, length: u64) -> impl Iterator<Item = (u64, u64)> {
        let mut offset = 0;
        std::iter::from_fn(move || {
            let number = start.wrapping_add(offset);
            let skipped = number % WORD;
            let here = (length - offset).min(WORD - skipped);
            if here == 0 {
                return None;
            }
            let (word, _) = place(number);
            let unseen = (!self.bits.get(word)? >> skipped) & (u64::MAX >> (WORD - here));
            offset += here;
            Some((offset - here, unseen))
        })
    }

    fn is_seen(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
    }

    fn clear(&mut self, number: u64) {
        let (word, bit) = place(number);
        if let Some(word) = self.bits.get_mut(word) {
            *word &= !bit;
        }
    }
}

/// The word and the bit of a number.
fn place(number: u64) -> (usize, u64) {
    let index = number % REACH;
    (at_most(index / WORD, WORDS - 1), 1 << (index % WORD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sees all of these, and says what each was.
    fn see(
        window: &mut NumberWindow,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Vec<Result<Look, Refusal>> {
        let see = |number| {
            let look = window.look(number);
            if matches!(look, Ok(Look::New(_))) {
                window.see(number);
            }
            look
        };
        numbers.into_iter().map(see).collect()
    }

    const FRESH: Result<Look, Refusal> = Ok(Look::New(NumberSeen::Fresh));

    #[test]
    fn numbers_go_on_past_the_largest() {
        let first = u64::MAX - 5;
        let mut window = NumberWindow::new(first);
        let number = |offset| first.wrapping_add(offset);
        let lost = [2, 6, 9].map(number);
        let sent: Vec<u64> = [0, 1, 3, 4, 5, 7, 8, 10, 11].map(number).to_vec();
        assert!(see(&mut window, sent.clone()).iter().all(|look| *look == FRESH));
        assert_eq!(see(&mut window, [sent[3]]), [Ok(Look::Repeated)]);
        assert_eq!(window.missing(), 3);
        assert_eq!(window.give_up(window.next()), 3);
        assert_eq!(see(&mut window, [lost[0]]), [Ok(Look::New(NumberSeen::Late))]);
        assert_eq!((window.given_up(), window.missing()), (3, 0));
        assert_eq!(window.look(first.wrapping_sub(1)), Err(Refusal::TooOld));
    }

    #[test]
    fn what_leaves_the_window_unseen_is_given_up_once() {
        let mut window = NumberWindow::new(0);
        see(&mut window, [1, 3, REACH + 10]);
        // 0 and 2 and 4 to 10 left the window, which now begins with 11.
        assert_eq!((window.given_up(), window.settled()), (9, 11));
        assert_eq!(window.look(10), Err(Refusal::TooOld));
        assert_eq!(window.missing(), REACH - 1);
        see(&mut window, [10 * REACH]);
        assert_eq!(window.given_up() + window.missing() + 4, 10 * REACH + 1);
        assert_eq!(window.look(1 << 50), Err(Refusal::TooFar));
    }

    #[test]
    fn a_mark_tells_of_numbers_that_never_came() {
        let mut window = NumberWindow::new(0);
        see(&mut window, [0, 1]);
        window.expect(5);
        assert_eq!(window.unseen(5), [(2, 3)]);
        assert_eq!(window.unseen(3), [(2, 1)]);
        window.expect(4);
        assert_eq!(window.next(), 5);
    }

    #[derive(Debug, Clone)]
    enum Act {
        See(u64),
        Expect(u64),
        GiveUp(u64),
        Restore,
        SettleSeen,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            20 => (0_u64..200).prop_map(Act::See),
            2 => (0_u64..40).prop_map(Act::Expect),
            2 => (0_u64..60).prop_map(Act::GiveUp),
            1 => (1_u64..40).prop_map(|far| Act::See(far * 4000)),
            1 => Just(Act::Restore),
            1 => Just(Act::SettleSeen),
        ]
    }

    proptest! {
        /// Against sets of numbers that forget nothing.
        #[test]
        fn every_number_is_counted_once(first: u64, acts in proptest::collection::vec(act(), 1..300)) {
            let mut window = NumberWindow::new(first);
            // Offsets from the first number.
            let (mut next, mut settled) = (0_u64, 0_u64);
            let mut seen = std::collections::BTreeSet::new();
            let (mut given_up, mut late) = (0, 0);
            for act in acts {
                match act {
                    Act::See(distance) => {
                        let offset = (next + 20).saturating_sub(distance % 200) + distance / 200 * 200;
                        let expected = if offset >= next {
                            FRESH
                        } else if next - offset > REACH {
                            Err(Refusal::TooOld)
                        } else if seen.contains(&offset) {
                            Ok(Look::Repeated)
                        } else if offset < settled {
                            late += 1;
                            Ok(Look::New(NumberSeen::Late))
                        } else {
                            FRESH
                        };
                        prop_assert_eq!(see(&mut window, [first.wrapping_add(offset)]), vec![expected]);
                        if matches!(expected, Ok(Look::New(_))) {
                            seen.insert(offset);
                        }
                        next = next.max(offset + 1);
                    }
                    Act::Expect(ahead) => {
                        next += ahead;
                        window.expect(first.wrapping_add(next));
                    }
                    Act::GiveUp(back) => {
                        let to = next.saturating_sub(back).max(settled);
                        window.give_up(first.wrapping_add(to));
                        given_up += (settled..to).filter(|n| !seen.contains(n)).count() as u64;
                        settled = to;
                    }
                    Act::SettleSeen => {
                        window.settle_seen(window.next());
                        while settled < next && seen.contains(&settled) {
                            settled += 1;
                        }
                    }
                    Act::Restore => {
                        window = NumberWindow::restore(
                            window.first(), window.next(), window.settled(), window.given_up(),
                            &window.unseen_at_all(),
                        ).unwrap();
                    }
                }
                if next - settled > REACH {
                    let to = next - REACH;
                    given_up += (settled..to).filter(|n| !seen.contains(n)).count() as u64;
                    settled = to;
                }
                prop_assert_eq!(window.next(), first.wrapping_add(next));
                prop_assert_eq!(window.given_up(), given_up);
                prop_assert_eq!(window.missing() + given_up - late + seen.len() as u64, next);
            }
        }
    }
}
