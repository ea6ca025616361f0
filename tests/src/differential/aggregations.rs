//! Aggregations, with others in them.

use serde_json::{Map, Value, json};

use super::draw::Draw;
use super::queries::Asking;

const NUMBERS: [&str; 8] =
    ["long", "integer", "short", "byte", "double", "float", "half_float", "scaled_float"];

/// One or two, down to a depth.
pub fn aggregations(draw: &mut Draw, asking: &Asking<'_>, depth: usize) -> Value {
    let mut all = Map::new();
    for name in ["one", "two"].iter().take(1 + draw.below(2)) {
        let mut aggregation = one(draw, asking);
        let is_bucket = [
            "terms",
            "histogram",
            "date_histogram",
            "range",
            "date_range",
            "filter",
            "filters",
            "missing",
        ]
        .iter()
        .any(|kind| aggregation.get(kind).is_some());
        if is_bucket && depth > 0 && draw.chance(60) {
            aggregation["aggs"] = aggregations(draw, asking, depth - 1);
            if aggregation.get("terms").is_some() && draw.chance(25) {
                let part =
                    if aggregation["aggs"]["one"].get("stats").is_some() { ".avg" } else { "" };
                let path = format!("one{part}");
                aggregation["terms"]["order"] = json!({ path: draw.pick(&["asc", "desc"]) });
            }
        }
        all.insert((*name).to_owned(), aggregation);
    }
    Value::Object(all)
}

fn one(draw: &mut Draw, asking: &Asking<'_>) -> Value {
    let any = asking.field(draw).path;
    let number = asking.field_of(draw, &NUMBERS).path;
    let date = asking.field_of(draw, &["date", "date_nanos"]).path;
    match draw.below(16) {
        0..=3 => terms(draw, any),
        4 => {
            json!({ "histogram": { "field": number, "interval": draw.pick(&[json!(1), json!(2.5), json!(50)]), "min_doc_count": 1 } })
        }
        5..=6 => date_histogram(draw, date),
        7 => {
            json!({ "range": { "field": number, "ranges": [{ "to": 2 }, { "from": 2, "to": 100 }, { "from": 100 }] } })
        }
        8 => {
            json!({ "date_range": { "field": date, "ranges": [{ "to": "2026-01-01" }, { "from": "2026-01-01", "to": "2026-01-15||/M" }, { "key": "late", "from": "2026-02" }] } })
        }
        9 => json!({ "filter": asking.query(draw, 1) }),
        10 => {
            json!({ "filters": { "filters": { "a": asking.query(draw, 0), "b": asking.query(draw, 0) } } })
        }
        11 => json!({ "missing": { "field": any } }),
        12 => json!({ "cardinality": { "field": any } }),
        13 => json!({ draw.pick(&["value_count", "min", "max"]): { "field": any } }),
        14 => {
            json!({ draw.pick(&["extended_stats", "percentiles", "percentiles", "top_hits", "median_absolute_deviation"]): { "field": number } })
        }
        _ => {
            // Sums of the largest numbers there are, are noise.
            let field = draw.pick(&["i", "f", "df", "dn", "date", "dd", "b"]);
            let mut metric = json!({ "field": field });
            if draw.chance(20) {
                metric["missing"] = json!(3);
            }
            json!({ draw.pick(&["avg", "sum", "min", "max", "stats"]): metric })
        }
    }
}

fn terms(draw: &mut Draw, field: &str) -> Value {
    let mut terms = json!({ "field": field, "size": draw.pick(&[2, 10, 100]) });
    if draw.chance(25) {
        terms["order"] = draw.pick(&[
            json!({ "_key": "asc" }),
            json!({ "_key": "desc" }),
            json!({ "_count": "asc" }),
            json!([{ "_count": "desc" }, { "_key": "desc" }]),
        ]);
    }
    if draw.chance(15) {
        terms["missing"] = draw.pick(&[json!("none"), json!(0)]);
    }
    if draw.chance(15) {
        terms["min_doc_count"] = draw.pick(&[json!(0), json!(2), json!(5)]);
    }
    if draw.chance(10) {
        let name = draw.pick(&["include", "exclude"]);
        terms[name] =
            draw.pick(&[json!("a.*"), json!(["a", "b"]), json!(["10.0.0.1"]), json!([1])]);
    }
    json!({ "terms": terms })
}

fn date_histogram(draw: &mut Draw, field: &str) -> Value {
    let mut histogram = json!({ "field": field, "min_doc_count": 1 });
    if draw.chance(50) {
        histogram["calendar_interval"] =
            json!(draw.pick(&["day", "1M", "year", "1w", "1q", "hour"]));
    } else {
        histogram["fixed_interval"] = json!(draw.pick(&["1d", "12h", "90d"]));
    }
    if draw.chance(20) {
        histogram["time_zone"] = json!(draw.pick(&["+01:00", "-05:30", "Europe/Berlin"]));
    }
    if draw.chance(15) {
        histogram["format"] = json!("yyyy-MM-dd");
    }
    if draw.chance(10) {
        histogram["offset"] = json!("+3h");
    }
    if draw.chance(15) {
        let bounds = draw.pick(&[
            json!({ "min": "2026-01", "max": "2026-02" }),
            json!({ "min": "2026-01-01", "max": "2026-01-15" }),
            json!({ "min": "2025-12-10", "max": "2026-03-10" }),
        ]);
        histogram[draw.pick(&["hard_bounds", "extended_bounds"])] = bounds;
        if draw.chance(50) {
            histogram["min_doc_count"] = json!(0);
        }
    }
    json!({ "date_histogram": histogram })
}
