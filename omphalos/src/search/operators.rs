//! Operators that have nothing to stand between: servers say of such a query only that it cannot be
//! parsed.

use super::query::{field_name, inside, value};

/// What stood before a part of a query.
#[derive(Clone, Copy)]
enum Before<'t> {
    /// Nothing.
    Nothing,
    /// An operator that waits for what follows.
    Operator(&'t str),
    /// A part.
    Part,
}

/// The first operator of a query that has nothing before it, or nothing behind it.
pub fn dangling(typed: &str) -> Option<&str> {
    let mut before = Before::Nothing;
    let mut rest = typed;
    while let Some(character) = rest.chars().next() {
        let (token, after) = rest.split_at_checked(character.len_utf8())?;
        if character.is_whitespace() {
            rest = after;
            continue;
        }
        if let Some(sign) = ["&&", "||", "+", "-", "!"].iter().find(|sign| rest.starts_with(**sign))
        {
            let (sign, after) = rest.split_at_checked(sign.len())?;
            if sign.len() == 2 && !matches!(before, Before::Part) {
                return Some(sign);
            }
            (before, rest) = (Before::Operator(sign), after);
            continue;
        }
        match token {
            "(" => (before, rest) = (Before::Nothing, after),
            ")" => {
                if let Before::Operator(operator) = before {
                    return Some(operator);
                }
                (before, rest) = (Before::Part, after);
            }
            _ => {
                let (token, after) = part(rest);
                if field_name(rest).is_some() && matches!(token, "AND" | "OR" | "NOT") {
                    return Some(token);
                }
                match (token, before) {
                    ("AND" | "OR", Before::Part) | ("NOT", _) => before = Before::Operator(token),
                    ("AND" | "OR", _) => return Some(token),
                    _ => {
                        if let Some(operator) = inside(token).and_then(dangling) {
                            return Some(operator);
                        }
                        before = Before::Part;
                    }
                }
                rest = after;
            }
        }
    }
    match before {
        Before::Operator(operator) => Some(operator),
        Before::Nothing | Before::Part => None,
    }
}

/// A word, or what is asked of a field; and what follows.
fn part(text: &str) -> (&str, &str) {
    field_name(text).map_or_else(|| value(text), |(_, behind)| value(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_stands_between_parts_or_before_one() {
        for (typed, expected) in [
            ("a AND", Some("AND")),
            ("a OR ", Some("OR")),
            ("a NOT", Some("NOT")),
            ("AND a", Some("AND")),
            ("a AND OR b", Some("OR")),
            ("a AND NOT", Some("NOT")),
            ("(a AND) b", Some("AND")),
            ("a (OR b)", Some("OR")),
            ("k:(a AND)", Some("AND")),
            ("k:(a (b OR))", Some("OR")),
            ("a &&", Some("&&")),
            ("|| a", Some("||")),
            ("a -", Some("-")),
            ("+", Some("+")),
            ("a AND NOT b OR (c AND -d)", None),
            ("NOT a && !b || +c", None),
            ("k:(a OR b) AND status:[1 TO 2]", None),
            ("k:-5 AND l:>=-5", None),
            ("\"a AND\" and \"OR\"", None),
            ("k:AND", Some("AND")),
            ("a k:OR b", Some("OR")),
            ("a-b ANDROID k:\"AND\" x:ORE", None),
            ("", None),
            ("()", None),
        ] {
            assert_eq!(dangling(typed), expected, "{typed}");
        }
    }
}
