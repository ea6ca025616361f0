//! The heaviest keys of a stream, by hits, bytes and errors at once: Space-Saving that evicts in
//! batches.
//!
//! A key that is not in the table enters it with what an evicted one may have had at most, the floor,
//! and that is by how much its sums may be too large. When the table is full, the `most` with the
//! largest sums of hits stay, and a quarter as many by bytes and by errors; the floor becomes
//! the largest sum of those that go.
//!
//! The bound: let v(key) = max(0, sum - floor). A line adds at most 1 to the sum of all v. When keys
//! are evicted, more than `most` of them have sums of at least the new floor, so each of these loses at
//! least what the floor grew by. Hence floor * most <= hits: no key that is missing had more, and no
//! sum is further off. Bytes and errors are the same with their weights, and a quarter of `most`.
//! Merging adds floors and sums, so that it keeps both the argument and the bound.

use super::clients::Clients;
use super::counts::{Counts, Figures, Over};
use super::index::Index;
use super::key_latency::KeyLatency;

/// So much of the text of a key is kept. Longer ones are told apart by their hashes.
pub const KEY_BYTES: usize = 192;

/// A value of a dimension: its text and the hash of all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    /// Of the whole text.
    pub hash: u64,
    /// The text, or its beginning.
    pub text: &'a [u8],
    /// How long the whole text is.
    pub bytes: u32,
}

impl<'a> Key<'a> {
    /// The key of a text.
    #[inline]
    pub fn new(hash: u64, text: &'a [u8]) -> Self {
        let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Self { hash, text: text.get(..KEY_BYTES).unwrap_or(text), bytes }
    }
}

/// What is known of one key.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    hash: u64,
    /// Where its text begins, how much of it is there, and how long it is.
    text: (u32, u32),
    bytes: u32,
    /// Which merge it was in last.
    merged: u32,
    /// Sums, which are never too small.
    pub counts: Counts,
    /// By how much they may be too large.
    pub over: Over,
    /// Its clients, since it is in the table.
    pub clients: Clients,
    /// How long its lines took, since it is in the table.
    pub latency: KeyLatency,
}

/// The keys of one dimension.
#[derive(Debug, Clone)]
pub struct Table {
    entries: Vec<Entry>,
    texts: Vec<u8>,
    index: Index,
    floor: Over,
    most: usize,
    hits: u64,
    merges: u32,
    /// The entry of the line before, which is often that of this one.
    last: usize,
}

impl Table {
    /// An empty table of the `most` heaviest.
    pub fn new(most: usize) -> Self {
        Self {
            entries: Vec::new(),
            texts: Vec::new(),
            index: Index::default(),
            floor: Over::default(),
            most: most.max(4),
            hits: 0,
            merges: 0,
            last: 0,
        }
    }

    /// How many lines had a key.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// What a key that is not there had at most.
    pub fn floor(&self) -> Over {
        self.floor
    }

    /// All keys that are there.
    pub fn entries(&self) -> impl Iterator<Item = (Key<'_>, &Entry)> {
        self.entries.iter().map(|entry| (self.key(entry), entry))
    }

    /// The key with this hash.
    pub fn by_hash(&self, hash: u64) -> Option<(Key<'_>, &Entry)> {
        self.entries.iter().find(|entry| entry.hash == hash).map(|entry| (self.key(entry), entry))
    }

    fn key(&self, entry: &Entry) -> Key<'_> {
        Key { hash: entry.hash, text: self.text(entry), bytes: entry.bytes }
    }

    fn text(&self, entry: &Entry) -> &[u8] {
        let (start, length) = entry.text;
        let start = start as usize;
        self.texts.get(start..start + length as usize).unwrap_or_default()
    }

    /// Adds a line of this key.
    #[inline]
    pub fn take(&mut self, key: Key<'_>, figures: &Figures) {
        self.hits += 1;
        let at = match self.find(key) {
            Some(at) => at,
            None => self.enter(key),
        };
        self.last = at;
        let Some(entry) = self.entries.get_mut(at) else { return };
        entry.counts.take(figures);
        if let Some(client) = figures.client {
            entry.clients.take(client);
        }
        if let Some(nanos) = figures.latency {
            entry.latency.take(nanos, figures.bucket);
        }
    }

    #[inline]
    fn find(&self, key: Key<'_>) -> Option<usize> {
        let is_it = |entry: &Entry| {
            entry.hash == key.hash && entry.bytes == key.bytes && self.text(entry) == key.text
        };
        if self.entries.get(self.last).is_some_and(is_it) {
            return Some(self.last);
        }
        let found =
            self.index.find(key.hash, |place| self.entries.get(place as usize).is_some_and(is_it));
        found.map(|place| place as usize)
    }

    /// Makes an entry, which is full of what may have been before; evicts others if need be.
    fn enter(&mut self, key: Key<'_>) -> usize {
        if self.entries.len() >= self.most * 3 {
            self.evict();
        }
        self.push(key, self.floor)
    }

    fn push(&mut self, key: Key<'_>, over: Over) -> usize {
        let at = self.entries.len();
        let position = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let text = (position(self.texts.len()), position(key.text.len()));
        self.texts.extend_from_slice(key.text);
        let mut entry = Entry { hash: key.hash, text, bytes: key.bytes, over, ..Entry::default() };
        entry.counts.add_over(&over);
        self.entries.push(entry);
        let entries = &self.entries;
        self.index.add(key.hash, position(at), |place| {
            entries.get(place as usize).map(|entry| entry.hash)
        });
        at
    }

    /// Lets go of all but the heaviest.
    fn evict(&mut self) {
        let (most, few) = (self.most, self.most / 4);
        let hits = largest_but(most, self.entries.iter().map(|entry| entry.counts.hits));
        let bytes = largest_but(few, self.entries.iter().map(|entry| entry.counts.bytes));
        let errors = largest_but(few, self.entries.iter().map(|entry| entry.counts.errors));
        let mut texts = Vec::with_capacity(self.texts.len());
        let before = std::mem::take(&mut self.texts);
        let floor = &mut self.floor;
        self.entries.retain_mut(|entry| {
            let counts = &entry.counts;
            let stays = counts.hits > hits || counts.bytes > bytes || counts.errors > errors;
            if !stays {
                floor.cover(counts);
                return false;
            }
            let (start, length) = (entry.text.0 as usize, entry.text.1 as usize);
            entry.text.0 = u32::try_from(texts.len()).unwrap_or(u32::MAX);
            texts.extend_from_slice(before.get(start..start + length).unwrap_or_default());
            true
        });
        self.texts = texts;
        self.last = 0;
        self.build_index();
    }

    fn build_index(&mut self) {
        self.index.clear();
        let entries = &self.entries;
        let hash_of = |place: u32| entries.get(place as usize).map(|entry| entry.hash);
        for (place, entry) in (0_u32..).zip(entries) {
            self.index.add(entry.hash, place, hash_of);
        }
    }

    /// Adds all lines of another.
    pub fn add(&mut self, other: &Self) {
        self.merges = self.merges.wrapping_add(1);
        self.hits += other.hits;
        for (key, theirs) in other.entries() {
            let at = match self.find(key) {
                Some(at) => at,
                None => self.push(key, self.floor),
            };
            let Some(ours) = self.entries.get_mut(at) else { continue };
            ours.merged = self.merges;
            ours.counts.add(&theirs.counts);
            ours.over.add(&theirs.over);
            ours.clients.add(&theirs.clients);
            ours.latency.add(&theirs.latency);
        }
        // The others may have been there too, and were evicted.
        let floor = other.floor;
        if floor != Over::default() {
            for ours in &mut self.entries {
                if ours.merged != self.merges {
                    ours.counts.add_over(&floor);
                    ours.over.add(&floor);
                }
            }
            self.floor.add(&floor);
        }
        if self.entries.len() > self.most * 3 {
            self.evict();
        }
    }

    /// Makes it small, for being kept and read: nothing can be added to it as fast as before.
    pub fn seal(&mut self) {
        if self.entries.len() > self.most * 3 / 2 {
            self.evict();
        }
        self.index.forget();
        self.entries.shrink_to_fit();
        self.texts.shrink_to_fit();
        for entry in &mut self.entries {
            entry.clients.shrink();
            entry.latency.shrink();
        }
    }

    /// An empty one of the same size.
    pub fn emptied(&self) -> Self {
        Self::new(self.most)
    }

    /// Without any key, in the same memory.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.texts.clear();
        self.index.clear();
        (self.floor, self.hits, self.last) = (Over::default(), 0, 0);
    }
}

/// The largest but `most`, so that more than `most` are as large; 0 if there are no more.
fn largest_but(most: usize, values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    if most >= values.len() {
        return 0;
    }
    let (_, value, _) = values.select_nth_unstable_by(most, |one, other| other.cmp(one));
    *value
}
