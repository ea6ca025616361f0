//! The directives in force at some place of a file: lines that begin with `#` and stand before it.

use std::io;

use omphalos_common::numbers::at_most;

use crate::monitor::read::content::Content;

const BLOCK_BYTES: usize = 64 * 1024;
/// A directive longer than this is no directive.
const LONGEST: usize = 16 * 1024;

/// The last `#Fields` and the last `#Date` before `offset`, in the order of the file; nothing at the
/// beginning of a file.
///
/// Reads backwards, because they may be anywhere: usually at the very beginning, and again
/// wherever the server was restarted.
///
/// # Errors
/// When the file cannot be read.
pub fn before(content: &mut Content, offset: u64) -> io::Result<Vec<Vec<u8>>> {
    let mut wanted: Vec<&[u8]> = vec![b"#Fields:", b"#Date:"];
    let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut block = Vec::new();
    let mut end = offset;
    while end > 0 && !wanted.is_empty() {
        let start = end.saturating_sub(BLOCK_BYTES as u64 - 1);
        // One byte from the block before, to see whether the first line begins here.
        let from = start.saturating_sub(1);
        block.resize(at_most(end - from, BLOCK_BYTES), 0);
        content.read_exact(&mut block, from)?;
        for position in memchr::memrchr_iter(b'#', &block) {
            let at = from + position as u64;
            let line_begins = at == 0
                || position.checked_sub(1).and_then(|before| block.get(before)) == Some(&b'\n');
            if at < start && at > 0 || !line_begins {
                continue;
            }
            let line = line_at(content, at, offset)?;
            if let Some(place) = wanted.iter().position(|name| starts_with(&line, name)) {
                wanted.swap_remove(place);
                found.push((at, line));
            }
        }
        end = start;
    }
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, line)| line).collect())
}

fn line_at(content: &mut Content, at: u64, limit: u64) -> io::Result<Vec<u8>> {
    let mut line = vec![0; at_most(limit - at, LONGEST)];
    content.read_exact(&mut line, at)?;
    let end = memchr::memchr(b'\n', &line).unwrap_or(line.len());
    line.truncate(end);
    while line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

fn starts_with(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(content: &[u8], offset: u64) -> Vec<String> {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, content).unwrap();
        let lines = before(&mut Content::Plain(file), offset).unwrap();
        lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn the_last_directives_before_the_offset_are_found() {
        let text = b"#Fields: a b\r\n1 2\n#Date: x\n#Fields: c\n3\n# Fields: no\n x#Fields: no\n#Fields: d\n";
        let end = text.len() as u64;
        assert_eq!(found(text, end), ["#Date: x", "#Fields: d"]);
        assert_eq!(found(text, end - 12), ["#Date: x", "#Fields: c"]);
        assert_eq!(found(text, 18), ["#Fields: a b"]);
        assert_eq!(found(text, 0), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn they_are_found_across_blocks(before in 0usize..200_000, behind in 0usize..200_000) {
            let mut text = vec![b'x'; before];
            if before > 0 {
                text.push(b'\n');
            }
            text.extend_from_slice(b"#Fields: a\n");
            text.resize(text.len() + behind, b'y');
            prop_assert_eq!(found(&text, text.len() as u64), ["#Fields: a"]);
        }
    }
}
