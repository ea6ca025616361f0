//! Lines without a time of their own, whose ids only their shipper knows.

use std::fmt::Write;
use std::fs;

use omphalos_tests::{Program, Stack};

use super::{
    audit, audit_at, code_of, counts, delete_at, drained, host_id, json_of, line_starts,
    missing_lines, ranges, tool,
};

fn lines(numbers: std::ops::Range<u32>) -> String {
    numbers.fold(String::new(), |mut text, number| {
        writeln!(text, "something happened, number {number}").expect("text");
        text
    })
}

fn shipper(stack: &Stack, name: &str) -> Program {
    Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .arg(stack.path(name).display())
        .option("--state-dir", stack.path("state").display())
        .option("--amqp-url", stack.amqp_url())
}

#[test]
fn lines_without_a_time_need_the_state_of_their_shipper_which_may_run() {
    let stack = Stack::shared();
    let path = stack.path("app.log");
    fs::write(&path, lines(0..3_000)).expect("a log");
    let _indexer = stack.indexer().start();
    let mut shipper = shipper(&stack, "app.log").start();
    stack.elastic().wait_for_count(3_000);
    // Found at another time, so the seconds in their ids are others.
    let mut file = fs::File::options().append(true).open(&path).expect("the log");
    std::io::Write::write_all(&mut file, lines(3_000..3_100).as_bytes()).expect("the log");
    stack.elastic().wait_for_count(3_100);
    let host = host_id(&stack.elastic());
    let blind = || audit_at(&stack, &[&path], &stack.search_url()).option("--host-id", &host);
    let refused = blind().run();
    let output = code_of(&refused, 2);
    assert!(output.contains("the line at byte 0 has no time of its own"), "{output}");
    assert!(output.contains("--state-dir"), "{output}");
    assert!(shipper.is_running());
    assert_eq!(counts(&json_of(audit(&stack, &[&path]), 0)), [3_100, 3_100, 0, 0, 0]);
    // The checkpoint was looked at and left alone.
    assert_eq!(shipper.terminate(), Some(0), "{}", shipper.log());
    let starts = line_starts(&fs::read(&path).expect("the log"));
    delete_at(&stack.elastic(), [starts[6], starts[7], starts[3_050]]);
    let found = json_of(audit(&stack, &[&path]), 1);
    let expected = [7..=8, 3_051..=3_051].map(|lines| missing_lines(&starts, lines));
    assert_eq!(ranges(&found), expected);
}

#[test]
fn lines_without_a_time_are_found_after_a_rotation_and_in_an_archive() {
    let stack = Stack::shared();
    let path = stack.path("app.log");
    fs::write(&path, lines(0..500)).expect("a log");
    assert_eq!(shipper(&stack, "app.log").arg("--once").run().code, Some(0));
    drained(&stack);
    let rotated = stack.path("app.log.1");
    fs::rename(&path, &rotated).expect("rotated");
    assert_eq!(counts(&json_of(audit(&stack, &[&rotated]), 0)), [500, 500, 0, 0, 0]);
    tool(&["gzip", &rotated.display().to_string()]);
    let archive = stack.path("app.log.1.gz");
    assert_eq!(counts(&json_of(audit(&stack, &[&archive]), 0)), [500, 500, 0, 0, 0]);
    // A file that the shipper never saw.
    fs::write(&path, lines(900..950)).expect("a log");
    let refused = audit(&stack, &[&path]).run();
    assert!(code_of(&refused, 2).contains("says nothing of this file"), "{}", refused.output);
}

#[test]
fn lines_without_a_time_before_the_first_with_one_are_told_apart() {
    let stack = Stack::shared();
    let path = stack.path("access.log");
    let timed =
        "203.0.113.9 - - [22/Nov/2026:12:15:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n";
    fs::write(&path, format!("starting\nstill starting\n{timed}broken\n{timed}")).expect("a log");
    let shipped = shipper(&stack, "access.log").args(["--parser", "combined", "--once"]).run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    drained(&stack);
    let audited = || audit(&stack, &[&path]).args(["--parser", "combined"]);
    assert_eq!(counts(&json_of(audited(), 0)), [5, 5, 0, 0, 0]);
    delete_at(&stack.elastic(), [9]);
    let file = json_of(audited(), 1);
    assert_eq!(ranges(&file), [("missing".to_owned(), [2, 2, 9, 24])]);
}

#[test]
fn lines_without_a_time_are_shipped_again_only_when_they_cannot_be_under_way() {
    let stack = Stack::shared();
    let path = stack.path("app.log");
    fs::write(&path, lines(0..200)).expect("a log");
    assert_eq!(shipper(&stack, "app.log").arg("--once").run().code, Some(0));
    let repair = || {
        let program = audit(&stack, &[&path]).option("--amqp-url", stack.amqp_url());
        program.args(["--repair", "--repair-timeout", "5s"])
    };
    // They wait in the queue; shipped now they would be there twice.
    let refused = repair().run();
    let output = code_of(&refused, 1);
    assert!(
        output.contains("200 missing lines have no time of their own and are not shipped"),
        "{output}"
    );
    drained(&stack);
    stack.elastic().wait_for_count(200);
    let starts = line_starts(&fs::read(&path).expect("the log"));
    delete_at(&stack.elastic(), [starts[3], starts[100]]);
    let _indexer = stack.indexer().start();
    let repaired = repair().run();
    assert!(code_of(&repaired, 0).contains("found all of them"), "{}", repaired.output);
    stack.elastic().wait_for_count(200);
    assert_eq!(counts(&json_of(audit(&stack, &[&path]), 0)), [200, 200, 0, 0, 0]);
}

#[test]
fn only_lines_with_a_time_are_shipped_while_others_may_be_under_way() {
    let stack = Stack::shared();
    let path = stack.path("access.log");
    let timed =
        "203.0.113.9 - - [22/Nov/2026:12:15:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n";
    fs::write(&path, format!("starting\n{timed}{timed}")).expect("a log");
    let shipped = shipper(&stack, "access.log").args(["--parser", "combined", "--once"]).run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let repaired = audit(&stack, &[&path])
        .args(["--parser", "combined", "--repair", "--repair-timeout", "500ms"])
        .option("--amqp-url", stack.amqp_url())
        .run();
    let output = code_of(&repaired, 1);
    assert!(output.contains("shipped 2 of 3 missing documents"), "{output}");
    drained(&stack);
    stack.elastic().wait_for_count(3);
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(0));
}
