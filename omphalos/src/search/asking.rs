//! The requests of a search, and what comes back.

use std::collections::BTreeMap;

use bytes::Bytes;
use omphalos_common::clean::clean;
use omphalos_common::telemetry::SharedRepeats;
use omphalos_common::tell;
use omphalos_indexer::elasticsearch::{Client, Fault};
use omphalos_parser::without_halves;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::query::Query;

/// Documents a request: what Elasticsearch allows is ten times as many.
const PAGE: usize = 1000;
/// What the embedded store calls more documents than it shows at once.
const TOO_MUCH: &str = "content_too_long_exception";

/// Asks for documents in the indices of a pattern.
#[derive(Clone)]
pub struct Asker {
    client: Client,
    /// Pattern of the indices to search.
    pattern: String,
}

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
fn millis_of(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit")]
    let whole = |millis: f64| millis as i64;
    value.as_i64().or_else(|| value.as_f64().map(whole))
}

#[derive(Deserialize)]
struct Answer {
    hits: Hits,
    #[serde(default)]
    aggregations: Value,
    timed_out: bool,
    #[serde(rename = "_shards")]
    shards: Shards,
}

/// How much of what was asked for an answer is about. Every answer to a search says it.
#[derive(Deserialize)]
struct Reach {
    timed_out: bool,
    #[serde(rename = "_shards")]
    shards: Shards,
}

#[derive(Deserialize)]
struct Shards {
    total: u64,
    successful: u64,
    failed: u64,
    #[serde(default)]
    failures: Vec<Value>,
}

/// Why an answer is not about all documents; `None` where it is.
fn not_all(timed_out: bool, shards: &Shards) -> Option<String> {
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
struct Hits {
    total: Option<Total>,
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Total {
    value: u64,
}

/// Which end of the time the documents come from first.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
}

/// How many documents are wanted, from where, and how much of them.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The most documents to return.
    pub most: usize,
    /// Which end they are taken from.
    pub order: Order,
    /// Whether what is in them is wanted too.
    pub sources: bool,
}

/// A document, whatever is in it: Elasticsearch takes and gives back halves of characters beyond the
/// basic plane (lone surrogates), which JSON may have and text must not. They are shown as U+FFFD.
fn whatever(raw: &str) -> Value {
    let value = serde_json::from_str(raw);
    value
        .or_else(|_| serde_json::from_str(&without_halves(raw)))
        .unwrap_or_else(|_| json!({ "message": raw }))
}

impl Asker {
    /// The fields of the indices, with their types.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn fields(&self) -> Result<BTreeMap<String, String>, Fault> {
        let mut fields = BTreeMap::new();
        let answer = self.client.get(&format!("{}/_mapping", self.pattern)).await?;
        for index in answer.iter().filter_map(Value::as_object).flat_map(Map::values) {
            if let Some(properties) = index.pointer("/mappings/properties") {
                collect("", properties, &mut fields);
            }
        }
        Ok(fields)
    }

    /// Which indices are asked, and where, for people.
    pub fn asked(&self) -> String {
        format!("{} at {}", self.pattern, self.client.shown())
    }

    /// For the indices that begin with `prefix`.
    pub fn new(client: Client, prefix: &str) -> Self {
        Self { client, pattern: format!("{prefix}-*") }
    }

    /// The same for the indices of the datasets that begin with `dataset`.
    #[must_use]
    pub fn of(&self, dataset: &str) -> Self {
        let prefix = self.prefix();
        Self { client: self.client.clone(), pattern: format!("{prefix}-{dataset}*") }
    }

    /// The same for the indices of all others.
    #[must_use]
    pub fn but(&self, dataset: &str) -> Self {
        let prefix = self.prefix();
        Self { client: self.client.clone(), pattern: format!("{prefix}-*,-{prefix}-{dataset}*") }
    }

    fn prefix(&self) -> &str {
        self.pattern.strip_suffix("-*").unwrap_or(&self.pattern)
    }

    /// The address.
    pub fn shown(&self) -> &str {
        self.client.shown()
    }

    /// The documents that match, and how many there are in all.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn documents(&self, query: &Query, wanted: Wanted) -> Result<(Vec<Hit>, u64), Fault> {
        let mut found = Vec::new();
        let total = self.pages(query, wanted, |page| found.extend(page)).await?;
        Ok((found, total))
    }

    /// Gives the documents that match to `take`, page by page; returns how many there are in all.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn pages(
        &self,
        query: &Query,
        wanted: Wanted,
        mut take: impl FnMut(Vec<Hit>),
    ) -> Result<u64, Fault> {
        let (mut left, mut most) = (wanted.most, PAGE);
        let mut total = 0;
        let mut after = None;
        loop {
            let size = most.min(left);
            let answer = match self.search(&page(query, wanted, size, after.as_ref())).await {
                Err(Fault::Wrong(problem)) if problem.kind == TOO_MUCH && size > 1 => {
                    most = size / 2;
                    continue;
                }
                answer => answer?,
            };
            let found = answer.hits.hits;
            if after.is_none() {
                total = answer.hits.total.map_or(0, |total| total.value);
                if total > 0 && size > 0 && found.is_empty() {
                    return Err(self.unreadable(format!("{total} hits, and none of them")));
                }
            }
            left -= found.len().min(left);
            let is_last = found.len() < size || left == 0;
            after = found.last().map(Hit::place);
            take(found);
            if is_last || after.is_none() {
                return Ok(total);
            }
        }
    }

    /// The documents that follow in the order on what stands at the place `after`, and how many there are in
    /// all where that is the beginning.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn page(
        &self,
        query: &Query,
        wanted: Wanted,
        after: Option<&Value>,
    ) -> Result<(Vec<Hit>, Option<u64>), Fault> {
        let mut size = wanted.most.min(PAGE);
        loop {
            match self.search(&page(query, wanted, size, after)).await {
                Err(Fault::Wrong(problem)) if problem.kind == TOO_MUCH && size > 1 => size /= 2,
                Err(fault) => return Err(fault),
                Ok(Answer { hits, .. }) => {
                    return Ok((hits.hits, hits.total.map(|total| total.value)));
                }
            }
        }
    }

    /// How many documents there are in each part of time that has any: its beginning in
    /// milliseconds since 1970, and their number.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn counts(&self, query: &Query, seconds: u64) -> Result<Vec<(i64, u64)>, Fault> {
        let histogram = json!({
            "field": "@timestamp", "fixed_interval": format!("{seconds}s"), "min_doc_count": 1
        });
        let aggregations = json!({ "times": { "date_histogram": histogram } });
        let answer = self.aggregate(query, aggregations).await?;
        let buckets = answer.pointer("/times/buckets").and_then(Value::as_array);
        let count = |bucket: &Value| {
            let counted = bucket.get("key").and_then(millis_of);
            let counted = counted.zip(bucket.get("doc_count").and_then(Value::as_u64));
            counted.ok_or_else(|| {
                self.unreadable(format!("the bucket {bucket}, expected a time and a count"))
            })
        };
        buckets.into_iter().flatten().map(count).collect()
    }

    /// When the first and the last of them happened, in milliseconds since 1970; `None` where there
    /// are none.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn span(&self, query: &Query) -> Result<Option<(i64, i64)>, Fault> {
        let aggregations = json!({
            "first": { "min": { "field": "@timestamp" } },
            "last": { "max": { "field": "@timestamp" } }
        });
        let answer = self.aggregate(query, aggregations).await?;
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit")]
        let value = |path: &str| Some(answer.pointer(path)?.as_f64()? as i64);
        Ok(value("/first/value").zip(value("/last/value")))
    }

    /// The whole answer to a request that somebody else wrote.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn whole(&self, body: &Value) -> Result<Value, Fault> {
        let answer = self.post(body).await?;
        // Halves of characters in documents are no reason to show nothing.
        let answer = serde_json::from_slice(&answer)
            .or_else(|_| serde_json::from_str(&without_halves(&String::from_utf8_lossy(&answer))))
            .map_err(|error| self.unreadable(error))?;
        match gap(body, &answer).map_err(|what| self.unreadable(what))? {
            None => Ok(answer),
            Some(gap) => Err(Fault::Transient(format!(
                "{}: {gap}, and figures of the others alone would be wrong",
                self.client.shown()
            ))),
        }
    }

    async fn aggregate(&self, query: &Query, aggregations: Value) -> Result<Value, Fault> {
        let body = json!({ "size": 0, "query": query.of_lines(), "aggs": aggregations });
        Ok(self.search(&body).await?.aggregations)
    }

    /// What is not there is told at once, and then at a rate, because somebody may ask each second.
    async fn search(&self, body: &Value) -> Result<Answer, Fault> {
        static GAPS: SharedRepeats = SharedRepeats::new();
        let answer = self.post(body).await?;
        let answer: Answer =
            serde_json::from_slice(&answer).map_err(|error| self.unreadable(error))?;
        if let Some(gap) = not_all(answer.timed_out, &answer.shards)
            && GAPS.due().is_some()
        {
            let shown = self.client.shown();
            tell!("{}", clean(&format!("this is not all that there is: {shown}: {gap}")));
        }
        Ok(answer)
    }

    async fn post(&self, body: &Value) -> Result<Bytes, Fault> {
        let path = format!("{}/_search", self.pattern);
        self.client.post(&path, Bytes::from(body.to_string())).await
    }

    fn unreadable(&self, what: impl std::fmt::Display) -> Fault {
        Fault::Hold(format!("{}: unreadable answer to a search: {what}", self.client.shown()))
    }
}

/// Why this answer to that request is not about all documents; `None` where it is.
///
/// # Errors
/// What is no answer to the request: nothing in it would be read as "nothing is there".
fn gap(body: &Value, answer: &Value) -> Result<Option<String>, String> {
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

/// The fields below `path`.
fn collect(path: &str, properties: &Value, fields: &mut BTreeMap<String, String>) {
    for (name, property) in properties.as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        for below in ["properties", "fields"] {
            collect(&path, &property[below], fields);
        }
        if let Some(kind) = property["type"].as_str() {
            fields.insert(path, kind.to_owned());
        }
    }
}

/// The request for a page.
fn page(query: &Query, wanted: Wanted, size: usize, after: Option<&Value>) -> Value {
    let direction = match wanted.order {
        Order::Newest => "desc",
        Order::Oldest => "asc",
    };
    // Two lines never have all of these in common, so none is skipped between pages.
    let by = |kind: &str| json!({ "order": direction, "unmapped_type": kind });
    let mut body = json!({
        "size": size,
        "query": query.of_lines(),
        "track_total_hits": after.is_none(),
        "sort": [
            { "@timestamp": by("date") },
            { "log.offset": by("long") },
            { "log.file.path": by("keyword") },
            { "host.name": by("keyword") }
        ]
    });
    if let Some(body) = body.as_object_mut() {
        if !wanted.sources {
            body.insert("_source".to_owned(), json!(false));
        }
        if let Some(after) = after {
            body.insert("search_after".to_owned(), after.clone());
        }
    }
    body
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
