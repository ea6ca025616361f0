//! The lines of one event, for formats of which several lines are always one.

use memchr::{memchr, memmem};

use super::Place;
use crate::ParserKind;
use crate::security::audit_event_of;
use crate::services::{begins_elasticsearch, begins_rabbitmq};
use crate::table::open_quote;

/// Whether there are any.
pub fn has_some(kind: ParserKind) -> bool {
    matches!(
        kind,
        ParserKind::MysqlSlow
            | ParserKind::Rabbitmq
            | ParserKind::Elasticsearch
            | ParserKind::Csv
            | ParserKind::Auditd
            | ParserKind::WindowsEvent
            | ParserKind::Journald
    )
}

/// Where an event is that begins with `line`.
pub fn begin(kind: ParserKind, line: &[u8]) -> Place {
    match kind {
        // A time stands before who asked, but not where that is the same as before.
        ParserKind::MysqlSlow if line.starts_with(b"# Time: ") => Place::Head,
        ParserKind::Csv if open_quote(line, false) => Place::Head,
        ParserKind::WindowsEvent if is_open_event(line) => Place::Head,
        ParserKind::Auditd => audit_event_of(line).map_or(Place::Plain, Place::Same),
        ParserKind::Journald => behind_field(line),
        _ => Place::Plain,
    }
}

/// Where it is after `line`, from `place` before it. `None` if `line` begins another.
pub fn join(kind: ParserKind, place: Place, line: &[u8]) -> Option<Place> {
    match (kind, place) {
        (ParserKind::MysqlSlow, _) => join_slow(place, line),
        (ParserKind::Rabbitmq, _) => (!begins_rabbitmq(line)).then_some(place),
        (ParserKind::Elasticsearch, _) => (!begins_elasticsearch(line)).then_some(place),
        (ParserKind::Csv, Place::Head) => {
            Some(if open_quote(line, true) { Place::Head } else { Place::Plain })
        }
        (ParserKind::Auditd, Place::Same(event)) => {
            (audit_event_of(line) == Some(event)).then_some(place)
        }
        (ParserKind::WindowsEvent, Place::Head) => {
            let is_end = memmem::find(line, b"</Event>").is_some();
            Some(if is_end { Place::Plain } else { Place::Head })
        }
        (ParserKind::Journald, _) => Some(join_entry(place, line)),
        _ => None,
    }
}

fn join_slow(place: Place, line: &[u8]) -> Option<Place> {
    let begins = line.starts_with(b"# Time: ")
        || line.starts_with(b"# User@Host: ") && place != Place::Head
        || line.ends_with(b"started with:");
    (!begins).then_some(Place::Plain)
}

/// Whether an event of Windows goes on behind `line`.
fn is_open_event(line: &[u8]) -> bool {
    let begins = memmem::rfind(line, b"<Event ").or_else(|| memmem::rfind(line, b"<Event>"));
    let event = begins.and_then(|at| line.get(at..));
    event.is_some_and(|event| memmem::find(event, b"</Event>").is_none())
}

/// A field of the journal, whose value is in the line or has its length before it. An empty line ends an entry,
/// and nothing joins that.
fn behind_field(line: &[u8]) -> Place {
    match line {
        [] => Place::Blank,
        _ if memchr(b'=', line).is_some() => Place::Plain,
        _ => Place::Size { seen: 0, size: 0 },
    }
}

/// Behind a line of an entry. What stands between two lines is a byte of a length or a value, too.
fn join_entry(place: Place, line: &[u8]) -> Place {
    match place {
        Place::Size { seen, size } => {
            let (mut seen, mut size) = (seen, size);
            let mut rest = line;
            while seen < 8 {
                let (byte, behind) = rest.split_first().unwrap_or((&b'\n', b""));
                size |= u64::from(*byte) << (8 * seen);
                seen += 1;
                if rest.is_empty() {
                    return if seen < 8 { Place::Size { seen, size } } else { Place::Bytes(size) };
                }
                rest = behind;
            }
            join_entry(Place::Bytes(size), rest)
        }
        Place::Bytes(left) => {
            let length = line.len() as u64;
            match left.checked_sub(length) {
                Some(left @ 1..) => Place::Bytes(left - 1),
                // The line feed that ends the field.
                _ => Place::Plain,
            }
        }
        _ => behind_field(line),
    }
}
