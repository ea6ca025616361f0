//! Requests to the embedded store: searches, bulks, mappings and templates.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use omphalos_store::catalog::{IndexTemplate, Wanted};
use omphalos_store::fuzzing::{bulk, params};
use omphalos_store::index::Index;
use omphalos_store::mapping::Mapping;
use omphalos_store::search::request::{SearchRequest, query_of};
use omphalos_store::search::run::{View, count, search, view};
use omphalos_store::{ApiError, Store, StoreOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{directory, one_of};

const ALL: [fn(&[u8]); 5] = [searched, asked, bulked, mapped, templated];

/// The first byte says what the rest is.
pub fn run(data: &[u8]) {
    if let Some((what, body)) = data.split_first() {
        one_of(&ALL, *what)(body);
    }
}

/// A store with an index of some documents.
struct Shelf {
    index: Arc<Index>,
    view: View,
    store: Store,
    _directory: TempDir,
}

/// Fields of every kind.
const MAPPING: &str = r#"{"mappings":{"properties":{"@timestamp":{"type":"date"},"n":{"type":"long"},
"f":{"type":"double"},"b":{"type":"boolean"},"ip":{"type":"ip"},"k":{"type":"keyword"},
"t":{"type":"text","fields":{"raw":{"type":"keyword","ignore_above":20}}},"w":{"type":"wildcard"},
"o":{"properties":{"k":{"type":"keyword"},"n":{"type":"long"}}},"flat":{"type":"flattened"}}}}"#;

/// The largest number of all is left out: tantivy counts it in the last range of an aggregation, where it
/// belongs, and asserts in builds like these that no range has it.
const DOCUMENTS: [&str; 4] = [
    r#"{"@timestamp":"2026-11-28T10:00:00Z","n":1,"f":0.5,"b":true,"ip":"10.0.0.1","k":"a","t":"one two three","w":"/var/log/a","o":{"k":"x","n":5}}"#,
    r#"{"@timestamp":"2026-11-29T10:00:00.123Z","n":[-9223372036854775808,9223372036854775806],"f":-1e300,"b":false,"ip":"::1","k":["b","c"],"t":"two two"}"#,
    r#"{"@timestamp":"1969-12-31T23:59:59Z","n":0,"k":"","t":"","o":[{"k":"y"},{"n":7}]}"#,
    r#"{"other":{"deep":["text",3]},"k":"é\u0000ü"}"#,
];

impl Shelf {
    fn new() -> Self {
        let directory = directory();
        let options =
            StoreOptions { directory: directory.path().to_owned(), max_age: None, max_bytes: None };
        let store = Store::open(options).expect("a store");
        let mapping: Value = serde_json::from_str(MAPPING).expect("a mapping");
        // Kinds that the store has not are left out one by one.
        let index = store.create("i", &mapping).unwrap_or_else(|_| {
            let mut mapping = mapping;
            let fields = mapping["mappings"]["properties"].as_object_mut().expect("fields");
            fields.retain(|_, field| {
                !matches!(field["type"].as_str(), Some("wildcard" | "flattened"))
            });
            store.create("i", &mapping).expect("an index")
        });
        let mapping = index.mapping();
        let operations = DOCUMENTS.iter().enumerate().map(|(id, document)| {
            let document = Arc::new((*document).to_owned());
            let whole = 0..document.len();
            let read = index.read(&document, whole, &id.to_string(), &mapping).expect("it fits");
            omphalos_store::index::Operation::Create(read)
        });
        let promise = index.submit(operations.collect()).expect("it is taken");
        promise.wait().expect("it is written");
        let view = view(vec![Arc::clone(&index)]).expect("a view");
        Self { index, view, store, _directory: directory }
    }
}

static SHELF: LazyLock<Mutex<Shelf>> = LazyLock::new(|| Mutex::new(Shelf::new()));

/// Documents may add fields to an index: with so many more it is made anew, so that what an input
/// does depends on few others.
const MOST_FIELDS: usize = 200;

fn with_shelf<R>(then: impl FnOnce(&Shelf) -> R) -> R {
    let mut shelf = SHELF.lock().unwrap_or_else(PoisonError::into_inner);
    if shelf.index.mapping().count() > MOST_FIELDS {
        *shelf = Shelf::new();
    }
    then(&shelf)
}

/// A body of `_search`.
fn searched(body: &[u8]) {
    let params = params("").expect("no parameters");
    let Ok(request) = SearchRequest::parse(body, &params) else { return };
    with_shelf(|shelf| answered(&request, shelf));
}

fn answered(request: &SearchRequest, shelf: &Shelf) {
    if let Ok(found) = search(request, &shelf.view, None) {
        let answer = serde_json::to_vec(&found.answer).expect("an answer is JSON");
        let hits = found.answer.hits.hits.len();
        assert!(hits <= DOCUMENTS.len() && hits <= request.size, "{hits}");
        assert!(serde_json::from_slice::<Value>(&answer).is_ok());
    }
    if let Ok(count) = count(&request.query, &shelf.view) {
        assert!(count <= DOCUMENTS.len() as u64, "{count}");
    }
}

/// Parameters of `_search`, and an expression of names.
fn asked(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let (names, query) = text.split_once('?').unwrap_or(("i", &text));
    let Some(params) = params(query) else { return };
    drop(query_of(&params));
    let request = SearchRequest::parse(b"", &params);
    with_shelf(|shelf| {
        if let Ok(wanted) = Wanted::of(&params) {
            drop(shelf.store.resolve(names, wanted));
        }
        if let Ok(request) = request {
            answered(&request, shelf);
        }
    });
}

/// A body of `_bulk`.
fn bulked(body: &[u8]) {
    let Ok(body) = String::from_utf8(body.to_vec()) else { return };
    let body = Arc::new(body);
    let read = with_shelf(|shelf| bulk(&shelf.index, &body));
    let lines = body.lines().count();
    match read {
        Ok(items) => assert!(items.len() <= lines),
        Err(problem) => check(&problem),
    }
}

fn check(problem: &ApiError) {
    assert!((400..600).contains(&problem.status), "{problem:?}");
}

/// A mapping is what it prints.
fn mapped(body: &[u8]) {
    let Ok(text) = serde_json::from_slice::<Value>(body) else { return };
    if let Ok(mapping) = Mapping::parse(&text) {
        let printed = mapping.to_json();
        let again = Mapping::parse(&printed).expect("what is printed is a mapping");
        assert_eq!(again.to_json(), printed);
    }
}

/// A template.
fn templated(body: &[u8]) {
    let Ok(text) = serde_json::from_slice::<Value>(body) else { return };
    if let Ok(template) = IndexTemplate::parse("t", text) {
        drop((template.patterns(), template.mappings(), template.settings()));
        assert!(template.printed() != json!(null));
    }
}
