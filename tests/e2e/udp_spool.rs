//! Plugs pulled at and behind a UDP receiver, which must cost nothing that it has received.

use omphalos_tests::udp::{free_address, send_text};
use omphalos_tests::{Load, LogFile, Stack, eventually, holds};
use reqwest::Method;
use serde_json::json;

#[test]
fn what_was_received_survives_kill_nine_of_the_indexer_and_an_absent_elasticsearch() {
    let stack = Stack::shared();
    let address = free_address();
    let log = LogFile::create(&stack.path("access.log"));
    // Nothing answers there, so everything stays in the spool.
    let mut indexer = omphalos_tests::Program::new("omphalos-indexer", &stack.path("indexer.log"))
        .option("--udp", address)
        .option("--state-dir", stack.receiver_dir().display())
        .option("--elasticsearch-url", "http://127.0.0.1:1")
        .start();
    indexer.wait_for_log("taking datagrams");
    let mut shipper = stack.shipper_over_udp(log.path(), address).listening().start();
    let load = Load::start(log, 100, |_, _| {});
    load.wait_for_more(10_000);
    let log = load.stop();
    eventually("all is sent", || {
        let sent = shipper.metric("omphalos_udp_sender_documents_total");
        holds(sent >= f64::from(u32::try_from(log.written()).expect("small")), sent)
    });
    assert_eq!(shipper.terminate(), Some(0));
    stack.wait_for_ledger("all is received", |ledger| ledger.totals.documents == log.written());
    indexer.kill();

    let mut indexer = stack.indexer_over_udp(address).start();
    log.assert_indexed_once(&stack.elastic());
    indexer.kill();
    let mut indexer = stack.indexer_over_udp(address).start();
    eventually("it listens again", || {
        holds(indexer.count_in_log("taking datagrams") == 3, indexer.log())
    });
    assert_eq!(indexer.terminate(), Some(0));
    assert_eq!(stack.only_stream().counts.documents, log.written());
    assert_eq!(stack.only_stream().counts.lost(), 0);
}

#[test]
fn a_ledger_that_was_not_saved_before_kill_nine_is_completed_from_the_spool() {
    let stack = Stack::shared();
    let address = free_address();
    let mut log = LogFile::create(&stack.path("access.log"));
    // A directory in its way keeps the ledger from being written.
    let obstacle = stack.receiver_dir().join("streams.json.new");
    std::fs::create_dir_all(&obstacle).expect("a directory");
    let mut indexer = stack.indexer_over_udp(address).listening().start();
    indexer.wait_for_log("taking datagrams");
    log.append(5_000);
    let shipper = stack.shipper_over_udp(log.path(), address).args(["--udp-mtu", "1500"]);
    assert_eq!(shipper.arg("--once").run().code, Some(0));
    indexer.wait_for_log("cannot write");
    assert!(indexer.http("/readyz").is_none(), "it is not ready");
    stack.elastic().wait_for_count(5_000);
    let datagrams = indexer.metric("omphalos_udp_datagrams_received_total");
    indexer.kill();
    std::fs::remove_dir(&obstacle).expect("the directory");

    indexer.restart();
    indexer.wait_for_log("the ledger was completed from the spool");
    let ledger = stack.wait_for_ledger("it is saved", |ledger| !ledger.streams.is_empty());
    let stream = &ledger.streams[0];
    assert_eq!((stream.counts.documents, stream.documents_sent), (5_000, 5_000));
    assert_eq!((stream.missing, stream.counts.lost()), (0, 0));
    let received = u32::try_from(stream.counts.received).expect("small");
    assert!((f64::from(received) - datagrams).abs() < 0.5, "{stream:?} of {datagrams}");
    log.assert_indexed_once(&stack.elastic());
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn a_stream_goes_on_after_its_receiver_was_killed_before_it_saved_the_ledger() {
    for sealed in [false, true] {
        let stack = Stack::shared();
        let address = free_address();
        let mut log = LogFile::create(&stack.path("access.log"));
        let obstacle = stack.receiver_dir().join("streams.json.new");
        std::fs::create_dir_all(&obstacle).expect("a directory");
        let mut indexer = if sealed {
            stack.sealed_indexer(address).start()
        } else {
            stack.indexer_over_udp(address).start()
        };
        indexer.wait_for_log("taking datagrams");
        log.append(100);
        let shipper = stack.shipper_over_udp(log.path(), address);
        let mut shipper = if sealed {
            shipper.arg("--udp-retransmit").option("--udp-key-file", stack.key_file().display())
        } else {
            shipper
        }
        .start();
        stack.elastic().wait_for_count(100);
        indexer.kill();
        std::fs::remove_dir(&obstacle).expect("the directory");
        indexer.restart();
        eventually("it listens again", || {
            holds(indexer.count_in_log("taking datagrams") == 2, indexer.log())
        });
        log.append(1_000);
        log.assert_indexed_once(&stack.elastic());
        assert_eq!(shipper.terminate(), Some(0));
        stack.wait_for_ledger("the stream has ended", |ledger| {
            ledger.streams.iter().any(|stream| stream.ended && stream.missing == 0)
        });
        let stream = stack.only_stream();
        assert_eq!((stream.counts.documents, stream.sealed), (1_100, Some(sealed)));
        assert_eq!(stack.ledger().totals.all_refused(), 0);
        assert_eq!(indexer.terminate(), Some(0));
    }
}

#[test]
fn an_indexer_killed_while_lines_pour_in_loses_only_what_nobody_took() {
    let stack = Stack::shared();
    let address = free_address();
    let log = LogFile::create(&stack.path("access.log"));
    let mut indexer = stack.indexer_over_udp(address).start();
    indexer.wait_for_log("taking datagrams");
    let mut shipper = stack.shipper_over_udp(log.path(), address).listening().start();
    let load = Load::start(log, 50, |_, _| {});
    for _ in 0..5 {
        load.wait_for_more(3_000);
        indexer.kill();
        indexer.restart();
    }
    load.wait_for_more(3_000);
    let log = load.stop();
    eventually("all is sent", || {
        let sent = shipper.metric("omphalos_documents_confirmed_total");
        holds(sent >= f64::from(u32::try_from(log.written()).expect("small")), sent)
    });
    assert_eq!(shipper.terminate(), Some(0));
    let ledger = stack.wait_for_ledger("the stream has ended and is settled", |ledger| {
        ledger.streams.first().is_some_and(|stream| stream.ended && stream.missing == 0)
    });
    let stream = &ledger.streams[0];
    let elastic = stack.elastic();
    // A batch that met nobody is sent again, so that documents may come twice; what the ledger
    // calls received is there in any case.
    let sent = stream.documents_sent;
    assert!(sent >= log.written(), "{sent} of {}", log.written());
    eventually("what was received is indexed", || {
        let count = elastic.count().map_err(|error| format!("{error:?}"))?;
        let missing = log.written().saturating_sub(count);
        let lost = sent - stream.counts.documents;
        holds(missing <= lost, format!("{missing} missing, {lost} lost"))
    });
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn a_relay_keeps_what_it_received_while_the_broker_is_down() {
    let mut stack = Stack::with_broker(&[]);
    let address = free_address();
    let log = LogFile::create(&stack.path("access.log"));
    let mut relay = stack.relay(address).listening().start();
    let mut indexer = stack.indexer().start();
    relay.wait_for_log("taking datagrams");
    let mut shipper = stack.shipper_over_udp(log.path(), address).start();
    let load = Load::start(log, 50, |_, _| {});
    load.wait_for_more(3_000);
    // A broker that is killed right after a queue was declared forgets it (ARCHITECTURE.md).
    stack.broker().wait_for_queue("/", "omphalos.index");
    stack.broker().kill();
    load.wait_for_more(5_000);
    // While the broker is away, the relay is killed as well.
    eventually("the spool fills", || {
        let records = relay.metric("omphalos_spool_records");
        holds(records > 50.0, records)
    });
    relay.kill();
    relay.restart();
    load.wait_for_more(3_000);
    stack.broker().start();
    load.wait_for_more(2_000);
    let log = load.stop();
    let elastic = stack.elastic();
    // Killing the relay may lose what was in its socket; all else is there.
    eventually("all that was received is indexed", || {
        let ledger = stack.ledger();
        let count = elastic.count().map_err(|error| format!("{error:?}"))?;
        let sent: u64 = ledger.streams.iter().map(|stream| stream.documents_sent).sum();
        let lost = sent - ledger.totals.documents;
        let state = format!("{count} of {}, {lost} lost, {sent} sent", log.written());
        holds(sent >= log.written() && count + lost >= log.written(), state)
    });
    for program in [&mut shipper, &mut relay, &mut indexer] {
        assert_eq!(program.terminate(), Some(0), "{}", program.log());
    }
}

#[test]
fn a_full_spool_refuses_and_counts_and_goes_on_when_there_is_room() {
    let stack = Stack::shared();
    let address = free_address();
    let limited = |indexer: omphalos_tests::Program| {
        indexer.args(["--spool-max-bytes", "256KiB", "--receive-gap-timeout", "1s"])
    };
    let away = omphalos_tests::Program::new("omphalos-indexer", &stack.path("indexer.log"))
        .option("--udp", address)
        .option("--state-dir", stack.receiver_dir().display())
        .option("--elasticsearch-url", "http://127.0.0.1:1");
    let mut away = limited(away).start();
    away.wait_for_log("taking datagrams");
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(8_000);
    let ship = |rate: &str| {
        let shipper = stack.shipper_over_udp(log.path(), address);
        shipper.args(["--udp-mtu", "1500", "--udp-rate", rate, "--once"]).run()
    };
    assert_eq!(ship("32MiB").code, Some(0));
    let ledger = stack.wait_for_ledger("the stream has ended and is settled", |ledger| {
        ledger.streams.first().is_some_and(|stream| stream.ended && stream.missing == 0)
    });
    let stream = &ledger.streams[0];
    assert!(stream.counts.lost() > 100, "{stream:?}");
    assert_eq!(stream.counts.refused.get("spool_full"), Some(&stream.counts.lost()));
    let spool = std::fs::read_dir(stack.receiver_dir().join("spool")).expect("a spool");
    let bytes: u64 = spool.flatten().map(|file| file.metadata().expect("a file").len()).sum();
    assert!(bytes <= 256 * 1024 + 4096, "{bytes}");
    assert_eq!(away.terminate(), Some(0));

    let mut indexer = limited(stack.indexer_over_udp(address)).start();
    stack.elastic().wait_for_count(stream.counts.documents);
    // There is room again, so the rest arrives when it is sent again, at a rate that leaves time to
    // make room.
    std::fs::remove_dir_all(stack.path("state")).expect("the state directory");
    assert_eq!(ship("64KiB").code, Some(0));
    log.assert_indexed_once(&stack.elastic());
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn without_a_broker_dead_letters_are_kept_in_a_file() {
    let stack = Stack::shared();
    let address = free_address();
    let settings = ["--receive-encoding", "ndjson", "--index-foreign-datasets", "strict"];
    let mut indexer = stack.indexer_over_udp(address).args(settings).start();
    indexer.wait_for_log("taking datagrams");
    let strict = json!({"mappings": {"dynamic": "strict", "properties": {
        "@timestamp": {"type": "date"}, "event": {"properties": {"dataset": {"type": "keyword"}}}
    }}});
    let index = format!("{}-strict-2026.11.22", stack.prefix());
    stack.elastic().must(Method::PUT, &index, &strict);
    let refused =
        "{\"@timestamp\":\"2026-11-22T01:00:00Z\",\"event\":{\"dataset\":\"strict\"},\"odd\":1}";
    send_text(address, &format!("{{\"message\":\"good\"}}\n{refused}\n"));
    stack.elastic().wait_for_count(1);
    let path = stack.receiver_dir().join("dead-letters.ndjson");
    let letters = eventually("the dead letter is written", || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        holds(text.ends_with('\n'), &text).map(|()| text)
    });
    let letter: serde_json::Value = serde_json::from_str(&letters).expect("one line of JSON");
    assert_eq!(letter["x-omphalos-status"], "400");
    assert!(letter["x-omphalos-reason"].as_str().is_some_and(|reason| reason.contains("[odd]")));
    assert!(letter["document"].as_str().is_some_and(|text| text == refused));
    assert_eq!(indexer.terminate(), Some(0));
}
