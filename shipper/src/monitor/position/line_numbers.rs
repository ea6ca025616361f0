//! Which lines of a file stand at given offsets: for people, who count lines and not bytes.

use std::io;
use std::path::Path;

use crate::monitor::read::content::Content;
use omphalos_parser::scribe::charset::{Charset, EncodingSetting, MARK_BYTES};

/// A multiple of every character's size, so that blocks begin where a character does.
const BLOCK_BYTES: usize = 256 * 1024;

/// A part of a file, by offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub start: u64,
    /// Something in its last line.
    pub last: u64,
}

/// The same by lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The number of the first line, counted from 1.
    pub first: u64,
    /// The number of the last line.
    pub last: u64,
    /// Where the last line ends, behind its line feed.
    pub end: u64,
}

/// The lines of each of `spans`, by reading the file at `path` once; `None` for one that is not in
/// the file.
///
/// # Errors
/// When the file cannot be read.
pub fn number_lines(
    path: &Path,
    encoding: EncodingSetting,
    spans: &[Span],
) -> io::Result<Vec<Option<Lines>>> {
    let mut content = Content::open(path)?;
    let mut mark = [0; MARK_BYTES];
    let charset = Charset::of(encoding, content.read_up_to(&mut mark, 0)?);
    let mut counter = Counter::new(spans);
    let mut block = vec![0; BLOCK_BYTES];
    let mut offset = 0;
    loop {
        let text = content.read_up_to(&mut block, offset)?;
        for end in charset.line_ends(text) {
            counter.line_ends_at(offset + end as u64);
            if counter.is_done() {
                return Ok(counter.found);
            }
        }
        offset += text.len() as u64;
        if text.len() < BLOCK_BYTES {
            counter.line_ends_at(offset);
            return Ok(counter.found);
        }
    }
}

/// Goes through lines and spans at once.
struct Counter<'a> {
    spans: &'a [Span],
    /// Places of spans that have not begun, the next one at the end.
    ahead: Vec<usize>,
    /// Those that have, and in which line.
    begun: Vec<(usize, u64)>,
    found: Vec<Option<Lines>>,
    line: u64,
}

impl<'a> Counter<'a> {
    fn new(spans: &'a [Span]) -> Self {
        let mut ahead: Vec<usize> = (0..spans.len()).collect();
        ahead.sort_by_key(|place| spans.get(*place).map(|span| std::cmp::Reverse(span.start)));
        Self { spans, ahead, begun: Vec::new(), found: vec![None; spans.len()], line: 0 }
    }

    fn is_done(&self) -> bool {
        self.ahead.is_empty() && self.begun.is_empty()
    }

    /// The next line ends before `end`.
    fn line_ends_at(&mut self, end: u64) {
        self.line += 1;
        let line = self.line;
        let spans = self.spans;
        while let Some(place) =
            self.ahead.pop_if(|place| spans.get(*place).is_some_and(|span| span.start < end))
        {
            self.begun.push((place, line));
        }
        let found = &mut self.found;
        self.begun.retain(|(place, first)| {
            let ends = spans.get(*place).is_some_and(|span| span.last < end);
            if ends && let Some(found) = found.get_mut(*place) {
                *found = Some(Lines { first: *first, last: line, end });
            }
            !ends
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    fn numbers(path: &Path, spans: &[(u64, u64)]) -> Vec<Option<(u64, u64, u64)>> {
        let spans: Vec<Span> =
            spans.iter().map(|(start, last)| Span { start: *start, last: *last }).collect();
        let found = number_lines(path, EncodingSetting::Auto, &spans).unwrap();
        found
            .into_iter()
            .map(|lines| lines.map(|lines| (lines.first, lines.last, lines.end)))
            .collect()
    }

    #[test]
    fn offsets_become_lines_in_any_order_and_overlapping() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "one\n\nthree\nfour").unwrap();
        let spans = [(5, 5), (0, 0), (0, 11), (11, 11), (12, 14), (4, 5), (99, 99)];
        let expected = [
            Some((3, 3, 11)),
            Some((1, 1, 4)),
            Some((1, 4, 15)),
            Some((4, 4, 15)),
            Some((4, 4, 15)),
            Some((2, 3, 11)),
            None,
        ];
        assert_eq!(numbers(&path, &spans), expected);
        fs::write(&path, "").unwrap();
        assert_eq!(numbers(&path, &[(0, 0)]), [None]);
    }

    #[test]
    fn lines_of_long_files_archives_and_wide_characters_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let text = "123456789\n".repeat(200_000);
        let path = directory.path().join("a.gz");
        let file = fs::File::create(&path).unwrap();
        let mut writer = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        writer.write_all(text.as_bytes()).unwrap();
        writer.finish().unwrap();
        assert_eq!(
            numbers(&path, &[(1_999_990, 1_999_995)]),
            [Some((200_000, 200_000, 2_000_000))]
        );
        // U+0A0A is no line feed.
        let wide: Vec<u16> = "\u{feff}a\u{a0a}b\nc\n".encode_utf16().collect();
        let bytes: Vec<u8> = wide.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let path = directory.path().join("wide");
        fs::write(&path, bytes).unwrap();
        assert_eq!(numbers(&path, &[(2, 2), (10, 10)]), [Some((1, 1, 10)), Some((2, 2, 14))]);
    }
}
