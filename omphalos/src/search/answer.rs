//! What comes back from a search: documents in their order, figures, and how much of all that is about.

use omphalos_parser::without_halves;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// A document that was found.
#[derive(Debug, Deserialize)]
pub struct Hit {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: String,
    /// Itself, as it is; nothing where it was not asked for.
    #[serde(rename = "_source", default)]
    source: Option<Box<RawValue>>,
    /// Its place in the order.
    sort: Place,
}

impl Hit {
    /// The document's JSON, as it is.
    pub fn json(&self) -> &str {
        self.source.as_ref().map_or("null", |source| source.get())
    }

    /// Its place in the order, to go on behind it.
    pub fn place(&self) -> Value {
        Value::from(self.sort.values.clone())
    }

    /// The document.
    pub fn document(&self) -> Value {
        whatever(self.json())
    }

    /// When it happened, in milliseconds since 1970; `None` where it does not say.
    pub fn millis(&self) -> Option<i64> {
        self.sort.millis
    }
}

/// What documents are ordered by. It begins with the time; an answer in which it does not is no
/// answer to what was asked.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<Value>")]
struct Place {
    /// `None` for a document without a time.
    millis: Option<i64>,
    /// The time, and what else, to go on behind this document.
    values: Vec<Value>,
}

impl TryFrom<Vec<Value>> for Place {
    type Error = String;

    fn try_from(values: Vec<Value>) -> Result<Self, String> {
        let millis = match values.first() {
            Some(Value::Null) => None,
            time => Some(time.and_then(millis_of).ok_or_else(|| {
                format!(
                    "the place of a document in the order is {values:?}, expected its time first"
                )
            })?),
        };
        Ok(Self { millis, values })
    }
}

/// Milliseconds since 1970; a store may write them with a decimal point.
pub(super) fn millis_of(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit")]
    let whole = |millis: f64| millis as i64;
    value.as_i64().or_else(|| value.as_f64().map(whole))
}

#[derive(Deserialize)]
pub(super) struct Answer {
    pub hits: Hits,
    #[serde(default)]
    pub aggregations: Value,
    pub timed_out: bool,
    #[serde(rename = "_shards")]
    pub shards: Shards,
}

/// Some of the documents that were found, in their order.
pub struct Part {
    /// Themselves.
    pub hits: Vec<Hit>,
    /// How many there are in all; told at the beginning only.
    pub total: Option<u64>,
    /// Whether none follow.
    pub is_last: bool,
}

/// How much of what was asked for an answer is about. Every answer to a search says it.
#[derive(Deserialize)]
pub(super) struct Reach {
    pub timed_out: bool,
    #[serde(rename = "_shards")]
    pub shards: Shards,
}

#[derive(Deserialize)]
pub(super) struct Shards {
    total: u64,
    successful: u64,
    failed: u64,
    #[serde(default)]
    failures: Vec<Value>,
}

/// Why an answer is not about all documents; `None` where it is.
pub(super) fn not_all(timed_out: bool, shards: &Shards) -> Option<String> {
    let Shards { total, successful, failed, failures } = shards;
    let missing = total.saturating_sub(*successful).max(*failed);
    if missing > 0 {
        let failure = failures.first();
        let of = |path: &str| failure.and_then(|it| it.pointer(path)).and_then(Value::as_str);
        let reason = of("/reason/reason").or_else(|| of("/reason/type"));
        let reason = reason.unwrap_or("it does not say why");
        return Some(format!("{missing} of {total} shards did not answer ({reason})"));
    }
    timed_out.then(|| "the search took longer than it may".to_owned())
}

#[derive(Deserialize)]
pub(super) struct Hits {
    pub total: Option<Total>,
    pub hits: Vec<Hit>,
}

#[derive(Deserialize)]
pub(super) struct Total {
    pub value: u64,
}

/// A document, whatever is in it: Elasticsearch takes and gives back halves of characters beyond the
/// basic plane (lone surrogates), which JSON may have and text must not. They are shown as U+FFFD.
fn whatever(raw: &str) -> Value {
    let value = serde_json::from_str(raw);
    value
        .or_else(|_| serde_json::from_str(&without_halves(raw)))
        .unwrap_or_else(|_| json!({ "message": raw }))
}

/// Why this answer to that request is not about all documents; `None` where it is.
///
/// # Errors
/// What is no answer to the request: nothing in it would be read as "nothing is there".
pub(super) fn gap(body: &Value, answer: &Value) -> Result<Option<String>, String> {
    // Read by value, serde would take a list for a struct.
    if !answer.is_object() {
        return Err("expected an object".to_owned());
    }
    let reach = Reach::deserialize(answer).map_err(|error| error.to_string())?;
    let has = |path: &str, is_so: fn(&Value) -> bool| answer.pointer(path).is_some_and(is_so);
    if !has("/hits/hits", Value::is_array) {
        return Err("expected a list at hits.hits".to_owned());
    }
    if body["track_total_hits"] == true && !has("/hits/total/value", Value::is_u64) {
        return Err("expected a number at hits.total.value".to_owned());
    }
    // Where there is no index, nothing is aggregated.
    let asked = body["aggs"].as_object().filter(|_| reach.shards.total > 0);
    for name in asked.into_iter().flat_map(Map::keys) {
        if !answer.pointer("/aggregations").is_some_and(|found| found[name].is_object()) {
            return Err(format!("expected an object at aggregations.{name}"));
        }
    }
    Ok(not_all(reach.timed_out, &reach.shards))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_characters_do_not_end_a_search() {
        let hit = |source: &str| {
            let text = format!(r#"{{"_id":"1","_source":{source},"sort":[1]}}"#);
            serde_json::from_str::<Hit>(&text).unwrap().document()
        };
        assert_eq!(
            hit(r#"{"a":"x\ud83dy","b":"\ud83d\ude00","c":"\\ud83d","d\udc00":1}"#),
            json!({
                "a": "x\u{fffd}y", "b": "😀", "c": "\\ud83d", "d\u{fffd}": 1
            })
        );
        assert_eq!(hit("null"), Value::Null);
        assert_eq!(hit("1e999"), json!({ "message": "1e999" }));
    }

    /// The kind of fault: what is no answer is read as "nothing is there".
    #[test]
    fn an_answer_is_about_all_documents_or_says_why_not() {
        let asked = json!({ "track_total_hits": true, "aggs": { "a": {} } });
        let whole = json!({
            "timed_out": false, "_shards": { "total": 2, "successful": 2, "failed": 0 },
            "hits": { "total": { "value": 0 }, "hits": [] }, "aggregations": { "a": {} }
        });
        let with = |path: &str, value: Value| {
            let mut answer = whole.clone();
            *answer.pointer_mut(path).unwrap() = value;
            gap(&asked, &answer)
        };
        assert_eq!(gap(&asked, &whole), Ok(None));
        for nonsense in [json!([]), json!([[], {}]), json!(null), json!({}), json!("x"), json!(0)] {
            assert!(gap(&asked, &nonsense).is_err(), "{nonsense}");
        }
        for path in [
            "/timed_out",
            "/_shards",
            "/_shards/failed",
            "/hits/hits",
            "/hits/total/value",
            "/aggregations",
            "/aggregations/a",
        ] {
            assert!(with(path, json!(null)).is_err(), "{path}");
        }
        assert!(with("/timed_out", json!(true)).unwrap().unwrap().contains("longer"));
        let failed = json!({
            "total": 2, "successful": 1, "failed": 1,
            "failures": [{ "reason": { "type": "no copy", "reason": null } }]
        });
        let said = with("/_shards", failed).unwrap().unwrap();
        assert_eq!(said, "1 of 2 shards did not answer (no copy)");
        let absent = with("/_shards", json!({ "total": 2, "successful": 1, "failed": 0 })).unwrap();
        assert_eq!(absent.unwrap(), "1 of 2 shards did not answer (it does not say why)");
        let without_indices = json!({
            "timed_out": false, "_shards": { "total": 0, "successful": 0, "failed": 0 },
            "hits": { "total": { "value": 0 }, "hits": [] }
        });
        assert_eq!(gap(&asked, &without_indices), Ok(None));
    }

    fn millis(hit: &str) -> Result<Option<i64>, String> {
        let hit: Result<Hit, _> = serde_json::from_str(hit);
        hit.map(|hit| hit.millis()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_document_whose_place_in_the_order_is_no_time_is_no_answer() {
        assert_eq!(millis(r#"{"_id":"a","sort":[5,null]}"#), Ok(Some(5)));
        assert_eq!(millis(r#"{"_id":"a","sort":[5.0]}"#), Ok(Some(5)));
        assert_eq!(millis(r#"{"_id":"a","sort":[null]}"#), Ok(None), "it has no time");
        for hit in [r#"{"_id":"a"}"#, r#"{"_id":"a","sort":[]}"#, r#"{"_id":"a","sort":["x"]}"#] {
            assert!(
                millis(hit).unwrap_err().contains("sort")
                    || millis(hit).unwrap_err().contains("expected its time first"),
                "{hit}"
            );
        }
    }
}
