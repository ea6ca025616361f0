//! Figures as Elasticsearch prints them.

use serde_json::{Map, Value, json};

use super::print::{Members, Printer, buckets};
use super::{Figure, What};
use crate::json::double;
use crate::mapping::FieldKind;
use crate::query::iso_of_milliseconds;

impl Printer<'_> {
    pub(super) fn figure(&self, figure: &Figure, result: &Value) -> Value {
        let is_date = (self.kind_of)(&figure.field) == Some(FieldKind::Date);
        let number = |name: &str| result.get(name).and_then(Value::as_f64);
        let scaled = |value: Option<f64>| {
            value.map(|value| if is_date { milliseconds(value) } else { value })
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = |name: &str| json!(number(name).unwrap_or_default().round() as u64);
        let told = |printed: &mut Members, name: &str, value: Option<f64>| {
            printed.insert(name.to_owned(), json!(value));
            #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
            if let (true, Some(value)) = (is_date, value) {
                printed
                    .insert(format!("{name}_as_string"), json!(iso_of_milliseconds(value as i64)));
            }
        };
        let mut printed = Map::new();
        match figure.what {
            What::Cardinality if result.get("buckets").is_some() => {
                printed.insert("value".to_owned(), json!(buckets(result).count()));
            }
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
                let sum = scaled(number("sum")).unwrap_or(0.0);
                if has_some {
                    told(&mut printed, "sum", Some(sum));
                } else {
                    printed.insert("sum".to_owned(), json!(sum));
                }
            }
            What::Percentiles => return percentiles(figure, result, is_date),
        }
        Value::Object(printed)
    }
}

/// Dates are nanoseconds to tantivy, and not exactly so.
fn milliseconds(nanoseconds: f64) -> f64 {
    let milliseconds = nanoseconds / 1e6;
    let whole = milliseconds.round();
    if (milliseconds - whole).abs() < 1e-3 { whole } else { milliseconds }
}

/// Percentiles: of every value where those are told, and as they were estimated otherwise.
fn percentiles(figure: &Figure, result: &Value, is_date: bool) -> Value {
    let counted = result.get("buckets").map(|_| counted(result, is_date));
    let values = result.get("values");
    let of = |percent: f64| {
        if let Some(counted) = &counted {
            return quantile(counted, percent / 100.0);
        }
        let found = values.and_then(|values| {
            values.get(double(percent)).or_else(|| values.get(percent.to_string()))
        });
        found.and_then(Value::as_f64).filter(|value| value.is_finite())
    };
    #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
    let named = |value: Option<f64>| {
        value.filter(|_| is_date).map(|value| json!(iso_of_milliseconds(value as i64)))
    };
    let (mut members, mut list) = (Map::new(), Vec::new());
    for percent in &figure.percents {
        let value = of(*percent);
        let mut one = Map::new();
        one.insert("key".to_owned(), json!(percent));
        one.insert("value".to_owned(), json!(value));
        members.insert(double(*percent), json!(value));
        if let Some(name) = named(value) {
            one.insert("value_as_string".to_owned(), name.clone());
            members.insert(format!("{}_as_string", double(*percent)), name);
        }
        list.push(Value::Object(one));
    }
    if figure.is_keyed { json!({ "values": members }) } else { json!({ "values": list }) }
}

/// Values in their order, and how often there is each.
fn counted(result: &Value, is_date: bool) -> Vec<(f64, u64)> {
    let value = |raw: &Value| {
        let number = match raw.get("key")? {
            Value::String(text) => {
                let at: jiff::Timestamp = text.parse().ok()?;
                #[expect(clippy::cast_precision_loss, reason = "as Elasticsearch does it")]
                return Some(at.as_millisecond() as f64);
            }
            number => number.as_f64()?,
        };
        Some(if is_date { (number / 1e6).floor() } else { number })
    };
    let count = |raw: &Value| raw.get("doc_count").and_then(Value::as_u64).unwrap_or(0);
    let mut counted: Vec<(f64, u64)> =
        buckets(result).filter_map(|raw| Some((value(raw)?, count(raw)))).collect();
    counted.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    counted
}

/// The value below which a part of all are, in between two where it is in between them.
fn quantile(counted: &[(f64, u64)], part: f64) -> Option<f64> {
    let count: u64 = counted.iter().map(|(_, count)| count).sum();
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    let place = part * count.checked_sub(1)? as f64;
    let at = |place: f64| {
        let mut seen = 0.0;
        counted.iter().find_map(|(value, count)| {
            #[expect(clippy::cast_precision_loss, reason = "there are few")]
            let after = seen + *count as f64;
            seen = after;
            (place < after).then_some(*value)
        })
    };
    let (below, above) = (at(place.floor())?, at(place.ceil())?);
    let rest = place - place.floor();
    Some(below * (1.0 - rest) + above * rest)
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn percentiles_of_few_values_are_exact() {
        let values = [(1.0, 1), (5.0, 1), (50.0, 1), (77.0, 1)];
        for (part, expected) in [(0.0, 1.0), (0.25, 4.0), (0.5, 27.5), (0.95, 72.95), (1.0, 77.0)] {
            let found = quantile(&values, part).unwrap();
            assert!((found - expected).abs() < 1e-9, "{part}: {found} and not {expected}");
        }
        assert_eq!(quantile(&[(3.0, 10), (4.0, 1)], 0.5), Some(3.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
