//! Writes that are odd, and what is in their index afterwards.

use reqwest::Method;
use serde_json::{Value, json};

use super::draw::Draw;
use super::requests::Request;

/// A write into an index of its own, which is looked at and deleted again.
pub fn write(draw: &mut Draw, index: &str) -> Vec<Request> {
    let mut steps = Vec::new();
    if draw.chance(60) {
        steps.push(Request::json(Method::PUT, index, &made(draw)));
    }
    if draw.chance(50) {
        let document = document(draw);
        let method = draw.pick(&[Method::PUT, Method::POST]);
        let path = format!("{index}/_doc/1{}", parameters(draw));
        steps.push(Request { method, path, body: document });
    } else {
        let lines: String = (0..=draw.below(3)).map(|number| item(draw, index, number)).collect();
        let path = draw.pick(&[format!("{index}/_bulk"), "_bulk".to_owned()]);
        let path = format!("{path}{}", bulk_parameters(draw));
        steps.push(Request { method: Method::POST, path, body: lines });
    }
    // One document must not keep others from being found.
    steps.push(Request {
        method: Method::PUT,
        path: format!("{index}/_doc/usual"),
        body: r#"{"usual":"x"}"#.to_owned(),
    });
    // There may be several shards.
    steps.push(Request::bare(Method::POST, format!("{index}/_refresh")));
    steps.push(Request::json(Method::POST, format!("{index}/_search"), &json!({ "sort": [{ "usual.keyword": { "order": "asc", "unmapped_type": "keyword" } }], "size": 100, "docvalue_fields": ["x"] })));
    steps.push(Request::bare(Method::GET, format!("{index}/_mapping")));
    steps.push(Request::bare(Method::DELETE, index));
    steps
}

/// A path that may be unknown.
pub fn path(draw: &mut Draw, index: &str) -> Request {
    let method = draw.pick(&[Method::GET, Method::GET, Method::POST]);
    let body = if method == Method::POST { "{}" } else { "" };
    let path = draw.pick(&[
        "_nodes",
        "_nodes/stats",
        "_cluster/settings",
        "_cluster/state",
        "_stats",
        "_aliases",
        "_cat/nodes",
        "_cat/aliases",
        "_cat",
        "_tasks",
        "_msearch",
        "_sql",
        "_ilm/policy",
        "_ingest/pipeline",
        "_data_stream",
        "_component_template",
        "_template",
        "_xpack",
        "_license",
        "_security/user",
        "_field_caps?fields=*",
        "INDEX/_field_caps?fields=*",
        "INDEX/_settings",
        "INDEX/_alias",
        "INDEX/_stats",
        "INDEX/_segments",
        "INDEX/_mapping/field/k",
        "INDEX/_explain/1",
        "INDEX/_termvectors/1",
        "INDEX/_analyze",
        "INDEX/_unknown",
        "INDEX/_validate/query",
        "INDEX/_search_shards",
        "_unknown",
        "_search/template",
        "_resolve/index/*",
        "_alias",
        "_analyze",
        "INDEX/_update/1",
        "INDEX/_delete_by_query",
        "INDEX/_flush",
        "INDEX/_forcemerge",
        "_flush",
        "INDEX",
        "INDEX/_count",
        "none/_search",
        "none*/_search",
        "none",
        "INDEX/_doc/none",
        "INDEX/_source/none",
        "_cat/indices/none?format=json",
        "UPPER/_search",
        "a,none/_search",
    ]);
    // A write into the scene would be seen here at once, and there after a refresh.
    let is_write = path.contains("_doc/") || path.contains("_update") || path.contains("_delete");
    let (method, body) = if is_write { (Method::GET, "") } else { (method, body) };
    Request { method, path: path.replace("INDEX", index), body: body.to_owned() }
}

/// Types that a field may be of, some of which only Elasticsearch has.
const TYPES: &str = r#"["long", "integer", "byte", "short", "double", "float", "half_float", "boolean", "date", "date_nanos",
"ip", "keyword", "text", "unsigned_long", "geo_point", "nested", "flattened", "object", "alias", "binary"]"#;

/// What may stand beside a type.
const BESIDE: &str = r#"[["null_value", "1"], ["coerce", false], ["store", true], ["index", false],
["doc_values", false], ["copy_to", "y"], ["format", "yyyy-MM-dd"], ["format", "strict_date_optional_time||epoch_millis"],
["format", "epoch_millis||strict_date_optional_time"], ["format", "strict_date_optional_time"], ["format", "epoch_second"], ["ignore_above", 3], ["enabled", false],
["fields", {"y": {"type": "keyword"}}], ["dynamic", "strict"], ["dynamic", false], ["boost", 2], ["unknown", 1],
["analyzer", "whitespace"], ["normalizer", "lowercase"], ["meta", {"a": "b"}], ["similarity", "boolean"]]"#;

/// What may stand in a mapping.
const IN_MAPPING: &str = r#"[["_source", {"enabled": false}], ["_source", {"excludes": ["x"]}], ["_source", {"mode": "synthetic"}],
["_source", {"enabled": true}], ["dynamic", "strict"], ["dynamic", false], ["dynamic", "runtime"], ["date_detection", false],
["numeric_detection", true], ["_routing", {"required": true}], ["_meta", {"a": 1}], ["runtime", {"r": {"type": "long"}}],
["unknown", 1], ["dynamic_date_formats", ["yyyy"]], ["_field_names", {"enabled": false}],
["dynamic_templates", [{"all": {"match": "*", "mapping": {"type": "keyword"}}}]],
["dynamic_templates", [{"all": {"match_mapping_type": "object", "mapping": {"type": "object", "enabled": false}}}]],
["dynamic_templates", [{"all": {"match_mapping_type": ["object", "long"], "mapping": {"type": "keyword"}}}]],
["dynamic_templates", [{"all": {"match": "y", "mapping": {"properties": {"z": {"type": "date"}}}}}]],
["dynamic_templates", [{"all": {"path_match": "o.*", "path_unmatch": ["*.x"], "mapping": {"type": "long"}}}]],
["dynamic_templates", [{"all": {"match": "y", "match_mapping_type": "nonsense", "mapping": {"type": "long"}}}]],
["dynamic_templates", [{"all": {"match": "y", "mapping": {"index": false}}}]]]"#;

/// What may stand beside a mapping.
const IN_INDEX: &str = r#"[["aliases", {}], ["aliases", {"other": {}}], ["unknown", {}], ["settings", {"number_of_shards": 2}],
["settings", {"unknown": 1}], ["settings", {"index.sort.field": "x"}]]"#;

/// One of a list in JSON.
fn one_of(draw: &mut Draw, list: &str) -> Value {
    let list: Vec<Value> = serde_json::from_str(list).expect("a list");
    draw.pick(&list)
}

/// A name and a value, of a list of such.
fn named(draw: &mut Draw, list: &str) -> (String, Value) {
    let pair = one_of(draw, list);
    (pair[0].as_str().expect("a name").to_owned(), pair[1].clone())
}

fn made(draw: &mut Draw) -> Value {
    let mut settings = json!({ "number_of_replicas": 0 });
    if draw.chance(30) {
        settings["index.mapping.ignore_malformed"] = json!(true);
    }
    let mut mapping = json!({ "properties": { "x": { "type": one_of(draw, TYPES) } } });
    if draw.chance(50) {
        let (name, value) = named(draw, BESIDE);
        mapping["properties"]["x"][name] = value;
    }
    if draw.chance(35) {
        let (name, value) = named(draw, IN_MAPPING);
        mapping[name] = value;
    }
    let mut made = json!({ "settings": settings, "mappings": mapping });
    if draw.chance(10) {
        let (name, value) = named(draw, IN_INDEX);
        made[name] = value;
    }
    made
}

/// Values as they are written.
const VALUES: [&str; 47] = [
    "2147483647.9",
    "\"9223372036854775807.9\"",
    "{\"z\":{\"y\":1}}",
    "1",
    "-1",
    "0.5",
    "\"a\"",
    "\"2026-01-01\"",
    "\"2026-01-01T10:00:00.123456789Z\"",
    "true",
    "null",
    "[]",
    "{}",
    "[1,2]",
    "[1,\"a\"]",
    "{\"y\":1}",
    "[{\"y\":1},{\"y\":2}]",
    "1e400",
    "9223372036854775808",
    "128",
    "70000",
    "3000000000",
    "1.0",
    "\"10.0.0.1\"",
    "\"\"",
    "\" \"",
    "\"1\"",
    "[[1],[2]]",
    "{\"lat\":1,\"lon\":2}",
    "1767225600000",
    "\"10:20\"",
    "\"x\\u0000y\"",
    "\"\\ud83d\"",
    "1e-400",
    "-0.0",
    "0x1",
    "NaN",
    "\"NaN\"",
    "\"1e400\"",
    "\"0x10\"",
    "\"1f\"",
    "\"+5\"",
    "\"5 \"",
    "\"-0\"",
    "\"5.\"",
    "\".5\"",
    "\"1_000\"",
];

/// Names of fields.
const NAMES: [&str; 24] = [
    "x",
    "x",
    "x",
    "x",
    "y",
    "y.z",
    "x.y",
    "_id",
    "_source",
    "_type",
    "_routing",
    "",
    " ",
    ".",
    "a..b",
    "_own",
    "@timestamp",
    "é",
    "x ",
    "_doc_count",
    "_ignored",
    "_index",
    "*",
    "a b",
];

/// What is no document, or hardly one.
const NO_DOCUMENTS: [&str; 14] = [
    "",
    "[]",
    "1",
    "\"a\"",
    "{",
    "{\"a\":1}}",
    "{\"a\":1}{\"b\":2}",
    "null",
    "{'a':1}",
    "{\"a\":1,}",
    "{a:1}",
    "{\"a\":01}",
    "{\"a\":1}//",
    "{}",
];

fn document(draw: &mut Draw) -> String {
    let (value, name) = (draw.pick(&VALUES), draw.pick(&NAMES));
    match draw.below(14) {
        0 => format!(r#"{{"{name}":{value},"{name}":1}}"#),
        1 => format!(r#"{{"o":{{"{name}":{value}}}}}"#),
        2 => format!(r#"{{"o":{{"a":{value},"a":1}}}}"#),
        3 => format!(r#"{{"y":1,"{name}":{value}}}  "#),
        4 => draw.pick(&NO_DOCUMENTS).to_owned(),
        _ => format!(r#"{{"{name}":{value}}}"#),
    }
}

fn parameters(draw: &mut Draw) -> &'static str {
    draw.pick(&[
        "",
        "",
        "",
        "",
        "?refresh=true",
        "?routing=a",
        "?op_type=create",
        "?op_type=index",
        "?op_type=x",
        "?require_alias=true",
        "?require_alias=false",
        "?version=3&version_type=external",
        "?version=3",
        "?version_type=internal",
        "?pipeline=none",
        "?pipeline=_none",
        "?if_seq_no=0&if_primary_term=1",
        "?if_seq_no=5",
        "?wait_for_active_shards=1",
        "?timeout=1s",
        "?unknown=1",
        "?refresh=maybe",
        "?refresh=wait_for",
        "?version_type=external",
        "?require_data_stream=true",
        "?timeout=x",
    ])
}

fn bulk_parameters(draw: &mut Draw) -> &'static str {
    draw.pick(&[
        "",
        "",
        "",
        "?refresh=true",
        "?routing=a",
        "?require_alias=true",
        "?require_alias=false",
        "?pipeline=none",
        "?pipeline=_none",
        "?_source=true",
        "?unknown=1",
        "?refresh=wait_for",
        "?refresh=maybe",
        "?require_data_stream=true",
        "?timeout=x",
        "?list_executed_pipelines=false",
    ])
}

fn item(draw: &mut Draw, index: &str, number: usize) -> String {
    let action = draw.pick(&["create", "index", "index", "delete", "update", "unknown"]);
    let action = if action == "unknown" && draw.chance(70) { "index" } else { action };
    let mut meta = json!({ "_index": index, "_id": number.to_string() });
    if draw.chance(50) {
        let (name, value) = draw.pick(&[
            ("routing", json!("a")),
            ("_routing", json!("a")),
            ("pipeline", json!("none")),
            ("pipeline", json!("_none")),
            ("require_alias", json!(true)),
            ("require_alias", json!(false)),
            ("version", json!(3)),
            ("version_type", json!("external")),
            ("_version", json!(3)),
            ("if_seq_no", json!(0)),
            ("unknown", json!(1)),
            ("_id", json!("")),
            ("_id", json!(7)),
            ("_id", json!(null)),
            ("_index", json!("UPPER")),
            ("_index", json!("")),
            ("_index", json!("_x")),
            ("_index", json!(null)),
            ("dynamic_templates", json!({})),
            ("retry_on_conflict", json!(3)),
            ("op_type", json!("create")),
            ("parent", json!("a")),
            ("list_executed_pipelines", json!(true)),
            ("_id", json!(true)),
            ("routing", json!(5)),
            ("routing", json!(null)),
            ("require_data_stream", json!(true)),
            ("_id", json!([1])),
        ]);
        // It then says of the whole bulk that there is no such index.
        if !(action == "update" && name.starts_with("require")) {
            meta[name] = value;
        }
    }
    let line = json!({ action: meta });
    if action == "delete" {
        return format!("{line}\n");
    }
    let document = document(draw);
    let document = if document.is_empty() { "{}".to_owned() } else { document };
    if action == "update" {
        format!("{line}\n{{\"doc\":{{\"a\":1}}}}\n")
    } else {
        format!("{line}\n{document}\n")
    }
}
