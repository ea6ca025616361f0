//! No JSON object that a program may log ends as a dead letter, in Elasticsearch or in the store, and
//! what it says comes back from both alike.

use std::collections::BTreeMap;
use std::fs;

use omphalos_tests::{Elastic, Embedded, Program, Stack};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

/// Lines of a run.
const LINES: usize = 400;

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
    let indexed = stack.indexer_to(elastic.url()).arg("--drain").run();
    assert_eq!(indexed.code, Some(0), "{}", indexed.output);
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(0), "{}", indexed.output);
    elastic.documents(&[]).into_iter().map(|(_, document)| (offset(&document), document)).collect()
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
            let is_second = document["error"]["message"].is_string()
                && document["tags"]
                    .as_array()
                    .is_some_and(|tags| tags.contains(&"mapping_conflict".into()));
            if is_second {
                let message = document["message"].as_str().expect("a message");
                assert_same(&own, &known(message), seed);
            } else {
                assert_same(&own, document, seed);
            }
        }
    }
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
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
