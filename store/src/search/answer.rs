//! What a search is answered with.
//!
//! Documents stand in it as they came, without being read once more, unless only a part of them is
//! wanted.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The answer to a search.
#[derive(Debug, Serialize)]
pub struct SearchAnswer {
    /// The name under which a scroll goes on.
    #[serde(rename = "_scroll_id", skip_serializing_if = "Option::is_none")]
    pub scroll_id: Option<String>,
    /// The name of the point in time that was searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pit_id: Option<String>,
    /// How long the search took, in milliseconds.
    pub took: u64,
    /// Whether it is not complete.
    pub timed_out: bool,
    /// As if each index were one.
    #[serde(rename = "_shards")]
    pub shards: Shards,
    /// The hits.
    pub hits: Hits,
    /// What was computed over them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregations: Option<Value>,
}

/// How many indices answered.
#[derive(Debug, Serialize)]
pub struct Shards {
    /// How many indices were searched.
    pub total: usize,
    /// Those that answered.
    pub successful: usize,
    /// Always 0: no index is skipped.
    pub skipped: usize,
    /// Always 0: a failure fails the search.
    pub failed: usize,
}

impl Shards {
    /// All of `total` indices answered.
    pub fn all(total: usize) -> Self {
        Self { total, successful: total, skipped: 0, failed: 0 }
    }
}

/// Hits, and how many there are.
#[derive(Debug, Serialize)]
pub struct Hits {
    /// How many there are, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Total>,
    /// The best score.
    pub max_score: Value,
    /// Those that are shown.
    pub hits: Vec<Hit>,
}

/// How many hits there are.
#[derive(Debug, Serialize)]
pub struct Total {
    /// How many hits were counted.
    pub value: u64,
    /// `eq`, or `gte` where there are more.
    pub relation: &'static str,
}

impl Hit {
    /// How large it is, nearly.
    pub fn bytes(&self) -> usize {
        let fields = self.fields.iter().map(|(name, value)| name.len() + size(value));
        self.source.as_ref().map_or(0, |source| source.get().len()) + fields.sum::<usize>()
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + size(value)).sum()
        }
        _ => 8,
    }
}

/// A document that was found.
#[derive(Debug, Serialize)]
pub struct Hit {
    /// Its index.
    #[serde(rename = "_index")]
    pub index: String,
    /// Its id.
    #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How well it matches.
    #[serde(rename = "_score")]
    pub score: Value,
    /// The fields of which it has values that are not indexed.
    #[serde(rename = "_ignored", skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// The document, or what was wanted of it.
    #[serde(rename = "_source", skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<RawValue>>,
    /// Values that were wanted beside.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// Values that were wanted beside, and that are not what their fields are.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub ignored_field_values: Map<String, Value>,
    /// What it is sorted by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sort: Vec<Value>,
}
