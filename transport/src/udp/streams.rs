//! All streams at a receiver, within limits, and the sums over them.

mod recovery;
mod sink;
#[cfg(test)]
mod tests;

pub use recovery::Skipped;
pub use sink::Sink;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::control::{Mark, Request};
use super::data::Data;
use super::datagram::{Datagram, Refusal};
use super::ledger::{Retired, StreamAccount, Totals};
use super::message::Opener;
use super::parity::ParityHeader;
use super::record::{Payload, Record};
use super::stream::{DataOutcome, Stream, Taken};
use super::window::NumberWindow;

/// How many streams are followed.
const MOST_STREAMS: usize = 4096;
/// How many of them may come from one address.
const MOST_OF_SOURCE: usize = 256;
/// How many others are remembered by their end.
const MOST_RETIRED: usize = 65_536;
/// Memory for repair and for incomplete messages, of all streams.
const MOST_KEPT_BYTES: usize = 64 * 1024 * 1024;
/// An ended stream is forgotten so long after its last datagram, another one after so long.
const ENDED_IDLE: Duration = Duration::from_mins(10);
const IDLE: Duration = Duration::from_hours(2);
/// When the table is full, streams that are silent for so long make room.
const CROWDED_IDLE: Duration = Duration::from_mins(1);

/// Where and when a datagram was read.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Address of the sender.
    pub from: SocketAddr,
    /// Which worker read it.
    pub worker: usize,
    /// When it was read, on the clock for waiting.
    pub now: Instant,
    /// When, in seconds since the epoch.
    pub at: u64,
    /// Whether only sealed datagrams are taken there: nobody else gets an answer.
    pub sealed: bool,
}

/// All streams that are followed, and those that are remembered.
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
    /// What could not be restored.
    skipped: Skipped,
}

impl Streams {
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
    pub fn mark(
        &mut self,
        arrival: &Arrival,
        header: &Datagram,
        body: &[u8],
        sink: &mut Sink,
    ) -> Vec<Request> {
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
        // Without room in the spool it is taken all the same, because its sender waits for the
        // answer; then it is forgotten if we are killed before the next ledger.
        if sink.has_room(body.len()) {
            let (stream, sealed, number) = (header.stream, arrival.sealed, header.number);
            let payload = Payload::Mark { stream, sealed, number, mark };
            sink.push(&Record { at: arrival.at, from: arrival.from, payload });
        }
        if arrival.sealed { stream.requests(arrival.now, true) } else { Vec::new() }
    }

    /// Takes a heartbeat: it has no part in the numbers and the documents of its stream.
    pub fn heartbeat(
        &mut self,
        arrival: &Arrival,
        header: &Datagram,
        message: &[u8],
        sink: &mut Sink,
    ) {
        let Datagram { stream: id, number, .. } = *header;
        let stream = match self.stream(id, 0, arrival) {
            Ok(stream) => stream,
            Err(refusal) => return self.refuse(refusal),
        };
        if !Opener::knows_dictionary(message) {
            return stream.refuse(Refusal::Dictionary, 1);
        }
        if !sink.has_room(message.len()) {
            return stream.refuse(Refusal::SpoolFull, 1);
        }
        if !stream.heartbeat(number) {
            stream.counts.repeated += 1;
            return;
        }
        stream.met(arrival);
        let sealed = arrival.sealed;
        let payload = Payload::Heartbeat { stream: id, sealed, number, message };
        sink.push(&Record { at: arrival.at, from: arrival.from, payload });
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
        self.admit(id, arrival.sealed)?;
        if !self.streams.contains_key(&id) {
            if !self.has_room(arrival.from.ip()) {
                return Err(Refusal::TooManyStreams);
            }
            self.begin(id, first, arrival);
        }
        // It is there now. What is not known of it is known from here on; but a datagram without a
        // seal proves nothing.
        let stream = self.streams.get_mut(&id).ok_or(Refusal::TooManyStreams)?;
        if arrival.sealed {
            stream.sealed = Some(true);
        }
        Ok(stream)
    }

    /// Whether a datagram may belong to the stream of this id: nobody without a key may add to a
    /// stream whose sender has one. Who has a key is believed: what somebody without one said under
    /// the same id before is not of this stream, and forgotten.
    fn admit(&mut self, id: u64, sealed: bool) -> Result<(), Refusal> {
        match self.is_sealed(id) {
            Some(true) if !sealed => return Err(Refusal::Unsealed),
            Some(false) if sealed => {
                self.remove(id);
                self.unretire(id);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the stream of this id is sealed, as far as that is known.
    fn is_sealed(&self, id: u64) -> Option<bool> {
        let followed = self.streams.get(&id).map(|stream| stream.sealed);
        followed.or_else(|| self.retired.get(&id).map(|retired| retired.sealed)).flatten()
    }

    fn has_room(&self, source: IpAddr) -> bool {
        let of_source = self.sources.get(&source).copied().unwrap_or_default();
        self.streams.len() < MOST_STREAMS && of_source < MOST_OF_SOURCE
    }

    /// Begins to follow a stream, or goes on where it was when it was retired.
    fn begin(&mut self, id: u64, first: u64, arrival: &Arrival) {
        let known = self.unretire(id);
        let window = NumberWindow::new(known.map_or(first, |retired| retired.next));
        let mut stream = Stream::new(id, window, arrival.from, arrival.worker, arrival.now);
        stream.documents_sent = known.map_or(0, |retired| retired.documents_sent);
        let sealed = if known.is_some_and(|known| known.sealed.is_none()) {
            arrival.sealed.then_some(true)
        } else {
            Some(arrival.sealed)
        };
        (stream.seen_at, stream.sealed) = (arrival.at, sealed);
        self.insert(id, stream);
    }

    fn insert(&mut self, id: u64, stream: Stream) {
        *self.sources.entry(stream.born_at).or_default() += 1;
        self.streams.insert(id, stream);
    }

    /// Forgets a stream but for its end.
    fn retire(&mut self, id: u64) {
        if let Some(StreamAccount { next, documents_sent, sealed, .. }) = self.remove(id) {
            self.remember(Retired { stream: id, next, documents_sent, sealed });
        }
    }

    /// Follows a stream no more; what it counted stays counted.
    fn remove(&mut self, id: u64) -> Option<StreamAccount> {
        let mut stream = self.streams.remove(&id)?;
        if let Some(count) = self.sources.get_mut(&stream.born_at) {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&stream.born_at);
            }
        }
        stream.window.give_up(stream.window.next());
        let account = stream.account();
        add(&mut self.others, &account.counts);
        Some(account)
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

    fn unretire(&mut self, id: u64) -> Option<Retired> {
        let known = self.retired.remove(&id)?;
        self.retired_order.retain(|retired| *retired != id);
        Some(known)
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
        if !sink.has_room(data.message.len() + self.assembled(number, &data)) {
            return Err(Refusal::SpoolFull);
        }
        match self.data(number, &data, restored)? {
            DataOutcome::Repeated => return Ok((false, false)),
            DataOutcome::Piece => {}
            DataOutcome::Message(taken) => {
                let Taken { first, pieces, how, before, documents, message } = taken;
                let (stream, sealed) = (self.id, Some(arrival.sealed));
                let message = &message;
                let payload = Payload::Message {
                    stream,
                    sealed,
                    first,
                    pieces,
                    how,
                    before,
                    documents,
                    message,
                };
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
        (&mut to.heartbeats, from.heartbeats),
        (&mut to.documents, from.documents),
    ] {
        *to = with(*to, from);
    }
    for (reason, count) in &from.refused {
        let to = to.refused.entry(reason.clone()).or_default();
        *to = with(*to, *count);
    }
}
