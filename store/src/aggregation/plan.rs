//! From [`Aggregations`] to tantivy's, for one index.
//!
//! Names in requests may be anything; tantivy gets numbers for names. Months and years, which
//! tantivy does not know, become ranges between their beginnings.

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tantivy::Searcher;
use tantivy::aggregation::AggregationLimitsGuard;
use tantivy::aggregation::agg_req::{
    Aggregation as TantivyAggregation, AggregationVariants, Aggregations as TantivyAggregations,
};
use tantivy::aggregation::bucket::FilterAggregation;

use super::filter::Made;
use super::interval::{Interval, boundaries};
use super::{
    Aggregation, Aggregations, DateHistogram, Figure, Histogram, Kind, Ranges, Target, Terms, What,
};
use crate::error::ApiError;
use crate::index::{Index, Place};
use crate::mapping::{FieldKind, MappedField};
use crate::query::{Builder, Query, Rounding, illegal, shard_failure};

/// Of all aggregations of a search, in bytes.
const MOST_MEMORY: u64 = 64 * 1024 * 1024;
/// As `search.max_buckets`.
pub(super) const MOST_BUCKETS: u32 = 65_536;
/// Buckets of `terms` that are counted in full before equal counts are put in order.
const COUNTED: u32 = 1_000;
/// Buckets of one search, before those are left out that are not shown.
const MOST_COMPUTED: u32 = 8 * MOST_BUCKETS;
const NANOSECONDS: f64 = 1e6;

/// What the aggregations of one search may cost.
pub fn limits() -> AggregationLimitsGuard {
    // More are computed than shown: what is shown is counted where it is printed.
    AggregationLimitsGuard::new(Some(MOST_MEMORY), Some(MOST_COMPUTED))
}

/// Makes tantivy's aggregations for one index.
pub struct Planner<'a> {
    /// The index.
    pub index: &'a Index,
    /// Makes the queries of filters.
    pub queries: &'a Builder<'a>,
    /// All that is searched, for the first and the last date of all.
    pub everything: &'a [(std::sync::Arc<Index>, Searcher)],
    /// Whether buckets of `terms` are counted in full, however many there are.
    pub is_exact: bool,
    /// Of which fields it is known whether they have few words: to know it, all segments are opened.
    pub few_words: &'a RefCell<HashMap<String, bool>>,
}

/// Where aggregations stand.
#[derive(Clone, Copy, Default)]
struct Within<'a> {
    /// Below so many others.
    depth: usize,
    /// Below buckets, of which there may be many.
    is_of_many: bool,
    /// The name of the one that the buckets above are sorted by.
    order: Option<&'a str>,
}

impl Planner<'_> {
    /// The aggregations.
    ///
    /// # Errors
    /// What does not fit the index's fields.
    pub fn plan(&self, aggregations: &Aggregations) -> Result<TantivyAggregations, ApiError> {
        self.level(aggregations, Within::default())
    }

    fn level(
        &self,
        aggregations: &Aggregations,
        within: Within<'_>,
    ) -> Result<TantivyAggregations, ApiError> {
        let mut planned = TantivyAggregations::default();
        for (number, one) in aggregations.0.iter().enumerate() {
            let is_one = matches!(one.kind, Kind::Filter(_) | Kind::Filters(_) | Kind::Missing(_));
            let order = match &one.kind {
                Kind::Terms(Terms { order: Target::Below(name, _), .. }) => Some(name.as_str()),
                _ => None,
            };
            let is_of_many = within.is_of_many || !is_one;
            let depth = within.depth + 1;
            let below = self.level(&one.below, Within { depth, is_of_many, order })?;
            let name = number.to_string();
            match &one.kind {
                Kind::Filter(query) => {
                    planned.insert(name, self.filter(query, below)?);
                }
                Kind::Filters(queries) => {
                    for (part, (_, query)) in queries.iter().enumerate() {
                        let filter = self.filter(query, below.clone())?;
                        planned.insert(format!("{name}_{part}"), filter);
                    }
                }
                Kind::Missing(field) => {
                    self.column(field, "missing", |_| true)?;
                    let missing = crate::query::missing(field);
                    planned.insert(name, self.filter(&missing, below)?);
                }
                _ => {
                    let agg = self.variant(one, within)?;
                    planned.insert(name, TantivyAggregation { agg, sub_aggregation: below });
                }
            }
        }
        Ok(planned)
    }

    fn filter(
        &self,
        query: &Query,
        below: TantivyAggregations,
    ) -> Result<TantivyAggregation, ApiError> {
        let made = Made::boxed(self.queries.build(query)?);
        let agg = AggregationVariants::Filter(FilterAggregation::new_with_builder(made));
        Ok(TantivyAggregation { agg, sub_aggregation: below })
    }

    fn variant(
        &self,
        one: &Aggregation,
        within: Within<'_>,
    ) -> Result<AggregationVariants, ApiError> {
        let request = match &one.kind {
            Kind::Terms(terms) => self.terms(terms, one, within)?,
            Kind::DateHistogram(histogram) => self.date_histogram(histogram)?,
            Kind::Histogram(histogram) => self.histogram(histogram)?,
            Kind::Range(ranges) => self.ranges(ranges)?,
            Kind::Figure(figure) => self.figure(figure, within.order == Some(one.name.as_str()))?,
            Kind::Filter(_) | Kind::Filters(_) | Kind::Missing(_) => Value::Null,
        };
        serde_json::from_value(request).map_err(|error| illegal(error.to_string()))
    }

    /// The column of a field, which has to be of certain kinds; where it is not mapped, the name
    /// of none.
    fn column(
        &self,
        field: &str,
        aggregation: &str,
        fits: fn(&FieldKind) -> bool,
    ) -> Result<(String, Option<FieldKind>), ApiError> {
        let Some(Place { kind, column, .. }) = self.index.place(field) else {
            return Ok((field.to_owned(), None));
        };
        match kind {
            FieldKind::Text => Err(no_columns(field, self.index.name())),
            kind if fits(&kind) => Ok((column, Some(kind))),
            _ => Err(shard_failure(
                "illegal_argument_exception",
                format!(
                    "Field [{field}] of type [{}] is not supported for aggregation [{aggregation}]",
                    self.index.mapping().field(field).map_or("object", MappedField::declared_type)
                ),
            )),
        }
    }

    fn terms(
        &self,
        terms: &Terms,
        one: &Aggregation,
        within: Within<'_>,
    ) -> Result<Value, ApiError> {
        let any = |kind: &FieldKind| *kind != FieldKind::Unsearchable;
        let (column, kind) = self.column(&terms.field, "terms", any)?;
        let missing = self.terms_fit(terms, within.depth)?;
        let is_keyword = matches!(kind, None | Some(FieldKind::Keyword { .. }));
        let is_listed = !is_keyword && (terms.include.is_some() || terms.exclude.is_some());
        let (order, is_own) = sorting(terms, one)?;
        let (size, of_segment) = if is_own || is_listed {
            (MOST_BUCKETS, MOST_BUCKETS)
        } else {
            self.kept(terms, within.is_of_many)
        };
        let direction = if terms.is_descending { "desc" } else { "asc" };
        let mut request = json!({
            "field": column, "size": size, "segment_size": of_segment,
            "min_doc_count": terms.min_doc_count.min(1), "order": { order: direction },
            "show_term_doc_count_error": true
        });
        // Of other fields they are left out where all is known: see `Printer`.
        let has_any = kind.is_some() || missing.is_some();
        let list = |given: &Option<Value>| given.clone().filter(|_| is_keyword && has_any);
        let (include, exclude) = (list(&terms.include), list(&terms.exclude));
        let optional = [("missing", missing), ("include", include), ("exclude", exclude)];
        add(&mut request, optional);
        Ok(json!({ "terms": request }))
    }

    /// How many buckets of `terms` are kept of all, and of each segment.
    fn kept(&self, terms: &Terms, is_of_many: bool) -> (u32, u32) {
        let most = |more: u32| terms.size.saturating_add(more).min(MOST_BUCKETS);
        if let Some(given) = terms.counted {
            let kept = given.max(most(0)).min(MOST_BUCKETS);
            return (kept, kept);
        }
        // What is first, or rare, in one segment says little about what is in all.
        let is_frequent_first = terms.order == Target::Count && terms.is_descending;
        // And what stands for documents without a value is no key of a segment.
        let has_own_place = terms.order == Target::Key && terms.missing.is_none();
        let needs_all = !is_frequent_first && !has_own_place;
        if is_of_many {
            let counted = most(if needs_all { COUNTED } else { terms.size / 2 + 10 });
            return (counted, if needs_all { MOST_BUCKETS } else { most(COUNTED) });
        }
        if needs_all || self.is_exact {
            (MOST_BUCKETS, MOST_BUCKETS)
        } else {
            (most(COUNTED), most(COUNTED))
        }
    }

    fn date_histogram(&self, histogram: &DateHistogram) -> Result<Value, ApiError> {
        let is_date = |kind: &FieldKind| *kind == FieldKind::Date;
        let (column, _) = self.column(&histogram.field, "date_histogram", is_date)?;
        self.bounds_fit(histogram)?;
        let length = match histogram.interval {
            Some(Interval::Fixed(length)) => length,
            Some(Interval::Calendar(unit)) => {
                return self.calendar(histogram, &column, unit);
            }
            None => {
                return Err(shard_failure(
                    "illegal_argument_exception",
                    "Invalid interval specified, must be non-null and non-empty",
                ));
            }
        };
        let offset = histogram.offset.rem_euclid(length);
        // Empty buckets are added when all is known: see `Printer`.
        let mut request = json!({
            "field": column, "fixed_interval": format!("{length}ms"),
            "min_doc_count": histogram.min_doc_count.max(1)
        });
        let offset = (offset != 0).then(|| json!(format!("{offset}ms")));
        add(&mut request, [("offset", offset)]);
        Ok(json!({ "date_histogram": request }))
    }

    /// Bounds of a histogram: the first and the last moment.
    fn bounds(
        &self,
        histogram: &DateHistogram,
        bounds: Option<&(Value, Value)>,
    ) -> Result<Option<(Timestamp, Timestamp)>, ApiError> {
        let Some((min, max)) = bounds else { return Ok(None) };
        let moment = |value: &Value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.queries.moment(&histogram.format, &text, Rounding::Down)
        };
        Ok(Some((moment(min)?, moment(max)?)))
    }

    /// Checks the bounds of a histogram.
    fn bounds_fit(&self, histogram: &DateHistogram) -> Result<(), ApiError> {
        let extended = self.bounds(histogram, histogram.extended.as_ref())?;
        let hard = self.bounds(histogram, histogram.hard.as_ref())?;
        match extended.zip(hard) {
            Some((extended, hard)) if extended.0 < hard.0 || extended.1 > hard.1 => {
                Err(bounds_outside())
            }
            _ => Ok(()),
        }
    }

    /// Months and the like between the first and the last date of all indices.
    fn calendar(
        &self,
        histogram: &DateHistogram,
        column: &str,
        unit: char,
    ) -> Result<Value, ApiError> {
        let field = &histogram.field;
        let extended = self.bounds(histogram, histogram.extended.as_ref())?;
        let extended = extended.filter(|_| histogram.min_doc_count == 0);
        let as_counted = |at: Timestamp| i64::try_from(at.as_nanosecond()).ok();
        let mut span = extended.and_then(|(min, max)| as_counted(min).zip(as_counted(max)));
        for (index, searcher) in self.everything {
            let Some(place) = index.place(field) else { continue };
            for segment in searcher.segment_readers() {
                let Ok(column) = segment.fast_fields().date(&place.column) else { continue };
                if column.num_docs() == 0 || column.values.num_vals() == 0 {
                    continue;
                }
                let first = column.min_value().into_timestamp_nanos();
                let last = column.max_value().into_timestamp_nanos();
                span =
                    Some(span.map_or((first, last), |(from, to)| (from.min(first), to.max(last))));
            }
        }
        let (first, last) = span.unwrap_or_default();
        let moment = |nanoseconds: i64| {
            Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_default()
        };
        let most = MOST_BUCKETS as usize;
        let edges =
            boundaries(unit, moment(first), moment(last), most).ok_or_else(too_many_buckets)?;
        let ranges: Vec<Value> = edges
            .windows(2)
            .filter_map(|edges| match edges {
                [from, to] => Some(json!({
                    "key": from.to_string(), "from": nanoseconds(*from), "to": nanoseconds(*to)
                })),
                _ => None,
            })
            .collect();
        Ok(json!({ "range": { "field": column, "ranges": ranges } }))
    }

    fn histogram(&self, histogram: &Histogram) -> Result<Value, ApiError> {
        let (column, _) = self.column(&histogram.field, "histogram", is_number)?;
        self.histogram_fits(histogram)?;
        if let Some((extended, hard)) = histogram.extended.zip(histogram.hard)
            && (extended.0 < hard.0 || extended.1 > hard.1)
        {
            return Err(bounds_outside());
        }
        let offset = histogram.offset.rem_euclid(histogram.interval);
        let mut request = json!({
            "field": column, "interval": histogram.interval,
            "min_doc_count": histogram.min_doc_count.max(1)
        });
        let offset = (offset > 0.0).then(|| json!(offset));
        add(&mut request, [("offset", offset)]);
        Ok(json!({ "histogram": request }))
    }

    fn ranges(&self, ranges: &Ranges) -> Result<Value, ApiError> {
        let is_date = |kind: &FieldKind| *kind == FieldKind::Date;
        let (name, fits): (_, fn(&FieldKind) -> bool) =
            if ranges.dates.is_some() { ("date_range", is_date) } else { ("range", is_number) };
        let (column, _) = self.column(&ranges.field, name, fits)?;
        if ranges.dates.is_none() {
            self.range_fits(&ranges.field)?;
        }
        let mut planned = Vec::with_capacity(ranges.ranges.len());
        let mut spans = Vec::with_capacity(ranges.ranges.len());
        for (number, range) in ranges.ranges.iter().enumerate() {
            let edge = |value: &Option<Value>| value.as_ref().map(|value| self.edge(ranges, value));
            let mut request = json!({ "key": number.to_string() });
            let (from, to) = (edge(&range.from).transpose()?, edge(&range.to).transpose()?);
            spans.push((from.unwrap_or(f64::NEG_INFINITY), to.unwrap_or(f64::INFINITY)));
            add(&mut request, [("from", from.map(Value::from)), ("to", to.map(Value::from))]);
            planned.push(request);
        }
        spans.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        if spans.windows(2).any(|two| matches!(two, [(_, to), (from, _)] if from < to)) {
            return Err(illegal(format!(
                "[{name}] ranges that overlap are not supported by this store"
            )));
        }
        Ok(json!({ "range": { "field": column, "ranges": planned } }))
    }

    fn edge(&self, ranges: &Ranges, value: &Value) -> Result<f64, ApiError> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Some(dates) = &ranges.dates {
            let moment = self.queries.moment(dates, &text, Rounding::Down)?;
            return Ok(nanoseconds(moment.as_millisecond()));
        }
        text.parse().map_err(|_| illegal(format!("For input string: \"{text}\"")))
    }

    /// Whether all values are looked at for a figure, because there are few.
    fn is_listed(&self, figure: &Figure, is_order: bool) -> bool {
        let is_whole = figure.missing.is_none_or(|missing| missing.fract() == 0.0);
        match figure.what {
            What::Percentiles => self.has_few(&figure.field),
            What::Cardinality if is_order || !is_whole => false,
            What::Cardinality => self.has_few(&figure.field) || self.has_few_words(&figure.field),
            _ => false,
        }
    }

    /// `is_order`: buckets are sorted by it.
    fn figure(&self, figure: &Figure, is_order: bool) -> Result<Value, ApiError> {
        let name = figure.what.name();
        let fits: fn(&FieldKind) -> bool = match figure.what {
            What::Count | What::Cardinality => |kind| *kind != FieldKind::Unsearchable,
            _ => |kind| is_number(kind) || *kind == FieldKind::Date,
        };
        let (column, kind) = self.column(&figure.field, name, fits)?;
        self.figure_fits(figure)?;
        let mut request = json!({ "field": column });
        if self.is_listed(figure, is_order) {
            // How often there is each value, of which they are computed when all is known.
            #[expect(clippy::cast_possible_truncation, reason = "it was checked to be whole")]
            let missing = figure.missing.map(|missing| match kind {
                Some(FieldKind::Long) => json!(missing as i64),
                _ => json!(missing),
            });
            let most = || Some(json!(MOST_BUCKETS));
            add(&mut request, [("missing", missing), ("size", most()), ("segment_size", most())]);
            return Ok(json!({ "terms": request }));
        }
        add(&mut request, [("missing", figure.missing.map(Value::from))]);
        if figure.what == What::Percentiles {
            add(&mut request, [("percents", Some(json!(figure.percents)))]);
        }
        Ok(json!({ name: request }))
    }
}

/// What tantivy sorts the buckets of `terms` by, and whether that is only half of it: the rest is ours to do
/// where all is known.
fn sorting(terms: &Terms, one: &Aggregation) -> Result<(String, bool), ApiError> {
    let (name, part) = match &terms.order {
        Target::Count => return Ok(("_count".to_owned(), false)),
        Target::Key => return Ok(("_key".to_owned(), false)),
        Target::Below(name, part) => (name, part.as_deref()),
    };
    let number = one.below.0.iter().position(|below| below.name == *name);
    let below = number.and_then(|number| Some((number, one.below.0.get(number)?)));
    match below.map(|(number, below)| (number, &below.kind, part)) {
        Some((number, Kind::Figure(figure), part)) if figure.what != What::Percentiles => {
            let part = part.map(|part| format!(".{part}")).unwrap_or_default();
            Ok((format!("{number}{part}"), false))
        }
        Some((_, Kind::Filter(_) | Kind::Missing(_), None | Some("doc_count"))) => {
            Ok(("_count".to_owned(), true))
        }
        Some(_) => Err(shard_failure(
            "illegal_argument_exception",
            format!(
                "[terms] ordering by [{name}] is not supported here: only by a figure, such as sum or max, or by the documents of a filter"
            ),
        )),
        None if name.contains('>') => Err(illegal(format!(
            "[terms] ordering by [{name}] is not supported here: only by an aggregation directly below"
        ))),
        None => Err(shard_failure(
            "aggregation_execution_exception",
            format!(
                "Invalid aggregation order path [{name}]. The provided aggregation [{name}] either does not exist, or is a pipeline aggregation and cannot be used to sort the buckets."
            ),
        )),
    }
}

fn bounds_outside() -> ApiError {
    illegal("Extended bounds have to be inside hard bounds")
}

fn is_number(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::Long | FieldKind::Double | FieldKind::Boolean)
}

/// Half a millisecond before one: dates are whole milliseconds, and doubles are not exact here.
#[expect(clippy::cast_precision_loss, reason = "that is what the half is for")]
fn nanoseconds(milliseconds: i64) -> f64 {
    (milliseconds as f64 - 0.5) * NANOSECONDS
}

fn add<const N: usize>(request: &mut Value, members: [(&str, Option<Value>); N]) {
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    if let Value::Object(request) = request {
        request.extend(members.collect::<Map<_, _>>());
    }
}

/// Texts have no columns.
pub fn no_columns(field: &str, index: &str) -> ApiError {
    shard_failure(
        "illegal_argument_exception",
        format!(
            "Fielddata is disabled on [{field}] in [{index}]. Text fields are not optimised for operations that require per-document field data like aggregations and sorting, so these operations are disabled by default. Please use a keyword field instead. Alternatively, set fielddata=true on [{field}] in order to load field data by uninverting the inverted index. Note that this can use significant memory."
        ),
    )
}

/// More buckets than a search may have.
pub fn too_many_buckets() -> ApiError {
    shard_failure(
        "too_many_buckets_exception",
        format!(
            "Trying to create too many buckets. Must be less than or equal to: [{MOST_BUCKETS}] but this number of buckets was exceeded."
        ),
    )
}
