//! How many different ones there were: exact while they are few, `HyperLogLog` beyond that.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::registers;

/// So many are known exactly.
const EXACT: usize = 1024;
/// Bits of a hash that choose the register.
const BITS: u32 = 13;
const REGISTERS: usize = 1 << BITS;
/// The largest value of a register.
#[expect(clippy::cast_possible_truncation, reason = "it is 52")]
const MOST: u8 = (64 - BITS + 1) as u8;

/// A set of hashes.
#[derive(Debug, Clone)]
pub enum Uniques {
    /// All of them.
    Exact(HashSet<u64, BuildHasherDefault<Itself>>),
    /// What is left of them in registers.
    Registers(Box<[u8]>),
}

/// The hash of a hash.
#[derive(Debug, Default, Clone, Copy)]
pub struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Default for Uniques {
    fn default() -> Self {
        Self::Exact(HashSet::default())
    }
}

impl Uniques {
    /// Adds one.
    #[inline]
    pub fn take(&mut self, hash: u64) {
        match self {
            Self::Registers(registers) => note(registers, hash),
            Self::Exact(hashes) => {
                hashes.insert(hash);
                if hashes.len() > EXACT {
                    self.spread();
                }
            }
        }
    }

    /// From the hashes to registers.
    fn spread(&mut self) -> &mut [u8] {
        if let Self::Exact(hashes) = self {
            let mut registers = vec![0; REGISTERS].into_boxed_slice();
            for hash in hashes.iter() {
                note(&mut registers, *hash);
            }
            *self = Self::Registers(registers);
        }
        match self {
            Self::Registers(registers) => registers,
            Self::Exact(_) => &mut [],
        }
    }

    /// Adds those of another.
    pub fn add(&mut self, other: &Self) {
        match other {
            Self::Exact(hashes) => hashes.iter().for_each(|hash| self.take(*hash)),
            Self::Registers(theirs) => {
                for (register, other) in self.spread().iter_mut().zip(theirs) {
                    *register = (*register).max(*other);
                }
            }
        }
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        match self {
            Self::Exact(hashes) => hashes.len() as u64,
            Self::Registers(registers) => registers::estimate(registers, MOST),
        }
    }

    /// The standard error of that, relative; 0 where it is exact.
    pub fn error(&self) -> f64 {
        match self {
            Self::Exact(_) => 0.0,
            Self::Registers(_) => registers::error(REGISTERS),
        }
    }

    /// Without any.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[inline]
fn note(registers: &mut [u8], hash: u64) {
    let at = (hash >> (64 - BITS)) as usize;
    #[expect(clippy::cast_possible_truncation, reason = "at most 51")]
    let zeros = (hash << BITS | 1 << (BITS - 1)).leading_zeros() as u8;
    if let Some(register) = registers.get_mut(at) {
        *register = (*register).max(zeros + 1);
    }
}
