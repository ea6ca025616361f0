//! Ports that must be known before someone listens on them.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Between the ports that the scripts of `tests/stack` give out and those that the kernel gives to
/// clients.
const FIRST: u16 = 32_000;
const COUNT: u16 = 768;

/// Listens on 127.0.0.1 on a port that no other call of this process was given.
pub(crate) fn listen() -> TcpListener {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Each process begins elsewhere.
    let start = u16::try_from(std::process::id() * 7 % u32::from(COUNT)).expect("a small number");
    let mut sockets = (0..COUNT).filter_map(|_| {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        TcpListener::bind(("127.0.0.1", FIRST + (start + step) % COUNT)).ok()
    });
    sockets.next().expect("a free port")
}

/// A port of 127.0.0.1 that nobody listens on now, and that no other call of this process was given.
pub fn free_port() -> u16 {
    listen().local_addr().expect("an address").port()
}
