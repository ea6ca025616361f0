use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use super::{Account, Counts, Flood, Harm, Hostile, Kind, UdpProxy};
use crate::wait::{eventually, holds};

const STREAM: u64 = 0xABCD;

const BAD: Harm = Harm { drop: 0.1, repeat: 0.1, reorder: 0.1, corrupt: 0.1, hold: 0.1 };

fn receiver() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn sender(proxy: &UdpProxy) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(proxy.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

/// A datagram with a flag set and 100 bytes of body.
fn datagram(kind: u8, stream: u64, number: u64) -> Vec<u8> {
    let header = [&[0x4F, 0x9D, 1, kind | 0x80], &stream.to_be_bytes()[..], &number.to_be_bytes()];
    [&header.concat()[..], &[b'x'; 100]].concat()
}

fn send(socket: &UdpSocket, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        socket.send(&datagram(1, STREAM, number)).unwrap();
    }
}

/// All that arrived.
fn received(socket: &UdpSocket) -> Vec<Vec<u8>> {
    let mut space = [0; 2048];
    let next = || socket.recv(&mut space).ok().map(|length| space[..length].to_vec());
    std::iter::from_fn(next).collect()
}

fn number(datagram: &[u8]) -> u64 {
    u64::from_be_bytes(*datagram[12..].first_chunk().unwrap())
}

fn numbers(datagrams: &[Vec<u8>]) -> Vec<u64> {
    datagrams.iter().map(|datagram| number(datagram)).collect()
}

fn assert_adds_up(counts: &Counts) {
    assert_eq!((counts.decided(), counts.due()), (counts.seen, counts.forwarded), "{counts:?}");
}

/// Sends `0..count` in parts, none larger than a small receive buffer; returns what arrives.
fn pump(proxy: &UdpProxy, socket: &UdpSocket, count: u64, part: u64) -> Vec<Vec<u8>> {
    let source = sender(proxy);
    let mut arrived = Vec::new();
    socket.set_nonblocking(true).unwrap();
    for begin in (0..count).step_by(part.try_into().unwrap()) {
        let end = count.min(begin + part);
        send(&source, begin..end);
        eventually("the proxy has seen them", || {
            let seen = proxy.counts(Kind::Data).seen;
            holds(seen == end, format_args!("{seen} of {end}"))
        });
        arrived.append(&mut received(socket));
    }
    socket.set_nonblocking(false).unwrap();
    proxy.settle();
    assert_eq!(proxy.own_drops(), 0);
    arrived.append(&mut received(socket));
    arrived
}

/// What a proxy does to 5,000 datagrams, and what arrives.
fn harmed(seed: u64, part: u64) -> (Account, Vec<Vec<u8>>) {
    let (socket, address) = receiver();
    let proxy = UdpProxy::start(address, seed, BAD);
    let arrived = pump(&proxy, &socket, 5_000, part);
    (proxy.account(), arrived)
}

#[test]
fn the_same_seed_does_the_same_harm() {
    // To the same bits, in whatever rhythm they come.
    let [one, same, other] = [(7, 100), (7, 37), (8, 100)].map(|(seed, part)| {
        let (account, mut arrived) = harmed(seed, part);
        arrived.sort();
        (account, arrived)
    });
    assert!(one == same);
    assert!(one != other);
}

#[test]
fn the_account_adds_up_and_is_what_arrived() {
    let (account, arrived) = harmed(3, 100);
    assert_adds_up(&account.data);
    assert_eq!(account.data.seen, 5_000);
    assert_eq!(arrived.len() as u64, account.data.forwarded);
    let (whole, corrupted): (Vec<_>, Vec<_>) =
        arrived.into_iter().partition(|one| *one == datagram(1, STREAM, number(one)));
    let stream = &account.streams[&STREAM];
    let set = |datagrams: &[Vec<u8>]| numbers(datagrams).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(set(&corrupted), stream.corrupted);
    assert_eq!(set(&whole), stream.forwarded);
    assert_eq!(whole.len(), stream.forwarded.len() + stream.repeated.len());
    let lost = [&stream.dropped, &stream.corrupted, &stream.held].into_iter().flatten().copied();
    assert_eq!(stream.missing(), lost.collect());
    for harmed in [&stream.dropped, &stream.repeated, &stream.reordered, &stream.corrupted] {
        assert!((400..600).contains(&harmed.len()), "far from a tenth: {}", harmed.len());
    }
    // Reordered ones come after later ones, but not after many.
    let order = numbers(&whole);
    let late = order.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(late > 300, "in order but for {late}");
    let latest = order.iter().scan(0, |top, &number| {
        *top = number.max(*top);
        Some(*top - number)
    });
    assert!(latest.max() <= Some(8));
}

#[test]
fn without_harm_everything_passes_in_order() {
    let (socket, address) = receiver();
    let proxy = UdpProxy::start(address, 1, Harm::NONE);
    let arrived = pump(&proxy, &socket, 20_000, 250);
    assert_eq!(numbers(&arrived), (0..20_000).collect::<Vec<_>>());
    let data = proxy.account().data;
    assert_eq!((data.seen, data.passed, data.forwarded), (20_000, 20_000, 20_000));
    assert!(proxy.account().streams[&STREAM].missing().is_empty());
}

#[test]
fn answers_go_back_to_their_senders() {
    let (socket, address) = receiver();
    let proxy = UdpProxy::start(address, 1, Harm::NONE);
    let sources = [sender(&proxy), sender(&proxy)];
    let mut space = [0; 2048];
    for (stream, source) in (0..).zip(&sources) {
        source.send(&datagram(1, stream, 0)).unwrap();
        let (_, from) = socket.recv_from(&mut space).unwrap();
        socket.send_to(&datagram(4, stream, 9), from).unwrap();
        let length = source.recv(&mut space).unwrap();
        assert_eq!(space[..length], datagram(4, stream, 9));
    }
    proxy.set_harm_of(Kind::Request, Harm { drop: 1.0, ..Harm::NONE });
    send(&sources[0], [1]);
    let (_, from) = socket.recv_from(&mut space).unwrap();
    socket.send_to(&datagram(4, STREAM, 1), from).unwrap();
    proxy.settle();
    let account = proxy.account();
    assert_eq!((account.request.passed, account.request.dropped, account.data.passed), (2, 1, 3));
    assert_adds_up(&account.request);
}

#[test]
fn held_datagrams_wait_for_their_release() {
    let (socket, address) = receiver();
    let proxy = UdpProxy::start(address, 1, Harm { hold: 1.0, ..Harm::NONE });
    let source = sender(&proxy);
    send(&source, 0..10);
    proxy.settle();
    assert_eq!(received(&socket).len(), 0);
    proxy.pass_all();
    send(&source, 10..12);
    proxy.settle();
    assert_eq!(numbers(&received(&socket)), [10, 11]);
    // The receiver comes back elsewhere.
    let (socket, address) = receiver();
    proxy.set_target(address);
    assert_eq!((proxy.release(), proxy.release()), (10, 0));
    assert_eq!(numbers(&received(&socket)), (0..10).collect::<Vec<_>>());
    let account = proxy.account();
    assert_adds_up(&account.data);
    assert_eq!(account.streams[&STREAM].released, (0..10).collect());
}

#[test]
fn exactly_the_next_are_dropped_and_sending_again_helps() {
    let (socket, address) = receiver();
    let proxy = UdpProxy::start(address, 1, Harm::NONE);
    let source = sender(&proxy);
    proxy.drop_next(3);
    source.send(&datagram(3, STREAM, 0)).unwrap();
    send(&source, 0..5);
    proxy.settle();
    assert_eq!(numbers(&received(&socket)[1..]), [3, 4]);
    proxy.set_harm(Harm { drop: 1.0, ..Harm::NONE });
    proxy.spare_retransmissions(true);
    send(&source, 0..6);
    proxy.settle();
    assert_eq!(numbers(&received(&socket)), [0, 1, 2, 3, 4]);
    let account = proxy.account();
    assert_eq!((account.data.seen, account.data.seen_again, account.data.dropped), (11, 5, 4));
    assert_eq!(account.streams[&STREAM].missing(), [5].into());
    assert_eq!(account.mark.passed, 1);
}

#[test]
fn only_the_kinds_meant_are_harmed() {
    let (socket, address) = receiver();
    let proxy = UdpProxy::start(address, 1, Harm { drop: 1.0, ..Harm::NONE });
    proxy.set_harm_of(Kind::Parity, Harm { repeat: 1.0, ..Harm::NONE });
    let source = sender(&proxy);
    for kind in 0..6 {
        source.send(&datagram(kind, STREAM, 0)).unwrap();
    }
    source.send(&datagram(1, STREAM, 0)[..19]).unwrap();
    source.send(b"").unwrap();
    proxy.settle();
    assert_eq!(received(&socket).len(), 8);
    let account = proxy.account();
    let forwarded = Kind::ALL.map(|kind| account.of(kind).forwarded);
    assert_eq!(forwarded, [0, 2, 1, 1, 4]);
}

#[test]
fn reordered_datagrams_do_not_wait_for_ever() {
    let (socket, address) = receiver();
    let proxy = UdpProxy::start(address, 1, Harm { reorder: 1.0, ..Harm::NONE });
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    send(&sender(&proxy), [4]);
    // Nobody settles here.
    let mut space = [0; 2048];
    assert_eq!(socket.recv(&mut space).unwrap(), 120);
    assert_eq!(number(&space), 4);
}

#[test]
fn a_flood_is_counted_and_can_be_made_of_captured_datagrams() {
    let (socket, address) = receiver();
    let proxy = UdpProxy::start(address, 1, Harm::NONE);
    proxy.capture(50);
    send(&sender(&proxy), 0..60);
    proxy.settle();
    let captured = proxy.captured();
    assert_eq!(numbers(&captured), (0..50).collect::<Vec<_>>());
    drop(received(&socket));
    let kinds = [
        Hostile::Random,
        Hostile::Truncated(captured.clone()),
        Hostile::Replayed(captured.clone()),
        Hostile::Forged(captured.clone()),
    ];
    let flood = Flood::start(address, 5, &kinds);
    let mut space = [0; 2048];
    let (mut whole, mut other, mut count) = (0, 0, 0);
    while count < 2_000 {
        let length = socket.recv(&mut space).unwrap();
        count += 1;
        whole += u32::from(captured.iter().any(|one| *one == space[..length]));
        other += u32::from(length == 120 && captured.iter().all(|one| *one != space[..length]));
    }
    assert!(flood.sent() >= count);
    assert!(flood.stop() >= count);
    assert!((400..600).contains(&whole) && (400..600).contains(&other), "{whole}, {other}");
}

#[test]
fn what_the_proxy_itself_loses_is_told() {
    let (_socket, address) = receiver();
    let proxy = UdpProxy::start(address, 1, Harm::NONE);
    let source = sender(&proxy);
    let sent = 20_000;
    // Its thread cannot receive meanwhile.
    let exchange = proxy.exchange();
    for _ in 0..sent {
        source.send(&[0; 1400]).unwrap();
    }
    drop(exchange);
    proxy.settle();
    let (lost, seen) = (proxy.own_drops(), proxy.counts(Kind::Other).seen);
    assert!(lost > 0 && lost + seen == sent, "{lost} lost, {seen} seen");
}
