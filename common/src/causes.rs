//! An error with its causes, in one sentence. Many an error says what its cause says, too, and each
//! layer above may put the same name in front: what was said is not said again.

use std::error::Error;

use anyhow::Chain;

/// An error, and behind it what its causes say that is new.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    joined(Chain::new(error))
}

/// The parts of one sentence, with colons in between, without what those before have already said.
pub fn joined(parts: impl IntoIterator<Item: ToString>) -> String {
    let mut said = String::new();
    for part in parts {
        add(&mut said, part.to_string().trim());
    }
    said
}

/// Adds what `part` says that was not `said`.
fn add(said: &mut String, part: &str) {
    if part.is_empty() || is_said(said, part) {
        return;
    }
    let again = ends(said).find(|start| goes_on(said.get(*start..), part));
    if let Some(start) = again {
        // It says the end once more, and then goes on.
        said.truncate(start);
    } else if !said.is_empty() {
        said.push_str(": ");
    }
    said.push_str(part);
}

/// Whether a part is the end of what was said, or stands in the middle of it. A single word in the
/// middle may be about something else.
fn is_said(said: &str, part: &str) -> bool {
    let is_sentence = part.contains(char::is_whitespace);
    said.match_indices(part).any(|(start, _)| {
        let (before, behind) = (said.get(..start), said.get(start + part.len()..));
        let before = before.and_then(|text| text.chars().next_back());
        let behind = behind.and_then(|text| text.chars().next());
        let is_alone = !is_of_word(before) && !is_of_word(behind);
        is_alone && (is_sentence || behind.is_none())
    })
}

/// Where the ends of what was said begin, behind each colon: the longest first.
fn ends(said: &str) -> impl Iterator<Item = usize> {
    let behind_colons = said.match_indices(": ").map(|(colon, separator)| colon + separator.len());
    std::iter::once(0).chain(behind_colons)
}

/// Whether `part` begins with all of `end`.
fn goes_on(end: Option<&str>, part: &str) -> bool {
    let rest = end.filter(|end| !end.is_empty()).and_then(|end| part.strip_prefix(end));
    rest.is_some_and(|rest| !is_of_word(rest.chars().next()))
}

fn is_of_word(character: Option<char>) -> bool {
    character.is_some_and(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kind of fault: each layer says what the one below says, and the reader gets it all twice.
    #[test]
    fn what_was_said_is_not_said_again() {
        for (parts, expected) in [
            (&[][..], ""),
            (&["a"], "a"),
            (&["cannot read x", "permission denied"], "cannot read x: permission denied"),
            (&["", "x", ""], "x"),
            // All of it, at the end, in the middle, or more than once.
            (&["error sending request", "error sending request"], "error sending request"),
            (
                &[
                    "error sending request for url (http://h/)",
                    "error sending request",
                    "unknown host",
                ],
                "error sending request for url (http://h/): unknown host",
            ),
            (
                &["a: no such file (os error 2)", "no such file (os error 2)"],
                "a: no such file (os error 2)",
            ),
            (&["x (dns error: no name)", "dns error: no name"], "x (dns error: no name)"),
            (&["x", "y: z", "z", "y: z"], "x: y: z"),
            // What it begins with, with more behind that.
            (&["store", "store: it is damaged"], "store: it is damaged"),
            (
                &["a", "error sending request", "error sending request for url (u)"],
                "a: error sending request for url (u)",
            ),
            (&["a: b: c", "b: c: d"], "a: b: c: d"),
            // What only looks as if it had been said.
            (&["cannot read a", "a"], "cannot read a"),
            (&["a cannot be read", "a"], "a cannot be read: a"),
            (&["cannot restore", "store"], "cannot restore: store"),
            (&["store", "stored twice"], "store: stored twice"),
            (&["no such file", "no such files"], "no such file: no such files"),
            (&["ä", "äö"], "ä: äö"),
        ] {
            assert_eq!(joined(parts), expected, "{parts:?}");
        }
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        #[derive(thiserror::Error, Debug)]
        #[error("cannot open x: {source}")]
        struct Outer {
            source: std::io::Error,
        }
        let outer = || Outer { source: std::io::Error::other("the disk is gone") };
        assert_eq!(with_causes(&outer()), "cannot open x: the disk is gone");
        let context = anyhow::Error::from(outer()).context("cannot start");
        assert_eq!(joined(context.chain()), "cannot start: cannot open x: the disk is gone");
    }
}
