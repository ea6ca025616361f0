//! Each format, line by line, against the whole document that it must become.

use std::collections::HashSet;

use omphalos_common::event::DocumentId;
use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};

use super::scribe::charset::EncodingSetting;
use super::scribe::container::Container;
use super::scribe::{Desk, Finish, Line, Origin, Recipe};
use super::*;

/// Keeps documents; a line without a time of its own gets 1970.
#[derive(Default)]
pub(super) struct Page(pub(super) Vec<u8>);

impl Desk for Page {
    fn put(
        &mut self,
        _: u64,
        own: Option<Time>,
        _: &[u8],
        write: impl FnOnce(&mut Vec<u8>, Time, DocumentId) -> bool,
    ) {
        write(&mut self.0, own.unwrap_or(Time::from_seconds(0)), DocumentId::from_bytes([0; 16]));
    }
}

/// 2026-12-02T12:15:00Z, when all files here were written.
const WRITTEN: i64 = 1_796_213_700;

/// The documents of `lines`, in order; `Null` for a line without one.
pub(super) fn documents(parser: ParserKind, lines: &[&[u8]], keep_original: bool) -> Vec<Value> {
    let read = |text: String| {
        if text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    texts(parser.format(), lines, keep_original).into_iter().map(read).collect()
}

/// The same as texts.
pub(super) fn texts(format: Format, lines: &[&[u8]], keep_original: bool) -> Vec<String> {
    let recipe = Recipe {
        format,
        dataset: "test".to_owned(),
        encoding: EncodingSetting::Auto,
        container: Container::None,
        multiline: None,
        keep_original,
        max_line_bytes: 1 << 20,
        finish: Finish::default(),
    };
    let mut scribe =
        recipe.scribe::<()>(Origin { host_name: "web1", host_id: "id", path: b"/x.log" });
    scribe.see_written(Some(WRITTEN));
    let mut documents = Documents::default();
    let mut parse = |bytes: &[u8]| {
        let mut page = Page::default();
        let line = Line { bytes, offset: 7, is_ascii: false };
        scribe.take(line, &|| (), &mut documents, &mut page);
        let mut text = String::from_utf8(page.0).unwrap();
        assert!(text.is_empty() || text.find('\n') == Some(text.len() - 1), "{text}");
        text.pop();
        if !text.is_empty() {
            serde_json::from_str::<Once>(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        }
        text
    };
    lines.iter().map(|line| parse(line)).collect()
}

/// The documents of the events of a whole file, whose lines are joined where the format says so.
pub(super) fn events(kind: ParserKind, content: &[u8]) -> Vec<Value> {
    let settings = settings::RecipeSettings { parser: kind, ..Default::default() };
    let recipe = Recipe { dataset: "test".to_owned(), ..settings.recipe().unwrap() };
    let mut scribe =
        recipe.scribe::<()>(Origin { host_name: "web1", host_id: "id", path: b"/x.log" });
    scribe.see_written(Some(WRITTEN));
    let (mut documents, mut page) = (Documents::default(), Page::default());
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        let line = Line { bytes: line, offset: 7, is_ascii: false };
        scribe.take(line, &|| (), &mut documents, &mut page);
    }
    scribe.end_all(&mut documents, &mut page);
    let text = String::from_utf8(page.0).unwrap();
    text.lines().map(|line| stripped(serde_json::from_str(line).unwrap())).collect()
}

/// JSON in which no object has a name twice, at any depth.
pub(super) struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Once;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Once, A::Error> {
                let mut names = HashSet::new();
                while let Some((name, Once)) = members.next_entry::<String, Once>()? {
                    if !names.insert(name.clone()) {
                        return Err(Error::custom(format!("{name:?} is there twice")));
                    }
                }
                Ok(Once)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Once, A::Error> {
                while items.next_element::<Once>()?.is_some() {}
                Ok(Once)
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Once, E> {
                Ok(Once)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Once, E> {
                Ok(Once)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Once, E> {
                Ok(Once)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Once, E> {
                Ok(Once)
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Once, E> {
                Ok(Once)
            }

            fn visit_unit<E: Error>(self) -> Result<Once, E> {
                Ok(Once)
            }
        }
        deserializer.deserialize_any(Names)
    }
}

/// The document of one line without the parts that all documents share.
pub(super) fn fields_of(kind: ParserKind, line: impl AsRef<[u8]>) -> Value {
    stripped(documents(kind, &[line.as_ref()], false).remove(0))
}

/// The same of a file whose clocks stood in UTC.
pub(super) fn fields_in_utc(kind: ParserKind, line: impl AsRef<[u8]>) -> Value {
    let times = TimeRule::new(None, None, Some("+00:00")).unwrap();
    let text = texts(kind.format_with(&times), &[line.as_ref()], false).remove(0);
    stripped(serde_json::from_str(&text).unwrap())
}

/// The document without what all have.
pub(super) fn stripped(mut document: Value) -> Value {
    let all = document.as_object_mut().unwrap();
    assert_eq!(all.remove("ecs"), Some(json!({"version": "8.17.0"})));
    for (object, own) in [
        ("host", &[("name", json!("web1")), ("id", json!("id"))][..]),
        ("log", &[("file", json!({"path": "/x.log"})), ("offset", json!(7))]),
        ("event", &[("dataset", json!("test"))]),
    ] {
        for (name, value) in own {
            assert_eq!(all[object].as_object_mut().unwrap().remove(*name), Some(value.clone()));
        }
        if all[object] == json!({}) {
            all.remove(object);
        }
    }
    document
}

#[test]
fn combined_lines_become_ecs() {
    let line = r#"203.0.113.7 - alice [22/Nov/2026:12:15:00 +0100] "GET /shop/item?id=7&x=%20 HTTP/1.1" 200 5120 "https://example.org/" "Mozilla/5.0 (X11)""#;
    assert_eq!(
        fields_of(ParserKind::Combined, line),
        json!({
            "@timestamp": "2026-11-22T11:15:00Z",
            "source": {"address": "203.0.113.7", "ip": "203.0.113.7"},
            "user": {"name": "alice"},
            "url": {"original": "/shop/item?id=7&x=%20", "path": "/shop/item", "query": "id=7&x=%20"},
            "http": {
                "version": "1.1",
                "request": {"method": "GET", "referrer": "https://example.org/"},
                "response": {"status_code": 200, "body": {"bytes": 5120}}
            },
            "user_agent": {"original": "Mozilla/5.0 (X11)"}
        })
    );
}

#[test]
fn absent_values_are_absent() {
    let line = r#"::1 - - [22/Nov/2026:12:15:00 +0000] "-" 408 - "-" "-""#;
    assert_eq!(
        fields_of(ParserKind::Combined, line),
        json!({
            "@timestamp": "2026-11-22T12:15:00Z",
            "source": {"address": "::1", "ip": "::1"},
            "http": {"response": {"status_code": 408}}
        })
    );
    let empty = r#"host.example - - [22/Nov/2026:12:15:00 +0000] "" 400 0"#;
    assert_eq!(
        fields_of(ParserKind::Clf, empty),
        json!({
            "@timestamp": "2026-11-22T12:15:00Z",
            "source": {"address": "host.example", "domain": "host.example"},
            "http": {"response": {"status_code": 400, "body": {"bytes": 0}}}
        })
    );
}

#[test]
fn the_virtual_host_stands_in_front() {
    let line = r#"shop.example:8443 [2001:db8::1] - - [22/Nov/2026:12:15:00 +0000] "GET / HTTP/2.0" 304 - "-" "curl""#;
    let fields = fields_of(ParserKind::VhostCombined, line);
    assert_eq!(fields["source"], json!({"address": "2001:db8::1", "ip": "2001:db8::1"}));
    assert_eq!(
        fields["url"],
        json!({"domain": "shop.example", "port": 8443, "original": "/", "path": "/"})
    );
}

#[test]
fn requests_of_every_form_are_read() {
    let request = |request: &str| {
        let line = format!(r#"1.2.3.4 - - [22/Nov/2026:12:15:00 +0000] "{request}" 200 1"#);
        let mut fields = fields_of(ParserKind::Clf, &line);
        let message = fields.get("message").is_some_and(|message| *message == json!(line));
        assert_eq!(fields.get("tags"), None, "{request}");
        let method = fields["http"]["request"]["method"].take();
        (method, fields["http"]["version"].take(), fields["url"].take(), message)
    };
    let (null, get, one_one) = (Value::Null, json!("GET"), json!("1.1"));
    for (text, method, version, url, message) in [
        (
            "GET /a b?c d HTTP/1.1",
            &get,
            &one_one,
            json!({"original": "/a b?c d", "path": "/a b", "query": "c d"}),
            false,
        ),
        ("GET /old", &get, &null, json!({"original": "/old", "path": "/old"}), false),
        (
            "GET http://h.example:81/p?q HTTP/1.1",
            &get,
            &one_one,
            json!({"original": "http://h.example:81/p?q", "domain": "h.example", "port": 81, "path": "/p", "query": "q"}),
            false,
        ),
        (
            "OPTIONS * HTTP/1.1",
            &json!("OPTIONS"),
            &one_one,
            json!({"original": "*", "path": "*"}),
            false,
        ),
        (
            "CONNECT h.example:443 HTTP/1.1",
            &json!("CONNECT"),
            &one_one,
            json!({"original": "h.example:443", "domain": "h.example", "port": 443}),
            false,
        ),
        (
            r"GET /\x22q\x22 HTTP/1.1",
            &get,
            &one_one,
            json!({"original": "/\"q\"", "path": "/\"q\""}),
            false,
        ),
        // Not requests: the line is kept as the message.
        (r"\x16\x03\x01\x02\x00\x01", &null, &null, null.clone(), true),
        ("quit", &null, &null, null.clone(), true),
        (r"\x00 \x01 \x02", &null, &null, null.clone(), true),
    ] {
        assert_eq!(request(text), (method.clone(), version.clone(), url, message), "{text}");
    }
}

#[test]
fn escaped_and_unescaped_quotes_stay_inside_their_field() {
    let agent = |agent: &str| {
        let line = format!(
            r#"1.2.3.4 - - [22/Nov/2026:12:15:00 +0000] "GET / HTTP/1.1" 200 1 "-" "{agent}""#
        );
        let mut fields = fields_of(ParserKind::Combined, line);
        assert_eq!(fields.get("tags"), None, "{agent}");
        fields["user_agent"]["original"].take()
    };
    assert_eq!(agent(r#"a \"b\" c"#), json!(r#"a "b" c"#));
    assert_eq!(agent(r#"a "b"c"#), json!(r#"a "b"c"#));
    assert_eq!(agent(r"ends with \\"), json!(r"ends with \"));
    assert_eq!(agent("größe"), json!("größe"));
}

#[test]
fn what_stands_behind_a_combined_line_is_not_lost() {
    let line = r#"1.2.3.4 - - [22/Nov/2026:12:15:00 +0000] "GET / HTTP/1.1" 200 1 "-" "curl" 0.003 "upstream""#;
    let fields = fields_of(ParserKind::Combined, line);
    assert_eq!(fields["message"], json!(line));
    assert_eq!(fields["user_agent"]["original"], json!("curl"));
    assert_eq!(fields.get("tags"), None);
    let identity = r#"1.2.3.4 ident - [22/Nov/2026:12:15:00 +0000] "GET / HTTP/1.1" 200 1"#;
    assert_eq!(fields_of(ParserKind::Clf, identity)["message"], json!(identity));
}

#[test]
fn truncated_lines_are_read_as_far_as_they_are_certain() {
    let whole = r#"1.2.3.4 - - [22/Nov/2026:12:15:00 +0000] "GET /a HTTP/1.1" 200 77 "-" "curl""#;
    for length in 1..whole.len() {
        let line = whole.get(..length).unwrap();
        let fields = fields_of(ParserKind::Combined, line);
        assert_eq!(fields["message"], json!(line));
        let has_time = line.contains(" +0000]");
        let tags: &[&str] =
            if has_time { &["parse_failure"] } else { &["parse_failure", "time_assumed"] };
        assert_eq!(fields["tags"], json!(tags), "{line}");
        assert!(fields["error"]["message"].is_string());
    }
    let cut = fields_of(ParserKind::Combined, whole.get(..66).unwrap());
    assert_eq!(cut["@timestamp"], json!("2026-11-22T12:15:00Z"));
    assert_eq!(cut["source"]["ip"], json!("1.2.3.4"));
    assert_eq!(cut["url"]["path"], json!("/a"));
    assert_eq!(cut["error"]["message"], json!("the referrer is not closed by a quote"));
    let no_time = fields_of(ParserKind::Combined, "nonsense that is not a log line");
    assert_eq!(
        no_time["error"]["message"],
        json!("expected a time such as [22/Nov/2026:12:15:00 +0000]")
    );
}

#[test]
fn values_that_no_field_can_hold_are_problems() {
    let line = r#"1.2.3.4 - - [22/Nov/2026:12:15:00 +0000] "GET / HTTP/1.1" 1000 77 "-" "curl""#;
    let fields = fields_of(ParserKind::Combined, line);
    assert_eq!(fields["error"]["message"], json!("the status has more than three digits"));
    assert_eq!(fields["http"]["response"], json!({"body": {"bytes": 77}}));
    assert_eq!(fields["user_agent"]["original"], json!("curl"));
    assert_eq!(fields["message"], json!(line));
    let no_status = r#"1.2.3.4 - - [22/Nov/2026:12:15:00 +0000] "GET / HTTP/1.1""#;
    let problem = fields_of(ParserKind::Clf, no_status)["error"]["message"].take();
    assert_eq!(problem, json!("the line ends after the request"));
    let w3c = documents(ParserKind::W3c, &[b"#Fields: sc-status c-ip", b"1000 ::1"], false);
    assert_eq!(w3c[1]["error"]["message"], json!("the status has more than three digits"));
    assert_eq!(w3c[1]["source"]["ip"], json!("::1"));
    // In UTC it would be a year that cannot be written.
    for date in ["01/Jan/0000:00:00:00 +0100", "31/Dec/9999:23:59:59 -1200"] {
        let late = format!(r#"1.2.3.4 - - [{date}] "GET / HTTP/1.1" 200 1"#);
        let tags = json!(["parse_failure", "time_assumed"]);
        assert_eq!(fields_of(ParserKind::Clf, &late)["tags"], tags, "{date}");
    }
}

#[test]
fn bytes_that_are_not_text_are_kept_visible() {
    let mut line = br#"1.2.3.4 - - [22/Nov/2026:12:15:00 +0000] "GET /"#.to_vec();
    line.extend_from_slice(b"\xff\xfe\x01 HTTP/1.1\" 200 1");
    let fields = fields_of(ParserKind::Clf, line);
    assert_eq!(fields["url"]["path"], json!("/\u{fffd}\u{fffd}\u{1}"));
}

#[test]
fn w3c_files_name_their_own_fields() {
    let read = documents(
        ParserKind::W3c,
        &[
            b"1 2 3",
            b"#Software: Microsoft Internet Information Services 10.0",
            b"#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken",
            b"2026-11-22 12:15:00 10.0.0.1 GET /a.aspx id=1 443 CORP\\bob 203.0.113.7 Mozilla/5.0+(X11) - 200 0 64 31",
            b"2026-11-22 12:15:00 10.0.0.1 GET",
            b"#Date: 2026-11-23 00:00:00",
            b"#Fields: time cs-method sc-bytes time-taken x-edge-location",
            b"00:00:01.5\tPOST\t99\t0.25\tFRA50 C1",
        ],
        false,
    );
    assert_eq!(read[0]["error"]["message"], json!("no #Fields directive before this line"));
    assert_eq!(read[1], Value::Null);
    let iis = &read[3];
    assert_eq!(iis["@timestamp"], json!("2026-11-22T12:15:00Z"));
    assert_eq!(iis["event"], json!({"dataset": "test", "duration": 31_000_000}));
    assert_eq!(iis["url"], json!({"path": "/a.aspx", "query": "id=1"}));
    assert_eq!(iis["user"], json!({"name": "CORP\\bob"}));
    assert_eq!(iis["user_agent"], json!({"original": "Mozilla/5.0 (X11)"}));
    assert_eq!(iis["destination"], json!({"address": "10.0.0.1", "ip": "10.0.0.1", "port": 443}));
    assert_eq!(iis["source"], json!({"address": "203.0.113.7", "ip": "203.0.113.7"}));
    assert_eq!(
        iis["http"],
        json!({"request": {"method": "GET"}, "response": {"status_code": 200}})
    );
    assert_eq!(iis["w3c"], json!({"sc-substatus": "0", "sc-win32-status": "64"}));
    assert_eq!(iis.get("message"), None);
    assert_eq!(
        read[4]["error"]["message"],
        json!("the line has not as many values as #Fields names")
    );
    let changed = &read[7];
    assert_eq!(changed["@timestamp"], json!("2026-11-23T00:00:01.500Z"));
    assert_eq!(changed["event"]["duration"], json!(250_000_000));
    assert_eq!(changed["w3c"], json!({"x-edge-location": "FRA50 C1"}));
}

#[test]
fn json_objects_are_merged_with_ours_and_nothing_is_lost() {
    let line = r#"{"@timestamp":"2026-11-22T12:15:00.25+01:00","log":{"level":"info","offset":3},"host":"h","log.logger":"x","event.dataset":"theirs","message":"hi","n":1.50,"event":{"action":"a","dataset":"d"}}"#;
    let mut document = documents(ParserKind::Json, &[line.as_bytes()], false).remove(0);
    assert_eq!(document["@timestamp"], json!("2026-11-22T11:15:00.250Z"));
    assert_eq!(document["log"], json!({"file": {"path": "/x.log"}, "offset": 7, "level": "info"}));
    assert_eq!(document["host"], json!({"name": "web1", "id": "id"}));
    assert_eq!(document["event"], json!({"dataset": "test", "action": "a"}));
    assert_eq!(document["log.logger"], json!("x"));
    assert_eq!(document["message"], json!("hi"));
    assert_eq!(document["n"], json!(1.5));
    assert_eq!(
        document["unmerged"].take(),
        json!({"log.offset": 3, "host": "h", "event.dataset": "theirs", "event.dataset'": "d"})
    );
}

#[test]
fn json_times_are_read_from_the_usual_members() {
    for (member, expected) in [
        (r#""time":"2026-11-22T12:15:00Z""#, "2026-11-22T12:15:00Z"),
        (r#""ts":1795349700"#, "2026-11-22T12:15:00Z"),
        (r#""ts":1795349700.25"#, "2026-11-22T12:15:00.250Z"),
        (r#""timestamp":1795349700250"#, "2026-11-22T12:15:00.250Z"),
        (r#""@timestamp":1795349700250000"#, "2026-11-22T12:15:00.250Z"),
        (r#""time":"noon","ts":1795349700"#, "2026-11-22T12:15:00Z"),
        (r#""time":0.005,"ts":"2026-11-22 12:15:00,250""#, "2026-11-22T12:15:00.250Z"),
        (r#""@timestamp":null,"time":"2026-11-22T12:15:00""#, "2026-11-22T12:15:00Z"),
        (r#""@timestamp":"noon","time":1.7953497E9"#, "2026-11-22T12:15:00Z"),
        (r#""t":{"$date":"2026-11-22T13:15:00+01:00"}"#, "2026-11-22T12:15:00Z"),
        (r#""t":{"$date":{"$numberLong":"1795349700250"}}"#, "2026-11-22T12:15:00.250Z"),
        (
            r#""instant":{"epochSecond":1795349700,"nanoOfSecond":1000}"#,
            "2026-11-22T12:15:00.000001Z",
        ),
        (r#""timestamp":{"seconds":"1795349700"}"#, "2026-11-22T12:15:00Z"),
        (r#""__REALTIME_TIMESTAMP":"1795349700250000""#, "2026-11-22T12:15:00.250Z"),
        (r#""time_local":"22/Nov/2026:12:15:00 +0000""#, "2026-11-22T12:15:00Z"),
        (r#""time":"2026-11-22T13:15:00\u002B01:00""#, "2026-11-22T12:15:00Z"),
        (r#""time":"22\/Nov\/2026:12:15:00 +0000""#, "2026-11-22T12:15:00Z"),
        (r#""asctime":"2026-11-22 12:15:00,250""#, "2026-11-22T12:15:00.250Z"),
    ] {
        let fields = fields_in_utc(ParserKind::Json, format!("{{{member}}}"));
        assert_eq!(fields["@timestamp"], json!(expected), "{member}");
        assert_eq!(fields.get("tags"), None, "{member}");
    }
    for member in [
        r#""time":"noon""#,
        r#""time":12"#,
        r#""ts":-1"#,
        r#""t":{"$date":{"$date":1795349700}}"#,
        r#""instant":{"epochSecond":1795349700,"nanoOfSecond":1000000000}"#,
        r#""time":["2026-11-22T12:15:00Z"]"#,
        r#""a":1"#,
    ] {
        let fields = fields_of(ParserKind::Json, format!("{{{member}}}"));
        assert_eq!(fields["@timestamp"], json!("1970-01-01T00:00:00Z"), "{member}");
        assert_eq!(fields["tags"], json!(["time_assumed"]), "{member}");
        assert_eq!(fields.get("message"), None, "{member}");
    }
    let bad = fields_of(ParserKind::Json, r#"{"@timestamp":"noon","tags":"own"}"#);
    assert_eq!(bad["unmerged"], json!({"@timestamp": "noon"}));
    assert_eq!(bad["tags"], json!(["time_assumed", "own"]));
}

#[test]
fn a_time_without_a_zone_is_marked_unless_settings_have_one() {
    for (kind, line) in [
        (ParserKind::Json, r#"{"time":"2026-11-22 12:15:00"}"#),
        (ParserKind::Logfmt, r#"time="2026-11-22 12:15:00" level=info"#),
        (ParserKind::Syslog, "Nov 22 12:15:00 web1 su: x"),
        (ParserKind::Klog, "I1122 12:15:00.000000 1 a.go:5] x"),
        (ParserKind::NginxError, "2026/11/22 12:15:00 [error] 5#6: x"),
        (ParserKind::ApacheError, "[Sun Nov 22 12:15:00 2026] [error] x"),
        (ParserKind::Postgresql, "2026-11-22 12:15:00 [7] LOG:  x"),
        (ParserKind::MysqlError, "2026-11-22 12:15:00 0 [Note] x"),
        (ParserKind::App, "2026-11-22 12:15:00,000 INFO x"),
    ] {
        let (marked, known) = (fields_of(kind, line), fields_in_utc(kind, line));
        assert_eq!(marked["tags"], json!(["time_assumed"]), "{line}");
        assert_eq!(known.get("tags"), None, "{line}");
        for document in [marked, known] {
            assert_eq!(document["@timestamp"], json!("2026-11-22T12:15:00Z"), "{line}");
        }
    }
    // The first of two times is that of the line, and the other one stays.
    let two = fields_of(
        ParserKind::Logfmt,
        "time=2026-11-22T12:15:00Z ts=2026-11-22T00:00:00 level=info",
    );
    assert_eq!((two.get("tags"), &two["ts"]), (None, &json!("2026-11-22T00:00:00")));
}

#[test]
fn settings_say_which_member_has_the_time_and_how_it_is_written() {
    for ((field, format, zone), line, expected) in [
        ((Some("at"), None, None), r#"{"time":1,"at":1795349700}"#, "2026-11-22T12:15:00Z"),
        (
            (Some("meta.at"), None, Some("+01:00")),
            r#"{"meta":{"at":"2026-11-22 13:15:00"}}"#,
            "2026-11-22T12:15:00Z",
        ),
        (
            (Some("a.b.c"), Some("unix_ms"), None),
            r#"{"a.b":{"c":1795349700250}}"#,
            "2026-11-22T12:15:00.250Z",
        ),
        ((Some("a.b"), None, None), r#"{"a.b":1795349700,"a":{"b":1}}"#, "2026-11-22T12:15:00Z"),
        (
            (None, Some("%d.%m.%Y %H:%M:%S"), Some("Europe/Berlin")),
            r#"{"time":1795349700,"ts":"22.11.2026 13:15:00"}"#,
            "2026-11-22T12:15:00Z",
        ),
        ((None, None, Some("-02:00")), r#"{"t":"2026-11-22T10:15"}"#, "2026-11-22T12:15:00Z"),
        ((Some("@timestamp"), Some("unix"), None), r#"{"@timestamp":5}"#, "1970-01-01T00:00:05Z"),
    ] {
        let times = TimeRule::new(field, format, zone).unwrap();
        let text = texts(ParserKind::Json.format_with(&times), &[line.as_bytes()], false).remove(0);
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["@timestamp"], json!(expected), "{line}");
        assert_eq!((read.get("tags"), read.get("unmerged")), (None, None), "{line}");
    }
    for ((field, format), line) in [
        ((Some("at"), None), r#"{"time":"2026-11-22T12:15:00Z"}"#),
        ((Some("at"), None), r#"{"@timestamp":"2026-11-22T12:15:00Z","at":"noon"}"#),
        ((Some("a.b"), None), r#"{"a":["2026-11-22T12:15:00Z"]}"#),
        ((None, Some("unix_ms")), r#"{"time":"2026-11-22T12:15:00Z"}"#),
        ((None, Some("unix_ms")), r#"{"t":{"$date":1795349700250}}"#),
    ] {
        let times = TimeRule::new(field, format, None).unwrap();
        let text = texts(ParserKind::Json.format_with(&times), &[line.as_bytes()], false).remove(0);
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["tags"], json!(["time_assumed"]), "{line}");
        assert_eq!(read.get("unmerged").is_some(), line.contains("@timestamp"), "{line}");
    }
    let times = TimeRule::new(None, None, Some("Europe/Berlin")).unwrap();
    let lines: [&[u8]; 2] = [b"#Fields: date-local time-local", b"2026-11-22 13:15:00"];
    let w3c = texts(ParserKind::W3c.format_with(&times), &lines, false).remove(1);
    let read: Value = serde_json::from_str(&w3c).unwrap();
    assert_eq!((&read["@timestamp"], read.get("tags")), (&json!("2026-11-22T12:15:00Z"), None));
}

/// What these members of a JSON line become, without what all documents have.
pub fn placed(members: &str) -> Value {
    let mut fields = fields_of(ParserKind::Json, format!(r#"{{"ts":1795349700,{members}}}"#));
    let object = fields.as_object_mut().unwrap();
    for name in ["@timestamp", "event", "ecs", "host", "log", "ts"] {
        object.remove(name);
    }
    fields
}

/// What loggers write under names for which the template has another type: it stays, and where one
/// looks for it.
#[test]
fn values_go_where_the_template_has_a_place_for_them() {
    for (member, expected) in [
        (r#""error":"i/o timeout""#, json!({"error": {"message": "i/o timeout"}})),
        (r#""error":["a",2]"#, json!({"error": {"message": ["a", 2]}})),
        (r#""error":{"code":5}"#, json!({"error": {"code": 5}})),
        (r#""error":null"#, json!({"error": null})),
        (r#""user":7"#, json!({"user": {"name": 7}})),
        (r#""user":[{"name":"x"}]"#, json!({"user": [{"name": "x"}]})),
        (
            r#""url":"https://e/a","user_agent":"M""#,
            json!({"url": {"original": "https://e/a"}, "user_agent": {"original": "M"}}),
        ),
        (
            r#""source":"smtp","destination":"u@e""#,
            json!({"source": {"address": "smtp"}, "destination": {"address": "u@e"}}),
        ),
        (r#""http":"1.1""#, json!({"unmerged": {"http": "1.1"}})),
        (
            r#""http":{"request":"GET /","response":{"bytes":{"n":1},"x":2}}"#,
            json!({"http": {"response": {"x": 2}}, "unmerged": {"http.request": "GET /", "http.response.bytes": {"n": 1}}}),
        ),
        (r#""id":7,"id":7,"id":8"#, json!({"id": 7, "unmerged": {"id": 7, "id'": 8}})),
        (r#""x":1,"\u0078":2"#, json!({"x": 1, "unmerged": {"x": 2}})),
        (r#""http.request":"GET /""#, json!({"unmerged": {"http.request": "GET /"}})),
        (r#""error":{"message":{"a":1}}"#, json!({"error": {"message": "{\"a\":1}"}})),
        (r#""user.name.first":"A""#, json!({"unmerged": {"user.name.first": "A"}})),
        (
            r#""user":{"name.first":"A","id":1}"#,
            json!({"user": {"id": 1}, "unmerged": {"user.name.first": "A"}}),
        ),
        (r#""message":{"text":[1]}"#, json!({"message": "{\"text\":[1]}"})),
        (r#""message":[{"a":1}]"#, json!({"message": "[{\"a\":1}]"})),
        (r#""message":["a","b"]"#, json!({"message": ["a", "b"]})),
        (r#""tags":{"env":"prod"}"#, json!({"unmerged": {"tags": {"env": "prod"}}})),
        (r#""tags":["a"]"#, json!({"tags": ["a"]})),
        (
            r#""host":"web1","log":"text","event":"x","ecs":1"#,
            json!({"unmerged": {"host": "web1", "log": "text", "event": "x", "ecs": 1}}),
        ),
        (
            r#""_id":"x","_source":{"a":1},"_own":2"#,
            json!({"_own": 2, "unmerged": {"_id": "x", "_source": {"a": 1}}}),
        ),
        (r#""half":"\ud83d","pair":"\ud83d\ude00""#, json!({"half": "\u{fffd}", "pair": "😀"})),
    ] {
        let fields = placed(member);
        assert_eq!(fields, expected, "{member}");
    }
}

#[test]
fn json_that_cannot_be_read_is_shipped_whole() {
    for (line, problem) in [
        (&b"{\"a\":"[..], "the line is not a JSON object"),
        (b"[1]", "the line is not a JSON object"),
        (b"{} {}", "the line is not a JSON object"),
        (b"{\"a\":\"\xff\"}", "the line is not UTF-8"),
    ] {
        let fields = fields_of(ParserKind::Json, line);
        assert_eq!(fields["error"]["message"], json!(problem));
        assert_eq!(fields["message"], json!(String::from_utf8_lossy(line)));
    }
}

#[test]
fn raw_lines_are_messages_and_empty_ones_nothing() {
    let read = documents(ParserKind::Raw, &[b"a \"b\"\t\x1b[1m", b"", b"  \t"], true);
    assert_eq!(read[0]["message"], json!("a \"b\"\t\u{1b}[1m"));
    assert_eq!(read[0]["event"], json!({"dataset": "test", "original": "a \"b\"\t\u{1b}[1m"}));
    assert_eq!(read[1..], [Value::Null, Value::Null]);
}

#[test]
fn every_name_is_a_parser() {
    for name in ParserKind::NAMES {
        let kind = ParserKind::from_name(name).unwrap();
        assert!(!kind.default_dataset().is_empty());
    }
}

/// Lines that look like a log: pieces of real ones, glued at random.
fn almost_a_line() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        Just(b"1.2.3.4".to_vec()),
        Just(b" - ".to_vec()),
        Just(b" [22/Nov/2026:12:15:00 +0000] ".to_vec()),
        Just(b"\"GET /a?b HTTP/1.1\"".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"\\".to_vec()),
        Just(b" 200 12 ".to_vec()),
        Just(b"#Fields: date time c-ip cs(User-Agent) sc-status".to_vec()),
        Just(b"2026-11-22 12:15:00".to_vec()),
        Just(b"{\"host\":{\"name\":1},\"ts\":".to_vec()),
        Just(b"}".to_vec()),
        Just(b"{\"level\":\"info\",\"ts\":1795349700,".to_vec()),
        Just(b"\"msg\":\"a\",\"error\":{\"message\":\"b\"},\"log\":{\"level\":1},".to_vec()),
        Just(b"\"request\":{\"method\":\"GET\"},\"size\":5,\"DownstreamStatus\":200}".to_vec()),
        Just(b"<34>Feb 26 10:00:00 web1 app[7]: ".to_vec()),
        Just(b"<34>1 2026-02-26T10:00:00Z h app 7 ID [a@1 b=\"c\" b=\"d\"] ".to_vec()),
        Just(b"2026/02/26 10:00:00 [error] 5#6: *7 x, client: 1.2.3.4, server: _, ".to_vec()),
        Just(b"request: \"GET / HTTP/1.1\", host: \"".to_vec()),
        Just(b"[Thu Feb 26 10:00:00 2026] [core:error] [pid 7] [client 1.2.3.4] ".to_vec()),
        Just(b" level=info msg=\"a\" host=b time=5 ".to_vec()),
        Just(b"I0226 10:00:00.1 1 a.go:5] \"x\" ".to_vec()),
        Just(b"2026-02-26 10:00:00,123 [main] INFO a.b.C: ".to_vec()),
        Just(b"2026-02-26 10:00:00.123 UTC [7] ann@db LOG:  duration: 3 ms  statement: ".to_vec()),
        Just(b"# User@Host: a[a] @ h [1.2.3.4] Id: 5 # Query_time: 1 ".to_vec()),
        Just(b" fe be/s 0/0/0/0/0 200 5 - - ---- 1/1/1/1/1 0/0 {a} {b} ".to_vec()),
        Just(b"https 2026-02-26T10:00:00.1Z app/x 1.2.3.4:5 - -1 0.1 0 200 - 3 4 \"GET http://e/ HTTP/1.1\" ".to_vec()),
        Just(b"a b [22/Nov/2026:12:15:00 +0000] 1.2.3.4 c d e f ".to_vec()),
        Just(b"2 1 eni-1 1.2.3.4 - 5 6 17 8 9 1771236000 1771236060 ACCEPT OK".to_vec()),
        Just(b"srcaddr dstaddr start action".to_vec()),
        Just(b"7:M 26 Feb 2026 10:00:00.123 # ".to_vec()),
        Just(b"2026-02-26 10:00:00+00:00 [info] <0.2.0> x (1.2.3.4:5 -> [::1]:6) ".to_vec()),
        Just(b"=ERROR REPORT==== 26-Feb-2026::10:00:00 ===".to_vec()),
        Just(b"[2026-02-26T10:00:00,123][WARN ][i.s.s.query] [n1] [i][0] took[4ms], took_millis[4], source[{\"a\":[]}], id[".to_vec()),
        Just(b" 7 \"r@file\" \"http://10.0.0.1\" 2ms".to_vec()),
        Just(b"[2026-02-26T10:00:00Z] \"GET / HTTP/2\" 200 - 0 5 1 - \"-\" \"u\" \"i\" \"e.x\" \"-\"".to_vec()),
        Just(b"1771236000.123 9 1.2.3.4 TCP_MISS/200 5 GET http://e/ - HIER_DIRECT/1.2.3.4 text/html".to_vec()),
        Just(b"[pid: 7|app: 0|req: 1/1] 1.2.3.4 () {4 vars in 8 bytes} [Thu Feb 26 10:00:00 2026] GET /a => generated 1 bytes in 3 msecs (HTTP/1.1 200) ".to_vec()),
        Just(b"time,level,message,host,time".to_vec()),
        Just(b"#fields\tts\tuid\thost\tid.orig_h".to_vec()),
        Just(b"1771236000.5\ta\t-\t1.2.3.4".to_vec()),
        Just(b"CEF:0|V|P|1|2|n|5|src=1.2.3.4 src=x rt=1771236000123 msg=a\\=b cs1= ".to_vec()),
        Just(b"LEEF:2.0|V|P|1|2|x5e|src=1.2.3.4^sev=5^devTime=Feb 26 2026 10:00:00".to_vec()),
        Just(b"type=EXECVE msg=audit(1771236000.123:77): a0=2F62 a1=\"b\" pid=7 addr=1.2.3.4 msg='op=x acct=\"y\"' \x1dUID=\"z\"".to_vec()),
        Just(b"<Event><System><EventID Qualifiers='1'>5</EventID><Level>2</Level>".to_vec()),
        Just(b"<TimeCreated SystemTime='2026-02-26T10:00:00Z'/></System><EventData><Data Name='a.b'>x&lt;</Data></EventData></Event>".to_vec()),
        Just(b"PRIORITY=3".to_vec()),
        proptest::collection::vec(any::<u8>().prop_filter("line end", |b| *b != b'\n'), 0..6),
    ];
    proptest::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn every_line_gives_one_valid_document(
        lines in proptest::collection::vec(almost_a_line(), 1..4),
        keep_original in any::<bool>(),
    ) {
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        for name in ParserKind::NAMES {
            let kind = ParserKind::from_name(name).unwrap();
            let read = documents(kind, &lines, keep_original);
            let preface = kind.format().parser().preface();
            prop_assert_eq!(read.len(), lines.len());
            for (document, line) in read.iter().zip(&lines) {
                if document.is_null() {
                    let is_directive = line.starts_with(b"#") || preface == Preface::Header;
                    prop_assert!(line.trim_ascii().is_empty() || is_directive);
                } else {
                    prop_assert!(document["@timestamp"].is_string());
                }
            }
            // What is remembered of a document changes nothing in the next one.
            let again = texts(kind.format(), &[&lines[..], &lines].concat(), keep_original);
            let (first, second) = again.split_at(lines.len());
            prop_assert!(preface != Preface::None || first == second, "{}", name);
        }
    }
}
