use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{Counts, Link, Side, TcpProxy};
use crate::wait::{eventually, holds};

/// A server, a proxy before it, a client of the proxy and the server's end of the connection.
struct Scene {
    proxy: TcpProxy,
    server: TcpListener,
}

impl Scene {
    fn new() -> Self {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = TcpProxy::before(server.local_addr().unwrap().port());
        Self { proxy, server }
    }

    fn connect(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(("127.0.0.1", self.proxy.port())).unwrap();
        let (server, _) = self.server.accept().unwrap();
        for socket in [&client, &server] {
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        }
        (client, server)
    }
}

fn expect(mut socket: &TcpStream, text: &[u8]) {
    let mut space = vec![0; text.len()];
    socket.read_exact(&mut space).unwrap();
    assert_eq!(space, text);
}

fn assert_talk(client: &TcpStream, server: &TcpStream) {
    for (mut from, to) in [(client, server), (server, client)] {
        from.write_all(b"hello").unwrap();
        expect(to, b"hello");
    }
}

fn assert_reset(mut socket: &TcpStream) {
    let error = socket.read(&mut [0; 64]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

fn assert_end(mut socket: &TcpStream) {
    assert_eq!(socket.read(&mut [0; 64]).unwrap(), 0);
}

fn assert_silence(mut socket: &TcpStream) {
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert_eq!(socket.read(&mut [0; 64]).expect_err("silence").kind(), ErrorKind::WouldBlock);
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
}

/// Sends so many bytes and ends its side, while the other end is read to its end.
fn pump(client: TcpStream, mut server: &TcpStream, length: usize) -> Duration {
    let begun = Instant::now();
    let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
    let sent = bytes.clone();
    let sender = thread::spawn(move || {
        (&client).write_all(&sent).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        client
    });
    let mut received = Vec::new();
    server.read_to_end(&mut received).unwrap();
    assert!(received == bytes, "{} of {length}", received.len());
    sender.join().unwrap();
    begun.elapsed()
}

#[test]
fn an_open_link_passes_everything_and_ends_as_the_ends_do() {
    let scene = Scene::new();
    let (client, server) = scene.connect();
    assert_talk(&client, &server);
    pump(client.try_clone().unwrap(), &server, 20_000_000);
    (&server).write_all(b"the rest").unwrap();
    expect(&client, b"the rest");
    drop(server);
    assert_end(&client);
    assert_eq!(scene.proxy.counts(), Counts { made: 1, cut: 0, swallowed: 0 });
}

#[test]
fn a_reset_passes() {
    let scene = Scene::new();
    let (client, server) = scene.connect();
    (&client).write_all(b"unread").unwrap();
    // Who closes a socket with something unread sends a reset.
    eventually("it is there", || match server.peek(&mut [0; 9]) {
        Ok(length) => holds(length > 0, length),
        Err(error) => Err(error.to_string()),
    });
    drop(server);
    assert_reset(&client);
}

#[test]
fn a_link_that_refuses_is_one_where_nobody_listens() {
    let scene = Scene::new();
    let (client, server) = scene.connect();
    for _ in 0..3 {
        scene.proxy.set(Link::Refuse);
        let error = TcpStream::connect(("127.0.0.1", scene.proxy.port())).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
    assert_reset(&client);
    assert_reset(&server);
    scene.proxy.set(Link::Open);
    let (client, server) = scene.connect();
    assert_talk(&client, &server);
    assert_eq!(scene.proxy.counts(), Counts { made: 2, cut: 1, swallowed: 0 });
}

#[test]
fn a_cut_resets_what_is_there_once() {
    let scene = Scene::new();
    let before = [scene.connect(), scene.connect()];
    scene.proxy.set(Link::Cut);
    for (client, server) in &before {
        assert_reset(client);
        assert_reset(server);
    }
    let (client, server) = scene.connect();
    assert_talk(&client, &server);
    assert_eq!(scene.proxy.counts(), Counts { made: 3, cut: 2, swallowed: 0 });
}

#[test]
fn a_delay_delays_each_way_and_keeps_the_order() {
    let scene = Scene::new();
    let (client, server) = scene.connect();
    let delay = Duration::from_millis(200);
    scene.proxy.set(Link::Delay(delay));
    let begun = Instant::now();
    assert_talk(&client, &server);
    assert!(begun.elapsed() >= delay * 2, "{:?}", begun.elapsed());
    (&client).write_all(b"first, ").unwrap();
    assert_silence_for_now(&server);
    scene.proxy.set(Link::Open);
    (&client).write_all(b"second").unwrap();
    expect(&server, b"first, second");
    scene.proxy.set(Link::Delay(delay));
    assert!(pump(client, &server, 3_000_000) >= delay);
}

fn assert_silence_for_now(socket: &TcpStream) {
    socket.set_nonblocking(true).unwrap();
    assert_eq!(socket.peek(&mut [0; 1]).expect_err("nothing").kind(), ErrorKind::WouldBlock);
    socket.set_nonblocking(false).unwrap();
}

#[test]
fn a_throttle_keeps_its_rate() {
    let scene = Scene::new();
    let (client, server) = scene.connect();
    scene.proxy.set(Link::Throttle(200_000));
    let took = pump(client, &server, 200_000);
    assert!((0.8..20.0).contains(&took.as_secs_f64()), "{took:?}");
}

#[test]
fn a_black_hole_swallows_and_its_connections_are_reset_after_it() {
    let scene = Scene::new();
    let (client, server) = scene.connect();
    let (idle_client, idle_server) = scene.connect();
    assert_talk(&client, &server);
    scene.proxy.set(Link::BlackHole);
    (&client).write_all(b"lost").unwrap();
    (&server).write_all(b"lost too").unwrap();
    assert_silence(&server);
    assert_silence(&client);
    let (new_client, new_server) = scene.connect();
    drop(new_client);
    assert_silence(&new_server);
    eventually("all is swallowed", || {
        let counts = scene.proxy.counts();
        holds(counts.swallowed == 12, format!("{counts:?}"))
    });
    scene.proxy.set(Link::Open);
    for socket in [&client, &server, &new_server] {
        assert_reset(socket);
    }
    // What lost nothing goes on.
    assert_talk(&idle_client, &idle_server);
    assert_eq!(scene.proxy.counts(), Counts { made: 3, cut: 2, swallowed: 12 });
}

#[test]
fn what_a_delay_holds_is_lost_in_a_black_hole() {
    let scene = Scene::new();
    let (client, server) = scene.connect();
    scene.proxy.set(Link::Delay(Duration::from_mins(1)));
    (&client).write_all(b"held").unwrap();
    // A second connection is accepted after the first one was looked at.
    drop(scene.connect());
    eventually("it is swallowed", || {
        scene.proxy.set(Link::BlackHole);
        holds(scene.proxy.counts().swallowed == 4, "not yet")
    });
    scene.proxy.set(Link::Open);
    assert_reset(&server);
}

#[test]
fn one_side_ends_and_the_other_goes_on() {
    for side in [Side::ToClient, Side::ToServer] {
        let scene = Scene::new();
        let (client, server) = scene.connect();
        assert_talk(&client, &server);
        scene.proxy.set(Link::HalfClose(side));
        let (ended, other) =
            if side == Side::ToClient { (&client, &server) } else { (&server, &client) };
        assert_end(ended);
        let mut ended_writer = ended;
        ended_writer.write_all(b"still").unwrap();
        expect(other, b"still");
        let mut other_writer = other;
        other_writer.write_all(b"nobody reads this").unwrap();
        ended.shutdown(Shutdown::Write).unwrap();
        assert_end(other);
        eventually("it is swallowed", || {
            let counts = scene.proxy.counts();
            holds(counts.swallowed == 17, format!("{counts:?}"))
        });
        let (client, server) = scene.connect();
        assert_talk(&client, &server);
    }
}

#[test]
fn a_client_of_a_server_that_is_down_is_reset_and_a_dropped_proxy_is_gone() {
    let Scene { proxy, server } = Scene::new();
    let port = proxy.port();
    drop(server);
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert_reset(&client);
    drop(proxy);
    TcpStream::connect(("127.0.0.1", port)).expect_err("nobody listens");
}
