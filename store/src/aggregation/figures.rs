//! Figures as Elasticsearch prints them.

use serde_json::{Map, Value, json};

use super::print::{Members, Printer, double, moment};
use super::{Figure, What};
use crate::mapping::FieldKind;
use crate::query::iso;

impl Printer<'_> {
    pub(super) fn figure(&self, figure: &Figure, result: &Value) -> Value {
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
}

fn percentiles(
    figure: &Figure,
    result: &Value,
    scaled: &dyn Fn(Option<f64>) -> Option<f64>,
) -> Value {
    let values = result.get("values");
    let of = |percent: f64| {
        let found = values.and_then(|values| {
            values.get(double(percent)).or_else(|| values.get(percent.to_string()))
        });
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
