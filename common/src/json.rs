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
