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

use super::List;
use super::address::{Address, AddressKind};
use super::syslog::split_priority;
use super::time::{Calendar, Told};
use super::words::{add, trim_start, word};

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
