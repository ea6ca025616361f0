//! `logfmt`: `time=2026-02-26T10:00:00Z level=error msg="a \"b\"" n=3`
//! (<https://brandur.org/logfmt>, <https://pkg.go.dev/github.com/go-logfmt/logfmt>).

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use memchr::{memchr, memchr3};
use omphalos_common::ecs::{FieldType, Role, role};

use super::fields::{Name, Value, split_first};
use super::json::is_in_template;
use super::level;
use super::time::{Calendar, Time, TimeRule};
use super::words::{failed, listed, number, text_only, trim_start};
use super::{List, Parse, Parsed};

/// Reads lines of pairs.
#[derive(Debug)]
pub struct LogfmtParser {
    times: TimeRule,
}

impl LogfmtParser {
    /// Of lines whose times are as `times` says.
    pub fn with(times: TimeRule) -> Self {
        Self { times }
    }
}

impl Parse for LogfmtParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return text_only();
        }
        let mut time: Option<Time> = None;
        let mut take_time = |value: &[u8]| {
            if time.is_some() {
                return false;
            }
            time = self.times.read(calendar, value);
            time.is_some()
        };
        match add_pairs(line, "logfmt", others, &mut take_time) {
            Pairs::All => listed(time),
            Pairs::None => failed(time, "expected pairs such as level=info msg=\"a text\""),
            Pairs::Some => {
                failed(time, "a text has no quote at its end, or words stand between the pairs")
            }
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// Nothing but pairs.
    All,
    /// Something else as well.
    Some,
    /// Not one.
    None,
}

/// So many words without a value are switches, as `debug` is; more are a sentence.
const MOST_BARE: usize = 3;

/// Adds the pairs of `text`, each to its field; those without one keep their name, or stand in `object`
/// where that is another's. `take_time` is asked about values that may be the time, and says whether
/// they are.
pub fn add_pairs<'a>(
    text: &'a [u8],
    object: &'static str,
    others: &mut List<'a>,
    take_time: &mut dyn FnMut(&[u8]) -> bool,
) -> Pairs {
    let mut rest = trim_start(text);
    let (mut pairs, mut bare, mut is_odd) = (0_usize, 0_usize, false);
    while !rest.is_empty() {
        let end = memchr3(b'=', b' ', b'"', rest).unwrap_or(rest.len());
        let (key, behind) = rest.split_at(end);
        let value: Cow<'a, [u8]>;
        match behind {
            [b'=', b'"', ..] => {
                let Some((text, after)) = quoted(behind.get(1..).unwrap_or_default()) else {
                    is_odd = true;
                    break;
                };
                (value, rest) = (text, after);
            }
            [b'=', behind @ ..] => {
                let end = memchr(b' ', behind).unwrap_or(behind.len());
                let (text, after) = behind.split_at(end);
                (value, rest) = (Cow::Borrowed(text), after);
            }
            [b'"', ..] => {
                is_odd = true;
                break;
            }
            _ => {
                bare += 1;
                rest = trim_start(behind);
                add(key, Cow::Borrowed(b"true"), object, others);
                continue;
            }
        }
        is_odd |= !(rest.is_empty() || rest.starts_with(b" "));
        rest = trim_start(rest);
        pairs += 1;
        if key.is_empty() {
            is_odd = true;
        } else if !(is_time(key) && take_time(&value)) {
            add(key, value, object, others);
        }
    }
    match pairs {
        0 => Pairs::None,
        _ if is_odd || bare > MOST_BARE => Pairs::Some,
        _ => Pairs::All,
    }
}

/// The text between quotes, as Go and JSON escape it, and what is behind it.
pub fn quoted(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let inside = text.strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', inside.get(from..)?)?;
        if inside.get(at) == Some(&b'\\') {
            from = at + 2;
            continue;
        }
        let (value, rest) = inside.split_at_checked(at)?;
        let rest = rest.get(1..)?;
        if from == 0 {
            return Some((Cow::Borrowed(value), rest));
        }
        let whole = text.get(..at + 2)?;
        // What JSON does not know stands as it is.
        let plain = serde_json::from_slice::<String>(whole);
        return Some((
            plain.map_or(Cow::Borrowed(value), |text| Cow::Owned(text.into_bytes())),
            rest,
        ));
    }
}

/// Whether a value under this name is the time.
pub fn is_time(key: &[u8]) -> bool {
    matches!(
        key,
        b"time" | b"ts" | b"t" | b"timestamp" | b"@timestamp" | b"datetime" | b"date" | b"at"
    )
}

/// The field that a key means everywhere.
fn field(key: &[u8]) -> Option<&'static str> {
    Some(match key {
        b"msg" | b"message" => "message",
        b"error" | b"err" => "error.message",
        b"logger" => "log.logger",
        b"stacktrace" | b"stack" => "error.stack_trace",
        b"trace_id" | b"traceID" | b"traceId" | b"trace.id" => "trace.id",
        b"span_id" | b"spanID" | b"spanId" | b"span.id" => "span.id",
        b"pid" => "process.pid",
        _ => return None,
    })
}

/// Adds a value by its key, as [`add_pairs`] does.
pub fn add<'a>(key: &'a [u8], value: Cow<'a, [u8]>, object: &'static str, others: &mut List<'a>) {
    match key {
        b"level" | b"lvl" | b"severity" | b"log.level" => return add_level(value, others),
        b"caller" | b"source" if add_origin(&value, others) => return,
        _ => {}
    }
    if let Some(name) = field(key) {
        match number(&value).filter(|_| name == "process.pid") {
            Some(pid) => return others.add(name, pid),
            None if name != "process.pid" => return others.add(name, value),
            None => {}
        }
    }
    let Some(name) = std::str::from_utf8(key).ok() else { return others.more = true };
    add_named(name, value, object, others);
}

/// Adds a value under its name, where that is of its type in the index; else below `object`.
pub fn add_named<'a>(
    name: &'a str,
    value: Cow<'a, [u8]>,
    object: &'static str,
    others: &mut List<'a>,
) {
    let below = || Name::new(format!("{object}.{name}"));
    let (name, value) = if takes_any_text(name) {
        (Name::new(name), Value::Text(value))
    } else {
        match role(name) {
            Role::Object(Some(member)) => {
                (Name::new(format!("{name}.{member}")), Value::Text(value))
            }
            Role::Field(FieldType::Long) => match number(&value) {
                Some(number) => (Name::new(name), number.into()),
                None => (below(), Value::Text(value)),
            },
            _ => (below(), Value::Text(value)),
        }
    };
    match name {
        Some(name) => others.add(name, value),
        None => others.more = true,
    }
}

/// Whether [`add_named`] adds any text under this very name.
pub fn takes_any_text(name: &str) -> bool {
    let (root, _) = split_first(name);
    if name.starts_with('_') || is_own(name) {
        return false;
    }
    if !is_in_template(root) && !is_own(root) {
        return true;
    }
    match role(name) {
        Role::Field(kind) => kind.is_text(),
        Role::Free => true,
        Role::Object(_) | Role::Nowhere => false,
    }
}

/// Whether the document has an object or a field of this name itself, or the index one that is none of a
/// single text.
fn is_own(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "log"
            | "event"
            | "ecs"
            | "tags"
            | "process"
            | "file"
            | "service"
            | "trace"
            | "span"
            | "network"
            | "tls"
            | "unmerged"
    )
}

fn add_level<'a>(value: Cow<'a, [u8]>, others: &mut List<'a>) {
    match value {
        Cow::Borrowed(word) => level::add(others, word),
        Cow::Owned(word) => match level::folded(&word) {
            Some(level) => others.add("log.level", level),
            None => others.add("log.level", word),
        },
    }
}

/// `server.go:12`: where in the code a line comes from.
fn add_origin(value: &[u8], others: &mut List<'_>) -> bool {
    let Some(colon) = memchr::memrchr(b':', value) else { return false };
    let (Some(file), Some(line)) = (value.get(..colon), value.get(colon + 1..).and_then(number))
    else {
        return false;
    };
    if file.is_empty() {
        return false;
    }
    others.add("log.origin.file.name", file.to_vec());
    others.add("log.origin.file.line", line);
    true
}
