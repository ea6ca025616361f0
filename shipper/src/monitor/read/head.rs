//! The beginning of a file: what of it documents were made of. It proves which file it is.

use std::io;

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
        let length = usize::try_from(length).unwrap_or(PREFIX_BYTES);
        let mut bytes = vec![0; length.min(PREFIX_BYTES)];
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

    /// What must stand at `offset` and behind it, because it was seen.
    pub fn behind(&self, offset: u64) -> &[u8] {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.bytes.get(offset..).unwrap_or_default()
    }

    /// Notes `bytes`, which begin at `offset`.
    pub fn see(&mut self, offset: u64, bytes: &[u8]) {
        if self.hash.is_none() {
            let unknown = bytes.get(self.behind(offset).len()..).unwrap_or_default();
            let room = PREFIX_BYTES.saturating_sub(self.bytes.len());
            self.bytes.extend(unknown.iter().take(room));
        }
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
        let length = content.read_up_to(&mut begin, 0)?;
        // Of less than was hashed nothing can be said; that it may be is safe.
        let is_alike = match self.hash {
            Some(hash) => length < begin.len() || hash.matches(&begin),
            None => self.bytes.get(..length) == begin.get(..length),
        };
        Ok(length > 0 && is_alike)
    }
}
