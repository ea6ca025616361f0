//! Settings of indices: those that change nothing here are taken and printed again, others are refused.

use serde_json::Value;

use crate::error::ApiError;

/// What may be set: names, and beginnings of names that end in a dot.
const KNOWN: [&str; 17] = [
    "auto_expand_replicas",
    "codec",
    "hidden",
    "indexing.",
    "lifecycle.",
    "mapping.",
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
    for name in names {
        let own = name.strip_prefix("index.").unwrap_or(&name);
        let is_known =
            |known: &&str| own == *known || (known.ends_with('.') && own.starts_with(*known));
        if !KNOWN.iter().any(is_known) {
            return Err(ApiError::argument(format!(
                "unknown setting [index.{own}], or it is not supported by this store"
            )));
        }
    }
    Ok(())
}

/// The names of what is set, however its dots are written.
fn flatten(value: &Value, path: &mut String, names: &mut Vec<String>) {
    let Value::Object(members) = value else {
        names.push(path.clone());
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
        for odd in [json!({ "index.sort.field": "x" }), json!({ "analysis": { "a": 1 } })] {
            assert_eq!(check(&odd).map_err(|error| error.status), Err(400), "{odd}");
        }
    }
}
