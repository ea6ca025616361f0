//! Results as Elasticsearch prints them.

use std::cell::Cell;
use std::cmp::{Ordering, Reverse};

use serde_json::{Map, Value, json};
use tantivy::aggregation::agg_result::AggregationResults;

use super::fits::text;
use super::interval::Interval;
use super::lists::Lists;
use super::plan::{MOST_BUCKETS, too_many_buckets};
use super::{
    Aggregation, Aggregations, DateHistogram, Figure, Histogram, Kind, Target, Terms, What,
};
use crate::error::ApiError;
use crate::json::double;
use crate::mapping::FieldKind;
use crate::query::{Dates, iso};

/// Prints results.
pub struct Printer<'a> {
    /// What a field is.
    pub kind_of: &'a dyn Fn(&str) -> Option<FieldKind>,
    /// What a date in a request means, in milliseconds, as text is read by a format.
    pub moment: &'a dyn Fn(&Dates, &str) -> Option<i64>,
    /// Whether names say of which kind results are.
    pub typed_keys: bool,
    /// How many more buckets there may be.
    pub left: Cell<u32>,
    /// Whether documents of buckets may not all be counted, because there were so many buckets.
    pub is_rough: Cell<bool>,
}

pub(super) type Members = Map<String, Value>;

impl Printer<'_> {
    /// The results.
    ///
    /// # Errors
    /// When there would be too many buckets between those with something in them.
    pub fn print(
        &self,
        aggregations: &Aggregations,
        results: &AggregationResults,
    ) -> Result<Value, ApiError> {
        self.left.set(MOST_BUCKETS + 1);
        let results = serde_json::to_value(results).unwrap_or_default();
        let empty = Map::new();
        let printed = self.level(aggregations, results.as_object().unwrap_or(&empty));
        if self.left.get() == 0 { Err(too_many_buckets()) } else { Ok(Value::Object(printed)) }
    }

    /// Whether there may be so many buckets more; where not, there are none.
    fn has_room(&self, buckets: i64) -> bool {
        let has_room = buckets < i64::from(self.left.get());
        if !has_room {
            self.left.set(0);
        }
        has_room
    }

    fn level(&self, aggregations: &Aggregations, results: &Members) -> Members {
        let mut printed = Map::new();
        for (number, one) in aggregations.0.iter().enumerate() {
            let mut value = if let Kind::Filters(queries) = &one.kind {
                let names: Vec<&Option<String>> = queries.iter().map(|(name, _)| name).collect();
                self.filters(one, &names, number, results)
            } else {
                let empty = json!({});
                self.one(one, results.get(&number.to_string()).unwrap_or(&empty))
            };
            if let (Some(meta), Value::Object(members)) = (&one.meta, &mut value) {
                members.insert("meta".to_owned(), meta.clone());
            }
            let name = if self.typed_keys {
                format!("{}#{}", self.type_of(one), one.name)
            } else {
                one.name.clone()
            };
            printed.insert(name, value);
        }
        printed
    }

    fn one(&self, one: &Aggregation, result: &Value) -> Value {
        match &one.kind {
            Kind::Terms(terms) => self.terms(terms, one, result),
            Kind::DateHistogram(histogram) => self.date_histogram(histogram, one, result),
            Kind::Histogram(histogram) => self.histogram(histogram, one, result),
            Kind::Range(ranges) => self.ranges(ranges, one, result),
            Kind::Filter(_) | Kind::Missing(_) | Kind::Filters(_) => {
                Value::Object(self.bucket(one, Map::new(), result))
            }
            Kind::Figure(figure) => self.figure(figure, result),
        }
    }

    /// A bucket: what it is called, how many documents are in it, and what is below.
    pub(super) fn bucket(&self, one: &Aggregation, mut head: Members, result: &Value) -> Members {
        self.left.set(self.left.get().saturating_sub(1));
        head.insert("doc_count".to_owned(), json!(count_of(result)));
        let empty = Map::new();
        head.extend(self.level(&one.below, result.as_object().unwrap_or(&empty)));
        head
    }

    fn terms(&self, terms: &Terms, one: &Aggregation, result: &Value) -> Value {
        let kind = (self.kind_of)(&terms.field);
        // They were read before, and are what they should be.
        let lists = Lists::read(terms, kind.as_ref(), self.moment).unwrap_or_default();
        // What stands for no value is among the empty ones, although no document has it.
        let named = terms.missing.as_ref().filter(|_| {
            terms.min_doc_count == 0 && matches!(kind, Some(FieldKind::Keyword { .. }))
        });
        let named = named.map(|missing| json!({ "key": text(missing), "doc_count": 0 }));
        let is_new = |named: &&Value| buckets(result).all(|it| it.get("key") != named.get("key"));
        let mut buckets: Vec<(&Value, Members)> = buckets(result)
            .chain(named.as_ref().filter(is_new))
            .map(|bucket| (bucket, key(kind.as_ref(), bucket)))
            .filter(|(_, head)| lists.is_empty() || lists.has(head.get("key")))
            .collect();
        buckets.sort_by(|(one_raw, one_head), (other_raw, other_head)| {
            let keys = || compare(kind.as_ref(), one_head.get("key"), other_head.get("key"));
            let order = match &terms.order {
                Target::Count => count_of(one_raw).cmp(&count_of(other_raw)),
                Target::Key => keys(),
                Target::Below(name, part) => {
                    let empty = of_nothing(one, name, part.as_deref());
                    let figure = |raw| {
                        let found = below(one, name, part.as_deref(), raw);
                        found.and_then(Value::as_f64).unwrap_or(empty)
                    };
                    figure(one_raw).total_cmp(&figure(other_raw))
                }
            };
            let order = if terms.is_descending { order.reverse() } else { order };
            order.then_with(keys)
        });
        // As in Elasticsearch, those with too few documents count as others if they stand far behind.
        let behind = buckets.split_off(buckets.len().min(terms.shard_size as usize));
        buckets.retain(|(raw, _)| count_of(raw) >= terms.min_doc_count);
        let not_shown = buckets.split_off(buckets.len().min(terms.size as usize));
        let cut: u64 = behind.iter().chain(&not_shown).map(|(raw, _)| count_of(raw)).sum();
        let others = result.get("sum_other_doc_count").and_then(Value::as_u64).unwrap_or(0);
        let error = result.get("doc_count_error_upper_bound").and_then(Value::as_u64).unwrap_or(0);
        // The first keys of a segment have all that are first of all.
        let error = if terms.order == Target::Key && lists.is_empty() { 0 } else { error };
        if error > 0 && (terms.counted.is_none() || !lists.is_empty()) {
            match terms.order {
                _ if !lists.is_empty() => self.left.set(0),
                Target::Key => {}
                Target::Count if terms.is_descending => self.is_rough.set(true),
                // Some were left out of a segment by what they are there.
                Target::Count | Target::Below(..) => self.left.set(0),
            }
        }
        let shown = buckets.into_iter();
        let shown: Vec<Members> = shown.map(|(raw, head)| self.bucket(one, head, raw)).collect();
        json!({
            "doc_count_error_upper_bound": error,
            "sum_other_doc_count": others + cut,
            "buckets": shown,
        })
    }

    fn date_histogram(
        &self,
        histogram: &DateHistogram,
        one: &Aggregation,
        result: &Value,
    ) -> Value {
        #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
        let at = |raw: &Value| match raw.get("key") {
            Some(Value::String(text)) => text.parse::<i64>().ok(),
            Some(number) => number.as_f64().map(|number| number.round() as i64),
            None => None,
        };
        let mut found: Vec<(i64, &Value)> =
            buckets(result).filter_map(|raw| Some((at(raw)?, raw))).collect();
        // Where an index has none of these values, its months are others, and empty.
        found.sort_by_key(|(at, raw)| (*at, Reverse(count_of(raw))));
        found.dedup_by_key(|(at, _)| *at);
        if let Some((min, max)) = self.bounds(histogram, histogram.hard.as_ref()) {
            let (min, max) = (histogram.rounded(min), histogram.rounded(max));
            found.retain(|(at, _)| (min..max).contains(at));
        }
        let empty = json!({});
        match histogram.interval {
            Some(Interval::Calendar(_)) => self.trim(histogram, &mut found),
            Some(Interval::Fixed(length)) if histogram.min_doc_count == 0 => {
                let place = |at: i64| (at - histogram.offset).div_euclid(length);
                let bounds = self.bounds(histogram, histogram.extended.as_ref());
                // As in Elasticsearch, bounds are rounded as if there were no offset.
                let place_of = |at: i64| (at - histogram.base).div_euclid(length);
                let bounds = bounds.map(|(min, max)| (place_of(min), place_of(max)));
                let places = found.iter().map(|(at, raw)| (place(*at), *raw)).collect();
                let filled = self.filled(places, bounds, &empty);
                let at = |place: i64| place * length + histogram.offset;
                found = filled.into_iter().map(|(place, raw)| (at(place), raw)).collect();
            }
            _ => {}
        }
        let shown = found.into_iter().map(|(at, raw)| {
            let name = histogram.format.print(moment(at));
            let mut head = Map::new();
            head.insert("key_as_string".to_owned(), json!(name));
            head.insert("key".to_owned(), json!(at));
            (name, self.bucket(one, head, raw))
        });
        keyed(histogram.is_keyed, shown)
    }

    /// From where to where there are buckets at least, or at most.
    fn bounds(
        &self,
        histogram: &DateHistogram,
        bounds: Option<&(Value, Value)>,
    ) -> Option<(i64, i64)> {
        let (min, max) = bounds?;
        let read = |value: &Value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (self.moment)(&histogram.format, &text)
        };
        Some((read(min)?, read(max)?))
    }

    /// With the empty buckets between those that are not, and up to the bounds.
    fn filled<'v>(
        &self,
        found: Vec<(i64, &'v Value)>,
        bounds: Option<(i64, i64)>,
        empty: &'v Value,
    ) -> Vec<(i64, &'v Value)> {
        let ends = found.first().zip(found.last()).map(|(first, last)| (first.0, last.0));
        let (first, last) = match (ends, bounds) {
            (Some((first, last)), Some((min, max))) => (first.min(min), last.max(max)),
            (Some(ends), None) | (None, Some(ends)) => ends,
            (None, None) => return found,
        };
        if !self.has_room(last.saturating_sub(first)) {
            return found;
        }
        let mut there = found.into_iter().peekable();
        let raw = |place| there.next_if(|(own, _)| *own == place).map_or(empty, |(_, raw)| raw);
        (first..=last)
            .map(raw)
            .enumerate()
            .map(|(step, raw)| (first.saturating_add(i64::try_from(step).unwrap_or(i64::MAX)), raw))
            .collect()
    }

    /// Leaves out months before and after all documents, and those with too few.
    fn trim(&self, histogram: &DateHistogram, found: &mut Vec<(i64, &Value)>) {
        if histogram.min_doc_count > 0 {
            found.retain(|(_, raw)| count_of(raw) >= histogram.min_doc_count);
            return;
        }
        let bounds = self.bounds(histogram, histogram.extended.as_ref());
        let bounds = bounds.map(|(min, max)| (histogram.rounded(min), max));
        let is_wanted = |(at, raw): &(i64, &Value)| {
            count_of(raw) > 0 || bounds.is_some_and(|(min, max)| (min..=max).contains(at))
        };
        let last = found.iter().rposition(is_wanted).map_or(0, |last| last + 1);
        found.truncate(last);
        let first = found.iter().position(is_wanted).unwrap_or(0);
        found.drain(..first);
    }

    fn histogram(&self, histogram: &Histogram, one: &Aggregation, result: &Value) -> Value {
        let Histogram { interval, offset, .. } = *histogram;
        #[expect(clippy::cast_possible_truncation, reason = "as tantivy does it")]
        let place = |at: f64| ((at - offset) / interval).round() as i64;
        #[expect(clippy::cast_precision_loss, reason = "as tantivy does it")]
        let at = |place: i64| place as f64 * interval + offset;
        let key = |raw: &Value| raw.get("key").and_then(Value::as_f64).unwrap_or_default();
        let mut found: Vec<(i64, &Value)> =
            buckets(result).map(|raw| (place(key(raw)), raw)).collect();
        if let Some((min, max)) = histogram.hard {
            // As in Elasticsearch, without the offset.
            found.retain(|(place, _)| (min..=max).contains(&(at(*place) - offset)));
        }
        let empty = json!({});
        if histogram.min_doc_count == 0 {
            let floor = |at: f64| place(((at - offset) / interval).floor() * interval + offset);
            let bounds = histogram.extended.map(|(min, max)| (floor(min), floor(max)));
            found = self.filled(found, bounds, &empty);
        }
        let shown = found.into_iter().map(|(place, raw)| {
            let mut head = Map::new();
            head.insert("key".to_owned(), json!(at(place)));
            (double(at(place)), self.bucket(one, head, raw))
        });
        keyed(histogram.is_keyed, shown)
    }

    fn filters(
        &self,
        one: &Aggregation,
        names: &[&Option<String>],
        number: usize,
        results: &Members,
    ) -> Value {
        let empty = json!({});
        let parts = names.iter().enumerate().map(|(part, name)| {
            let raw = results.get(&format!("{number}_{part}")).unwrap_or(&empty);
            (name.as_deref().unwrap_or_default().to_owned(), self.bucket(one, Map::new(), raw))
        });
        keyed(names.iter().any(|name| name.is_some()), parts)
    }

    /// What results are called with `typed_keys`.
    fn type_of(&self, one: &Aggregation) -> &'static str {
        match &one.kind {
            Kind::Terms(terms) => match (self.kind_of)(&terms.field) {
                Some(FieldKind::Double) => "dterms",
                Some(FieldKind::Long | FieldKind::Boolean | FieldKind::Date) => "lterms",
                Some(_) => "sterms",
                None => "umterms",
            },
            Kind::DateHistogram(_) => "date_histogram",
            Kind::Histogram(_) => "histogram",
            Kind::Range(ranges) if ranges.dates.is_some() => "date_range",
            Kind::Range(_) => "range",
            Kind::Filter(_) => "filter",
            Kind::Filters(_) => "filters",
            Kind::Missing(_) => "missing",
            Kind::Figure(figure) if figure.what == What::Percentiles => "tdigest_percentiles",
            Kind::Figure(figure) => figure.what.name(),
        }
    }
}

pub(super) fn buckets(result: &Value) -> impl Iterator<Item = &Value> {
    result.get("buckets").and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn count_of(result: &Value) -> u64 {
    result.get("doc_count").and_then(Value::as_u64).unwrap_or(0)
}

/// What a bucket of terms is called.
fn key(kind: Option<&FieldKind>, raw: &Value) -> Members {
    let given = raw.get("key").cloned().unwrap_or_default();
    let mut head = Map::new();
    let mut named = |name: String| head.insert("key_as_string".to_owned(), json!(name));
    #[expect(clippy::cast_possible_truncation, reason = "numbers that were whole")]
    let key = match (kind, &given) {
        (Some(FieldKind::Date), value) => {
            let at = match value {
                Value::String(text) => text.parse::<jiff::Timestamp>().unwrap_or_default(),
                number => moment(number.as_f64().unwrap_or_default() as i64 / 1_000_000),
            };
            named(iso(at));
            json!(at.as_millisecond())
        }
        (Some(FieldKind::Boolean), value) => {
            let is_true =
                value.as_f64().is_some_and(|number| number > 0.0) || value.as_str() == Some("true");
            named(is_true.to_string());
            json!(u8::from(is_true))
        }
        (Some(FieldKind::Long), Value::Number(number)) if !number.is_i64() => {
            json!(number.as_f64().unwrap_or_default() as i64)
        }
        (Some(FieldKind::Double), Value::Number(number)) => json!(number.as_f64()),
        (_, value) => value.clone(),
    };
    head.insert("key".to_owned(), key);
    head
}

/// A figure in a bucket.
fn below<'a>(
    one: &Aggregation,
    name: &str,
    part: Option<&str>,
    raw: &'a Value,
) -> Option<&'a Value> {
    let number = one.below.0.iter().position(|below| below.name == name)?;
    let raw = raw.get(number.to_string())?;
    match &one.below.0.get(number)?.kind {
        Kind::Filter(_) | Kind::Missing(_) => raw.get("doc_count"),
        _ => raw.get(part.unwrap_or("value")),
    }
}

/// Where a bucket stands that has no values for the figure which buckets are sorted by.
fn of_nothing(one: &Aggregation, name: &str, part: Option<&str>) -> f64 {
    let kind = one.below.0.iter().find(|below| below.name == name).map(|below| &below.kind);
    match (kind, part) {
        (Some(Kind::Figure(Figure { what: What::Maximum, .. })), _) | (_, Some("max")) => {
            f64::NEG_INFINITY
        }
        _ => f64::INFINITY,
    }
}

/// Keys in their order; addresses are in that of their bytes.
fn compare(kind: Option<&FieldKind>, one: Option<&Value>, other: Option<&Value>) -> Ordering {
    let address = |value: Option<&Value>| value.and_then(Value::as_str).map(crate::index::address);
    if kind == Some(&FieldKind::Ip)
        && let (Some(Ok(one)), Some(Ok(other))) = (address(one), address(other))
    {
        return one.cmp(&other);
    }
    match (one, other) {
        (Some(Value::String(one)), Some(Value::String(other))) => one.cmp(other),
        (one, other) => {
            let number = |value: Option<&Value>| value.and_then(Value::as_f64);
            number(one).partial_cmp(&number(other)).unwrap_or(Ordering::Equal)
        }
    }
}

pub(super) fn keyed(is_keyed: bool, parts: impl Iterator<Item = (String, Members)>) -> Value {
    if is_keyed {
        let members = parts.map(|(name, bucket)| (name, Value::Object(bucket)));
        return json!({ "buckets": members.collect::<Members>() });
    }
    json!({ "buckets": parts.map(|(_, bucket)| bucket).collect::<Vec<_>>() })
}

pub(super) fn moment(milliseconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}
