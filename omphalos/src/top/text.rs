//! Texts of strangers: what stands in a log does nothing to a terminal, and is cut by the columns that
//! it takes.

use omphalos_common::clean;
use unicode_width::UnicodeWidthChar;

/// Marks that take no column, in a row, that a character may have. Real scripts need no more.
const MOST_MARKS: usize = 2;

/// `text` on one line, harmless, and no wider than `width` columns; what is cut ends in `ellipsis`.
pub fn shown(text: &str, width: usize, ellipsis: &str) -> String {
    let is_ascii = ellipsis.is_ascii();
    let room = width.saturating_sub(ellipsis.len().min(columns(ellipsis)));
    let mut shown = String::new();
    // What is left when there is no room for all of it, and the ellipsis has to follow.
    let mut kept = 0;
    let (mut taken, mut marks) = (0, 0);
    for character in text.chars() {
        let Some(character) = harmless(character, is_ascii) else { continue };
        let wide = character.width().unwrap_or(0);
        marks = if wide == 0 { marks + 1 } else { 0 };
        if marks > MOST_MARKS || (wide == 0 && shown.is_empty()) {
            continue;
        }
        if taken + wide > width {
            shown.truncate(kept);
            if columns(ellipsis) <= width {
                shown.push_str(ellipsis);
            }
            return shown;
        }
        taken += wide;
        shown.push(character);
        if taken <= room {
            kept = shown.len();
        }
    }
    shown
}

/// All of `text` on one line, harmless.
pub fn clean(text: &str) -> String {
    shown(text, usize::MAX, "…")
}

/// How many columns `text` takes.
pub fn columns(text: &str) -> usize {
    text.chars().filter_map(UnicodeWidthChar::width).sum()
}

/// What stands for a character; `None` where nothing does.
fn harmless(character: char, is_ascii: bool) -> Option<char> {
    let safe = clean::harmless(character)?;
    Some(if is_ascii && !safe.is_ascii() { '?' } else { safe })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_a_command() {
        for (text, expected) in [
            ("/a b", "/a b"),
            ("\u{1b}[2J", "␛[2J"),
            ("a\r\nb\tc\0", "a␍␊b␉c␀"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("exe.\u{202e}gpj", "exe.\u{fffd}gpj"),
            ("a\u{2066}b\u{2069}\u{200b}", "a\u{fffd}b\u{fffd}\u{fffd}"),
            ("e\u{301}\u{301}\u{301}\u{301}", "e\u{301}\u{301}"),
            ("\u{301}a", "a"),
            ("👩\u{200d}👩", "👩\u{fffd}👩"),
            ("❤\u{fe0f}", "❤"),
        ] {
            assert_eq!(clean(text), expected, "{text:?}");
        }
        assert_eq!(shown("häß\u{1b}", 9, "..."), "h???");
    }

    #[test]
    fn what_is_cut_is_as_wide_as_asked() {
        for (text, width, expected) in [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abcde…"),
            ("漢字漢字", 8, "漢字漢字"),
            ("漢字漢字", 7, "漢字漢…"),
            ("漢字漢字", 6, "漢字…"),
            ("漢字", 1, "…"),
            ("abc", 0, ""),
            ("", 3, ""),
        ] {
            assert_eq!(shown(text, width, "…"), expected, "{text} {width}");
        }
        assert_eq!(shown("abcdefg", 6, "..."), "abc...");
        assert_eq!(shown("abcdefg", 2, "..."), "");
    }
}
