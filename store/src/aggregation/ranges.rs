//! Ranges as Elasticsearch prints them.

use serde_json::{Map, Value, json};

use super::print::{Members, Printer, buckets, count_of, keyed, moment};
use super::{Aggregation, OneRange, Ranges};
use crate::json::double;

impl Printer<'_> {
    pub(super) fn ranges(&self, ranges: &Ranges, one: &Aggregation, result: &Value) -> Value {
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
            // Where an index has none of these values, its buckets are others of the same names, and empty.
            let raw = buckets(result).filter(is_it).max_by_key(|raw| count_of(raw));
            let raw = raw.unwrap_or(&empty);
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
}
