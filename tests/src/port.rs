//! Ports that must be known before someone listens on them.
//!
//! Between the choice of a port and the listening on it somebody else may take it. So each is reserved
//! by a lock on a file, which the scripts of `tests/stack` and other test processes heed.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

/// Between the ports that the scripts of `tests/stack` give out and those that the kernel gives to
/// clients.
const FIRST: u16 = 32_000;
const COUNT: u16 = 768;

/// A port of 127.0.0.1 that nobody else is given while this is there.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Locked.
    _reservation: File,
}

impl Port {
    /// A port that nobody listens on now.
    pub fn reserve() -> Self {
        Self::find("tcp", |address| TcpListener::bind(address).ok()).0
    }

    /// The same for UDP.
    fn reserve_udp() -> Self {
        Self::find("udp", |address| UdpSocket::bind(address).ok()).0
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The first port that can be reserved and bound, and the socket.
    fn find<S>(protocol: &str, bind: impl Fn(SocketAddr) -> Option<S>) -> (Self, S) {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let directory = directory();
        fs::create_dir_all(&directory).expect("a directory for reservations");
        // Each process begins elsewhere.
        let start = std::process::id() * 7 % u32::from(COUNT);
        let start = u16::try_from(start).expect("a small number");
        let mut found = (0..COUNT).filter_map(|_| {
            let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
            let number = FIRST + (start + step) % COUNT;
            let path = directory.join(format!("{protocol}-{number}"));
            let reservation = File::options().create(true).append(true).open(path).ok()?;
            reservation.try_lock().ok()?;
            let socket = bind(([127, 0, 0, 1], number).into())?;
            Some((Self { number, _reservation: reservation }, socket))
        });
        found.next().expect("a free port")
    }
}

/// Where the reservations are: the one of `tests/stack/lib.sh`.
fn directory() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || PathBuf::from(set("HOME").expect("a home directory")).join(".cache");
    let usual = || set("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("omphalos");
    let cache = set("OMPHALOS_CACHE").map_or_else(usual, PathBuf::from);
    cache.join("ports")
}

/// Listens on a port of its own.
pub(crate) fn listen() -> (Port, TcpListener) {
    Port::find("tcp", |address| TcpListener::bind(address).ok())
}

/// A port of 127.0.0.1 that nobody listens on now, and that nobody else is given as long as this
/// process lives.
pub fn free_port() -> u16 {
    keep(Port::reserve())
}

/// The same for UDP.
pub(crate) fn free_udp_port() -> u16 {
    keep(Port::reserve_udp())
}

fn keep(port: Port) -> u16 {
    static KEPT: Mutex<Vec<Port>> = Mutex::new(Vec::new());
    let number = port.number;
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(port);
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_as_long_as_it_is_kept() {
        let ports: Vec<Port> = (0..50).map(|_| Port::reserve()).collect();
        let numbers: std::collections::BTreeSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 50);
        // As another process would.
        let lock = |number: u16| {
            let path = directory().join(format!("tcp-{number}"));
            File::options().append(true).open(path).unwrap().try_lock()
        };
        assert!(numbers.iter().all(|number| lock(*number).is_err()));
        let first = ports[0].number();
        drop(ports);
        lock(first).unwrap();
    }
}
