//! Names of members that no server takes: those with an empty or blank part between their dots, as `""`,
//! `.` or `a..b`, and those that an object has twice. At any depth, only what is called so is put aside.
//! Objects are not looked into for that, unless their text says that one of their names may be such.

use memchr::memchr_iter;
use omphalos_common::ecs::is_path;

/// Whether a name is one of those.
pub fn is_odd(name: &str) -> bool {
    !(begins_well(name) && !name.contains('.') || is_path(name))
}

/// Whether a name without dots is none of those by its first byte, as nearly all are.
pub fn begins_well(name: &str) -> bool {
    name.as_bytes().first().is_some_and(u8::is_ascii_graphic)
}

/// Whether a name in this JSON text may be one of those. Every name stands before a colon; one with an
/// escape in it, or with a character that may be a blank, is one that may, and so is one that looks like
/// another one, whichever objects they are of.
pub fn may_be_odd(text: &str) -> bool {
    let text = text.as_bytes();
    let mut seen = Seen::default();
    memchr_iter(b':', text).any(|colon| {
        // A colon elsewhere is part of a text.
        let name = text.get(..colon).and_then(|text| text.trim_ascii_end().strip_suffix(b"\""));
        name.is_some_and(|text| usual_name(text).is_none_or(|name| seen.has(name)))
    })
}

/// The name at the end of `text`, unless it may be odd.
fn usual_name(text: &[u8]) -> Option<&[u8]> {
    let mut is_blank = true;
    for (at, byte) in text.iter().enumerate().rev() {
        match byte {
            b'"' => return text.get(at + 1..).filter(|_| !is_blank),
            b'\\' => return None,
            b'.' if is_blank => return None,
            b'.' => is_blank = true,
            byte => is_blank &= !byte.is_ascii_graphic(),
        }
    }
    None
}

/// What names look like: those of most objects differ in length, or in a few letters.
pub struct Seen([bool; 256]);

impl Default for Seen {
    fn default() -> Self {
        Self([false; 256])
    }
}

impl Seen {
    /// Whether one that looks like this was there before.
    pub fn has(&mut self, name: &[u8]) -> bool {
        let letter = |at: usize| name.get(at).copied().unwrap_or_default();
        let (first, middle) = (letter(0), letter(name.len() / 2));
        let last = name.last().copied().unwrap_or_default();
        let length = name.len().to_le_bytes()[0];
        let mixed = first.wrapping_mul(3).wrapping_add(middle.wrapping_mul(29));
        let mixed =
            mixed.wrapping_add(last.wrapping_mul(101)).wrapping_add(length.wrapping_mul(53));
        let seen = self.0.get_mut(usize::from(mixed));
        seen.is_none_or(|seen| std::mem::replace(seen, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn has_odd(value: &Value) -> bool {
        match value {
            Value::Object(members) => {
                members.iter().any(|(name, value)| !is_path(name) || has_odd(value))
            }
            Value::Array(values) => values.iter().any(has_odd),
            _ => false,
        }
    }

    #[test]
    fn usual_objects_are_not_looked_into() {
        for text in [
            r#"{"a":{"b.c":"http://x/: y.","d":""},"e":[{"f": "::", "g" : 1}]}"#,
            r#"{"größe":".","_id":" ", "a b":".."}"#,
        ] {
            assert!(!may_be_odd(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_odd_name_is_missed(name in "(\\\\u002e|\\\\t|\\\\\"|[. a\"\u{3000}]){0,4}", blank in " ?", depth in 0usize..3) {
            let name = name.replace('"', "");
            let text = format!(r#"{}{{"x":": ","{name}"{blank}:1}}{}"#, r#"{"o":["#.repeat(depth), "]}".repeat(depth));
            let Ok(value) = serde_json::from_str::<Value>(&text) else { return Ok(()) };
            prop_assert!(may_be_odd(&text) || !has_odd(&value), "{}", text);
        }
    }
}
