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
use crate::attempt::look;

/// Of documents, unpacked at the same time.
const BLOCKS: usize = 1;

/// What is committed at a time, and which document has which id in each of its segments.
pub(super) struct View {
    searcher: Searcher,
    own: OwnFields,
    files: Vec<(SegmentId, IdFile)>,
}

impl View {
    /// Of what a searcher sees. What is known of segments is taken from the view before.
    pub(super) fn of(
        searcher: Searcher,
        own: OwnFields,
        before: Option<&Self>,
    ) -> tantivy::Result<Self> {
        let known: HashMap<SegmentId, &IdFile> = before
            .iter()
            .flat_map(|view| &view.files)
            .map(|(segment, file)| (*segment, file))
            .collect();
        let mut files = Vec::with_capacity(searcher.segment_readers().len());
        for segment in searcher.segment_readers() {
            let name = segment.segment_id();
            let file = match known.get(&name) {
                Some(file) => IdFile::clone(file),
                None => IdFile::open(segment)?,
            };
            files.push((name, file));
        }
        Ok(Self { searcher, own, files })
    }

    /// How often the document with an id was written; 0 if there is none.
    pub(super) fn version(&self, id: &str) -> tantivy::Result<i64> {
        Ok(self.find(id)?.map(|address| self.version_at(address)).transpose()?.unwrap_or(0))
    }

    fn version_at(&self, address: DocAddress) -> tantivy::Result<i64> {
        let columns = self.searcher.segment_reader(address.segment_ord).fast_fields();
        let column: Option<Column<i64>> = columns.column_opt(VERSION)?;
        Ok(column.and_then(|column| column.first(address.doc_id)).unwrap_or(1))
    }

    /// The document with an id, and how often it was written.
    pub(super) fn get(&self, id: &str) -> tantivy::Result<Option<(TantivyDocument, i64)>> {
        let Some(address) = self.find(id)? else { return Ok(None) };
        Ok(Some((self.searcher.doc(address)?, self.version_at(address)?)))
    }

    fn find(&self, id: &str) -> tantivy::Result<Option<DocAddress>> {
        let key = Key::of(id);
        let segments = self.searcher.segment_readers().iter().zip(&self.files);
        for (number, (segment, (_, file))) in (0u32..).zip(segments) {
            for document in file.documents(key) {
                let address = DocAddress::new(number, document);
                if !segment.is_deleted(document)
                    && id_of(&self.searcher.doc(address)?, self.own.id) == Some(id)
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
            look();
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
