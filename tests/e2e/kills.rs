//! `kill -9` of everything, each in the middle of a load: documents = lines, each once.

use std::fs;

use omphalos_tests::{Load, LogFile, Program, Stack, eventually, holds};

/// Waits until some documents are indexed, but not for all of them.
fn wait_for_some(stack: &Stack, at_least: u64) {
    let elastic = stack.elastic();
    eventually("some documents are indexed", || {
        let count = elastic.count()?;
        holds(count >= at_least, count)
    });
}

fn started(stack: &mut Stack) -> (Program, Program, Load) {
    let log = LogFile::create(&stack.path("access.log"));
    // So that a kill finds messages of which a part is indexed.
    let indexer = stack.indexer().option("--bulk-documents", 300).listening().start();
    // So that each kill finds a checkpoint that is only just older than what was read.
    let shipper = stack.shipper(log.path()).option("--checkpoint-interval", "20ms");
    let shipper = shipper.listening().start();
    let load = Load::start(log, 60, |_, _| {});
    (shipper, indexer, load)
}

#[test]
fn killing_the_shipper_loses_and_repeats_nothing() {
    let mut stack = Stack::shared();
    let (mut shipper, _indexer, load) = started(&mut stack);
    for round in 1..=8 {
        load.wait_for_more(1_500);
        wait_for_some(&stack, round * 500);
        shipper.kill();
        load.wait_for_more(500);
        shipper.restart();
    }
    load.stop().assert_indexed_once(&stack.elastic());
}

#[test]
fn killing_the_indexer_loses_and_repeats_nothing() {
    let mut stack = Stack::shared();
    let (_shipper, mut indexer, load) = started(&mut stack);
    for round in 1..=8 {
        load.wait_for_more(1_500);
        wait_for_some(&stack, round * 500);
        indexer.kill();
        load.wait_for_more(500);
        indexer.restart();
    }
    load.stop().assert_indexed_once(&stack.elastic());
}

#[test]
fn killing_the_broker_loses_and_repeats_nothing() {
    let mut stack = Stack::with_broker(&[]);
    let (shipper, indexer, load) = started(&mut stack);
    stack.broker().wait_for_queue("/", "omphalos.index");
    for round in 1..=3 {
        load.wait_for_more(1_500);
        wait_for_some(&stack, round * 1_000);
        stack.broker().kill();
        load.wait_for_more(1_000);
        stack.broker().start();
    }
    load.stop().assert_indexed_once(&stack.elastic());
    for program in [&shipper, &indexer] {
        let said = program.count_in_log("trying again, for ever");
        assert!((1..40).contains(&said), "said {said} times:\n{}", program.log());
    }
}

#[test]
fn a_shipper_stopped_and_killed_while_the_broker_is_away_forgets_nothing() {
    let mut stack = Stack::with_broker(&[]);
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(2_000);
    let _indexer = stack.indexer().start();
    let shipper = stack.shipper(log.path()).args(["--stop-grace", "200ms"]);
    let mut shipper = shipper.option("--checkpoint-interval", "20ms").listening().start();
    stack.elastic().wait_for_count(2_000);
    stack.broker().wait_for_queue("/", "omphalos.index");
    stack.broker().kill();
    let wait_for_unconfirmed = |shipper: &Program| {
        eventually("lines are read and not confirmed", || {
            let unconfirmed = shipper.metric("omphalos_documents_in_flight");
            holds(unconfirmed > 2_999.0, unconfirmed)
        });
    };
    log.append(3_000);
    wait_for_unconfirmed(&shipper);
    shipper.terminate();
    shipper.restart();
    wait_for_unconfirmed(&shipper);
    shipper.kill();
    stack.broker().start();
    shipper.restart();
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn killing_elasticsearch_loses_and_repeats_nothing() {
    let mut stack = Stack::own();
    let (_shipper, indexer, load) = started(&mut stack);
    for round in 1..=3 {
        load.wait_for_more(1_500);
        wait_for_some(&stack, round * 1_000);
        stack.search_server().kill();
        load.wait_for_more(1_000);
        indexer.wait_for_log("holding everything");
        assert_eq!(indexer.http("/readyz"), None, "not ready while Elasticsearch is away");
        stack.search_server().start();
    }
    load.stop().assert_indexed_once(&stack.elastic());
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(0));
}

#[test]
fn losing_the_checkpoint_in_the_middle_repeats_nothing_and_the_repeats_are_counted() {
    let mut stack = Stack::shared();
    let (mut shipper, indexer, load) = started(&mut stack);
    load.wait_for_more(3_000);
    wait_for_some(&stack, 1_000);
    shipper.kill();
    fs::remove_dir_all(stack.path("state")).expect("a state directory");
    load.wait_for_more(1_000);
    shipper.restart();
    load.stop().assert_indexed_once(&stack.elastic());
    eventually("the repeats are counted", || {
        let duplicates = indexer.metric("omphalos_documents_duplicate_total");
        holds(duplicates >= 1_000.0, duplicates)
    });
}

#[test]
fn fifty_kills_of_the_indexer_in_a_row_dead_letter_nothing() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(60_000);
    let shipped = stack.shipper(log.path()).args(["--once", "--batch-bytes", "128KiB"]).run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let mut indexer = stack.indexer().listening();
    for _ in 0..50 {
        indexer.restart();
        eventually("it has taken something, or there is nothing left", || {
            let taken = indexer.metric("omphalos_documents_received_total") > 0.0;
            let left = stack.amqp().ready("omphalos.index")?;
            holds(taken || left == 0, left)
        });
        indexer.kill();
    }
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    log.assert_indexed_once(&stack.elastic());
    assert_eq!(stack.amqp().ready("omphalos.dead"), Ok(0));
}
