//! From JSON to a [`Query`]: the queries that look at a field.

use serde_json::{Map, Value};

use super::dsl::{flag, is_and, minimum, number, unknown};
use super::refusal::{illegal, parsing};
use super::{Edge, Kind, Match, Pattern, Phrase, Query, Range, Term};
use crate::error::ApiError;

/// As `index.max_terms_count`.
const MOST_TERMS: usize = 65_536;

type Options = Map<String, Value>;

/// `match_all` and `match_none`.
pub(super) fn everything(name: &str, options: &Options, kind: Kind) -> Result<Query, ApiError> {
    let mut boost = 1.0;
    for (key, value) in options {
        match key.as_str() {
            "boost" => boost = number(name, key, value)?,
            other => return Err(unknown(name, other)),
        }
    }
    Ok(Query { boost, kind })
}

/// The one field that a query names, and what it says of it.
fn one_field<'a>(name: &str, options: &'a Options) -> Result<(&'a str, &'a Value), ApiError> {
    let mut fields = options.iter();
    let Some((field, value)) = fields.next() else {
        return Err(illegal("field name is null or empty"));
    };
    if let Some((second, _)) = fields.next() {
        return Err(parsing(format!(
            "[{name}] query doesn't support multiple fields, found [{field}] and [{second}]"
        )));
    }
    if matches!(value, Value::Array(_)) {
        return Err(parsing(format!("[{name}] query does not support array of values")));
    }
    Ok((field, value))
}

fn present(value: Option<&Value>) -> Result<Value, ApiError> {
    match value {
        None | Some(Value::Null) => Err(illegal("value cannot be null")),
        Some(value @ (Value::Array(_) | Value::Object(_))) => {
            Err(illegal(format!("a value is text, a number or a boolean, not {value}")))
        }
        Some(value) => Ok(value.clone()),
    }
}

pub(super) fn matching(options: &Options) -> Result<Query, ApiError> {
    let (field, body) = one_field("match", options)?;
    let mut boost = 1.0;
    let mut query = Match {
        field: field.to_owned(),
        value: Value::Null,
        all: false,
        minimum: None,
        lenient: false,
    };
    let Value::Object(options) = body else {
        query.value = present(Some(body))?;
        return Ok(Query { boost, kind: Kind::Match(query) });
    };
    for (key, value) in options {
        match key.as_str() {
            "query" => query.value = value.clone(),
            "operator" => query.all = is_and(value)?,
            "minimum_should_match" => query.minimum = Some(minimum(value)?),
            "lenient" => query.lenient = flag("match", key, value)?,
            "boost" => boost = number("match", key, value)?,
            other => return Err(unknown("match", other)),
        }
    }
    query.value = present(Some(&query.value))?;
    Ok(Query { boost, kind: Kind::Match(query) })
}

pub(super) fn phrase(options: &Options) -> Result<Query, ApiError> {
    let (field, body) = one_field("match_phrase", options)?;
    let mut boost = 1.0;
    let mut query = Phrase { field: field.to_owned(), value: Value::Null, slop: 0, lenient: false };
    let Value::Object(options) = body else {
        query.value = present(Some(body))?;
        return Ok(Query { boost, kind: Kind::Phrase(query) });
    };
    for (key, value) in options {
        match key.as_str() {
            "query" => query.value = value.clone(),
            "slop" => {
                let slop = value.as_u64().and_then(|slop| u32::try_from(slop).ok());
                query.slop =
                    slop.ok_or_else(|| illegal(format!("[match_phrase] slop is not {value}")))?;
            }
            "boost" => boost = number("match_phrase", key, value)?,
            other => return Err(unknown("match_phrase", other)),
        }
    }
    query.value = present(Some(&query.value))?;
    Ok(Query { boost, kind: Kind::Phrase(query) })
}

pub(super) fn term(options: &Options) -> Result<Query, ApiError> {
    let (field, body) = one_field("term", options)?;
    let mut boost = 1.0;
    let mut ignore_case = false;
    let value = if let Value::Object(options) = body {
        for (key, value) in options {
            match key.as_str() {
                "value" => {}
                "case_insensitive" => ignore_case = flag("term", key, value)?,
                "boost" => boost = number("term", key, value)?,
                other => return Err(unknown("term", other)),
            }
        }
        present(options.get("value"))?
    } else {
        present(Some(body))?
    };
    Ok(Query { boost, kind: Kind::Term(Term { field: field.to_owned(), value, ignore_case }) })
}

pub(super) fn terms(options: &Options) -> Result<Query, ApiError> {
    let mut boost = 1.0;
    let mut found: Option<(&str, &Vec<Value>)> = None;
    for (key, value) in options {
        match value {
            Value::Array(_) if found.is_some() => {
                return Err(parsing("[terms] query does not support multiple fields"));
            }
            Value::Array(values) => found = Some((key, values)),
            _ if key == "boost" => boost = number("terms", key, value)?,
            _ => return Err(unknown("terms", key)),
        }
    }
    let Some((field, values)) = found else {
        return Err(parsing("[terms] query requires a field name, followed by array of terms"));
    };
    if values.len() > MOST_TERMS {
        return Err(illegal(format!(
            "The number of terms [{}] used in the Terms Query request has exceeded the allowed maximum of [{MOST_TERMS}].",
            values.len()
        )));
    }
    let values: Result<Vec<Value>, ApiError> =
        values.iter().map(|value| present(Some(value))).collect();
    Ok(Query { boost, kind: Kind::Terms(field.to_owned(), values?) })
}

pub(super) fn range(options: &Options) -> Result<Query, ApiError> {
    let (field, body) = one_field("range", options)?;
    let Value::Object(options) = body else {
        return Err(parsing("[range] query malformed, no start_object after field name"));
    };
    let mut boost = 1.0;
    let mut query = Range { field: field.to_owned(), ..Range::default() };
    let edge = |value: &Value, included: bool| -> Result<Option<Edge>, ApiError> {
        if value.is_null() {
            return Ok(None);
        }
        Ok(Some(Edge { value: present(Some(value))?, included }))
    };
    let text = |key: &str, value: &Value| {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| illegal(format!("[range] {key} is text, not {value}")))
    };
    for (key, value) in options {
        match key.as_str() {
            "gt" => query.from = edge(value, false)?,
            "gte" => query.from = edge(value, true)?,
            "lt" => query.to = edge(value, false)?,
            "lte" => query.to = edge(value, true)?,
            "format" => query.format = Some(text(key, value)?),
            "time_zone" => query.time_zone = Some(text(key, value)?),
            "boost" => boost = number("range", key, value)?,
            other => return Err(unknown("range", other)),
        }
    }
    Ok(Query { boost, kind: Kind::Range(query) })
}

pub(super) fn exists(options: &Options) -> Result<Query, ApiError> {
    let mut boost = 1.0;
    let mut field = None;
    for (key, value) in options {
        match key.as_str() {
            "field" => field = value.as_str(),
            "boost" => boost = number("exists", key, value)?,
            other => return Err(unknown("exists", other)),
        }
    }
    let field = field.ok_or_else(|| parsing("[exists] must be provided with a [field]"))?;
    Ok(Query { boost, kind: Kind::Exists(field.to_owned()) })
}

pub(super) fn pattern(name: &str, options: &Options) -> Result<Query, ApiError> {
    let (field, body) = one_field(name, options)?;
    let mut boost = 1.0;
    let mut ignore_case = false;
    let mut text = body.as_str();
    if let Value::Object(options) = body {
        for (key, value) in options {
            match key.as_str() {
                "value" => text = value.as_str(),
                "wildcard" if name == "wildcard" => text = value.as_str(),
                "case_insensitive" => ignore_case = flag(name, key, value)?,
                "boost" => boost = number(name, key, value)?,
                other => return Err(unknown(name, other)),
            }
        }
    }
    let text = text.ok_or_else(|| illegal("value cannot be null"))?.to_owned();
    let is_prefix = name == "prefix";
    let kind = Kind::Pattern(Pattern { field: field.to_owned(), text, is_prefix, ignore_case });
    Ok(Query { boost, kind })
}

pub(super) fn ids(options: &Options) -> Result<Query, ApiError> {
    let mut boost = 1.0;
    let mut ids = None;
    let one = |value: &Value| match value {
        Value::String(id) => Ok(id.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        other => Err(illegal(format!("[ids] an id is text, not {other}"))),
    };
    for (key, value) in options {
        match (key.as_str(), value) {
            ("values", Value::Array(values)) if values.len() > MOST_TERMS => {
                return Err(illegal(format!("[ids] takes at most {MOST_TERMS} ids")));
            }
            ("values", Value::Array(values)) => {
                ids = Some(values.iter().map(one).collect::<Result<Vec<_>, _>>()?);
            }
            ("values", Value::String(id)) => ids = Some(vec![id.clone()]),
            ("values", other) => {
                return Err(parsing(format!("[ids] values are text, or a list, not {other}")));
            }
            ("boost", value) => boost = number("ids", key, value)?,
            (other, _) => return Err(unknown("ids", other)),
        }
    }
    let ids = ids.ok_or_else(|| parsing("[ids] requires providing a values parameter"))?;
    Ok(Query { boost, kind: Kind::Ids(ids) })
}
