//! No JSON object that a program may log ends as a dead letter, in Elasticsearch or in the store, and
//! what it says comes back from both alike.

use std::collections::BTreeMap;
use std::fs;

use lapin::BasicProperties;
use omphalos_tests::{Elastic, Embedded, Program, Stack, any_value};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

/// Lines of a run.
const LINES: usize = 400;
/// Messages of somebody else's.
const FOREIGN: usize = 100;

/// Names that mean something to somebody, or that no field should have.
const NAMES: &[&str] = &[
    "message",
    "msg",
    "level",
    "error",
    "user",
    "url",
    "source",
    "destination",
    "http",
    "user_agent",
    "host",
    "log",
    "event",
    "ecs",
    "tags",
    "unmerged",
    "@timestamp",
    "timestamp",
    "time",
    "ts",
    "t",
    "a",
    "b",
    "c.d",
    "c",
    "a.b.c",
    "status",
    "req",
    "res",
    "labels",
    "_id",
    "_index",
    "_source",
    "_type",
    "_own",
    "_doc_count",
    "_field_names",
    "_ignored",
    "_ignored_source",
    "_index_mode",
    "_routing",
    "_id.x",
    "_source.x",
    "a.",
    "unmerged.x",
    "",
    " ",
    ".",
    "a..b",
    ".x",
    "h.",
    "größe",
    "\u{1f600}",
    "'",
    "error.message",
    "user.name",
    "url.path",
    "source.ip",
    "source.port",
    "http.request.method",
    "log.offset",
    "host.name",
    "http.response.status_code",
    "event.dataset",
    "a\\u0000b",
    "tags.x",
];

/// Values, as JSON.
const VALUES: &[&str] = &[
    "\"text\"",
    "\"\"",
    "\"i/o timeout\"",
    "\"10.0.0.1\"",
    "\"2026-11-28T10:00:00Z\"",
    "\"12\"",
    "\"half \\ud83d\"",
    "\"\\ud83d\\ude00\"",
    "\"nul \\u0000\"",
    "\"größe\"",
    "0",
    "-1",
    "12",
    "1.5",
    "1795859004",
    "1795859004000",
    "1.795863645E9",
    "1e300",
    "1e400",
    "-1e400",
    "1e-400",
    "-1e-400",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.1",
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "[1,2]",
    "[\"a\",null]",
    "[1,\"a\"]",
    "[{\"x\":1},{\"x\":2}]",
    "[[1],[2]]",
];

fn value(random: &mut SmallRng, depth: u32) -> String {
    if depth > 0 && random.random_ratio(1, 4) {
        return object(random, depth - 1, 4);
    }
    if depth > 0 && random.random_ratio(1, 10) {
        let items: Vec<String> =
            (0..random.random_range(0..4)).map(|_| value(random, depth - 1)).collect();
        return format!("[{}]", items.join(","));
    }
    match random.random_range(0..40) {
        0 => format!("\"{}\"", "long ".repeat(8_000)),
        1 => format!("{}1{}", "[".repeat(30), "]".repeat(30)),
        2 => format!("{}1{}", "[".repeat(130), "]".repeat(130)),
        3 => format!("{}1{}", "{\"d\":".repeat(25), "}".repeat(25)),
        _ => (*VALUES.choose(random).unwrap()).to_owned(),
    }
}

fn object(random: &mut SmallRng, depth: u32, most: usize) -> String {
    let mut members = BTreeMap::new();
    for _ in 0..random.random_range(0..=most) {
        members.insert(*NAMES.choose(random).unwrap(), value(random, depth));
    }
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// The documents of the lines, as they leave the shipper.
fn parsed(stack: &Stack, log: &std::path::Path) -> Vec<String> {
    let parse = Program::new("omphalos", &stack.path("parse.out"))
        .args(["parse", "--parser", "json", "--dataset", "any", "--keep-original"])
        .arg(log.display())
        .run();
    assert_eq!(parse.code, Some(0), "{}", parse.output);
    parse.output.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect()
}

fn offset(document: &Value) -> u64 {
    document["log"]["offset"].as_u64().expect("an offset")
}

/// Ships the lines into an engine; returns the documents by the places of their lines.
fn indexed(stack: &Stack, elastic: &Elastic, log: &std::path::Path) -> BTreeMap<u64, Value> {
    let shipped = Program::new("omphalos-shipper", &stack.path("json.log"))
        .args(["--parser", "json", "--dataset", "any", "--once", "--keep-original"])
        .arg(log.display())
        .option("--state-dir", stack.path("json").display())
        .option("--amqp-url", stack.amqp_url())
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    fs::remove_dir_all(stack.path("json")).expect("a state directory");
    drain(stack, elastic);
    elastic.documents(&[]).into_iter().map(|(_, document)| (offset(&document), document)).collect()
}

/// Indexes what waits.
fn drain(stack: &Stack, elastic: &Elastic) {
    let indexed = stack.indexer_to(elastic.url()).arg("--drain").run();
    assert_eq!(indexed.code, Some(0), "{}", indexed.output);
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(0), "{}", indexed.output);
}

#[test]
fn whatever_json_says_is_indexed_and_comes_back() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let stack = Stack::shared();
    let log = stack.path("any.json");
    let lines: Vec<String> = (0..LINES).map(|_| object(&mut random, 3, 8)).collect();
    fs::write(&log, lines.join("\n") + "\n").expect("a log");
    let written = parsed(&stack, &log);
    assert_eq!(written.len(), LINES, "seed {seed}");
    let store = Embedded::start();
    let engines = [stack.elastic(), Elastic::new(&store.url(), stack.prefix())];
    for elastic in &engines {
        let found = indexed(&stack, elastic, &log);
        assert_eq!(found.len(), LINES, "seed {seed}, {}", elastic.url());
        for text in &written {
            let own = known(text);
            let Some(document) = found.get(&offset(&own)) else {
                panic!("seed {seed}: {text} is not in {}", elastic.url())
            };
            let is_second = document["error"]["message"].is_string() && has_conflict(document);
            if is_second {
                let message = document["message"].as_str().expect("a message");
                assert_same(&own, &known(message), seed);
            } else {
                assert_same(&own, document, seed);
            }
        }
    }
}

/// What of a document both engines say alike: a reason has places and ids in it.
fn compared(mut document: Value) -> Value {
    let is_second = has_conflict(&document);
    if let Some(error) = document.get_mut("error").and_then(Value::as_object_mut)
        && is_second
    {
        error.remove("message");
    }
    document
}

fn has_conflict(document: &Value) -> bool {
    let tags = document["tags"].as_array();
    tags.is_some_and(|tags| tags.contains(&"mapping_conflict".into()))
}

/// Each document has an index of its own, so that none is refused for what another one said.
#[test]
fn whatever_json_others_send_is_the_same_document_in_both_engines() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let stack = Stack::shared();
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    let lines: Vec<String> = (0..FOREIGN)
        .map(|number| {
            // A name that is given twice says no index at all.
            let object = object(&mut random, 3, 4).replace("\"event.dataset\"", "\"event.other\"");
            let comma = if object == "{}" { "" } else { "," };
            object.replacen('{', &format!("{{\"event.dataset\":\"d{number}\"{comma}"), 1)
        })
        .collect();
    let store = Embedded::start();
    let found = [stack.elastic(), Elastic::new(&store.url(), stack.prefix())].map(|elastic| {
        for (number, line) in lines.iter().enumerate() {
            let properties = BasicProperties::default()
                .with_content_type("application/json".into())
                .with_message_id(format!("m{number}").into())
                .with_timestamp(1_795_349_700);
            stack.amqp().publish("omphalos.logs", "x", properties, line.as_bytes());
        }
        drain(&stack, &elastic);
        let found: BTreeMap<String, Value> = elastic.documents(&[]).into_iter().collect();
        elastic.delete_all();
        found
    });
    let [one, other] = &found;
    assert_eq!(one.len(), FOREIGN, "seed {seed}");
    let mut differ = Vec::new();
    for (id, document) in one {
        let theirs = other.get(id).cloned().unwrap_or_default();
        if compared(document.clone()) != compared(theirs.clone()) {
            differ.push(format!("{document}\n    {theirs}"));
        }
    }
    assert!(differ.is_empty(), "seed {seed}: {} differ:\n{}", differ.len(), differ.join("\n"));
}

/// Times of discovery differ between the passes.
fn assert_same(one: &Value, other: &Value, seed: u64) {
    let without_time = |value: &Value| {
        let mut value = value.clone();
        value.as_object_mut().expect("an object").remove("@timestamp");
        value
    };
    assert_eq!(without_time(one), without_time(other), "seed {seed}");
}

fn known(text: &str) -> Value {
    any_value(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
