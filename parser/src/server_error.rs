//! The error logs of nginx and of Apache (2.2 and 2.4).

#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use memchr::{memchr, memmem};

use super::access::read_request;
use super::address::Address;
use super::level;
use super::request::{Request, Texts};
use super::time::{Calendar, Time};
use super::words::{add, failed, inside, number, split_at_text, split_once, text_only, trim_start};
use super::{Fields, List, Parse, Parsed};

/// Reads nginx's error log.
#[derive(Debug)]
pub struct NginxErrorParser {
    zone: Option<TimeZone>,
}

/// Reads Apache's error log.
#[derive(Debug)]
pub struct ApacheErrorParser {
    zone: Option<TimeZone>,
}

impl NginxErrorParser {
    /// Of lines whose times are of `zone`.
    pub fn in_zone(zone: Option<TimeZone>) -> Self {
        Self { zone }
    }
}

impl ApacheErrorParser {
    /// Of lines whose times are of `zone`.
    pub fn in_zone(zone: Option<TimeZone>) -> Self {
        Self { zone }
    }
}

fn of_request(time: Option<Time>, mut fields: Request<'_>) -> Parsed<'_> {
    fields.texts = Texts::Literal;
    Parsed::Event { time, is_assumed: false, fields: Fields::Request(fields), problem: None }
}

fn add_type(others: &mut List<'_>, level: &[u8]) {
    let is_error =
        matches!(level::folded(level), Some("error" | "critical" | "alert" | "emergency"));
    others.add("event.type", if is_error { "error" } else { "info" });
}

impl Parse for NginxErrorParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let Some((told, rest)) = calendar.split_time(line) else { return text_only() };
        let time = calendar.settle(told, self.zone.as_ref());
        let read = || {
            let (level, rest) = inside(rest.strip_prefix(b" ")?, b'[', b']')?;
            let (process, rest) = split_once(rest.strip_prefix(b" ")?, b'#')?;
            let (thread, rest) = split_at_text(rest, b": ")?;
            Some((level, number(process)?, number(thread)?, rest))
        };
        let Some((level, process, thread, rest)) = read() else {
            return failed(
                time,
                "expected a level, a process and a thread behind the time, such as [error] 54#0: ",
            );
        };
        level::add(others, level);
        add_type(others, level);
        others.add("process.pid", process);
        others.add("process.thread.id", thread);
        let mut message = rest;
        if let Some(connection) = rest.strip_prefix(b"*")
            && let Some((id, behind)) = split_once(connection, b' ')
            && let Some(id) = number(id)
        {
            others.add("nginx.error.connection_id", id);
            message = behind;
        }
        let mut fields = Request::default();
        if let Some((_, context)) = split_at_text(message, b", client: ") {
            add_context(context, &mut fields, others);
        }
        add(others, "message", message);
        // The message has all of it.
        fields.more = false;
        of_request(time, fields)
    }
}

/// What a message is about, in this order, each of which may be missing: `192.0.2.7, server: _, request:
/// "GET /x HTTP/1.1", subrequest: "…", upstream: "…", host: "e.x", referrer: "…"`. The server escapes
/// nothing, and a client may write such names itself: what is not certain is in the message alone.
fn add_context<'a>(context: &'a [u8], fields: &mut Request<'a>, others: &mut List<'a>) {
    let end = memchr(b',', context).unwrap_or(context.len());
    let (client, mut rest) = context.split_at(end);
    let address = Address::read(client);
    (fields.client_port, fields.client) = (address.port, Some(address));
    if let Some(behind) = rest.strip_prefix(b", server: ") {
        let end = memmem::find(behind, b", ").unwrap_or(behind.len());
        let (server, after) = behind.split_at(end);
        add(others, "nginx.error.server", server);
        rest = after;
    }
    for (name, begin) in CONTEXT {
        let Some(value) = rest.strip_prefix(begin) else { continue };
        let Some((value, after)) = context_value(value) else { return };
        match name {
            "request" => read_request(value, fields),
            "host" => fields.host = Some(value),
            "referrer" => fields.referrer = Some(value),
            "upstream" => add(others, "nginx.error.upstream", value),
            _ => add(others, "nginx.error.subrequest", value),
        }
        rest = after;
    }
}

const CONTEXT: [(&str, &[u8]); 5] = [
    ("request", b", request: \""),
    ("subrequest", b", subrequest: \""),
    ("upstream", b", upstream: \""),
    ("host", b", host: \""),
    ("referrer", b", referrer: \""),
];

/// The value up to the quote behind which another one begins, or the line ends; `None` where there are
/// several such places for the same name.
fn context_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut found: Option<(usize, &[u8])> = None;
    for at in memchr::memchr_iter(b'"', text) {
        let after = text.get(at + 1..)?;
        let next = CONTEXT.iter().find(|(_, begin)| after.starts_with(begin));
        match (next, found) {
            (None, None) if after.is_empty() => {
                return text.split_at_checked(at).map(|(value, _)| (value, after));
            }
            (Some((_, begin)), None) => found = Some((at, begin)),
            (Some((_, begin)), Some((_, before))) if *begin == before => return None,
            _ => {}
        }
    }
    let (at, _) = found?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

impl Parse for ApacheErrorParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let begun = line.strip_prefix(b"[").and_then(|text| calendar.split_time(text));
        let Some((told, rest)) = begun else {
            if let Some(code) = code_of(line) {
                others.add("error.code", code);
            }
            return text_only();
        };
        let time = calendar.settle(told, self.zone.as_ref());
        let Some(mut rest) = rest.strip_prefix(b"]") else {
            return failed(
                time,
                "expected a time in brackets, such as [Fri Feb 26 10:00:00.123456 2026]",
            );
        };
        let mut fields = Request::default();
        let mut has_level = false;
        let mut error: &[u8] = b"";
        loop {
            let text = trim_start(rest);
            if error.is_empty()
                && text.starts_with(b"(")
                && let Some(at) = memmem::find(text, b" [client ")
            {
                // What the system said stands before the client.
                (error, rest) = text.split_at(at);
                continue;
            }
            let Some((inside, after)) = inside(text, b'[', b']') else { break };
            if !add_part(inside, &mut has_level, &mut fields, others) {
                break;
            }
            rest = after;
        }
        if !has_level {
            return failed(
                time,
                "expected a level in brackets behind the time, such as [core:error]",
            );
        }
        let message = trim_start(rest);
        if !error.is_empty() {
            add(others, "apache.error.system", error.strip_suffix(b":").unwrap_or(error));
        }
        add_message(message, &mut fields, others);
        of_request(time, fields)
    }
}

/// What one pair of brackets says; false where it belongs to the message.
fn add_part<'a>(
    text: &'a [u8],
    has_level: &mut bool,
    fields: &mut Request<'a>,
    others: &mut List<'a>,
) -> bool {
    if let Some(rest) = text.strip_prefix(b"pid ") {
        let (pid, thread) = split_at_text(rest, b":tid ").unwrap_or((rest, b""));
        if let Some(pid) = number(pid) {
            others.add("process.pid", pid);
        }
        if let Some(thread) = number(thread) {
            others.add("process.thread.id", thread);
        }
        return true;
    }
    if let Some(client) = text.strip_prefix(b"client ").or_else(|| text.strip_prefix(b"remote ")) {
        let address = Address::read(client);
        (fields.client_port, fields.client) = (address.port, Some(address));
        return true;
    }
    if let Some(host) = text.strip_prefix(b"host ") {
        fields.host = Some(host);
        return true;
    }
    let (module, level) = split_once(text, b':').unwrap_or((b"", text));
    // In lower case: other programs write theirs in brackets too.
    let is_level = !*has_level
        && level.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && level::folded(level).is_some();
    if is_level {
        *has_level = true;
        add(others, "apache.error.module", module);
        level::add(others, level);
        add_type(others, level);
    }
    is_level
}

/// `AH00126: Invalid URI …, referer: http://e.x/`
fn add_message<'a>(message: &'a [u8], fields: &mut Request<'a>, others: &mut List<'a>) {
    if let Some(code) = code_of(message) {
        others.add("error.code", code);
    }
    let mut text = message;
    if let Some(at) = memmem::rfind(message, b", referer: ")
        && let Some((before, referrer)) = message.split_at_checked(at)
    {
        fields.referrer = referrer.get(b", referer: ".len()..);
        text = before;
    }
    if let Some((_, path)) = split_at_text(text, b"File does not exist: ") {
        add(others, "file.path", path);
    }
    add(others, "message", message);
}

/// `AH00126` before a colon.
fn code_of(message: &[u8]) -> Option<&[u8]> {
    let (code, rest) = message.split_at_checked(7)?;
    let digits = code.strip_prefix(b"AH")?;
    (rest.starts_with(b":") && digits.iter().all(u8::is_ascii_digit)).then_some(code)
}
