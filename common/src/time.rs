//! Event times: read from the forms that logs use, written as RFC 3339 in UTC.
//!
//! The calendar is jiff's; what is here are the fixed forms and a memory of the last day seen,
//! because consecutive lines nearly always share it. Which form a text has is a [`TimeFormat`].

mod any;
mod format;
mod lead;
mod members;
mod rule;

pub use format::{TimeFormat, Told};
pub use members::{TimeMembers, read_member};
pub use rule::TimeRule;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

const SECONDS_PER_DAY: i64 = 86_400;

/// A point in time, as precise as its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
}

impl Time {
    /// A whole second.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanos: 0 }
    }

    /// Nanoseconds since 1970; what is more than 292 years away is that far.
    pub fn as_nanos(self) -> i64 {
        self.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(self.nanos))
    }

    /// From milliseconds since 1970.
    pub fn from_millis(millis: i64) -> Self {
        let nanos = below(millis.rem_euclid(1000), 1000) * 1_000_000;
        Self { seconds: millis.div_euclid(1000), nanos }
    }

    /// From jiff's type; `None` for years that Elasticsearch cannot read.
    pub fn from_timestamp(timestamp: Timestamp) -> Option<Self> {
        let seconds = timestamp.as_nanosecond().div_euclid(1_000_000_000);
        let nanos = timestamp.as_nanosecond().rem_euclid(1_000_000_000);
        let time =
            Self { seconds: i64::try_from(seconds).ok()?, nanos: u32::try_from(nanos).ok()? };
        time.if_written()
    }

    /// `None` for years that Elasticsearch cannot read.
    fn if_written(self) -> Option<Self> {
        (EARLIEST..=LATEST).contains(&self.seconds).then_some(self)
    }

    /// `None` where no log was written: before 1970, which is what programs write that have no time
    /// (`0001-01-01T00:00:00Z` is Go's).
    fn if_believed(self) -> Option<Self> {
        (0..=LATEST).contains(&self.seconds).then_some(self)
    }
}

/// 0000-01-01T00:00:00Z and 9999-12-30T22:00:00Z (the latest that jiff represents): what
/// Elasticsearch's `strict_date_optional_time` reads with its four-digit years.
const EARLIEST: i64 = -62_167_219_200;
const LATEST: i64 = 253_402_207_200;

/// A usual time of the Common Log Format, `22/Nov/2026:12:15:00 +0100`.
type ClfText = [u8; 26];

/// Reads and writes times, remembering the last day in each direction, and the last time of the Common Log
/// Format, because consecutive lines mostly share that as well.
#[derive(Debug)]
pub struct Calendar {
    /// Year, month and day, and the second at which it begins.
    read: ((u16, u8, u8), i64),
    /// The last text that was read, and its time.
    clf: (ClfText, Time),
    /// A day since 1970, and its text `YYYY-MM-DDT`.
    written: (i64, [u8; 11]),
    /// The last second that was written, and its text `YYYY-MM-DDTHH:MM:SS`.
    written_second: (i64, [u8; 19]),
    /// Whether what was read since this was asked is not all the text's own.
    assumed: bool,
    /// When the file was written last, by which days without a year get one; `None` is now.
    latest: Option<i64>,
    /// The last month and day without a year, and the second at which that day begins.
    of_year: Option<((u8, u8), i64)>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self {
            read: ((1970, 1, 1), 0),
            clf: (*b"01/Jan/1970:00:00:00 +0000", Time::from_seconds(0)),
            written: (0, *b"1970-01-01T"),
            written_second: (0, *b"1970-01-01T00:00:00"),
            assumed: false,
            latest: None,
            of_year: None,
        }
    }
}

impl Calendar {
    /// A time of the Common Log Format: `22/Nov/2026:12:15:00 +0100`.
    /// <https://httpd.apache.org/docs/2.4/logs.html#common>
    fn read_clf(&mut self, text: &[u8]) -> Option<Time> {
        let usual = <&ClfText>::try_from(text).ok();
        if usual == Some(&self.clf.0) {
            return Some(self.clf.1);
        }
        let was_assumed = std::mem::take(&mut self.assumed);
        let time = self.read_new_clf(text);
        if let (Some(usual), Some(time), false) = (usual, time, self.assumed) {
            self.clf = (*usual, time);
        }
        self.assumed |= was_assumed;
        time
    }

    /// The same of another text than the last one.
    fn read_new_clf(&mut self, text: &[u8]) -> Option<Time> {
        let [
            d1,
            d2,
            b'/',
            m1,
            m2,
            m3,
            b'/',
            y1,
            y2,
            y3,
            y4,
            b':',
            h1,
            h2,
            b':',
            n1,
            n2,
            b':',
            s1,
            s2,
            zone @ ..,
        ] = text
        else {
            return None;
        };
        let year = u16::from(pair(*y1, *y2)?) * 100 + u16::from(pair(*y3, *y4)?);
        let day = self.day_begins(year, month([*m1, *m2, *m3])?, pair(*d1, *d2)?)?;
        let clock = self.read_clock(pair(*h1, *h2)?, pair(*n1, *n2)?, pair(*s1, *s2)?)?;
        let (nanos, zone) = match zone {
            [b'.', rest @ ..] => split_decimals(rest)?,
            zone => (0, zone),
        };
        let [b' ', sign, z1, z2, z3, z4] = zone else {
            return None;
        };
        let east = east(*sign, pair(*z1, *z2)?, pair(*z3, *z4)?)?;
        Time { seconds: day + clock - east, nanos }.if_believed()
    }

    /// A date `2026-11-22` and a time of day `12:15:00` or `12:15:00.123`, in UTC, as the W3C
    /// extended log file format has them. <https://www.w3.org/TR/WD-logfile.html>
    pub fn read_date_and_clock(&mut self, date: &[u8], clock: &[u8]) -> Option<Time> {
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else {
            return None;
        };
        let year = u16::from(pair(*y1, *y2)?) * 100 + u16::from(pair(*y3, *y4)?);
        let day = self.day_begins(year, pair(*m1, *m2)?, pair(*d1, *d2)?)?;
        let [h1, h2, b':', n1, n2, rest @ ..] = clock else {
            return None;
        };
        let (second, fraction) = match rest {
            [] => (0, &[][..]),
            [b':', s1, s2] => (pair(*s1, *s2)?, &[][..]),
            [b':', s1, s2, b'.', fraction @ ..] => (pair(*s1, *s2)?, fraction),
            _ => return None,
        };
        let seconds = day + self.read_clock(pair(*h1, *h2)?, pair(*n1, *n2)?, second)?;
        Time { seconds, nanos: nanos_of(fraction)? }.if_believed()
    }

    /// The same of a place whose zone is `zone`; UTC's without one.
    pub fn read_local_date_and_clock(
        &mut self,
        date: &[u8],
        clock: &[u8],
        zone: Option<&TimeZone>,
    ) -> Option<Time> {
        let time = self.read_date_and_clock(date, clock)?;
        // Whoever reads such lines says itself that the zone is not known.
        zone.map_or(Some(time), |zone| Told::Local(time).in_zone(zone))
    }

    /// The time that was told: that of `zone` where it says none itself, or of Greenwich, and then that is
    /// noted.
    #[inline]
    pub fn settle(&mut self, told: Told, zone: Option<&TimeZone>) -> Option<Time> {
        if let Some(zone) = zone {
            return told.in_zone(zone);
        }
        self.assumed |= matches!(told, Told::Local(_));
        Some(told.as_utc())
    }

    /// Whether the time that was read since this was asked last is not all the text's own: it has no zone,
    /// and none is known; or it is a leap second, or calls itself so, and is told as the second before it,
    /// because there is no number between the two.
    pub fn take_assumed(&mut self) -> bool {
        std::mem::take(&mut self.assumed)
    }

    /// The seconds of a time of day.
    fn read_clock(&mut self, hour: u8, minute: u8, second: u8) -> Option<i64> {
        self.assumed |= second == 60;
        seconds_of_day(hour, minute, second)
    }

    /// Remembers a leap second in a text that others read.
    fn see_leap(&mut self, text: &[u8]) {
        self.assumed |= text.windows(3).any(|part| part == b":60");
    }

    fn day_begins(&mut self, year: u16, month: u8, day: u8) -> Option<i64> {
        let key = (year, month, day);
        if self.read.0 != key {
            let date = Date::new(
                i16::try_from(year).ok()?,
                i8::try_from(month).ok()?,
                i8::try_from(day).ok()?,
            );
            let begins = date.ok()?.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp().as_second();
            self.read = (key, begins);
        }
        Some(self.read.1)
    }

    /// Appends `2026-11-22T12:15:00Z`, with as many decimals of the second as are needed (three,
    /// six or nine).
    pub fn write(&mut self, out: &mut Vec<u8>, time: Time) {
        let seconds = time.seconds.clamp(EARLIEST, LATEST);
        if self.written_second.0 != seconds {
            self.written_second = (seconds, self.second_text(seconds));
        }
        out.extend_from_slice(&self.written_second.1);
        if time.nanos > 0 {
            push_fraction(out, time.nanos);
        }
        out.push(b'Z');
    }

    fn second_text(&mut self, seconds: i64) -> [u8; 19] {
        let day = seconds.div_euclid(SECONDS_PER_DAY);
        if self.written.0 != day {
            self.written = (day, day_text(day));
        }
        let clock = seconds.rem_euclid(SECONDS_PER_DAY);
        let [h1, h2] = digits(clock / 3600);
        let [n1, n2] = digits(clock / 60 % 60);
        let [s1, s2] = digits(clock % 60);
        let [c1, c2, y1, y2, _, m1, m2, _, d1, d2, _] = self.written.1;
        [c1, c2, y1, y2, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2]
    }
}

fn day_text(day: i64) -> [u8; 11] {
    let begins = Timestamp::from_second(day * SECONDS_PER_DAY);
    debug_assert!(begins.is_ok(), "day {day} is between {EARLIEST} and {LATEST}");
    let date = begins.map_or(Date::ZERO, |begins| begins.to_zoned_datetime(TimeZone::UTC).date());
    let [c1, c2] = digits(i64::from(date.year()) / 100);
    let [y1, y2] = digits(i64::from(date.year()) % 100);
    let [m1, m2] = digits(i64::from(date.month()));
    let [d1, d2] = digits(i64::from(date.day()));
    [c1, c2, y1, y2, b'-', m1, m2, b'-', d1, d2, b'T']
}

fn push_fraction(out: &mut Vec<u8>, nanos: u32) {
    let width = match nanos {
        _ if nanos.is_multiple_of(1_000_000) => 3,
        _ if nanos.is_multiple_of(1000) => 6,
        _ => 9,
    };
    let mut text = *b".000000000";
    let mut rest = nanos;
    for digit in text.iter_mut().skip(1).rev() {
        *digit += (rest % 10).to_le_bytes()[0];
        rest /= 10;
    }
    out.extend_from_slice(text.get(..=width).unwrap_or(&text));
}

fn month(name: [u8; 3]) -> Option<u8> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

fn seconds_of_day(hour: u8, minute: u8, second: u8) -> Option<i64> {
    // Whoever asks is told of a leap second by `Calendar::take_assumed`.
    let second = if second == 60 { 59 } else { second };
    (hour < 24 && minute < 60 && second < 60)
        .then(|| i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second))
}

fn pair(tens: u8, ones: u8) -> Option<u8> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
}

/// Two digits of a number below 100.
#[expect(clippy::cast_possible_truncation, reason = "a digit is below ten")]
fn digits(number: i64) -> [u8; 2] {
    let number = below(number, 100);
    [number / 10, number % 10].map(|digit| b'0' + digit as u8)
}

/// A number that is known not to be negative, and to be less than `limit`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is below a u32")]
fn below(number: i64, limit: u32) -> u32 {
    debug_assert!((0..i64::from(limit)).contains(&number), "{number} is not below {limit}");
    number as u32
}

fn nanos_of(fraction: &[u8]) -> Option<u32> {
    if fraction.len() > 9 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
    Some(digits.fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0')))
}

/// How many seconds east of Greenwich a zone is; `None` where no zone is that far away.
fn east(sign: u8, hours: u8, minutes: u8) -> Option<i64> {
    let east = i64::from(hours) * 3600 + i64::from(minutes) * 60;
    match sign {
        _ if minutes > 59 || east > FARTHEST_ZONE => None,
        b'+' => Some(east),
        b'-' => Some(-east),
        _ => None,
    }
}

/// Kiritimati is 14 hours east of Greenwich. No zone is farther, and none is nearly as far west.
const FARTHEST_ZONE: i64 = 14 * 3600;

/// Cuts off decimals of a second, of which there is at least one.
fn split_decimals(text: &[u8]) -> Option<(u32, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (decimals, rest) = text.split_at_checked(length)?;
    Some((nanos_of_many(decimals).filter(|_| length > 0)?, rest))
}

/// The same of decimals of any number: what is behind the ninth is cut off.
fn nanos_of_many(fraction: &[u8]) -> Option<u32> {
    nanos_of(fraction.get(..9).unwrap_or(fraction))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(time: Time) -> String {
        let mut out = Vec::new();
        Calendar::default().write(&mut out, time);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_common_log_format_is_read() {
        for (text, expected) in [
            ("22/Nov/2026:12:15:00 +0000", "2026-11-22T12:15:00Z"),
            ("22/Nov/2026:00:15:00 +0130", "2026-11-21T22:45:00Z"),
            ("28/Feb/2024:23:59:59 -0800", "2024-02-29T07:59:59Z"),
            ("31/Dec/2016:23:59:60 +0000", "2016-12-31T23:59:59Z"),
            ("01/Jan/1970:00:00:00 +0000", "1970-01-01T00:00:00Z"),
            ("22/Nov/2026:12:15:00.25 +0000", "2026-11-22T12:15:00.250Z"),
        ] {
            let time = Calendar::default().read_clf(text.as_bytes()).unwrap();
            assert_eq!(written(time), expected, "{text}");
        }
        for text in [
            "",
            "22/Nov/2026:12:15:00",
            "29/Feb/2026:12:15:00 +0000",
            "22/nov/2026:12:15:00 +0000",
            "22/Nov/2026:24:00:00 +0000",
            "22/Nov/2026:12:15:61 +0000",
            "22/Nov/2026 12:15:00 +0000",
            "22/Nov/2026:12:15:00 0000+",
            "2/Nov/2026:12:15:00 +0000",
            "22/Nov/2026:12:15:00 +00000",
            "22/Nov/2026:12:15:00 +1401",
            "22/Nov/2026:12:15:00 +0060",
            "22/Nov/2026:12:15:00. +0000",
            "01/Jan/1969:00:00:00 +0000",
            "01/Jan/1970:00:00:00 +0001",
        ] {
            assert_eq!(Calendar::default().read_clf(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_read_again_says_the_same() {
        let mut calendar = Calendar::default();
        for text in [
            "01/Jan/1970:00:00:00 +0000",
            "22/Nov/2026:12:15:00 +0000",
            "31/Dec/2016:23:59:60 +0000",
            "22/Nov/2026:12:15:00.25 +0000",
            "22/Nov/2026:24:00:00 +0000",
            "22/Nov/2026:12:15:01 +0000",
        ] {
            let expected = Calendar::default().read_clf(text.as_bytes());
            for _ in 0..2 {
                assert_eq!(calendar.read_clf(text.as_bytes()), expected, "{text}");
                assert_eq!(calendar.take_assumed(), text.contains(":60"), "{text}");
            }
        }
    }

    #[test]
    fn w3c_dates_and_times_are_read() {
        let mut calendar = Calendar::default();
        for (date, time, expected) in [
            ("2026-11-22", "12:15:00", "2026-11-22T12:15:00Z"),
            ("2026-11-22", "12:15", "2026-11-22T12:15:00Z"),
            ("2026-11-22", "12:15:00.5", "2026-11-22T12:15:00.500Z"),
            ("2026-11-22", "12:15:00.123456", "2026-11-22T12:15:00.123456Z"),
            ("2026-11-22", "12:15:00.000000001", "2026-11-22T12:15:00.000000001Z"),
        ] {
            let read = calendar.read_date_and_clock(date.as_bytes(), time.as_bytes()).unwrap();
            assert_eq!(written(read), expected);
        }
        for (date, time) in [
            ("2026-13-01", "00:00:00"),
            ("2026-11-22", "1:00"),
            ("-", "-"),
            ("2026-11-22", "00:00:00.x"),
        ] {
            assert_eq!(calendar.read_date_and_clock(date.as_bytes(), time.as_bytes()), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_jiff_reads(seconds in EARLIEST..=LATEST, nanos in 0u32..1_000_000_000) {
            let time = Time { seconds, nanos };
            let read: Timestamp = written(time).parse().unwrap();
            prop_assert_eq!(Time::from_timestamp(read), Some(time));
        }

        #[test]
        fn reading_agrees_with_jiff(seconds in 0i64..4_000_000_000) {
            let zoned = Timestamp::from_second(seconds).unwrap().to_zoned_datetime(TimeZone::UTC);
            let text = zoned.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
            prop_assert_eq!(Calendar::default().read_clf(text.as_bytes()), Some(Time::from_seconds(seconds)));
        }

        #[test]
        fn no_text_makes_reading_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Calendar::default().read_clf(&text);
            let _ = Calendar::default().read_date_and_clock(&text, &text);
        }
    }
}
