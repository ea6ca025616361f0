//! How long searches take, in the embedded store and in a real Elasticsearch, over the same
//! documents in the same run.
//!
//! Both are asked the same requests in turn, each one with times of its own, so that neither can
//! answer from memory what it was asked before.

use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Instant;

use omphalos_tests::{Embedded, Engine, Server};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::store::ndjson;
use crate::table::Table;

const DOCUMENTS_A_BULK: usize = 2_000;
/// How often each is asked.
const TIMES: usize = 41;
const INDEX: &str = "bench-access";

/// Indexes the log in both, and compares.
pub fn measure(directory: &Path, log: &Path, table: &mut Table) {
    let ndjson = ndjson(directory, log);
    let elasticsearch = Server::search(Engine::Es9, &directory.join("search-search"), &[]);
    let store = Embedded::open(&directory.join("search-store"));
    let client = Client::new();
    let mut span = (i64::MAX, i64::MIN);
    for url in [elasticsearch.url(), store.url()] {
        let begun = Instant::now();
        span = index(&client, &url, &ndjson);
        println!("indexed into {url} in {:.1} s", begun.elapsed().as_secs_f64());
    }
    let mut random = SmallRng::seed_from_u64(7);
    let (mut ours, mut theirs) = (0.0, 0.0);
    for (name, request) in requests() {
        let mut times = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            let body = request(&mut random, span);
            let (found, store_time) = ask(&client, &store.url(), &body);
            let (expected, time) = ask(&client, &elasticsearch.url(), &body);
            assert_eq!(found["hits"]["total"], expected["hits"]["total"], "{name}: {body}");
            times.0.push(store_time);
            times.1.push(time);
        }
        let (own, other) = (median(times.0), median(times.1));
        ours += own;
        theirs += other;
        table.ratio(
            &format!("search p50: {name}"),
            own / other,
            "≤ 1.0 ×",
            &format!("{own:.1} ms against {other:.1} ms, {TIMES} times each, in turn"),
        );
    }
    table.ratio(
        "search p50, five queries together",
        ours / theirs,
        "≤ 1.0 ×",
        &format!("{ours:.1} ms against {theirs:.1} ms"),
    );
}

/// Indexes the documents; the milliseconds of the first and the last.
fn index(client: &Client, url: &str, ndjson: &Path) -> (i64, i64) {
    let keyword = json!({ "type": "keyword", "ignore_above": 1024 });
    let template = json!({
        "index_patterns": ["bench-*"],
        "priority": 300,
        "template": {
            "settings": { "index": { "number_of_shards": 1, "number_of_replicas": 0 } },
            "mappings": {
                "date_detection": false,
                "dynamic_templates":
                    [{ "strings": { "match_mapping_type": "string", "mapping": keyword } }],
                "properties": {
                    "@timestamp": { "type": "date" },
                    "message": { "type": "text" },
                    "source": { "properties": { "ip": { "type": "ip" } } },
                    "url": { "properties": { "path": keyword } },
                    "user_agent": { "properties": { "original": keyword } },
                    "http": { "properties": { "response": { "properties": {
                        "status_code": { "type": "long" },
                        "body": { "properties": { "bytes": { "type": "long" } } }
                    } } } }
                }
            }
        }
    });
    let put = client.put(format!("{url}/_index_template/bench")).body(template.to_string());
    let put = put.header("Content-Type", "application/json").send().expect("an answer");
    assert!(put.status().is_success(), "the template is refused");
    let mut span = (i64::MAX, i64::MIN);
    let mut lines = BufReader::new(File::open(ndjson).expect("the NDJSON")).lines();
    let mut number = 0_u64;
    loop {
        let mut body = String::new();
        for line in lines.by_ref().take(DOCUMENTS_A_BULK) {
            let line = line.expect("a line");
            if number.is_multiple_of(997) {
                let document: Value = serde_json::from_str(&line).expect("a document");
                let time = document["@timestamp"].as_str().expect("a time");
                let time = time.parse::<jiff::Timestamp>().expect("a time").as_millisecond();
                span = (span.0.min(time), span.1.max(time));
            }
            writeln!(body, "{{\"create\":{{\"_id\":\"{number:022}\"}}}}\n{line}")
                .expect("a string");
            number += 1;
        }
        if body.is_empty() {
            break;
        }
        let sent = client.post(format!("{url}/{INDEX}/_bulk?filter_path=errors")).body(body);
        let sent = sent.header("Content-Type", "application/x-ndjson").send().expect("an answer");
        let answer: Value = serde_json::from_str(&sent.text().expect("text")).expect("JSON");
        assert_eq!(answer, json!({ "errors": false }), "{url}");
    }
    let refreshed = client.post(format!("{url}/{INDEX}/_refresh")).send().expect("an answer");
    assert!(refreshed.status().is_success(), "no refresh");
    span
}

type Request = fn(&mut SmallRng, (i64, i64)) -> Value;

/// A stretch of half of the time, wherever it is.
fn within(random: &mut SmallRng, (first, last): (i64, i64)) -> Value {
    let from = random.random_range(first..first + (last - first) / 2);
    json!({ "range": { "@timestamp": { "gte": from, "lt": from + (last - first) / 2 } } })
}

fn requests() -> [(&'static str, Request); 5] {
    [
        ("the newest 50 errors of a stretch of time", |random, span| {
            json!({
                "size": 50, "sort": [{ "@timestamp": "desc" }],
                "query": { "bool": { "filter": [
                    within(random, span), { "term": { "http.response.status_code": 500 } }
                ] } }
            })
        }),
        ("query_string with a prefix and a status", |random, span| {
            json!({
                "size": 20, "sort": [{ "@timestamp": "desc" }],
                "query": { "bool": {
                    "must": [{ "query_string": {
                        "query": "url.path:\\/s* AND http.response.status_code:[400 TO 499]"
                    } }],
                    "filter": [within(random, span)]
                } }
            })
        }),
        ("requests by time and status", |random, span| {
            json!({
                "size": 0, "query": within(random, span),
                "aggs": { "times": {
                    "date_histogram": { "field": "@timestamp", "fixed_interval": "10m" },
                    "aggs": { "statuses": { "terms": { "field": "http.response.status_code" } } }
                } }
            })
        }),
        ("the ten busiest paths and clients", |random, span| {
            json!({
                "size": 0, "query": within(random, span),
                "aggs": {
                    "paths": {
                        "terms": { "field": "url.path" },
                        "aggs": { "bytes": { "avg": { "field": "http.response.body.bytes" } } }
                    },
                    "clients": { "terms": { "field": "source.ip" } }
                }
            })
        }),
        ("a browser's share: a wildcard, percentiles, different clients", |random, span| {
            json!({
                "size": 10, "sort": [{ "@timestamp": "desc" }],
                "query": { "bool": { "filter": [
                    within(random, span), { "wildcard": { "user_agent.original": "*Firefox*" } }
                ] } },
                "aggs": {
                    "bytes": { "percentiles": { "field": "http.response.body.bytes" } },
                    "clients": { "cardinality": { "field": "source.ip" } }
                }
            })
        }),
    ]
}

/// The answer, and how many milliseconds it took.
fn ask(client: &Client, url: &str, body: &Value) -> (Value, f64) {
    let request = client.post(format!("{url}/{INDEX}/_search")).body(body.to_string());
    let request = request.header("Content-Type", "application/json");
    let begun = Instant::now();
    let answer = request.send().expect("an answer").text().expect("text");
    let time = begun.elapsed().as_secs_f64() * 1e3;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert!(answer.get("error").is_none(), "{url}: {answer}");
    (answer, time)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
