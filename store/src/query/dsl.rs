//! From JSON to a [`Query`]: the queries that hold others, and which query is which.

use serde_json::{Map, Value};

use super::leaves;
use super::refusal::{illegal, parsing, token};
use super::strings::{self, Language};
use super::{Bool, Kind, Minimum, Query};
use crate::error::ApiError;

/// As `indices.query.bool.max_nested_depth`.
const MOST_DEPTH: usize = 30;
/// The most queries in a request, those in others included.
pub(super) const MOST_CLAUSES: usize = 4_096;

/// Reads a query.
///
/// # Errors
/// What is wrong with it, in Elasticsearch's words.
pub fn parse(value: &Value) -> Result<Query, ApiError> {
    Parser { clauses: 0, depth: 0 }.query(value)
}

struct Parser {
    clauses: usize,
    depth: usize,
}

impl Parser {
    fn query(&mut self, value: &Value) -> Result<Query, ApiError> {
        let Value::Object(members) = value else {
            return Err(parsing("[_na] query malformed, must start with start_object"));
        };
        let mut members = members.iter();
        let Some((name, body)) = members.next() else {
            return Err(illegal("query malformed, empty clause found"));
        };
        if members.next().is_some() {
            return Err(parsing(format!(
                "[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]"
            )));
        }
        self.clauses += 1;
        if self.clauses > MOST_CLAUSES {
            return Err(illegal(format!("a query has at most {MOST_CLAUSES} clauses here")));
        }
        self.named(name, body)
    }

    fn named(&mut self, name: &str, body: &Value) -> Result<Query, ApiError> {
        let Value::Object(options) = body else {
            return Err(parsing(format!(
                "[{name}] query malformed, no start_object after query name"
            )));
        };
        match name {
            "bool" => self.nested(|parser| parser.boolean(options)),
            "constant_score" => self.nested(|parser| parser.constant(options)),
            "match_all" => leaves::everything(name, options, Kind::MatchAll),
            "match_none" => leaves::everything(name, options, Kind::MatchNone),
            "match" => leaves::matching(options),
            "match_phrase" => leaves::phrase(options),
            "term" => leaves::term(options),
            "terms" => leaves::terms(options),
            "range" => leaves::range(options),
            "exists" => leaves::exists(options),
            "prefix" | "wildcard" => leaves::pattern(name, options),
            "ids" => leaves::ids(options),
            "query_string" => strings::parse(Language::Lucene, options),
            "simple_query_string" => strings::parse(Language::Simple, options),
            other => Err(parsing(format!("unknown query [{other}]"))),
        }
    }

    fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(illegal(format!(
                "The nested depth of the query exceeds the maximum nested depth for queries set in [indices.query.bool.max_nested_depth], which is {MOST_DEPTH}"
            )));
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn boolean(&mut self, options: &Map<String, Value>) -> Result<Query, ApiError> {
        let mut bool = Bool::default();
        let mut boost = 1.0;
        for (key, value) in options {
            match key.as_str() {
                "must" => self.clauses("must", value, &mut bool.must)?,
                "filter" => self.clauses("filter", value, &mut bool.filter)?,
                "should" => self.clauses("should", value, &mut bool.should)?,
                "must_not" => self.clauses("must_not", value, &mut bool.must_not)?,
                "minimum_should_match" => bool.minimum = Some(minimum(value)?),
                "boost" => boost = number("bool", key, value)?,
                other => {
                    return Err(ApiError::new(
                        400,
                        "x_content_parse_exception",
                        format!("[bool] unknown field [{other}]"),
                    ));
                }
            }
        }
        Ok(Query { boost, kind: Kind::Bool(bool) })
    }

    fn clauses(
        &mut self,
        name: &str,
        value: &Value,
        clauses: &mut Vec<Query>,
    ) -> Result<(), ApiError> {
        match value {
            Value::Object(_) => clauses.push(self.query(value)?),
            Value::Array(values) => {
                for value in values {
                    clauses.push(self.query(value)?);
                }
            }
            other => {
                return Err(parsing(format!(
                    "[bool] {name} is an object or an array of objects, not {}",
                    token(other)
                )));
            }
        }
        Ok(())
    }

    fn constant(&mut self, options: &Map<String, Value>) -> Result<Query, ApiError> {
        let mut boost = 1.0;
        let mut filter = None;
        for (key, value) in options {
            match key.as_str() {
                "filter" => filter = Some(self.query(value)?),
                "boost" => boost = number("constant_score", key, value)?,
                other => return Err(unknown("constant_score", other)),
            }
        }
        let filter =
            filter.ok_or_else(|| parsing("[constant_score] requires a 'filter' element"))?;
        Ok(Query { boost, kind: Kind::Constant(Box::new(filter)) })
    }
}

/// A key that a query does not have, or not here.
pub(super) fn unknown(query: &str, key: &str) -> ApiError {
    parsing(format!("[{query}] query does not support [{key}]"))
}

/// A number; those written as text count too.
pub(super) fn number(query: &str, key: &str, value: &Value) -> Result<f32, ApiError> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "scores are not precise")]
    match number {
        Some(number) if number.is_finite() && number >= 0.0 => Ok(number as f32),
        _ => Err(illegal(format!("[{query}] {key} is a number of at least 0, not {value}"))),
    }
}

/// `true`, or `"true"`.
pub(super) fn flag(query: &str, key: &str, value: &Value) -> Result<bool, ApiError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        _ => Err(illegal(format!("[{query}] {key} is true or false, not {value}"))),
    }
}

/// `minimum_should_match`: a number or a percentage, of which negative ones are left out.
pub(super) fn minimum(value: &Value) -> Result<Minimum, ApiError> {
    let read = match value {
        Value::Number(number) => number.as_i64().map(Minimum::Number),
        Value::String(text) => {
            let text = text.trim();
            match text.strip_suffix('%') {
                Some(percent) => percent.parse().ok().map(Minimum::Percent),
                None => text.parse().ok().map(Minimum::Number),
            }
        }
        _ => None,
    };
    read.ok_or_else(|| {
        illegal(format!(
            "minimum_should_match is a number or a percentage, not {value}; combinations are not supported"
        ))
    })
}

/// `and` or `or`.
pub(super) fn is_and(value: &Value) -> Result<bool, ApiError> {
    match value.as_str().map(str::to_ascii_lowercase).as_deref() {
        Some("and") => Ok(true),
        Some("or") => Ok(false),
        _ => Err(illegal(format!("operator is AND or OR, not {value}"))),
    }
}
