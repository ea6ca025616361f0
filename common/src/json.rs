//! JSON objects that others wrote: their members as they stand there, and what in them is no text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// The name of a member, and its value as it stands there.
pub type Member<'a> = (Cow<'a, str>, &'a RawValue);

/// The members of the JSON object that `text` is, all of it.
pub fn members_of(text: &str) -> Option<Vec<Member<'_>>> {
    struct Object;
    impl<'de> Visitor<'de> for Object {
        type Value = Vec<Member<'de>>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut members = Vec::with_capacity(16);
            while let Some(Key(key)) = map.next_key()? {
                members.push((key, map.next_value()?));
            }
            Ok(members)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = deserializer.deserialize_map(Object).ok()?;
    deserializer.end().ok()?;
    Some(members)
}

/// A key, borrowed from the line where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a member name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
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
