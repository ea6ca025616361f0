#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::*;

fn about(mappings: Value) -> About {
    About { uuid: "u".to_owned(), created: 0, mappings, settings: json!({}) }
}

fn index(directory: &TempDir) -> Arc<Index> {
    let mapping = json!({ "properties": { "n": { "type": "long" }, "k": { "type": "keyword" } } });
    Arc::new(Index::create(directory.path(), "i", &about(mapping)).unwrap())
}

fn document(index: &Index, id: &str, text: &str) -> Result<Box<Incoming>, ApiError> {
    let body = Arc::new(text.to_owned());
    index.read(&body, 0..body.len(), id, &index.mapping())
}

fn put(index: &Arc<Index>, id: &str, text: &str) -> Outcome {
    let operation = Operation::Create(document(index, id, text).unwrap());
    index.submit(vec![operation]).unwrap().wait().unwrap()[0]
}

fn source(index: &Index, id: &str) -> Option<(String, i64)> {
    let (source, version) = index.get(id).unwrap()?;
    Some((String::from_utf8(source).unwrap(), version))
}

#[test]
fn a_document_is_there_once_and_as_it_came() {
    let directory = TempDir::new().unwrap();
    let index = index(&directory);
    let text = r#"{ "n": "17", "new": {"a.b": [1, [2]]}, "k": "\u00e9" }"#;
    assert_eq!(put(&index, "x", text), Outcome::Created(1));
    assert_eq!(put(&index, "x", r#"{"n":2}"#), Outcome::Exists(1));
    assert_eq!(source(&index, "x"), Some((text.to_owned(), 1)));
    assert_eq!(index.mapping().kind("new.a.b"), Some(&crate::mapping::FieldKind::Long));
    drop(index);
    let again = Index::open(directory.path(), "i", patience()).unwrap();
    assert_eq!(source(&again, "x"), Some((text.to_owned(), 1)));
    assert_eq!(again.mapping().kind("new.a.b"), Some(&crate::mapping::FieldKind::Long));
}

#[test]
fn what_does_not_fit_is_refused_with_the_field() {
    let directory = TempDir::new().unwrap();
    let index = index(&directory);
    for (text, reason) in [
        (
            r#"{"n":"a"}"#,
            "failed to parse field [n] of type [long] in document with id 'x'. Preview of field's value: 'a'",
        ),
        (r#"{"n":{"a":1}}"#, "failed to parse field [n] of type [long] in document with id 'x'"),
        (r#"{"k":"a"} trailing"#, "failed to parse: trailing characters"),
        (r#"{"k":"#, "failed to parse: EOF while parsing"),
        ("[1]", "Malformed content, must start with an object"),
    ] {
        let error = document(&index, "x", text).unwrap_err();
        assert_eq!((error.status, error.kind), (400, "document_parsing_exception"), "{text}");
        assert!(error.reason.starts_with(reason), "{text}: {}", error.reason);
    }
    let deep = format!("{}1{}", r#"{"a":"#.repeat(40), "}".repeat(40));
    assert!(document(&index, "x", &deep).is_err());
}

#[test]
fn what_is_refused_leaves_no_field_behind() {
    let directory = TempDir::new().unwrap();
    let index = index(&directory);
    document(&index, "x", r#"{"old":{"a":1}}"#).unwrap();
    let before = index.mapping().to_json();
    for text in [
        r#"{"new":1,"n":"a"}"#,
        r#"{"n":"a","new":1}"#,
        r#"{"new":{"deep":["x"],"er":{}},"n":"a"}"#,
        r#"{"new.deep":true,"n":"a"}"#,
        r#"{"new":{},"k":{}}"#,
        r#"{"new":1,"":2}"#,
        r#"{"new":1,"new":1}"#,
        r#"{"new":1} x"#,
        r#"{"new":1,"old":"x"}"#,
        r#"{"new":"2026-11-22T10:00:00Z","_id":"x"}"#,
        r#"{"new":18446744073709551615}"#,
        r#"{"old":{"b":1},"n":[1,2,{"c":3}]}"#,
    ] {
        document(&index, "x", text).unwrap_err();
        assert_eq!(index.mapping().to_json(), before, "{text}");
    }
    document(&index, "x", r#"{"new":1}"#).unwrap();
    assert_ne!(index.mapping().to_json(), before);
}

/// The kind of fault: two documents that are read at once see each other's fields too late.
#[test]
fn of_documents_that_are_read_at_once_each_fits_what_the_others_brought() {
    let directory = TempDir::new().unwrap();
    let index = index(&directory);
    let mapping = index.mapping();
    let texts = |thread: usize, number: usize| {
        let value = ["1", "\"x\"", "{\"a\":1}", "true"][(thread + number) % 4];
        Arc::new(format!(r#"{{"own{thread}-{number}":1,"shared{number}":{value}}}"#))
    };
    let (read, index) = (Mutex::new(Vec::new()), &index);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (read, mapping) = (&read, &mapping);
            scope.spawn(move || {
                for number in 0..50 {
                    let text = texts(thread, number);
                    // All have the mapping of the beginning, as the documents of one request.
                    if index.read(&text, 0..text.len(), "x", mapping).is_ok() {
                        read.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let read = read.into_inner().unwrap();
    assert!(read.len() >= 50, "the first of each is taken");
    for text in read {
        index.read(&text, 0..text.len(), "x", &index.mapping()).unwrap();
    }
}

#[test]
fn a_name_given_twice_is_refused_at_any_depth() {
    let directory = TempDir::new().unwrap();
    let index = index(&directory);
    let many: Vec<String> = (0..100).map(|number| format!("\"m{number}\":1")).collect();
    let many = many.join(",");
    for twice in [
        r#"{"z":1,"z":1}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"a":[{"b":1,"\u0062":2}]}"#,
        &format!("{{\"o\":{{{many},\"m50\":2}}}}"),
    ] {
        let error = document(&index, "x", twice).unwrap_err();
        assert!(error.reason.starts_with("failed to parse: Duplicate field"), "{}", error.reason);
    }
    let once = format!("{{\"o\":{{{many}}},\"a\":{{\"m50\":1}}}}");
    document(&index, "x", &once).unwrap();
}

/// What a random request does to one of few ids.
#[derive(Debug, Clone)]
enum Act {
    Create(u8),
    Index(u8),
    Delete(u8),
    /// Everything before is in one request.
    Send,
    Reopen,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0u8..6).prop_map(Act::Create),
        2 => (0u8..6).prop_map(Act::Index),
        1 => (0u8..6).prop_map(Act::Delete),
        2 => Just(Act::Send),
        1 => Just(Act::Reopen),
    ];
    prop::collection::vec(act, 1..30)
}

fn send(index: &Arc<Index>, operations: &mut Vec<Operation>, expected: &mut Vec<Outcome>) {
    let outcomes = index.submit(std::mem::take(operations)).unwrap().wait().unwrap();
    assert_eq!(outcomes, std::mem::take(expected));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_index_is_as_a_map_would_be(acts in acts()) {
        let directory = TempDir::new().unwrap();
        let mut index = index(&directory);
        let mut model: BTreeMap<String, i64> = BTreeMap::new();
        let (mut operations, mut expected) = (Vec::new(), Vec::new());
        for act in acts {
            match act {
                Act::Create(id) | Act::Index(id) => {
                    let is_create = matches!(act, Act::Create(_));
                    let id = format!("same-{id}");
                    let text = format!("{{\"k\":\"{id}\"}}");
                    let document = document(&index, &id, &text).unwrap();
                    let before = model.get(&id).copied().unwrap_or(0);
                    if is_create && before > 0 {
                        expected.push(Outcome::Exists(before));
                    } else {
                        model.insert(id, before + 1);
                        let outcome = if before > 0 { Outcome::Updated } else { Outcome::Created };
                        expected.push(outcome(before + 1));
                    }
                    operations.push(if is_create { Operation::Create(document) } else { Operation::Index(document) });
                }
                Act::Delete(id) => {
                    let id = format!("same-{id}");
                    expected.push(match model.remove(&id) {
                        Some(version) => Outcome::Deleted(version + 1),
                        None => Outcome::NotFound,
                    });
                    operations.push(Operation::Delete(id.as_str().into()));
                }
                Act::Send => send(&index, &mut operations, &mut expected),
                Act::Reopen => {
                    send(&index, &mut operations, &mut expected);
                    let turn = Arc::clone(&index.turn);
                    drop(index);
                    // Its writer may still be ending.
                    drop(turn.lock());
                    index = Arc::new(Index::open(directory.path(), "i", patience()).unwrap());
                }
            }
        }
        send(&index, &mut operations, &mut expected);
        prop_assert_eq!(index.count(), model.len() as u64);
        let searcher = index.searcher();
        for number in 0..6 {
            let id = format!("same-{number}");
            let found = source(&index, &id).map(|(_, version)| version);
            prop_assert_eq!(found, model.get(&id).copied());
            let matching = index.with_ids(vec![id.clone()]).count(&searcher).unwrap();
            prop_assert_eq!(matching, usize::from(model.contains_key(&id)));
        }
    }

    #[test]
    fn no_document_makes_the_reader_panic(text in "[{}\\[\\]\",:a-z0-9.\\\\ ]{0,80}") {
        let directory = TempDir::new().unwrap();
        let index = index(&directory);
        document(&index, "x", &text).ok();
        document(&index, "x", &format!("{{\"a\":{text}}}")).ok();
    }
}
