//! Something between clients and a server that does to their connections what networks do: it
//! slows them, cuts them, refuses them, and swallows what they carry.
//!
//! What arrives at either end is always the beginning of what was sent, without gaps: a connection
//! that lost bytes carries nothing after them, and is reset.

mod lane;
mod relay;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::relay::Relay;
use crate::port::{self, Port};

/// How the proxy treats connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Passes everything on at once.
    Open,
    /// Resets what is there, and refuses what comes as if nobody listened.
    Refuse,
    /// Resets what is there, once; then it is [`Link::Open`].
    Cut,
    /// Passes everything on so much later, each way.
    Delay(Duration),
    /// Passes on so many bytes a second, of each connection, each way.
    Throttle(u32),
    /// Swallows everything both ways, ends of connections too, and keeps the connections, new ones
    /// as well. Those that lost something are reset when the link becomes anything else.
    BlackHole,
    /// Ends one side of what is there, once; then it is [`Link::Open`]. What is sent towards that
    /// side from then on is swallowed.
    HalfClose(Side),
}

/// A side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client reads the end, and can still send.
    ToClient,
    /// The server reads the end, and can still send.
    ToServer,
}

/// What the proxy has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that it made to the server, for as many clients.
    pub made: u64,
    /// Connections that it reset because the link says so.
    pub cut: u64,
    /// Bytes that it took and never passed on.
    pub swallowed: u64,
}

/// A proxy on 127.0.0.1; it ends when dropped, and resets the connections that it then has.
///
/// A client of a server that is down is connected, and reset at once.
pub struct TcpProxy {
    /// Kept while nobody listens on it, too.
    port: Port,
    counters: Arc<Counters>,
    commands: Option<SyncSender<Command>>,
    /// Whoever writes here, or closes it, wakes the thread.
    bell: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counters {
    made: AtomicU64,
    cut: AtomicU64,
    swallowed: AtomicU64,
}

/// A new state of the link, and who waits until it is in force.
struct Command {
    link: Link,
    done: SyncSender<()>,
}

impl TcpProxy {
    /// Before the server at this port of 127.0.0.1, which need not listen yet.
    pub fn before(upstream_port: u16) -> Self {
        let (port, listener) = port::listen();
        let counters = Arc::new(Counters::default());
        let (commands, received) = sync_channel(1);
        let (bell, ringing) = UnixStream::pair().expect("a pair of sockets");
        let mut relay = Relay::new(listener, upstream_port, Arc::clone(&counters));
        let thread = thread::spawn(move || relay.run(&received, &ringing));
        let (commands, bell, thread) = (Some(commands), Some(bell), Some(thread));
        Self { port, counters, commands, bell, thread }
    }

    /// Where clients connect to.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The link is so from now on; when this returns, it is.
    pub fn set(&self, link: Link) {
        let (done, is_done) = sync_channel(1);
        let commands = self.commands.as_ref().expect("the proxy runs");
        commands.send(Command { link, done }).expect("the proxy's thread runs");
        let mut bell = self.bell.as_ref().expect("the proxy runs");
        bell.write_all(&[1]).expect("the proxy's thread runs");
        is_done.recv().expect("the proxy's thread runs");
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        let Counters { made, cut, swallowed } = &*self.counters;
        let [made, cut, swallowed] = [made, cut, swallowed].map(|it| it.load(Ordering::Relaxed));
        Counts { made, cut, swallowed }
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        drop((self.commands.take(), self.bell.take()));
        let ended = self.thread.take().map(JoinHandle::join);
        let failed = matches!(ended, Some(Err(_)));
        assert!(!failed || thread::panicking(), "the proxy's thread panicked");
    }
}
