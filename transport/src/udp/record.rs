//! What the receivers write into the spool: a message, a mark, a heartbeat or plain lines, and all of what is
//! known about it that the account needs, so that the account can be made from the spool alone.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::control::{Mark, number};

/// How a datagram came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By itself, in time.
    Received,
    /// By itself, after it had been given up.
    Late,
    /// After we had asked for it. In records of older versions also what was restored.
    Resent,
    /// Restored from parity.
    Restored,
}

/// What is in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A message of a stream.
    Message {
        /// Id of the stream.
        stream: u64,
        /// Whether it came sealed; `None` in a record of an older version, which did not say.
        sealed: Option<bool>,
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
    /// A mark of a stream: nothing to deliver, but the account of the stream depends on it.
    Mark {
        /// Id of the stream.
        stream: u64,
        /// Whether it came sealed.
        sealed: bool,
        /// The number of its datagram.
        number: u64,
        /// The body of the mark.
        mark: Mark<'a>,
    },
    /// A heartbeat of the sender of a stream.
    Heartbeat {
        /// Id of the stream.
        stream: u64,
        /// Whether it came sealed.
        sealed: bool,
        /// The number of its datagram.
        number: u64,
        /// To be read by [`super::Opener`].
        message: &'a [u8],
    },
    /// A datagram of plain NDJSON.
    Lines(&'a [u8]),
}

/// A record of the spool: what came, from where, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it came, in seconds since the epoch.
    pub at: u64,
    /// Address of the sender.
    pub from: SocketAddr,
    /// What came.
    pub payload: Payload<'a>,
}

/// A message that does not say whether it came sealed: nobody writes it any more, but a spool may
/// still hold some.
const OLD_MESSAGE: u8 = 1;
const LINES: u8 = 2;
const MESSAGE: u8 = 3;
const MARK: u8 = 4;
const HEARTBEAT: u8 = 5;

impl<'a> Record<'a> {
    /// Appends the record's bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = self.from.to_string();
        let kind = match self.payload {
            Payload::Message { sealed: None, .. } => OLD_MESSAGE,
            Payload::Message { .. } => MESSAGE,
            Payload::Mark { .. } => MARK,
            Payload::Heartbeat { .. } => HEARTBEAT,
            Payload::Lines(_) => LINES,
        };
        out.push(kind);
        out.extend_from_slice(&self.at.to_be_bytes());
        // The longest IPv6 address with a scope and a port has 58 characters.
        debug_assert!(u8::try_from(from.len()).is_ok(), "the length of an address is a byte");
        out.push(u8::try_from(from.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(from.as_bytes());
        match self.payload {
            Payload::Message { stream, sealed, first, pieces, how, before, documents, message } => {
                out.extend(sealed.map(u8::from));
                out.extend_from_slice(&stream.to_be_bytes());
                out.extend_from_slice(&first.to_be_bytes());
                out.extend_from_slice(&before.to_be_bytes());
                out.extend_from_slice(&pieces.to_be_bytes());
                out.extend_from_slice(&documents.to_be_bytes());
                out.push(how as u8);
                out.extend_from_slice(message);
            }
            Payload::Mark { stream, sealed, number, mark } => {
                write_numbered(out, sealed, stream, number);
                mark.write(out);
            }
            Payload::Heartbeat { stream, sealed, number, message } => {
                write_numbered(out, sealed, stream, number);
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
            OLD_MESSAGE => Self::read_message(None, rest)?,
            MESSAGE => {
                let (sealed, rest) = read_sealed(rest)?;
                Self::read_message(Some(sealed), rest)?
            }
            MARK => {
                let (sealed, stream, number, rest) = read_numbered(rest)?;
                Payload::Mark { stream, sealed, number, mark: Mark::read(rest).ok()? }
            }
            HEARTBEAT => {
                let (sealed, stream, number, message) = read_numbered(rest)?;
                Payload::Heartbeat { stream, sealed, number, message }
            }
            LINES => Payload::Lines(rest),
            _ => return None,
        };
        Some(Self { at, from, payload })
    }

    fn read_message(sealed: Option<bool>, rest: &'a [u8]) -> Option<Payload<'a>> {
        let (stream, rest) = number(rest).ok()?;
        let (first, rest) = number(rest).ok()?;
        let (before, rest) = number(rest).ok()?;
        let (pieces, rest) = rest.split_first_chunk::<2>()?;
        let (documents, rest) = rest.split_first_chunk::<2>()?;
        let (how, message) = rest.split_first()?;
        let how = match *how {
            0 => How::Received,
            1 => How::Late,
            2 => How::Resent,
            3 => How::Restored,
            _ => return None,
        };
        let pieces = u16::from_be_bytes(*pieces);
        let documents = u16::from_be_bytes(*documents);
        Some(Payload::Message { stream, sealed, first, pieces, how, before, documents, message })
    }
}

/// What marks and heartbeats begin with.
fn write_numbered(out: &mut Vec<u8>, sealed: bool, stream: u64, number: u64) {
    out.push(u8::from(sealed));
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&number.to_be_bytes());
}

fn read_numbered(bytes: &[u8]) -> Option<(bool, u64, u64, &[u8])> {
    let (sealed, rest) = read_sealed(bytes)?;
    let (stream, rest) = number(rest).ok()?;
    let (number, rest) = number(rest).ok()?;
    Some((sealed, stream, number, rest))
}

fn read_sealed(bytes: &[u8]) -> Option<(bool, &[u8])> {
    match bytes.split_first()? {
        (0, rest) => Some((false, rest)),
        (1, rest) => Some((true, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(sealed: Option<bool>, how: How) -> Payload<'static> {
        let (stream, first, pieces, before, documents) = (1, 2, 3, 4, 5);
        Payload::Message { stream, sealed, first, pieces, how, before, documents, message: b"m" }
    }

    #[test]
    fn what_is_written_is_read() {
        let mark = Mark { first: 1, next: 2, documents: 3, end: true, answers: true, host: "web1" };
        for payload in [
            message(None, How::Received),
            message(Some(false), How::Resent),
            message(Some(true), How::Restored),
            Payload::Mark { stream: 1, sealed: true, number: 9, mark },
            Payload::Heartbeat { stream: 1, sealed: false, number: 9, message: b"m" },
            Payload::Lines(b"{}\n"),
        ] {
            let record = Record { at: 7, from: "[::1]:9".parse().unwrap(), payload };
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            assert_eq!(Record::read(&bytes), Some(record));
        }
    }

    #[test]
    fn a_record_of_an_older_version_is_read() {
        let bytes = [
            &[1][..],
            &7_u64.to_be_bytes(),
            &[7],
            b"[::1]:9",
            &1_u64.to_be_bytes(),
            &2_u64.to_be_bytes(),
            &4_u64.to_be_bytes(),
            &[0, 3, 0, 5, 2],
            b"m",
        ]
        .concat();
        let payload = message(None, How::Resent);
        let from = "[::1]:9".parse().unwrap();
        assert_eq!(Record::read(&bytes), Some(Record { at: 7, from, payload }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let read = Record::read(&bytes);
            prop_assert!(read.is_none() || bytes.len() > 10);
        }
    }
}
