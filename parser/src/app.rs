//! Logs that programs write as text: a time, a level, and who says it, in whatever order their logger has
//! them, and then the message. Log4j and Logback (Kafka, Hadoop, Spark, `ZooKeeper`, Spring Boot), Python,
//! Go, Rust, .NET, Ruby on Rails, Laravel, Android, and what looks like these.
//!
//! Nothing says which of them a file is, and many write several: so each line is read by itself, by the
//! marks that stand in it. What is not certain stays in the message.

mod header;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use memchr::memchr;

use super::level;
use super::syslog::add_old;
use super::time::{Calendar, Time, TimeFormat, Told};
use super::words::{add, inside, listed, number, split_once, text_only, trim_start, word};
use super::{List, Parse, Parsed};
use header::{Header, is_name};

/// Reads lines of programs.
#[derive(Debug)]
pub struct AppParser {
    zone: Option<TimeZone>,
}

impl AppParser {
    /// Of lines whose times are of `zone`, if they do not say theirs.
    pub fn in_zone(zone: Option<TimeZone>) -> Self {
        Self { zone }
    }
}

impl Parse for AppParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        others.is_distinct = true;
        let line = without_colours(line);
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return text_only();
        }
        if let Some((time, rest)) = alert(calendar, line) {
            // What stands before is in no field.
            others.more = true;
            add_alert(calendar, rest, others);
            return listed(Some(time));
        }
        let Some(start) = Start::find(calendar, line) else {
            return if add_untimed(line, others) { listed(None) } else { text_only() };
        };
        others.more |= start.has_prefix;
        Header::read(&start).add(others);
        listed(calendar.settle(start.told, self.zone.as_ref()))
    }
}

/// Without the escape that a terminal's colours begin with; those in the middle stay.
fn without_colours(line: &[u8]) -> &[u8] {
    if let Some(rest) = line.strip_prefix(b"\x1b[")
        && let Some((code, rest)) = split_once(rest.get(..16).map_or(rest, |_| rest), b'm')
        && code.len() < 12
    {
        return rest;
    }
    line
}

/// Where the time of a line is.
struct Start<'a> {
    told: Told,
    /// What stands in the bracket of the time behind it, if it is in one: `[2026-02-26T10:00:00Z INFO app] x`.
    within: Option<&'a [u8]>,
    /// What is behind it all.
    rest: &'a [u8],
    /// Whether something stands before it that no field has.
    has_prefix: bool,
    /// A letter before the time that is the level: `I, [2026-02-26T10:00:00 #7]`.
    letter: bool,
}

/// So many words may stand before the time.
const MOST_WORDS: usize = 3;

impl<'a> Start<'a> {
    fn find(calendar: &mut Calendar, line: &'a [u8]) -> Option<Self> {
        let mut rest = line;
        for count in 0..=MOST_WORDS {
            if let Some(start) = Self::at(calendar, rest) {
                let letter = count == 1 && matches!(line, [_, b',', b' ', ..]);
                return Some(Self { has_prefix: count > 0 && !letter, letter, ..start });
            }
            rest = word(rest).1;
            if rest.is_empty() {
                break;
            }
        }
        None
    }

    /// The time at the beginning of `text`, perhaps in a bracket.
    fn at(calendar: &mut Calendar, text: &'a [u8]) -> Option<Self> {
        let plain =
            |told, rest| Self { told, within: None, rest, has_prefix: false, letter: false };
        match text.first()? {
            b'0'..=b'9' | b'A'..=b'Z' => {
                let (told, rest) = calendar.split_time(text)?;
                let is_end = !rest.first().is_some_and(u8::is_ascii_alphanumeric);
                is_end.then(|| plain(told, rest))
            }
            open @ (b'[' | b'(' | b'<') => {
                let close = match open {
                    b'[' => b']',
                    b'(' => b')',
                    _ => b'>',
                };
                let (told, rest) = calendar.split_time(text.get(1..)?)?;
                let (within, rest) = split_once(rest, close)?;
                let within = within.strip_prefix(b":").unwrap_or(within).trim_ascii();
                let within = (!within.is_empty()).then_some(within);
                Some(Self { within, ..plain(told, rest) })
            }
            _ => None,
        }
    }
}

/// What the logs of large machines begin with: `- 1117838570 2005.06.03 R02-M1 …`, of which the first
/// word says what kind of alert it is.
fn alert<'a>(calendar: &mut Calendar, line: &'a [u8]) -> Option<(Time, &'a [u8])> {
    let (_, rest) = word(line);
    let (epoch, rest) = word(rest);
    let (date, rest) = word(rest);
    let is_date = matches!(date, [_, _, _, _, b'.', _, _, b'.', _, _]);
    if epoch.len() != 10 || !is_date {
        return None;
    }
    Some((calendar.read(TimeFormat::Epoch, epoch)?, rest))
}

/// Behind that stands a line of syslog, or words and a level: `node 2005-06-03-15.42.50.675872 node RAS
/// KERNEL INFO text`.
fn add_alert<'a>(calendar: &mut Calendar, text: &'a [u8], others: &mut List<'a>) {
    let (host, rest) = word(text);
    let Some((_, behind)) = calendar.split_time(rest) else { return };
    let behind = trim_start(behind);
    if rest.first().is_some_and(u8::is_ascii_uppercase) {
        return add_old(behind, others);
    }
    add(others, "host.hostname", host);
    let mut before: &[u8] = b"";
    let mut text = behind;
    for _ in 0..4 {
        let (next, rest) = word(text);
        if !next.is_empty()
            && next.iter().all(u8::is_ascii_uppercase)
            && level::folded(next).is_some()
        {
            level::add(others, next);
            add(others, "log.logger", before);
            return;
        }
        (before, text) = (next, rest);
    }
}

/// Lines that have a level and no time: `ERROR:root:text` (Python), `[INFO] text`, `INFO: text`, `info:
/// Microsoft.Hosting.Lifetime[14]` (.NET).
fn add_untimed<'a>(line: &'a [u8], others: &mut List<'a>) -> bool {
    if let Some((level, rest)) = inside(line, b'[', b']')
        && level::is_certain(level.trim_ascii())
    {
        level::add(others, level.trim_ascii());
        add(others, "message", trim_start(rest));
        return true;
    }
    let Some((level, rest)) =
        memchr(b':', line.get(..10).unwrap_or(line)).and_then(|_| split_once(line, b':'))
    else {
        return false;
    };
    if matches!(level, b"trce" | b"dbug" | b"info" | b"warn" | b"fail" | b"crit") {
        let Some((logger, id)) = split_once(trim_start(rest), b'[') else { return false };
        let id = split_once(id, b']').map_or(id, |(id, _)| id);
        if !is_name(logger) || number(id).is_none() {
            return false;
        }
        level::add(others, level);
        others.add("log.logger", logger);
        others.add("event.code", id);
        if let Some((_, message)) = split_once(rest, b'\n') {
            add(others, "message", message.trim_ascii());
        }
        return true;
    }
    if !level::is_certain(level) {
        return false;
    }
    level::add(others, level);
    match split_once(rest, b':') {
        Some((logger, message)) if is_name(logger) => {
            others.add("log.logger", logger);
            add(others, "message", message);
        }
        _ => add(others, "message", trim_start(rest)),
    }
    true
}
