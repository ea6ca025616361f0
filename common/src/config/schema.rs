//! A JSON Schema of the settings file, by which editors complete names and mark mistakes
//! (<https://json-schema.org/draft-07>, which those for TOML know).

use serde_json::{Map, Value, json};

use super::{Kind, Setting};

/// The schema of a file with these settings. Of rows of the same name the first counts: a file may be
/// for several programs.
pub fn schema(rows: &[Setting]) -> Value {
    let mut tops = Map::new();
    for row in rows {
        let Some(leaf) = row.leaf() else {
            tops.entry(row.key).or_insert_with(|| described(row));
            continue;
        };
        let table = tops.entry(row.top()).or_insert_with(|| empty_table(row));
        let place = if row.is_repeated() { "/items/properties" } else { "/properties" };
        if let Some(Value::Object(properties)) = table.pointer_mut(place) {
            properties.entry(leaf).or_insert_with(|| described(row));
        }
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Settings of Omphalos",
        "type": "object",
        "additionalProperties": false,
        "properties": tops,
    })
}

/// The table in which a setting stands, without any.
fn empty_table(row: &Setting) -> Value {
    let table = json!({ "type": "object", "additionalProperties": false, "properties": {} });
    if row.is_repeated() { json!({ "type": "array", "items": table }) } else { table }
}

fn described(row: &Setting) -> Value {
    let mut value = of_kind(row.kind);
    if let Value::Object(members) = &mut value {
        members.insert("description".to_owned(), row.help.into());
        if let Some(default) = default(row) {
            members.insert("default".to_owned(), default);
        }
    }
    value
}

fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::List => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Integer => json!({ "type": "integer", "minimum": 0 }),
        Kind::Size => json!({
            "type": ["string", "integer"], "minimum": 0, "examples": ["64KiB", "8MiB"],
        }),
        Kind::Period => json!({ "type": "string", "examples": ["250ms", "10m", "2d"] }),
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Table => json!({ "type": "object" }),
        Kind::Tables => json!({ "type": "array", "items": { "type": "object" } }),
    }
}

fn default(row: &Setting) -> Option<Value> {
    let text = row.default;
    match row.kind {
        _ if text.is_empty() => None,
        Kind::Integer => text.parse::<u64>().ok().map(Value::from),
        Kind::Switch => text.parse::<bool>().ok().map(Value::from),
        Kind::List => Some(text.split(',').collect()),
        _ => Some(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_described_where_it_stands() {
        let rows = [
            Setting::new("listen", Kind::Text, "Where."),
            Setting::new("batch.bytes", Kind::Size, "How much.").default("1MiB"),
            Setting::new("monitor.paths", Kind::List, "What.").repeated(),
            Setting::new("monitor.exclude", Kind::List, "Not.").default("*.a,*.b").repeated(),
            Setting::new("batch.bytes", Kind::Size, "Of another program."),
        ];
        let schema = schema(&rows);
        let at = |place: &str| schema.pointer(&format!("/properties/{place}")).unwrap();
        assert_eq!(at("listen/type"), "string");
        assert_eq!(at("batch/properties/bytes/default"), "1MiB");
        assert_eq!(at("batch/properties/bytes/description"), "How much.");
        assert_eq!(at("monitor/items/properties/exclude/default"), &json!(["*.a", "*.b"]));
        assert_eq!(at("monitor/items/additionalProperties"), false);
    }
}
