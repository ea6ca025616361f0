//! Paths in settings, which are text: a byte of a name that is no UTF-8 is written as one of the last
//! characters for private use, so that it comes back as it was. Nobody types those.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// What stands for the byte 0; the characters behind it stand for the others.
const FIRST: u32 = 0x10_ff00;

/// The text that stands for a name.
pub fn path_text(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        let bytes = chunk.invalid().iter();
        text.extend(bytes.filter_map(|byte| char::from_u32(FIRST + u32::from(*byte))));
    }
    text
}

/// The name that a text stands for.
pub fn path_of(text: &str) -> PathBuf {
    let mut name = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match byte_of(letter) {
            Some(byte) => name.push(byte),
            None => name.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    PathBuf::from(OsString::from_vec(name))
}

/// Whether a text stands for a name that is no text.
pub fn has_bytes(text: &str) -> bool {
    text.chars().any(|letter| byte_of(letter).is_some())
}

fn byte_of(letter: char) -> Option<u8> {
    let byte = u32::from(letter).checked_sub(FIRST)?;
    // What is ASCII is text.
    u8::try_from(byte).ok().filter(|byte| !byte.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_comes_back_as_it_was() {
        let every: Vec<u8> = (1..=255).collect();
        for name in [&b"app.log"[..], "größe 1.log".as_bytes(), b"a\xff\xc3.log", &every] {
            let text = path_text(OsStr::from_bytes(name));
            assert_eq!(path_of(&text).as_os_str().as_bytes(), name);
            assert_eq!(has_bytes(&text), std::str::from_utf8(name).is_err());
        }
    }
}
