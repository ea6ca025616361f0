//! The ways in which logs write a time, each with a name, so that every format, every container and
//! every setting reads the same texts alike.

use jiff::Timestamp;

use super::{Calendar, Time};

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// ISO 8601 as RFC 3339 has it, with a zone: `2026-11-22T12:15:00.5+01:00`.
    Iso,
    /// The Common Log Format's: `22/Nov/2026:12:15:00 +0100`.
    Clf,
    /// Seconds since 1970, perhaps with decimals.
    Seconds,
    /// Milliseconds since 1970.
    Millis,
    /// Microseconds since 1970.
    Micros,
    /// Nanoseconds since 1970.
    Nanos,
    /// One of the four above, whichever gives a year that a log may have.
    Epoch,
}

impl TimeFormat {
    /// Which of the units since 1970 a whole number is: milliseconds are what would be the year
    /// 5138 and later in seconds, and so on.
    fn of_number(number: i64) -> Self {
        const MILLIS_FROM: u64 = 100_000_000_000;
        const MICROS_FROM: u64 = MILLIS_FROM * 1000;
        const NANOS_FROM: u64 = MICROS_FROM * 1000;
        match number.unsigned_abs() {
            0..MILLIS_FROM => Self::Seconds,
            MILLIS_FROM..MICROS_FROM => Self::Millis,
            MICROS_FROM..NANOS_FROM => Self::Micros,
            _ => Self::Nanos,
        }
    }
}

impl Calendar {
    /// The time that `text` is, all of it.
    #[inline]
    pub fn read(&mut self, format: TimeFormat, text: &[u8]) -> Option<Time> {
        match format {
            TimeFormat::Iso => self.read_iso(text),
            TimeFormat::Clf => self.read_clf(text),
            _ => read_epoch(format, std::str::from_utf8(text).ok()?),
        }
    }

    /// Fast if it is in UTC.
    fn read_iso(&mut self, text: &[u8]) -> Option<Time> {
        if let Some((date, [b'T', clock @ .., b'Z'])) = text.split_at_checked(10)
            && let Some(time) = self.read_date_and_clock(date, clock)
        {
            return Some(time);
        }
        std::str::from_utf8(text).ok()?.parse::<Timestamp>().ok().and_then(Time::from_timestamp)
    }
}

fn read_epoch(format: TimeFormat, text: &str) -> Option<Time> {
    let Ok(number) = text.parse::<i64>() else {
        let may_have_decimals = matches!(format, TimeFormat::Seconds | TimeFormat::Epoch);
        return may_have_decimals.then(|| read_decimals(text)).flatten();
    };
    let unit = match format {
        TimeFormat::Epoch => TimeFormat::of_number(number),
        unit => unit,
    };
    let timestamp = match unit {
        TimeFormat::Millis => Timestamp::from_millisecond(number),
        TimeFormat::Micros => Timestamp::from_microsecond(number),
        TimeFormat::Nanos => Timestamp::from_nanosecond(i128::from(number)),
        _ => Timestamp::from_second(number),
    };
    timestamp.ok().and_then(Time::from_timestamp)
}

/// Seconds with decimals, of which more than nine are cut off.
fn read_decimals(text: &str) -> Option<Time> {
    let (seconds, fraction) = text.split_once('.')?;
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let seconds = seconds.parse::<i64>().ok().filter(|seconds| *seconds >= 0)?;
    Time::from_timestamp(Timestamp::new(seconds, digits.parse().ok()?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz;
    use proptest::prelude::*;

    fn read(format: TimeFormat, text: &str) -> Option<Time> {
        Calendar::default().read(format, text.as_bytes())
    }

    #[test]
    fn each_format_reads_its_own_form() {
        let half_past = Some(Time { seconds: 1_795_349_700, nanos: 500_000_000 });
        let whole = Some(Time::from_seconds(1_795_349_700));
        for (format, text, expected) in [
            (TimeFormat::Iso, "2026-11-22T12:15:00.5Z", half_past),
            (TimeFormat::Iso, "2026-11-22T13:15:00.500000000+01:00", half_past),
            (TimeFormat::Iso, "2026-11-22t12:15:00z", whole),
            (TimeFormat::Iso, "2026-11-22T12:15Z", whole),
            (TimeFormat::Iso, "2026-11-22T12:15:00", None),
            (TimeFormat::Iso, "1795349700", None),
            (TimeFormat::Iso, "", None),
            (TimeFormat::Clf, "22/Nov/2026:13:15:00 +0100", whole),
            (TimeFormat::Clf, "2026-11-22T12:15:00Z", None),
            (TimeFormat::Seconds, "1795349700", whole),
            (TimeFormat::Seconds, "1795349700.5", half_past),
            (TimeFormat::Seconds, "1795349700.5000000009", half_past),
            (TimeFormat::Seconds, "noon", None),
            (TimeFormat::Millis, "1795349700500", half_past),
            (TimeFormat::Millis, "1795349700500.5", None),
            (TimeFormat::Micros, "1795349700500000", half_past),
            (TimeFormat::Nanos, "1795349700500000000", half_past),
            (TimeFormat::Nanos, "-1", Some(Time { seconds: -1, nanos: 999_999_999 })),
        ] {
            assert_eq!(read(format, text), expected, "{format:?} {text}");
        }
    }

    #[test]
    fn the_size_of_a_number_tells_its_unit() {
        for (text, unit) in [
            ("0", TimeFormat::Seconds),
            ("-1", TimeFormat::Seconds),
            ("99999999999", TimeFormat::Seconds),
            ("100000000000", TimeFormat::Millis),
            ("99999999999999", TimeFormat::Millis),
            ("100000000000000", TimeFormat::Micros),
            ("99999999999999999", TimeFormat::Micros),
            ("100000000000000000", TimeFormat::Nanos),
        ] {
            assert!(read(unit, text).is_some());
            assert_eq!(read(TimeFormat::Epoch, text), read(unit, text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_come_back(nanoseconds in any::<i64>(), hours in -12..14i8) {
            let timestamp = Timestamp::from_nanosecond(nanoseconds.into()).unwrap();
            let local = timestamp.display_with_offset(tz::offset(hours)).to_string();
            let expected = Time::from_timestamp(timestamp);
            for written in [timestamp.to_string(), local] {
                prop_assert_eq!(read(TimeFormat::Iso, &written), expected, "{}", written);
            }
            prop_assert_eq!(read(TimeFormat::Nanos, &nanoseconds.to_string()), expected);
        }

        #[test]
        fn no_text_makes_reading_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            use TimeFormat::{Clf, Epoch, Iso, Micros, Millis, Nanos, Seconds};
            for format in [Iso, Clf, Seconds, Millis, Micros, Nanos, Epoch] {
                let _ = Calendar::default().read(format, &text);
            }
        }
    }
}
