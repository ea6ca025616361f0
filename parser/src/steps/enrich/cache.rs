//! What was found for the texts that came last. Each text has one of many small sets to be in, which
//! keeps those that were asked for last, so that room and time are bounded whatever comes.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// So many sets
const SETS: usize = 1024;
/// of so many texts.
const WAYS: usize = 4;
/// A text that takes more with what was found for it is not kept: nobody can fill the memory with
/// long ones.
const MOST_BYTES: usize = 1024;

/// The texts and what was found for them.
#[derive(Debug)]
pub struct Cache {
    /// In each set, the one that was asked for last stands first.
    sets: Box<[[Option<Entry>; WAYS]]>,
    state: RandomState,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    /// The text, and what was found behind it.
    bytes: Box<[u8]>,
    text: usize,
}

impl Default for Cache {
    fn default() -> Self {
        let sets = (0..SETS).map(|_| [const { None }; WAYS]).collect();
        Self { sets, state: RandomState::default() }
    }
}

impl Cache {
    /// What was found for `text`, if that is known.
    pub fn get(&mut self, text: &[u8]) -> Option<&[u8]> {
        let hash = self.state.hash_one(text);
        let set = self.set(hash)?;
        let at = set.iter().position(|entry| entry.as_ref().is_some_and(|it| it.is(hash, text)))?;
        if at > 0 {
            set.get_mut(..=at)?.rotate_right(1);
        }
        let entry = set.first()?.as_ref()?;
        entry.bytes.get(entry.text..)
    }

    /// Keeps what was found for `text`, in place of what was not asked for longest.
    pub fn put(&mut self, text: &[u8], found: &[u8]) {
        if text.len() + found.len() > MOST_BYTES {
            return;
        }
        let hash = self.state.hash_one(text);
        let Some(set) = self.set(hash) else { return };
        // Another thread may have been here meanwhile.
        if set.iter().flatten().any(|entry| entry.is(hash, text)) {
            return;
        }
        set.rotate_right(1);
        if let Some(first) = set.first_mut() {
            let bytes = [text, found].concat().into_boxed_slice();
            *first = Some(Entry { hash, bytes, text: text.len() });
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.sets.fill_with(|| [const { None }; WAYS]);
    }

    fn set(&mut self, hash: u64) -> Option<&mut [Option<Entry>; WAYS]> {
        let at = usize::try_from(hash % SETS as u64).ok()?;
        self.sets.get_mut(at)
    }
}

impl Entry {
    fn is(&self, hash: u64, text: &[u8]) -> bool {
        self.hash == hash && self.bytes.get(..self.text) == Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_last_stays_and_long_texts_are_not_kept() {
        let mut cache = Cache::default();
        cache.put(b"always", b"yes");
        for number in 0..100_000_u32 {
            let text = number.to_le_bytes();
            assert_eq!(cache.get(&text), None);
            cache.put(&text, b"found");
            assert_eq!(cache.get(&text), Some(&b"found"[..]));
            assert_eq!(cache.get(b"always"), Some(&b"yes"[..]), "after {number}");
        }
        let kept = cache.sets.iter().flatten().flatten().count();
        assert!(kept <= SETS * WAYS, "{kept}");
        cache.put(&[b'a'; MOST_BYTES], b"x");
        assert_eq!(cache.get(&[b'a'; MOST_BYTES]), None);
        cache.clear();
        assert_eq!(cache.get(b"always"), None);
    }
}
