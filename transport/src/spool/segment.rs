//! One segment on disk: its name, its header, and its records.
//!
//! ```text
//! header  magic 8, version u32, first u64, after u64, boot u64, checksum u32
//! record  length u32, checksum u32, body
//! ```
//!
//! All numbers are big-endian; a checksum is the low half of an xxh3. A record's covers its number,
//! which is not written, and its body: no record is ever taken for another.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use omphalos_common::own_files;
use xxhash_rust::xxh3::xxh3_64;

use super::error::{AppendError, FileError, failed};

/// The largest body of a record.
pub const MAX_BODY: usize = 64 << 20;

/// What a record takes on disk beside its body.
pub const RECORD_OVERHEAD: u64 = 8;

/// What a segment takes on disk beside its records.
pub const HEADER_BYTES: u64 = 40;

/// No number on disk may be larger, so that counting on from it cannot overflow.
pub const MAX_NUMBER: u64 = 1 << 62;

const MAGIC: [u8; 8] = *b"omspool\n";
const VERSION: u32 = 1;
/// The bytes of length and checksum, or in their place the number while the checksum is computed.
pub const PREFIX: usize = 8;

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The number of its first record.
    pub first: u64,
    /// The number after the last record before it.
    pub after: u64,
    /// Which start of the machine it was written in.
    pub boot: u64,
}

/// What the beginning of a segment turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Beginning {
    Header(SegmentHeader),
    Version(u32),
    Damage,
}

/// Path of the segment whose first record has the number `first`.
pub fn path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:016x}.spool"))
}

/// The first number in the name of a segment; `None` for any other file.
pub fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".spool").filter(|digits| digits.len() == 16)?;
    let first = u64::from_str_radix(digits, 16).ok()?;
    (first <= MAX_NUMBER && format!("{first:016x}") == digits).then_some(first)
}

/// Begins a segment. A file of that name is at most a leftover of an attempt that failed.
pub fn create(directory: &Path, header: SegmentHeader) -> Result<File, FileError> {
    let path = path(directory, header.first);
    let mut file = own_files::create(&path).map_err(failed("create", &path))?;
    match file.write_all(&header.serialize()) {
        Ok(()) => Ok(file),
        Err(error) => {
            // Left behind, it would look like a segment that lost its header.
            remove(directory, header.first)?;
            Err(failed("write", &path)(error))
        }
    }
}

/// Deletes a segment, if it is still there.
pub fn remove(directory: &Path, first: u64) -> Result<(), FileError> {
    let path = path(directory, first);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", &path)(error)),
        _ => Ok(()),
    }
}

/// Makes a segment survive a crash of the machine, if it is still there.
pub fn sync(directory: &Path, first: u64) -> Result<(), FileError> {
    let path = path(directory, first);
    match File::open(&path).and_then(|file| file.sync_all()) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("sync", &path)(error)),
        _ => Ok(()),
    }
}

impl SegmentHeader {
    fn serialize(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        for number in [self.first, self.after, self.boot] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&checksum(&bytes));
        bytes
    }
}

impl Beginning {
    /// Reads the header of the segment that is named by `first`.
    pub fn read(bytes: &[u8], first: u64) -> Self {
        match Self::parse(bytes) {
            Some(Self::Header(header)) if header.first == first && header.after <= first => {
                Self::Header(header)
            }
            Some(Self::Version(version)) => Self::Version(version),
            _ => Self::Damage,
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (covered, sum) = bytes.split_last_chunk::<4>()?;
        let (version, rest) = covered.strip_prefix(&MAGIC)?.split_first_chunk()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (after, rest) = rest.split_first_chunk()?;
        let boot = rest.first_chunk()?;
        let version = u32::from_be_bytes(*version);
        if checksum(covered) != *sum {
            return None;
        }
        if version != VERSION {
            return Some(Self::Version(version));
        }
        let [first, after, boot] = [first, after, boot].map(|bytes| u64::from_be_bytes(*bytes));
        Some(Self::Header(SegmentHeader { first, after, boot }))
    }
}

/// Adds one record to the buffer.
pub fn encode(buffer: &mut Vec<u8>, number: u64, body: &[u8]) -> Result<(), AppendError> {
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= MAX_BODY);
    let length = length.ok_or(AppendError::TooLarge { length: body.len() })?;
    let start = buffer.len();
    buffer.extend_from_slice(&number.to_be_bytes());
    buffer.extend_from_slice(body);
    if let Some(record) = buffer.get_mut(start..) {
        let sum = checksum(record);
        set_prefix(record, prefix(length, sum));
    }
    Ok(())
}

fn prefix(length: u32, sum: [u8; 4]) -> [u8; PREFIX] {
    (u64::from(length) << 32 | u64::from(u32::from_be_bytes(sum))).to_be_bytes()
}

/// Replaces the first bytes of a record.
pub fn set_prefix(record: &mut [u8], prefix: [u8; PREFIX]) {
    if let Some(chunk) = record.first_chunk_mut() {
        *chunk = prefix;
    }
}

/// The low half of the hash.
pub fn checksum(bytes: &[u8]) -> [u8; 4] {
    let [_, _, _, _, low @ ..] = xxh3_64(bytes).to_be_bytes();
    low
}
