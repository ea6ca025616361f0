//! Which lines of a container are begun before the place where reading begins.

use std::io;

use memchr::memchr;
use omphalos_common::numbers::at_most;

use super::Tail;
use crate::monitor::know::matching;
use crate::monitor::read::content::Content;

/// How much before a place is searched for pieces of lines that are begun: runtimes write pieces of
/// 16 KiB.
pub const PIECES_SEARCH: usize = 64 * 1024;

impl Tail {
    /// Notes which lines are begun at the end of `content`: their rest stands in this file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn recall_pieces_of(&mut self, content: &mut Content) -> io::Result<()> {
        let end = matching::length(content)?;
        let before = lines_before(content, end)?;
        self.scribe.recall_pieces(&before);
        Ok(())
    }

    /// The same for what stands in this file before the place where reading begins.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn recall_own_pieces(&mut self) -> io::Result<()> {
        let before = lines_before(self.handle.get(&self.path)?, self.next.offset)?;
        self.scribe.recall_pieces(&before);
        Ok(())
    }
}

/// The last lines before `end`: most often enough to find the last of each stream of a container.
pub(super) fn lines_before(content: &mut Content, end: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; at_most(end, PIECES_SEARCH)];
    let start = end - bytes.len() as u64;
    content.read_exact(&mut bytes, start)?;
    if start > 0 {
        // The first is cut off.
        let line_end = memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
        bytes.drain(..line_end);
    }
    Ok(bytes)
}
