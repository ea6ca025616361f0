//! As much of XML as events are written in (<https://www.w3.org/TR/xml/>): tags, attributes, texts and the
//! entities that every document knows. What else there is (comments, processing instructions, types of
//! documents) is passed over, and an entity that is not known stands as it is.

use std::borrow::Cow;

use memchr::{memchr, memmem};

/// What is next in a text.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// `<name a='b'>`; what stands behind the name, and whether it ends itself.
    Open { name: &'a [u8], attributes: &'a [u8], is_closed: bool },
    /// `</name>`
    Close(&'a [u8]),
    /// What stands between tags.
    Text(&'a [u8]),
}

/// The pieces of a text, from left to right.
#[derive(Debug)]
pub struct Pieces<'a> {
    /// What was not looked at yet.
    pub rest: &'a [u8],
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let Some(inside) = self.rest.strip_prefix(b"<") else {
                let end = memchr(b'<', self.rest).unwrap_or(self.rest.len());
                let (text, rest) = self.rest.split_at(end);
                self.rest = rest;
                return Some(Piece::Text(text));
            };
            if inside.starts_with(b"?") || inside.starts_with(b"!") {
                let end: &[u8] = if inside.starts_with(b"!--") { b"-->" } else { b">" };
                let at = memmem::find(inside, end)?;
                self.rest = inside.get(at + end.len()..)?;
                continue;
            }
            let end = tag_end(inside)?;
            let (tag, rest) = inside.split_at_checked(end)?;
            self.rest = rest.get(1..)?;
            if let Some(name) = tag.strip_prefix(b"/") {
                return Some(Piece::Close(name.trim_ascii()));
            }
            let is_closed = tag.ends_with(b"/");
            let tag = tag.strip_suffix(b"/").unwrap_or(tag);
            let at = tag.iter().position(u8::is_ascii_whitespace).unwrap_or(tag.len());
            let (name, attributes) = tag.split_at(at);
            return Some(Piece::Open { name, attributes, is_closed });
        }
    }
}

/// Where a tag ends: brackets in the quotes of its attributes belong to those.
fn tag_end(text: &[u8]) -> Option<usize> {
    let mut quote = None;
    text.iter().position(|byte| match (quote, *byte) {
        (None, b'>') => true,
        (None, b'\'' | b'"') => {
            quote = Some(*byte);
            false
        }
        (Some(open), byte) if open == byte => {
            quote = None;
            false
        }
        _ => false,
    })
}

/// The value of an attribute.
pub fn attribute<'a>(attributes: &'a [u8], wanted: &[u8]) -> Option<Cow<'a, [u8]>> {
    let mut rest = attributes.trim_ascii_start();
    while !rest.is_empty() {
        let (name, behind) = crate::words::split_once(rest, b'=')?;
        let behind = behind.trim_ascii_start();
        let (quote, inside) =
            behind.split_first().filter(|(byte, _)| matches!(byte, b'\'' | b'"'))?;
        let (value, after) = crate::words::split_once(inside, *quote)?;
        if name.trim_ascii() == wanted {
            return Some(decoded(value));
        }
        rest = after.trim_ascii_start();
    }
    None
}

/// A text with its entities as what they stand for.
pub fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'&', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'&', rest) {
        let (clean, entity) = rest.split_at(at);
        plain.extend_from_slice(clean);
        let (character, length) = entity_at(entity).unwrap_or(('&', 1));
        plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = entity.get(length..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

/// The character that an entity stands for, and how long it is.
fn entity_at(text: &[u8]) -> Option<(char, usize)> {
    const LONGEST: usize = 10;
    let end = memchr(b';', text.get(..LONGEST).unwrap_or(text))?;
    let name = std::str::from_utf8(text.get(1..end)?).ok()?;
    let character = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let code = name.strip_prefix('#')?;
            let number = match code.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => code.parse().ok()?,
            };
            char::from_u32(number)?
        }
    };
    Some((character, end + 1))
}
