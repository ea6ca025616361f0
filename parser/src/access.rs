//! Common and combined log formats, as Apache and nginx write them.
//!
//! `[vhost] host ident user [time] "request" status bytes ["referrer" "user agent" ["forwarded for"]]`
//! (<https://httpd.apache.org/docs/2.4/logs.html#accesslog>)
//!
//! Logs of other formats look like these, and a field that is taken for another is worse than none.
//! So a line says who made the request only if it can be read in one way: what stands before the
//! time is in `head.rs`. Where it cannot, its other fields are still read, and it is a failure.

mod head;
pub mod plan;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use memchr::{memchr, memchr_iter, memrchr};

use super::address::first_of_list;
use super::request::{Request, Texts};
use super::text::is_plain;
use super::time::{Calendar, Time, TimeFormat};
use super::{Fields, List, Parse, Parsed};

/// Parser of the common and combined formats.
#[derive(Debug, Clone, Copy)]
pub struct AccessParser {
    virtual_host: bool,
    combined: bool,
    /// Whether nothing may stand behind its last field.
    is_exact: bool,
}

impl AccessParser {
    pub(super) fn clf() -> Self {
        Self { virtual_host: false, combined: false, is_exact: false }
    }

    pub(super) fn combined() -> Self {
        Self { virtual_host: false, combined: true, is_exact: false }
    }

    pub(super) fn vhost_combined() -> Self {
        Self { virtual_host: true, combined: true, is_exact: false }
    }

    /// The same of lines that end with the last field.
    fn exact(self) -> Self {
        Self { is_exact: true, ..self }
    }

    /// Reads from left to right, and says whether a field has a quote in it. Where it is not certain it stops with a problem, but for what stands
    /// before the time, behind which all else can be read.
    fn read<'a>(
        self,
        calendar: &mut Calendar,
        line: &'a [u8],
        fields: &mut Request<'a>,
        time: &mut Option<Time>,
    ) -> Result<bool, &'static str> {
        let (before, when, rest) = split_at_time(calendar, line)?;
        *time = Some(when);
        let head = head::read(before, self.virtual_host, fields);
        let has_quotes = self.read_behind_time(rest, fields);
        head.and(has_quotes)
    }

    fn read_behind_time<'a>(
        self,
        rest: &'a [u8],
        fields: &mut Request<'a>,
    ) -> Result<bool, &'static str> {
        let read = self.read_fields(rest, fields);
        // A line that is all fields of the format can be read in one way.
        if (read.is_err() || fields.more) && has_another_end(rest) {
            fields.forget_exchange();
            return Err("a quote in the request is not escaped, so that it may end in two places");
        }
        read
    }

    fn read_fields<'a>(
        self,
        mut rest: &'a [u8],
        fields: &mut Request<'a>,
    ) -> Result<bool, &'static str> {
        let mut has_quotes = false;
        let mut quoted = |rest: &mut &'a [u8]| {
            let (text, has_quote) = quoted(rest)?;
            has_quotes |= has_quote;
            Some(text)
        };
        let request = quoted(&mut rest).ok_or("the request is not closed by a quote")?;
        read_request(request, fields);
        fields.more |= self.virtual_host && fields.hides_a_host();
        let status = token(&mut rest).ok_or("the line ends after the request")?;
        // What is behind a status that is none can be read without it.
        let status = if status == b"-" { Ok(None) } else { three_digits(status).map(Some) };
        fields.status = status.unwrap_or_default();
        let bytes = token(&mut rest).ok_or("the line ends after the status")?;
        fields.bytes = number(bytes, "the size is not a number")?;
        if self.combined {
            let referrer = quoted(&mut rest).ok_or("the referrer is not closed by a quote")?;
            fields.referrer = present(referrer);
            let agent = quoted(&mut rest).ok_or("the user agent is not closed by a quote")?;
            fields.user_agent = present(agent);
        }
        if self.is_exact && !rest.trim_ascii().is_empty() {
            return Err(if self.combined { BEHIND_AGENT } else { BEHIND_SIZE });
        }
        if !rest.is_empty() {
            self.read_tail(rest, fields)?;
        }
        status.map(|_| has_quotes)
    }

    /// What stands behind the last field of the format. nginx's own `main` has the addresses there
    /// that proxies told; the rest is for the message.
    fn read_tail<'a>(self, rest: &'a [u8], fields: &mut Request<'a>) -> Result<(), &'static str> {
        let mut tail = rest;
        let is_forwarded =
            self.combined && quoted(&mut tail).is_some_and(|(text, _)| fields.take_forwarded(text));
        if !is_forwarded {
            tail = rest;
        }
        fields.more |= !tail.trim_ascii().is_empty();
        let mut quotes = memchr_iter(b'"', tail);
        let is_open = quotes.by_ref().filter(|at| !is_escaped_at(tail, *at)).count() % 2 == 1;
        if is_open { Err("a text has a quote in it that is not escaped") } else { Ok(()) }
    }
}

const BEHIND_AGENT: &str =
    "expected the end of the line behind the user agent, as the format says, found more";
const BEHIND_SIZE: &str =
    "expected the end of the line behind the size, as the format says, found more";

impl<'a> Request<'a> {
    /// Forgets what stands behind the time.
    fn forget_exchange(&mut self) {
        (self.method, self.target, self.version) = (None, None, None);
        (self.status, self.bytes) = (None, None);
        (self.referrer, self.user_agent, self.forwarded) = (None, None, None);
    }

    /// Takes in a list of addresses that proxies made; false where it is none for certain.
    pub(super) fn take_forwarded(&mut self, text: &'a [u8]) -> bool {
        if present(text).is_none() {
            return true;
        }
        let Some(first) = first_of_list(text) else { return false };
        let is_all = first.ip() == Some(text);
        if !is_all && self.forwarded_list.is_some() {
            return false;
        }
        self.forwarded = first.ip();
        self.forwarded_list = self.forwarded_list.or((!is_all).then_some(text));
        true
    }
}

impl Parse for AccessParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        _: &mut List<'a>,
    ) -> Parsed<'a> {
        // It is large: filled in where it is returned, it need not be copied there.
        let mut parsed = Parsed::Event {
            time: None,
            is_assumed: false,
            fields: Fields::Request(Request::default()),
            problem: None,
        };
        if let Parsed::Event { time, fields: Fields::Request(fields), problem, .. } = &mut parsed {
            match self.read(calendar, line, fields, time) {
                Ok(has_quotes) if !has_quotes && is_plain(line) => fields.texts = Texts::Plain,
                Ok(_) => {}
                Err(found) => *problem = Some(found),
            }
        }
        parsed
    }
}

/// `-` and nothing mean absent.
pub(super) fn present(text: &[u8]) -> Option<&[u8]> {
    (!matches!(text, b"" | b"-")).then_some(text)
}

/// What is behind the blanks that `text` begins with; `None` where there are none.
fn behind_blanks(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b" ")?;
    while let [b' ', behind @ ..] = rest {
        rest = behind;
    }
    Some(rest)
}

/// Cuts off the blanks and the word that `rest` begins with. `None` when there are none.
fn token<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let text = behind_blanks(rest).filter(|text| !text.is_empty())?;
    // Words are short: what looks at many bytes at once takes longer to begin.
    let end = text.iter().position(|byte| *byte == b' ');
    let (word, after) = text.split_at(end.unwrap_or(text.len()));
    *rest = after;
    Some(word)
}

/// The user's name may hold brackets, so the time is the first bracket that has one.
fn split_at_time<'a>(
    calendar: &mut Calendar,
    line: &'a [u8],
) -> Result<(&'a [u8], Time, &'a [u8]), &'static str> {
    for position in memchr_iter(b'[', line) {
        let (before, bracket) = line.split_at(position);
        let Some(head) = before.strip_suffix(b" ") else { continue };
        let Some((_, inside)) = bracket.split_at_checked(1) else { break };
        if let Some((time, after)) = time_inside(calendar, inside) {
            return Ok((head, time, after));
        }
    }
    Err("expected a time such as [22/Nov/2026:12:15:00 +0000]")
}

/// The time that `inside` begins with, and what stands behind its bracket.
fn time_inside<'a>(calendar: &mut Calendar, inside: &'a [u8]) -> Option<(Time, &'a [u8])> {
    const LENGTH: usize = "22/Nov/2026:12:15:00 +0000".len();
    if let Some((when, [b']', after @ ..])) = inside.split_at_checked(LENGTH)
        && let Some(time) = calendar.read(TimeFormat::Clf, when)
    {
        return Some((time, after));
    }
    unusual_time_inside(calendar, inside)
}

/// The same with decimals, or as nginx's `$time_iso8601` writes it.
#[cold]
fn unusual_time_inside<'a>(calendar: &mut Calendar, inside: &'a [u8]) -> Option<(Time, &'a [u8])> {
    const LONGEST: usize = "22/Nov/2026:12:15:00.123456789 +0000]".len();
    let end = memchr(b']', inside.get(..LONGEST).unwrap_or(inside))?;
    let (when, after) = inside.split_at_checked(end)?;
    let format = if when.get(2) == Some(&b'/') { TimeFormat::Clf } else { TimeFormat::Iso };
    Some((calendar.read(format, when)?, after.get(1..)?))
}

/// Cuts off the blanks and the quoted field that `rest` begins with. It ends at a quote that is not
/// escaped and has a blank or the end behind it, because some servers do not escape quotes; also
/// whether there is a quote in it. `None` when there is none.
fn quoted<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], bool)> {
    let text = behind_blanks(rest)?.strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let end = from + memchr(b'"', text.get(from..)?)?;
        let (field, after) = text.split_at(end);
        let (_, after) = after.split_first()?;
        if !is_escaped(field) && matches!(after.first(), None | Some(b' ')) {
            *rest = after;
            return Some((field, from > 0));
        }
        from = end + 1;
    }
}

/// Whether a request may end behind the quote at which the one that `rest` begins with was ended: a
/// version stands before a later one, and a status and a size behind it. Clients choose what they ask
/// for, and where nothing is escaped one of them may ask for a status.
fn has_another_end(mut rest: &[u8]) -> bool {
    if quoted(&mut rest).is_none() {
        return false;
    }
    memchr_iter(b'"', rest).any(|at| {
        let (before, quote) = rest.split_at(at);
        // No version is longer, and a quote may stand behind each byte of a long line.
        let end = before.get(before.len().saturating_sub(" HTTP/1.1".len())..).unwrap_or_default();
        let version = memrchr(b' ', end).and_then(|blank| end.get(blank..));
        let has_version =
            version.and_then(|text| text.strip_prefix(b" HTTP/")).is_some_and(is_version);
        has_version && begins_with_numbers(quote.get(1..).unwrap_or_default())
    })
}

/// Whether a status and a size stand at the beginning.
fn begins_with_numbers(mut text: &[u8]) -> bool {
    let status = token(&mut text).is_some_and(|text| text == b"-" || three_digits(text).is_ok());
    status && token(&mut text).is_some_and(|text| number(text, "").is_ok())
}

/// Whether what follows `before` is escaped: an odd number of backslashes stands before it.
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn is_escaped_at(text: &[u8], at: usize) -> bool {
    text.get(..at).is_some_and(is_escaped)
}

/// `METHOD TARGET HTTP/x`, or `GET /target` as HTTP/0.9 had it, which knew nothing else. Anything else
/// (a TLS handshake sent to a plain port, a truncated request, a word) is kept in the message.
pub(super) fn read_request<'a>(request: &'a [u8], fields: &mut Request<'a>) {
    if present(request).is_none() {
        return;
    }
    let Some((method, target, version)) = request_of(request) else {
        fields.more = true;
        return;
    };
    fields.method = Some(method);
    fields.target = Some(target);
    fields.version = version;
    // Servers pass over more than one blank, and no field says how many there were.
    let words = [method, target, version.unwrap_or_default()].map(<[u8]>::len);
    let between = if version.is_some() { "  HTTP/".len() } else { " ".len() };
    fields.more |= words.iter().sum::<usize>() + between < request.len();
}

/// Method, target and version.
type Parts<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>);

fn request_of(request: &[u8]) -> Option<Parts<'_>> {
    let blank = request.iter().position(|byte| *byte == b' ')?;
    let (method, rest) = request.split_at_checked(blank)?;
    let rest = behind_blanks(rest)?;
    let Some(blank) = rest.iter().rposition(|byte| *byte == b' ') else {
        let is_first_version = method == b"GET" && rest.starts_with(b"/");
        return is_first_version.then_some((method, rest, None));
    };
    let (target, version) = rest.split_at(blank);
    let target = target.trim_ascii_end();
    let version = version.strip_prefix(b" HTTP/").filter(|version| is_version(version))?;
    (is_method(method) && !target.is_empty()).then_some((method, target, Some(version)))
}

fn is_version(text: &[u8]) -> bool {
    matches!(text, [b'0'..=b'9'] | [b'0'..=b'9', b'.', b'0'..=b'9'])
}

/// RFC 9110 allows more characters, but a method that uses them is garbage in practice.
fn is_method(text: &[u8]) -> bool {
    (1..=32).contains(&text.len())
        && text.first().is_some_and(u8::is_ascii_alphabetic)
        && text.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
}

/// A number, without zeros before it; `-` is `None`.
fn number(text: &[u8], problem: &'static str) -> Result<Option<u64>, &'static str> {
    match text {
        b"-" => Ok(None),
        [b'0', _, ..] => Err(problem),
        _ => parse_number(text).map(Some).ok_or(problem),
    }
}

/// A whole number that Elasticsearch's `long` can hold.
pub(super) fn parse_number(digits: &[u8]) -> Option<u64> {
    const LONGEST: usize = 18;
    if digits.is_empty() || digits.len() > LONGEST {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    })
}

/// A status has three digits, of which the first is no zero; or it is zero, where a server had none to
/// send. Those from 600 on are no class of HTTP, but there are servers that send them.
pub(super) fn status_code(text: &[u8]) -> Result<u16, &'static str> {
    let number = parse_number(text).ok_or("the status is not a number")?;
    match u16::try_from(number) {
        _ if text.len() > 3 => Err("the status has more than three digits"),
        Ok(status @ (0 | 100..)) => Ok(status),
        _ => Err("the status is less than 100"),
    }
}

/// A status of these formats has all three: nginx writes 000 where there was none.
fn three_digits(text: &[u8]) -> Result<u16, &'static str> {
    let status = status_code(text);
    let is_short = text.len() < 3 && text.iter().all(u8::is_ascii_digit);
    if is_short { Err("the status has less than three digits") } else { status }
}
