//! The proxy's thread: it alone has the sockets.

use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Backlog, listen, setsockopt, sockopt};

use super::lane::Lane;
use super::{Command, Counters, Link, Side};

/// Longer than a connection on one machine takes, unless the server stands still and has clients
/// waiting in line.
const CONNECT: Duration = Duration::from_millis(500);

pub(super) struct Relay {
    listener: TcpListener,
    upstream: SocketAddr,
    link: Link,
    connections: Vec<Connection>,
    counters: Arc<Counters>,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    to_server: Lane,
    to_client: Lane,
}

impl Relay {
    pub(super) fn new(listener: TcpListener, upstream: u16, counters: Arc<Counters>) -> Self {
        listener.set_nonblocking(true).expect("a socket that does not block");
        let upstream = SocketAddr::from(([127, 0, 0, 1], upstream));
        Self { listener, upstream, link: Link::Open, connections: Vec::new(), counters }
    }

    /// Runs until the other end of the bell is closed.
    pub(super) fn run(&mut self, commands: &Receiver<Command>, mut bell: &UnixStream) {
        bell.set_nonblocking(true).expect("a socket that does not block");
        loop {
            self.wait(bell);
            match bell.read(&mut [0; 16]) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
            while let Ok(Command { link, done }) = commands.try_recv() {
                self.set(link);
                // Who asked may have panicked meanwhile.
                done.send(()).ok();
            }
            self.accept();
            let (link, counters) = (self.link, &self.counters);
            self.connections.retain_mut(|connection| connection.turn(link, counters));
        }
        for connection in &self.connections {
            connection.reset();
        }
    }

    fn set(&mut self, link: Link) {
        match self.link {
            Link::BlackHole if link != Link::BlackHole => self.cut(Connection::is_sunk),
            Link::Refuse if link != Link::Refuse => {
                let backlog = Backlog::new(1024).expect("a number of clients");
                listen(&self.listener, backlog).expect("the port is still ours");
            }
            _ => {}
        }
        match link {
            Link::Refuse if self.link != Link::Refuse => {
                // Whoever waits in line is reset. The port stays ours.
                nix::sys::socket::shutdown(
                    self.listener.as_raw_fd(),
                    nix::sys::socket::Shutdown::Both,
                )
                .expect("nobody is listened to");
                self.cut(|_| true);
            }
            Link::Cut => self.cut(|_| true),
            Link::HalfClose(side) => {
                for connection in &mut self.connections {
                    add(&self.counters.swallowed, connection.force_end(side));
                }
            }
            Link::BlackHole => {
                for connection in &mut self.connections {
                    add(&self.counters.swallowed, connection.sink());
                }
            }
            _ => {}
        }
        self.link = match link {
            Link::Cut | Link::HalfClose(_) => Link::Open,
            lasting => lasting,
        };
    }

    fn cut(&mut self, is_cut: impl Fn(&Connection) -> bool) {
        let cut = self.connections.extract_if(.., |connection| is_cut(connection));
        add(&self.counters.cut, cut.inspect(Connection::reset).count());
    }

    fn accept(&mut self) {
        while self.link != Link::Refuse {
            let client = match self.listener.accept() {
                Ok((client, _)) => client,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // It went away while it waited.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => panic!("the proxy cannot accept: {error}"),
            };
            match TcpStream::connect_timeout(&self.upstream, CONNECT) {
                Ok(server) => {
                    add(&self.counters.made, 1);
                    self.connections.push(Connection::new(client, server));
                }
                Err(_) => reset(&client),
            }
        }
    }

    /// Waits until there may be something to do.
    fn wait(&self, bell: &UnixStream) {
        let now = Instant::now();
        let mut waits = vec![PollFd::new(bell.as_fd(), PollFlags::POLLIN)];
        if self.link != Link::Refuse {
            waits.push(PollFd::new(self.listener.as_fd(), PollFlags::POLLIN));
        }
        let mut next: Option<Instant> = None;
        for connection in &self.connections {
            for (lane, from, to) in connection.lanes() {
                // A socket that nothing is wanted of is left out: its hang-up would wake us for ever.
                if lane.wants_to_read(self.link) {
                    waits.push(PollFd::new(from.as_fd(), PollFlags::POLLIN));
                }
                if lane.wants_to_write(self.link, now) {
                    waits.push(PollFd::new(to.as_fd(), PollFlags::POLLOUT));
                }
                next = next.into_iter().chain(lane.next(self.link, now)).min();
            }
        }
        let pause = next.map_or(PollTimeout::NONE, |next| {
            let pause = next.saturating_duration_since(now) + Duration::from_millis(1);
            PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut waits, pause) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => panic!("the proxy cannot wait: {error}"),
        }
    }
}

impl Connection {
    fn new(client: TcpStream, server: TcpStream) -> Self {
        for socket in [&client, &server] {
            socket.set_nonblocking(true).expect("a socket that does not block");
            socket.set_nodelay(true).expect("a socket that does not wait for more");
        }
        Self { client, server, to_server: Lane::new(), to_client: Lane::new() }
    }

    fn lanes(&self) -> [(&Lane, &TcpStream, &TcpStream); 2] {
        let Self { client, server, to_server, to_client } = self;
        [(to_server, client, server), (to_client, server, client)]
    }

    /// Reads and writes what can be; returns whether there is more to come.
    fn turn(&mut self, link: Link, counters: &Counters) -> bool {
        let Ok(lost) = self.carry(link) else {
            // One end has reset the connection, or does not take what it is sent.
            self.reset();
            return false;
        };
        add(&counters.swallowed, lost);
        !(self.to_server.is_over() && self.to_client.is_over())
    }

    fn carry(&mut self, link: Link) -> io::Result<usize> {
        let Self { client, server, to_server, to_client } = self;
        let lost = to_server.read(client, link)? + to_client.read(server, link)?;
        if link != Link::BlackHole {
            to_server.write(server, link)?;
            to_client.write(client, link)?;
        }
        Ok(lost)
    }

    fn is_sunk(&self) -> bool {
        self.to_server.is_sunk() || self.to_client.is_sunk()
    }

    fn sink(&mut self) -> usize {
        self.to_server.sink() + self.to_client.sink()
    }

    fn force_end(&mut self, side: Side) -> usize {
        match side {
            Side::ToServer => self.to_server.force_end(&self.server),
            Side::ToClient => self.to_client.force_end(&self.client),
        }
    }

    fn reset(&self) {
        reset(&self.client);
        reset(&self.server);
    }
}

/// Has a socket send a reset when it is closed, whatever it has yet to send.
fn reset(socket: &TcpStream) {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(socket, sockopt::Linger, &at_once).expect("a socket that resets");
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}
