//! CSV as it is found (<https://www.rfc-editor.org/rfc/rfc4180>): the first line names the columns, and tells
//! whether a comma, a semicolon, a tab or a bar stands between them. A value in quotes may have several lines.

use std::borrow::Cow;

use crate::logfmt;
use crate::time::{Calendar, TimeRule};
use crate::words::{csv_quoted, failed, listed};
use crate::{List, Parse, Parsed, Preface};

/// Reads lines of a table.
#[derive(Debug)]
pub struct CsvParser {
    times: TimeRule,
    separator: u8,
    names: Vec<Vec<u8>>,
}

/// So many columns are read, and so many bytes of their names: each document has them.
const MOST_COLUMNS: usize = 200;
const MOST_BYTES: usize = 4096;
/// What may stand between values, the likelier first.
const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];

impl CsvParser {
    /// Of files whose times are as `times` says.
    pub fn with(times: TimeRule) -> Self {
        Self { times, separator: b',', names: Vec::new() }
    }

    fn follow(&mut self, header: &[u8]) {
        let count = |separator: u8| memchr::memchr_iter(separator, header).count();
        // The last of equals is taken, which is the likelier one from behind.
        let most = SEPARATORS.into_iter().rev().max_by_key(|separator| count(*separator));
        self.separator = most.unwrap_or(b',');
        let header = header.get(..MOST_BYTES).unwrap_or(header);
        self.names = Cells { rest: Some(header), separator: self.separator }
            .map(|name| name.trim_ascii().to_vec())
            .take(MOST_COLUMNS)
            .collect();
    }
}

/// Whether a line names columns without doubt: three at least, which all look like names and differ, and of
/// which one is that of a time.
pub fn is_header(line: &[u8]) -> bool {
    let mut parser = CsvParser::with(TimeRule::default());
    parser.follow(line);
    let is_name = |name: &Vec<u8>| {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-. @()/".contains(byte);
        name.len() <= 40
            && name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || b"_@".contains(byte))
            && name.iter().all(is_part)
    };
    // Others are words of sentences.
    let is_time = |name: &Vec<u8>| {
        name.len() > 2 && logfmt::is_time(&name.to_ascii_lowercase())
            || name.eq_ignore_ascii_case(b"ts")
    };
    let names = &parser.names;
    let differ = || {
        let mut sorted: Vec<&Vec<u8>> = names.iter().collect();
        sorted.sort_unstable();
        sorted.windows(2).all(|pair| pair.first() != pair.last())
    };
    line.len() <= MOST_BYTES
        && names.len() >= 3
        && names.iter().all(is_name)
        && names.iter().any(is_time)
        && differ()
}

/// Whether a value in quotes goes on behind `line`, which begins inside one if `is_open`. Whatever stands
/// between values, a quote begins one behind that, or at the beginning.
pub fn open_quote(line: &[u8], is_open: bool) -> bool {
    let mut is_open = is_open;
    let mut before = b',';
    for byte in line {
        if *byte == b'"' && (is_open || SEPARATORS.contains(&before)) {
            is_open = !is_open;
            // Two of them in a row are one, and the value goes on.
            before = if is_open { b' ' } else { b',' };
        } else {
            before = *byte;
        }
    }
    is_open
}

/// The values of a line.
struct Cells<'a> {
    /// Nothing behind the last one.
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Iterator for Cells<'a> {
    type Item = Cow<'a, [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest?;
        if let Some((value, rest)) = csv_quoted(text)
            && (rest.is_empty() || rest.first() == Some(&self.separator))
        {
            self.rest = rest.get(1..);
            return Some(value);
        }
        let end = memchr::memchr(self.separator, text).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        self.rest = rest.get(1..);
        Some(Cow::Borrowed(value))
    }
}

impl Parse for CsvParser {
    fn preface(&self) -> Preface {
        Preface::Header
    }

    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        if self.names.is_empty() {
            self.follow(line);
            return Parsed::Directive;
        }
        let cells = || Cells { rest: Some(line), separator: self.separator };
        if cells().take(MOST_COLUMNS + 1).count() != self.names.len() {
            return failed(None, "the line has not as many values as the first line names");
        }
        let mut time = None;
        for (name, value) in self.names.iter().zip(cells()) {
            if value.is_empty() {
                continue;
            }
            if time.is_none() && logfmt::is_time(&name.to_ascii_lowercase()) {
                time = self.times.read(calendar, &value);
                if time.is_some() {
                    continue;
                }
            }
            logfmt::add(name, value, "csv", others);
        }
        listed(time)
    }
}
