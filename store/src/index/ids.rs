//! Finding an id among the committed segments. Ids begin with the time of their lines, so most
//! segments are ruled out by their first and last keys.

use std::collections::HashMap;

use tantivy::index::SegmentId;
use tantivy::schema::{Field, IndexRecordOption, TantivyDocument, Value};
use tantivy::{DocAddress, DocSet, Searcher, SegmentReader, TERMINATED, Term};
use xxhash_rust::xxh3::xxh3_64;

use super::schema::OwnFields;

/// What a document is found by: the first bytes of its id, and a hash of it. Whole ids would be as
/// good, but a dictionary of what is random costs for each byte of it: three times as much.
pub type Key = [u8; PREFIX + HASH];

const PREFIX: usize = 5;
const HASH: usize = 6;

/// The key of an id. Two ids may have the same one.
pub fn key(id: &str) -> Key {
    let mut key = [0; PREFIX + HASH];
    let prefix = id.bytes().chain(std::iter::repeat(0)).take(PREFIX);
    let bytes = prefix.chain(xxh3_64(id.as_bytes()).to_be_bytes());
    for (place, byte) in key.iter_mut().zip(bytes) {
        *place = byte;
    }
    key
}

/// The first and last key of each segment.
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
        (own, version_field): (OwnFields, &str),
        id: &str,
    ) -> tantivy::Result<i64> {
        let Some(address) = self.find(searcher, own, id)? else { return Ok(0) };
        let column =
            searcher.segment_reader(address.segment_ord).fast_fields().i64(version_field)?;
        Ok(column.first(address.doc_id).unwrap_or(1))
    }

    /// Where the document with an id is.
    pub(super) fn find(
        &self,
        searcher: &Searcher,
        own: OwnFields,
        id: &str,
    ) -> tantivy::Result<Option<DocAddress>> {
        let key = key(id);
        let term = Term::from_field_bytes(own.key, &key);
        for (number, segment) in (0u32..).zip(searcher.segment_readers()) {
            let may_have = self.0.get(&segment.segment_id()).is_none_or(|(first, last)| {
                first.as_slice() <= key.as_slice() && key.as_slice() <= last.as_slice()
            });
            if !may_have {
                continue;
            }
            let inverted = segment.inverted_index(own.key)?;
            let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)?
            else {
                continue;
            };
            let mut document = postings.doc();
            while document != TERMINATED {
                let address = DocAddress::new(number, document);
                if !segment.is_deleted(document) && has_id(searcher, address, own.id, id)? {
                    return Ok(Some(address));
                }
                document = postings.advance();
            }
        }
        Ok(None)
    }
}

/// Whether it is this id, and not only its key.
fn has_id(searcher: &Searcher, at: DocAddress, field: Field, id: &str) -> tantivy::Result<bool> {
    let document: TantivyDocument = searcher.doc(at)?;
    Ok(document.get_first(field).is_some_and(|found| found.as_str() == Some(id)))
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
