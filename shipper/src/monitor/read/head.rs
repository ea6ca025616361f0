//! The beginning of a file: what of it documents were made of. It proves which file it is.

use std::io;

use omphalos_common::numbers::at_most;

use crate::monitor::broken::Broken;
use crate::monitor::position::identity::{Fingerprint, PREFIX_BYTES};
use crate::monitor::read::content::Content;

/// At most the first [`PREFIX_BYTES`] of a file.
#[derive(Debug, Default)]
pub struct Head {
    /// Empty once they are hashed.
    bytes: Vec<u8>,
    /// All of them, when they are whole and behind us: ten thousand files need not keep the bytes.
    hash: Option<Fingerprint>,
}

impl Head {
    /// The first `length` bytes of `content`, or as many as are kept.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn read(content: &mut Content, length: u64) -> io::Result<Self> {
        let mut bytes = vec![0; at_most(length, PREFIX_BYTES)];
        content.read_exact(&mut bytes, 0)?;
        Ok(Self { bytes, hash: None })
    }

    /// How many bytes were seen.
    pub fn length(&self) -> usize {
        self.hash.map_or(self.bytes.len(), |hash| hash.length as usize)
    }

    /// Their fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.hash.unwrap_or_else(|| Fingerprint::of(&self.bytes))
    }

    /// What must stand at `offset` and behind it, because it was seen; nothing where nothing was.
    pub fn behind(&self, offset: u64) -> &[u8] {
        let (_, behind) = self.bytes.split_at(at_most(offset, self.bytes.len()));
        behind
    }

    /// Notes `bytes`, which begin at `offset`.
    ///
    /// # Errors
    /// [`Broken`] when what stands before them was not seen: the file would not be known again.
    pub fn see(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let room = PREFIX_BYTES.saturating_sub(self.bytes.len());
        if self.hash.is_some() || room == 0 {
            return Ok(());
        }
        if offset > self.bytes.len() as u64 {
            return Err(Broken::error(format!(
                "{} bytes of the beginning of a file were seen, and then those at {offset}",
                self.bytes.len()
            )));
        }
        let known = self.behind(offset).len();
        self.bytes.extend(bytes.iter().skip(known).take(room));
        Ok(())
    }

    /// Notes that NULs stand from `start` to `end`.
    ///
    /// # Errors
    /// As [`Head::see`].
    pub fn see_padding(&mut self, start: u64, end: u64) -> io::Result<()> {
        const PADDING: [u8; PREFIX_BYTES] = [0; PREFIX_BYTES];
        self.see(start, PADDING.split_at(at_most(end.saturating_sub(start), PREFIX_BYTES)).0)
    }

    /// Keeps only the hash when all is seen, and reading goes on behind it at `offset`.
    pub fn settle(&mut self, offset: u64) {
        if self.bytes.len() >= PREFIX_BYTES && offset >= PREFIX_BYTES as u64 {
            self.hash = Some(Fingerprint::of(&self.bytes));
            self.bytes = Vec::new();
        }
    }

    /// Whether `content` begins with it, as far as both go.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_like(&self, content: &mut Content) -> io::Result<bool> {
        let mut begin = vec![0; self.length()];
        let begin = content.read_up_to(&mut begin, 0)?;
        // Of less than was hashed nothing can be said; that it may be is safe.
        let is_alike = match self.hash {
            Some(hash) => begin.len() < self.length() || hash.matches(begin),
            None => self.bytes.starts_with(begin),
        };
        Ok(!begin.is_empty() && is_alike)
    }
}
