//! Names of members that no server takes: those with an empty or blank part between their dots, as `""`,
//! `.` or `a..b`. At any depth, only what is called so is put aside. Objects are not looked into for that,
//! unless their text says that one of their names may be such.

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
/// escape in it, or with a character that may be a blank, is one that may.
pub fn may_be_odd(text: &str) -> bool {
    let text = text.as_bytes();
    memchr_iter(b':', text).any(|colon| text.get(..colon).is_some_and(ends_oddly))
}

/// Whether such a name may stand at the end of `text`.
fn ends_oddly(text: &[u8]) -> bool {
    // A colon elsewhere is part of a text.
    let Some(name) = text.trim_ascii_end().strip_suffix(b"\"") else { return false };
    let mut is_blank = true;
    for byte in name.iter().rev() {
        match byte {
            b'"' => return is_blank,
            b'\\' => return true,
            b'.' if is_blank => return true,
            b'.' => is_blank = true,
            byte => is_blank &= !byte.is_ascii_graphic(),
        }
    }
    true
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
