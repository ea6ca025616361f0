//! Values as Elasticsearch takes them: what is coerced, and what is refused.
//! <https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/coerce>

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use jiff::tz::TimeZone;
use tantivy::DateTime;

use super::document::Leaf;
use crate::mapping::{FieldKind, MappedField, Precision};
use crate::query::of_document;

/// A longer term, in bytes, is refused, as Lucene does.
const LONGEST_TERM: usize = 32_766;

/// 2^63. As in Java, this and all below it become the largest number of 64 bits where they are cut.
const BEYOND_LONG: f64 = 9_223_372_036_854_775_808.0;

/// A value as it stands in a document.
#[derive(Debug, Clone)]
pub enum Given<'a> {
    /// A string, and where it stands if it stands there as it is.
    Text(Cow<'a, str>, Option<Range<usize>>),
    /// A whole number.
    Long(i64),
    /// A whole number that no field of whole numbers can have, as it is written.
    Beyond(Cow<'a, str>),
    /// A number.
    Double(f64),
    /// A number beyond the range of doubles, as it is written.
    Huge(Cow<'a, str>),
    /// True or false.
    Boolean(bool),
}

impl Given<'_> {
    /// As text, for people and for keywords.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text, _) => Cow::Borrowed(text),
            Self::Long(number) => Cow::Owned(number.to_string()),
            Self::Beyond(number) | Self::Huge(number) => Cow::Borrowed(number),
            Self::Double(number) => Cow::Owned(number.to_string()),
            Self::Boolean(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
        }
    }
}

/// What of a value is indexed; `None` where nothing is.
///
/// # Errors
/// Says why it does not fit.
pub fn leaf(field: &MappedField, given: &Given<'_>) -> Result<Option<Leaf>, String> {
    let precision = field.precision;
    let is_number = matches!(field.kind, FieldKind::Long | FieldKind::Double);
    if is_number && matches!(given, Given::Text(text, _) if text.is_empty()) {
        // As a null.
        return Ok(None);
    }
    match &field.kind {
        FieldKind::Keyword { ignore_above } => keyword(*ignore_above, given),
        FieldKind::Text => Ok(Some(text(given))),
        FieldKind::Long => {
            precision.long(long(given, precision)?).map(|number| Some(Leaf::Long(number)))
        }
        FieldKind::Double => {
            precision.double(double(given)?).map(|number| Some(Leaf::Double(number)))
        }
        FieldKind::Boolean => boolean(given).map(|value| Some(Leaf::Boolean(value))),
        FieldKind::Date => date(given, precision).map(|date| Some(Leaf::Date(date))),
        FieldKind::Ip => address(&given.text()).map(|address| Some(Leaf::Ip(address))),
        FieldKind::Unsearchable => Ok(None),
    }
}

fn keyword(limit: Option<usize>, given: &Given<'_>) -> Result<Option<Leaf>, String> {
    let whole = given.text();
    // Bytes first: they are at least as many as characters.
    if limit.is_some_and(|limit| whole.len() > limit && whole.chars().count() > limit) {
        return Ok(None);
    }
    if whole.len() > LONGEST_TERM {
        return Err(format!(
            "Document contains at least one immense term (whose UTF8 encoding is longer than the max length {LONGEST_TERM})"
        ));
    }
    Ok(Some(text(given)))
}

fn text(given: &Given<'_>) -> Leaf {
    match given {
        Given::Text(_, Some(range)) => Leaf::Slice(range.clone()),
        other => Leaf::Text(other.text().into()),
    }
}

fn long(given: &Given<'_>, precision: Precision) -> Result<i64, String> {
    let number = match given {
        Given::Long(number) => return Ok(*number),
        Given::Beyond(number) | Given::Huge(number) => {
            return Err(format!("Value [{number}] is out of range for a long"));
        }
        Given::Double(number) => *number,
        Given::Text(text, _) => {
            if let Ok(number) = text.parse::<i64>() {
                return Ok(number);
            }
            // Elasticsearch reads those of few bits as doubles, and others as the decimal numbers they are.
            let refused = || format!("For input string: \"{text}\"");
            match precision {
                Precision::Within(..) => {
                    double_digits(text).parse::<f64>().map_err(|_| refused())?
                }
                _ => return whole(text).ok_or_else(refused),
            }
        }
        Given::Boolean(_) => return Err("Current token is not numeric".to_owned()),
    };
    if !(-BEYOND_LONG..=BEYOND_LONG).contains(&number) || !precision.has(number) {
        return Err(format!("Value [{number}] is out of range for a long"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked; fractions are cut")]
    Ok(number as i64)
}

/// The digits before the point of a decimal number, which may have an exponent; `None` for what is none, and
/// for what 64 bits do not have.
pub fn whole(text: &str) -> Option<i64> {
    /// As many as a number of 64 bits has, and leading zeros.
    const MOST_DIGITS: i64 = 64;
    text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let sign = if integer.starts_with('-') { "-" } else { "" };
    let integer = integer.trim_start_matches(['+', '-']);
    let digits = format!("{integer}{fraction}");
    let digits = digits.trim_start_matches('0');
    let skipped = integer.len() + fraction.len() - digits.len();
    let wanted = i64::try_from(integer.len()).ok()?
        + exponent.parse::<i64>().unwrap_or(i64::MAX / 2)
        - i64::try_from(skipped).ok()?;
    if wanted <= 0 || digits.is_empty() {
        return Some(0);
    }
    let wanted = usize::try_from(wanted.min(MOST_DIGITS)).ok()?;
    let digits: String = digits.chars().chain(std::iter::repeat('0')).take(wanted).collect();
    format!("{sign}{digits}").parse().ok()
}

/// Java takes spaces around a number, and a letter for its type behind it.
fn double_digits(text: &str) -> &str {
    let digits = text.trim();
    digits.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(digits)
}

fn double(given: &Given<'_>) -> Result<f64, String> {
    let number = match given {
        #[expect(clippy::cast_precision_loss, reason = "a double has no more")]
        Given::Long(number) => *number as f64,
        Given::Beyond(number) | Given::Huge(number) => {
            number.parse().map_err(|_| format!("For input string: \"{number}\""))?
        }
        Given::Double(number) => *number,
        Given::Text(text, _) => {
            double_digits(text).parse().map_err(|_| format!("For input string: \"{text}\""))?
        }
        Given::Boolean(_) => return Err("Current token is not numeric".to_owned()),
    };
    if number.is_finite() { Ok(number) } else { Err("supports only finite values".to_owned()) }
}

fn boolean(given: &Given<'_>) -> Result<bool, String> {
    match given {
        Given::Boolean(value) => Ok(*value),
        Given::Text(text, _) if text == "true" => Ok(true),
        Given::Text(text, _) if text == "false" || text.is_empty() => Ok(false),
        other => Err(format!(
            "Failed to parse value [{}] as only [true] or [false] are allowed.",
            other.text()
        )),
    }
}

fn date(given: &Given<'_>, precision: Precision) -> Result<DateTime, String> {
    let refused = |text: &str| {
        format!(
            "failed to parse date field [{text}] with format [strict_date_optional_time||epoch_millis]"
        )
    };
    // A number is read as its digits are, and four of them are a year.
    let year = Given::Text(Cow::Owned(given.text().into_owned()), None);
    let given = if matches!(given, Given::Long(1_000..=9_999)) { &year } else { given };
    let millis = match given {
        Given::Long(millis) => Some(*millis),
        Given::Text(text, _) => {
            if let Some(date) =
                parse_date(text).filter(|_| precision != Precision::Full || has_seconds(text))
            {
                return kept(date, precision);
            }
            return match epoch_nanoseconds(text) {
                Some(count) => kept(DateTime::from_timestamp_nanos(count), precision),
                None if of_document(text).is_some() => Err(far(text)),
                None => Err(refused(text)),
            };
        }
        Given::Double(number) if number.fract() != 0.0 || *number == 0.0 => {
            return match epoch_nanoseconds(&number.to_string()) {
                Some(count) => kept(DateTime::from_timestamp_nanos(count), precision),
                None => Err(refused(&given.text())),
            };
        }
        Given::Beyond(_) | Given::Double(_) | Given::Huge(_) | Given::Boolean(_) => None,
    };
    if millis.is_some_and(|millis| millis.checked_mul(1_000_000).is_none()) {
        return Err(far(&given.text()));
    }
    let date = millis.map(DateTime::from_timestamp_millis).ok_or_else(|| refused(&given.text()))?;
    kept(date, precision)
}

/// Why a date is refused that Elasticsearch has.
fn far(text: &str) -> String {
    format!("the date [{text}] is before 1677 or after 2262, which this store does not have")
}

/// `epoch_millis`: milliseconds since 1970, with up to six digits of a fraction.
fn epoch_nanoseconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole.strip_prefix('-').unwrap_or(whole))
        || !is_digits(fraction)
        || fraction.len() > 6
    {
        return None;
    }
    let nanoseconds: i64 = format!("{fraction:0<6}").parse().ok()?;
    let signed = if whole.starts_with('-') { -nanoseconds } else { nanoseconds };
    whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(signed)
}

/// A date as its type keeps it: those with nanoseconds begin in 1970.
fn kept(date: DateTime, precision: Precision) -> Result<DateTime, String> {
    if precision == Precision::Full && date.into_timestamp_nanos() < 0 {
        return Err(format!(
            "date[{}] is before the epoch in 1970 and cannot be stored in nanosecond resolution",
            date.into_timestamp_nanos()
        ));
    }
    Ok(precision.date(date))
}

/// `strict_date_optional_time`: a date, or a date and a time, of UTC if it does not say otherwise.
/// `None` for what is not one, and for what nanoseconds in 64 bits cannot reach (1677 to 2262).
pub fn parse_date(text: &str) -> Option<DateTime> {
    let (moment, _) = of_document(text)?;
    let moment = TimeZone::UTC.to_timestamp(moment).ok()?;
    i64::try_from(moment.as_nanosecond()).ok().map(DateTime::from_timestamp_nanos)
}

/// Whether a date has no time, or one with seconds: dates with nanoseconds are not written otherwise.
fn has_seconds(text: &str) -> bool {
    of_document(text).is_some_and(|(_, unit)| !matches!(unit, 'h' | 'm')) && !text.ends_with('T')
}

/// An address; IPv4 ones as IPv6 has them.
///
/// # Errors
/// Says that it is none.
pub fn address(text: &str) -> Result<Ipv6Addr, String> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Ok(address.to_ipv6_mapped()),
        Ok(IpAddr::V6(address)) => Ok(address),
        Err(_) => Err(format!("'{text}' is not an IP string literal.")),
    }
}
