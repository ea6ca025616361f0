//! Messages from someone else's producer, and messages that are not what they say.

use std::collections::BTreeMap;
use std::io::Write;

use lapin::BasicProperties;
use omphalos_tests::{Amqp, Elastic, Embedded, Stack, eventually, holds};
use serde_json::Value;

const EXCHANGE: &str = "omphalos.logs";

/// A scene whose queues are declared.
fn declared() -> (Stack, Amqp) {
    let stack = Stack::shared();
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    let amqp = stack.amqp();
    (stack, amqp)
}

fn typed(content_type: &str) -> BasicProperties {
    BasicProperties::default().with_content_type(content_type.into())
}

#[test]
fn json_and_ndjson_from_other_producers_are_indexed_once() {
    let (stack, amqp) = declared();
    let json = "{\n  \"@timestamp\": \"2026-11-22T01:02:03Z\",\n  \"message\": \"pretty\"\n}";
    let ndjson = "{\"@timestamp\":\"2026-11-22T01:02:03Z\",\"event\":{\"dataset\":\"theirs\"},\"message\":\"one\"}\n{\"message\":\"two\"}\n";
    for _ in 0..2 {
        amqp.publish(
            EXCHANGE,
            "x",
            typed("application/json").with_message_id("m1".into()),
            json.as_bytes(),
        );
        amqp.publish(
            EXCHANGE,
            "x",
            typed("application/x-ndjson").with_message_id("m2".into()),
            ndjson.as_bytes(),
        );
    }
    let mut gzip = flate(json.replace("pretty", "zipped").as_bytes());
    amqp.publish(
        EXCHANGE,
        "x",
        typed("application/json").with_content_encoding("gzip".into()),
        &std::mem::take(&mut gzip),
    );
    let indexer = stack.indexer().args(["--index-foreign-datasets", "theirs"]);
    assert_eq!(indexer.arg("--drain").run().code, Some(0));
    let elastic = stack.elastic();
    elastic.wait_for_count(4);
    let indices: Vec<String> = elastic.indices().into_keys().collect();
    let prefix = stack.prefix();
    assert_eq!(
        indices,
        [
            format!("{prefix}-external-2026.11.22"),
            format!("{prefix}-external-outlier"),
            format!("{prefix}-theirs-2026.11.22"),
        ]
    );
    for message in ["pretty", "one", "two", "zipped"] {
        let found = elastic.search(&format!("message:{message}"));
        assert!(found.len() == 1 && found[0]["@timestamp"].is_string(), "{message}: {found:?}");
    }
    assert_eq!(amqp.ready("omphalos.dead"), Ok(0));
}

#[test]
fn messages_without_an_id_are_documents_of_their_own_and_a_bad_line_is_alone() {
    let (stack, amqp) = declared();
    let body = br#"{"@timestamp":"2026-11-22T01:02:03Z","message":"login failed"}"#;
    for _ in 0..5 {
        amqp.publish(EXCHANGE, "x", typed("application/json"), body);
    }
    let lines = b"\xef\xbb\xbf{\"message\":\"one\"}\r\n\r\nnot json\n{\"message\":\"two\"}";
    amqp.publish(EXCHANGE, "x", typed("Application/X-NDJSON"), lines);
    let indexed = stack.indexer().arg("--drain").run();
    assert_eq!(indexed.code, Some(0), "{}", indexed.output);
    stack.elastic().wait_for_count(7);
    let letter = amqp.take("omphalos.dead").expect("the bad line");
    assert_eq!(letter.header("x-omphalos-type"), "bad_document");
    assert_eq!(letter.body, b"not json");
    assert_eq!(amqp.ready("omphalos.dead"), Ok(0));
}

#[test]
fn a_redelivery_without_an_id_is_indexed_and_counted_as_a_possible_repeat() {
    let (stack, amqp) = declared();
    let body = br#"{"@timestamp":"2026-11-22T01:02:03Z","message":"once or twice"}"#;
    amqp.publish(EXCHANGE, "x", typed("application/json"), body);
    amqp.publish(EXCHANGE, "x", typed("application/json").with_message_id("m".into()), body);
    // Taken by somebody who goes away before the answer.
    amqp.take_and_hand_back("omphalos.index", 2);
    let mut indexer = stack.indexer().listening().start();
    stack.elastic().wait_for_count(2);
    let repeats = indexer.metric("omphalos_documents_possible_repeat_total");
    assert!((0.5..1.5).contains(&repeats), "{repeats}: only the one without an id");
    assert_eq!(indexer.terminate(), Some(0), "{}", indexer.log());
}

/// The number of a document, and whether it is there in its second form.
fn form(document: &Value) -> (u64, bool) {
    if let Some(number) = document["number"].as_u64() {
        return (number, false);
    }
    let text = document["message"].as_str().expect("the whole document");
    let number = text.split("\"number\":").nth(1).and_then(|rest| rest.split(',').next());
    (number.expect("a number").parse().expect("a number"), true)
}

/// The kind of fault: a message with something that no line of ours has any more is a dead letter, or
/// one engine takes what the other refuses.
#[test]
fn what_others_say_oddly_takes_the_same_form_in_elasticsearch_and_the_store() {
    let odd = [
        r#""":1"#,
        r#"".":1"#,
        r#""a..b":1"#,
        r#"".x":1"#,
        r#""a":{"":1}"#,
        r#""half\ud83d":"\udc00""#,
        r#""error":["a",{"code":5}]"#,
        r#""user":"u""#,
        r#""http":{"request":["GET",{"method":"PUT"}]}"#,
    ];
    let lines: Vec<String> = odd
        .iter()
        .enumerate()
        .map(|(at, odd)| format!(r#"{{"number":{at},"ts":1795869000,{odd}}}"#))
        .collect();
    let (stack, amqp) = declared();
    let store = Embedded::start();
    let engines = [stack.elastic(), Elastic::new(&store.url(), stack.prefix())];
    let forms = engines.map(|elastic| {
        amqp.publish(EXCHANGE, "x", typed("application/x-ndjson"), lines.join("\n").as_bytes());
        let indexed = stack.indexer_to(elastic.url()).arg("--drain").run();
        assert_eq!(indexed.code, Some(0), "{}", indexed.output);
        assert_eq!(amqp.ready("omphalos.dead"), Ok(0), "{}", indexed.output);
        let documents = elastic.documents(&[]).into_iter();
        documents.map(|(_, document)| form(&document)).collect::<BTreeMap<_, _>>()
    });
    assert_eq!(forms[0].len(), odd.len(), "{forms:?}");
    assert_eq!(forms[0], forms[1], "true is the second form: {odd:?}");
    assert_eq!(forms[0].get(&5), Some(&false), "half a character is no reason for it");
}

fn flate(bytes: &[u8]) -> Vec<u8> {
    let mut child = std::process::Command::new("gzip")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("gzip runs");
    child.stdin.take().expect("stdin").write_all(bytes).expect("written");
    child.wait_with_output().expect("gzip ends").stdout
}

/// Messages that are large, or many documents, once they are unpacked.
fn bombs() -> [(&'static str, (BasicProperties, Vec<u8>)); 3] {
    const HEADER: &[u8] =
        br#"{"v":1,"host":"h","at":1,"chunks":[{"dataset":"d","ids":["a"],"days":[20779]}]}"#;
    let documents = b"{}\n".repeat(1 << 24);
    let batch = [HEADER, b"\n", &documents].concat();
    let ours = "application/vnd.omphalos.batch.v1";
    let large = vec![b'x'; 65 * 1024 * 1024];
    [(ours, large), (ours, batch), ("application/x-ndjson", documents)].map(|(kind, text)| {
        let packed = zstd::encode_all(&text[..], 1).expect("zstd");
        ("too_large", (typed(kind).with_content_encoding("zstd".into()), packed))
    })
}

#[test]
fn hostile_messages_are_dead_letters_with_their_reason_and_harm_nobody() {
    let (stack, amqp) = declared();
    let batch = |body: &[u8]| (typed("application/vnd.omphalos.batch.v1"), body.to_vec());
    let header = |dataset: &str, ids: &str| {
        format!(
            r#"{{"v":1,"host":"h","at":1,"chunks":[{{"source":"s","path":"p","dataset":"{dataset}","start":0,"end":1,"ids":[{ids}],"days":[20779]}}]}}"#
        )
    };
    let hostile = [
        (
            "bad_compression",
            (
                typed("application/vnd.omphalos.batch.v1").with_content_encoding("zstd".into()),
                b"not zstd".to_vec(),
            ),
        ),
        ("bad_header", batch(b"no header\n")),
        ("bad_count", batch(format!("{}\n{{}}\n{{}}\n", header("access", r#""a""#)).as_bytes())),
        ("bad_dataset", batch(format!("{}\n{{}}\n", header("../../_all", r#""a""#)).as_bytes())),
        ("bad_id", batch(format!("{}\n{{}}\n", header("access", r#""a b""#)).as_bytes())),
        ("bad_document", batch(format!("{}\n[]\n", header("access", r#""a""#)).as_bytes())),
        ("bad_document", (typed("application/json"), b"{\"a\":".to_vec())),
        ("bad_content_type", (typed("text/html"), b"<html>".to_vec())),
        (
            "bad_content_encoding",
            (typed("application/json").with_content_encoding("br".into()), b"{}".to_vec()),
        ),
        ("empty", (typed("application/x-ndjson"), b"\n\n".to_vec())),
        // Looks like a batch, but Elasticsearch cannot read the document.
        (
            "document_parsing_exception",
            batch(format!("{}\n{{not json}}\n", header("access", r#""good-id""#)).as_bytes()),
        ),
    ];
    let hostile: Vec<_> = hostile.into_iter().chain(bombs()).collect();
    for (_, (properties, body)) in &hostile {
        amqp.publish(EXCHANGE, "k", properties.clone(), body);
    }
    amqp.publish(
        EXCHANGE,
        "k",
        typed("application/json"),
        br#"{"@timestamp":"2026-11-22T00:00:00Z","message":"good"}"#,
    );
    let indexed = stack.indexer().arg("--drain").run();
    assert_eq!(indexed.code, Some(0), "{}", indexed.output);
    stack.elastic().wait_for_count(1);
    let mut reasons = Vec::new();
    while let Some(letter) = amqp.take("omphalos.dead") {
        let kind = letter.header("x-omphalos-type");
        assert!(!letter.header("x-omphalos-reason").is_empty());
        assert_eq!(letter.header("x-omphalos-routing-key"), "k");
        reasons.push(kind);
    }
    reasons.sort();
    let mut expected: Vec<&str> = hostile.iter().map(|(kind, _)| *kind).collect();
    expected.sort_unstable();
    assert_eq!(reasons, expected);
}

#[test]
fn a_message_of_too_many_documents_costs_no_memory_and_one_that_was_deadly_twice_is_not_read() {
    let (stack, amqp) = declared();
    let state = stack.path("indexer-state");
    let indexer = || stack.indexer().option("--state-dir", state.display());
    let mut running = indexer().listening().start();
    let before = {
        running.wait_for_log("is ready");
        running.peak_memory()
    };
    let bomb = zstd::encode_all(&b"{}\n".repeat(1 << 24)[..], 1).expect("zstd");
    assert!(bomb.len() < 10_000, "{}", bomb.len());
    let properties = || typed("application/x-ndjson").with_content_encoding("zstd".into());
    amqp.publish(EXCHANGE, "k", properties(), &bomb);
    let letter = || {
        let mut found = None;
        eventually("there is a dead letter", || {
            found = amqp.take("omphalos.dead");
            holds(found.is_some(), "none")
        });
        found.expect("a letter")
    };
    let reason = letter().header("x-omphalos-reason");
    assert_eq!(reason, "holds more than 100000 lines, expected at most that many in one message");
    let more = running.peak_memory().saturating_sub(before);
    // What it unpacks to, twice: the buffer grows, because nothing says how large it will be.
    assert!(more < 256 << 20, "{} MiB", more >> 20);
    assert_eq!(running.terminate(), Some(0));

    // Nothing that we know of kills an indexer any more: what is noted of such a message is made up.
    let deadly = br#"{"message":"deadly"}"#;
    let json = || typed("application/json").with_message_id("deadly".into());
    std::fs::create_dir_all(&state).expect("made");
    let noted = state.join("died-of.txt");
    let note = |deaths: u32| {
        let print = omphalos_indexer::suspects::print_of(deadly);
        std::fs::write(&noted, format!("{print:016x} {deaths}\n")).expect("written");
    };
    for (deaths, is_read) in [(1, true), (2, false)] {
        note(deaths);
        amqp.publish(EXCHANGE, "k", json(), deadly);
        amqp.take_and_hand_back("omphalos.index", 1);
        assert_eq!(indexer().arg("--drain").run().code, Some(0));
        stack.elastic().wait_for_count(1);
        assert!(!noted.exists(), "what was read, or is not read again, is crossed out");
        if is_read {
            assert!(amqp.take("omphalos.dead").is_none());
        } else {
            let letter = letter();
            assert_eq!(letter.header("x-omphalos-type"), "deadly");
            assert_eq!(
                (&letter.body[..], letter.header("x-omphalos-message-id")),
                (&deadly[..], "deadly".to_owned())
            );
        }
    }
    // One that comes for the first time is read, whatever is noted of another.
    note(2);
    let other = br#"{"message":"harmless"}"#;
    amqp.publish(EXCHANGE, "k", typed("application/json"), other);
    assert_eq!(indexer().arg("--drain").run().code, Some(0));
    stack.elastic().wait_for_count(2);
}
