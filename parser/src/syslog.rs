//! Syslog as files have it: RFC 3164 (<https://www.rfc-editor.org/rfc/rfc3164>) with its dialects, the
//! same with ISO dates (rsyslog), and RFC 5424 (<https://www.rfc-editor.org/rfc/rfc5424>).

mod structured;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use memchr::memchr;

use super::level;
use super::time::{Calendar, Time, TimeFormat, Told};
use super::words::{add, failed, listed, number, text_only, trim_start, word};
use super::{List, Parse, Parsed};

/// Reads lines of syslog.
#[derive(Debug)]
pub struct SyslogParser {
    zone: Option<TimeZone>,
    /// What the parameters of structured data are called in documents.
    names: structured::Names,
}

impl SyslogParser {
    /// Of lines whose times are of `zone`, if they do not say theirs.
    pub fn in_zone(zone: Option<TimeZone>) -> Self {
        Self { zone, names: structured::Names::default() }
    }
}

impl Parse for SyslogParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let Some(head) = Head::read(calendar, self.zone.as_ref(), line) else {
            let is_more = matches!(line.first(), Some(b' ' | b'\t'));
            return if is_more {
                text_only()
            } else {
                failed(
                    None,
                    "expected a time such as Nov 28 12:00:01, 2026-11-28T12:00:01Z or <34>1 2026-11-28T12:00:01Z",
                )
            };
        };
        if let Some(priority) = head.priority {
            add_priority(priority, others);
        }
        match head.form {
            Form::Old => {
                others.is_distinct = true;
                add_old(head.rest, others);
            }
            Form::New => {
                if self.names.add(head.rest, others).is_none() {
                    return failed(
                        head.time,
                        "expected host, program, process, message id and data behind the time, as RFC 5424 has them",
                    );
                }
            }
        }
        listed(head.time)
    }
}

/// Which RFC a line follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Old,
    New,
}

/// What stands at the beginning of a line.
struct Head<'a> {
    priority: Option<u8>,
    time: Option<Time>,
    form: Form,
    rest: &'a [u8],
}

impl<'a> Head<'a> {
    fn read(calendar: &mut Calendar, zone: Option<&TimeZone>, line: &'a [u8]) -> Option<Self> {
        let (priority, text) = split_priority(line);
        if priority.is_some()
            && let Some(rest) = text.strip_prefix(b"1 ")
        {
            let (when, rest) = word(rest);
            if when == b"-" {
                return Some(Self { priority, time: None, form: Form::New, rest });
            }
            let time = calendar.read(TimeFormat::Iso, when)?;
            return Some(Self { priority, time: Some(time), form: Form::New, rest });
        }
        let (told, rest) = match calendar.split_time(text) {
            Some(split) => split,
            None if priority.is_some() => calendar.split_time(behind_sequence(text))?,
            None => return None,
        };
        let is_iso = text.first().is_some_and(u8::is_ascii_digit);
        let is_other = is_iso && (text.get(10) != Some(&b'T') || matches!(told, Told::Local(_)));
        if is_other && priority.is_none() {
            return None;
        }
        let rest = rest.strip_prefix(b":").unwrap_or(rest).strip_prefix(b" ")?;
        if is_iso && level::is_certain(word(trim_start(rest)).0) {
            return None;
        }
        let time = calendar.settle(told, zone);
        Some(Self { priority, time, form: Form::Old, rest: trim_start(rest) })
    }
}

/// `<34>`, perhaps behind the number of bytes of the message (RFC 6587), and what is behind it.
pub fn split_priority(line: &[u8]) -> (Option<u8>, &[u8]) {
    let digits = line.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    let text = match line.get(digits..) {
        Some([b' ', rest @ ..]) if digits > 0 && rest.starts_with(b"<") => rest,
        _ => line,
    };
    let inside = text.strip_prefix(b"<").and_then(|text| super::words::split_once(text, b'>'));
    match inside
        .and_then(|(digits, rest)| number(digits).filter(|_| digits.len() <= 3).zip(Some(rest)))
    {
        Some((number @ 0..=191, rest)) => (u8::try_from(number).ok(), rest),
        _ => (None, line),
    }
}

/// What Cisco's devices write before the time: `29: *Mar  1 18:48:50.483: %SYS-5-CONFIG_I: …`.
fn behind_sequence(text: &[u8]) -> &[u8] {
    let digits = text.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let text = match text.get(digits..) {
        Some([b':', rest @ ..]) if digits > 0 => trim_start(rest),
        _ => text,
    };
    match text {
        [b'*' | b'.', rest @ ..] => rest,
        text => text,
    }
}

const FACILITIES: [&str; 24] = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "security",
    "console",
    "solaris-cron",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
];

fn add_priority(priority: u8, others: &mut List<'_>) {
    let (facility, severity) = (priority >> 3, priority & 7);
    others.add("log.level", level::of_severity(severity));
    others.add("log.syslog.priority", priority);
    others.add("log.syslog.facility.code", facility);
    others.add("log.syslog.severity.code", severity);
    if let Some(name) = FACILITIES.get(usize::from(facility)) {
        others.add("log.syslog.facility.name", *name);
    }
}

/// `host program[pid]: message`, of which host and program may be missing.
pub fn add_old<'a>(text: &'a [u8], others: &mut List<'a>) {
    let (first, rest) = word(text);
    // Where no host is, the program is the first word.
    let is_tag = first.ends_with(b":") || first.ends_with(b"]") && memchr(b'[', first).is_some();
    let is_host = !is_tag && !rest.is_empty() && first.iter().copied().all(is_of_host);
    let text = if is_host {
        if first != b"-" {
            others.add("host.hostname", first);
        }
        rest
    } else {
        text
    };
    let message = add_tag(text, others);
    add(others, "message", message);
}

fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'-' | b'_' | b':' | b'@' | b'/' | b'%')
        || !byte.is_ascii()
}

/// Longer texts before a colon are none of a program.
const LONGEST_TAG: usize = 64;

/// Adds program and process, where they are certain; what is behind them.
fn add_tag<'a>(text: &'a [u8], others: &mut List<'a>) -> &'a [u8] {
    let head = text.get(..LONGEST_TAG).unwrap_or(text);
    let end = head.iter().position(|byte| matches!(byte, b' ' | b':' | b'['));
    let Some(end) = end.filter(|end| *end > 0) else { return text };
    match text.split_at(end) {
        (name, [b':', rest @ ..]) if rest.is_empty() || rest.starts_with(b" ") => {
            others.add("process.name", name);
            trim_start(rest)
        }
        // `com.apple.kextd::main: `, `org.gnome.Shell:0: `
        (_, [b':', ..]) => {
            match memchr(b' ', head).and_then(|blank| text.split_at_checked(blank)) {
                Some((name, rest)) if name.ends_with(b":") => {
                    others.add("process.name", name.strip_suffix(b":").unwrap_or(name));
                    trim_start(rest)
                }
                _ => text,
            }
        }
        (name, [b'[', ..]) => add_process(text, name, others).unwrap_or(text),
        (name, behind) => add_long_tag(text, name, behind, others).unwrap_or(text),
    }
}

/// `[812]: `, `[pid/0x7] `, also with a label behind it, ` (com.apple.x): `.
fn add_process<'a>(text: &'a [u8], name: &'a [u8], others: &mut List<'a>) -> Option<&'a [u8]> {
    let inside = text.get(name.len() + 1..)?;
    let close = memchr(b']', inside.get(..LONGEST_TAG).unwrap_or(inside))?;
    let (process, rest) = inside.split_at_checked(close)?;
    let rest = rest.get(1..)?;
    let (pid, thread) = super::words::split_once(process, b'/').unwrap_or((process, b""));
    let message = match rest {
        [b':', message @ ..] => message,
        [b' ', b'(', ..] => {
            let (label, behind) = super::words::inside(trim_start(rest), b'(', b')')?;
            match behind.strip_prefix(b":") {
                Some(message) => {
                    others.add("log.logger", label);
                    message
                }
                None => rest,
            }
        }
        [] | [b' ', ..] => rest,
        _ => return None,
    };
    others.add("process.name", name);
    match number(pid) {
        Some(pid) => others.add("process.pid", pid),
        None => others.more |= !process.is_empty(),
    }
    add(others, "process.thread.name", thread);
    Some(trim_start(message))
}

/// A name with blanks, which a process must follow: `Microsoft Word[14463]: `; or with a version,
/// `syslogd 1.4.1: `.
fn add_long_tag<'a>(
    text: &'a [u8],
    name: &'a [u8],
    behind: &'a [u8],
    others: &mut List<'a>,
) -> Option<&'a [u8]> {
    let (version, message) = word(trim_start(behind));
    if let Some(version) = version.strip_suffix(b":")
        && version.first().is_some_and(u8::is_ascii_digit)
        && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
    {
        others.add("process.name", name);
        others.add("service.version", version);
        return Some(message);
    }
    let head = text.get(..LONGEST_TAG).unwrap_or(text);
    let open = head.iter().position(|byte| matches!(byte, b'[' | b':'))?;
    let (name, process) = text.split_at_checked(open)?;
    let digits = process.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let is_process = digits > 0
        && process.starts_with(b"[")
        && process.get(digits + 1..digits + 3) == Some(b"]:");
    // A name, and not the beginning of a sentence.
    let is_name = name.split(|byte| *byte == b' ').count() <= 4;
    if is_process && is_name { add_process(text, name, others) } else { None }
}
