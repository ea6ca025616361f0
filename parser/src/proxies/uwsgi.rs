//! `uWSGI`'s own format of requests (<https://uwsgi-docs.readthedocs.io/en/latest/LogFormat.html>): `[pid: 7|app:
//! 0|req: 1/1] 192.0.2.7 () {46 vars in 840 bytes} [Thu Feb 26 10:00:00 2026] GET /a => generated 12 bytes in 3
//! msecs (HTTP/1.1 200) 2 headers in 72 bytes (1 switches on core 0)`. What else it writes is a message.

use jiff::tz::TimeZone;
use memchr::memmem;

use crate::access::status_code;
use crate::address::Address;
use crate::request::{Request, Texts};
use crate::time::Calendar;
use crate::words::{
    add, failed, inside, nanos_of, number, requested, split_at_text, text_only, trim_start, word,
};
use crate::{List, Parse, Parsed};

/// Reads lines of `uWSGI`.
#[derive(Debug)]
pub struct UwsgiParser {
    zone: Option<TimeZone>,
}

impl UwsgiParser {
    /// Of lines whose times are of `zone`.
    pub fn in_zone(zone: Option<TimeZone>) -> Self {
        Self { zone }
    }
}

const GENERATED: &[u8] = b" => generated ";

const PROBLEM: &str = "expected [pid: 7|app: 0|req: 1/1], client, user, variables, [time], request and what became of it, as uWSGI writes them";

impl Parse for UwsgiParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        if !line.starts_with(b"[pid: ") {
            return text_only();
        }
        let mut fields = Request { texts: Texts::Literal, ..Request::default() };
        match read(calendar, self.zone.as_ref(), line, &mut fields, others) {
            Some(time) => requested(Some(time), fields, None),
            None => failed(None, PROBLEM),
        }
    }
}

fn read<'a>(
    calendar: &mut Calendar,
    zone: Option<&TimeZone>,
    line: &'a [u8],
    fields: &mut Request<'a>,
    others: &mut List<'a>,
) -> Option<crate::Time> {
    let (head, rest) = inside(line, b'[', b']')?;
    let (client, rest) = word(trim_start(rest));
    let (user, rest) = inside(rest, b'(', b')')?;
    let (variables, rest) = inside(trim_start(rest), b'{', b'}')?;
    let (told, rest) = calendar.split_time(trim_start(rest).strip_prefix(b"[")?)?;
    let rest = rest.strip_prefix(b"] ")?;
    // The last one: a client may have sent such a text.
    let at = memmem::rfind(rest, GENERATED)?;
    let (request, rest) = (rest.get(..at)?, rest.get(at + GENERATED.len()..)?);
    let (size, rest) = split_at_text(rest, b" bytes in ")?;
    let (taken, rest) = word(rest);
    let (unit, rest) = word(rest);
    let (answer, rest) = inside(rest, b'(', b')')?;
    let (version, status) = word(answer.strip_prefix(b"HTTP/")?);
    let (method, target) = word(request);
    let unit = match unit {
        b"msecs" => 1_000_000,
        b"micros" => 1_000,
        b"secs" => 1_000_000_000,
        _ => return None,
    };
    fields.status = Some(status_code(status).ok()?);
    fields.bytes = Some(number(size)?);
    fields.duration_nanos = nanos_of(taken, unit);
    let address = Address::read(client);
    (fields.client_port, fields.client) = (address.port, Some(address));
    fields.user = Some(user).filter(|user| !user.is_empty());
    (fields.method, fields.target, fields.version) = (Some(method), Some(target), Some(version));
    add_head(head, others);
    if let Some((_, bytes)) = split_at_text(variables, b" vars in ")
        && let Some(bytes) = number(word(bytes).0)
    {
        others.add("uwsgi.vars_bytes", bytes);
    }
    add_tail(trim_start(rest), others);
    calendar.settle(told, zone)
}

/// `pid: 7|app: 0|req: 1/1`
fn add_head<'a>(head: &'a [u8], others: &mut List<'a>) {
    for part in head.split(|byte| *byte == b'|') {
        match split_at_text(part, b": ") {
            Some((b"pid", pid)) => {
                if let Some(pid) = number(pid) {
                    others.add("process.pid", pid);
                }
            }
            Some((b"app", app)) => add(others, "uwsgi.app", app),
            Some((b"req", request)) => add(others, "uwsgi.request", request),
            _ => others.more = true,
        }
    }
}

/// `2 headers in 72 bytes (1 switches on core 0)`
fn add_tail<'a>(tail: &'a [u8], others: &mut List<'a>) {
    let read = || {
        let (headers, rest) = split_at_text(tail, b" headers in ")?;
        let (bytes, rest) = split_at_text(rest, b" bytes (")?;
        let (switches, rest) = split_at_text(rest, b" switches on core ")?;
        let core = rest.strip_suffix(b")")?;
        Some([number(headers)?, number(bytes)?, number(switches)?, number(core)?])
    };
    let names = ["uwsgi.headers", "uwsgi.headers_bytes", "uwsgi.switches", "uwsgi.core"];
    match read() {
        Some(numbers) => {
            for (name, number) in names.into_iter().zip(numbers) {
                others.add(name, number);
            }
        }
        None => others.more = true,
    }
}
