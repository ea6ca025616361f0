//! Values beside a hit: `fields` and `docvalue_fields`, read from the document as it came.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use serde_json::{Map, Value, json};

use super::rank::{float, print_address};
use crate::error::ApiError;
use crate::index::{Given, Index, Leaf, leaf};
use crate::mapping::{FieldKind, MappedField, Mapping, Precision, is_match};
use crate::query::{Dates, illegal, parsing, shard_failure};

/// The most fields in one request.
const MOST: usize = 100;

/// Where values are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The document, in its order: `fields`.
    Source,
    /// Columns, which are sorted: `docvalue_fields`.
    Columns,
}

/// Fields whose values are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPattern {
    name: String,
    format: Option<Dates>,
    from: From,
}

/// What is shown of a document.
#[derive(Debug, Default)]
pub struct Shown {
    /// Values, by field.
    pub fields: Map<String, Value>,
    /// Values that are not what their fields are, as they came.
    pub ignored: Map<String, Value>,
}

impl FieldPattern {
    /// Reads a list of names or objects.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(values: &[Value], from: From, patterns: &mut Vec<Self>) -> Result<(), ApiError> {
        for value in values {
            patterns.push(match value {
                Value::String(name) => Self { name: name.clone(), format: None, from },
                Value::Object(members) => Self::object(members, from)?,
                other => return Err(parsing(format!("a field is text or an object, not {other}"))),
            });
        }
        if patterns.len() > MOST {
            return Err(illegal(format!("a search shows at most {MOST} fields here")));
        }
        Ok(())
    }

    fn object(members: &Map<String, Value>, from: From) -> Result<Self, ApiError> {
        let mut name = None;
        let mut format = None;
        for (key, value) in members {
            match (key.as_str(), value) {
                ("field", Value::String(text)) => name = Some(text.clone()),
                ("format", Value::String(text)) => {
                    format = Some(Dates::parse(text).map_err(illegal)?);
                }
                (other, _) => {
                    return Err(parsing(format!("[fetch_fields] unknown field [{other}]")));
                }
            }
        }
        let name = name.ok_or_else(|| parsing("Required [field]"))?;
        Ok(Self { name, format, from })
    }

    /// Refuses what has no columns to show.
    ///
    /// # Errors
    /// For a text that is named.
    pub fn check(&self, index: &Index) -> Result<(), ApiError> {
        if self.from == From::Columns && is_match(&self.name, "_source") {
            return Err(shard_failure(
                "illegal_argument_exception",
                "Fielddata is not supported on field [_source] of type [_source]",
            ));
        }
        let is_text = index.mapping().kind(&self.name) == Some(&FieldKind::Text);
        if self.from == From::Columns && is_text {
            return Err(crate::aggregation::no_columns(&self.name, index.name()));
        }
        let has_no_columns = index.mapping().kind(&self.name) == Some(&FieldKind::Unsearchable);
        if self.from == From::Columns && has_no_columns {
            return Err(shard_failure(
                "illegal_argument_exception",
                format!(
                    "Can't load fielddata on [{}] because fielddata is unsupported on fields of type [keyword]. Use doc values instead.",
                    self.name
                ),
            ));
        }
        let is_date = index.mapping().kind(&self.name).is_none_or(|kind| *kind == FieldKind::Date);
        if self.format.is_some() && !is_date {
            return Err(shard_failure(
                "illegal_argument_exception",
                format!("Field [{}] doesn't support formats.", self.name),
            ));
        }
        Ok(())
    }
}

/// The values of a document; empty where it has none of the fields.
pub fn values(index: &Index, document: &Value, patterns: &[FieldPattern]) -> Shown {
    let mapping = index.mapping();
    let mut gathering =
        Gathering { mapping: &mapping, patterns, found: Vec::new(), shown: Shown::default() };
    gathering.gather(document, &mut String::new());
    gathering.sorted()
}

/// A field that is shown, and its values in the order of the document.
struct Found<'a> {
    path: String,
    pattern: &'a FieldPattern,
    values: Vec<(Leaf, Value)>,
}

struct Gathering<'a> {
    mapping: &'a Mapping,
    patterns: &'a [FieldPattern],
    found: Vec<Found<'a>>,
    shown: Shown,
}

impl Gathering<'_> {
    fn gather(&mut self, value: &Value, path: &mut String) {
        match value {
            Value::Object(members) => {
                let length = path.len();
                for (name, value) in members {
                    if length > 0 {
                        path.push('.');
                    }
                    path.push_str(name);
                    self.gather(value, path);
                    path.truncate(length);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.gather(value, path)),
            Value::Null => {}
            value => {
                let Some(field) = self.mapping.field(path) else { return };
                self.take(field, path.clone(), value);
                for (name, subfield) in &field.subfields {
                    self.take(subfield, format!("{path}.{name}"), value);
                }
            }
        }
    }

    fn take(&mut self, field: &MappedField, path: String, value: &Value) {
        // Of several for a field the last counts, and those of `fields` more than columns.
        let fitting = self.patterns.iter().filter(|pattern| is_match(&pattern.name, &path));
        let Some(pattern) = fitting.max_by_key(|pattern| pattern.from == From::Source) else {
            return;
        };
        let is_text = field.kind == FieldKind::Text;
        if pattern.from == From::Columns && is_text {
            return;
        }
        let given = match given(value) {
            Given::Double(number) if pattern.from == From::Source => of_source(field, number),
            given => given,
        };
        let Ok(Some(leaf)) = leaf(field, &given) else {
            if pattern.from == From::Source && field.kind != FieldKind::Unsearchable {
                push(&mut self.shown.ignored, path, value.clone());
            }
            return;
        };
        let shown = shown(field, &leaf, value, pattern);
        match self.found.iter_mut().find(|found| found.path == path) {
            Some(found) => found.values.push((leaf, shown)),
            None => self.found.push(Found { path, pattern, values: vec![(leaf, shown)] }),
        }
    }

    fn sorted(mut self) -> Shown {
        for Found { path, pattern, mut values } in self.found {
            if pattern.from == From::Columns {
                values.sort_by_key(|(leaf, _)| order(leaf));
                if values.iter().all(|(leaf, _)| is_set(leaf)) {
                    values.dedup_by(|(_, one), (_, other)| one == other);
                }
            }
            let values = values.into_iter().map(|(_, shown)| shown).collect();
            self.shown.fields.insert(path, Value::Array(values));
        }
        self.shown
    }
}

/// A number with a fraction or an exponent as Elasticsearch reads it from a source: a `long` in decimal
/// digits, and those of fewer bits only where they are in range with their fraction.
fn of_source(field: &MappedField, number: f64) -> Given<'static> {
    let is_whole = field.kind == FieldKind::Long;
    if is_whole && !field.precision.spans(number) {
        Given::Huge(Cow::Owned(number.to_string()))
    } else if is_whole && field.precision == Precision::Full {
        Given::Text(Cow::Owned(number.to_string()), None)
    } else {
        Given::Double(number)
    }
}

fn push(fields: &mut Map<String, Value>, path: String, value: Value) {
    if let Value::Array(values) = fields.entry(path).or_insert_with(|| Value::Array(Vec::new())) {
        values.push(value);
    }
}

/// A value of a document, which has no arrays or objects any more.
fn given(value: &Value) -> Given<'_> {
    match value {
        Value::String(text) => Given::Text(Cow::Borrowed(text), None),
        Value::Bool(flag) => Given::Boolean(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Given::Long(number),
            (None, _) if number.is_u64() => Given::Beyond(Cow::Owned(number.to_string())),
            (None, Some(number)) => Given::Double(number),
            (None, None) => Given::Huge(Cow::Owned(number.to_string())),
        },
        other => Given::Text(Cow::Owned(other.to_string()), None),
    }
}

/// Where a value stands in a column.
fn order(leaf: &Leaf) -> (u64, Vec<u8>) {
    use tantivy::columnar::MonotonicallyMappableToU64;
    match leaf {
        Leaf::Slice(_) => (0, Vec::new()),
        Leaf::Text(text) => (0, text.as_bytes().to_vec()),
        Leaf::Long(number) => (number.to_u64(), Vec::new()),
        Leaf::Double(number) => (number.to_u64(), Vec::new()),
        Leaf::Boolean(flag) => (u64::from(*flag), Vec::new()),
        Leaf::Date(date) => (date.into_timestamp_nanos().to_u64(), Vec::new()),
        Leaf::Ip(address) => (0, address.octets().to_vec()),
    }
}

/// Whether a column has each value of a document once.
fn is_set(leaf: &Leaf) -> bool {
    matches!(leaf, Leaf::Slice(_) | Leaf::Text(_) | Leaf::Ip(_))
}

/// A value as the field has it.
fn shown(field: &MappedField, leaf: &Leaf, value: &Value, pattern: &FieldPattern) -> Value {
    match leaf {
        Leaf::Slice(_) | Leaf::Text(_) => match value {
            Value::String(text) => json!(text),
            other => json!(other.to_string()),
        },
        Leaf::Long(number) => json!(number),
        #[expect(clippy::cast_possible_truncation, reason = "it has no more digits")]
        Leaf::Double(number) => match (pattern.from, field.precision) {
            (From::Source, Precision::Float) | (_, Precision::Half) => float(*number as f32),
            _ => json!(number),
        },
        Leaf::Boolean(flag) => json!(flag),
        Leaf::Date(date) => {
            let nanoseconds = i128::from(date.into_timestamp_nanos());
            let moment = jiff::Timestamp::from_nanosecond(nanoseconds).unwrap_or_default();
            let usual =
                if field.precision == Precision::Full { Dates::nanos() } else { Dates::default() };
            json!(pattern.format.as_ref().unwrap_or(&usual).print(moment))
        }
        Leaf::Ip(address) => json!(print_address(Ipv6Addr::from(address.octets()))),
    }
}
