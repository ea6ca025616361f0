//! A time that may be written in any form that logs use: for members of JSON objects, whose writers
//! agreed on names and not on forms.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

use super::{Calendar, Time, TimeFormat, nanos_of_many, pair, seconds_of_day};

impl Calendar {
    /// The time that `text` is, all of it: ISO 8601 with a blank for the `T`, a comma for the point,
    /// slashes for dashes, without a zone (then it is UTC's) or with one as Go and Python write it;
    /// the Common Log Format's; RFC 2822; C's `asctime`; a number since the epoch.
    ///
    /// A date without a time of day is no time: midnight would be invented.
    pub(super) fn read_any(&mut self, text: &[u8]) -> Option<Time> {
        let text = text.trim_ascii();
        match text {
            [b'0'..=b'9', b'0'..=b'9', b'/', ..] => self.read(TimeFormat::Clf, text),
            [_, _, _, _, b'-' | b'/', ..] => self.read_iso_like(text),
            [b'0'..=b'9', ..] => self.read(TimeFormat::Epoch, text),
            _ => read_with_names(std::str::from_utf8(text).ok()?),
        }
    }

    fn read_iso_like(&mut self, text: &[u8]) -> Option<Time> {
        if let Some(time) = self.read(TimeFormat::Iso, text) {
            return Some(time);
        }
        let [
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
        ] = text
        else {
            return None;
        };
        let [h1, h2, b':', n1, n2, rest @ ..] = rest else { return None };
        if between != other {
            return None;
        }
        let year = u16::from(pair(*y1, *y2)?) * 100 + u16::from(pair(*y3, *y4)?);
        let day = self.day_begins(year, pair(*m1, *m2)?, pair(*d1, *d2)?)?;
        let (second, rest) = match rest {
            [b':', s1, s2, rest @ ..] => (pair(*s1, *s2)?, rest),
            _ => (0, rest),
        };
        let (nanos, zone) = match rest {
            [b'.' | b',', rest @ ..] => {
                let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let (decimals, zone) = rest.split_at_checked(length)?;
                (nanos_of_many(decimals).filter(|_| length > 0)?, zone)
            }
            zone => (0, zone),
        };
        let clock = seconds_of_day(pair(*h1, *h2)?, pair(*n1, *n2)?, second)?;
        Time { seconds: day + clock - east_of(zone)?, nanos }.if_written()
    }
}

/// The names of zones that RFC 2822 defines.
const NAMED_ZONES: [&str; 12] =
    ["GMT", "UT", "UTC", "Z", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT"];

/// How far east of Greenwich a zone is, in seconds.
fn east_of(zone: &[u8]) -> Option<i64> {
    let zone = zone.trim_ascii_start();
    // Go writes both, as in "+0000 UTC".
    let zone = match zone.strip_suffix(b" UTC") {
        Some(offset @ [b'+' | b'-', ..]) => offset,
        _ => zone,
    };
    let (sign, digits) = match zone {
        b"" | b"Z" | b"z" | b"UTC" | b"GMT" => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h1, h2] => (pair(*h1, *h2)?, 0),
        [h1, h2, b':', n1, n2] | [h1, h2, n1, n2] => (pair(*h1, *h2)?, pair(*n1, *n2)?),
        _ => return None,
    };
    // No zone is farther from Greenwich.
    let east = i64::from(hours) * 3600 + i64::from(minutes) * 60;
    (minutes < 60 && east <= 18 * 3600).then_some(sign * east)
}

/// `Sat, 28 Nov 2026 10:00:00 +0000` and `Sat Nov 28 10:00:06 2026`.
fn read_with_names(text: &str) -> Option<Time> {
    // RFC 2822 has names for some zones only, and takes all others for UTC.
    let zone = text.rsplit(' ').next().unwrap_or_default();
    if zone.starts_with(|first: char| first.is_ascii_alphabetic()) && !NAMED_ZONES.contains(&zone) {
        return None;
    }
    if let Ok(time) = rfc2822::DateTimeParser::new().parse_timestamp(text) {
        return Time::from_timestamp(time);
    }
    let of_c = |format| strtime::parse(format, text).ok()?.to_datetime().ok();
    let local: DateTime = of_c("%a %b %e %H:%M:%S %Y").or_else(|| of_c("%b %e %Y %H:%M:%S"))?;
    let time: Timestamp = local.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp();
    Time::from_timestamp(time)
}

#[cfg(test)]
mod tests {
    use super::*;
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
