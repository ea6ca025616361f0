//! The filter of live figures means what `omphalos search` means: both are asked the same of the same
//! lines, those that were written here and those that are made at random.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use omphalos_live::{DocumentReader, Filter};
use omphalos_tests::generate::clf_time;
use omphalos_tests::program::binary;
use serde_json::Value;

use crate::run::Alone;

/// Queries that show what each part of the language means.
const QUERIES: &[&str] = &[
    "*",
    "status:503",
    "status:>=500",
    "status:<300",
    "status:[300 TO 404]",
    "status:{200 TO 404}",
    "status:(200 OR 503)",
    "http.response.status_code:404",
    "bytes:>1000",
    "bytes:[* TO 100]",
    "path:/api/items/7",
    "path:/api",
    "path:/api*",
    "path:/*/items/?",
    "path:/API*",
    r#"path:"/shop/a b""#,
    "method:GET",
    "method:(GET OR PUT)",
    "ip:198.51.100.0/24",
    "ip:198.51.100.7",
    "ip:2001:db8::7",
    "ip:[198.51.100.0 TO 198.51.100.9]",
    "client:web.example",
    "user:bob",
    "user:*",
    "-user:*",
    "_exists_:url.query",
    "query:x=1",
    "agent:curl*",
    "referrer:*",
    "host:*",
    "file:*.json",
    "dataset:access",
    "level:error",
    "level:ERROR",
    "log.level:warn",
    "answer:42",
    "answer:>9",
    "share:[0.1 TO 1]",
    "message:full",
    "message:FULL",
    "message:gi*",
    "message:fu",
    r#"message:"disk full""#,
    r#"message:"full disk""#,
    "curl",
    "wget",
    "items/7",
    "full",
    "Mozilla",
    r#""(test)""#,
    r#""disk full""#,
    "503",
    "curl*",
    "status:503 method:GET",
    "status:503 OR method:PUT",
    "status:503 AND NOT method:GET",
    "NOT (status:200 OR status:503)",
    "-status:200",
    "!status:200",
    "status:200 OR method:PUT AND path:/api*",
    "status:503 || method:GET && path:/api*",
    "+status:200 nothing:1",
    "nothing:1 OR status:404",
    "(status:404 OR -method:GET)",
    "status:200 -(path:/api* OR path:/shop*)",
    "status:503^2 AND (method:GET)^3",
];

/// Parts that random queries are made of.
const PARTS: [&str; 14] = [
    "status:200",
    "status:>=400",
    "status:(404 OR 503)",
    "method:GET",
    "method:PUT",
    "path:/api*",
    "path:/shop*",
    "user:bob",
    "curl",
    "ip:198.51.100.0/24",
    "message:full",
    "level:error",
    "answer:>9",
    "nothing:1",
];

/// Queries of up to five parts, joined, signed and put into parentheses in every way.
fn random_queries(count: u64) -> Vec<String> {
    let mut state = 7_u64;
    let mut next = |end: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("32 bits") % end
    };
    let mut query = || {
        let (mut text, mut depth) = (String::new(), 0);
        for number in 0..=next(5) {
            if number > 0 {
                text.push_str([" ", " AND ", " OR ", " && ", " || "][next(5)]);
            }
            // No group is left out as a whole: with the arithmetic of debug builds, a range in it ends
            // tantivy 0.27 (`RangeDocSet::seek_danger`, when it is asked for an earlier document).
            if next(4) == 0 {
                text.push('(');
                depth += 1;
            } else {
                text.push_str(["", "", "-", "NOT ", "+", "!"][next(6)]);
            }
            text.push_str(PARTS[next(PARTS.len())]);
            if depth > 0 && next(2) == 0 {
                text.push(')');
                depth -= 1;
            }
        }
        text + &")".repeat(depth)
    };
    (0..count).map(|_| query()).collect()
}

fn write_access_log(path: &std::path::Path) {
    let time = clf_time(jiff::Timestamp::now().as_second() - 60);
    let lines = [
        ("198.51.100.7", "bob", "GET /api/items/7?x=1", "503", "2048", "curl/8.1 (test)"),
        ("198.51.100.9", "-", "GET /api/items/8", "200", "17", "Mozilla/5.0 (X11)"),
        ("203.0.113.7", "bob", "PUT /shop/a%20b", "404", "0", "Wget/1.2"),
        ("2001:db8::7", "-", "GET /shop", "200", "100000", "curl/7"),
        ("web.example", "-", "POST /api", "302", "99", "-"),
        ("203.0.113.8", "carol", "GET /", "200", "-", "Mozilla/5.0 curling"),
    ];
    let line = |(client, user, request, status, bytes, agent)| {
        format!(
            "{client} - {user} [{time}] \"{request} HTTP/1.1\" {status} {bytes} \"-\" \"{agent}\"\n"
        )
    };
    fs::write(path, lines.map(line).concat()).expect("a log");
}

const JSON_LINES: &str = r#"{"message":"Disk FULL on web1: giving up","level":"error","answer":42}
{"message":"all is well","log":{"level":"warn"},"share":0.5,"answer":7}
{"message":"half full","user":{"name":"bob"},"answer":"10","note":"curl it"}
{"message":"status 503","status":200,"method":"GET"}
"#;

/// The documents that a search prints.
fn search(alone: &Alone, query: &str) -> BTreeSet<String> {
    let output = Command::new(binary("omphalos"))
        .args(["search", "--json", "--limit", "1000", "--url", &alone.url, "--", query])
        .output()
        .expect("omphalos runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{query}: {said}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Which line it is, and what is in it.
fn shown(document: &str) -> String {
    let value: Value = serde_json::from_str(document).expect("a document");
    let parts = ["/url/original", "/message"].map(|at| value.pointer(at).cloned());
    format!("{parts:?}")
}

#[test]
fn a_filter_means_what_the_search_means() {
    let alone = Alone::new();
    let (access, json) =
        (alone.directory.path().join("access.log"), alone.directory.path().join("app.json"));
    write_access_log(&access);
    fs::write(&json, JSON_LINES).expect("a log");
    let _store = alone.start_store();
    for (log, parser) in [(&access, "combined"), (&json, "json")] {
        let import = alone.with_state("import").arg(log.display()).args(["--parser", parser]).run();
        assert_eq!(import.code, Some(0), "{}", import.output);
    }
    alone.elastic().wait_for_count(10);
    let all = search(&alone, "*");
    assert_eq!(all.len(), 10);
    let mut reader = DocumentReader::default();
    let (mut differing, mut telling) = (Vec::new(), 0);
    let queries = QUERIES.iter().map(|query| (*query).to_owned()).chain(random_queries(300));
    for query in queries {
        let filter = Filter::new(&query).unwrap_or_else(|problem| panic!("{query}: {problem}"));
        let mut is_meant = |document: &&String| {
            let read = reader.read(document.as_bytes()).expect("a document");
            filter.matches(&read.hit())
        };
        let meant: BTreeSet<String> = all.iter().filter(|one| is_meant(one)).cloned().collect();
        let found = search(&alone, &query);
        telling += usize::from(!found.is_empty() && found != all);
        if meant != found {
            let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
                one.difference(other).map(|document| shown(document)).collect::<Vec<_>>()
            };
            differing.push(format!(
                "{query}: the search alone finds {:?}, the filter alone {:?}",
                only(&found, &meant),
                only(&meant, &found)
            ));
        }
    }
    assert!(telling > 200, "only {telling} queries find some lines and not others");
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
