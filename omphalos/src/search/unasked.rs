//! Parts of a query that ask for nothing, or for what cannot be: servers say of them only that they cannot
//! be parsed, or find nothing without a word.

use super::query::{field_name, inside, value};

/// What is wrong with the first part that asks for nothing; as the end of a sentence.
pub fn unasked(typed: &str) -> Option<String> {
    let mut rest = typed;
    while let Some(character) = rest.chars().next() {
        if character.is_whitespace() || "()+-!&|".contains(character) {
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
            continue;
        }
        if character == ':' {
            return Some(
                "a colon has no field before it; quote what it belongs to, or write \\: for itself"
                    .to_owned(),
            );
        }
        let token;
        if let Some((name, after)) = field_name(rest) {
            (token, rest) = value(after);
            if let Some(what) = unasked_of_field(name, token, rest) {
                return Some(what);
            }
        } else {
            (token, rest) = value(rest);
        }
        let nested = inside(token).and_then(unasked);
        if let Some(what) = nested.or_else(|| weightless(token)).or_else(|| reversed(token)) {
            return Some(what);
        }
    }
    None
}

/// A field of which nothing is asked, be it that a value follows after a blank.
fn unasked_of_field(name: &str, token: &str, rest: &str) -> Option<String> {
    let asked = token.trim_start_matches(['<', '>', '=']).trim();
    if !asked.is_empty() && !asked.starts_with(')') {
        return None;
    }
    let sign = token.trim();
    let sign = if sign.starts_with(')') { "" } else { sign };
    let next = rest
        .split_whitespace()
        .next()
        .filter(|_| token.contains(char::is_whitespace) || !sign.is_empty());
    Some(match (name, next) {
        ("_exists_", None) => "_exists_: has no field behind it; write _exists_:FIELD".to_owned(),
        (_, Some(next)) => {
            format!("{name}:{sign} has a blank behind it; write {name}:{sign}{next} without one")
        }
        (_, None) if sign.is_empty() => format!(
            "{name}: has nothing behind it; write {name}:VALUE, or _exists_:{name} for all that have it"
        ),
        (_, None) => format!("{name}:{sign} has nothing behind it; write {name}:{sign}VALUE"),
    })
}

/// A weight that is no number.
fn weightless(token: &str) -> Option<String> {
    if token.starts_with(['"', '(', '[', '{']) && !token.ends_with(|c: char| c.is_alphanumeric()) {
        return None;
    }
    let (before, weight) = token.rsplit_once('^')?;
    let is_literal = before.ends_with('\\') || token.ends_with('"');
    (!is_literal && weight.parse::<f32>().is_err())
        .then(|| format!("^{weight} is no weight; write a number, or \\^ for itself"))
}

/// A range of numbers that ends before it begins.
fn reversed(token: &str) -> Option<String> {
    let (edges, _) = token.strip_prefix(['[', '{'])?.rsplit_once([']', '}'])?;
    let (from, to) = edges.split_once(" TO ")?;
    let (from, to) = (from.trim(), to.trim());
    let number = |text: &str| text.parse::<f64>().ok();
    let is_reversed = number(from)? > number(to)?;
    is_reversed.then(|| {
        format!("{token} ends before it begins, so nothing is in it; write [{to} TO {from}]")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_that_asks_for_nothing_is_told_with_what_to_write() {
        for (typed, expected) in [
            ("status:", "status: has nothing behind it; write status:VALUE, or _exists_:status"),
            ("a AND (status:)", "status: has nothing behind it"),
            ("status: 500", "status: has a blank behind it; write status:500 without one"),
            ("status:>", "status:> has nothing behind it; write status:>VALUE"),
            ("status:>= 500", "status:>= has a blank behind it; write status:>=500 without one"),
            ("k:(a status:)", "status: has nothing behind it"),
            ("_exists_:", "_exists_: has no field behind it"),
            (":x", "a colon has no field before it"),
            ("a :b", "a colon has no field before it"),
            ("foo^bar", "^bar is no weight"),
            ("k:foo^", "^ is no weight"),
            (
                "status:[500 TO 100]",
                "[500 TO 100] ends before it begins, so nothing is in it; write [100 TO 500]",
            ),
        ] {
            let told = unasked(typed).unwrap_or_default();
            assert!(told.starts_with(expected), "{typed}: {told:?}");
        }
        for typed in [
            "",
            "status:500 status:>=5 k:-5 (a OR b)^2 \"a^b\" k:\"x: y\" a\\:b a\\^b x^2.5",
            "status:[1 TO 2] status:[* TO 5] t:[2026-11-22 TO 2026-11-21] n:{5 TO 5}^3 12:30",
            "url:http://a/b _exists_:status k:(1 OR 2)",
        ] {
            assert_eq!(unasked(typed), None, "{typed}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_looked_at_to_its_end(typed in "[ab:( )\\\\\"\\[\\]{}TO*é^<>=-]{0,24}|.*") {
            let _ = unasked(&typed);
        }
    }
}
