//! What scores are computed from: as in Lucene, of the documents that have the field, not of all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tantivy::Searcher;
use tantivy::query::{Bm25StatisticsProvider, EnableScoring, Query, TermQuery, Weight};
use tantivy::schema::{Field, Schema, Term};

/// BM25's saturation, and how much lengths count, as in Elasticsearch.
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// How many documents have which field, for as long as a query is built and run.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<Mutex<HashMap<Field, u64>>>);

impl Known {
    /// The statistics of a field.
    pub(super) fn of(&self, searcher: &Searcher, field: Field) -> tantivy::Result<Statistics> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let documents = match known.get(&field) {
            Some(documents) => *documents,
            None => *known.entry(field).or_insert(having(searcher, field)?),
        };
        Ok(Statistics { searcher: searcher.clone(), documents })
    }
}

/// How many documents have words in a field.
fn having(searcher: &Searcher, field: Field) -> tantivy::Result<u64> {
    let mut documents = 0;
    // Of texts that were mapped later nobody knows how long they are in which document.
    if !has_lengths(searcher.schema(), field) {
        return Ok(searcher.segment_readers().iter().map(|one| u64::from(one.max_doc())).sum());
    }
    for segment in searcher.segment_readers() {
        let lengths = segment.get_fieldnorms_reader(field)?;
        let of_segment = 0..segment.max_doc();
        documents += of_segment.filter(|one| lengths.fieldnorm_id(*one) > 0).count() as u64;
    }
    Ok(documents)
}

/// Whether it is known how long a field is in each document.
pub(super) fn has_lengths(schema: &Schema, field: Field) -> bool {
    schema.get_field_entry(field).has_fieldnorms()
}

/// The statistics of a field.
pub(super) struct Statistics {
    searcher: Searcher,
    documents: u64,
}

impl Bm25StatisticsProvider for Statistics {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.searcher.total_num_tokens(field)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.documents)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        Bm25StatisticsProvider::doc_freq(&self.searcher, term)
    }
}

#[expect(clippy::cast_precision_loss, reason = "scores are not precise")]
impl Statistics {
    /// How much a term says.
    pub(super) fn rarity(&self, term: &Term) -> tantivy::Result<f32> {
        Ok(rarity(self.documents as f32, self.doc_freq(term)? as f32))
    }

    /// How long the field is, on average.
    pub(super) fn length(&self, field: Field) -> tantivy::Result<f32> {
        Ok(self.total_num_tokens(field)? as f32 / self.documents.max(1) as f32)
    }
}

/// How much it says that a document has what `matching` of `documents` have.
pub(super) fn rarity(documents: f32, matching: f32) -> f32 {
    ((documents - matching + 0.5) / (matching + 0.5)).max(0.0).ln_1p()
}

/// How much of the rarity counts of what is in a field of a length so often.
pub(super) fn weight(often: f32, length: f32, average: f32) -> f32 {
    let scale = K1 * (1.0 - B + B * length / average.max(f32::MIN_POSITIVE));
    (K1 + 1.0) * often / (often + scale)
}

/// Documents with a word, scored by the statistics of its field.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    pub term: TermQuery,
    pub known: Known,
}

impl Query for Scored {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let EnableScoring::Enabled { searcher, .. } = scoring else {
            return self.term.weight(scoring);
        };
        let statistics = self.known.of(searcher, self.term.term().field())?;
        self.term.weight(EnableScoring::enabled_from_statistics_provider(&statistics, searcher))
    }
}
