//! The proxy's state: its sockets, what it keeps back, and its account.
//!
//! One lock guards all of it, so whoever holds the lock may receive and send: the proxy's thread,
//! and a test that settles or releases.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use super::account::{Account, Kind, Name};
use super::harm::{Fate, Harm, corrupt, random_of};

/// A socket's receive buffer, where the kernel grants it.
const ROOM: usize = 16 << 20;

/// More datagrams than a receive buffer holds: each takes up more than 256 bytes of it.
pub(super) const BUFFERFUL: usize = 2 * ROOM / 256;

/// After so long without datagrams from a sender, its reordered ones go on.
const QUIET: Duration = Duration::from_millis(20);

/// Longer than any datagram.
const LONGEST: usize = 1 << 16;

/// A sender, and the socket that stands for it at the receiver, as in a NAT.
struct Line {
    sender: SocketAddr,
    socket: Arc<UdpSocket>,
}

/// One direction of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    There(usize),
    Back(usize),
}

struct Parcel {
    lane: Lane,
    name: Name,
    bytes: Vec<u8>,
}

/// A reordered datagram.
struct Waiting {
    parcel: Parcel,
    /// So many more of its lane go first.
    ahead: u8,
    /// When one of its lane came last.
    touched: Instant,
}

pub(super) struct Exchange {
    seed: u64,
    front: Arc<UdpSocket>,
    lines: Vec<Line>,
    line_of: HashMap<SocketAddr, usize>,
    waiting: Vec<Waiting>,
    held: Vec<Parcel>,
    /// By kind.
    harms: [Harm; Kind::ALL.len()],
    /// How many of them are still wanted.
    capturing: usize,
    pub(super) target: SocketAddr,
    pub(super) drop_next: u64,
    pub(super) spare_retransmissions: bool,
    pub(super) captured: Vec<Vec<u8>>,
    pub(super) account: Account,
    /// Datagrams that could not be sent on.
    pub(super) failed: u64,
    /// Space to receive into.
    space: Vec<u8>,
}

impl Exchange {
    pub(super) fn new(target: SocketAddr, seed: u64) -> Self {
        Self {
            seed,
            front: Arc::new(socket()),
            lines: Vec::new(),
            line_of: HashMap::new(),
            waiting: Vec::new(),
            held: Vec::new(),
            harms: [Harm::NONE; Kind::ALL.len()],
            capturing: 0,
            target,
            drop_next: 0,
            spare_retransmissions: false,
            captured: Vec::new(),
            account: Account::default(),
            failed: 0,
            space: vec![0; LONGEST],
        }
    }

    pub(super) fn set_harm(&mut self, kind: Kind, harm: Harm) {
        self.harms[kind as usize] = harm.checked();
    }

    pub(super) fn capture(&mut self, count: usize) {
        self.capturing = count;
        self.captured.clear();
    }

    /// Where it receives: in front, then for each sender.
    pub(super) fn sockets(&self) -> Vec<Arc<UdpSocket>> {
        let behind = self.lines.iter().map(|line| Arc::clone(&line.socket));
        std::iter::once(Arc::clone(&self.front)).chain(behind).collect()
    }

    /// Whether reordered datagrams wait for later ones.
    pub(super) fn keeps_back(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Receives up to `limit` datagrams in front and as many for each sender, and does with them
    /// what is to be done. Returns how many came.
    pub(super) fn turn(&mut self, limit: usize) -> usize {
        let mut space = std::mem::take(&mut self.space);
        let mut count = 0;
        while count < limit
            && let Some((length, sender)) = receive(&self.front, &mut space)
        {
            let lane = Lane::There(self.line(sender));
            self.take(lane, Name::of(&space[..length]), &space[..length]);
            count += 1;
        }
        for line in 0..self.lines.len() {
            let socket = Arc::clone(&self.lines[line].socket);
            let end = count + limit;
            while count < end
                && let Some((length, _)) = receive(&socket, &mut space)
            {
                let name = Name { kind: Kind::Request, ..Name::of(&space[..length]) };
                self.take(Lane::Back(line), name, &space[..length]);
                count += 1;
            }
        }
        self.space = space;
        count
    }

    /// Forwards the reordered datagrams of the lanes that have been quiet, or all of them.
    pub(super) fn flush(&mut self, all: bool) {
        let now = Instant::now();
        let due = |waiting: &mut Waiting| all || now - waiting.touched >= QUIET;
        for waiting in self.waiting.extract_if(.., due).collect::<Vec<_>>() {
            self.send(&waiting.parcel);
        }
    }

    /// Forwards the held datagrams, in the order they came in.
    pub(super) fn release(&mut self) -> u64 {
        let held = std::mem::take(&mut self.held);
        for parcel in &held {
            self.account.note(
                parcel.name,
                |counts| &mut counts.released,
                |stream| &mut stream.released,
            );
            self.send(parcel);
        }
        held.len() as u64
    }

    /// The line of a sender, opened when it is new.
    fn line(&mut self, sender: SocketAddr) -> usize {
        let lines = &mut self.lines;
        *self.line_of.entry(sender).or_insert_with(|| {
            lines.push(Line { sender, socket: Arc::new(socket()) });
            lines.len() - 1
        })
    }

    /// Does with one datagram what is to be done.
    fn take(&mut self, lane: Lane, name: Name, bytes: &[u8]) {
        let overtaken = self.overtaken(lane);
        let [stream, number, before] = self.account.see(name);
        let mut random = random_of(self.seed, [name.kind as u64, stream, number, before]);
        let parcel = || Parcel { lane, name, bytes: bytes.to_vec() };
        let account = &mut self.account;
        match self.harms[name.kind as usize].draw(&mut random, bytes.len()) {
            _ if name.kind == Kind::Data && self.drop_next > 0 => {
                self.drop_next -= 1;
                account.note(name, |counts| &mut counts.dropped, |stream| &mut stream.dropped);
            }
            _ if before > 0 && self.spare_retransmissions => self.pass(lane, name, bytes),
            Fate::Pass => self.pass(lane, name, bytes),
            Fate::Drop => {
                account.note(name, |counts| &mut counts.dropped, |stream| &mut stream.dropped);
            }
            Fate::Repeat => {
                account.note(name, |counts| &mut counts.repeated, |stream| &mut stream.repeated);
                self.send_whole(lane, name, bytes);
                self.send_whole(lane, name, bytes);
            }
            Fate::Reorder(ahead) => {
                account.note(name, |counts| &mut counts.reordered, |stream| &mut stream.reordered);
                self.waiting.push(Waiting { parcel: parcel(), ahead, touched: Instant::now() });
            }
            Fate::Corrupt => {
                account.note(name, |counts| &mut counts.corrupted, |stream| &mut stream.corrupted);
                let sent = self.send_bytes(lane, &corrupt(bytes, &mut random));
                self.account.of_mut(name.kind).forwarded += u64::from(sent);
            }
            Fate::Hold => {
                account.note(name, |counts| &mut counts.held, |stream| &mut stream.held);
                self.held.push(parcel());
            }
        }
        for parcel in overtaken {
            self.send(&parcel);
        }
    }

    /// Counts a datagram for the reordered ones of its lane, and returns those it is the last for.
    fn overtaken(&mut self, lane: Lane) -> Vec<Parcel> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let now = Instant::now();
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.parcel.lane == lane) {
            waiting.ahead -= 1;
            waiting.touched = now;
        }
        let due = self.waiting.extract_if(.., |waiting| waiting.ahead == 0);
        due.map(|waiting| waiting.parcel).collect()
    }

    fn pass(&mut self, lane: Lane, name: Name, bytes: &[u8]) {
        self.account.of_mut(name.kind).passed += 1;
        if name.kind == Kind::Data && self.capturing > 0 {
            self.capturing -= 1;
            self.captured.push(bytes.to_vec());
        }
        self.send_whole(lane, name, bytes);
    }

    fn send(&mut self, parcel: &Parcel) {
        self.send_whole(parcel.lane, parcel.name, &parcel.bytes);
    }

    fn send_whole(&mut self, lane: Lane, name: Name, bytes: &[u8]) {
        if self.send_bytes(lane, bytes) {
            self.account.note(name, |counts| &mut counts.forwarded, |stream| &mut stream.forwarded);
        }
    }

    fn send_bytes(&mut self, lane: Lane, bytes: &[u8]) -> bool {
        let sent = match lane {
            Lane::There(line) => self.lines[line].socket.send_to(bytes, self.target),
            Lane::Back(line) => self.front.send_to(bytes, self.lines[line].sender),
        };
        self.failed += u64::from(sent.is_err());
        sent.is_ok()
    }
}

/// A socket that does not block, with all the room the kernel grants. It is never connected: a
/// receiver that is away must not become an error here.
fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.set_nonblocking(true).expect("a socket that does not block");
    // Only root may have more than net.core.rmem_max.
    setsockopt(&socket, sockopt::RcvBufForce, &ROOM)
        .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &ROOM))
        .expect("a receive buffer");
    socket
}

fn receive(socket: &UdpSocket, space: &mut [u8]) -> Option<(usize, SocketAddr)> {
    match socket.recv_from(space) {
        Ok(received) => Some(received),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("the proxy cannot receive: {error}"),
    }
}
