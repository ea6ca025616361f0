//! Ends what is computed over hits when the time of a search is over: then it is of the hits until then.

use std::time::Instant;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

/// The clock is looked at once for so many documents.
const BETWEEN_LOOKS: usize = 8_192;

/// A collector that is given no documents after the deadline.
pub struct Until<C> {
    /// The collector.
    pub inner: C,
    /// The end.
    pub deadline: Instant,
}

/// The same, in a segment.
pub struct UntilInSegment<S> {
    inner: S,
    deadline: Instant,
    until_look: usize,
    is_late: bool,
}

impl<C: Collector> Collector for Until<C> {
    type Fruit = C::Fruit;
    type Child = UntilInSegment<C::Child>;

    fn for_segment(
        &self,
        segment: SegmentOrdinal,
        reader: &SegmentReader,
    ) -> tantivy::Result<Self::Child> {
        let inner = self.inner.for_segment(segment, reader)?;
        Ok(UntilInSegment { inner, deadline: self.deadline, until_look: 0, is_late: false })
    }

    fn requires_scoring(&self) -> bool {
        self.inner.requires_scoring()
    }

    fn merge_fruits(
        &self,
        fruits: Vec<<Self::Child as SegmentCollector>::Fruit>,
    ) -> tantivy::Result<C::Fruit> {
        self.inner.merge_fruits(fruits)
    }
}

impl<S> UntilInSegment<S> {
    fn is_over(&mut self, documents: usize) -> bool {
        self.until_look = self.until_look.saturating_sub(documents);
        if self.until_look == 0 {
            self.until_look = BETWEEN_LOOKS;
            self.is_late |= Instant::now() >= self.deadline;
        }
        self.is_late
    }
}

impl<S: SegmentCollector> SegmentCollector for UntilInSegment<S> {
    type Fruit = S::Fruit;

    fn collect(&mut self, document: DocId, score: Score) {
        if !self.is_over(1) {
            self.inner.collect(document, score);
        }
    }

    fn collect_block(&mut self, documents: &[DocId]) {
        if !self.is_over(documents.len()) {
            self.inner.collect_block(documents);
        }
    }

    fn harvest(self) -> S::Fruit {
        self.inner.harvest()
    }
}
