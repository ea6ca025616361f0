//! The clients of one key, in little memory: most keys have one, and few have many.

use super::registers;

/// So many are known, each by 32 bits of its hash; beyond that there are registers.
const FEW: usize = 32;
const BITS: u32 = 8;
const REGISTERS: usize = 1 << BITS;
/// The largest value of a register.
#[expect(clippy::cast_possible_truncation, reason = "it is 25")]
const MOST: u8 = (32 - BITS + 1) as u8;

/// A set of clients.
#[derive(Debug, Clone, Default)]
pub enum Clients {
    /// No client is known.
    #[default]
    None,
    /// One.
    One(u32),
    /// Some.
    Few(Vec<u32>),
    /// What is left of many.
    Many(Box<[u8; REGISTERS]>),
}

impl Clients {
    /// Adds the client with this hash.
    #[inline]
    pub fn take(&mut self, hash: u64) {
        self.take_half((hash >> 32) as u32);
    }

    #[inline]
    fn take_half(&mut self, hash: u32) {
        match self {
            Self::Many(registers) => note(registers, hash),
            Self::One(one) if *one == hash => {}
            Self::None => *self = Self::One(hash),
            Self::One(one) => *self = Self::Few(vec![*one, hash]),
            Self::Few(few) if few.contains(&hash) => {}
            Self::Few(few) if few.len() < FEW => few.push(hash),
            Self::Few(_) => self.spread(hash),
        }
    }

    fn spread(&mut self, hash: u32) {
        let mut registers = Box::new([0; REGISTERS]);
        note(&mut registers, hash);
        self.each(|hash| note(&mut registers, hash));
        *self = Self::Many(registers);
    }

    fn each(&self, mut then: impl FnMut(u32)) {
        match self {
            Self::None | Self::Many(_) => {}
            Self::One(one) => then(*one),
            Self::Few(few) => few.iter().for_each(|one| then(*one)),
        }
    }

    /// Adds those of another.
    pub fn add(&mut self, other: &Self) {
        let Self::Many(theirs) = other else { return other.each(|hash| self.take_half(hash)) };
        match self {
            Self::Many(registers) => {
                for (register, other) in registers.iter_mut().zip(theirs.iter()) {
                    *register = (*register).max(*other);
                }
            }
            few => {
                let mut registers = theirs.clone();
                few.each(|hash| note(&mut registers, hash));
                *few = Self::Many(registers);
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Few(few) => few.len() as u64,
            Self::Many(registers) => registers::estimate(&registers[..], MOST),
        }
    }

    /// The standard error of that, relative; 0 where it is exact.
    pub fn error(&self) -> f64 {
        if matches!(self, Self::Many(_)) { registers::error(REGISTERS) } else { 0.0 }
    }

    /// In no more memory than needed.
    pub fn shrink(&mut self) {
        if let Self::Few(few) = self {
            few.shrink_to_fit();
        }
    }
}

#[inline]
fn note(registers: &mut [u8; REGISTERS], hash: u32) {
    let at = (hash >> (32 - BITS)) as usize;
    #[expect(clippy::cast_possible_truncation, reason = "at most 24")]
    let zeros = (hash << BITS | 1 << (BITS - 1)).leading_zeros() as u8;
    if let Some(register) = registers.get_mut(at) {
        *register = (*register).max(zeros + 1);
    }
}
