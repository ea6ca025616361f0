use omphalos_common::ecs::{BARE_VALUES, FIELDS, FieldType, Role, is_path, role};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::outline::MOST_MEMBERS;
use super::placed::is_inner_object;
use super::{JsonParser, is_in_template};
use crate::document::{Documents, Event, Frame, Shape};
use crate::fields::{List, split_first};
use crate::scribe::Origin;
use crate::tests::{placed, texts as texts_of};
use crate::time::{Calendar, Time};
use crate::{Parse, Parsed, ParserKind};

#[test]
fn the_names_that_are_looked_up_are_those_of_the_table() {
    for (name, _) in FIELDS {
        assert!(is_in_template(split_first(name).0), "{name}");
    }
    for name in ["a", "network", "level", "time", "hosts", ""] {
        assert_eq!(role(name), Role::Free);
        assert!(!is_in_template(name), "{name}");
    }
}

#[test]
fn what_need_not_be_looked_up_has_its_place() {
    let mut inner: Vec<&str> = Vec::new();
    for (name, _) in FIELDS {
        let parts: Vec<&str> = name.split('.').collect();
        let [root, between @ .., _] = &parts[..] else { continue };
        inner.extend(between);
        let is_flat = BARE_VALUES.iter().any(|(object, _)| object == root);
        assert!(!is_flat || between.is_empty(), "{name}: an object of it would not be looked into");
    }
    assert!(inner.iter().all(|name| is_inner_object(name)), "{inner:?}");
}

/// No server takes an object that has a name twice.
fn assert_each_once(text: &str) {
    struct Once;
    impl<'de> serde::de::Visitor<'de> for Once {
        type Value = ();
        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("JSON")
        }
        fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
            let mut names = std::collections::HashSet::new();
            while let Some(name) = map.next_key::<String>()? {
                let value: &serde_json::value::RawValue = map.next_value()?;
                if !names.insert(name.clone()) {
                    return Err(serde::de::Error::custom(format!("{name} is there twice")));
                }
                assert_each_once(value.get());
            }
            Ok(())
        }
    }
    if text.starts_with('{') {
        use serde::Deserializer;
        serde_json::Deserializer::from_str(text).deserialize_map(Once).expect(text);
    } else if text.starts_with('[') {
        let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(text).expect(text);
        for item in &items {
            assert_each_once(item.get());
        }
    }
}

/// JSON in which names are given again at any depth.
fn any_repeating() -> impl Strategy<Value = String> {
    let leaf =
        prop_oneof![Just("1".to_owned()), Just("\"x: y\"".to_owned()), Just("null".to_owned())];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let name = "(a|b|a\\\\u0062|name|user|unmerged|http|request|log|file|error|message|tags)";
        prop_oneof![
            proptest::collection::vec((name, inner.clone()), 0..4).prop_map(|members| {
                let members = members.iter().map(|(name, value)| format!("\"{name}\":{value}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
            proptest::collection::vec(inner, 0..3)
                .prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_has_a_name_twice_at_any_depth(members in proptest::collection::vec(any_repeating(), 1..4)) {
        for text in members.iter().filter(|text| text.starts_with('{') && text.len() > 2) {
            let lines = texts_of(ParserKind::Json.format(), &[text.as_bytes()], false);
            assert_each_once(&lines[0]);
        }
    }
}

#[test]
fn what_an_object_has_twice_goes_aside_alone_at_any_depth() {
    for (members, expected) in [
        (
            r#""user":{"name":"a","name":"b"},"q":{"z":1,"z":2,"y":3}"#,
            json!({"user": {"name": "a"}, "q": {"z": 1, "y": 3}, "unmerged": {"user.name": "b", "q.z": 2}}),
        ),
        (
            r#""a":[{"b":{"c":1,"c":{"d":2,"d":3}}},{"b":4}],"x":{"id":1},"y":{"id":2}"#,
            json!({"a": [{"b": {"c": 1}}, {"b": 4}], "x": {"id": 1}, "y": {"id": 2}, "unmerged": {
                "a.b.c": "{\"d\":2,\"d\":3}"
            }}),
        ),
        (
            r#""http":{"request":{"id":1,"id":2}},"unmerged":{"k":{"k":1,"k":2}}"#,
            json!({"http": {"request": {"id": 1}}, "unmerged": {
                "http.request.id": 2, "unmerged": "{\"k\":{\"k\":1,\"k\":2}}"
            }}),
        ),
    ] {
        assert_eq!(placed(members), expected, "{members}");
    }
}

#[test]
fn names_that_no_server_takes_go_aside_alone_at_any_depth() {
    for (members, expected) in [
        (
            r#""_id.x":1,"_source.a.b":2,"a":{"_id":3}"#,
            json!({"a": {"_id": 3}, "unmerged": {"_id.x": 1, "_source.a.b": 2}}),
        ),
        (
            r#""_ignored_source":1,"_index_mode":{"a":2},"_primary_term":3,"_feature.x":4,"_own":5"#,
            json!({"_own": 5, "unmerged": {
                "_ignored_source": 1, "_index_mode": {"a": 2}, "_primary_term": 3, "_feature.x": 4
            }}),
        ),
        (
            r#""":1," ":2,".":3,"a..b":4,".x":5,"error.":6,"h.":7,"a. .b":8,"\u0020":9,"ok":10"#,
            json!({"ok": 10, "unmerged": {
                "": 1, " ": 2, ".": 3, "a..b": 4, ".x": 5, "error.": 6, "h.": 7, "a. .b": 8, " '": 9
            }}),
        ),
        (
            r#""a":{"":1,"b":[{"c.":2,"d":3},[{"\u002e":{"e":4}}],"x.y"]},"c":":\"\":""#,
            json!({"a": {"b": [{"d": 3}, [{}], "x.y"]}, "c": ":\"\":", "unmerged": {"a.": 1, "a.b.c.": 2, "a.b..": {"e": 4}}}),
        ),
        (
            r#""http":{"request":{"":1,"id":{"..":2}},".":3},"user":{" ":1,"name":"n"},"error":{"x":{"":1}}"#,
            json!({"http": {"request": {"id": {}}}, "user": {"name": "n"}, "error": {"x": {}}, "unmerged": {
                "http.request.": 1, "http.request.id...": 2, "http..": 3, "user. ": 1, "error.x.": 1
            }}),
        ),
    ] {
        assert_eq!(placed(members), expected, "{members}");
    }
}

#[test]
fn arrays_of_values_and_objects_are_taken_apart_where_the_template_has_an_object() {
    for (members, expected) in [
        (
            r#""error":["a",{"code":5,"message":{"x":1}},["b",{"id":6}],null]"#,
            json!({"error": [{"code": 5, "message": "{\"x\":1}"}, {"id": 6}, {"message": ["a", "b", null]}]}),
        ),
        (
            r#""user":["n",{"name":"x"}],"destination":[{"ip":"::1"},"d"]"#,
            json!({"user": [{"name": "x"}, {"name": ["n"]}], "destination": [{"ip": "::1"}, {"address": ["d"]}]}),
        ),
        (
            r#""http":[{"request":["GET",{"method":"PUT"}]},1]"#,
            json!({"http": [{"request": [{"method": "PUT"}]}], "unmerged": {"http.request": "GET", "http": 1}}),
        ),
        (
            r#""http.request":["{",1],"error":["{"],"message":["{"],"tags":["{"]"#,
            json!({"error": {"message": ["{"]}, "message": ["{"], "tags": ["{"], "unmerged": {"http.request": ["{", 1]}}),
        ),
        (r#""tags":["a",{"b":1}]"#, json!({"unmerged": {"tags": ["a", {"b": 1}]}})),
    ] {
        assert_eq!(placed(members), expected, "{members}");
    }
}

/// What one line can make of `unmerged` is bounded, and so is the time that it takes.
#[test]
fn a_name_that_a_line_has_ten_thousand_times_is_kept_in_one_list() {
    let unmerged = placed(&vec![r#""a":1"#; 10_000].join(","))["unmerged"].clone();
    let unmerged = unmerged.as_object().unwrap();
    assert_eq!(unmerged.len(), 9);
    let last = format!("a{}", "'".repeat(8));
    assert_eq!(unmerged[&last].as_array().map(Vec::len), Some(10_000 - 1 - 8));
}

/// Whether Elasticsearch refuses `value` under `path`: what its parser does with objects and values
/// where the mapping has the other, and with names that are no paths. What is of the wrong type and no
/// object is ignored as malformed.
fn clashes(path: &str, value: &Value) -> bool {
    let below = |object: &serde_json::Map<String, Value>| {
        object.iter().any(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            !is_path(name) || clashes(&path, value)
        })
    };
    match (if path.is_empty() { Role::Object(None) } else { role(path) }, value) {
        (Role::Field(FieldType::Opaque), _) | (_, Value::Null) => false,
        (Role::Free | Role::Object(_), Value::Array(items)) => {
            items.iter().any(|item| clashes(path, item))
        }
        (Role::Field(_), value) => value.to_string().contains('{') && !value.is_string(),
        (Role::Free | Role::Object(_), Value::Object(object)) => below(object),
        (role, _) => role != Role::Free,
    }
}

/// Every text in `value`, at any depth.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(members) => members.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

fn values() -> impl Strategy<Value = Value> {
    let name = "(log|error|host|http|source|url|user|tags|message|event|level|file|path|request|response|body|bytes|name|port|ip|a|file\\.path|request\\.method|name\\.b|| |\\.|a\\.|a\\.\\.b|_id\\.x)";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "t[0-9]{6}".prop_map(Value::from),
        proptest::collection::vec("t[0-9]{6}".prop_map(Value::from), 0..3).prop_map(Value::from),
    ];
    let object = leaf.prop_recursive(4, 24, 4, move |inner| {
        let array = proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from);
        let object = proptest::collection::btree_map(name, inner, 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()));
        prop_oneof![1 => array, 3 => object]
    });
    proptest::collection::btree_map(name, object, 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

proptest! {
    #[test]
    fn no_member_clashes_with_the_template_and_no_text_is_lost(line in values(), cut in any::<bool>()) {
        let text = line.to_string();
        let (mut parser, mut calendar, mut list) =
            (JsonParser::default(), Calendar::default(), List::default());
        let parsed = parser.parse(&mut calendar, text.as_bytes(), &mut list);
        let Parsed::Event { fields, problem, .. } = parsed else { panic!("{text}") };
        prop_assert_eq!(problem, None);
        let event = Event {
            offset: 0,
            time: Time::from_seconds(1_795_349_700),
            is_time_assumed: false,
            line: b"",
            fields: &fields,
            others: &list,
            problem,
            shape: if cut { Shape::Cut } else { Shape::Whole },
            stream: None,
        };
        let origin = Origin { host_name: "h", host_id: "i", path: b"/p" };
        let mut out = Vec::new();
        Documents::default().write(&mut out, &Frame::new("access", origin, false), &event, omphalos_common::event::DocumentId::from_bytes([0; 16]));
        let document: Value = serde_json::from_slice(&out).unwrap();
        prop_assert!(!clashes("", &document), "{document}");
        let (mut before, mut after) = (Vec::new(), Vec::new());
        texts(&line, &mut before);
        texts(&document, &mut after);
        let after = json!(after).to_string();
        for text in before {
            prop_assert!(after.contains(&text), "{text} is lost in {document}");
        }
    }
}

/// Names that mean something, some of them only beside others, and some that mean nothing.
const KNOWN: &str = "(level|severity|levelname|log\\.level|@l|@mt|@m|PRIORITY|MESSAGE|msg|message|error|err|stack|@x|logger|name|channel|component|cluster\\.name|node\\.name|c|s|t|ctx|caller|thread|pid|hostname|traceId|trace\\.id|span|process|funcName|ts|time|@timestamp|@t|instant|request|resp_headers|bytes_read|size|response_code|response_flags|upstream_host|eventSource|eventName|DownstreamStatus|auditID|httpRequest|status|method|uri|verb|user|http|url|host|event|ecs|tags|unmerged|related|data_stream|_id|a|b\\.c|a\\.\\.b|größe| |\\\\u0061|x\\\\n|\\\\\"|)";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// What follows from a name is kept for lines that have the same names. A line with very many members has to do
    /// without, and has the same document beside these.
    #[test]
    fn what_is_known_of_names_is_what_is_found_without(
        lines in proptest::collection::vec(proptest::collection::vec((KNOWN, "(1|30|\"INFO\"|\"x\"|null|\"2026-11-22T12:15:00Z\"|\\{\\}|\\{\"message\":\"m\",\"a\\.\\.b\":1\\}|\\[\"b\"\\])"), 0..7), 1..4),
        turns in proptest::collection::vec(0usize..4, 2..9),
    ) {
        let members = |line: &Vec<(String, String)>| {
            let members = line.iter().map(|(name, value)| format!("\"{name}\":{value}"));
            members.collect::<Vec<_>>().join(",")
        };
        let padding = (0..=MOST_MEMBERS).map(|number| format!("\"padding{number}\":0"));
        let padding = padding.collect::<Vec<_>>().join(",");
        for turn in turns.windows(2) {
            let pair = [&lines[turn[0] % lines.len()], &lines[turn[1] % lines.len()]];
            let [first, second] = pair.map(members);
            let plain = [&first, &second, &first].map(|members| format!("{{{members}}}"));
            let padded = [&first, &second, &first].map(|members| {
                let comma = if members.is_empty() { "" } else { "," };
                format!("{{{members}{comma}{padding}}}")
            });
            let documents = |lines: &[String; 3]| {
                let lines = lines.each_ref().map(String::as_bytes);
                let texts = texts_of(ParserKind::Json.format(), &lines, false);
                texts.iter().map(|text| without_padding(text)).collect::<Vec<_>>()
            };
            prop_assert_eq!(documents(&plain), documents(&padded), "{:?}", plain);
        }
    }
}

/// The document without its offset and what lines are padded with.
fn without_padding(text: &str) -> Value {
    let mut document: Value = serde_json::from_str(text).unwrap();
    let members = document.as_object_mut().unwrap();
    members.retain(|name, _| !name.starts_with("padding"));
    members["log"]["offset"].take();
    document
}
