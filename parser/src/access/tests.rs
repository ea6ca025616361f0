//! The kind of fault that these tests are for: a line of another format, or one that another writer
//! made, is read as if it were one of ours, and a field says what is not so, without a word of it.
//! These are such lines with their right documents; what would find others is in `properties.rs`.

use serde_json::{Value, json};

use crate::ParserKind;
use crate::tests::fields_of;

/// The document of a line without what it has of the request that all lines of a table share.
fn unusual(kind: ParserKind, line: &str) -> Value {
    let mut document = fields_of(kind, line);
    if document["message"] == json!(line) {
        document["message"] = json!("LINE");
    }
    document
}

fn merged(mut usual: Value, unusual: &Value) -> Value {
    for (name, value) in unusual.as_object().unwrap() {
        usual[name] = value.clone();
    }
    usual.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    usual
}

pub(super) const WHEN: &str = "[28/Nov/2026:12:00:01 +0000]";

/// What stands before the time, and what is certain of it.
fn certain_heads() -> Vec<(&'static str, Value)> {
    vec![
        ("203.0.113.7 - -", json!({"source": {"address": "203.0.113.7", "ip": "203.0.113.7"}})),
        (
            "203.0.113.7:51234 - -",
            json!({"source": {"address": "203.0.113.7", "ip": "203.0.113.7", "port": 51234}}),
        ),
        (
            "[2001:db8::7]:443 - -",
            json!({"source": {"address": "2001:db8::7", "ip": "2001:db8::7", "port": 443}}),
        ),
        ("fe80::1%eth0 - -", json!({"source": {"address": "fe80::1%eth0", "ip": "fe80::1"}})),
        (
            "::ffff:203.0.113.9 - -",
            json!({"source": {"address": "::ffff:203.0.113.9", "ip": "203.0.113.9"}}),
        ),
        ("unix: - -", json!({"source": {"address": "unix:"}})),
        ("\"203.0.113.7\" - -", json!({"source": {"address": "203.0.113.7", "ip": "203.0.113.7"}})),
        (
            "client.example:80 - -",
            json!({"source": {"address": "client.example", "domain": "client.example", "port": 80}}),
        ),
        ("- - -", json!({})),
        ("- - bob", json!({"user": {"name": "bob"}})),
        ("10.0.0.1 - a[b]", json!({"source": ip("10.0.0.1"), "user": {"name": "a[b]"}})),
        ("10.0.0.1 - ", json!({"source": ip("10.0.0.1")})),
        ("10.0.0.1 - \"\"", json!({"source": ip("10.0.0.1")})),
        ("10.0.0.1 - \"b c\"", json!({"source": ip("10.0.0.1"), "user": {"name": "b c"}})),
        (
            r"10.0.0.1 - CORP\bob smith",
            json!({"source": ip("10.0.0.1"), "user": {"name": r"CORP\bob smith"}}),
        ),
        (
            r"10.0.0.1 - CORP\\nick smith-o'hara jr.",
            json!({"source": ip("10.0.0.1"), "user": {"name": r"CORP\nick smith-o'hara jr."}}),
        ),
        (r"10.0.0.1 - CORP\tom", json!({"source": ip("10.0.0.1"), "user": {"name": r"CORP\tom"}})),
        ("10.0.0.1 id bob", {
            json!({"source": ip("10.0.0.1"), "user": {"name": "bob"}, "message": "LINE"})
        }),
        ("203.0.113.7, 198.51.100.20 - -", listed("203.0.113.7", "203.0.113.7, 198.51.100.20")),
        ("203.0.113.7,::1, unknown - -", listed("203.0.113.7", "203.0.113.7,::1, unknown")),
        ("\"203.0.113.7, ::1\" - -", listed("203.0.113.7", "203.0.113.7, ::1")),
    ]
}

#[test]
fn who_made_the_request_is_read_or_refused() {
    for (head, expected) in certain_heads() {
        let mut expected = merged(
            json!({
                "@timestamp": "2026-11-28T12:00:01Z",
                "url": {"original": "/", "path": "/"},
                "http": {
                    "version": "1.1", "request": {"method": "GET"},
                    "response": {"status_code": 200, "body": {"bytes": 1}}
                },
            }),
            &expected,
        );
        let list = expected.as_object_mut().unwrap().remove("list");
        if let Some(list) = list {
            expected["http"]["request"]["header"] = json!({"x-forwarded-for": list});
        }
        let rest = format!(r#" {WHEN} "GET / HTTP/1.1" 200 1"#);
        assert_eq!(unusual(ParserKind::Clf, &format!("{head}{rest}")), expected, "{head}");
        let combined = format!("{head}{rest} \"-\" \"-\"");
        assert_eq!(unusual(ParserKind::Combined, &combined), expected, "{head}");
        // Behind a virtual host there is a client, and no identity.
        if !head.starts_with("- ") && !head.contains(" id ") {
            expected["url"] = json!({"domain": "e.x", "original": "/", "path": "/", "port": 80});
            let with_host = format!("e.x:80 {combined}");
            assert_eq!(unusual(ParserKind::VhostCombined, &with_host), expected, "{head}");
        }
    }
}

fn ip(text: &str) -> Value {
    json!({"address": text, "ip": text})
}

/// `list` goes into the headers of the request.
fn listed(first: &str, list: &str) -> Value {
    json!({"source": ip(first), "list": list})
}

/// Heads that may be read in two ways, or in none; which parser reads them, if one does.
#[test]
fn what_may_be_another_field_is_refused() {
    let own =
        "expected client, identity and user before the time, of which no word can be another field";
    let own_and_host = "expected virtual host, client, identity and user before the time, of which no word can be another field";
    let with_host = "a virtual host stands before the client: expected the parser vhost_combined";
    let without = "no virtual host stands before the client: expected the parser combined, or clf";
    for (head, combined, virtual_host) in [
        ("203.0.113.7, 198.51.100.20 10.0.0.9 - alice", own, own_and_host),
        ("www.example.com 203.0.113.7 - -", with_host, ""),
        ("www.example.com:443 203.0.113.7 - bob", with_host, ""),
        ("www.example.com - - -", own, own_and_host),
        ("203.0.113.7 - -", "", without),
        ("203.0.113.7 - bob", "", without),
        (r"203.0.113.7 - CORP\bob smith", "", without),
        ("203.0.113.7, 10.0.0.1 - -", "", without),
        ("203.0.113.7 - bob smith", own, own_and_host),
        ("203.0.113.7 - - bob", own, own_and_host),
        ("203.0.113.7 - bob -", own, own_and_host),
        ("203.0.113.7 -", own, own_and_host),
        ("203.0.113.7", own, own_and_host),
        ("", own, own_and_host),
        ("- -", own, own_and_host),
        ("203.0.113.7  -", own, own_and_host),
        ("www.example.com 203.0.113.7 -", own, own_and_host),
        ("203.0.113.7 10.0.0.1 -", own, own_and_host),
        ("203.0.113.7 - 10.0.0.1", own, own_and_host),
        ("203.0.113.7 - bob 10.0.0.1", own, own_and_host),
        (r"203.0.113.7 - CORP\bob 8A7F", own, own_and_host),
        (r"203.0.113.7 - CORP\bob -", own, own_and_host),
        (r"203.0.113.7 CORP\bob smith", own, own_and_host),
        (r"www.example.com 203.0.113.7 CORP\bob smith", own, own_and_host),
        ("203.0.113.7 - \"a\"b\"", own, own_and_host),
        ("unknown, 10.0.0.1 - -", own, own_and_host),
        ("203.0.113.7, host.example - -", own, own_and_host),
        ("<34>203.0.113.7 - -", own, own_and_host),
        ("203.0.113.7:99999 - -", own, own_and_host),
        ("Nov 28 12:00:01 web1 nginx: 203.0.113.7 - -", own, own_and_host),
        ("- - HTTP/1.0 -", own, own_and_host),
        ("www.example.com client.example -", own, own_and_host),
        ("www.example.com client.example bob -", own, own_and_host),
        ("- client.example - -", own, own_and_host),
    ] {
        let line = format!(r#"{head} {WHEN} "GET / HTTP/1.1" 200 1 "-" "curl""#);
        for (kind, error) in [
            (ParserKind::Clf, combined),
            (ParserKind::Combined, combined),
            (ParserKind::VhostCombined, virtual_host),
        ] {
            let document = unusual(kind, &line);
            if error.is_empty() {
                assert_eq!(document.get("tags"), None, "{kind:?} {head}");
                continue;
            }
            assert_eq!(document["error"], json!({"message": error}), "{kind:?} {head}");
            assert_eq!(document["tags"], json!(["parse_failure"]), "{head}");
            assert_eq!(document["message"], json!("LINE"), "{head}");
            assert_eq!((document.get("source"), document.get("user")), (None, None), "{head}");
            assert_eq!(document["url"], json!({"original": "/", "path": "/"}), "{head}");
            assert_eq!(document["@timestamp"], json!("2026-11-28T12:00:01Z"), "{head}");
        }
    }
}

fn requests() -> Vec<(&'static str, Value)> {
    let whole = |method: &str, url: Value, version: &str| json!({"url": url, "request": {"method": method}, "version": version});
    let path = |path: &str| json!({"original": path, "path": path});
    vec![
        ("GET /with blank HTTP/1.1", whole("GET", path("/with blank"), "1.1")),
        (
            "GET  /two HTTP/1.1",
            merged(whole("GET", path("/two"), "1.1"), &json!({"message": "LINE"})),
        ),
        (
            "GET /two   HTTP/1.1",
            merged(whole("GET", path("/two"), "1.1"), &json!({"message": "LINE"})),
        ),
        (
            "GET   /first",
            json!({"url": path("/first"), "request": {"method": "GET"}, "message": "LINE"}),
        ),
        ("PRI * HTTP/2.0", whole("PRI", path("*"), "2.0")),
        ("GET /h3 HTTP/3", whole("GET", path("/h3"), "3")),
        ("GET /first", json!({"url": path("/first"), "request": {"method": "GET"}})),
        ("", json!({})),
        ("-", json!({})),
        (
            "GET http://user:pw@h.example/cred HTTP/1.1",
            whole(
                "GET",
                json!({
                    "domain": "h.example", "original": "http://user:pw@h.example/cred",
                    "path": "/cred", "username": "user"
                }),
                "1.1",
            ),
        ),
        (
            "CONNECT [2001:db8::1]:443 HTTP/1.1",
            whole(
                "CONNECT",
                json!({"domain": "[2001:db8::1]", "original": "[2001:db8::1]:443", "port": 443}),
                "1.1",
            ),
        ),
        (
            "GET /frag#x?y HTTP/1.1",
            whole(
                "GET",
                json!({"original": "/frag#x?y", "path": "/frag", "fragment": "x?y"}),
                "1.1",
            ),
        ),
        ("hello world", json!({"message": "LINE"})),
        ("POST /first", json!({"message": "LINE"})),
        ("GET first", json!({"message": "LINE"})),
        ("GET /first second", json!({"message": "LINE"})),
        ("GET HTTP/1.1", json!({"message": "LINE"})),
        ("- - HTTP/1.0", json!({"message": "LINE"})),
        ("get /lower http/1.1", json!({"message": "LINE"})),
        ("GET / HTTP/1.1.1", json!({"message": "LINE"})),
        (r"\x16\x03\x01\x02", json!({"message": "LINE"})),
    ]
}

#[test]
fn requests_are_read_or_kept_in_the_message() {
    for (request, expected) in requests() {
        let line = format!(r#"::1 - - {WHEN} "{request}" 400 0 "-" "-""#);
        let mut expected = expected;
        let all = expected.as_object_mut().unwrap();
        let mut http = json!({"response": {"status_code": 400, "body": {"bytes": 0}}});
        for name in ["request", "version"] {
            if let Some(value) = all.remove(name) {
                http[name] = value;
            }
        }
        let expected = merged(
            json!({"@timestamp": "2026-11-28T12:00:01Z", "source": ip("::1"), "http": http}),
            &expected,
        );
        assert_eq!(unusual(ParserKind::Combined, &line), expected, "{request}");
    }
}

#[test]
fn times_are_read_as_servers_write_them() {
    let read = |when: &str| {
        let line = format!(r#"::1 - - [{when}] "GET / HTTP/1.1" 200 1"#);
        let document = fields_of(ParserKind::Clf, &line);
        (document.get("tags").is_none())
            .then(|| document["@timestamp"].as_str().unwrap().to_owned())
    };
    for (when, expected) in [
        ("28/Nov/2026:12:00:09 +0000", "2026-11-28T12:00:09Z"),
        ("28/Nov/2026:12:00:09.123 +0000", "2026-11-28T12:00:09.123Z"),
        ("28/Nov/2026:12:00:09.123456789 -0130", "2026-11-28T13:30:09.123456789Z"),
        ("2026-11-28T12:00:10+00:00", "2026-11-28T12:00:10Z"),
        ("2026-11-28T12:00:10Z", "2026-11-28T12:00:10Z"),
        ("28/Nov/2026:12:00:09 +1400", "2026-11-27T22:00:09Z"),
        ("28/Nov/2026:12:00:09 -1400", "2026-11-29T02:00:09Z"),
    ] {
        assert_eq!(read(when).as_deref(), Some(expected), "{when}");
    }
    for when in [
        "28/Nov/2026:12:00:09 +9999",
        "28/Nov/2026:12:00:09 +1401",
        "28/Nov/2026:12:00:09 +0060",
        "28/Nov/2026:12:00:09. +0000",
        "28/Nov/2026:12:00:09.123",
        "2026-11-28T12:00:10+25:00",
        "2026-11-28T12:00:10",
        "28/Nov/2026:24:00:00 +0000",
        "31/Feb/2026:12:00:31 +0000",
    ] {
        assert_eq!(read(when), None, "{when}");
    }
}

/// There is no number for it between the two seconds around it, so what is said instead is marked.
#[test]
fn a_leap_second_is_told_as_the_one_before_it_and_marked() {
    for when in
        ["31/Dec/2016:23:59:60 +0000", "01/Jan/2017:00:59:60.25 +0100", "2016-12-31T23:59:60Z"]
    {
        let line = format!(r#"::1 - - [{when}] "GET / HTTP/1.1" 200 1"#);
        let document = fields_of(ParserKind::Clf, &line);
        let second = document["@timestamp"].as_str().unwrap().get(..19).unwrap();
        assert_eq!(
            (second, &document["tags"]),
            ("2016-12-31T23:59:59", &json!(["time_assumed"])),
            "{when}"
        );
    }
    for text in [
        "2016-12-31 23:59:60",
        "20161231T235960Z",
        "Sat, 31 Dec 2016 23:59:60 +0000",
        "Sat Dec 31 23:59:60 2016",
    ] {
        let document = fields_of(ParserKind::Json, format!(r#"{{"time":"{text}"}}"#));
        assert_eq!(
            (&document["@timestamp"], &document["tags"]),
            (&json!("2016-12-31T23:59:59Z"), &json!(["time_assumed"])),
            "{text}"
        );
    }
    let usual = fields_of(ParserKind::Json, r#"{"time":"2016-12-31 23:59:59Z","note":":60"}"#);
    assert_eq!(usual.get("tags"), None);
}

/// The kind of fault: a quote that a client sent ends a field, and what it sent behind that is taken
/// for what the server said.
#[test]
fn what_a_client_sends_is_no_status() {
    for sent in [
        r#"/a" 200 17 "http://x/" "M"#,
        r#"/a" 200 17 "-" "M" "10.0.0.1"#,
        r#"/a" 200 17 "x"#,
        r#"/a" 200 17"#,
        r#"/a" b"#,
        r#"/a HTTP/1.1" 200 17 "-" "x"#,
        r#"/a HTTP/1.1" 200 17 "x"#,
        r#"/a HTTP/1.1" - - "-" "x" "y"#,
    ] {
        for (kind, tail) in [(ParserKind::Clf, ""), (ParserKind::Combined, r#" "-" "curl""#)] {
            let line = format!(r#"::1 - - {WHEN} "GET {sent} HTTP/1.1" 404 99{tail}"#);
            let document = fields_of(kind, &line);
            let what = format!("{line} {document}");
            match document["http"]["response"]["status_code"].as_u64() {
                Some(status) => assert_eq!(status, 404, "{what}"),
                None => assert_eq!(document["tags"], json!(["parse_failure"]), "{what}"),
            }
            let bytes = &document["http"]["response"]["body"]["bytes"];
            assert!(bytes.is_null() || *bytes == json!(99), "{what}");
            assert_eq!(document["source"]["address"], json!("::1"), "{what}");
        }
    }
    // Escaped, or behind what the format has, it is what it is.
    for line in [
        format!(r#"::1 - - {WHEN} "GET /a\" 200 17 \"x HTTP/1.1" 404 99 "-" "x HTTP/1.1""#),
        format!(r#"::1 - - {WHEN} "GET /a"b HTTP/1.1" 404 99 "-" "M" "up" 0.1"#),
        format!(r#"::1 - - {WHEN} "GET /a HTTP/1.1" 404 99 "-" "M" "GET /b HTTP/1.1" 0.1 7"#),
    ] {
        let document = fields_of(ParserKind::Combined, &line);
        assert_eq!(document["http"]["response"]["status_code"], json!(404), "{line}");
        assert_eq!(document.get("tags"), None, "{line}");
    }
}

/// What nginx's own `log_format main` has at its end, and what others have there.
#[test]
fn forwarded_addresses_behind_the_agent_are_fields() {
    for (tail, ip, list, is_kept) in [
        ("", None, None, false),
        (" \"-\"", None, None, false),
        (" \"203.0.113.9\"", Some("203.0.113.9"), None, false),
        (" \"2001:db8::1\"", Some("2001:db8::1"), None, false),
        (" \"203.0.113.1, 10.0.0.1\"", Some("203.0.113.1"), Some("203.0.113.1, 10.0.0.1"), false),
        (" \"203.0.113.1:5\"", Some("203.0.113.1"), Some("203.0.113.1:5"), false),
        (" \"unknown, 10.0.0.1\"", None, Some("unknown, 10.0.0.1"), false),
        (" \"::ffff:10.0.0.1\"", Some("10.0.0.1"), Some("::ffff:10.0.0.1"), false),
        (" \"203.0.113.1\" 0.004", Some("203.0.113.1"), None, true),
        (" \"unknown\"", None, None, true),
        (" \"upstream\"", None, None, true),
        (" 203.0.113.9", None, None, true),
        (" rt=0.1 uct=\"0.000, 0.001\"", None, None, true),
    ] {
        let line = format!(r#"::1 - - {WHEN} "GET / HTTP/1.1" 200 1 "-" "curl"{tail}"#);
        let document = fields_of(ParserKind::Combined, &line);
        let network = ip.map(|ip| json!({"forwarded_ip": ip}));
        assert_eq!(document.get("network"), network.as_ref(), "{tail}");
        let header = list.map(|list| json!({"x-forwarded-for": list}));
        assert_eq!(document["http"]["request"].get("header"), header.as_ref(), "{tail}");
        assert_eq!(document.get("message").is_some(), is_kept, "{tail}");
        assert_eq!(document.get("tags"), None, "{tail}");
    }
    let open = format!(r#"::1 - - {WHEN} "GET / HTTP/1.1" 200 1 "-" "x" y""#);
    let error = &fields_of(ParserKind::Combined, &open)["error"]["message"];
    assert_eq!(*error, json!("a text has a quote in it that is not escaped"));
}

#[test]
fn numbers_are_as_servers_write_them() {
    for (numbers, problem) in [
        ("000 0", None),
        ("- -", None),
        ("100 7", None),
        ("599 7", None),
        // No class of HTTP, but there are servers that send them.
        ("600 7", None),
        ("999 7", None),
        ("009 7", Some("the status is less than 100")),
        ("099 7", Some("the status is less than 100")),
        ("99 7", Some("the status has less than three digits")),
        ("20 7", Some("the status has less than three digits")),
        ("0 7", Some("the status has less than three digits")),
        ("1000 7", Some("the status has more than three digits")),
        ("2000 7", Some("the status has more than three digits")),
        ("0200 7", Some("the status has more than three digits")),
        ("200 07", Some("the size is not a number")),
        ("200 000", Some("the size is not a number")),
        ("200 -1", Some("the size is not a number")),
        ("200 18446744073709551615", Some("the size is not a number")),
        ("304 \"-\"", Some("the size is not a number")),
    ] {
        let line = format!(r#"::1 - - {WHEN} "GET / HTTP/1.1" {numbers}"#);
        let found = fields_of(ParserKind::Clf, &line)["error"]["message"].take();
        assert_eq!(found, json!(problem), "{numbers}");
    }
}

/// A target with a host of its own hides the one that the server says.
#[test]
fn of_two_hosts_none_is_lost() {
    for (target, domain, is_kept) in [
        ("/", "www.example", false),
        ("http://www.example:80/", "www.example", false),
        ("http://other.example/", "other.example", true),
        ("http://:x/", "www.example", false),
    ] {
        let line =
            format!(r#"www.example:80 ::1 - - {WHEN} "GET {target} HTTP/1.1" 200 1 "-" "-""#);
        let document = fields_of(ParserKind::VhostCombined, &line);
        assert_eq!(document["url"]["domain"], json!(domain), "{target}");
        assert_eq!(document.get("message").is_some(), is_kept, "{target}");
    }
}
