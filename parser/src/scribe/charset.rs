//! How characters are written in a file, and where its lines end.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};
use memchr::{memchr_iter, memrchr_iter};
use serde::Deserialize;

/// The `encoding` setting.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum EncodingSetting {
    /// UTF-16 where the file begins with its mark, UTF-8 otherwise.
    Auto,
    /// UTF-8.
    #[serde(rename = "utf-8")]
    Utf8,
    /// ISO 8859-1, as Windows-1252, which has characters where the former has controls
    /// (<https://encoding.spec.whatwg.org/#names-and-labels>).
    #[serde(rename = "latin-1")]
    Latin1,
    /// UTF-16 with the low byte first.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16 with the high byte first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
}

impl EncodingSetting {
    /// What can be set.
    pub const NAMES: &'static [&'static str] =
        &["auto", "utf-8", "latin-1", "utf-16le", "utf-16be"];
}

/// How the characters of one file are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// One byte or several, of which those of ASCII never stand for anything else.
    #[default]
    Utf8,
    /// One byte each.
    Latin1,
    /// Two bytes, the low one first.
    Utf16Le,
    /// Two bytes, the high one first.
    Utf16Be,
}

/// The longest mark at the beginning of a file.
pub const MARK_BYTES: usize = 3;

impl Charset {
    /// The charset of a file that begins with `head`.
    pub fn of(setting: EncodingSetting, head: &[u8]) -> Self {
        match setting {
            EncodingSetting::Auto => match head {
                [0xff, 0xfe, ..] => Self::Utf16Le,
                [0xfe, 0xff, ..] => Self::Utf16Be,
                _ => Self::Utf8,
            },
            EncodingSetting::Utf8 => Self::Utf8,
            EncodingSetting::Latin1 => Self::Latin1,
            EncodingSetting::Utf16Le => Self::Utf16Le,
            EncodingSetting::Utf16Be => Self::Utf16Be,
        }
    }

    /// Whether a line is what its bytes are.
    pub fn is_utf8(self) -> bool {
        self == Self::Utf8
    }

    /// How many bytes stand for a line feed.
    pub fn unit(self) -> usize {
        match self {
            Self::Utf8 | Self::Latin1 => 1,
            Self::Utf16Le | Self::Utf16Be => 2,
        }
    }

    /// The part of `data` that ends where a character does; `data` begins where one does.
    pub fn whole_units(self, data: &[u8]) -> &[u8] {
        data.split_at(data.len() - data.len() % self.unit()).0
    }

    /// Where the lines in `data` end: behind each line feed. `data` begins where a character does.
    pub fn line_ends(self, data: &[u8]) -> impl Iterator<Item = usize> {
        let ends = memchr_iter(b'\n', data).filter(move |at| self.is_line_feed(data, *at));
        ends.map(move |at| self.end_of(at))
    }

    /// Where the last line that ends in `data` does.
    pub fn last_line_end(self, data: &[u8]) -> Option<usize> {
        let mut ends = memrchr_iter(b'\n', data).filter(|at| self.is_line_feed(data, *at));
        ends.next().map(|at| self.end_of(at))
    }

    fn end_of(self, line_feed: usize) -> usize {
        line_feed + if self == Self::Utf16Le { 2 } else { 1 }
    }

    fn is_line_feed(self, data: &[u8], at: usize) -> bool {
        match self {
            Self::Utf8 | Self::Latin1 => true,
            Self::Utf16Le => at.is_multiple_of(2) && data.get(at + 1) == Some(&0),
            Self::Utf16Be => !at.is_multiple_of(2) && data.get(at.wrapping_sub(1)) == Some(&0),
        }
    }

    /// A line without its end. `None` where it has none.
    pub fn without_end(self, line: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Utf8 | Self::Latin1 => line.strip_suffix(b"\n"),
            Self::Utf16Le => line.strip_suffix(b"\n\0"),
            Self::Utf16Be => line.strip_suffix(b"\0\n"),
        }
    }

    /// The bytes of a file's first line without the mark before them.
    pub fn without_mark(self, line: &[u8]) -> &[u8] {
        let mark: &[u8] = match self {
            Self::Utf8 => b"\xef\xbb\xbf",
            Self::Latin1 => b"",
            Self::Utf16Le => b"\xff\xfe",
            Self::Utf16Be => b"\xfe\xff",
        };
        line.strip_prefix(mark).unwrap_or(line)
    }

    /// A line as UTF-8, without the carriage return at its end. What is no character becomes U+FFFD,
    /// except in UTF-8 itself, which stays as it is here.
    pub fn text(self, line: &[u8]) -> Cow<'_, [u8]> {
        let encoding: &Encoding = match self {
            Self::Utf8 => return Cow::Borrowed(without_return(line)),
            Self::Latin1 => WINDOWS_1252,
            Self::Utf16Le => UTF_16LE,
            Self::Utf16Be => UTF_16BE,
        };
        let (text, _) = encoding.decode_without_bom_handling(line);
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(without_return(text.as_bytes())),
            Cow::Owned(text) => {
                let mut bytes = text.into_bytes();
                bytes.truncate(without_return(&bytes).len());
                Cow::Owned(bytes)
            }
        }
    }

    /// Whether `line` has something that is no character.
    pub fn is_invalid(self, line: &[u8]) -> bool {
        match self {
            Self::Utf8 => std::str::from_utf8(line).is_err(),
            Self::Latin1 => false,
            Self::Utf16Le => UTF_16LE.decode_without_bom_handling(line).1,
            Self::Utf16Be => UTF_16BE.decode_without_bom_handling(line).1,
        }
    }
}

/// A line without the carriage return at its end.
pub fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(charset: Charset, text: &str) -> Vec<u8> {
        match charset {
            Charset::Utf8 => text.as_bytes().to_vec(),
            Charset::Latin1 => WINDOWS_1252.encode(text).0.into_owned(),
            Charset::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Charset::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }

    fn lines(charset: Charset, data: &[u8]) -> Vec<String> {
        let mut start = 0;
        let mut lines = Vec::new();
        for end in charset.line_ends(data) {
            let line = charset.without_end(&data[start..end]).unwrap();
            let line = if start == 0 { charset.without_mark(line) } else { line };
            lines.push(String::from_utf8(charset.text(line).into_owned()).unwrap());
            start = end;
        }
        assert_eq!(charset.last_line_end(data).unwrap_or(0), start);
        lines
    }

    #[test]
    fn lines_are_the_same_in_every_charset() {
        // U+0A0A and U+0A00 hold the bytes of a line feed in UTF-16.
        let text = "naïve\r\nÿ\n\nplain\n";
        for charset in [Charset::Utf8, Charset::Latin1, Charset::Utf16Le, Charset::Utf16Be] {
            let found = lines(charset, &encode(charset, text));
            assert_eq!(found, ["naïve", "ÿ", "", "plain"], "{charset:?}");
        }
        let tricky = "\u{0a0a}\u{0a00}\u{000a}\u{0a0d}x\n";
        for charset in [Charset::Utf8, Charset::Utf16Le, Charset::Utf16Be] {
            let found = lines(charset, &encode(charset, tricky));
            assert_eq!(found, ["\u{0a0a}\u{0a00}", "\u{0a0d}x"], "{charset:?}");
        }
    }

    #[test]
    fn the_mark_tells_the_charset_and_is_no_text() {
        for (mark, charset) in [
            (&b"\xff\xfe"[..], Charset::Utf16Le),
            (b"\xfe\xff", Charset::Utf16Be),
            (b"\xef\xbb\xbf", Charset::Utf8),
            (b"", Charset::Utf8),
        ] {
            let file = [mark, &encode(charset, "a\nb\n")].concat();
            assert_eq!(Charset::of(EncodingSetting::Auto, &file), charset);
            assert_eq!(lines(charset, &file), ["a", "b"], "{charset:?}");
        }
    }

    #[test]
    fn what_is_no_character_is_seen() {
        assert!(Charset::Utf8.is_invalid(b"a\xff"));
        assert!(!Charset::Utf8.is_invalid("é".as_bytes()));
        assert!(Charset::Utf16Le.is_invalid(b"\x00\xd8a\0"));
        assert!(!Charset::Latin1.is_invalid(b"\xff\x81"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data in proptest::collection::vec(any::<u8>(), 0..60)) {
            for charset in [Charset::Utf8, Charset::Latin1, Charset::Utf16Le, Charset::Utf16Be] {
                let mut start = 0;
                for end in charset.line_ends(&data) {
                    prop_assert!(end > start && end <= data.len());
                    charset.text(charset.without_end(&data[start..end]).unwrap());
                    start = end;
                }
            }
        }
    }
}
