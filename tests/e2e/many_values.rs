//! Buckets of fields with thousands of values, in an index of many segments: each document is counted,
//! whatever place its value has in a segment. What is expected is counted here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use omphalos_tests::{Elastic, Embedded};
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};

const INDEX: &str = "many-1";
const SEGMENTS: u64 = 8;
const DOCUMENTS: u64 = 2_500;
const SHOWN: usize = 20;

/// A document: its path, address and number, and how many bytes it has.
struct Document {
    path: String,
    address: Ipv4Addr,
    number: u64,
    bytes: u64,
}

/// Numbers that look as if there were no rule.
fn scattered(n: u64, about: u64) -> u64 {
    let mixed =
        (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ about.wrapping_mul(0xd1b5_4a32_d192_ed03);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
}

fn documents() -> Vec<Document> {
    let one = |n| Document {
        // Few are frequent, and thousands are there once or twice in a segment.
        path: format!("/{}", scattered(n, 1) % (1 + scattered(n, 2) % 9_000)),
        address: Ipv4Addr::from_bits(
            u32::try_from(0x0a00_0000 + scattered(n, 3) % 6_000).expect("32 bits"),
        ),
        number: scattered(n, 4) % 4_000,
        bytes: scattered(n, 5) % 1_000,
    };
    (0..SEGMENTS * DOCUMENTS).map(one).collect()
}

fn filled(documents: &[Document]) -> (Embedded, Elastic) {
    let store = Embedded::start();
    let elastic = Elastic::new(&store.url(), "many");
    let fields = json!({
        "path": { "type": "keyword" }, "address": { "type": "ip" }, "number": { "type": "long" }, "bytes": { "type": "long" },
    });
    elastic.must(Method::PUT, INDEX, &json!({ "mappings": { "properties": fields } }));
    for segment in documents.chunks(usize::try_from(DOCUMENTS).expect("few")) {
        let lines = segment.iter().map(|document| {
            let Document { path, address, number, bytes } = document;
            let document =
                json!({ "path": path, "address": address, "number": number, "bytes": bytes });
            format!("{{\"index\":{{}}}}\n{document}\n")
        });
        let sent = Client::new()
            .post(format!("{}/{INDEX}/_bulk", store.url()))
            .header("Content-Type", "application/x-ndjson")
            .body(lines.collect::<String>())
            .send()
            .expect("an answer");
        assert!(sent.status().is_success());
    }
    (store, elastic)
}

/// The first buckets of `terms` by an order, with `bytes` summed in each.
fn buckets(elastic: &Elastic, field: &str, order: &Value) -> Vec<(Value, u64, u64)> {
    let sum = json!({ "sum": { "sum": { "field": "bytes" } } });
    let terms = json!({ "field": field, "size": SHOWN, "order": order });
    let body = json!({ "size": 0, "aggs": { "all": { "terms": terms, "aggs": sum } } });
    let answer = elastic.must(Method::POST, &format!("{INDEX}/_search"), &body);
    let all = &answer["aggregations"]["all"];
    assert_eq!(all["doc_count_error_upper_bound"], 0, "{field} by {order}");
    let buckets = all["buckets"].as_array().expect("buckets");
    // Whole numbers, which sums are printed of as doubles.
    let count = |value: &Value| format!("{:.0}", value.as_f64().expect("a number"));
    let count = |value: &Value| count(value).parse::<u64>().expect("a count");
    let found = buckets.iter().map(|bucket| {
        (bucket["key"].clone(), count(&bucket["doc_count"]), count(&bucket["sum"]["value"]))
    });
    found.collect()
}

/// Compares the first buckets by each order with those of documents that have keys.
fn compare<K: Ord + Clone>(
    elastic: &Elastic,
    field: &str,
    documents: &[Document],
    (key, shown): (impl Fn(&Document) -> K, impl Fn(&K) -> Value),
) {
    let mut counted: BTreeMap<K, (u64, u64)> = BTreeMap::new();
    for document in documents {
        let bucket = counted.entry(key(document)).or_default();
        bucket.0 += 1;
        bucket.1 += document.bytes;
    }
    assert!(counted.len() > 3_000, "{field} has {} values", counted.len());
    let expect = |order: &Value, by: &dyn Fn(&(u64, u64)) -> u64| {
        let mut sorted: Vec<_> = counted.iter().collect();
        sorted.sort_by_key(|(key, bucket)| (by(bucket), (*key).clone()));
        let first = sorted.iter().take(SHOWN);
        let first: Vec<_> =
            first.map(|(key, (count, bytes))| (shown(key), *count, *bytes)).collect();
        assert_eq!(buckets(elastic, field, order), first, "{field} by {order}");
    };
    expect(&json!({ "_count": "desc" }), &|(count, _)| u64::MAX - count);
    expect(&json!({ "_count": "asc" }), &|(count, _)| *count);
    expect(&json!({ "sum": "desc" }), &|(_, bytes)| u64::MAX - bytes);
    expect(&json!({ "sum": "asc" }), &|(_, bytes)| *bytes);
    expect(&json!({ "_key": "asc" }), &|_| 0);
}

#[test]
fn buckets_of_thousands_of_values_count_every_document() {
    let documents = documents();
    let (_store, elastic) = filled(&documents);
    compare(
        &elastic,
        "path",
        &documents,
        (|it: &Document| it.path.clone(), |path: &String| json!(path)),
    );
    compare(
        &elastic,
        "address",
        &documents,
        (|it: &Document| it.address, |address: &Ipv4Addr| json!(address)),
    );
    compare(
        &elastic,
        "number",
        &documents,
        (|it: &Document| it.number, |number: &u64| json!(number)),
    );

    let paths: BTreeSet<&str> = documents.iter().map(|document| document.path.as_str()).collect();
    let body = json!({ "size": 0, "aggs": { "paths": { "cardinality": { "field": "path" } }, "numbers": { "cardinality": { "field": "number" } } } });
    let answer = elastic.must(Method::POST, &format!("{INDEX}/_search"), &body);
    let found = |name: &str| answer["aggregations"][name]["value"].as_f64().expect("a number");
    for (name, expected) in
        [("paths", u32::try_from(paths.len()).expect("few")), ("numbers", 4_000)]
    {
        let error = (found(name) / f64::from(expected) - 1.0).abs();
        assert!(error < 0.08, "{name}: {} instead of {expected}", found(name));
    }
}
