//! Ids that nobody can make collide, and files that keep those that they were begun with.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use omphalos_tests::{LogFile, Program, Stack, repository};
use reqwest::Method;
use serde_json::json;

use super::{
    audit, audit_at, audit_log, code_of, counts, delete_at, drained, host_id, json_of, line_starts,
};

const OLD: &str = "00112233445566778899aabbccddeeff";
const NEW: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// A file of keys that only its owner may read.
fn keys(stack: &Stack, name: &str, keys: &[&str]) -> PathBuf {
    let path = stack.path(name);
    fs::write(&path, keys.join("\n")).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner's alone");
    path
}

fn shipped(program: Program) {
    let shipped = program.arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
}

/// An audit of an access log without its shipper's state.
fn blind(stack: &Stack, log: &Path) -> Program {
    audit_at(stack, &[log], &stack.search_url()).args([
        "--parser",
        "combined",
        "--host-id",
        &host_id(&stack.elastic()),
    ])
}

fn repaired(stack: &Stack, program: Program) -> Program {
    program.option("--amqp-url", stack.amqp_url()).args(["--host-name", "web1", "--repair"])
}

#[test]
fn two_lines_that_were_made_to_share_an_id_are_two_documents() {
    let text = fs::read(repository().join("common/src/ids/colliding-lines.log")).expect("lines");
    for (version, expected) in [("1", 1), ("2", 2)] {
        let stack = Stack::shared();
        let path = stack.path("raw.log");
        fs::write(&path, &text).expect("a log");
        let shipper = Program::new("omphalos-shipper", &stack.path("shipper.log"))
            .arg(path.display())
            .option("--id-version", version)
            .option("--state-dir", stack.path("state").display())
            .option("--amqp-url", stack.amqp_url());
        shipped(shipper);
        drained(&stack);
        // Of version 1 the second one is refused as a repeat of the first.
        stack.elastic().wait_for_count(expected);
        if version == "2" {
            assert_eq!(counts(&json_of(audit(&stack, &[&path]), 0)), [2, 2, 0, 0, 0]);
        }
    }
}

#[test]
fn what_was_shipped_before_there_were_keys_is_there_once_after_the_upgrade() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(2_000);
    // An entry of version 1 is written as it was before there were versions.
    let mut shipper = stack.shipper(log.path()).option("--id-version", "1").start();
    let checkpoint = stack.path("state/checkpoint");
    omphalos_tests::eventually("a part is delivered", || {
        let text = fs::read_to_string(&checkpoint).unwrap_or_default();
        omphalos_tests::holds(text.contains("\"offset\":") && !text.contains("\"offset\":0,"), text)
    });
    log.append(2_000);
    shipper.kill();
    assert!(!fs::read_to_string(&checkpoint).expect("a checkpoint").contains("id_version"));
    log.append(1_000);
    shipped(stack.shipper(log.path()));
    drained(&stack);
    log.assert_indexed_once(&stack.elastic());
    // The next file gets ids with a key, and the old one is found under its new name.
    log.rotate(1);
    log.append(1_000);
    let rotated = stack.path("access.log.1");
    shipped(stack.shipper(log.path()));
    drained(&stack);
    log.assert_indexed_once(&stack.elastic());
    for (path, lines, version) in [(rotated.as_path(), 5_000, 1), (log.path(), 1_000, 2)] {
        let file = json_of(blind(&stack, path), 0);
        assert_eq!(counts(&file), [lines, lines, 0, 0, 0], "{file}");
        assert_eq!(file["id_version"], version, "{file}");
    }
    // What comes back has the ids that it had.
    let starts = line_starts(&fs::read(&rotated).expect("the log"));
    delete_at(&stack.elastic(), [starts[2_000], starts[2_001], starts[4_000]]);
    let _indexer = stack.indexer().start();
    let output = repaired(&stack, blind(&stack, &rotated)).run();
    let output = code_of(&output, 0);
    assert!(output.contains("shipped 3 missing documents, and found all of them"), "{output}");
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn a_file_whose_ids_are_partly_of_another_version_is_found_whole() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(1_500);
    shipped(stack.shipper(log.path()).option("--id-version", "1"));
    // The checkpoint is lost, and half of the documents too.
    fs::remove_dir_all(stack.path("state")).expect("removed");
    drained(&stack);
    let starts = line_starts(&fs::read(log.path()).expect("the log"));
    delete_at(&stack.elastic(), starts[..700].iter().copied());
    let file = json_of(blind(&stack, log.path()), 1);
    assert_eq!((counts(&file), &file["id_version"]), ([1_500, 800, 0, 0, 700], &1.into()));
    let _indexer = stack.indexer().start();
    code_of(&repaired(&stack, blind(&stack, log.path())).run(), 0);
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn a_dead_letter_of_another_version_is_no_missing_line() {
    let stack = Stack::shared();
    let index = format!("{}-app-2026.11.22", stack.prefix());
    let mapping = json!({"mappings": {"properties": {"order": {"dynamic": "strict", "properties": {"id": {"type": "long"}}}}}});
    stack.elastic().must(Method::PUT, &index, &mapping);
    let path = stack.path("app.json");
    let line = "{\"@timestamp\":\"2026-11-22T01:00:00Z\",\"order\":{\"note\":\"one\"}}\n";
    fs::write(&path, line).expect("a log");
    let settings = ["--parser", "json", "--dataset", "app"];
    let shipper = Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .arg(path.display())
        .args(settings)
        .option("--id-version", "1")
        .option("--state-dir", stack.path("state").display())
        .option("--amqp-url", stack.amqp_url());
    shipped(shipper);
    drained(&stack);
    // Nothing says with what its ids were made: no checkpoint, and nothing of it is indexed.
    let host = known_host(&stack);
    let audited =
        audit_at(&stack, &[&path], &stack.search_url()).args(settings).option("--host-id", host);
    assert_eq!(counts(&json_of(repaired(&stack, audited), 0)), [1, 0, 0, 1, 0]);
}

/// `host.id` of what is shipped from here.
fn known_host(stack: &Stack) -> String {
    let id = omphalos_shipper::host::known_id(&stack.path("state")).expect("readable");
    id.expect("an id")
}

#[test]
fn a_key_is_changed_without_repeats_and_never_by_accident() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(1_000);
    let old = keys(&stack, "old", &[OLD]);
    let new = keys(&stack, "new", &[NEW]);
    let both = keys(&stack, "both", &["# new first", NEW, OLD]);
    let shipper = |keys: &Path| stack.shipper(log.path()).option("--id-key-file", keys.display());
    shipped(shipper(&old));
    drained(&stack);
    for refused in [shipper(&new), stack.shipper(log.path())] {
        let refused = refused.arg("--once").run();
        assert_eq!(refused.code, Some(2), "{}", refused.output);
        assert!(refused.output.contains("were begun with the key"), "{}", refused.output);
        assert!(!refused.output.contains(OLD) && !refused.output.contains(NEW));
    }
    let check = Program::new("omphalos-shipper", &stack.path("check.log"))
        .args(["check", &log.path().display().to_string()])
        .option("--state-dir", stack.path("state").display())
        .option("--amqp-url", stack.amqp_url())
        .option("--id-key-file", new.display())
        .run();
    assert_eq!(check.code, Some(2), "{}", check.output);
    assert!(check.output.contains("problem  id_key_file: ids of"), "{}", check.output);
    log.append(500);
    log.rotate(1);
    log.append(700);
    shipped(stack.shipper(log.path()).option("--id-key-file", both.display()));
    drained(&stack);
    log.assert_indexed_once(&stack.elastic());
    // The checkpoint says which key a file has; without it all that are given are tried.
    let rotated = stack.path("access.log.1");
    for (path, lines) in [(rotated.as_path(), 1_500), (log.path(), 700)] {
        let with = |program: Program| program.option("--id-key-file", both.display());
        let expected = [lines, lines, 0, 0, 0];
        assert_eq!(counts(&json_of(with(audit_log(&stack, &[path])), 0)), expected);
        assert_eq!(counts(&json_of(with(blind(&stack, path)), 0)), expected);
        let unknown = audit_log(&stack, &[path]).run();
        let output = code_of(&unknown, 2);
        assert!(output.contains("give the shipper's: --id-key-file FILE"), "{output}");
        // Nothing is shipped with a wrong key.
        let wrong = repaired(&stack, blind(&stack, path)).run();
        let output = code_of(&wrong, 1);
        assert!(output.contains("is --id-key-file that which its shipper has?"), "{output}");
        assert!(output.contains("nothing is shipped"), "{output}");
    }
    drained(&stack);
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn a_file_of_keys_that_cannot_be_used_is_refused() {
    let stack = Stack::shared();
    let path = stack.path("a.log");
    fs::write(&path, "x\n").expect("a log");
    let open = keys(&stack, "open", &[OLD]);
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("everybody's");
    let bad = keys(&stack, "bad", &["secret"]);
    for (keys, expected) in [
        (open, "others can read it (mode 644); make it the owner's alone: chmod 600"),
        (bad, "line 1: expected a key of 32 or 64 hexadecimal digits"),
        (stack.path("none"), "cannot read it: No such file"),
    ] {
        let refused = stack.shipper(&path).option("--id-key-file", keys.display()).run();
        assert_eq!(refused.code, Some(2), "{}", refused.output);
        assert!(refused.output.contains(expected), "{}", refused.output);
        assert!(!refused.output.contains("secret"), "{}", refused.output);
    }
}
