//! Events of security: CEF and LEEF, as devices send them, Linux's audit, and Windows' event log as XML.

mod auditd;
mod cef;
mod leef;
#[cfg(test)]
mod tests;
mod windows;
mod xml;

pub use auditd::{AuditdParser, event_of as audit_event_of};
pub use cef::CefParser;
pub use leef::LeefParser;
pub use windows::WindowsParser;

use std::borrow::Cow;

use super::List;
use super::address::{Address, AddressKind};
use super::fields::{Name, Value};
use super::syslog::split_priority;
use super::time::{Calendar, Time, TimeFormat, TimeRule, Told};
use super::words::{add, number, trim_start, word};

/// What syslog writes before an event that `mark` begins: the time and the host; the event.
fn behind_syslog<'a>(
    calendar: &mut Calendar,
    line: &'a [u8],
    mark: &[u8],
    others: &mut List<'a>,
) -> Option<(Option<Told>, &'a [u8])> {
    if let Some(event) = line.strip_prefix(mark) {
        return Some((None, event));
    }
    let (head, event) = super::words::split_at_text(line, mark)?;
    let text = split_priority(head.strip_suffix(b" ")?).1;
    let text = text.strip_prefix(b"1 ").unwrap_or(text);
    let (told, rest) = calendar.split_time(text)?;
    let (host, rest) = word(trim_start(rest));
    add(others, "host.hostname", host);
    // A program may stand behind the host, or what RFC 5424 has there.
    others.more |= !rest.is_empty();
    Some((Some(told), event))
}

/// What the pairs of a format are called, and what becomes of their values.
struct Keys {
    /// One end of a connection.
    source: &'static [&'static [u8]],
    /// And the other.
    destination: &'static [&'static [u8]],
    time: &'static [u8],
    /// The field that the number of a key is.
    number: fn(&[u8]) -> Option<&'static str>,
    /// The field that the text of a key is.
    text: fn(&[u8]) -> Option<&'static str>,
    /// What stands before the names of all others.
    prefix: &'static str,
    /// What a text stands for.
    plain: fn(&[u8]) -> Cow<'_, [u8]>,
}

impl Keys {
    /// Adds the value of a key, or takes it for the time of the event.
    fn put<'a>(
        &self,
        (key, value): (&'a [u8], &'a [u8]),
        (calendar, times): (&mut Calendar, &TimeRule),
        time: &mut Option<Time>,
        others: &mut List<'a>,
    ) {
        if value.is_empty() {
            return;
        }
        if self.source.contains(&key) {
            return add_end(others, SOURCE, value);
        }
        if self.destination.contains(&key) {
            return add_end(others, DESTINATION, value);
        }
        if key == b"proto" {
            return others.add("network.transport", value.to_ascii_lowercase());
        }
        if key == self.time && time.is_none() {
            *time = time_of(calendar, times, value);
            if time.is_some() {
                return;
            }
        }
        if let Some(name) = (self.number)(key)
            && let Some(number) = number(value)
        {
            return others.add(name, number);
        }
        let text = Value::Text((self.plain)(value));
        if let Some(name) = (self.text)(key) {
            return others.add(name, text);
        }
        let name = std::str::from_utf8(key).ok();
        match name.and_then(|key| Name::new(format!("{}.{key}", self.prefix))) {
            Some(name) => others.add(name, text),
            None => others.more = true,
        }
    }
}

/// Milliseconds since 1970, a form such as `Feb 26 2026 10:00:00`, or one that a setting names.
fn time_of(calendar: &mut Calendar, times: &TimeRule, value: &[u8]) -> Option<Time> {
    if let Some(time) = calendar.read(TimeFormat::Epoch, value) {
        return Some(time);
    }
    if let Some((told, b"")) = calendar.split_time(value) {
        return calendar.settle(told, times.zone.as_ref());
    }
    times.read(calendar, value)
}

/// One end of a connection.
fn add_end<'a>(others: &mut List<'a>, [name, ip, domain]: [&'static str; 3], value: &'a [u8]) {
    let address = Address::read(value);
    if others.lookup(name).is_none() {
        others.add(name, address.text);
    }
    if let Some(found) = address.ip() {
        others.add(ip, found);
    } else if address.kind == AddressKind::Name {
        others.add(domain, address.text);
    }
}

const SOURCE: [&str; 3] = ["source.address", "source.ip", "source.domain"];
const DESTINATION: [&str; 3] = ["destination.address", "destination.ip", "destination.domain"];
