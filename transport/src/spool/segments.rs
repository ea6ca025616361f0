//! Which segments there are, and how far each can be read.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::ops::Range;

use super::segment::{HEADER_BYTES, SegmentHeader};

/// One segment; its first number is its key.
#[derive(Debug, Clone)]
pub struct Segment {
    /// The number after the last record before it: less than its first when there is a gap.
    pub after: u64,
    /// The records in it end at this offset.
    pub limit: u64,
    /// What it takes on disk: more than `limit` when its end is damaged.
    pub bytes: u64,
    /// Whether it would survive a crash of the machine.
    pub synced: bool,
}

impl Segment {
    /// One that has only a header.
    pub fn begun(header: SegmentHeader) -> Self {
        let SegmentHeader { after, .. } = header;
        Self { after, limit: HEADER_BYTES, bytes: HEADER_BYTES, synced: false }
    }
}

/// How far a segment can be read.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// The number of its first record.
    pub first: u64,
    /// Its records end at this offset.
    pub limit: u64,
    /// Size of the segment on disk, in bytes.
    pub bytes: u64,
    /// Its numbers end before this one; `u64::MAX` while it is being written.
    pub stop: u64,
    /// The first number of the next segment.
    pub next: Option<u64>,
}

/// All segments, in order. There is always one that is being written, the last.
#[derive(Debug)]
pub struct Segments {
    /// Those before it, by their first numbers.
    closed: BTreeMap<u64, Segment>,
    /// The first number of the last one.
    last_first: u64,
    last: Segment,
    bytes: u64,
}

impl Segments {
    /// These segments; the last one begins at `last_first`.
    pub fn new(closed: BTreeMap<u64, Segment>, last_first: u64, last: Segment) -> Self {
        debug_assert!(closed.keys().all(|first| *first < last_first), "the last is behind all");
        let bytes = closed.values().map(|segment| segment.bytes).sum::<u64>() + last.bytes;
        Self { closed, last_first, last, bytes }
    }

    /// Closes the last one and goes on with another, which begins at `first`. One that nothing was
    /// written into is replaced.
    pub fn begin(&mut self, first: u64, segment: Segment) {
        self.bytes += segment.bytes;
        let before = std::mem::replace(&mut self.last, segment);
        if first == self.last_first {
            self.bytes -= before.bytes;
        } else {
            self.closed.insert(self.last_first, before);
            self.last_first = first;
        }
    }

    /// Takes back segments that were taken out.
    pub fn give_back(&mut self, segments: impl Iterator<Item = (u64, Segment)>) {
        for (first, segment) in segments {
            self.bytes += segment.bytes;
            self.closed.insert(first, segment);
        }
    }

    /// Size of all segments on disk, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of the first record on disk, as far as is known.
    pub fn start(&self) -> u64 {
        self.closed.keys().next().copied().unwrap_or(self.last_first)
    }

    /// The first number of the last one.
    pub fn last_first(&self) -> u64 {
        self.last_first
    }

    /// The offset at which the last one ends.
    pub fn last_limit(&self) -> u64 {
        self.last.limit
    }

    /// The last one has this many bytes more.
    pub fn grow_last(&mut self, bytes: u64) {
        self.last.limit += bytes;
        self.last.bytes += bytes;
        self.bytes += bytes;
    }

    pub fn extent(&self, first: u64) -> Option<Extent> {
        if first == self.last_first {
            let Segment { limit, bytes, .. } = self.last;
            return Some(Extent { first, limit, bytes, stop: u64::MAX, next: None });
        }
        let Segment { limit, bytes, .. } = *self.closed.get(&first)?;
        let mut behind = self.closed.range((Excluded(first), Unbounded));
        let (next, after) = behind
            .next()
            .map_or((self.last_first, self.last.after), |(next, segment)| (*next, segment.after));
        Some(Extent { first, limit, bytes, stop: after, next: Some(next) })
    }

    /// The segment with this number, if any has it.
    pub fn extent_at(&self, number: u64) -> Option<Extent> {
        let first = if number >= self.last_first {
            self.last_first
        } else {
            let before = self.closed.range(..=number).next_back();
            before.map_or(self.start(), |(first, _)| *first)
        };
        self.extent(first)
    }

    pub fn extents(&self) -> Vec<Extent> {
        let firsts = self.closed.keys().chain([&self.last_first]);
        firsts.filter_map(|first| self.extent(*first)).collect()
    }

    /// The numbers that no record has.
    pub fn gaps(&self) -> impl Iterator<Item = Range<u64>> {
        let all = self.closed.iter().chain([(&self.last_first, &self.last)]);
        all.map(|(first, segment)| segment.after..*first)
    }

    /// Takes out the segments that lie wholly below this number; never the last one.
    pub fn take_below(&mut self, number: u64) -> Vec<(u64, Segment)> {
        let mut taken = Vec::new();
        while let Some(first) = self.closed.keys().next() {
            let next = self.extent(*first).and_then(|extent| extent.next);
            if next.is_none_or(|next| next > number) {
                break;
            }
            taken.extend(self.closed.pop_first());
        }
        self.bytes -= taken.iter().map(|(_, segment)| segment.bytes).sum::<u64>();
        taken
    }

    /// The ones that are complete, and might not survive a crash of the machine.
    pub fn closed_unsynced(&self) -> Vec<u64> {
        let closed = self.closed.iter().rev();
        closed.filter(|(_, segment)| !segment.synced).map(|(first, _)| *first).collect()
    }

    pub fn set_synced(&mut self, first: u64) {
        if let Some(segment) = self.closed.get_mut(&first) {
            segment.synced = true;
        }
    }
}
