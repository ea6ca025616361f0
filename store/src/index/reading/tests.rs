//! The two readers are one: what both read they read alike, and the second one reads all that
//! Elasticsearch takes beyond that, and no more.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::index::draft::Draft;
use crate::index::words::GAP;
use crate::index::{About, Index};

fn index(directory: &TempDir) -> Index {
    let mappings = json!({ "properties": {
        "n": { "type": "long" }, "d": { "type": "double" }, "k": { "type": "keyword" },
        "log": { "properties": { "offset": { "type": "long" } } },
        "unmerged": { "type": "object", "enabled": false }
    } });
    let settings = json!({ "index.mapping.ignore_malformed": true });
    let about = About { uuid: "u".to_owned(), created: 0, mappings, settings };
    Index::create(directory.path(), "i", &about).unwrap()
}

/// What became of a document.
#[derive(Debug, PartialEq)]
enum Verdict {
    Taken(String),
    Refused(String),
    NotJson,
}

fn both(index: &Index, text: &str) -> [Verdict; 2] {
    let body = Arc::new(text.to_owned());
    let (mapping, draft) = (index.mapping(), Draft::of(index));
    let sink = || {
        let document = Incoming::new((&body, 0..body.len()), "x", index.own);
        Sink::new(document, &mapping, &draft)
    };
    let root = At::Node(mapping.root());
    let taken = |sink: Sink<'_>| {
        let read = sink.document;
        Verdict::Taken(format!("{:?}", (read.values, read.text, read.later, read.later_text)))
    };
    let mut sinks = [sink(), sink()];
    let [one, other] = &mut sinks;
    let usual = usual::read(one, &body, root);
    let careful = careful::read(other, &body, root);
    let [one, other] = sinks;
    let usual = match (&one.problem, usual) {
        (Some(problem), _) => Verdict::Refused(problem.reason.clone()),
        (None, Ok(())) => taken(one),
        (None, Err(_)) => Verdict::NotJson,
    };
    let careful = match careful {
        Ok(()) => taken(other),
        Err(Unread::Refused(problem)) => Verdict::Refused(problem.reason),
        Err(Unread::NotJson) => Verdict::NotJson,
    };
    [usual, careful]
}

fn json_text() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "a",
        "n",
        "d",
        "k",
        "a.b",
        "k.x",
        "n.",
        "unmerged",
        "unmerged.x.y",
        "_id",
        "_id.x",
        "_doc_count",
        "_own",
        "",
        " ",
        "a..b",
        "log",
        "offset",
        "log.offset",
        "\\u00e9",
        "é",
    ]);
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1",
        "-1.5",
        "1e3",
        "1e300",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "\"\"",
        "\"a\\\"b\"",
        "\"\\u00e9\"",
        "\"é\"",
        "\"2026-11-28\"",
        "\"12\"",
        " 5 ",
        "[ ]",
        "{ }",
    ]);
    let value = leaf.prop_map(str::to_owned).prop_recursive(4, 24, 4, move |inner| {
        let object = prop::collection::vec((name.clone(), inner.clone()), 0..4).prop_map(|all| {
            let all: Vec<String> =
                all.iter().map(|(name, value)| format!("\"{name}\" :{value}")).collect();
            format!("{{{}}}", all.join(", "))
        });
        let array =
            prop::collection::vec(inner, 0..3).prop_map(|all| format!("[{}]", all.join(",")));
        prop_oneof![3 => object, 1 => array]
    });
    value.prop_filter("an object", |text| text.starts_with('{'))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn both_readers_read_alike(text in json_text()) {
        let directory = TempDir::new().unwrap();
        let [usual, careful] = both(&index(&directory), &text);
        prop_assert_eq!(usual, careful);
    }

    #[test]
    fn what_is_no_json_is_none_for_either(text in json_text(), at in any::<prop::sample::Index>(), other in "[\\[\\]{}\",:0.e x\\\\-]?") {
        let directory = TempDir::new().unwrap();
        let at = at.index(text.len());
        let parts = text.get(..at).zip(text.get(at + 1..));
        prop_assume!(parts.is_some());
        let (before, behind) = parts.unwrap();
        let text = format!("{before}{other}{behind}");
        let [usual, careful] = both(&index(&directory), &text);
        // What is neither may be refused by the one for its names and by the other for its form; what only
        // the second takes has a number beyond the range of doubles.
        let is_taken = |verdict: &Verdict| matches!(verdict, Verdict::Taken(_));
        if is_taken(&usual) {
            prop_assert_eq!(usual, careful);
        } else if is_taken(&careful) {
            prop_assert_eq!(usual, Verdict::NotJson);
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{text}");
        }
    }
}

/// Whether it is taken, or what it is refused for.
fn verdict(text: &str) -> Result<(), String> {
    let directory = TempDir::new().unwrap();
    let index = index(&directory);
    let body = Arc::new(text.to_owned());
    let mapping = index.mapping();
    index.read(&body, 0..body.len(), "x", &mapping).map(|_| ()).map_err(|problem| problem.reason)
}

fn in_arrays(levels: usize, value: &str) -> String {
    format!("{}{value}{}", "[".repeat(levels), "]".repeat(levels))
}

fn in_objects(levels: usize, value: &str) -> String {
    format!("{}{value}{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
}

#[test]
fn numbers_and_depths_are_taken_up_to_the_bounds_of_elasticsearch() {
    let numbers = ["1e400", "-1e400", "1e-400", "1.8e308", "1e99999999999999999999"];
    let long =
        ["9".repeat(1000), format!("-{}", "9".repeat(1000)), format!("0.{}", "9".repeat(999))];
    for number in numbers.into_iter().chain(long.iter().map(String::as_str)) {
        for place in ["unmerged", "unmerged.x", "n", "d", "k", "new", "log.offset"] {
            assert_eq!(
                verdict(&format!(r#"{{"{place}":[{{}},{number}]}}"#).replace("[{},", "[")),
                Ok(())
            );
        }
    }
    for number in
        ["9".repeat(1001), format!("0.{}", "9".repeat(1000)), format!("1e-{}1", "0".repeat(999))]
    {
        for text in [
            format!(r#"{{"unmerged":{number}}}"#),
            format!(r#"{{"k":"{}","n":{number}}}"#, "x".repeat(777)),
        ] {
            let reason = verdict(&text).unwrap_err();
            assert!(reason.contains("Number value length (1001) exceeds"), "{reason}");
        }
        assert_eq!(verdict(&format!(r#"{{"k":"{number}"}}"#)), Ok(()), "a text is no number");
    }
    for deep in
        [in_arrays(998, "1"), in_objects(998, "1"), in_arrays(498, &in_objects(500, "1e400"))]
    {
        assert_eq!(verdict(&format!(r#"{{"unmerged":{{"x":{deep}}}}}"#)), Ok(()));
    }
    assert_eq!(verdict(&format!(r#"{{"new":{}}}"#, in_arrays(999, "1"))), Ok(()));
    for deep in
        [in_arrays(1000, "1"), in_objects(1000, "1"), in_arrays(100_000, ""), "[".repeat(100_000)]
    {
        let reason = verdict(&format!(r#"{{"unmerged":{deep}}}"#)).unwrap_err();
        assert!(reason.contains("Document nesting depth (1001) exceeds"), "{reason}");
    }
    for (deep, is_taken) in [
        (in_objects(19, "1"), true),
        (in_objects(18, "{}"), true),
        (in_objects(19, "{}"), false),
        (in_objects(20, "null"), false),
    ] {
        assert_eq!(verdict(&format!(r#"{{"new":{deep}}}"#)).is_ok(), is_taken, "{deep}");
    }
}

#[test]
fn what_is_below_an_object_that_is_not_looked_at_stays_unmapped() {
    let directory = TempDir::new().unwrap();
    let index = index(&directory);
    let text = r#"{"unmerged.x":1,"unmerged":{"y.z":2,"":3,"_id":4},"a":{"b.":5}}"#;
    let body = Arc::new(text.to_owned());
    index.read(&body, 0..body.len(), "x", &index.mapping()).unwrap();
    let printed = index.mapping().to_json();
    assert_eq!(printed["properties"]["unmerged"], json!({ "type": "object", "enabled": false }));
    assert_eq!(printed["properties"]["a"]["properties"]["b"]["type"], "long");
}

#[test]
fn an_object_is_one_whatever_is_in_it() {
    for object in
        [r#"{"new":{}}"#, r#"{"new":[{"x":null}]}"#, r#"{"new.x":null}"#, r#"{"new.x":[]}"#]
    {
        let directory = TempDir::new().unwrap();
        let index = index(&directory);
        let put = |text: &str| {
            let body = Arc::new(text.to_owned());
            index.read(&body, 0..body.len(), "x", &index.mapping()).map(|_| ())
        };
        put(object).unwrap();
        let printed = index.mapping().to_json();
        assert_eq!(printed["properties"]["new"], json!({ "type": "object" }), "{object}");
        assert_eq!(Mapping::parse(&printed).unwrap().to_json(), printed);
        assert_eq!(put(r#"{"new":1}"#).unwrap_err().status, 400, "{object}");
        put(r#"{"new":{"y":1},"n":2}"#).unwrap();
        assert_eq!(put(r#"{"n":{}}"#).unwrap_err().status, 400, "{object}");
    }
}

#[test]
fn objects_are_no_more_than_an_index_may_have_fields() {
    let directory = TempDir::new().unwrap();
    let index = index(&directory);
    let members: Vec<String> = (0..2_000).map(|number| format!("\"o{number}\":{{}}")).collect();
    let body = Arc::new(format!("{{{}}}", members.join(",")));
    let read = index.read(&body, 0..body.len(), "x", &index.mapping());
    assert!(read.unwrap_err().reason.contains("Limit of total fields"));
}

#[test]
fn paths_take_no_more_room_than_their_document_allows() {
    let directory = tempfile::tempdir().unwrap();
    let index = index(&directory);
    let read = |text: &str| {
        let body = Arc::new(text.to_owned());
        read((&body, 0..body.len()), "x", index.own, &index.mapping(), &Draft::of(&index))
    };
    let long = "a".repeat(LONGEST_PATH);
    let problem = read(&format!(r#"{{"{long}":{{"b":1}}}}"#)).unwrap_err();
    assert!(problem.reason.contains("has 4098 bytes, expected at most 4096"), "{}", problem.reason);
    // What is not looked at may be called anything.
    assert!(read(&format!(r#"{{"unmerged":{{"{long}":{{"b":1}}}}}}"#)).is_ok());
    // A long path around many values that are not indexed.
    let name = "b".repeat(LONGEST_PATH - 10);
    assert!(read(&format!(r#"{{"{name}":1}}"#)).is_ok());
    let many = ",99999999999999999999".repeat(5000);
    let text = format!(r#"{{"{name}":[1{many}]}}"#);
    let document = read(&text).unwrap();
    let paths: usize = document.later.iter().map(|(path, _)| path.len()).sum();
    assert!(paths <= MOST_TIMES * text.len() + ROOM + 20 * document.later.len(), "{paths}");
    assert!(!document.later.is_empty());
}

#[test]
fn keywords_and_addresses_are_once_in_a_document_and_numbers_as_often_as_they_stand_there() {
    let directory = TempDir::new().unwrap();
    let index = index(&directory);
    let text = r#"{"k":["a","b","a"],"n":[1,1],"o":[{"later":"x"},{"later":"y"},{"later":"x"}]}"#;
    let body = Arc::new(text.to_owned());
    let (mapping, draft) = (index.mapping(), Draft::of(&index));
    let document = read((&body, 0..body.len()), "x", index.own, &mapping, &draft).unwrap();
    let count =
        |is_it: fn(&Leaf) -> bool| document.values.iter().filter(|(_, leaf)| is_it(leaf)).count();
    assert_eq!(count(|leaf| matches!(leaf, Leaf::Slice(_) | Leaf::Text(_))), 2);
    assert_eq!(count(|leaf| matches!(leaf, Leaf::Long(_))), 2);
    let keywords = document.later.iter().filter(|(path, _)| &**path == "o.later.keyword");
    assert_eq!(keywords.count(), 2);
    let words = document.later_text.iter().filter(|(path, _)| &**path == "o.later");
    let joined = Leaf::Text(["x", "y", "x"].join(GAP).into());
    assert_eq!(words.map(|(_, leaf)| leaf).collect::<Vec<_>>(), [&joined], "one text");
}
