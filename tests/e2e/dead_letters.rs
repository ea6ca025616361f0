//! What is refused for good is kept, with the reason, and can be published again.

use std::fs;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use omphalos_tests::{Action, Interposer, Program, Stack, eventually, holds};
use reqwest::Method;
use serde_json::{Value, json};

fn ship_json(stack: &Stack, lines: &str) {
    let path = stack.path("app.json");
    fs::write(&path, lines).expect("a log");
    let shipped = Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .arg(path.display())
        .args(["--parser", "json", "--dataset", "app", "--once", "--host-name", "web1"])
        .option("--state-dir", stack.path("state").display())
        .option("--amqp-url", stack.amqp_url())
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
}

#[test]
fn what_a_strict_mapping_refuses_is_a_dead_letter_and_is_replayed_after_the_fix() {
    let stack = Stack::shared();
    let elastic = stack.elastic();
    let index = format!("{}-app-2026.11.22", stack.prefix());
    elastic.must(Method::PUT, &index, &json!({"mappings": {"properties": {"order": {"dynamic": "strict", "properties": {"id": {"type": "long"}}}}}}));
    ship_json(
        &stack,
        concat!(
            "{\"@timestamp\":\"2026-11-22T01:00:00Z\",\"order\":{\"id\":1}}\n",
            "{\"@timestamp\":\"2026-11-22T03:00:00Z\",\"order\":{\"id\":3,\"more\":1}}\n",
            "{\"@timestamp\":\"2026-11-22T02:00:00Z\",\"order\":{\"id\":2,\"note\":\"x\"}}\n",
        ),
    );
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    elastic.wait_for_count(1);

    let listed = stack.omphalos(&["dead", "list"]).run();
    assert_eq!(listed.code, Some(0), "{}", listed.output);
    assert!(listed.output.contains("strict_dynamic_mapping_exception"), "{}", listed.output);
    assert!(listed.output.contains(&index), "{}", listed.output);
    assert!(listed.output.ends_with("2 dead letters\n"), "{}", listed.output);
    let shown =
        stack.omphalos(&["dead", "show", "--type", "strict_dynamic_mapping_exception"]).run();
    let (_, json) = shown.output.rsplit_once("\n{\n").expect("a JSON object");
    let letter: Value = serde_json::from_str(&format!("{{{json}")).expect("one JSON object");
    assert_eq!(letter["body"]["order"], json!({"id": 2, "note": "x"}));
    assert_eq!(letter["body"]["log"]["file"]["path"], stack.path("app.json").display().to_string());
    assert_eq!(
        (letter["status"].as_str(), letter["routing_key"].as_str()),
        (Some("400"), Some("app.web1"))
    );

    // The fix: the field is allowed. Looking did not take anything out of the queue.
    let note = json!({"properties": {"order": {"properties": {"note": {"type": "keyword"}}}}});
    elastic.must(Method::PUT, &format!("{index}/_mapping"), &note);
    let replayed = stack.omphalos(&["dead", "replay", "--all"]).run();
    assert!(replayed.output.contains("2 dead letters published again"), "{}", replayed.output);
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    elastic.wait_for_count(2);
    assert_eq!(elastic.indices().keys().collect::<Vec<_>>(), [&index], "into the same index");
    // The one that is still wrong has come back.
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(1));
    // Replaying what is indexed already would add nothing, for it has the same id; dropping ends it.
    let refused = stack.omphalos(&["dead", "drop", "--all"]).run();
    assert_eq!(refused.code, Some(2), "{}", refused.output);
    let dropped = stack.omphalos(&["dead", "drop", "--all", "--yes"]).run();
    assert!(dropped.output.ends_with("1 dead letters dropped\n"), "{}", dropped.output);
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(0));
}

/// The answer of a data stream with a failure store to a bulk whose last document is refused.
fn in_failure_store(mut body: String) -> String {
    if let Some(place) = body.find("\"status\":400") {
        body.truncate(place);
        body.push_str("\"status\":201,\"failure_store\":\"used\"}}]}");
    }
    body
}

#[test]
fn what_went_into_a_failure_store_is_a_dead_letter_although_it_is_answered_as_created() {
    let stack = Stack::shared();
    let elastic = stack.elastic();
    let index = format!("{}-app-2026.11.22", stack.prefix());
    elastic.must(
        Method::PUT,
        &index,
        &json!({"mappings": {"properties": {"order": {"properties": {"id": {"type": "long"}}}}}}),
    );
    ship_json(
        &stack,
        concat!(
            "{\"@timestamp\":\"2026-11-22T01:00:00Z\",\"order\":{\"id\":1}}\n",
            "{\"@timestamp\":\"2026-11-22T02:00:00Z\",\"order\":{\"id\":\"two\"}}\n",
        ),
    );
    // It is said only to who asks for it.
    let store = Interposer::before(&stack.search_url(), |request| {
        let is_asked = request.line.contains("_bulk") && request.line.contains("failure_store");
        if is_asked { Action::Change(in_failure_store) } else { Action::Forward }
    });
    let indexer = stack.indexer_to(&store.url()).listening().start();
    eventually("both have their verdict", || {
        let indexed = indexer.metric("omphalos_documents_indexed_total");
        let dead = indexer.metric("omphalos_documents_dead_total");
        let is_so = (indexed - 1.0).abs() < 0.5 && (dead - 1.0).abs() < 0.5;
        holds(is_so, format!("{indexed} indexed, {dead} dead"))
    });
    elastic.wait_for_count(1);
    let listed = stack.omphalos(&["dead", "list"]).run();
    assert!(listed.output.contains("failure_store"), "{}", listed.output);
    assert!(listed.output.ends_with("1 dead letters\n"), "{}", listed.output);
}

#[test]
fn a_dead_letter_that_is_garbled_stays_and_the_others_are_published() {
    let stack = Stack::shared();
    let elastic = stack.elastic();
    ship_json(&stack, "{\"@timestamp\":\"2026-11-22T01:00:00Z\",\"order\":1}\n");
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    elastic.wait_for_count(1);
    let amqp = stack.amqp();
    let letter = |id: &str, day: &str| {
        let mut headers = FieldTable::default();
        for (name, text) in [("id", id), ("dataset", "app"), ("day", day)] {
            let text = AMQPValue::LongString(text.into());
            headers.insert(format!("x-omphalos-{name}").into(), text);
        }
        let properties = BasicProperties::default().with_headers(headers);
        let document = b"{\"@timestamp\":\"2026-11-22T02:00:00Z\",\"order\":2}";
        amqp.publish("", "omphalos.dead", properties, document);
    };
    for (id, day) in [("AAAAAAAAAAAAAAAAAAAAAA", "monday"), ("BBBBBBBBBBBBBBBBBBBBBB", "20779")] {
        letter(id, day);
    }
    let replayed = stack.omphalos(&["dead", "replay", "--all"]).run();
    assert_eq!(replayed.code, Some(1), "{}", replayed.output);
    for part in [
        "the dead letter with id AAAAAAAAAAAAAAAAAAAAAA of dataset app",
        "1 dead letters published again",
        "1 dead letters are garbled and were not published",
    ] {
        assert!(replayed.output.contains(part), "{part}: {}", replayed.output);
    }
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    elastic.wait_for_count(2);
    assert_eq!(amqp.ready("omphalos.dead"), Ok(1));
}

#[test]
fn which_dead_letters_are_meant_must_be_said() {
    let stack = Stack::shared();
    for action in ["replay", "drop"] {
        let refused = stack.omphalos(&["dead", action]).run();
        assert_eq!(refused.code, Some(2), "{}", refused.output);
        assert!(
            refused.output.contains(&format!("omphalos dead {action} --all")),
            "{}",
            refused.output
        );
    }
    let missing = stack.omphalos(&["dead", "list"]).run();
    assert_eq!(missing.code, Some(1), "{}", missing.output);
    assert!(missing.output.contains("queue \"omphalos.dead\""), "{}", missing.output);
}
