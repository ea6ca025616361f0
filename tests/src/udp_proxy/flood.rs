//! Hostile datagrams at full speed.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};

use super::harm::{HEADER, flip};

/// The most bytes of a datagram that an Ethernet frame takes.
const LONGEST: usize = 1472;

/// Where the stream id and the number begin.
const STREAM: usize = 4;
const NUMBER: usize = 12;

/// What to send. The lists are captured datagrams ([`super::UdpProxy::captured`]).
#[derive(Debug, Clone)]
pub enum Hostile {
    /// Random bytes, 0 to 1472 of them.
    Random,
    /// The beginnings of these.
    Truncated(Vec<Vec<u8>>),
    /// These, again and again.
    Replayed(Vec<Vec<u8>>),
    /// These, with another stream, another number (near or far), or bits flipped in the body.
    Forged(Vec<Vec<u8>>),
}

/// A flood from a socket of its own; it ends when stopped or dropped.
pub struct Flood {
    sent: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Sends these to `target`, each kind as often as the others.
    pub fn start(target: SocketAddr, seed: u64, kinds: &[Hostile]) -> Self {
        for kind in kinds {
            if let Hostile::Truncated(list) | Hostile::Replayed(list) | Hostile::Forged(list) = kind
            {
                let whole = list.iter().all(|datagram| datagram.len() > HEADER);
                assert!(whole && !list.is_empty(), "nothing to make hostile datagrams of");
            }
        }
        assert!(!kinds.is_empty(), "a flood of nothing");
        let sent = Arc::new(AtomicU64::new(0));
        let stopped = Arc::new(AtomicBool::new(false));
        let (kinds, count, stop) = (kinds.to_vec(), Arc::clone(&sent), Arc::clone(&stopped));
        let thread = thread::spawn(move || run(target, seed, &kinds, &count, &stop));
        Self { sent, stopped, thread: Some(thread) }
    }

    /// How many were sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends it, and returns how many were sent.
    pub fn stop(mut self) -> u64 {
        self.end();
        self.sent()
    }

    fn end(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        let failed = matches!(ended, Some(Err(_)));
        assert!(!failed || thread::panicking(), "the flood's thread panicked");
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.end();
    }
}

/// The flood's thread.
fn run(target: SocketAddr, seed: u64, kinds: &[Hostile], sent: &AtomicU64, stopped: &AtomicBool) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.connect(target).expect("a target");
    let mut random = SmallRng::seed_from_u64(seed);
    let mut datagram = Vec::with_capacity(LONGEST);
    while !stopped.load(Ordering::Relaxed) {
        let kind = kinds.choose(&mut random).expect("a kind");
        write(&mut datagram, kind, &mut random);
        // While the target is away, sends fail now and then.
        if socket.send(&datagram).is_ok() {
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Makes the next datagram.
fn write(datagram: &mut Vec<u8>, kind: &Hostile, random: &mut SmallRng) {
    datagram.clear();
    match kind {
        Hostile::Random => {
            datagram.resize(random.random_range(0..=LONGEST), 0);
            random.fill_bytes(datagram);
        }
        Hostile::Truncated(list) => {
            let whole = list.choose(random).expect("a datagram");
            datagram.extend_from_slice(&whole[..random.random_range(0..whole.len())]);
        }
        Hostile::Replayed(list) => {
            datagram.extend_from_slice(list.choose(random).expect("a datagram"));
        }
        Hostile::Forged(list) => {
            datagram.extend_from_slice(list.choose(random).expect("a datagram"));
            forge(datagram, random);
        }
    }
}

/// Changes what a receiver might believe.
fn forge(datagram: &mut [u8], random: &mut SmallRng) {
    match random.random_range(0..4) {
        0 => flip(&mut datagram[STREAM..NUMBER], random),
        1 => flip(&mut datagram[NUMBER..HEADER], random),
        2 => random.fill_bytes(&mut datagram[NUMBER..HEADER]),
        _ => flip(&mut datagram[HEADER..], random),
    }
}
