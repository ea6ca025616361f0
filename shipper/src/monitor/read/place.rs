//! A place in a file, which is proven by the bytes before it each time that something is read there.

use std::io;

use omphalos_common::numbers::at_most;

use crate::monitor::position::identity::{Fingerprint, GUARD_BYTES};
use crate::monitor::read::content::Content;
use omphalos_parser::scribe::charset::Charset;

/// A place in a file, and what stands before it.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Where it is.
    pub offset: u64,
    /// The bytes before it, at most [`GUARD_BYTES`].
    pub guard: Vec<u8>,
}

impl Place {
    /// The place at `offset`, and what stands before it now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn find(content: &mut Content, offset: u64) -> io::Result<Self> {
        let mut guard = vec![0; at_most(offset, GUARD_BYTES)];
        let start = offset - guard.len() as u64;
        content.read_exact(&mut guard, start)?;
        Ok(Self { offset, guard })
    }

    /// Reads what stands here, as much as `buffer` has room for behind the guard; returns how much
    /// was read with it. `None` when something else stands before this place now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read<'b>(
        &self,
        content: &mut Content,
        buffer: &'b mut [u8],
    ) -> io::Result<(usize, Option<&'b [u8]>)> {
        let read = content.read_up_to(buffer, self.offset - self.guard.len() as u64)?;
        Ok((read.len(), read.strip_prefix(&self.guard[..])))
    }

    /// The bytes before it.
    pub fn guard(&self) -> Fingerprint {
        Fingerprint::of(&self.guard)
    }

    /// Moves over `bytes`, which stand here.
    pub fn advance(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        let keep = GUARD_BYTES.saturating_sub(bytes.len()).min(self.guard.len());
        self.guard.drain(..self.guard.len() - keep);
        let last = bytes.last_chunk::<GUARD_BYTES>();
        self.guard.extend_from_slice(last.map_or(bytes, |last| &last[..]));
    }
}

/// Where the last line ends that does before `end`; 0 where none does.
///
/// # Errors
/// When the file cannot be read.
pub fn last_line_end(content: &mut Content, charset: Charset, end: u64) -> io::Result<u64> {
    const BLOCK_BYTES: usize = 64 * 1024;
    let mut block = Vec::new();
    let mut end = end;
    while end > 0 {
        // Blocks begin where a character does, whatever the charset.
        let start = end.saturating_sub(BLOCK_BYTES as u64).next_multiple_of(2);
        block.resize(at_most(end - start, BLOCK_BYTES), 0);
        content.read_exact(&mut block, start)?;
        if let Some(line_end) = charset.last_line_end(&block) {
            return Ok(start + line_end as u64);
        }
        end = start;
    }
    Ok(0)
}
