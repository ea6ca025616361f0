//! `PostgreSQL`: lines that begin by `log_line_prefix`, which is a setting or is concluded from the line,
//! `csvlog` and `jsonlog` (<https://www.postgresql.org/docs/current/runtime-config-logging.html>).

mod columns;

use std::sync::Arc;

use jiff::tz::TimeZone;
use memchr::{memchr, memmem};

use crate::address::Address;
use crate::level;
use crate::time::{Calendar, Time, TimeFormat};
use crate::words::{
    add, failed, inside, listed, number, split_at_text, split_once, text_only, trim_start,
};
use crate::{List, Parse, Parsed};
use columns::{add_columns, add_members};

/// What a line begins with.
#[derive(Debug, Clone)]
pub struct Prefix {
    lead: Box<[u8]>,
    /// Each escape, and the literal behind it.
    steps: Box<[(u8, Box<[u8]>)]>,
}

impl Prefix {
    /// Reads a `log_line_prefix`.
    ///
    /// # Errors
    /// When it has an escape that is none.
    pub fn new(text: &str) -> Result<Self, String> {
        const ESCAPES: &[u8] = b"aurdhLbpPtmniecslvxqQ%";
        let mut bytes = text.bytes().peekable();
        let (mut lead, mut steps) = (Vec::new(), Vec::<(u8, Vec<u8>)>::new());
        while let Some(byte) = bytes.next() {
            let literal = steps.last_mut().map_or(&mut lead, |(_, literal)| literal);
            if byte != b'%' {
                literal.push(byte);
                continue;
            }
            while bytes.next_if(|byte| byte.is_ascii_digit() || *byte == b'-').is_some() {}
            match bytes.next() {
                Some(b'%') => literal.push(b'%'),
                Some(escape) if ESCAPES.contains(&escape) => steps.push((escape, Vec::new())),
                found => {
                    return Err(format!(
                        "expected an escape of log_line_prefix such as %m, %p, %u or %d, found {:?}",
                        found.map_or("nothing".to_owned(), |byte| format!("%{}", char::from(byte)))
                    ));
                }
            }
        }
        if steps.is_empty() {
            return Err(format!(
                "expected a log_line_prefix such as \"%m [%p] %q%u@%d \", found {text:?}"
            ));
        }
        let steps = steps.into_iter().map(|(escape, literal)| (escape, literal.into()));
        Ok(Self { lead: lead.into(), steps: steps.collect() })
    }
}

/// Reads lines of `PostgreSQL`.
#[derive(Debug)]
pub struct PostgresqlParser {
    zone: Option<TimeZone>,
    prefix: Option<Arc<Prefix>>,
}

impl PostgresqlParser {
    /// Of lines whose times are of `zone`, and that begin by `prefix`.
    pub fn new(zone: Option<TimeZone>, prefix: Option<Arc<Prefix>>) -> Self {
        Self { zone, prefix }
    }
}

const PROBLEM: &str =
    "expected a time, and a severity with a colon such as LOG: or ERROR: behind the prefix";

impl Parse for PostgresqlParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return text_only();
        }
        let zone = self.zone.as_ref();
        if line.starts_with(b"{") {
            return match add_members(line, others) {
                Some(when) => {
                    let told = calendar.split_time(when);
                    listed(told.and_then(|(told, _)| calendar.settle(told, zone)))
                }
                None => failed(None, "expected a JSON object, as jsonlog has it"),
            };
        }
        if let Some(prefix) = &self.prefix {
            let mut time = None;
            let rest = read_prefix(prefix, calendar, zone, line, (&mut time, others));
            return match rest.and_then(|rest| add_message(rest, others)) {
                Some(_) => listed(time),
                None => failed(time, PROBLEM),
            };
        }
        let Some((told, rest)) = calendar.split_time(line) else { return text_only() };
        let time = calendar.settle(told, zone);
        if let Some(columns) = rest.strip_prefix(b",") {
            return match add_columns(columns, others) {
                Some(()) => listed(time),
                None => failed(time, "expected 23 to 26 columns, as csvlog has them"),
            };
        }
        match add_message(rest, others) {
            Some(middle) => {
                add_middle(middle, others);
                listed(time)
            }
            None => failed(time, PROBLEM),
        }
    }
}

/// Reads what the prefix says; what is behind it.
fn read_prefix<'a>(
    prefix: &Prefix,
    calendar: &mut Calendar,
    zone: Option<&TimeZone>,
    line: &'a [u8],
    (time, others): (&mut Option<Time>, &mut List<'a>),
) -> Option<&'a [u8]> {
    let mut rest = line.strip_prefix(&*prefix.lead)?;
    let mut is_optional = false;
    for (escape, literal) in &prefix.steps {
        is_optional |= *escape == b'q';
        let found = match escape {
            b't' | b'm' => calendar.split_time(rest).and_then(|(told, after)| {
                *time = calendar.settle(told, zone);
                Some((&b""[..], after.strip_prefix(&**literal)?))
            }),
            b'q' => Some((&b""[..], rest.strip_prefix(&**literal).unwrap_or(rest))),
            _ if literal.is_empty() => Some((&b""[..], rest)),
            _ => split_at_text(rest, literal),
        };
        // A process without a session writes nothing behind %q.
        let is_severity =
            |text: &[u8]| is_optional && severity_at(text).is_some_and(|(at, ..)| at == 0);
        match found {
            Some((value, after)) if *escape == b'q' || !is_severity(rest) => {
                if *escape == b'n' {
                    *time = calendar
                        .read(TimeFormat::Millis, value)
                        .or_else(|| calendar.read(TimeFormat::Seconds, value));
                }
                add_escape(*escape, value.trim_ascii(), others);
                rest = after;
            }
            _ if is_optional => break,
            _ => return None,
        }
    }
    Some(rest)
}

fn add_escape<'a>(escape: u8, value: &'a [u8], others: &mut List<'a>) {
    if matches!(value, b"" | b"[unknown]") {
        return;
    }
    match escape {
        b'a' => others.add("postgresql.log.application_name", value),
        b'u' => others.add("user.name", value),
        b'd' => others.add("postgresql.log.database", value),
        b'r' | b'h' => add_client(value, others),
        b'b' => others.add("postgresql.log.backend_type", value),
        b'p' => {
            if let Some(process) = number(value) {
                others.add("process.pid", process);
            }
        }
        b'i' => others.add("postgresql.log.command_tag", value),
        b'e' if value != b"00000" => others.add("error.code", value),
        b'c' => others.add("postgresql.log.session_id", value),
        b'l' => {
            if let Some(line) = number(value) {
                others.add("postgresql.log.session_line_number", line);
            }
        }
        b'v' => others.add("postgresql.log.virtual_transaction_id", value),
        b'x' if value != b"0" => others.add("postgresql.log.transaction_id", value),
        b'Q' if value != b"0" => others.add("postgresql.log.query_id", value),
        _ => {}
    }
}

/// `192.0.2.7(4711)`, `[local]`
fn add_client<'a>(value: &'a [u8], others: &mut List<'a>) {
    let (host, port) = split_once(value, b'(').unwrap_or((value, b""));
    let (host, port) = if port.is_empty() {
        split_port(host)
    } else {
        (host, port.strip_suffix(b")").unwrap_or(port))
    };
    if matches!(host, b"" | b"[local]") {
        return;
    }
    let address = Address::read(host);
    others.add("source.address", address.text);
    if let Some(ip) = address.ip() {
        others.add("source.ip", ip);
    }
    if let Some(port) = number(port).and_then(|port| u16::try_from(port).ok()) {
        others.add("source.port", port);
    }
}

/// `192.0.2.7:4711` of csvlog.
fn split_port(host: &[u8]) -> (&[u8], &[u8]) {
    let colon = memchr::memrchr(b':', host).filter(|at| memchr(b':', host) == Some(*at));
    match colon {
        Some(at) => (host.get(..at).unwrap_or_default(), host.get(at + 1..).unwrap_or_default()),
        None => (host, b""),
    }
}

/// Severities, and what is written below a line.
const SEVERITIES: [&[u8]; 17] = [
    b"LOG",
    b"ERROR",
    b"STATEMENT",
    b"DETAIL",
    b"HINT",
    b"WARNING",
    b"FATAL",
    b"NOTICE",
    b"INFO",
    b"CONTEXT",
    b"PANIC",
    b"QUERY",
    b"LOCATION",
    b"DEBUG",
    b"DEBUG1",
    b"DEBUG2",
    b"DEBUG3",
];

/// Where the first severity is, and what is behind its colon and two blanks.
fn severity_at(text: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    for at in memmem::find_iter(text, b":  ") {
        let (before, rest) = text.split_at(at);
        let length = before
            .iter()
            .rev()
            .take(9)
            .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            .count();
        let word = before.get(at - length..)?;
        if SEVERITIES.contains(&word) || word == b"DEBUG4" || word == b"DEBUG5" {
            return Some((at - length, word, rest.get(3..)?));
        }
    }
    None
}

/// Adds severity and message; what stands before.
fn add_message<'a>(text: &'a [u8], others: &mut List<'a>) -> Option<&'a [u8]> {
    let (at, severity, message) = severity_at(text)?;
    let part = match severity {
        b"STATEMENT" => Some("postgresql.log.statement"),
        b"DETAIL" => Some("postgresql.log.detail"),
        b"HINT" => Some("postgresql.log.hint"),
        b"CONTEXT" => Some("postgresql.log.context"),
        b"QUERY" => Some("postgresql.log.internal_query"),
        b"LOCATION" => Some("postgresql.log.location"),
        _ => None,
    };
    match part {
        Some(name) => others.add(name, message),
        None => level::add(others, severity),
    }
    add(others, "message", message);
    add_duration(message, others);
    text.get(..at)
}

/// `duration: 3.2 ms  statement: SELECT 1`
fn add_duration<'a>(message: &'a [u8], others: &mut List<'a>) {
    let Some((millis, rest)) =
        message.strip_prefix(b"duration: ").and_then(|text| split_at_text(text, b" ms"))
    else {
        return;
    };
    let (whole, decimals) = split_once(millis, b'.').unwrap_or((millis, b""));
    let (Some(whole), Some(decimals)) = (number(whole), decimals.get(..decimals.len().min(6)))
    else {
        return;
    };
    let micros = decimals
        .iter()
        .chain(std::iter::repeat(&b'0'))
        .take(6)
        .fold(0, |all, digit| all * 10 + u64::from(digit.wrapping_sub(b'0').min(9)));
    if let Some(nanos) = whole.checked_mul(1_000_000).and_then(|nanos| nanos.checked_add(micros)) {
        others.add("event.duration", nanos);
    }
    if let Some((_, query)) = split_at_text(rest, b": ") {
        add(others, "postgresql.log.query", query);
    }
}

/// What stands between the time and the severity, without a prefix that says it: `[7] ann@db `, `[7-1]
/// user=ann,db=x,app=y,client=z `, `:192.0.2.7(4711):ann@db:[7]:`.
fn add_middle<'a>(middle: &'a [u8], others: &mut List<'a>) {
    let mut rest = middle;
    for _ in 0..8 {
        rest = trim_start(rest.strip_prefix(b":").unwrap_or(rest));
        if rest.is_empty() {
            return;
        }
        if let Some((process, after)) = inside(rest, b'[', b']')
            && let Some(process) =
                number(process.split(|byte| *byte == b'-').next().unwrap_or_default())
        {
            others.add("process.pid", process);
            rest = after;
            continue;
        }
        let end =
            rest.iter().position(|byte| matches!(byte, b' ' | b',' | b':')).unwrap_or(rest.len());
        let (item, after) = rest.split_at(end);
        add_item(item, others);
        rest = after.get(1..).unwrap_or_default();
    }
}

fn add_item<'a>(item: &'a [u8], others: &mut List<'a>) {
    if let Some((name, value)) = split_once(item, b'=') {
        match name {
            b"user" => add_escape(b'u', value, others),
            b"db" | b"database" => add_escape(b'd', value, others),
            b"app" => add_escape(b'a', value, others),
            b"client" | b"host" => add_client(value, others),
            _ => others.more = true,
        }
    } else if let Some((user, database)) = split_once(item, b'@') {
        add_escape(b'u', user, others);
        add_escape(b'd', database, others);
    } else if item.ends_with(b")") || Address::read(item).is_ip() {
        add_client(item, others);
    } else {
        others.more |= item != b"[local]";
    }
}
