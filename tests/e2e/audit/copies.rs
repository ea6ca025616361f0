//! A file under other names: rotated, compressed, copied, moved.

use std::fs;
use std::path::Path;

use omphalos_tests::{LogFile, Program, Stack};
use serde_json::{Value, json};

use super::{
    audit, audit_at, audit_log, code_of, counts, delete_at, drained, host_id, indexed, json_of,
    line_starts, missing_lines, ranges, shipped, tool,
};

#[test]
fn rotated_compressed_and_copied_files_are_audited_each_by_itself() {
    let stack = Stack::shared();
    let mut log = indexed(&stack, 2_000);
    let path = |name: &str| stack.path(name);
    log.rotate(1);
    log.append(1_000);
    shipped(&stack, &log);
    log.copy_and_truncate(2);
    log.append(500);
    shipped(&stack, &log);
    stack.elastic().wait_for_count(3_500);
    fs::copy(path("access.log.1"), path("access.log.4")).expect("a copy");
    tool(&["gzip", &path("access.log.4").display().to_string()]);
    let text = fs::read(path("access.log.2")).expect("the copy");
    let packed = zstd::encode_all(&text[..], 3).expect("zstd");
    fs::write(path("access.log-20261122.zst"), packed).expect("an archive");
    let names = [
        "access.log",
        "access.log.1",
        "access.log.2",
        "access.log.4.gz",
        "access.log-20261122.zst",
    ];
    let files = names.map(path);
    let all: Vec<&Path> = files.iter().map(AsRef::as_ref).collect();
    let exited = audit_log(&stack, &all).arg("--json").run();
    let whole: Value =
        serde_json::from_str(code_of(&exited, 0).lines().last().unwrap_or_default()).expect("JSON");
    let each = whole["files"].as_array().expect("files").iter().map(counts);
    let found: Vec<u64> = each.map(|counts| counts[1]).collect();
    assert_eq!(found, [500, 2_000, 1_000, 2_000, 1_000]);
    let people = audit_log(&stack, &all).run();
    let total = "total of 5 files: 6,500 lines, 6,500 documents: 6,500 found, ";
    assert!(code_of(&people, 0).contains(total), "{}", people.output);

    // What is missing in the original is missing in its archive, at the same place.
    let starts = line_starts(&text);
    delete_at(&stack.elastic(), [starts[600], starts[601], starts[999]]);
    for file in &files[2..] {
        let expected = if file == &files[3] { vec![] } else { vec![601..=602, 1_000..=1_000] };
        let expected: Vec<_> =
            expected.into_iter().map(|lines| missing_lines(&starts, lines)).collect();
        let code = i32::from(!expected.is_empty());
        assert_eq!(ranges(&json_of(audit_log(&stack, &[file]), code)), expected, "{file:?}");
    }
}

#[test]
fn a_file_that_was_moved_is_audited_as_what_it_was() {
    let stack = Stack::shared();
    let log = indexed(&stack, 1_000);
    let moved = stack.path("backup/old-access");
    fs::create_dir_all(stack.path("backup")).expect("a directory");
    fs::rename(log.path(), &moved).expect("moved");
    let known = log.path().display().to_string();
    let exited = audit_log(&stack, &[&moved]).option("--as", &known).run();
    let output = code_of(&exited, 0);
    assert!(output.contains(&format!("old-access as {known}\n")), "{output}");
    // The shipper's state knows it by its inode.
    let exited = audit_log(&stack, &[&moved]).run();
    assert!(code_of(&exited, 0).contains(&format!("old-access as {known}\n")));
    // Without either its lines would be shipped once more, under other ids.
    let host = host_id(&stack.elastic());
    let exited = audit_at(&stack, &[&moved], &stack.search_url())
        .args(["--parser", "combined", "--host-id", &host, "--host-name", "web1"])
        .args(["--repair", "--amqp-url", &stack.amqp_url()])
        .run();
    let output = code_of(&exited, 1);
    assert!(output.contains(&format!("at the same places of {known} from the host")), "{output}");
    assert!(output.contains("nothing is shipped"), "{output}");
    assert_eq!(stack.amqp().ready("omphalos.index"), Ok(0));
}

#[test]
fn a_damaged_archive_is_no_complete_audit() {
    let stack = Stack::shared();
    let log = indexed(&stack, 5_000);
    let copy = stack.path("access.log.1");
    fs::copy(log.path(), &copy).expect("a copy");
    tool(&["gzip", &copy.display().to_string()]);
    let archive = stack.path("access.log.1.gz");
    let mut bytes = fs::read(&archive).expect("the archive");
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 64] {
        *byte ^= 0xa5;
    }
    fs::write(&archive, &bytes).expect("the archive");
    let exited = audit_log(&stack, &[&archive]).run();
    let output = code_of(&exited, 1);
    assert!(output.contains("the archive is damaged"), "{output}");
    assert!(output.contains("not all of the file could be read"), "{output}");
}

#[test]
fn the_settings_files_of_shipper_and_indexer_say_what_a_file_is() {
    let stack = Stack::shared();
    let text: String = (0..30).fold(String::new(), |text, number| {
        text + &format!("{}\n", json!({ "ts": 1_795_349_700 + number, "n": number }))
    });
    let path = stack.path("shop.json");
    fs::write(&path, text).expect("a log");
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(40);
    let directory = stack.directory().display();
    let shipper = stack.path("shipper.toml");
    let settings = format!(
        "state_dir = \"{directory}/state\"\nhost_name = \"web1\"\n[amqp]\nurl = [\"{}\"]\n\
         [[monitor]]\npaths = [\"{directory}/*.json\"]\nparser = \"json\"\ndataset = \"shop\"\n\
         [[monitor]]\npaths = [\"{directory}/access.log\"]\nparser = \"combined\"\n",
        stack.amqp_url()
    );
    fs::write(&shipper, settings).expect("settings");
    let indexer = stack.path("indexer.toml");
    let settings = format!(
        "[elasticsearch]\nurl = [\"{}\"]\n[index]\nprefix = \"{}\"\nperiod = \"month\"\n",
        stack.search_url(),
        stack.prefix()
    );
    fs::write(&indexer, settings).expect("settings");
    let shipped = Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .option("--config", shipper.display())
        .arg("--once")
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let audited = |name: &str| {
        Program::new("omphalos", &stack.path(&format!("{name}.log")))
            .args(["audit", &path.display().to_string(), &log.path().display().to_string()])
            .option("--config", shipper.display())
            .option("--indexer-config", indexer.display())
            .run()
    };
    let before = audited("before");
    let output = code_of(&before, 1);
    assert!(output.contains("messages wait in the queue omphalos.index and may hold"), "{output}");
    assert!(
        output.contains("70 documents: 0 found, 0 not delivered, 0 dead-lettered, 70 missing"),
        "{output}"
    );
    let drained = Program::new("omphalos-indexer", &stack.path("indexer.log"))
        .option("--config", indexer.display())
        .option("--amqp-url", stack.amqp_url())
        .arg("--drain")
        .run();
    assert_eq!(drained.code, Some(0), "{}", drained.output);
    let after = audited("after");
    let total = "total of 2 files: 70 lines, 70 documents: 70 found, ";
    assert!(code_of(&after, 0).contains(total), "{}", after.output);
}

#[test]
fn a_container_log_is_audited_by_the_lines_of_its_file() {
    let stack = Stack::shared();
    let path = stack.path("pod.log");
    let text: String = (0..20).fold(String::new(), |text, number| {
        let stream = if number % 2 == 0 { "stdout" } else { "stderr" };
        let end = if number % 5 == 4 { "P" } else { "F" };
        text + &format!("2026-11-22T10:00:{number:02}.5Z {stream} {end} message {number}\n")
    });
    fs::write(&path, &text).expect("a log");
    let shipped = Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .arg(path.display())
        .args(["--container", "cri", "--once"])
        .option("--state-dir", stack.path("state").display())
        .option("--amqp-url", stack.amqp_url())
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    drained(&stack);
    let count = stack.elastic().documents(&[]).len() as u64;
    let file = json_of(audit(&stack, &[&path]).args(["--container", "cri"]), 0);
    assert_eq!(counts(&file), [count, count, 0, 0, 0]);
    // Their times are those of the runtime, so the shipper's state is not needed.
    let host = host_id(&stack.elastic());
    let blind = audit_at(&stack, &[&path], &stack.search_url());
    let file = json_of(blind.args(["--container", "cri", "--host-id", &host]), 0);
    assert_eq!(counts(&file), [count, count, 0, 0, 0]);
}
