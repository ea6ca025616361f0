//! What `csvlog` and `jsonlog` say in columns and members.

use std::borrow::Cow;

use memchr::memchr;
use omphalos_common::json::members_of;

use super::{add_client, add_duration};
use crate::fields::Value;
use crate::words::{csv_quoted, number};
use crate::{List, json, level};

/// The columns of csvlog behind the time.
pub fn add_columns<'a>(text: &'a [u8], others: &mut List<'a>) -> Option<()> {
    const MOST: usize = 30;
    let mut rest = text;
    let mut at = 1;
    loop {
        let (value, after) = column(rest)?;
        add_column(at, value, others);
        at += 1;
        match after.strip_prefix(b",") {
            Some(behind) if at < MOST => rest = behind,
            Some(_) => return None,
            None => break,
        }
    }
    (23..=26).contains(&at).then_some(())
}

/// The members of jsonlog (<https://www.postgresql.org/docs/current/runtime-config-logging.html>), each as the
/// column of csvlog that says the same; the time.
pub fn add_members<'a>(line: &'a [u8], others: &mut List<'a>) -> Option<&'a [u8]> {
    let text = std::str::from_utf8(line).ok()?;
    let mut when: &[u8] = b"";
    for (name, raw) in members_of(text)? {
        let Value::Text(value) = json::text(raw) else { continue };
        if raw.get() == "null" {
            continue;
        }
        let column = match &*name {
            "timestamp" => {
                if let Cow::Borrowed(value) = value {
                    when = value;
                }
                continue;
            }
            "remote_port" => {
                if let Some(port) = number(&value) {
                    others.add("source.port", port);
                }
                continue;
            }
            "user" => 1,
            "dbname" => 2,
            "pid" => 3,
            "remote_host" => 4,
            "session_id" => 5,
            "line_num" => 6,
            "ps" => 7,
            "vxid" => 9,
            "txid" => 10,
            "error_severity" => 11,
            "state_code" => 12,
            "message" => 13,
            "detail" => 14,
            "hint" => 15,
            "internal_query" => 16,
            "context" => 18,
            "statement" => 19,
            "application_name" => 22,
            "backend_type" => 23,
            "query_id" => 25,
            "session_start" | "leader_pid" | "internal_position" | "cursor_position" => continue,
            _ => {
                others.more = true;
                continue;
            }
        };
        add_column(column, value, others);
    }
    Some(when)
}

/// A value of CSV, and what is behind it.
fn column(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    if text.starts_with(b"\"") {
        return csv_quoted(text);
    }
    let (value, rest) = text.split_at(memchr(b',', text).unwrap_or(text.len()));
    Some((Cow::Borrowed(value), rest))
}

fn add_column<'a>(at: usize, value: Cow<'a, [u8]>, others: &mut List<'a>) {
    if value.is_empty() {
        return;
    }
    let name = match at {
        1 => "user.name",
        2 => "postgresql.log.database",
        3 | 6 => {
            let name = if at == 3 { "process.pid" } else { "postgresql.log.session_line_number" };
            match number(&value) {
                Some(number) => others.add(name, number),
                None => others.more = true,
            }
            return;
        }
        4 => {
            if let Cow::Borrowed(value) = value {
                add_client(value, others);
            }
            return;
        }
        5 => "postgresql.log.session_id",
        7 => "postgresql.log.command_tag",
        9 => "postgresql.log.virtual_transaction_id",
        10 if *value != *b"0" => "postgresql.log.transaction_id",
        11 => {
            if let Cow::Borrowed(severity) = value {
                level::add(others, severity);
            }
            return;
        }
        12 if *value != *b"00000" => "error.code",
        13 => {
            if let Cow::Borrowed(message) = value {
                add_duration(message, others);
            }
            "message"
        }
        14 => "postgresql.log.detail",
        15 => "postgresql.log.hint",
        16 => "postgresql.log.internal_query",
        18 => "postgresql.log.context",
        19 => "postgresql.log.statement",
        21 => "postgresql.log.location",
        22 => "postgresql.log.application_name",
        23 => "postgresql.log.backend_type",
        25 if *value != *b"0" => "postgresql.log.query_id",
        _ => return,
    };
    others.add(name, Value::Text(value));
}
