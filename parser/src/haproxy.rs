//! `HAProxy`: `option httplog`, `tcplog` and `httpslog`, and errors, behind what syslog writes or without it
//! (<https://docs.haproxy.org/3.0/configuration.html#8.2>).

#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use memchr::{memchr, memchr_iter};

use super::access::{read_request, status_code};
use super::address::Address;
use super::request::{Request, Texts};
use super::time::Calendar;
use super::words::{add, failed, inside, number, split_once, trim_start, word};
use super::{Fields, List, Parse, Parsed};

/// Reads lines of `HAProxy`.
#[derive(Debug)]
pub struct HaproxyParser {
    zone: Option<TimeZone>,
}

impl HaproxyParser {
    /// Of lines whose times are of `zone`.
    pub fn in_zone(zone: Option<TimeZone>) -> Self {
        Self { zone }
    }
}

const PROBLEM: &str = "expected client:port [time] frontend backend/server and timers, as HAProxy's httplog and tcplog have them";

impl Parse for HaproxyParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let zone = self.zone.as_ref();
        others.is_distinct = true;
        let Some((client, told, rest)) = split_accept(calendar, line, others) else {
            // Syslog's own time, of lines such as `Proxy x started.`
            let text = line
                .strip_prefix(b"<")
                .and_then(|text| split_once(text, b'>'))
                .map_or(line, |(_, text)| text);
            let told = calendar.split_time(text);
            let time = told.and_then(|(told, _)| calendar.settle(told, zone));
            return failed(time, PROBLEM);
        };
        let time = calendar.settle(told, zone);
        let mut fields = Request { texts: Texts::Escaped, ..Request::default() };
        let address = Address::read(client);
        if !client.is_empty() && !client.starts_with(b"-") {
            fields.client_port = address.port;
            fields.client = Some(address);
        }
        let problem = read_rest(rest, &mut fields, others).is_none().then_some(PROBLEM);
        Parsed::Event { time, is_assumed: false, fields: Fields::Request(fields), problem }
    }
}

/// The client, the time of its connection, and what is behind it: the first word that has a time in
/// brackets behind it. What syslog wrote before is host and process.
fn split_accept<'a>(
    calendar: &mut Calendar,
    line: &'a [u8],
    others: &mut List<'a>,
) -> Option<(&'a [u8], super::Told, &'a [u8])> {
    const MOST: usize = 6;
    for bracket in memchr_iter(b'[', line).take(MOST) {
        let (before, text) = line.split_at(bracket);
        let Some(before) = before.strip_suffix(b" ") else { continue };
        let Some((told, rest)) = text.get(1..).and_then(|text| calendar.split_time(text)) else {
            continue;
        };
        let Some(rest) = rest.strip_prefix(b"] ") else { continue };
        let start = memchr::memrchr(b' ', before).map_or(0, |blank| blank + 1);
        let (head, client) = before.split_at(start);
        add_head(calendar, head, others);
        return Some((client, told, rest));
    }
    None
}

/// `<134>Feb 26 10:00:00 lb haproxy[7]: `
fn add_head<'a>(calendar: &mut Calendar, head: &'a [u8], others: &mut List<'a>) {
    let text = match head.strip_prefix(b"<").and_then(|text| split_once(text, b'>')) {
        Some((_, text)) => text,
        None => head,
    };
    let Some((_, rest)) = calendar.split_time(text) else { return };
    super::syslog::add_old(trim_start(rest).trim_ascii_end(), others);
}

fn read_rest<'a>(text: &'a [u8], fields: &mut Request<'a>, others: &mut List<'a>) -> Option<()> {
    let (frontend, rest) = word(text);
    // `fe/1: SSL handshake failure`
    if let Some(bind) = frontend.strip_suffix(b":") {
        let (frontend, bind) = split_once(bind, b'/').unwrap_or((bind, b""));
        add(others, "haproxy.frontend_name", frontend);
        add(others, "haproxy.bind_name", bind);
        add(others, "haproxy.error_message", rest);
        return Some(());
    }
    // A tilde says that the connection was encrypted.
    add(others, "haproxy.frontend_name", frontend.strip_suffix(b"~").unwrap_or(frontend));
    let (backend, rest) = word(rest);
    let (backend, server) = split_once(backend, b'/')?;
    add(others, "haproxy.backend_name", backend);
    add(others, "haproxy.server_name", server);
    let (timers, rest) = word(rest);
    let rest = match memchr_iter(b'/', timers).count() {
        2 => read_tcp(timers, rest, fields, others)?,
        4 => read_http(timers, rest, fields, others)?,
        _ => return None,
    };
    if !rest.is_empty() {
        fields.more = true;
    }
    Some(())
}

/// `Tw/Tc/Tt bytes state connections queues`
fn read_tcp<'a>(
    timers: &'a [u8],
    rest: &'a [u8],
    fields: &mut Request<'a>,
    others: &mut List<'a>,
) -> Option<&'a [u8]> {
    let [queue, connect, total] = parts(timers)?;
    add_timer(others, "haproxy.time_queue", queue);
    add_timer(others, "haproxy.time_backend_connect", connect);
    fields.duration_nanos = millis(total);
    let (bytes, rest) = word(rest);
    fields.response_bytes = Some(number(bytes.strip_prefix(b"+").unwrap_or(bytes))?);
    let (state, rest) = word(rest);
    others.add("haproxy.termination_state", state);
    read_connections(rest, others)
}

/// `TR/Tw/Tc/Tr/Ta status bytes cookie cookie state connections queues {headers} {headers} "request"`
fn read_http<'a>(
    timers: &'a [u8],
    rest: &'a [u8],
    fields: &mut Request<'a>,
    others: &mut List<'a>,
) -> Option<&'a [u8]> {
    let [request, queue, connect, response, total] = parts(timers)?;
    add_timer(others, "haproxy.http.request.time_wait_ms", request);
    add_timer(others, "haproxy.time_queue", queue);
    add_timer(others, "haproxy.time_backend_connect", connect);
    add_timer(others, "haproxy.http.request.time_wait_without_data_ms", response);
    fields.duration_nanos = millis(total);
    let (status, rest) = word(rest);
    if !status.starts_with(b"-") {
        fields.status = Some(status_code(status).ok()?);
    }
    let (bytes, rest) = word(rest);
    fields.response_bytes = Some(number(bytes.strip_prefix(b"+").unwrap_or(bytes))?);
    let (request_cookie, rest) = word(rest);
    let (response_cookie, rest) = word(rest);
    for (name, cookie) in [
        ("haproxy.http.request.captured_cookie", request_cookie),
        ("haproxy.http.response.captured_cookie", response_cookie),
    ] {
        if cookie != b"-" {
            add(others, name, cookie);
        }
    }
    let (state, rest) = word(rest);
    others.add("haproxy.termination_state", state);
    let rest = read_connections(rest, others)?;
    let rest = read_headers(rest, others);
    Some(read_line(rest, fields, others))
}

/// `1/1/1/1/0 0/0`
fn read_connections<'a>(rest: &'a [u8], others: &mut List<'a>) -> Option<&'a [u8]> {
    let (connections, rest) = word(rest);
    let names = [
        "haproxy.connections.active",
        "haproxy.connections.frontend",
        "haproxy.connections.backend",
        "haproxy.connections.server",
        "haproxy.connections.retries",
    ];
    for (name, count) in names.into_iter().zip(parts::<5>(connections)?) {
        // With a plus, the request went to another server in the end.
        others.add(name, number(count.strip_prefix(b"+").unwrap_or(count))?);
    }
    let (queues, rest) = word(rest);
    let [server, backend] = parts(queues)?;
    others.add("haproxy.server_queue", number(server)?);
    others.add("haproxy.backend_queue", number(backend)?);
    Some(rest)
}

/// `{e.x|curl} {}`: captured headers of the request and of the response. One pair alone is the request's,
/// unless it stands there twice.
fn read_headers<'a>(mut rest: &'a [u8], others: &mut List<'a>) -> &'a [u8] {
    for name in ["haproxy.http.request.captured_headers", "haproxy.http.response.captured_headers"]
    {
        let Some((headers, after)) = inside(rest, b'{', b'}') else { break };
        add(others, name, headers);
        rest = trim_start(after);
    }
    rest
}

/// The request, which is cut without a quote where it is too long, and what `httpslog` has behind it.
fn read_line<'a>(text: &'a [u8], fields: &mut Request<'a>, others: &mut List<'a>) -> &'a [u8] {
    let Some(inside) = text.strip_prefix(b"\"") else { return text };
    let end = memchr::memrchr(b'"', inside).unwrap_or(inside.len());
    let (line, rest) = inside.split_at(end);
    if line == b"<BADREQ>" {
        others.add("haproxy.http.request.raw_request_line", line);
    } else {
        read_request(line, fields);
        if rest.is_empty() {
            fields.more = true;
        }
    }
    let rest = trim_start(rest.strip_prefix(b"\"").unwrap_or(rest));
    read_tls(rest, others).unwrap_or(rest)
}

/// `0/0000000000000000/0/0/0 e.x/TLSv1.3/TLS_AES_256_GCM_SHA384`
fn read_tls<'a>(text: &'a [u8], others: &mut List<'a>) -> Option<&'a [u8]> {
    let (errors, rest) = word(text);
    parts::<5>(errors)?;
    let (tls, rest) = word(rest);
    let [name, version, cipher] = parts(tls)?;
    if name != b"-" {
        others.add("tls.client.server_name", name);
    }
    if let Some(version) = version.strip_prefix(b"TLSv") {
        others.add("tls.version", version);
        others.add("tls.version_protocol", "tls");
    }
    if cipher != b"-" {
        others.add("tls.cipher", cipher);
    }
    Some(rest)
}

/// What stands between slashes, if it is as much as that.
fn parts<const COUNT: usize>(text: &[u8]) -> Option<[&[u8]; COUNT]> {
    let mut parts = [&b""[..]; COUNT];
    let mut rest = text;
    let last = COUNT.checked_sub(1)?;
    for part in parts.iter_mut().take(last) {
        // They are a few digits: what looks at many bytes at once takes longer to begin.
        let slash = rest.iter().position(|byte| *byte == b'/')?;
        *part = rest.get(..slash)?;
        rest = rest.get(slash + 1..)?;
    }
    *parts.last_mut()? = rest;
    memchr(b'/', rest).is_none().then_some(parts)
}

/// A timer is -1 where it did not come to that.
fn add_timer(others: &mut List<'_>, name: &'static str, text: &[u8]) {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    if let Some(number) = number(digits) {
        others.add(name, number);
    }
}

fn millis(text: &[u8]) -> Option<u64> {
    number(text.strip_prefix(b"+").unwrap_or(text))?.checked_mul(1_000_000)
}
