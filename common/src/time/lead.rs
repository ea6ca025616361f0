//! The time that a line begins with, in any of the forms that programs write, and what stands behind
//! it: for formats in which nothing but the form itself says where a time ends.
//!
//! Many of them have no year. It is concluded from when the file was written last
//! ([`Calendar::set_latest`]): a line is not later than that, so its year is the last one that has
//! such a day before it. That is right on New Year's Eve, on 29 February, and however long after
//! a file is read.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::format::Told;
use super::{Calendar, SECONDS_PER_DAY, Time, east, month, nanos_of_many, pair, seconds_of_day};

/// Clocks and zones may put a line so much behind what was written last.
const AHEAD_SECONDS: i64 = SECONDS_PER_DAY + 3600;

/// From one 29 February to the next there are eight years at most (around 2100).
const MOST_YEARS: u16 = 9;

/// The days of the week, as C names them.
const WEEKDAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

/// A year, a month and a day, which may not be there.
#[derive(Clone, Copy)]
struct Day {
    year: Option<u16>,
    month: u8,
    day: u8,
}

impl Calendar {
    /// Notes that lines are not much later than `seconds` since 1970, when their file was written last;
    /// `None` where that is now.
    pub fn set_latest(&mut self, seconds: Option<i64>) {
        if self.latest != seconds {
            (self.latest, self.of_year) = (seconds, None);
        }
    }

    /// The time that `text` begins with, and what is behind it.
    pub fn split_time<'t>(&mut self, text: &'t [u8]) -> Option<(Told, &'t [u8])> {
        match text {
            [b'0'..=b'9', ..] => self.split_digits(text),
            [b'A'..=b'Z', b'a'..=b'z', b'a'..=b'z', b' ' | b',', rest @ ..] => {
                let name = text.get(..3)?;
                if WEEKDAYS.contains(&name) {
                    return self.split_weekday(rest);
                }
                self.split_month(text)
            }
            _ => None,
        }
    }

    /// The time of day that `text` begins with, on a day without a year.
    pub fn split_clock_of<'t>(
        &mut self,
        month: u8,
        day: u8,
        text: &'t [u8],
    ) -> Option<(Told, &'t [u8])> {
        self.with_clock(Day { year: None, month, day }, text)
    }

    /// A time with its day in digits.
    fn split_digits<'t>(&mut self, text: &'t [u8]) -> Option<(Told, &'t [u8])> {
        let (first, digits) = digits(text)?;
        let rest = text.get(digits..)?;
        match (digits, rest) {
            (4, [between @ (b'-' | b'/' | b'.'), m1, m2, other, d1, d2, rest @ ..])
                if between == other =>
            {
                let day = Day {
                    year: u16::try_from(first).ok(),
                    month: pair(*m1, *m2)?,
                    day: pair(*d1, *d2)?,
                };
                self.split_clock_behind(day, rest)
            }
            (8, _) => {
                let day = Day {
                    year: u16::try_from(first / 10_000).ok(),
                    month: u8::try_from(first / 100 % 100).ok()?,
                    day: u8::try_from(first % 100).ok()?,
                };
                self.split_clock_behind(day, rest)
            }
            (6, [b' ', behind @ ..]) => self.split_short(first, behind),
            (1 | 2, [b'/' | b'-' | b'.' | b' ', ..]) => self.split_day_first(text),
            _ => None,
        }
    }

    /// `081109 203615` of Hadoop, and `081109  9:36:15` of `MySQL`.
    fn split_short<'t>(&mut self, date: u32, text: &'t [u8]) -> Option<(Told, &'t [u8])> {
        let day = Day {
            year: u16::try_from(2000 + date / 10_000).ok(),
            month: u8::try_from(date / 100 % 100).ok()?,
            day: u8::try_from(date % 100).ok()?,
        };
        let text = text.strip_prefix(b" ").unwrap_or(text);
        let (clock, length) = digits(text)?;
        let rest = text.get(length..)?;
        if length != 6 {
            return self.with_clock(day, text);
        }
        let part = |number: u32| u8::try_from(number % 100).ok();
        let seconds = seconds_of_day(part(clock / 10_000)?, part(clock / 100)?, part(clock)?)?;
        let told = Time::from_seconds(self.begins(day)? + seconds).if_believed()?;
        Some((Told::Local(told), rest))
    }

    /// `26/Feb/2026:10:00:00 +0100`, `26-Feb-2026 10:00:00`, `26 Feb 2026 10:00:00`, `26/02/26 10:00:00`
    /// (the year first), `02/26/2026 10:00:00 AM`, `26.02.2026 10:00:00`, and without a year `02-26
    /// 10:00:00`, `2.26 10:00:00`.
    fn split_day_first<'t>(&mut self, text: &'t [u8]) -> Option<(Told, &'t [u8])> {
        let (first, length) = digits(text)?;
        let first = u8::try_from(first).ok()?;
        let (between, rest) = text.get(length..)?.split_first()?;
        if let [m1 @ b'A'..=b'Z', m2, m3, rest @ ..] = rest {
            let month = month([*m1, *m2, *m3])?;
            let (after, rest) = rest.split_first()?;
            let is_same = after == between || *between == b' ';
            let (year, length) = digits(rest).filter(|_| is_same)?;
            if length != 4 {
                // Without a year, as Redis once wrote it.
                let day = Day { year: None, month, day: first };
                return self.with_clock(day, rest);
            }
            let day = Day { year: u16::try_from(year).ok(), month, day: first };
            return self.split_clock_behind(day, rest.get(length..)?);
        }
        let (second, length) = digits(rest).filter(|(_, length)| *length <= 2)?;
        let second = u8::try_from(second).ok()?;
        let rest = rest.get(length..)?;
        match rest.split_first()? {
            (b' ', _) if matches!(between, b'-' | b'.') => {
                self.split_clock_behind(Day { year: None, month: first, day: second }, rest)
            }
            (again, rest) if again == between => {
                let (third, length) = digits(rest)?;
                let (third, rest) = (u16::try_from(third).ok()?, rest.get(length..)?);
                let day = match (between, length) {
                    (b'/', 2) => Day {
                        year: Some(2000 + u16::from(first)),
                        month: second,
                        day: u8::try_from(third).ok()?,
                    },
                    (b'/', 4) => Day { year: Some(third), month: first, day: second },
                    (b'.', 4) => Day { year: Some(third), month: second, day: first },
                    _ => return None,
                };
                self.split_clock_behind(day, rest)
            }
            _ => None,
        }
    }

    /// What is behind a weekday: `Feb 26 10:00:00.123456 2026`, `26 Feb 2026 10:00:00 +0000`.
    fn split_weekday<'t>(&mut self, text: &'t [u8]) -> Option<(Told, &'t [u8])> {
        let text = text.strip_prefix(b" ").unwrap_or(text);
        if text.first()?.is_ascii_digit() {
            return self.split_day_first(text);
        }
        let (month, day, rest) = month_and_day(text)?;
        let ((seconds, nanos), rest) = split_clock(rest)?;
        let (east, rest) = split_zone(rest);
        let (year, behind) = match rest {
            [b' ', rest @ ..] => match digits(rest) {
                Some((year, 4)) => (u16::try_from(year).ok(), rest.get(4..)?),
                _ => (None, rest),
            },
            _ => (None, rest),
        };
        let rest = if year.is_some() { behind } else { rest };
        let day = self.begins(Day { year, month, day })?;
        told(day + seconds, nanos, east).map(|told| (told, rest))
    }

    /// `Feb 26 10:00:00`, also `Feb 26 2026 10:00:00`.
    fn split_month<'t>(&mut self, text: &'t [u8]) -> Option<(Told, &'t [u8])> {
        let (month, day, rest) = month_and_day(text)?;
        if let Some((year, 4)) = digits(rest) {
            let day = Day { year: u16::try_from(year).ok(), month, day };
            return self.with_clock(day, rest.get(5..)?);
        }
        self.with_clock(Day { year: None, month, day }, rest)
    }

    fn split_clock_behind<'t>(&mut self, day: Day, text: &'t [u8]) -> Option<(Told, &'t [u8])> {
        match text {
            [b'T' | b't' | b' ' | b'-' | b':' | b'_', rest @ ..] => {
                let rest = rest.strip_prefix(b":").unwrap_or(rest);
                self.with_clock(day, rest.strip_prefix(b" ").unwrap_or(rest))
            }
            _ => None,
        }
    }

    fn with_clock<'t>(&mut self, day: Day, text: &'t [u8]) -> Option<(Told, &'t [u8])> {
        let ((seconds, nanos), rest) = split_clock(text)?;
        self.assumed |= text.get(5..8) == Some(b":60");
        let (east, rest) = split_zone(rest);
        told(self.begins(day)? + seconds, nanos, east).map(|told| (told, rest))
    }

    /// The second at which a day begins.
    fn begins(&mut self, Day { year, month, day }: Day) -> Option<i64> {
        if let Some(year) = year {
            return self.day_begins(year, month, day);
        }
        if let Some((known, begins)) = self.of_year
            && known == (month, day)
        {
            return Some(begins);
        }
        let latest = self.latest.unwrap_or_else(now) + AHEAD_SECONDS;
        let at = Timestamp::from_second(latest).ok()?.to_zoned_datetime(TimeZone::UTC);
        let year = u16::try_from(at.year()).ok()?;
        let years = (year.saturating_sub(MOST_YEARS)..=year).rev();
        let mut days = years.filter_map(|year| self.day_begins(year, month, day));
        let begins = days.find(|begins| *begins <= latest)?;
        if self.latest.is_some() {
            self.of_year = Some(((month, day), begins));
        }
        Some(begins)
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX / 2)
}

fn told(seconds: i64, nanos: u32, east: Option<i64>) -> Option<Told> {
    match east {
        Some(east) => Time { seconds: seconds - east, nanos }.if_believed().map(Told::Instant),
        None => Time { seconds, nanos }.if_believed().map(Told::Local),
    }
}

/// The number that `text` begins with, of at most eight digits, and how many they are.
fn digits(text: &[u8]) -> Option<(u32, usize)> {
    let length = text.iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    let number = text.iter().take(length).fold(0, |all, digit| all * 10 + u32::from(digit - b'0'));
    (1..=8).contains(&length).then_some((number, length))
}

/// `Feb 26 `, `Feb  6 `, `Feb 6 `, and what is behind.
fn month_and_day(text: &[u8]) -> Option<(u8, u8, &[u8])> {
    let [m1, m2, m3, b' ', rest @ ..] = text else { return None };
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let (day, length) = digits(rest).filter(|(_, length)| *length <= 2)?;
    let rest = rest.get(length..)?.strip_prefix(b" ")?;
    Some((month([*m1, *m2, *m3])?, u8::try_from(day).ok()?, rest))
}

/// Seconds of the day and nanoseconds of `10:00:00`, `9:05:00.123`, `10:00:00,123`, `22:15:29:606`,
/// `15.42.50.675872`, `10:00:00 PM`.
fn split_clock(text: &[u8]) -> Option<((i64, u32), &[u8])> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let (hour, rest) = part(text)?;
    let (between, rest) = rest.split_first().filter(|(byte, _)| matches!(byte, b':' | b'.'))?;
    let (minute, rest) = part(rest)?;
    let (second, rest) = part(rest.strip_prefix(std::slice::from_ref(between))?)?;
    let (nanos, rest) = match rest {
        [b'.' | b',' | b':', behind @ ..] if behind.first().is_some_and(u8::is_ascii_digit) => {
            let length = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (decimals, behind) = behind.split_at_checked(length)?;
            (nanos_of_many(decimals)?, behind)
        }
        _ => (0, rest),
    };
    let (hour, rest) = match rest {
        [b' ', half @ (b'A' | b'P'), b'M', rest @ ..] if (1..=12).contains(&hour) => {
            (hour % 12 + if *half == b'P' { 12 } else { 0 }, rest)
        }
        _ => (hour, rest),
    };
    Some(((seconds_of_day(hour, minute, second)?, nanos), rest))
}

/// One or two digits.
fn part(text: &[u8]) -> Option<(u8, &[u8])> {
    let (number, length) = digits(text).filter(|(_, length)| *length <= 2)?;
    Some((u8::try_from(number).ok()?, text.get(length..)?))
}

/// How far east of Greenwich the zone is that `text` begins with, directly or behind a blank; none where
/// there is no zone, and then nothing is taken away.
fn split_zone(text: &[u8]) -> (Option<i64>, &[u8]) {
    let zone = text.strip_prefix(b" ").unwrap_or(text);
    let is_end = |rest: &[u8]| !rest.first().is_some_and(u8::is_ascii_alphanumeric);
    let found = match zone {
        [b'Z' | b'z', rest @ ..] if is_end(rest) && zone.len() == text.len() => Some((0, rest)),
        [sign @ (b'+' | b'-'), h1, h2, b':', n1, n2, rest @ ..]
        | [sign @ (b'+' | b'-'), h1, h2, n1 @ b'0'..=b'9', n2, rest @ ..]
            if is_end(rest) =>
        {
            let both = pair(*h1, *h2).zip(pair(*n1, *n2));
            both.and_then(|(hours, minutes)| east(*sign, hours, minutes)).map(|east| (east, rest))
        }
        [sign @ (b'+' | b'-'), h1, h2, rest @ ..] if is_end(rest) => {
            pair(*h1, *h2).and_then(|hours| east(*sign, hours, 0)).map(|east| (east, rest))
        }
        [b'A'..=b'Z', b'A'..=b'Z', ..] => split_named(zone),
        _ => None,
    };
    match found {
        // Go writes both, as in "+0000 UTC".
        Some((east, rest)) => (Some(east), rest.strip_prefix(b" UTC").unwrap_or(rest)),
        None => (None, text),
    }
}

/// Abbreviations that mean one zone, or that nearly always do, in minutes east of Greenwich
/// (`PostgreSQL`'s default list, without those that differ between countries: IST, CST is America's).
const NAMED: [(&[u8], i64); 29] = [
    (b"UTC", 0),
    (b"GMT", 0),
    (b"WET", 0),
    (b"WEST", 60),
    (b"BST", 60),
    (b"CET", 60),
    (b"CEST", 120),
    (b"MEZ", 60),
    (b"MESZ", 120),
    (b"EET", 120),
    (b"EEST", 180),
    (b"MSK", 180),
    (b"EST", -300),
    (b"EDT", -240),
    (b"CST", -360),
    (b"CDT", -300),
    (b"MST", -420),
    (b"MDT", -360),
    (b"PST", -480),
    (b"PDT", -420),
    (b"AKST", -540),
    (b"AKDT", -480),
    (b"HST", -600),
    (b"JST", 540),
    (b"KST", 540),
    (b"AEST", 600),
    (b"AEDT", 660),
    (b"NZST", 720),
    (b"NZDT", 780),
];

fn split_named(zone: &[u8]) -> Option<(i64, &[u8])> {
    let length = zone.iter().take(5).take_while(|byte| byte.is_ascii_uppercase()).count();
    let (name, rest) = zone.split_at_checked(length)?;
    let (_, minutes) = NAMED.iter().find(|(known, _)| *known == name)?;
    let is_end = !rest.first().is_some_and(u8::is_ascii_alphanumeric);
    is_end.then_some((minutes * 60, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str, latest: &str) -> Option<(String, String)> {
        let mut calendar = Calendar::default();
        let latest: Timestamp = latest.parse().unwrap();
        calendar.set_latest(Some(latest.as_second()));
        let (told, rest) = calendar.split_time(text.as_bytes())?;
        let mut out = if matches!(told, Told::Local(_)) { b"local ".to_vec() } else { Vec::new() };
        calendar.write(&mut out, told.as_utc());
        let rest = String::from_utf8_lossy(rest).into_owned();
        Some((String::from_utf8(out).unwrap(), rest))
    }

    #[test]
    fn every_form_is_read_and_what_is_behind_it_is_left() {
        for (text, expected) in [
            ("2026-02-26T10:00:00.5Z x", "2026-02-26T10:00:00.500Z"),
            ("2026-02-26 10:00:00,123 x", "local 2026-02-26T10:00:00.123Z"),
            ("2026-02-26 10:00:00, x", "local 2026-02-26T10:00:00Z"),
            ("2026-02-26 10:00:00.123 CET x", "2026-02-26T09:00:00.123Z"),
            ("2026-02-26 10:00:00.123 EST x", "2026-02-26T15:00:00.123Z"),
            ("2026-02-26 10:00:00.123 -03 x", "2026-02-26T13:00:00.123Z"),
            ("2026-02-26 10:00:00 +0100 x", "2026-02-26T09:00:00Z"),
            ("2026-02-26T10:00:00.123456+01:00 x", "2026-02-26T09:00:00.123456Z"),
            ("2026-02-26 10:00:00 INFO x", "local 2026-02-26T10:00:00Z"),
            ("2026-02-26 10:00:00.1 +0000 UTC x", "2026-02-26T10:00:00.100Z"),
            ("2026/02/26 10:00:00 x", "local 2026-02-26T10:00:00Z"),
            ("2005-06-03-15.42.50.675872 x", "local 2005-06-03T15:42:50.675872Z"),
            ("26/02/26 10:00:00 x", "local 2026-02-26T10:00:00Z"),
            ("081109 203615 x", "local 2008-11-09T20:36:15Z"),
            ("260226  1:02:03 x", "local 2026-02-26T01:02:03Z"),
            ("20171223-22:15:29:606|x", "local 2017-12-23T22:15:29.606Z"),
            ("20171224-0:7:20:444|x", "local 2017-12-24T00:07:20.444Z"),
            ("26/Feb/2026:10:00:00.123 +0100 x", "2026-02-26T09:00:00.123Z"),
            ("26/Feb/2026:10:00:00.123] x", "local 2026-02-26T10:00:00.123Z"),
            ("26-Feb-2026 10:00:00 UTC] x", "2026-02-26T10:00:00Z"),
            ("26-Feb-2026::10:00:00 x", "local 2026-02-26T10:00:00Z"),
            ("26 Feb 2026 10:00:00.123 x", "local 2026-02-26T10:00:00.123Z"),
            ("26 Feb 10:00:00.123 x", "local 2026-02-26T10:00:00.123Z"),
            ("Thu Feb 26 10:00:00.123456 2026] x", "local 2026-02-26T10:00:00.123456Z"),
            ("Thu Feb 26 10:00:00 CET 2026 x", "2026-02-26T09:00:00Z"),
            ("Thu, 26 Feb 2026 10:00:00 +0000 x", "2026-02-26T10:00:00Z"),
            ("Feb 26 10:00:00 web1 x", "local 2026-02-26T10:00:00Z"),
            ("Feb  6 10:00:00.5 web1 x", "local 2026-02-06T10:00:00.500Z"),
            ("Feb 26 2025 10:00:00: x", "local 2025-02-26T10:00:00Z"),
            ("02-26 10:00:00.811  1702 x", "local 2026-02-26T10:00:00.811Z"),
            ("02.26 10:00:00] x", "local 2026-02-26T10:00:00Z"),
            ("02/26/2026 10:00:00 PM x", "local 2026-02-26T22:00:00Z"),
            ("26.02.2026 10:00:00 x", "local 2026-02-26T10:00:00Z"),
        ] {
            let (read, rest) = read(text, "2026-03-01T00:00:00Z").expect(text);
            assert_eq!(read, expected, "{text}");
            assert!(text.ends_with(&rest) && rest.ends_with('x'), "{text}: {rest}");
        }
        for text in [
            "",
            "x",
            "2026",
            "2026-13-01 10:00:00",
            "2026-02-26 25:00:00",
            "Foo 26 10:00:00",
            "Feb 30 10:00:00",
            "10:00:00",
            "1.2.3.4 - -",
            "2026-02-26",
            "12345",
            "999999999999",
        ] {
            assert_eq!(read(text, "2026-03-01T00:00:00Z"), None, "{text}");
        }
    }

    #[test]
    fn a_year_is_the_last_that_has_the_day_before_the_file_was_written() {
        for (text, written, year) in [
            ("Dec 31 23:59:59 x", "2027-01-01T00:00:05Z", "2026-12-31T23:59:59Z"),
            ("Jan  1 00:00:01 x", "2026-12-31T23:59:59Z", "2027-01-01T00:00:01Z"),
            ("Dec 31 23:59:59 x", "2026-12-31T23:59:59Z", "2026-12-31T23:59:59Z"),
            ("Feb 29 12:00:00 x", "2026-03-01T00:00:00Z", "2024-02-29T12:00:00Z"),
            ("Feb 29 12:00:00 x", "2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"),
            ("Feb 29 12:00:00 x", "2103-03-01T00:00:00Z", "2096-02-29T12:00:00Z"),
            ("Jun 14 15:16:01 x", "2005-07-27T14:42:00Z", "2005-06-14T15:16:01Z"),
        ] {
            let (read, _) = read(text, written).expect(text);
            assert_eq!(read, format!("local {year}"), "{text} in a file of {written}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Calendar::default().split_time(&text);
        }

        #[test]
        fn no_nearly_time_makes_reading_panic(text in "[0-9A-Za-z]{1,4}[-/. ][0-9A-Za-z]{1,3}[-/. ][0-9: T.,+UTCZ-]{0,24}") {
            let _ = Calendar::default().split_time(text.as_bytes());
        }
    }
}
