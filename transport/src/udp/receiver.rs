//! The receiving end: sockets, a worker thread for each, one account for all, and a spool that
//! keeps what was accepted until whoever is behind it is done with it.

mod worker;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::{info, warn};

use super::keys::KeyFile;
use super::ledger::{Ledger, LedgerFile};
use super::record::Record;
use super::settings::UdpEncoding;
use super::socket::{bind, set_patience, set_receive_buffer};
use super::streams::{Skipped, Streams};
use crate::spool::Spool;
use omphalos_common::config::ConfigError;
use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::{Due, Health, Repeats};
use worker::Worker;
pub(super) use worker::take_one;

/// How often gaps are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How often the ledger and the spool's floor are saved.
const SAVE: Duration = Duration::from_secs(1);

/// A `[[receive]]` table of kind udp, checked.
#[derive(Debug, Clone)]
pub struct ReceiveOptions {
    /// Address to listen at.
    pub listen: SocketAddr,
    /// The form of the datagrams that come there.
    pub encoding: UdpEncoding,
    /// The keys, if only sealed datagrams are taken.
    pub keys: Option<KeyFile>,
    /// How many sockets and threads.
    pub workers: usize,
    /// `SO_RCVBUF` of each, in bytes.
    pub buffer: usize,
    /// How long to wait for what is missing.
    pub patience: Duration,
}

/// What the workers share.
struct ReceiverShared {
    /// Held while records are appended too, so that the ledger and the spool agree.
    streams: Mutex<Streams>,
    spool: Spool,
    file: LedgerFile,
    stop: Shutdown,
    health: Health,
}

/// The running workers.
pub struct Receivers {
    shared: Arc<ReceiverShared>,
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
}

impl Receivers {
    /// Binds all sockets, reads the ledger, and starts the workers.
    ///
    /// # Errors
    /// When an address cannot be bound, or the ledger not be read.
    pub fn start(
        options: Vec<ReceiveOptions>,
        spool: Spool,
        file: LedgerFile,
        health: Health,
    ) -> Result<Self, ConfigError> {
        let streams = recover(&spool, &file)?;
        let stop = Shutdown::new();
        let shared =
            Arc::new(ReceiverShared { streams: Mutex::new(streams), spool, file, stop, health });
        let mut receivers = Self { shared, addresses: Vec::new(), threads: Vec::new() };
        let mut number = 0;
        for options in options {
            let mut address = options.listen;
            for worker in 0..options.workers {
                let socket = open(address, &options, worker == 0)?;
                address = bound(address, socket.local_addr())?;
                let options = options.clone();
                let shared = Arc::clone(&receivers.shared);
                let worker = Worker { number, socket, options, shared };
                receivers.spawn(&format!("udp-{number}"), move || worker.run())?;
                number += 1;
            }
            receivers.addresses.push(address);
        }
        let shared = Arc::clone(&receivers.shared);
        receivers.spawn("ledger", move || shared.save_often())?;
        Ok(receivers)
    }

    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), ConfigError> {
        let failed = |error| ConfigError::invalid(format!("cannot start thread {name}: {error}"));
        self.threads
            .push(thread::Builder::new().name(name.to_owned()).spawn(work).map_err(failed)?);
        Ok(())
    }

    /// Where they listen, in the order of the options: the ports that were given for port 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The account as of now.
    pub fn ledger(&self) -> Ledger {
        self.shared.ledger()
    }

    /// What shows the account elsewhere, as long as the receivers run.
    pub fn accountant(&self) -> Accountant {
        Accountant(Arc::clone(&self.shared))
    }

    /// Ends the workers, and saves the account.
    pub fn stop(mut self) {
        self.shared.stop.cancel();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                warn!("a thread of the UDP receiver panicked");
            }
        }
        self.shared.save(&self.shared.ledger(), &mut Repeats::new());
    }
}

/// A view of the account of running receivers.
#[derive(Clone)]
pub struct Accountant(Arc<ReceiverShared>);

impl std::fmt::Debug for Accountant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Accountant")
    }
}

impl Accountant {
    /// The account as of now.
    pub fn ledger(&self) -> Ledger {
        self.0.ledger()
    }

    /// Counts what was taken and turned out not to be readable; of a stream, if it had one.
    pub fn unreadable(&self, stream: Option<u64>) {
        self.0.streams().unreadable(stream);
    }

    /// What could not be restored when they started.
    pub fn skipped(&self) -> Skipped {
        self.0.streams().skipped()
    }

    /// The spool behind the receivers.
    pub fn spool(&self) -> &Spool {
        &self.0.spool
    }
}

/// The streams as the ledger has them, and what the spool has beyond it after a crash.
fn recover(spool: &Spool, file: &LedgerFile) -> Result<Streams, ConfigError> {
    let now = Instant::now();
    let ledger = file.load().map_err(|error| ConfigError::invalid(error.to_string()))?;
    let ledger = ledger.unwrap_or_default();
    let from = ledger.spool_end;
    let mut streams = Streams::restore(ledger, now);
    let mut recovered = 0;
    spool
        .scan(from, |number, bytes| match Record::read(bytes) {
            Some(record) => {
                streams.recover(&record, now);
                recovered += 1;
            }
            None => streams.recover_nothing(number),
        })
        .map_err(|error| ConfigError::invalid(error.to_string()))?;
    if recovered > 0 {
        info!(records = recovered, "the ledger was completed from the spool");
    }
    Ok(streams)
}

/// Where a socket listens that was to listen at `wanted`: with port 0, the next workers must take
/// the port that the first was given.
fn bound(wanted: SocketAddr, found: io::Result<SocketAddr>) -> Result<SocketAddr, ConfigError> {
    found.map_err(|error| {
        ConfigError::invalid(format!(
            "receive.listen: cannot tell which port udp {wanted} was given: {error}; choose a port other than 0"
        ))
    })
}

fn open(
    address: SocketAddr,
    options: &ReceiveOptions,
    first: bool,
) -> Result<UdpSocket, ConfigError> {
    let failed = |error: io::Error| {
        ConfigError::invalid(format!(
            "receive.listen: cannot listen on udp {address}: {error}; choose another address or stop what uses it"
        ))
    };
    let socket = bind(address, options.workers > 1).map_err(failed)?;
    let got = set_receive_buffer(&socket, options.buffer).map_err(failed)?;
    set_patience(&socket, TICK).map_err(failed)?;
    let is_open = options.keys.is_none() && !address.ip().is_loopback();
    if is_open && first {
        warn!(
            "udp {address} takes datagrams from anybody who can reach it; receive.key_file makes it take sealed ones only"
        );
    }
    if got < options.buffer && first {
        warn!(
            wanted = options.buffer,
            got,
            "the kernel gives udp {address} a smaller receive buffer than wanted, so that bursts may be dropped; allow more: sysctl -w net.core.rmem_max={}",
            options.buffer
        );
    }
    Ok(socket)
}

impl ReceiverShared {
    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> Ledger {
        let streams = self.streams();
        streams.ledger(self.spool.end(), now_seconds())
    }

    fn save_often(&self) {
        let mut trouble = Repeats::new();
        let mut saved = None;
        while !self.stop.is_cancelled() {
            let begun = Instant::now();
            while begun.elapsed() < SAVE && !self.stop.is_cancelled() {
                thread::park_timeout(TICK);
            }
            // A disk that sleeps is not woken for nothing.
            let ledger = self.ledger();
            let now = Some((Ledger { at: 0, ..ledger.clone() }, self.spool.floor()));
            if now != saved {
                saved = self.save(&ledger, &mut trouble).then_some(now).flatten();
            }
        }
    }

    /// Saves the ledger first: the spool may only forget what the ledger knows.
    fn save(&self, ledger: &Ledger, trouble: &mut Repeats) -> bool {
        let saved = self.file.save(ledger).map_err(|error| error.to_string());
        let saved = saved
            .and_then(|()| self.spool.save(ledger.spool_end).map_err(|error| error.to_string()));
        match saved {
            Ok(()) => {
                trouble.over();
                self.health.well("spool");
                true
            }
            Err(reason) => {
                if let Some(Due { repeats }) = trouble.due() {
                    warn!(repeats, "{reason}; trying again, for ever");
                }
                self.health.problem("spool", reason);
                false
            }
        }
    }
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_do_not_listen_at_a_port_that_is_not_known() {
        let wanted: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let error = bound(wanted, Err(io::Error::other("gone"))).unwrap_err().to_string();
        assert_eq!(
            error,
            "receive.listen: cannot tell which port udp 127.0.0.1:0 was given: gone; choose a port other than 0"
        );
        let given = "127.0.0.1:5140".parse().unwrap();
        assert_eq!(bound(wanted, Ok(given)).unwrap(), given);
    }
}
