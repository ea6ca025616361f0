//! The sending end: batches are packed into datagrams, paced, and handed to the kernel, which is
//! all that UDP can promise. A destination that is known not to listen gets nothing: its share goes
//! to another one, and without another one the files wait.

mod metrics;
mod ring;
mod route;

pub use metrics::UdpSenderMetrics;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use tracing::{debug, error};
use xxhash_rust::xxh3::xxh3_64;

use super::keys::KeyFile;
use super::message::{Made, Packer};
use super::parity::ParityShare;
use super::settings::{Spread, UdpEncoding};
use super::socket::{datagram_size, path_mtu};
use crate::batch::{Batch, Chunk};
use crate::road::TakeHeartbeat;
use omphalos_common::numbers::at_most;
use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::Health;
use route::Route;

/// How long what is due may wait at least, and at most.
const PULSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// At the end, so long without any answer means that nobody will answer.
const NO_ANSWER: Duration = Duration::from_secs(2);
/// Marks at the end, in case that some are lost.
const LAST_MARKS: u32 = 3;

/// How a sender works; made by [`super::UdpSettings::options`].
#[derive(Debug, Clone)]
pub struct UdpSenderOptions {
    /// Destinations, as `HOST:PORT`.
    pub to: Vec<String>,
    /// What several of them are for.
    pub spread: Spread,
    /// The form of the datagrams to send.
    pub encoding: UdpEncoding,
    /// Size of packets with their headers; `None` to ask the kernel.
    pub mtu: Option<usize>,
    /// Bytes a second to each destination.
    pub rate: u64,
    /// `SO_SNDBUF`, in bytes.
    pub send_buffer: usize,
    /// Share of parity datagrams.
    pub parity: Option<ParityShare>,
    /// Bytes of datagrams to keep for receivers that ask for them.
    pub ring_bytes: Option<usize>,
    /// The keys to seal with.
    pub keys: Option<KeyFile>,
    /// Our host name.
    pub host: String,
    /// zstd level.
    pub level: i32,
    /// The number of the first datagram; not 0 in tests only.
    pub first_number: u64,
}

/// What can be known of a destination without sending anything.
#[derive(Debug)]
pub struct Probe {
    /// The address of its name.
    pub address: SocketAddr,
    /// The largest datagram that the path carries, in bytes.
    pub datagram: usize,
}

/// Looks up a destination, given as `HOST:PORT`.
///
/// # Errors
/// When its name has no address, or there is no route.
pub fn probe(to: &str) -> io::Result<Probe> {
    let (address, socket) = route::reach(to)?;
    Ok(Probe { address, datagram: datagram_size(address, path_mtu(&socket)?) })
}

/// The sender; it works in the thread that calls it.
pub struct UdpSender {
    options: UdpSenderOptions,
    packer: Packer,
    routes: Vec<Route>,
    health: Health,
    metrics: UdpSenderMetrics,
    /// Where heartbeats come from, if there are any.
    heartbeats: Option<Receiver<Vec<u8>>>,
}

/// Which chunks of a batch one destination gets.
#[derive(Clone, Copy)]
struct Share<'a> {
    /// The place of the destination.
    index: usize,
    /// That of each chunk.
    of_chunks: &'a [Option<usize>],
}

impl UdpSender {
    /// A sender with a new stream for each destination.
    ///
    /// # Errors
    /// When zstd refuses the level.
    pub fn open(
        options: UdpSenderOptions,
        metrics: &UdpSenderMetrics,
        health: Health,
    ) -> io::Result<Self> {
        let packer = Packer::new(&options.host, options.level)?;
        let new = |to: &String| Route::new(to, &options, metrics.clone());
        let mut routes: Vec<Route> = options.to.iter().map(new).collect();
        for route in &mut routes {
            route.revive(options.keys.as_ref().map(KeyFile::keys));
        }
        let metrics = metrics.clone();
        Ok(Self { options, packer, routes, health, metrics, heartbeats: None })
    }

    /// The way of heartbeats: what is given to it goes at the next pulse, or is dropped and counted.
    pub fn take_heartbeats(&mut self) -> TakeHeartbeat {
        let (given, taken) = sync_channel(1);
        self.heartbeats = Some(taken);
        let dropped = self.metrics.heartbeats_dropped.clone();
        Box::new(move |document| {
            if given.try_send(document).is_err() {
                dropped.inc();
            }
        })
    }

    /// Sends the documents of a batch that was made at `made_at` seconds since the epoch. Waits for
    /// the pace, and while no destination listens. `false` when `give_up` came before all was
    /// handed to the kernel.
    ///
    /// # Errors
    /// When zstd fails, a datagram cannot be sealed, or the body and the chunks disagree.
    pub fn send(&mut self, batch: &Batch, made_at: i64, give_up: &Shutdown) -> io::Result<bool> {
        // Under load nobody else calls it.
        self.pulse();
        let mut left: Vec<bool> = vec![true; batch.chunks.len()];
        while left.contains(&true) {
            let Some(share) = self.share_out(batch, &left) else {
                if !self.wait_for_a_destination(give_up) {
                    return Ok(false);
                }
                continue;
            };
            let routes: BTreeSet<usize> = share.iter().flatten().copied().collect();
            for index in routes {
                let share = Share { index, of_chunks: &share };
                self.send_share(Made { batch, at: made_at }, share, &mut left)?;
            }
        }
        Ok(true)
    }

    /// Which route each chunk goes to that is left; `None` when no route is up.
    fn share_out(&self, batch: &Batch, left: &[bool]) -> Option<Vec<Option<usize>>> {
        let up: Vec<usize> = (0..self.routes.len())
            .filter(|index| self.routes.get(*index).is_some_and(Route::is_up))
            .collect();
        let first = *up.first()?;
        let route_of = |chunk: &Chunk| match self.options.spread {
            Spread::Failover => first,
            Spread::Split => {
                let hash = xxh3_64(chunk.source.as_bytes());
                let one_of = |count: usize| at_most(hash % count as u64, count - 1);
                // Its own route, if that one listens, so that a file stays where it is.
                let own = one_of(self.routes.len());
                let listens = Some(own).filter(|own| up.contains(own));
                listens.or_else(|| up.get(one_of(up.len())).copied()).unwrap_or(first)
            }
        };
        let share = batch.chunks.iter().zip(left);
        Some(share.map(|(chunk, left)| left.then(|| route_of(chunk))).collect())
    }

    /// Sends one route its chunks, and notes that they are not left any more.
    fn send_share(
        &mut self,
        made: Made<'_>,
        share: Share<'_>,
        left: &mut [bool],
    ) -> io::Result<()> {
        let (batch, Share { index, of_chunks }) = (made.batch, share);
        let Self { packer, routes, options, .. } = self;
        let keys = options.keys.as_ref().map(KeyFile::keys);
        let count = routes.len();
        // Not skipped: what is left and goes nowhere would be shared out for ever.
        let route = routes.get_mut(index).ok_or_else(|| {
            io::Error::other(format!(
                "chunks go to destination {index}, expected less than {count}"
            ))
        })?;
        // What is left of the last attempt goes first, so that it cannot pile up.
        if !route.flush(keys) {
            return Ok(());
        }
        let wanted: Vec<&Chunk> = batch
            .chunks
            .iter()
            .zip(of_chunks)
            .filter_map(|(chunk, to)| (*to == Some(index)).then_some(chunk))
            .collect();
        let select = |chunk: &Chunk| wanted.iter().any(|wanted| std::ptr::eq(*wanted, chunk));
        match options.encoding {
            UdpEncoding::Ndjson => route.push_lines(batch, select)?,
            UdpEncoding::Omphalos => {
                let room = route.room();
                packer.pack(made, room, select, |documents, message| {
                    route.push(keys, documents, message)
                })?;
            }
        }
        if route.flush(keys) {
            for (left, to) in left.iter_mut().zip(of_chunks) {
                *left &= *to != Some(index);
            }
        }
        Ok(())
    }

    /// Waits until a destination listens; `false` when told to give up.
    fn wait_for_a_destination(&mut self, give_up: &Shutdown) -> bool {
        let trouble: Vec<String> = self.routes.iter().filter_map(Route::trouble).collect();
        self.health.problem("udp", trouble.join("; "));
        loop {
            if give_up.is_cancelled() {
                return false;
            }
            self.pulse();
            if self.routes.iter().any(Route::is_up) {
                self.health.well("udp");
                return true;
            }
            std::thread::park_timeout(PULSE);
        }
    }

    /// How long [`Self::pulse`] need not be called if there is nothing to send.
    pub fn pause(&self) -> Duration {
        let now = Instant::now();
        let due = self.routes.iter().map(|route| route.due_in(now)).min();
        due.unwrap_or(LONGEST_PAUSE).clamp(PULSE, LONGEST_PAUSE)
    }

    /// To be called while there is nothing to send: answers receivers, sends marks and what parity
    /// is due, and looks whether destinations listen again.
    pub fn pulse(&mut self) {
        let now = Instant::now();
        if let Some(keys) = &mut self.options.keys {
            keys.look_again(now);
        }
        let keys = self.options.keys.as_ref().map(KeyFile::keys);
        for route in &mut self.routes {
            route.pulse(keys, now);
        }
        self.send_heartbeat();
    }

    /// Sends the heartbeat that waits to where documents go now, if anybody listens there.
    fn send_heartbeat(&mut self) {
        let Some(document) = self.heartbeats.as_ref().and_then(|given| given.try_recv().ok())
        else {
            return;
        };
        let Self { packer, routes, options, metrics, .. } = self;
        let keys = options.keys.as_ref().map(KeyFile::keys);
        let is_sent = match routes.iter_mut().find(|route| route.is_up()) {
            Some(route) => route.send_heartbeat(keys, packer, &document).unwrap_or_else(|error| {
                debug!(%error, "a heartbeat cannot be sent");
                false
            }),
            None => false,
        };
        if is_sent {
            metrics.heartbeats.inc();
        } else {
            metrics.heartbeats_dropped.inc();
        }
    }

    /// Says that nothing will follow, and goes on answering receivers until they miss nothing, or
    /// nobody asks, or `give_up`.
    pub fn finish(&mut self, give_up: &Shutdown) {
        let keys = self.options.keys.as_ref().map(KeyFile::keys);
        for _ in 0..LAST_MARKS {
            for route in &mut self.routes {
                route.end(keys);
            }
            std::thread::park_timeout(PULSE);
        }
        if self.options.ring_bytes.is_none() {
            return;
        }
        let begun = Instant::now();
        while !give_up.is_cancelled() {
            let waiting = self.routes.iter().filter(|route| route.is_awaited());
            let unheard = |route: &&Route| route.unheard_since(begun) > NO_ANSWER;
            let (unheard, waiting): (Vec<&Route>, Vec<&Route>) = waiting.partition(unheard);
            if waiting.is_empty() {
                for route in unheard {
                    error!(
                        "{} has not said that it has everything; what it is missing is lost",
                        route.to()
                    );
                }
                return;
            }
            for route in &mut self.routes {
                route.pulse(keys, Instant::now());
            }
            std::thread::park_timeout(PULSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use omphalos_common::heartbeat::{Host, Maker, Now, Service};

    use super::*;
    use crate::udp::datagram::{Datagram, DatagramKind};

    /// To nobody, in the plainest way.
    pub(super) fn options() -> UdpSenderOptions {
        UdpSenderOptions {
            to: vec!["127.0.0.1:9".to_owned()],
            spread: Spread::Failover,
            encoding: UdpEncoding::Omphalos,
            mtu: Some(1500),
            rate: 1 << 20,
            send_buffer: 1 << 16,
            parity: None,
            ring_bytes: None,
            keys: None,
            host: "web1".to_owned(),
            level: 1,
            first_number: 0,
        }
    }

    #[test]
    fn chunks_for_a_destination_that_is_not_there_are_an_error() {
        let metrics = UdpSenderMetrics::default();
        let mut sender = UdpSender::open(options(), &metrics, Health::default()).unwrap();
        let batch = Batch::default();
        let made = Made { batch: &batch, at: 0 };
        let share = Share { index: 1, of_chunks: &[Some(1)] };
        let sent = sender.send_share(made, share, &mut [true]);
        assert_eq!(
            sent.unwrap_err().to_string(),
            "chunks go to destination 1, expected less than 1"
        );
    }

    /// A heartbeat of a shipper.
    fn heartbeat() -> Vec<u8> {
        let host = Host { name: "web1".to_owned(), id: None };
        let service = Service { name: "omphalos-shipper".to_owned(), version: "1".to_owned() };
        let mut maker = Maker::new(host, service, "", Duration::from_secs(30));
        maker.make(Now::default()).to_json().unwrap()
    }

    #[test]
    fn a_heartbeat_goes_beside_the_documents_or_is_dropped_and_kept_nowhere() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let to = vec![receiver.local_addr().unwrap().to_string()];
        let ring_bytes = Some(1 << 20);
        let options = UdpSenderOptions { to, ring_bytes, ..options() };
        let metrics = UdpSenderMetrics::default();
        let mut sender = UdpSender::open(options, &metrics, Health::default()).unwrap();
        let mut take = sender.take_heartbeats();
        let counted = || (metrics.heartbeats.get(), metrics.heartbeats_dropped.get());
        take(heartbeat());
        take(heartbeat());
        assert_eq!(counted(), (0, 1), "one waits at most");
        sender.pulse();
        assert_eq!(counted(), (1, 1));
        let mut sent = Vec::new();
        let mut buffer = [0; 2048];
        while !sent.iter().any(|header: &Datagram| header.kind == DatagramKind::Heartbeat) {
            let length = receiver.recv(&mut buffer).unwrap();
            sent.push(Datagram::read(None, &mut buffer[..length]).unwrap().0);
        }
        assert_eq!((metrics.datagrams.get(), metrics.documents.get()), (0, 0));
        assert!(sent.iter().all(|header| header.kind != DatagramKind::Data), "{sent:?}");
        assert!(!sender.routes[0].is_awaited(), "nobody asks for it again");
        drop(receiver);
        // The first finds nobody, and the second is told so.
        for _ in 0..3 {
            take(heartbeat());
            sender.pulse();
        }
        assert!(!sender.routes[0].is_up());
        let before = counted();
        take(heartbeat());
        sender.pulse();
        assert_eq!(counted(), (before.0, before.1 + 1));
    }
}
