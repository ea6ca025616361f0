//! The `@timestamp` of someone else's document. The index is chosen here and the document is read by
//! Elasticsearch: both must take it for the same moment, so what is not written in a form that both
//! read alike is written anew.

use std::borrow::Cow;
use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A time that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnTime {
    /// Elasticsearch reads it as it stands: this second.
    Plain(i64),
    /// It has to be written anew.
    Odd(Timestamp),
}

/// The time that a member says: RFC 3339 or something like it, perhaps a date alone; or a number since
/// the epoch. `None` for anything else.
pub fn read(raw: &str) -> Option<OwnTime> {
    if !raw.starts_with('"') {
        let time = of_number(raw)?;
        // Elasticsearch takes numbers for milliseconds.
        let is_plain = raw.parse() == Ok(time.as_millisecond());
        return Some(if is_plain { OwnTime::Plain(time.as_second()) } else { OwnTime::Odd(time) });
    }
    let text: Cow<'_, str> = serde_json::from_str(raw).ok()?;
    let time = of_number(text.trim()).or_else(|| of_text(text.trim()))?;
    let is_plain = is_plain(text.as_bytes());
    Some(if is_plain { OwnTime::Plain(time.as_second()) } else { OwnTime::Odd(time) })
}

fn of_text(text: &str) -> Option<Timestamp> {
    let time = match text.parse::<Timestamp>() {
        Ok(time) => time,
        // A name of a zone without an offset would be passed over.
        Err(_) if text.contains('[') => return None,
        Err(_) => {
            let without_zone = text.parse::<DateTime>().ok()?;
            without_zone.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp()
        }
    };
    (time.as_second() >= YEAR_0).then_some(time)
}

/// Years have four digits and no sign: what is before this is none that both read.
const YEAR_0: i64 = -62_167_219_200;

/// The microseconds from 1990 to 2099: a number that is none of these in any unit is no time but a
/// duration, a count or an id. The shipper tells units in the same way.
const BELIEVED: Range<i128> = 631_152_000_000_000..4_102_444_800_000_000;
/// How many nanoseconds the units have that numbers are counted in: seconds, milliseconds, and so on.
const UNITS: [i128; 4] = [1_000_000_000, 1_000_000, 1_000, 1];
/// More digits are in no time.
const MOST_DIGITS: usize = 40;

/// A number as JSON writes it, of a unit that its size tells.
fn of_number(text: &str) -> Option<Timestamp> {
    if !text.starts_with(|first: char| first.is_ascii_digit()) || text.len() > MOST_DIGITS {
        return None;
    }
    let (whole, fraction) = digits_of(text)?;
    UNITS.into_iter().find_map(|unit| {
        let all = whole.checked_mul(unit)?.checked_add(fraction.checked_mul(unit)? / BILLION)?;
        let is_believed = BELIEVED.contains(&(all / 1_000));
        is_believed.then(|| Timestamp::from_nanosecond(all).ok()).flatten()
    })
}

const BILLION: i128 = 1_000_000_000;

/// A number that is not negative: what is before its point, and billionths; more decimals are cut off.
fn digits_of(text: &str) -> Option<(i128, i128)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<usize>().ok()?),
        None => (text, 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) || exponent > MOST_DIGITS {
        return None;
    }
    // The point is moved by the exponent, and nine digits are behind it.
    let padded = format!("{decimals:0<width$}", width = exponent + 9);
    let (moved, rest) = padded.split_at_checked(exponent)?;
    Some((format!("{whole}{moved}").parse().ok()?, rest.get(..9)?.parse().ok()?))
}

/// Whether a text that was read is written as both read it: `2026-11-22`, `2026-11-22T12:15`, with or
/// without seconds, decimals and a zone.
fn is_plain(text: &[u8]) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else { return false };
    if !has_shape(date, b"0000-00-00") {
        return false;
    }
    let Some(rest) = rest.strip_prefix(b"T") else { return rest.is_empty() };
    let Some((minute, rest)) = rest.split_at_checked(5) else { return false };
    let (second, rest) = match rest.split_at_checked(3) {
        Some((second @ [b':', ..], rest)) => (second, rest),
        _ => (&b":00"[..], rest),
    };
    let rest = match rest.strip_prefix(b".") {
        Some(more) => {
            let digits = more.iter().take_while(|byte| byte.is_ascii_digit()).count();
            match more.split_at_checked(digits) {
                Some((_, rest)) if (1..=9).contains(&digits) => rest,
                _ => return false,
            }
        }
        None => rest,
    };
    has_shape(minute, b"00:00")
        && has_shape(second, b":00")
        // A leap second is one of the next minute there.
        && second < &b":60"[..]
        && is_plain_zone(rest)
}

/// A zone that Java knows is at most 18 hours away.
fn is_plain_zone(zone: &[u8]) -> bool {
    match zone {
        b"" | b"Z" => true,
        [b'+' | b'-', zone @ ..] => {
            (has_shape(zone, b"00:00") || has_shape(zone, b"0000")) && zone < &b"18"[..]
        }
        _ => false,
    }
}

/// Whether there is a digit for each zero of `shape`, and else what stands in it.
fn has_shape(text: &[u8], shape: &[u8]) -> bool {
    let fits = |(found, shape): (&u8, &u8)| match shape {
        b'0' => found.is_ascii_digit(),
        other => found == other,
    };
    text.len() == shape.len() && text.iter().zip(shape).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_elasticsearch_reads_alike_stays_as_it_is_and_the_rest_is_written_anew() {
        let noon = 1_795_867_200;
        for plain in [
            r#""2026-11-28T12:00:00Z""#,
            r#""2026-11-28T12:00:00.123456789Z""#,
            r#""2026-11-28T13:00:00.5+01:00""#,
            r#""2026-11-28T11:00:00-0100""#,
            r#""2026-11-28T12:00""#,
            r#""2026\u002d11-28T12:00:00""#,
            "1795867200000",
        ] {
            assert_eq!(read(plain), Some(OwnTime::Plain(noon)), "{plain}");
        }
        assert_eq!(read(r#""2026-11-28""#), Some(OwnTime::Plain(noon - 12 * 3600)));
        for (odd, expected) in [
            (r#""2026-11-28 12:00:00""#, "2026-11-28T12:00:00Z"),
            (r#"" 2026-11-28T12:00:00Z""#, "2026-11-28T12:00:00Z"),
            (r#""2026-11-28T12:00:00,25Z""#, "2026-11-28T12:00:00.25Z"),
            (r#""2026-11-28t12:00:00z""#, "2026-11-28T12:00:00Z"),
            (r#""2026-11-28 13:00:00+01:00""#, "2026-11-28T12:00:00Z"),
            (r#""2026-11-28T13:00:00+01:00[Europe/Berlin]""#, "2026-11-28T12:00:00Z"),
            (r#""2026-11-29T07:00:00+19:00""#, "2026-11-28T12:00:00Z"),
            (r#""2026-11-28T11:59:60Z""#, "2026-11-28T11:59:59Z"),
            (r#""20261128T120000Z""#, "2026-11-28T12:00:00Z"),
            (r#""20261128""#, "2026-11-28T00:00:00Z"),
            ("1795867200", "2026-11-28T12:00:00Z"),
            (r#""1795867200""#, "2026-11-28T12:00:00Z"),
            (r#""1795867200000""#, "2026-11-28T12:00:00Z"),
            ("1795867200.25", "2026-11-28T12:00:00.25Z"),
            ("1795867200250.5", "2026-11-28T12:00:00.2505Z"),
            ("1.7958672e9", "2026-11-28T12:00:00Z"),
            ("1.7958672e12", "2026-11-28T12:00:00Z"),
            ("1795867200000001", "2026-11-28T12:00:00.000001Z"),
            ("1795867200000000001", "2026-11-28T12:00:00.000000001Z"),
        ] {
            assert_eq!(read(odd), Some(OwnTime::Odd(expected.parse().unwrap())), "{odd}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for raw in [
            "null",
            "true",
            "[1795867200000]",
            r#"{"$date":1795867200000}"#,
            "0",
            "-1795867200",
            "5",
            "2026",
            "1e-3",
            "1e999999999999999999999",
            "99999999999999999999999999999999999999999999999",
            r#""""#,
            r#""noon""#,
            r#""2026""#,
            r#""2026-11-28T12:00:00[Europe/Berlin]""#,
            r#""2026-11-31T12:00:00Z""#,
            r#""-000001-11-28T12:00:00Z""#,
            r#""12:00:00""#,
        ] {
            assert_eq!(read(raw), None, "{raw}");
        }
    }
}
