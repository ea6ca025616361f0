//! The body of a data datagram: how far its stream had come, and a message or a piece of one.
//!
//! ```text
//!  0  8  how many documents the stream sent before this datagram
//!  8  2  how many documents begin in it: those of the message, in its first piece
//! 10  1  flags: 1 parity will follow, 2 a piece
//! 11  4  of a piece: its index, and how many pieces the message has (2 bytes each)
//!        the message, or the piece
//! ```

use super::control::number;
use super::datagram::Refusal;

const PARITY: u8 = 1;
const PIECE: u8 = 2;

/// Length of all but the message, in bytes.
pub const OVERHEAD: usize = 11;
/// What a piece has besides.
pub const PIECE_OVERHEAD: usize = 4;

/// The body of a data datagram, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Data<'a> {
    /// How many documents the stream sent before.
    pub before: u64,
    /// How many documents begin in this datagram.
    pub documents: u16,
    /// Whether parity will follow, so that the receiver should keep a copy.
    pub parity: bool,
    /// Index and number of pieces, for a message too large for one datagram.
    pub piece: Option<(u16, u16)>,
    /// The message, or a piece of it.
    pub message: &'a [u8],
}

impl<'a> Data<'a> {
    /// How many documents its stream had sent with it, as it says.
    pub fn sent(&self) -> u64 {
        self.before.saturating_add(u64::from(self.documents))
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before.to_be_bytes());
        out.extend_from_slice(&self.documents.to_be_bytes());
        out.push(u8::from(self.parity) * PARITY + u8::from(self.piece.is_some()) * PIECE);
        if let Some((index, pieces)) = self.piece {
            out.extend_from_slice(&index.to_be_bytes());
            out.extend_from_slice(&pieces.to_be_bytes());
        }
        out.extend_from_slice(self.message);
    }

    /// Reads a body.
    ///
    /// # Errors
    /// When it is not one.
    pub fn read(body: &'a [u8]) -> Result<Self, Refusal> {
        let (before, body) = number(body)?;
        let (documents, body) = short(body)?;
        let (flags, body) = body.split_first().ok_or(Refusal::Malformed)?;
        let (piece, message) = if flags & PIECE == 0 {
            (None, body)
        } else {
            let (index, body) = short(body)?;
            let (pieces, message) = short(body)?;
            // Only the first piece tells of documents, so that they are counted once.
            if index >= pieces || (index == 0) != (documents > 0) {
                return Err(Refusal::Malformed);
            }
            (Some((index, pieces)), message)
        };
        if message.is_empty() || (piece.is_none() && documents == 0) {
            return Err(Refusal::Malformed);
        }
        Ok(Self { before, documents, parity: flags & PARITY != 0, piece, message })
    }
}

fn short(bytes: &[u8]) -> Result<(u16, &[u8]), Refusal> {
    let (short, rest) = bytes.split_first_chunk::<2>().ok_or(Refusal::Malformed)?;
    Ok((u16::from_be_bytes(*short), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let whole = Data { before: 5, documents: 2, parity: true, piece: None, message: b"m" };
        let piece = Data { documents: 0, piece: Some((1, 3)), parity: false, ..whole };
        for (data, overhead) in [(whole, OVERHEAD), (piece, OVERHEAD + PIECE_OVERHEAD)] {
            let mut body = Vec::new();
            data.write(&mut body);
            assert_eq!(body.len(), overhead + 1);
            assert_eq!(Data::read(&body), Ok(data));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(data) = Data::read(&bytes) {
                prop_assert!(data.piece.is_none_or(|(index, pieces)| index < pieces));
            }
        }
    }
}
