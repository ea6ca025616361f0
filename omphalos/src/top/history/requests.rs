//! Requests for figures, as Elasticsearch and the store take them.

use omphalos_live::{By, Dimension};
use serde_json::{Value, json};

/// Where the bytes of a response stand: those of the body, and where they are not known, all of them.
const BYTES: [&str; 2] = ["http.response.body.bytes", "http.response.bytes"];
const STATUS: &str = "http.response.status_code";
const CLIENT: &str = "source.address";
const LATENCY: &str = "event.duration";
/// Up to so many clients are told apart exactly, or nearly so.
const PRECISE: u64 = 3000;
/// So many keys more are counted in each part of an index.
const BEYOND: usize = 1000;
/// So many keys are counted by a request of their own.
const FEW: usize = 50;
/// The values that keys are chosen from, the heaviest.
const MOST_CHOICES: usize = 5000;

/// Which documents, and in which steps.
#[derive(Debug, Clone)]
pub struct Range {
    /// As the query of a request.
    pub query: Value,
    /// How long a step is, in seconds.
    pub step: u64,
}

impl Range {
    /// Only those of these that also match `filter`.
    pub fn with(self, filter: &Value) -> Self {
        Self { query: json!({ "bool": { "filter": [self.query, filter] } }), step: self.step }
    }

    /// The documents of each step, with what is wanted `below`.
    fn steps(&self, below: &Value) -> Value {
        let steps = json!({
            "field": "@timestamp", "fixed_interval": format!("{}s", self.step), "min_doc_count": 1
        });
        json!({ "date_histogram": steps, "aggs": below })
    }
}

/// Which keys are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Top<'a> {
    /// Of which dimension.
    pub dimension: &'a Dimension,
    /// In which order.
    pub by: By,
    /// How many.
    pub most: usize,
    /// Those with fewer lines are left out.
    pub least_hits: u64,
}

fn errors() -> Value {
    json!({ "range": { STATUS: { "gte": 500 } } })
}

/// What is counted of any documents.
fn figures() -> Value {
    json!({
        "bytes": { "sum": { "field": BYTES[0] } },
        "bytes_of_others": {
            "filter": { "bool": { "must_not": [{ "exists": { "field": BYTES[0] } }] } },
            "aggs": { "bytes": { "sum": { "field": BYTES[1] } } }
        },
        "errors": { "filter": errors() },
        "classes": { "range": { "field": STATUS, "ranges": [
            { "from": 100, "to": 200 }, { "from": 200, "to": 300 }, { "from": 300, "to": 400 },
            { "from": 400, "to": 500 }, { "from": 500, "to": 600 }
        ] } },
        "clients": { "cardinality": { "field": CLIENT, "precision_threshold": PRECISE } },
        "latency": { "percentiles": { "field": LATENCY, "percents": [50, 95, 99] } },
        "latency_max": { "max": { "field": LATENCY } },
        "latency_lines": { "value_count": { "field": LATENCY } }
    })
}

/// The same, and each of them step by step.
fn figures_in_steps(range: &Range, below: &Value) -> Value {
    with(figures(), "steps", range.steps(below))
}

fn with(mut members: Value, name: &str, value: Value) -> Value {
    if let Some(members) = members.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    members
}

/// What a step of a key says: it is drawn, not read.
fn brief() -> Value {
    json!({ "errors": { "filter": errors() } })
}

fn body(range: &Range, size: usize, aggregations: &Value) -> Value {
    json!({ "size": size, "query": range.query, "track_total_hits": true, "aggs": aggregations })
}

/// The figures of all documents.
pub fn summary(range: &Range) -> Value {
    let all = figures_in_steps(range, &figures());
    let all = with(all, "newest", json!({ "max": { "field": "@timestamp" } }));
    let failures = json!({ "filter": { "term": { "tags": "parse_failure" } } });
    body(range, 0, &with(all, "failures", failures))
}

impl Top<'_> {
    /// Whether keys are chosen first, and then counted by a request of their own: sections are no field,
    /// not every server can order by errors, quantiles or clients, and the course of a few keys is computed
    /// sooner than that of all of them.
    pub fn is_chosen_first(&self) -> bool {
        self.is_chosen_among_many() || self.most <= FEW
    }

    fn is_chosen_among_many(&self) -> bool {
        *self.dimension == Dimension::Section || !matches!(self.by, By::Hits | By::Bytes)
    }

    /// Those of a field, with what is wanted `below`.
    fn terms(&self, size: usize, by: By, below: &Value) -> Value {
        let by = match by {
            By::Bytes => "bytes",
            // What takes long for 95 % takes long for one.
            By::Latency => "latency_max",
            By::Hits | By::Errors | By::Clients => "_count",
        };
        let field = self.dimension.field();
        let order = json!({ by: "desc" });
        // Counting thousands of rare keys in full takes long, and none of them is among the heaviest.
        let terms =
            json!({ "field": field, "size": size, "shard_size": size + BEYOND, "order": order });
        match below.as_object() {
            Some(nothing) if nothing.is_empty() => json!({ "terms": terms }),
            _ => json!({ "terms": terms, "aggs": below }),
        }
    }
}

/// The heaviest keys of a dimension.
pub fn terms(range: &Range, top: &Top<'_>) -> Value {
    let keys = top.terms(top.most.max(1), top.by, &figures_in_steps(range, &brief()));
    body(range, 0, &with_known(top, json!({ "keys": keys })))
}

/// What keys are chosen by: the values of their field, the heaviest of them.
pub fn choice(range: &Range, top: &Top<'_>) -> Value {
    // Of thousands of values, no more than what they are ordered by.
    let below = match top.by {
        By::Bytes => json!({ "bytes": { "sum": { "field": BYTES[0] } } }),
        By::Latency => json!({ "latency_max": { "max": { "field": LATENCY } } }),
        By::Hits | By::Errors | By::Clients => json!({}),
    };
    let choices = if top.is_chosen_among_many() { MOST_CHOICES } else { top.most.max(1) };
    let mut all = json!({ "keys": top.terms(choices, top.by, &below) });
    if top.by == By::Errors {
        let keys = json!({ "keys": top.terms(MOST_CHOICES, By::Hits, &below) });
        all = with(all, "errors", json!({ "filter": errors(), "aggs": keys }));
    }
    body(range, 0, &with_known(top, all))
}

fn with_known(top: &Top<'_>, all: Value) -> Value {
    let field = top.dimension.field();
    let known = json!({ "cardinality": { "field": field, "precision_threshold": PRECISE } });
    let all = with(all, "known", known);
    with(all, "lines", json!({ "value_count": { "field": field } }))
}

/// The figures of these keys.
pub fn named(range: &Range, dimension: &Dimension, names: &[String]) -> Value {
    let filters = names.iter().map(|name| (name.clone(), key_filter(dimension, name)));
    let filters: serde_json::Map<String, Value> = filters.collect();
    let below = figures_in_steps(range, &brief());
    body(range, 0, &json!({ "keys": { "filters": { "filters": filters }, "aggs": below } }))
}

/// The documents of a key.
pub fn key_filter(dimension: &Dimension, text: &str) -> Value {
    let field = dimension.field();
    if *dimension != Dimension::Section {
        return json!({ "term": { field: text } });
    }
    // What is before the first slash but one: an empty path is a section of its own.
    if text.is_empty() {
        return json!({ "term": { field: text } });
    }
    json!({ "bool": {
        "should": [{ "term": { field: text } }, { "prefix": { field: format!("{text}/") } }],
        "minimum_should_match": 1
    } })
}

/// Figures, course and last lines of the documents of a range.
pub fn details(range: &Range, lines: usize) -> Value {
    with_lines(body(range, lines, &figures_in_steps(range, &figures())))
}

/// The last lines.
pub fn last_lines(range: &Range, most: usize) -> Value {
    with_lines(json!({ "size": most, "query": range.query, "track_total_hits": false }))
}

fn with_lines(body: Value) -> Value {
    with(body, "sort", json!([{ "@timestamp": { "order": "desc", "unmapped_type": "date" } }]))
}
