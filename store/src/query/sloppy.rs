//! Phrases whose words may be some way from their places: Lucene's `SloppyPhraseMatcher`.
//!
//! Each word has a cursor over the places where it stands, less its place in the phrase: where all cursors
//! are at the same number, the words stand exactly in their order. The cursor that is furthest behind goes
//! on; the smallest distance that it reaches before another one is last counts as a match if it is within
//! the slop, and the nearer the more. Cursors of the same word never stand at the same place.
//! <https://github.com/apache/lucene/blob/main/lucene/core/src/java/org/apache/lucene/search/SloppyPhraseMatcher.java>

/// Counts matches of one phrase, document by document.
#[derive(Debug)]
pub(super) struct Sloppy {
    cursors: Vec<Cursor>,
    slop: i64,
    /// The furthest cursor.
    end: i64,
}

#[derive(Debug, Clone, Copy)]
struct Cursor {
    /// The place of the word in the phrase.
    offset: i64,
    /// The first word of the phrase that is the same.
    same: usize,
    /// How many places it has passed.
    next: usize,
    /// Where it is, less the offset.
    position: i64,
}

impl Sloppy {
    /// For words at `offsets`, each the same as that at `same`.
    pub(super) fn new(offsets: &[i64], same: &[usize], slop: u32) -> Self {
        let cursors = offsets.iter().zip(same);
        let cursors = cursors.map(|(offset, same)| Cursor {
            offset: *offset,
            same: *same,
            next: 0,
            position: 0,
        });
        Self { cursors: cursors.collect(), slop: i64::from(slop), end: i64::MIN }
    }

    /// How often words that stand at `places` match, where a match at a distance is less than one.
    pub(super) fn often(&mut self, places: &[Vec<u32>]) -> f32 {
        let mut often = 0.0;
        if !self.begin(places) {
            return often;
        }
        let mut last = self.last(None);
        let mut length = self.length(last);
        loop {
            let next = self.position(self.last(Some(last)));
            let mut goes_on = self.step(last, places);
            if goes_on {
                match self.apart(last, places) {
                    Some(moved) => last = moved,
                    None => goes_on = false,
                }
            }
            if goes_on && self.position(last) <= next {
                length = length.min(self.length(last));
                continue;
            }
            if length <= self.slop {
                #[expect(clippy::cast_precision_loss, reason = "scores are not precise")]
                let distance = length as f32;
                often += 1.0 / (1.0 + distance);
            }
            if !goes_on {
                return often;
            }
            last = self.last(None);
            length = self.length(last);
        }
    }

    /// Goes to the first places; those of the same word to different ones.
    fn begin(&mut self, places: &[Vec<u32>]) -> bool {
        self.end = i64::MIN;
        for number in 0..self.cursors.len() {
            let same = self.cursors.get(number).map_or(0, |cursor| cursor.same);
            let before =
                self.cursors.iter().take(number).filter(|cursor| cursor.same == same).count();
            if let Some(cursor) = self.cursors.get_mut(number) {
                cursor.next = before;
            }
            if !self.step(number, places) {
                return false;
            }
        }
        true
    }

    /// Goes to the next place of a word, if there is one.
    fn step(&mut self, number: usize, places: &[Vec<u32>]) -> bool {
        let Some(cursor) = self.cursors.get_mut(number) else { return false };
        let Some(place) = places.get(number).and_then(|places| places.get(cursor.next)) else {
            return false;
        };
        cursor.position = i64::from(*place) - cursor.offset;
        cursor.next += 1;
        self.end = self.end.max(cursor.position);
        true
    }

    /// Moves cursors of the same word on until no two stand at the same place; says which one was moved
    /// last, or that there are no more places.
    fn apart(&mut self, moved: usize, places: &[Vec<u32>]) -> Option<usize> {
        let mut moved = moved;
        while let Some(other) = self.same_place(moved) {
            let before = |number: usize| {
                self.cursors.get(number).map(|cursor| (cursor.position, cursor.offset))
            };
            moved = if before(moved) < before(other) { moved } else { other };
            if !self.step(moved, places) {
                return None;
            }
        }
        Some(moved)
    }

    fn same_place(&self, number: usize) -> Option<usize> {
        let own = self.cursors.get(number)?;
        let mut others = self.cursors.iter().enumerate();
        others
            .find(|(other, cursor)| {
                *other != number
                    && cursor.same == own.same
                    && cursor.position + cursor.offset == own.position + own.offset
            })
            .map(|(other, _)| other)
    }

    /// The cursor that is furthest behind, but for one.
    fn last(&self, but: Option<usize>) -> usize {
        let cursors = self.cursors.iter().enumerate();
        let others = cursors.filter(|(number, _)| Some(*number) != but);
        others
            .min_by_key(|(number, cursor)| (cursor.position, cursor.offset, *number))
            .map_or(0, |(number, _)| number)
    }

    fn position(&self, number: usize) -> i64 {
        self.cursors.get(number).map_or(i64::MAX, |cursor| cursor.position)
    }

    fn length(&self, number: usize) -> i64 {
        self.end - self.position(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn often(places: &[&[u32]], slop: u32) -> f32 {
        let offsets: Vec<i64> = (0..).take(places.len()).collect();
        let same: Vec<usize> = (0..places.len()).collect();
        let places: Vec<Vec<u32>> = places.iter().map(|places| places.to_vec()).collect();
        Sloppy::new(&offsets, &same, slop).often(&places)
    }

    #[test]
    fn the_nearer_the_more() {
        assert!((often(&[&[0], &[1]], 2) - 1.0).abs() < 1e-6);
        assert!((often(&[&[0], &[2]], 2) - 0.5).abs() < 1e-6);
        assert!((often(&[&[1], &[0]], 2) - 1.0 / 3.0).abs() < 1e-6);
        assert!(often(&[&[1], &[0]], 1) < 1e-6);
        assert!((often(&[&[0, 5], &[1, 7]], 2) - 1.5).abs() < 1e-6);
    }

    #[test]
    fn one_place_is_not_that_of_two_words() {
        let mut twice = Sloppy::new(&[0, 1], &[0, 0], 3);
        assert!(twice.often(&[vec![4], vec![4]]) < 1e-6);
        assert!((twice.often(&[vec![4, 5], vec![4, 5]]) - 1.0).abs() < 1e-6);
    }
}
