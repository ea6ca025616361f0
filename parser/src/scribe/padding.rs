//! Runs of NUL bytes: what a crash leaves of a file whose length reached the disk before its
//! content did, and what holes in files read as. A NUL alone is part of a line; a run is none.

use memchr::memchr_iter;

/// So many NULs in a row are padding; fewer are text.
const LEAST: usize = 8;

/// So many pieces of a line are documents of their own; what is behind them is one more, with its NULs:
/// a line is no more than these, whoever wrote it.
const MOST_PIECES: usize = 1000;

/// Where the first run in `data` begins.
pub fn start(data: &[u8]) -> Option<usize> {
    run(data).map(|(start, _)| start)
}

/// The first run that is long enough: its beginning and its length.
fn run(data: &[u8]) -> Option<(usize, usize)> {
    let mut behind = 0;
    for nul in memchr_iter(0, data) {
        if nul < behind {
            continue;
        }
        let length = leading_padding(data.split_at(nul).1);
        behind = nul + length;
        if length >= LEAST {
            return Some((nul, length));
        }
    }
    None
}

/// How many NULs `data` begins with.
pub fn leading_padding(data: &[u8]) -> usize {
    data.iter().take_while(|byte| **byte == 0).count()
}

/// How many NULs `data` ends with.
pub fn trailing(data: &[u8]) -> usize {
    data.iter().rev().take_while(|byte| **byte == 0).count()
}

/// What stands between runs, with the place of each piece.
pub fn pieces(line: &[u8]) -> Vec<(usize, &[u8])> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while let Some(rest) = line.get(start..).filter(|rest| !rest.is_empty()) {
        let Some((end, length)) = run(rest).filter(|_| pieces.len() < MOST_PIECES) else {
            pieces.push((start, rest));
            break;
        };
        if end > 0 {
            pieces.push((start, rest.split_at(end).0));
        }
        start += end + length;
    }
    pieces
}

/// How many bytes of `line` are padding.
pub fn count(line: &[u8]) -> u64 {
    let text: usize = pieces(line).iter().map(|(_, piece)| piece.len()).sum();
    (line.len() - text) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_told_from_single_nuls() {
        let nuls = [0; 20];
        assert_eq!(start(b"a\0b"), None);
        assert_eq!(start(b"\0b"), None);
        assert_eq!(start(&nuls), Some(0));
        assert_eq!(start(&[b"ab\0c", &nuls[..]].concat()), Some(4));
        assert_eq!(pieces(b"a\0b"), [(0, &b"a\0b"[..])]);
        let line = [&nuls[..], b"ab\0c", &nuls[..], b"d\n"].concat();
        assert_eq!(pieces(&line), [(20, &b"ab\0c"[..]), (44, b"d\n")]);
        assert_eq!(count(&line), 40);
        assert_eq!(pieces(&nuls), []);
        assert_eq!(count(&nuls), 20);
        assert_eq!(trailing(b"a\0\0"), 2);
    }

    #[test]
    fn a_line_has_a_bounded_number_of_pieces_and_all_its_text_is_in_them() {
        let line = [&b"a"[..], &[0; LEAST]].concat().repeat(MOST_PIECES + 100);
        let pieces = pieces(&line);
        assert_eq!(pieces.len(), MOST_PIECES + 1);
        assert_eq!(pieces.last().unwrap().1, line.split_at((LEAST + 1) * MOST_PIECES).1);
        assert_eq!(count(&line), (LEAST * MOST_PIECES) as u64);
    }
}
