//! A worker: reads a socket, opens what came, notes it in the account, and spools it.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use tracing::{error, warn};

use super::{ReceiveOptions, ReceiverShared, TICK, now_seconds};
use crate::spool::AppendError;
use crate::udp::control::Request;
use crate::udp::datagram::{Datagram, DatagramKind, Refusal};
use crate::udp::keys::{KeyFile, Keys};
use crate::udp::record::{Payload, Record};
use crate::udp::settings::UdpEncoding;
use crate::udp::socket::Inlet;
use crate::udp::streams::{Arrival, Sink, Streams};
use omphalos_common::telemetry::{Due, Repeats};

/// One socket and its thread.
pub struct Worker {
    pub number: usize,
    pub socket: UdpSocket,
    pub options: ReceiveOptions,
    pub shared: Arc<ReceiverShared>,
}

impl Worker {
    /// Works until the receivers stop.
    pub fn run(mut self) {
        let mut inlet = Inlet::new();
        let mut sink = Sink::default();
        let mut failing = Repeats::new();
        let mut ticked = Instant::now();
        while !self.shared.stop.is_cancelled() {
            match inlet.receive(&self.socket) {
                Ok(drops) => self.take(&mut inlet, drops, &mut sink),
                Err(error) if is_timeout(&error) => {}
                Err(error) => {
                    if let Some(Due { repeats }) = failing.due() {
                        warn!(repeats, %error, "udp {}: cannot receive", self.options.listen);
                    }
                    thread::park_timeout(TICK);
                }
            }
            let now = Instant::now();
            if now.duration_since(ticked) >= TICK {
                ticked = now;
                self.tick(now);
            }
            if let Some(keys) = &mut self.options.keys {
                keys.look_again(now);
            }
        }
    }

    fn keys(&self) -> Option<&Keys> {
        self.options.keys.as_ref().map(KeyFile::keys)
    }

    /// Takes what was received: opened without the lock, noted and spooled with it.
    fn take(&self, inlet: &mut Inlet, drops: u64, sink: &mut Sink) {
        let (worker, now, at) = (self.number, Instant::now(), now_seconds());
        let sealed = self.options.keys.is_some();
        let mut total = 0;
        let mut opened = Vec::new();
        for (from, bytes) in inlet.datagrams() {
            total += bytes.len() as u64;
            let arrival = Arrival { from, worker, now, at, sealed };
            let read = match self.options.encoding {
                UdpEncoding::Ndjson => Read::Lines(bytes),
                UdpEncoding::Omphalos => Read::Ours(Datagram::read(self.keys(), bytes)),
            };
            opened.push((arrival, read));
        }
        let mut answers = Vec::new();
        let mut streams = self.shared.streams();
        sink.room = self.shared.spool.room();
        streams.read(drops, total);
        for (arrival, read) in opened {
            match read {
                Read::Ours(Ok(datagram)) => {
                    take_one(&mut streams, &arrival, datagram, sink, &mut answers);
                }
                Read::Ours(Err(refusal)) => streams.refuse(refusal),
                Read::Lines(lines) => take_lines(&mut streams, &arrival, lines, sink),
            }
        }
        self.append(sink);
        drop(streams);
        for (stream, to, request) in answers {
            self.ask(stream, to, &request);
        }
    }

    /// Writes records into the spool, for as long as that takes: datagrams wait in the socket
    /// meanwhile, and when they are too many the kernel drops and counts them.
    fn append(&self, sink: &mut Sink) {
        let mut trouble = Repeats::new();
        while !sink.is_empty() {
            match self.shared.spool.append(sink.records()) {
                Ok(_) => sink.clear(),
                Err(error) if self.shared.stop.is_cancelled() => {
                    warn!("stopping, and datagrams that were received are lost: {error}");
                    sink.clear();
                }
                Err(AppendError::Io(error)) => {
                    if let Some(Due { repeats }) = trouble.due() {
                        warn!(repeats, "{error}; trying again, for ever");
                    }
                    self.shared.health.problem("spool", error.to_string());
                    thread::park_timeout(TICK);
                }
                // There was room, and no datagram is so large.
                Err(error) => {
                    warn!("datagrams that were received are lost: {error}");
                    sink.clear();
                }
            }
        }
    }

    fn tick(&self, now: Instant) {
        let mut answers = Vec::new();
        let sealed = self.options.keys.is_some();
        self.shared.streams().age(
            self.number,
            (now, sealed),
            self.options.patience,
            |id, to, ask| {
                answers.push((id, to, ask.clone()));
            },
        );
        for (stream, to, request) in answers {
            self.ask(stream, to, &request);
        }
    }

    /// Sends a request; if it is lost, another one follows.
    fn ask(&self, stream: u64, to: SocketAddr, request: &Request) {
        let Some(keys) = self.keys() else { return };
        let header = Datagram { kind: DatagramKind::Request, stream, number: rand::random() };
        let (mut body, mut datagram) = (Vec::new(), Vec::new());
        request.write(&mut body);
        if let Err(error) = header.write(Some(keys), &body, &mut datagram) {
            error!("udp {}: {error}", self.options.listen);
            return;
        }
        drop(self.socket.send_to(&datagram, to));
    }
}

/// A datagram, as far as it can be read without the account.
enum Read<'a> {
    Ours(Result<(Datagram, &'a [u8]), Refusal>),
    Lines(&'a [u8]),
}

/// Notes a datagram of ours in the account; `answers` is what its sender should get.
pub fn take_one(
    streams: &mut Streams,
    arrival: &Arrival,
    (header, body): (Datagram, &[u8]),
    sink: &mut Sink,
    answers: &mut Vec<(u64, SocketAddr, Request)>,
) {
    match header.kind {
        DatagramKind::Data => streams.data(arrival, &header, body, sink),
        DatagramKind::Parity => streams.parity(arrival, &header, body, sink),
        DatagramKind::Mark => {
            for request in streams.mark(arrival, &header, body, sink) {
                answers.push((header.stream, arrival.from, request));
            }
        }
        DatagramKind::Heartbeat => streams.heartbeat(arrival, &header, body, sink),
        DatagramKind::Request => streams.refuse(Refusal::Malformed),
    }
}

fn take_lines(streams: &mut Streams, arrival: &Arrival, lines: &[u8], sink: &mut Sink) {
    if !sink.has_room(lines.len()) {
        streams.refuse(Refusal::SpoolFull);
        return;
    }
    streams.lines();
    sink.push(&Record { at: arrival.at, from: arrival.from, payload: Payload::Lines(lines) });
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}
