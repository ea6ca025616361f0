//! What hits are sorted by.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::query::{Dates, illegal, parsing};

/// The most fields that one search sorts by.
const MOST_FIELDS: usize = 16;

/// One of the things that hits are sorted by.
#[derive(Debug, Clone, PartialEq)]
pub struct SortField {
    /// What hits are sorted by.
    pub by: By,
    /// Whether the largest is first.
    pub is_descending: bool,
    /// Where documents without a value are.
    pub missing: Missing,
    /// How dates are printed.
    pub format: Option<Dates>,
    /// What a field is where it is not mapped.
    pub unmapped_type: Option<String>,
}

/// What hits are sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// How well they match.
    Score,
    /// As they are stored, in each index.
    Document,
    /// As they are stored, one index after another.
    ShardDocument,
    /// A field's smallest value, or its largest where the largest is first.
    Field(String),
}

/// Where documents without a value are.
#[derive(Debug, Clone, PartialEq)]
pub enum Missing {
    /// Before all others.
    First,
    /// After them.
    Last,
    /// As if they had this value.
    Value(Value),
}

impl SortField {
    /// What decides where all else is equal.
    pub fn tiebreak() -> Self {
        Self::new("_shard_doc")
    }

    fn new(name: &str) -> Self {
        let by = match name {
            "_score" => By::Score,
            "_doc" => By::Document,
            "_shard_doc" => By::ShardDocument,
            field => By::Field(field.to_owned()),
        };
        let is_descending = by == By::Score;
        Self { by, is_descending, missing: Missing::Last, format: None, unmapped_type: None }
    }
}

/// Reads `sort` of a body.
///
/// # Errors
/// What is wrong with it.
pub fn parse(value: &Value) -> Result<Vec<SortField>, ApiError> {
    let fields = match value {
        Value::Array(values) => {
            let mut fields = Vec::with_capacity(values.len());
            for value in values {
                one(value, &mut fields)?;
            }
            fields
        }
        value => {
            let mut fields = Vec::new();
            one(value, &mut fields)?;
            fields
        }
    };
    if fields.len() > MOST_FIELDS {
        return Err(illegal(format!("hits are sorted by at most {MOST_FIELDS} fields here")));
    }
    Ok(fields)
}

/// Reads `sort` of a URL: `field:desc,other`.
///
/// # Errors
/// What is wrong with it.
pub fn from_text(text: &str) -> Result<Vec<SortField>, ApiError> {
    let one = |text: &str| {
        let Some((name, direction)) = text.rsplit_once(':') else {
            return Ok(SortField::new(text));
        };
        // Elasticsearch leaves out a field with another direction.
        match direction {
            "asc" | "desc" => {
                let is_descending = direction == "desc";
                Ok(SortField { is_descending, ..SortField::new(name) })
            }
            other => Err(illegal(format!("[{other}] is no direction to sort by: asc or desc"))),
        }
    };
    text.split(',').filter(|text| !text.is_empty()).map(one).collect()
}

fn one(value: &Value, fields: &mut Vec<SortField>) -> Result<(), ApiError> {
    match value {
        Value::String(name) => fields.push(SortField::new(name)),
        Value::Object(members) => {
            for (name, options) in members {
                let mut field = SortField::new(name);
                match options {
                    Value::String(_) => field.is_descending = is_descending(options)?,
                    Value::Object(options) => refine(&mut field, options)?,
                    other => return Err(malformed(other)),
                }
                fields.push(field);
            }
        }
        other => return Err(malformed(other)),
    }
    Ok(())
}

fn malformed(_: &Value) -> ApiError {
    illegal(
        "malformed sort format, within the sort array, an object, or an actual string are allowed",
    )
}

fn is_descending(value: &Value) -> Result<bool, ApiError> {
    match value.as_str().map(str::to_ascii_lowercase).as_deref() {
        Some("asc") => Ok(false),
        Some("desc") => Ok(true),
        _ => Err(ApiError::new(
            400,
            "x_content_parse_exception",
            "[field_sort] failed to parse field [order]",
        )),
    }
}

fn refine(field: &mut SortField, options: &Map<String, Value>) -> Result<(), ApiError> {
    // What decides which mode is the usual one.
    if let Some(order) = options.get("order") {
        field.is_descending = is_descending(order)?;
    }
    for (key, value) in options {
        let text = || {
            value
                .as_str()
                .ok_or_else(|| illegal(format!("[field_sort] {key} is text, not {value}")))
        };
        match key.as_str() {
            "order" => {}
            "missing" => {
                field.missing = match value.as_str() {
                    Some("_first") => Missing::First,
                    Some("_last") => Missing::Last,
                    _ => Missing::Value(value.clone()),
                }
            }
            "unmapped_type" => field.unmapped_type = Some(text()?.to_owned()),
            "format" => field.format = Some(Dates::parse(text()?).map_err(illegal)?),
            "mode" => {
                let usual = if field.is_descending { "max" } else { "min" };
                if text()? != usual {
                    return Err(illegal(format!(
                        "[field_sort] mode [{}] is not supported here for this order, only [{usual}]",
                        text()?
                    )));
                }
            }
            other => return Err(parsing(format!("[field_sort] unknown field [{other}]"))),
        }
    }
    Ok(())
}
