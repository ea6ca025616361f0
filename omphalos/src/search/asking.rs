//! The requests of a search.

use std::collections::BTreeMap;

use bytes::Bytes;
use omphalos_common::clean::clean;
use omphalos_common::telemetry::SharedRepeats;
use omphalos_common::tell;
use omphalos_indexer::elasticsearch::{Client, Fault, IndexPattern};
use omphalos_parser::without_halves;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Hit, Hits, Part, gap, millis_of, not_all};
use super::query::Query;

/// Documents a request: what Elasticsearch allows is ten times as many.
const PAGE: usize = 1000;
/// What the embedded store calls more documents than it shows at once.
const TOO_MUCH: &str = "content_too_long_exception";

/// Asks for documents in the indices of a pattern.
#[derive(Clone)]
pub struct Asker {
    client: Client,
    names: IndexPattern,
    /// Which indices are searched.
    pattern: String,
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

    /// For the indices, or data streams, of these names.
    pub fn new(client: Client, names: IndexPattern) -> Self {
        Self { client, pattern: names.all(), names }
    }

    /// The same for the indices of the datasets that begin with `dataset`.
    #[must_use]
    pub fn of(&self, dataset: &str) -> Self {
        Self { pattern: self.names.of(dataset), ..self.clone() }
    }

    /// The same for the indices of all others.
    #[must_use]
    pub fn but(&self, dataset: &str) -> Self {
        let pattern = format!("{},-{}", self.names.all(), self.names.of(dataset));
        Self { pattern, ..self.clone() }
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
            let asked = most.min(left);
            let mut size = asked;
            let part = self.part(query, wanted, &mut size, after.as_ref());
            let Part { hits, total: known, is_last } = part.await?;
            if size < asked {
                most = size;
            }
            if after.is_none() {
                total = known.unwrap_or(0);
            }
            left -= hits.len().min(left);
            let is_last = is_last || left == 0;
            after = hits.last().map(Hit::place);
            take(hits);
            if is_last || after.is_none() {
                return Ok(total);
            }
        }
    }

    /// The documents that follow in the order on what stands at the place `after`: as many as are wanted, or
    /// fewer where these are too much to be shown at once.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn page(
        &self,
        query: &Query,
        wanted: Wanted,
        after: Option<&Value>,
    ) -> Result<Part, Fault> {
        let mut size = wanted.most.min(PAGE);
        self.part(query, wanted, &mut size, after).await
    }

    /// The same for `size` documents, which becomes what was shown at once.
    async fn part(
        &self,
        query: &Query,
        wanted: Wanted,
        size: &mut usize,
        after: Option<&Value>,
    ) -> Result<Part, Fault> {
        let answer = loop {
            match self.search(&page(query, wanted, *size, after)).await {
                Err(Fault::Wrong(problem)) if problem.kind == TOO_MUCH && *size > 1 => *size /= 2,
                answer => break answer?,
            }
        };
        let Hits { hits, total } = answer.hits;
        let total = total.map(|total| total.value).filter(|_| after.is_none());
        if *size > 0 && hits.is_empty() && total.is_some_and(|total| total > 0) {
            return Err(self.unreadable(format!("{} hits, and none of them", total.unwrap_or(0))));
        }
        let is_last = hits.len() < *size;
        Ok(Part { hits, total, is_last })
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
