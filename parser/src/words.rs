//! Cutting a line into words: what the formats of text share. Each looks at a byte once.

use memchr::{memchr, memmem};

use super::time::{Time, Told};
use super::{Fields, List, Parsed};
use jiff::tz::TimeZone;

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
    for (at, byte) in text.iter().enumerate() {
        match *byte {
            byte if byte == close && depth == 0 => {
                let (inside, rest) = text.split_at(at);
                return Some((inside, rest.get(1..)?));
            }
            byte if byte == close => depth -= 1,
            byte if byte == open => depth += 1,
            _ => {}
        }
    }
    None
}

/// A whole number of at most 18 digits.
pub fn number(text: &[u8]) -> Option<u64> {
    super::access::parse_number(text)
}

/// The time of a line: that of `zone` where it says none itself.
pub fn time_of(told: Told, zone: Option<&TimeZone>) -> Option<Time> {
    zone.map_or(Some(told.as_utc()), |zone| told.in_zone(zone))
}

/// A line of which all that is known is in the list.
pub fn listed(time: Option<Time>) -> Parsed<'static> {
    Parsed::Event { time, is_assumed: false, fields: Fields::Listed, problem: None }
}

/// The same with what was not understood; the line is its message.
pub fn failed(time: Option<Time>, problem: &str) -> Parsed<'_> {
    Parsed::Event { time, is_assumed: false, fields: Fields::Listed, problem: Some(problem) }
}

/// A line that is only text: one that goes on what is before it.
pub fn text_only() -> Parsed<'static> {
    Parsed::Event { time: None, is_assumed: false, fields: Fields::Message, problem: None }
}

/// Adds a text that is there.
pub fn add<'a>(others: &mut List<'a>, name: &'static str, text: &'a [u8]) {
    if !text.is_empty() {
        others.add(name, text);
    }
}
