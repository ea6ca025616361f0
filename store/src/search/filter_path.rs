//! `filter_path` of a URL: which parts of an answer are sent.

use serde_json::{Map, Value};

use crate::mapping::is_match;

/// Reduces an answer to the paths that are listed, or to all but those with a `-` before them.
pub fn apply(list: &str, answer: Value) -> Value {
    let patterns = |is_wanted: fn(&&str) -> bool| -> Vec<Vec<&str>> {
        let patterns = list.split(',').filter(|pattern| !pattern.is_empty()).filter(is_wanted);
        patterns.map(|pattern| pattern.trim_start_matches('-').split('.').collect()).collect()
    };
    let includes = patterns(|pattern| !pattern.starts_with('-'));
    let excludes = patterns(|pattern| pattern.starts_with('-'));
    let mut answer = answer;
    if !excludes.is_empty() {
        let excludes: Vec<&[&str]> = excludes.iter().map(Vec::as_slice).collect();
        answer = without(answer, &excludes).unwrap_or(Value::Object(Map::new()));
    }
    if !includes.is_empty() {
        let includes: Vec<&[&str]> = includes.iter().map(Vec::as_slice).collect();
        answer = only(answer, &includes).unwrap_or(Value::Object(Map::new()));
    }
    answer
}

/// What is left of patterns below a name, for those that go on; and whether one ends there.
fn below<'a>(patterns: &[&'a [&'a str]], name: &str) -> (Vec<&'a [&'a str]>, bool) {
    let mut rest = Vec::new();
    let mut ends = false;
    for pattern in patterns {
        let Some((first, after)) = pattern.split_first() else { continue };
        if *first == "**" {
            // Any number of names, none included.
            rest.push(*pattern);
            let (more, end) = below(&[after], name);
            rest.extend(more);
            ends |= end || after.is_empty();
        } else if is_match(first, name) {
            ends |= after.is_empty();
            if !after.is_empty() {
                rest.push(after);
            }
        }
    }
    (rest, ends)
}

fn only(value: Value, patterns: &[&[&str]]) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let mut kept = Map::new();
            for (name, value) in members {
                let (rest, ends) = below(patterns, &name);
                let left = match value {
                    value if ends => Some(value),
                    value if rest.is_empty() => drop_it(value),
                    value => only(value, &rest),
                };
                if let Some(value) = left {
                    kept.insert(name, value);
                }
            }
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(values) => {
            let kept: Vec<Value> =
                values.into_iter().filter_map(|value| only(value, patterns)).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

fn without(value: Value, patterns: &[&[&str]]) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let was_empty = members.is_empty();
            let mut kept = Map::new();
            for (name, value) in members {
                let (rest, ends) = below(patterns, &name);
                let left = match value {
                    value if ends => drop_it(value),
                    value if rest.is_empty() => Some(value),
                    value => without(value, &rest),
                };
                if let Some(value) = left {
                    kept.insert(name, value);
                }
            }
            (was_empty || !kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(values) => {
            let was_empty = values.is_empty();
            let kept: Vec<Value> =
                values.into_iter().filter_map(|value| without(value, patterns)).collect();
            (was_empty || !kept.is_empty()).then_some(Value::Array(kept))
        }
        value => Some(value),
    }
}

fn drop_it(value: Value) -> Option<Value> {
    drop(value);
    None
}
