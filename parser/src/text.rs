//! Bytes of a log line as JSON text: escaped, and valid UTF-8 whatever was in the file.

use std::borrow::Cow;

use omphalos_common::json::plain_length;

/// Whether every byte is printable ASCII and none a backslash, so that what stands between two
/// quotes is its own JSON text.
pub fn is_plain(bytes: &[u8]) -> bool {
    none_is(bytes, |byte| !(0x20..0x7f).contains(&byte) || byte == b'\\')
}

/// The same without quotes, so that all of it can stand between two.
#[inline]
pub fn is_clean(bytes: &[u8]) -> bool {
    const SHORT: usize = 64;
    let is_special = |byte: u8| !(0x20..0x7f).contains(&byte) || byte == b'\\' || byte == b'"';
    let (words, _) = bytes.as_chunks::<8>();
    match bytes.last_chunk::<8>() {
        // The last word ends where the text does.
        Some(last) if bytes.len() <= SHORT => {
            words.iter().chain([last]).all(|word| is_clean_word(*word))
        }
        Some(_) => none_is(bytes, is_special),
        None => !bytes.iter().any(|byte| is_special(*byte)),
    }
}

/// The same of eight bytes, as one number. In each term, the highest bit of a byte is set that is special,
/// and others only behind such a one.
#[inline]
fn is_clean_word(bytes: [u8; 8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let word = u64::from_le_bytes(bytes);
    let is = |byte: u8| {
        let difference = word ^ (ONES * u64::from(byte));
        difference.wrapping_sub(ONES) & !difference
    };
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    let special = word | is_control | is(b'"') | is(b'\\') | is(0x7f);
    special & (ONES * 0x80) == 0
}

/// Whether no byte is special. There are no branches, so that the compiler makes a few instructions of many
/// bytes; the last ones are looked at once more, rather than the rest one by one.
#[inline]
fn none_is(bytes: &[u8], is_special: impl Fn(u8) -> bool) -> bool {
    let any = |bytes: &[u8]| bytes.iter().fold(0, |any, byte| any | u8::from(is_special(*byte)));
    let (chunks, rest) = bytes.as_chunks::<32>();
    let end = bytes.last_chunk::<32>().map_or_else(|| any(rest), |last| any(last));
    any(chunks.as_flattened()) | end == 0
}

/// Appends `bytes` as the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD.
pub fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_clean(bytes) {
        return push_short(out, bytes);
    }
    // What is text is found to be so much sooner than what is none is taken apart.
    if std::str::from_utf8(bytes).is_ok() {
        return push_escaped_text(out, bytes);
    }
    for chunk in bytes.utf8_chunks() {
        push_escaped_text(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Appends `bytes`, which are mostly short: up to 64 are two copies of a fixed size, of which the second
/// ends where the text does. That costs less than a call of what copies any number of bytes.
#[inline]
pub fn push_short(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        4..=8 => push_overlapping::<4>(out, bytes),
        9..=16 => push_overlapping::<8>(out, bytes),
        17..=32 => push_overlapping::<16>(out, bytes),
        33..=64 => push_overlapping::<32>(out, bytes),
        _ => out.extend_from_slice(bytes),
    }
}

/// Appends `bytes`, which are at least `HALF` and at most twice as many.
#[inline]
fn push_overlapping<const HALF: usize>(out: &mut Vec<u8>, bytes: &[u8]) {
    let (Some(first), Some(last)) = (bytes.first_chunk::<HALF>(), bytes.last_chunk::<HALF>())
    else {
        return out.extend_from_slice(bytes);
    };
    let start = out.len();
    out.extend_from_slice(first);
    out.truncate(start + bytes.len() - HALF);
    out.extend_from_slice(last);
}

fn push_escaped_text(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    loop {
        let (clean, special) = rest.split_at(plain_length(rest, DEL));
        out.extend_from_slice(clean);
        let Some((byte, after)) = special.split_first() else {
            return;
        };
        push_escape(out, *byte);
        rest = after;
    }
}

const DEL: u8 = 0x7f;

/// RFC 8259, section 7. DEL need not be escaped, but nobody can see it otherwise.
fn push_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(hexadecimal(byte >> 4));
            out.push(hexadecimal(byte & 0x0f));
        }
    }
}

fn hexadecimal(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

/// What a web server escaped in a quoted field, undone.
///
/// Apache writes `\"`, `\\`, `\n`, `\t` and the like and `\xhh`; nginx writes `\xHH`
/// (<https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats>,
/// <https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format>). Where the result would
/// not be text (TLS bytes sent to a plain port), the field stays as the server wrote it.
pub fn unescaped(field: &[u8]) -> Cow<'_, [u8]> {
    unescaped_by(field, unescape_one)
}

/// The same of a user's name: `CORP\nick` is one, in which nothing is escaped, and no name has a
/// line feed in it.
pub fn unescaped_name(field: &[u8]) -> Cow<'_, [u8]> {
    unescaped_by(field, |escape| match escape {
        [_, b'n' | b't' | b'r' | b'b' | b'v', ..] => (b'\\', escape.get(1..).unwrap_or_default()),
        _ => unescape_one(escape),
    })
}

/// The same of what nginx writes with `escape=json`: as in the strings of JSON, where it has characters of
/// more than one byte as they are.
pub fn unescaped_json(field: &[u8]) -> Cow<'_, [u8]> {
    unescaped_by(field, |escape| match escape {
        [_, b'u', b'0', b'0', high @ b'0'..=b'7', low, after @ ..] => {
            match (value_of(*high), value_of(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'\\', escape.get(1..).unwrap_or_default()),
            }
        }
        [_, b'f', after @ ..] => (0x0c, after),
        [_, b'/', after @ ..] => (b'/', after),
        [_, b'x' | b'v', ..] => (b'\\', escape.get(1..).unwrap_or_default()),
        _ => unescape_one(escape),
    })
}

fn unescaped_by(field: &[u8], unescape_one: impl Fn(&[u8]) -> (u8, &[u8])) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', field).is_none() {
        return Cow::Borrowed(field);
    }
    let mut decoded = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some(position) = memchr::memchr(b'\\', rest) {
        let (clean, escape) = rest.split_at(position);
        decoded.extend_from_slice(clean);
        let (byte, after) = unescape_one(escape);
        decoded.push(byte);
        rest = after;
    }
    decoded.extend_from_slice(rest);
    if is_text(&decoded) { Cow::Owned(decoded) } else { Cow::Borrowed(field) }
}

/// The byte that the escape at the beginning of `escape` stands for, and what is behind it.
fn unescape_one(escape: &[u8]) -> (u8, &[u8]) {
    match escape {
        [_, rest @ ..] if rest.starts_with(b"x") => unescape_hexadecimal(rest),
        [_, b'n', after @ ..] => (b'\n', after),
        [_, b't', after @ ..] => (b'\t', after),
        [_, b'r', after @ ..] => (b'\r', after),
        [_, b'b', after @ ..] => (0x08, after),
        [_, b'v', after @ ..] => (0x0b, after),
        [_, literal @ (b'"' | b'\\'), after @ ..] => (*literal, after),
        [_, after @ ..] => (b'\\', after),
        [] => (b'\\', &[]),
    }
}

/// The same of an escape without its backslash, which stands for itself where no digits follow.
fn unescape_hexadecimal(rest: &[u8]) -> (u8, &[u8]) {
    if let [_, high, low, after @ ..] = rest
        && let (Some(high), Some(low)) = (value_of(*high), value_of(*low))
    {
        return (high << 4 | low, after);
    }
    (b'\\', rest)
}

/// Appends `text` with its percent-encodings decoded (RFC 3986, section 2.1), once; as it stands
/// where the result would not be text.
pub fn push_percent_decoded(out: &mut Vec<u8>, text: &[u8]) {
    let begins = out.len();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let (clean, escape) = rest.split_at(at);
        out.extend_from_slice(clean);
        let (byte, after) = percent_decode_one(escape);
        out.push(byte);
        rest = after;
    }
    out.extend_from_slice(rest);
    if !out.get(begins..).is_some_and(is_text) {
        out.truncate(begins);
        out.extend_from_slice(text);
    }
}

/// The byte that the encoding at the beginning of `escape` stands for, and what is behind it. A percent
/// sign without two digits is itself.
fn percent_decode_one(escape: &[u8]) -> (u8, &[u8]) {
    if let [_, high, low, after @ ..] = escape
        && let (Some(high), Some(low)) = (value_of(*high), value_of(*low))
    {
        return (high << 4 | low, after);
    }
    (b'%', escape.get(1..).unwrap_or_default())
}

/// Whether it is UTF-8 that a person can read.
fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')))
}

fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        push_escaped(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_escaped_for_json() {
        assert_eq!(escaped(b"plain"), "plain");
        assert_eq!(escaped(b"a\"b\\c\n\t\r\x01\x7f"), r#"a\"b\\c\n\t\r\u0001\u007f"#);
        assert_eq!(escaped("größe".as_bytes()), "größe");
        assert_eq!(escaped(b"a\xffb\xc3"), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn server_escapes_are_undone_where_the_result_is_text() {
        for (field, text) in [
            (r#"a \"quoted\" b"#, r#"a "quoted" b"#),
            (r"C:\\temp", r"C:\temp"),
            (r"\x22hi\x22", "\"hi\""),
            (r"\xd0\x9f", "П"),
            (r"a\tb", "a\tb"),
            // Not text, or not escapes: left as they stand.
            (r"\x16\x03\x01", r"\x16\x03\x01"),
            (r"\xff", r"\xff"),
            (r"\xzz \q \", r"\xzz \q \"),
        ] {
            assert_eq!(unescaped(field.as_bytes()), text.as_bytes(), "{field}");
        }
    }

    #[test]
    fn a_backslash_in_a_name_stands_behind_a_domain() {
        for (field, text) in [
            (r"CORP\bob", r"CORP\bob"),
            (r"CORP\\bob", r"CORP\bob"),
            (r"CORP\x5Cnick", r"CORP\nick"),
            (r"CORP\nick", r"CORP\nick"),
            (r"CORP\tom\x20x", r"CORP\tom x"),
            (r"CORP\xavier", r"CORP\xavier"),
            (r"CORP\\nick", r"CORP\nick"),
        ] {
            assert_eq!(unescaped_name(field.as_bytes()), text.as_bytes(), "{field}");
        }
    }

    #[test]
    fn escapes_of_json_are_undone_as_json_has_them() {
        for (field, text) in [
            (r#"a \"quoted\" b\\c"#, r#"a "quoted" b\c"#),
            (r"a\tb\u0009c\/d", "a\tb\tc/d"),
            ("gr\u{f6}\u{df}e", "gr\u{f6}\u{df}e"),
            // Nothing that nginx writes, or no text: left as it stands.
            (r"\x41\v\q\u00zz\u20ac\", r"\x41\v\q\u00zz\u20ac\"),
            (r"a\u0001", r"a\u0001"),
        ] {
            assert_eq!(unescaped_json(field.as_bytes()), text.as_bytes(), "{field}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_escaped_is_read_back_by_json(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let json = format!("\"{}\"", escaped(&bytes));
            let read: String = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn short_texts_are_copied_whole(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut out = b"before".to_vec();
            push_short(&mut out, &bytes);
            prop_assert_eq!(out.strip_prefix(b"before"), Some(&bytes[..]));
        }

        #[test]
        fn plain_means_that_nothing_is_escaped(
            bytes in proptest::collection::vec(prop_oneof![60 => 0x20..0x7f_u8, 1 => any::<u8>()], 0..80)
        ) {
            let untouched = !bytes.contains(&b'"') && escaped(&bytes).as_bytes() == bytes && bytes.is_ascii();
            prop_assert_eq!(is_plain(&bytes) && !bytes.contains(&b'"'), untouched);
            prop_assert_eq!(is_clean(&bytes), untouched);
        }

        #[test]
        fn undoing_escapes_never_panics(field in proptest::collection::vec(
            prop_oneof![Just(b'\\'), Just(b'x'), Just(b'"'), any::<u8>()], 0..40)) {
            let _ = (unescaped(&field), unescaped_json(&field));
        }
    }
}
