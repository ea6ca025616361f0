//! `MySQL` and `MariaDB`: the error log of each version, and the slow log, of which an event is several lines
//! (<https://dev.mysql.com/doc/refman/8.4/en/slow-query-log.html>).

use jiff::tz::TimeZone;
use memchr::memchr;

use crate::address::{Address, AddressKind};
use crate::level;
use crate::time::{Calendar, Time, TimeFormat, Told};
use crate::words::{
    add, failed, inside, listed, number, split_at_text, split_once, text_only, trim_start, word,
};
use crate::{List, Parse, Parsed};

/// Reads the error log.
#[derive(Debug)]
pub struct MysqlErrorParser {
    zone: Option<TimeZone>,
}

/// Reads the slow log.
#[derive(Debug)]
pub struct MysqlSlowParser {
    zone: Option<TimeZone>,
}

impl MysqlErrorParser {
    /// Of lines whose times are of `zone`.
    pub fn in_zone(zone: Option<TimeZone>) -> Self {
        Self { zone }
    }
}

impl MysqlSlowParser {
    /// Of events whose times are of `zone`.
    pub fn in_zone(zone: Option<TimeZone>) -> Self {
        Self { zone }
    }
}

impl Parse for MysqlErrorParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let Some((told, rest)) = calendar.split_time(line) else { return text_only() };
        let time = calendar.settle(told, self.zone.as_ref());
        let rest = trim_start(rest);
        if let Some(message) = rest.strip_prefix(b"mysqld_safe ") {
            others.add("process.name", "mysqld_safe");
            add(others, "message", message);
            return listed(time);
        }
        let (first, behind) = word(rest);
        let mut rest = rest;
        if let Some(thread) = number(first) {
            others.add("mysql.thread_id", thread);
            rest = behind;
        }
        let Some((severity, mut rest)) = inside(rest, b'[', b']') else {
            return failed(time, "expected a level in brackets behind the time, such as [Warning]");
        };
        level::add(others, severity);
        for name in ["error.code", "mysql.error.subsystem"] {
            let Some((value, after)) = inside(trim_start(rest), b'[', b']') else { break };
            if name == "error.code" && !value.starts_with(b"MY-") {
                break;
            }
            others.add(name, value);
            rest = after;
        }
        add(others, "message", trim_start(rest));
        listed(time)
    }
}

impl Parse for MysqlSlowParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        if !line.starts_with(b"# ") {
            // What the server writes when it opens the file.
            return text_only();
        }
        let mut query = line;
        let mut told: Option<Told> = None;
        let mut has_times = false;
        while query.starts_with(b"#") {
            let (row, rest) = split_once(query, b'\n').unwrap_or((query, b""));
            let row = row.get(1..).map(trim_start).unwrap_or_default();
            if let Some(when) = row.strip_prefix(b"Time: ") {
                told = calendar.split_time(when).map(|(told, _)| told);
            } else if let Some(who) = row.strip_prefix(b"User@Host: ") {
                add_who(who, others);
            } else if row.starts_with(b"administrator command") {
                break;
            } else {
                has_times |= add_numbers(row, others);
            }
            query = rest;
        }
        let mut since: Option<Time> = None;
        loop {
            let (row, rest) = split_once(query, b'\n').unwrap_or((query, b""));
            if let Some(schema) = row.strip_prefix(b"use ").and_then(|row| row.strip_suffix(b";")) {
                if others.lookup("mysql.slowlog.schema").is_none() {
                    add(others, "mysql.slowlog.schema", schema);
                }
            } else if let Some(seconds) = row.strip_prefix(b"SET timestamp=") {
                let seconds = seconds.strip_suffix(b";").unwrap_or(seconds);
                since = calendar.read(TimeFormat::Seconds, seconds);
            } else {
                break;
            }
            query = rest;
        }
        add(others, "mysql.slowlog.query", query);
        let time = match told {
            Some(Told::Local(_)) if since.is_some() => since,
            Some(told) => calendar.settle(told, self.zone.as_ref()),
            None => since,
        };
        if has_times {
            listed(time)
        } else {
            failed(time, "expected # Query_time: among the lines of the event")
        }
    }
}

/// `ann[ann] @ h.example [192.0.2.7]  Id:    14`
fn add_who<'a>(text: &'a [u8], others: &mut List<'a>) {
    let Some((user, rest)) = split_at_text(text, b"@ ") else { return };
    let user = memchr(b'[', user).map_or(user, |at| user.split_at(at).0);
    add(others, "user.name", user.trim_ascii());
    let (host, rest) = match memchr(b'[', rest) {
        Some(at) => rest.split_at(at),
        None => (rest, &b""[..]),
    };
    let host = host.trim_ascii();
    let (ip, rest) = inside(rest, b'[', b']').unwrap_or((b"", rest));
    let address = Address::read(ip);
    if let Some(found) = address.ip() {
        others.add("source.ip", found);
    }
    if Address::read(host).kind == AddressKind::Name {
        others.add("source.domain", host);
    }
    add(others, "source.address", if host.is_empty() { ip } else { host });
    if let Some((_, id)) = split_at_text(rest, b"Id:")
        && let Some(id) = number(word(trim_start(id)).0)
    {
        others.add("mysql.thread_id", id);
    }
}

/// `Query_time: 2.4  Lock_time: 0.0 Rows_sent: 1  Rows_examined: 2`, and what Percona adds; whether the first
/// is among them.
fn add_numbers<'a>(row: &'a [u8], others: &mut List<'a>) -> bool {
    let mut rest = row;
    let mut has_time = false;
    while let Some((name, behind)) = split_once(rest, b':') {
        let (value, after) = word(trim_start(behind));
        // Before the next name there may be nothing, as in `Schema:  QC_hit: No`.
        let (value, after) =
            if value.ends_with(b":") { (&b""[..], trim_start(behind)) } else { (value, after) };
        rest = after;
        let field = match name.trim_ascii() {
            b"Query_time" => {
                has_time = true;
                if let Some(nanos) = nanos(value) {
                    others.add("event.duration", nanos);
                }
                continue;
            }
            b"Lock_time" => {
                if let Some(seconds) =
                    std::str::from_utf8(value).ok().and_then(|text| text.parse::<f64>().ok())
                {
                    others.add("mysql.slowlog.lock_time.sec", seconds);
                }
                continue;
            }
            b"Schema" => {
                add(others, "mysql.slowlog.schema", value);
                continue;
            }
            b"Rows_sent" => "mysql.slowlog.rows_sent",
            b"Rows_examined" => "mysql.slowlog.rows_examined",
            b"Rows_affected" => "mysql.slowlog.rows_affected",
            b"Bytes_sent" => "mysql.slowlog.bytes_sent",
            b"Bytes_received" => "mysql.slowlog.bytes_received",
            b"Thread_id" => "mysql.thread_id",
            b"Killed" => "mysql.slowlog.killed",
            b"Last_errno" | b"Errno" => "mysql.slowlog.last_errno",
            b"Tmp_tables" => "mysql.slowlog.tmp_tables",
            b"Tmp_disk_tables" => "mysql.slowlog.tmp_disk_tables",
            _ => continue,
        };
        if let Some(number) = number(value) {
            others.add(field, number);
        }
    }
    has_time
}

/// Seconds with decimals.
fn nanos(value: &[u8]) -> Option<u64> {
    let (whole, decimals) = split_once(value, b'.').unwrap_or((value, b""));
    let decimals = decimals.get(..9).unwrap_or(decimals);
    let digits = decimals.iter().chain(std::iter::repeat(&b'0')).take(9);
    let below = digits.fold(0, |all, digit| all * 10 + u64::from(digit.wrapping_sub(b'0').min(9)));
    number(whole)?.checked_mul(1_000_000_000)?.checked_add(below)
}
