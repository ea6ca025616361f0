//! Records on their way to the spool.

use crate::spool::RECORD_OVERHEAD;
use crate::udp::record::Record;

/// What a record has besides its message or its lines at most, its place in the spool included.
const OVERHEAD: u64 = 128;

/// Records for the spool, in one buffer.
#[derive(Debug, Default)]
pub struct Sink {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// How many bytes the spool has room for.
    pub room: u64,
}

impl Sink {
    /// Whether the spool has room for another record with a message or lines of so many bytes. To be
    /// asked before a datagram is noted: what is noted and then not spooled would be lost, and the
    /// account would call it received.
    pub fn has_room(&self, bytes: usize) -> bool {
        let used = self.bytes.len() as u64 + self.ends.len() as u64 * RECORD_OVERHEAD;
        used + bytes as u64 + OVERHEAD <= self.room
    }

    /// Adds a record to those that are to be spooled.
    pub fn push(&mut self, record: &Record<'_>) {
        record.write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// The bytes of the records, in order.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            debug_assert!(start <= *end && *end <= self.bytes.len(), "records end in order");
            let record = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            record
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}
