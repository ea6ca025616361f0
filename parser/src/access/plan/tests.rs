//! Format strings, lines that servers write by them, and the documents.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::ParserKind;
use crate::access::plan;
use crate::tests::{stripped, texts};
use crate::time::TimeRule;

fn read(format: &str, line: &str) -> Value {
    let format = plan::format(format, &TimeRule::default()).unwrap();
    stripped(serde_json::from_str(&texts(format, &[line.as_bytes()], false).remove(0)).unwrap())
}

const MAIN: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for""#;
const COMBINED: &str = r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#;
const INGRESS: &str = r#"log_format upstreaminfo '$remote_addr - $remote_user [$time_local] "$request" '
    '$status $body_bytes_sent "$http_referer" "$http_user_agent" '
    '$request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr '
    '$upstream_response_length $upstream_response_time $upstream_status $req_id';"#;

#[test]
fn main_of_nginx_is_combined_with_the_forwarded_list() {
    let line = r#"10.0.0.1 - CORP\bob [22/Nov/2026:12:15:00 +0100] "GET /a?b=c HTTP/1.1" 200 17 "-" "say \x22hi\x22" "203.0.113.7, 10.9.9.9""#;
    assert_eq!(
        read(MAIN, line),
        json!({
            "@timestamp": "2026-11-22T11:15:00Z",
            "source": {"address": "10.0.0.1", "ip": "10.0.0.1"},
            "network": {"forwarded_ip": "203.0.113.7"},
            "url": {"original": "/a?b=c", "path": "/a", "query": "b=c"},
            "http": {
                "version": "1.1",
                "request": {"method": "GET", "header": {"x-forwarded-for": "203.0.113.7, 10.9.9.9"}},
                "response": {"status_code": 200, "body": {"bytes": 17}}
            },
            "user": {"name": "CORP\\bob"},
            "user_agent": {"original": "say \"hi\""}
        })
    );
}

#[test]
fn ingress_lines_have_what_the_servers_behind_said() {
    let line = r#"192.0.2.7 - - [22/Nov/2026:12:15:00 +0000] "GET / HTTP/2.0" 200 13 "-" "curl" 80 0.012 [default-svc-80] [] 10.0.0.8:80, 10.0.0.9:8080 0, 13 0.002, 0.010 502, 200 c994"#;
    let read = read(INGRESS, line);
    assert_eq!(read["event"]["duration"], 12_000_000);
    assert_eq!(read["http"]["request"], json!({"method": "GET", "bytes": 80, "id": "c994"}));
    assert_eq!(
        read["nginx"]["ingress_controller"],
        json!({
            "upstream": {
                "name": "default-svc-80",
                "ip": "10.0.0.9",
                "port": 8080,
                "response": {
                    "length_list": [0, 13], "length": 13,
                    "time_list": [0.002, 0.01], "time": 0.01,
                    "status_code_list": [502, 200], "status_code": 200
                }
            },
            "upstream_address_list": ["10.0.0.8:80", "10.0.0.9:8080"]
        })
    );
    assert_eq!((read.get("tags"), read.get("message")), (None, None));
    let unanswered = r#"192.0.2.7 - - [22/Nov/2026:12:15:00 +0000] "GET / HTTP/2.0" 499 0 "-" "curl" 80 0.012 [default-svc-80] [] - - - - c994"#;
    assert_eq!(
        self::read(INGRESS, unanswered)["nginx"],
        json!({"ingress_controller": {"upstream": {"name": "default-svc-80"}}})
    );
}

#[test]
fn directives_of_apache_go_to_their_fields() {
    let format = r#"LogFormat "%v:%{local}p %a:%{remote}p %l %u %{%Y-%m-%dT%H:%M:%S}t.%{usec_frac}t%{%z}t \"%m %U%q %H\" %400,501{Referer}i %>s %O %I %D %{SSL_PROTOCOL}x %{SSL_CIPHER}x %P %{X-Trace}i \"%{Content-Type}o\" %% %f" full"#;
    let line = r#"www.example:443 192.0.2.7:4711 - alice 2026-11-22T12:15:00.000123+0100 "GET /a?c=d HTTP/1.1" - 200 512 99 1500 TLSv1.3 TLS_AES_128 77 abc "text/html" % /srv/www/a"#;
    let read = read(format, line);
    assert_eq!(
        read,
        json!({
            "@timestamp": "2026-11-22T11:15:00.000123Z",
            "event": {"duration": 1_500_000},
            "source": {"address": "192.0.2.7", "ip": "192.0.2.7", "port": 4711},
            "destination": {"port": 443},
            "user": {"name": "alice"},
            "url": {"domain": "www.example", "path": "/a", "query": "c=d"},
            "http": {
                "version": "1.1",
                "request": {"method": "GET", "bytes": 99, "header": {"x-trace": "abc"}},
                "response": {"status_code": 200, "bytes": 512, "mime_type": "text/html"}
            },
            "tls": {"version": "1.3", "version_protocol": "tls", "cipher": "TLS_AES_128"},
            "process": {"pid": 77},
            "file": {"path": "/srv/www/a"}
        })
    );
}

#[test]
fn a_literal_that_does_not_match_is_told_with_its_place() {
    let line = r#"10.0.0.1 - - [22/Nov/2026:12:15:00 +0100] "GET / HTTP/1.1" 200"#;
    let read = read(MAIN, line);
    assert_eq!(read["tags"], json!(["parse_failure"]));
    assert_eq!(
        read["error"]["message"],
        r#"column 60: expected " " behind $status, as the format says, found "200""#
    );
    assert_eq!(read["source"]["ip"], "10.0.0.1");
    assert_eq!(read["message"], line);
    let other = self::read("<$remote_addr> $status", "x");
    assert_eq!(
        other["error"]["message"],
        r#"column 1: expected "<" at its beginning, as the format says, found "x""#
    );
}

#[test]
fn format_strings_that_cannot_be_read_by_are_refused() {
    for (format, start) in [
        ("", "expected a format string"),
        ("no variables", "expected a format string"),
        ("$status$request_time", "expected something between $status and $request_time"),
        ("%h %Z", "expected a directive of Apache's LogFormat, found \"%Z\""),
        ("%{Referer", "expected a directive such as"),
        ("%{%H}t", "%{%H}t: "),
    ] {
        let problem = plan::format(format, &TimeRule::default()).unwrap_err();
        assert!(problem.starts_with(start), "{format}: {problem}");
    }
    for format in [MAIN, COMBINED, INGRESS, "$scheme://$host$request_uri $status", "%t %m %U%q"] {
        plan::format(format, &TimeRule::default()).unwrap();
    }
}

#[test]
fn values_are_escaped_as_the_directive_says() {
    let format = r#"'$remote_addr [$time_iso8601] "$request_uri" "$http_user_agent" "$http_x_note" $status'"#;
    let line = |agent: &str, note: &str| {
        format!(r#"192.0.2.1 [2026-11-22T12:15:00+01:00] "/a" "{agent}" "{note}" 200"#)
    };
    let told = |escape: &str, agent: &str, note: &str| {
        let read = read(&format!("{escape}{format}"), &line(agent, note));
        assert_eq!(read.get("tags"), None, "{escape}: {read}");
        [
            read["user_agent"]["original"].clone(),
            read["http"]["request"]["header"]["x-note"].clone(),
        ]
    };
    let (agent, note) = (r#"say \"hi\"\u0009x"#, r"C:\\temp\/x");
    assert_eq!(told("escape=json ", agent, note), ["say \"hi\"\tx", r"C:\temp/x"]);
    assert_eq!(told("log_format own escape=json ", agent, note), told("escape=json ", agent, note));
    assert_eq!(told("escape=none ", "a\\x22b", "\\n"), ["a\\x22b", "\\n"]);
    assert_eq!(told("escape=none ", "ends with \\", "C:\\"), ["ends with \\", "C:\\"]);
    assert_eq!(told("", r"a\x22b", r"c\x22"), ["a\"b", "c\""]);
    assert_eq!(told("escape=default ", r"a\x22b", r"c\x22"), ["a\"b", "c\""]);
    let plain = "escape=json $remote_addr [$time_iso8601] $status";
    assert_eq!(
        read(plain, "192.0.2.1 [2026-11-22T12:15:00+01:00] 200")["source"]["ip"],
        "192.0.2.1"
    );
    // The parsers that are built in undo other escapes.
    let combined = r#"escape=json $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;
    let line =
        r#"192.0.2.1 -  [22/Nov/2026:12:15:00 +0100] "GET / HTTP/1.1" 200 17 "" "a\u0009\\x41""#;
    let found = read(combined, line);
    assert_eq!((&found["user_agent"]["original"], found.get("user")), (&json!("a\t\\x41"), None));
    let problem = plan::format("escape=html $status", &TimeRule::default()).unwrap_err();
    assert_eq!(problem, "escape: expected default, json or none, found \"html\"");
}

#[test]
fn urls_of_several_variables_are_taken_apart() {
    let read = read(
        "$msec $scheme://$host$request_uri $status",
        "1795349700.250 https://e.example/a?b 204",
    );
    assert_eq!(read["@timestamp"], "2026-11-22T12:15:00.250Z");
    assert_eq!(
        read["url"],
        json!({"scheme": "https", "domain": "e.example", "original": "/a?b", "path": "/a", "query": "b"})
    );
}

#[test]
fn a_value_takes_no_blanks_that_it_cannot_have() {
    let line = r#"192.0.2.1 - - [22/Nov/2026:12:15:00 +0100] "GET / HTTP/1.1" 200 17"#;
    let read = read(r#"$remote_addr [$time_local] "$request" $status $body_bytes_sent"#, line);
    assert_eq!(
        read["error"]["message"],
        r#"column 10: expected " [" behind $remote_addr, as the format says, found " - - [22/Nov/2026:12:15:00 +0100] \"GET /""#
    );
    assert_eq!((read.get("source"), &read["message"]), (None, &json!(line)));
    let with_name = r#"192.0.2.1 - bob smith [22/Nov/2026:12:15:00 +0100] "GET / HTTP/1.1" 200 17"#;
    let format = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#;
    let user = self::read(format, with_name);
    assert_eq!((&user["user"]["name"], user.get("tags")), (&json!("bob smith"), None));
}

#[test]
fn what_stands_behind_the_end_of_the_format_is_a_failure() {
    for (format, line, problem) in [
        (
            "$remote_addr $status",
            "192.0.2.1 200 17",
            r#"column 14: expected the end of the line behind $status, as the format says, found " 17""#,
        ),
        ("%h %{Referer}i|%>s", "192.0.2.1 a b|200|x", "the status is not a number"),
        (
            COMBINED,
            r#"192.0.2.1 - - [22/Nov/2026:12:15:00 +0100] "GET / HTTP/1.1" 200 17 "-" "-" "-""#,
            "expected the end of the line behind the user agent, as the format says, found more",
        ),
    ] {
        let read = read(format, line);
        assert_eq!((&read["error"]["message"], &read["message"]), (&json!(problem), &json!(line)));
    }
}

/// Formats, and a line of each in which all values are there.
const WHOLE: [(&str, &str); 5] = [
    (
        MAIN,
        r#"192.0.2.1 - bob [22/Nov/2026:12:15:00 +0100] "GET /a?b HTTP/1.1" 200 17 "http://e.x/" "Mozilla/5.0 (X11)" "203.0.113.7, 10.0.0.1""#,
    ),
    (
        COMBINED,
        r#"192.0.2.1 - bob [22/Nov/2026:12:15:00 +0100] "GET /a?b HTTP/1.1" 200 17 "http://e.x/" "Mozilla/5.0 (X11)""#,
    ),
    (
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id"#,
        r#"192.0.2.7 - bob [22/Nov/2026:12:15:00 +0000] "GET / HTTP/2.0" 200 13 "http://e.x/" "curl" 80 0.012 [default-svc-80] [other] 10.0.0.8:80, 10.0.0.9:8080 7, 13 0.002, 0.010 502, 200 c994"#,
    ),
    (
        r#"%v:%p %h %l %u %t "%r" %>s %O %D \"%{X-Trace}i\" %{SSL_PROTOCOL}x "%{User-Agent}i""#,
        r#"e.example:443 192.0.2.1 - bob [22/Nov/2026:12:15:00 +0100] "GET /a HTTP/1.1" 200 17 1500 "abc" TLSv1.3 "Mozilla/5.0 (X11)""#,
    ),
    (
        "$time_iso8601\t$remote_addr\t$host\t$request_method\t$request_uri\t$server_protocol\t$status\t$request_time\t$http_user_agent",
        "2026-11-22T12:15:00+01:00\t192.0.2.1\te.example\tGET\t/a?b\tHTTP/1.1\t200\t0.012\tMozilla/5.0 (X11)",
    ),
];

/// The format with one of its directives left out: alone, and with what stands around it.
fn shortened(format: &str) -> Vec<String> {
    let is_tabs = format.contains('\t');
    let separator = if is_tabs { '\t' } else { ' ' };
    let parts: Vec<&str> = format.split(separator).collect();
    let mut all = Vec::new();
    for at in 0..parts.len() {
        if parts[at].contains(['$', '%']) {
            let mut kept = parts.clone();
            kept.remove(at);
            all.push(kept.join(&separator.to_string()));
            kept = parts.clone();
            let bare: String = kept[at].chars().filter(|c| "[]\"\\".contains(*c)).collect();
            kept[at] = &bare;
            all.push(kept.join(&separator.to_string()));
        }
    }
    all
}

#[test]
fn a_format_that_lacks_a_directive_reads_no_line_of_the_whole_one() {
    for (format, line) in WHOLE {
        let whole = read(format, line);
        assert_eq!((whole.get("tags"), whole.get("message")), (None, None), "{format}: {whole}");
        for short in shortened(format) {
            let Ok(plan) = plan::format(&short, &TimeRule::default()) else { continue };
            let text = texts(plan, &[line.as_bytes()], false).remove(0);
            let read: Value = serde_json::from_str(&text).unwrap();
            let tags = read["tags"].as_array().cloned().unwrap_or_default();
            assert!(tags.contains(&json!("parse_failure")), "{short}: {read}");
        }
    }
}

/// What the built-in parser says of a line, the format string says too.
fn almost_combined() -> impl Strategy<Value = String> {
    let user = prop_oneof![Just("-".to_owned()), "[a-z]{1,5}", "[a-z]{1,3}\\[[a-z]\\]"];
    let target = "/[a-z%0-9]{0,6}(\\?[a-z=&]{0,5})?";
    let agent = prop_oneof![
        Just("-".to_owned()),
        "[A-Za-z0-9/. ()]{1,30}",
        Just(r#"a \"b\" c"#.to_owned())
    ];
    (user, target, 100u16..600, any::<u32>(), agent).prop_map(|(user, target, status, bytes, agent)| {
        format!(r#"192.0.2.7 - {user} [22/Nov/2026:12:15:00 +0100] "GET {target} HTTP/1.1" {status} {bytes} "-" "{agent}""#)
    })
}

proptest! {
    #[test]
    fn the_built_in_formats_are_such_strings(line in almost_combined()) {
        // With something of no use behind it, so that it is not read by the built-in parser.
        let format = r#"%h - %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#;
        let known = stripped(serde_json::from_str(&texts(ParserKind::Combined.format(), &[line.as_bytes()], false).remove(0)).unwrap());
        prop_assert_eq!(read(format, &line), known);
    }

    #[test]
    fn whatever_stands_in_a_line_gives_one_document(line in "[ -~]{0,80}", format in proptest::sample::select(vec![MAIN, COMBINED, INGRESS])) {
        let format = plan::format(format, &TimeRule::default()).unwrap();
        let text = texts(format, &[line.as_bytes()], false).remove(0);
        prop_assert!(text.is_empty() || serde_json::from_str::<Value>(&text).is_ok());
        prop_assert!(text.len() <= line.len() * 4 + 8192);
    }

    #[test]
    fn no_format_string_makes_compiling_panic(format in "[$%a-z{}\\\\\"' :_<>!,^]{0,30}") {
        drop(plan::format(&format, &TimeRule::default()));
    }

    /// The kind: whatever variables a format has, a line of it is none of the format without one of them.
    #[test]
    fn a_variable_that_a_format_lacks_is_missed(
        pool in proptest::sample::subsequence(VARIABLES.to_vec(), 2..=VARIABLES.len()).prop_shuffle(),
        chosen in proptest::collection::vec(any::<usize>(), VARIABLES.len()),
        lacking in any::<proptest::sample::Index>(),
    ) {
        let values = pool.iter().zip(&chosen).map(|((_, values), at)| values[at % values.len()]);
        let line = values.collect::<Vec<_>>().join(" ");
        let format = |names: Vec<&str>| plan::format(&names.join(" "), &TimeRule::default()).unwrap();
        let mut names: Vec<&str> = pool.iter().map(|(name, _)| *name).collect();
        let tags = |format| {
            let text = texts(format, &[line.as_bytes()], false).remove(0);
            serde_json::from_str::<Value>(&text).unwrap()["tags"].to_string()
        };
        prop_assert!(!tags(format(names.clone())).contains("parse_failure"), "{:?} {}", names, line);
        names.remove(lacking.index(names.len()));
        prop_assert!(tags(format(names.clone())).contains("parse_failure"), "{:?} {}", names, line);
    }
}

/// Variables as formats have them, and what they may be.
const VARIABLES: [(&str, &[&str]); 14] = [
    ("$remote_addr", &["192.0.2.1", "2001:db8::1"]),
    ("\"$remote_user\"", &["\"bob\"", "\"-\"", "\"bob smith\""]),
    ("[$time_local]", &["[22/Nov/2026:12:15:00 +0100]"]),
    ("\"$request\"", &["\"GET /a?b HTTP/1.1\"", "\"\"", "\"GET / x HTTP/1.1\""]),
    ("$status", &["200", "499"]),
    ("$body_bytes_sent", &["17", "-"]),
    ("\"$http_referer\"", &["\"http://e.x/\"", "\"-\""]),
    ("\"$http_user_agent\"", &["\"Mozilla/5.0 (X11)\"", "\"-\"", "\"a \\\"b\\\" c\""]),
    ("$request_time", &["0.012"]),
    (
        "$upstream_addr",
        &["10.0.0.1:80", "10.0.0.1:80, 10.0.0.2:80", "10.0.0.1:80 : 10.0.0.2:80", "-"],
    ),
    ("$upstream_status", &["200", "502, 200", "-"]),
    ("$request_id", &["c994"]),
    ("$host", &["e.example"]),
    ("$scheme", &["https"]),
];
