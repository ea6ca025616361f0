//! For `fuzz/` and the replay of its inputs: the account of a receiver, shown datagrams without a
//! socket and without a spool. Nothing of the product uses it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::datagram::{Datagram, DatagramKind, Refusal};
use super::keys::Keys;
use super::ledger::Ledger;
use super::receiver::take_one;
use super::record::Record;
use super::streams::{Arrival, Sink, Streams};

/// Missing datagrams are waited for so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// The account of a receiver, and what it would spool.
#[derive(Debug)]
pub struct Account {
    streams: Streams,
    sink: Sink,
    now: Instant,
    at: u64,
}

impl Default for Account {
    fn default() -> Self {
        Self::restored(Ledger::default())
    }
}

impl Account {
    /// The account that goes on where this one was.
    pub fn restored(ledger: Ledger) -> Self {
        let now = Instant::now();
        let mut sink = Sink::default();
        sink.room = u64::MAX;
        Self { streams: Streams::restore(ledger, now), sink, now, at: 1_795_000_000 }
    }

    /// Takes a datagram as a worker does.
    ///
    /// # Errors
    /// Why it cannot be read; that is counted.
    pub fn take(&mut self, keys: Option<&Keys>, datagram: &mut [u8]) -> Result<(), Refusal> {
        let from = SocketAddr::from(([10, 0, 0, 1], 4000));
        let (now, at, sealed) = (self.now, self.at, keys.is_some());
        let arrival = Arrival { from, worker: 0, now, at, sealed };
        let read = Datagram::read(keys, datagram);
        let read = read.inspect_err(|refusal| self.streams.refuse(*refusal))?;
        take_one(&mut self.streams, &arrival, read, &mut self.sink, &mut Vec::new());
        Ok(())
    }

    /// Lets time pass, as the ticks of a worker do.
    pub fn wait(&mut self, time: Duration) {
        self.now += time;
        self.at = self.at.saturating_add(time.as_secs());
        self.streams.age(0, (self.now, true), PATIENCE, |_, _, _| {});
    }

    /// The account as it would be saved.
    pub fn ledger(&self) -> Ledger {
        self.streams.ledger(0, self.at)
    }

    /// What would be in the spool.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.sink.records()
    }

    /// Takes in a record as after a restart.
    pub fn recover(&mut self, record: &[u8]) {
        match Record::read(record) {
            Some(record) => self.streams.recover(&record, self.now),
            None => self.streams.recover_nothing(0),
        }
    }
}

/// A datagram with these bytes behind its header, as a hostile sender makes them: of a stream and a
/// number of its choice.
pub fn datagram(
    keys: Option<&Keys>,
    kind: u8,
    (stream, number): (u64, u64),
    body: &[u8],
) -> Vec<u8> {
    let kind = match kind % 4 {
        _ if kind & 0x0F == 4 => DatagramKind::Heartbeat,
        0 => DatagramKind::Data,
        1 => DatagramKind::Parity,
        2 => DatagramKind::Mark,
        _ => DatagramKind::Request,
    };
    let mut datagram = Vec::new();
    match (Datagram { kind, stream, number }).write(keys, body, &mut datagram) {
        Ok(()) => datagram,
        Err(_) => Vec::new(),
    }
}
