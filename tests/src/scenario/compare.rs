//! What is compared of two answers.

use serde_json::{Map, Value};

/// Times, the number of shards, and what engines count in their own way: there, and of the same
/// kind, is enough.
const DIFFER_EVERYWHERE: [&str; 4] = ["took", "_shards", "items.*.*._shards", "timed_out"];
/// Scores are computed by the same formula from statistics that are not quite the same.
const SCORES: [&str; 2] = ["_score", "max_score"];
const SCORE_TOLERANCE: f64 = 0.02;

/// Of an error only what a program acts on: status, type and reason, and those of its first root
/// cause. Places in the request, stack traces and causes of causes are left out.
pub fn essence(mut answer: Value) -> Value {
    strip(&mut answer);
    answer
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::Object(error)) = members.get_mut("error") {
                let mut kept = told(error);
                if let Some(root) = error.get("root_cause").and_then(|list| list.get(0)) {
                    let root = root.as_object().map(told).unwrap_or_default();
                    kept.insert("root_cause".to_owned(), Value::Array(vec![root.into()]));
                }
                *error = kept;
            }
            members.values_mut().for_each(strip);
        }
        Value::Array(elements) => elements.iter_mut().for_each(strip),
        _ => {}
    }
}

fn told(error: &Map<String, Value>) -> Map<String, Value> {
    let kept = error.iter().filter(|(key, _)| ["type", "reason"].contains(&key.as_str()));
    kept.map(|(key, value)| (key.clone(), without_place(value))).collect()
}

/// A reason without the line and the column in it, as in `[1:51] `.
fn without_place(reason: &Value) -> Value {
    let Some(text) = reason.as_str() else { return reason.clone() };
    let is_place = |word: &str| {
        let inner = word.strip_prefix('[').and_then(|word| word.strip_suffix(']'));
        let numbers = inner.and_then(|inner| inner.split_once(':'));
        numbers.is_some_and(|(line, column)| {
            [line, column].iter().all(|number| number.parse::<u32>().is_ok())
        })
    };
    let words: Vec<&str> = text.split(' ').filter(|word| !is_place(word)).collect();
    Value::from(words.join(" ").trim_end_matches(" at").to_owned())
}

/// Adds what is different to `differences`, except at the places `differs`, where the kinds of the
/// values are compared.
pub fn compare(expected: &Value, found: &Value, differs: &[&str], differences: &mut Vec<String>) {
    let mut differs = differs.to_vec();
    differs.extend(DIFFER_EVERYWHERE);
    walk(expected, found, &mut Place { differs: &differs, path: Vec::new() }, differences);
}

struct Place<'a> {
    differs: &'a [&'a str],
    path: Vec<String>,
}

impl Place<'_> {
    fn may_differ(&self) -> bool {
        self.differs.iter().any(|pattern| {
            let words: Vec<&str> = pattern.split('.').collect();
            words.len() == self.path.len()
                && words.iter().zip(&self.path).all(|(word, name)| *word == "*" || word == name)
        })
    }
}

fn walk(expected: &Value, found: &Value, place: &mut Place<'_>, differences: &mut Vec<String>) {
    if place.may_differ() {
        if kind(expected) != kind(found) {
            differences.push(format!(
                "{}: expected a value like {expected}, found {found}",
                place.path.join(".")
            ));
        }
        return;
    }
    match (expected, found) {
        (Value::Object(wanted), Value::Object(got)) => {
            let extra = got.keys().filter(|key| !wanted.contains_key(*key));
            for key in wanted.keys().chain(extra) {
                place.path.push(key.clone());
                match (wanted.get(key), got.get(key)) {
                    (Some(expected), Some(found)) => walk(expected, found, place, differences),
                    (one, other) if !place.may_differ() => differences.push(format!(
                        "{}: expected {}, found {}",
                        place.path.join("."),
                        one.map_or("nothing".to_owned(), Value::to_string),
                        other.map_or("nothing".to_owned(), Value::to_string)
                    )),
                    _ => {}
                }
                place.path.pop();
            }
        }
        (Value::Array(wanted), Value::Array(got)) if wanted.len() == got.len() => {
            for (number, (expected, found)) in wanted.iter().zip(got).enumerate() {
                place.path.push(number.to_string());
                walk(expected, found, place, differences);
                place.path.pop();
            }
        }
        (one, other) if one == other || is_near(one, other, place) => {}
        (one, other) => {
            differences.push(format!("{}: expected {one}, found {other}", place.path.join(".")));
        }
    }
}

/// Numbers that say the same: 1 and 1.0, sums in another order, scores.
fn is_near(one: &Value, other: &Value, place: &Place<'_>) -> bool {
    let (Some(one), Some(other)) = (one.as_f64(), other.as_f64()) else { return false };
    let is_score = place.path.last().is_some_and(|name| SCORES.contains(&name.as_str()));
    // Scores among sort values are small, and as precise as scores are.
    let tolerance = if is_score {
        SCORE_TOLERANCE
    } else if one.abs() < 1e4 {
        1e-6
    } else {
        1e-12
    };
    (one - other).abs() <= tolerance * one.abs().max(other.abs())
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(expected: &Value, found: &Value, differs: &[&str]) -> Vec<String> {
        let mut differences = Vec::new();
        compare(expected, found, differs, &mut differences);
        differences
    }

    #[test]
    fn only_what_may_differ_may_differ() {
        let one = json!({ "took": 3, "hits": [{ "_score": 1.0, "_id": "a" }] });
        let other = json!({ "took": 4, "hits": [{ "_score": 1.01, "_id": "b" }] });
        assert_eq!(differences(&one, &other, &[]), ["hits.0._id: expected \"a\", found \"b\""]);
        assert_eq!(differences(&one, &other, &["hits.*._id"]), [""; 0]);
        assert_eq!(differences(&one, &json!({ "took": "4", "hits": [] }), &[]).len(), 2);
    }

    #[test]
    fn of_an_error_the_type_and_the_reason_are_told() {
        let error = json!({
            "error": { "type": "t", "reason": "r", "line": 1, "root_cause": [{ "type": "u", "col": 2 }] },
            "status": 400
        });
        let told = json!({
            "error": { "type": "t", "reason": "r", "root_cause": [{ "type": "u" }] }, "status": 400
        });
        assert_eq!(essence(error), told);
    }
}
