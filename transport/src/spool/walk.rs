//! Reading the records of one segment, whatever is on disk.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use omphalos_common::numbers::at_most;

use super::error::{FileError, failed};
use super::segment::{self, HEADER_BYTES, MAX_BODY, PREFIX, RECORD_OVERHEAD, checksum, set_prefix};
use super::segments::Extent;

/// Large enough that a read costs little per record.
const BLOCK: usize = 256 << 10;

/// Reads the records of one segment in order, through a file handle of its own.
#[derive(Debug)]
pub struct Walk {
    extent: Extent,
    path: PathBuf,
    file: File,
    /// The number of the next record.
    number: u64,
    /// The offset of the next record in the file.
    offset: u64,
    buffer: Vec<u8>,
    /// The part of the buffer that was read from the file, from `offset` on.
    start: usize,
    filled: usize,
}

/// What comes next in a segment; what is not a record is still there at the next step.
#[derive(Debug)]
pub enum Step<'a> {
    /// A record: its number and its body.
    Record(u64, &'a [u8]),
    /// Nothing, as far as the segment could be read when it was opened or extended.
    End,
    /// The beginning of a record, as far as can be told.
    Torn,
    /// Something that is not a record.
    Damage,
}

/// Taken for the end of a file, it would cut off what follows.
#[cold]
fn no_room() -> io::Error {
    io::Error::other("the buffer is smaller than what was to be read into it")
}

impl Walk {
    /// Opens a segment at its first record; `None` when the file is gone.
    pub fn open(directory: &Path, extent: &Extent) -> Result<Option<Self>, FileError> {
        let path = segment::path(directory, extent.first);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        Ok(Some(Self {
            extent: *extent,
            path,
            file,
            number: extent.first,
            offset: HEADER_BYTES,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
        }))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn first(&self) -> u64 {
        self.extent.first
    }

    /// The number of the next record.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where the next record begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes note of how far the segment can be read by now; returns whether that is further.
    pub fn extend(&mut self, extent: Extent) -> bool {
        let further = extent.limit > self.extent.limit;
        self.extent = extent;
        further
    }

    /// The next record, checked. The file may hold anything.
    pub fn step(&mut self) -> Result<Step<'_>, FileError> {
        let left = self.extent.limit.saturating_sub(self.offset);
        if self.number >= self.extent.stop || left == 0 {
            return Ok(Step::End);
        }
        if left < RECORD_OVERHEAD || !self.fill(PREFIX)? {
            return Ok(Step::Torn);
        }
        let Some((length, prefix)) = self.next_prefix() else { return Ok(Step::Damage) };
        let whole = length.saturating_add(PREFIX);
        // Before anything is allocated: a damaged length may be huge.
        if length > MAX_BODY {
            return Ok(Step::Damage);
        }
        if whole as u64 > left || !self.fill(whole)? {
            return Ok(Step::Torn);
        }
        let number = self.number;
        let Some(record) = self.buffer.get_mut(self.start..self.start + whole) else {
            return Err(failed("read", &self.path)(no_room()));
        };
        set_prefix(record, number.to_be_bytes());
        let sum = checksum(record);
        set_prefix(record, prefix);
        let Some(body) = record.get(PREFIX..) else {
            return Err(failed("read", &self.path)(no_room()));
        };
        if !prefix.ends_with(&sum) {
            return Ok(Step::Damage);
        }
        self.number += 1;
        self.offset += whole as u64;
        self.start += whole;
        Ok(Step::Record(number, body))
    }

    fn next_prefix(&self) -> Option<(usize, [u8; PREFIX])> {
        let prefix = self.buffer.get(self.start..)?.first_chunk::<PREFIX>()?;
        let length = u32::from_be_bytes(*prefix.first_chunk()?);
        Some((usize::try_from(length).ok()?, *prefix))
    }

    /// Has at least this many bytes ready; `false` when the file is shorter than it should be.
    fn fill(&mut self, wanted: usize) -> Result<bool, FileError> {
        if self.filled - self.start >= wanted {
            return Ok(true);
        }
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        // A block beyond the limit would be read again when the segment has grown.
        let left = self.extent.limit.saturating_sub(self.offset);
        self.resize(wanted.max(at_most(left, BLOCK)));
        while self.filled < wanted {
            let at = self.offset + self.filled as u64;
            // Without room nothing would be read, as at the end of a file that is too short.
            let room = self.buffer.get_mut(self.filled..).filter(|room| !room.is_empty());
            let room = room.ok_or_else(|| failed("read", &self.path)(no_room()))?;
            match self.file.read_at(room, at) {
                Ok(0) => return Ok(false),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("read", &self.path)(error)),
            }
        }
        Ok(true)
    }

    /// Never shorter than what is in it, and not for long larger than a block.
    fn resize(&mut self, length: usize) {
        self.buffer.resize(length.max(self.filled), 0);
        if self.buffer.capacity() > 2 * BLOCK.max(length) {
            self.buffer.shrink_to(BLOCK);
        }
    }
}
