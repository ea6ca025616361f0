//! What interruptions, damage and deletions at a bad moment leave.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::index::{Operation, Outcome};

fn options(directory: &Path) -> StoreOptions {
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

/// What was set aside: the directory of the one index.
fn aside(store: &Path) -> PathBuf {
    let moments: Vec<_> = fs::read_dir(store.join("damaged")).unwrap().collect();
    assert_eq!(moments.len(), 1);
    fs::read_dir(moments[0].as_ref().unwrap().path()).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn an_index_without_its_description_is_set_aside_and_not_cleared_away() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    write(&store, "logs", "a", "{}");
    drop(store);
    let index = directory.path().join("indices/logs");
    fs::rename(index.join("omphalos.json"), directory.path().join("kept")).unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    assert!(store.all().is_empty());
    assert_eq!(store.damaged(), ["logs"]);
    drop(store);
    // And with it, all is there as before.
    fs::rename(aside(directory.path()), &index).unwrap();
    fs::rename(directory.path().join("kept"), index.join("omphalos.json")).unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    assert_eq!(store.index("logs").unwrap().count(), 1);
}

#[test]
fn a_damaged_index_costs_that_index_only() {
    for file in ["omphalos.json", "data/meta.json"] {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(options(directory.path())).unwrap();
        write(&store, "logs", "a", "{}");
        write(&store, "other", "a", "{}");
        drop(store);
        fs::write(directory.path().join("indices/logs").join(file), b"{\"half").unwrap();
        let store = Store::open(options(directory.path())).unwrap();
        assert_eq!(names(&store), ["other"]);
        assert_eq!(store.damaged(), ["logs"], "{file}");
        assert!(aside(directory.path()).join("data").is_dir());
        assert_eq!(write(&store, "logs", "a", "{}"), Outcome::Created(1), "a new one");
    }
}

/// A copy of a directory, by links.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::hard_link(entry.path(), to).unwrap();
        }
    }
}

/// All that an index has, as a search shows it.
fn contents(store: &Store, name: &str) -> Result<Vec<String>, ApiError> {
    use crate::search::{request::SearchRequest, run};
    let body = br#"{"size":100,"sort":["n"],"query":{"query_string":{"query":"text:one AND word:w* AND n:>=0"}}}"#;
    let request = SearchRequest::parse(body, &crate::params::Params::default())?;
    let view = run::view(store.resolve(name, Wanted::default())?)?;
    let found = run::search(&request, &view, None)?.answer;
    let found = serde_json::to_value(&found).unwrap();
    let hits = found["hits"]["hits"].as_array().unwrap().iter();
    Ok(hits.map(|hit| format!("{} {}", hit["_id"], hit["_source"])).collect())
}

/// Every file of an index, damaged at many places: it is set aside, or all of it is there, and other
/// indices never notice.
#[test]
fn whatever_byte_is_damaged_the_index_is_set_aside_or_whole() {
    let directory = tempfile::tempdir().unwrap();
    let whole = directory.path().join("whole");
    let store = Store::open(options(&whole)).unwrap();
    let mapping = json!({ "mappings": { "properties": { "word": { "type": "keyword" } } } });
    store.create("logs", &mapping).unwrap();
    for number in 0..8 {
        let source = format!(r#"{{"n":{number},"word":"w{number}","text":"one two"}}"#);
        write(&store, "logs", &number.to_string(), &source);
    }
    write(&store, "other", "a", r#"{"n":1,"word":"v"}"#);
    let expected = contents(&store, "logs").unwrap();
    assert_eq!(expected.len(), 8);
    let index = store.index("logs").unwrap();
    drop(store);
    // Until its writer has ended.
    index.leave(&whole.join("indices/kept")).unwrap();
    fs::rename(whole.join("indices/kept"), whole.join("indices/logs")).unwrap();
    drop(index);
    let data = fs::read_dir(whole.join("indices/logs/data")).unwrap();
    let data = data.map(|file| Path::new("data").join(file.unwrap().file_name()));
    let mut set_aside = 0;
    let files: Vec<_> = data.chain(["omphalos.json".into()]).collect();
    let mut kinds = std::collections::BTreeSet::new();
    for file in files {
        let bytes = fs::read(whole.join("indices/logs").join(&file)).unwrap();
        // Some places of each file, and a cut; of several segments, the files of one.
        let is_new = kinds.insert(file.extension().map(ToOwned::to_owned));
        let places: Vec<usize> = (0..bytes.len()).step_by((bytes.len() / 8).max(1)).collect();
        for (round, place) in places.into_iter().enumerate().filter(|_| is_new) {
            let mut bytes = bytes.clone();
            match round {
                3 => bytes.truncate(place),
                round => bytes[place] ^= if round % 2 == 0 { 0x01 } else { 0xFF },
            }
            let about = format!("{} at {place}", file.display());
            let copied = directory.path().join("copied");
            copy(&whole, &copied);
            let damaged = copied.join("indices/logs").join(&file);
            fs::remove_file(&damaged).unwrap();
            fs::write(&damaged, &bytes).unwrap();
            let store = Store::open(options(&copied)).unwrap();
            if store.damaged().is_empty() {
                assert_eq!(contents(&store, "logs").unwrap(), expected, "{about}");
            } else {
                set_aside += 1;
                assert_eq!(contents(&store, "logs").unwrap_err().status, 404, "{about}");
            }
            assert_eq!(
                contents(&store, "*").map(|_| ()).map_err(|it| it.reason),
                Ok(()),
                "{about}"
            );
            assert_eq!(store.index("other").unwrap().count(), 1, "{about}");
            drop(store);
            fs::remove_dir_all(&copied).unwrap();
        }
    }
    assert!(kinds.len() > 8, "{kinds:?}");
    assert!(set_aside > 70, "{set_aside}");
}

#[test]
fn what_is_damaged_beside_the_work_is_set_aside_and_who_waits_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    write(&store, "logs", "a", "{}");
    write(&store, "other", "a", "{}");
    let index = store.index("logs").unwrap();
    index.rest(Duration::ZERO);
    let data = directory.path().join("indices/logs/data");
    let stored = fs::read_dir(data).unwrap().map(|file| file.unwrap().path());
    let stored: Vec<_> = stored.filter(|file| file.extension() == Some("store".as_ref())).collect();
    let mut bytes = fs::read(&stored[0]).unwrap();
    bytes[0] ^= 0xFF;
    fs::write(&stored[0], &bytes).unwrap();
    index.forget_check();
    let read = index.reading(|| Err::<(), _>(ApiError::unavailable("what cannot be")));
    assert_eq!(read.unwrap_err().status, 503);
    let told = std::thread::spawn({
        let index = Arc::clone(&index);
        move || index.get("a").unwrap_err()
    });
    store.keep_house();
    let told = told.join().unwrap();
    assert!(told.reason.contains("index [logs] is damaged and was set aside"), "{}", told.reason);
    let end = Instant::now() + Duration::from_secs(30);
    while store.index("logs").is_some() {
        assert!(Instant::now() < end, "it is taken out");
        std::thread::yield_now();
    }
    assert_eq!(write(&store, "logs", "a", "{}"), Outcome::Created(1), "a new one");
    assert_eq!(store.index("other").unwrap().count(), 1);
}

#[test]
fn a_panic_while_an_index_is_read_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    write(&store, "logs", "a", "{}");
    let index = store.index("logs").unwrap();
    let refused = index.reading(|| -> Result<(), ApiError> { panic!("what cannot be") });
    let refused = refused.unwrap_err();
    assert_eq!((refused.status, refused.kind), (500, "internal_error"));
    assert!(refused.reason.contains("index [logs]: what cannot be"), "{}", refused.reason);
    assert!(index.get("a").unwrap().is_some());
}

#[test]
fn a_store_of_the_previous_format_is_read_and_one_of_a_later_one_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/format-1");
    let here = directory.path().join("store");
    fs::create_dir_all(&here).unwrap();
    copy_files(&old, &here);
    let store = Store::open(options(&here)).unwrap();
    assert_eq!(store.index("old-1").unwrap().count(), 2);
    assert_eq!(contents(&store, "old-1").unwrap().len(), 2);
    assert!(store.templates().for_index("old-2").is_some());
    assert_eq!(
        write(&store, "old-1", "4", r#"{"n":4,"word":"w4","text":"one"}"#),
        Outcome::Created(1)
    );
    assert_eq!(contents(&store, "old-1").unwrap().len(), 3);
    drop(store);
    assert_eq!(fs::read_to_string(here.join("format")).unwrap(), "2\n");
    fs::write(here.join("format"), "3\n").unwrap();
    let refused = Store::open(options(&here)).unwrap_err().to_string();
    assert!(refused.contains("is of format \"3\", and this program reads up to 2"), "{refused}");
}

/// A copy of a directory that can be written to.
fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy_files(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn what_else_lies_in_the_directory_stops_no_start_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    write(&store, "logs", "a", "{}");
    drop(store);
    let indices = directory.path().join("indices");
    for stray in ["lost+found", ".snapshot", ".making", "Notes", "empty"] {
        fs::create_dir(indices.join(stray)).unwrap();
    }
    fs::write(indices.join("notes.txt"), "mine").unwrap();
    fs::write(indices.join(".DS_Store"), "").unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    assert_eq!(names(&store), ["logs"]);
    assert!(store.damaged().is_empty());
    assert_eq!(fs::read_dir(&indices).unwrap().count(), 8);
}

#[test]
fn the_longest_names_work() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    for length in [248, 249, 254, 255] {
        assert_eq!(write(&store, &"n".repeat(length), "a", "{}"), Outcome::Created(1));
    }
    assert_eq!(store.index_or_new(&"n".repeat(256)).unwrap_err().status, 400);
    store.delete(&"n".repeat(255)).unwrap();
    drop(store);
    let about = directory.path().join("indices").join("n".repeat(254)).join("omphalos.json");
    fs::write(about, "").unwrap();
    let store = Store::open(options(directory.path())).unwrap();
    assert_eq!(store.all().len(), 2);
    assert_eq!(store.damaged(), ["n".repeat(254)]);
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
    for name in [
        "",
        ".",
        "..",
        "../x",
        ".x",
        ".making-x",
        "a/b",
        "Logs",
        "_x",
        "-x",
        "a*",
        "a,b",
        "a b",
        "a\0b",
    ] {
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
