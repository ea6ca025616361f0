//! Something between senders and a receiver of datagrams: it drops, repeats, reorders, corrupts
//! and holds them as a seed decides, and keeps an exact account of it. And a flood of hostile
//! ones.
//!
//! Whatever comes in is either in the account or in [`UdpProxy::own_drops`], which a test that
//! reads the account should find to be 0. What the receiver's own socket has no room for, the
//! proxy cannot know.

mod account;
mod exchange;
mod flood;
mod harm;
#[cfg(test)]
mod tests;

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

pub use self::account::{Account, Counts, Kind, StreamAccount};
use self::exchange::{BUFFERFUL, Exchange};
pub use self::flood::{Flood, Hostile};
pub use self::harm::Harm;

use crate::rest;

/// How many datagrams the thread handles before it lets tests have their say.
const BATCH: usize = 128;

/// A proxy on 127.0.0.1; it ends when dropped, and what it then holds is lost.
pub struct UdpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    exchange: Mutex<Exchange>,
    /// Who waits for the exchange. A busy thread would take it again before they wake.
    asking: AtomicUsize,
    stopped: AtomicBool,
}

impl UdpProxy {
    /// Before the receiver at `target`. Data is harmed, the other kinds are not until
    /// [`Self::set_harm_of`] says so.
    pub fn start(target: SocketAddr, seed: u64, harm: Harm) -> Self {
        let mut exchange = Exchange::new(target, seed);
        exchange.set_harm(Kind::Data, harm);
        let address = exchange.sockets()[0].local_addr().expect("an address");
        let shared = Arc::new(Shared {
            exchange: Mutex::new(exchange),
            asking: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let its_own = Arc::clone(&shared);
        let thread = thread::spawn(move || run(&its_own));
        Self { address, shared, thread: Some(thread) }
    }

    /// Where senders send to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Harms data so from now on.
    pub fn set_harm(&self, harm: Harm) {
        self.set_harm_of(Kind::Data, harm);
    }

    /// Harms one kind so from now on. All that comes back from the receiver is harmed as
    /// [`Kind::Request`].
    pub fn set_harm_of(&self, kind: Kind, harm: Harm) {
        self.exchange().set_harm(kind, harm);
    }

    /// Passes data on unharmed that has a number seen before, or harms it like the rest.
    pub fn spare_retransmissions(&self, spare: bool) {
        self.exchange().spare_retransmissions = spare;
    }

    /// Drops exactly the next so many data datagrams, whatever else would have become of them.
    pub fn drop_next(&self, count: u64) {
        self.exchange().drop_next = count;
    }

    /// Harms nothing from now on, of any kind. What is held stays held.
    pub fn pass_all(&self) {
        let mut exchange = self.exchange();
        exchange.drop_next = 0;
        for kind in Kind::ALL {
            exchange.set_harm(kind, Harm::NONE);
        }
    }

    /// The receiver is elsewhere now; for what is kept back, too.
    pub fn set_target(&self, target: SocketAddr) {
        self.exchange().target = target;
    }

    /// Forwards everything held, in the order it came in, and returns how many those are.
    pub fn release(&self) -> u64 {
        self.exchange().release()
    }

    /// Keeps copies of the next so many data datagrams that pass unharmed.
    pub fn capture(&self, count: usize) {
        self.exchange().capture(count);
    }

    /// The copies kept since [`Self::capture`].
    pub fn captured(&self) -> Vec<Vec<u8>> {
        self.exchange().captured.clone()
    }

    /// Forwards everything received so far that is not held, reordered datagrams too.
    pub fn settle(&self) {
        let mut count = 0;
        // A sender that never pauses cannot be waited for.
        while count < BUFFERFUL {
            // What was just sent may still be on the kernel's way to these sockets.
            rest(Duration::from_millis(5));
            match self.exchange().turn(BUFFERFUL) {
                0 => break,
                came => count += came,
            }
        }
        self.exchange().flush(true);
    }

    /// What was seen and done so far; exact when senders are quiet and the proxy has settled.
    pub fn account(&self) -> Account {
        self.exchange().account.clone()
    }

    /// The counts of one kind so far: cheap, for a test that waits for one of them.
    pub fn counts(&self, kind: Kind) -> Counts {
        *self.exchange().account.of(kind)
    }

    /// Datagrams lost by the proxy itself: its sockets had no room, or would not send.
    pub fn own_drops(&self) -> u64 {
        let exchange = self.exchange();
        let table = fs::read_to_string("/proc/net/udp").expect("the kernel's table of sockets");
        let dropped = exchange.sockets().into_iter().map(|socket| kernel_drops(&table, &socket));
        exchange.failed + dropped.sum::<u64>()
    }

    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        self.shared.asking.fetch_add(1, Ordering::Relaxed);
        let exchange = self.shared.exchange.lock();
        self.shared.asking.fetch_sub(1, Ordering::Relaxed);
        exchange.expect("no panic in the proxy")
    }
}

impl Drop for UdpProxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        let failed = matches!(ended, Some(Err(_)));
        assert!(!failed || thread::panicking(), "the proxy's thread panicked");
    }
}

/// The proxy's thread.
fn run(shared: &Shared) {
    while !shared.stopped.load(Ordering::Relaxed) {
        while shared.asking.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        let mut exchange = shared.exchange.lock().expect("no panic in a test's hands");
        let came = exchange.turn(BATCH);
        exchange.flush(false);
        if came == 0 {
            let sockets = exchange.sockets();
            let pause = if exchange.keeps_back() { 5_u8 } else { 30 };
            drop(exchange);
            wait(&sockets, pause.into());
        }
    }
}

/// Waits for a datagram on one of these, up to so many milliseconds.
fn wait(sockets: &[Arc<UdpSocket>], pause: PollTimeout) {
    let readable = |socket| PollFd::new(AsFd::as_fd(socket), PollFlags::POLLIN);
    let mut waits: Vec<PollFd<'_>> = sockets.iter().map(readable).collect();
    match poll(&mut waits, pause) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => panic!("the proxy cannot wait: {error}"),
    }
}

/// What the kernel dropped because the socket's buffer was full: its line's last column.
fn kernel_drops(table: &str, socket: &UdpSocket) -> u64 {
    let port = socket.local_addr().expect("an address").port();
    let address = format!("0100007F:{port:04X}");
    let line = table.lines().find(|line| line.split_whitespace().nth(1) == Some(&address));
    let drops = line.and_then(|line| line.split_whitespace().next_back()?.parse().ok());
    drops.expect("the socket in the kernel's table")
}
