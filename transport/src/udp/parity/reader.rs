//! The receiver's side: keeps what came of each group and computes what did not.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};

use reed_solomon_simd::{Error, ReedSolomonDecoder};

use super::{BODY_MAX_BYTES, ParityHeader, body_of, shard_bytes_of, write_shard};

/// What a kept body or shard costs beside its bytes: its places in maps and queues, rounded up.
const ITEM_BYTES: usize = 160;
/// What an open group costs beside its bodies and shards.
const GROUP_BYTES: usize = 256;
/// How many finished groups are remembered, so that what comes late of them is ignored.
const DONE_MAX: usize = 512;
/// How many stale entries the queue may hold beside as many as there are live ones.
const STALE_MAX: usize = 1024;

/// The groups of one stream that are still arriving.
///
/// A body is kept by its number, because the first parity shard to come is what says where a group
/// begins and ends. When there is too much, the oldest is given up, with all of its group.
#[derive(Debug)]
pub struct GroupReader {
    limit_bytes: usize,
    bytes: usize,
    bodies: HashMap<u64, Body>,
    /// By first number. No two groups overlap, so the nearest one before a number is its group.
    groups: BTreeMap<u64, Group>,
    /// All that is kept, oldest first, and what has gone since: an entry is stale unless what it
    /// names still has its stamp.
    order: VecDeque<(u64, Kept)>,
    /// The finished groups, oldest first.
    done: VecDeque<u64>,
    next_stamp: u64,
}

#[derive(Debug)]
struct Body {
    stamp: u64,
    bytes: Box<[u8]>,
}

#[derive(Debug)]
struct Group {
    data: u16,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(OpenGroup),
    /// Complete, repaired or given up.
    Done,
}

#[derive(Debug)]
struct OpenGroup {
    stamp: u64,
    data: u16,
    parity: u16,
    shard_bytes: usize,
    /// How many of its bodies are kept.
    bodies: usize,
    /// The parity shards that came, by index.
    shards: Vec<(u16, Box<[u8]>)>,
}

/// The number of a body, or the first number of a group.
#[derive(Debug, Clone, Copy)]
enum Kept {
    Body(u64),
    Group(u64),
}

/// Why a datagram, or what was computed from it, was dropped.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A body of no bytes or of more than [`BODY_MAX_BYTES`].
    #[error("body length out of range")]
    BodyLength,
    /// A parity header that [`ParityHeader::decode`] refuses.
    #[error("parity header out of range")]
    Header,
    /// Not the counts or the shard length that the group's other parity datagrams have.
    #[error("parity datagram disagrees with its group")]
    Disagrees,
    /// Another group has some of its numbers.
    #[error("parity datagram of a group that overlaps another")]
    Overlaps,
    /// A body that does not fit in the shards of its group.
    #[error("body longer than the shards of its group")]
    TooLong,
    /// The computed bodies are none that a sender wrote, so none of the group's was restored.
    #[error("restored shards are not as a sender writes them")]
    Garbled,
    /// The repair itself failed.
    #[error("group cannot be repaired")]
    Repair(#[from] Error),
}

impl GroupReader {
    /// A reader that keeps at most `limit_bytes` of bodies and shards; it should be several groups.
    ///
    /// A repair needs space beyond it while it lasts: commonly three times its group, at most
    /// 24 MiB.
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            bytes: 0,
            bodies: HashMap::new(),
            groups: BTreeMap::new(),
            order: VecDeque::new(),
            done: VecDeque::new(),
            next_stamp: 0,
        }
    }

    /// How many bytes of memory the bodies and shards take, about; never above the limit.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps a copy of the body of data datagram `number`, unless it has one or its group is done.
    ///
    /// If that is enough for its group, `restored` gets the number and body of each missing
    /// datagram, once. One that was only late still comes: the caller drops it by its number.
    pub fn note(
        &mut self,
        number: u64,
        body: &[u8],
        restored: impl FnMut(u64, &[u8]),
    ) -> Result<(), Refused> {
        if !(1..=BODY_MAX_BYTES).contains(&body.len()) {
            return Err(Refused::BodyLength);
        }
        let group = self.group_of(number);
        let state = group.and_then(|first| self.groups.get(&first)).map(|group| &group.state);
        match state {
            Some(State::Done) => return Ok(()),
            Some(State::Open(open)) if shard_bytes_of(body.len()) > open.shard_bytes => {
                return Err(Refused::TooLong);
            }
            Some(State::Open(_)) | None => {}
        }
        if !self.keep(number, body) {
            return Ok(());
        }
        let settled = match group {
            Some(first) => {
                if let Some(open) = self.open_mut(first) {
                    open.bodies += 1;
                }
                self.settle(first, restored)
            }
            None => Ok(()),
        };
        self.shrink();
        settled
    }

    /// Keeps a copy of a parity shard, unless it has it or its group is done; `restored` is as for
    /// [`note`](Self::note).
    pub fn parity(
        &mut self,
        header: &ParityHeader,
        shard: &[u8],
        restored: impl FnMut(u64, &[u8]),
    ) -> Result<(), Refused> {
        if !header.allows(shard.len()) {
            return Err(Refused::Header);
        }
        if !self.groups.contains_key(&header.first) {
            self.open(header, shard.len())?;
        }
        let Some(open) = self.open_mut(header.first) else { return Ok(()) };
        if (open.data, open.parity, open.shard_bytes) != (header.data, header.parity, shard.len()) {
            return Err(Refused::Disagrees);
        }
        if open.shards.iter().any(|(index, _)| *index == header.index) {
            return Ok(());
        }
        open.shards.push((header.index, shard.into()));
        self.bytes += shard.len() + ITEM_BYTES;
        let settled = self.settle(header.first, restored);
        self.shrink();
        settled
    }

    /// The first number of the group that has `number`.
    fn group_of(&self, number: u64) -> Option<u64> {
        let before = self.groups.range(..=number).next_back();
        // A group may begin before the wrap of the numbers and end after it.
        let (first, group) = before.or_else(|| self.groups.last_key_value())?;
        (number.wrapping_sub(*first) < u64::from(group.data)).then_some(*first)
    }

    fn open_mut(&mut self, first: u64) -> Option<&mut OpenGroup> {
        match &mut self.groups.get_mut(&first)?.state {
            State::Open(open) => Some(open),
            State::Done => None,
        }
    }

    /// Opens the group of a parity datagram, with those of its bodies that came before.
    fn open(&mut self, header: &ParityHeader, shard_bytes: usize) -> Result<(), Refused> {
        let ParityHeader { first, data, parity, .. } = *header;
        let after = self.groups.range(first..).next().or_else(|| self.groups.first_key_value());
        let reaches_next =
            after.is_some_and(|(next, _)| next.wrapping_sub(first) < u64::from(data));
        if reaches_next || self.group_of(first).is_some() {
            return Err(Refused::Overlaps);
        }
        let mut bodies = 0;
        for body in numbers(first, data).filter_map(|number| self.bodies.get(&number)) {
            if shard_bytes_of(body.bytes.len()) > shard_bytes {
                return Err(Refused::TooLong);
            }
            bodies += 1;
        }
        let stamp = self.stamp(Kept::Group(first));
        let open = OpenGroup { stamp, data, parity, shard_bytes, bodies, shards: Vec::new() };
        self.groups.insert(first, Group { data, state: State::Open(open) });
        self.bytes += GROUP_BYTES;
        Ok(())
    }

    /// Copies a body; false when there is one with its number.
    fn keep(&mut self, number: u64, body: &[u8]) -> bool {
        let Entry::Vacant(place) = self.bodies.entry(number) else { return false };
        place.insert(Body { stamp: self.next_stamp, bytes: body.into() });
        self.bytes += body.len() + ITEM_BYTES;
        self.stamp(Kept::Body(number));
        true
    }

    /// Enters what is kept in the queue, and returns its stamp.
    fn stamp(&mut self, kept: Kept) -> u64 {
        let live = self.bodies.len() + self.groups.len() - self.done.len();
        if self.order.len() > 2 * live + STALE_MAX {
            let mut order = std::mem::take(&mut self.order);
            order.retain(|(stamp, kept)| self.is_live(*stamp, *kept));
            self.order = order;
        }
        let stamp = self.next_stamp;
        self.next_stamp += 1;
        self.order.push_back((stamp, kept));
        stamp
    }

    fn is_live(&self, stamp: u64, kept: Kept) -> bool {
        match kept {
            Kept::Body(number) => self.bodies.get(&number).is_some_and(|body| body.stamp == stamp),
            Kept::Group(first) => self.groups.get(&first).is_some_and(
                |group| matches!(&group.state, State::Open(open) if open.stamp == stamp),
            ),
        }
    }

    /// Repairs the group if it can be, and is done with it if nothing is missing any more.
    fn settle(&mut self, first: u64, restored: impl FnMut(u64, &[u8])) -> Result<(), Refused> {
        let Some(open) = self.open_mut(first) else { return Ok(()) };
        let data = usize::from(open.data);
        if open.bodies + open.shards.len() < data {
            return Ok(());
        }
        let repaired = if open.bodies < data { self.repair(first, restored) } else { Ok(()) };
        self.close(first);
        repaired
    }

    /// Computes the missing bodies. All are looked at before the first is handed out: if one is
    /// not as written, a shard was wrong, and then they all are.
    fn repair(&self, first: u64, mut restored: impl FnMut(u64, &[u8])) -> Result<(), Refused> {
        let Some(Group { state: State::Open(open), .. }) = self.groups.get(&first) else {
            return Ok(());
        };
        let (data, parity) = (usize::from(open.data), usize::from(open.parity));
        // Kept from one repair to the next it would save a tenth of the time, and cost each stream
        // of a fleet megabytes that it seldom needs.
        let mut decoder = ReedSolomonDecoder::new(data, parity, open.shard_bytes)?;
        let mut scratch = Vec::with_capacity(open.shard_bytes);
        let mut missing = Vec::new();
        for (index, number) in numbers(first, open.data).enumerate() {
            if let Some(body) = self.bodies.get(&number) {
                write_shard(&mut scratch, &body.bytes, open.shard_bytes);
                decoder.add_original_shard(index, &scratch)?;
            } else {
                missing.push((index, number));
            }
        }
        for (index, shard) in &open.shards {
            decoder.add_recovery_shard(usize::from(*index), shard)?;
        }
        let decoded = decoder.decode()?;
        let body_at = |index| decoded.restored_original(index).and_then(body_of);
        if missing.iter().any(|(index, _)| body_at(*index).is_none()) {
            return Err(Refused::Garbled);
        }
        for (index, number) in missing {
            if let Some(body) = body_at(index) {
                restored(number, body);
            }
        }
        Ok(())
    }

    /// Forgets all of an open group but that it is done.
    fn close(&mut self, first: u64) {
        let Some(group) = self.groups.get_mut(&first) else { return };
        let State::Open(open) = std::mem::replace(&mut group.state, State::Done) else { return };
        for number in numbers(first, open.data) {
            self.forget(number);
        }
        let shards = open.shards.len() * (open.shard_bytes + ITEM_BYTES);
        self.bytes = self.bytes.saturating_sub(shards + GROUP_BYTES);
        self.done.push_back(first);
        if self.done.len() > DONE_MAX
            && let Some(oldest) = self.done.pop_front()
        {
            self.groups.remove(&oldest);
        }
    }

    fn forget(&mut self, number: u64) {
        if let Some(body) = self.bodies.remove(&number) {
            self.bytes = self.bytes.saturating_sub(body.bytes.len() + ITEM_BYTES);
        }
    }

    /// Gives up the oldest until the rest is within the limit.
    fn shrink(&mut self) {
        while self.bytes > self.limit_bytes {
            let Some((stamp, kept)) = self.order.pop_front() else { return };
            if !self.is_live(stamp, kept) {
                continue;
            }
            match kept {
                Kept::Group(first) => self.close(first),
                // A group that lost a body to the limit would only hold up the younger ones.
                Kept::Body(number) => match self.group_of(number) {
                    Some(first) => self.close(first),
                    None => self.forget(number),
                },
            }
        }
    }
}

/// The numbers of a group's data datagrams.
fn numbers(first: u64, data: u16) -> impl Iterator<Item = u64> {
    (0..u64::from(data)).map(move |index| first.wrapping_add(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_leaves_no_trail() {
        let mut reader = GroupReader::new(1 << 20);
        for first in 0..20_000 {
            let header = ParityHeader { first, data: 1, parity: 1, index: 0 };
            assert_eq!(reader.note(first, b"x", |_, _| {}), Ok(()));
            assert_eq!(reader.parity(&header, &[0, 1, b'x', 0], |_, _| {}), Ok(()));
        }
        assert_eq!((reader.bytes(), reader.bodies.len()), (0, 0));
        assert!(reader.order.len() <= 2 * STALE_MAX && reader.groups.len() <= DONE_MAX);
    }
}
