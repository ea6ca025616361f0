//! The second form of a document that does not fit its index's mapping: who wrote it and when as
//! fields, everything as text. It is searchable and complete, where a dead letter is neither.

use std::borrow::Cow;

use jiff::Timestamp;
use omphalos_common::clock::now_seconds;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::bulk::Placed;
use crate::elasticsearch::Problem;

/// The tag of documents that have their fields as text.
const MAPPING_CONFLICT: &str = "mapping_conflict";
/// The tag of documents whose time is not their own.
const TIME_ASSUMED: &str = "time_assumed";

/// Errors that say that a document and a mapping do not fit, on Elasticsearch and OpenSearch.
/// Not among them is `strict_dynamic_mapping_exception`: whoever makes a mapping strict wants to have
/// such documents refused.
const OF_THE_MAPPING: [&str; 3] = [
    "document_parsing_exception",
    "mapper_parsing_exception",
    // Of the mapping where it comes with an item: the limit of fields, an object for a value.
    "illegal_argument_exception",
];

/// What is kept as fields, where it has the form that the template fixes.
#[derive(Deserialize, Default)]
struct Found<'a> {
    #[serde(rename = "@timestamp", borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    host: Option<&'a RawValue>,
    #[serde(borrow)]
    log: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    tags: Option<&'a RawValue>,
}

#[derive(Deserialize, Serialize)]
struct Host<'a> {
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Serialize)]
struct Log<'a> {
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    level: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    #[serde(default, deserialize_with = "lenient_object", skip_serializing_if = "Option::is_none")]
    file: Option<File<'a>>,
}

#[derive(Deserialize, Serialize)]
struct File<'a> {
    path: Cow<'a, str>,
}

#[derive(Deserialize, Serialize)]
struct Event<'a> {
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    dataset: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    original: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Reason<'a> {
    message: &'a str,
}

#[derive(Serialize)]
struct SecondForm<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Cow<'a, RawValue>,
    message: &'a str,
    tags: Vec<Cow<'a, str>>,
    error: Reason<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Event<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Host<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Log<'a>>,
}

/// The second form of a document that was refused because of `problem`: one line of JSON. `None`
/// when another form cannot help: it has been tried, the mapping is not to blame, or it is no JSON
/// object.
pub fn second_form(refused: &Placed<'_>, problem: &Problem) -> Option<Vec<u8>> {
    if refused.original.is_some() || !OF_THE_MAPPING.contains(&problem.kind.as_str()) {
        return None;
    }
    let message = std::str::from_utf8(&refused.body).ok()?;
    let whole: &RawValue = serde_json::from_str(message).ok()?;
    // A member that is there twice is reason enough for a refusal: then nothing is known by name.
    let found: Found<'_> = serde_json::from_str(whole.get()).unwrap_or_default();
    let mut tags = found.tags.and_then(typed::<Vec<Cow<'_, str>>>).unwrap_or_default();
    tags.push(MAPPING_CONFLICT.into());
    let is_time_refused = problem.reason.contains("[@timestamp]");
    let timestamp = if let Some(own) = found.timestamp.filter(|_| !is_time_refused) {
        Cow::Borrowed(own)
    } else {
        tags.push(TIME_ASSUMED.into());
        let seconds = refused.filing.made_at.unwrap_or_else(now_seconds);
        let time = Timestamp::from_second(seconds).ok()?;
        Cow::Owned(serde_json::value::to_raw_value(&time.to_string()).ok()?)
    };
    let form = SecondForm {
        timestamp,
        message,
        tags,
        error: Reason { message: &problem.reason },
        event: found.event.and_then(object),
        host: found.host.and_then(object),
        log: found.log.and_then(object),
    };
    serde_json::to_vec(&form).ok()
}

/// The same of a member of a member: another one that is odd does not take it along.
fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de>>(json: D) -> Result<Option<T>, D::Error> {
    <&RawValue>::deserialize(json).map(typed)
}

/// The same of an object.
fn lenient_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    json: D,
) -> Result<Option<T>, D::Error> {
    <&RawValue>::deserialize(json).map(object)
}

/// An object in the form that the template fixes. A struct would take an array for the list of its
/// members, and give them values that nobody wrote.
fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    if raw.get().starts_with('{') { typed(raw) } else { None }
}

/// A member in the form that the template fixes; `None` when it has another.
fn typed<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::collector::Filing;

    fn form(document: &str, kind: &str, reason: &str) -> Option<Value> {
        let filing = Filing {
            index: Arc::from("i"),
            dataset: Arc::from("d"),
            day: None,
            made_at: Some(1_700_000_000),
        };
        let body = Bytes::copy_from_slice(document.as_bytes());
        let placed = Placed { delivery: 1, filing: &filing, id: "x", body, original: None };
        let problem = Problem { status: 400, kind: kind.to_owned(), reason: reason.to_owned() };
        let text = second_form(&placed, &problem)?;
        assert!(!text.contains(&b'\n'));
        Some(serde_json::from_slice(&text).unwrap())
    }

    const KIND: &str = "document_parsing_exception";

    #[test]
    fn the_frame_stays_and_all_the_rest_is_text() {
        let document = r#"{"@timestamp":"2026-11-28T10:00:00Z","tags":["a"],"event":{"dataset":"json","module":3},"host":{"name":"web1","id":"h"},"log":{"offset":7,"file":{"path":"/a.log"},"level":"info"},"n":1e400,"n":{"x":2}}"#;
        assert_eq!(
            form(document, KIND, "why").unwrap(),
            json!({
                "@timestamp": "2026-11-28T10:00:00Z",
                "message": document,
                "tags": ["a", "mapping_conflict"],
                "error": { "message": "why" },
                "event": { "dataset": "json" },
                "host": { "name": "web1", "id": "h" },
                "log": { "level": "info", "offset": 7, "file": { "path": "/a.log" } }
            })
        );
    }

    #[test]
    fn what_of_the_frame_has_another_form_is_text_only() {
        let document = r#"{"event":"login","host":["a"],"log":{"file":{"path":"/a"},"offset":3,"level":["odd"]},"tags":"t","@timestamp":"soon"}"#;
        let found = form(document, KIND, "failed to parse field [@timestamp] of type [date]");
        assert_eq!(
            found.unwrap(),
            json!({
                "@timestamp": "2023-11-14T22:13:20Z",
                "message": document,
                "tags": ["mapping_conflict", "time_assumed"],
                "error": { "message": "failed to parse field [@timestamp] of type [date]" },
                "log": { "offset": 3, "file": { "path": "/a" } }
            })
        );
    }

    #[test]
    fn there_is_no_second_form_of_what_is_no_object_and_for_other_reasons() {
        assert_eq!(form("{not json}", KIND, "r"), None);
        assert_eq!(form("{}", "content_too_large", "r"), None);
    }

    proptest! {
        #[test]
        fn whatever_was_refused_the_second_form_is_one_object_of_fixed_types(
            document in "\\{(\"(@timestamp|host|log|event|tags|a)\":(1|\"x\"|\\{\\}|\\[1\\]|null|\\{\"name\":2\\}),?){0,5}\\}"
        ) {
            if let Some(found) = form(&document, KIND, "r") {
                prop_assert_eq!(&found["message"], &json!(document));
                prop_assert!(found["@timestamp"].is_string() || found["@timestamp"].is_number() || !found["@timestamp"].is_null());
                for object in ["host", "log", "event"] {
                    prop_assert!(found.get(object).is_none_or(Value::is_object));
                }
                prop_assert!(found["tags"].as_array().unwrap().iter().all(Value::is_string));
            }
        }
    }
}
