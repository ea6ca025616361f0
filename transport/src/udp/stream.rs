//! One stream at its receiver: which numbers came, what can be restored, what is in pieces, and
//! what to ask for.

mod recovery;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::control::{MAX_RANGES, Mark, Request};
use super::data::Data;
use super::datagram::Refusal;
use super::ledger::Totals;
use super::message::MAX_MESSAGE;
use super::parity::GroupReader;
use super::record::How;
use super::window::{Look, NumberSeen, NumberWindow};

/// Memory for what parity may restore, of one stream.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// A number that is missed for so short a time was only overtaken.
const REORDER: Duration = Duration::from_millis(20);
/// What was asked for and did not come is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// The most numbers asked for at once.
const MOST_ASKED: u16 = 1000;
/// After so long without data, what is kept for repair is freed.
const REPAIR_IDLE: Duration = Duration::from_secs(10);

/// A stream that is followed: its window, its counts, its repair.
#[derive(Debug)]
pub struct Stream {
    pub id: u64,
    pub window: NumberWindow,
    pub counts: Totals,
    pub host: String,
    /// The address that it counts for.
    pub born_at: IpAddr,
    /// Where it comes from, and answers go to.
    pub source: SocketAddr,
    /// The worker that last read something of it.
    pub worker: usize,
    pub documents_sent: u64,
    pub last_mark: Option<u64>,
    pub last_heartbeat: Option<u64>,
    pub ended: bool,
    /// Whether its datagrams are sealed; others under its id are not its own. `None` while only
    /// records of an older version are known of it.
    pub sealed: Option<bool>,
    pub seen: Instant,
    pub seen_at: u64,
    /// The sender answers requests.
    answers: bool,
    /// Numbers below this that are missed were asked for.
    asked: u64,
    ask_at: Option<Instant>,
    /// When the window's end was where.
    history: VecDeque<(Instant, u64)>,
    groups: Option<GroupReader>,
    pieces: BTreeMap<u64, Assembly>,
}

/// A message that is not complete.
#[derive(Debug)]
struct Assembly {
    pieces: Vec<Option<Piece>>,
    here: usize,
    bytes: usize,
    before: u64,
    documents: u16,
}

type Piece = (How, Box<[u8]>);

/// A message to be written into the spool.
#[derive(Debug)]
pub struct Taken<'a> {
    pub first: u64,
    pub pieces: u16,
    pub how: How,
    pub before: u64,
    pub documents: u16,
    pub message: std::borrow::Cow<'a, [u8]>,
}

/// What came of a datagram.
#[derive(Debug)]
pub enum DataOutcome<'a> {
    /// A message is complete.
    Message(Taken<'a>),
    /// A piece of one came.
    Piece,
    /// It was here before.
    Repeated,
}

impl Stream {
    /// A stream of which nothing is known but where it comes from.
    pub fn new(
        id: u64,
        window: NumberWindow,
        source: SocketAddr,
        worker: usize,
        now: Instant,
    ) -> Self {
        Self {
            id,
            born_at: source.ip(),
            asked: window.first(),
            window,
            counts: Totals::default(),
            host: String::new(),
            source,
            worker,
            documents_sent: 0,
            last_mark: None,
            last_heartbeat: None,
            ended: false,
            sealed: None,
            seen: now,
            seen_at: 0,
            answers: false,
            ask_at: None,
            history: VecDeque::new(),
            groups: None,
            pieces: BTreeMap::new(),
        }
    }

    /// Takes data; `restored` when it was restored from parity.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn data<'a>(
        &mut self,
        number: u64,
        data: &Data<'a>,
        restored: bool,
    ) -> Result<DataOutcome<'a>, Refusal> {
        let Look::New(seen) = self.window.look(number)? else {
            self.counts.repeated += 1;
            return Ok(DataOutcome::Repeated);
        };
        if let Some(piece) = data.piece {
            self.check_piece(number, piece, data.message.len())?;
        }
        let asked = self.asked.wrapping_sub(self.window.first());
        let was_asked_for = number.wrapping_sub(self.window.first()) < asked;
        self.window.see(number);
        self.documents_sent = self.documents_sent.max(data.sent());
        let how = self.count(seen, restored, was_asked_for);
        let taken = match data.piece {
            None => Some(Taken {
                first: number,
                pieces: 0,
                how,
                before: data.before,
                documents: data.documents,
                message: data.message.into(),
            }),
            Some(piece) => self.assemble(number, piece, data, how),
        };
        let Some(taken) = taken else { return Ok(DataOutcome::Piece) };
        self.counts.documents = self.counts.documents.saturating_add(taken.documents.into());
        Ok(DataOutcome::Message(taken))
    }

    fn count(&mut self, seen: NumberSeen, restored: bool, was_asked_for: bool) -> How {
        let how = match seen {
            _ if restored => How::Restored,
            NumberSeen::Late => How::Late,
            NumberSeen::Fresh if was_asked_for => How::Resent,
            NumberSeen::Fresh => How::Received,
        };
        let count = self.count_of(how);
        *count = count.saturating_add(1);
        if restored && seen == NumberSeen::Late {
            self.window.reclaim();
        }
        how
    }

    fn count_of(&mut self, how: How) -> &mut u64 {
        match how {
            How::Received => &mut self.counts.received,
            How::Late => &mut self.counts.late,
            How::Resent => &mut self.counts.resent,
            How::Restored => &mut self.counts.restored,
        }
    }

    /// Refuses a piece that would make its message too large, or contradicts the others.
    fn check_piece(
        &self,
        number: u64,
        (index, pieces): (u16, u16),
        bytes: usize,
    ) -> Result<(), Refusal> {
        let first = number.wrapping_sub(u64::from(index));
        let known = self.pieces.get(&first).map(|assembly| assembly.pieces.len());
        if known.is_some_and(|known| known != usize::from(pieces)) {
            return Err(Refusal::Malformed);
        }
        let new = if known.is_some() { bytes } else { bytes + slots(pieces) };
        if self.piece_bytes() + new > MAX_MESSAGE {
            return Err(Refusal::TooLarge);
        }
        Ok(())
    }

    /// Adds a piece; the whole message when it was the last one missing.
    fn assemble<'a>(
        &mut self,
        number: u64,
        (index, pieces): (u16, u16),
        data: &Data<'a>,
        how: How,
    ) -> Option<Taken<'a>> {
        let first = number.wrapping_sub(u64::from(index));
        let assembly = self.pieces.entry(first).or_insert_with(|| Assembly {
            pieces: vec![None; usize::from(pieces)],
            here: 0,
            bytes: slots(pieces),
            before: 0,
            documents: 0,
        });
        let slot = assembly.pieces.get_mut(usize::from(index))?;
        *slot = Some((how, Box::from(data.message)));
        assembly.here += 1;
        assembly.bytes += data.message.len();
        if index == 0 {
            (assembly.before, assembly.documents) = (data.before, data.documents);
        }
        if assembly.here < assembly.pieces.len() {
            return None;
        }
        let Assembly { pieces: parts, before, documents, .. } = self.pieces.remove(&first)?;
        let parts: Vec<Box<[u8]>> = parts.into_iter().flatten().map(|(_, part)| part).collect();
        let message = parts.concat().into();
        Some(Taken { first, pieces, how, before, documents, message })
    }

    /// Bytes that are here of the message that a piece belongs to: with the last piece, all of it is
    /// written into the spool at once.
    pub fn assembled(&self, number: u64, data: &Data<'_>) -> usize {
        let first = data.piece.map(|(index, _)| number.wrapping_sub(u64::from(index)));
        let assembly = first.and_then(|first| self.pieces.get(&first));
        assembly.map_or(0, |assembly| assembly.bytes)
    }

    /// Bytes kept for messages that are not complete.
    pub fn piece_bytes(&self) -> usize {
        self.pieces.values().map(|assembly| assembly.bytes).sum()
    }

    /// Bytes kept for repair.
    pub fn group_bytes(&self) -> usize {
        self.groups.as_ref().map_or(0, GroupReader::bytes)
    }

    /// What data and parity may be restored from.
    pub fn groups(&mut self) -> &mut GroupReader {
        self.groups.get_or_insert_with(|| GroupReader::new(GROUP_BYTES))
    }

    /// The first number from what is settled on that belongs to a message that is not complete, or
    /// else the end: what came of it is only in memory, and may have to be sent again.
    fn first_incomplete(&self) -> u64 {
        let settled = self.window.settled();
        let open = self.window.next().wrapping_sub(settled);
        let offsets = self.pieces.keys().map(|first| first.wrapping_sub(settled));
        settled.wrapping_add(offsets.filter(|offset| *offset < open).min().unwrap_or(open))
    }

    /// Takes a mark; `false` when it is not newer than those before it.
    pub fn mark(&mut self, number: u64, mark: &Mark<'_>) -> bool {
        if self.last_mark.is_some_and(|last| number <= last) {
            return false;
        }
        self.last_mark = Some(number);
        self.counts.marks += 1;
        mark.host.clone_into(&mut self.host);
        self.window.expect(mark.next);
        self.documents_sent = self.documents_sent.max(mark.documents);
        self.answers = mark.answers;
        self.ended = mark.end;
        true
    }

    /// Takes a heartbeat; `false` when it is not newer than those before it.
    pub fn heartbeat(&mut self, number: u64) -> bool {
        if self.last_heartbeat.is_some_and(|last| number <= last) {
            return false;
        }
        self.last_heartbeat = Some(number);
        self.counts.heartbeats += 1;
        true
    }

    /// Gives up what did not come in time, and frees what is of no use any more.
    pub fn age(&mut self, now: Instant, patience: Duration) {
        while let Some((since, next)) = self.history.front().copied()
            && now.saturating_duration_since(since) >= patience
        {
            self.history.pop_front();
            self.window.give_up(next);
        }
        self.window.settle_seen(self.first_incomplete());
        let next = self.window.next();
        if self.history.back().is_none_or(|(_, known)| *known != next)
            && !self.window.is_settled(next.wrapping_sub(1))
        {
            self.history.push_back((now, next));
        }
        let window = &self.window;
        let mut incomplete = 0;
        self.pieces.retain(|first, assembly| {
            let last = first.wrapping_add(assembly.pieces.len() as u64 - 1);
            let keep = !window.is_settled(last);
            incomplete += if keep { 0 } else { assembly.here as u64 };
            keep
        });
        if incomplete > 0 {
            self.refuse(Refusal::Incomplete, incomplete);
        }
        if now.saturating_duration_since(self.seen) > REPAIR_IDLE {
            self.groups = None;
        }
    }

    /// What to ask the sender for now, if anything; with `mark`, at least an answer to its mark.
    pub fn requests(&mut self, now: Instant, mark: bool) -> Vec<Request> {
        let old = self.history.iter().rev();
        let overtaken = |since: Instant| now.saturating_duration_since(since) >= REORDER;
        let end = old.clone().find(|(since, _)| overtaken(*since)).map(|(_, next)| *next);
        let end = if mark { Some(self.window.next()) } else { end };
        let due = mark || self.ask_at.is_none_or(|at| now >= at);
        let Some(end) = end.filter(|_| self.answers) else { return Vec::new() };
        let unseen = self.window.unseen(end);
        let base = self.window.settled();
        let offset = |number: u64| number.wrapping_sub(base);
        let incomplete = self.first_incomplete();
        let settled = unseen.first().map_or(self.window.next(), |(first, _)| *first);
        let settled = if offset(incomplete) < offset(settled) { incomplete } else { settled };
        // What was asked for is on its way; what was not is asked for at once.
        let is_open = self.window.next().wrapping_sub(base) >= self.asked.wrapping_sub(base);
        let mut asked = if is_open { self.asked.wrapping_sub(base) } else { 0 };
        let known = asked;
        let mut left = u64::from(MOST_ASKED);
        let mut ranges = Vec::new();
        for (first, length) in unseen {
            let offset = first.wrapping_sub(base);
            let length = length.min(left);
            if length == 0 || (!due && offset < known) {
                continue;
            }
            left -= length;
            asked = asked.max(offset + length);
            // As many at most as are asked for at once.
            ranges.push((first, u16::try_from(length).unwrap_or(MOST_ASKED)));
        }
        if ranges.is_empty() {
            return if mark { vec![Request { settled, ranges }] } else { Vec::new() };
        }
        self.asked = base.wrapping_add(asked);
        if due {
            self.ask_at = Some(now + ASK_AGAIN);
        }
        // Lost datagrams seldom stand side by side, so that a request is soon full.
        let requests = ranges.chunks(MAX_RANGES);
        requests.map(|ranges| Request { settled, ranges: ranges.to_vec() }).collect()
    }

    /// Counts what is not taken.
    pub fn refuse(&mut self, reason: Refusal, count: u64) {
        *self.counts.refused.entry(reason.name().to_owned()).or_default() += count;
    }
}

/// What the slots of an assembly take, in bytes.
fn slots(pieces: u16) -> usize {
    usize::from(pieces) * size_of::<Option<Piece>>()
}
