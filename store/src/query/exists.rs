//! Queries that tantivy does not have: any value of a text, one of many numbers, words that fit a
//! pattern.

use std::collections::HashSet;
use std::sync::Arc;

use tantivy::SegmentReader;
use tantivy::columnar::Column;
use tantivy::query::doc_predicate_query::{DocPredicateQuery, FunctionPredicate};
use tantivy::query::{AutomatonWeight, BooleanQuery, EnableScoring, ExistsQuery, Query, Weight};
use tantivy::schema::Field;

use super::build::Built;
use super::pattern::{Maker, Wildcard};
use super::values::string_term;
use crate::attempt::glance;
use crate::index::{Place, blank};
use crate::mapping::FieldKind;

/// Documents that have any value of a field.
pub(super) fn exists(place: &Place) -> Built {
    let any = any_of(place);
    if place.kind != FieldKind::Text {
        return any;
    }
    let blank = Box::new(ExistsQuery::new(blank(place), false));
    Box::new(BooleanQuery::union(vec![any, blank]))
}

/// Documents that have values, or, of a text, words.
fn any_of(place: &Place) -> Built {
    match (&place.kind, &place.json_path) {
        (FieldKind::Text, None) => words(place.field),
        (FieldKind::Text, Some(_)) => {
            let all = Maker::new(string_term(place, "").serialized_value_bytes(), false);
            // A path that is longer than a pattern can be has no texts that a query could name.
            all.prefix("").map_or_else(
                |_| Box::new(tantivy::query::EmptyQuery) as Built,
                |pattern| automatic(place.field, pattern),
            )
        }
        _ => Box::new(ExistsQuery::new(place.column.clone(), false)),
    }
}

/// Documents with words in a field, of which there is no column but a length.
fn words(field: Field) -> Built {
    let predicate = FunctionPredicate::from(move |segment: &SegmentReader| {
        let lengths = segment.get_fieldnorms_reader(field)?;
        Ok(move |document| lengths.fieldnorm_id(document) > 0)
    });
    Box::new(DocPredicateQuery::from(predicate))
}

/// Documents with one of many numbers.
pub(super) fn one_of(column: &str, numbers: HashSet<i64>) -> Built {
    let numbers = Arc::new(numbers);
    let name = column.to_owned();
    let predicate = FunctionPredicate::from(move |segment: &SegmentReader| {
        let numbers = Arc::clone(&numbers);
        let column: Option<Column<i64>> = segment.fast_fields().column_opt(&name)?;
        Ok(move |document| {
            column.as_ref().is_some_and(|column| {
                column.values_for_doc(document).any(|value| numbers.contains(&value))
            })
        })
    });
    Box::new(DocPredicateQuery::from(predicate))
}

/// Documents with one of the booleans that are wanted.
pub(super) fn flags(column: &str, is_wanted: impl Fn(bool) -> bool) -> Built {
    let wanted = [is_wanted(false), is_wanted(true)];
    let name = column.to_owned();
    let predicate = FunctionPredicate::from(move |segment: &SegmentReader| {
        let column: Option<Column<bool>> = segment.fast_fields().column_opt(&name)?;
        Ok(move |document| {
            glance();
            let [has_false, has_true] = wanted;
            column.as_ref().is_some_and(|column| {
                column.values_for_doc(document).any(|flag| if flag { has_true } else { has_false })
            })
        })
    });
    Box::new(DocPredicateQuery::from(predicate))
}

/// Documents with a word that fits a pattern.
pub(super) fn automatic(field: Field, pattern: Wildcard) -> Built {
    Box::new(Automatic { field, pattern: Arc::new(pattern) })
}

#[derive(Debug, Clone)]
struct Automatic {
    field: Field,
    pattern: Arc<Wildcard>,
}

impl Query for Automatic {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(AutomatonWeight::<Wildcard>::new(self.field, Arc::clone(&self.pattern))))
    }
}
