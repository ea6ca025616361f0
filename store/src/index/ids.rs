//! Finding documents by their ids among the committed segments.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tantivy::columnar::Column;
use tantivy::index::SegmentId;
use tantivy::query::{
    BitSetDocSet, ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight,
};
use tantivy::schema::{Field, TantivyDocument, Value};
use tantivy::{BitSet, DocAddress, DocId, Score, Searcher, SegmentReader};

use super::id_file::{IdFile, Key};
use super::schema::{OwnFields, VERSION};

/// Of documents, unpacked at the same time.
const BLOCKS: usize = 1;

/// Which document has which id, of each segment.
#[derive(Debug, Clone, Default)]
pub(super) struct Segments(HashMap<SegmentId, IdFile>);

impl Segments {
    /// Learns of new segments, and forgets those that are gone.
    pub(super) fn follow(&mut self, searcher: &Searcher) -> tantivy::Result<()> {
        let mut known = std::mem::take(&mut self.0);
        for segment in searcher.segment_readers() {
            let name = segment.segment_id();
            let file = match known.remove(&name) {
                Some(file) => file,
                None => IdFile::open(segment)?,
            };
            self.0.insert(name, file);
        }
        Ok(())
    }

    /// How often the document with an id was written; 0 if there is none.
    pub(super) fn version(
        &self,
        searcher: &Searcher,
        own: OwnFields,
        id: &str,
    ) -> tantivy::Result<i64> {
        let Some(address) = self.find(searcher, own, id)? else { return Ok(0) };
        let columns = searcher.segment_reader(address.segment_ord).fast_fields();
        let column: Option<Column<i64>> = columns.column_opt(VERSION)?;
        Ok(column.and_then(|column| column.first(address.doc_id)).unwrap_or(1))
    }

    /// Where the document with an id is.
    pub(super) fn find(
        &self,
        searcher: &Searcher,
        own: OwnFields,
        id: &str,
    ) -> tantivy::Result<Option<DocAddress>> {
        let key = Key::of(id);
        for (number, segment) in (0u32..).zip(searcher.segment_readers()) {
            let Some(file) = self.0.get(&segment.segment_id()) else { continue };
            for document in file.documents(key) {
                let address = DocAddress::new(number, document);
                if !segment.is_deleted(document)
                    && id_of(&searcher.doc(address)?, own.id) == Some(id)
                {
                    return Ok(Some(address));
                }
            }
        }
        Ok(None)
    }
}

fn id_of(document: &TantivyDocument, field: Field) -> Option<&str> {
    document.get_first(field).and_then(|id| id.as_str())
}

/// Documents with one of these ids.
#[derive(Debug, Clone)]
pub(super) struct WithIds {
    /// Where ids are.
    pub own: OwnFields,
    /// The ids.
    pub ids: Arc<HashSet<String>>,
}

impl Query for WithIds {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for WithIds {
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let file = IdFile::open(segment)?;
        let mut found: Vec<DocId> = Vec::new();
        for id in &*self.ids {
            found.extend(file.documents(Key::of(id)));
        }
        found.sort_unstable();
        found.dedup();
        let store = segment.get_store_reader(BLOCKS)?;
        let mut has_one = BitSet::with_max_value(segment.max_doc());
        for document in found {
            let stored: TantivyDocument = store.get(document)?;
            if id_of(&stored, self.own.id).is_some_and(|id| self.ids.contains(id)) {
                has_one.insert(document);
            }
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(has_one), boost)))
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("one of the ids", 1.0))
    }
}
