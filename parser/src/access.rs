//! Common and combined log formats, as Apache and nginx write them.
//!
//! `[vhost] host ident user [time] "request" status bytes ["referrer" "user agent"]`
//! (<https://httpd.apache.org/docs/2.4/logs.html#accesslog>)

use memchr::{memchr, memchr_iter, memrchr};

use super::request::{Request, Texts};
use super::text::is_plain;
use super::time::{Calendar, Time, TimeFormat};
use super::{Fields, List, Parse, Parsed};

/// Parser of the common and combined formats.
#[derive(Debug)]
pub struct AccessParser {
    virtual_host: bool,
    combined: bool,
}

impl AccessParser {
    pub(super) fn clf() -> Self {
        Self { virtual_host: false, combined: false }
    }

    pub(super) fn combined() -> Self {
        Self { virtual_host: false, combined: true }
    }

    pub(super) fn vhost_combined() -> Self {
        Self { virtual_host: true, combined: true }
    }

    /// Fills in `fields` from left to right, and stops with a problem where it is not certain.
    fn read<'a>(
        &self,
        calendar: &mut Calendar,
        line: &'a [u8],
        fields: &mut Request<'a>,
        time: &mut Option<Time>,
    ) -> Result<(), &'static str> {
        let mut rest = line;
        if self.virtual_host {
            fields.host = present(token(&mut rest).ok_or("the line ends after the virtual host")?);
        }
        let client = token(&mut rest).ok_or("the line ends after the client")?;
        let (who, when, mut rest) = split_at_time(calendar, rest)?;
        fields.client = present(client);
        *time = Some(when);
        let mut who = who;
        // Where there is no identity, nothing is missing.
        fields.more = token(&mut who).and_then(present).is_some();
        fields.user = present(who.trim_ascii());
        let request = quoted(&mut rest).ok_or("the request is not closed by a quote")?;
        read_request(request, fields);
        let status = token(&mut rest).ok_or("the line ends after the request")?;
        let status = number(status, "the status is not a number")?;
        // What is behind a status that is none can be read without it.
        let status = status.map(status_code).transpose();
        fields.status = status.unwrap_or_default();
        let bytes = token(&mut rest).ok_or("the line ends after the status")?;
        fields.bytes = number(bytes, "the size is not a number")?;
        if self.combined {
            let referrer = quoted(&mut rest).ok_or("the referrer is not closed by a quote")?;
            fields.referrer = present(referrer);
            let agent = quoted(&mut rest).ok_or("the user agent is not closed by a quote")?;
            fields.user_agent = present(agent);
        }
        fields.more |= !rest.trim_ascii().is_empty();
        status.map(drop)
    }
}

impl Parse for AccessParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        _: &mut List<'a>,
    ) -> Parsed<'a> {
        let mut fields = Request::default();
        let mut time = None;
        let problem = self.read(calendar, line, &mut fields, &mut time).err();
        // Each quoted field took two quotes: where there are no more, no text has one.
        let expected = if self.combined { 6 } else { 2 };
        let quotes = || memchr_iter(b'"', line).count();
        if problem.is_none() && is_plain(line) && quotes() == expected {
            fields.texts = Texts::Plain;
        }
        Parsed::Event { time, fields: Fields::Request(fields), problem }
    }
}

/// `-` and nothing mean absent.
pub(super) fn present(text: &[u8]) -> Option<&[u8]> {
    (!matches!(text, b"" | b"-")).then_some(text)
}

/// Cuts off the next word. `None` when there is none.
fn token<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let text = rest.trim_ascii_start();
    if text.is_empty() {
        return None;
    }
    let (word, after) = text.split_at(memchr(b' ', text).unwrap_or(text.len()));
    *rest = after;
    Some(word)
}

/// The user's name may hold blanks and brackets, so the time is the first bracket that has one.
fn split_at_time<'a>(
    calendar: &mut Calendar,
    text: &'a [u8],
) -> Result<(&'a [u8], Time, &'a [u8]), &'static str> {
    const LENGTH: usize = "22/Nov/2026:12:15:00 +0000".len();
    for position in memchr_iter(b'[', text) {
        let (before, bracket) = text.split_at(position);
        let Some(who) = before.strip_suffix(b" ") else { continue };
        let Some((_, inside)) = bracket.split_at_checked(1) else { break };
        let Some((when, after)) = inside.split_at_checked(LENGTH) else { break };
        if let (Some(time), Some(after)) =
            (calendar.read(TimeFormat::Clf, when), after.strip_prefix(b"]"))
        {
            return Ok((who, time, after));
        }
    }
    Err("expected a time such as [22/Nov/2026:12:15:00 +0000]")
}

/// Cuts off the next quoted field. It ends at a quote that is not escaped and has a blank or the
/// end behind it, because some servers do not escape quotes. `None` when there is none.
fn quoted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let text = rest.trim_ascii_start().strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let end = from + memchr(b'"', text.get(from..)?)?;
        let (field, after) = text.split_at(end);
        let (_, after) = after.split_first()?;
        if !is_escaped(field) && matches!(after.first(), None | Some(b' ')) {
            *rest = after;
            return Some(field);
        }
        from = end + 1;
    }
}

/// Whether what follows `before` is escaped: an odd number of backslashes stands before it.
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// `METHOD TARGET HTTP/x`, or without version as HTTP/0.9 had it. Anything else (a TLS handshake
/// sent to a plain port, a truncated request) is kept in the message.
fn read_request<'a>(request: &'a [u8], fields: &mut Request<'a>) {
    if present(request).is_none() {
        return;
    }
    let Some(blank) = memchr(b' ', request) else {
        fields.more = true;
        return;
    };
    let (method, rest) = request.split_at(blank);
    let rest = rest.trim_ascii_start();
    if !is_method(method) || rest.is_empty() {
        fields.more = true;
        return;
    }
    fields.method = Some(method);
    let (target, version) = match memrchr(b' ', rest) {
        Some(blank) => {
            let (target, version) = rest.split_at(blank);
            match version.strip_prefix(b" HTTP/") {
                Some(version) => (target, Some(version)),
                None => (rest, None),
            }
        }
        None => (rest, None),
    };
    fields.target = Some(target);
    fields.version = version;
}

/// RFC 9110 allows more characters, but a method that uses them is garbage in practice.
fn is_method(text: &[u8]) -> bool {
    (1..=32).contains(&text.len())
        && text.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
}

/// A number; `-` is `None`.
fn number(text: &[u8], problem: &'static str) -> Result<Option<u64>, &'static str> {
    match text {
        b"-" => Ok(None),
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

/// A status has at most three digits.
pub(super) fn status_code(number: u64) -> Result<u16, &'static str> {
    let status = u16::try_from(number).ok().filter(|status| *status < 1000);
    status.ok_or("the status has more than three digits")
}
