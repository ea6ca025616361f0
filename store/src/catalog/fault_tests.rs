//! What interruptions, damage and deletions at a bad moment leave.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::index::{Operation, Outcome};

fn options(directory: &std::path::Path) -> StoreOptions {
    StoreOptions { directory: directory.to_owned(), max_age: None, max_bytes: None }
}

/// Writes a document, and says what became of it.
fn write(store: &Store, index: &str, id: &str, source: &str) -> Outcome {
    try_write(store, index, id, source).unwrap()
}

fn try_write(store: &Store, index: &str, id: &str, source: &str) -> Result<Outcome, ApiError> {
    let index = store.index_or_new(index)?;
    let body = Arc::new(source.to_owned());
    let document = index.read(&body, 0..body.len(), id, &index.mapping())?;
    let done = index.submit(vec![Operation::Create(document)])?.wait()?;
    Ok(done[0])
}

#[test]
fn what_was_written_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    assert_eq!(write(&store, "logs", "a", r#"{"n":1}"#), Outcome::Created(1));
    drop(store);
    let store = Store::open(options(directory.path())).unwrap();
    // In the same process, the writer of before may be ending still: 503, to be sent again.
    let end = Instant::now() + Duration::from_secs(30);
    let outcome = loop {
        match try_write(&store, "logs", "a", r#"{"n":1}"#) {
            Err(error) if error.status == 503 && Instant::now() < end => std::thread::yield_now(),
            done => break done.unwrap(),
        }
    };
    assert_eq!(outcome, Outcome::Exists(1));
    assert_eq!(store.index("logs").unwrap().count(), 1);
}

#[test]
fn a_second_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _store = Store::open(options(directory.path())).unwrap();
    let refused = Store::open(options(directory.path())).unwrap_err().to_string();
    assert!(refused.contains("is used by another process"), "{refused}");
    assert!(refused.contains(&directory.path().display().to_string()), "{refused}");
}

#[test]
fn an_index_without_its_description_is_refused_and_not_cleared_away() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    write(&store, "logs", "a", "{}");
    drop(store);
    let index = directory.path().join("indices/logs");
    fs::rename(index.join("omphalos.json"), directory.path().join("kept")).unwrap();
    let refused = Store::open(options(directory.path())).unwrap_err().to_string();
    assert!(refused.contains("is damaged"), "{refused}");
    assert!(refused.contains("indices/logs"), "{refused}");
    // And with it, all is there as before.
    fs::rename(directory.path().join("kept"), index.join("omphalos.json")).unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    assert_eq!(store.index("logs").unwrap().count(), 1);
}

#[test]
fn a_damaged_index_is_named() {
    for file in ["omphalos.json", "data/meta.json"] {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(options(directory.path())).unwrap();
        write(&store, "logs", "a", "{}");
        drop(store);
        fs::write(directory.path().join("indices/logs").join(file), b"{\"half").unwrap();
        let refused = Store::open(options(directory.path())).unwrap_err().to_string();
        assert!(refused.contains("indices/logs"), "{file}: {refused}");
        assert!(refused.contains("is damaged"), "{file}: {refused}");
        assert!(directory.path().join("indices/logs/data").is_dir());
    }
}

#[test]
fn what_an_interruption_left_is_cleared_away() {
    let directory = tempfile::tempdir().unwrap();
    drop(Store::open(options(directory.path())).unwrap());
    let left = directory.path().join("indices/.making-logs");
    fs::create_dir_all(left.join("data")).unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    assert!(!left.exists());
    assert!(store.all().is_empty());
    assert_eq!(write(&store, "logs", "a", "{}"), Outcome::Created(1));
}

#[test]
fn an_index_that_is_made_again_while_it_is_written_has_what_was_answered_since() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    for round in 0..10 {
        let old = store.index_or_new("logs").unwrap();
        let body = Arc::new(r#"{"message":"of the old one"}"#.to_owned());
        let promises: Vec<_> = (0..3)
            .map(|number| {
                let id = format!("old-{round}-{number}");
                let document = old.read(&body, 0..body.len(), &id, &old.mapping()).unwrap();
                old.submit(vec![Operation::Create(document)]).unwrap()
            })
            .collect();
        store.delete("logs").unwrap();
        let id = format!("new-{round}");
        assert_eq!(write(&store, "logs", &id, "{}"), Outcome::Created(1));
        for promise in promises {
            // Done before the deletion, or not at all.
            drop(promise.wait());
        }
        let new = store.index("logs").unwrap();
        assert_eq!((new.count(), new.get(&id).unwrap().is_some()), (1, true), "round {round}");
        // Whoever still has the old one cannot write to it.
        let document = old.read(&body, 0..body.len(), "late", &old.mapping()).unwrap();
        let late = old.submit(vec![Operation::Create(document)]);
        assert_eq!(late.unwrap_err().status, 503);
        store.delete("logs").unwrap();
    }
    drop(store);
    assert!(Store::open(options(directory.path())).unwrap().all().is_empty());
}

/// An index with a document of a day, whose writer has ended.
fn day(store: &Store, name: &str, time: &str) {
    store
        .create(
            name,
            &json!({ "mappings": { "properties": { "@timestamp": { "type": "date" } } } }),
        )
        .unwrap();
    write(store, name, "a", &format!(r#"{{"@timestamp":"{time}"}}"#));
    store.index(name).unwrap().rest(Duration::ZERO);
}

fn names(store: &Store) -> Vec<String> {
    store.all().iter().map(|index| index.name().to_owned()).collect()
}

#[test]
fn what_is_too_old_goes_but_never_what_is_being_written() {
    let directory = tempfile::tempdir().unwrap();
    let max_age = Some(Duration::from_hours(24));
    let store = Store::open(StoreOptions { max_age, ..options(directory.path()) }).unwrap();
    day(&store, "old-1", "2020-01-01T00:00:00Z");
    day(&store, "old-2", "2020-01-02T00:00:00Z");
    day(&store, "young", &jiff::Timestamp::now().to_string());
    // A backfill goes on in this one.
    write(&store, "old-2", "b", r#"{"@timestamp":"2020-01-02T01:00:00Z"}"#);
    store.keep_house();
    assert_eq!(names(&store), ["old-2", "young"]);
    store.index("old-2").unwrap().rest(Duration::ZERO);
    store.keep_house();
    assert_eq!(names(&store), ["young"]);
}

#[test]
fn the_oldest_go_while_all_are_too_large_and_the_youngest_stays() {
    let directory = tempfile::tempdir().unwrap();
    let store =
        Store::open(StoreOptions { max_bytes: Some(1), ..options(directory.path()) }).unwrap();
    // By name the youngest is the first: names are not what age is told by.
    day(&store, "a", "2024-01-03T00:00:00Z");
    day(&store, "b", "2024-01-02T00:00:00Z");
    day(&store, "c", "2024-01-01T00:00:00Z");
    store.keep_house();
    assert_eq!(names(&store), ["a"]);
}

#[test]
fn names_that_cannot_be_directories_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    for name in ["", ".", "..", "../x", "a/b", "Logs", "_x", "-x", "a*", "a,b", "a b", "a\0b"] {
        let refused = store.index_or_new(name).unwrap_err();
        assert_eq!((refused.status, refused.kind), (400, "invalid_index_name_exception"), "{name}");
    }
    assert!(store.all().is_empty());
}

#[test]
fn expressions_mean_names_patterns_and_exclusions() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    for name in ["logs-1", "logs-2", "other"] {
        store.index_or_new(name).unwrap();
    }
    let meant = |expression: &str, wanted| {
        let found = store.resolve(expression, wanted)?;
        Ok::<_, ApiError>(found.iter().map(|index| index.name().to_owned()).collect::<Vec<_>>())
    };
    let usual = Wanted::default();
    assert_eq!(meant("logs-*", usual).unwrap(), ["logs-1", "logs-2"]);
    assert_eq!(meant("_all,-logs-1", usual).unwrap(), ["logs-2", "other"]);
    assert_eq!(meant("nothing-*", usual).unwrap(), [""; 0]);
    assert_eq!(meant("other,missing", usual).unwrap_err().status, 404);
    let lenient = Wanted { ignore_unavailable: true, ..usual };
    assert_eq!(meant("other,missing", lenient).unwrap(), ["other"]);
    let strict = Wanted { allow_no_indices: false, ..usual };
    assert_eq!(meant("nothing-*", strict).unwrap_err().status, 404);
}
