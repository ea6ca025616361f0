//! What aggregations may be asked of a field: what would be answered otherwise than by Elasticsearch is
//! refused, by name.

use serde_json::Value;
use tantivy::columnar::{Cardinality, ColumnType, MonotonicallyMappableToU64};

use super::lists::Lists;
use super::plan::Planner;
use super::{Figure, Histogram, Target, Terms, What};
use crate::error::ApiError;
use crate::index::Place;
use crate::mapping::{FieldKind, Precision};
use crate::query::{Dates, Rounding, illegal, shard_failure};

/// Buckets further from zero, counted in intervals, have no exact keys.
const FURTHEST_BUCKET: f64 = 9_007_199_254_740_992.0;
/// Percentiles are kept in buckets that grow by 2 %, of which there are 2,048: larger values would take the
/// place of the smallest.
const LARGEST_OF_PERCENTILES: f64 = 1e15;

/// Percentiles over so many documents are exact, and estimated over more.
const FEW: u64 = 5_000;

/// So many words, counted in each segment for itself, are told one by one by `cardinality`.
const FEW_WORDS: usize = 10_000;

/// What an aggregation is not there for.
fn not_here(aggregation: &str, what: &str, field: &str) -> ApiError {
    illegal(format!("[{aggregation}] {what} is not supported here for the field [{field}]"))
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Planner<'_> {
    /// What a field is, in all indices that are searched and have it.
    ///
    /// # Errors
    /// When it is not the same in all of them.
    fn shared(&self, field: &str, aggregation: &str) -> Result<Option<Place>, ApiError> {
        let mut found: Option<Place> = None;
        for (index, _) in self.everything {
            let Some(place) = index.place(field) else { continue };
            let is_other = |first: &Place| {
                let both = [&first.kind, &place.kind];
                let are_keywords = both.iter().all(|it| matches!(it, FieldKind::Keyword { .. }));
                let is_finer =
                    (first.precision == Precision::Full) != (place.precision == Precision::Full);
                (first.kind != place.kind && !are_keywords)
                    || (first.kind == FieldKind::Date && is_finer)
            };
            if found.as_ref().is_some_and(is_other) {
                return Err(not_here(
                    aggregation,
                    "over indices that map it as different types",
                    field,
                ));
            }
            found = found.or(Some(place));
        }
        Ok(found)
    }

    /// Checks `terms`; what stands for documents without a value, as a value of the field.
    pub(super) fn terms_fit(&self, terms: &Terms, depth: usize) -> Result<Option<Value>, ApiError> {
        let refused = |what: &str| not_here("terms", what, &terms.field);
        let place = self.shared(&terms.field, "terms")?;
        let kind = place.as_ref().map(|place| &place.kind);
        let is_keyword = matches!(kind, None | Some(FieldKind::Keyword { .. }));
        let moment = |dates: &Dates, text: &str| {
            let read = self.queries.moment(dates, text, Rounding::Down);
            read.ok().map(jiff::Timestamp::as_millisecond)
        };
        Lists::read(terms, kind, &moment)?;
        if (!is_keyword || depth > 0) && terms.min_doc_count == 0 {
            return Err(refused("with [min_doc_count] 0, of other than keywords or below others,"));
        }
        let is_rarest_first = terms.order == Target::Count && !terms.is_descending;
        if is_rarest_first && terms.min_doc_count > 1 {
            return Err(refused("with a [min_doc_count] and the rarest first"));
        }
        // Elasticsearch looks at the first keys of each index, and leaves those out that are too few in all.
        if terms.order == Target::Key && terms.min_doc_count > 1 && self.everything.len() > 1 {
            return Err(refused(
                "with a [min_doc_count] and in the order of keys, of several indices,",
            ));
        }
        if has_nanoseconds(place.as_ref()) {
            return Err(refused("of nanoseconds"));
        }
        let Some(missing) = &terms.missing else { return Ok(None) };
        if !is_keyword && self.index.place(&terms.field).is_none() {
            // As in Elasticsearch, what does not have the field at all lacks nothing.
            return Ok(None);
        }
        let no_number = || {
            let reason = format!("For input string: \"{}\"", text(missing));
            shard_failure("number_format_exception", reason)
        };
        match kind {
            None | Some(FieldKind::Keyword { .. }) => Ok(Some(Value::String(text(missing)))),
            Some(FieldKind::Long) if missing.is_f64() => Err(refused("a fraction for [missing]")),
            Some(FieldKind::Long) => {
                let number: i64 = text(missing).parse().map_err(|_| no_number())?;
                Ok(Some(Value::from(number)))
            }
            Some(FieldKind::Double) => {
                let number: f64 = text(missing).parse().map_err(|_| no_number())?;
                Ok(Some(Value::from(number)))
            }
            Some(_) => Err(refused("[missing]")),
        }
    }

    /// Checks a figure.
    pub(super) fn figure_fits(&self, figure: &Figure) -> Result<(), ApiError> {
        let name = figure.what.name();
        let refused = |what: &str| not_here(name, what, &figure.field);
        let place = self.shared(&figure.field, name)?;
        let is_counted = matches!(figure.what, What::Count | What::Cardinality);
        match place.as_ref().map(|place| &place.kind) {
            Some(FieldKind::Boolean) if !is_counted => return Err(refused("of booleans")),
            Some(FieldKind::Date)
                if figure.what == What::Percentiles && !self.has_few(&figure.field) =>
            {
                return Err(refused("of dates in so many documents"));
            }
            Some(FieldKind::Long)
                if figure.missing.is_some_and(|missing| missing.fract() != 0.0)
                    && figure.what == What::Percentiles =>
            {
                return Err(refused("a fraction for [missing]"));
            }
            Some(FieldKind::Long | FieldKind::Double) => {}
            _ if figure.missing.is_some() => return Err(refused("[missing]")),
            _ => {}
        }
        if figure.missing.is_some() && self.index.place(&figure.field).is_none() {
            return Err(refused("[missing], where an index does not map it,"));
        }
        if figure.what == What::Cardinality && has_nanoseconds(place.as_ref()) {
            return Err(refused("of nanoseconds"));
        }
        if figure.what != What::Percentiles {
            return Ok(());
        }
        if self.has_several(&figure.field) {
            return Err(refused("of several values in a document"));
        }
        if !self.has_few(&figure.field) && self.furthest(&figure.field) > LARGEST_OF_PERCENTILES {
            return Err(refused("of values so far apart, beyond 1e15,"));
        }
        Ok(())
    }

    /// Whether there are so few documents that every value may be looked at for itself.
    pub(super) fn has_few(&self, field: &str) -> bool {
        let having = self.everything.iter().filter(|(index, _)| index.place(field).is_some());
        having.map(|(_, searcher)| searcher.num_docs()).sum::<u64>() <= FEW
    }

    /// Whether a field has so few different words that they are counted one by one.
    pub(super) fn has_few_words(&self, field: &str) -> bool {
        let known = self.few_words.borrow().get(field).copied();
        known.unwrap_or_else(|| {
            let has_few = self.count_few_words(field);
            self.few_words.borrow_mut().insert(field.to_owned(), has_few);
            has_few
        })
    }

    fn count_few_words(&self, field: &str) -> bool {
        let mut words = 0;
        for (index, searcher) in self.everything {
            let Some(place) = index.place(field) else { continue };
            if !matches!(place.kind, FieldKind::Keyword { .. }) {
                return false;
            }
            for segment in searcher.segment_readers() {
                let column = segment.fast_fields().str(&place.column);
                words += column.ok().flatten().map_or(0, |column| column.num_terms());
            }
        }
        words <= FEW_WORDS
    }

    /// Whether documents have several values of a field.
    fn has_several(&self, field: &str) -> bool {
        let mut segments = self.everything.iter().filter_map(|(index, searcher)| {
            Some((index.place(field)?.column, searcher.segment_readers()))
        });
        segments.any(|(name, segments)| {
            segments.iter().any(|segment| {
                let column = segment.fast_fields().u64_lenient(&name);
                column.is_ok_and(|column| {
                    column.is_some_and(|(column, _)| {
                        column.get_cardinality() == Cardinality::Multivalued
                    })
                })
            })
        })
    }

    /// Checks a histogram.
    pub(super) fn histogram_fits(&self, histogram: &Histogram) -> Result<(), ApiError> {
        let refused = |what: &str| not_here("histogram", what, &histogram.field);
        let place = self.shared(&histogram.field, "histogram")?;
        if place.is_some_and(|place| place.kind == FieldKind::Boolean) {
            return Err(refused("of booleans"));
        }
        if self.furthest(&histogram.field) / histogram.interval > FURTHEST_BUCKET {
            return Err(refused("of values so large, measured in intervals,"));
        }
        Ok(())
    }

    /// Checks the field of ranges of numbers.
    pub(super) fn range_fits(&self, field: &str) -> Result<(), ApiError> {
        let place = self.shared(field, "range")?;
        match place.map(|place| place.kind) {
            Some(FieldKind::Boolean) => Err(not_here("range", "of booleans", field)),
            _ => Ok(()),
        }
    }

    /// How far from zero the values of a field of numbers go, in all indices.
    fn furthest(&self, field: &str) -> f64 {
        let mut furthest: f64 = 0.0;
        for (index, searcher) in self.everything {
            let Some(place) = index.place(field) else { continue };
            for segment in searcher.segment_readers() {
                let Ok(Some((column, kind))) = segment.fast_fields().u64_lenient(&place.column)
                else {
                    continue;
                };
                if column.values.num_vals() == 0 {
                    continue;
                }
                for bits in [column.min_value(), column.max_value()] {
                    furthest = furthest.max(number(bits, kind).abs());
                }
            }
        }
        furthest
    }
}

/// What the bits of a column mean.
#[expect(clippy::cast_precision_loss, reason = "only its size matters")]
fn number(bits: u64, kind: ColumnType) -> f64 {
    match kind {
        ColumnType::F64 => f64::from_u64(bits),
        ColumnType::I64 => i64::from_u64(bits) as f64,
        _ => bits as f64,
    }
}

fn has_nanoseconds(place: Option<&Place>) -> bool {
    place.is_some_and(|place| place.kind == FieldKind::Date && place.precision == Precision::Full)
}
