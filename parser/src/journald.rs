//! systemd's journal as `journalctl -o export` writes it: a field a line, and an empty line behind each entry
//! (<https://systemd.io/JOURNAL_EXPORT_FORMATS/>). What `-o json` writes is read as JSON.

use super::fields::{Name, Value};
use super::level;
use super::time::{Calendar, Time, TimeFormat};
use super::words::{failed, listed, number, split_once};
use super::{List, Parse, Parsed};

/// Reads entries of the journal.
#[derive(Debug)]
pub struct JournaldParser;

const PROBLEM: &str =
    "expected fields such as MESSAGE=text, a line each, or with their length in eight bytes";

impl Parse for JournaldParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let mut rest = line;
        let mut time: Option<Time> = None;
        let mut has_name = false;
        while !rest.is_empty() {
            let Some((name, value, behind)) = field(rest) else {
                return failed(time, PROBLEM);
            };
            rest = behind;
            match name {
                b"" => {}
                // When it was written down goes behind when it happened.
                b"_SOURCE_REALTIME_TIMESTAMP" => {
                    time = calendar.read(TimeFormat::Micros, value).or(time);
                }
                b"__REALTIME_TIMESTAMP" => {
                    time = time.or_else(|| calendar.read(TimeFormat::Micros, value));
                }
                b"SYSLOG_IDENTIFIER" if !has_name => {
                    has_name = true;
                    others.add("process.name", value);
                }
                _ => add(name, value, others),
            }
        }
        listed(time)
    }
}

/// The first field, and what is behind it; an empty name for an empty line.
fn field(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (row, rest) = split_once(text, b'\n').unwrap_or((text, b""));
    if row.is_empty() {
        return Some((b"", b"", rest));
    }
    if let Some((name, value)) = split_once(row, b'=') {
        return is_name(name).then_some((name, value, rest));
    }
    let (length, behind) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (value, rest) = behind.split_at_checked(length)?;
    let rest = if rest.is_empty() { rest } else { rest.strip_prefix(b"\n")? };
    is_name(row).then_some((row, value, rest))
}

fn is_name(name: &[u8]) -> bool {
    (1..=64).contains(&name.len())
        && name
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
}

/// Adds a field of the journal (<https://www.freedesktop.org/software/systemd/man/latest/systemd.journal-fields.html>).
fn add<'a>(name: &'a [u8], value: &'a [u8], others: &mut List<'a>) {
    let known = match name {
        b"MESSAGE" => "message",
        b"_HOSTNAME" => "host.hostname",
        b"_EXE" => "process.executable",
        b"_CMDLINE" => "process.command_line",
        b"_UID" => "user.id",
        b"_GID" => "user.group.id",
        b"_SYSTEMD_UNIT" => "systemd.unit",
        b"_TRANSPORT" => "systemd.transport",
        b"__CURSOR" => "systemd.cursor",
        b"CODE_FILE" => "log.origin.file.name",
        b"CODE_FUNC" => "log.origin.function",
        b"CONTAINER_ID_FULL" => "container.id",
        b"CONTAINER_NAME" => "container.name",
        b"PRIORITY" => {
            let Some(severity) = number(value).and_then(|number| u8::try_from(number).ok()) else {
                return add_other(name, value, others);
            };
            others.add("log.level", level::of_severity(severity));
            return others.add("log.syslog.severity.code", severity);
        }
        b"_PID" | b"CODE_LINE" | b"SYSLOG_FACILITY" => {
            let Some(number) = number(value) else { return add_other(name, value, others) };
            let field = match name {
                b"_PID" => "process.pid",
                b"CODE_LINE" => "log.origin.file.line",
                _ => "log.syslog.facility.code",
            };
            return others.add(field, number);
        }
        _ => return add_other(name, value, others),
    };
    if !value.is_empty() {
        others.add(known, value);
    }
}

fn add_other<'a>(name: &[u8], value: &'a [u8], others: &mut List<'a>) {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    match Name::new(format!("journald.{}", name.trim_start_matches('_'))) {
        Some(name) => others.add(name, Value::from(value)),
        None => others.more = true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::ParserKind;
    use crate::tests::events;

    #[test]
    fn an_entry_ends_with_an_empty_line() {
        let mut file = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1772100000500000\n_SOURCE_REALTIME_TIMESTAMP=1772100000123456\nPRIORITY=6\nSYSLOG_IDENTIFIER=a\n_PID=7\nCODE_LINE=x\nMESSAGE\n".to_vec();
        file.extend_from_slice(&9_u64.to_le_bytes());
        file.extend_from_slice(b"one\n\ntwo=\n_BOOT_ID=b\n\n\n__REALTIME_TIMESTAMP=1772100001000000\nMESSAGE=b\n\nno field\n");
        let read = events(ParserKind::Journald, &file);
        assert_eq!(read.len(), 3, "{read:?}");
        assert_eq!(
            read[0],
            json!({
                "@timestamp": "2026-02-26T10:00:00.123456Z",
                "log": {"level": "info", "syslog": {"severity": {"code": 6}}},
                "process": {"name": "a", "pid": 7},
                "message": "one\n\ntwo=",
                "systemd": {"cursor": "s=1"},
                "journald": {"boot_id": "b", "code_line": "x"},
            })
        );
        assert_eq!((&read[1]["message"], read[1].get("tags")), (&json!("b"), None));
        assert_eq!(read[2]["tags"], json!(["parse_failure", "time_assumed"]));
    }
}
