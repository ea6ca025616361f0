//! Values beside a hit: `fields` and `docvalue_fields`, read from the document as it came.

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::index::Index;
use crate::mapping::{FieldKind, is_match};
use crate::query::{Dates, Rounding, Viewpoint, illegal, parsing};

/// The most fields in one request.
const MOST: usize = 100;

/// Fields whose values are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPattern {
    name: String,
    format: Option<Dates>,
}

impl FieldPattern {
    /// Reads a list of names or objects.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(values: &[Value], patterns: &mut Vec<Self>) -> Result<(), ApiError> {
        for value in values {
            patterns.push(match value {
                Value::String(name) => Self { name: name.clone(), format: None },
                Value::Object(members) => Self::object(members)?,
                other => return Err(parsing(format!("a field is text or an object, not {other}"))),
            });
        }
        if patterns.len() > MOST {
            return Err(illegal(format!("a search shows at most {MOST} fields here")));
        }
        Ok(())
    }

    fn object(members: &Map<String, Value>) -> Result<Self, ApiError> {
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
        Ok(Self { name, format })
    }
}

/// The values of a document; empty where it has none of the fields.
pub fn values(index: &Index, document: &Value, patterns: &[FieldPattern]) -> Map<String, Value> {
    let mut found = Map::new();
    gather(index, document, (patterns, &mut String::new()), &mut found);
    found
}

fn gather(
    index: &Index,
    value: &Value,
    (patterns, path): (&[FieldPattern], &mut String),
    found: &mut Map<String, Value>,
) {
    match value {
        Value::Object(members) => {
            let length = path.len();
            for (name, value) in members {
                if length > 0 {
                    path.push('.');
                }
                path.push_str(name);
                gather(index, value, (patterns, path), found);
                path.truncate(length);
            }
        }
        Value::Array(values) => {
            for value in values {
                gather(index, value, (patterns, path), found);
            }
        }
        Value::Null => {}
        value => {
            let Some(pattern) = patterns.iter().find(|pattern| is_match(&pattern.name, path))
            else {
                return;
            };
            let Some(kind) = index.mapping().kind(path).cloned() else { return };
            let shown = shown(&kind, value, pattern.format.as_ref());
            if let Value::Array(values) =
                found.entry(path.clone()).or_insert_with(|| Value::Array(Vec::new()))
            {
                values.push(shown);
            }
        }
    }
}

/// A value as the field has it.
fn shown(kind: &FieldKind, value: &Value, format: Option<&Dates>) -> Value {
    let text = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match kind {
        FieldKind::Date => {
            let view = Viewpoint::default();
            let usual = Dates::default();
            let read = usual.read(&text(), &view, Rounding::Down);
            read.map_or(Value::Null, |moment| json!(format.unwrap_or(&usual).print(moment)))
        }
        FieldKind::Long => {
            text().parse::<i64>().map_or_else(|_| value.clone(), |number| json!(number))
        }
        FieldKind::Double => {
            text().parse::<f64>().map_or_else(|_| value.clone(), |number| json!(number))
        }
        FieldKind::Boolean => json!(text() == "true"),
        FieldKind::Keyword { .. } | FieldKind::Text | FieldKind::Ip => json!(text()),
        FieldKind::Unsearchable => value.clone(),
    }
}
