//! What is missing is brought back, and dead letters are named.

use std::fs;

use omphalos_tests::{Program, Stack};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    audit, audit_log, code_of, counts, delete_at, drained, indexed, json_of, line_starts, ranges,
};

fn repair(stack: &Stack, program: Program) -> Program {
    program.option("--amqp-url", stack.amqp_url()).args(["--host-name", "web1", "--repair"])
}

#[test]
fn what_was_deleted_comes_back_once() {
    let stack = Stack::shared();
    let log = indexed(&stack, 3_000);
    let before = stack.elastic().documents(&[]);
    let whole = |mut documents: Vec<(String, Value)>| {
        documents.sort_by(|left, right| left.0.cmp(&right.0));
        documents
    };
    let starts = line_starts(&fs::read(log.path()).expect("the log"));
    let gone = [0, 17, 18, 19, 1_500, 2_999].map(|line| starts[line]);
    delete_at(&stack.elastic(), gone);
    let indexer = stack.indexer().listening().start();
    let repaired = repair(&stack, audit_log(&stack, &[log.path()])).run();
    let output = code_of(&repaired, 0);
    assert!(output.contains("missing                   6\n"), "{output}");
    assert!(output.contains("shipped 6 missing documents, and found all of them"), "{output}");
    // Only those: nothing that was there was sent again.
    assert!((5.5..6.5).contains(&indexer.metric("omphalos_documents_received_total")));
    log.assert_indexed_once(&stack.elastic());
    // And they are what the shipper made of them.
    assert_eq!(whole(stack.elastic().documents(&[])), whole(before));
    assert_eq!(counts(&json_of(audit_log(&stack, &[log.path()]), 0)), [3_000, 3_000, 0, 0, 0]);
    // Where nothing is missing nothing is shipped.
    let again = repair(&stack, audit_log(&stack, &[log.path()])).run();
    assert!(!code_of(&again, 0).contains("shipped"), "{}", again.output);
}

#[test]
fn an_index_that_was_deleted_is_missing_altogether_and_comes_back() {
    let stack = Stack::shared();
    let log = indexed(&stack, 12_000);
    stack.elastic().delete_all();
    let file = json_of(audit_log(&stack, &[log.path()]), 1);
    assert_eq!(counts(&file), [12_000, 0, 0, 0, 12_000]);
    let length = fs::metadata(log.path()).expect("the log").len();
    assert_eq!(ranges(&file), [("missing".to_owned(), [1, 12_000, 0, length])]);
    let _indexer = stack.indexer().start();
    let file = json_of(repair(&stack, audit_log(&stack, &[log.path()])), 0);
    assert_eq!((file["shipped"].as_u64(), file["repaired"].as_u64()), (Some(12_000), Some(12_000)));
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn what_does_not_arrive_in_time_is_still_missing() {
    let stack = Stack::shared();
    let log = indexed(&stack, 100);
    let starts = line_starts(&fs::read(log.path()).expect("the log"));
    delete_at(&stack.elastic(), [starts[50]]);
    // Nobody indexes.
    let program = repair(&stack, audit_log(&stack, &[log.path()]));
    let late = program.args(["--repair-timeout", "500ms"]).run();
    let output = code_of(&late, 1);
    assert!(output.contains("shipped 1 of 1 missing documents, and found 0 of them"), "{output}");
    drained(&stack);
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn dead_letters_are_named_with_their_reason_and_not_shipped_again() {
    let stack = Stack::shared();
    let elastic = stack.elastic();
    let index = format!("{}-app-2026.11.22", stack.prefix());
    elastic.must(Method::PUT, &index, &json!({"mappings": {"properties": {"order": {"dynamic": "strict", "properties": {"id": {"type": "long"}}}}}}));
    let path = stack.path("app.json");
    let order = |hour: u32, order: Value| {
        format!(
            "{}\n",
            json!({ "@timestamp": format!("2026-11-22T{hour:02}:00:00Z"), "order": order })
        )
    };
    let text = order(1, json!({"id": 1}))
        + &order(2, json!({"id": 2, "note": "x"}))
        + &order(3, json!({"id": 3, "more": 1}))
        + &order(4, json!({"id": 4, "less": 1}))
        + &order(5, json!({"id": 5}));
    fs::write(&path, &text).expect("a log");
    let settings = ["--parser", "json", "--dataset", "app"];
    let shipped = Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .arg(path.display())
        .args(settings)
        .args(["--once", "--host-name", "web1"])
        .option("--state-dir", stack.path("state").display())
        .option("--amqp-url", stack.amqp_url())
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    drained(&stack);
    elastic.wait_for_count(2);
    // Without the broker nobody can tell why they are not there.
    let audited = || audit(&stack, &[&path]).args(settings);
    assert_eq!(counts(&json_of(audited(), 1)), [5, 2, 0, 0, 3]);
    let known = || audited().option("--amqp-url", stack.amqp_url());
    let exited = known().run();
    let output = code_of(&exited, 0);
    assert!(
        output.contains("dead-lettered             1   400 strict_dynamic_mapping_exception: "),
        "{output}"
    );
    assert!(output.contains("dead-lettered           1 line    2 "), "{output}");
    let file = json_of(known(), 0);
    assert_eq!(counts(&file), [5, 2, 0, 3, 0]);
    let reasons = file["ranges"].as_array().expect("ranges").iter().map(|range| &range["type"]);
    assert!(
        reasons.clone().all(|kind| kind.as_str().is_some_and(|kind| kind.ends_with("exception")))
    );
    // Looking did not take them out, and a repair leaves them where they are.
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(3));
    delete_at(&elastic, [line_starts(text.as_bytes())[4]]);
    let _indexer = stack.indexer().start();
    let exited = repair(&stack, audited()).run();
    assert!(code_of(&exited, 0).contains("shipped 1 missing documents, and found all of them"));
    elastic.wait_for_count(2);
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(3));
}
