//! What a broker can do besides dying.

use lapin::types::AMQPValue;
use omphalos_tests::{Load, LogFile, Stack, eventually, holds};

#[test]
fn a_deleted_exchange_is_declared_again_and_nothing_is_lost() {
    let stack = Stack::shared();
    let log = LogFile::create(&stack.path("access.log"));
    let indexer = stack.indexer().start();
    // It declares the exchange as well: not behind the back of the shipper.
    indexer.wait_for_log("consuming from");
    let shipper = stack.shipper(log.path()).start();
    let load = Load::start(log, 50, |_, _| {});
    load.wait_for_more(2_000);
    shipper.wait_for_log("connected to");
    stack.amqp().delete_exchange("omphalos.logs");
    load.wait_for_more(3_000);
    shipper.wait_for_log("exchange \"omphalos.logs\" is gone");
    load.stop().assert_indexed_once(&stack.elastic());
}

#[test]
fn a_deleted_queue_is_an_unroutable_message_and_no_loss() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    let shipper = stack.shipper(log.path()).start();
    log.append(10);
    let amqp = stack.amqp();
    eventually("the first lines are in the queue", || {
        let ready = amqp.ready("omphalos.index")?;
        holds(ready > 0, ready)
    });
    // What is in it is lost by this hand; so it is indexed first.
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    amqp.delete_queue("omphalos.index");
    log.append(1_000);
    shipper.wait_for_log("routes to no queue");
    let _indexer = stack.indexer().start();
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn a_consumer_that_gets_nothing_while_messages_wait_connects_anew() {
    const QUEUE: &str = "omphalos.index";
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(1);
    assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    // A queue of which only one consumer gets anything: what the second one sees is what one sees
    // that the broker has forgotten.
    let amqp = stack.amqp();
    amqp.delete_queue(QUEUE);
    let kind = AMQPValue::LongString("quorum".into());
    let single = AMQPValue::Boolean(true);
    amqp.declare_queue(QUEUE, &[("x-queue-type", kind), ("x-single-active-consumer", single)]);
    amqp.bind_queue(QUEUE, "omphalos.logs");
    let passive = ["--amqp-topology", "passive"];
    // They write into one log, after the one that drained.
    let start = |number: usize| {
        let indexer = stack.indexer().args(passive).start();
        eventually("the indexer consumes", || {
            holds(indexer.count_in_log("consuming from") == number, indexer.log())
        });
        indexer
    };
    let mut first = start(2);
    first.suspend();
    let second = start(3);
    log.append(5_000);
    let small = ["--batch-bytes", "16KiB", "--once"];
    assert_eq!(stack.shipper(log.path()).args(passive).args(small).run().code, Some(0));
    second.wait_for_log("messages wait in queue \"omphalos.index\" and none is delivered");
    first.kill();
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn a_full_queue_holds_the_shipper_back_and_loses_nothing() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(60_000);
    let limits = ["--amqp-queue-max-bytes", "512KiB", "--batch-bytes", "64KiB"];
    let shipper = stack.shipper(log.path()).args(limits).listening().start();
    shipper.wait_for_log("is queue \"omphalos.index\" full");
    let said = shipper.count_in_log("is queue \"omphalos.index\" full");
    for _ in 0..20 {
        assert_eq!(shipper.http("/readyz"), None, "not ready while the queue is full");
    }
    assert_eq!(said, 1, "the queue takes a message now and then, and that is no news");
    let _indexer = stack.indexer().args(&limits[..2]).start();
    log.assert_indexed_once(&stack.elastic());
    eventually("the shipper is ready again", || {
        holds(shipper.http("/readyz").is_some(), shipper.log())
    });
}

#[test]
fn a_broker_alarm_stops_the_reading_of_files() {
    let mut stack = Stack::with_broker(&[]);
    let mut log = LogFile::create(&stack.path("access.log"));
    let _indexer = stack.indexer().start();
    let shipper = stack.shipper(log.path()).listening().start();
    log.append(1_000);
    stack.elastic().wait_for_count(1_000);
    stack.broker().rabbitmqctl(&["set_vm_memory_high_watermark", "0.00001"]);
    log.append(1_000);
    shipper.wait_for_log("the broker blocks publishing");
    assert_eq!(shipper.http("/readyz"), None, "not ready while blocked");
    // Far more than may be in memory.
    log.append(200_000);
    let before = shipper.metric("omphalos_lines_read_total");
    eventually("reading has stopped", || {
        let read = shipper.metric("omphalos_lines_read_total");
        let waiting = shipper.metric("omphalos_documents_in_flight");
        holds(read < 150_000.0 && waiting > 0.0, format!("{before} {read} read, {waiting} waiting"))
    });
    stack.broker().rabbitmqctl(&["set_vm_memory_high_watermark", "0.6"]);
    shipper.wait_for_log("the broker accepts messages again");
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn a_broker_that_comes_late_is_waited_for() {
    let mut stack = Stack::with_broker(&[]);
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(500);
    stack.broker().stop();
    let shipper = stack.shipper(log.path()).start();
    let indexer = stack.indexer().start();
    shipper.wait_for_log("connection refused; is RabbitMQ running");
    indexer.wait_for_log("connection refused; is RabbitMQ running");
    stack.broker().start();
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn several_broker_urls_are_tried_in_turn() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(100);
    let urls = format!("amqp://guest:guest@127.0.0.1:1/%2f,{}", stack.amqp_url());
    let shipper = omphalos_tests::Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .arg(log.path().display())
        .args(["--parser", "combined", "--once"])
        .option("--state-dir", stack.path("state").display())
        .variable("OMPHALOS_AMQP_URL", urls);
    let shipped = shipper.run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    assert!(!shipped.output.contains("guest:guest"), "no password in the log: {}", shipped.output);
}
