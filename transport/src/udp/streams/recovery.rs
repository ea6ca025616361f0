//! The account of all streams, and the streams made from it and from the spool after a restart.
//!
//! A kill may come at any moment, and then the ledger lacks what came since it was saved: whole
//! streams too. So all that makes a stream what it is stands in the records of the spool as well,
//! and noting them after the ledger gives what it would have been; but for the counts of what left
//! nothing behind (repeats, parity, refusals).

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use tracing::warn;

use super::{Arrival, Stream, Streams, add, combine};
use crate::udp::datagram::Refusal;
use crate::udp::ledger::{Ledger, StreamAccount, Totals};
use crate::udp::record::{Payload, Record};
use crate::udp::window::REACH;

/// Gaps in a ledger, in all; and of each stream, however many there are.
const MOST_GAPS: usize = 200_000;
const FEWEST_GAPS: usize = 64;

/// How many of each kind are named in the log.
const MOST_NAMED: u64 = 10;

/// How much of ledger and spool could not be restored at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Streams of the ledger that cannot be read.
    pub ledger: u64,
    /// Records of the spool that cannot be read.
    pub records: u64,
    /// Records whose stream is not followed.
    pub refused: u64,
}

#[derive(Clone, Copy)]
enum Skip {
    Ledger,
    Record,
    Refused,
}

impl Streams {
    /// The streams as a ledger has them.
    pub fn restore(ledger: Ledger, now: Instant) -> Self {
        let mut streams = Self { others: ledger.totals, ..Self::default() };
        for account in &ledger.streams {
            let id = u64::from_str_radix(&account.stream, 16);
            let (Ok(id), Ok(source)) = (id, account.source.parse::<SocketAddr>()) else {
                let (stream, source) = (&account.stream, &account.source);
                streams.skip(Skip::Ledger, &format!("the ledger has stream {stream:?} from {source:?}, expected 16 hexadecimal digits and an address with a port; its counts stay in the sums, and what it sends begins a new account"));
                continue;
            };
            let Some(stream) = Stream::restore(id, account, source, now) else {
                let StreamAccount { stream, first, settled, next, .. } = account;
                streams.skip(Skip::Ledger, &format!("the ledger has stream {stream} with the numbers {first} (first), {settled} (settled) and {next} (next), expected them in this order, and no more than {REACH} from settled to next; its counts stay in the sums, and what it sends begins a new account"));
                continue;
            };
            subtract(&mut streams.others, &account.counts);
            streams.insert(id, stream);
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
            stream.pieces.truncate(most);
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

    /// Notes what the spool had and the ledger had not.
    pub fn recover(&mut self, record: &Record<'_>, now: Instant) {
        match record.payload {
            Payload::Lines(_) => self.others.lines += 1,
            Payload::Message { stream, sealed, first, pieces, how, before, documents, .. } => {
                match self.recovered((stream, 0), sealed, record, now) {
                    Ok(found) => found.recover(first, pieces, how, (before, documents)),
                    Err(refusal) => self.skip_refused("documents", stream, refusal),
                }
            }
            Payload::Mark { stream, sealed, number, mark } => {
                let id = (stream, mark.first);
                match self.recovered(id, Some(sealed), record, now) {
                    Ok(found) => drop(found.mark(number, &mark)),
                    Err(refusal) => self.skip_refused("a mark", stream, refusal),
                }
            }
            Payload::Heartbeat { stream, sealed, number, .. } => {
                match self.recovered((stream, 0), Some(sealed), record, now) {
                    Ok(found) => drop(found.heartbeat(number)),
                    Err(refusal) => self.skip_refused("a heartbeat", stream, refusal),
                }
            }
        }
    }

    /// Notes that record `number` of the spool is none.
    pub fn recover_nothing(&mut self, number: u64) {
        self.skip(Skip::Record, &format!("record {number} of the spool cannot be read, expected documents, lines, a mark or a heartbeat; was it written by a later version? What it says of its stream is not known"));
    }

    fn skip_refused(&mut self, what: &str, stream: u64, refusal: Refusal) {
        let refusal = refusal.name();
        self.skip(Skip::Refused, &format!("the spool has {what} of stream {stream:016x}, which is not followed ({refusal}); the account of that stream lacks it"));
    }

    /// Counts what the account will lack, and says so of the first few.
    fn skip(&mut self, skip: Skip, reason: &str) {
        let all = &mut self.skipped;
        let count = match skip {
            Skip::Ledger => &mut all.ledger,
            Skip::Record => &mut all.records,
            Skip::Refused => &mut all.refused,
        };
        *count += 1;
        match *count {
            ..=MOST_NAMED => warn!("{reason}"),
            // One more line says that there are more; the metric says how many.
            count if count == MOST_NAMED + 1 => {
                warn!("more like that are counted in udp_recovery_skipped only");
            }
            _ => {}
        }
    }

    /// What could not be restored.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// The stream that a record belongs to, which begins with `first` if the ledger has it not.
    fn recovered(
        &mut self,
        (id, first): (u64, u64),
        sealed: Option<bool>,
        record: &Record<'_>,
        now: Instant,
    ) -> Result<&mut Stream, Refusal> {
        // An older version wrote no seals down, and the ledger may not know either; then the next
        // datagram that is sealed shows it.
        let sealed = sealed.or_else(|| self.is_sealed(id));
        let (from, at) = (record.from, record.at);
        let arrival = Arrival { from, worker: 0, now, at, sealed: sealed.unwrap_or(false) };
        if !self.streams.contains_key(&id) {
            self.make_room(from.ip());
        }
        let stream = self.stream(id, first, &arrival)?;
        stream.sealed = sealed;
        stream.met(&arrival);
        Ok(stream)
    }

    /// Retires the stream that is silent for longest, if there is no room for another one: a record
    /// shows that its stream was followed, so room had been made for it.
    fn make_room(&mut self, source: IpAddr) {
        while !self.has_room(source) {
            let of_source = self.sources.get(&source).copied().unwrap_or_default();
            let only_of_source = of_source >= super::MOST_OF_SOURCE;
            let candidates = self.streams.values();
            let candidates =
                candidates.filter(|stream| !only_of_source || stream.born_at == source);
            let Some(oldest) = candidates.min_by_key(|stream| stream.seen_at) else { return };
            self.retire(oldest.id);
        }
    }
}

fn subtract(to: &mut Totals, from: &Totals) {
    combine(to, from, u64::saturating_sub);
}
