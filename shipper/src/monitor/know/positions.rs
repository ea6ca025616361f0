//! Positions of files that are not being read: of the last run, and of files that went away and may
//! come back. They are looked up by what a file is, or by its logical path, because there may be
//! many thousands.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::path::{Path, PathBuf};

use crate::monitor::position::entry::{Entry, Stamp};
use crate::monitor::position::identity::{FileKey, logical_path};

/// Positions of files that are not being read, by number.
#[derive(Debug, Default)]
pub struct Positions {
    entries: BTreeMap<u64, Remembered>,
    by_place: HashMap<(u64, u64), Vec<u64>>,
    by_logical: HashMap<PathBuf, Vec<u64>>,
    next: u64,
}

#[derive(Debug)]
struct Remembered {
    entry: Entry,
    /// Whether it was looked for beside where it was.
    searched: bool,
}

impl Positions {
    /// Those of the last run, none of which was looked for yet.
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut positions = Self::default();
        for entry in entries {
            let is_complete = entry.complete.is_some();
            positions.add(entry, is_complete);
        }
        positions
    }

    /// Remembers a position; `searched` when its file was looked for elsewhere already.
    pub fn add(&mut self, entry: Entry, searched: bool) {
        let number = self.next;
        self.next += 1;
        self.by_place.entry(entry.key.place()).or_default().push(number);
        self.by_logical.entry(logical_path(&entry.path)).or_default().push(number);
        self.entries.insert(number, Remembered { entry, searched });
    }

    /// Whether there is nothing new in the file `key`, which is like `stamp`; it is remembered as
    /// seen at `now` then.
    pub fn is_complete(&mut self, key: FileKey, stamp: Stamp, now: i64) -> bool {
        let numbers = self.by_place.get(&key.place()).into_iter().flatten();
        for number in numbers {
            if let Some(Remembered { entry, .. }) = self.entries.get_mut(number)
                && entry.key.is_like(&key)
                && entry.complete == Some(stamp)
            {
                entry.seen = now;
                return true;
            }
        }
        false
    }

    /// Whether anything is known of the file `key`.
    pub fn knows(&self, key: FileKey) -> bool {
        self.numbers_of(key).next().is_some()
    }

    /// Forgets what was seen last before `time`, in seconds since the epoch.
    pub fn forget_before(&mut self, time: i64) {
        let old = self.entries.iter().filter(|(_, remembered)| remembered.entry.seen < time);
        let old: Vec<u64> = old.map(|(number, _)| *number).collect();
        for number in old {
            self.remove(number);
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(|remembered| &remembered.entry)
    }

    /// Those that may belong to the file `key` with this logical path, with their numbers.
    pub fn candidates(&self, key: FileKey, logical: &Path) -> Vec<(u64, &Entry)> {
        let alike = self.by_logical.get(logical).into_iter().flatten();
        let mut numbers: Vec<u64> = self.numbers_of(key).chain(alike.copied()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let found = numbers.into_iter();
        found.filter_map(|number| Some((number, &self.entries.get(&number)?.entry))).collect()
    }

    fn numbers_of(&self, key: FileKey) -> impl Iterator<Item = u64> {
        let numbers = self.by_place.get(&key.place()).into_iter().flatten().copied();
        numbers.filter(move |number| {
            self.entries.get(number).is_some_and(|known| known.entry.key.is_like(&key))
        })
    }

    /// Forgets one.
    pub fn remove(&mut self, number: u64) -> Option<Entry> {
        let Remembered { entry, .. } = self.entries.remove(&number)?;
        remove_from(&mut self.by_place, &entry.key.place(), number);
        remove_from(&mut self.by_logical, &logical_path(&entry.path), number);
        Some(entry)
    }

    /// Forgets positions in the file `key` that were noted before anything of it was seen.
    pub fn remove_blank(&mut self, key: FileKey) {
        for number in self.numbers_of(key).collect::<Vec<_>>() {
            let known = self.entries.get(&number);
            if known.is_some_and(|known| known.entry.prefix.length == 0) {
                self.remove(number);
            }
        }
    }

    /// Takes those that were not looked for, the one that knows most of its file first: what fits it
    /// might fit another as well.
    pub fn take_unsearched(&mut self) -> Vec<Entry> {
        let unsearched = self.entries.iter().filter(|(_, remembered)| !remembered.searched);
        let mut numbers: Vec<(u64, u64)> =
            unsearched.map(|(number, remembered)| (remembered.entry.offset, *number)).collect();
        numbers.sort_unstable_by_key(|(offset, number)| (std::cmp::Reverse(*offset), *number));
        numbers.into_iter().filter_map(|(_, number)| self.remove(number)).collect()
    }
}

/// Takes a number out of an index, and its key when nothing is left.
fn remove_from<K: Hash + Eq>(index: &mut HashMap<K, Vec<u64>>, key: &K, number: u64) {
    if let Some(numbers) = index.get_mut(key) {
        numbers.retain(|own| *own != number);
        if numbers.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(inode: u64) -> FileKey {
        FileKey { device: 1, inode, born: Some(1) }
    }

    fn entry(path: &str, inode: u64) -> Entry {
        Entry { offset: inode, ..Entry::blank(Path::new(path), key_of(inode)) }
    }

    fn offsets(found: &[(u64, &Entry)]) -> Vec<u64> {
        found.iter().map(|(_, entry)| entry.offset).collect()
    }

    #[test]
    fn positions_are_found_by_inode_and_by_logical_path() {
        let entries = vec![entry("/a.log", 1), entry("/a.log.1", 2), entry("/b.log", 3)];
        let mut positions = Positions::new(entries);
        let key = key_of;
        assert_eq!(offsets(&positions.candidates(key(3), Path::new("/a.log"))), [1, 2, 3]);
        assert_eq!(offsets(&positions.candidates(key(9), Path::new("/c.log"))), [] as [u64; 0]);
        let number = positions.candidates(key(2), Path::new("/x"))[0].0;
        assert_eq!(positions.remove(number).map(|entry| entry.offset), Some(2));
        assert!(positions.remove(number).is_none());
        assert_eq!(offsets(&positions.candidates(key(2), Path::new("/a.log"))), [1]);
        positions.add(entry("/c.log", 4), true);
        let unsearched = positions.take_unsearched();
        assert_eq!(unsearched.iter().map(|entry| entry.offset).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(positions.iter().map(|entry| entry.offset).collect::<Vec<_>>(), [4]);
        assert_eq!(positions.by_logical.len(), 1);
    }
}
