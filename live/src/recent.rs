//! The last lines, as many as fit into so many bytes, each with the hashes of its keys, by which those
//! of one key are found.

use std::collections::VecDeque;

use crate::settings::MOST_DIMENSIONS;

/// So much of a line is kept.
const MOST_LINE: usize = 4 << 10;

/// The hashes of the keys of a line, by the places of their dimensions; 0 where it has none.
pub type Hashes = [u64; MOST_DIMENSIONS];

/// A ring of lines.
#[derive(Debug)]
pub struct Recent {
    bytes: VecDeque<u8>,
    lines: VecDeque<Line>,
    most_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    time: i64,
    bytes: usize,
    hashes: Hashes,
}

impl Recent {
    /// An empty ring of so many bytes, with what is known of each line.
    pub fn new(most_bytes: usize) -> Self {
        Self { bytes: VecDeque::new(), lines: VecDeque::new(), most_bytes }
    }

    /// Adds a line, and lets go of the oldest.
    #[inline]
    pub fn take(&mut self, time: i64, line: &[u8], hashes: Hashes) {
        let line = line.get(..MOST_LINE).unwrap_or(line);
        let each = size_of::<Line>();
        if self.most_bytes < line.len() + each {
            return;
        }
        while self.bytes.len() + line.len() + (self.lines.len() + 1) * each > self.most_bytes {
            let Some(first) = self.lines.pop_front() else { break };
            self.bytes.drain(..first.bytes);
        }
        self.bytes.extend(line);
        self.lines.push_back(Line { time, bytes: line.len(), hashes });
    }

    /// The newest lines, newest first, up to `most`: those of the key with this hash in the dimension of
    /// this place, or all.
    pub fn newest(&self, key: Option<(usize, u64)>, most: usize) -> Vec<(i64, String)> {
        let mut end = self.bytes.len();
        let mut found = Vec::new();
        for line in self.lines.iter().rev() {
            if found.len() == most {
                break;
            }
            let start = end - line.bytes.min(end);
            if key.is_none_or(|(place, hash)| line.hashes.get(place) == Some(&hash)) {
                let text: Vec<u8> = self.bytes.range(start..end).copied().collect();
                found.push((line.time, String::from_utf8_lossy(&text).into_owned()));
            }
            end = start;
        }
        found
    }

    /// Forgets the hashes of a place, which is another dimension's from now on.
    pub fn forget(&mut self, place: usize) {
        for line in &mut self.lines {
            if let Some(hash) = line.hashes.get_mut(place) {
                *hash = 0;
            }
        }
    }
}
