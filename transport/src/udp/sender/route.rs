//! One destination: its socket, its stream, and what of it may be sent again.

mod queueing;
mod talk;

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::metrics::UdpSenderMetrics;
use super::ring::Ring;
use super::{UdpEncoding, UdpSenderOptions};
use crate::udp::data;
use crate::udp::datagram::{Datagram, MAX_DATAGRAM};
use crate::udp::keys::Keys;
use crate::udp::pace::Pace;
use crate::udp::parity::{GroupWriter, HEADER_BYTES};
use crate::udp::socket::{
    VECTOR, allow_fragments, connect, datagram_size, path_mtu, send, set_send_buffer,
};
use omphalos_common::retry::Retry;
use omphalos_common::telemetry::{Due, Repeats};

/// What a parity datagram may have besides the longest body: its header, a length, and one byte to
/// make it even.
const PARITY_OVERHEAD: usize = HEADER_BYTES + 3;
/// A group is closed so long after its first datagram, full or not.
const GROUP_AGE: Duration = Duration::from_secs(1);
/// The first mark follows the last data so soon; the others take twice as long each time.
const FIRST_MARK: Duration = Duration::from_millis(100);
const LAST_MARK: Duration = Duration::from_secs(10);
/// How long to wait when the kernel has no buffers.
const NO_BUFFERS: Duration = Duration::from_millis(1);

/// A destination, and the stream that goes there.
pub struct Route {
    to: String,
    link: Link,
    retry: Retry,
    failing: Repeats,
    /// Settings, which do not change: the packet size (`None` asks the kernel), buffer, form, host.
    mtu: Option<usize>,
    send_buffer: usize,
    small_buffer: Repeats,
    sealed: bool,
    plain: bool,
    host: String,
    /// Id of the stream.
    stream: u64,
    first: u64,
    next: u64,
    documents: u64,
    marks: u64,
    heartbeats: u64,
    parities: u64,
    ended: bool,
    groups: Option<GroupWriter>,
    ring: Option<Ring>,
    /// Datagrams to be sent, the oldest first.
    queue: VecDeque<Vec<u8>>,
    pace: Pace,
    mark_after: Duration,
    mark_at: Instant,
    /// When the last mark was sent.
    marked: Instant,
    /// Nothing before this number is missed, says the receiver.
    settled: u64,
    heard: Option<Instant>,
    requests: VecDeque<u64>,
    metrics: UdpSenderMetrics,
    body: Vec<u8>,
}

/// Whether there is somebody at the other end.
enum Link {
    Up { socket: UdpSocket, size: usize },
    Down { reason: String, try_at: Instant },
}

impl Route {
    /// A route with a stream of its own, not yet connected.
    pub fn new(to: &str, options: &UdpSenderOptions, metrics: UdpSenderMetrics) -> Self {
        let (first, now) = (options.first_number, Instant::now());
        metrics.open(to);
        Self {
            to: to.to_owned(),
            link: Link::Down { reason: "not connected yet".to_owned(), try_at: now },
            retry: Retry::new(Duration::from_millis(200), Duration::from_secs(10)),
            failing: Repeats::new(),
            mtu: options.mtu,
            send_buffer: options.send_buffer,
            small_buffer: Repeats::every(Duration::from_hours(1)),
            sealed: options.keys.is_some(),
            plain: options.encoding == UdpEncoding::Ndjson,
            host: options.host.clone(),
            stream: rand::random(),
            first,
            next: first,
            documents: 0,
            marks: 0,
            heartbeats: 0,
            parities: 0,
            ended: false,
            groups: options.parity.map(GroupWriter::new),
            ring: options.ring_bytes.map(|bytes| Ring::new(bytes, first)),
            queue: VecDeque::new(),
            pace: Pace::new(options.rate),
            mark_after: FIRST_MARK,
            mark_at: now,
            marked: now,
            settled: first,
            heard: None,
            requests: VecDeque::new(),
            metrics,
            body: Vec::new(),
        }
    }

    /// The destination, as it was given.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// Whether somebody seems to listen.
    pub fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// Why nobody seems to listen; `None` while somebody does.
    pub fn trouble(&self) -> Option<String> {
        match &self.link {
            Link::Up { .. } => None,
            Link::Down { reason, .. } => Some(format!("udp {}: {reason}", self.to)),
        }
    }

    /// How large a message may be that goes in one datagram.
    pub fn room(&self) -> usize {
        self.size()
            .saturating_sub(Datagram::overhead(self.sealed) + data::OVERHEAD)
            .saturating_sub(if self.groups.is_some() { PARITY_OVERHEAD } else { 0 })
    }

    fn size(&self) -> usize {
        match &self.link {
            Link::Up { size, .. } => *size,
            Link::Down { .. } => MAX_DATAGRAM,
        }
    }

    /// Sends what is queued, at the pace. `false` when nobody listens; what is left stays queued.
    pub fn flush(&mut self, keys: Option<&Keys>) -> bool {
        while !self.queue.is_empty() {
            if !self.send_some() {
                return false;
            }
            if self.ring.is_some() {
                self.listen(keys);
            }
        }
        // Nobody listening is told with delay; here it often is, for what was just sent.
        self.listen(keys);
        let now = Instant::now();
        if now.saturating_duration_since(self.marked) >= LAST_MARK {
            self.send_mark(keys);
        }
        self.mark_after = FIRST_MARK;
        self.mark_at = now + FIRST_MARK;
        if self.is_up() {
            self.retry.reset();
            self.failing.over();
        }
        self.is_up()
    }

    /// Sends the next datagrams, as many as the pace allows at once.
    fn send_some(&mut self) -> bool {
        let Link::Up { socket, .. } = &self.link else { return false };
        let mut wait = Duration::ZERO;
        let mut ready = 0;
        for datagram in self.queue.iter().take(VECTOR) {
            wait = self.pace.take(datagram.len(), Instant::now());
            ready += 1;
            if !wait.is_zero() {
                break;
            }
        }
        if !wait.is_zero() {
            thread::park_timeout(wait);
        }
        while ready > 0 {
            let next: Vec<&[u8]> = self.queue.iter().take(ready).map(Vec::as_slice).collect();
            match send(socket, &next) {
                Ok(sent) => {
                    ready = ready.saturating_sub(sent);
                    let bytes: usize = self.queue.drain(..sent).map(|sent| sent.len()).sum();
                    self.metrics.bytes.inc_by(bytes as u64);
                }
                Err(error) if is_too_large(&error) => return self.fit_the_path(),
                Err(error) if is_passing(&error) => thread::park_timeout(NO_BUFFERS),
                Err(error) => {
                    self.fail(&error);
                    return false;
                }
            }
        }
        true
    }

    /// The path has become narrower: what is queued goes in fragments, what follows fits it.
    /// `false` when nobody listens.
    fn fit_the_path(&mut self) -> bool {
        if let Err(error) = self.send_fragments() {
            self.fail(&error);
        }
        self.is_up()
    }

    fn send_fragments(&mut self) -> io::Result<()> {
        let Link::Up { socket, size } = &mut self.link else { return Ok(()) };
        let address = socket.peer_addr()?;
        let mtu = path_mtu(socket)?;
        let smaller = datagram_size(address, mtu).min(*size);
        info!(mtu, size = smaller, "udp {}: the path carries smaller datagrams", self.to);
        // Where the kernel does not know better, half of what was too much.
        *size = if smaller < *size { smaller } else { datagram_size(address, *size / 2) };
        allow_fragments(socket, true)?;
        // Each stays queued until it is sent: what fails goes when the destination is back.
        while let Some(datagram) = self.queue.front() {
            let bytes = datagram.len();
            match socket.send(datagram) {
                Ok(_) => drop(self.metrics.bytes.inc_by(bytes as u64)),
                Err(error) if is_too_large(&error) => {
                    warn!(
                        bytes,
                        "udp {}: a datagram is too large even in fragments and is dropped", self.to
                    );
                    self.metrics.dropped("too_large");
                }
                Err(error) => return Err(error),
            }
            self.queue.pop_front();
        }
        allow_fragments(socket, false)
    }

    fn fail(&mut self, error: &io::Error) {
        let reason = match error.kind() {
            io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
            _ => error.to_string(),
        };
        let wait = self.retry.next_wait();
        if let Some(Due { repeats }) = self.failing.due() {
            warn!(repeats, "udp {}: {reason}; trying again, for ever", self.to);
            self.metrics.down(&self.to);
        }
        self.link = Link::Down { reason, try_at: Instant::now() + wait };
    }

    /// Connects, and says that we are here.
    pub fn revive(&mut self, keys: Option<&Keys>) {
        match self.connect() {
            Ok(link) => {
                self.link = link;
                self.send_mark(keys);
                // On the same machine, nobody listening is known by now.
                self.listen(keys);
            }
            Err(error) => self.fail(&error),
        }
        if let Link::Up { size, .. } = &self.link {
            self.metrics.up(&self.to);
            info!(stream = format!("{:016x}", self.stream), size, "sending to udp {}", self.to);
        }
    }

    fn connect(&mut self) -> io::Result<Link> {
        let (address, socket) = reach(&self.to)?;
        let got = set_send_buffer(&socket, self.send_buffer)?;
        if got < self.send_buffer
            && let Some(Due { repeats }) = self.small_buffer.due()
        {
            warn!(
                wanted = self.send_buffer,
                got,
                repeats,
                "udp {}: the kernel gives a smaller send buffer than wanted; allow more: sysctl -w net.core.wmem_max={}",
                self.to,
                self.send_buffer
            );
        }
        if self.plain {
            // A document is not cut, so what is longer than the path carries goes in fragments.
            allow_fragments(&socket, true)?;
        }
        let mtu = match self.mtu {
            Some(mtu) => mtu,
            None => path_mtu(&socket)?,
        };
        Ok(Link::Up { size: datagram_size(address, mtu), socket })
    }

    /// Answers the receiver, sends what is due, and connects again if nobody listened.
    pub fn pulse(&mut self, keys: Option<&Keys>, now: Instant) {
        if let Link::Down { try_at, .. } = &self.link {
            if now >= *try_at {
                self.revive(keys);
            }
            return;
        }
        self.listen(keys);
        let opened = self.groups.as_ref().and_then(GroupWriter::opened);
        if opened.is_some_and(|opened| now.saturating_duration_since(opened) >= GROUP_AGE)
            && let Err(error) = self.close_group(keys)
        {
            self.fail(&error);
            return;
        }
        while !self.queue.is_empty() && self.send_some() {}
        if now >= self.mark_at {
            self.send_mark(keys);
            self.mark_after = (self.mark_after * 2).min(LAST_MARK);
            self.mark_at = now + self.mark_after;
        }
    }

    /// How soon something is due.
    pub fn due_in(&self, now: Instant) -> Duration {
        let opened = self.groups.as_ref().and_then(GroupWriter::opened);
        let at = match &self.link {
            Link::Down { try_at, .. } => *try_at,
            // A request may come at any time.
            Link::Up { .. } if self.is_awaited() => now,
            Link::Up { .. } => {
                opened.map_or(self.mark_at, |opened| self.mark_at.min(opened + GROUP_AGE))
            }
        };
        at.saturating_duration_since(now)
    }
}

/// The address of a destination, and a socket connected to it.
pub fn reach(to: &str) -> io::Result<(SocketAddr, UdpSocket)> {
    let address = to.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| io::Error::other("the name has no address"))?;
    Ok((address, connect(address)?))
}

/// Whether the kernel found a datagram longer than the path carries.
fn is_too_large(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::errno::Errno::EMSGSIZE as i32)
}

/// Whether trying again at once may help.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::TimedOut
    ) || error.raw_os_error() == Some(nix::errno::Errno::ENOBUFS as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::udp::message::Packer;
    use crate::udp::sender::tests::options;

    /// A route whose socket is this one, with datagrams of these bytes to send.
    fn route(socket: UdpSocket, datagrams: &[&str]) -> Route {
        let mut route = Route::new("127.0.0.1:9", &options(), UdpSenderMetrics::default());
        route.link = Link::Up { socket, size: 1000 };
        route.queue = datagrams.iter().map(|text| text.as_bytes().to_vec()).collect();
        route
    }

    #[test]
    fn a_path_that_cannot_be_measured_takes_the_link_down_and_keeps_what_is_queued() {
        let unconnected = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut route = route(unconnected, &["a"]);
        assert!(!route.fit_the_path());
        assert!(!route.is_up(), "or the sender would try again at once, for ever");
        assert!(route.trouble().is_some());
        assert_eq!(route.queue.len(), 1);
    }

    #[test]
    fn what_is_not_sent_in_fragments_stays_queued() {
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (_, socket) = reach(&closed.local_addr().unwrap().to_string()).unwrap();
        drop(closed);
        let mut route = route(socket, &["a", "b", "c"]);
        // The first finds nobody; the second is told so and does not leave.
        assert!(!route.fit_the_path());
        assert!(!route.is_up());
        let queued: Vec<&[u8]> = route.queue.iter().map(Vec::as_slice).collect();
        assert_eq!(queued, [b"b", b"c"]);
    }

    #[test]
    fn a_heartbeat_that_finds_nobody_or_does_not_fit_is_not_sent_and_is_queued_nowhere() {
        let mut packer = Packer::new("web1", 1).unwrap();
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (_, socket) = reach(&closed.local_addr().unwrap().to_string()).unwrap();
        let mut route = route(socket, &[]);
        route.link = match route.link {
            Link::Up { socket, .. } => Link::Up { socket, size: 100_000 },
            down @ Link::Down { .. } => down,
        };
        // The kernel takes no datagram of that size; those that follow are made to fit.
        let large: Vec<u8> = (0..80_000).map(|_| rand::random()).collect();
        assert!(!route.send_heartbeat(None, &mut packer, &large).unwrap());
        assert!(route.is_up() && route.room() < 66_000, "{}", route.room());
        drop(closed);
        // The first finds nobody; the second is told so and does not leave.
        assert!(route.send_heartbeat(None, &mut packer, b"{}").unwrap());
        assert!(!route.send_heartbeat(None, &mut packer, b"{}").unwrap());
        assert!(!route.is_up() && route.queue.is_empty());
    }
}
