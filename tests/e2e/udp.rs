//! Documents over UDP: straight into Elasticsearch, beside a queue, in pieces, as plain lines, and to
//! several destinations.

use std::io::Write as _;
use std::net::UdpSocket;
use std::time::Duration;

use omphalos_tests::udp::{free_address, send_text};
use omphalos_tests::{LogFile, Stack, eventually, holds};

#[test]
fn lines_go_over_udp_into_elasticsearch_each_once_and_the_ledger_says_so() {
    let stack = Stack::shared();
    let address = free_address();
    let mut log = LogFile::create(&stack.path("access.log"));
    let mut indexer = stack.indexer_over_udp(address).listening().start();
    indexer.wait_for_log("taking datagrams");
    log.append(30_000);
    let shipped = stack.shipper_over_udp(log.path(), address).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    log.assert_indexed_once(&stack.elastic());

    let ledger = stack.wait_for_ledger("the stream has ended", |ledger| {
        ledger.streams.first().is_some_and(|stream| stream.ended)
    });
    let stream = stack.only_stream();
    assert_eq!((stream.documents_sent, stream.counts.documents), (30_000, 30_000));
    assert_eq!((stream.host.as_str(), stream.missing, stream.counts.lost()), ("web1", 0, 0));
    assert_eq!(ledger.totals.all_refused(), 0);
    assert!(indexer.metric("omphalos_udp_documents_received_total") >= 30_000.0);

    let told = omphalos_tests::Program::new("omphalos-indexer", &stack.path("streams.log"))
        .arg("streams")
        .option("--state-dir", stack.receiver_dir().display())
        .run();
    assert_eq!(told.code, Some(0), "{}", told.output);
    assert!(told.output.contains("web1"), "{}", told.output);
    assert!(told.output.contains("30000  30000  ended"), "{}", told.output);

    // Sent again, everything is a duplicate.
    std::fs::remove_dir_all(stack.path("state")).expect("the state directory");
    assert_eq!(stack.shipper_over_udp(log.path(), address).arg("--once").run().code, Some(0));
    eventually("the duplicates are counted", || {
        let duplicate = indexer.metric("omphalos_documents_duplicate_total");
        holds(duplicate >= 30_000.0, duplicate)
    });
    log.assert_indexed_once(&stack.elastic());
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn lines_go_over_ipv6_too() {
    let stack = Stack::shared();
    let mut address = free_address();
    address.set_ip(std::net::Ipv6Addr::LOCALHOST.into());
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(2_000);
    let mut indexer = stack.indexer_over_udp(address).start();
    indexer.wait_for_log("taking datagrams");
    for mtu in ["auto", "1500"] {
        std::fs::remove_dir_all(stack.path("state")).ok();
        let shipper = stack.shipper_over_udp(log.path(), address);
        let shipped = shipper.args(["--udp-mtu", mtu, "--once"]).run();
        assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    }
    log.assert_indexed_once(&stack.elastic());
    let ledger = stack.wait_for_ledger("both streams have ended", |ledger| {
        ledger.streams.iter().filter(|stream| stream.ended).count() == 2
    });
    assert_eq!((ledger.totals.documents, ledger.totals.lost()), (4_000, 0));
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn a_line_larger_than_a_datagram_arrives_whole() {
    let stack = Stack::shared();
    let address = free_address();
    let path = stack.path("app.log");
    let mut file = std::fs::File::create(&path).expect("a log");
    let mut seed = 1_u64;
    let mut noise = |length: usize| -> String {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'a' + u8::try_from((seed >> 40) % 26).expect("a letter"))
        };
        (0..length).map(|_| next()).collect()
    };
    let lines = [noise(10), noise(3_000), noise(700_000), noise(20)];
    writeln!(file, "{}", lines.join("\n")).expect("a log");
    let mut indexer = stack.indexer_over_udp(address).start();
    indexer.wait_for_log("taking datagrams");
    let shipped = omphalos_tests::Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .args(["--once", path.to_str().expect("a path"), "--udp-mtu", "1500"])
        .option("--udp", address)
        .option("--state-dir", stack.path("state").display())
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let elastic = stack.elastic();
    elastic.wait_for_count(4);
    let mut found: Vec<String> = elastic
        .documents(&["message"])
        .iter()
        .map(|(_, document)| document["message"].as_str().expect("a message").to_owned())
        .collect();
    let mut expected = lines.to_vec();
    found.sort();
    expected.sort();
    assert!(found == expected, "the lines differ");
    let ledger = stack.wait_for_ledger("the stream has ended", |ledger| {
        ledger.streams.first().is_some_and(|stream| stream.ended)
    });
    assert!(ledger.totals.received > 200, "{ledger:?}");
    assert_eq!(ledger.totals.documents, 4);
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn plain_lines_go_in_and_out_over_udp() {
    let stack = Stack::shared();
    let address = free_address();
    let mut indexer =
        stack.indexer_over_udp(address).args(["--receive-encoding", "ndjson"]).start();
    indexer.wait_for_log("taking datagrams");
    // The same text twice means two events.
    for _ in 0..2 {
        send_text(address, "{\"message\":\"hello\",\"event\":{\"dataset\":\"notes\"}}\n");
    }
    send_text(address, "not json\n");
    send_text(address, "{\"message\":\"a\"}\n{\"message\":\"b\"}\n");
    let elastic = stack.elastic();
    elastic.wait_for_count(4);
    assert_eq!(elastic.search("message:hello").len(), 2);
    let ledger = stack.wait_for_ledger("all is counted", |ledger| ledger.totals.lines == 4);
    assert_eq!(ledger.totals.refused.get("unreadable"), Some(&1));

    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(500);
    let shipped = stack
        .shipper_over_udp(log.path(), address)
        .args(["--udp-encoding", "ndjson", "--once"])
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    elastic.wait_for_count(504);
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn a_shipper_waits_while_nobody_listens_and_fails_over_to_who_does() {
    let stack = Stack::shared();
    let (first, second) = (free_address(), free_address());
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(1_000);
    let mut shipper =
        stack.shipper_over_udp(log.path(), first).option("--udp", second).listening().start();
    shipper.wait_for_log("nobody listens there");
    eventually("the shipper says that it waits", || {
        holds(shipper.http("/readyz").is_none(), "it is ready")
    });
    let mut indexer = stack.indexer_over_udp(second).start();
    log.assert_indexed_once(&stack.elastic());
    eventually("the shipper is ready", || {
        holds(shipper.http("/readyz").is_some(), "it is not ready")
    });
    assert_eq!(indexer.terminate(), Some(0));
    log.append(1_000);
    let mut indexer = stack.indexer_over_udp(first).start();
    log.assert_indexed_once(&stack.elastic());
    assert_eq!(shipper.terminate(), Some(0));
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn split_divides_the_files_between_two_receivers() {
    let stack = Stack::shared();
    let sockets: Vec<UdpSocket> =
        (0..2).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket")).collect();
    for name in 0..16 {
        let mut log = LogFile::create(&stack.path(&format!("worker-{name}.log")));
        log.append(10);
    }
    let address = |index: usize| sockets[index].local_addr().expect("an address");
    let shipped = stack
        .shipper_over_udp(&stack.path("worker-*.log"), address(0))
        .option("--udp", address(1))
        .args(["--udp-spread", "split", "--udp-encoding", "ndjson", "--once"])
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let mut lines = Vec::new();
    for socket in &sockets {
        socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        let mut buffer = vec![0; 65_536];
        let mut text = String::new();
        while let Ok(length) = socket.recv(&mut buffer) {
            text.push_str(std::str::from_utf8(&buffer[..length]).expect("text"));
        }
        lines.push(text.lines().count());
    }
    assert_eq!(lines.iter().sum::<usize>(), 160);
    assert!(lines.iter().all(|count| *count > 0 && count % 10 == 0), "{lines:?}");
}

#[test]
fn one_indexer_takes_from_the_queue_and_from_a_socket() {
    let stack = Stack::shared();
    let address = free_address();
    let config = stack.path("indexer.toml");
    let text = format!(
        "state_dir = {:?}\n[[receive]]\nkind = \"amqp\"\n[[receive]]\nlisten = \"{address}\"\n",
        stack.receiver_dir()
    );
    std::fs::write(&config, text).expect("a configuration");
    let mut indexer = stack.indexer().option("--config", config.display()).start();
    indexer.wait_for_log("taking datagrams");
    let mut one = LogFile::create(&stack.path("one.log"));
    let mut two = LogFile::create(&stack.path("two.log"));
    one.append(2_000);
    two.append(3_000);
    assert_eq!(stack.shipper(one.path()).arg("--once").run().code, Some(0));
    assert_eq!(stack.shipper_over_udp(two.path(), address).arg("--once").run().code, Some(0));
    stack.elastic().wait_for_count(5_000);
    omphalos_tests::log_file::assert_each_once(&stack.elastic(), &[2_000, 3_000]);
    assert_eq!(indexer.terminate(), Some(0));
}
