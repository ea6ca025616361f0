use proptest::prelude::*;
use serde_json::{Value, json};

use super::{grok, library, regex};
use crate::settings::RecipeSettings;
use crate::steps::tests::documents;
use crate::tests::{stripped, texts};
use crate::{Format, ParserKind, TimeRule};

fn times(field: Option<&str>, format: Option<&str>) -> TimeRule {
    TimeRule::new(field, format, None).unwrap()
}

fn document(format: Format, line: &str) -> Value {
    let texts = texts(format, &[line.as_bytes()], false);
    stripped(serde_json::from_str(&texts[0]).unwrap())
}

#[test]
fn groups_become_fields_of_their_types() {
    let text = r"^(?<@timestamp>\S+ \S+) \[(?<log.level>\w+)\] (?<user.name>\S+) (?<shop.items:int>\S+) (?<shop.total:float>\S+) (?<shop.paid:bool>\w+) (?P<[url][path]>/\S*)(?: (?<message>.*))?$";
    let format = regex(text, &TimeRule::default()).unwrap();
    assert_eq!(
        document(format.clone(), "2026-02-26 10:00:00,25 [WARNING] ann 3 -1.5 true /a it works"),
        json!({"@timestamp": "2026-02-26T10:00:00.250Z", "log": {"level": "warn", "level_original": "WARNING"},
            "user": {"name": "ann"}, "shop": {"items": 3, "total": -1.5, "paid": true},
            "url": {"path": "/a"}, "message": "it works", "tags": ["time_assumed"]})
    );
    // What is absent is in no field; what is no number is in the line, which is the message then.
    let line = "2026-02-26 10:00:00 [INFO] - many x no /a";
    assert_eq!(
        document(format, line),
        json!({"@timestamp": "2026-02-26T10:00:00Z", "log": {"level": "info"}, "url": {"path": "/a"}, "message": line,
            "tags": ["time_assumed"]})
    );
}

fn own_patterns(patterns: &[(&str, &str)], format: &str) -> RecipeSettings {
    let own = patterns.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    RecipeSettings {
        parser: ParserKind::Grok,
        format: Some(format.to_owned()),
        patterns: own.collect(),
        ..RecipeSettings::default()
    }
}

#[test]
fn patterns_of_ones_own_name_each_other_and_go_before_the_library() {
    let settings = own_patterns(
        &[
            ("ORDER", "[A-Z]{3}-%{INT}"),
            ("WHO", "(?:%{ORDER:shop.order}|%{WORD:shop.word})"),
            // Of the library: another one, by which its own other patterns are not read.
            ("WORD", "<[^>]*>"),
        ],
        "%{WHO} from %{IP:source.ip} %{USERNAME:user.name} %{WORD:shop.last}",
    );
    let line = "ABC--7 from 203.0.113.7 ann <b c>";
    let expected = json!({"order": "ABC--7", "last": "<b c>"});
    let found = documents(&settings, &[line]).remove(0);
    assert_eq!((&found["shop"], &found["user"]["name"]), (&expected, &json!("ann")));
    // The rule that is written down says the same without them.
    let rule = settings.rule(ParserKind::Grok);
    let changed = own_patterns(&[("WORD", "x"), ("ORDER", "y")], "%{WORD:other}");
    let again = changed.with_rule(&rule);
    assert_eq!(again.rule(ParserKind::Grok), rule);
    assert_eq!(documents(&again, &[line]).remove(0)["shop"], expected);
    assert_ne!(changed.rule(ParserKind::Grok), rule);
}

#[test]
fn patterns_of_ones_own_that_cannot_be_used_are_refused_by_name() {
    for (patterns, format, expected) in [
        (
            &[("A", "x%{B}"), ("B", "%{C}y"), ("C", "%{A}")][..],
            "%{WORD:a}",
            "monitor.patterns.A: the pattern \"A\" is in itself: A, in A, in B, in C",
        ),
        (&[("A", "%{A}")], "%{WORD:a}", "monitor.patterns.A: the pattern \"A\" is in itself"),
        (
            &[("ORDER", "x")],
            "%{ODER:a}",
            "monitor.format: the pattern \"ODER\" is not known; did you mean ORDER?",
        ),
        (
            &[("ORDER", "%{NOBODY}")],
            "%{WORD:a}",
            "monitor.patterns.ORDER: the pattern \"NOBODY\" is not known;",
        ),
        (&[("ORDER", "a(b")], "%{WORD:a}", "monitor.patterns.ORDER: found \"a(b\", which is none"),
        (
            &[("AN ORDER", "x")],
            "%{WORD:a}",
            "monitor.patterns: expected names of up to 64 letters, digits and _, found \"AN ORDER\"",
        ),
        (&[("A", "%{WORD")], "%{WORD:a}", "monitor.patterns.A: %{ has no } behind it"),
    ] {
        let problem = own_patterns(patterns, format).recipe().unwrap_err().to_string();
        assert!(problem.starts_with(expected), "{problem}");
    }
    let many: Vec<String> = (0..20).map(|number| format!("P{number}")).collect();
    let deep: Vec<(&str, String)> = many
        .iter()
        .enumerate()
        .map(|(at, name)| {
            (
                &**name,
                many.get(at + 1).map_or("x".to_owned(), |next| format!("%{{{next}}}%{{{next}}}")),
            )
        })
        .collect();
    let deep: Vec<(&str, &str)> = deep.iter().map(|(name, text)| (*name, &**text)).collect();
    let problem = own_patterns(&deep, "%{P0:a}").recipe().unwrap_err().to_string();
    assert!(problem.contains("nested too deep") || problem.contains("found more"), "{problem}");
    let elsewhere =
        RecipeSettings { parser: ParserKind::Regex, ..own_patterns(&[("A", "x")], "(?<a>.)") };
    let problem = elsewhere.recipe().unwrap_err().to_string();
    assert!(
        problem.starts_with("monitor.patterns: expected none unless parser = grok"),
        "{problem}"
    );
}

#[test]
fn what_no_group_matches_is_not_lost() {
    let format = regex(r"user=(?<user.name>\w+)", &TimeRule::default()).unwrap();
    let line = "before user=ann behind";
    let found = document(format.clone(), line);
    assert_eq!((&found["user"]["name"], &found["message"]), (&json!("ann"), &json!(line)));
    let found = document(format, "nobody");
    assert_eq!(found["message"], "nobody");
    assert_eq!(found["error"]["message"], "the line does not match the pattern of its format");
    assert_eq!(found["tags"], json!(["parse_failure", "time_assumed"]));
}

#[test]
fn the_time_is_that_of_its_group_in_any_form() {
    for (text, field, form, line, expected) in [
        (
            r"^(?<time>\S+ \S+)",
            None,
            None,
            "26/Feb/2026:10:00:00 +0100",
            Some("2026-02-26T09:00:00Z"),
        ),
        (r"^(?<ts>\S+)", None, None, "1772096400.5", Some("2026-02-26T09:00:00.500Z")),
        (
            r"at (?<timestamp>.{15}) ",
            None,
            None,
            "at Feb  6 10:00:00 x",
            Some("2026-02-06T10:00:00Z"),
        ),
        (
            r"(?<when>\S+)",
            Some("when"),
            Some("%d.%m.%Y-%H:%M"),
            "26.02.2026-10:00",
            Some("2026-02-26T10:00:00Z"),
        ),
        (r"(?<time>\S+)", None, None, "never", None),
    ] {
        let found = document(regex(text, &times(field, form)).unwrap(), line);
        match expected {
            Some(expected) => assert_eq!(found["@timestamp"], expected, "{text}"),
            None => assert_eq!(
                found["error"]["message"],
                "the group of the time is none that can be read"
            ),
        }
    }
}

#[test]
fn values_that_the_index_would_refuse_are_kept_elsewhere() {
    let format =
        regex(r"(?<source.ip>\S+) (?<http.response.status_code>\S+)", &TimeRule::default())
            .unwrap();
    let found = document(format.clone(), "203.0.113.7 200");
    assert_eq!(found["source"]["ip"], "203.0.113.7");
    assert_eq!(found["http"]["response"]["status_code"], 200);
    let found = document(format, "nowhere 2xx");
    assert_eq!((found.get("source"), found.get("http")), (None, None), "{found}");
    assert_eq!(found["pattern"], json!({"source": {"ip": "nowhere"}}));
    assert_eq!(found["message"], "nowhere 2xx", "it is nowhere else");
}

#[test]
fn grok_reads_what_its_names_say() {
    let line = r#"203.0.113.7 - ann [26/Feb/2026:10:00:00 +0100] "GET /shop?id=7 HTTP/1.1" 200 5120 "-" "Mozilla/5.0""#;
    assert_eq!(
        document(grok("^%{COMBINEDAPACHELOG}$", &TimeRule::default()).unwrap(), line),
        json!({"@timestamp": "2026-02-26T09:00:00Z", "source": {"address": "203.0.113.7"}, "user": {"name": "ann"},
            "http": {"request": {"method": "GET"}, "version": "1.1", "response": {"status_code": 200, "body": {"bytes": 5120}}},
            "url": {"original": "/shop?id=7"}, "user_agent": {"original": "Mozilla/5.0"}, "message": line})
    );
    let text = "%{TIMESTAMP_ISO8601:@timestamp} %{LOGLEVEL:log.level} %{JAVACLASS:log.logger} took %{NUMBER:took:float} ms: %{GREEDYDATA:message}";
    assert_eq!(
        document(
            grok(text, &TimeRule::default()).unwrap(),
            "2026-02-26T10:00:00Z error a.b.C$ took 1.5 ms: slow"
        ),
        json!({"@timestamp": "2026-02-26T10:00:00Z", "log": {"level": "error", "logger": "a.b.C$"}, "took": 1.5, "message": "slow"})
    );
    let found = document(
        grok("%{SYSLOGLINE}", &TimeRule::default()).unwrap(),
        "Nov 28 12:00:01 web1 sshd[812]: Accepted",
    );
    assert_eq!(found["process"], json!({"name": "sshd", "pid": 812}));
    assert_eq!(found["host"], json!({"hostname": "web1"}));
}

#[test]
fn every_pattern_of_the_library_compiles_and_its_usual_text_matches() {
    for (name, _) in library::NAMES {
        let text = format!("^%{{{name}}}(?<message>x?)");
        assert!(grok(&text, &TimeRule::default()).is_ok(), "{name}");
    }
    for (name, matches, others) in [
        (
            "IP",
            &["203.0.113.7", "2001:db8::7", "::1", "fe80::1%eth0", "::ffff:1.2.3.4"][..],
            &["300.1.1.1", "1.2.3", "a"][..],
        ),
        ("NUMBER", &["1", "-1.5", ".5"], &["x", "1."]),
        ("QS", &[r#""a \" b""#, "'x'", r#""""#], &["\"a", "a"]),
        ("HOSTNAME", &["web1", "a-b.example", "e.example."], &["-a", "a..b"]),
        ("URI", &["https://u:p@e.example:81/a?x=[1]", "ftp://h"], &["/a"]),
        (
            "TIMESTAMP_ISO8601",
            &["2026-02-26T10:00:00.1Z", "2026-02-26 10:00:00,123 +01:00"],
            &["26-02-26 10:00"],
        ),
        ("MONTHDAY", &["1", "01", "31"], &["32", "0"]),
        ("LOGLEVEL", &["INFO", "warning", "Err"], &["loud"]),
        ("PATH", &["/a/b.c", r"C:\a\b", r"\\h\x"], &["a"]),
        ("MAC", &["00:1a:2B:3c:4d:5e", "001a.2B3c.4d5e"], &["00:1a"]),
        ("UUID", &["01234567-89ab-cdef-0123-456789abcdef"], &["01234567-89ab"]),
    ] {
        let format = grok(&format!("^%{{{name}:x}}$"), &TimeRule::default()).unwrap();
        for text in matches {
            assert_eq!(document(format.clone(), text)["x"], *text, "{name}");
        }
        for text in others {
            let found = document(format.clone(), text);
            assert!(!found["error"]["message"].is_null(), "{name} {text}");
        }
    }
}

#[test]
fn patterns_that_cannot_be_used_are_refused_with_advice() {
    for (text, expected) in [
        (r"(?<a>x)(?<=y)", "linear time"),
        (r"(?<a>x)\1", "linear time"),
        (r"x", "expected a group with a name"),
        (r"(?<a:number>x)", "expected int, float, bool or text behind the colon of a"),
        (r"(?<host.name>x)", "which the document says itself"),
        (r"(?<a..b>x)", "which is none"),
        (r"(?<a>x)(?<a.b>y)", "fields that are not in one another, found a and a.b"),
        (r"(?<a", "a group has no >"),
        (r"(?<source.port:float>x)", "source.port is a whole number in the index"),
        (r"(?<a>(x{1000}){1000})", "exceeds size limit"),
    ] {
        let refused = regex(text, &TimeRule::default()).map(drop);
        let error = refused.expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let error = grok("%{NUMBR:a}", &TimeRule::default()).map(drop).unwrap_err();
    assert_eq!(error, "the pattern \"NUMBR\" is not known; did you mean NUMBER?");
    let error = grok("%{IP:a:inet}", &TimeRule::default()).map(drop).unwrap_err();
    assert!(error.starts_with("expected int, float"), "{error}");
    let error = regex("(?<x>y)", &times(Some("when"), None)).map(drop).unwrap_err();
    assert!(error.contains("a group called when"), "{error}");
    let error = grok(&"%{IPV6:a}".repeat(1000), &TimeRule::default()).map(drop).unwrap_err();
    assert!(error.contains("with all patterns put in"), "{error}");
}

#[test]
fn brackets_in_classes_are_no_groups() {
    let format = regex(r"^[](?<x>]+(?<a>[^](?<]+)[\](?<b>]*$", &TimeRule::default()).unwrap();
    assert_eq!(document(format, "(?<abc]")["a"], "abc");
}

proptest! {
    #[test]
    fn no_pattern_and_no_line_panics(text in "[a-c(?<>:.\\[\\]{}%\\\\*|^$]{0,20}", line in "\\PC{0,20}") {
        for format in [regex(&text, &TimeRule::default()), grok(&text, &TimeRule::default())].into_iter().flatten() {
            texts(format, &[line.as_bytes()], false);
        }
    }
}
