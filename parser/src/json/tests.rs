use omphalos_common::ecs::{BARE_VALUES, FIELDS, FieldType, Role, is_path, role};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::placed::is_inner_object;
use super::{JsonParser, is_in_template};
use crate::document::{Documents, Event, Frame, Shape};
use crate::fields::{List, split_first};
use crate::scribe::Origin;
use crate::time::{Calendar, Time};
use crate::{Parse, Parsed};

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
        Documents::default().write(&mut out, &Frame::new("access", origin, false), &event);
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
