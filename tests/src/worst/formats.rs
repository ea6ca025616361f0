//! The same for the formats of services, proxies, tables and security.

use omphalos_parser::{ParserKind, pages};

use super::{Worst, filled, repeated, worst};

/// A format, usual lines of it, and the worst.
pub type Case = (ParserKind, String, Vec<Worst>);

/// Each of them.
pub fn formats() -> Vec<Case> {
    let quotes = |begin: &str| {
        vec![
            worst("quotes", repeated(begin, "\"a\"b ", "")),
            worst("brackets", repeated(begin, "[a]b ", "")),
            worst("one quote", repeated(&format!("{begin}\""), "\\", "")),
        ]
    };
    let cases = [
        (ParserKind::Elb, quotes("https 2026-02-26T10:00:00.1Z a 1.2.3.4:5 - 0 0 0 200 - 1 1 ")),
        (ParserKind::S3, quotes("a b [26/Feb/2026:10:00:00 +0000] 1.2.3.4 - r o ")),
        (ParserKind::VpcFlow, vec![worst("names", repeated("", "srcaddr ", "\n1 2"))]),
        (ParserKind::Redis, vec![worst("digits", repeated("", "7:", ""))]),
        (
            ParserKind::Rabbitmq,
            vec![worst(
                "ends",
                repeated("2026-02-26 10:00:00 [info] <0.1> ", "(1.2.3.4:5 -> ", ""),
            )],
        ),
        (ParserKind::Elasticsearch, slow()),
        (ParserKind::Traefik, quotes("")),
        (ParserKind::Envoy, quotes("[2026-02-26T10:00:00Z] ")),
        (ParserKind::Squid, vec![worst("words", repeated("1771236000.123 1 ", "a ", ""))]),
        (ParserKind::Uwsgi, vec![worst("braces", repeated("[pid: 7] 1.2.3.4 () ", "{", ""))]),
        (ParserKind::Csv, csv()),
        (ParserKind::Zeek, zeek()),
        (ParserKind::Cef, cef()),
        (
            ParserKind::Leef,
            vec![worst("pairs", filled("LEEF:1.0|a|b|c|d|", |n| format!("a{n}=b\t"), ""))],
        ),
        (ParserKind::Auditd, audit()),
        (ParserKind::WindowsEvent, windows()),
        (
            ParserKind::Journald,
            vec![
                worst("fields", filled("", |n| format!("A{n}=b\n"), "")),
                worst("lengths", repeated("", "A\n", "")),
            ],
        ),
    ];
    let usual = |kind: ParserKind| {
        let page = pages::of(kind).expect("each has a page");
        let Some((last, before)) = page.sample.split_last() else { return String::new() };
        let head = if before.is_empty() { String::new() } else { before.join("\n") + "\n" };
        let last = format!("{last}\n");
        head + &last.repeat(super::BYTES / last.len())
    };
    cases.into_iter().map(|(kind, worst)| (kind, usual(kind), worst)).collect()
}

fn slow() -> Vec<Worst> {
    let begin = "[2026-02-26T10:00:00,1][WARN ][slowlog] [n] [i][0] source[";
    vec![
        worst("names", repeated(begin, "], id[", "]")),
        worst("ends", repeated(begin, "], ", "")),
        worst("brackets", repeated("", "[2", "")),
    ]
}

fn csv() -> Vec<Worst> {
    vec![
        worst("names", filled("", |n| format!("a{n},"), "\n1,2")),
        worst("quotes", repeated("time,a,b\n", "\"a,", "")),
        worst("two quotes", repeated("time,a,b\n", "\"\"a\"\",", "")),
        worst("nothing but quotes", repeated("time,a,b\n", "\"", "")),
    ]
}

fn zeek() -> Vec<Worst> {
    let head = "#fields\tts\ta\n#types\ttime\tset[string]\n";
    vec![
        worst("names", filled("#fields", |n| format!("\ta{n}"), "\n1\t2")),
        worst("directives", repeated("", "#fields\ta\tb\n", "")),
        worst("a set", repeated(&format!("{head}1\t"), "a,", "")),
        worst("tabs", repeated(head, "\t", "")),
    ]
}

fn cef() -> Vec<Worst> {
    let begin = "CEF:0|a|b|c|d|e|5|";
    vec![
        worst("pairs", filled(begin, |n| format!("a{n}=b "), "")),
        worst("equals signs", repeated(begin, "=", "")),
        worst("one key", repeated(&format!("{begin}a="), "a", "=")),
        worst("keys that are none", repeated(&format!("{begin}a="), "b=", "")),
        worst("backslashes", repeated(begin, "\\", "=")),
        worst("a header without an end", repeated("CEF:0|", "\\|", "")),
    ]
}

fn audit() -> Vec<Worst> {
    let begin = "type=A msg=audit(1772100000.1:7): ";
    vec![
        worst("pairs", filled(begin, |n| format!("a{n}=b "), "")),
        worst("one pair", repeated(begin, "a=b ", "")),
        worst("quotes", repeated(begin, "a=\" ", "")),
        worst("words", repeated(begin, "a ", "")),
        worst("lines", repeated("", &format!("{begin}a=b\n"), "")),
        worst("digits", repeated("type=PATH msg=audit(1772100000.1:7): name=", "00", "")),
    ]
}

fn windows() -> Vec<Worst> {
    let begin = "<Event><System></System><EventData>";
    vec![
        worst("elements", repeated(begin, "<a>", "")),
        worst("values", filled(begin, |n| format!("<Data Name='a{n}'>b</Data>"), "")),
        worst("one value", repeated(begin, "<Data Name='a'>b</Data>", "")),
        worst("attributes", repeated(&format!("{begin}<Data "), "a='b' ", "/>")),
        worst("entities", repeated(&format!("{begin}<Data>"), "&a", "</Data>")),
        worst("lines", repeated("", "<Event>\n", "")),
    ]
}
