//! What others wrote, made harmless: names of files and hosts, lines, reasons, answers of servers. Whoever
//! chose them may have put commands for a terminal into them, what turns the direction of writing, or a line
//! feed and what looks like the next line of ours.
//!
//! Each text from outside goes through [`clean`] where it becomes a part of a line, or through
//! [`clean_json`] where it is one of JSON; whatever is written to a terminal or to our log goes through
//! [`clean_lines`] or [`clean_json`] once more ([`crate::said`], [`crate::telemetry`]), so that nothing is
//! forgotten.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The first so many characters of a text, and … where there are more.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Whether a character would do something to a terminal, or to the text around it.
pub fn is_harmful(character: char) -> bool {
    harmless(character) != Some(character)
}

/// What stands for a character; `None` where nothing does.
pub fn harmless(character: char) -> Option<char> {
    let code = u32::from(character);
    match character {
        // Their pictures: a line feed looks like one, and an escape like one.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + code),
        '\u{7f}' => Some('\u{2421}'),
        // Selectors of a variant: terminals differ on how wide they make the character before them.
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => None,
        // C1, marks and overrides of direction, what is invisible, separators of lines, tags.
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => Some('\u{fffd}'),
        other => Some(other),
    }
}

/// Whether there is nothing but visible characters of ASCII in `text`, blanks and line ends, which are nearly all
/// that there ever is. It looks at many bytes at once: all that is printed comes by here.
fn is_plain(text: &str) -> bool {
    let is_other = |byte: u8| !matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t');
    let has_other = |bytes: &[u8]| bytes.iter().fold(false, |has, byte| has | is_other(*byte));
    !text.as_bytes().chunks(64).any(has_other)
}

/// `text` on one line, harmless.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter_map(harmless).collect())
}

/// The same of a text whose lines are ours; its colours stay where they are wanted.
pub fn clean_lines(text: &str, with_colours: bool) -> Cow<'_, str> {
    if !text.contains(|character| character != '\n' && is_harmful(character)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let colour = if with_colours { colour(rest) } else { None };
        let (taken, behind) = rest.split_at(colour.unwrap_or(character.len_utf8()));
        match colour {
            Some(_) => safe.push_str(taken),
            None if character == '\n' => safe.push('\n'),
            None => safe.extend(harmless(character)),
        }
        rest = behind;
    }
    Cow::Owned(safe)
}

/// How long the command at the beginning of `text` is, if it sets colours and does nothing else (ECMA-48,
/// SGR).
fn colour(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let end = numbers.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    numbers.get(end..)?.starts_with('m').then_some(2 + end + 1)
}

/// JSON that says the same, number for number, with what could harm a terminal escaped. White space between
/// values stays as it is.
pub fn clean_json(json: &str) -> Cow<'_, str> {
    let is_space = |character| matches!(character, '\n' | '\r' | '\t');
    if is_plain(json) || !json.contains(|character| !is_space(character) && is_harmful(character)) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        if is_harmful(character) && !is_space(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                write!(safe, "\\u{unit:04x}").unwrap_or_default();
            }
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// JSON on one line, harmless.
pub fn clean_json_line(json: &str) -> String {
    let mut line = clean_json(json).into_owned();
    // Within texts they are escaped: what is left is white space between values.
    line.retain(|character| !matches!(character, '\n' | '\r' | '\t'));
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn nothing_in_a_text_is_a_command() {
        for (text, expected) in [
            ("/a b", "/a b"),
            ("\u{1b}[2J", "␛[2J"),
            ("a\r\nb\tc\0\u{7}", "a␍␊b␉c␀␇"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("exe.\u{202e}gpj", "exe.\u{fffd}gpj"),
            ("a\u{2066}b\u{2069}\u{200b}", "a\u{fffd}b\u{fffd}\u{fffd}"),
            ("❤\u{fe0f}", "❤"),
        ] {
            assert_eq!(clean(text), expected, "{text:?}");
        }
    }

    #[test]
    fn of_the_lines_that_are_ours_only_colours_stay() {
        let text = "\u{1b}[1;31mred\u{1b}[0m\u{1b}[2J\u{1b}[31\n\u{1b}]0;title\u{7}";
        assert_eq!(clean_lines(text, true), "\u{1b}[1;31mred\u{1b}[0m␛[2J␛[31\n␛]0;title␇");
        assert_eq!(clean_lines(text, false), "␛[1;31mred␛[0m␛[2J␛[31\n␛]0;title␇");
        assert_eq!(clean_lines("a\u{1b}[", true), "a␛[");
    }

    proptest! {
        #[test]
        fn what_is_clean_is_harmless_and_json_says_the_same(text in any::<String>(), more in "[\u{0}-\u{20}\u{7f}-\u{9f}\u{2020}-\u{2070}\u{e0000}-\u{e0200}\"\\\\]{0,20}") {
            let text = text + &more;
            prop_assert!(!clean(&text).contains(is_harmful));
            prop_assert!(!clean_lines(&text, false).replace('\n', "").contains(is_harmful));
            let value = serde_json::json!({ &text: [text, 1.50] });
            for json in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let safe = clean_json(&json);
                prop_assert!(!safe.replace('\n', "").contains(is_harmful));
                prop_assert_eq!(&serde_json::from_str::<Value>(&safe).unwrap(), &value);
                let line = clean_json_line(&json);
                prop_assert!(!line.contains(is_harmful));
                prop_assert_eq!(&serde_json::from_str::<Value>(&line).unwrap(), &value);
            }
        }
    }
}
