//! Two properties that find what the tables do not have: lines of every shape that is known are read
//! as what they are, or refused, by each of the parsers; and of whatever text, the fields of a line
//! that is not refused give the line back.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::WHEN;
use crate::ParserKind;
use crate::tests::fields_of;

/// A line of a shape that is known, and what is so.
#[derive(Debug)]
struct Known {
    line: String,
    /// Pointers into the document, and what is there; nothing else may be.
    truth: Vec<(&'static str, Value)>,
}

/// What stands before the time in logs of several formats.
fn known_head() -> impl Strategy<Value = (String, Vec<(&'static str, Value)>)> {
    let host = prop_oneof![
        "",
        "www\\.[a-z]{1,5}\\.example ",
        "[a-z]{3}\\.example:80 ",
        "10\\.0\\.0\\.[1-9] "
    ];
    let client = prop_oneof![
        Just("-".to_owned()),
        "198\\.51\\.100\\.[1-9]{1,2}",
        "2001:db8::[1-9a-f]",
        "198\\.51\\.100\\.[1-9]:[1-9][0-9]{3}",
        "c[a-z]{2}\\.example",
    ];
    let others = prop_oneof![
        "",
        "",
        "",
        ", 10\\.1\\.1\\.[1-9]",
        ", 10\\.1\\.1\\.[1-9], 10\\.2\\.2\\.2",
        " 10\\.1\\.1\\.[1-9]",
        ", unknown",
    ];
    let identity =
        prop_oneof![Just("-".to_owned()), Just("-".to_owned()), "i[a-z]{3}", "10\\.3\\.3\\.3"];
    let user = prop_oneof![
        Just("-".to_owned()),
        Just(String::new()),
        Just("\"\"".to_owned()),
        "u[a-z]{3}",
        "u[a-z]{2} [a-z]{3}",
        "CORP\\\\u[a-z]{2}",
        "CORP\\\\u[a-z]{2} [a-z]{3}",
        "\"u[a-z]{2} [a-z]{2}\"",
        "u[a-z]\\[[a-z]\\]",
    ];
    let extra =
        prop_oneof!["", "", "", "", "", " -", " 10\\.4\\.4\\.4", " HTTP/1\\.0", " s[0-9]{4}"];
    (host, client, others, identity, user, extra).prop_map(
        |(host, client, others, identity, user, extra)| {
            // A client and a proxy look like a virtual host and a client: nobody can tell.
            let is_like_host = host.is_empty() && others.starts_with(' ');
            let others = if is_like_host { "" } else { &others };
            // The same with a word for an identity.
            let is_like_host = !extra.is_empty() || client == "-" && identity.contains('.');
            let identity = if is_like_host { "-" } else { &identity };
            let head = format!("{host}{client}{others} {identity} {user}{extra}");
            let mut truth = Vec::new();
            let name = client.rsplit_once(':').filter(|_| client.contains('.'));
            if client != "-" {
                truth.push(("/source/address", json!(name.map_or(&*client, |(name, _)| name))));
            }
            let (domain, _) = host.trim_end().split_once(':').unwrap_or((host.trim_end(), ""));
            if !domain.is_empty() {
                truth.push(("/url/domain", json!(domain)));
            }
            let user = user.trim_matches('"');
            if !matches!(user, "" | "-") {
                truth.push(("/user/name", json!(user)));
            }
            (head, truth)
        },
    )
}

fn known_line() -> impl Strategy<Value = Known> {
    let request = prop_oneof!["/[a-z]{0,4}(\\?[a-z]{1,3})?"];
    let tail = prop_oneof![
        Just(String::new()),
        Just(" \"-\" \"-\"".to_owned()),
        " \"-\" \"[a-z]{1,3} [a-z]\"",
        Just(" \"-\" \"curl\" \"-\"".to_owned()),
        Just(" \"-\" \"curl\" \"10.5.5.5\"".to_owned()),
    ];
    (known_head(), request, 100u16..600, any::<u32>(), tail).prop_map(
        |((head, mut truth), target, status, bytes, tail)| {
            let line = format!(r#"{head} {WHEN} "GET {target} HTTP/1.1" {status} {bytes}{tail}"#);
            truth.push(("/http/response/status_code", json!(status)));
            truth.push(("/http/response/body/bytes", json!(bytes)));
            truth.push(("/url/original", json!(target)));
            Known { line, truth }
        },
    )
}

/// The line that a document without an error says, and its whole parts between quotes.
fn rendered(kind: ParserKind, line: &str, document: &Value) -> String {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let number = |pointer: &str| document.pointer(pointer).and_then(Value::as_u64);
    let with_port = |name: &str, port: Option<u64>| match port {
        Some(port) if name.contains(':') && !name.starts_with('[') => format!("[{name}]:{port}"),
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    };
    let mut out = String::new();
    if kind == ParserKind::VhostCombined {
        let domain = text("/url/domain").map(|host| with_port(host, number("/url/port")));
        // The target's own, where the server says none.
        let is_of_target = text("/url/original").is_some_and(|target| target.contains("://"));
        let host = domain.filter(|_| !is_of_target || !line.trim_start().starts_with("- "));
        out.push_str(&host.unwrap_or("-".to_owned()));
        out.push(' ');
    }
    let list = text("/http/request/header/x-forwarded-for");
    // One that stands before the time begins with the client.
    let spelled = spelled_alike(line);
    let (head, _) = spelled.split_once(" [28/Nov").unwrap();
    let is_of_client =
        list.is_some_and(|list| head.contains(&one_blank(&list.replace(['[', ']'], ""))));
    let client = with_port(text("/source/address").unwrap_or("-"), number("/source/port"));
    out.push_str(list.filter(|_| is_of_client).unwrap_or(&client));
    let when = format!(" {WHEN}");
    let user = text("/user/name").unwrap_or("-");
    write!(out, " - {user}{when}").unwrap();
    let request = match (text("/http/request/method"), text("/url/original")) {
        (Some(method), Some(target)) => match text("/http/version") {
            Some(version) => format!("{method} {target} HTTP/{version}"),
            None => format!("{method} {target}"),
        },
        _ => "-".to_owned(),
    };
    let status = number("/http/response/status_code").map_or("-".to_owned(), |n| format!("{n:03}"));
    let bytes = number("/http/response/body/bytes").map_or("-".to_owned(), |n| n.to_string());
    write!(out, " \"{request}\" {status} {bytes}").unwrap();
    if kind != ParserKind::Clf {
        let referrer = text("/http/request/referrer").unwrap_or("-");
        let agent = text("/user_agent/original").unwrap_or("-");
        write!(out, " \"{referrer}\" \"{agent}\"").unwrap();
        let forwarded = list.filter(|_| !is_of_client).or(text("/network/forwarded_ip"));
        if let Some(forwarded) = forwarded {
            write!(out, " \"{forwarded}\"").unwrap();
        }
    }
    out
}

/// The same line with one spelling of what is absent, and of what may be in quotes or brackets.
fn spelled_alike(line: &str) -> String {
    let line = one_blank(&line.replace("\"\"", "-").replace("\"-\"", "-"));
    let (head, rest) = line.split_once(" [28/Nov").unwrap_or((&line, ""));
    let head = head.trim_end().replace(['"', '[', ']'], "");
    let head = if head.ends_with(" -") && !head.ends_with(" - -") && !head.ends_with(" -  -") {
        format!("{head} -")
    } else {
        head
    };
    let rest = rest.trim_end().trim_end_matches(" -");
    format!("{head} [28/Nov{rest}")
}

fn one_blank(text: &str) -> String {
    let words: Vec<_> = text.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ") + if text.ends_with(' ') { " " } else { "" }
}

/// Lines as nobody knows them: pieces of real ones, glued at random.
fn almost_an_access_line() -> impl Strategy<Value = String> {
    let word = || {
        prop_oneof![
            4 => Just("-".to_owned()), 3 => Just("10.0.0.1".to_owned()),
            1 => Just("10.0.0.1,".to_owned()), 1 => Just("h.example".to_owned()),
            1 => Just("[::1]:80".to_owned()), 1 => Just("bob".to_owned()), 1 => Just("\"bob\"".to_owned()),
            1 => Just("\"\"".to_owned()), 1 => Just(String::new()), 1 => "[!-\\[\\]-~é]{0,5}",
        ]
    };
    let head = proptest::collection::vec(word(), 1..6).prop_map(|words| words.join(" "));
    let request = prop_oneof![
        3 => Just("GET /a?b HTTP/1.1".to_owned()), 1 => Just("GET /".to_owned()),
        1 => Just("GET http://u:p@h.example:81/a#b HTTP/1.1".to_owned()),
        1 => Just("a b".to_owned()), 1 => Just("-".to_owned()), 1 => "[ -\\[\\]-~é]{0,8}",
    ];
    let number = || prop_oneof![3 => "[1-9][0-9]{2}", 1 => Just("-".to_owned()), 1 => "[0-9]{1,4}", 1 => word()];
    let quoted = prop_oneof![
        2 => Just("-".to_owned()), 2 => "[ -!#-\\[\\]-~é]{0,6}", 1 => "[ -\\[\\]-~]{0,6}",
        1 => Just("10.0.0.1, ::1".to_owned()), 1 => Just("10.9.9.9".to_owned()),
        1 => Just("\t\u{1}\u{7f}\u{85}\u{a0}".to_owned()),
    ];
    let tail = proptest::collection::vec(
        prop_oneof![6 => quoted.prop_map(|text| format!(" \"{text}\"")), 1 => " [0-9.\"]{1,3}"],
        0..4,
    );
    (head, request, number(), number(), tail).prop_map(|(head, request, status, bytes, tail)| {
        format!("{head} {WHEN} \"{request}\" {status} {bytes}{}", tail.concat())
    })
}

const KINDS: [ParserKind; 3] = [ParserKind::Clf, ParserKind::Combined, ParserKind::VhostCombined];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn a_line_of_a_known_shape_says_what_is_so_or_fails(known in known_line()) {
        for kind in KINDS {
            let document = fields_of(kind, &known.line);
            for (pointer, expected) in &known.truth {
                if let Some(found) = document.pointer(pointer) {
                    prop_assert_eq!(found, expected, "{:?} {} {}", kind, known.line, pointer);
                } else {
                    prop_assert!(document.get("message").is_some(), "{:?} {} {}", kind, known.line, pointer);
                }
            }
            for pointer in ["/source/address", "/url/domain", "/user/name"] {
                let is_true = known.truth.iter().any(|(known, _)| *known == pointer);
                prop_assert!(is_true || document.pointer(pointer).is_none(), "{:?} {} {}", kind, known.line, document);
            }
        }
    }

    #[test]
    fn the_fields_of_a_line_that_is_read_give_it_back(line in almost_an_access_line()) {
        for kind in KINDS {
            let document = fields_of(kind, &line);
            if document.get("tags").is_some() || document.get("message").is_some() {
                continue;
            }
            let rendered = rendered(kind, &line, &document);
            prop_assert_eq!(spelled_alike(&rendered), spelled_alike(&line), "{:?} {}", kind, document);
        }
    }
}
