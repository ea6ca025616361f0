//! From values in requests to those of fields: what fits, what does not, and between which terms a
//! range is.

use std::cmp::Ordering;
use std::fmt::Display;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Bound;

use serde_json::Value;
use tantivy::DateTime;
use tantivy::schema::Term;

use super::date::{self, Dates, Rounding, Viewpoint};
use super::refusal::{illegal, misfit, shard_failure};
use super::{Edge, Range};
use crate::error::ApiError;
use crate::index::{Place, beyond, whole};
use crate::mapping::{FieldKind, Precision};

/// 2^63, the first whole number that has no 64 bits.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// Which terms, from one to another.
pub(super) type Bounds = (Bound<Term>, Bound<Term>);

/// Text of a value that is no array and no object.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The word that a value is to a keyword or a text: a number with a fraction as Java prints it.
pub(super) fn word(value: &Value) -> String {
    let double =
        value.as_number().filter(|number| number.is_f64()).and_then(serde_json::Number::as_f64);
    double.map_or_else(|| text(value), crate::json::double)
}

/// The term for a string.
pub(super) fn string_term(place: &Place, text: &str) -> Term {
    match &place.json_path {
        None => Term::from_field_text(place.field, text),
        Some(path) => {
            let mut term = Term::from_field_json_path(place.field, path, true);
            term.append_type_and_str(text);
            term
        }
    }
}

fn long_term(place: &Place, number: i64) -> Term {
    match &place.json_path {
        None => Term::from_field_i64(place.field, number),
        Some(path) => {
            let mut term = Term::from_field_json_path(place.field, path, true);
            term.append_type_and_fast_value(number);
            term
        }
    }
}

fn double_term(place: &Place, number: f64) -> Term {
    match &place.json_path {
        None => Term::from_field_f64(place.field, number),
        Some(path) => {
            let mut term = Term::from_field_json_path(place.field, path, true);
            term.append_type_and_fast_value(number);
            term
        }
    }
}

fn date_term(place: &Place, moment: jiff::Timestamp) -> Term {
    let date = DateTime::from_timestamp_nanos(nanoseconds(moment));
    let date = place.precision.date(date);
    match &place.json_path {
        None => Term::from_field_date(place.field, date),
        Some(path) => {
            let mut term = Term::from_field_json_path(place.field, path, true);
            term.append_type_and_fast_value(date);
            term
        }
    }
}

/// As tantivy counts them; what is too far away is as far as it goes.
fn nanoseconds(moment: jiff::Timestamp) -> i64 {
    let count = moment.as_nanosecond();
    i64::try_from(count).unwrap_or(if count < 0 { i64::MIN } else { i64::MAX })
}

/// The terms that are equal to a value; `None` where there can be none.
pub(super) fn equal(
    place: &Place,
    value: &Value,
    view: &Viewpoint,
) -> Result<Option<Bounds>, ApiError> {
    let both = |term: Term| Some((Bound::Included(term.clone()), Bound::Included(term)));
    Ok(match place.kind {
        FieldKind::Keyword { .. } | FieldKind::Text => both(string_term(place, &word(value))),
        FieldKind::Long => long(value)?.and_then(|number| both(long_term(place, number))),
        FieldKind::Double => {
            // What the type does not have is in no document.
            let kept = place.precision.double(double(value)?).ok();
            kept.and_then(|number| both(double_term(place, number)))
        }
        FieldKind::Date => {
            let edge = Edge { value: value.clone(), included: true };
            let range = Range { from: Some(edge.clone()), to: Some(edge), ..Range::default() };
            dates(place, &range, view)?
        }
        FieldKind::Ip => {
            let (first, last) = network(&text(value)).map_err(misfit)?;
            Some((
                Bound::Included(Term::from_field_ip_addr(place.field, first)),
                Bound::Included(Term::from_field_ip_addr(place.field, last)),
            ))
        }
        // Booleans are looked at one by one: see `exists::flags`.
        FieldKind::Boolean => None,
        FieldKind::Unsearchable => return Err(unsearchable(place)),
    })
}

/// The terms that are in a range; `None` where there can be none.
pub(super) fn between(
    place: &Place,
    range: &Range,
    view: &Viewpoint,
) -> Result<Option<Bounds>, ApiError> {
    let plain = |make: &dyn Fn(&Value) -> Result<Term, ApiError>| {
        let edge = |edge: &Option<Edge>| match edge {
            None => Ok(Bound::Unbounded),
            Some(Edge { value, included: true }) => make(value).map(Bound::Included),
            Some(Edge { value, .. }) => make(value).map(Bound::Excluded),
        };
        Ok::<_, ApiError>(Some((edge(&range.from)?, edge(&range.to)?)))
    };
    if range.format.is_some() && place.kind != FieldKind::Date {
        let reason = "Field [format] is only supported on dates";
        return Err(illegal(format!("{reason}; [{}] is not one", range.field)));
    }
    match place.kind {
        FieldKind::Keyword { .. } | FieldKind::Text => {
            plain(&|value| Ok(string_term(place, &word(value))))
        }
        FieldKind::Long => longs(place, range),
        FieldKind::Double => doubles(place, range).map(Some),
        FieldKind::Date => dates(place, range, view),
        FieldKind::Ip => addresses(place, range),
        FieldKind::Boolean => Ok(None),
        FieldKind::Unsearchable => Err(unsearchable(place)),
    }
}

/// A field whose values are only stored.
pub(super) fn unsearchable(place: &Place) -> ApiError {
    misfit(format!(
        "Cannot search on field [{}] since it is not indexed nor has doc values.",
        place.json_path.as_ref().unwrap_or(&place.column)
    ))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Long(i64),
    Double(f64),
}

/// A number, written as one or as text; a whole one wherever it is.
fn number(value: &Value) -> Result<Number, ApiError> {
    let refused = || misfit(format!("For input string: \"{}\"", text(value)));
    let read = text(value);
    if let Ok(number) = read.trim().parse::<i64>() {
        return Ok(Number::Long(number));
    }
    let double: f64 = read.trim().parse().map_err(|_| refused())?;
    // Words that Rust takes for numbers.
    if !double.is_finite() {
        return Err(refused());
    }
    // What a double cannot tell from a whole number is taken for one, of its own digits.
    let digits = (double.fract() == 0.0).then(|| whole(read.trim())).flatten();
    Ok(digits.map_or(Number::Double(double), Number::Long))
}

/// A number for a field that has no more digits than a double.
fn double(value: &Value) -> Result<f64, ApiError> {
    number(value)?;
    Ok(text(value).trim().parse().unwrap_or_default())
}

/// A whole number; `None` for another one, which no whole number is equal to.
pub(super) fn long(value: &Value) -> Result<Option<i64>, ApiError> {
    Ok(match number(value)? {
        Number::Long(number) => Some(number),
        Number::Double(_) => None,
    })
}

pub(super) fn boolean(value: &Value) -> Result<bool, ApiError> {
    match text(value).as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => {
            Err(misfit(format!("Can't parse boolean value [{other}], expected [true] or [false]")))
        }
    }
}

/// Which of false and true are in a range.
pub(super) fn flags_between(range: &Range) -> Result<Vec<bool>, ApiError> {
    let mut flags = vec![false, true];
    let fits = |order: Ordering, wanted: Ordering, included: bool| {
        order == wanted || (included && order == Ordering::Equal)
    };
    if let Some(Edge { value, included }) = &range.from {
        let from = boolean(value)?;
        flags.retain(|flag| fits(flag.cmp(&from), Ordering::Greater, *included));
    }
    if let Some(Edge { value, included }) = &range.to {
        let to = boolean(value)?;
        flags.retain(|flag| fits(flag.cmp(&to), Ordering::Less, *included));
    }
    Ok(flags)
}

/// A number that a query may name for a field of whole numbers.
fn in_range(place: &Place, value: &Value) -> Result<Number, ApiError> {
    let read = number(value)?;
    let is_integer = matches!(place.precision, Precision::Within(..));
    let (least, most, name) = if is_integer {
        (f64::from(i32::MIN), f64::from(i32::MAX), "an integer")
    } else {
        (-TWO_TO_63, TWO_TO_63, "a long")
    };
    let is_outside = match read {
        Number::Long(whole) => is_integer && i32::try_from(whole).is_err(),
        // A whole one that is no long is beyond them.
        Number::Double(number) => number.fract() == 0.0 || !(least..=most).contains(&number),
    };
    if is_outside {
        return Err(misfit(format!("Value [{}] is out of range for {name}", text(value))));
    }
    Ok(read)
}

/// Whether a value may stand in a list of such: one that the type does not have is refused there.
pub(super) fn may_be_listed(place: &Place, value: &Value) -> Result<(), ApiError> {
    match place.kind {
        // Whole numbers of any length are found by their digits here.
        FieldKind::Long if beyond(&text(value)).is_some() => Ok(()),
        FieldKind::Long => in_range(place, value).map(drop),
        FieldKind::Double => {
            let kept = place.precision.double(double(value)?);
            kept.map(drop).map_err(misfit)
        }
        _ => Ok(()),
    }
}

/// A range of numbers, of as many digits as the type has.
fn doubles(place: &Place, range: &Range) -> Result<Bounds, ApiError> {
    let edge = |edge: &Option<Edge>, is_lower: bool| {
        let Some(Edge { value, included }) = edge else { return Ok(Bound::Unbounded) };
        let number = double(value)?;
        #[expect(clippy::cast_possible_truncation, reason = "queries have no more digits")]
        let (number, included) = match place.precision {
            Precision::Float | Precision::Half => (f64::from(number as f32), *included),
            Precision::Scaled(factor) => {
                let exact = match (is_lower, included) {
                    (_, true) => number,
                    (true, false) => number.next_up(),
                    (false, false) => number.next_down(),
                } * factor;
                (if is_lower { exact.ceil() } else { exact.floor() } / factor, true)
            }
            _ => (number, *included),
        };
        let term = double_term(place, number);
        Ok::<_, ApiError>(if included { Bound::Included(term) } else { Bound::Excluded(term) })
    };
    Ok((edge(&range.from, true)?, edge(&range.to, false)?))
}

/// A moment that a field of its precision can have.
fn within(place: &Place, moment: jiff::Timestamp) -> Result<jiff::Timestamp, ApiError> {
    let is_far = !(0..=i128::from(i64::MAX)).contains(&moment.as_nanosecond());
    if place.precision == Precision::Full && is_far {
        return Err(shard_failure(
            "illegal_argument_exception",
            format!(
                "date[{moment}] is before 1970 or after 2262 and cannot be stored in nanosecond resolution"
            ),
        ));
    }
    Ok(moment)
}

/// Whole numbers from and to such that are inside.
fn longs(place: &Place, range: &Range) -> Result<Option<Bounds>, ApiError> {
    let mut lowest = i128::from(i64::MIN);
    let mut highest = i128::from(i64::MAX);
    #[expect(clippy::cast_possible_truncation, reason = "too large ones become the largest")]
    let (floor, ceil) = (|n: f64| n.floor() as i128, |n: f64| n.ceil() as i128);
    if let Some(Edge { value, included }) = &range.from {
        lowest = lowest.max(match in_range(place, value)? {
            Number::Long(number) => i128::from(number) + i128::from(!included),
            Number::Double(number) => ceil(number),
        });
    }
    if let Some(Edge { value, included }) = &range.to {
        highest = highest.min(match in_range(place, value)? {
            Number::Long(number) => i128::from(number) - i128::from(!included),
            Number::Double(number) => floor(number),
        });
    }
    let (Ok(first), Ok(last)) = (i64::try_from(lowest), i64::try_from(highest)) else {
        return Ok(None);
    };
    let term = |number| Bound::Included(long_term(place, number));
    Ok((first <= last).then(|| (term(first), term(last))))
}

/// Addresses from and to such that are inside.
fn addresses(place: &Place, range: &Range) -> Result<Option<Bounds>, ApiError> {
    let read = |edge: &Edge| address(&text(&edge.value)).map(u128::from).map_err(misfit);
    let first = match &range.from {
        None => Some(0),
        Some(edge) if edge.included => Some(read(edge)?),
        Some(edge) => read(edge)?.checked_add(1),
    };
    let last = match &range.to {
        None => Some(u128::MAX),
        Some(edge) if edge.included => Some(read(edge)?),
        Some(edge) => read(edge)?.checked_sub(1),
    };
    let Some((first, last)) = first.zip(last).filter(|(first, last)| first <= last) else {
        return Ok(None);
    };
    let term = |at| Bound::Included(Term::from_field_ip_addr(place.field, Ipv6Addr::from_bits(at)));
    Ok(Some((term(first), term(last))))
}

fn has_number(range: &Range) -> bool {
    [&range.from, &range.to].into_iter().flatten().any(|edge| edge.value.is_number())
}

fn dates(place: &Place, range: &Range, view: &Viewpoint) -> Result<Option<Bounds>, ApiError> {
    let formats = match &range.format {
        Some(format) => Dates::parse(format)
            .map_err(|reason| shard_failure("illegal_argument_exception", reason))?,
        // As in Elasticsearch, a number on one side makes one of the other.
        None if has_number(range) => Dates::epoch_millis(),
        None if place.precision == Precision::Full => Dates::nanos(),
        None => Dates::default(),
    };
    let mut view = view.clone();
    if let Some(name) = &range.time_zone {
        view.zone = date::time_zone(name).ok_or_else(|| {
            illegal(format!("time_zone takes UTC or an offset such as +01:00 here, not [{name}]"))
        })?;
    }
    let moment = |edge: &Edge, rounding| {
        let text = text(&edge.value);
        formats
            .read(&text, &view, rounding)
            .map_err(|reason| shard_failure("parse_exception", reason))
    };
    let term = |edge: &Edge, rounding| {
        Ok::<_, ApiError>(date_term(place, within(place, moment(edge, rounding)?)?))
    };
    // A day is greater than another when it begins after the end of that one.
    let from = match &range.from {
        None => Bound::Unbounded,
        Some(edge) if edge.included => Bound::Included(term(edge, Rounding::Down)?),
        Some(edge) => Bound::Excluded(term(edge, Rounding::Up)?),
    };
    let to = match &range.to {
        None => Bound::Unbounded,
        Some(edge) if edge.included => Bound::Included(term(edge, Rounding::Up)?),
        Some(edge) => Bound::Excluded(term(edge, Rounding::Down)?),
    };
    Ok(Some((from, to)))
}

/// An address; IPv4 ones as IPv6 has them.
fn address(text: &str) -> Result<Ipv6Addr, impl Display + use<>> {
    let read: Result<IpAddr, _> = text.parse();
    let refused = format!("'{text}' is not an IP string literal.");
    read.map_err(|_| refused).map(|address| match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    })
}

/// The first and the last address of a network, as in `10.0.0.0/8`; of an address, itself twice.
fn network(text: &str) -> Result<(Ipv6Addr, Ipv6Addr), String> {
    let Some((base, length)) = text.split_once('/') else {
        let address = address(text).map_err(|refused| refused.to_string())?;
        return Ok((address, address));
    };
    let is_v4 = base.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4());
    let written = base;
    let base = address(base).map_err(|refused| refused.to_string())?;
    if !is_v4 && base.to_ipv4_mapped().is_some() {
        return Err(format!(
            "CIDR notation is not allowed with IPv6-mapped IPv4 address [{written} as it introduces ambiguity as to whether the prefix length should be interpreted as a v4 prefix length or a v6 prefix length"
        ));
    }
    let most = if is_v4 { 32 } else { 128 };
    let length: u32 = length.parse().ok().filter(|length| *length <= most).ok_or_else(|| {
        format!("Illegal prefix length [{length}] in [{text}]. Must be 0-32 for IPv4 ranges, 0-128 for IPv6 ranges")
    })?;
    let free = most - length;
    let mask = u128::MAX.checked_shl(free).unwrap_or(0);
    let first = u128::from(base) & mask;
    Ok((Ipv6Addr::from(first), Ipv6Addr::from(first | !mask)))
}
