//! Finding an id among the committed segments. Ids begin with the time of their lines, so most
//! segments are ruled out by their first and last ids.

use std::collections::HashMap;

use tantivy::index::SegmentId;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, DocSet, Searcher, SegmentReader, TERMINATED, Term};

/// The first and last id of each segment.
#[derive(Debug, Clone, Default)]
pub(super) struct Segments(HashMap<SegmentId, (Vec<u8>, Vec<u8>)>);

impl Segments {
    /// Learns of new segments, and forgets those that are gone.
    pub(super) fn follow(&mut self, searcher: &Searcher, id: Field) -> tantivy::Result<()> {
        let mut known = std::mem::take(&mut self.0);
        for segment in searcher.segment_readers() {
            let key = segment.segment_id();
            let ends = match known.remove(&key) {
                Some(ends) => ends,
                None => ends(segment, id)?,
            };
            self.0.insert(key, ends);
        }
        Ok(())
    }

    /// How often the document with an id was written; 0 if there is none.
    pub(super) fn version(
        &self,
        searcher: &Searcher,
        (id_field, version_field): (Field, &str),
        id: &str,
    ) -> tantivy::Result<i64> {
        let Some(address) = self.find(searcher, id_field, id)? else { return Ok(0) };
        let column =
            searcher.segment_reader(address.segment_ord).fast_fields().i64(version_field)?;
        Ok(column.first(address.doc_id).unwrap_or(1))
    }

    /// Where the document with an id is.
    pub(super) fn find(
        &self,
        searcher: &Searcher,
        field: Field,
        id: &str,
    ) -> tantivy::Result<Option<DocAddress>> {
        let term = Term::from_field_text(field, id);
        for (number, segment) in (0u32..).zip(searcher.segment_readers()) {
            let may_have = self.0.get(&segment.segment_id()).is_none_or(|(first, last)| {
                first.as_slice() <= id.as_bytes() && id.as_bytes() <= last.as_slice()
            });
            if !may_have {
                continue;
            }
            let inverted = segment.inverted_index(field)?;
            let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)?
            else {
                continue;
            };
            let mut document = postings.doc();
            while document != TERMINATED {
                if !segment.is_deleted(document) {
                    return Ok(Some(DocAddress::new(number, document)));
                }
                document = postings.advance();
            }
        }
        Ok(None)
    }
}

fn ends(segment: &SegmentReader, id: Field) -> tantivy::Result<(Vec<u8>, Vec<u8>)> {
    let inverted = segment.inverted_index(id)?;
    let terms = inverted.terms();
    let (mut first, mut last) = (Vec::new(), Vec::new());
    if let Some(highest) = terms.num_terms().checked_sub(1) {
        let highest = u64::try_from(highest).unwrap_or(u64::MAX);
        terms.ord_to_term(0, &mut first)?;
        terms.ord_to_term(highest, &mut last)?;
    }
    Ok((first, last))
}
