//! The ways in which logs write a time, each with a name, so that every format, every container and
//! every setting reads the same texts alike.

use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::any::read_rfc2822;
use super::{Calendar, Time, nanos_of_many};

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// ISO 8601 with a zone: `2026-11-22T12:15:00.5+01:00`.
    Iso,
    /// The same, also without a zone.
    IsoLocal,
    /// The Common Log Format's: `22/Nov/2026:12:15:00 +0100`.
    Clf,
    /// That of mails: `Sun, 22 Nov 2026 12:15:00 +0100`.
    Rfc2822,
    /// Seconds since 1970; as the three below, perhaps with decimals or an exponent.
    Seconds,
    /// Milliseconds since 1970.
    Millis,
    /// Microseconds since 1970.
    Micros,
    /// Nanoseconds since 1970.
    Nanos,
    /// One of the four above, whichever gives a year that a log may have (1990 to 2099).
    Epoch,
    /// Any of these, or another form that people read as a time.
    Any,
}

/// What a text says of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// All.
    Instant(Time),
    /// What clocks showed, but not where: the time if that was at Greenwich.
    Local(Time),
}

impl Told {
    /// The time; that of Greenwich where nothing else is known.
    pub fn as_utc(self) -> Time {
        let (Self::Instant(time) | Self::Local(time)) = self;
        time
    }

    /// The time; that of `zone` where nothing else is known. A time of day that clocks skipped in
    /// spring is taken for one that goes on from before; one that they showed twice in autumn for the
    /// first (RFC 5545, jiff's [`Disambiguation::Compatible`](jiff::tz::Disambiguation)).
    pub fn in_zone(self, zone: &TimeZone) -> Option<Time> {
        let Self::Local(Time { seconds, nanos }) = self else { return Some(self.as_utc()) };
        let civil =
            Timestamp::from_second(seconds).ok()?.to_zoned_datetime(TimeZone::UTC).datetime();
        let seconds = civil.to_zoned_datetime(zone.clone()).ok()?.timestamp().as_second();
        Time { seconds, nanos }.if_believed()
    }
}

/// The seconds from 1990 to 2099: a number alone that is none of these in any unit is no time but
/// a duration, a count or an id.
const BELIEVED: Range<i64> = 631_152_000..4_102_444_800;

impl Calendar {
    /// The time that `text` is, all of it; in UTC where it has no zone.
    #[inline]
    pub fn read(&mut self, format: TimeFormat, text: &[u8]) -> Option<Time> {
        self.tell(format, text).map(Told::as_utc)
    }

    /// What `text` says, all of it.
    #[inline]
    pub fn tell(&mut self, format: TimeFormat, text: &[u8]) -> Option<Told> {
        let time = match format {
            TimeFormat::Any => return self.read_any(text),
            TimeFormat::IsoLocal => return self.read_iso(text),
            TimeFormat::Iso => {
                let told = self.read_iso(text)?;
                return matches!(told, Told::Instant(_)).then_some(told);
            }
            TimeFormat::Clf => self.read_clf(text),
            TimeFormat::Rfc2822 => {
                self.see_leap(text);
                read_rfc2822(text)
            }
            TimeFormat::Epoch => read_number(std::str::from_utf8(text).ok()?),
            _ => read_epoch(format, std::str::from_utf8(text).ok()?),
        };
        time.map(Told::Instant)
    }
}

/// A number of units since 1970, of a unit that is known.
fn read_epoch(format: TimeFormat, text: &str) -> Option<Time> {
    let unit = match format {
        TimeFormat::Millis => 1_000,
        TimeFormat::Micros => 1_000_000,
        TimeFormat::Nanos => 1_000_000_000,
        _ => 1,
    };
    Number::read(text)?.in_units(unit)?.if_believed()
}

/// A number of a unit that its size tells. That of each unit is a thousand times that of the one
/// before it, which leaves no doubt between 1990 and 2099.
pub(super) fn read_number(text: &str) -> Option<Time> {
    let number = Number::read(text)?;
    let units = [1, 1_000, 1_000_000, 1_000_000_000_i64];
    let unit = units.into_iter().find(|unit| BELIEVED.contains(&(number.whole / unit)))?;
    number.in_units(unit)
}

/// A number as JSON writes it, which is not negative.
struct Number {
    whole: i64,
    /// Billionths; more decimals are cut off.
    nanos: u32,
}

impl Number {
    /// More digits and larger exponents are in no time.
    const MOST_DIGITS: usize = 40;

    fn read(text: &str) -> Option<Self> {
        if let Ok(whole) = text.parse::<i64>() {
            return (whole >= 0).then_some(Self { whole, nanos: 0 });
        }
        if text.len() > Self::MOST_DIGITS {
            return None;
        }
        let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
            let (whole, decimals) = text.split_once('.')?;
            return Self::of_digits(whole, decimals);
        };
        // The point is moved: a zero more before or behind it changes nothing.
        let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let point = isize::try_from(whole.len()).ok()? + isize::from(exponent.parse::<i8>().ok()?);
        let digits = format!("{whole}{decimals}");
        if digits.is_empty() {
            return None;
        }
        let Ok(point) = usize::try_from(point) else {
            return Self::of_digits("", &format!("{}{digits}", "0".repeat(point.unsigned_abs())));
        };
        if point > Self::MOST_DIGITS {
            return None;
        }
        let padded = format!("{digits:0<point$}");
        let (whole, decimals) = padded.split_at_checked(point)?;
        Self::of_digits(whole, decimals)
    }

    /// The time that this is, where a second has so many of its units.
    fn in_units(&self, unit: i64) -> Option<Time> {
        let below_second = i128::from(self.whole % unit) * 1_000_000_000 + i128::from(self.nanos);
        let nanos = u32::try_from(below_second / i128::from(unit)).ok()?;
        Some(Time { seconds: self.whole / unit, nanos })
    }

    /// What stands before and behind a point, of which one may be nothing.
    fn of_digits(whole: &str, decimals: &str) -> Option<Self> {
        let mut digits = whole.bytes().chain(decimals.bytes()).peekable();
        digits.peek()?;
        if !digits.all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let whole = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        Some(Self { whole, nanos: nanos_of_many(decimals.as_bytes())? })
    }
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
            (TimeFormat::Seconds, "1.7953497005E9", half_past),
            (TimeFormat::Seconds, "99999999999999", None),
            (TimeFormat::Millis, "1795349700500.5x", None),
            (TimeFormat::Millis, "noon", None),
            (TimeFormat::Millis, "-0.5", None),
            (TimeFormat::Millis, "5e-1", Some(Time { seconds: 0, nanos: 500_000 })),
            (TimeFormat::Millis, "5e-4", Some(Time { seconds: 0, nanos: 500 })),
            (TimeFormat::Micros, "1795349700500000", half_past),
            (TimeFormat::Nanos, "1795349700500000000", half_past),
            (TimeFormat::Nanos, "-1", None),
            (TimeFormat::Nanos, "0", Some(Time::from_seconds(0))),
            (TimeFormat::Iso, "20261122T121500Z", whole),
            (TimeFormat::IsoLocal, "2026-11-22T12:15:00.5", half_past),
            (TimeFormat::IsoLocal, "1795349700", None),
            (TimeFormat::Rfc2822, "22 Nov 2026 12:15:00 GMT", whole),
            (TimeFormat::Rfc2822, "2026-11-22T12:15:00Z", None),
        ] {
            assert_eq!(read(format, text), expected, "{format:?} {text}");
        }
    }

    #[test]
    fn the_size_of_a_number_tells_its_unit() {
        let half_past = Some(Time { seconds: 1_795_349_700, nanos: 500_000_000 });
        for text in [
            "1795349700.5",
            "1795349700500",
            "1795349700500.0",
            "1795349700500000",
            "1795349700500000000",
            "1.7953497005E9",
            "1.7953497005e+12",
            "17953497005e-1",
        ] {
            assert_eq!(read(TimeFormat::Epoch, text), half_past, "{text}");
        }
        assert_eq!(
            read(TimeFormat::Epoch, "1.795863645E9"),
            Some(Time::from_seconds(1_795_863_645))
        );
    }

    #[test]
    fn a_number_of_another_century_is_no_time() {
        for text in [
            "0",
            "-1",
            "12",
            "0.005",
            "-0.5",
            "631151999",
            "4102444800",
            "99999999999",
            "1e400",
            "1e-3",
            "17953497005e99",
            "9223372036854775807",
            "1.e",
            "e5",
            ".",
            "",
            "1_795_349_700",
            "NaN",
        ] {
            assert_eq!(read(TimeFormat::Epoch, text), None, "{text}");
        }
        assert_eq!(read(TimeFormat::Epoch, "631152000"), Some(Time::from_seconds(631_152_000)));
    }

    proptest! {
        /// The kind of fault: a unit that is set refuses ways to write a number that are read where it
        /// is not. In each unit a number is read in each way, to the nanosecond.
        #[test]
        fn a_number_is_the_same_in_every_unit_and_however_it_is_written(
            seconds in 0..9_000_000_000_i64,
            nanos in 0..1_000_000_000_u32,
            shift in -12..12_i32,
        ) {
            for (format, digits) in [
                (TimeFormat::Seconds, 0_i32),
                (TimeFormat::Millis, 3),
                (TimeFormat::Micros, 6),
                (TimeFormat::Nanos, 9),
            ] {
                let all = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
                let expected = Some(Time { seconds, nanos });
                // The point stands before so many of the digits of `all`, and the exponent says so.
                let places = usize::try_from(9 - digits + shift).unwrap_or(0);
                let shift = i32::try_from(places).unwrap() - (9 - digits);
                let padded = format!("{all:0>width$}", width = places + 1);
                let (whole, decimals) = padded.split_at(padded.len() - places);
                let number = if decimals.is_empty() { whole.to_owned() } else { format!("{whole}.{decimals}") };
                let written = [format!("{number}e{shift}"), format!("{number}E{shift:+}")];
                for text in written {
                    prop_assert_eq!(read(format, &text), expected, "{:?} {}", format, text);
                }
                if shift == 0 {
                    prop_assert_eq!(read(format, &number), expected, "{:?} {}", format, number);
                }
            }
        }

        #[test]
        fn times_come_back(nanoseconds in any::<i64>(), hours in -12..14i8) {
            let timestamp = Timestamp::from_nanosecond(nanoseconds.into()).unwrap();
            let local = timestamp.display_with_offset(tz::offset(hours)).to_string();
            let expected = Time::from_timestamp(timestamp).and_then(Time::if_believed);
            for written in [timestamp.to_string(), local] {
                prop_assert_eq!(read(TimeFormat::Iso, &written), expected, "{}", written);
            }
            prop_assert_eq!(read(TimeFormat::Nanos, &nanoseconds.to_string()), expected);
        }

        #[test]
        fn no_text_makes_reading_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            use TimeFormat::{Any, Clf, Epoch, Iso, Micros, Millis, Nanos, Seconds};
            for format in [Any, Iso, Clf, Seconds, Millis, Micros, Nanos, Epoch] {
                let _ = Calendar::default().read(format, &text);
            }
        }
    }
}
