//! What the receivers write into the spool: a message or plain lines, and what is known about it.

use std::net::SocketAddr;

use super::control::number;

/// How a datagram came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By itself, in time.
    Received,
    /// By itself, after it had been given up.
    Late,
    /// Restored from parity, or sent again because we asked for it.
    Repaired,
}

/// What is in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A message of a stream.
    Message {
        /// The stream.
        stream: u64,
        /// The number of its datagram, or of the first piece.
        first: u64,
        /// How many pieces; 0 when it came whole.
        pieces: u16,
        /// How the datagram came, or the last piece.
        how: How,
        /// How many documents the stream had sent before.
        before: u64,
        /// How many documents it has.
        documents: u16,
        /// To be read by [`super::Opener`].
        message: &'a [u8],
    },
    /// A datagram of plain NDJSON.
    Lines(&'a [u8]),
}

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it came, in seconds since the epoch.
    pub at: u64,
    /// Where from.
    pub from: SocketAddr,
    /// What.
    pub payload: Payload<'a>,
}

const MESSAGE: u8 = 1;
const LINES: u8 = 2;

impl<'a> Record<'a> {
    /// Appends the record's bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = self.from.to_string();
        let kind = match self.payload {
            Payload::Message { .. } => MESSAGE,
            Payload::Lines(_) => LINES,
        };
        out.push(kind);
        out.extend_from_slice(&self.at.to_be_bytes());
        // The longest IPv6 address with a scope and a port has 58 characters.
        out.push(u8::try_from(from.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(from.as_bytes());
        match self.payload {
            Payload::Message { stream, first, pieces, how, before, documents, message } => {
                out.extend_from_slice(&stream.to_be_bytes());
                out.extend_from_slice(&first.to_be_bytes());
                out.extend_from_slice(&before.to_be_bytes());
                out.extend_from_slice(&pieces.to_be_bytes());
                out.extend_from_slice(&documents.to_be_bytes());
                out.push(how as u8);
                out.extend_from_slice(message);
            }
            Payload::Lines(lines) => out.extend_from_slice(lines),
        }
    }

    /// Reads a record; `None` when the bytes are not one.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (at, rest) = number(rest).ok()?;
        let (length, rest) = rest.split_first()?;
        let (from, rest) = rest.split_at_checked(usize::from(*length))?;
        let from = std::str::from_utf8(from).ok()?.parse().ok()?;
        let payload = match *kind {
            MESSAGE => Self::read_message(rest)?,
            LINES => Payload::Lines(rest),
            _ => return None,
        };
        Some(Self { at, from, payload })
    }

    fn read_message(rest: &'a [u8]) -> Option<Payload<'a>> {
        let (stream, rest) = number(rest).ok()?;
        let (first, rest) = number(rest).ok()?;
        let (before, rest) = number(rest).ok()?;
        let (pieces, rest) = rest.split_first_chunk::<2>()?;
        let (documents, rest) = rest.split_first_chunk::<2>()?;
        let (how, message) = rest.split_first()?;
        let how = match *how {
            0 => How::Received,
            1 => How::Late,
            2 => How::Repaired,
            _ => return None,
        };
        let pieces = u16::from_be_bytes(*pieces);
        let documents = u16::from_be_bytes(*documents);
        Some(Payload::Message { stream, first, pieces, how, before, documents, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let message = Payload::Message {
            stream: 1,
            first: 2,
            pieces: 3,
            how: How::Repaired,
            before: 4,
            documents: 5,
            message: b"m",
        };
        for payload in [message, Payload::Lines(b"{}\n")] {
            let record = Record { at: 7, from: "[::1]:9".parse().unwrap(), payload };
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            assert_eq!(Record::read(&bytes), Some(record));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let read = Record::read(&bytes);
            prop_assert!(read.is_none() || bytes.len() > 10);
        }
    }
}
