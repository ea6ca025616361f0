//! What Elasticsearch can answer besides 201.

use std::collections::HashSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use omphalos_tests::{Action, Engine, Interposer, LogFile, Stack, eventually, holds};
use serde_json::{Value, json};

/// Ships a log of so many lines into the queue.
fn shipped(stack: &Stack, lines: u64) -> LogFile {
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(lines);
    let shipped = stack.shipper(log.path()).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    log
}

#[test]
fn wrong_credentials_hold_everything_until_they_are_right() {
    let stack = Stack::shared();
    let expected = "Basic dXNlcjpwYXNz";
    let guard = Interposer::before(&stack.search_url(), |_| {
        Action::Answer(
            401,
            r#"{"error":{"type":"security_exception","reason":"unable to authenticate user [user]"},"status":401}"#,
        )
    });
    let log = shipped(&stack, 3_000);
    let indexer = stack
        .indexer_to(&guard.url())
        .args(["--elasticsearch-user", "user", "--elasticsearch-password", "pass"])
        .listening()
        .start();
    indexer.wait_for_log(
        "refuses our credentials (401 security_exception: unable to authenticate user [user])",
    );
    assert!(indexer.http("/readyz").is_none());
    guard.change(move |request| match request.header("authorization") {
        Some(found) if found == expected => Action::Forward,
        _ => Action::Answer(401, "{}"),
    });
    log.assert_indexed_once(&stack.elastic());
    // And when they are changed in the middle.
    guard.change(|_| Action::Answer(401, "{}"));
    let mut log = log;
    log.append(1_000);
    assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    eventually("it says so again", || {
        let said = indexer.count_in_log("refuses our credentials");
        holds(said >= 2, said)
    });
    guard.change(|_| Action::Forward);
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn requests_that_are_too_large_are_split_and_the_limit_is_remembered() {
    let stack = Stack::with_search(Engine::Es9, &["http.max_content_length=64kb"]);
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(20_000);
    let mut long = String::new();
    write!(
        long,
        "203.0.113.9 - - [22/Nov/2026:12:15:00 +0000] \"GET /{} HTTP/1.1\" 200 1 \"-\" \"-\"",
        "x".repeat(90_000)
    )
    .expect("text");
    log.append_text(&format!("{long}\n"));
    assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    let indexed = stack.indexer().arg("--drain").run();
    assert_eq!(indexed.code, Some(0), "{}", indexed.output);
    log.assert_indexed_once(&stack.elastic());
    let learned = indexed.output.matches("the server takes no request so large (413)").count();
    assert!((1..=9).contains(&learned), "{}", indexed.output);
    let amqp = stack.amqp();
    let letter = amqp.take("omphalos.dead").expect("the long line is a dead letter");
    assert_eq!(letter.header("x-omphalos-status"), "413");
    assert!(letter.body.len() > 90_000);
    assert!(amqp.take("omphalos.dead").is_none());
}

#[test]
fn documents_refused_for_want_of_room_are_sent_again_alone() {
    let settings =
        ["thread_pool.write.size=1", "thread_pool.write.queue_size=1", "node.processors=1"];
    let stack = Stack::with_search(Engine::Es9, &settings);
    // Documents of many days, so that each bulk has parts for many shards that compete.
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(2_000);
    let now = jiff::Timestamp::now().as_second();
    let mut text = String::new();
    for number in 0..20_000u32 {
        let day = i64::from(number % 20);
        let time = omphalos_tests::generate::clf_time(now - day * 86_400);
        writeln!(text, "192.0.2.1 - - [{time}] \"GET /{number} HTTP/1.1\" 200 1 \"-\" \"-\"")
            .expect("text");
    }
    log.append_text(&text);
    assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    let indexer = stack.indexer().args(["--bulk-bytes", "1MiB"]).listening().start();
    stack.elastic().wait_for_count(22_000);
    let retried = indexer.metric("omphalos_documents_retried_total");
    let failed = indexer.count_in_log("429");
    assert!(retried > 0.0 || failed > 0, "no 429 was provoked:\n{}", indexer.log());
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(0));
}

#[test]
fn a_whole_request_refused_for_want_of_memory_is_sent_again() {
    let stack = Stack::with_search(Engine::Es9, &[]);
    let upstream = stack.search_url();
    let guard = Interposer::before(&upstream, |request| {
        if request.line.contains("_bulk") {
            return Action::Answer(
                429,
                r#"{"error":{"type":"es_rejected_execution_exception","reason":"rejected execution of coordinating operation"},"status":429}"#,
            );
        }
        Action::Forward
    });
    let log = shipped(&stack, 5_000);
    let indexer = stack.indexer_to(&guard.url()).start();
    indexer.wait_for_log("429 es_rejected_execution_exception");
    guard.change(|_| Action::Forward);
    log.assert_indexed_once(&stack.elastic());
}

/// The kind of fault: "too many requests" is said of one request, which waits for ever, and others behind it.
#[test]
fn a_document_that_the_server_never_has_the_memory_for_is_a_dead_letter_and_the_others_arrive() {
    let stack = Stack::with_search(Engine::Es9, &["indexing_pressure.memory.limit=2mb"]);
    let amqp = stack.amqp();
    // The first is too large where it comes in, the second only where it is indexed, in room of its own; eight
    // of the third fit one by one.
    let foreign = |size: usize| {
        let properties = BasicProperties::default().with_content_type("application/json".into());
        let document =
            format!(r#"{{"event":{{"dataset":"json"}},"message":"{}"}}"#, "x".repeat(size));
        amqp.publish("omphalos.logs", "x", properties, document.as_bytes());
    };
    let mut log = shipped(&stack, 500);
    for size in [3_000_000, 1_500_000].repeat(4).into_iter().chain([100_000; 8]) {
        foreign(size);
    }
    log.append(5_000);
    assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    let indexer = stack.indexer().listening().start();
    let elastic = stack.elastic();
    elastic.wait_for_count(5_500 + 8);
    eventually("they are dead letters", || {
        holds(amqp.ready("omphalos.dead") == Ok(8), indexer.log())
    });
    assert_eq!(amqp.ready("omphalos.index"), Ok(0));
    for _ in 0..8 {
        let letter = amqp.take("omphalos.dead").expect("it is there");
        assert_eq!(letter.header("x-omphalos-status"), "429");
        assert!(letter.body.len() > 1_500_000);
    }
    let documents = elastic.documents(&["url.query"]);
    let lines: HashSet<&str> =
        documents.iter().filter_map(|(_, document)| document["url"]["query"].as_str()).collect();
    assert_eq!(lines.len(), 5_500);
}

#[test]
fn a_read_only_index_holds_everything_until_the_block_is_lifted() {
    let stack = Stack::shared();
    let mut log = shipped(&stack, 1_000);
    let indexer = stack.indexer().start();
    let elastic = stack.elastic();
    elastic.wait_for_count(1_000);
    elastic.set("", &json!({"index.blocks.read_only_allow_delete": true}));
    log.append(1_000);
    assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    indexer.wait_for_log("cluster_block_exception");
    indexer.wait_for_log("holding everything");
    elastic.set("", &json!({"index.blocks.read_only_allow_delete": Value::Null}));
    log.assert_indexed_once(&elastic);
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(0));
}

#[test]
fn a_shard_limit_holds_only_the_documents_whose_index_is_not_there() {
    let stack = Stack::with_search(Engine::Es9, &[]);
    let mut log = shipped(&stack, 500);
    let indexer = stack.indexer().args(["--index-foreign-datasets", "new*"]).listening().start();
    let elastic = stack.elastic();
    log.assert_indexed_once(&elastic);
    let limit = |most: u32| {
        let settings = json!({"persistent": {"cluster.max_shards_per_node": most}});
        elastic.must(reqwest::Method::PUT, "_cluster/settings", &settings);
    };
    limit(1);
    let amqp = stack.amqp();
    // More than there are bulks in flight, each in one of its own.
    for number in 0..12 {
        let properties = BasicProperties::default().with_content_type("application/json".into());
        let document = format!(r#"{{"event":{{"dataset":"new{number}"}},"url":{{"query":"x"}}}}"#);
        amqp.publish("omphalos.logs", "x", properties, document.as_bytes());
        log.append(20);
        assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    }
    indexer.wait_for_log("holding documents whose index is not there yet");
    log.assert_indexed_once(&elastic);
    assert!(indexer.metric("omphalos_without_shard") > 0.5);
    assert!(indexer.metric("omphalos_held") < 0.5, "everything is held");
    assert!(indexer.http("/readyz").is_none());
    limit(1_000);
    elastic.wait_for_count(740 + 12);
    eventually("it is ready", || holds(indexer.http("/readyz").is_some(), indexer.log()));
    assert_eq!(amqp.ready("omphalos.dead"), Ok(0));
}

#[test]
fn half_a_reply_or_too_few_verdicts_acknowledge_nothing() {
    let stack = Stack::shared();
    let log = shipped(&stack, 4_000);
    let is_bulk = |request: &omphalos_tests::interposer::Request| request.line.contains("_bulk");
    let guard = Interposer::before(&stack.search_url(), move |request| {
        if is_bulk(request) { Action::Cut(100) } else { Action::Forward }
    });
    let indexer = stack
        .indexer_to(&guard.url())
        .option("--elasticsearch-request-timeout", "2s")
        .listening()
        .start();
    indexer.wait_for_log("holding everything");
    let settled = || {
        indexer.metric("omphalos_documents_indexed_total")
            + indexer.metric("omphalos_documents_duplicate_total")
    };
    assert!(settled() < 0.5, "{}", indexer.log());
    guard.change(move |request| {
        if is_bulk(request) { Action::Change(without_a_verdict) } else { Action::Forward }
    });
    eventually("it notices the missing verdicts", || {
        let log = indexer.log();
        holds(log.contains("verdicts for") || log.contains("not what _bulk answers"), log)
    });
    assert!(settled() < 0.5, "{}", indexer.log());
    guard.change(move |request| if is_bulk(request) { Action::Silence } else { Action::Forward });
    eventually("it gives up waiting", || {
        holds(indexer.log().contains("no answer within 2s"), indexer.log())
    });
    guard.change(|_| Action::Forward);
    log.assert_indexed_once(&stack.elastic());
}

/// A reply with one verdict less than there are documents.
fn without_a_verdict(body: String) -> String {
    let parts = body.split_once('[').zip(body.split_once("},{\"create\""));
    let shorter = parts.map(|((head, _), (_, rest))| format!("{head}[{{\"create\"{rest}"));
    shorter.unwrap_or(body)
}

#[test]
fn elasticsearch_away_for_longer_than_the_consumer_timeout_dead_letters_nothing() {
    let timeout = Duration::from_secs(6);
    let mut stack = Stack::with_broker(&["consumer_timeout=6000", "channel_tick_interval=500"]);
    let log = shipped(&stack, 20_000);
    let guard = Interposer::before(&stack.search_url(), |_| Action::Forward);
    let indexer = stack
        .indexer_to(&guard.url())
        .option("--elasticsearch-request-timeout", "1s")
        .option("--consume-consumer-timeout", "6s")
        .listening()
        .start();
    indexer.wait_for_log("consuming from");
    guard.change(|_| Action::Silence);
    let away = Instant::now();
    indexer.wait_for_log("handing deliveries back to the broker");
    eventually("Elasticsearch has been away for long enough", || {
        holds(away.elapsed() > timeout + timeout / 2, format!("{:?}", away.elapsed()))
    });
    assert_eq!(indexer.count_in_log("timed out"), 0, "{}", indexer.log());
    guard.change(|_| Action::Forward);
    log.assert_indexed_once(&stack.elastic());
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(0));
    let queues = stack.broker().rabbitmqctl(&["-q", "list_queues", "name", "messages"]);
    assert!(queues.contains("omphalos.dead\t0"), "{queues}");
}

#[test]
fn random_years_do_not_make_thousands_of_indices() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    let mut text = String::new();
    for number in 0..100_000u32 {
        // A simple sequence through all years, months and days.
        let year = number.wrapping_mul(7919) % 10_000;
        let month = ["Jan", "Apr", "Aug", "Nov"][number as usize % 4];
        writeln!(
            text,
            "192.0.2.1 - - [{:02}/{month}/{year:04}:12:15:00 +0000] \"GET /?n={number:08} HTTP/1.1\" 200 1 \"-\" \"-\"",
            number % 28 + 1
        )
        .expect("text");
    }
    log.append_text(&text);
    assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    let indices = stack.elastic().indices();
    assert_eq!(indices.values().sum::<u64>(), 100_000, "{indices:?}");
    assert!(indices.len() < 100, "{} indices", indices.len());
    let outliers = indices.iter().find(|(name, _)| name.ends_with("-access-outlier"));
    assert!(outliers.is_some_and(|(_, count)| *count > 90_000), "{indices:?}");
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(0));
}
