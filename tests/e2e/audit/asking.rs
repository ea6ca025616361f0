//! Elasticsearch as it may answer, in its versions.

use std::sync::atomic::{AtomicUsize, Ordering};

use omphalos_tests::{Action, Engine, Interposer, Stack};

use super::{audit_at, audit_log, code_of, counts, delete_at, indexed, json_of, line_starts};

#[test]
fn an_elasticsearch_that_is_busy_away_or_broken_for_a_moment_is_asked_again() {
    let stack = Stack::shared();
    let log = indexed(&stack, 6_000);
    let starts = line_starts(&std::fs::read(log.path()).expect("the log"));
    delete_at(&stack.elastic(), [starts[9]]);
    let asked = AtomicUsize::new(0);
    let guard = Interposer::before(&stack.search_url(), move |_| {
        match asked.fetch_add(1, Ordering::Relaxed) {
            0 | 9 => Action::Answer(
                429,
                r#"{"error":{"type":"es_rejected_execution_exception","reason":"full"}}"#,
            ),
            1 | 7 => Action::Answer(503, "{}"),
            2 | 11 => Action::Cut(10),
            3 => Action::Answer(200, r#"{"docs":[{"found":true}]}"#),
            4 => Action::Answer(200, "{}"),
            5 => Action::Answer(200, "<html>a proxy</html>"),
            6 => Action::Change(|text| {
                text.replacen(
                    "\"found\":true",
                    "\"error\":{\"type\":\"no_shard_available_action_exception\"}",
                    1,
                )
            }),
            _ => Action::Forward,
        }
    });
    let state = stack.path("state").display().to_string();
    let options = ["--parser", "combined", "--state-dir", &state];
    let audited = audit_at(&stack, &[log.path()], &guard.url()).args(options).run();
    let output = code_of(&audited, 1);
    assert!(output.contains("; trying again"), "{output}");
    assert!(output.contains("found                 5,999\n"), "{output}");
    assert!(output.contains("1 line    10 "), "{output}");
    // A search that sees only some of the shards says nothing.
    let searched = AtomicUsize::new(0);
    guard.change(move |request| {
        let is_search = request.line.contains("_search");
        if is_search && searched.fetch_add(1, Ordering::Relaxed) == 0 {
            return Action::Answer(200, r#"{"timed_out":true}"#);
        }
        Action::Forward
    });
    let audited = audit_at(&stack, &[log.path()], &guard.url()).args(options).run();
    assert!(code_of(&audited, 1).contains("the search took too long; trying again"));
}

#[test]
fn requests_that_are_too_large_are_made_smaller() {
    let stack = Stack::shared();
    let log = indexed(&stack, 8_000);
    let guard = Interposer::before(&stack.search_url(), |request| {
        if request.body.len() > 20_000 { Action::Answer(413, "") } else { Action::Forward }
    });
    let state = stack.path("state").display().to_string();
    let options = ["--parser", "combined", "--state-dir", &state];
    let audited = audit_at(&stack, &[log.path()], &guard.url()).args(options);
    assert_eq!(counts(&json_of(audited, 0)), [8_000, 8_000, 0, 0, 0]);
}

#[test]
fn wrong_credentials_and_a_wrong_address_are_said_at_once() {
    let stack = Stack::shared();
    let log = indexed(&stack, 10);
    let state = stack.path("state").display().to_string();
    let options = ["--parser", "combined", "--state-dir", &state];
    for (status, expected) in [
        (401, "refuses our credentials"),
        (403, "grant the privileges read"),
        (404, "is elasticsearch.url right?"),
    ] {
        let guard = Interposer::before(&stack.search_url(), move |_| Action::Answer(status, "{}"));
        let refused = audit_at(&stack, &[log.path()], &guard.url()).args(options).run();
        assert!(code_of(&refused, 2).contains(expected), "{}", refused.output);
    }
    // Who may not refresh may still ask.
    let guard = Interposer::before(&stack.search_url(), |request| {
        if request.line.contains("_refresh") { Action::Answer(403, "{}") } else { Action::Forward }
    });
    let mut log = log;
    log.append(5);
    let audited = audit_at(&stack, &[log.path()], &guard.url()).args(options);
    assert_eq!(counts(&json_of(audited, 0)), [15, 10, 5, 0, 0]);
}

#[test]
fn documents_in_indices_of_another_period_are_found() {
    let stack = Stack::shared();
    let log = indexed(&stack, 3_000);
    for period in ["month", "none"] {
        let audited = audit_log(&stack, &[log.path()]).option("--index-period", period);
        assert_eq!(counts(&json_of(audited, 0)), [3_000, 3_000, 0, 0, 0], "{period}");
    }
    let outliers = audit_log(&stack, &[log.path()]).option("--index-outlier-past-days", 0);
    assert_eq!(counts(&json_of(outliers, 0)), [3_000, 3_000, 0, 0, 0]);
}

fn answers_as_it_should(engine: Engine) {
    let stack = Stack::with_search(engine, &[]);
    let log = indexed(&stack, 7_000);
    assert_eq!(counts(&json_of(audit_log(&stack, &[log.path()]), 0)), [7_000, 7_000, 0, 0, 0]);
    let other = audit_log(&stack, &[log.path()]).args(["--host-id", "other"]).run();
    assert!(code_of(&other, 1).contains("lines of the same times"), "{}", other.output);
    let starts = line_starts(&std::fs::read(log.path()).expect("the log"));
    delete_at(&stack.elastic(), [starts[4], starts[5]]);
    assert_eq!(counts(&json_of(audit_log(&stack, &[log.path()]), 1)), [7_000, 6_998, 0, 0, 2]);
    stack.elastic().delete_all();
    assert_eq!(counts(&json_of(audit_log(&stack, &[log.path()]), 1)), [7_000, 0, 0, 0, 7_000]);
}

#[test]
fn elasticsearch_7_can_be_audited() {
    answers_as_it_should(Engine::Es7);
}

#[test]
fn opensearch_can_be_audited() {
    answers_as_it_should(Engine::OpenSearch);
}
