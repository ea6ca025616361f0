//! Results as Elasticsearch prints them.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};
use tantivy::aggregation::agg_result::AggregationResults;

use super::interval::Interval;
use super::{
    Aggregation, Aggregations, DateHistogram, Figure, Histogram, Kind, OneRange, Ranges, Target,
    Terms, What,
};
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
}

type Members = Map<String, Value>;

impl Printer<'_> {
    /// The results.
    pub fn print(&self, aggregations: &Aggregations, results: &AggregationResults) -> Value {
        let results = serde_json::to_value(results).unwrap_or_default();
        let empty = Map::new();
        Value::Object(self.level(aggregations, results.as_object().unwrap_or(&empty)))
    }

    fn level(&self, aggregations: &Aggregations, results: &Members) -> Members {
        let mut printed = Map::new();
        for (number, one) in aggregations.0.iter().enumerate() {
            let mut value = match &one.kind {
                Kind::Filters(queries) => {
                    let names: Vec<&Option<String>> = queries.iter().map(|(name, _)| name).collect();
                    self.filters(one, &names, number, results)
                }
                _ => {
                    let empty = json!({});
                    self.one(one, results.get(&number.to_string()).unwrap_or(&empty))
                }
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
    fn bucket(&self, one: &Aggregation, mut head: Members, result: &Value) -> Members {
        head.insert("doc_count".to_owned(), json!(count_of(result)));
        let empty = Map::new();
        head.extend(self.level(&one.below, result.as_object().unwrap_or(&empty)));
        head
    }

    fn terms(&self, terms: &Terms, one: &Aggregation, result: &Value) -> Value {
        let kind = (self.kind_of)(&terms.field);
        let mut buckets: Vec<(&Value, Members)> =
            buckets(result).map(|bucket| (bucket, key(kind.as_ref(), bucket))).collect();
        buckets.sort_by(|(one_raw, one_head), (other_raw, other_head)| {
            let keys = || compare(one_head.get("key"), other_head.get("key"));
            let order = match &terms.order {
                Target::Count => count_of(one_raw).cmp(&count_of(other_raw)),
                Target::Key => keys(),
                Target::Below(name, part) => {
                    let figure = |raw| below(one, name, part.as_deref(), raw);
                    compare(figure(one_raw), figure(other_raw))
                }
            };
            let order = if terms.is_descending { order.reverse() } else { order };
            order.then_with(keys)
        });
        let size = terms.size as usize;
        let cut: u64 = buckets.iter().skip(size).map(|(raw, _)| count_of(raw)).sum();
        let others = result.get("sum_other_doc_count").and_then(Value::as_u64).unwrap_or(0);
        let error = result.get("doc_count_error_upper_bound").and_then(Value::as_u64).unwrap_or(0);
        let shown = buckets.into_iter().take(size);
        let shown: Vec<Members> =
            shown.map(|(raw, head)| self.bucket(one, head, raw)).collect();
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
        found.sort_by_key(|(at, _)| *at);
        if let Some(Interval::Calendar(_)) = histogram.interval {
            self.trim(histogram, &mut found);
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

    /// Leaves out months before and after all documents, and those with too few.
    fn trim(&self, histogram: &DateHistogram, found: &mut Vec<(i64, &Value)>) {
        if histogram.min_doc_count > 0 {
            found.retain(|(_, raw)| count_of(raw) >= histogram.min_doc_count);
            return;
        }
        let bounds = histogram.extended.as_ref().and_then(|(min, max)| {
            let read = |value: &Value| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (self.moment)(&histogram.format, &text)
            };
            Some((read(min)?, read(max)?))
        });
        let is_wanted = |(at, raw): &(i64, &Value)| {
            count_of(raw) > 0 || bounds.is_some_and(|(min, max)| (min..=max).contains(at))
        };
        let last = found.iter().rposition(is_wanted).map_or(0, |last| last + 1);
        found.truncate(last);
        let first = found.iter().position(is_wanted).unwrap_or(0);
        found.drain(..first);
    }

    fn histogram(&self, histogram: &Histogram, one: &Aggregation, result: &Value) -> Value {
        let shown = buckets(result).map(|raw| {
            let at = raw.get("key").and_then(Value::as_f64).unwrap_or_default();
            let mut head = Map::new();
            head.insert("key".to_owned(), json!(at));
            (double(at), self.bucket(one, head, raw))
        });
        keyed(histogram.is_keyed, shown)
    }

    fn ranges(&self, ranges: &Ranges, one: &Aggregation, result: &Value) -> Value {
        let mut order: Vec<(usize, &OneRange)> = ranges.ranges.iter().enumerate().collect();
        let edge = |value: &Option<Value>, open: f64| {
            value.as_ref().map_or(open, |value| self.edge(ranges, value).unwrap_or(open))
        };
        let place = |range: &OneRange| {
            (edge(&range.from, f64::NEG_INFINITY), edge(&range.to, f64::INFINITY))
        };
        order.sort_by(|(_, one), (_, other)| {
            let ((from, to), (other_from, other_to)) = (place(one), place(other));
            from.total_cmp(&other_from).then(to.total_cmp(&other_to))
        });
        let empty = json!({});
        let shown = order.into_iter().map(|(number, range)| {
            let number = number.to_string();
            let is_it = |raw: &&Value| raw.get("key").is_some_and(|key| *key == number);
            let raw = buckets(result).find(is_it).unwrap_or(&empty);
            let (name, head) = self.range_head(ranges, range);
            (name, self.bucket(one, head, raw))
        });
        keyed(ranges.is_keyed, shown)
    }

    fn edge(&self, ranges: &Ranges, value: &Value) -> Option<f64> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        #[expect(clippy::cast_precision_loss, reason = "it is printed as a double")]
        match &ranges.dates {
            Some(dates) => (self.moment)(dates, &text).map(|at| at as f64),
            None => text.parse().ok(),
        }
    }

    fn range_head(&self, ranges: &Ranges, range: &OneRange) -> (String, Members) {
        let mut head = Map::new();
        let mut names = Vec::with_capacity(2);
        for (side, value) in [("from", &range.from), ("to", &range.to)] {
            let Some(edge) = value.as_ref().and_then(|value| self.edge(ranges, value)) else {
                names.push("*".to_owned());
                continue;
            };
            head.insert(side.to_owned(), json!(edge));
            #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
            let name = match &ranges.dates {
                Some(dates) => {
                    let name = dates.print(moment(edge as i64));
                    head.insert(format!("{side}_as_string"), json!(name));
                    name
                }
                None => double(edge),
            };
            names.push(name);
        }
        let name = range.key.clone().unwrap_or_else(|| names.join("-"));
        // In an object it is the name of the bucket.
        if !ranges.is_keyed {
            head.insert("key".to_owned(), json!(name));
        }
        (name, head)
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

    fn figure(&self, figure: &Figure, result: &Value) -> Value {
        let is_date = (self.kind_of)(&figure.field) == Some(FieldKind::Date);
        let number = |name: &str| result.get(name).and_then(Value::as_f64);
        let scaled = |value: Option<f64>| {
            // Dates are nanoseconds to tantivy.
            value.map(|value| if is_date { (value / 1e6).round() } else { value })
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = |name: &str| json!(number(name).unwrap_or_default().round() as u64);
        let told = |printed: &mut Members, name: &str, value: Option<f64>| {
            printed.insert(name.to_owned(), json!(value));
            #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
            if let (true, Some(value)) = (is_date, value) {
                printed.insert(format!("{name}_as_string"), json!(iso(moment(value as i64))));
            }
        };
        let mut printed = Map::new();
        match figure.what {
            What::Count | What::Cardinality => {
                printed.insert("value".to_owned(), count("value"));
            }
            What::Sum => told(&mut printed, "value", Some(scaled(number("value")).unwrap_or(0.0))),
            What::Average | What::Minimum | What::Maximum => {
                told(&mut printed, "value", scaled(number("value")));
            }
            What::Stats => {
                let counted = count("count");
                let has_some = counted != json!(0);
                printed.insert("count".to_owned(), counted);
                for name in ["min", "max", "avg"] {
                    told(&mut printed, name, scaled(number(name)).filter(|_| has_some));
                }
                told(&mut printed, "sum", Some(scaled(number("sum")).unwrap_or(0.0)));
            }
            What::Percentiles => return percentiles(figure, result, &scaled),
        }
        Value::Object(printed)
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

fn percentiles(
    figure: &Figure,
    result: &Value,
    scaled: &dyn Fn(Option<f64>) -> Option<f64>,
) -> Value {
    let values = result.get("values");
    let of = |percent: f64| {
        let found = values.and_then(|values| values.get(double(percent)).or_else(|| values.get(percent.to_string())));
        scaled(found.and_then(Value::as_f64).filter(|value| value.is_finite()))
    };
    if figure.is_keyed {
        let members = figure.percents.iter().map(|percent| (double(*percent), json!(of(*percent))));
        return json!({ "values": members.collect::<Members>() });
    }
    let list = figure.percents.iter();
    let list: Vec<Value> =
        list.map(|percent| json!({ "key": percent, "value": of(*percent) })).collect();
    json!({ "values": list })
}

fn buckets(result: &Value) -> impl Iterator<Item = &Value> {
    result.get("buckets").and_then(Value::as_array).into_iter().flatten()
}

fn count_of(result: &Value) -> u64 {
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
            let is_true = value.as_f64().is_some_and(|number| number > 0.0)
                || value.as_str() == Some("true");
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
    raw.get(number.to_string())?.get(part.unwrap_or("value"))
}

fn compare(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    match (one, other) {
        (Some(Value::String(one)), Some(Value::String(other))) => one.cmp(other),
        (one, other) => {
            let number = |value: Option<&Value>| value.and_then(Value::as_f64);
            number(one).partial_cmp(&number(other)).unwrap_or(Ordering::Equal)
        }
    }
}

fn keyed(is_keyed: bool, parts: impl Iterator<Item = (String, Members)>) -> Value {
    if is_keyed {
        let members = parts.map(|(name, bucket)| (name, Value::Object(bucket)));
        return json!({ "buckets": members.collect::<Members>() });
    }
    json!({ "buckets": parts.map(|(_, bucket)| bucket).collect::<Vec<_>>() })
}

fn moment(milliseconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}

/// A number as Java prints it: `300.0`, `1.0E7`.
fn double(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}
