//! Queries of every kind that the store has, and a few that it has not.

use serde_json::{Map, Value, json};

use super::draw::{Draw, Field, date, keyword, value, words};
use super::strings::text;

/// What queries are about.
pub struct Asking<'a> {
    /// The fields there are.
    pub fields: &'a [Field],
    /// The indices there are.
    pub indices: &'a [String],
}

impl Asking<'_> {
    /// Any field.
    pub fn field(&self, draw: &mut Draw) -> Field {
        draw.pick(self.fields)
    }

    /// A field of one of these types.
    pub fn field_of(&self, draw: &mut Draw, kinds: &[&str]) -> Field {
        let fields: Vec<&Field> =
            self.fields.iter().filter(|field| kinds.contains(&field.kind)).collect();
        draw.pick(&fields).clone()
    }

    /// A query, with others in it down to a depth.
    pub fn query(&self, draw: &mut Draw, depth: usize) -> Value {
        let mut query = match draw.below(if depth == 0 { 26 } else { 33 }) {
            0..=3 => self.term(draw),
            4..=5 => self.terms(draw),
            6..=9 => self.range(draw),
            10..=11 => self.matching(draw),
            12..=13 => self.phrase(draw),
            14..=15 => self.exists(draw),
            16 => self.pattern(draw, "prefix"),
            17..=18 => self.pattern(draw, "wildcard"),
            19 => json!({ "ids": { "values": [draw.below(200).to_string(), "7", "none"] } }),
            20 => draw.pick(&[
                json!({ "match_all": {} }),
                json!({ "match_none": {} }),
                json!({ "match_all": { "boost": 2.5 } }),
            ]),
            21..=23 => self.query_string(draw),
            24 => Self::simple_query_string(draw),
            25 => self.unusual(draw),
            26..=31 => self.boolean(draw, depth),
            _ => {
                json!({ "constant_score": { "filter": self.query(draw, depth - 1), "boost": 1.5 } })
            }
        };
        if draw.chance(3) {
            let name = query
                .as_object()
                .and_then(|query| query.keys().next().cloned())
                .unwrap_or_default();
            query[&name]["boost"] = draw.pick(&[json!(2), json!(0), json!("1.5")]);
        }
        query
    }

    /// A value to ask for: one that fits, mostly.
    fn asked(draw: &mut Draw, field: &Field) -> Value {
        match draw.below(20) {
            0 => value(draw, "keyword"),
            1 => value(draw, "long"),
            2 => value(draw, "double"),
            3 if field.kind == "ip" => {
                draw.pick(&[json!("10.0.0.0/8"), json!("10.0.0.0/31"), json!("2001:db8::/32")])
            }
            _ => match field.kind {
                "text" => json!(words(draw, 2)),
                kind => value(draw, kind),
            },
        }
    }

    fn term(&self, draw: &mut Draw) -> Value {
        if draw.chance(4) {
            return json!({ "term": { "_index": draw.pick(&[self.indices[0].as_str(), "none", "*-1"]) } });
        }
        let field = self.field(draw);
        let value = Self::asked(draw, &field);
        match draw.below(6) {
            0 => json!({ "term": { field.path: { "value": value, "case_insensitive": true } } }),
            1 => json!({ "term": { field.path: { "value": value } } }),
            _ => json!({ "term": { field.path: value } }),
        }
    }

    fn terms(&self, draw: &mut Draw) -> Value {
        if draw.chance(10) {
            return json!({ "terms": { "_index": [self.indices[0], "none"] } });
        }
        let field = self.field(draw);
        let most = if draw.chance(10) { 25 } else { 4 };
        let count = draw.below(most);
        let values: Vec<Value> = (0..count).map(|_| Self::asked(draw, &field)).collect();
        json!({ "terms": { field.path: values } })
    }

    fn range(&self, draw: &mut Draw) -> Value {
        let field = if draw.chance(50) {
            self.field_of(draw, &["date", "date_nanos"])
        } else {
            self.field(draw)
        };
        let is_date = field.kind.starts_with("date");
        let mut range = Map::new();
        let edge = |draw: &mut Draw| {
            if is_date && draw.chance(30) {
                return json!(draw.pick(&[
                    "now",
                    "now-1d/d",
                    "2026-01-01||/M",
                    "2026-01-01||+1M/d",
                    "2026-01-01T10:00:00.123||+1s",
                    "2026-01",
                    "2026",
                    "2026-01-01T10",
                    "2026-01-01T10:00",
                    "2026-01-01T10:00:00.1234",
                    "2026-01-01T10:00:00.12",
                    "now/w",
                    "2026-02-01||-1d",
                    "2026-01-01T10:00:00.123456789",
                ]));
            }
            if is_date { date(draw) } else { Self::asked(draw, &field) }
        };
        if draw.chance(75) {
            range.insert(draw.pick(&["gt", "gte"]).to_owned(), edge(draw));
        }
        if draw.chance(75) {
            range.insert(draw.pick(&["lt", "lte"]).to_owned(), edge(draw));
        }
        if is_date && draw.chance(10) {
            range.insert(
                "time_zone".to_owned(),
                draw.pick(&[json!("+01:00"), json!("-05:30"), json!("UTC")]),
            );
        }
        if is_date && draw.chance(8) {
            range.insert(
                "format".to_owned(),
                draw.pick(&[
                    json!("strict_date_optional_time"),
                    json!("epoch_millis"),
                    json!("yyyy-MM-dd"),
                    json!("yyyy"),
                ]),
            );
        }
        json!({ "range": { field.path: range } })
    }

    fn matching(&self, draw: &mut Draw) -> Value {
        let field = if draw.chance(60) { self.field_of(draw, &["text"]) } else { self.field(draw) };
        let value =
            if field.kind == "text" { json!(words(draw, 4)) } else { Self::asked(draw, &field) };
        match draw.below(5) {
            0 => {
                json!({ "match": { field.path: { "query": value, "operator": draw.pick(&["and", "or", "AND"]) } } })
            }
            1 => {
                json!({ "match": { field.path: { "query": value, "minimum_should_match": draw.pick(&[json!(2), json!("50%"), json!(-1), json!("2<75%"), json!("-30%")]) } } })
            }
            2 => json!({ "match": { field.path: { "query": value, "lenient": true } } }),
            _ => json!({ "match": { field.path: value } }),
        }
    }

    fn phrase(&self, draw: &mut Draw) -> Value {
        let field = if draw.chance(80) { self.field_of(draw, &["text"]) } else { self.field(draw) };
        let value =
            if field.kind == "text" { json!(words(draw, 3)) } else { Self::asked(draw, &field) };
        if draw.chance(50) {
            return json!({ "match_phrase": { field.path: { "query": value, "slop": draw.below(5) } } });
        }
        json!({ "match_phrase": { field.path: value } })
    }

    fn exists(&self, draw: &mut Draw) -> Value {
        let field = self.field(draw).path;
        let path = draw.pick(&[
            field, field, field, "o", "o.*", "*", "d*", "_id", "_index", "_source", "none", "n*ne",
            "dk", "_ignored",
        ]);
        json!({ "exists": { "field": path } })
    }

    fn pattern(&self, draw: &mut Draw, name: &str) -> Value {
        let field = if draw.chance(90) {
            self.field_of(draw, &["keyword", "wildcard", "text"])
        } else {
            self.field(draw)
        };
        let whole = if field.kind == "text" {
            words(draw, 1).to_lowercase()
        } else {
            keyword(draw).to_owned()
        };
        let part: String = whole.chars().take(draw.below(4)).collect();
        let pattern = match (name, draw.below(6)) {
            ("prefix", _) => part,
            (_, 0) => "*".to_owned(),
            (_, 1) => format!("*{part}"),
            (_, 2) => format!("{part}?*"),
            (_, 3) => format!("?{}", whole.chars().skip(1).collect::<String>()),
            (_, 4) => "zz\\*z".to_owned(),
            _ => format!("{part}*"),
        };
        if draw.chance(30) {
            return json!({ name: { field.path: { "value": pattern, "case_insensitive": draw.chance(60) } } });
        }
        json!({ name: { field.path: pattern } })
    }

    fn query_string(&self, draw: &mut Draw) -> Value {
        let mut query = json!({ "query": text(self, draw, 3) });
        query["default_field"] = json!(self.field_of(draw, &["text", "keyword"]).path);
        if draw.chance(25) {
            query["default_operator"] = draw.pick(&[json!("AND"), json!("or")]);
        }
        if draw.chance(15) {
            query["lenient"] = json!(draw.chance(50));
        }
        if draw.chance(5) {
            query["time_zone"] = json!("+01:00");
        }
        if draw.chance(8) {
            query["minimum_should_match"] = json!(draw.pick(&["2", "50%", "1"]));
        }
        if draw.chance(8) {
            query = json!({ "query": query["query"], "fields": ["t^2", "k", "n"] });
        }
        json!({ "query_string": query })
    }

    fn simple_query_string(draw: &mut Draw) -> Value {
        let near = ["~", "~0", "~2", "~x", "~-1", "~~", "~100", "~1x"];
        let part = |draw: &mut Draw| match draw.below(7) {
            5 => format!("{}{}", words(draw, 1), draw.pick(&near)),
            6 => format!("\"{}\"{}", words(draw, 2), draw.pick(&near)),
            0 => format!("\"{}\"", words(draw, 2)),
            1 => format!("{}*", words(draw, 1).chars().take(2).collect::<String>()),
            2 => format!("-{}", words(draw, 1)),
            3 => format!("({} | {})", words(draw, 1), words(draw, 1)),
            _ => words(draw, 2),
        };
        let joint = draw.pick(&[" ", " + ", " | "]);
        let text = (0..=draw.below(3)).map(|_| part(draw)).collect::<Vec<_>>().join(joint);
        let mut query = json!({ "query": text, "fields": draw.pick(&[json!(["t"]), json!(["t", "dt"]), json!(["t^3", "k"])]) });
        if draw.chance(40) {
            query["default_operator"] = json!(draw.pick(&["and", "or"]));
        }
        json!({ "simple_query_string": query })
    }

    fn boolean(&self, draw: &mut Draw, depth: usize) -> Value {
        let mut bool = Map::new();
        for name in ["must", "filter", "should", "must_not"] {
            let count = if draw.chance(45) { 1 + draw.below(2) } else { 0 };
            let mut clauses: Vec<Value> = (0..count).map(|_| self.query(draw, depth - 1)).collect();
            match clauses.len() {
                0 => {}
                1 if draw.chance(50) => drop(bool.insert(name.to_owned(), clauses.remove(0))),
                _ => drop(bool.insert(name.to_owned(), clauses.into())),
            }
        }
        if draw.chance(20) {
            bool.insert(
                "minimum_should_match".to_owned(),
                draw.pick(&[json!(1), json!(0), json!(2), json!("50%"), json!("-1")]),
            );
        }
        json!({ "bool": bool })
    }

    /// What the store does not have, or nobody.
    fn unusual(&self, draw: &mut Draw) -> Value {
        let field = self.field(draw).path;
        draw.pick(&[
            json!({ "regexp": { "k": "al.*" } }),
            json!({ "regexp": { "k": "~(al.*)" } }),
            json!({ "fuzzy": { "k": "alpa" } }),
            json!({ "multi_match": { "query": "quick", "fields": ["t", "k"] } }),
            json!({ "dis_max": { "queries": [{ "term": { "k": "a" } }] } }),
            json!({ "match_phrase_prefix": { "t": "quick br" } }),
            json!({ "boosting": { "positive": { "match_all": {} }, "negative": { "term": { "k": "a" } }, "negative_boost": 0.5 } }),
            json!({ "term": { field: null } }),
            json!({ "term": { field: { "value": "a", "unknown": 1 } } }),
            json!({ "range": { field: { "gte": 1, "from": 2 } } }),
            json!({ "range": { field: { "from": 1, "to": 3, "include_upper": false } } }),
            json!({ "match": { "t": { "query": "quick", "fuzziness": "AUTO" } } }),
            json!({ "match": { "t": { "query": "quick", "analyzer": "keyword" } } }),
            json!({ "match": { "t": { "query": "", "zero_terms_query": "all" } } }),
            json!({ "exists": {} }),
            json!({ "exists": { "field": "k", "_name": "x" } }),
            json!({ "term": { "k": "a", "n": 1 } }),
            json!({ "bool": { "must": [], "filter": [] } }),
            json!({ "bool": { "must": null } }),
            json!({ "bool": { "mustnt": [] } }),
            json!({ "nested": { "path": "o", "query": { "match_all": {} } } }),
            json!({ "terms": { "k": "a" } }),
            json!({ "terms": { "n": [1, "x"] } }),
            json!({ "terms": { "k": ["a", null] } }),
            json!({ "ids": { "values": [] } }),
            json!({ "ids": { "values": 7 } }),
            json!({}),
        ])
    }
}
