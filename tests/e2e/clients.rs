//! Clients of Elasticsearch do not notice that they talk to the store.

use std::process::Command;

use elasticsearch::http::response::Response;
use elasticsearch::http::transport::Transport;
use elasticsearch::indices::{
    IndicesDeleteParts, IndicesExistsParts, IndicesGetMappingParts, IndicesPutIndexTemplateParts,
    IndicesRefreshParts,
};
use elasticsearch::{
    BulkOperation, BulkParts, CountParts, Elasticsearch, IndexParts, MgetParts, SearchParts,
};
use omphalos_tests::{Elastic, Embedded, repository};
use reqwest::Method;
use serde_json::{Value, json};

const INDEX: &str = "scenarios-crate";

#[test]
fn the_official_python_client_does_not_notice() {
    let stack = repository().join("tests/stack/python-client.sh");
    let made = Command::new(&stack).output().expect("the script runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let python = String::from_utf8(made.stdout).expect("a path");
    let store = Embedded::start();
    let script = repository().join("tests/e2e/clients/official.py");
    let ran = Command::new(python.trim()).arg(script).arg(store.url()).output().expect("Python");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[tokio::test]
async fn the_crate_does_not_notice() {
    // The runtime of the store must not be dropped within another.
    let store = tokio::task::spawn_blocking(Embedded::start).await.expect("a store");
    let transport = Transport::single_node(&store.url()).expect("a URL");
    let client = Elasticsearch::new(transport);

    let info = json_of(client.info().send().await).await;
    assert_eq!(info["tagline"], "You Know, for Search");
    let template = json!({
        "index_patterns": [format!("{INDEX}*")],
        "template": { "mappings": { "properties": { "n": { "type": "long" } } } }
    });
    let put = IndicesPutIndexTemplateParts::Name(INDEX);
    let put = client.indices().put_index_template(put).body(template).send().await;
    assert_eq!(json_of(put).await["acknowledged"], true);

    let indexed = client.index(IndexParts::IndexId(INDEX, "0")).body(json!({ "n": 0 }));
    assert_eq!(json_of(indexed.send().await).await["result"], "created");
    let operations: Vec<BulkOperation<Value>> = (0..10)
        .map(|n| BulkOperation::create(json!({ "n": n })).id(n.to_string()).into())
        .collect();
    let bulk = client.bulk(BulkParts::Index(INDEX)).body(operations).send().await;
    let bulk = json_of(bulk).await;
    let statuses = bulk["items"].as_array().expect("items").iter();
    let statuses: Vec<&Value> = statuses.map(|item| &item["create"]["status"]).collect();
    assert_eq!(statuses[0], 409, "{bulk}");
    assert!(statuses[1..].iter().all(|status| **status == 201), "{bulk}");
    let refreshed = client.indices().refresh(IndicesRefreshParts::Index(&[INDEX])).send().await;
    assert_eq!(json_of(refreshed).await["_shards"]["failed"], 0);

    let counted = client.count(CountParts::Index(&[INDEX])).send().await;
    assert_eq!(json_of(counted).await["count"], 10);
    let search = client.search(SearchParts::Index(&[INDEX])).body(json!({
        "query": { "range": { "n": { "gte": 7 } } }, "sort": [{ "n": "desc" }],
        "aggs": { "mean": { "avg": { "field": "n" } } }
    }));
    let found = json_of(search.send().await).await;
    assert_eq!(found["hits"]["hits"][0]["_source"], json!({ "n": 9 }));
    assert_eq!(found["aggregations"]["mean"]["value"], json!(8.0));
    let mget = client.mget(MgetParts::Index(INDEX)).body(json!({ "ids": ["3", "x"] }));
    let got = json_of(mget.send().await).await;
    assert_eq!(got["docs"][0]["found"], true);
    assert_eq!(got["docs"][1]["found"], false);

    let mapping =
        client.indices().get_mapping(IndicesGetMappingParts::Index(&[INDEX])).send().await;
    assert_eq!(json_of(mapping).await[INDEX]["mappings"]["properties"]["n"]["type"], "long");
    let exists = client.indices().exists(IndicesExistsParts::Index(&[INDEX])).send().await;
    assert_eq!(exists.expect("an answer").status_code().as_u16(), 200);
    let deleted = client.indices().delete(IndicesDeleteParts::Index(&[INDEX])).send().await;
    assert_eq!(json_of(deleted).await["acknowledged"], true);
    tokio::task::spawn_blocking(move || drop(store)).await.expect("the store ends");
}

async fn json_of(answer: Result<Response, elasticsearch::Error>) -> Value {
    answer.expect("an answer").json().await.expect("JSON")
}

#[test]
fn the_harness_of_the_tests_does_not_notice() {
    let store = Embedded::start();
    let elastic = Elastic::new(&store.url(), "harness");
    for n in 0..25_000 / 2_500 {
        let lines: Vec<String> = (n * 2_500..(n + 1) * 2_500)
            .map(|n| {
                format!(
                    "{{\"create\":{{\"_id\":\"{n}\"}}}}\n{{\"n\":{n},\"word\":\"w{}\"}}\n",
                    n % 7
                )
            })
            .collect();
        let sent = reqwest::blocking::Client::new();
        let sent = sent.post(format!("{}/harness-{}/_bulk", store.url(), n % 3));
        assert!(
            sent.header("Content-Type", "application/x-ndjson")
                .body(lines.concat())
                .send()
                .expect("an answer")
                .status()
                .is_success()
        );
    }
    elastic.wait_for_count(25_000);
    assert_eq!(elastic.indices().values().sum::<u64>(), 25_000);
    let documents = elastic.documents(&["n"]);
    let ids: std::collections::HashSet<&String> = documents.iter().map(|(id, _)| id).collect();
    assert_eq!((documents.len(), ids.len()), (25_000, 25_000));
    assert_eq!(elastic.search("n:[100 TO 104] AND word:w3").len(), 1);
    assert_eq!(elastic.type_of("n"), "long");

    // What an audit asks.
    let ids: Vec<String> = (24_000..26_000).map(|n| n.to_string()).collect();
    let body = json!({ "size": 10_000, "_source": false, "track_total_hits": false,
        "query": { "ids": { "values": ids } } });
    let path = "harness-*/_search?allow_partial_search_results=false&filter_path=timed_out,hits.hits._id,hits.hits.fields";
    let found = elastic.must(Method::POST, path, &body);
    assert_eq!(found["timed_out"], false);
    assert_eq!(found["hits"]["hits"].as_array().expect("hits").len(), 1_000);
    let offsets: Vec<u64> = (0..4_000).map(|n| n * 3).collect();
    let body = json!({ "size": 10_000, "_source": false, "track_total_hits": false, "fields": ["n"],
        "query": { "bool": { "filter": [{ "terms": { "n": offsets } }] } } });
    let found = elastic.must(Method::POST, path, &body);
    let hits = found["hits"]["hits"].as_array().expect("hits");
    assert_eq!(hits.len(), 4_000);
    assert!(hits.iter().all(|hit| hit["fields"]["n"][0].is_u64()));
    elastic.delete_all();
    assert_eq!(elastic.count(), Ok(0));
}
