//! UDP on an open network: keys, refusals, and floods.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use omphalos_tests::udp::{free_address, send_text};
use omphalos_tests::{Flood, Harm, Hostile, LogFile, Stack, UdpProxy, eventually, holds};

#[test]
fn only_sealed_datagrams_are_taken_where_there_is_a_key_and_keys_are_rotated_without_a_gap() {
    let stack = Stack::shared();
    let address = free_address();
    let (old, new) = (format!("1 {}\n", "aa".repeat(32)), format!("2 {}\n", "bb".repeat(32)));
    let receiver = stack.key_file_with("receiver-keys", &old);
    let sender = stack.key_file_with("sender-keys", &old);
    let mut indexer =
        stack.indexer_over_udp(address).option("--receive-key-file", receiver.display()).start();
    indexer.wait_for_log("taking datagrams");
    let mut log = LogFile::create(&stack.path("access.log"));
    let mut shipper = stack
        .shipper_over_udp(log.path(), address)
        .option("--udp-key-file", sender.display())
        .listening()
        .start();
    log.append(500);
    stack.elastic().wait_for_count(500);
    stack.key_file_with("receiver-keys", &format!("{old}{new}"));
    eventually("the receiver has both keys", || {
        holds(indexer.log().contains("Keys([1, 2])"), indexer.log())
    });
    stack.key_file_with("sender-keys", &format!("{new}{old}"));
    eventually("the sender has the new key", || {
        holds(shipper.log().contains("Keys([2, 1])"), shipper.log())
    });
    stack.key_file_with("receiver-keys", &new);
    eventually("the receiver has the new key only", || {
        holds(indexer.log().contains("Keys([2])"), indexer.log())
    });
    log.append(500);
    log.assert_indexed_once(&stack.elastic());
    assert_eq!(shipper.terminate(), Some(0));

    // Without a key, and with the old one.
    send_text(address, "{\"message\":\"let me in\"}\n");
    let other = LogFile::create(&stack.path("other.log"));
    fs::write(other.path(), "x\n").expect("a log");
    let open = stack.shipper_over_udp(other.path(), address);
    assert_eq!(
        open.option("--state-dir", stack.path("b").display()).arg("--once").run().code,
        Some(2)
    );
    let with_state = |name: &str| {
        omphalos_tests::Program::new("omphalos-shipper", &stack.path("other-shipper.log"))
            .args(["--once", other.path().to_str().expect("a path")])
            .option("--state-dir", stack.path(name).display())
            .option("--udp", address)
    };
    assert_eq!(with_state("c").run().code, Some(0));
    let late = stack.key_file_with("late-keys", &old);
    assert_eq!(with_state("d").option("--udp-key-file", late.display()).run().code, Some(0));
    let ledger = stack.wait_for_ledger("all of them are refused", |ledger| {
        let refused = &ledger.totals.refused;
        refused.contains_key("foreign")
            && refused.contains_key("unsealed")
            && refused.contains_key("unknown_key")
    });
    assert_eq!(ledger.streams.len(), 1);
    log.assert_indexed_once(&stack.elastic());
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn a_key_file_that_others_can_read_is_refused_at_both_ends() {
    let stack = Stack::shared();
    let keys = stack.key_file();
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644)).expect("a mode");
    let log = LogFile::create(&stack.path("access.log"));
    let address = free_address();
    for (program, setting) in [
        (
            stack.shipper_over_udp(log.path(), address).option("--udp-key-file", keys.display()),
            "udp.key_file",
        ),
        (
            stack.indexer_over_udp(address).option("--receive-key-file", keys.display()),
            "receive.key_file",
        ),
    ] {
        let exited = program.run();
        assert_eq!(exited.code, Some(2), "{}", exited.output);
        let expected = format!(
            "{setting}: {}: others can read it (mode 644); make it the owner's alone: chmod 600 {0}",
            keys.display()
        );
        assert!(exited.output.contains(&expected), "{}", exited.output);
    }
}

#[test]
fn nobody_without_the_key_gets_an_answer() {
    let stack = Stack::shared();
    let address = free_address();
    let keys = stack.key_file();
    let mut indexer = stack.sealed_indexer(address).start();
    indexer.wait_for_log("taking datagrams");
    let log = {
        let mut log = LogFile::create(&stack.path("access.log"));
        log.append(2_000);
        log
    };
    let proxy = UdpProxy::start(address, 1, Harm::NONE);
    proxy.capture(20);
    let shipped = stack
        .shipper_over_udp(log.path(), proxy.address())
        .args(["--udp-mtu", "1500", "--udp-retransmit", "--once"])
        .option("--udp-key-file", keys.display())
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
    let captured = proxy.captured();
    for datagram in &captured {
        // As it was, as another kind, and as if it were far ahead.
        for (place, byte) in [(3, datagram[3]), (3, 0x83), (12, 0x01)] {
            let mut forged = datagram.clone();
            forged[place] = byte;
            socket.send_to(&forged, address).expect("it can be sent");
        }
    }
    let expected = captured.len() as u64;
    let ledger = stack.wait_for_ledger("all are refused or repeated", |ledger| {
        ledger.totals.repeated >= expected
            && ledger.totals.refused.get("bad_seal").copied() == Some(2 * expected)
    });
    assert_eq!(ledger.totals.documents, 2_000);
    assert!(socket.recv(&mut [0; 2048]).is_err(), "somebody answered");
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn a_flood_of_hostile_datagrams_leaves_a_good_stream_unharmed_and_the_memory_flat() {
    let stack = Stack::shared();
    let address = free_address();
    let keys = stack.key_file();
    let mut indexer = stack.sealed_indexer(address).listening().start();
    indexer.wait_for_log("taking datagrams");
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(3_000);
    let proxy = UdpProxy::start(address, 1, Harm::NONE);
    proxy.capture(100);
    let path = log.path().to_owned();
    let shipper = |to| {
        stack
            .shipper_over_udp(&path, to)
            .args(["--udp-mtu", "1500", "--udp-retransmit"])
            .option("--udp-key-file", keys.display())
    };
    assert_eq!(shipper(proxy.address()).arg("--once").run().code, Some(0));
    stack.elastic().wait_for_count(3_000);
    let before = indexer.metric("process_resident_memory_bytes");

    let captured = proxy.captured();
    let floods = [
        Hostile::Random,
        Hostile::Truncated(captured.clone()),
        Hostile::Replayed(captured.clone()),
        Hostile::Forged(captured),
    ];
    let flood = Flood::start(address, 1, &floods);
    log.append(20_000);
    let mut shipper = shipper(address).listening().start();
    log.assert_indexed_once(&stack.elastic());
    let hostile = flood.stop();
    assert_eq!(shipper.terminate(), Some(0));
    let ledger = stack.wait_for_ledger("the good stream has ended", |ledger| {
        ledger.streams.iter().filter(|stream| stream.ended && stream.missing == 0).count() == 2
    });
    assert_eq!(ledger.streams.len(), 2, "{ledger:?}");
    assert!(ledger.streams.iter().all(|stream| stream.counts.lost() == 0), "{ledger:?}");
    assert!(ledger.totals.all_refused() > 10_000, "{hostile} sent: {ledger:?}");
    let after = indexer.metric("process_resident_memory_bytes");
    assert!(after < before + 48.0 * 1024.0 * 1024.0, "from {before} to {after}");
    assert_eq!(indexer.terminate(), Some(0));
}
