//! `RabbitMQ`: `2026-02-26 10:00:00.123456+00:00 [info] <0.229.0> text`, of which an event may have several
//! lines; before 3.7 `=INFO REPORT==== 26-Feb-2026::10:00:00 ===` and the text below it
//! (<https://www.rabbitmq.com/docs/logging>).

use jiff::tz::TimeZone;

use crate::address::Address;
use crate::level;
use crate::time::Calendar;
use crate::words::{add, failed, inside, listed, split_at_text, split_once, text_only, trim_start};
use crate::{List, Parse, Parsed};

/// Reads events of `RabbitMQ`.
#[derive(Debug)]
pub struct RabbitmqParser {
    zone: Option<TimeZone>,
}

impl RabbitmqParser {
    /// Of events whose times are of `zone`, if they do not say theirs.
    pub fn in_zone(zone: Option<TimeZone>) -> Self {
        Self { zone }
    }
}

/// Whether a line begins an event.
pub fn begins(line: &[u8]) -> bool {
    let is_report = line.starts_with(b"=") && line.trim_ascii_end().ends_with(b"===");
    let is_time = matches!(
        line.get(..11),
        Some([
            b'0'..=b'9',
            b'0'..=b'9',
            b'0'..=b'9',
            b'0'..=b'9',
            b'-',
            _,
            _,
            b'-',
            _,
            _,
            b' ' | b'T'
        ])
    );
    is_report || is_time
}

impl Parse for RabbitmqParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let (first, _) = split_once(line, b'\n').unwrap_or((line, b""));
        if !begins(first) {
            return text_only();
        }
        if let Some(report) = line.strip_prefix(b"=") {
            return self.read_report(calendar, report, others);
        }
        let Some((told, rest)) = calendar.split_time(line) else {
            return failed(None, "expected a time such as 2026-02-26 10:00:00.123456+00:00");
        };
        let time = calendar.settle(told, self.zone.as_ref());
        let Some((word, rest)) = inside(trim_start(rest), b'[', b']') else {
            return failed(time, "expected a level in brackets behind the time, such as [info]");
        };
        level::add(others, word);
        let mut message = trim_start(rest);
        if let Some((process, rest)) = inside(message, b'<', b'>') {
            others.add("rabbitmq.log.pid", process);
            message = trim_start(rest);
        }
        add_message(message, others);
        listed(time)
    }
}

impl RabbitmqParser {
    /// `INFO REPORT==== 26-Feb-2026::10:00:00 ===` and the lines below.
    fn read_report<'a>(
        &self,
        calendar: &mut Calendar,
        report: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let (head, message) = split_once(report, b'\n').unwrap_or((report, b""));
        let Some((kind, when)) = split_at_text(head, b" REPORT==== ") else {
            return failed(None, "expected =INFO REPORT==== and a time");
        };
        let time = calendar
            .split_time(when)
            .and_then(|(told, _)| calendar.settle(told, self.zone.as_ref()));
        match kind {
            // What supervisors and processes that end report are errors.
            b"CRASH" | b"SUPERVISOR" => {
                others.add("log.level", "error");
                others.add("log.level_original", kind);
            }
            b"PROGRESS" => {
                others.add("log.level", "info");
                others.add("log.level_original", kind);
            }
            _ => level::add(others, kind),
        }
        add_message(message.trim_ascii(), others);
        listed(time)
    }
}

/// The message, and both ends of a connection: `accepting AMQP connection <0.9.0> (192.0.2.7:51234 ->
/// 10.0.0.1:5672)`.
fn add_message<'a>(message: &'a [u8], others: &mut List<'a>) {
    add(others, "message", message);
    let Some((client, server)) = ends_of(message) else { return };
    for (address, names) in [
        (client, ["source.address", "source.ip", "source.port"]),
        (server, ["destination.address", "destination.ip", "destination.port"]),
    ] {
        let [name, ip, port] = names;
        others.add(name, address.text);
        if let Some(found) = address.ip() {
            others.add(ip, found);
        }
        if let Some(number) = address.port {
            others.add(port, number);
        }
    }
}

fn ends_of(message: &[u8]) -> Option<(Address<'_>, Address<'_>)> {
    let (before, behind) = split_at_text(message, b" -> ")?;
    let open = memchr::memrchr(b'(', before)?;
    let client = Address::read(before.get(open + 1..)?);
    let end = behind.iter().position(|byte| matches!(byte, b')' | b' ' | b','))?;
    let server = Address::read(behind.get(..end)?);
    (client.is_ip() && server.is_ip() && client.port.is_some()).then_some((client, server))
}
