//! `omphalos audit`: what is said of a file is what is in Elasticsearch, and what is missing can be
//! brought back.

mod asking;
mod copies;
mod formats;
mod keys;
mod repairing;
mod untimed;

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use omphalos_tests::{Elastic, Exited, LogFile, Program, Stack};
use reqwest::Method;
use serde_json::{Value, json};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// An audit of `files` that knows Elasticsearch, and the host by the shipper's state.
fn audit(stack: &Stack, files: &[&Path]) -> Program {
    audit_at(stack, files, &stack.search_url()).option("--state-dir", stack.path("state").display())
}

/// The same without the shipper's state, and with Elasticsearch under another URL.
fn audit_at(stack: &Stack, files: &[&Path], url: &str) -> Program {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let program = Program::new("omphalos", &stack.path(&format!("audit-{number}.log")));
    let files = files.iter().map(|file| file.display().to_string());
    program
        .arg("audit")
        .args(files)
        .option("--elasticsearch", url)
        .option("--index-prefix", stack.prefix())
}

/// The same of an access log.
fn audit_log(stack: &Stack, files: &[&Path]) -> Program {
    audit(stack, files).args(["--parser", "combined"])
}

fn code_of(exited: &Exited, code: i32) -> &str {
    assert_eq!(exited.code, Some(code), "{}", exited.output);
    &exited.output
}

/// What an audit says as JSON: the file, of which there is one.
fn json_of(program: Program, code: i32) -> Value {
    let exited = program.arg("--json").run();
    // Before it there may be something about an Elasticsearch that was busy, on standard error.
    let last = code_of(&exited, code).lines().last().unwrap_or_default();
    let whole: Value = serde_json::from_str(last).expect("one JSON object");
    whole["files"][0].clone()
}

/// The counts of a file: documents, found, not delivered, dead letters, missing.
fn counts(file: &Value) -> [u64; 5] {
    ["documents", "found", "not_delivered", "dead_lettered", "missing"]
        .map(|name| file[name].as_u64().unwrap_or_else(|| panic!("{name}: {file}")))
}

/// The ranges of a file: state, first and last line, first byte and the one behind.
fn ranges(file: &Value) -> Vec<(String, [u64; 4])> {
    let ranges = file["ranges"].as_array().expect("ranges").iter();
    ranges
        .map(|range| {
            let numbers = ["first_line", "last_line", "start", "end"];
            let numbers = numbers.map(|name| range[name].as_u64().expect("a number"));
            (range["state"].as_str().expect("a state").to_owned(), numbers)
        })
        .collect()
}

/// Where each line of a text begins, and where the last one ends.
fn line_starts(text: &[u8]) -> Vec<u64> {
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    std::iter::once(0).chain(ends.map(|(at, _)| at as u64 + 1)).collect()
}

/// A range of lines as an audit names it.
fn missing_lines(starts: &[u64], lines: RangeInclusive<usize>) -> (String, [u64; 4]) {
    let (first, last) = (*lines.start(), *lines.end());
    let numbers = [first as u64, last as u64, starts[first - 1], starts[last]];
    ("missing".to_owned(), numbers)
}

/// Deletes the documents of the lines at these offsets.
pub fn delete_at(elastic: &Elastic, offsets: impl IntoIterator<Item = u64>) {
    let mut offsets: BTreeSet<u64> = offsets.into_iter().collect();
    let indices: Vec<String> = elastic.indices().into_keys().collect();
    for (id, document) in elastic.documents(&["log.offset"]) {
        if offsets.remove(&document["log"]["offset"].as_u64().expect("an offset")) {
            let delete = |index: &String| {
                let answer = elastic.request(Method::DELETE, &format!("{index}/_doc/{id}"), None);
                answer.expect("an answer").0 == 200
            };
            assert!(indices.iter().any(delete), "{id} is in one of {indices:?}");
        }
    }
    assert!(offsets.is_empty(), "no documents of the lines at {offsets:?}");
}

/// Ships everything that is in the log and indexes it.
fn shipped(stack: &Stack, log: &LogFile) {
    let shipped = stack.shipper(log.path()).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    drained(stack);
}

fn drained(stack: &Stack) {
    let drained = stack.indexer().arg("--drain").run();
    assert_eq!(drained.code, Some(0), "{}", drained.output);
}

/// A log of so many lines, all of which are indexed.
fn indexed(stack: &Stack, lines: u64) -> LogFile {
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(lines);
    shipped(stack, &log);
    stack.elastic().wait_for_count(lines);
    log
}

/// `host.id` of all documents.
fn host_id(elastic: &Elastic) -> String {
    let documents = elastic.documents(&["host.id"]);
    documents[0].1["host"]["id"].as_str().expect("an id").to_owned()
}

#[test]
fn what_is_all_there_is_found_with_as_little_as_a_file_a_parser_and_a_url() {
    let stack = Stack::shared();
    let log = indexed(&stack, 20_000);
    let whole = audit_log(&stack, &[log.path()]).run();
    let output = code_of(&whole, 0);
    assert!(output.contains("lines                20,000\n"), "{output}");
    assert!(output.contains("found                20,000\n"), "{output}");
    assert!(output.contains("missing                   0\n"), "{output}");
    // Without the shipper's state, which lines with a time do not need.
    let host = host_id(&stack.elastic());
    let whole = audit_at(&stack, &[log.path()], &stack.search_url()).args([
        "--parser",
        "combined",
        "--host-id",
        &host,
    ]);
    let file = json_of(whole, 0);
    assert_eq!(counts(&file), [20_000, 20_000, 0, 0, 0]);
    assert_eq!(file["ranges"], json!([]));
    // Of another host nothing is there; and it is said which host has the lines.
    let other = audit_at(&stack, &[log.path()], &stack.search_url())
        .args(["--parser", "combined", "--host-id", "other"])
        .run();
    assert!(code_of(&other, 1).contains(&format!("from the host {host}:")), "{}", other.output);
}

#[test]
fn missing_lines_are_named_by_number_and_by_byte() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(1_000);
    // An empty line makes no document, and is none that could be missing.
    log.append_text("\n\n");
    log.append(2_000);
    shipped(&stack, &log);
    stack.elastic().wait_for_count(3_000);
    let text = fs::read(log.path()).expect("the log");
    let starts = line_starts(&text);
    let gone = [1..=1, 17..=17, 999..=1_000, 1_041..=1_052, 3_002..=3_002];
    for lines in &gone {
        delete_at(&stack.elastic(), lines.clone().map(|line| starts[line - 1]));
    }
    let file = json_of(audit_log(&stack, &[log.path()]), 1);
    assert_eq!(counts(&file), [3_000, 2_983, 0, 0, 17]);
    assert_eq!(file["lines"], 3_002);
    let expected: Vec<_> = gone.iter().map(|lines| missing_lines(&starts, lines.clone())).collect();
    assert_eq!(ranges(&file), expected);
    // The bytes that are named are the lines.
    let [_, _, start, end] = ranges(&file)[2].1.map(|number| usize::try_from(number).unwrap());
    assert_eq!(text[start..end].split_inclusive(|byte| *byte == b'\n').count(), 2);
    let people = audit_log(&stack, &[log.path()]).run();
    let output = code_of(&people, 1);
    assert!(output.contains(" 12 lines   1,041-1,052             bytes "), "{output}");
    assert!(output.contains("give --amqp-url"), "nobody looked at the dead letters: {output}");
    // Both sides of an empty line are one range, of two lines that are not documents.
    delete_at(&stack.elastic(), [starts[1_002]]);
    let file = json_of(audit_log(&stack, &[log.path()]), 1);
    assert_eq!(ranges(&file)[2], missing_lines(&starts, 999..=1_003));
    assert_eq!(file["ranges"][2]["documents"], 3);
}

#[test]
fn events_of_several_lines_are_audited_as_such() {
    let stack = Stack::shared();
    let path = stack.path("app.log");
    let event = |number: u32| {
        let message =
            json!({ "@timestamp": format!("2026-11-22T10:00:{number:02}Z"), "n": number });
        format!("{message}\n  at line one\n  at line two\n")
    };
    let text: String = (0..40).fold(String::new(), |text, number| text + &event(number));
    fs::write(&path, &text).expect("a log");
    let settings = ["--parser", "json", "--dataset", "app", "--multiline", "indent"];
    let shipped = Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .arg(path.display())
        .args(settings)
        .arg("--once")
        .option("--state-dir", stack.path("state").display())
        .option("--amqp-url", stack.amqp_url())
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    drained(&stack);
    stack.elastic().wait_for_count(40);
    let audited = || audit(&stack, &[&path]).args(settings);
    let starts = line_starts(text.as_bytes());
    let knows_times = stack.elastic().search("error.message:*").is_empty();
    assert!(!knows_times, "the joined lines are not JSON, so this is about lines without a time");
    assert_eq!(counts(&json_of(audited(), 0)), [40, 40, 0, 0, 0]);
    delete_at(&stack.elastic(), [starts[3], starts[6], starts[117]]);
    let file = json_of(audited(), 1);
    let expected = [4..=9, 118..=120].map(|lines| missing_lines(&starts, lines));
    assert_eq!(ranges(&file), expected);
    assert_eq!(file["ranges"][0]["documents"], 2);
}

#[test]
fn lines_behind_the_checkpoint_are_not_delivered_rather_than_missing() {
    let stack = Stack::shared();
    let mut log = indexed(&stack, 500);
    let starts = line_starts(&fs::read(log.path()).expect("the log"));
    log.append(70);
    let behind = audit_log(&stack, &[log.path()]).run();
    let output = code_of(&behind, 0);
    assert!(output.contains("not delivered            70   behind the shipper's"), "{output}");
    let file = json_of(audit_log(&stack, &[log.path()]), 0);
    assert_eq!(counts(&file), [570, 500, 70, 0, 0]);
    let (state, [first, last, start, _]) = ranges(&file)[0].clone();
    assert_eq!((&*state, first, last, start), ("not_delivered", 501, 570, starts[500]));
    // Who cannot see the checkpoint cannot tell.
    let host = host_id(&stack.elastic());
    let blind = audit_at(&stack, &[log.path()], &stack.search_url()).args([
        "--parser",
        "combined",
        "--host-id",
        &host,
    ]);
    assert_eq!(counts(&json_of(blind, 1)), [570, 500, 0, 0, 70]);
}

#[test]
fn what_cannot_be_audited_is_refused_by_name() {
    let stack = Stack::shared();
    fs::create_dir_all(stack.path("state")).expect("a directory");
    let log = stack.path("a.log");
    fs::write(&log, "x\n").expect("a log");
    let directory = stack.directory().to_owned();
    let given = |files: &[&Path], more: &[&str], expected: &str| {
        let url = stack.search_url();
        let refused = audit_at(&stack, files, &url).args(more).run();
        assert!(code_of(&refused, 2).contains(expected), "{expected}: {}", refused.output);
    };
    let host = ["--host-id", "h"];
    given(&[&stack.path("none.log")], &host, "none.log: No such file");
    given(&[&directory], &host, "expected a file, found a directory");
    given(&[Path::new("/dev/null")], &host, "expected a file, found a device");
    given(&[&log, &log], &["--host-id", "h", "--as", "/x"], "--as names one file, found 2");
    // Whoever may not write to /var/lib has state at home, where there is none.
    let stranger = audit_at(&stack, &[&log], &stack.search_url()).as_nobody();
    let stranger =
        stranger.variable("HOME", stack.path("home").display()).args(host).arg("--repair");
    let refused = stranger.run();
    assert!(
        code_of(&refused, 2).contains("--repair ships through the broker"),
        "{}",
        refused.output
    );
    let state = stack.path("state").display().to_string();
    given(&[&log], &["--state-dir", &state], "has no checkpoint");
    let config = stack.path("shipper.toml");
    fs::write(&config, "[batch]\nencoding = \"json\"\n").expect("settings");
    let config = config.display().to_string();
    given(&[&log], &["--host-id", "h", "--config", &config], "an audit cannot compute them");
    let dead = Path::new("/nowhere/dead.ndjson").display().to_string();
    let options = ["--host-id", "h", "--parser", "combined", "--dead-file", &dead];
    given(&[&log], &options, "has no time of its own");
}

/// Runs a tool that is on every machine.
fn tool(words: &[&str]) {
    let status = Command::new(words[0]).args(&words[1..]).status();
    assert!(status.expect("the tool runs").success(), "{words:?}");
}
