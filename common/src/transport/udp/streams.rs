//! All streams at a receiver, within limits, and the sums over them.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::control::{Mark, Request};
use super::data::Data;
use super::datagram::{Datagram, Refusal};
use super::ledger::{Ledger, Retired, StreamAccount, Totals};
use super::message::Opener;
use super::parity::ParityHeader;
use super::record::{Payload, Record};
use super::stream::{Outcome, Stream, Taken};
use super::window::Window;

/// How many streams are followed.
const MOST_STREAMS: usize = 4096;
/// How many of them may come from one address.
const MOST_OF_SOURCE: usize = 256;
/// How many others are remembered by their end.
const MOST_RETIRED: usize = 65_536;
/// Memory for repair and for incomplete messages, of all streams.
const MOST_KEPT_BYTES: usize = 64 * 1024 * 1024;
/// Gaps in a ledger, in all; and of each stream, however many there are.
const MOST_GAPS: usize = 200_000;
const FEWEST_GAPS: usize = 64;
/// An ended stream is forgotten so long after its last datagram, another one after so long.
const ENDED_IDLE: Duration = Duration::from_mins(10);
const IDLE: Duration = Duration::from_hours(2);
/// When the table is full, streams that are silent for so long make room.
const CROWDED_IDLE: Duration = Duration::from_mins(1);

/// Where and when a datagram was read.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Where it came from.
    pub from: SocketAddr,
    /// Which worker read it.
    pub worker: usize,
    /// When.
    pub now: Instant,
    /// When, in seconds since the epoch.
    pub at: u64,
    /// Whether only sealed datagrams are taken there: nobody else gets an answer.
    pub sealed: bool,
}

/// Records for the spool, in one buffer.
#[derive(Debug, Default)]
pub struct Sink {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Whether the spool has room for more.
    pub open: bool,
}

impl Sink {
    /// Adds a record.
    pub fn push(&mut self, record: &Record<'_>) {
        record.write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// The records.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let record = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            record
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// All streams.
#[derive(Debug, Default)]
pub struct Streams {
    streams: HashMap<u64, Stream>,
    retired: HashMap<u64, Retired>,
    /// The order in which they were retired.
    retired_order: VecDeque<u64>,
    /// Of streams that are not followed any more, and of what belongs to no stream.
    others: Totals,
    sources: HashMap<IpAddr, usize>,
    /// Bytes kept for repair and for incomplete messages: counted now and then, and estimated
    /// upwards in between.
    kept_bytes: usize,
}

impl Streams {
    /// The streams as a ledger has them.
    pub fn restore(ledger: Ledger, now: Instant) -> Self {
        let mut streams = Self { others: ledger.totals, ..Self::default() };
        for account in &ledger.streams {
            let id = u64::from_str_radix(&account.stream, 16);
            let (Ok(id), Ok(source)) = (id, account.source.parse::<SocketAddr>()) else { continue };
            subtract(&mut streams.others, &account.counts);
            streams.insert(id, Stream::restore(id, account, source, now));
        }
        for retired in ledger.retired {
            streams.remember(retired);
        }
        streams
    }

    /// The account, as of now.
    pub fn ledger(&self, spool_end: u64, at: u64) -> Ledger {
        let mut streams: Vec<StreamAccount> = self.streams.values().map(Stream::account).collect();
        // Bounded, whatever someone makes up: what is left out can only not be recognised as late.
        let most = (MOST_GAPS / streams.len().max(1)).max(FEWEST_GAPS);
        for stream in &mut streams {
            let excess = stream.unseen.len().saturating_sub(most);
            stream.unseen.drain(..excess);
        }
        streams.sort_by(|a, b| a.stream.cmp(&b.stream));
        let mut totals = self.others.clone();
        for stream in &streams {
            add(&mut totals, &stream.counts);
        }
        let retired =
            self.retired_order.iter().filter_map(|id| self.retired.get(id).copied()).collect();
        Ledger { at, spool_end, totals, streams, retired }
    }

    /// Notes a message that the spool had and the ledger had not.
    pub fn recover(&mut self, record: &Record<'_>, now: Instant) {
        match record.payload {
            Payload::Lines(_) => self.others.lines += 1,
            Payload::Message { stream, first, pieces, how, before, documents, .. } => {
                let known = self.streams.get(&stream);
                let sealed = known.is_some_and(|stream| stream.sealed);
                let arrival = Arrival { from: record.from, worker: 0, now, at: record.at, sealed };
                if let Ok(stream) = self.stream(stream, 0, &arrival) {
                    stream.recover(first, pieces, how, (before, documents));
                }
            }
        }
    }

    /// Takes a data datagram.
    pub fn data(&mut self, arrival: &Arrival, header: &Datagram, body: &[u8], sink: &mut Sink) {
        let may_keep = self.may_keep(body.len());
        let stream = match self.stream(header.stream, 0, arrival) {
            Ok(stream) => stream,
            Err(refusal) => return self.refuse(refusal),
        };
        match stream.take((header.number, false), body, arrival, sink) {
            Ok((true, true)) if may_keep => {
                let mut restored = Vec::new();
                let note = |number, body: &[u8]| restored.push((number, body.to_vec()));
                // A body that cannot help to restore others is good all the same.
                stream.groups().note(header.number, body, note).ok();
                take_restored(stream, restored, arrival, sink);
            }
            Ok(_) => {}
            Err(refusal) => stream.refuse(refusal, 1),
        }
    }

    /// Takes a parity datagram.
    pub fn parity(&mut self, arrival: &Arrival, header: &Datagram, body: &[u8], sink: &mut Sink) {
        let may_keep = self.may_keep(body.len());
        let stream = match self.stream(header.stream, 0, arrival) {
            Ok(stream) => stream,
            Err(refusal) => return self.refuse(refusal),
        };
        let mut restored = Vec::new();
        let note = |number, body: &[u8]| restored.push((number, body.to_vec()));
        let taken = match ParityHeader::decode(body) {
            None => false,
            Some((parity, shard)) if may_keep => {
                stream.groups().parity(&parity, shard, note).is_ok()
            }
            Some(_) => true,
        };
        if taken {
            stream.counts.parity += 1;
        } else {
            stream.refuse(Refusal::Malformed, 1);
        }
        take_restored(stream, restored, arrival, sink);
    }

    /// Takes a mark; returns the answers that its sender should get.
    pub fn mark(&mut self, arrival: &Arrival, header: &Datagram, body: &[u8]) -> Vec<Request> {
        let stream = match Mark::read(body) {
            Ok(mark) => {
                self.stream(header.stream, mark.first, arrival).map(|stream| (stream, mark))
            }
            Err(refusal) => Err(refusal),
        };
        let (stream, mark) = match stream {
            Ok(stream) => stream,
            Err(refusal) => {
                self.refuse(refusal);
                return Vec::new();
            }
        };
        if !stream.mark(header.number, &mark) {
            stream.counts.repeated += 1;
            return Vec::new();
        }
        stream.met(arrival);
        if arrival.sealed { stream.requests(arrival.now, true) } else { Vec::new() }
    }

    /// Notes a datagram of plain lines.
    pub fn lines(&mut self) {
        self.others.lines += 1;
    }

    /// Counts something that belongs to no stream and is not taken.
    pub fn refuse(&mut self, refusal: Refusal) {
        *self.others.refused.entry(refusal.name().to_owned()).or_default() += 1;
    }

    /// Counts what was taken and turned out not to be readable; of a stream, if it had one.
    pub fn unreadable(&mut self, stream: Option<u64>) {
        match stream.and_then(|stream| self.streams.get_mut(&stream)) {
            Some(stream) => stream.refuse(Refusal::Unreadable, 1),
            None => self.refuse(Refusal::Unreadable),
        }
    }

    /// Counts what the kernel dropped, and what was read.
    pub fn read(&mut self, kernel_drops: u64, bytes: u64) {
        self.others.kernel_drops += kernel_drops;
        self.others.bytes += bytes;
    }

    /// Gives up what did not come in time; calls `ask` with what to ask the senders of this worker
    /// for.
    pub fn age(
        &mut self,
        worker: usize,
        (now, sealed): (Instant, bool),
        patience: Duration,
        mut ask: impl FnMut(u64, SocketAddr, &Request),
    ) {
        for stream in self.streams.values_mut().filter(|stream| stream.worker == worker) {
            stream.age(now, patience);
            if sealed {
                for request in stream.requests(now, false) {
                    ask(stream.id, stream.source, &request);
                }
            }
        }
        let crowded = self.streams.len() >= MOST_STREAMS;
        let old: Vec<u64> = self
            .streams
            .iter()
            .filter_map(|(id, stream)| {
                let longest = match stream.ended {
                    _ if crowded => CROWDED_IDLE,
                    true => ENDED_IDLE,
                    false => IDLE,
                };
                (now.saturating_duration_since(stream.seen) > longest).then_some(*id)
            })
            .collect();
        for id in old {
            self.retire(id);
        }
        let kept = self.streams.values().map(|stream| stream.group_bytes() + stream.piece_bytes());
        self.kept_bytes = kept.sum();
    }

    /// The stream of this id, which begins with `first` if it is new.
    fn stream(&mut self, id: u64, first: u64, arrival: &Arrival) -> Result<&mut Stream, Refusal> {
        if !self.streams.contains_key(&id) {
            let of_source = self.sources.get(&arrival.from.ip()).copied().unwrap_or_default();
            if self.streams.len() >= MOST_STREAMS || of_source >= MOST_OF_SOURCE {
                return Err(Refusal::TooManyStreams);
            }
            let known = self.retired.remove(&id);
            if known.is_some() {
                self.retired_order.retain(|retired| *retired != id);
            }
            let window = Window::new(known.map_or(first, |retired| retired.next));
            let mut stream = Stream::new(id, window, arrival.from, arrival.worker, arrival.now);
            stream.documents_sent = known.map_or(0, |retired| retired.documents_sent);
            (stream.seen_at, stream.sealed) = (arrival.at, arrival.sealed);
            self.insert(id, stream);
        }
        // It is there now. Nobody without a key may add to a stream whose sender has one.
        let stream = self.streams.get_mut(&id);
        stream.filter(|stream| stream.sealed == arrival.sealed).ok_or(Refusal::Unsealed)
    }

    fn insert(&mut self, id: u64, stream: Stream) {
        *self.sources.entry(stream.born_at).or_default() += 1;
        self.streams.insert(id, stream);
    }

    /// Forgets a stream but for its end.
    fn retire(&mut self, id: u64) {
        let Some(mut stream) = self.streams.remove(&id) else { return };
        if let Some(count) = self.sources.get_mut(&stream.born_at) {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&stream.born_at);
            }
        }
        stream.window.give_up(stream.window.next());
        let account = stream.account();
        add(&mut self.others, &account.counts);
        let documents_sent = account.documents_sent;
        self.remember(Retired { stream: id, next: account.next, documents_sent });
    }

    fn remember(&mut self, retired: Retired) {
        self.retired.insert(retired.stream, retired);
        self.retired_order.push_back(retired.stream);
        while self.retired_order.len() > MOST_RETIRED {
            if let Some(oldest) = self.retired_order.pop_front() {
                self.retired.remove(&oldest);
            }
        }
    }

    /// Whether another so many bytes may be kept.
    fn may_keep(&mut self, bytes: usize) -> bool {
        self.kept_bytes += bytes;
        self.kept_bytes <= MOST_KEPT_BYTES
    }
}

/// Takes what was restored from parity.
fn take_restored(
    stream: &mut Stream,
    restored: Vec<(u64, Vec<u8>)>,
    arrival: &Arrival,
    sink: &mut Sink,
) {
    for (number, body) in restored {
        if let Err(refusal) = stream.take((number, true), &body, arrival, sink) {
            stream.refuse(refusal, 1);
        }
    }
}

impl Stream {
    /// Takes the body of a data datagram, that arrived or was restored. Returns whether it is new,
    /// and whether a copy should be kept for repair.
    fn take(
        &mut self,
        (number, restored): (u64, bool),
        body: &[u8],
        arrival: &Arrival,
        sink: &mut Sink,
    ) -> Result<(bool, bool), Refusal> {
        let data = Data::read(body)?;
        let begins = data.piece.is_none_or(|(index, _)| index == 0);
        if begins && !Opener::knows_dictionary(data.message) {
            return Err(Refusal::Dictionary);
        }
        // Checked before it is noted, so that it is missing, and may be asked for again.
        if !sink.open {
            return Err(Refusal::SpoolFull);
        }
        match self.data(number, &data, restored)? {
            Outcome::Repeated => return Ok((false, false)),
            Outcome::Piece => {}
            Outcome::Message(taken) => {
                let Taken { first, pieces, how, before, documents, message } = taken;
                let stream = self.id;
                let message = &message;
                let payload =
                    Payload::Message { stream, first, pieces, how, before, documents, message };
                sink.push(&Record { at: arrival.at, from: arrival.from, payload });
            }
        }
        self.met(arrival);
        Ok((true, data.parity))
    }

    /// Notes that something new came.
    fn met(&mut self, arrival: &Arrival) {
        self.source = arrival.from;
        self.worker = arrival.worker;
        self.seen = arrival.now;
        self.seen_at = arrival.at;
    }
}

fn add(to: &mut Totals, from: &Totals) {
    combine(to, from, u64::saturating_add);
}

fn subtract(to: &mut Totals, from: &Totals) {
    combine(to, from, u64::saturating_sub);
}

fn combine(to: &mut Totals, from: &Totals, with: impl Fn(u64, u64) -> u64) {
    for (to, from) in [
        (&mut to.received, from.received),
        (&mut to.late, from.late),
        (&mut to.restored, from.restored),
        (&mut to.resent, from.resent),
        (&mut to.repeated, from.repeated),
        (&mut to.given_up, from.given_up),
        (&mut to.parity, from.parity),
        (&mut to.marks, from.marks),
        (&mut to.documents, from.documents),
    ] {
        *to = with(*to, from);
    }
    for (reason, count) in &from.refused {
        let to = to.refused.entry(reason.clone()).or_default();
        *to = with(*to, *count);
    }
}
