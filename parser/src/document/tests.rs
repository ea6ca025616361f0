//! Fields in their general form, beside what a document and a request say themselves.

use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::address::Address;
use crate::fields::Name;
use crate::json::JsonParser;
use crate::request::Request;
use crate::{Parse, Parsed};

const LINE: &[u8] = b"the line";

/// What of an event is odd.
type Oddities = (Option<&'static str>, Shape, Option<&'static str>);

const USUAL: Oddities = (None, Shape::Whole, None);

/// The document of an event; fails if it has a name twice.
fn document(fields: &Fields<'_>, others: &List<'_>, oddities: Oddities) -> Json {
    let origin = Origin { host_name: "web1", host_id: "id", path: b"/x.log" };
    let (problem, shape, stream) = oddities;
    let time = Time::from_seconds(0);
    let is_time_assumed = false;
    let event = Event {
        offset: 7,
        time,
        is_time_assumed,
        line: LINE,
        fields,
        others,
        problem,
        shape,
        stream,
    };
    let mut out = Vec::new();
    Documents::default().write(
        &mut out,
        &Frame::new("test", origin, true),
        &event,
        DocumentId::from_bytes([0; 16]),
    );
    let text = String::from_utf8(out).unwrap();
    let read: Json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(read.to_string() + "\n", text);
    read
}

/// The document of fields that are all in the list, without what all documents have.
fn listed(others: &List<'_>, oddities: Oddities) -> Json {
    let mut document = document(&Fields::Listed, others, oddities);
    for name in ["@timestamp", "ecs"] {
        document.as_object_mut().unwrap().remove(name);
    }
    document
}

#[test]
fn dotted_names_become_objects_and_values_keep_their_types() {
    let mut list = List::default();
    list.add("process.name", &b"sshd\xff"[..]);
    list.add("process.pid", 812_u32);
    list.add("app.ratio", 1.0);
    list.add("process.thread.id", -1_i64);
    list.add("process.args", vec![Value::from("a\"b"), Value::from(true)]);
    list.add("process.empty", Value::List(Vec::new()));
    list.add("related", "::1".parse::<IpAddr>().unwrap());
    list.add("app.raw", omphalos_common::json::Raw::read(r#"{"n":[1.5]}"#).unwrap());
    let document = document(&Fields::Listed, &list, USUAL);
    assert_eq!(
        document["process"],
        json!({"name": "sshd\u{fffd}", "pid": 812, "thread": {"id": -1}, "args": ["a\"b", true], "empty": []})
    );
    assert_eq!(document["app"].to_string(), r#"{"ratio":1.0,"raw":{"n":[1.5]}}"#);
    assert_eq!(document["related"], json!("::1"));
    assert_eq!((document.get("message"), document.get("unmerged")), (None, None));
}

#[test]
fn fields_join_the_objects_of_document_and_request() {
    let mut list = List::default();
    list.add("event.action", "a");
    list.add("http.request.id", "r");
    list.add("http.response.mime_type", "text/html");
    list.add("log.level", "warn");
    list.add("source.packets", 4711_u16);
    list.add("error.code", "E1");
    let request = Request {
        client: Some(Address::read(b"192.0.2.7")),
        method: Some(b"GET"),
        duration_nanos: Some(5),
        ..Request::default()
    };
    let odd = (Some("odd"), Shape::Whole, Some("stderr"));
    let document = document(&Fields::Request(request), &list, odd);
    assert_eq!(
        document["event"],
        json!({"dataset": "test", "original": "the line", "duration": 5, "action": "a"})
    );
    assert_eq!(
        document["http"],
        json!({"request": {"method": "GET", "id": "r"}, "response": {"mime_type": "text/html"}})
    );
    assert_eq!(document["log"]["level"], json!("warn"));
    assert_eq!(document["log"]["iostream"], json!("stderr"));
    assert_eq!(
        document["source"],
        json!({"address": "192.0.2.7", "ip": "192.0.2.7", "packets": 4711})
    );
    assert_eq!(document["error"], json!({"message": "odd", "code": "E1"}));
    assert_eq!(document.get("unmerged"), None);
}

#[test]
fn names_that_are_taken_and_numbers_that_do_not_fit_are_kept_apart() {
    let mut list = List::default();
    for (name, value) in [
        ("host.name", "theirs"),
        ("log", "no object"),
        ("log.file.path", "p"),
        ("a.b", "first"),
        ("a.b", "second"),
        ("a.b", "third"),
        ("a", "an object"),
        ("a.b.c", "a text"),
        ("@timestamp", "noon"),
    ] {
        list.add(name, value);
    }
    list.add("n.large", u64::MAX);
    list.add("n.none", f64::NAN);
    list.add("n.largest", i64::MAX);
    let document = listed(&list, USUAL);
    assert_eq!(document["host"], json!({"name": "web1", "id": "id"}));
    assert_eq!(document["a"], json!({"b": "first"}));
    assert_eq!(document["n"], json!({"largest": i64::MAX}));
    assert_eq!(
        document["unmerged"],
        json!({
            "host.name": "theirs", "log": "no object", "log.file.path": "p", "a.b": "second",
            "a.b'": "third", "a": "an object", "a.b.c": "a text", "@timestamp": "noon",
            "n.large": "18446744073709551615", "n.none": "NaN"
        })
    );
}

#[test]
fn a_message_in_the_list_gives_way_to_the_line_and_tags_are_joined() {
    let mut list = List::default();
    list.add("message", "a part");
    list.add("tags", vec![Value::from("theirs")]);
    let usual = listed(&list, USUAL);
    assert_eq!((&usual["message"], &usual["tags"]), (&json!("a part"), &json!(["theirs"])));
    let odd = listed(&list, (Some("odd"), Shape::Cut, None));
    assert_eq!(odd["message"], json!("the line"));
    assert_eq!(odd["tags"], json!(["parse_failure", "truncated", "theirs"]));
    assert_eq!(odd.get("unmerged"), None);
    list.add("tags", "again");
    let twice = listed(&list, (Some("odd"), Shape::Whole, None));
    assert_eq!(twice["tags"], json!(["parse_failure", "theirs"]));
    assert_eq!(twice["unmerged"], json!({"tags": "again"}));
}

#[test]
fn lists_and_names_are_bounded() {
    let mut list = List::default();
    for number in 0..=List::MOST {
        assert!(!list.more);
        list.add(Name::new(format!("f.{number}")).unwrap(), number as u64);
    }
    let document = listed(&list, USUAL);
    assert_eq!(document["f"].as_object().unwrap().len(), List::MOST);
    assert_eq!(document["message"], json!("the line"));
    for text in ["", ".", "a.", ".a", "a..b", " ", "a. .b", "a.b.c.d.e.f.g.h.i", &"a".repeat(257)] {
        assert_eq!(Name::new(text), None, "{text:?}");
    }
    assert_eq!(Name::cleaned("w3c", "X \"Y\".z"), Name::from("w3c.x__y__z"));
}

/// So that the fields of a line, which most lines of a format have, cost no allocation.
#[test]
fn the_list_of_a_line_is_made_in_the_memory_of_the_last() {
    let mut list = List::default();
    for number in 0..9_u64 {
        list.add("a", number);
    }
    let (memory, capacity) = (list.fields.as_ptr().addr(), list.fields.capacity());
    let mut next = List::default();
    list.give_back(&mut next);
    next.add("b", "text");
    assert_eq!((next.fields.as_ptr().addr(), next.fields.capacity()), (memory, capacity));
    assert_eq!((next.fields.len(), next.more), (1, false));
}

#[test]
fn members_of_json_that_the_document_needs_itself_are_not_written_twice() {
    let read = |line: &'static str, oddities: Oddities| {
        let (mut parser, mut calendar, mut list) =
            (JsonParser::default(), Calendar::default(), List::default());
        let parsed = parser.parse(&mut calendar, line.as_bytes(), &mut list);
        let Parsed::Event { fields, .. } = parsed else { panic!("{line}") };
        document(&fields, &list, oddities)
    };
    let line =
        r#"{"message":"m","tags":["b"],"error":{"message":"e","code":1},"log":{"iostream":"x"}}"#;
    let odd = read(line, (Some("odd"), Shape::Unfinished, Some("stdout")));
    assert_eq!(odd["message"], json!("the line"));
    assert_eq!(odd["tags"], json!(["parse_failure", "unfinished", "b"]));
    assert_eq!(odd["error"], json!({"message": "odd", "code": 1}));
    assert_eq!(odd["unmerged"], json!({"message": "m", "error.message": "e", "log.iostream": "x"}));
    let usual = read(line, USUAL);
    assert_eq!((&usual["message"], &usual["tags"]), (&json!("m"), &json!(["b"])));
    assert_eq!(usual["error"], json!({"message": "e", "code": 1}));
    assert_eq!(usual["log"]["iostream"], json!("x"));
    assert_eq!(usual.get("unmerged"), None);
    for (tags, expected, unmerged) in [
        (r#"{"tags":"b"}"#, json!(["unfinished", "b"]), Json::Null),
        (r#"{"tags":[]}"#, json!(["unfinished"]), Json::Null),
        (r#"{"tags":{"a":1}}"#, json!(["unfinished"]), json!({"tags": {"a": 1}})),
    ] {
        let read = read(tags, (None, Shape::Unfinished, None));
        let found = (&read["tags"], &read["unmerged"]);
        assert_eq!(found, (&expected, &unmerged), "{tags}");
    }
    let both = read(r#"{"unmerged":{"a":1},"host":"h"}"#, USUAL);
    assert_eq!(both["unmerged"], json!({"host": "h", "unmerged": {"a": 1}}));
    assert_eq!(read(r#"{"unmerged":1}"#, USUAL)["unmerged"], json!(1));
}

/// How often `text` is a value in `json`.
fn count(json: &Json, text: &str) -> usize {
    match json {
        Json::String(found) => usize::from(found == text),
        Json::Array(values) => values.iter().map(|value| count(value, text)).sum(),
        Json::Object(members) => members.values().map(|value| count(value, text)).sum(),
        _ => 0,
    }
}

proptest! {
    #[test]
    fn whatever_the_names_are_none_is_written_twice_and_no_value_is_lost(
        names in proptest::collection::vec(
            "(log|error|host|http|source|tags|message|unmerged|a|b|@timestamp)(\\.(name|request|message|file|ip|a|b)){0,2}",
            0..12,
        ),
        is_request in any::<bool>(), is_odd in any::<bool>(),
    ) {
        let mut list = List::default();
        for (at, name) in names.iter().enumerate() {
            list.add(Name::new(name.as_str()).unwrap(), format!("value {at}"));
        }
        let request = || Request { client: Some(Address::read(b"::1")), method: Some(b"GET"), ..Request::default() };
        let fields = if is_request { Fields::Request(request()) } else { Fields::Listed };
        let odd = (Some("odd"), Shape::Cut, Some("stdout"));
        let document = document(&fields, &list, if is_odd { odd } else { USUAL });
        for (at, name) in names.iter().enumerate() {
            let is_in_line = is_odd && name == "message";
            prop_assert_eq!(count(&document, &format!("value {at}")), usize::from(!is_in_line), "{}", name);
        }
    }
}
