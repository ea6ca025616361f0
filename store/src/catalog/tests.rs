#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use tempfile::TempDir;

use super::*;
use crate::index::Operation;

fn open(directory: &TempDir) -> Store {
    with(directory, None, None)
}

fn with(directory: &TempDir, max_age: Option<Duration>, max_bytes: Option<u64>) -> Store {
    let directory = directory.path().to_owned();
    Store::open(StoreOptions { directory, max_age, max_bytes }).unwrap()
}

fn add(store: &Store, index: &str, text: &str) {
    let index = store.index_or_new(index).unwrap();
    let body = Arc::new(text.to_owned());
    let document = index.read(&body, 0..body.len(), "id", &index.mapping()).unwrap();
    index.submit(vec![Operation::Create(document)]).unwrap().wait().unwrap();
}

/// Ends all writers: what is being written is not deleted.
fn rest(store: &Store) {
    store.all().iter().for_each(|index| index.rest(Duration::ZERO));
}

fn names(store: &Store, expression: &str) -> Vec<String> {
    let found = store.resolve(expression, Wanted::default()).unwrap();
    found.iter().map(|index| index.name().to_owned()).collect()
}

#[test]
fn an_expression_means_names_patterns_and_exclusions() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for name in ["a-1", "a-2", "b-1"] {
        store.create(name, &json!({})).unwrap();
    }
    assert_eq!(names(&store, "a-*"), ["a-1", "a-2"]);
    assert_eq!(names(&store, "_all"), ["a-1", "a-2", "b-1"]);
    assert_eq!(names(&store, "*,-a-*"), ["b-1"]);
    assert_eq!(names(&store, "b-1,a-1"), ["a-1", "b-1"]);
    assert_eq!(names(&store, "c-*"), [""; 0]);
    assert_eq!(store.resolve("c", Wanted::default()).unwrap_err().status, 404);
}

#[test]
fn names_that_cannot_be_directories_are_refused() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for name in ["", ".", "..", "_a", "-a", "A", "a/b", "a*", "a b", "a\0", &"a".repeat(256)] {
        let error = store.create(name, &json!({})).unwrap_err();
        assert_eq!(error.kind, "invalid_index_name_exception", "{name:?}");
    }
}

#[test]
fn a_store_is_opened_by_one_process_and_is_as_it_was() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let template = json!({ "index_patterns": ["a-*"], "template": { "mappings": { "properties": { "n": { "type": "keyword" } } } } });
    store.templates().put("t", template).unwrap();
    add(&store, "a-1", r#"{"n":5}"#);
    let options =
        StoreOptions { directory: directory.path().to_owned(), max_age: None, max_bytes: None };
    let refused = Store::open(options).unwrap_err().to_string();
    assert!(refused.contains("is used by another process"), "{refused}");
    let uuid = store.uuid().to_owned();
    drop(store);
    let again = open(&directory);
    assert_eq!(again.uuid(), uuid);
    let index = again.index("a-1").unwrap();
    assert_eq!(index.count(), 1);
    assert!(matches!(index.mapping().kind("n"), Some(crate::mapping::FieldKind::Keyword { .. })));
    assert!(again.templates().for_index("a-2").is_some());
}

#[test]
fn what_was_begun_and_not_finished_is_cleared_away() {
    let directory = TempDir::new().unwrap();
    drop(open(&directory));
    let begun = directory.path().join("indices/.making-begun/data");
    fs::create_dir_all(&begun).unwrap();
    let store = open(&directory);
    assert!(!begun.exists());
    add(&store, "a-1", r#"{"n":5}"#);
}

#[test]
fn the_oldest_go_when_they_are_too_old_or_too_much() {
    let directory = TempDir::new().unwrap();
    let old = Duration::from_hours(24 * 30);
    let store = with(&directory, Some(old), None);
    let now = jiff::Timestamp::now();
    add(&store, "a-old", r#"{"@timestamp":"2020-01-01T00:00:00Z"}"#);
    add(&store, "a-new", &format!("{{\"@timestamp\":\"{now}\"}}"));
    rest(&store);
    store.keep_house();
    assert_eq!(names(&store, "*"), ["a-new"]);
    drop(store);
    let store = with(&directory, None, Some(1));
    add(&store, "a-old", r#"{"@timestamp":"2020-01-01T00:00:00Z"}"#);
    rest(&store);
    store.keep_house();
    assert_eq!(names(&store, "*"), ["a-new"], "the youngest one stays in any case");
}
