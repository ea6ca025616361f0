//! What may happen to a datagram, and the draw that decides it.
//!
//! The draw depends on the seed and on which datagram it is (for data: the stream's place among
//! the streams, the number, and how often that number came before), not on when it arrives: the
//! same datagrams meet the same harm however senders and threads take turns.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Bytes before this one say which datagram it is; they are never corrupted.
pub(super) const HEADER: usize = 20;

/// How likely each harm is; a datagram meets one of them at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Harm {
    /// Never forwarded.
    pub drop: f64,
    /// Forwarded twice.
    pub repeat: f64,
    /// Forwarded after 1 to 8 later datagrams of the same sender.
    pub reorder: f64,
    /// Forwarded with 1 to 3 bits flipped behind the header. Datagrams that are all header pass.
    pub corrupt: f64,
    /// Kept until the test releases it.
    pub hold: f64,
}

impl Harm {
    /// Everything passes.
    pub const NONE: Self = Self { drop: 0.0, repeat: 0.0, reorder: 0.0, corrupt: 0.0, hold: 0.0 };

    /// This harm, when it is one: probabilities, and not more than 1 together.
    pub(super) fn checked(self) -> Self {
        let all = [self.drop, self.repeat, self.reorder, self.corrupt, self.hold];
        let fair = all.iter().all(|one| (0.0..=1.0).contains(one));
        assert!(fair && all.iter().sum::<f64>() < 1.0 + 1e-9, "not probabilities: {self:?}");
        self
    }

    /// What becomes of a datagram of `length` bytes.
    pub(super) fn draw(&self, random: &mut SmallRng, length: usize) -> Fate {
        if *self == Self::NONE {
            return Fate::Pass;
        }
        let later = random.random_range(1..=8);
        let fates = [
            (self.drop, Fate::Drop),
            (self.repeat, Fate::Repeat),
            (self.reorder, Fate::Reorder(later)),
            (self.corrupt, if length > HEADER { Fate::Corrupt } else { Fate::Pass }),
            (self.hold, Fate::Hold),
        ];
        let mut at: f64 = random.random();
        for (likely, fate) in fates {
            if at < likely {
                return fate;
            }
            at -= likely;
        }
        Fate::Pass
    }
}

/// What becomes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Pass,
    Drop,
    Repeat,
    /// Forwarded after so many later ones.
    Reorder(u8),
    Corrupt,
    Hold,
}

/// The random numbers of one datagram, which `place` names.
pub(super) fn random_of(seed: u64, place: [u64; 4]) -> SmallRng {
    let mix = |sum: u64, part: u64| {
        let product = (sum ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        product ^ (product >> 32)
    };
    SmallRng::seed_from_u64(place.into_iter().fold(mix(0, seed), mix))
}

/// A copy with 1 to 3 bits flipped behind the header.
pub(super) fn corrupt(bytes: &[u8], random: &mut SmallRng) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    flip(&mut copy[HEADER..], random);
    copy
}

/// Flips 1 to 3 bits of these bytes.
pub(super) fn flip(bytes: &mut [u8], random: &mut SmallRng) {
    let wanted = random.random_range(1..=3);
    let mut flipped = Vec::with_capacity(wanted);
    while flipped.len() < wanted {
        let bit = random.random_range(0..bytes.len() * 8);
        // Flipped twice, a bit would be whole again.
        if !flipped.contains(&bit) {
            bytes[bit / 8] ^= 1 << (bit % 8);
            flipped.push(bit);
        }
    }
}
