//! How long the buckets of a `date_histogram` are.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::query::{first_of, unit_after};

/// A length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// Milliseconds.
    Fixed(i64),
    /// A unit of the calendar that is longer at times: `M`, `q` or `y`.
    Calendar(char),
}

/// 1970 began on a Thursday, and weeks begin on Mondays.
const FIRST_MONDAY: i64 = 4 * DAY;
const DAY: i64 = 86_400_000;

impl Interval {
    /// Reads `fixed_interval`.
    pub fn fixed(text: &str) -> Option<Self> {
        milliseconds(text).filter(|length| *length > 0).map(Self::Fixed)
    }

    /// Reads `calendar_interval`; in UTC most units always have the same length. With the offset
    /// that a week has.
    pub fn calendar(text: &str) -> Option<(Self, i64)> {
        Some(match text {
            "second" | "1s" => (Self::Fixed(1_000), 0),
            "minute" | "1m" => (Self::Fixed(60_000), 0),
            "hour" | "1h" => (Self::Fixed(3_600_000), 0),
            "day" | "1d" => (Self::Fixed(DAY), 0),
            "week" | "1w" => (Self::Fixed(7 * DAY), FIRST_MONDAY),
            "month" | "1M" => (Self::Calendar('M'), 0),
            "quarter" | "1q" => (Self::Calendar('q'), 0),
            "year" | "1y" => (Self::Calendar('y'), 0),
            _ => return None,
        })
    }
}

/// `90m`, `-6h`.
pub fn milliseconds(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    let number: i64 = number.parse().ok()?;
    let length = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY,
        _ => return None,
    };
    number.checked_mul(length)?.checked_mul(sign)
}

/// The beginnings of the calendar's units from the one with `first` in it to that after `last`;
/// `None` where there are more than `most`.
pub fn boundaries(unit: char, first: Timestamp, last: Timestamp, most: usize) -> Option<Vec<i64>> {
    let mut moment = first_of(TimeZone::UTC.to_datetime(first), unit)?;
    let mut found = Vec::new();
    while found.len() <= most {
        let at = TimeZone::UTC.to_timestamp(moment).ok()?;
        found.push(at.as_millisecond());
        if at > last {
            return Some(found);
        }
        moment = unit_after(moment, unit)?;
    }
    None
}
