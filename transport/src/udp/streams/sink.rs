//! Records on their way to the spool.

use crate::udp::record::Record;

/// Records for the spool, in one buffer.
#[derive(Debug, Default)]
pub struct Sink {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Whether the spool has room for more.
    pub open: bool,
}

impl Sink {
    /// Adds a record.
    pub fn push(&mut self, record: &Record<'_>) {
        record.write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// The records.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
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
