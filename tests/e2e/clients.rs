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
use omphalos_tests::{Embedded, repository};
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
