//! The end of the spool: where records are added.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use tracing::warn;

use super::error::{AppendError, FileError, failed};
use super::segment::{self, HEADER_BYTES, SegmentHeader};
use super::segments::{Segment, Segments};

/// A buffer that has grown beyond this, for a large group, is given back.
const BUFFER_BYTES: usize = 1 << 20;
/// A segment of which nothing is wanted is deleted early from this size on.
const RETIRE_BYTES: u64 = 1 << 20;

/// Adds records to the current segment, and begins the next one.
#[derive(Debug)]
pub struct Writer {
    pub directory: PathBuf,
    pub max_bytes: u64,
    pub segment_bytes: u64,
    /// Which start of the machine this is.
    pub boot: u64,
    pub segments: Segments,
    /// The last of the segments.
    pub file: File,
    /// The number of the next record.
    pub end: u64,
    /// How often the reader was asked to stop waiting.
    pub wakes: u64,
    /// Empty between two calls.
    pub buffer: Vec<u8>,
}

impl Writer {
    pub fn append<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Range<u64>, AppendError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let numbers = self.encode_and_write(&mut buffer, records);
        buffer.clear();
        buffer.shrink_to(BUFFER_BYTES);
        self.buffer = buffer;
        numbers
    }

    fn encode_and_write<'a>(
        &mut self,
        buffer: &mut Vec<u8>,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Range<u64>, AppendError> {
        let mut end = self.end;
        for body in records {
            segment::encode(buffer, end, body)?;
            end += 1;
        }
        let numbers = self.end..end;
        if numbers.is_empty() {
            return Ok(numbers);
        }
        let needed = buffer.len() as u64;
        let used = self.segments.bytes();
        let full = self.segments.last_limit() + needed > self.segment_bytes;
        let rotates = full && self.has_records();
        let header = if rotates { HEADER_BYTES } else { 0 };
        if used.saturating_add(needed + header) > self.max_bytes {
            let (path, limit) = (self.directory.clone(), self.max_bytes);
            return Err(AppendError::Full { path, needed, used, limit });
        }
        if rotates {
            self.rotate()?;
        }
        self.write(buffer)?;
        self.segments.grow_last(needed);
        self.end = end;
        Ok(numbers)
    }

    /// All or nothing: the next group begins where this one did, and until then nothing is there.
    fn write(&self, bytes: &[u8]) -> Result<(), FileError> {
        let limit = self.segments.last_limit();
        self.file.write_all_at(bytes, limit).map_err(|source| {
            let path = self.current_path();
            if let Err(error) = self.file.set_len(limit) {
                warn!(path = %path.display(), %error, "cannot cut a segment of the spool after a failed write");
            }
            failed("write", &path)(source)
        })
    }

    /// Closes the current segment and begins the next one, or the same one if it has no records.
    pub fn rotate(&mut self) -> Result<(), FileError> {
        let header = SegmentHeader { first: self.end, after: self.end, boot: self.boot };
        self.file = segment::create(&self.directory, header)?;
        self.segments.begin(self.end, Segment::begun(header));
        Ok(())
    }

    /// Whether the current segment is large enough to be closed for the sake of its deletion.
    pub fn is_worth_retiring(&self) -> bool {
        let worth = RETIRE_BYTES.min(self.segment_bytes / 4);
        self.has_records() && self.segments.last_limit() >= worth
    }

    fn has_records(&self) -> bool {
        self.segments.last_first() < self.end
    }

    fn current_path(&self) -> PathBuf {
        segment::path(&self.directory, self.segments.last_first())
    }
}
