//! Numbers for people: grouped by thousands, with units, and never wider than a column.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use omphalos_live::{About, Sum};

use crate::search::grouped;

/// A number that fits in `width` columns: grouped, or rounded to thousands, millions and so on.
pub fn fitting(number: u64, width: usize) -> String {
    let whole = grouped(number);
    if whole.len() <= width {
        whole
    } else {
        scaled(number, 1000, &["", "k", "M", "G", "T", "P", "E"])
    }
}

/// A sum that may be too large says so.
pub fn sum(sum: Sum, about: &str, width: usize) -> String {
    format!("{}{}", mark(sum, about), fitting(sum.value, width.saturating_sub(1)))
}

/// What stands before whatever is made of a sum that may be too large.
pub fn mark(sum: Sum, about: &str) -> &str {
    if sum.at_most_over > 0 { about } else { "" }
}

/// Of a sum that may be too large, what is there for certain.
pub fn certain(sum: Sum) -> u64 {
    sum.value.saturating_sub(sum.at_most_over)
}

/// Bytes that may be too many say so.
pub fn byte_sum(sum: Sum, about: &str) -> String {
    format!("{}{}", mark(sum, about), bytes(sum.value))
}

/// A number of different ones, which is an estimate beyond the first few hundred.
pub fn about(number: About, about: &str, width: usize) -> String {
    let about = if is_exact(number) { "" } else { about };
    format!("{about}{}", fitting(number.count, width.saturating_sub(1)))
}

/// Whether a number of different ones is no estimate.
pub fn is_exact(number: About) -> bool {
    number.error <= 0.0 && number.at_most_missed == 0
}

/// Bytes, as `512 B` or `1.2 MiB`.
pub fn bytes(number: u64) -> String {
    if number < 1024 {
        return format!("{number} B");
    }
    scaled(number, 1024, &["", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"])
}

/// A speed, as `0.4`, `12.5` or `1,234`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded on purpose")]
pub fn rate(each_second: f64) -> String {
    match each_second {
        none if none <= 0.0 || !none.is_finite() => "0".to_owned(),
        little if little < 0.05 => "<0.1".to_owned(),
        some if some < 99.95 => format!("{some:.1}"),
        many => grouped(many.round() as u64),
    }
}

/// Bytes each second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded on purpose")]
pub fn byte_rate(each_second: f64) -> String {
    format!("{}/s", bytes(each_second.max(0.0).round() as u64))
}

/// A share in percent.
pub fn percent(part: u64, whole: u64) -> String {
    let share = share(part, whole) * 100.0;
    match share {
        none if none <= 0.0 => "0 %".to_owned(),
        little if little < 0.05 => "<0.1 %".to_owned(),
        // What is not all of it is not shown as all of it.
        most if most > 99.94 && part < whole => "99.9 %".to_owned(),
        all if all >= 99.95 => "100 %".to_owned(),
        some => format!("{some:.1} %"),
    }
}

/// A share, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a share for people")]
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64).clamp(0.0, 1.0) }
}

/// How long something took, in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "a time for people")]
pub fn took(nanos: u64, micro: &str) -> String {
    let amount = nanos as f64;
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => short(amount / 1e3, &format!(" {micro}s")),
        1_000_000..1_000_000_000 => short(amount / 1e6, " ms"),
        1_000_000_000..100_000_000_000 => short(amount / 1e9, " s"),
        _ => span(Duration::from_nanos(nanos)),
    }
}

/// A span of time, as `0.4 s`, `12 s`, `5 min` or `3 d`.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => {
            let tenths = duration.as_millis() / 100;
            if tenths.is_multiple_of(10) {
                format!("{seconds} s")
            } else {
                format!("{}.{} s", tenths / 10, tenths % 10)
            }
        }
        10..120 if seconds != 60 => format!("{seconds} s"),
        60..7_200 if seconds != 3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// The time of day of a moment in milliseconds.
pub fn time(millis: i64, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(millis).map_or_else(
        |_| "-".to_owned(),
        |time| time.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S").to_string(),
    )
}

/// A moment for people, in whole seconds.
pub fn moment(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Three digits, as far as they say something.
fn short(amount: f64, unit: &str) -> String {
    match amount {
        few if few < 9.995 => format!("{few:.2}{unit}"),
        some if some < 99.95 => format!("{some:.1}{unit}"),
        many => format!("{many:.0}{unit}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number for people")]
fn scaled(number: u64, base: u64, units: &[&str]) -> String {
    let (mut amount, mut unit) = (number as f64, 0);
    // 999.95 would be shown as 1000.0, with a digit too many.
    while amount >= base as f64 - 0.05 && unit + 1 < units.len() {
        amount /= base as f64;
        unit += 1;
    }
    let unit = units.get(unit).copied().unwrap_or_default();
    if amount < 99.95 { format!("{amount:.1}{unit}") } else { format!("{amount:.0}{unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_and_have_units() {
        assert_eq!(fitting(1_234_567, 9), "1,234,567");
        assert_eq!(fitting(1_234_567, 8), "1.2M");
        assert_eq!(fitting(999_999_999, 8), "1.0G");
        assert_eq!(fitting(u64::MAX, 5), "18.4E");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1_258_291), "1.2 MiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
        assert_eq!(rate(0.01), "<0.1");
        assert_eq!(rate(41.26), "41.3");
        assert_eq!(rate(1234.5), "1,235");
        assert_eq!(rate(f64::NAN), "0");
        assert_eq!(sum(Sum { value: 7, at_most_over: 1 }, "≈", 9), "≈7");
        assert_eq!(sum(Sum { value: 7, at_most_over: 0 }, "≈", 9), "7");
        assert_eq!(byte_sum(Sum { value: 7, at_most_over: 1 }, "≈"), "≈7 B");
        assert_eq!(byte_sum(Sum { value: 7, at_most_over: 0 }, "≈"), "7 B");
        assert_eq!(certain(Sum { value: 7, at_most_over: 3 }), 4);
        assert_eq!(certain(Sum { value: 7, at_most_over: 9 }), 0);
    }

    #[test]
    fn shares_and_times_do_not_say_more_than_is_known() {
        for (part, whole, expected) in [
            (0, 0, "0 %"),
            (1, 10_000, "<0.1 %"),
            (1, 3, "33.3 %"),
            (99_999, 100_000, "99.9 %"),
            (5, 5, "100 %"),
            (9, 5, "100 %"),
        ] {
            assert_eq!(percent(part, whole), expected, "{part} of {whole}");
        }
        for (nanos, expected) in [
            (850, "850 ns"),
            (12_345, "12.3 µs"),
            (123_400_000, "123 ms"),
            (1_234_000_000, "1.23 s"),
            (100_000_000_000, "100 s"),
            (600_000_000_000, "10 min"),
        ] {
            assert_eq!(took(nanos, "µ"), expected);
        }
        for (millis, expected) in [
            (400, "0.4 s"),
            (3_000, "3 s"),
            (60_000, "1 min"),
            (90_000, "90 s"),
            (300_000, "5 min"),
            (3_600_000, "1 h"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), expected);
        }
        assert_eq!(time(0, &TimeZone::UTC), "00:00:00");
        let precise = "2026-11-29T20:11:12.123456789Z".parse().unwrap();
        assert_eq!(moment(precise, &TimeZone::UTC), "2026-11-29 20:11:12");
        assert_eq!(time(i64::MAX, &TimeZone::UTC), "-");
    }
}
