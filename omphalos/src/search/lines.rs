//! A document as a line for people.
//!
//! What stands in a log was written by strangers: nothing in it reaches the terminal as a command.

use std::collections::HashMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use indicatif::HumanBytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use omphalos_common::clean::{clean, clean_json_line};
use serde_json::Value;
use serde_json::value::RawValue;
use unicode_width::UnicodeWidthChar;

/// The tag of a document whose time is not its line's own.
const TIME_ASSUMED: &str = "time_assumed";

const TIME: Style = Style::new().dimmed();
const NAME: Style = AnsiColor::Blue.on_default();
const GOOD: Style = AnsiColor::Green.on_default();
const MOVED: Style = AnsiColor::Cyan.on_default();
const REFUSED: Style = AnsiColor::Yellow.on_default();
const FAILED: Style = AnsiColor::Red.on_default().bold();
const PLAIN: Style = Style::new();

/// Writes documents as lines for people.
#[derive(Debug, Clone)]
pub struct Lines {
    /// Whether in colour.
    pub colour: bool,
    /// In which zone times are shown.
    pub zone: TimeZone,
    /// Columns of the terminal, beyond which a line is cut.
    pub width: Option<usize>,
}

/// The line of a document where its time is shown apart.
pub fn line_without_time(document: &Value, json: &str) -> String {
    let mut line = String::new();
    let lines = Lines { colour: false, zone: TimeZone::UTC, width: None };
    lines.rest(&mut line, document, json);
    line.trim_start().to_owned()
}

impl Lines {
    /// The line of a document, whose text `json` is, without a line feed.
    pub fn line(&self, document: &Value, json: &str) -> String {
        let mut line = self.painted(TIME, &self.time(text(document, "/@timestamp")));
        if has_tag(document, TIME_ASSUMED) {
            add(&mut line, &self.painted(REFUSED, "?"));
        }
        self.rest(&mut line, document, json);
        match self.width {
            Some(width) => cut(&line, width),
            None => line,
        }
    }

    /// What stands behind the time.
    fn rest(&self, line: &mut String, document: &Value, json: &str) {
        if let Some(status) = document.pointer("/http/response/status_code") {
            self.request(line, document, &shown(status));
        } else if document.pointer("/http/request/method").is_some() {
            self.request(line, document, "-");
        } else {
            self.message(line, document, json);
        }
    }

    /// Date and time in the zone, or what is there instead.
    fn time(&self, text: &str) -> String {
        match text.parse::<Timestamp>() {
            Ok(time) => self.moment(time, "%Y-%m-%d %H:%M:%S%.3f"),
            Err(_) if text.is_empty() => "-".to_owned(),
            Err(_) => harmless(text),
        }
    }

    /// A moment in the zone, which is shown with it.
    pub fn moment(&self, time: Timestamp, format: &str) -> String {
        if self.zone == TimeZone::UTC {
            return format!("{}Z", time.strftime(format));
        }
        time.to_zoned_datetime(self.zone.clone()).strftime(&format!("{format}%:z")).to_string()
    }

    fn request(&self, line: &mut String, document: &Value, status: &str) {
        let method = text(document, "/http/request/method");
        let target = [text(document, "/url/original"), text(document, "/url/path")];
        let target = target.into_iter().find(|part| !part.is_empty()).unwrap_or_default();
        let query = text(document, "/url/query");
        let target = match query {
            "" => harmless(target),
            query if target.contains('?') || target.ends_with(query) => harmless(target),
            query => harmless(&format!("{target}?{query}")),
        };
        let client = [text(document, "/source/address"), text(document, "/source/ip")];
        let client = client.into_iter().find(|part| !part.is_empty()).unwrap_or("-");
        let status = self.painted(of_status(status), &harmless(status));
        let client = self.painted(NAME, &harmless(client));
        add(line, &format!("  {status}  {} {target}  {client}", harmless(method)));
        let bytes = ["/http/response/body/bytes", "/http/response/bytes"];
        let bytes = bytes.iter().find_map(|at| document.pointer(at).and_then(Value::as_u64));
        if let Some(bytes) = bytes {
            add(line, &format!("  {}", HumanBytes(bytes)));
        }
        let agent = text(document, "/user_agent/original");
        if !agent.is_empty() {
            add(line, &format!("  {}", self.painted(TIME, &harmless(agent))));
        }
        // What a program says of a request, or a line that was not understood in full.
        let message = text(document, "/message");
        if !message.is_empty() {
            add(line, &format!("  {}", harmless(message)));
        }
    }

    fn message(&self, line: &mut String, document: &Value, json: &str) {
        let host = self.painted(NAME, &harmless(text(document, "/host/name")));
        add(line, &format!("  {host}"));
        let level = text(document, "/log/level");
        if !level.is_empty() {
            add(line, &format!("  {}", self.painted(of_level(level), &harmless(level))));
        }
        let message = text(document, "/message");
        let message = if message.is_empty() { rest(document, json) } else { message.to_owned() };
        add(line, &format!("  {}", harmless(&message)));
        let error = text(document, "/error/message");
        if !error.is_empty() {
            add(line, &format!("  {}", self.painted(REFUSED, &format!("[{}]", harmless(error)))));
        }
    }

    /// `text` in a colour, if there are colours.
    pub fn painted(&self, style: Style, text: &str) -> String {
        if self.colour && style != PLAIN {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// A bar of a histogram.
    pub fn bar(&self, text: &str) -> String {
        self.painted(GOOD, text)
    }
}

fn add(line: &mut String, text: &str) {
    // Strings can always be written to.
    line.push_str(text);
}

fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    document.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn has_tag(document: &Value, tag: &str) -> bool {
    let tags = document.get("tags").and_then(Value::as_array);
    tags.is_some_and(|tags| tags.iter().any(|one| one.as_str() == Some(tag)))
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A line that fits into so many columns; what is cut off is shown by an ellipsis. The colours in it,
/// which are all of ours, need no columns.
fn cut(line: &str, width: usize) -> String {
    let (mut columns, mut kept) = (0, 0);
    let mut is_command = false;
    for (at, character) in line.char_indices() {
        is_command |= character == '\u{1b}';
        if is_command {
            is_command = character != 'm';
            continue;
        }
        columns += character.width().unwrap_or(0);
        if columns > width {
            let reset = if line.contains('\u{1b}') { "\u{1b}[0m" } else { "" };
            return format!("{}…{reset}", line.get(..kept).unwrap_or_default());
        }
        // One column is left for the ellipsis.
        if columns < width {
            kept = at + character.len_utf8();
        }
    }
    line.to_owned()
}

/// Fields of a document that has no message: all but those that every document has. What is no text is
/// shown as it is written: a number may have more digits than we could count with.
fn rest(document: &Value, json: &str) -> String {
    const COMMON: [&str; 7] = ["@timestamp", "ecs", "event", "host", "log", "agent", "tags"];
    let members = document.as_object().into_iter().flatten();
    let own = members.filter(|(name, _)| !COMMON.contains(&name.as_str()));
    let written: HashMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
    let mut text = String::new();
    for (name, value) in own {
        let gap = if text.is_empty() { "" } else { " " };
        let raw = written.get(name).filter(|_| !value.is_string());
        let shown = raw.map_or_else(|| shown(value), |raw| clean_json_line(raw.get()));
        if write!(text, "{gap}{name}={shown}").is_err() {
            break;
        }
    }
    text
}

fn of_status(status: &str) -> Style {
    match status.bytes().next() {
        Some(b'2') => GOOD,
        Some(b'3') => MOVED,
        Some(b'4') => REFUSED,
        Some(b'5') => FAILED,
        _ => PLAIN,
    }
}

fn of_level(level: &str) -> Style {
    match level.to_ascii_lowercase().as_str() {
        "warn" | "warning" => REFUSED,
        "error" | "err" | "fatal" | "crit" | "critical" | "alert" | "emerg" | "panic" => FAILED,
        "info" | "notice" => GOOD,
        _ => PLAIN,
    }
}

/// Text that does nothing to a terminal, on one line.
fn harmless(text: &str) -> String {
    clean(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::clean::is_harmful;
    use proptest::prelude::*;
    use serde_json::json;

    fn line(lines: &Lines, document: &Value) -> String {
        lines.line(document, &document.to_string())
    }

    #[test]
    fn numbers_are_shown_as_they_are_written() {
        let json = "{\"@timestamp\":\"?\",\"n\": 123456789012345678901234567890,\"u\":18446744073709551615,\"f\":1.50,\"o\":{\"i\":-98765432109876543210},\"l\":[1e2],\"t\":\"x\"}";
        let document = serde_json::from_str(json).unwrap();
        assert_eq!(
            BARE.line(&document, json),
            "?    n=123456789012345678901234567890 u=18446744073709551615 f=1.50 o={\"i\":-98765432109876543210} l=[1e2] t=x"
        );
        // Halves of characters make it no JSON; then it is shown as it is understood.
        assert_eq!(BARE.line(&json!({"@timestamp": "?", "a": 1.5}), "{\"a"), "?    a=1.5");
    }

    const BARE: Lines = Lines { colour: false, zone: TimeZone::UTC, width: None };

    #[test]
    fn requests_and_messages_are_read_at_a_glance() {
        let request = json!({
            "@timestamp": "2026-11-22T10:00:00.5Z",
            "http": {"request": {"method": "GET"}, "response": {"status_code": 500, "body": {"bytes": 2048}}},
            "url": {"path": "/api/x", "query": "n=1"},
            "source": {"ip": "203.0.113.7"}
        });
        assert_eq!(
            line(&BARE, &request),
            "2026-11-22 10:00:00.500Z  500  GET /api/x?n=1  203.0.113.7  2.00 KiB"
        );
        let message = json!({
            "@timestamp": "2026-11-22T10:00:00Z", "host": {"name": "web1"},
            "log": {"level": "error"}, "message": "it\tbroke"
        });
        assert_eq!(line(&BARE, &message), "2026-11-22 10:00:00.000Z  web1  error  it␉broke");
        let untimed = json!({
            "@timestamp": "2026-11-22T10:00:00Z", "tags": ["time_assumed"], "message": "x"
        });
        assert_eq!(line(&BARE, &untimed), "2026-11-22 10:00:00.000Z?    x");
        let other = json!({"@timestamp": "?", "a": 1, "b": {"c": "d"}});
        assert_eq!(line(&BARE, &other), "?    a=1 b={\"c\":\"d\"}");
        assert!(line(&Lines { colour: true, ..BARE }, &request).contains("\u{1b}["));
    }

    #[test]
    fn json_is_printed_as_it_is() {
        let pretty =
            "{\n\t\"a\\\"\": 123456789012345678901234567890,\r\n \"b\":\"\u{7f}\\\\\",\"b\":1.50}";
        assert_eq!(
            clean_json_line(pretty),
            r#"{"a\"": 123456789012345678901234567890, "b":"\u007f\\","b":1.50}"#
        );
    }

    #[test]
    fn times_are_shown_in_the_zone_and_with_it() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let document = json!({"@timestamp": "2026-11-22T23:00:00Z", "message": "m"});
        let line = line(&Lines { zone, ..BARE }, &document);
        assert_eq!(line, "2026-11-23 01:00:00.000+02:00    m");
    }

    #[test]
    fn lines_fit_the_terminal() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語x", 6), "日本…");
        assert_eq!(cut("\u{1b}[31mabc\u{1b}[0mdef", 4), "\u{1b}[31mabc…\u{1b}[0m");
        assert_eq!(cut("abc", 0), "…");
    }

    proptest! {
        #[test]
        fn a_cut_line_has_no_more_columns_than_there_are(text in any::<String>(), width in 1usize..60) {
            let shown = cut(&harmless(&text), width);
            let columns: usize = shown.chars().map(|one| one.width().unwrap_or(0)).sum();
            prop_assert!(columns <= width, "{}", shown);
        }

        #[test]
        fn nothing_in_a_document_reaches_the_terminal_as_a_command(hostile in any::<String>()) {
            let document = json!({
                "@timestamp": hostile, "message": hostile, "host": {"name": hostile},
                "log": {"level": hostile}, "error": {"message": hostile}, "user_agent": {"original": hostile}
            });
            prop_assert!(!line(&BARE, &document).chars().any(is_harmful));
            let json = clean_json_line(&document.to_string());
            prop_assert!(!json.chars().any(is_harmful));
            prop_assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), document);
            let request = json!({
                "http": {"request": {"method": hostile}, "response": {"status_code": hostile}},
                "url": {"original": hostile, "query": hostile}, "source": {"address": hostile}
            });
            prop_assert!(!line(&BARE, &request).chars().any(is_harmful));
        }
    }
}
