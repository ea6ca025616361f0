//! What loggers of many languages call the same: their level, message, logger, error, process and place in
//! the code, each to its field of ECS. Which logger wrote a line is told by its members (zap, logrus,
//! bunyan, pino, winston, Log4j, Serilog, `MongoDB`, Python, monolog, GELF, journald, GCP), and nothing is
//! moved in an object that has no level: it may be anything.
//!
//! A member is moved only where no other member has the field or the object of it already.

use std::borrow::Cow;

use omphalos_common::json::Raw;

use super::outline::Hint;
use super::{JsonFields, Member, exchange};
use crate::fields::{List, Value};
use crate::level;
use crate::words::number;

/// What a member becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Level,
    Message,
    Text(&'static str),
    Number(&'static str),
    /// A text, or an object with a message, a name and a trace.
    Error,
    /// `main.go:12`
    Caller,
}

impl Move {
    /// The object that its field is in.
    fn root(self) -> &'static str {
        match self {
            Self::Level | Self::Caller => "log",
            Self::Message => "message",
            Self::Error => "error",
            Self::Text(name) | Self::Number(name) => name.split('.').next().unwrap_or(name),
        }
    }
}

/// Some names are those of loggers only in the company of others: what is known of the line.
#[derive(Debug, Default, Clone, Copy)]
struct Company(u8);

/// There is a level.
const LEVEL: u8 = 1;
/// `MongoDB`'s short names.
const MONGO: u8 = 2;
/// Bunyan and pino write numbers for levels, and a name.
const NUMBER: u8 = 4;
/// Names of journald's.
const JOURNALD: u8 = 8;
/// Names of Elasticsearch's nodes.
const ELASTIC: u8 = 16;

/// Whether a name means something here, in one company or another.
pub fn is_of_logger(name: &str) -> bool {
    Company::ANY.moved(name).is_some()
        || root_of(name).is_some()
        || matches!(name, "@mt" | "cluster.name" | "node.name" | "t" | "channel" | "name")
}

impl Company {
    /// All at once.
    const ANY: Self = Self(u8::MAX);

    fn of(fields: &JsonFields<'_>) -> Self {
        let mut bits = 0;
        let mut short = 0;
        for Member { name, raw, hint } in &fields.members {
            match &**name {
                _ if !hint.may_be(Hint::LOGGER) => {}
                "level" | "severity" | "lvl" | "levelname" | "level_name" | "log.level"
                | "Level" | "@l" | "@mt" | "loglevel" | "log_level" | "LogLevel"
                | "error_severity" => {
                    let is_number = raw.get().starts_with(|c: char| c.is_ascii_digit());
                    bits |= if is_number { LEVEL | NUMBER } else { LEVEL };
                }
                "cluster.name" | "node.name" => bits |= ELASTIC,
                "PRIORITY" | "MESSAGE" => bits |= LEVEL | JOURNALD,
                "t" if raw.get().starts_with('{') => short += 1,
                "s" | "c" | "ctx" => short += 1,
                _ => {}
            }
        }
        Self(if short == 4 { bits | LEVEL | MONGO } else { bits })
    }

    fn is_of(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// What the member of this name becomes.
    fn moved(self, name: &str) -> Option<Move> {
        Some(match name {
            "level" | "severity" | "lvl" | "levelname" | "level_name" | "log.level" | "Level"
            | "@l" | "loglevel" | "log_level" | "LogLevel" | "error_severity" | "PRIORITY" => {
                Move::Level
            }
            "s" if self.is_of(MONGO) => Move::Level,
            "msg" | "@m" | "short_message" | "textPayload" | "MESSAGE" | "Message"
            | "RenderedMessage" => Move::Message,
            "@mt" => Move::Text("log.template"),
            "error" | "err" => Move::Error,
            "stacktrace" | "stack" | "stack_trace" | "exc_info" | "@x" | "full_message" => {
                Move::Text("error.stack_trace")
            }
            "component" if self.is_of(ELASTIC) => Move::Text("log.logger"),
            "log.logger" | "logger" | "logger_name" | "loggerName" | "channel"
            | "SourceContext" | "Category" => Move::Text("log.logger"),
            "name" if self.is_of(NUMBER) => Move::Text("log.logger"),
            "c" if self.is_of(MONGO) => Move::Text("log.logger"),
            "ctx" if self.is_of(MONGO) => Move::Text("process.thread.name"),
            "caller" => Move::Caller,
            "error.message" => Move::Text("error.message"),
            "error.type" => Move::Text("error.type"),
            "error.stack_trace" => Move::Text("error.stack_trace"),
            "process.thread.name" | "thread" | "thread_name" | "threadName" => {
                Move::Text("process.thread.name")
            }
            "threadId" | "thread_id" => Move::Number("process.thread.id"),
            "pid" | "process_id" | "_PID" => Move::Number("process.pid"),
            "hostname" | "_HOSTNAME" => Move::Text("host.hostname"),
            "SYSLOG_IDENTIFIER" => Move::Text("process.name"),
            "trace_id" | "traceId" | "traceID" | "trace.id" => Move::Text("trace.id"),
            "span_id" | "spanId" | "spanID" | "span.id" => Move::Text("span.id"),
            "funcName" => Move::Text("log.origin.function"),
            _ => return None,
        })
    }
}

/// So many members of a line are moved, at most.
const MOST: usize = 24;

/// Moves what is known to `others`.
pub fn apply<'a>(fields: &mut JsonFields<'a>, others: &mut List<'a>) {
    exchange::apply(fields, others);
    if !fields.all.may_be(Hint::LOGGER) {
        return;
    }
    let company = Company::of(fields);
    if !company.is_of(LEVEL) {
        return;
    }
    let mut taken: [Option<(usize, Move)>; MOST] = [None; MOST];
    let mut free = taken.iter_mut();
    let mut is_named = false;
    for (at, Member { name, raw, hint }) in fields.members.iter().enumerate() {
        if !hint.may_be(Hint::LOGGER) {
            continue;
        }
        let Some(moved) = company.moved(name).filter(|moved| fits(*moved, *raw)) else {
            is_named |= matches!(&**name, "logger" | "channel");
            continue;
        };
        if let Some(place) = free.next() {
            *place = Some((at, moved));
        }
    }
    // In Python `name` is the logger, beside `levelname`.
    if !is_named
        && fields.members.iter().any(|member| member.name == "levelname")
        && let Some(at) = fields
            .members
            .iter()
            .position(|member| member.name == "name" && member.raw.get().starts_with('"'))
        && let Some(place) = free.next()
    {
        *place = Some((at, Move::Text("log.logger")));
    }
    let count = taken.iter().take_while(|place| place.is_some()).count();
    let (taken, _) = taken.split_at_mut(count);
    keep_free(fields, taken);
    for (at, moved) in taken.iter().flatten() {
        if let Some(member) = fields.members.get(*at) {
            put(*moved, member.raw, company, others);
        }
    }
    let mut at = 0;
    fields.members.retain(|_| {
        let is_moved = taken.iter().flatten().any(|(moved, _)| *moved == at);
        at += 1;
        !is_moved
    });
}

/// Whether a value is what the field takes.
fn fits(moved: Move, raw: Raw<'_>) -> bool {
    let first = raw.get().as_bytes().first();
    match moved {
        Move::Message | Move::Text(_) | Move::Caller => first == Some(&b'"'),
        Move::Level => matches!(first, Some(b'"' | b'0'..=b'9')),
        Move::Number(_) => number(raw.get().trim_matches('"').as_bytes()).is_some(),
        Move::Error => matches!(first, Some(b'"' | b'{')),
    }
}

/// Leaves members where they are whose field another member has, or is in the way of.
fn keep_free(fields: &JsonFields<'_>, taken: &mut [Option<(usize, Move)>]) {
    // Of two that mean the same, the first.
    for later in 1..taken.len() {
        let (before, rest) = taken.split_at_mut(later);
        if let Some(Some((_, moved))) = rest.first()
            && before.iter().flatten().any(|(_, other)| other == moved)
            && let Some(place) = rest.first_mut()
        {
            *place = None;
        }
    }
    // What stays may be in the way of others, as often as something stays.
    let mut staying = [0_usize; ROOTS];
    for Member { name, hint, .. } in &fields.members {
        if hint.may_be(Hint::LOGGER)
            && let Some(count) = root_of(name).and_then(|root| staying.get_mut(root))
        {
            *count += 1;
        }
    }
    let root_at = |at: usize| fields.members.get(at).and_then(|member| root_of(&member.name));
    for (at, _) in taken.iter().flatten() {
        if let Some(count) = root_at(*at).and_then(|root| staying.get_mut(root)) {
            *count -= 1;
        }
    }
    loop {
        let is_blocked = |moved: Move| {
            root_of(moved.root()).and_then(|root| staying.get(root)).is_some_and(|count| *count > 0)
        };
        let blocked =
            taken.iter_mut().find(|place| place.is_some_and(|(_, moved)| is_blocked(moved)));
        let Some((at, _)) = blocked.and_then(Option::take) else { return };
        if let Some(count) = root_at(at).and_then(|root| staying.get_mut(root)) {
            *count += 1;
        }
    }
}

/// So many are the objects that fields are moved to.
const ROOTS: usize = 7;

/// Which of them a name is in.
fn root_of(name: &str) -> Option<usize> {
    let (root, _) = crate::fields::split_first(name);
    Some(match root {
        "log" => 0,
        "message" => 1,
        "error" => 2,
        "process" => 3,
        "host" => 4,
        "trace" => 5,
        "span" => 6,
        _ => return None,
    })
}

/// Adds what no other member has said: a name that is there twice would be put aside.
fn add_once<'a>(others: &mut List<'a>, name: &'static str, value: impl Into<Value<'a>>) {
    if others.lookup(name).is_none() {
        others.add(name, value);
    }
}

fn put<'a>(moved: Move, raw: Raw<'a>, company: Company, others: &mut List<'a>) {
    match moved {
        Move::Level => put_level(raw, company, others),
        Move::Message => add_once(others, "message", text(raw)),
        Move::Text(name) => add_once(others, name, text(raw)),
        Move::Number(name) => {
            if let Some(number) = number(raw.get().trim_matches('"').as_bytes()) {
                add_once(others, name, number);
            }
        }
        Move::Caller => put_caller(raw, others),
        Move::Error => put_error(raw, others),
    }
}

/// A level as a word, or as the number that bunyan, pino, monolog or syslog have for it.
fn put_level<'a>(raw: Raw<'a>, company: Company, others: &mut List<'a>) {
    let Value::Text(written) = text(raw) else { return };
    // As Java's loggers pad it.
    let written = match written {
        Cow::Borrowed(word) => Cow::Borrowed(word.trim_ascii()),
        Cow::Owned(word) => Cow::Owned(word.trim_ascii().to_vec()),
    };
    let folded = match number(&written) {
        Some(severity @ 0..=7) if company.is_of(JOURNALD) || raw.get().len() == 1 => {
            u8::try_from(severity).ok().map(level::of_severity)
        }
        Some(10) => Some("trace"),
        Some(20 | 100) => Some("debug"),
        Some(30 | 200) => Some("info"),
        Some(250) => Some("notice"),
        Some(40 | 300) => Some("warn"),
        Some(50 | 400) => Some("error"),
        Some(500) => Some("critical"),
        Some(550) => Some("alert"),
        Some(60) => Some("fatal"),
        Some(600) => Some("emergency"),
        _ => level::folded(&written),
    };
    let Some(folded) = folded else { return add_once(others, "log.level", Value::Text(written)) };
    add_once(others, "log.level", folded);
    if !written.eq_ignore_ascii_case(folded.as_bytes()) {
        add_once(others, "log.level_original", Value::Text(written));
    }
}

/// `main.go:12`, or a place without a line.
fn put_caller<'a>(raw: Raw<'a>, others: &mut List<'a>) {
    let Value::Text(written) = text(raw) else { return };
    let colon = memchr::memrchr(b':', &written);
    let line = colon.and_then(|at| number(written.get(at + 1..)?));
    match (colon, line) {
        (Some(at), Some(line)) => {
            add_once(
                others,
                "log.origin.file.name",
                written.get(..at).unwrap_or_default().to_vec(),
            );
            add_once(others, "log.origin.file.line", line);
        }
        _ => add_once(others, "log.origin.file.name", Value::Text(written)),
    }
}

/// A text, or `{"message":…,"name":…,"stack":…}`; other members of that stay in `error`.
fn put_error<'a>(raw: Raw<'a>, others: &mut List<'a>) {
    if raw.get().starts_with('"') {
        return add_once(others, "error.message", text(raw));
    }
    let Some(members) = super::read_once(raw.get()) else { return };
    for Member { name, raw: value, .. } in &members.members {
        let is_text = value.get().starts_with('"');
        let field = match &**name {
            "message" | "msg" if is_text => "error.message",
            "type" | "name" if is_text => "error.type",
            "stack" | "stack_trace" | "stacktrace" if is_text => "error.stack_trace",
            "code" if !value.get().starts_with(['{', '[']) => "error.code",
            // All of it, as text: it may have a name twice.
            _ => {
                add_once(others, "error.details", Value::Text(Cow::Borrowed(raw.get().as_bytes())));
                continue;
            }
        };
        add_once(others, field, text(*value));
    }
}

/// The text of a member; of a number its digits.
pub fn text(raw: Raw<'_>) -> Value<'_> {
    let json = raw.get();
    let Some(inside) = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')) else {
        return Value::Text(Cow::Borrowed(json.as_bytes()));
    };
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Value::Text(Cow::Borrowed(inside.as_bytes()));
    }
    match serde_json::from_str::<String>(json) {
        Ok(text) => Value::Text(Cow::Owned(text.into_bytes())),
        Err(_) => Value::Text(Cow::Borrowed(inside.as_bytes())),
    }
}
