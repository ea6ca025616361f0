//! Marks and requests: how far a stream has come, and what its receiver misses.

use super::datagram::Refusal;

/// From the sender, in a datagram of kind mark: at the start, when nothing else was sent for a
/// while, and at the end. It tells losses that no later datagram would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark<'a> {
    /// The first number of the stream's data.
    pub first: u64,
    /// The number that the next data will have.
    pub next: u64,
    /// How many documents were sent before.
    pub documents: u64,
    /// Whether the sender has ended, so that nothing will follow.
    pub end: bool,
    /// The sender has kept what it sent last, and answers requests.
    pub answers: bool,
    /// The sender's host name.
    pub host: &'a str,
}

const END: u8 = 1;
const ANSWERS: u8 = 2;
/// Longer host names are cut: RFC 1035 has 255.
const HOST_BYTES: usize = 255;

impl<'a> Mark<'a> {
    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.first.to_be_bytes());
        out.extend_from_slice(&self.next.to_be_bytes());
        out.extend_from_slice(&self.documents.to_be_bytes());
        out.push(u8::from(self.end) * END + u8::from(self.answers) * ANSWERS);
        let host = self.host.get(..self.host.floor_char_boundary(HOST_BYTES));
        out.extend_from_slice(host.unwrap_or_default().as_bytes());
    }

    /// Reads a body.
    ///
    /// # Errors
    /// When it is not one.
    pub fn read(body: &'a [u8]) -> Result<Self, Refusal> {
        let (first, body) = number(body)?;
        let (next, body) = number(body)?;
        let (documents, body) = number(body)?;
        let (flags, host) = body.split_first().ok_or(Refusal::Malformed)?;
        let host = host.get(..HOST_BYTES).unwrap_or(host);
        let host = std::str::from_utf8(host).map_err(|_| Refusal::Malformed)?;
        let (end, answers) = (flags & END != 0, flags & ANSWERS != 0);
        Ok(Self { first, next, documents, end, answers, host })
    }
}

/// The most ranges in one request: it must fit every path.
pub const MAX_RANGES: usize = 100;

/// From the receiver, in a datagram of kind request, always sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// Nothing before this number is missed any more.
    pub settled: u64,
    /// First number and length of what is missed.
    pub ranges: Vec<(u64, u16)>,
}

impl Request {
    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.settled.to_be_bytes());
        for (first, length) in self.ranges.iter().take(MAX_RANGES) {
            out.extend_from_slice(&first.to_be_bytes());
            out.extend_from_slice(&length.to_be_bytes());
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// When it is not one.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let (settled, mut rest) = number(body)?;
        let mut ranges = Vec::new();
        while !rest.is_empty() && ranges.len() < MAX_RANGES {
            let (first, after) = number(rest)?;
            let (length, after) = after.split_first_chunk::<2>().ok_or(Refusal::Malformed)?;
            ranges.push((first, u16::from_be_bytes(*length)));
            rest = after;
        }
        Ok(Self { settled, ranges })
    }
}

/// The number at the beginning, and what follows it.
pub fn number(bytes: &[u8]) -> Result<(u64, &[u8]), Refusal> {
    let (number, rest) = bytes.split_first_chunk::<8>().ok_or(Refusal::Malformed)?;
    Ok((u64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let mark =
            Mark { first: 1, next: 2, documents: 3, end: true, answers: false, host: "web1" };
        let mut body = Vec::new();
        mark.write(&mut body);
        assert_eq!(Mark::read(&body), Ok(mark));
        let request = Request { settled: 7, ranges: vec![(9, 2), (u64::MAX, 1)] };
        let mut body = Vec::new();
        request.write(&mut body);
        assert_eq!(Request::read(&body), Ok(request));
    }

    proptest! {
        #[test]
        fn no_bytes_make_them_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(Mark::read(&bytes).is_err() || bytes.len() > 24);
            if let Ok(request) = Request::read(&bytes) {
                prop_assert!(request.ranges.len() <= MAX_RANGES);
            }
        }
    }
}
