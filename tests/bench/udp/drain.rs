//! A socket that takes what comes and forgets it: the far end of a sender that is measured alone.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use omphalos_tests::rest;

/// The receive buffer, where the kernel grants it.
const ROOM: usize = 32 << 20;
/// Between two times that it is emptied. A reader that waits for datagrams would have to be woken
/// by the sender, in the sender's time; the far end of a real path is not.
const PAUSE: Duration = Duration::from_millis(2);
/// Longer than any datagram.
const LONGEST: usize = 1 << 16;

/// The socket and its thread; both end when dropped.
pub struct Drain {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drain {
    /// A drain on 127.0.0.1.
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        setsockopt(&socket, sockopt::RcvBufForce, &ROOM)
            .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &ROOM))
            .expect("a receive buffer");
        socket.set_nonblocking(true).expect("a socket that does not block");
        let address = socket.local_addr().expect("an address");
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let thread = thread::spawn(move || {
            let mut space = vec![0; LONGEST];
            while !stop.load(Ordering::Relaxed) {
                while socket.recv(&mut space).is_ok() {}
                rest(PAUSE);
            }
        });
        Self { address, stopped, thread: Some(thread) }
    }

    /// Where to send to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the drain does not panic");
        }
    }
}
