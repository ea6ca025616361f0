#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn ours() -> Value {
    json!({
        "date_detection": false,
        "dynamic_templates": [
            { "strings": { "match_mapping_type": "string", "mapping": { "type": "keyword", "ignore_above": 8 } } }
        ],
        "properties": {
            "@timestamp": { "type": "date" },
            "message": { "type": "match_only_text" },
            "http": { "properties": { "response": { "properties": { "status_code": { "type": "long" } } } } },
            "raw": { "type": "keyword", "index": false, "doc_values": false }
        }
    })
}

#[test]
fn what_is_parsed_is_printed_again() {
    let mapping = Mapping::parse(&ours()).unwrap();
    assert_eq!(mapping.to_json(), ours());
    assert_eq!(mapping.kind("http.response.status_code"), Some(&FieldKind::Long));
    assert_eq!(mapping.kind("raw"), Some(&FieldKind::Unsearchable));
    assert_eq!(mapping.kind("http.response"), None);
    assert_eq!(mapping.count(), 4);
}

#[test]
fn new_fields_are_mapped_after_their_first_value() {
    let mut mapping = Mapping::parse(&ours()).unwrap();
    mapping.learn("app.name", Guess::Text { is_date: true }).unwrap();
    mapping.learn("app.size", Guess::Double).unwrap();
    assert_eq!(mapping.kind("app.name"), Some(&FieldKind::Keyword { ignore_above: Some(8) }));
    assert_eq!(mapping.kind("app.size"), Some(&FieldKind::Double));
    let mut plain = Mapping::parse(&json!({})).unwrap();
    plain.learn("when", Guess::Text { is_date: true }).unwrap();
    plain.learn("what", Guess::Text { is_date: false }).unwrap();
    assert_eq!(plain.kind("when"), Some(&FieldKind::Date));
    assert_eq!(plain.kind("what"), Some(&FieldKind::Text));
    assert_eq!(plain.kind("what.keyword"), Some(&FieldKind::Keyword { ignore_above: Some(256) }));
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let mut mapping = Mapping::parse(&ours()).unwrap();
    let refused = |mapping: &mut Mapping, more: Value| mapping.merge(&more).unwrap_err().reason;
    let one = |kind: &str| json!({ "properties": { "message": { "type": kind } } });
    assert_eq!(
        refused(&mut mapping, one("long")),
        "mapper [message] cannot be changed from type [match_only_text] to [long]"
    );
    assert_eq!(
        refused(&mut mapping, json!({ "properties": { "n": { "type": "geo_shape" } } })),
        "No handler for type [geo_shape] declared on field [n]"
    );
    let addresses = json!({ "match": "ip", "mapping": { "type": "ip" } });
    let reason = refused(&mut mapping, json!({ "dynamic_templates": [{ "a": addresses }] }));
    assert!(reason.contains("needs a [path_match] without *"), "{reason}");
    let points = json!({ "match_mapping_type": "object", "mapping": { "type": "geo_point" } });
    assert_eq!(
        refused(&mut mapping, json!({ "dynamic_templates": [{ "points": points }] })),
        "No handler for type [geo_point] declared on field [{name}]"
    );
    assert_eq!(
        refused(&mut mapping, json!({ "runtime": {} })),
        "Root mapping definition has unsupported parameters:  [runtime : {}]"
    );
    assert_eq!(
        refused(&mut mapping, json!({ "properties": { "n": { "type": "long", "colour": 1 } } })),
        "unknown parameter [colour] on mapper [n] of type [long]"
    );
    let hidden = json!({ "properties": { "n": { "type": "long", "doc_values": false } } });
    assert!(refused(&mut mapping, hidden).contains("[doc_values]"));
}

#[test]
fn more_fields_than_there_may_be_are_refused() {
    let mut mapping = Mapping::parse(&ours()).unwrap();
    let learned = (0..2 * MOST_FIELDS)
        .filter(|number| mapping.learn(&format!("f{number}"), Guess::Long).is_ok())
        .count();
    assert_eq!(learned + 4, MOST_FIELDS);
    assert_eq!(mapping.count(), MOST_FIELDS);
}

#[test]
fn strict_and_closed_mappings_learn_nothing() {
    let mut strict = Mapping::parse(&json!({ "dynamic": "strict" })).unwrap();
    assert_eq!(
        strict.learn("a", Guess::Long).unwrap_err().kind,
        "strict_dynamic_mapping_exception"
    );
    let mut closed = Mapping::parse(&json!({ "dynamic": false })).unwrap();
    assert!(closed.learn("a", Guess::Long).unwrap().is_none());
}

proptest! {
    #[test]
    fn no_path_makes_it_panic_and_what_is_learned_is_found(path in "[a-c.]{0,12}") {
        let mut mapping = Mapping::parse(&json!({})).unwrap();
        let learned = mapping.learn(&path, Guess::Long).is_ok();
        prop_assert_eq!(mapping.kind(&path).is_some(), learned);
    }

    #[test]
    fn a_pattern_without_stars_fits_itself_alone(text in "[a-c*]{0,8}", other in "[a-c]{0,8}") {
        let plain = text.replace('*', "");
        prop_assert_eq!(is_match(&plain, &other), plain == other);
        prop_assert!(is_match("*", &other));
        let (pattern, longer) = (format!("{plain}*"), format!("{plain}{other}"));
        prop_assert!(is_match(&pattern, &longer));
    }
}
