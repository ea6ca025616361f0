//! `query_string`, `simple_query_string`, and what stands in a URL as `q`.

use serde_json::{Map, Value};

use super::dsl::{flag, is_and, minimum, number, unknown};
use super::refusal::{illegal, parsing, shard_failure};
use super::words::{Node, Problem};
use super::{Kind, Minimum, Query, lucene, simple};
use crate::error::ApiError;

/// A longer text is no query of a person.
const LONGEST: usize = 32 * 1024;

/// Which language a text is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `query_string`.
    Lucene,
    /// `simple_query_string`.
    Simple,
}

impl Language {
    fn name(self) -> &'static str {
        match self {
            Self::Lucene => "query_string",
            Self::Simple => "simple_query_string",
        }
    }
}

/// A query for people, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct TextQuery {
    /// What it says; `None` when it says nothing.
    pub node: Option<Node>,
    /// The fields it is about where it names none, with what their scores are multiplied with;
    /// empty for all.
    pub fields: Vec<(String, f32)>,
    /// Whether words without operators between them are all meant.
    pub all: bool,
    /// How many of the parts must match.
    pub minimum: Option<Minimum>,
    /// Whether values that do not fit their fields find nothing instead of being refused.
    pub lenient: bool,
    /// Which time zone dates without one are in.
    pub time_zone: Option<String>,
    /// Whether scores of several fields are added, or the best of them counts.
    pub adds: bool,
}

struct Options<'a> {
    text: Option<&'a str>,
    fields: Vec<(String, f32)>,
    all: bool,
    minimum: Option<Minimum>,
    lenient: Option<bool>,
    time_zone: Option<String>,
    boost: f32,
}

/// Reads a query of either language.
pub(super) fn parse(language: Language, options: &Map<String, Value>) -> Result<Query, ApiError> {
    let name = language.name();
    let mut read = Options {
        text: None,
        fields: Vec::new(),
        all: false,
        minimum: None,
        lenient: None,
        time_zone: None,
        boost: 1.0,
    };
    for (key, value) in options {
        match key.as_str() {
            "query" => read.text = value.as_str(),
            "fields" if !value.is_array() => {
                return Err(parsing(format!(
                    "[{name}] query does not support [fields]: it is a list"
                )));
            }
            "fields" => read.fields = fields(name, value)?,
            "default_field" if language == Language::Lucene => read.fields = fields(name, value)?,
            "time_zone" if language == Language::Lucene => {
                read.time_zone = value.as_str().map(str::to_owned);
            }
            "default_operator" => read.all = is_and(value)?,
            "minimum_should_match" => read.minimum = Some(minimum(value)?),
            "lenient" => read.lenient = Some(flag(name, key, value)?),
            "boost" => read.boost = number(name, key, value)?,
            other => return Err(unknown(name, other)),
        }
    }
    read.query(language)
}

/// The query that `q` in a URL is, with `df`, `default_operator` and `lenient` beside it.
///
/// # Errors
/// When the text is no query.
pub fn from_text(
    text: &str,
    default_field: Option<&str>,
    all: bool,
    lenient: Option<bool>,
) -> Result<Query, ApiError> {
    let fields = default_field.map(|field| (field.to_owned(), 1.0)).into_iter().collect();
    let options = Options {
        text: Some(text),
        fields,
        all,
        minimum: None,
        lenient,
        time_zone: None,
        boost: 1.0,
    };
    options.query(Language::Lucene)
}

impl Options<'_> {
    fn query(self, language: Language) -> Result<Query, ApiError> {
        let name = language.name();
        let text = self
            .text
            .ok_or_else(|| parsing(format!("[{name}] must be provided with a [query]")))?;
        if text.len() > LONGEST {
            return Err(illegal(format!("[{name}] takes at most {LONGEST} bytes of text here")));
        }
        let node = match language {
            Language::Lucene => lucene::parse(text, self.all),
            Language::Simple => simple::parse(text, self.all),
        };
        let node = node.map_err(|problem| match problem {
            Problem::Syntax => {
                shard_failure("query_shard_exception", format!("Failed to parse query [{text}]"))
            }
            Problem::Unsupported(what) => illegal(format!("[{name}] {what}: [{text}]")),
        })?;
        let is_all = self.fields.iter().all(|(field, _)| field == "*");
        let fields = if is_all { Vec::new() } else { self.fields };
        let lenient = self.lenient.unwrap_or(is_all);
        let query = TextQuery {
            node,
            lenient,
            fields,
            all: self.all,
            minimum: self.minimum,
            time_zone: self.time_zone,
            adds: language == Language::Simple,
        };
        Ok(Query { boost: self.boost, kind: Kind::Text(Box::new(query)) })
    }
}

/// Names of fields, with boosts as in `title^3`.
fn fields(name: &str, value: &Value) -> Result<Vec<(String, f32)>, ApiError> {
    let one = |value: &Value| {
        let text = value
            .as_str()
            .ok_or_else(|| parsing(format!("[{name}] a field is text, not {value}")))?;
        Ok(match text.split_once('^') {
            Some((field, boost)) => {
                let boost = boost.parse().ok().filter(|boost: &f32| boost.is_finite());
                let boost = boost.ok_or_else(|| {
                    illegal(format!("[{name}] the boost in [{text}] is no number"))
                })?;
                (field.to_owned(), boost)
            }
            None => (text.to_owned(), 1.0),
        })
    };
    match value {
        Value::Array(values) => values.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}
