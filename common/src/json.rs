//! JSON objects that others wrote: their members as they stand there, and what in them is no text.

mod reader;

use std::borrow::Cow;

use reader::Reader;

/// A value as it stands in a JSON text, with nothing around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// The value that `text` is, blanks around it apart.
    pub fn read(text: &'a str) -> Option<Self> {
        Reader::new(text).only()
    }

    /// Its text.
    pub fn get(self) -> &'a str {
        self.0
    }
}

/// The name of a member, and its value as it stands there.
pub type Member<'a> = (Cow<'a, str>, Raw<'a>);

/// The members of the JSON object that `text` is, all of it.
pub fn members_of(text: &str) -> Option<Vec<Member<'_>>> {
    let mut members = Vec::new();
    each_member(text, |name, raw| members.push((name, raw)))?;
    Some(members)
}

/// Shows the members of the JSON object that `text` is, all of it; where it is none, some may have been shown.
pub fn each_member<'a>(text: &'a str, show: impl FnMut(Cow<'a, str>, Raw<'a>)) -> Option<()> {
    Reader::new(text).members(show)
}

/// The items of the JSON array that `text` is, all of it.
pub fn items_of(text: &str) -> Option<Vec<Raw<'_>>> {
    Reader::new(text).items()
}

/// How many bytes stand before the first that is a quote, a backslash, a control character or `another` one. It looks
/// at eight at a time (<https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>).
#[inline]
pub fn plain_length(bytes: &[u8], another: u8) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*eight);
        let below =
            |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & TOPS;
        let same = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        // What is above the first that is found may be wrong, and nothing else.
        let found = below(word, b' ') | same(b'"') | same(b'\\') | same(another);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_special = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\') || *byte == another;
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// Whether a JSON text may have escapes of lone surrogates, which are halves of characters.
pub fn may_have_halves(text: &str) -> bool {
    memchr::memchr(b'\\', text.as_bytes()).is_some()
        && (text.contains("\\ud") || text.contains("\\uD"))
}

/// The same JSON with U+FFFD for escapes of lone surrogates: JSON may have them, text must not, and of
/// those who read our documents some take them and some do not.
pub fn without_halves(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        whole.push_str(before);
        let length = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                whole.push_str("\\ufffd");
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            // A backslash and what it escapes, which may be a backslash.
            _ => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (kept, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        whole.push_str(kept);
        rest = after;
    }
    whole + rest
}

/// The unit of UTF-16 whose escape `text` begins with.
fn unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_special_byte_is_found(bytes in proptest::collection::vec(prop_oneof![4 => b' '..=b'~', 1 => any::<u8>()], 0..40)) {
            for another in [b'"', 0x7f] {
                let is_special =
                    |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\') || *byte == another;
                let expected = bytes.iter().position(is_special).unwrap_or(bytes.len());
                prop_assert_eq!(plain_length(&bytes, another), expected);
            }
        }

        #[test]
        fn whatever_is_escaped_is_text_afterwards(text in "(\\\\(u(d8|dc|00)[0-9a-f]{2}|[nt\\\\\"])|[a-zé])*") {
            let json = format!("\"{text}\"");
            let whole = without_halves(&json);
            prop_assert!(serde_json::from_str::<String>(&whole).is_ok(), "{}", whole);
            if let Ok(expected) = serde_json::from_str::<String>(&json) {
                prop_assert_eq!(serde_json::from_str::<String>(&whole).unwrap(), expected);
            }
        }
    }
}
