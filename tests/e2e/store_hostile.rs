//! What no request may do to the store: everything is answered, soon, and the store goes on.

use std::thread;
use std::time::{Duration, Instant};

use omphalos_tests::{Elastic, Embedded};
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};

const INDEX: &str = "hostile-1";
/// No answer may take longer on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// A store with some documents.
fn store() -> (Embedded, Elastic) {
    let store = Embedded::start();
    let elastic = Elastic::new(&store.url(), "hostile");
    let lines: Vec<String> = (0..2_000)
        .map(|n| {
            let path = "/a".repeat(n % 50 + 1);
            let document =
                json!({ "n": n, "path": path, "message": "one two three", "t": n * 1000 });
            format!("{}\n{document}\n", json!({ "create": { "_id": n.to_string() } }))
        })
        .collect();
    let sent = Client::new().post(format!("{}/{INDEX}/_bulk?refresh=true", store.url()));
    let sent = sent
        .header("Content-Type", "application/x-ndjson")
        .body(lines.concat())
        .send()
        .expect("an answer");
    assert!(sent.status().is_success());
    (store, elastic)
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!({ "match_all": {} }), |query, _| json!({ "bool": { "must": [query] } }))
}

#[test]
fn what_asks_too_much_is_refused_and_the_store_goes_on() {
    let (_store, elastic) = store();
    let terms: Vec<String> = (0..70_000).map(|n| n.to_string()).collect();
    let clauses: Vec<Value> = (0..5_000).map(|n| json!({ "term": { "n": n } })).collect();
    let sorts = vec!["n"; 50];
    let too_much = [
        json!({ "query": nested(60) }),
        json!({ "query": { "terms": { "path": terms } } }),
        json!({ "query": { "bool": { "should": clauses } } }),
        json!({ "query": { "wildcard": { "path": "a?".repeat(2_000) } } }),
        json!({ "query": { "query_string": { "query": "(".repeat(20_000) } } }),
        json!({ "query": { "query_string": { "query": "x ".repeat(100_000) } } }),
        json!({ "query": { "regexp": { "path": "(a*)*b" } } }),
        json!({ "size": 1_000_000 }),
        json!({ "size": u64::MAX }),
        json!({ "sort": sorts }),
        json!({ "size": 0, "aggs": { "a": { "histogram": { "field": "n", "interval": 1e-300 } } } }),
        json!({ "size": 0, "aggs": { "a": { "histogram": { "field": "n", "interval": 0 } } } }),
        json!({ "size": 0, "aggs": { "a": { "histogram": { "field": "n", "interval": 1e-4 } } } }),
        json!({ "size": 0, "aggs": { "a": { "terms": { "field": "n", "size": 2_000 }, "aggs": {
            "b": { "histogram": { "field": "t", "interval": 1, "extended_bounds": { "min": 0, "max": 50_000 } } }
        } } } }),
        json!({ "query": { "range": { "n": { "gte": "now" } } } }),
    ];
    for body in too_much {
        let shown: String = body.to_string().chars().take(80).collect();
        let begun = Instant::now();
        let path = format!("{INDEX}/_search");
        let (status, answer) =
            elastic.request(Method::POST, &path, Some(&body)).expect("an answer");
        assert!((400..500).contains(&status), "{shown}: {status} {answer}");
        assert!(answer["error"]["reason"].is_string(), "{shown}: {answer}");
        assert!(begun.elapsed() < SOON, "{shown}: {:?}", begun.elapsed());
    }
    assert_eq!(elastic.count(), Ok(2_000));
}

#[test]
fn hostile_patterns_are_answered_soon() {
    let (_store, elastic) = store();
    for pattern in ["*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "?*?*?*?*?*?*?*?*z", "**************", ""] {
        let begun = Instant::now();
        let body = json!({ "query": { "wildcard": { "path": pattern } } });
        let path = format!("{INDEX}/_count");
        let (status, answer) =
            elastic.request(Method::POST, &path, Some(&body)).expect("an answer");
        assert_eq!(status, 200, "{pattern}: {answer}");
        assert!(begun.elapsed() < SOON, "{pattern}: {:?}", begun.elapsed());
    }
}

#[test]
fn malformed_bodies_are_refused() {
    let (store, elastic) = store();
    let client = Client::new();
    let search = || {
        let request = client.post(format!("{}/{INDEX}/_search", store.url()));
        request.header("Content-Type", "application/json")
    };
    let deep = "[".repeat(100_000);
    let bodies = ["{", "[]", "\"x\"", "{\"query\":", "{\"size\":1e999}", "nonsense", deep.as_str()];
    for body in bodies {
        let sent = search().body(body.to_owned());
        let answer = sent.send().expect("an answer");
        assert_eq!(answer.status().as_u16(), 400, "{}", body.get(..40).unwrap_or(body));
    }
    let not_text = search().body(vec![0xFF, 0xFE]);
    assert_eq!(not_text.send().expect("an answer").status().as_u16(), 400);
    assert_eq!(elastic.count(), Ok(2_000));
}

#[test]
fn many_search_at_once() {
    let (store, _elastic) = store();
    let url = store.url();
    thread::scope(|scope| {
        for worker in 0..16_i64 {
            let url = &url;
            scope.spawn(move || {
                let elastic = Elastic::new(url, "hostile");
                for round in 0..20 {
                    let from = (worker * 20 + round) % 1_000;
                    let body = json!({
                        "size": 5, "sort": [{ "n": "asc" }], "track_total_hits": true,
                        "query": { "range": { "n": { "gte": from, "lt": from + 100 } } },
                        "aggs": { "paths": { "terms": { "field": "path.keyword" } } }
                    });
                    let found = elastic.must(Method::POST, &format!("{INDEX}/_search"), &body);
                    assert_eq!(found["hits"]["total"]["value"], 100);
                    assert_eq!(found["hits"]["hits"][0]["_source"]["n"], from);
                }
            });
        }
    });
}
