//! The batch that is being filled: documents from many files, until it is full or old enough.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use omphalos_common::event::DocumentId;
use omphalos_transport::batch::{Batch, Chunk};
use omphalos_transport::wire::MAX_DOCUMENTS;

use crate::monitor::position::clock::LineSource;
use crate::monitor::read::tail::TailId;

/// A batch is full with so many documents: those of the line that fills it have room behind them.
const MOST_DOCUMENTS: usize = MAX_DOCUMENTS / 10 * 9;

/// Whose a chunk is: which of its file it is, to be told when it is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The content that it was read from.
    pub tail: TailId,
    /// Its number in that.
    pub chunk: u64,
}

/// A batch, and which chunk of which file each of its parts is.
#[derive(Debug)]
pub struct OpenBatch {
    batch: Batch,
    /// Whom to tell when the batch is confirmed.
    owners: Vec<Owner>,
    dataset: Arc<str>,
    /// How many documents are in the chunks that are ended.
    documents: usize,
    opened: Instant,
    ids: Vec<DocumentId>,
    days: Vec<i32>,
    starts: Vec<u64>,
    /// How many of them have no time of their own.
    untimed: usize,
    /// The same for each chunk.
    untimed_of_chunks: Vec<usize>,
    /// The checkpoint of this number must be on disk before the batch leaves.
    needs_save: u64,
}

/// A batch on its way to the transport.
#[derive(Debug)]
pub struct ClosedBatch {
    /// The documents.
    pub batch: Batch,
    /// Whom to tell when they are confirmed.
    pub owners: Vec<Owner>,
    /// How many documents at the beginning of each chunk have an id that is made of a random source,
    /// because no line up to them has a time.
    pub untimed: Vec<usize>,
    /// The checkpoint that must be on disk before.
    pub needs_save: u64,
}

impl OpenBatch {
    /// An empty batch for `dataset`, which fills `body`.
    pub fn new(dataset: Arc<str>, mut body: Vec<u8>) -> Self {
        body.clear();
        Self {
            batch: Batch { body, chunks: Vec::new() },
            owners: Vec::new(),
            dataset,
            documents: 0,
            opened: Instant::now(),
            ids: Vec::new(),
            days: Vec::new(),
            starts: Vec::new(),
            untimed: 0,
            untimed_of_chunks: Vec::new(),
            needs_save: 0,
        }
    }

    /// The buffer that documents are appended to.
    pub fn body(&mut self) -> &mut Vec<u8> {
        &mut self.batch.body
    }

    /// Notes a document that was appended, whose line begins at byte `start` of its source.
    pub fn add(&mut self, id: DocumentId, day: i32, start: u64) {
        self.ids.push(id);
        self.days.push(day);
        self.starts.push(start);
    }

    /// Notes that the document which was added last has a random source.
    pub fn note_untimed(&mut self) {
        self.untimed += 1;
    }

    /// How many documents were added since the last chunk.
    pub fn added(&self) -> usize {
        self.ids.len()
    }

    /// Makes a chunk of the documents added since the last one.
    pub fn end_chunk(
        &mut self,
        owner: Owner,
        origin: LineSource,
        path: &Arc<str>,
        range: Range<u64>,
    ) {
        self.owners.push(owner);
        self.documents += self.ids.len();
        self.untimed_of_chunks.push(std::mem::take(&mut self.untimed));
        self.batch.chunks.push(Chunk {
            source: Arc::from(origin.source.to_string()),
            id_version: Some(origin.id_version),
            path: Arc::clone(path),
            dataset: Arc::clone(&self.dataset),
            start: range.start,
            end: range.end,
            ids: std::mem::take(&mut self.ids),
            days: std::mem::take(&mut self.days),
            starts: std::mem::take(&mut self.starts),
        });
    }

    /// The batch must not leave before this checkpoint is on disk.
    pub fn require_save(&mut self, number: u64) {
        self.needs_save = self.needs_save.max(number);
    }

    /// Whether it has `limit` bytes, or as many documents as a message may have.
    pub fn is_full(&self, limit: usize) -> bool {
        self.batch.body.len() >= limit || self.documents + self.ids.len() >= MOST_DOCUMENTS
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// When it was begun.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// Ends the batch.
    pub fn close(self) -> ClosedBatch {
        ClosedBatch {
            batch: self.batch,
            owners: self.owners,
            untimed: self.untimed_of_chunks,
            needs_save: self.needs_save,
        }
    }
}

#[cfg(test)]
mod tests {
    use omphalos_common::event::SourceId;

    use super::*;

    #[test]
    fn a_batch_is_full_before_it_has_more_documents_than_a_message_may_have() {
        let mut batch = OpenBatch::new(Arc::from("d"), Vec::new());
        let mut chunk = 0;
        while !batch.is_full(usize::MAX) {
            for _ in 0..1000 {
                batch.add(DocumentId::from_bytes([0; 16]), 0, 0);
            }
            let origin = LineSource { source: SourceId::from_random(1), id_version: 2 };
            let owner = Owner { tail: TailId::default(), chunk };
            batch.end_chunk(owner, origin, &Arc::from("/x"), 0..1);
            chunk += 1;
        }
        assert_eq!(batch.close().batch.documents(), MOST_DOCUMENTS);
    }
}
