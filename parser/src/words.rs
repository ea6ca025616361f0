//! Cutting a line into words: what the formats of text share. Each looks at a byte once.

use std::borrow::Cow;

use memchr::{memchr, memchr2_iter, memmem};

use super::request::Request;
use super::time::Time;
use super::{Fields, List, Parsed};

/// What stands before the first blank, and what is behind all that follow it.
pub fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr(b' ', text).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, trim_start(rest))
}

/// Without the blanks and tabs that it begins with.
pub fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// What stands before the first `byte`, and what is behind it.
pub fn split_once(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(memchr(byte, text)?)?;
    Some((before, rest.get(1..)?))
}

/// What stands before the first `separator`, and what is behind it.
pub fn split_at_text<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (before, rest) = text.split_at_checked(memmem::find(text, separator)?)?;
    Some((before, rest.get(separator.len()..)?))
}

/// The inside of what begins with `open` and ends with the `close` that belongs to it, and what is behind
/// it.
pub fn inside(text: &[u8], open: u8, close: u8) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(&[open])?;
    let mut depth = 0_usize;
    for at in memchr2_iter(close, open, text) {
        let (inside, rest) = text.split_at(at);
        let (found, rest) = rest.split_first()?;
        match depth {
            0 if *found == close => return Some((inside, rest)),
            _ if *found == close => depth -= 1,
            _ => depth += 1,
        }
    }
    None
}

/// A whole number of at most 18 digits.
pub fn number(text: &[u8]) -> Option<u64> {
    super::access::parse_number(text)
}

/// A line of which all that is known is in the list.
pub fn listed(time: Option<Time>) -> Parsed<'static> {
    Parsed::Event { time, is_assumed: false, fields: Fields::Listed, problem: None }
}

/// The same with what was not understood; the line is its message.
pub fn failed(time: Option<Time>, problem: &str) -> Parsed<'_> {
    Parsed::Event { time, is_assumed: false, fields: Fields::Listed, problem: Some(problem) }
}

/// The same with the fields of a request.
pub fn requested<'a>(
    time: Option<Time>,
    fields: Request<'a>,
    problem: Option<&'a str>,
) -> Parsed<'a> {
    Parsed::Event { time, is_assumed: false, fields: Fields::Request(fields), problem }
}

/// A line that is only text: one that goes on what is before it.
pub fn text_only() -> Parsed<'static> {
    Parsed::Event { time: None, is_assumed: false, fields: Fields::Message, problem: None }
}

/// Adds `TLSv1.3` in the two parts that ECS has (<https://www.elastic.co/docs/reference/ecs/ecs-tls>).
pub fn add_tls_version<'a>(others: &mut List<'a>, value: &'a [u8]) {
    let (protocol, version) = match value {
        [b'T' | b't', b'L' | b'l', b'S' | b's', b'V' | b'v', version @ ..] => ("tls", version),
        [b'S' | b's', b'S' | b's', b'L' | b'l', b'V' | b'v', version @ ..] => ("ssl", version),
        _ => return add(others, "tls.version", value),
    };
    match version {
        // As Zeek and load balancers write it: TLSv12, tlsv12.
        b"10" => others.add("tls.version", "1.0"),
        b"11" => others.add("tls.version", "1.1"),
        b"12" => others.add("tls.version", "1.2"),
        b"13" => others.add("tls.version", "1.3"),
        version => add(others, "tls.version", version),
    }
    others.add("tls.version_protocol", protocol);
}

/// `0.123` in units of so many nanoseconds.
pub fn nanos_of(value: &[u8], unit: u64) -> Option<u64> {
    const MOST_DECIMALS: usize = 9;
    let (whole, decimals) = match memchr(b'.', value) {
        Some(dot) => (value.get(..dot)?, value.get(dot + 1..)?),
        None => (value, &b""[..]),
    };
    let decimals = decimals.get(..MOST_DECIMALS).unwrap_or(decimals);
    let mut nanos = number(whole)?.checked_mul(unit)?;
    let mut part = unit;
    for digit in decimals {
        part /= 10;
        nanos = nanos
            .checked_add(u64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * part)?;
    }
    Some(nanos)
}

/// Adds a text that is there.
pub fn add<'a>(others: &mut List<'a>, name: &'static str, text: &'a [u8]) {
    if !text.is_empty() {
        others.add(name, text);
    }
}

/// A value of CSV in quotes (<https://www.rfc-editor.org/rfc/rfc4180>), and what is behind it.
pub fn csv_quoted(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let inside = text.strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let at = from + memchr(b'"', inside.get(from..)?)?;
        if inside.get(at + 1) == Some(&b'"') {
            from = at + 2;
            continue;
        }
        let (value, rest) = inside.split_at_checked(at)?;
        let rest = rest.get(1..)?;
        if from == 0 {
            return Some((Cow::Borrowed(value), rest));
        }
        let mut plain = Vec::with_capacity(value.len());
        let mut is_second = false;
        for byte in value {
            is_second = *byte == b'"' && !is_second;
            if !is_second {
                plain.push(*byte);
            }
        }
        return Some((Cow::Owned(plain), rest));
    }
}

/// The values of a line, which stand apart by blanks: those in quotes or brackets without these.
#[derive(Debug)]
pub struct Values<'a> {
    list: [&'a [u8]; MOST_VALUES],
    count: usize,
    /// What stands behind the last one that was looked at.
    pub rest: &'a [u8],
}

/// No format that is read by places has more.
const MOST_VALUES: usize = 48;

impl<'a> Values<'a> {
    /// The values of `text`, in whose quotes a backslash stands before a quote that ends none.
    pub fn of(text: &'a [u8]) -> Self {
        Self::split(text, true)
    }

    /// The same where nothing is escaped.
    pub fn literal(text: &'a [u8]) -> Self {
        Self::split(text, false)
    }

    fn split(text: &'a [u8], has_escapes: bool) -> Self {
        let mut values = Self { list: [b""; MOST_VALUES], count: 0, rest: trim_start(text) };
        // Where a quote or a bracket has no end, those behind it have none either, and none is looked for again.
        let mut ends = Ends { has_escapes, quotes: true, brackets: true };
        for place in &mut values.list {
            let Some((value, rest)) = value(values.rest, &mut ends) else { break };
            (*place, values.rest) = (value, trim_start(rest));
            values.count += 1;
        }
        values
    }

    /// All of them.
    pub fn list(&self) -> &[&'a [u8]] {
        self.list.get(..self.count).unwrap_or_default()
    }

    /// The one at this place; nothing where there are less.
    pub fn at(&self, place: usize) -> &'a [u8] {
        self.list().get(place).copied().unwrap_or_default()
    }
}

/// Which ends of values there may be in the rest of a line.
struct Ends {
    has_escapes: bool,
    quotes: bool,
    brackets: bool,
}

/// The value that `text` begins with, and what is behind it.
fn value<'a>(text: &'a [u8], ends: &mut Ends) -> Option<(&'a [u8], &'a [u8])> {
    let is_end = |rest: &[u8]| matches!(rest.first(), None | Some(b' '));
    match text.first()? {
        b'"' if ends.quotes => {
            let inside = text.get(1..)?;
            for at in memchr::memchr_iter(b'"', inside) {
                let (value, rest) = inside.split_at(at);
                let rest = rest.get(1..)?;
                let escapes = value.iter().rev().take_while(|byte| **byte == b'\\').count();
                if (escapes % 2 == 0 || !ends.has_escapes) && is_end(rest) {
                    return Some((value, rest));
                }
            }
            ends.quotes = false;
        }
        b'[' if ends.brackets => {
            let inside = text.get(1..)?;
            for at in memchr::memchr_iter(b']', inside) {
                let (value, rest) = inside.split_at(at);
                let rest = rest.get(1..)?;
                if is_end(rest) {
                    return Some((value, rest));
                }
            }
            ends.brackets = false;
        }
        _ => {}
    }
    Some(text.split_at(memchr(b' ', text).unwrap_or(text.len())))
}
