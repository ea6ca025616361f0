//! The kind of fault that these tests are for: of the columns of a file, which may be any, two become
//! one member of the document, or one becomes none, or a value is not what the client sent. The
//! table has such files; the property holds for any `#Fields` and any values.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::ParserKind;
use crate::tests::{documents, texts};

/// The document of the last line of a file, without what all documents share.
fn last_of(lines: &[&str]) -> Value {
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    let mut document = documents(ParserKind::W3c, &lines, false).pop().unwrap();
    let all = document.as_object_mut().unwrap();
    for name in ["ecs", "host", "log"] {
        all.remove(name);
    }
    document
}

#[test]
fn of_columns_that_mean_the_same_each_is_kept() {
    let read = last_of(&[
        "#Fields: date time c-ip c-dns cs-host cs(Host) cs-uri cs-uri-stem sc-status",
        "2026-11-28 12:00:04 203.0.113.8 client.example vhost.example hdr.example /full?x=1 /full 200",
    ]);
    assert_eq!(
        read,
        json!({
            "@timestamp": "2026-11-28T12:00:04Z",
            "event": {"dataset": "test"},
            "source": {"address": "203.0.113.8", "ip": "203.0.113.8"},
            "url": {"domain": "vhost.example", "original": "/full?x=1", "path": "/full", "query": "x=1"},
            "http": {"response": {"status_code": 200}},
            "w3c": {"c-dns": "client.example", "cs_host": "hdr.example"}
        })
    );
    let reverse =
        last_of(&["#Fields: c-dns c-ip cs(Host) x-host-header", "c.example ::1 d.cf w.example"]);
    assert_eq!(reverse["source"], json!({"address": "::1", "ip": "::1"}));
    assert_eq!(reverse["url"], json!({"domain": "w.example"}));
    assert_eq!(reverse["w3c"], json!({"c-dns": "c.example", "cs_host": "d.cf"}));
}

#[test]
fn columns_of_one_name_are_numbered() {
    let read = last_of(&[
        "#Fields: time cs-method X-Forwarded-For X-Forwarded-For cs-method cs(X) cs_x x-forwarded-for_2",
        "- GET 203.0.113.9,+10.0.0.1 198.51.100.4 PUT a b c",
    ]);
    assert_eq!(
        (&read["http"], &read["network"]),
        (
            &json!({"request": {"method": "GET", "header": {"x-forwarded-for": "203.0.113.9, 10.0.0.1"}}}),
            &json!({"forwarded_ip": "203.0.113.9"})
        )
    );
    assert_eq!(
        read["w3c"],
        json!({
            "x-forwarded-for_2": "198.51.100.4",
            "cs-method": "PUT", "cs_x": "a", "cs_x_2": "b", "x-forwarded-for_2_2": "c"
        })
    );
    assert_eq!(read.get("unmerged"), None);
}

#[test]
fn cloudfront_lines_become_ecs() {
    let fields = "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher cs-protocol-version c-port sc-content-len";
    let line = "2026-11-28\t12:00:02\tFRA2\t512\t203.0.113.5\tGET\td.cloudfront.net\t/b%20c\t000\thttp://x/%3Fa\tMastodon/4.5.2+glitch%20%28a%22b%22%29%2520\tq=1%2526\tc=d\tError\treq-2\twww.example.com\thttps\t123\t1\t203.0.113.9,%2010.0.0.1\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tHTTP/2.0\t51234\t99";
    assert_eq!(
        last_of(&["#Version: 1.0", fields, line]),
        json!({
            "@timestamp": "2026-11-28T12:00:02Z",
            "event": {"dataset": "test", "duration": 1_000_000_000},
            "source": {"address": "203.0.113.5", "ip": "203.0.113.5", "port": 51234},
            "url": {"domain": "www.example.com", "path": "/b%20c", "query": "q=1%2526", "scheme": "https"},
            "http": {
                "request": {
                    "method": "GET", "referrer": "http://x/%3Fa", "bytes": 123, "id": "req-2",
                    "header": {"x-forwarded-for": "203.0.113.9, 10.0.0.1"}
                },
                "response": {"status_code": 0, "bytes": 512, "body": {"bytes": 99}},
                "version": "2.0"
            },
            "user_agent": {"original": "Mastodon/4.5.2+glitch (a\"b\")%20"},
            "tls": {"version": "1.3", "version_protocol": "tls", "cipher": "TLS_AES_128_GCM_SHA256"},
            "w3c": {
                "x-edge-location": "FRA2", "cs_host": "d.cloudfront.net", "cs_cookie": "c=d",
                "x-edge-result-type": "Error"
            },
            "network": {"forwarded_ip": "203.0.113.9"}
        })
    );
}

#[test]
fn user_agents_are_as_they_were_sent() {
    for (fields, line, agent) in [
        ("c cs(User-Agent)", "x Mozilla/5.0+(NT+10.0;+C%2B%2B)", "Mozilla/5.0 (NT 10.0; C%2B%2B)"),
        ("c cs(User-Agent)", "x a%20b", "a%20b"),
        ("c cs(User-Agent)", "x \"a+b (c)\"", "a+b (c)"),
        ("c cs(User-Agent)", "x\ta+b%20c", "a+b c"),
        ("x-edge-location cs(User-Agent)", "x a+b%20%5Cc%C3%A9", "a+b \\cé"),
        ("x-edge-location cs(User-Agent)", "x a%20%FF", "a%20%FF"),
        ("x-edge-location cs(User-Agent)", "x a%00b", "a%00b"),
        ("x-edge-location cs(User-Agent)", "x 100%+%2", "100%+%2"),
    ] {
        let read = last_of(&[&format!("#Fields: {fields}"), line]);
        assert_eq!(read["user_agent"], json!({"original": agent}), "{line}");
    }
}

#[test]
fn ports_stand_behind_addresses_or_in_columns() {
    for (fields, line, source, is_kept) in [
        (
            "c-ip",
            "203.0.113.8:51000",
            json!({"address": "203.0.113.8", "ip": "203.0.113.8", "port": 51000}),
            false,
        ),
        ("c-ip c-port", "::1 5", json!({"address": "::1", "ip": "::1", "port": 5}), false),
        ("c-port c-ip", "5 [::1]:5", json!({"address": "::1", "ip": "::1", "port": 5}), false),
        ("c-ip c-port", "[::1]:5 6", json!({"address": "::1", "ip": "::1", "port": 6}), true),
        ("c-port", "5", json!({"port": 5}), false),
    ] {
        let read = last_of(&[&format!("#Fields: {fields}"), line]);
        assert_eq!(read["source"], source, "{line}");
        assert_eq!(read.get("message").is_some(), is_kept, "{line}");
    }
}

#[test]
fn local_times_are_assumed_to_be_utc_and_halves_are_kept() {
    for (fields, line, time, tags, w3c) in [
        (
            "date-local time-local",
            "2026-11-28 12:00:00",
            "2026-11-28T12:00:00Z",
            json!(["time_assumed"]),
            json!(null),
        ),
        (
            "date time date-local time-local",
            "2026-11-28 12:00:00 2026-11-28 13:00:00",
            "2026-11-28T12:00:00Z",
            json!(null),
            json!({"date-local": "2026-11-28", "time-local": "13:00:00"}),
        ),
        (
            "date time-local",
            "2026-11-28 12:00:00",
            "1970-01-01T00:00:00Z",
            json!(["time_assumed"]),
            json!({"date": "2026-11-28", "time-local": "12:00:00"}),
        ),
        (
            "date c",
            "2026-11-28 x",
            "1970-01-01T00:00:00Z",
            json!(["time_assumed"]),
            json!({"date": "2026-11-28", "c": "x"}),
        ),
    ] {
        let read = last_of(&[&format!("#Fields: {fields}"), line]);
        assert_eq!(
            (&read["@timestamp"], &read["tags"], &read["w3c"]),
            (&json!(time), &tags, &w3c),
            "{line}"
        );
        assert_eq!(read.get("message"), None);
    }
    let half = last_of(&["#Fields: date time", "2026-11-28 -"]);
    assert_eq!(half["message"], json!("2026-11-28 -"));
    let blank = last_of(&["#Fields: cs-uri-stem sc-status", "/with blank 200"]);
    assert_eq!(blank["tags"], json!(["parse_failure", "time_assumed"]));
    assert_eq!(blank["message"], json!("/with blank 200"));
}

/// The kind of fault: past midnight, lines without a date are on the day of `#Date`, a day too early.
#[test]
fn a_time_without_a_date_that_is_before_that_of_the_directive_is_of_the_next_day() {
    for (date, time, expected, is_assumed) in [
        ("2026-11-28 22:00:00", "22:00:00", "2026-11-28T22:00:00Z", false),
        ("2026-11-28 22:00:00", "23:59:59.5", "2026-11-28T23:59:59.500Z", false),
        ("2026-11-28 22:00:00", "00:00:00", "2026-11-29T00:00:00Z", true),
        ("2026-11-28 22:00:00", "21:54:59", "2026-11-29T21:54:59Z", true),
        ("2026-12-31 22:00:00", "03:00:00", "2027-01-01T03:00:00Z", true),
        ("2028-02-28 22:00:00", "03:00", "2028-02-29T03:00:00Z", true),
        // A little late, in a file that was just begun.
        ("2026-11-28 22:00:00", "21:55:00", "2026-11-28T21:55:00Z", true),
        ("2026-11-28 00:00:03", "00:00:01", "2026-11-28T00:00:01Z", true),
        ("2026-11-28 00:00:03", "23:59:59", "2026-11-28T23:59:59Z", true),
        ("2026-11-28 00:00:03", "23:55:02", "2026-11-28T23:55:02Z", false),
        // Nothing is known but the day.
        ("2026-11-28", "00:00:00", "2026-11-28T00:00:00Z", false),
        ("2026-11-28 22h", "03:00:00", "2026-11-28T03:00:00Z", false),
    ] {
        let read = last_of(&[&format!("#Date: {date}"), "#Fields: time c", &format!("{time} x")]);
        let tags = if is_assumed { json!(["time_assumed"]) } else { json!(null) };
        assert_eq!(
            (&read["@timestamp"], &read["tags"]),
            (&json!(expected), &tags),
            "{date} {time}"
        );
        // With a date, or with local ones, the directive is not asked.
        let fields = "#Fields: date time c";
        let own = last_of(&["#Date: 2030-01-01 22:00:00", fields, "2026-11-28 03:00:00 x"]);
        assert_eq!(
            (&own["@timestamp"], &own["tags"]),
            (&json!("2026-11-28T03:00:00Z"), &json!(null))
        );
        let fields = "#Fields: date-local time-local c";
        let local = last_of(&["#Date: 2030-01-01 22:00:00", fields, "2026-11-28 03:00:00 x"]);
        assert_eq!(local["@timestamp"], json!("2026-11-28T03:00:00Z"));
    }
}

proptest! {
    /// Ids have the time in them, and an audit, an import or a restart may begin at any line.
    #[test]
    fn the_day_of_a_line_is_the_same_wherever_reading_begins(
        begun in 0..86_400_u32, lines in proptest::collection::vec(0..86_400_u32, 1..8),
    ) {
        let clock = |second: u32| {
            format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
        };
        let directives = [format!("#Date: 2026-11-28 {}", clock(begun)), "#Fields: time c".to_owned()];
        let lines: Vec<String> = lines.into_iter().map(|second| format!("{} x", clock(second))).collect();
        let last = |lines: &[String]| {
            let all: Vec<&str> = directives.iter().chain(lines).map(String::as_str).collect();
            last_of(&all)
        };
        let whole = last(&lines);
        for from in 0..lines.len() {
            prop_assert_eq!(&last(&lines[from..]), &whole);
        }
    }
}

/// All names that mean something, and some that do not.
const NAMES: [&str; 40] = [
    "date",
    "time",
    "date-local",
    "time-local",
    "c-ip",
    "c-dns",
    "c-port",
    "cs-username",
    "c-username",
    "s-ip",
    "s-dns",
    "s-port",
    "x-host-header",
    "cs(Host)",
    "cs-host",
    "cs-protocol",
    "cs-method",
    "cs-uri-stem",
    "cs-uri-query",
    "cs-uri",
    "cs-version",
    "cs-protocol-version",
    "sc-status",
    "sc-bytes",
    "sc-content-len",
    "cs-bytes",
    "time-taken",
    "cs(User-Agent)",
    "cs(Referer)",
    "ssl-protocol",
    "ssl-cipher",
    "x-edge-location",
    "X-Y",
    "x-y",
    "x_y",
    "x-y_2",
    "s.a.b",
    "Ünï",
    "()",
    "tls.version",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[!#-~é]{1,6}",
        "[0-9]{1,5}",
        Just("-".to_owned()),
        Just("2026-11-28".to_owned()),
        Just("12:00:00".to_owned()),
        Just("203.0.113.7:80".to_owned()),
        Just("::1".to_owned()),
        Just("http://u:p@h.example:81/a?b#c".to_owned()),
        Just("TLSv1.2".to_owned()),
        Just("HTTP/1.1".to_owned()),
        Just("0.25".to_owned()),
        Just("a+b%20c%22".to_owned()),
        Just("h.example:80".to_owned()),
        Just("C:\\x".to_owned()),
    ]
}

/// All texts and numbers in a document.
fn leaves(json: &Value, found: &mut Vec<String>) {
    match json {
        Value::Object(members) => members.values().for_each(|value| leaves(value, found)),
        Value::Array(values) => values.iter().for_each(|value| leaves(value, found)),
        Value::String(text) => found.push(text.clone()),
        other => found.push(other.to_string()),
    }
}

/// How a value may stand in a document, in parts that must all be there.
fn forms_of(value: &str) -> Vec<Vec<String>> {
    let with_port =
        value.rsplit_once(':').map(|(host, port)| vec![host.to_owned(), port.to_owned()]);
    let mut forms = vec![vec![value.to_owned()], vec![value.replace('+', " ")]];
    forms.extend(with_port);
    forms.extend(value.strip_prefix("HTTP/").map(|version| vec![version.to_owned()]));
    forms.extend(
        value.strip_prefix("TLSv").map(|version| vec![version.to_owned(), "tls".to_owned()]),
    );
    forms.push(vec![value.replace("%20", " ").replace("%22", "\"")]);
    if let Ok(number) = value.parse::<u64>() {
        forms.extend(
            [number.to_string(), format!("{number}000000"), format!("{number}000000000")]
                .map(|text| vec![text]),
        );
    }
    if value == "0.25" {
        forms.push(vec!["250000000".to_owned()]);
    }
    forms
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn whatever_the_columns_are_every_value_is_in_the_document_once(
        columns in proptest::collection::vec((0..NAMES.len(), value()), 1..12), tabs in any::<bool>(),
    ) {
        let names: Vec<&str> = columns.iter().map(|(name, _)| NAMES[*name]).collect();
        let values: Vec<&str> = columns.iter().map(|(_, value)| value.as_str()).collect();
        let fields = format!("#Fields: {}", names.join(" "));
        let line = values.join(if tabs { "\t" } else { " " });
        prop_assume!(!line.starts_with('#'));
        let lines = [fields.as_bytes(), line.as_bytes()];
        let text = texts(ParserKind::W3c.format(), &lines, false).pop().unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read.to_string(), text, "no name twice");
        if read.get("message").is_some() {
            prop_assert_eq!(&read["message"], &json!(line));
            return Ok(());
        }
        prop_assert_eq!(read.get("unmerged"), None);
        let mut found = Vec::new();
        leaves(&read, &mut found);
        for value in values.into_iter().filter(|value| *value != "-") {
            let time = read["@timestamp"].as_str().unwrap();
            let is_there = |part: &String| found.contains(part) || time.contains(part.as_str());
            prop_assert!(forms_of(value).iter().any(|parts| parts.iter().all(is_there)), "{} {}", value, read);
        }
    }
}
