//! The panels of the dashboards, as they are written for Kibana: what each asks for is asked of a real
//! Elasticsearch, with lines of which it is known what there is to be found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use omphalos_tests::{Elastic, Stack};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{done, says};

/// Documents as parsers, heartbeats and alerts make them, with what dashboards look at.
fn documents() -> Vec<(&'static str, Value)> {
    let request = |minute: u32, address: &str, method: &str, path: &str, status: u32| {
        json!({
            "@timestamp": format!("2026-11-22T10:{minute:02}:00Z"),
            "event": { "dataset": "access" },
            "host": { "name": "web1" },
            "log": { "offset": minute * 100, "file": { "path": "/var/log/access.log" } },
            "source": { "address": address },
            "http": {
                "request": { "method": method, "referrer": "https://shop.example/" },
                "response": { "status_code": status, "body": { "bytes": 100 } }
            },
            "url": { "path": path },
            "user_agent": { "original": "Mozilla/5.0" }
        })
    };
    let with = |mut document: Value, path: &str, value: Value| {
        let (object, name) = path.rsplit_once('/').expect("a member");
        document.pointer_mut(object).expect("an object")[name] = value;
        document
    };
    let level = |host: &str, level: &str, dataset: &str| {
        json!({
            "@timestamp": "2026-11-22T11:30:00Z",
            "event": { "dataset": dataset },
            "host": { "name": host },
            "log": { "level": level, "offset": 7, "file": { "path": "/var/log/app.log" } },
            "message": "the disk is full"
        })
    };
    let heartbeat = |host: &str, program: &str, lag: f64, books: Value| {
        json!({
            "@timestamp": "2026-11-22T11:00:00Z",
            "event": { "kind": "metric", "dataset": "omphalos.fleet" },
            "host": { "name": host },
            "service": { "name": program, "version": "0.1.0" },
            "omphalos": { "heartbeat": {
                "config": "c0ffee", "lag_seconds": lag, "lines_per_second": 2.0,
                "inputs_unreadable": 1, "books": books, "problems": ["amqp: connection refused"]
            } }
        })
    };
    let alert = |action: &str| {
        json!({
            "@timestamp": "2026-11-22T11:10:00Z",
            "event": { "kind": "alert", "dataset": "omphalos.alerts", "action": action },
            "rule": { "name": "errors" },
            "log": { "level": "critical" },
            "message": "RAISED: errors",
            "omphalos": { "alert": {
                "fingerprint": "f1", "dimension": "host", "key": "web1", "value": 7.5
            } }
        })
    };
    let probe = request(3, "203.0.113.9", "GET", "/wp-login.php", 404);
    let probe = with(probe, "/user_agent/original", json!("Mozilla/5.0 sqlmap/1.7"));
    let injected = request(5, "203.0.113.9", "GET", "/api/items", 200);
    let mut refused = request(4, "203.0.113.7", "POST", "/login", 401);
    refused["user"] = json!({ "name": "root" });
    let marked = with(level("db1", "info", "app"), "/log/level", json!("warn"));
    let mut marked_line = marked;
    marked_line["tags"] = json!(["parse_failure"]);
    vec![
        ("access", request(0, "198.51.100.1", "GET", "/", 200)),
        ("access", request(1, "198.51.100.2", "GET", "/", 304)),
        ("access", request(2, "198.51.100.2", "POST", "/api/checkout", 503)),
        ("access", probe),
        (
            "access",
            with(
                request(3, "203.0.113.9", "GET", "/.env", 200),
                "/http/response/body/bytes",
                json!(900),
            ),
        ),
        ("access", refused),
        ("access", with(injected, "/url/query", json!("id=1 UNION ALL SELECT password"))),
        ("access", request(6, "203.0.113.9", "PROPFIND", "/dav", 404)),
        ("app", level("db1", "error", "app")),
        ("app", marked_line),
        ("app", level("web1", "critical", "app")),
        (
            "fleet",
            heartbeat(
                "web1",
                "omphalos-shipper",
                0.0,
                json!({ "read": 8, "confirmed": 7, "in_flight": 1, "skipped": 0 }),
            ),
        ),
        (
            "fleet",
            heartbeat(
                "web1",
                "omphalos-shipper",
                12.5,
                json!({ "read": 9, "confirmed": 9, "in_flight": 0, "skipped": 0 }),
            ),
        ),
        (
            "fleet",
            heartbeat(
                "mid1",
                "omphalos-indexer",
                0.0,
                json!({ "received": 9, "indexed": 6, "duplicate": 2, "dead": 1, "in_flight": 0 }),
            ),
        ),
        ("alerts", alert("raised")),
        ("alerts", alert("cleared")),
    ]
}

/// What Kibana makes of the aggregations of a panel: figures beside each other in the innermost of the
/// buckets, and in all of them.
fn request_of(vis_state: &Value, query: &str) -> Value {
    let all = vis_state["aggs"].as_array().expect("aggregations");
    let is_figure = |agg: &&Value| agg["schema"] == "metric";
    let mut figures = Map::new();
    for agg in all.iter().filter(is_figure).filter(|agg| agg["type"] != "count") {
        let kind = agg["type"].as_str().expect("a type");
        figures.insert(id(agg), json!({ kind: { "field": agg["params"]["field"] } }));
    }
    let first = all.iter().find(|agg| agg["id"] == "1").expect("what is ordered by");
    let order = if first["type"] == "count" { "_count" } else { "1" };
    let mut inner = figures.clone();
    for agg in all.iter().filter(|agg| !is_figure(agg)).rev() {
        let params = &agg["params"];
        let body = match agg["type"].as_str().expect("a type") {
            "terms" => {
                assert_eq!((&params["orderBy"], &params["order"]), (&json!("1"), &json!("desc")));
                json!({ "terms": { "field": params["field"], "size": params["size"], "order": { order: "desc" } } })
            }
            // Kibana chooses the interval by the time that is looked at.
            "date_histogram" => {
                json!({ "date_histogram": { "field": params["field"], "fixed_interval": "1h", "min_doc_count": 1 } })
            }
            "filters" => {
                let filters = params["filters"].as_array().expect("filters").iter();
                let filters: Map<String, Value> = filters
                    .map(|filter| {
                        assert_eq!(filter["input"]["language"], "lucene");
                        let query = &filter["input"]["query"];
                        let label = filter["label"].as_str().expect("a label").to_owned();
                        (
                            label,
                            json!({ "query_string": { "query": query, "analyze_wildcard": true } }),
                        )
                    })
                    .collect();
                json!({ "filters": { "filters": filters } })
            }
            other => panic!("{other}"),
        };
        let mut outer = figures.clone();
        let mut body = body;
        body["aggs"] = Value::Object(inner);
        outer.insert(id(agg), body);
        inner = outer;
    }
    let query = match query {
        "" => json!({ "match_all": {} }),
        query => json!({ "query_string": { "query": query, "analyze_wildcard": true } }),
    };
    json!({ "size": 0, "track_total_hits": true, "query": query, "aggs": inner })
}

fn id(agg: &Value) -> String {
    agg["id"].as_str().expect("an id").to_owned()
}

/// An answer as one line: `key count figures {what is inside}`, without what is empty.
fn shown(answer: &Value, count: &Value, vis_state: &Value) -> String {
    let mut text = String::new();
    let all = vis_state["aggs"].as_array().expect("aggregations");
    for agg in all.iter().filter(|agg| agg["schema"] == "metric") {
        let value = if agg["type"] == "count" { count } else { &answer[id(agg)]["value"] };
        let value = value.as_f64().map_or("-".to_owned(), |value| value.to_string());
        write!(text, " {value}").expect("text");
    }
    for agg in all.iter().filter(|agg| agg["schema"] != "metric") {
        let buckets = &answer[id(agg)]["buckets"];
        let each: Vec<(String, &Value)> = match buckets {
            Value::Object(named) => named.iter().map(|(name, one)| (name.clone(), one)).collect(),
            Value::Array(listed) => listed.iter().map(|one| (key_of(one), one)).collect(),
            _ => continue,
        };
        let each = each.into_iter().filter(|(_, one)| one["doc_count"] != 0);
        let each: Vec<String> = each
            .map(|(key, one)| format!("{key}{}", shown(one, &one["doc_count"], vis_state)))
            .collect();
        write!(text, " {{{}}}", each.join(", ")).expect("text");
    }
    text
}

fn key_of(bucket: &Value) -> String {
    match bucket["key_as_string"].as_str().or(bucket["key"].as_str()) {
        Some(key) => {
            key.trim_start_matches("2026-11-22T").trim_end_matches(":00:00.000Z").to_owned()
        }
        None => bucket["key"].to_string(),
    }
}

/// The types of all fields of the test's indices.
fn types(elastic: &Elastic, prefix: &str) -> BTreeMap<String, String> {
    fn collect(path: &str, properties: &Value, types: &mut BTreeMap<String, String>) {
        for (name, property) in properties.as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            collect(&path, &property["properties"], types);
            if let Some(kind) = property["type"].as_str() {
                types.insert(path, kind.to_owned());
            }
        }
    }
    let mappings = elastic.must(Method::GET, &format!("{prefix}-*/_mapping"), &Value::Null);
    let mut found = BTreeMap::new();
    for index in mappings.as_object().expect("indices").values() {
        collect("", &index["mappings"]["properties"], &mut found);
    }
    found
}

/// The names of fields in a query of Lucene's language.
fn fields_in(query: &str) -> Vec<String> {
    let query = query.replace("_exists_:", " ");
    let words = query
        .split([' ', '(', ')'])
        .map(|word| word.split_once(':').map_or(word, |(name, _)| name));
    let is_name = |word: &&str| {
        word.contains('.') && word.chars().all(|one| one.is_ascii_lowercase() || "._".contains(one))
    };
    let fields = words.filter(is_name).filter(|word| {
        !word.starts_with('.') && *word != "omphalos.fleet" && *word != "omphalos.alerts"
    });
    fields.map(str::to_owned).collect()
}

fn json_in(object: &Value, path: &str) -> Value {
    let text = object.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}"));
    serde_json::from_str(text).expect("JSON in a text")
}

#[test]
fn every_panel_finds_in_a_real_elasticsearch_what_is_there_to_be_found() {
    let stack = Stack::shared();
    let (elastic, url) = (stack.elastic(), stack.search_url());
    done(&stack, &url, &[]);
    for (dataset, document) in documents() {
        let index = format!("{}-{dataset}-2026.11.22", stack.prefix());
        elastic.must(Method::POST, &format!("{index}/_doc"), &document);
    }
    elastic.wait_for_count(documents().len() as u64);
    let directory = stack.path("export");
    says(
        &done(&stack, &url, &["--export", &directory.display().to_string(), "--retention", "90d"]),
        &["kibana.ndjson", "index-template.json", "ilm-", "ism-"],
    );
    let file = fs::read_to_string(directory.join("kibana.ndjson")).expect("the file");
    let objects: Vec<Value> =
        file.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let types = types(&elastic, stack.prefix());
    let template = fs::read_to_string(directory.join("index-template.json")).expect("a template");
    let template: Value = serde_json::from_str(&template).expect("JSON");
    let mut used = BTreeSet::new();
    let mut found = String::new();
    for object in objects.iter().filter(|object| object["type"] != "index-pattern") {
        let source = json_in(object, "/attributes/kibanaSavedObjectMeta/searchSourceJSON");
        let query = source["query"]["query"].as_str().expect("a query");
        used.extend(fields_in(query));
        let columns = object["attributes"]["columns"].as_array().into_iter().flatten();
        used.extend(columns.map(|column| column.as_str().expect("a field").to_owned()));
        let name = object["id"].as_str().expect("an id").trim_start_matches(stack.prefix());
        if object["type"] == "search" {
            let request = json!({ "query": { "query_string": { "query": query } } });
            let answer =
                elastic.must(Method::POST, &format!("{}-*/_search", stack.prefix()), &request);
            writeln!(found, "{} {}", &name[1..], answer["hits"]["total"]["value"]).expect("text");
        }
        if object["type"] != "visualization" {
            continue;
        }
        let vis_state = json_in(object, "/attributes/visState");
        if vis_state["type"] == "markdown" {
            continue;
        }
        for agg in vis_state["aggs"].as_array().expect("aggregations") {
            used.extend(agg["params"]["field"].as_str().map(str::to_owned));
            let filters = agg["params"]["filters"].as_array().into_iter().flatten();
            used.extend(
                filters.flat_map(|one| fields_in(one["input"]["query"].as_str().expect("a query"))),
            );
        }
        let request = request_of(&vis_state, query);
        let path = format!("{}-*/_search?allow_partial_search_results=false", stack.prefix());
        let answer = elastic.must(Method::POST, &path, &request);
        let total = &answer["hits"]["total"]["value"];
        let line = shown(&answer["aggregations"], total, &vis_state);
        writeln!(found, "{}{line}", &name[1..]).expect("text");
    }
    let expected = include_str!("panels.txt");
    assert_eq!(found, expected, "what panels find; look at each line before it is written down");

    // What is fixed stands in the template; the rest are texts, which it makes keywords.
    for field in used {
        let path =
            format!("/template/mappings/properties/{}/type", field.replace('.', "/properties/"));
        let fixed = template.pointer(&path).and_then(Value::as_str);
        let kind = types.get(&field).unwrap_or_else(|| panic!("no document has {field}"));
        assert!(
            fixed.is_some() || kind == "keyword",
            "{field} is {kind}, which the template does not say"
        );
    }
}
