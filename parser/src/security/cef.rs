//! CEF: `CEF:0|Vendor|Product|1.0|100|Name|5|src=192.0.2.7 msg=a text`, alone or behind what syslog writes
//! (<https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors/>).

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

use super::{Keys, behind_syslog};
use crate::time::{Calendar, TimeRule};
use crate::words::{failed, listed, number};
use crate::{List, Parse, Parsed};

/// Reads events in CEF.
#[derive(Debug)]
pub struct CefParser {
    times: TimeRule,
}

impl CefParser {
    /// Of events whose times are as `times` says.
    pub fn with(times: TimeRule) -> Self {
        Self { times }
    }
}

const PROBLEM: &str = "expected CEF:0|vendor|product|version|class|name|severity| and pairs";

const KEYS: Keys = Keys {
    source: &[b"src", b"shost"],
    destination: &[b"dst", b"dhost"],
    time: b"rt",
    number: number_field,
    text: field,
    prefix: "cef.extensions",
    plain: unescaped,
};

impl Parse for CefParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let Some((told, event)) = behind_syslog(calendar, line, b"CEF:", others) else {
            return failed(None, PROBLEM);
        };
        let Some(([version, vendor, product, release, class, name, severity], pairs)) =
            header(event)
        else {
            return failed(None, PROBLEM);
        };
        if number(&version).is_none() {
            return failed(None, PROBLEM);
        }
        others.add("cef.version", version);
        for (field, value) in [
            ("observer.vendor", vendor),
            ("observer.product", product),
            ("observer.version", release),
            ("event.code", class),
            ("cef.name", name),
        ] {
            if !value.is_empty() {
                others.add(field, value);
            }
        }
        match number(&severity) {
            Some(severity) => others.add("event.severity", severity),
            None => others.add("cef.severity", severity),
        }
        let mut time = None;
        for (key, value) in Pairs(pairs) {
            KEYS.put((key, value), (calendar, &self.times), &mut time, others);
        }
        listed(
            time.or_else(|| told.and_then(|told| calendar.settle(told, self.times.zone.as_ref()))),
        )
    }
}

/// The seven values of the header.
type Header<'a> = [Cow<'a, [u8]>; 7];

/// The header, and the pairs.
fn header(event: &[u8]) -> Option<(Header<'_>, &[u8])> {
    let mut values = Header::default();
    let mut rest = event;
    for value in &mut values {
        let end = memchr_iter(b'|', rest).find(|at| !is_escaped(rest, *at))?;
        let (text, behind) = rest.split_at(end);
        *value = unescaped(text);
        rest = behind.get(1..)?;
    }
    Some((values, rest))
}

/// Whether an odd number of backslashes stands before this place.
fn is_escaped(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// `\|`, `\=`, `\\`, `\n` and `\r` as what they stand for.
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'\\', Some(b'n')) => plain.push(b'\n'),
            (b'\\', Some(b'r')) => plain.push(b'\r'),
            (b'\\', Some(escaped @ (b'\\' | b'|' | b'='))) => plain.push(*escaped),
            _ => {
                plain.push(byte);
                continue;
            }
        }
        bytes.next();
    }
    Cow::Owned(plain)
}

/// Pairs whose values may have blanks: a value ends before the word that is the next key.
struct Pairs<'a>(&'a [u8]);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0.trim_ascii_start();
        let (key, value) = text.split_at_checked(memchr(b'=', text)?)?;
        let value = value.get(1..)?;
        let next = memchr_iter(b'=', value).find_map(|at| {
            if is_escaped(value, at) {
                return None;
            }
            let before = value.get(..at)?;
            let length =
                before.iter().rev().take(LONGEST_KEY).take_while(|byte| is_of_key(**byte)).count();
            let blank = at.checked_sub(length + 1)?;
            (length > 0 && before.get(blank) == Some(&b' ')).then_some(blank)
        });
        let (value, rest) = value.split_at(next.unwrap_or(value.len()));
        self.0 = rest;
        Some((key, value.trim_ascii_end()))
    }
}

/// Longer words before an equals sign are no keys.
const LONGEST_KEY: usize = 64;

fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'[' | b']' | b'-')
}

/// The field that the text of a key is, as it stands.
fn field(key: &[u8]) -> Option<&'static str> {
    Some(match key {
        b"msg" => "message",
        b"act" => "event.action",
        b"app" => "network.protocol",
        b"externalId" => "event.id",
        b"reason" => "event.reason",
        b"suser" => "source.user.name",
        b"suid" => "source.user.id",
        b"duser" => "destination.user.name",
        b"duid" => "destination.user.id",
        b"smac" => "source.mac",
        b"dmac" => "destination.mac",
        b"dvchost" => "observer.hostname",
        b"fname" => "file.name",
        b"filePath" => "file.path",
        b"request" => "url.original",
        b"requestMethod" => "http.request.method",
        b"requestContext" => "http.request.referrer",
        b"requestClientApplication" => "user_agent.original",
        _ => return None,
    })
}

fn number_field(key: &[u8]) -> Option<&'static str> {
    Some(match key {
        b"spt" => "source.port",
        b"dpt" => "destination.port",
        b"in" => "source.bytes",
        b"out" => "destination.bytes",
        b"fsize" => "file.size",
        b"spid" => "process.pid",
        _ => return None,
    })
}
