//! Lists of values that `terms` of numbers, dates, addresses and flags make buckets for, or do not. Those of
//! keywords are tantivy's.

use std::net::Ipv6Addr;

use serde_json::Value;

use super::Terms;
use crate::error::ApiError;
use crate::mapping::FieldKind;
use crate::query::{Dates, illegal, shard_failure};

/// Reads a date, in milliseconds.
pub(super) type Moment<'a> = dyn Fn(&Dates, &str) -> Option<i64> + 'a;

/// A value, as it is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Key {
    Whole(i64),
    Double(f64),
    Address(Ipv6Addr),
}

/// What buckets are made for.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Only these; all where it is empty.
    include: Vec<Key>,
    /// But these.
    exclude: Vec<Key>,
}

impl Lists {
    /// Those of `terms` of a field of this kind.
    ///
    /// # Errors
    /// As Elasticsearch: for what is no list, and for a value that is none of the field's.
    pub(super) fn read(
        terms: &Terms,
        kind: Option<&FieldKind>,
        moment: &Moment<'_>,
    ) -> Result<Self, ApiError> {
        let Some(kind) = kind.filter(|kind| !matches!(kind, FieldKind::Keyword { .. })) else {
            return Ok(Self::default());
        };
        let list = |given: &Option<Value>| match given {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => {
                values.iter().map(|value| read(kind, value, moment)).collect()
            }
            Some(Value::String(_)) => Err(shard_failure(
                "illegal_argument_exception",
                "Aggregation cannot support regular expression style include/exclude settings as they can only be applied to string fields. Use an array of values for include/exclude clauses",
            )),
            Some(_) => Err(illegal(format!(
                "[terms] takes a list of values for [include] and [exclude] of the field [{}]; partitions are not supported here",
                terms.field
            ))),
        };
        Ok(Self { include: list(&terms.include)?, exclude: list(&terms.exclude)? })
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether there is a bucket of a key, as it is printed.
    pub(super) fn has(&self, key: Option<&Value>) -> bool {
        let key = match key {
            Some(Value::String(text)) => crate::index::address(text).ok().map(Key::Address),
            Some(Value::Number(number)) if number.is_i64() => number.as_i64().map(Key::Whole),
            Some(number) => number.as_f64().map(Key::Double),
            None => None,
        };
        let is_in = |list: &[Key]| key.is_some_and(|key| list.contains(&key));
        (self.include.is_empty() || is_in(&self.include)) && !is_in(&self.exclude)
    }
}

fn read(kind: &FieldKind, value: &Value, moment: &Moment<'_>) -> Result<Key, ApiError> {
    let failed = |reason: String| shard_failure("illegal_argument_exception", reason);
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => {
            return Err(illegal(
                "Array elements in include/exclude clauses should be string values",
            ));
        }
    };
    let double = || {
        text.parse::<f64>().map_err(|_| {
            shard_failure("number_format_exception", format!("For input string: \"{text}\""))
        })
    };
    match kind {
        #[expect(clippy::cast_possible_truncation, reason = "as Elasticsearch does it")]
        FieldKind::Long => match text.parse() {
            Ok(whole) => Ok(Key::Whole(whole)),
            Err(_) => double().map(|number| Key::Whole(number as i64)),
        },
        FieldKind::Double => double().map(Key::Double),
        FieldKind::Date => match moment(&Dates::default(), &text) {
            Some(moment) if !text.starts_with("now") => Ok(Key::Whole(moment)),
            _ => Err(failed(format!("failed to parse date field [{text}]"))),
        },
        FieldKind::Ip => crate::index::address(&text).map(Key::Address).map_err(failed),
        FieldKind::Boolean => match text.as_str() {
            "true" => Ok(Key::Whole(1)),
            "false" => Ok(Key::Whole(0)),
            _ => Err(failed(format!(
                "Cannot parse boolean [{text}], expected either [true] or [false]"
            ))),
        },
        FieldKind::Text | FieldKind::Keyword { .. } | FieldKind::Unsearchable => {
            Err(failed(format!("[{text}] is no value of a field of this kind")))
        }
    }
}
