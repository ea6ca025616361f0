//! Parity for a stream of numbered datagrams: lost ones are recomputed, not asked for again.
//!
//! The sender gathers the bodies of consecutive data datagrams in a group ([`GroupWriter`]) and
//! ends it with parity shards. Of a group's `data + parity` datagrams any `data` are enough: the
//! receiver computes the missing bodies from them ([`GroupReader`]), in whatever order they came.
//!
//! A shard is `length (u16, big-endian) ‖ body ‖ zeros`, as long as the longest of its group and
//! of even length, which the code of the shards (Reed–Solomon over 16-bit symbols) asks for.
//!
//! Promised: what is restored is bit for bit what was pushed, memory is bounded, and no received
//! byte can panic. Numbers, sockets, checksums and the dropping of duplicates are the transport's:
//! a forged or damaged datagram that gets here may restore forged bodies.

use std::fmt;
use std::str::FromStr;

pub use reader::GroupReader;
pub use writer::GroupWriter;

mod reader;
#[cfg(test)]
mod tests;
mod writer;

/// The longest body, in bytes; the shortest has one.
pub const BODY_MAX_BYTES: usize = 65_500;

/// The most data datagrams in a group, and the most parity datagrams.
pub const GROUP_MAX_DATAGRAMS: usize = 512;

/// The most bytes of data shards in a group, and the most of parity shards (4 MiB).
pub const GROUP_MAX_BYTES: usize = 4 << 20;

/// Length of an encoded [`ParityHeader`] in bytes.
pub const HEADER_BYTES: usize = 14;

const PREFIX_BYTES: usize = 2;
/// A prefix and one byte, rounded up to even.
const SHARD_MIN_BYTES: usize = 4;
const SHARD_MAX_BYTES: usize = 65_504;

const PERCENT_MAX: u8 = 50;

/// Which share of all datagrams may be lost without loss of data: 1% to 50%, such as `10%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParityShare {
    percent: u8,
}

impl ParityShare {
    /// How many parity datagrams a group of `data` datagrams gets: the fewest, but at least one,
    /// with which losing this share of both kinds together costs nothing.
    pub fn parity_of(self, data: usize) -> usize {
        let percent = usize::from(self.percent);
        // parity >= share * (data + parity), solved for parity
        data.saturating_mul(percent).div_ceil(100 - percent).max(1)
    }
}

impl FromStr for ParityShare {
    type Err = ParityShareError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_suffix('%')
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .filter(|percent| (1..=PERCENT_MAX).contains(percent))
            .map(|percent| Self { percent })
            .ok_or_else(|| ParityShareError { found: text.to_owned() })
    }
}

impl fmt::Display for ParityShare {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}%", self.percent)
    }
}

/// A text that is no [`ParityShare`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a share such as \"10%\" (1% to {PERCENT_MAX}%), found {found:?}")]
pub struct ParityShareError {
    found: String,
}

/// What a parity datagram says of its shard and of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParityHeader {
    /// Number of the group's first data datagram; the others follow, past `u64::MAX` from 0.
    pub first: u64,
    /// How many data datagrams the group has, 1 to [`GROUP_MAX_DATAGRAMS`].
    pub data: u16,
    /// How many parity datagrams the group has, 1 to [`GROUP_MAX_DATAGRAMS`].
    pub parity: u16,
    /// Which of the parity datagrams this is, from 0.
    pub index: u16,
}

impl ParityHeader {
    /// The header as bytes: the fields in their order, big-endian.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let first = self.first.to_be_bytes();
        let counts = [self.data, self.parity, self.index].map(u16::to_be_bytes);
        let mut bytes = [0; HEADER_BYTES];
        for (to, from) in bytes.iter_mut().zip(first.iter().chain(counts.as_flattened())) {
            *to = *from;
        }
        bytes
    }

    /// The header and the shard of a parity datagram; `None` for what no [`GroupWriter`] makes.
    pub fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (first, rest) = bytes.split_first_chunk()?;
        let (data, rest) = rest.split_first_chunk()?;
        let (parity, rest) = rest.split_first_chunk()?;
        let (index, shard) = rest.split_first_chunk()?;
        let header = Self {
            first: u64::from_be_bytes(*first),
            data: u16::from_be_bytes(*data),
            parity: u16::from_be_bytes(*parity),
            index: u16::from_be_bytes(*index),
        };
        header.allows(shard.len()).then_some((header, shard))
    }

    /// Whether the counts are possible, for shards of this length.
    fn allows(&self, shard_bytes: usize) -> bool {
        let (data, parity) = (usize::from(self.data), usize::from(self.parity));
        (1..=GROUP_MAX_DATAGRAMS).contains(&data)
            && (1..=GROUP_MAX_DATAGRAMS).contains(&parity)
            && self.index < self.parity
            && (SHARD_MIN_BYTES..=SHARD_MAX_BYTES).contains(&shard_bytes)
            && shard_bytes.is_multiple_of(2)
            // The working space of a repair grows with both: this bounds it.
            && data.max(parity) * shard_bytes <= GROUP_MAX_BYTES
    }
}

/// Length of the shard of a body of `length` bytes, before others of its group make it longer.
fn shard_bytes_of(length: usize) -> usize {
    (PREFIX_BYTES + length).next_multiple_of(2)
}

/// Makes the data shard of `body` in `shard`.
fn write_shard(shard: &mut Vec<u8>, body: &[u8], shard_bytes: usize) {
    shard.clear();
    // Bodies were measured when they came in. One that is too long would be refused by its reader.
    debug_assert!(body.len() <= BODY_MAX_BYTES, "a body fits its shard");
    shard.extend_from_slice(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
    shard.extend_from_slice(body);
    shard.resize(shard_bytes, 0);
}

/// The body in a data shard; `None` when the length or the zeros after it are not as written.
fn body_of(shard: &[u8]) -> Option<&[u8]> {
    let (length, rest) = shard.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (body, padding) = rest.split_at_checked(length)?;
    let is_whole = (1..=BODY_MAX_BYTES).contains(&length) && padding.iter().all(|byte| *byte == 0);
    is_whole.then_some(body)
}
