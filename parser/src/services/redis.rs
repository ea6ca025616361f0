//! Redis and what came of it (Valkey, `KeyDB`): `7:M 26 Feb 2026 10:00:00.123 * Ready`
//! (<https://github.com/redis/redis/blob/7.4.0/src/server.c>, `serverLogRaw`).

use jiff::tz::TimeZone;

use crate::time::{Calendar, Told};
use crate::words::{add, listed, number, split_once, text_only, trim_start};
use crate::{List, Parse, Parsed};

/// Reads lines of Redis.
#[derive(Debug)]
pub struct RedisParser {
    zone: Option<TimeZone>,
}

impl RedisParser {
    /// Of lines whose times are of `zone`.
    pub fn in_zone(zone: Option<TimeZone>) -> Self {
        Self { zone }
    }
}

/// What stands before the message.
struct Head<'a> {
    process: u64,
    role: Option<&'static str>,
    told: Told,
    level: u8,
    message: &'a [u8],
}

impl Parse for RedisParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        if let Some((process, message)) = of_signal(line) {
            others.add("process.pid", process);
            add(others, "message", message);
            return listed(None);
        }
        // The banner is made of letters, and reports of a crash have lines without a time.
        let Some(head) = Head::read(calendar, line) else { return text_only() };
        others.add("process.pid", head.process);
        if let Some(role) = head.role {
            others.add("redis.log.role", role);
        }
        let (level, original) = match head.level {
            b'.' => ("debug", "."),
            b'-' => ("info", "-"),
            b'*' => ("notice", "*"),
            _ => ("warn", "#"),
        };
        others.add("log.level", level);
        others.add("log.level_original", original);
        add(others, "message", head.message);
        listed(calendar.settle(head.told, self.zone.as_ref()))
    }
}

impl<'a> Head<'a> {
    /// `7:M 26 Feb 2026 10:00:00.123 * `; before version 3 `[7] 26 Feb 10:00:00.123 * `.
    fn read(calendar: &mut Calendar, line: &'a [u8]) -> Option<Self> {
        let (process, role, rest) = if let Some(inside) = line.strip_prefix(b"[") {
            let (process, rest) = split_once(inside, b']')?;
            (process, None, trim_start(rest))
        } else {
            let digits = line.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
            let (process, rest) = line.split_at_checked(digits)?;
            let [b':', role, b' ', rest @ ..] = rest else { return None };
            (process, Some(role_of(*role)?), rest)
        };
        let process = number(process)?;
        let (told, rest) = calendar.split_time(rest)?;
        let [b' ', level @ (b'.' | b'-' | b'*' | b'#'), b' ', message @ ..] = rest else {
            return None;
        };
        Some(Self { process, role, told, level: *level, message })
    }
}

fn role_of(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'M' => "master",
        b'S' => "slave",
        b'C' => "child",
        b'X' => "sentinel",
        _ => return None,
    })
}

/// `7:signal-handler (1496141561) Received SIGTERM scheduling shutdown...`
fn of_signal(line: &[u8]) -> Option<(u64, &[u8])> {
    let (process, rest) = split_once(line.get(..40).unwrap_or(line), b':')?;
    let process = number(process)?;
    let inside = rest.strip_prefix(b"signal-handler (")?;
    let (_, message) = split_once(line, b')').filter(|_| !inside.is_empty())?;
    Some((process, trim_start(message)))
}
