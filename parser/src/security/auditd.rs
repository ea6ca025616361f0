//! Linux's audit (<https://github.com/linux-audit/audit-documentation/wiki>): the lines of one event have one
//! number, and are one document.

use std::borrow::Cow;

use memchr::memchr;

use super::{SOURCE, add_end};
use crate::fields::{Name, Value};
use crate::time::{Calendar, TimeFormat};
use crate::words::{failed, listed, number, split_once, trim_start};
use crate::{List, Parse, Parsed};

/// Reads events of the audit.
#[derive(Debug)]
pub struct AuditdParser;

const PROBLEM: &str = "expected type=… msg=audit(1771234567.123:77): and pairs";

/// Which event a line is of: a number that differs from those of other events.
pub fn event_of(line: &[u8]) -> Option<u64> {
    let record = Record::read(line)?;
    // FNV-1a; time and number together are one event's.
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    Some(record.stamp.iter().fold(0xcbf2_9ce4_8422_2325, mix))
}

/// A line.
struct Record<'a> {
    node: &'a [u8],
    kind: &'a [u8],
    /// `1771234567.123:77`
    stamp: &'a [u8],
    pairs: &'a [u8],
}

impl<'a> Record<'a> {
    fn read(line: &'a [u8]) -> Option<Self> {
        let (node, rest) = match line.strip_prefix(b"node=") {
            Some(rest) => split_once(rest, b' ')?,
            None => (&b""[..], line),
        };
        let (kind, rest) = split_once(rest.strip_prefix(b"type=")?, b' ')?;
        let (stamp, rest) = split_once(rest.strip_prefix(b"msg=audit(")?, b')')?;
        let pairs = trim_start(rest.strip_prefix(b":")?);
        Some(Self { node, kind, stamp, pairs })
    }
}

impl Parse for AuditdParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let mut event = Event::default();
        let mut time = None;
        let mut is_odd = false;
        for row in line.split(|byte| *byte == b'\n').filter(|row| !row.is_empty()) {
            let Some(record) = Record::read(row) else {
                is_odd = true;
                continue;
            };
            let Some((when, serial)) = split_once(record.stamp, b':') else {
                is_odd = true;
                continue;
            };
            time = time.or_else(|| calendar.read(TimeFormat::Seconds, when));
            if event.kinds.is_empty() {
                if let Some(serial) = number(serial) {
                    others.add("auditd.log.sequence", serial);
                }
                add_once(others, "host.hostname", Cow::Borrowed(record.node));
                others.add("event.action", record.kind.to_ascii_lowercase());
            }
            event.add(&record, others);
        }
        event.finish(others);
        if is_odd || time.is_none() {
            return failed(time, PROBLEM);
        }
        listed(time)
    }
}

/// What several records of an event say together.
#[derive(Default)]
struct Event<'a> {
    kinds: Vec<Value<'a>>,
    args: Vec<Value<'a>>,
    paths: Vec<Value<'a>>,
}

/// So many records, arguments and paths are kept.
const MOST: usize = 256;

impl<'a> Event<'a> {
    fn add(&mut self, record: &Record<'a>, others: &mut List<'a>) {
        if self.kinds.len() < MOST {
            self.kinds.push(record.kind.into());
        }
        // What auditd adds for people stands behind this character.
        let (raw, enriched) = split_once(record.pairs, 0x1d).unwrap_or((record.pairs, b""));
        for (key, value) in Pairs(raw) {
            if key == b"msg" && memchr(b'=', value).is_some() {
                for (key, value) in Pairs(value) {
                    self.put(record.kind, key, value, others);
                }
            } else {
                self.put(record.kind, key, value, others);
            }
        }
        for (key, value) in Pairs(enriched) {
            put_enriched(key, value, others);
        }
    }

    fn put(&mut self, kind: &[u8], key: &'a [u8], value: &'a [u8], others: &mut List<'a>) {
        if is_absent(value) {
            return;
        }
        match (kind, key) {
            (b"EXECVE", [b'a', rest @ ..]) if number(rest).is_some() => {
                if self.args.len() < MOST {
                    self.args.push(Value::Text(decoded(value)));
                }
                return;
            }
            (b"PATH", b"name") => {
                if self.paths.len() < MOST {
                    self.paths.push(Value::Text(decoded(value)));
                }
                return;
            }
            // Of every path its own inode, mode and owner: they would be those of none.
            (b"PATH", _) => return,
            _ => {}
        }
        match key {
            b"pid" | b"ppid" => {
                let name = if key == b"pid" { "process.pid" } else { "process.parent.pid" };
                if let Some(number) = number(value).filter(|_| others.lookup(name).is_none()) {
                    others.add(name, number);
                }
            }
            b"addr" if others.lookup("source.address").is_none() => {
                add_end(others, SOURCE, unquoted(value));
            }
            _ => match field(key) {
                Some(
                    name @ ("user.id" | "user.audit.id" | "user.effective.id" | "user.group.id"),
                ) => {
                    add_once(others, name, Cow::Borrowed(unquoted(value)));
                }
                Some(name) => add_once(others, name, decoded(value)),
                None => add_named(key, "", value, others),
            },
        }
    }

    fn finish(self, others: &mut List<'a>) {
        for (name, values) in [
            ("auditd.log.record_type", self.kinds),
            ("process.args", self.args),
            ("auditd.log.paths", self.paths),
        ] {
            if !values.is_empty() {
                others.add(name, values);
            }
        }
    }
}

/// The field that a key is.
fn field(key: &[u8]) -> Option<&'static str> {
    Some(match key {
        b"exe" => "process.executable",
        b"comm" => "process.name",
        b"cwd" => "process.working_directory",
        b"proctitle" => "process.title",
        b"uid" => "user.id",
        b"auid" => "user.audit.id",
        b"euid" => "user.effective.id",
        b"gid" => "user.group.id",
        b"acct" => "user.name",
        b"cmd" => "process.command_line",
        _ => return None,
    })
}

/// Names of what has numbers in the record.
fn put_enriched<'a>(key: &'a [u8], value: &'a [u8], others: &mut List<'a>) {
    if is_absent(value) {
        return;
    }
    let name = match key {
        b"ARCH" => "host.architecture",
        b"UID" => "user.name",
        b"AUID" => "user.audit.name",
        b"EUID" => "user.effective.name",
        b"GID" => "user.group.name",
        _ => return add_named(key, "_name", value, others),
    };
    add_once(others, name, Cow::Borrowed(unquoted(value)));
}

fn add_once<'a>(others: &mut List<'a>, name: &'static str, value: Cow<'a, [u8]>) {
    if !value.is_empty() && others.lookup(name).is_none() {
        others.add(name, Value::Text(value));
    }
}

/// Adds a value under its key; of equal ones in several records the first.
fn add_named<'a>(key: &[u8], suffix: &str, value: &'a [u8], others: &mut List<'a>) {
    if others.is_full() {
        return others.more = true;
    }
    let key = String::from_utf8_lossy(key).to_ascii_lowercase();
    let Some(name) = Name::new(format!("auditd.log.{key}{suffix}")) else {
        return others.more = true;
    };
    match others.lookup(name.as_str()) {
        Some(known) => {
            let is_other = *known != *unquoted(value);
            others.more |= is_other;
        }
        None => others.add(name, unquoted(value)),
    }
}

/// What is written for nothing.
fn is_absent(value: &[u8]) -> bool {
    matches!(unquoted(value), b"" | b"?" | b"(null)" | b"(none)" | b"unset" | b"4294967295")
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// A text in quotes, or its bytes in hexadecimal digits, of which those between arguments are none.
fn decoded(value: &[u8]) -> Cow<'_, [u8]> {
    if value.starts_with(b"\"") {
        return Cow::Borrowed(unquoted(value));
    }
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
    if value.len() % 2 == 1 || !value.iter().all(is_digit) {
        return Cow::Borrowed(value);
    }
    let digit = |byte: u8| if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' + 10 };
    let byte = |pair: &[u8]| match pair {
        [high, low] => digit(*high) << 4 | digit(*low),
        _ => 0,
    };
    let bytes = value.chunks_exact(2).map(byte);
    Cow::Owned(bytes.map(|byte| if byte == 0 { b' ' } else { byte }).collect())
}

/// `key=value`, `key="a text"`, `key='more pairs'`.
struct Pairs<'a>(&'a [u8]);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut text = trim_start(self.0);
        loop {
            let (word, _) = crate::words::word(text);
            if word.is_empty() {
                self.0 = b"";
                return None;
            }
            if let Some((key, _)) = split_once(word, b'=').filter(|(key, _)| !key.is_empty()) {
                let value = text.get(key.len() + 1..)?;
                let (value, rest) = value_of(value);
                self.0 = rest;
                return Some((key, value));
            }
            // Words between pairs, as in `avc:  denied  { read } for  pid=7`.
            text = trim_start(text.get(word.len()..)?);
        }
    }
}

/// The value that `text` begins with, with its double quotes and without single ones, and what is behind it.
fn value_of(text: &[u8]) -> (&[u8], &[u8]) {
    if let Some(inside) = text.strip_prefix(b"'")
        && let Some((value, rest)) = split_once(inside, b'\'')
    {
        return (value, rest);
    }
    if let Some(inside) = text.strip_prefix(b"\"")
        && let Some((value, _)) = split_once(inside, b'"')
    {
        return text.split_at(value.len() + 2);
    }
    text.split_at(text.iter().position(|byte| matches!(byte, b' ' | b',')).unwrap_or(text.len()))
}
