//! `omphalos search`, against the embedded store and against Elasticsearch: the same answers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use omphalos_tests::generate::clf_time;
use omphalos_tests::program::binary;
use omphalos_tests::{LogFile, Program, Stack, eventually, holds};
use serde_json::Value;

use crate::run::Alone;

/// What a search printed.
struct Answer {
    code: Option<i32>,
    lines: Vec<String>,
    said: String,
}

/// Searches for `arguments` at `url`, among the indices of `prefix`.
fn search((url, prefix): (&str, &str), arguments: &[&str]) -> Answer {
    let output = Command::new(binary("omphalos"))
        .arg("search")
        .args(arguments)
        .args(["--url", url, "--index-prefix", prefix])
        .output()
        .expect("omphalos runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let lines = text(&output.stdout).lines().map(str::to_owned).collect();
    Answer { code: output.status.code(), lines, said: text(&output.stderr) }
}

/// Lines at ten-second steps that end half a minute ago: a hundred, every tenth with 500.
fn write_log(path: &Path) {
    let now = jiff::Timestamp::now().as_second();
    let line = |number: i64| {
        let time = clf_time(now - 30 - (99 - number) * 10);
        let status = if number % 10 == 0 { 500 } else { 200 };
        let path = if number % 2 == 0 { "/api/items" } else { "/shop" };
        format!(
            "192.0.2.{number} - - [{time}] \"GET {path}/{number} HTTP/1.1\" {status} 10 \"-\" \"tester/1.0\"\n"
        )
    };
    fs::write(path, (0..100).map(line).collect::<String>()).expect("a log");
}

/// What must be so, whatever answers.
fn check(at: (&str, &str)) {
    let found = search(at, &["status:500 AND path:/api*", "--since", "1h"]);
    assert_eq!((found.code, found.lines.len()), (Some(0), 10), "{}", found.said);
    assert!(found.said.contains("10 lines match"), "{}", found.said);
    assert!(found.lines.is_sorted(), "the newest is last: {:?}", found.lines);
    assert!(found.lines[9].contains("Z  500  GET /api/items/90  192.0.2.90  10 B  tester/1.0"));

    let newest = search(at, &["--limit", "3"]);
    assert_eq!(newest.lines.len(), 3);
    assert!(newest.said.contains("100 lines match; these are the newest 3"), "{}", newest.said);
    assert!(newest.lines[2].contains("GET /shop/99 "), "{:?}", newest.lines);

    let json = search(at, &["ip:192.0.2.64/26", "--json", "--limit", "1000"]);
    let of = |line: &String| {
        let document: Value = serde_json::from_str(line).expect("a document a line");
        document["source"]["ip"].as_str().expect("an address").to_owned()
    };
    let addresses: BTreeSet<String> = json.lines.iter().map(of).collect();
    assert_eq!(addresses.len(), 36, "{}", json.said);

    let until = (jiff::Timestamp::now().as_second() - 530).to_string();
    let until = jiff::Timestamp::from_second(until.parse().expect("a number")).expect("a time");
    let early = search(at, &["--until", &until.to_string(), "--limit", "1000"]);
    assert!((45..=55).contains(&early.lines.len()), "{}", early.lines.len());

    let bars = search(at, &["--histogram"]);
    let count = |line: &String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(2).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0)
    };
    assert_eq!(bars.lines.iter().map(count).sum::<u64>(), 100, "{:?}", bars.lines);
    assert!(bars.lines.len() > 10 && bars.lines[1].contains('█'), "{:?}", bars.lines);

    assert!(!newest.lines[0].contains('\u{1b}'), "no colours where there is no terminal");
    let painted = search(at, &["--limit", "1", "--color", "always"]);
    assert!(painted.lines[0].contains('\u{1b}'), "{:?}", painted.lines);

    let nothing = search(at, &["status:999"]);
    assert_eq!((nothing.code, nothing.lines.len()), (Some(1), 0));
}

/// What must be said, whatever answers, of what cannot be found.
fn check_refusals(at: (&str, &str)) {
    for (typed, what) in [
        ("status:(500", ": ( at character 8 is never closed; close it"),
        ("(shop", ": ( at character 1 is never closed"),
        ("shop)", ": ) at character 5 closes nothing"),
        ("status:[1 TO", ": [ at character 8 begins a range that is never closed"),
        ("a[0]", ": [ at character 2 stands in a word; quote"),
        ("status:", ": status: has nothing behind it; write status:VALUE"),
        ("status:>= 500", ": status:>= has a blank behind it; write status:>=500"),
        // What only the server knows.
        ("^2", " cannot be answered: 400 "),
    ] {
        let bad = search(at, &[typed]);
        assert_eq!(bad.code, Some(2), "{typed}: {}", bad.said);
        let expected = format!("the query {typed:?}{what}");
        assert!(bad.said.contains(&expected), "{typed}: {}", bad.said);
        let is_rewritten =
            ["http.response", "*:*", " OR "].iter().any(|part| bad.said.contains(part));
        assert!(!is_rewritten, "{typed}: {}", bad.said);
    }
    for (typed, expected) in [
        ("ip:1.2.3.4/33", "ip is of the type ip: expected an address, or a network"),
        ("ip:[x TO y]", "ip is of the type ip: expected an address, found x in [x TO y]"),
        ("status:[a TO b]", "status is of the type long: expected a number, found a in [a TO b]"),
        (
            "status:{900 TO b]",
            "status is of the type long: expected a number, found b in {900 TO b]",
        ),
        ("status:(999 OR abc)", "expected a whole number, found abc in (999 OR abc)"),
        ("time:[2026-13-01 TO *]", "time is of the type date: expected a date, such as"),
        ("time:>now-x", "time is of the type date: expected a date, such as"),
    ] {
        let nothing = search(at, &[typed]);
        assert_eq!(nothing.code, Some(1), "{typed}: {}", nothing.said);
        assert!(nothing.said.contains(expected), "{typed}: {}", nothing.said);
    }
}

#[test]
fn the_store_and_elasticsearch_give_the_same_lines() {
    let stack = Stack::shared();
    let alone = Alone::new();
    let log = alone.directory.path().join("access.log");
    write_log(&log);
    let import = |program: Program| {
        let imported = program.arg(log.display()).args(["--parser", "combined"]).run();
        assert_eq!(imported.code, Some(0), "{}", imported.output);
    };
    import(stack.import());
    stack.elastic().wait_for_count(100);
    check((&stack.search_url(), stack.prefix()));
    check_refusals((&stack.search_url(), stack.prefix()));

    let _store = alone.start_store();
    import(alone.with_state("import"));
    alone.elastic().wait_for_count(100);
    check((&alone.url, "omphalos"));
    check_refusals((&alone.url, "omphalos"));
}

#[test]
fn following_prints_each_new_line_once_also_over_a_restart_of_the_store() {
    let alone = Alone::new();
    let directory = alone.directory.path();
    let mut log = LogFile::create(&directory.join("app.log"));
    let line = |number: u64| format!("{{\"message\":\"number {number:04}\"}}\n");
    log.append_text(&line(0));
    let mut store =
        alone.with_state("run").arg(log.path().display()).args(["--parser", "json"]).start();
    alone.elastic().wait_for_count(1);
    let followed = directory.join("followed.out");
    let follower = Program::new("omphalos", &followed)
        .args(["search", "--follow", "--url"])
        .arg(&alone.url)
        .start();
    follower.wait_for_log("number 0000");
    let mut expected = 1;
    for round in 0..3 {
        for _ in 0..200 {
            log.append_text(&line(expected));
            expected += 1;
        }
        follower.wait_for_log(&format!("number {:04}", expected - 1));
        if round == 1 {
            store.kill();
            follower.wait_for_log("trying again, for ever");
            store.restart();
        }
    }
    let seen = |number: u64| follower.count_in_log(&format!("number {number:04}"));
    eventually("all is followed", || {
        let missing: Vec<u64> = (0..expected).filter(|number| seen(*number) == 0).collect();
        holds(missing.is_empty(), format!("missing: {missing:?}"))
    });
    let odd: Vec<u64> = (0..expected).filter(|number| seen(*number) != 1).collect();
    assert!(odd.is_empty(), "not once: {odd:?}");
}

#[test]
fn who_does_not_answer_is_named_with_what_to_do() {
    let refused = search(("http://127.0.0.1:1", "omphalos"), &["x"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.said.contains("http://127.0.0.1:1/: connection refused"), "{}", refused.said);
    let misread = search(("http://127.0.0.1:1", "omphalos"), &["--since", "yesterday"]);
    assert_eq!(misread.code, Some(2));
    assert!(misread.said.contains("--since: expected a length of time"), "{}", misread.said);
}
