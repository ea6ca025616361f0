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

/// All segments, in order; the last one is being written.
#[derive(Debug, Default)]
pub struct Segments {
    by_first: BTreeMap<u64, Segment>,
    bytes: u64,
}

impl Segments {
    pub fn insert(&mut self, first: u64, segment: Segment) {
        self.bytes += segment.bytes;
        // Replaced when it was found to be gone before anything was in it.
        self.bytes -= self.by_first.insert(first, segment).map_or(0, |replaced| replaced.bytes);
    }

    pub fn extend(&mut self, segments: impl Iterator<Item = (u64, Segment)>) {
        segments.for_each(|(first, segment)| self.insert(first, segment));
    }

    /// Size of all segments on disk, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of the first record on disk, as far as is known.
    pub fn start(&self) -> Option<u64> {
        self.by_first.keys().next().copied()
    }

    /// The first number of the last one.
    pub fn last_first(&self) -> Option<u64> {
        self.by_first.keys().next_back().copied()
    }

    /// The offset at which the last one ends.
    pub fn last_limit(&self) -> u64 {
        self.by_first.values().next_back().map_or(0, |segment| segment.limit)
    }

    /// The last one has this many bytes more.
    pub fn grow_last(&mut self, bytes: u64) {
        if let Some(segment) = self.by_first.values_mut().next_back() {
            segment.limit += bytes;
            segment.bytes += bytes;
            self.bytes += bytes;
        }
    }

    pub fn extent(&self, first: u64) -> Option<Extent> {
        let segment = self.by_first.get(&first)?;
        let next = self.by_first.range((Excluded(first), Unbounded)).next();
        let stop = next.map_or(u64::MAX, |(_, next)| next.after);
        let (limit, bytes) = (segment.limit, segment.bytes);
        Some(Extent { first, limit, bytes, stop, next: next.map(|(next, _)| *next) })
    }

    /// The segment with this number, if any has it.
    pub fn extent_at(&self, number: u64) -> Option<Extent> {
        let before = self.by_first.range(..=number).next_back().map(|(first, _)| *first);
        self.extent(before.or(self.start())?)
    }

    pub fn extents(&self) -> Vec<Extent> {
        self.by_first.keys().filter_map(|first| self.extent(*first)).collect()
    }

    /// The numbers that no record has.
    pub fn gaps(&self) -> impl Iterator<Item = Range<u64>> {
        self.by_first.iter().map(|(first, segment)| segment.after..*first)
    }

    /// Takes out the segments that lie wholly below this number; never the last one.
    pub fn take_below(&mut self, number: u64) -> Vec<(u64, Segment)> {
        let mut taken = Vec::new();
        while let Some(first) = self.start() {
            let next = self.extent(first).and_then(|extent| extent.next);
            if next.is_none_or(|next| next > number) {
                break;
            }
            taken.extend(self.by_first.remove_entry(&first));
        }
        self.bytes -= taken.iter().map(|(_, segment)| segment.bytes).sum::<u64>();
        taken
    }

    /// The ones that are complete, and might not survive a crash of the machine.
    pub fn closed_unsynced(&self) -> Vec<u64> {
        let closed = self.by_first.iter().rev().skip(1);
        closed.filter(|(_, segment)| !segment.synced).map(|(first, _)| *first).collect()
    }

    pub fn set_synced(&mut self, first: u64) {
        if let Some(segment) = self.by_first.get_mut(&first) {
            segment.synced = true;
        }
    }
}
