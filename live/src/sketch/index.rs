//! Finds entries of a list by their hashes: open addressing, eight bytes a slot, so that a look-up
//! touches one line of the cache before it comes to the entry.

/// Slots hold half of a hash, and the place in the list.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// A power of two, and at least twice as many as there are entries.
    slots: Vec<Slot>,
    count: usize,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    /// [`NONE`] where nothing is.
    place: u32,
}

const NONE: u32 = u32::MAX;
const EMPTY: Slot = Slot { tag: 0, place: NONE };

/// The half of the hash that does not say where to look first.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

impl Index {
    /// The place of the entry with this hash for which `is_it` holds.
    #[inline]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = first(hash) & mask;
        loop {
            let slot = self.slots.get(at)?;
            if slot.place == NONE {
                return None;
            }
            if slot.tag == tag(hash) && is_it(slot.place) {
                return Some(slot.place);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds an entry that is not there. `hash_of` tells those of all places before it.
    pub fn add(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> Option<u64>) {
        if (self.count + 1) * 2 > self.slots.len() {
            let size = (self.slots.len() * 2).max(64);
            self.clear();
            self.slots.resize(size, EMPTY);
            for before in 0..place {
                if let Some(hash) = hash_of(before) {
                    self.put(hash, before);
                }
            }
        }
        self.put(hash, place);
    }

    fn put(&mut self, hash: u64, place: u32) {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = first(hash) & mask;
        while let Some(slot) = self.slots.get_mut(at) {
            if slot.place == NONE {
                *slot = Slot { tag: tag(hash), place };
                self.count += 1;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// Without any, in the same memory.
    pub fn clear(&mut self) {
        self.slots.fill(EMPTY);
        self.count = 0;
    }

    /// Gives the memory back.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower bits are what is wanted")]
fn first(hash: u64) -> usize {
    hash as usize
}
