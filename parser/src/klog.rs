//! klog and glog: `I0226 10:00:00.123456       1 server.go:12] "Started" pod="a/b"`
//! (<https://github.com/kubernetes/klog>, <https://github.com/google/glog>).

use jiff::tz::TimeZone;
use memchr::memrchr;

use super::level;
use super::logfmt::{add_pairs, quoted};
use super::time::{Calendar, Told};
use super::words::{failed, listed, number, split_at_text, text_only, trim_start, word};
use super::{List, Parse, Parsed};

/// Reads such lines.
#[derive(Debug)]
pub struct KlogParser {
    zone: Option<TimeZone>,
}

impl KlogParser {
    /// Of lines whose times are of `zone`.
    pub fn in_zone(zone: Option<TimeZone>) -> Self {
        Self { zone }
    }
}

/// The level, the time, and what is behind them.
fn head<'a>(calendar: &mut Calendar, line: &'a [u8]) -> Option<(&'a [u8], Told, &'a [u8])> {
    let (level, rest) = line.split_at_checked(1)?;
    if !matches!(level, b"I" | b"W" | b"E" | b"F") {
        return None;
    }
    // glog can write the year as well.
    let digits = rest.iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    let (told, rest) = match (digits, rest) {
        (8, _) => calendar.split_time(rest)?,
        (4, [m1, m2, d1, d2, b' ', rest @ ..]) => {
            let two = |tens: &u8, ones: &u8| (tens - b'0') * 10 + (ones - b'0');
            calendar.split_clock_of(two(m1, m2), two(d1, d2), rest)?
        }
        _ => return None,
    };
    Some((level, told, trim_start(rest)))
}

impl Parse for KlogParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let Some((level, told, rest)) = head(calendar, line) else { return text_only() };
        let time = calendar.settle(told, self.zone.as_ref());
        level::add(others, level);
        let (thread, rest) = word(rest);
        let origin = split_at_text(rest, b"] ")
            .or_else(|| rest.strip_suffix(b"]").map(|rest| (rest, &b""[..])));
        let (Some(thread), Some((origin, message))) = (number(thread), origin) else {
            return failed(
                time,
                "expected a thread and a place in the code behind the time, such as 1 server.go:12] ",
            );
        };
        others.add("process.thread.id", thread);
        let colon = memrchr(b':', origin).unwrap_or(origin.len());
        let (file, line) = origin.split_at(colon);
        others.add("log.origin.file.name", file);
        if let Some(line) = line.get(1..).and_then(number) {
            others.add("log.origin.file.line", line);
        }
        match quoted(message) {
            // A text in quotes has pairs behind it.
            Some((text, pairs)) if pairs.is_empty() || pairs.starts_with(b" ") => {
                others.add("message", text);
                add_pairs(pairs, "klog", others, &mut |_| false);
            }
            _ => others.add("message", message),
        }
        listed(time)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::ParserKind;
    use crate::tests::fields_in_utc;

    #[test]
    fn lines_have_level_time_thread_and_place() {
        let line =
            r#"I0226 10:00:00.123456       1 server.go:12] "Started \"it\"" pod="a/b" err="x" n=1"#;
        assert_eq!(
            fields_in_utc(ParserKind::Klog, line),
            json!({
                "@timestamp": "2026-02-26T10:00:00.123456Z",
                "log": {"level": "info", "level_original": "I", "origin": {"file": {"name": "server.go", "line": 12}}},
                "process": {"thread": {"id": 1}},
                "message": "Started \"it\"", "pod": "a/b", "error": {"message": "x"}, "n": "1",
            })
        );
        let glog = fields_in_utc(
            ParserKind::Klog,
            "F20250226 10:00:00.123456 77 a.cc:9] Check failed: x = y",
        );
        assert_eq!(
            (&glog["@timestamp"], &glog["log"]["level"]),
            (&json!("2025-02-26T10:00:00.123456Z"), &json!("fatal"))
        );
        assert_eq!(glog["message"], "Check failed: x = y");
        assert_eq!(
            fields_in_utc(ParserKind::Klog, "goroutine 1 [running]:")["tags"],
            json!(["time_assumed"])
        );
        let cut = fields_in_utc(ParserKind::Klog, "I0226 10:00:00.123456       1 server");
        assert_eq!(cut["tags"], json!(["parse_failure"]));
    }
}
