//! What whoever may send, and is nobody that we know, can do to the documents and indices of others.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::{Span, Timestamp};
use lapin::BasicProperties;
use lapin::types::ShortString;
use omphalos_common::event::clean_name;
use omphalos_tests::udp::{free_address, send_text};
use omphalos_tests::{Amqp, LogFile, Stack};

const EXCHANGE: &str = "omphalos.logs";

/// So many names, or days, are invented.
const MANY: u32 = 120;

/// A line of a dataset that nobody has heard of.
fn invented(sender: &str, number: u32) -> String {
    let now = Timestamp::now();
    format!(
        r#"{{"@timestamp":"{now}","event":{{"dataset":"{sender}.{number}"}},"message":"{sender}"}}"#
    )
}

#[test]
fn names_and_dates_that_others_invent_make_few_indices_and_a_repeat_meets_its_first_copy() {
    let stack = Stack::shared();
    let address = free_address();
    let plain = ["--receive-encoding", "ndjson"];
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    let mut receiver = stack.relay(address).args(plain).start();
    for (turn, sender) in (1..).zip(["relayed", "direct"]) {
        receiver.wait_for_log("taking datagrams");
        for number in 0..MANY {
            send_text(address, &format!("{}\n", invented(sender, number)));
        }
        stack.wait_for_ledger("all have come", |ledger| {
            ledger.totals.lines == turn * u64::from(MANY)
        });
        assert_eq!(receiver.terminate(), Some(0));
        receiver = stack.indexer_over_udp(address).args(plain).start();
    }
    let dated = |day: u32| {
        let time = Timestamp::now() - Span::new().hours(24 * i64::from(day));
        format!(r#"{{"@timestamp":"{time}","event":{{"dataset":"json"}},"message":"dated"}}"#)
    };
    let lines: Vec<String> =
        (0..MANY).map(|number| invented("queued", number)).chain((0..MANY).map(dated)).collect();
    let amqp = stack.amqp();
    let elastic = stack.elastic();
    // The second time by another process, which knows nothing of the first.
    for _ in 0..2 {
        let properties = BasicProperties::default()
            .with_content_type("application/x-ndjson".into())
            .with_message_id("m".into());
        amqp.publish(EXCHANGE, "x", properties, lines.join("\n").as_bytes());
        let indexed = stack.indexer().arg("--drain").run();
        assert_eq!(indexed.code, Some(0), "{}", indexed.output);
        assert!(indexed.output.contains("has no indices of its own"), "{}", indexed.output);
    }
    elastic.wait_for_count(4 * u64::from(MANY));
    let names: Vec<String> = elastic.indices().into_keys().collect();
    let others = format!("{}-other-", stack.prefix());
    let other = names.iter().filter(|name| name.starts_with(&others)).count();
    // Midnight may have passed.
    assert!((1..=2).contains(&other), "{names:?}");
    assert!(names.len() <= other + 30 + 1 + 1 + 1, "{names:?}");
    let kept: BTreeSet<String> = elastic
        .documents(&["event.dataset"])
        .into_iter()
        .map(|(_, document)| document["event"]["dataset"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(kept.len() as u64, 3 * u64::from(MANY) + 1, "each says still what it was called");
}

#[test]
fn datagrams_without_a_key_take_no_id_of_a_line_and_an_audit_finds_them() {
    let stack = Stack::shared();
    let address = free_address();
    let mut indexer = stack.indexer_over_udp(address).start();
    indexer.wait_for_log("taking datagrams");
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(500);
    let sent = stack.shipper_over_udp(log.path(), address).arg("--once").run();
    assert_eq!(sent.code, Some(0), "{}", sent.output);
    let elastic = stack.elastic();
    log.assert_indexed_once(&elastic);
    assert_eq!(indexer.terminate(), Some(0));
    let audited = stack
        .omphalos(&["audit"])
        .arg(log.path().display())
        .args(["--parser", "combined"])
        .option("--elasticsearch-url", stack.search_url())
        .option("--index-prefix", stack.prefix())
        .run();
    assert_eq!(audited.code, Some(0), "{}", audited.output);
    assert!(audited.output.contains("found                   500"), "{}", audited.output);

    // The host itself, whose lines these are, comes later.
    fs::remove_dir_all(stack.path("state")).expect("a state directory");
    let own = stack.shipper(log.path()).arg("--once").run();
    assert_eq!(own.code, Some(0), "{}", own.output);
    let mut indexer = stack.indexer().listening().start();
    elastic.wait_for_count(1_000);
    let refused = indexer.metric("omphalos_documents_duplicate_total");
    assert!(refused < 0.5, "{refused} lines of the host were refused");
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn only_users_that_the_broker_vouches_for_file_batches_under_the_ids_of_hosts() {
    let stack = Stack::shared();
    let indexer = || stack.indexer().args(["--consume-shipper-users", "guest", "--drain"]);
    assert_eq!(indexer().run().code, Some(0));
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(80);
    let shipped = stack.shipper(log.path()).args(["--once", "--amqp-user-id"]).run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let amqp = stack.amqp();
    let own = amqp.take("omphalos.index").expect("the batch");
    assert!(amqp.take("omphalos.index").is_none(), "one batch");
    assert_eq!(own.properties.user_id().as_ref().map(ShortString::as_str), Some("guest"));

    // Somebody who may publish has seen the ids, or knows how they are made.
    let text = zstd::decode_all(own.body.as_slice()).expect("a batch");
    let header = text.split_inclusive(|byte| *byte == b'\n').next().expect("a header");
    let forged = r#"{"@timestamp":"2026-11-22T01:02:03Z","message":"forged"}"#;
    let forged = [header, format!("{forged}\n").repeat(80).as_bytes()].concat();
    let batch =
        || BasicProperties::default().with_content_type("application/vnd.omphalos.batch.v1".into());
    let user = clean_name(&format!("mallory-{}", stack.vhost()));
    stack.rabbitmqctl(&["add_user", &user, "secret"]);
    stack.rabbitmqctl(&["set_permissions", "-p", stack.vhost(), &user, "", ".*", ""]);
    let url = stack.amqp_url().replace("guest:guest", &format!("{user}:secret"));
    let claim = catch_unwind(AssertUnwindSafe(|| {
        let claimed = batch().with_user_id("guest".into());
        Amqp::connect(&url).publish(EXCHANGE, "access.web1", claimed, &forged);
    }));
    assert!(claim.is_err(), "the broker took a message of another user");
    Amqp::connect(&url).publish(EXCHANGE, "access.web1", batch(), &forged);
    let named = batch().with_user_id(user.as_str().into());
    Amqp::connect(&url).publish(EXCHANGE, "access.web1", named, &forged);
    stack.rabbitmqctl(&["delete_user", &user]);

    let indexed = indexer().run();
    assert_eq!(indexed.code, Some(0), "{}", indexed.output);
    let elastic = stack.elastic();
    elastic.wait_for_count(80);
    assert_eq!(elastic.search("message:forged").len(), 80);
    amqp.publish(EXCHANGE, &own.routing_key, own.properties, &own.body);
    let indexed = indexer().run();
    assert_eq!(indexed.code, Some(0), "{}", indexed.output);
    elastic.wait_for_count(160);
    assert_eq!(elastic.search("url.query:*").len(), 80, "no line of the host was refused");
}
