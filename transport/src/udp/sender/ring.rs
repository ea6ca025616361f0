//! What was sent last, for receivers that ask for it again.

use std::collections::VecDeque;

/// Datagrams with consecutive numbers, the newest of which have at most so many bytes.
#[derive(Debug)]
pub struct Ring {
    limit: usize,
    bytes: usize,
    /// The number of the oldest.
    oldest: u64,
    datagrams: VecDeque<Box<[u8]>>,
}

impl Ring {
    /// A ring for datagrams from this number on.
    pub fn new(limit: usize, first: u64) -> Self {
        Self { limit, bytes: 0, oldest: first, datagrams: VecDeque::new() }
    }

    /// Keeps the next datagram.
    pub fn push(&mut self, datagram: &[u8]) {
        self.bytes += datagram.len();
        self.datagrams.push_back(Box::from(datagram));
        while self.bytes > self.limit
            && let Some(oldest) = self.datagrams.pop_front()
        {
            self.bytes -= oldest.len();
            self.oldest = self.oldest.wrapping_add(1);
        }
    }

    /// The datagram of this number, if it is still here.
    pub fn get(&self, number: u64) -> Option<&[u8]> {
        let index = usize::try_from(number.wrapping_sub(self.oldest)).ok()?;
        self.datagrams.get(index).map(|datagram| &**datagram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_within_the_limit() {
        let mut ring = Ring::new(25, u64::MAX);
        for byte in 0..4 {
            ring.push(&[byte; 10]);
        }
        assert_eq!(ring.get(u64::MAX), None);
        assert_eq!(ring.get(0), None);
        assert_eq!(ring.get(1), Some(&[2; 10][..]));
        assert_eq!(ring.get(2), Some(&[3; 10][..]));
        assert_eq!(ring.get(3), None);
    }
}
