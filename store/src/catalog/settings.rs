//! Settings of indices: those that change nothing here are taken and printed again, others are refused, and so
//! are values that would change something.

use serde_json::Value;

use crate::error::ApiError;
use crate::mapping::MOST_FIELDS;
use crate::params::duration;

/// What may be set: names, and beginnings of names that end in a dot.
const KNOWN: [&str; 20] = [
    "auto_expand_replicas",
    "codec",
    "hidden",
    "indexing.",
    "lifecycle.",
    "mapping.coerce",
    "mapping.ignore_malformed",
    "mapping.total_fields.ignore_dynamic_beyond_limit",
    "mapping.total_fields.limit",
    "merge.",
    "number_of_replicas",
    "number_of_routing_shards",
    "number_of_shards",
    "priority",
    "refresh_interval",
    "routing.allocation.",
    "search.",
    "translog.",
    "unassigned.",
    "write.wait_for_active_shards",
];

/// Refuses what is not known.
///
/// # Errors
/// 400, with the name.
pub fn check(settings: &Value) -> Result<(), ApiError> {
    let mut names = Vec::new();
    flatten(settings, &mut String::new(), &mut names);
    for (name, value) in names {
        let own = name.strip_prefix("index.").unwrap_or(&name);
        let is_known =
            |known: &&str| own == *known || (known.ends_with('.') && own.starts_with(*known));
        if !KNOWN.iter().any(is_known) {
            return Err(ApiError::argument(format!(
                "unknown setting [index.{own}], or it is not supported by this store"
            )));
        }
        if !fits(own, &value) {
            return Err(ApiError::argument(format!(
                "Failed to parse value [{value}] for setting [index.{own}], or it is not supported by this store"
            )));
        }
    }
    Ok(())
}

/// Whether a value is one, and nothing comes of it that is not there.
fn fits(name: &str, value: &str) -> bool {
    let number = value.parse::<u64>();
    match name {
        "number_of_shards" => number.is_ok_and(|number| (1..=1024).contains(&number)),
        "number_of_replicas" => number.is_ok(),
        "refresh_interval" => matches!(value, "null" | "0") || duration(value).is_some(),
        "mapping.coerce" => value == "true",
        "mapping.ignore_malformed" | "mapping.total_fields.ignore_dynamic_beyond_limit" => {
            matches!(value, "true" | "false")
        }
        "mapping.total_fields.limit" => number.is_ok_and(|number| number >= MOST_FIELDS as u64),
        "hidden" => value == "false",
        _ => true,
    }
}

/// The names of what is set, however its dots are written, with their values.
fn flatten(value: &Value, path: &mut String, names: &mut Vec<(String, String)>) {
    let Value::Object(members) = value else {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        names.push((path.clone(), text));
        return;
    };
    let length = path.len();
    for (name, value) in members {
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        flatten(value, path, names);
        path.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_would_have_an_effect_is_refused() {
        let usual = json!({
            "index": { "number_of_replicas": 0, "mapping": { "ignore_malformed": true } },
            "index.refresh_interval": "5s", "codec": "best_compression"
        });
        assert!(check(&usual).is_ok());
        for odd in [
            json!({ "index.sort.field": "x" }),
            json!({ "analysis": { "a": 1 } }),
            json!({ "index.mapping.coerce": false }),
            json!({ "index": { "mapping": { "source": { "mode": "synthetic" } } } }),
            json!({ "mapping.total_fields.limit": 2 }),
            json!({ "number_of_shards": 0 }),
            json!({ "number_of_replicas": "x" }),
            json!({ "refresh_interval": "x" }),
            json!({ "hidden": true }),
        ] {
            assert_eq!(check(&odd).map_err(|error| error.status), Err(400), "{odd}");
        }
    }
}
