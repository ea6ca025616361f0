//! Whether two answers say the same.
//!
//! Hits that stand at the same place by what they are sorted by may be in any order, and where some of
//! them are cut off, any of them may be there. Scores may differ by [`SCORE_TOLERANCE`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Scores come from statistics that are not quite the same.
pub const SCORE_TOLERANCE: f64 = 0.02;
/// Numbers that are computed come from sums in another order.
const NUMBER_TOLERANCE: f64 = 1e-9;
/// What every server has its own of.
const OWN: [&str; 14] = [
    "took",
    "_shards",
    "_scroll_id",
    "pit_id",
    "_seq_no",
    "_primary_term",
    "timed_out",
    "forced_refresh",
    "uuid",
    "creation_date",
    "version",
    "shards_acknowledged",
    "settings",
    "doc_count_error_upper_bound",
];

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The same.
    Agrees,
    /// The store refuses what Elasticsearch answers, for this reason.
    Refused(String),
    /// Not the same.
    Differs(String),
}

/// An answer: status and body.
pub type Answer = (u16, Value);

/// Compares Elasticsearch's answer with the store's.
pub fn compare(theirs: &Answer, ours: &Answer) -> Verdict {
    compare_sorted(theirs, ours, false)
}

/// Compares them; where hits are sorted by places, which are each server's own, not their order.
pub fn compare_sorted(
    (status, expected): &Answer,
    (own, found): &Answer,
    by_place: bool,
) -> Verdict {
    let reason = || {
        let error = &found["error"];
        let reason = error["reason"].as_str().or(error.as_str()).unwrap_or_default();
        if reason.is_empty() { found.to_string() } else { reason.to_owned() }
    };
    if *own == 0 || *own >= 500 {
        return Verdict::Differs(format!("the store fails: {own} {}", reason()));
    }
    let has_failures = expected["_shards"]["failed"].as_u64().is_some_and(|failed| failed > 0);
    // A failure of its own, such as of addresses for those that are missing.
    let is_theirs =
        *status >= 400 && expected["error"]["root_cause"].as_array().is_some_and(Vec::is_empty);
    match (*status >= 400, *own >= 400) {
        (true, false) if is_theirs => Verdict::Agrees,
        // Its own bugs are not asked for.
        (true, true) if *status >= 500 || alike(*status, *own) || is_refusal(&reason()) => {
            Verdict::Agrees
        }
        (true, true) => Verdict::Differs(format!(
            "status {status} there ({}), {own} here ({})",
            short(&expected["error"]),
            reason()
        )),
        (true, false) => Verdict::Differs(format!(
            "refused there ({}), answered here",
            short(&expected["error"])
        )),
        (false, true) if has_failures => Verdict::Agrees,
        (false, true) if expected == found => Verdict::Agrees,
        (false, true) => Verdict::Refused(reason()),
        (false, false) if has_failures => Verdict::Differs(format!(
            "some indices fail there: {}",
            short(&expected["_shards"]["failures"])
        )),
        // Half a character in a name, of which it makes no JSON.
        (false, false) if expected.is_string() && found.is_object() => Verdict::Agrees,
        (false, false) if status != own => {
            Verdict::Differs(format!("status {status} there, {own} here"))
        }
        (false, false) => answers(expected, found, by_place),
    }
}

/// Whether two refusals mean the same to a program: what it asked for is wrong, was there already, or is to
/// be tried again.
fn alike(status: u16, own: u16) -> bool {
    let class = |status| match status {
        400 | 404 | 405 | 406 => 400,
        other => other,
    };
    class(status) == class(own)
}

/// Whether the store refuses what is not there.
pub fn is_not_here((status, answer): &Answer) -> bool {
    *status >= 400 && is_refusal(answer["error"]["reason"].as_str().unwrap_or_default())
}

fn is_refusal(reason: &str) -> bool {
    ["not supported", " here", "no handler found", "unrecognized parameter", "does not exist"]
        .iter()
        .any(|part| reason.contains(part))
}

fn answers(expected: &Value, found: &Value, by_place: bool) -> Verdict {
    let mut refused = None;
    let mut differences = Vec::new();
    if let (Some(theirs), Some(ours)) = (expected["items"].as_array(), found["items"].as_array()) {
        if theirs.len() != ours.len() {
            return Verdict::Differs(format!("{} items there, {} here", theirs.len(), ours.len()));
        }
        for (theirs, ours) in theirs.iter().zip(ours) {
            match item(theirs, ours) {
                Verdict::Agrees => {}
                Verdict::Refused(reason) => refused = Some(reason),
                Verdict::Differs(how) => differences.push(how),
            }
        }
    } else {
        if let (Some(theirs), Some(ours)) =
            (expected["hits"]["hits"].as_array(), found["hits"]["hits"].as_array())
        {
            hits(theirs, ours, by_place, &mut differences);
        }
        walk("", expected, found, &mut differences);
        let is_empty = expected["hits"]["hits"].as_array().is_some_and(Vec::is_empty);
        // Without hits it says only how Elasticsearch went about it.
        differences.retain(|how| !(is_empty && how.starts_with("hits.max_score")));
    }
    match (differences.first(), refused) {
        (Some(first), _) => Verdict::Differs(first.clone()),
        (None, Some(reason)) => Verdict::Refused(reason),
        (None, None) => Verdict::Agrees,
    }
}

/// Compares what became of one item of a bulk.
fn item(theirs: &Value, ours: &Value) -> Verdict {
    let part = |item: &Value| {
        item.as_object().and_then(|item| item.values().next().cloned()).unwrap_or_default()
    };
    let (theirs, ours) = (part(theirs), part(ours));
    let answer = |item: &Value| {
        let status = item["status"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or_default();
        (status, item.clone())
    };
    compare(&answer(&theirs), &answer(&ours))
}

/// The beginning of what may be long.
pub fn short(value: &Value) -> String {
    let text =
        value["root_cause"][0]["reason"].as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(300).collect()
}

/// Compares hits, in whatever order equal ones are.
fn hits(theirs: &[Value], ours: &[Value], by_place: bool, differences: &mut Vec<String>) {
    if theirs.len() != ours.len() {
        differences.push(format!("{} hits there, {} here", theirs.len(), ours.len()));
        return;
    }
    let compared = if by_place { 0 } else { theirs.len() };
    for (number, (one, other)) in theirs.iter().zip(ours).enumerate().take(compared) {
        // Hits that are sorted by something else may have any score.
        let place = if one["sort"].is_null() { "_score" } else { "sort" };
        let are_alike = match place {
            "sort" => sorted_alike(&one[place], &other[place]),
            _ => are_near(&one[place], &other[place], SCORE_TOLERANCE),
        };
        if !are_alike {
            differences.push(format!(
                "hit {number}: {place} {} there ({}), {} here ({})",
                one[place], one["_id"], other[place], other["_id"]
            ));
            return;
        }
    }
    let by_id = |hits: &[Value]| -> BTreeMap<String, Value> {
        hits.iter().map(|hit| (format!("{} {}", hit["_index"], hit["_id"]), hit.clone())).collect()
    };
    let (theirs, ours) = (by_id(theirs), by_id(ours));
    for (id, one) in &theirs {
        if let Some(other) = ours.get(id) {
            walk(&format!("hit {id}"), one, other, differences);
        }
    }
}

/// Whether sort values are the same; scores are those that are neither whole nor texts.
pub fn sorted_alike(one: &Value, other: &Value) -> bool {
    if !are_near(one, other, SCORE_TOLERANCE) {
        return false;
    }
    let (Some(one), Some(other)) = (one.as_array(), other.as_array()) else { return one == other };
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            is_score(one) || one == other || are_near(one, other, NUMBER_TOLERANCE)
        })
}

fn is_score(value: &Value) -> bool {
    value.as_number().is_some_and(serde_json::Number::is_f64)
}

fn are_near(one: &Value, other: &Value, tolerance: f64) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| are_near(one, other, tolerance))
        }
        // Whole numbers are exact.
        (Value::Number(a), Value::Number(b)) if a.is_i64() && b.is_i64() => a == b,
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            (a - b).abs() <= tolerance * a.abs().max(b.abs()) || is_same_float(one, other)
        }
        _ => one == other,
    }
}

/// Whether numbers of few digits are the same one of 32 bits: of two that are as near, Java and Rust
/// print different ones.
fn is_same_float(one: &Value, other: &Value) -> bool {
    let float = |value: &Value| {
        value.to_string().parse::<f32>().ok().filter(|_| value.to_string().len() <= 11)
    };
    float(one).is_some() && float(one) == float(other)
}

/// Compares what has no order of its own.
fn walk(place: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        // Of several indices Elasticsearch counts such buckets roughly, and says so.
        (Value::Object(theirs), Value::Object(_)) if is_rough(theirs) => {}
        (Value::Object(theirs), Value::Object(ours)) => {
            let names = theirs.keys().chain(ours.keys().filter(|name| !theirs.contains_key(*name)));
            for name in names.filter(|name| !OWN.contains(&name.as_str())) {
                let is_compared = name == "sort" || (place == "hits" && name == "hits");
                if !is_compared {
                    member(place, name, (theirs, ours), differences);
                }
            }
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
            for (number, (one, other)) in theirs.iter().zip(ours).enumerate() {
                walk(&format!("{place}.{number}"), one, other, differences);
            }
        }
        (one, other) => {
            let tolerance =
                if place.ends_with("_score") { SCORE_TOLERANCE } else { NUMBER_TOLERANCE };
            if !are_near(one, other, tolerance) {
                differences.push(format!("{place}: {} there, {} here", short(one), short(other)));
            }
        }
    }
}

/// Whether Elasticsearch says of buckets that they may not be all, or not the right ones.
fn is_rough(buckets: &Map<String, Value>) -> bool {
    buckets.get("doc_count_error_upper_bound").is_some_and(|error| *error != 0)
}

/// Whether it is as long as the ids that a server makes up.
fn is_made_up(id: Option<&Value>, length: usize) -> bool {
    id.and_then(Value::as_str).is_some_and(|id| id.len() == length)
}

fn member(
    place: &str,
    name: &str,
    (theirs, ours): (&Map<String, Value>, &Map<String, Value>),
    differences: &mut Vec<String>,
) {
    let path = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    if name == "_id" && is_made_up(theirs.get(name), 20) && is_made_up(ours.get(name), 32) {
        return;
    }
    match (theirs.get(name), ours.get(name)) {
        (Some(one), Some(other)) => walk(&path, one, other, differences),
        (one, other) => {
            let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), short);
            differences.push(format!("{path}: {} there, {} here", shown(one), shown(other)));
        }
    }
}
