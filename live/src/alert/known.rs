//! Which keys there were, and when each had its last line: exact, unlike the tables of a step, because
//! a host must not look silent that is only one of many.
//!
//! Lines count when the step that they are in has ended, so that it makes no difference in which order
//! they come.

use std::collections::{BTreeMap, HashMap};

/// So many keys are known; others are counted and not watched.
pub const MOST_KNOWN: usize = 64 << 10;

/// A key, and the time of its last line in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The text of the key, or its beginning.
    pub text: Box<str>,
    /// When its last line was.
    pub last: i64,
}

/// Keys of one dimension, by the hashes of their texts.
#[derive(Debug, Default)]
pub struct Known {
    /// Lines of steps that have ended.
    keys: HashMap<u64, Seen>,
    /// Lines of steps that have not, by the numbers of these.
    open: BTreeMap<i64, HashMap<u64, Seen>>,
    /// How many keys there are in steps that have not ended, in each of them.
    open_keys: usize,
    left_out: u64,
}

impl Known {
    /// Takes in a line of a step that has not ended.
    pub fn see(&mut self, step: i64, hash: u64, text: &[u8], time: i64) {
        let keys = self.open.entry(step).or_default();
        if let Some(seen) = keys.get_mut(&hash) {
            seen.last = seen.last.max(time);
        } else if self.open_keys < 2 * MOST_KNOWN {
            self.open_keys += 1;
            keys.insert(hash, Seen { text: text_of(text), last: time });
        } else {
            self.left_out += 1;
        }
    }

    /// Takes in a line of a step that has ended long ago.
    pub fn see_late(&mut self, hash: u64, text: &[u8], time: i64) {
        self.add(hash, Seen { text: text_of(text), last: time });
    }

    /// Keys that there must be, last seen at this time.
    pub fn expect(&mut self, hash: u64, text: &str, time: i64) {
        self.add(hash, Seen { text: text.into(), last: time });
    }

    fn add(&mut self, hash: u64, seen: Seen) {
        if let Some(known) = self.keys.get_mut(&hash) {
            known.last = known.last.max(seen.last);
        } else if self.keys.len() < MOST_KNOWN {
            self.keys.insert(hash, seen);
        } else {
            self.left_out += 1;
        }
    }

    /// Ends the steps before this one.
    pub fn end_steps(&mut self, first_open: i64) {
        while let Some(entry) = self.open.first_entry() {
            if *entry.key() >= first_open {
                break;
            }
            let keys = entry.remove();
            self.open_keys -= keys.len();
            for (hash, seen) in keys {
                self.add(hash, seen);
            }
        }
    }

    /// Forgets keys whose last line was before this time.
    pub fn forget(&mut self, before: i64) {
        self.keys.retain(|_, seen| seen.last >= before);
    }

    /// The key with this hash.
    pub fn get(&self, hash: u64) -> Option<&Seen> {
        self.keys.get(&hash)
    }

    /// All keys, and once more those of each step that has not ended.
    pub fn all(&self) -> impl Iterator<Item = &Seen> {
        self.keys.values().chain(self.open.values().flat_map(HashMap::values))
    }

    /// Keys of steps that have ended, with their hashes.
    pub fn keys(&self) -> impl Iterator<Item = (u64, &Seen)> {
        self.keys.iter().map(|(hash, seen)| (*hash, seen))
    }

    /// Lines whose keys were too many to be known.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// As text, and not longer than a table would keep it.
fn text_of(text: &[u8]) -> Box<str> {
    let text = text.get(..crate::sketch::KEY_BYTES).unwrap_or(text);
    String::from_utf8_lossy(text).into()
}
