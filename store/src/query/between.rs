//! Ranges of values in columns.
//!
//! tantivy's own set of documents in a range takes for granted that whoever asks it for one never asks
//! for an earlier one afterwards. An intersection that is to be left out of something does
//! (`a -(b status:>=400)`): it has stepped to its first document when it is asked for those before
//! it. tantivy then subtracts the later from the earlier one, which overflows. So nobody asks it for
//! what it has gone past.

use tantivy::query::{
    AllScorer, EmptyScorer, EnableScoring, Explanation, Query, RangeQuery, Scorer, Weight,
};
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId, DocSet, Score, SeekDangerResult, SegmentReader};

use super::build::Built;
use super::values::Bounds;

/// Documents with a value in a range.
pub(super) fn between((from, to): Bounds) -> Built {
    Box::new(forward(RangeQuery::new(from, to)))
}

/// The same for one who wraps it.
pub(super) fn forward(range: RangeQuery) -> Between {
    Between(range)
}

/// A range that only goes forward.
#[derive(Debug, Clone)]
pub(super) struct Between(RangeQuery);

impl Query for Between {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(Forward(self.0.weight(scoring)?)))
    }
}

struct Forward(Box<dyn Weight>);

impl Weight for Forward {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let inner = self.0.scorer(reader, boost)?;
        // All and nothing are known to what is made of them.
        if inner.is::<AllScorer>() || inner.is::<EmptyScorer>() {
            return Ok(inner);
        }
        Ok(Box::new(Cursor { inner, is_valid: true }))
    }

    fn explain(&self, reader: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        self.0.explain(reader, document)
    }
}

struct Cursor {
    inner: Box<dyn Scorer>,
    /// Whether it knows which document it is at; if not, it may only be asked for later ones.
    is_valid: bool,
}

impl DocSet for Cursor {
    fn advance(&mut self) -> DocId {
        self.inner.advance()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.inner.seek(target)
    }

    fn seek_danger(&mut self, target: DocId) -> SeekDangerResult {
        let at = if self.is_valid { self.inner.doc() } else { 0 };
        if target < at {
            return SeekDangerResult::SeekLowerBound(at);
        }
        let found = self.inner.seek_danger(target);
        self.is_valid = found == SeekDangerResult::Found;
        found
    }

    fn fill_buffer(&mut self, buffer: &mut [DocId; COLLECT_BLOCK_BUFFER_LEN]) -> usize {
        self.inner.fill_buffer(buffer)
    }

    fn doc(&self) -> DocId {
        self.inner.doc()
    }

    fn size_hint(&self) -> u32 {
        self.inner.size_hint()
    }

    fn cost(&self) -> u64 {
        self.inner.cost()
    }
}

impl Scorer for Cursor {
    fn score(&mut self) -> Score {
        self.inner.score()
    }
}
