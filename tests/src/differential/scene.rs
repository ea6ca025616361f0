//! Indices with documents of odd values, the same in both servers.

use serde_json::{Map, Value, json};

use super::draw::{Draw, Field, occurrence};

/// Two indices of one mapping.
pub struct Scene {
    /// The names of the indices.
    pub indices: [String; 2],
    /// What requests ask for: all fields, but for those that are not mapped.
    pub fields: Vec<Field>,
    /// What the indices are made with.
    pub settings: Value,
    /// Bulks, each with the index that it is for, action lines included.
    pub bulks: Vec<(String, String)>,
}

/// A field by which every document is unique.
pub const UNIQUE: &str = "u";

const BULKS: usize = 4;

impl Scene {
    /// Draws one; `name` begins the names of its indices.
    pub fn draw(draw: &mut Draw, name: &str, documents: usize) -> Self {
        let small = draw.pick(&["integer", "short", "byte"]);
        let float = draw.pick(&["float", "half_float"]);
        let declared = [
            ("k", "keyword"),
            ("w", "keyword"),
            ("t", "text"),
            ("dt", "text"),
            ("n", "long"),
            ("i", small),
            ("d", "double"),
            ("f", float),
            ("b", "boolean"),
            ("date", "date"),
            ("nano", "date_nanos"),
            ("ip", "ip"),
            ("o.k", "keyword"),
            ("o.n", "long"),
        ];
        // Of these the first document says what they are.
        let learned = [
            ("dk.keyword", "keyword"),
            ("dn", "long"),
            ("df", "float"),
            ("db", "boolean"),
            ("dd", "date"),
        ];
        let properties = properties(&declared);
        let mut settings = json!({ "number_of_shards": 1, "number_of_replicas": 0 });
        if draw.chance(50) {
            settings["index.mapping.ignore_malformed"] = json!(true);
        }
        let indices = [format!("{name}-1"), format!("{name}-2")];
        let all: Vec<(&'static str, &'static str)> = declared.into_iter().chain(learned).collect();
        let mut bulks = Vec::new();
        let mut number = 0;
        for round in 0..BULKS {
            for index in &indices {
                let count = documents / BULKS / indices.len();
                let lines = (0..count).map(|_| {
                    number += 1;
                    let document = document(draw, &all, (number, round == 0));
                    format!("{{\"create\":{{\"_id\":\"{number}\"}}}}\n{document}\n")
                });
                bulks.push((index.clone(), lines.collect()));
            }
        }
        let raw = Field { path: "t.raw", kind: "keyword" };
        let fields =
            all.into_iter().map(|(path, kind)| Field { path, kind }).chain([raw]).collect();
        let settings = json!({ "settings": settings, "mappings": { "properties": properties } });
        Self { indices, fields, settings, bulks }
    }
}

/// The mapping of fields with their types.
fn properties(declared: &[(&'static str, &'static str)]) -> Map<String, Value> {
    let mut properties = Map::new();
    for &(path, kind) in declared {
        let mut mapping = json!({ "type": kind });
        if path == "t" {
            mapping["fields"] = json!({ "raw": { "type": "keyword", "ignore_above": 20 } });
        }
        match path.split_once('.') {
            None => drop(properties.insert(path.to_owned(), mapping)),
            Some((object, name)) => {
                let object =
                    properties.entry(object).or_insert_with(|| json!({ "properties": {} }));
                object["properties"][name] = mapping;
            }
        }
    }
    properties.insert(UNIQUE.to_owned(), json!({ "type": "long" }));
    properties
}

fn document(
    draw: &mut Draw,
    fields: &[(&'static str, &'static str)],
    (number, is_early): (usize, bool),
) -> Value {
    let mut document = json!({ UNIQUE: number });
    for (path, kind) in fields {
        let is_learned = path.starts_with('d') && !["d", "date", "dt"].contains(path);
        if !draw.chance(if is_early && is_learned { 100 } else { 85 }) {
            continue;
        }
        // What is learned is what the first document says: only usual values.
        let value = match (is_learned, *path) {
            (false, _) => occurrence(draw, kind),
            (true, "dk.keyword") => json!(super::draw::keyword(draw)),
            (true, "dn") => json!(draw.below(5)),
            (true, "df") => {
                json!(f64::from(u8::try_from(draw.below(50)).expect("small")) / 10.0 + 0.05)
            }
            (true, "db") => json!(draw.chance(50)),
            (true, _) => draw.pick(&[
                json!("2026-01-01T10:00:00.123Z"),
                json!("2026-03-01"),
                json!("2026-01-01T10:00:00.123456Z"),
            ]),
        };
        let path = path.strip_suffix(".keyword").unwrap_or(path);
        match path.split_once('.') {
            Some((object, name)) if draw.chance(70) => document[object][name] = value,
            _ => document[path] = value,
        }
    }
    document
}
