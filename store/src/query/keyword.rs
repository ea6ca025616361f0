//! Queries for keywords, which are columns only: a value is found in the column's dictionary, and
//! the documents that have its number by a look through the column.

use tantivy::columnar::{Cardinality, Column, StrColumn};
use tantivy::query::doc_predicate_query::{DocPredicateQuery, FunctionPredicate};
use tantivy::query::{ConstScoreQuery, EnableScoring, Query, QueryClone, RangeQuery, Weight};
use tantivy::{Searcher, SegmentReader};

use super::between::{Between, forward};
use super::build::{Built, constant};
use super::exists;
use super::pattern::Wildcard;
use super::statistics::{rarity, weight};
use super::values::Bounds;
use crate::attempt::glance;

/// Documents that have a value of a column, scored by how rare it is.
pub(super) fn equal(column: &str, (first, last): Bounds) -> Built {
    Box::new(Equal { column: column.to_owned(), range: forward(RangeQuery::new(first, last)) })
}

#[derive(Debug, Clone)]
struct Equal {
    column: String,
    range: Between,
}

impl Equal {
    /// As Elasticsearch's BM25 scores a field without norms.
    fn score(&self, searcher: &Searcher) -> tantivy::Result<f32> {
        let (mut having, mut values) = (0, 0);
        for segment in searcher.segment_readers() {
            if let Some(column) = segment.fast_fields().str(&self.column)? {
                let (documents, all) = counted(&column, segment);
                having += documents;
                values += all;
            }
        }
        let matching = self.range.count(searcher)?;
        #[expect(clippy::cast_precision_loss, reason = "scores are not precise")]
        let (having, matching, average) =
            (having as f32, matching as f32, values as f32 / having.max(1) as f32);
        // To Lucene a field of keywords is as long as it has different values, and each document is of
        // length 1.
        Ok(rarity(having, matching) * weight(1.0, 1.0, average))
    }
}

/// How many documents of a segment have a value, and how many different ones they have together.
fn counted(column: &StrColumn, segment: &SegmentReader) -> (u64, u64) {
    let all = u64::from(segment.max_doc());
    match column.ords().get_cardinality() {
        Cardinality::Full => (all, all),
        Cardinality::Optional => {
            let having = u64::from(column.ords().values.num_vals());
            (having, having)
        }
        Cardinality::Multivalued => {
            let mut of_one = Vec::new();
            let counts = (0..segment.max_doc()).map(|document| {
                of_one.clear();
                of_one.extend(column.term_ords(document));
                of_one.sort_unstable();
                of_one.dedup();
                of_one.len() as u64
            });
            counts
                .filter(|count| *count > 0)
                .fold((0, 0), |(having, values), count| (having + 1, values + count))
        }
    }
}

impl Query for Equal {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        match scoring {
            EnableScoring::Enabled { searcher, .. } => {
                let score = self.score(searcher)?;
                ConstScoreQuery::new(self.range.box_clone(), score).weight(scoring)
            }
            EnableScoring::Disabled { .. } => self.range.weight(scoring),
        }
    }
}

/// Documents that have a boolean, scored by how rare it is.
pub(super) fn flag(column: &str, wanted: bool) -> Built {
    Box::new(Flag { column: column.to_owned(), wanted })
}

#[derive(Debug, Clone)]
struct Flag {
    column: String,
    wanted: bool,
}

impl Flag {
    fn score(&self, searcher: &Searcher) -> tantivy::Result<f32> {
        let (mut having, mut values, mut matching) = (0_u64, 0_u64, 0_u64);
        for segment in searcher.segment_readers() {
            let column: Option<Column<bool>> = segment.fast_fields().column_opt(&self.column)?;
            let Some(column) = column else { continue };
            for document in 0..segment.max_doc() {
                let [mut has_wanted, mut has_other] = [false; 2];
                for flag in column.values_for_doc(document) {
                    has_wanted |= flag == self.wanted;
                    has_other |= flag != self.wanted;
                }
                having += u64::from(has_wanted || has_other);
                values += u64::from(has_wanted) + u64::from(has_other);
                matching += u64::from(has_wanted);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "scores are not precise")]
        let (having, matching, average) =
            (having as f32, matching as f32, values as f32 / having.max(1) as f32);
        Ok(rarity(having, matching) * weight(1.0, 1.0, average))
    }
}

impl Query for Flag {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let found = exists::flags(&self.column, |flag| flag == self.wanted);
        match scoring {
            EnableScoring::Enabled { searcher, .. } => {
                ConstScoreQuery::new(found, self.score(searcher)?).weight(scoring)
            }
            EnableScoring::Disabled { .. } => found.weight(scoring),
        }
    }
}

/// Documents that have one of many values of a column.
pub(super) fn one_of(column: &str, values: Vec<String>) -> Built {
    chosen(column, move |column| {
        let mut is_wanted = vec![false; column.num_terms()];
        for value in &values {
            glance();
            if let Some(place) = column.dictionary().term_ord(value)? {
                mark(&mut is_wanted, place);
            }
        }
        Ok(is_wanted)
    })
}

/// Documents with a value of a column that fits a pattern.
pub(super) fn fitting(column: &str, pattern: Wildcard) -> Built {
    chosen(column, move |column| {
        let mut is_wanted = vec![false; column.num_terms()];
        let mut found = column.dictionary().search(&pattern).into_stream()?;
        while found.advance() {
            mark(&mut is_wanted, found.term_ord());
        }
        Ok(is_wanted)
    })
}

fn mark(is_wanted: &mut [bool], place: u64) {
    let place = usize::try_from(place).ok();
    if let Some(flag) = place.and_then(|place| is_wanted.get_mut(place)) {
        *flag = true;
    }
}

/// Documents that have one of those values whose places in the dictionary `choose` marks.
fn chosen(
    column: &str,
    choose: impl Fn(&StrColumn) -> tantivy::Result<Vec<bool>> + Send + Sync + 'static,
) -> Built {
    let name = column.to_owned();
    let predicate = FunctionPredicate::from(move |segment: &SegmentReader| {
        let column = segment.fast_fields().str(&name)?;
        let is_wanted = column.as_ref().map(&choose).transpose()?.unwrap_or_default();
        Ok(move |document| {
            glance();
            column.as_ref().is_some_and(|column| {
                column.term_ords(document).any(|place| {
                    usize::try_from(place).is_ok_and(|place| is_wanted.get(place) == Some(&true))
                })
            })
        })
    });
    constant(Box::new(DocPredicateQuery::from(predicate)), 1.0)
}
