//! The panels of the dashboards, as they are written for Kibana: what each asks for is asked of a real
//! Elasticsearch, with lines of which it is known what there is to be found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use omphalos_tests::{Elastic, Stack};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{done, says};

/// Documents as parsers, heartbeats and alerts make them, with what dashboards look at; each with its dataset.
fn documents() -> Vec<(String, Value)> {
    serde_json::from_str(include_str!("documents.json")).expect("documents")
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

/// The objects of an export.
fn exported(directory: &Path) -> Vec<Value> {
    let file = fs::read_to_string(directory.join("kibana.ndjson")).expect("the file");
    file.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

/// What a search or a visualization finds, as a line.
fn found_by(elastic: &Elastic, prefix: &str, object: &Value) -> Option<String> {
    let source = json_in(object, "/attributes/kibanaSavedObjectMeta/searchSourceJSON");
    let query = source["query"]["query"].as_str().expect("a query");
    let id = object["id"].as_str().expect("an id");
    let name = id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).expect("our prefix");
    let path = format!("{prefix}-*/_search?allow_partial_search_results=false");
    if object["type"] == "search" {
        let request = json!({ "query": { "query_string": { "query": query } } });
        let answer = elastic.must(Method::POST, &path, &request);
        return Some(format!("{name} {}", answer["hits"]["total"]["value"]));
    }
    let vis_state = json_in(object, "/attributes/visState");
    if vis_state["type"] == "markdown" {
        return None;
    }
    let answer = elastic.must(Method::POST, &path, &request_of(&vis_state, query));
    let total = &answer["hits"]["total"]["value"];
    Some(format!("{name}{}", shown(&answer["aggregations"], total, &vis_state)))
}

/// All fields that an object names.
fn used_by(object: &Value) -> BTreeSet<String> {
    let source = json_in(object, "/attributes/kibanaSavedObjectMeta/searchSourceJSON");
    let mut used =
        BTreeSet::from_iter(fields_in(source["query"]["query"].as_str().expect("a query")));
    let columns = object["attributes"]["columns"].as_array().into_iter().flatten();
    used.extend(columns.map(|column| column.as_str().expect("a field").to_owned()));
    if object["type"] == "visualization" {
        let vis_state = json_in(object, "/attributes/visState");
        for agg in vis_state["aggs"].as_array().expect("aggregations") {
            used.extend(agg["params"]["field"].as_str().map(str::to_owned));
            let filters = agg["params"]["filters"].as_array().into_iter().flatten();
            let queries = filters.map(|one| one["input"]["query"].as_str().expect("a query"));
            used.extend(queries.flat_map(fields_in));
        }
    }
    used
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
        &["kibana.ndjson", "index-template.json", "outlier-template.json", "ilm-", "ism-"],
    );
    let objects = exported(&directory);
    let asking =
        objects.iter().filter(|one| one["type"] == "search" || one["type"] == "visualization");
    let mut found = String::new();
    let mut used = BTreeSet::new();
    for object in asking {
        used.extend(used_by(object));
        if let Some(line) = found_by(&elastic, stack.prefix(), object) {
            writeln!(found, "{line}").expect("text");
        }
    }
    let expected = include_str!("panels.txt");
    assert_eq!(found, expected, "what panels find; look at each line before it is written down");

    // What is fixed stands in the template; the rest are texts, which it makes keywords.
    let template = fs::read_to_string(directory.join("index-template.json")).expect("a template");
    let template: Value = serde_json::from_str(&template).expect("JSON");
    let types = types(&elastic, stack.prefix());
    for field in used {
        let path =
            format!("/template/mappings/properties/{}/type", field.replace('.', "/properties/"));
        let fixed = template.pointer(&path).and_then(Value::as_str);
        let kind = types.get(&field).unwrap_or_else(|| panic!("no document has {field}"));
        assert!(fixed.is_some() || kind == "keyword", "{field} is {kind}, which no template says");
    }
}
