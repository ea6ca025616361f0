//! What can be in a log, and the ways besides a log being written that lines come in.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use omphalos_tests::{Elastic, LogFile, Program, Stack, eventually, holds};
use serde_json::Value;

/// A shipper of lines without a format.
fn plain_shipper(stack: &Stack) -> Program {
    plain_shipper_in(stack, "state")
}

/// The same, with its state elsewhere.
fn plain_shipper_in(stack: &Stack, state: &str) -> Program {
    Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .option("--state-dir", stack.path(state).display())
        .option("--amqp-url", stack.amqp_url())
}

/// The documents of a file, by their place in it.
fn documents_of(elastic: &Elastic, path: &Path) -> Vec<Value> {
    let found = elastic.documents(&["message", "tags", "log"]).into_iter();
    let path = path.display().to_string();
    let mut documents: Vec<Value> = found
        .map(|(_, document)| document)
        .filter(|document| document["log"]["file"]["path"] == path.as_str())
        .collect();
    documents.sort_by_key(|document| document["log"]["offset"].as_u64());
    documents
}

fn messages_of(elastic: &Elastic, path: &Path) -> Vec<String> {
    let documents = documents_of(elastic, path).into_iter();
    let message = |document: Value| document["message"].as_str().unwrap_or("none").to_owned();
    documents.map(message).collect()
}

fn append(path: &Path, text: &[u8]) {
    let mut file = fs::File::options().create(true).append(true).open(path).expect("a log");
    file.write_all(text).expect("the log can be written");
}

#[test]
fn what_comes_in_on_standard_input_is_shipped_and_at_its_end_the_shipper_ends() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("generated"));
    log.append(3_000);
    let text = fs::read(log.path()).expect("lines");
    let _indexer = stack.indexer().start();
    let mut shipper = stack.shipper(Path::new("-")).piped().start();
    let mut input = shipper.input();
    let half = text.iter().take(text.len() / 2).rposition(|byte| *byte == b'\n').expect("a line");
    input.write_all(&text[..half + 20]).expect("the shipper reads");
    let lines = text[..=half].split_inclusive(|byte| *byte == b'\n').count();
    stack.elastic().wait_for_count(lines as u64);
    assert!(shipper.is_running());
    // Without the last line feed.
    input.write_all(&text[half + 20..text.len() - 1]).expect("the shipper reads");
    drop(input);
    assert_eq!(shipper.wait().code(), Some(0), "{}", shipper.log());
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn archives_beside_a_log_are_shipped_later_and_add_only_what_is_missing() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(500);
    log.rotate(2);
    let gzip = Command::new("gzip").arg(stack.path("access.log.2")).status();
    assert!(gzip.is_ok_and(|status| status.success()));
    log.append(500);
    log.rotate(1);
    let text = fs::read(stack.path("access.log.1")).expect("a log");
    let compressed = zstd::encode_all(&*text, 0).expect("zstd");
    fs::write(stack.path("access.log.1.zst"), compressed).expect("an archive");
    fs::remove_file(stack.path("access.log.1")).expect("removed");
    log.append(500);
    let shipped = stack.shipper(log.path()).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    index(&stack);
    stack.elastic().wait_for_count(500);
    // By a shipper that knows nothing of the first one: the same lines have the same ids.
    for round in 0..2 {
        let shipper = plain_shipper_in(&stack, "another-state");
        let shipper = shipper.args(["--parser", "combined", "--host-name", "web1", "--once"]);
        let shipped = shipper.arg("--archives").arg(stack.path("access.log*").display()).run();
        assert_eq!(shipped.code, Some(0), "{}", shipped.output);
        if round == 1 {
            assert_eq!(stack.amqp().ready("omphalos.index"), Ok(0), "nothing more is sent");
        }
        index(&stack);
        log.assert_indexed_once(&stack.elastic());
    }
}

fn index(stack: &Stack) {
    let indexed = stack.indexer().arg("--drain").run();
    assert_eq!(indexed.code, Some(0), "{}", indexed.output);
}

#[test]
fn characters_of_every_encoding_arrive_and_bytes_that_are_none_are_counted() {
    let stack = Stack::shared();
    let [wide, latin, broken] =
        ["wide.txt", "latin.txt", "broken.txt"].map(|name| stack.path(name));
    let config = format!(
        "[[monitor]]\npaths = [{wide:?}, {broken:?}]\n[[monitor]]\npaths = [{latin:?}]\nencoding = \"latin-1\"\n"
    );
    let _indexer = stack.indexer().start();
    let shipper = configured(&stack, &config).listening().start();
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    append(&wide, &utf16("\u{feff}größer\r\nein Ђ und 😀\n"));
    append(&latin, b"gr\xf6\xdfer\n\x80 5\n");
    append(&broken, "größer\n".as_bytes());
    append(&broken, b"gr\xf6\xdfer\nthe end\n");
    let elastic = stack.elastic();
    elastic.wait_for_count(7);
    // A character may be written in two parts.
    let more = utf16("später ☃\n");
    append(&wide, &more[..13]);
    append(&wide, &more[13..]);
    elastic.wait_for_count(8);
    assert_eq!(messages_of(&elastic, &wide), ["größer", "ein Ђ und 😀", "später ☃"]);
    assert_eq!(messages_of(&elastic, &latin), ["größer", "€ 5"]);
    let broken = messages_of(&elastic, &broken);
    assert_eq!(broken, ["größer", "gr\u{fffd}\u{fffd}er", "the end"]);
    let invalid = shipper.metric("omphalos_lines_invalid_total");
    assert!((invalid - 1.0).abs() < 0.5, "{invalid}");
}

/// A shipper with this configuration file.
fn configured(stack: &Stack, config: &str) -> Program {
    let path = stack.path("shipper.toml");
    fs::write(&path, config).expect("a configuration");
    plain_shipper(stack).option("--config", path.display())
}

const JAVA: &str = "\
2026-11-22 10:00:00,000 ERROR main it failed
java.lang.IllegalStateException: no
\tat com.example.A.run(A.java:7)
\tat com.example.Main.main(Main.java:3)
Caused by: java.io.IOException: gone
\tat com.example.B.read(B.java:9)
\t... 2 more
";

#[test]
fn events_of_several_lines_are_one_document_each() {
    let stack = Stack::shared();
    let [java, docker, cri] = ["java.txt", "docker.txt", "cri.txt"].map(|name| stack.path(name));
    let config = format!(
        "[[monitor]]\npaths = [{java:?}]\nparser = \"raw\"\nmultiline = \"java\"\nmultiline_timeout = \"400ms\"\n\
         [[monitor]]\npaths = [{docker:?}]\ncontainer = \"docker\"\n\
         [[monitor]]\npaths = [{cri:?}]\nparser = \"raw\"\ncontainer = \"cri\"\nmultiline = \"java\"\nmultiline_timeout = \"400ms\"\n"
    );
    let _indexer = stack.indexer().start();
    let _shipper = configured(&stack, &config).start();
    let next = "2026-11-22 10:00:01,000 INFO main goes on\n";
    append(&java, JAVA.as_bytes());
    append(&java, next.as_bytes());
    let of_docker = |log: &str| {
        let time = "2026-11-22T10:00:00.5Z";
        let line = serde_json::json!({ "log": log, "stream": "stdout", "time": time });
        append(&docker, format!("{line}\n").as_bytes());
    };
    of_docker("one \"quoted\" line\n");
    of_docker("a long line that ");
    of_docker("was cut in two\n");
    for line in (JAVA.to_owned() + next).lines() {
        let (first, rest) = line.split_at(10);
        for (tag, text) in [("P", first), ("F", rest)] {
            append(&cri, format!("2026-11-22T10:00:00.5Z stderr {tag} {text}\n").as_bytes());
        }
    }
    let elastic = stack.elastic();
    elastic.wait_for_count(6);
    let expected = [JAVA.trim_end(), next.trim_end()];
    assert_eq!(messages_of(&elastic, &java), expected);
    let of_docker = ["one \"quoted\" line", "a long line that was cut in two"];
    assert_eq!(messages_of(&elastic, &docker), of_docker);
    assert_eq!(messages_of(&elastic, &cri), expected);
}

#[test]
fn an_event_on_one_stream_of_a_container_is_whole_although_the_other_stream_goes_on() {
    let stack = Stack::shared();
    let path = stack.path("cri.txt");
    for (number, line) in JAVA.lines().enumerate() {
        let time = "2026-11-22T10:00:00.5Z";
        let output = format!("{time} stderr F {line}\n{time} stdout F output {number}\n");
        append(&path, output.as_bytes());
    }
    let shipper = plain_shipper(&stack).arg(path.display()).arg("--once");
    let shipped =
        shipper.args(["--parser", "raw", "--container", "cri", "--multiline", "java"]).run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    index(&stack);
    let of_stream = |name: &str| {
        let documents = documents_of(&stack.elastic(), &path).into_iter();
        let messages = documents.filter(|document| document["log"]["iostream"] == name);
        messages
            .map(|document| document["message"].as_str().unwrap_or("none").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of_stream("stdout").len(), JAVA.lines().count());
    assert_eq!(of_stream("stderr"), [JAVA.trim_end()]);
}

#[test]
fn a_file_of_one_endless_line_takes_no_memory_and_what_stands_behind_it_arrives() {
    const MIB: usize = 1 << 20;
    let stack = Stack::shared();
    let path = stack.path("endless.txt");
    let block = vec![b'x'; MIB];
    (0..300).for_each(|_| append(&path, &block));
    let _indexer = stack.indexer().start();
    let shipper = plain_shipper(&stack).arg(path.display()).listening().start();
    let elastic = stack.elastic();
    elastic.wait_for_count(1);
    append(&path, b"\nthe first\nthe second\n");
    elastic.wait_for_count(3);
    let documents = documents_of(&elastic, &path);
    let text = documents[0]["message"].as_str().expect("a message");
    assert!(text.len() == MIB && text.bytes().all(|byte| byte == b'x'), "{}", text.len());
    assert_eq!(documents[0]["tags"], serde_json::json!(["truncated", "time_assumed"]));
    assert_eq!(messages_of(&elastic, &path)[1..], ["the first", "the second"]);
    let cut = shipper.metric("omphalos_lines_cut_total");
    assert!((cut - 1.0).abs() < 0.5, "{cut}");
    let peak = shipper.peak_memory() / MIB as u64;
    assert!(peak < 64, "{peak} MiB");
}

#[test]
fn a_last_line_without_an_end_is_shipped_and_again_when_it_is_complete() {
    let stack = Stack::shared();
    let path = stack.path("app.txt");
    append(&path, b"a whole line\nthe beginning");
    let _indexer = stack.indexer().start();
    let shipper = plain_shipper(&stack).arg(path.display());
    let shipper = shipper.args(["--unfinished-after", "300ms"]).listening().start();
    let elastic = stack.elastic();
    elastic.wait_for_count(2);
    let tags = |number: usize| documents_of(&elastic, &path)[number]["tags"].clone();
    assert_eq!(messages_of(&elastic, &path), ["a whole line", "the beginning"]);
    assert_eq!(
        (tags(0), tags(1)),
        (serde_json::json!(["time_assumed"]), serde_json::json!(["unfinished", "time_assumed"]))
    );
    append(&path, b" and the end\nanother line\n");
    elastic.wait_for_count(4);
    let mut messages = messages_of(&elastic, &path);
    messages.sort();
    let expected = ["a whole line", "another line", "the beginning", "the beginning and the end"];
    assert_eq!(messages, expected);
    assert_eq!(elastic.search("tags:unfinished").len(), 1);
    eventually("it is counted once", || {
        let unfinished = shipper.metric("omphalos_lines_unfinished_total");
        holds((unfinished - 1.0).abs() < 0.5, unfinished)
    });
}
