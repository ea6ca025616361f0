//! The outside of a datagram: a header that names its stream and its number, and what proves that
//! nobody changed it: a checksum, or a seal where there is a key.
//!
//! ```text
//!  0  2  magic 4F 9D
//!  2  1  version, 1
//!  3  1  kind (see [`DatagramKind`]); with 80 added when sealed
//!  4  8  stream: drawn at random when a sender starts
//! 12  8  number: counted from 0 for each kind in a stream; drawn at random in a request
//! 20  4  plain: the low half of XXH3-64 of everything else    sealed: 1, the id of the key
//! 24     plain: the body                                      21: the sealed body and its 16-byte tag
//! ```
//!
//! All numbers are big-endian. A sealed datagram is XChaCha20-Poly1305 with the first 21 bytes as
//! associated data and `stream ‖ number ‖ kind ‖ 0…` as nonce, which never repeats under one key
//! because a stream's id is random and its numbers are not used twice; no clock is involved.

use xxhash_rust::xxh3::Xxh3;

use super::keys::{Keys, NONCE_BYTES, NotSealed, TAG_BYTES};

const MAGIC: [u8; 2] = [0x4F, 0x9D];
const VERSION: u8 = 1;
const SEALED: u8 = 0x80;

const HEADER: usize = 20;
const CHECKSUM: usize = 4;
const KEY_ID: usize = 1;

/// The largest UDP payload over IPv4, in bytes.
pub const MAX_DATAGRAM: usize = 65_507;

/// What a datagram is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatagramKind {
    /// Documents.
    Data = 1,
    /// What lost documents can be restored from.
    Parity = 2,
    /// How far the stream has come.
    Mark = 3,
    /// From the receiver: what it misses, and up to where it misses nothing.
    Request = 4,
    /// How the sender is: no documents, and nothing that anybody waits for.
    Heartbeat = 5,
}

/// The header of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// What it is for.
    pub kind: DatagramKind,
    /// The stream it belongs to.
    pub stream: u64,
    /// Its number among those of its kind.
    pub number: u64,
}

/// Why something that arrived is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// It does not begin with our magic bytes.
    Foreign,
    /// It is of another version than ours.
    Version,
    /// It is too short for what it says it is, or says what makes no sense.
    Malformed,
    /// Its checksum is not that of its content.
    Corrupt,
    /// It is not sealed, and only sealed ones are taken here.
    Unsealed,
    /// It is sealed, and there is no key here.
    Sealed,
    /// It is sealed with a key that is not in the key file.
    UnknownKey,
    /// Its seal does not fit its content: forged, corrupt, or another key under the same id.
    BadSeal,
    /// Its number is so old that nobody can tell whether it was here before.
    TooOld,
    /// Its number is impossibly far ahead.
    TooFar,
    /// There are too many streams already, in all or from its address.
    TooManyStreams,
    /// It is a piece of something too large to be put together.
    TooLarge,
    /// It is a piece of something whose other pieces never came.
    Incomplete,
    /// It needs a dictionary that we do not carry: the sender is newer than we are.
    Dictionary,
    /// Its documents cannot be read, although it arrived as it was sent.
    Unreadable,
    /// There is no room in the spool.
    SpoolFull,
}

impl Refusal {
    /// All refusals, for metrics and tests.
    pub const ALL: [Self; 16] = [
        Self::Foreign,
        Self::Version,
        Self::Malformed,
        Self::Corrupt,
        Self::Unsealed,
        Self::Sealed,
        Self::UnknownKey,
        Self::BadSeal,
        Self::TooOld,
        Self::TooFar,
        Self::TooManyStreams,
        Self::TooLarge,
        Self::Incomplete,
        Self::Dictionary,
        Self::Unreadable,
        Self::SpoolFull,
    ];

    /// A short stable name, for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Version => "version",
            Self::Malformed => "malformed",
            Self::Corrupt => "corrupt",
            Self::Unsealed => "unsealed",
            Self::Sealed => "sealed",
            Self::UnknownKey => "unknown_key",
            Self::BadSeal => "bad_seal",
            Self::TooOld => "too_old",
            Self::TooFar => "too_far",
            Self::TooManyStreams => "too_many_streams",
            Self::TooLarge => "too_large",
            Self::Incomplete => "incomplete",
            Self::Dictionary => "dictionary",
            Self::Unreadable => "unreadable",
            Self::SpoolFull => "spool_full",
        }
    }
}

impl Datagram {
    /// How many bytes a datagram has besides its body.
    pub fn overhead(sealed: bool) -> usize {
        if sealed { HEADER + KEY_ID + TAG_BYTES } else { HEADER + CHECKSUM }
    }

    /// Appends the datagram with this body to `out`; sealed, where there are keys.
    ///
    /// # Errors
    /// When it cannot be sealed; nothing is appended then, so that nothing can leave in clear text.
    pub fn write(
        &self,
        keys: Option<&Keys>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), NotSealed> {
        let start = out.len();
        let sealed = if keys.is_some() { SEALED } else { 0 };
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, self.kind as u8 | sealed]);
        out.extend_from_slice(&self.stream.to_be_bytes());
        out.extend_from_slice(&self.number.to_be_bytes());
        if let Some(keys) = keys {
            out.push(keys.sealing_id());
            let associated = start..start + HEADER + KEY_ID;
            out.extend_from_slice(body);
            keys.seal(&self.nonce(), out, associated).inspect_err(|_| out.truncate(start))?;
        } else {
            // It has only grown since it was `start` bytes long.
            let (_, header) = out.split_at(start);
            let checksum = checksum(header, body);
            out.extend_from_slice(&checksum);
            out.extend_from_slice(body);
        }
        Ok(())
    }

    /// Reads a datagram, which is opened in place; returns its body.
    ///
    /// # Errors
    /// Why it cannot be believed.
    pub fn read<'a>(
        keys: Option<&Keys>,
        datagram: &'a mut [u8],
    ) -> Result<(Self, &'a [u8]), Refusal> {
        let (header, sealed) = Self::header(datagram)?;
        match (keys, sealed) {
            (None, true) => Err(Refusal::Sealed),
            (Some(_), false) => Err(Refusal::Unsealed),
            (None, false) => {
                let (head, rest) = datagram.split_at_checked(HEADER).ok_or(Refusal::Malformed)?;
                let (found, body) =
                    rest.split_first_chunk::<CHECKSUM>().ok_or(Refusal::Malformed)?;
                if checksum(head, body) != *found {
                    return Err(Refusal::Corrupt);
                }
                Ok((header, body))
            }
            (Some(keys), true) => {
                let (associated, body) =
                    datagram.split_at_mut_checked(HEADER + KEY_ID).ok_or(Refusal::Malformed)?;
                let [.., key_id] = *associated else { return Err(Refusal::Malformed) };
                Ok((header, keys.open(key_id, &header.nonce(), associated, body)?))
            }
        }
    }

    /// The header, and whether the rest is sealed; believed by nobody yet.
    fn header(datagram: &[u8]) -> Result<(Self, bool), Refusal> {
        let (magic, rest) = datagram.split_first_chunk::<2>().ok_or(Refusal::Foreign)?;
        if *magic != MAGIC {
            return Err(Refusal::Foreign);
        }
        let ([version, kind], rest) = rest.split_first_chunk::<2>().ok_or(Refusal::Malformed)?;
        if *version != VERSION {
            return Err(Refusal::Version);
        }
        let sealed = kind & SEALED != 0;
        let kind = match kind & !SEALED {
            1 => DatagramKind::Data,
            2 => DatagramKind::Parity,
            3 => DatagramKind::Mark,
            4 => DatagramKind::Request,
            5 => DatagramKind::Heartbeat,
            _ => return Err(Refusal::Malformed),
        };
        let (stream, rest) = rest.split_first_chunk::<8>().ok_or(Refusal::Malformed)?;
        let (number, _) = rest.split_first_chunk::<8>().ok_or(Refusal::Malformed)?;
        let stream = u64::from_be_bytes(*stream);
        Ok((Self { kind, stream, number: u64::from_be_bytes(*number) }, sealed))
    }

    fn nonce(&self) -> [u8; NONCE_BYTES] {
        let mut nonce = [0; NONCE_BYTES];
        let parts = self.stream.to_be_bytes().into_iter().chain(self.number.to_be_bytes());
        for (to, from) in nonce.iter_mut().zip(parts.chain([self.kind as u8])) {
            *to = from;
        }
        nonce
    }
}

fn checksum(header: &[u8], body: &[u8]) -> [u8; CHECKSUM] {
    let mut hash = Xxh3::new();
    hash.update(header);
    hash.update(body);
    let [.., a, b, c, d] = hash.digest().to_be_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: Datagram = Datagram { kind: DatagramKind::Data, stream: 7, number: 9 };

    fn keys(text: &str) -> Keys {
        Keys::parse(text).unwrap()
    }

    fn written(keys: Option<&Keys>, body: &[u8]) -> Vec<u8> {
        let mut out = b"before".to_vec();
        HEAD.write(keys, body, &mut out).unwrap();
        out.split_off(6)
    }

    #[test]
    fn what_is_written_is_read() {
        let keys = keys(&format!("3 {}\n", "ab".repeat(32)));
        for keys in [None, Some(&keys)] {
            let mut datagram = written(keys, b"hello");
            assert_eq!(datagram.len(), Datagram::overhead(keys.is_some()) + 5);
            assert_eq!(Datagram::read(keys, &mut datagram), Ok((HEAD, &b"hello"[..])));
        }
    }

    #[test]
    fn keys_are_rotated_by_putting_the_new_one_first() {
        let (a, b) = ("aa".repeat(32), "bb".repeat(32));
        let old = keys(&format!("1 {a}\n"));
        let both = keys(&format!("2 {b}\n1 {a}\n"));
        let new = keys(&format!("2 {b}\n"));
        assert!(Datagram::read(Some(&both), &mut written(Some(&old), b"x")).is_ok());
        assert!(Datagram::read(Some(&new), &mut written(Some(&both), b"x")).is_ok());
        let refused = |keys: &Keys, mut datagram: Vec<u8>| {
            Datagram::read(Some(keys), &mut datagram).unwrap_err()
        };
        assert_eq!(refused(&new, written(Some(&old), b"x")), Refusal::UnknownKey);
        let other = keys(&format!("2 {a}\n"));
        assert_eq!(refused(&other, written(Some(&new), b"x")), Refusal::BadSeal);
    }

    #[test]
    fn what_is_not_ours_is_refused_with_the_reason() {
        let keys = keys(&format!("3 {}\n", "ab".repeat(32)));
        let read = |keys: Option<&Keys>, mut bytes: Vec<u8>| {
            Datagram::read(keys, &mut bytes).map(|_| ()).unwrap_err()
        };
        assert_eq!(read(None, Vec::new()), Refusal::Foreign);
        assert_eq!(read(None, b"{\"a\":1}".to_vec()), Refusal::Foreign);
        assert_eq!(read(None, vec![0x4F, 0x9D]), Refusal::Malformed);
        assert_eq!(read(None, vec![0x4F, 0x9D, 2, 1]), Refusal::Version);
        assert_eq!(read(None, written(None, b"x")[..23].to_vec()), Refusal::Malformed);
        assert_eq!(read(None, written(Some(&keys), b"x")), Refusal::Sealed);
        assert_eq!(read(Some(&keys), written(None, b"x")), Refusal::Unsealed);
        assert_eq!(read(Some(&keys), written(Some(&keys), b"xy")[..37].to_vec()), Refusal::BadSeal);
    }

    proptest! {
        #[test]
        fn one_changed_bit_is_always_noticed(
            sealed: bool,
            body in proptest::collection::vec(any::<u8>(), 0..100),
            at in 0_usize..1000,
            bit in 0_u8..8,
        ) {
            let keys = keys(&format!("3 {}\n", "ab".repeat(32)));
            let keys = sealed.then_some(&keys);
            let mut datagram = written(keys, &body);
            let at = at % datagram.len();
            datagram[at] ^= 1 << bit;
            prop_assert!(Datagram::read(keys, &mut datagram).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), ours: bool, sealed: bool) {
            if ours && bytes.len() > 4 {
                bytes[..3].copy_from_slice(&[0x4F, 0x9D, 1]);
            }
            let keys = keys(&format!("3 {}\n", "ab".repeat(32)));
            prop_assert!(Datagram::read(sealed.then_some(&keys), &mut bytes).is_err());
        }
    }
}
