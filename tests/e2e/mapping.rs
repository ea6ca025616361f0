//! What does not fit the mapping of its index is indexed all the same, by every engine: a line that is
//! valid never ends as a dead letter for what others said before it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use omphalos_tests::{Elastic, Embedded, Program, Stack};
use reqwest::Method;
use serde_json::{Value, json};

use crate::without_broker::{INDEX, Site, strict, wait_for_dead};

/// Lines that clash with each other: a name is an object here and a value there.
const CLASHING: [&str; 6] = [
    r#"{"@timestamp":"2026-11-22T01:00:00Z","seen":{"by":"a"},"n":1}"#,
    r#"{"@timestamp":"2026-11-22T01:00:01Z","seen":"a value where an object was","n":2}"#,
    r#"{"@timestamp":"2026-11-22T01:00:02Z","n":{"deep":[1,{"er":2}]},"tags":["own"]}"#,
    r#"{"@timestamp":"2026-11-22T01:00:03Z","n":"twelve","at":"2026"}"#,
    r#"{"@timestamp":"2026-11-22T01:00:04Z","seen":["x",3],"big":1e300}"#,
    r#"{"@timestamp":"2026-11-22T01:00:05Z","seen":{"by":"b"},"n":3}"#,
];

/// How many documents have more fields together than an index takes, and how many each.
const WIDE: (usize, usize) = (60, 20);

fn wide(number: usize) -> String {
    let mut line =
        format!(r#"{{"@timestamp":"2026-11-22T02:00:{number:02}Z","wide":{number},"h":{{"#);
    for field in 0..WIDE.1 {
        let comma = if field == 0 { "" } else { "," };
        write!(line, r#"{comma}"x{number}-{field}":"v""#).expect("text");
    }
    line + "}}"
}

/// Ships the lines through the indexer into an engine, and looks at what came of them.
pub fn takes_every_line(stack: &Stack, elastic: &Elastic) {
    let path = stack.path("clash.json");
    let lines: Vec<String> =
        CLASHING.into_iter().map(str::to_owned).chain((0..WIDE.0).map(wide)).collect();
    fs::write(&path, lines.join("\n") + "\n").expect("a log");
    let shipped = Program::new("omphalos-shipper", &stack.path("clash.log"))
        .arg(path.display())
        .args(["--parser", "json", "--dataset", "clash", "--once", "--keep-original=true"])
        .option("--state-dir", stack.path("clash").display())
        .option("--amqp-url", stack.amqp_url())
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    // One document a bulk, so that the first come first and it is known which of them clash.
    let indexed = stack
        .indexer_to(elastic.url())
        .args(["--drain", "--bulk-documents", "1", "--bulk-concurrency", "1"])
        .run();
    assert_eq!(indexed.code, Some(0), "{}", indexed.output);
    let found: BTreeMap<String, Value> = elastic
        .documents(&[])
        .into_iter()
        .map(|(_, document)| (document["event"]["original"].to_string(), document))
        .filter(|(original, _)| original != "null")
        .collect();
    for line in &lines {
        let is_there = found.contains_key(&json!(line).to_string());
        assert!(is_there, "{line} is not there: {}", indexed.output);
    }
    let has_conflict = |document: &Value| {
        document["tags"].as_array().is_some_and(|tags| tags.contains(&json!("mapping_conflict")))
    };
    let conflicts: Vec<&Value> = found.values().filter(|document| has_conflict(document)).collect();
    for line in [CLASHING[1], CLASHING[2], CLASHING[4]] {
        let document = &found[&json!(line).to_string()];
        // OpenSearch ignores an object where a number is expected like any malformed number.
        if line == CLASHING[2] && !has_conflict(document) {
            assert_eq!(document["n"], json!({"deep": [1, {"er": 2}]}));
            continue;
        }
        assert!(has_conflict(document), "{document}");
        // All that was said is in message, as JSON; who said it, and why it is there, are fields.
        let message: Value =
            serde_json::from_str(document["message"].as_str().expect("a message")).expect("JSON");
        let said: Value = serde_json::from_str(line).expect("JSON");
        for (name, value) in said.as_object().expect("an object") {
            assert!(name == "tags" || message[name] == *value, "{name} of {message}");
        }
        assert!(document["error"]["message"].as_str().is_some_and(|reason| !reason.is_empty()));
        assert_eq!(document["@timestamp"], said["@timestamp"]);
        assert_eq!(document["log"]["file"]["path"], path.display().to_string());
        assert_eq!(document["event"]["dataset"], "clash");
    }
    let tags = &found[&json!(CLASHING[2]).to_string()]["tags"];
    assert_eq!(tags[0], "own", "its own tags stay: {tags}");
    for line in [CLASHING[0], CLASHING[5]] {
        assert!(!has_conflict(&found[&json!(line).to_string()]), "{line}");
    }
    let found_by_word = elastic.search("message:\"value where an object was\"");
    assert_eq!(found_by_word.len(), 1, "what was refused is searchable: {conflicts:?}");
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(0), "{}", indexed.output);
    let reported = format!("mapping_conflict={}", conflicts.len());
    assert!(indexed.output.contains(&reported), "{reported}: {}", indexed.output);
}

#[test]
fn the_embedded_store_takes_every_line() {
    let stack = Stack::shared();
    let store = Embedded::start();
    let elastic = Elastic::new(&store.url(), stack.prefix());
    takes_every_line(&stack, &elastic);
    // The store knows fields beyond the limit, so none of the wide ones is in its second form.
    assert!(elastic.search("wide:59").iter().all(|found| found["h"]["x59-0"] == "v"));
}

/// The kind of fault: the log says what becomes of a document before it is known.
#[test]
fn only_what_is_indexed_is_said_to_be() {
    const SAID: &str = "is indexed with its fields as text in message, tagged mapping_conflict";
    let site = Site::new();
    let elastic = site.alone.elastic();
    // Made before the template is there, it knows no message, which the second form has.
    let mut store = site.alone.start_store();
    elastic.must(Method::PUT, INDEX, &strict());
    assert_eq!(store.terminate(), Some(0));
    let process = site.run();
    let line = |day: u8, id: &str| {
        format!("{{\"@timestamp\":\"2026-11-{day}T01:00:00Z\",\"order\":{{\"id\":{id}}}}}\n")
    };
    let mut text = line(22, "{\"a\":1}");
    fs::write(&site.log, &text).expect("the log");
    wait_for_dead(&process, 1);
    process.wait_for_log("a document is refused and goes to the dead letters");
    assert_eq!(process.count_in_log(SAID), 0, "{}", process.log());
    for id in ["1", "{\"a\":1}"] {
        text.push_str(&line(23, id));
        fs::write(&site.log, &text).expect("the log");
        let wanted = if id == "1" { 1 } else { 2 };
        elastic.wait_for_count(wanted);
    }
    process.wait_for_log(SAID);
    assert_eq!(process.count_in_log(SAID), 1, "{}", process.log());
}
