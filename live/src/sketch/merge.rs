//! Several tables as one, for an answer: nothing is taken from them, and nothing is evicted.

use std::collections::HashSet;

use super::clients::Clients;
use super::counts::{Counts, Over};
use super::index::Index;
use super::key_latency::KeyLatency;
use super::table::{Key, Table};

/// What several tables know of one key.
#[derive(Debug, Clone)]
pub struct Merged<'a> {
    /// The key.
    pub key: Key<'a>,
    /// Sums, which are never too small.
    pub counts: Counts,
    /// By how much they may be too large.
    pub over: Over,
    /// Its clients, if they were asked for.
    pub clients: Clients,
    /// How long its lines took, if that was asked for.
    pub latency: KeyLatency,
    /// The floors of the tables that it is in.
    floors: Over,
}

/// What of each key is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Sums alone.
    Sums,
    /// Clients as well.
    Clients,
    /// The time that lines took as well.
    Latency,
    /// All of it.
    All,
}

/// Merges tables.
#[derive(Debug)]
pub struct Merger<'a> {
    merged: Vec<Merged<'a>>,
    index: Index,
    floor: Over,
    hits: u64,
    depth: Depth,
}

impl<'a> Merger<'a> {
    /// A merger that looks so deep.
    pub fn new(depth: Depth) -> Self {
        Self { merged: Vec::new(), index: Index::default(), floor: Over::default(), hits: 0, depth }
    }

    /// Adds the keys of a table; only those with one of these hashes, if there are such.
    pub fn add(&mut self, table: &'a Table, only: Option<&HashSet<u64>>) {
        let floor = table.floor();
        self.floor.add(&floor);
        self.hits += table.hits();
        for (key, entry) in table.entries() {
            if only.is_some_and(|only| !only.contains(&key.hash)) {
                continue;
            }
            let at = self.place(key);
            let Some(merged) = self.merged.get_mut(at) else { continue };
            merged.counts.add(&entry.counts);
            merged.over.add(&entry.over);
            merged.floors.add(&floor);
            if matches!(self.depth, Depth::Clients | Depth::All) {
                merged.clients.add(&entry.clients);
            }
            if matches!(self.depth, Depth::Latency | Depth::All) {
                merged.latency.add(&entry.latency);
            }
        }
    }

    fn place(&mut self, key: Key<'a>) -> usize {
        let merged = &self.merged;
        let found = self.index.find(key.hash, |place| {
            merged.get(place as usize).is_some_and(|other| {
                (other.key.hash, other.key.bytes) == (key.hash, key.bytes)
                    && other.key.text == key.text
            })
        });
        if let Some(place) = found {
            return place as usize;
        }
        let at = self.merged.len();
        self.merged.push(Merged {
            key,
            counts: Counts::default(),
            over: Over::default(),
            clients: Clients::default(),
            latency: KeyLatency::default(),
            floors: Over::default(),
        });
        let merged = &self.merged;
        let hash_of = |place: u32| merged.get(place as usize).map(|other| other.key.hash);
        self.index.add(key.hash, u32::try_from(at).unwrap_or(u32::MAX), hash_of);
        at
    }

    /// What a key had at most that none of the tables has.
    pub fn floor(&self) -> Over {
        self.floor
    }

    /// How many lines had a key.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// All keys. What those may have had that were not in a table is in their sums.
    pub fn finish(self) -> Vec<Merged<'a>> {
        self.finish_with_index().0
    }

    /// The same, and where each is by its hash.
    pub fn finish_with_index(mut self) -> (Vec<Merged<'a>>, Index) {
        for merged in &mut self.merged {
            let absent = self.floor.without(&merged.floors);
            merged.counts.add_over(&absent);
            merged.over.add(&absent);
        }
        (self.merged, self.index)
    }
}
