//! The ledger is exact: a proxy harms a known set of datagrams, and every figure must agree.

use std::collections::BTreeSet;

use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::Health;
use omphalos_tests::udp::{batch, free_address};
use omphalos_tests::udp_proxy::{Kind, StreamAccount as Known};
use omphalos_tests::{Harm, LogFile, Program, Stack, UdpProxy};
use omphalos_transport::udp::{
    StreamAccount, UdpSender, UdpSenderMetrics, UdpSenderOptions, UdpSettings,
};

const SEED: u64 = 42;
/// Every harm there is.
const ALL: Harm = Harm { drop: 0.05, repeat: 0.05, reorder: 0.05, corrupt: 0.03, hold: 0.03 };

/// Small datagrams, so that there are many.
fn small(shipper: Program) -> Program {
    shipper.args(["--udp-mtu", "1500", "--once"])
}

/// Ships so many new lines through the proxy.
fn ship(stack: &Stack, log: &mut LogFile, proxy: &UdpProxy, lines: u64) {
    log.append(lines);
    let shipped = small(stack.shipper_over_udp(log.path(), proxy.address())).run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    proxy.settle();
    assert_eq!(proxy.own_drops(), 0);
}

/// Waits until all streams have ended and nothing is missing that may still come.
fn settled_streams(stack: &Stack, count: usize) -> Vec<StreamAccount> {
    let settled = |stream: &StreamAccount| stream.ended && stream.missing == 0;
    let ledger = stack.wait_for_ledger("all streams have ended and are settled", |ledger| {
        ledger.streams.len() == count && ledger.streams.iter().all(settled)
    });
    ledger.streams
}

/// Compares one stream with what the proxy knows of it, before held ones are released.
fn assert_exact(stream: &StreamAccount, known: &Known) {
    let of = |set: &BTreeSet<u64>| set.len() as u64;
    let sent = of(&known.seen);
    let gone = of(&known.dropped) + of(&known.corrupted) + of(&known.held);
    let counts = &stream.counts;
    assert_eq!(stream.next.wrapping_sub(stream.first), sent, "numbers");
    assert_eq!(counts.received, sent - gone, "received");
    assert_eq!(counts.repeated, of(&known.repeated), "repeated");
    assert_eq!(counts.lost(), gone, "lost");
    let lost: BTreeSet<u64> = stream
        .unseen
        .iter()
        .flat_map(|(first, length)| (0..*length).map(move |offset| first.wrapping_add(offset)))
        .collect();
    let expected: BTreeSet<u64> =
        [&known.dropped, &known.corrupted, &known.held].into_iter().flatten().copied().collect();
    assert_eq!(lost, expected, "which ones are lost");
}

#[test]
fn every_figure_matches_what_was_done_to_the_datagrams_across_restarts_of_both_ends() {
    let stack = Stack::shared();
    let address = free_address();
    let patience = ["--receive-gap-timeout", "1s"];
    let mut indexer = stack.indexer_over_udp(address).args(patience).start();
    indexer.wait_for_log("taking datagrams");
    let proxy = UdpProxy::start(address, SEED, ALL);
    let mut log = LogFile::create(&stack.path("access.log"));

    // Each run of the shipper is a stream; the receiver is stopped, and then killed, in between.
    ship(&stack, &mut log, &proxy, 20_000);
    settled_streams(&stack, 1);
    assert_eq!(indexer.terminate(), Some(0));
    let mut indexer = stack.indexer_over_udp(address).args(patience).start();
    indexer.wait_for_log_times("taking datagrams", 2);
    ship(&stack, &mut log, &proxy, 20_000);
    settled_streams(&stack, 2);
    indexer.kill();
    let mut indexer = stack.indexer_over_udp(address).args(patience).start();
    indexer.wait_for_log_times("taking datagrams", 3);
    ship(&stack, &mut log, &proxy, 20_000);
    let streams = settled_streams(&stack, 3);

    let account = proxy.account();
    let mut corrupted = 0;
    for stream in &streams {
        let id = u64::from_str_radix(&stream.stream, 16).expect("an id");
        assert_exact(stream, &account.streams[&id]);
        corrupted += account.streams[&id].corrupted.len() as u64;
    }
    assert!(account.data.dropped > 50 && account.data.held > 30 && corrupted > 30, "{account:?}");
    assert_eq!(stack.ledger().totals.refused.get("corrupt"), Some(&corrupted));
    assert_eq!(stack.ledger().totals.kernel_drops, 0);

    // What was held comes late, and is taken all the same.
    let held = proxy.release();
    proxy.settle();
    let ledger =
        stack.wait_for_ledger("the late ones are counted", |ledger| ledger.totals.late == held);
    assert_eq!(ledger.totals.lost(), account.data.dropped + account.data.corrupted);
    let documents = ledger.totals.documents;
    let sent: u64 = ledger.streams.iter().map(|stream| stream.documents_sent).sum();
    assert_eq!(sent, log.written());
    stack.elastic().wait_for_count(documents);
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn every_figure_matches_where_the_numbers_go_on_past_the_largest() {
    let stack = Stack::shared();
    let address = free_address();
    let patience = ["--receive-gap-timeout", "1s"];
    let mut indexer = stack.indexer_over_udp(address).args(patience).start();
    indexer.wait_for_log("taking datagrams");
    let proxy = UdpProxy::start(address, SEED, ALL);
    let settings = UdpSettings {
        to: vec![proxy.address().to_string()],
        mtu: "1500".to_owned(),
        ..UdpSettings::default()
    };
    let options = settings.options("web1", 1).expect("options");
    // No stream lives so long: only a test can begin there.
    let options = UdpSenderOptions { first_number: u64::MAX - 100, ..options };
    let sender = UdpSender::open(options, &UdpSenderMetrics::default(), Health::default());
    let mut sender = sender.expect("a sender");
    let never = Shutdown::new();
    for _ in 0..4 {
        assert!(sender.send(&batch(5_000), 0, &never).expect("sent"));
    }
    sender.finish(&never);
    proxy.settle();
    let stream = settled_streams(&stack, 1).remove(0);
    assert!(stream.next < stream.first, "{stream:?}");
    let account = proxy.account();
    let known = account.streams.values().next().expect("a stream");
    assert!(known.dropped.len() > 10 && known.held.len() > 5, "{known:?}");
    assert_exact(&stream, known);
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn ten_percent_parity_makes_up_for_five_percent_loss_and_the_ledger_stays_exact() {
    let stack = Stack::shared();
    let address = free_address();
    let mut indexer = stack.indexer_over_udp(address).args(["--receive-gap-timeout", "2s"]).start();
    indexer.wait_for_log("taking datagrams");
    let loss = Harm { drop: 0.05, ..Harm::NONE };
    let proxy = UdpProxy::start(address, SEED, loss);
    proxy.set_harm_of(Kind::Parity, loss);
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(60_000);
    let shipped =
        small(stack.shipper_over_udp(log.path(), proxy.address())).args(["--udp-fec", "10%"]).run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let streams = settled_streams(&stack, 1);
    let stream = &streams[0];
    let account = proxy.account();
    assert!(account.data.dropped > 100, "{account:?}");
    assert_eq!(stream.counts.restored + stream.counts.lost(), account.data.dropped);
    assert_eq!(stream.counts.received, account.data.seen - account.data.dropped);
    assert_eq!(stream.counts.parity, account.parity.seen - account.parity.dropped);
    // The last group is a small one, and may have had bad luck.
    assert!(stream.counts.lost() <= 3, "{stream:?}");
    stack.elastic().wait_for_count(stream.counts.documents);
    assert_eq!(indexer.terminate(), Some(0));
}

#[test]
fn with_retransmission_five_percent_loss_of_everything_costs_nothing() {
    let stack = Stack::shared();
    let address = free_address();
    let keys = stack.key_file();
    let mut indexer = stack.sealed_indexer(address).args(["--receive-workers", "2"]).start();
    indexer.wait_for_log("taking datagrams");
    let loss = Harm { drop: 0.05, ..Harm::NONE };
    let proxy = UdpProxy::start(address, SEED, loss);
    for kind in [Kind::Mark, Kind::Request] {
        proxy.set_harm_of(kind, loss);
    }
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(60_000);
    let shipped = small(stack.shipper_over_udp(log.path(), proxy.address()))
        .arg("--udp-retransmit")
        .option("--udp-key-file", keys.display())
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    log.assert_indexed_once(&stack.elastic());
    let stream = settled_streams(&stack, 1).remove(0);
    let account = proxy.account();
    let dropped = account.streams.values().next().expect("a stream").dropped.len() as u64;
    assert!(dropped > 100, "{account:?}");
    assert_eq!((stream.counts.lost(), stream.counts.documents), (0, 60_000));
    assert!(stream.counts.resent >= dropped, "{stream:?}");
    assert_eq!(indexer.terminate(), Some(0));
}
