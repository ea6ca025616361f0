//! What the proxy saw and did, counted and by number.

use std::collections::{BTreeMap, BTreeSet};

use super::harm::HEADER;

/// What a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Log lines.
    Data,
    /// What repairs lost data.
    Parity,
    /// How far a sender is.
    Mark,
    /// What a receiver asks for; so counts whatever it sends back.
    Request,
    /// Anything that does not have the shape of the others.
    Other,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Data, Self::Parity, Self::Mark, Self::Request, Self::Other];
}

/// What a datagram's header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    pub(super) kind: Kind,
    pub(super) stream: u64,
    pub(super) number: u64,
}

impl Name {
    /// Reads the header.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let other = Self { kind: Kind::Other, stream: 0, number: 0 };
        let Some(header) = bytes.first_chunk::<HEADER>() else { return other };
        let [0x4F, 0x9D, 1, kind, ..] = *header else { return other };
        let kind = match kind & 0x0F {
            1 => Kind::Data,
            2 => Kind::Parity,
            3 => Kind::Mark,
            4 => Kind::Request,
            _ => return other,
        };
        let field = |at| u64::from_be_bytes(*header[at..].first_chunk().expect("eight bytes"));
        Self { kind, stream: field(4), number: field(12) }
    }
}

/// How many datagrams of a kind met what. Each one seen is counted once among `passed`,
/// `dropped`, `repeated`, `reordered`, `corrupted` and `held`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Received.
    pub seen: u64,
    /// Of the seen: data with a number that had been seen in its stream.
    pub seen_again: u64,
    /// Forwarded at once and unharmed.
    pub passed: u64,
    /// Never forwarded.
    pub dropped: u64,
    /// Forwarded twice.
    pub repeated: u64,
    /// Kept back until later ones had come, or none came for a while.
    pub reordered: u64,
    /// Forwarded with bits flipped.
    pub corrupted: u64,
    /// Kept until released.
    pub held: u64,
    /// Of the held: forwarded since.
    pub released: u64,
    /// Datagrams sent on; a repeated one counts twice.
    pub forwarded: u64,
}

impl Counts {
    /// What ought to be `forwarded` once the proxy has settled.
    pub fn due(&self) -> u64 {
        self.passed + 2 * self.repeated + self.reordered + self.corrupted + self.released
    }

    /// What met a fate; equals `seen`.
    pub fn decided(&self) -> u64 {
        let harmed = self.dropped + self.repeated + self.reordered + self.corrupted + self.held;
        self.passed + harmed
    }
}

/// The data numbers of one stream. A number sent again may be in several of the sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamAccount {
    /// The stream's place among the streams seen, from 0.
    pub place: u64,
    /// Received.
    pub seen: BTreeSet<u64>,
    /// Received more than once, and how often after the first time.
    pub seen_again: BTreeMap<u64, u64>,
    /// Dropped.
    pub dropped: BTreeSet<u64>,
    /// Forwarded twice.
    pub repeated: BTreeSet<u64>,
    /// Forwarded late.
    pub reordered: BTreeSet<u64>,
    /// Forwarded with bits flipped.
    pub corrupted: BTreeSet<u64>,
    /// Held, whether released since or not.
    pub held: BTreeSet<u64>,
    /// Released.
    pub released: BTreeSet<u64>,
    /// Forwarded unharmed at least once.
    pub forwarded: BTreeSet<u64>,
}

impl StreamAccount {
    /// The numbers that never went on unharmed.
    pub fn missing(&self) -> BTreeSet<u64> {
        self.seen.difference(&self.forwarded).copied().collect()
    }
}

/// What was seen and done, in both directions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Data.
    pub data: Counts,
    /// Parity.
    pub parity: Counts,
    /// Marks.
    pub mark: Counts,
    /// Requests: all that came back from the receiver, and what looked like one on the way there.
    pub request: Counts,
    /// Everything else.
    pub other: Counts,
    /// The numbers of the data, by stream.
    pub streams: BTreeMap<u64, StreamAccount>,
}

impl Account {
    /// The counts of a kind.
    pub fn of(&self, kind: Kind) -> &Counts {
        match kind {
            Kind::Data => &self.data,
            Kind::Parity => &self.parity,
            Kind::Mark => &self.mark,
            Kind::Request => &self.request,
            Kind::Other => &self.other,
        }
    }

    pub(super) fn of_mut(&mut self, kind: Kind) -> &mut Counts {
        match kind {
            Kind::Data => &mut self.data,
            Kind::Parity => &mut self.parity,
            Kind::Mark => &mut self.mark,
            Kind::Request => &mut self.request,
            Kind::Other => &mut self.other,
        }
    }

    /// Counts an arrival. Returns the stream's place, the number, and how often that came before;
    /// what is not data has only its place among its kind.
    pub(super) fn see(&mut self, name: Name) -> [u64; 3] {
        let counts = self.of_mut(name.kind);
        counts.seen += 1;
        if name.kind != Kind::Data {
            return [0, counts.seen, 0];
        }
        let next = self.streams.len() as u64;
        let stream = self
            .streams
            .entry(name.stream)
            .or_insert_with(|| StreamAccount { place: next, ..StreamAccount::default() });
        let mut before = 0;
        if !stream.seen.insert(name.number) {
            let times = stream.seen_again.entry(name.number).or_default();
            *times += 1;
            before = *times;
            self.data.seen_again += 1;
        }
        [stream.place, name.number, before]
    }

    /// Counts what was done: in one of the counts and, of data, in one of the sets.
    pub(super) fn note(
        &mut self,
        name: Name,
        count: fn(&mut Counts) -> &mut u64,
        set: fn(&mut StreamAccount) -> &mut BTreeSet<u64>,
    ) {
        *count(self.of_mut(name.kind)) += 1;
        if name.kind == Kind::Data
            && let Some(stream) = self.streams.get_mut(&name.stream)
        {
            set(stream).insert(name.number);
        }
    }
}
