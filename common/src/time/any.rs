//! A time that may be written in any form that logs use: for members of JSON objects, whose writers
//! agreed on names and not on forms.
//!
//! Refused on purpose: a date without a time of day, because midnight would be invented; an hour 24,
//! which ISO 8601 knows no more since 2019, and which some take for the beginning of that day and
//! some for its end; names of zones that do not say how far they are from Greenwich everywhere alike;
//! and what [`Time::if_believed`] does not believe.

use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

use super::format::{Told, read_number};
use super::{Calendar, FARTHEST_ZONE, Time, TimeFormat, east, pair, split_decimals};

impl Calendar {
    /// The time that `text` is, all of it: ISO 8601 in many spellings, the Common Log Format's, RFC
    /// 2822, C's `asctime`, a number since the epoch.
    pub(super) fn read_any(&mut self, text: &[u8]) -> Option<Told> {
        let text = text.trim_ascii();
        match text {
            [b'0'..=b'9', b'0'..=b'9', b'/', ..] => self.tell(TimeFormat::Clf, text),
            [_, _, _, _, b'-' | b'/', ..] | [_, _, _, _, _, _, _, _, b'T', ..] => {
                self.read_iso(text).or_else(|| self.read_with_names(text))
            }
            [b'0'..=b'9', ..] => {
                let number = std::str::from_utf8(text).ok().and_then(read_number);
                number.map(Told::Instant).or_else(|| self.read_with_names(text))
            }
            _ => self.read_with_names(text),
        }
    }

    fn read_with_names(&mut self, text: &[u8]) -> Option<Told> {
        self.see_leap(text);
        read_with_names(text)
    }

    /// ISO 8601, extended and basic (`20261122T121500Z`); with a blank for the `T`, a comma for the
    /// point, slashes for dashes; without a zone or with one as Go and Python write it.
    pub(super) fn read_iso(&mut self, text: &[u8]) -> Option<Told> {
        // Fast if it is in UTC and usual.
        if let Some((date, [b'T', clock @ .., b'Z'])) = text.split_at_checked(10)
            && let Some(time) = self.read_date_and_clock(date, clock)
        {
            return Some(Told::Instant(time));
        }
        let (day, rest) = self.read_day(text)?;
        let ((hour, minute, second), rest) = split_clock(rest)?;
        let clock = self.read_clock(hour, minute, second)?;
        let (nanos, zone) = match rest {
            [b'.' | b',', rest @ ..] => split_decimals(rest)?,
            zone => (0, zone),
        };
        let seconds = day + clock;
        if zone.is_empty() {
            return Time { seconds, nanos }.if_believed().map(Told::Local);
        }
        Time { seconds: seconds - east_of(zone)?, nanos }.if_believed().map(Told::Instant)
    }

    /// The second at which the day begins that `text` begins with, and what is behind the `T`.
    fn read_day<'a>(&mut self, text: &'a [u8]) -> Option<(i64, &'a [u8])> {
        let ([y1, y2, y3, y4, m1, m2, d1, d2], rest) = match text {
            [
                y1,
                y2,
                y3,
                y4,
                between @ (b'-' | b'/'),
                m1,
                m2,
                other,
                d1,
                d2,
                b'T' | b't' | b' ',
                rest @ ..,
            ] if between == other => ([y1, y2, y3, y4, m1, m2, d1, d2], rest),
            [y1, y2, y3, y4, m1, m2, d1, d2, b'T', rest @ ..] => {
                ([y1, y2, y3, y4, m1, m2, d1, d2], rest)
            }
            _ => return None,
        };
        let year = u16::from(pair(*y1, *y2)?) * 100 + u16::from(pair(*y3, *y4)?);
        Some((self.day_begins(year, pair(*m1, *m2)?, pair(*d1, *d2)?)?, rest))
    }
}

/// Hour, minute and second.
type Clock = (u8, u8, u8);

/// The time of day that `text` begins with, and what is behind it.
fn split_clock(text: &[u8]) -> Option<(Clock, &[u8])> {
    let (h, n, s, rest) = match text {
        [h1, h2, b':', n1, n2, b':', s1, s2, rest @ ..] => {
            ((h1, h2), (n1, n2), pair(*s1, *s2)?, rest)
        }
        [h1, h2, b':', n1, n2, rest @ ..] => ((h1, h2), (n1, n2), 0, rest),
        [h1, h2, n1, n2, s1 @ b'0'..=b'9', s2, rest @ ..] => {
            ((h1, h2), (n1, n2), pair(*s1, *s2)?, rest)
        }
        [h1, h2, n1, n2, rest @ ..] => ((h1, h2), (n1, n2), 0, rest),
        _ => return None,
    };
    Some(((pair(*h.0, *h.1)?, pair(*n.0, *n.1)?, s), rest))
}

/// The names of zones that RFC 2822 defines.
const NAMED_ZONES: [&[u8]; 12] =
    [b"GMT", b"UT", b"UTC", b"Z", b"EST", b"EDT", b"CST", b"CDT", b"MST", b"MDT", b"PST", b"PDT"];

/// How far east of Greenwich a zone is, in seconds. A name in brackets behind it (RFC 9557) says it
/// once more.
pub(super) fn east_of(zone: &[u8]) -> Option<i64> {
    let zone = zone.trim_ascii_start();
    let zone = match zone.iter().position(|byte| *byte == b'[') {
        Some(at) if at > 0 && zone.ends_with(b"]") => zone.get(..at)?,
        _ => zone,
    };
    // Go writes both, as in "+0000 UTC".
    let zone = match zone.strip_suffix(b" UTC") {
        Some(offset @ [b'+' | b'-', ..]) => offset,
        _ => zone,
    };
    let (sign, digits) = match zone {
        b"Z" | b"z" | b"UTC" | b"GMT" => return Some(0),
        [sign @ (b'+' | b'-'), digits @ ..] => (*sign, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h1, h2] => (pair(*h1, *h2)?, 0),
        [h1, h2, b':', n1, n2] | [h1, h2, n1, n2] => (pair(*h1, *h2)?, pair(*n1, *n2)?),
        _ => return None,
    };
    east(sign, hours, minutes)
}

/// `Sat, 28 Nov 2026 10:00:00 +0000`, also without its weekday, and `Sat Nov 28 10:00:06 2026`.
pub(super) fn read_with_names(text: &[u8]) -> Option<Told> {
    if let Some(time) = read_rfc2822(text) {
        return Some(Told::Instant(time));
    }
    let of_c = |format: &str| strtime::parse(format, text).ok()?.to_datetime().ok();
    let local: DateTime = of_c("%a %b %e %H:%M:%S %Y").or_else(|| of_c("%b %e %Y %H:%M:%S"))?;
    let time = local.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp();
    Time::from_timestamp(time)?.if_believed().map(Told::Local)
}

/// <https://www.rfc-editor.org/rfc/rfc2822#section-3.3>
pub(super) fn read_rfc2822(text: &[u8]) -> Option<Time> {
    // It has names for some zones only, and takes all others for UTC.
    let zone = text.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    if zone.first().is_some_and(u8::is_ascii_alphabetic) && !NAMED_ZONES.contains(&zone) {
        return None;
    }
    let zoned = rfc2822::DateTimeParser::new().parse_zoned_datetime(text).ok()?;
    let is_zone = i64::from(zoned.offset().seconds().abs()) <= FARTHEST_ZONE;
    Time::from_timestamp(zoned.timestamp()).filter(|_| is_zone)?.if_believed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<Time> {
        Calendar::default().read(TimeFormat::Any, text.as_bytes())
    }

    #[test]
    fn every_form_is_read() {
        let whole = Time::from_seconds(1_795_860_000);
        let with = |millis: u32| Time { nanos: millis * 1_000_000, ..whole };
        for (text, expected) in [
            ("2026-11-28T10:00:00Z", whole),
            ("2026-11-28t10:00:00z", whole),
            ("2026-11-28T10:00Z", whole),
            ("2026-11-28T10:00:00", whole),
            ("2026-11-28 10:00:00", whole),
            ("2026/11/28 10:00:00", whole),
            ("2026-11-28T10:00:00+00:00", whole),
            ("2026-11-28T03:00:00.5-0700", with(500)),
            ("2026-11-28 10:00:00,921", with(921)),
            ("2026-11-28T10:00:00,921Z", with(921)),
            ("2026-11-28 11:00:00+01", whole),
            ("2026-11-28 10:00:00 UTC", whole),
            ("2026-11-28 10:00:00.123 +0000 UTC", with(123)),
            ("2026-11-28T11:00:00+01:00[Europe/Berlin]", whole),
            ("2026-11-28T10:00:00.1230000000999Z", with(123)),
            ("20261128T100000Z", whole),
            ("20261128T100000", whole),
            ("20261128T1000Z", whole),
            ("20261128T110000.123+0100", with(123)),
            ("2026-11-28T10:00:00+00:00[UTC]", whole),
            ("28 Nov 2026 10:00:00 +0000", whole),
            ("28 Nov 2026 11:00:00 +0100", whole),
            ("2026-11-29 00:00:00+14:00", whole),
            ("28/Nov/2026:10:00:00 +0000", whole),
            ("Sat, 28 Nov 2026 10:00:00 +0000", whole),
            ("Sat, 28 Nov 2026 10:00:00 GMT", whole),
            ("Sat, 28 Nov 2026 05:00:00 EST", whole),
            ("Sat Nov 28 10:00:00 2026", whole),
            ("1795860000", whole),
            ("1795860000.5", with(500)),
            ("1795860000921", with(921)),
            (" 2026-11-28T10:00:00Z ", whole),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_taken_for_one() {
        for text in [
            "",
            "2026-11-28",
            "2026",
            "10:00:00",
            "12",
            "0.005",
            "-1",
            "yesterday",
            "2026-11-28 10:00:00 CET",
            "2026-11-28/10:00:00",
            "2026-11/28 10:00:00",
            "2026-13-28 10:00:00",
            "2026-11-28 10:00:00.",
            "2026-11-28 10:00:00 +9999",
            "2026-W48-6",
            "Sat, 28 Nov 2026 10:00:00 CET",
            "Sat, 28 Nov 2026 10:00:00 A",
            "2026-11-28T10:00:00+25:00",
            "2026-11-28T10:00:00+14:01",
            "2026-11-28T10:00:00+01:60",
            "Sat, 28 Nov 2026 10:00:00 +2500",
            "Fri, 28 Nov 2026 10:00:00 +0000",
            "2026-11-28T24:00:00Z",
            "2026-11-28 24:00",
            "20261128T240000Z",
            "20261128",
            "20261128T10",
            "2026-11-28T10:00:00[Europe/Berlin]",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "Sat, 01 Jan 0001 00:00:00 +0000",
            "Mon Jan  1 00:00:00 0001",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_forms_agree_with_each_other(seconds in 631_152_000i64..4_102_444_800, millis in 0u32..1000) {
            let zoned = Timestamp::new(seconds, 0).unwrap().to_zoned_datetime(TimeZone::UTC);
            let expected = Some(Time { seconds, nanos: millis * 1_000_000 });
            for format in ["%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"] {
                let text = zoned.strftime(format).to_string();
                prop_assert_eq!(read(&format!("{text}.{millis:03}")), expected, "{}", text);
                prop_assert_eq!(read(&format!("{text},{millis:03} UTC")), expected, "{}", text);
            }
            prop_assert_eq!(read(&format!("{seconds}{millis:03}")), expected);
            prop_assert_eq!(read(&format!("{seconds}.{millis:03}")), expected);
        }

        #[test]
        fn no_text_makes_reading_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Calendar::default().read(TimeFormat::Any, &text);
        }

        #[test]
        fn no_nearly_time_makes_reading_panic(text in "[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T ][0-9:.,+ UTCZ-]{0,24}") {
            let _ = Calendar::default().read(TimeFormat::Any, text.as_bytes());
        }
    }
}
