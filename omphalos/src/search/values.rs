//! Values that no field of a type can have, in whatever form they are asked for: alone, as an edge of a
//! range, in a group. A server that is asked leniently passes over them, and finds nothing.

use std::net::IpAddr;

use omphalos_store::query::{Dates, Rounding, Viewpoint};

use super::query::{field_name, inside, value};

/// Types of numbers; those of whole ones come first.
pub const NUMBERS: [&str; 9] = [
    "long",
    "integer",
    "short",
    "byte",
    "unsigned_long",
    "double",
    "float",
    "half_float",
    "scaled_float",
];
/// So many of them are whole.
const WHOLE: usize = 5;

/// One value of those that a part of a query asks a field for.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked<'t> {
    /// The value, as it was typed.
    pub text: &'t str,
    /// Whether it is an edge of a range.
    is_edge: bool,
}

/// The values in what is asked of a field, but those with wildcards: a word, a phrase, a comparison, a
/// range or a group of them.
pub fn asked_of(typed: &str) -> Vec<Asked<'_>> {
    let Some(mut rest) = inside(typed) else { return asked_of_part(typed) };
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() || "()+-!".contains(first) && !is_number(rest) {
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        } else if let Some((_, behind)) = field_name(rest) {
            // What is asked of another field in between is none of this one's.
            (_, rest) = value(behind);
        } else {
            let part;
            (part, rest) = value(rest);
            if !matches!(part, "AND" | "OR" | "NOT" | "&&" | "||") {
                found.extend(asked_of_part(part));
            }
        }
    }
    found
}

/// The same of what is no group.
fn asked_of_part(typed: &str) -> Vec<Asked<'_>> {
    if let Some(edges) = typed.strip_prefix(['[', '{']) {
        let edges = edges.rsplit_once([']', '}']).map_or(edges, |(edges, _)| edges);
        let (from, to) = edges.split_once(" TO ").unwrap_or((edges, "*"));
        let edges = [from, to].map(|edge| bare(edge.trim())).into_iter();
        let given = edges.filter(|edge| !edge.is_empty() && *edge != "*");
        return given.map(|text| Asked { text, is_edge: true }).collect();
    }
    let compared = typed.trim_start_matches(['<', '>', '=']);
    let text = bare(without_weight(compared));
    let has_wildcard = !typed.starts_with('"') && text.contains(['*', '?']);
    if text.is_empty() || has_wildcard {
        return Vec::new();
    }
    vec![Asked { text, is_edge: compared.len() < typed.len() }]
}

/// Whether a sign is that of a number.
fn is_number(text: &str) -> bool {
    let has_sign = text.starts_with(['+', '-']);
    has_sign && text.chars().nth(1).is_some_and(|next| next.is_ascii_digit() || next == '.')
}

/// Without quotation marks.
fn bare(text: &str) -> &str {
    text.trim_matches('"')
}

/// Without what says how much it counts: `^2`.
fn without_weight(text: &str) -> &str {
    match text.rsplit_once('^') {
        Some((text, weight)) if weight.parse::<f32>().is_ok() => text,
        _ => text,
    }
}

impl Asked<'_> {
    /// What a field of a type has instead, if it cannot have this.
    pub fn misfit(&self, kind: &str) -> Option<&'static str> {
        let text = self.text.replace('\\', "");
        let number = || text.parse::<f64>().ok().filter(|number| number.is_finite());
        let (fits, expected) = match kind {
            // Between whole numbers are others.
            _ if NUMBERS.iter().take(WHOLE).any(|whole| *whole == kind) && !self.is_edge => {
                (number().is_some_and(|number| number.fract() == 0.0), "a whole number")
            }
            _ if NUMBERS.contains(&kind) => (number().is_some(), "a number"),
            "date" | "date_nanos" => (may_be_date(&text), "a date, such as 2026-11-22 or now-1h"),
            "ip" if self.is_edge => (text.parse::<IpAddr>().is_ok(), "an address"),
            "ip" => (is_network(&text), "an address, or a network such as 10.0.0.0/8"),
            "boolean" => (matches!(text.as_str(), "true" | "false"), "true or false"),
            "object" => (false, "one of the fields below it"),
            _ => return None,
        };
        (!fits).then_some(expected)
    }
}

/// An address, or as many of its first bits as it has.
fn is_network(text: &str) -> bool {
    let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| length.parse::<u8>().is_ok_and(|length| length <= most))
}

/// Whether it may be a date to a server. What begins as ISO 8601 has it, or is counted from now, must be
/// one; a field may take dates in other forms, of which it is known only that they begin with a digit.
fn may_be_date(text: &str) -> bool {
    let is_year = |year: &str| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    let is_iso = text.split_once('-').is_some_and(|(year, _)| is_year(year));
    if is_iso || text.starts_with("now") {
        return Dates::default().read(text, &Viewpoint::default(), Rounding::Down).is_ok();
    }
    text.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a type has, and what it has not; alone, and as an edge of a range.
    type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

    const ALONE: [Row; 8] = [
        ("long", &["5", "-5", "5.0", "1e3", "\\-5"], &["x", "5.5", "1e400", "nan", "5x"]),
        ("byte", &["5"], &["x", "5.5"]),
        ("double", &["5", "5.5", "-1e3"], &["x", "inf", "1,5"]),
        ("scaled_float", &["0.1"], &["x"]),
        (
            "date",
            &[
                "2026",
                "2026-11",
                "2026-11-22",
                "2026-11-22T10:00:00+02:00",
                "2026-11-22||-1d",
                "now-1h/d",
                "1795863645000",
                "22/11/2026",
            ],
            &["x", "2026-13", "2026-02-30", "2026-11-22T25", "now-x", "yesterday"],
        ),
        (
            "ip",
            &["1.2.3.4", "1.2.3.4/32", "::1", "2001:db8::/128", "1.2.3.4/0"],
            &["x", "1.2.3.4/33", "::1/129", "1.2.3.4/", "1.2.3/8", "256.1.1.1", "1.2.3.4/-1"],
        ),
        ("boolean", &["true", "false"], &["yes", "1"]),
        ("object", &[], &["x", "5"]),
    ];
    const EDGES: [Row; 8] = [
        ("long", &["5", "5.5", "-5"], &["x", "1e400"]),
        ("byte", &["5.5"], &["x"]),
        ("double", &["5.5"], &["x", "nan"]),
        ("scaled_float", &["0.1"], &["x"]),
        ("date", &["2026-11-22", "now-1h", "2026"], &["x", "2026-13-01", "now-x"]),
        ("ip", &["1.2.3.4", "::1"], &["x", "1.2.3.4/8", "1.2.3"]),
        ("boolean", &["true"], &["yes"]),
        ("object", &[], &["x"]),
    ];

    fn is_told(kind: &str, typed: &str) -> bool {
        asked_of(typed).iter().any(|asked| asked.misfit(kind).is_some())
    }

    /// The kind of fault: an impossible value is told in one form, and in another nothing is found.
    #[test]
    fn what_no_field_of_a_type_can_have_is_told_in_every_form_and_nothing_else_is() {
        let alone: [&dyn Fn(&str) -> String; 7] = [
            &|value| value.to_owned(),
            &|value| format!("\"{value}\""),
            &|value| format!("({value})"),
            &|value| format!("(\"{value}\")"),
            &|value| format!("{value}^2"),
            &|value| format!("(x* OR {value} AND (y* NOT {value}))"),
            &|value| format!("(other:q OR other:(z) OR {value})"),
        ];
        let edges: [&dyn Fn(&str) -> String; 10] = [
            &|value| format!("[{value} TO *]"),
            &|value| format!("[* TO {value}]"),
            &|value| format!("{{* TO {value}}}"),
            &|value| format!("{{{value} TO *]"),
            &|value| format!("[\"{value}\" TO *]^2"),
            &|value| format!(">={value}"),
            &|value| format!("<{value}"),
            &|value| format!("(>{value} OR q*)"),
            &|value| format!("([{value} TO *] AND z*)"),
            &|value| format!("[{value} TO {value}]"),
        ];
        for (rows, forms) in [(ALONE, &alone[..]), (EDGES, &edges[..])] {
            for (kind, right, wrong) in rows {
                for form in forms {
                    for value in right {
                        let typed = form(value);
                        assert!(!is_told(kind, &typed), "{kind}: {typed}");
                    }
                    for value in wrong {
                        let typed = form(value);
                        assert!(is_told(kind, &typed), "{kind}: {typed}");
                    }
                }
            }
        }
        for typed in ["*", "5*", "x?", "[* TO *]", "", "()", "\"\""] {
            assert_eq!(asked_of(typed), [], "{typed}");
        }
        assert!(!is_told("text", "[x TO y]") && !is_told("keyword", "x"));
    }
}
