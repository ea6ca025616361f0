//! Elasticsearch 7.17 and 9, and OpenSearch 3, all pass the same tests.

use std::fs;

use omphalos_tests::{Engine, LogFile, Stack, eventually, holds};
use serde_json::{Value, json};

#[test]
fn elasticsearch_9_does_everything() {
    does_everything(Engine::Es9);
}

#[test]
fn elasticsearch_7_does_everything() {
    let stack = does_everything(Engine::Es7);
    crate::data_streams::are_refused(&stack);
}

#[test]
fn opensearch_does_everything() {
    let stack = does_everything(Engine::OpenSearch);
    crate::data_streams::have_each_line_once_in_a_backing_index(&stack);
}

fn does_everything(engine: Engine) -> Stack {
    let stack = Stack::with_search(engine, &[]);
    let elastic = stack.elastic();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(5_000);
    // Twice, without a checkpoint in between: every repeat is refused as a duplicate.
    for _ in 0..2 {
        assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
        fs::remove_dir_all(stack.path("state")).expect("a state directory");
    }
    let mut indexer = stack.indexer().arg("--bulk-gzip").listening().start();
    log.assert_indexed_once(&elastic);
    eventually("the repeats are counted", || {
        let duplicates = indexer.metric("omphalos_documents_duplicate_total");
        holds((4_999.5..5_000.5).contains(&duplicates), duplicates)
    });
    assert!(["match_only_text", "text"].contains(&elastic.type_of("message").as_str()));
    assert!(["wildcard", "keyword"].contains(&elastic.type_of("url.path").as_str()));
    assert_eq!(elastic.type_of("source.ip"), "ip");

    // A block holds everything until it is lifted.
    elastic.set("", &json!({"index.blocks.write": true}));
    log.append(1_000);
    assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    indexer.wait_for_log("cluster_block_exception");
    elastic.set("", &json!({"index.blocks.write": Value::Null}));
    elastic.wait_for_count(6_000);
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(0));
    assert_eq!(indexer.terminate(), Some(0), "{}", indexer.log());
    crate::mapping::takes_every_line(&stack, &elastic);
    stack
}
