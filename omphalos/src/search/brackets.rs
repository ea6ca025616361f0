//! Brackets and quotation marks that have no other end: servers say of such a query only that it cannot
//! be parsed, and show what became of it on the way there.

use super::query::quoted;

/// What has no other end in a query, or is no range in brackets; as the end of a sentence.
pub fn unbalanced(typed: &str) -> Option<String> {
    let mut open: Vec<usize> = Vec::new();
    let mut rest = typed;
    let mut before = ' ';
    while let Some(character) = rest.chars().next() {
        let at = typed.len() - rest.len();
        let behind = rest.get(character.len_utf8()..).unwrap_or_default();
        rest = behind;
        match character {
            '\\' => match behind.chars().next() {
                Some(escaped) => rest = behind.get(escaped.len_utf8()..).unwrap_or_default(),
                None => {
                    return Some(told(typed, at, "has nothing behind it; write \\\\ for itself"));
                }
            },
            '"' => {
                let phrase = quoted(behind);
                if !is_closed(phrase) {
                    return Some(told(
                        typed,
                        at,
                        "is never closed; close it, or write \\\" for itself",
                    ));
                }
                rest = behind.get(phrase.len()..).unwrap_or_default();
            }
            '(' => open.push(at),
            ')' if open.pop().is_none() => {
                return Some(told(
                    typed,
                    at,
                    "closes nothing; leave it out, or write \\) for itself",
                ));
            }
            '[' | '{' => match range(behind, before) {
                Ok(length) => rest = behind.get(length..).unwrap_or_default(),
                Err(why) => {
                    return Some(told(
                        typed,
                        at,
                        &format!("{why}, or write \\{character} for itself"),
                    ));
                }
            },
            ']' | '}' => {
                let what =
                    format!("closes nothing; leave it out, or write \\{character} for itself");
                return Some(told(typed, at, &what));
            }
            _ => {}
        }
        before = character;
    }
    let what = "is never closed; close it, or write \\( for itself";
    open.pop().map(|at| told(typed, at, what))
}

/// The length of a range behind its opening bracket, before which `before` stands; else what is wrong
/// with it.
fn range(text: &str, before: char) -> Result<usize, &'static str> {
    if !before.is_whitespace() && !"(:+-!".contains(before) {
        return Err("stands in a word; quote what it belongs to");
    }
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let at = text.len() - rest.len();
        let behind = rest.get(character.len_utf8()..).unwrap_or_default();
        if character.is_whitespace() {
            rest = behind;
            continue;
        }
        if matches!(character, ']' | '}') {
            let is_range = matches!(tokens.as_slice(), [_, "TO", _]);
            return if is_range { Ok(at + 1) } else { Err("begins no range; write [FROM TO END]") };
        }
        let length = if character == '"' {
            1 + quoted(behind).len()
        } else {
            rest.find(|one: char| one.is_whitespace() || matches!(one, ']' | '}'))
                .unwrap_or(rest.len())
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        tokens.push(token);
        rest = after;
    }
    Err("begins a range that is never closed; write [FROM TO END]")
}

/// Whether a phrase, without the quotation mark before it, ends with one.
fn is_closed(phrase: &str) -> bool {
    let Some(inside) = phrase.strip_suffix('"') else { return false };
    let escapes = inside.bytes().rev().take_while(|byte| *byte == b'\\').count();
    escapes % 2 == 0
}

/// What is wrong with the character at a place.
fn told(typed: &str, at: usize, what: &str) -> String {
    let (before, rest) = typed.split_at_checked(at).unwrap_or((typed, ""));
    let character = rest.chars().next().unwrap_or_default();
    format!("{character} at character {} {what}", before.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::operators::dangling;

    #[test]
    fn what_has_no_other_end_is_told_with_its_place() {
        for (typed, expected) in [
            ("(a", "( at character 1 is never closed"),
            ("a)", ") at character 2 closes nothing"),
            ("\"a", "\" at character 1 is never closed; close it, or write \\\" for itself"),
            ("a \"b\\\"", "\" at character 3 is never closed"),
            ("é (k:(a OR b)", "( at character 3 is never closed"),
            ("k:(a", "( at character 3 is never closed"),
            ("k:\"a", "\" at character 3 is never closed"),
            ("[1 TO", "[ at character 1 begins a range that is never closed; write [FROM TO END]"),
            ("n:[1 TO 2", "[ at character 3 begins a range that is never closed"),
            ("n:{1 TO 2", "{ at character 3 begins a range that is never closed"),
            ("n:[1 TO \"2]", "[ at character 3 begins a range that is never closed"),
            (
                "n:[1 2]",
                "[ at character 3 begins no range; write [FROM TO END], or write \\[ for itself",
            ),
            ("n:[1 TO]", "[ at character 3 begins no range"),
            ("n:[]", "[ at character 3 begins no range"),
            ("n:[1 to 2]", "[ at character 3 begins no range"),
            ("n:1 TO 2]", "] at character 9 closes nothing"),
            ("a}", "} at character 2 closes nothing"),
            ("x[0]", "[ at character 2 stands in a word; quote what it belongs to"),
            ("path:/a/{id}", "{ at character 9 stands in a word"),
            ("a\\", "\\ at character 2 has nothing behind it"),
        ] {
            let told = unbalanced(typed).unwrap_or_default();
            assert!(told.starts_with(expected), "{typed}: {told}");
        }
        for typed in [
            "",
            "a (b OR (c d)) \"(\" \"[\" \\( \\) \\[0\\] \\\"",
            "n:[1 TO 2] n:{* TO \"a ] b\"] +[a TO b} (n:[1 TO 2]^3) -[1 TO 2]",
            "k:\"a\\\\\" t:[2026-11-22T10:00:00+02:00 TO now]",
            "k:>=5 a:(\"x)\" OR y)~2",
        ] {
            assert_eq!(unbalanced(typed), None, "{typed}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_looked_at_to_its_end(typed in "[ab:( )\\\\\"\\[\\]{}TO*é-]{0,24}|.*") {
            let told = unbalanced(&typed);
            let _ = dangling(&typed);
            let has_any = typed.contains(['(', ')', '"', '[', ']', '{', '}', '\\']);
            prop_assert!(has_any || told.is_none(), "{told:?}");
        }
    }
}
