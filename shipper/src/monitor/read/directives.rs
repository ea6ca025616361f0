//! What lines are read by that stands before some place of a file: the directives in force, which begin with
//! `#`, or the first line, which names the columns.

use std::io;

use omphalos_common::numbers::at_most;
use omphalos_parser::Preface;

use crate::monitor::read::content::Content;

const BLOCK_BYTES: usize = 64 * 1024;
/// A directive longer than this is no directive.
const LONGEST: usize = 16 * 1024;

/// What a format asks for: the last directive of each name before `offset`, in the order of the file, or the
/// first line that is not empty; nothing at the beginning of a file.
///
/// Reads backwards, because they may be anywhere: usually at the very beginning, and again
/// wherever the server was restarted.
///
/// # Errors
/// When the file cannot be read.
pub fn before(content: &mut Content, preface: Preface, offset: u64) -> io::Result<Vec<Vec<u8>>> {
    match preface {
        Preface::None => Ok(Vec::new()),
        Preface::Header => first_line(content, offset),
        Preface::Directives(names) => last_directives(content, names, offset),
    }
}

fn first_line(content: &mut Content, offset: u64) -> io::Result<Vec<Vec<u8>>> {
    let mut at = 0;
    while at < offset {
        let line = line_at(content, at, offset)?;
        if !line.trim_ascii().is_empty() {
            return Ok(vec![line]);
        }
        at += line.len() as u64 + 1;
    }
    Ok(Vec::new())
}

fn last_directives(
    content: &mut Content,
    names: &[&'static str],
    offset: u64,
) -> io::Result<Vec<Vec<u8>>> {
    let mut wanted: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
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
        let preface = Preface::Directives(&["#Fields:", "#Date:"]);
        let lines = before(&mut Content::Plain(file), preface, offset).unwrap();
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

    #[test]
    fn the_first_line_with_something_in_it_names_the_columns() {
        let found = |content: &[u8], offset| {
            let mut file = tempfile::tempfile().unwrap();
            io::Write::write_all(&mut file, content).unwrap();
            before(&mut Content::Plain(file), Preface::Header, offset).unwrap()
        };
        assert_eq!(found(b"\r\n\na,b\r\n1,2\n", 11), [b"a,b".to_vec()]);
        assert_eq!(found(b"a,b\n", 0), Vec::<Vec<u8>>::new());
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
