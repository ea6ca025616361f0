//! What is asked of both servers.

use reqwest::Method;
use serde_json::{Value, json};

use super::aggregations::aggregations;
use super::draw::{Draw, Field};
use super::paging::Walk;
use super::queries::Asking;
use super::scene::{Scene, UNIQUE};
use super::writes;

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its path and parameters, without the first slash.
    pub path: String,
    /// Its body, which may be empty.
    pub body: String,
}

impl Request {
    /// With a body of JSON.
    pub fn json(method: Method, path: impl Into<String>, body: &Value) -> Self {
        Self { method, path: path.into(), body: body.to_string() }
    }

    /// Without a body.
    pub fn bare(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: String::new() }
    }
}

/// What is compared at once.
pub struct Case {
    /// Of which kind it is.
    pub kind: &'static str,
    /// What is sent.
    pub steps: Steps,
}

/// What is sent.
pub enum Steps {
    /// Requests, each of which is answered for itself.
    Each(Vec<Request>),
    /// Pages, up to the last.
    Pages(Walk),
}

/// Of each kind, how often it is drawn among a hundred.
pub const KINDS: [(&str, usize); 8] = [
    ("query", 32),
    ("string", 12),
    ("sort", 12),
    ("paging", 8),
    ("fields", 8),
    ("aggregations", 16),
    ("write", 8),
    ("path", 4),
];

/// Draws a case of a kind.
pub fn case(draw: &mut Draw, kind: &'static str, scene: &Scene) -> Case {
    let asking = Asking { fields: &scene.fields, indices: &scene.indices };
    let target = target(draw, scene);
    let search = |body: &Value| {
        Steps::Each(vec![Request::json(Method::POST, format!("{target}/_search"), body)])
    };
    let steps = match kind {
        "query" => {
            let query = asking.query(draw, 2);
            if draw.chance(10) {
                let count = json!({ "query": query });
                Steps::Each(vec![Request::json(Method::POST, format!("{target}/_count"), &count)])
            } else {
                search(&json!({ "query": query, "size": 1000, "_source": false }))
            }
        }
        "string" => {
            let text = super::strings::text(&asking, draw, 2);
            let mut query = json!({ "query": text });
            if draw.chance(50) {
                query["default_field"] = json!("t");
            }
            if draw.chance(30) {
                query["default_operator"] = json!("and");
            }
            let mut body =
                json!({ "query": { "query_string": query }, "size": 1000, "_source": false });
            // All fields are meant, and of those mapped later lengths do not count for scores.
            if body["query"]["query_string"]["default_field"].is_null() {
                body["sort"] = json!([UNIQUE]);
            }
            search(&body)
        }
        "sort" => {
            let mut body = json!({ "sort": sort(draw, &asking), "size": draw.pick(&[5, 50, 1000]), "_source": false });
            if draw.chance(50) {
                body["query"] = asking.query(draw, 1);
            }
            if draw.chance(15) {
                body["track_scores"] = json!(true);
            }
            if draw.chance(15) {
                body["from"] = json!(draw.below(20));
            }
            search(&body)
        }
        "paging" => Steps::Pages(Walk::draw(draw, &asking, &target)),
        "fields" => search(&shown(draw, &asking)),
        "aggregations" => {
            let mut body = json!({ "size": 0, "aggs": aggregations(draw, &asking, 2) });
            if draw.chance(40) {
                body["query"] = asking.query(draw, 1);
            }
            search(&body)
        }
        "write" => Steps::Each(writes::write(draw, &format!("{}-w", scene.indices[0]))),
        "path" => Steps::Each(vec![writes::path(draw, &scene.indices[0])]),
        other => panic!("no cases of kind {other}"),
    };
    Case { kind, steps }
}

fn target(draw: &mut Draw, scene: &Scene) -> String {
    let [first, second] = &scene.indices;
    match draw.below(4) {
        0 => first.clone(),
        1 => format!("{second},{first}"),
        _ => format!("{}*", first.trim_end_matches('1')),
    }
}

/// One to three things to sort by.
pub fn sort(draw: &mut Draw, asking: &Asking<'_>) -> Value {
    (0..=draw.below(3)).map(|_| sort_field(draw, asking)).collect()
}

fn sort_field(draw: &mut Draw, asking: &Asking<'_>) -> Value {
    if draw.chance(12) {
        return draw.pick(&[
            json!("_score"),
            json!({ "_score": "asc" }),
            json!("_doc"),
            json!({ "_doc": "desc" }),
            json!({ "_score": { "order": "desc" } }),
        ]);
    }
    let field: Field = asking.field(draw);
    let order = draw.pick(&["asc", "desc"]);
    if draw.chance(25) {
        return draw.pick(&[json!(field.path), json!({ field.path: order })]);
    }
    let mut options = json!({ "order": order });
    // Elasticsearch takes what stands for missing addresses for texts, and fails.
    if field.kind != "ip" && draw.chance(35) {
        options["missing"] = match draw.below(4) {
            0 => json!("_first"),
            1 => json!("_last"),
            _ => super::draw::value(draw, field.kind),
        };
    }
    if draw.chance(20) {
        options["mode"] = json!(draw.pick(&["min", "max", "avg", "sum", "median"]));
    }
    if draw.chance(15) {
        options["unmapped_type"] = json!(draw.pick(&["long", "keyword", "date"]));
    }
    if field.kind.starts_with("date") && draw.chance(25) {
        options["format"] = json!(draw.pick(&[
            "strict_date_optional_time",
            "epoch_millis",
            "yyyy-MM-dd",
            "strict_date_optional_time_nanos"
        ]));
    }
    if draw.chance(5) {
        options["numeric_type"] = json!(draw.pick(&["long", "double", "date", "date_nanos"]));
    }
    let path = if draw.chance(5) { "none" } else { field.path };
    json!({ path: options })
}

/// What is shown of hits.
fn shown(draw: &mut Draw, asking: &Asking<'_>) -> Value {
    let mut body = json!({ "size": 1000, "query": asking.query(draw, 1) });
    let names = |draw: &mut Draw| -> Value {
        (0..=draw.below(3))
            .map(|_| {
                let field = asking.field(draw);
                match draw.below(5) {
                    0 => json!({ "field": field.path }),
                    1 => json!("o.*"),
                    2 if field.kind.starts_with("date") => json!({ "field": field.path, "format": draw.pick(&["epoch_millis", "yyyy-MM-dd"]) }),
                    _ => json!(field.path),
                }
            })
            .collect()
    };
    match draw.below(4) {
        0 => body["docvalue_fields"] = names(draw),
        1 => body["fields"] = names(draw),
        2 => {
            body["_source"] = draw.pick(&[
                json!(["o.*", "k"]),
                json!({ "excludes": ["o", "n*"] }),
                json!("t*"),
                json!(true),
                json!({ "includes": ["*.k"], "excludes": ["d*"] }),
            ]);
        }
        _ => {
            body["size"] = json!(3);
            let (name, value) = draw.pick(&[
                ("version", json!(true)),
                ("seq_no_primary_term", json!(true)),
                ("explain", json!(false)),
                ("min_score", json!(0.5)),
                ("track_total_hits", json!(5)),
                ("track_total_hits", json!(false)),
                ("stored_fields", json!("_none_")),
                ("stored_fields", json!([])),
                ("terminate_after", json!(3)),
                ("post_filter", json!({ "term": { "k": "a" } })),
                ("timeout", json!("10s")),
                ("unknown", json!(1)),
                ("highlight", json!({ "fields": { "t": {} } })),
                ("indices_boost", json!([])),
                ("collapse", json!({ "field": "k" })),
                ("size", json!(-1)),
                ("from", json!(9999)),
            ]);
            body[name] = value;
        }
    }
    body
}
