//! Nothing that strangers wrote reaches a terminal or a log as a command, or looks like a line of ours: every
//! command is fed a hostile everything. And what we write is for its owner alone.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use omphalos_common::clean::is_harmful;
use omphalos_common::heartbeat::{Host, Maker, Now, Service};
use omphalos_tests::{Exited, Program};
use omphalos_transport::udp::{Ledger, LedgerFile, StreamAccount, Totals};
use reqwest::Method;
use serde_json::{Value, json};

use crate::run::Alone;

/// Colours, a title, a bell, C1, direction marks, and a line that looks like one of ours.
const HOSTILE: &str =
    "x\u{1b}[31m\u{1b}]0;t\u{7}\u{9b}2J\u{202e}\u{2066}\u{200f}\u{7f}\r\nomphalos: FORGED\u{2028}y";

fn assert_harmless(about: &str, output: &str) {
    let harm = output.chars().find(|character| *character != '\n' && is_harmful(*character));
    assert_eq!(harm, None, "{about}: {output:?}");
    assert!(!output.contains("\nomphalos: FORGED"), "{about}: {output}");
}

fn harmless(about: &str, program: Program) -> Exited {
    let ended = program.run();
    assert_harmless(about, &ended.output);
    assert!(!ended.output.contains("panicked"), "{about}: {}", ended.output);
    ended
}

/// A log with a hostile name, and what is in it.
fn log(directory: &Path) -> String {
    let path = directory.join(format!("{HOSTILE}.log"));
    let line = json!({
        "@timestamp": "2026-11-22T01:00:00Z", "message": HOSTILE, "host": { "name": HOSTILE }, HOSTILE: HOSTILE,
        "log": { "level": HOSTILE }, "url": { "path": HOSTILE }, "http": { "request": { "method": HOSTILE } },
    });
    let other = json!({ "@timestamp": "2026-11-22T01:00:00Z", HOSTILE: HOSTILE });
    fs::write(&path, format!("{line}\n{other}\nnot {}json\n", HOSTILE.replace('\n', "")))
        .expect("a log");
    path.display().to_string()
}

fn heartbeat() -> Value {
    let host = Host { name: HOSTILE.to_owned(), id: None };
    let service = Service { name: HOSTILE.to_owned(), version: HOSTILE.to_owned() };
    let now = Now { problems: vec![HOSTILE.to_owned()], ..Now::default() };
    let heartbeat = Maker::new(host, service, "", Duration::from_secs(30)).make(now);
    serde_json::to_value(&heartbeat).expect("a heartbeat")
}

#[test]
fn no_command_says_what_strangers_wrote_as_it_is() {
    let alone = Alone::new();
    let directory = alone.directory.path();
    let path = log(directory);
    let parser = ["--parser", "json"];
    let imported = harmless("import", alone.with_state("import").arg(&path).args(parser));
    assert_eq!(imported.code, Some(0), "{}", imported.output);
    let mut store = alone.start_store();
    let elastic = alone.elastic();
    elastic.wait_for_count(3);
    elastic.must(Method::POST, "omphalos-fleet-2026.11/_doc", &heartbeat());

    harmless(
        "parse",
        Program::new("omphalos", &directory.join("parse.out")).arg("parse").arg(&path).args(parser),
    );
    harmless(
        "shipper check",
        Program::new("omphalos-shipper", &directory.join("check.out"))
            .arg("check")
            .arg(&path)
            .option("--state-dir", directory.join("checked").display())
            .option("--amqp-url", "amqp://127.0.0.1:1"),
    );
    let search = || alone.omphalos("search");
    for more in
        [&["FORGED"][..], &["--json"], &["--color", "never"], &["--histogram"], &["nothing:there"]]
    {
        harmless(&format!("search {more:?}"), search().args(more));
    }
    let audit = || alone.omphalos("audit").arg(&path).args(parser);
    for more in [&[][..], &["--json"], &["--host-id", "other"]] {
        harmless(&format!("audit {more:?}"), audit().args(more));
    }
    for more in [
        &["--once"][..],
        &["--once", "--json"],
        &["--once", "--dimension", HOSTILE],
        &["--batch", "1"],
    ] {
        let top =
            Program::new("omphalos", &directory.join("top.out")).arg("top").arg(&path).args(parser);
        harmless(&format!("top {more:?}"), top.args(more));
    }
    for more in [&[][..], &["--json"]] {
        let fleet = harmless(&format!("fleet {more:?}"), alone.omphalos("fleet").args(more));
        assert!(fleet.output.contains("FORGED"), "{}", fleet.output);
    }
    assert_eq!(store.terminate(), Some(0));
    assert_harmless("the store's log", &store.log());
}

#[test]
fn dead_letters_and_streams_are_shown_harmlessly() {
    let alone = Alone::new();
    let directory = alone.directory.path();
    let file = directory.join(format!("{HOSTILE}.ndjson"));
    let letter = json!({
        "x-omphalos-status": HOSTILE, "x-omphalos-type": HOSTILE, "x-omphalos-reason": HOSTILE,
        "x-omphalos-at": HOSTILE, "x-omphalos-id": HOSTILE, "x-omphalos-index": HOSTILE,
        "x-omphalos-dataset": HOSTILE, "document": json!({ HOSTILE: HOSTILE }).to_string(),
    });
    fs::write(&file, format!("{letter}\n{HOSTILE}\n")).expect("a letter");
    for more in [&["list"][..], &["list", "--json"], &["show"], &["drop", "--id", "none", "--yes"]]
    {
        let dead = Program::new("omphalos", &directory.join("dead.out")).arg("dead").args(more);
        harmless(&format!("dead {more:?}"), dead.option("--dead-file", file.display()));
    }
    let state = directory.join("udp");
    fs::create_dir(&state).expect("a directory");
    let stream = StreamAccount {
        stream: HOSTILE.to_owned(),
        host: HOSTILE.to_owned(),
        source: HOSTILE.to_owned(),
        first: 0,
        next: 1,
        settled: 1,
        counts: Totals::default(),
        documents_sent: 1,
        missing: 0,
        unseen: Vec::new(),
        last_mark: None,
        last_heartbeat: None,
        ended: true,
        pieces: Vec::new(),
        sealed: None,
        answers: false,
        seen_at: 0,
    };
    let totals = Totals { refused: [(HOSTILE.to_owned(), 1)].into(), ..Totals::default() };
    let ledger = Ledger { streams: vec![stream], totals, ..Ledger::default() };
    LedgerFile::new(&state).save(&ledger).expect("saved");
    for more in [&["streams"][..], &["streams", "--json"]] {
        let streams = Program::new("omphalos-indexer", &directory.join("streams.out")).args(more);
        let told = harmless(&format!("{more:?}"), streams.option("--state-dir", state.display()));
        assert!(told.output.contains("FORGED"), "{}", told.output);
    }
}

/// Answers each request with a hostile error.
fn hostile_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let reply = |mut stream: TcpStream| {
        if !stream.read(&mut [0; 16 * 1024]).is_ok_and(|read| read > 0) {
            return;
        }
        let body =
            json!({ "error": { "type": HOSTILE, "reason": HOSTILE }, "status": 400 }).to_string();
        let head = "HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\nconnection: close\r\n";
        // Who asked may have gone.
        stream
            .write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes())
            .ok();
    };
    thread::spawn(move || listener.incoming().flatten().for_each(reply));
    url
}

#[test]
fn the_words_of_a_hostile_server_are_repeated_harmlessly() {
    let alone = Alone::new();
    let directory = alone.directory.path();
    let (path, url) = (log(directory), hostile_server());
    let state = directory.join("state").display().to_string();
    for (name, words) in [
        ("omphalos", vec!["search", "x", "--url", &url]),
        ("omphalos", vec!["audit", &path, "--elasticsearch-url", &url]),
        ("omphalos", vec!["fleet", "--url", &url]),
        ("omphalos", vec!["import", &path, "--elasticsearch-url", &url, "--state-dir", &state]),
        (
            "omphalos-indexer",
            vec!["check", "--elasticsearch-url", &url, "--amqp-url", "amqp://127.0.0.1:1"],
        ),
    ] {
        let about = format!("{name} {}", words[0]);
        let ended = harmless(&about, Program::new(name, &directory.join("said")).args(&words));
        assert_ne!(ended.code, Some(0), "{about}: {}", ended.output);
        fs::remove_file(directory.join("said")).expect("the output");
    }
    for format in ["human", "json"] {
        let mut process = alone
            .with_state("run")
            .arg(&path)
            .args(["--log-format", format])
            .option("--elasticsearch-url", &url)
            .start();
        process.wait_for_log("FORGED");
        process.kill();
        assert_harmless(&format!("the log as {format}"), &process.log());
        fs::remove_file(directory.join("run.out")).expect("the log");
    }
}

/// All modes below a directory.
fn assert_private(directory: &Path) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let found = fs::symlink_metadata(&path).expect("a file");
        let mode = found.permissions().mode() & 0o777;
        let most = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode & !most, 0, "{} has the mode {mode:o}", path.display());
        if found.is_dir() {
            assert_private(&path);
        }
    }
}

#[test]
fn whatever_the_umask_is_all_that_is_kept_is_its_owners_alone() {
    let alone = Alone::new();
    let directory = alone.directory.path();
    let log = directory.join("a.log");
    fs::write(&log, "{\"@timestamp\":\"2026-11-22T01:00:00Z\",\"a\":1}\n").expect("a log");
    let without_umask = ["sh", "-c", "umask 0; exec \"$@\"", "sh"];
    let state = directory.join("all/state");
    let run = || alone.omphalos("run").under(&without_umask).option("--state-dir", state.display());
    let mut process = run()
        .arg(log.display())
        .args(["--parser", "json", "--checkpoint-interval", "20ms"])
        .args(["--receive-listen", "127.0.0.1:0"])
        .start();
    alone.elastic().wait_for_count(1);
    omphalos_tests::eventually("the checkpoint is written", || {
        omphalos_tests::holds(state.join("checkpoint").exists(), "none")
    });
    assert_eq!(process.terminate(), Some(0), "{}", process.log());
    assert_private(directory.join("all").as_path());
    let mode = fs::metadata(directory.join("all")).expect("a directory").mode() & 0o777;
    assert_eq!(mode, 0o700, "the directory itself");
}
