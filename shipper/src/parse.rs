//! `omphalos parse`: lines in, documents out, as the shipper would send them.

use std::io::{self, BufRead, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::monitor::{Clock, Host, Names, logical_path};
use omphalos_common::clock::now_millis;
use omphalos_parser::{Documents, Event, Frame, Parsed, ParserKind, Shape};

/// How lines become documents.
#[derive(Debug, Clone)]
pub struct ParseOptions {
    /// Format of the lines.
    pub parser: ParserKind,
    /// `event.dataset`.
    pub dataset: String,
    /// Who we are.
    pub host: Host,
    /// The file's path, for `log.file.path`.
    pub path: PathBuf,
    /// Whether to keep each line in `event.original`.
    pub keep_original: bool,
    /// Where lines are cut.
    pub max_line_bytes: usize,
}

/// Writes the document of each line of `input` to `output`, a line each.
///
/// # Errors
/// When `input` cannot be read or `output` not written.
pub fn parse(
    options: &ParseOptions,
    mut input: impl BufRead,
    mut output: impl Write,
) -> io::Result<()> {
    let path = options.path.as_os_str().as_encoded_bytes();
    let host = (&*options.host.name, &*options.host.id);
    let frame = Frame::new(&options.dataset, host, path, options.keep_original);
    let names = Names::of(&logical_path(&options.path));
    let mut parser = options.parser.parser();
    let mut documents = Documents::default();
    let mut clock = Clock::new(Arc::clone(options.host.ids.of_new_files()));
    let mut offset = 0;
    let mut line = Vec::new();
    let mut out = Vec::new();
    while let Some((length, is_whole)) = read_line(&mut input, &mut line, options.max_line_bytes)? {
        let shape = match line.len() > options.max_line_bytes {
            true => Shape::Cut,
            false if is_whole => Shape::Whole,
            false => Shape::Unfinished,
        };
        let text = line.get(..options.max_line_bytes).unwrap_or(&line);
        if let Parsed::Event { time, fields, problem } = parser.parse(documents.calendar(), text) {
            clock.identify(&names, text);
            let (time, _) = clock.time_of(offset, time, u64::MAX, now_millis());
            let stream = None;
            let event = Event { offset, time, line: text, fields, problem, shape, stream };
            out.clear();
            documents.write(&mut out, &frame, &event);
            output.write_all(&out)?;
        }
        offset += length;
    }
    output.flush()
}

/// Reads a line into `line` without its end, at most one byte more than `most`; the rest of a
/// longer one is skipped. Returns how many bytes the whole line has and whether it has an end;
/// `None` at the end of everything.
fn read_line(
    input: &mut impl BufRead,
    line: &mut Vec<u8>,
    most: usize,
) -> io::Result<Option<(u64, bool)>> {
    line.clear();
    // Two bytes more than the content: one to see that it is too long, one for the line feed.
    let mut length = input.take(most as u64 + 2).read_until(b'\n', line)? as u64;
    if length == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        return Ok(Some((length, true)));
    }
    let mut has_end = false;
    while line.len() > most {
        let rest = input.fill_buf()?;
        let end = memchr::memchr(b'\n', rest);
        let skipped = end.map_or(rest.len(), |end| end + 1);
        length += skipped as u64;
        input.consume(skipped);
        has_end = end.is_some();
        if has_end || skipped == 0 {
            break;
        }
    }
    Ok(Some((length, has_end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::ids::IdKeys;
    use serde_json::Value;

    fn parsed(parser: ParserKind, input: &[u8], max_line_bytes: usize) -> Vec<Value> {
        let options = ParseOptions {
            parser,
            dataset: "access".to_owned(),
            host: Host::new("web1".to_owned(), "id".to_owned(), &IdKeys::default()),
            path: PathBuf::from("/x.log"),
            keep_original: false,
            max_line_bytes,
        };
        let mut output = Vec::new();
        parse(&options, input, &mut output).unwrap();
        let lines = output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    #[test]
    fn offsets_are_those_of_the_file() {
        let documents = parsed(ParserKind::Raw, b"one\r\n\ntwo\nthree", 100);
        let offsets: Vec<_> =
            documents.iter().map(|d| d["log"]["offset"].as_u64().unwrap()).collect();
        let messages: Vec<_> = documents.iter().map(|d| d["message"].as_str().unwrap()).collect();
        assert_eq!((offsets, messages), (vec![0, 6, 10], vec!["one", "two", "three"]));
    }

    #[test]
    fn long_lines_are_cut_and_the_next_one_is_whole() {
        for long in [6, 7, 8, 100, 20_000] {
            let input = format!("{}\nnext\n", "x".repeat(long));
            let documents = parsed(ParserKind::Raw, input.as_bytes(), 5);
            assert_eq!(documents[0]["message"], "xxxxx", "{long}");
            assert_eq!(documents[0]["tags"][0], "truncated", "{long}");
            assert_eq!(documents[1]["message"], "next", "{long}");
            assert_eq!(documents[1]["log"]["offset"], long + 1, "{long}");
        }
        let exact = parsed(ParserKind::Raw, b"12345\r\n12345", 5);
        assert_eq!(exact[0].get("tags"), None);
        assert_eq!(exact[1]["tags"], serde_json::json!(["unfinished"]));
    }
}
