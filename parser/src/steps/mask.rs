//! What of a text is nobody's business, made unreadable: addresses, values of queries, tokens, numbers
//! of cards.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use super::view::{json_of, text_of};

/// What is masked.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Mask {
    /// IPv4 addresses become their network of 24 bits, IPv6 of 48.
    Addresses,
    /// Values in the query of a URL become `***`.
    Query,
    /// What stands behind `Bearer`, `Basic` or `Token`, and JSON web tokens, become `***`.
    Tokens,
    /// Numbers of cards become `*` but for the last four digits; in JSON numbers, `0`.
    Cards,
}

/// All of them.
pub const ALL: [Mask; 4] = [Mask::Addresses, Mask::Query, Mask::Tokens, Mask::Cards];

/// In place of what is not to be read.
const HIDDEN: &str = "***";

static IPV4: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}").ok());
static IPV6: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]+(?:\.[0-9]{1,3}){0,3}").ok());
static QUERY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"\?[^\s"'<>#?]+"#).ok());
static SCHEME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:bearer|basic|token)(?:%20|[\s:=+]){1,4}[a-z0-9._~+/=%-]{6,}").ok()
});
static JWT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?").ok()
});

impl Mask {
    /// The JSON of a plain value of the field `name` without what this masks; `None` if there is none.
    /// What is an object or a list is taken as one text.
    pub fn json(self, name: &str, json: &str) -> Option<String> {
        let text = if json.starts_with('"') {
            text_of(json)?
        } else if json.starts_with(['{', '[']) {
            Cow::Borrowed(json)
        } else {
            let is_number = json.bytes().all(|byte| byte.is_ascii_digit());
            return if self == Self::Cards && is_number { new(cards(json, b'0')) } else { None };
        };
        new(self.text(name, &text)).map(|masked| json_of(&masked))
    }

    /// A text of the field `name` without what this masks.
    pub fn text<'t>(self, name: &str, text: &'t str) -> Cow<'t, str> {
        match self {
            Self::Addresses => addresses(text),
            Self::Query if name == "url.query" => match hidden_values(text) {
                masked if masked == text => Cow::Borrowed(text),
                masked => Cow::Owned(masked),
            },
            Self::Query if text.contains('?') => {
                replaced(Cow::Borrowed(text), QUERY.as_ref(), |_, _, found| {
                    Some(hidden_values(found)).filter(|masked| masked != found)
                })
            }
            Self::Query => Cow::Borrowed(text),
            Self::Tokens => tokens(text),
            Self::Cards => cards(text, b'*'),
        }
    }
}

/// A text that is another than it was.
fn new(text: Cow<'_, str>) -> Option<String> {
    match text {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}

/// The text with each match of `pattern` replaced by what `replacement` says, which is told what stands
/// before and behind it, and the match.
fn replaced<'t>(
    text: Cow<'t, str>,
    pattern: Option<&Regex>,
    replacement: impl Fn(&str, &str, &str) -> Option<String>,
) -> Cow<'t, str> {
    let Some(pattern) = pattern else { return text };
    let (mut out, mut from) = (String::new(), 0);
    for found in pattern.find_iter(&text) {
        let before = text.get(..found.start()).unwrap_or_default();
        let behind = text.get(found.end()..).unwrap_or_default();
        if let Some(new) = replacement(before, behind, found.as_str()) {
            out.push_str(text.get(from..found.start()).unwrap_or_default());
            out.push_str(&new);
            from = found.end();
        }
    }
    if from == 0 {
        return text;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

fn addresses(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if text.contains(':') {
        text = replaced(text, IPV6.as_ref(), |before, behind, found| {
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
            if before.bytes().last().is_some_and(is_word)
                || behind.bytes().next().is_some_and(is_word)
            {
                return None;
            }
            // A colon behind it is of the text around.
            let (address, rest) = match found.strip_suffix(':') {
                Some(address) if !address.ends_with(':') => (address, ":"),
                _ => (found, ""),
            };
            let address: Ipv6Addr = address.parse().ok()?;
            let masked = match (address.segments(), address.to_ipv4_mapped()) {
                (_, Some(mapped)) => {
                    let [a, b, c, _] = mapped.octets();
                    format!("::ffff:{a}.{b}.{c}.0")
                }
                ([a, b, c, ..], None) => Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string(),
            };
            Some(masked + rest)
        });
    }
    if !text.contains('.') {
        return text;
    }
    replaced(text, IPV4.as_ref(), |before, behind, found| {
        let mut behind = behind.bytes();
        let is_longer = match (behind.next(), behind.next()) {
            (Some(b'.'), Some(next)) | (Some(next), _) => next.is_ascii_digit(),
            (None, _) => false,
        };
        let is_inside =
            before.bytes().last().is_some_and(|byte| byte.is_ascii_digit() || byte == b'.');
        let is_address = found.split('.').all(|part| part.parse::<u8>().is_ok());
        let (network, _) = found.rsplit_once('.')?;
        (!is_longer && !is_inside && is_address).then(|| format!("{network}.0"))
    })
}

/// A query with its values hidden.
fn hidden_values(query: &str) -> String {
    let mut out = String::with_capacity(query.len());
    for pair in query.split_inclusive(['&', ';']) {
        match pair.split_once('=') {
            Some((name, value)) => {
                let end = value.get(value.trim_end_matches(['&', ';']).len()..);
                out.extend([name, "=", HIDDEN, end.unwrap_or_default()]);
            }
            None => out.push_str(pair),
        }
    }
    out
}

fn tokens(text: &str) -> Cow<'_, str> {
    let text = replaced(Cow::Borrowed(text), JWT.as_ref(), |_, _, _| Some(HIDDEN.to_owned()));
    replaced(text, SCHEME.as_ref(), |_, _, found| {
        let scheme = found.bytes().take_while(u8::is_ascii_alphabetic).count();
        let behind = found.get(scheme..)?;
        // `token=***` is hidden already, and `basic settings` is no credential.
        let secret =
            behind.trim_start_matches("%20").trim_start_matches([' ', '\t', ':', '=', '+']);
        let is_word = secret.bytes().all(|byte| byte.is_ascii_lowercase());
        let gap = behind.get(..behind.len() - secret.len())?;
        (!is_word).then(|| format!("{}{gap}{HIDDEN}", found.get(..scheme).unwrap_or_default()))
    })
}

/// The shortest and the longest number that a card has.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// So many digits at the end of it stay.
const SHOWN_DIGITS: usize = 4;

fn cards(text: &str, mark: u8) -> Cow<'_, str> {
    if text.bytes().filter(u8::is_ascii_digit).count() < *CARD_DIGITS.start() {
        return Cow::Borrowed(text);
    }
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let may_begin =
            matches!(byte, b'2'..=b'6') && !before.is_some_and(u8::is_ascii_alphanumeric);
        let digits = if may_begin { card_at(bytes.get(at..).unwrap_or_default()) } else { None };
        let Some(places) = digits else {
            at += 1;
            continue;
        };
        if out.is_empty() {
            out.extend_from_slice(bytes);
        }
        let hidden = places.len() - SHOWN_DIGITS;
        // A number does not begin with 0.
        let from = usize::from(mark == b'0');
        for place in places.iter().take(hidden).skip(from) {
            if let Some(digit) = out.get_mut(at + place) {
                *digit = mark;
            }
        }
        at += places.last().map_or(1, |last| last + 1);
    }
    match String::from_utf8(out) {
        Ok(masked) if !masked.is_empty() => Cow::Owned(masked),
        _ => Cow::Borrowed(text),
    }
}

/// Where the digits are of the number of a card that begins here: they pass the check of Luhn, and stand
/// together, or in fours, or as 4, 6 and 5.
fn card_at(bytes: &[u8]) -> Option<Vec<usize>> {
    let (mut places, mut groups, mut best) = (Vec::new(), vec![0_usize], None);
    let mut at = 0;
    while places.len() < *CARD_DIGITS.end() {
        match bytes.get(at) {
            Some(byte) if byte.is_ascii_digit() => {
                places.push(at);
                if let Some(group) = groups.last_mut() {
                    *group += 1;
                }
            }
            Some(b' ' | b'-') if groups.last() != Some(&0) => groups.push(0),
            _ => break,
        }
        at += 1;
        let is_end = !bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
        if is_end
            && CARD_DIGITS.contains(&places.len())
            && is_grouped(&groups)
            && passes_luhn(bytes, &places)
        {
            best = Some(places.clone());
        }
    }
    best
}

fn is_grouped(groups: &[usize]) -> bool {
    matches!(groups, [_] | [4, 6, 5] | [4, 4, 4, 4] | [4, 4, 4, 4, 3])
}

/// <https://en.wikipedia.org/wiki/Luhn_algorithm>
fn passes_luhn(bytes: &[u8], places: &[usize]) -> bool {
    let digits = places.iter().rev().filter_map(|place| bytes.get(*place));
    let sum: u32 = digits
        .enumerate()
        .map(|(number, digit)| {
            let digit = u32::from(digit - b'0');
            match (number % 2, digit) {
                (0, digit) => digit,
                (_, digit @ 0..5) => digit * 2,
                (_, digit) => digit * 2 - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_become_their_networks() {
        for (text, masked) in [
            ("203.0.113.77", "203.0.113.0"),
            ("from 203.0.113.77:4711, and 10.1.2.3.", "from 203.0.113.0:4711, and 10.1.2.0."),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
            ("[2001:db8:1:2::7]:443", "[2001:db8:1::]:443"),
            ("::ffff:203.0.113.9", "::ffff:203.0.113.0"),
            ("fe80::1%eth0 and ::1", "fe80::%eth0 and ::"),
            ("client 2001:db8::7: closed", "client 2001:db8::: closed"),
            // None of these is an address.
            ("12:30:45", "12:30:45"),
            ("1.2.3.4.5", "1.2.3.4.5"),
            ("Chrome/120.0.6099.71", "Chrome/120.0.6099.71"),
            ("std::fmt and crate::abc", "std::fmt and crate::abc"),
            ("300.1.1.1", "300.1.1.1"),
        ] {
            assert_eq!(Mask::Addresses.text("message", text), masked, "{text}");
        }
    }

    #[test]
    fn values_of_queries_and_tokens_are_hidden() {
        for (mask, name, text, masked) in [
            (Mask::Query, "url.query", "a=1&token=x&b", "a=***&token=***&b"),
            (Mask::Query, "url.original", "/a?b=c%20d&e=#f", "/a?b=***&e=***#f"),
            (
                Mask::Query,
                "message",
                "GET /a?b=c HTTP/1.1 \"?x=1\"",
                "GET /a?b=*** HTTP/1.1 \"?x=***\"",
            ),
            (Mask::Query, "message", "why? a=b", "why? a=b"),
            (Mask::Tokens, "m", "Authorization: Bearer abc.DEF-123", "Authorization: Bearer ***"),
            (Mask::Tokens, "m", "token=s3cr3t99 x", "token=*** x"),
            (Mask::Tokens, "m", "jwt eyJhbGci.eyJzdWIi.sig_na-ture!", "jwt ***!"),
            (Mask::Tokens, "m", "basic settings were read", "basic settings were read"),
        ] {
            assert_eq!(mask.text(name, text), masked, "{text}");
        }
    }

    #[test]
    fn numbers_of_cards_keep_their_last_digits() {
        for (text, masked) in [
            ("4111111111111111", "************1111"),
            ("card 4111-1111-1111-1111 200 5120", "card ****-****-****-1111 200 5120"),
            ("3782 822463 10005.", "**** ****** *0005."),
            ("5555555555554444,4111111111111111", "************4444,************1111"),
            // Not one by Luhn, a time, and parts of longer words.
            ("4111111111111112", "4111111111111112"),
            ("1772096400123", "1772096400123"),
            ("x4111111111111111", "x4111111111111111"),
            ("4111111111111111a", "4111111111111111a"),
            ("200 5120 4096 3000 21", "200 5120 4096 3000 21"),
        ] {
            assert_eq!(Mask::Cards.text("message", text), masked, "{text}");
        }
        assert_eq!(Mask::Cards.json("n", "4111111111111111").as_deref(), Some("4000000000001111"));
        assert_eq!(Mask::Cards.json("n", "1.5"), None);
    }

    proptest! {
        #[test]
        fn masks_are_idempotent_and_keep_json_valid(text in "[0-9a-f:. ?&=\\-BearT\"\\\\é]{0,60}") {
            for mask in ALL {
                let once = mask.text("message", &text).into_owned();
                prop_assert_eq!(mask.text("message", &once), &*once);
                if let Some(json) = mask.json("message", &json_of(&text)) {
                    prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), once);
                }
            }
        }
    }
}
