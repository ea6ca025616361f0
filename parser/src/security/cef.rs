//! CEF: `CEF:0|Vendor|Product|1.0|100|Name|5|src=192.0.2.7 msg=a text`, alone or behind what syslog writes
//! (<https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors/>).

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

use super::{DESTINATION, SOURCE, add_end, behind_syslog};
use crate::fields::{Name, Value};
use crate::time::{Calendar, Time, TimeFormat, TimeRule};
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
            self.put((key, value), calendar, &mut time, others);
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

impl CefParser {
    fn put<'a>(
        &self,
        (key, value): (&'a [u8], &'a [u8]),
        calendar: &mut Calendar,
        time: &mut Option<Time>,
        others: &mut List<'a>,
    ) {
        if value.is_empty() {
            return;
        }
        match key {
            b"src" | b"shost" => return add_end(others, SOURCE, value),
            b"dst" | b"dhost" => return add_end(others, DESTINATION, value),
            b"proto" => return others.add("network.transport", value.to_ascii_lowercase()),
            b"rt" if time.is_none() => {
                *time = self.time(calendar, value);
                if time.is_some() {
                    return;
                }
            }
            _ => {}
        }
        if let Some(name) = number_field(key)
            && let Some(number) = number(value)
        {
            return others.add(name, number);
        }
        if let Some(name) = field(key) {
            return others.add(name, Value::Text(unescaped(value)));
        }
        let name = std::str::from_utf8(key).ok();
        match name.and_then(|key| Name::new(format!("cef.extensions.{key}"))) {
            Some(name) => others.add(name, Value::Text(unescaped(value))),
            None => others.more = true,
        }
    }

    /// Milliseconds since 1970, or `Feb 26 2026 10:00:00`.
    fn time(&self, calendar: &mut Calendar, value: &[u8]) -> Option<Time> {
        if let Some(time) = calendar.read(TimeFormat::Epoch, value) {
            return Some(time);
        }
        if let Some((told, b"")) = calendar.split_time(value) {
            return calendar.settle(told, self.times.zone.as_ref());
        }
        self.times.read(calendar, value)
    }
}
