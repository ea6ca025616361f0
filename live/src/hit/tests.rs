use omphalos_parser::{Calendar, List, Parsed, ParserKind, Shape};

use super::*;
use crate::Filter;

const QUERIES: [&str; 19] = [
    "tags:parse_failure",
    "tags:time_assumed",
    "tags:b",
    "status:>=400",
    "http.version:1.1",
    "query:c=d",
    "url:/a/b?c=d",
    "ip:203.0.113.0/24",
    "user:*",
    "_exists_:bytes",
    "host:web1",
    "file:/l",
    "dataset:access",
    "nothing:*",
    "message:*",
    "error:*",
    "example",
    "bob",
    "hi",
];

fn shown(hit: &Hit<'_>) -> String {
    let text = |text: Option<&[u8]>| {
        text.map_or("-".into(), |text| String::from_utf8_lossy(text).into_owned())
    };
    let texts = [
        hit.path,
        hit.method,
        hit.client,
        hit.user,
        hit.referrer,
        hit.agent,
        hit.virtual_host,
        hit.host,
        hit.source,
        hit.dataset,
    ];
    let texts: Vec<String> = texts.into_iter().map(text).collect();
    // What a filter says of it is the same too.
    let is_meant = |query: &&&str| Filter::new(query).unwrap().matches(hit);
    let meant: Vec<&str> = QUERIES.iter().filter(is_meant).copied().collect();
    format!(
        "{meant:?} {} {:?} {:?} {:?} {}",
        hit.time,
        hit.status,
        hit.bytes,
        hit.latency,
        texts.join(" ")
    )
}

/// The hit of a line as the file road sees it, and as a document that is received.
fn both(kind: ParserKind, line: &str) -> [String; 2] {
    let place = Place { host: Some(b"web1"), source: Some(b"/l"), dataset: Some(b"access") };
    let (mut documents, mut list) = (omphalos_parser::Documents::default(), List::default());
    let mut parser = kind.format().parser();
    let mut calendar = Calendar::default();
    let Parsed::Event { time, fields, problem, .. } =
        parser.parse(&mut calendar, line.as_bytes(), &mut list)
    else {
        panic!("{line} is an event");
    };
    let event = omphalos_parser::Event {
        offset: 0,
        time: time.unwrap(),
        is_time_assumed: false,
        line: line.as_bytes(),
        fields: &fields,
        others: &list,
        problem,
        shape: Shape::Whole,
        stream: None,
    };
    let mut reader = DocumentReader::default();
    let of_event = with_event(&event, &place, &mut reader, shown);
    let origin = omphalos_parser::scribe::Origin { host_name: "web1", host_id: "x", path: b"/l" };
    let frame = omphalos_parser::Frame::new("access", origin, false);
    let mut json = Vec::new();
    documents.write(&mut json, &frame, &event, omphalos_parser::DocumentId::from_bytes([0; 16]));
    [of_event, shown(&reader.read(&json).unwrap().hit())]
}

#[test]
fn a_line_is_the_same_hit_on_both_roads() {
    for (kind, line) in [
        (
            ParserKind::Combined,
            r#"203.0.113.7 - bob [22/Nov/2026:12:15:00 +0100] "GET /a/b?c=d HTTP/1.1" 200 17 "http://e.example/" "say \"hi\"""#,
        ),
        (
            ParserKind::VhostCombined,
            r#"shop.example:443 203.0.113.7 - - [22/Nov/2026:12:15:00.250 +0100] "GET http://other.example/ HTTP/1.1" 503 - "-" "-""#,
        ),
        (
            ParserKind::Json,
            r#"{"time":"2026-11-22T12:15:00Z","url":{"path":"/x"},"http.response.status_code":404,"event":{"duration":5000},"user":{"name":"\u00e9"},"tags":["a","b"]}"#,
        ),
        (ParserKind::Clf, "203.0.113.7 - - [22/Nov/2026:12:15:00 +0100] \"GET / HTTP/1.1\" x"),
    ] {
        let [event, document] = both(kind, line);
        assert_eq!(event, document, "{line}");
        assert!(event.contains("] 17953"), "{event}");
    }
}

#[test]
fn names_of_people_are_taken_where_those_of_ecs_are_missing() {
    let mut reader = DocumentReader::default();
    let json = br#"{"@timestamp":"1970-01-01T00:00:01.5Z","status":"502","path":"/p","ip":"10.0.0.1","a":{"b":[1,{"c":2.5}],"n":null,"t":true}}"#;
    let document = reader.read(json).unwrap();
    let hit = document.hit();
    assert_eq!((hit.time, hit.status), (1_500_000_000, Some(502)));
    assert_eq!((hit.path, hit.client), (Some(&b"/p"[..]), Some(&b"10.0.0.1"[..])));
    let field = |name| document.field(name).map(|text| String::from_utf8_lossy(&text).into_owned());
    assert_eq!(field("a.b").as_deref(), Some("1"));
    assert_eq!(field("a.b.c").as_deref(), Some("2.5"));
    assert_eq!(field("a.t").as_deref(), Some("true"));
    assert_eq!(field("a.n"), None);
    assert!(document.any(&mut |text| text == b"502"));
    assert!(!document.any(&mut |text| text == b"2.5"), "a number is no text");
}

#[test]
fn what_is_no_document_is_refused() {
    let mut reader = DocumentReader::default();
    let deep = "{\"a\":".repeat(60) + "1" + &"}".repeat(60);
    for json in ["", "[1]", "5", "{\"a\":1", "{} x", &deep] {
        let refusal = reader.read(json.as_bytes()).map(|_| ()).unwrap_err().to_string();
        assert!(refusal.starts_with("expected a JSON object, found"), "{json}: {refusal}");
    }
    assert!(reader.read(b"{}").unwrap().hit().path.is_none());
}

#[test]
fn a_section_is_the_first_segment_of_a_path() {
    for (path, expected) in [
        ("/", "/"),
        ("/a", "/a"),
        ("/a/", "/a"),
        ("/a/b/c", "/a"),
        ("//a", "/"),
        ("*", "*"),
        ("a/b", "a"),
        ("", ""),
    ] {
        assert_eq!(section(path.as_bytes()), expected.as_bytes(), "{path}");
    }
}

#[test]
fn a_line_without_a_time_has_that_of_the_line_before() {
    let mut reader = LineReader::new(&ParserKind::Json.format());
    let (place, now) = (Place::default(), omphalos_parser::Time::from_seconds(9));
    let mut time = |line: &[u8]| reader.read(line, &place, now, |hit| hit.time / 1_000_000_000);
    assert_eq!(time(b"{\"a\":1}"), Some(9));
    assert_eq!(time(b"{\"time\":\"2026-11-22T00:00:00Z\"}"), Some(1_795_305_600));
    assert_eq!(time(b"no JSON"), Some(1_795_305_600));
    assert_eq!(time(b" \r"), None);
    let mut reader = LineReader::new(&ParserKind::W3c.format());
    assert_eq!(reader.read(b"#Fields: date time", &place, now, |_| ()), None);
}
