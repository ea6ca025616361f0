//! From what a request sorts by to criteria, for all indices that are searched together.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value;
use tantivy::columnar::MonotonicallyMappableToU64;

use super::rank::{Class, Criterion, Rank, date_rank};
use super::run::View;
use super::sort::{By, Missing, SortField};
use crate::aggregation::no_columns;
use crate::error::ApiError;
use crate::mapping::{FieldKind, Precision};
use crate::query::{Dates, Rounding, Viewpoint, illegal, shard_failure};

/// Nanoseconds in a millisecond.
const MILLISECOND: i64 = 1_000_000;

/// The criterion of a sort field.
///
/// # Errors
/// When the field has no values to sort by.
pub fn criterion(
    field: &SortField,
    view: &View,
    moment: &Viewpoint,
) -> Result<(Criterion, bool), ApiError> {
    if let By::Field(name) = &field.by
        && name.starts_with('_')
        && name != "_ignored"
    {
        return Err(illegal(format!("hits are not sorted by [{name}] here")));
    }
    let class = class(field, view)?;
    if let (By::Field(name), Some(_)) = (&field.by, &field.format)
        && !matches!(class, Class::Date | Class::DateNanos)
    {
        return Err(shard_failure(
            "illegal_argument_exception",
            format!("Field [{name}] is no date and does not support custom formats"),
        ));
    }
    let is_first = field.missing == Missing::First;
    let missing = match &field.missing {
        Missing::Value(value) => missing(class, value, moment)?,
        _ => Criterion::extreme(class, is_first, field.is_descending),
    };
    let format = field.format.clone();
    Ok((Criterion { class, is_descending: field.is_descending, missing, format }, is_first))
}

fn class(field: &SortField, view: &View) -> Result<Class, ApiError> {
    let name = match &field.by {
        By::Score => return Ok(Class::Score),
        By::Document => return Ok(Class::Document),
        By::ShardDocument => return Ok(Class::ShardDocument),
        By::Field(name) => name,
    };
    let (mut found, mut lacking) = (None, None);
    for (index, _) in view {
        let Some(place) = index.place(name) else {
            lacking = lacking.or(Some(index.name()));
            continue;
        };
        let class = match place.kind {
            FieldKind::Keyword { .. } => Class::Text,
            FieldKind::Long if matches!(place.precision, Precision::Within(..)) => Class::Integer,
            FieldKind::Long => Class::Long,
            FieldKind::Double if matches!(place.precision, Precision::Float | Precision::Half) => {
                Class::Float
            }
            FieldKind::Double => Class::Double,
            FieldKind::Boolean => Class::Boolean,
            FieldKind::Date if place.precision == Precision::Full => Class::DateNanos,
            FieldKind::Date => Class::Date,
            FieldKind::Ip => Class::Ip,
            FieldKind::Text => return Err(no_columns(name, index.name())),
            FieldKind::Unsearchable => {
                return Err(shard_failure(
                    "illegal_argument_exception",
                    format!(
                        "Can't load fielddata on [{name}] because fielddata is unsupported on fields of type [keyword]. Use doc values instead."
                    ),
                ));
            }
        };
        found = Some(match (found, class) {
            (None, class) => class,
            (Some(one), other) if one == other => one,
            (Some(Class::Long | Class::Integer), Class::Long | Class::Integer) => Class::Long,
            // Numbers of two kinds are compared as what both can be.
            (Some(one), other) if one.is_number() && other.is_number() => Class::Double,
            (Some(_), _) => {
                return Err(illegal(format!(
                    "Can't sort on field [{name}]; the field has incompatible sort types in the indices that are searched"
                )));
            }
        });
    }
    match (found, lacking) {
        // Elasticsearch answers with what the others have, and an error for this one.
        (Some(_), Some(lacking)) if field.unmapped_type.is_none() => Err(shard_failure(
            "query_shard_exception",
            format!(
                "No mapping found for [{name}] in order to sort on in the index [{lacking}], which others that are searched have: give [unmapped_type], or search those alone"
            ),
        )),
        (Some(class), _) => Ok(class),
        (None, _) => unmapped(name, field.unmapped_type.as_deref(), view),
    }
}

/// What a field is that none of the indices has.
fn unmapped(name: &str, wanted: Option<&str>, view: &View) -> Result<Class, ApiError> {
    match wanted {
        Some("keyword" | "wildcard" | "constant_keyword") => Ok(Class::Text),
        Some("date") => Ok(Class::Date),
        Some("date_nanos") => Ok(Class::DateNanos),
        Some("boolean") => Ok(Class::Boolean),
        Some("ip") => Ok(Class::Ip),
        Some("double" | "scaled_float") => Ok(Class::Double),
        Some("float" | "half_float") => Ok(Class::Float),
        Some("long") => Ok(Class::Long),
        Some("integer" | "short" | "byte") => Ok(Class::Integer),
        Some(other) => Err(illegal(format!("No mapper found for type [{other}]"))),
        None if view.is_empty() => Ok(Class::Long),
        None => Err(shard_failure(
            "query_shard_exception",
            format!("No mapping found for [{name}] in order to sort on"),
        )),
    }
}

/// Where documents without a value stand that shall have this one: as a column has it.
fn missing(class: Class, value: &Value, moment: &Viewpoint) -> Result<Rank, ApiError> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let whole = || {
        // A text has to be a whole number, as Java reads them.
        let number = if value.is_string() { text.parse().ok() } else { long(&text) };
        let number = number.filter(|_| value.is_string() || value.is_number());
        number.ok_or_else(|| {
            shard_failure("number_format_exception", format!("For input string: \"{text}\""))
        })
    };
    let bits = |bits: u64| Rank::Number(u128::from(bits));
    Ok(match class {
        Class::Long | Class::DateNanos => bits(whole()?.to_u64()),
        #[expect(clippy::cast_possible_truncation, reason = "Elasticsearch keeps the lower bits")]
        Class::Integer => bits(i64::from(whole()? as i32).to_u64()),
        Class::Boolean => {
            bits(u64::try_from(whole()?).map_or(0, |number| number.saturating_add(1)))
        }
        Class::Date => bits(whole()?.saturating_mul(MILLISECOND).to_u64()),
        _ => rank(class, value, None, moment)?,
    })
}

/// Where a value that stands in a request has its place.
///
/// # Errors
/// When it is not of the class.
pub fn rank(
    class: Class,
    value: &Value,
    format: Option<&Dates>,
    moment: &Viewpoint,
) -> Result<Rank, ApiError> {
    let refused = || {
        shard_failure(
            "illegal_argument_exception",
            format!("Failed to parse search_after value for a field, or missing: [{value}]"),
        )
    };
    let text = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let bits = |bits: u64| Rank::Number(u128::from(bits));
    Ok(match class {
        Class::Text if value.is_null() => Rank::Text(None),
        Class::Text => Rank::Text(Some(text().into())),
        Class::Ip if value.is_null() => Rank::Number(u128::MAX),
        Class::Ip => {
            let address: IpAddr = text().parse().map_err(|_| refused())?;
            let address = match address {
                IpAddr::V4(address) => address.to_ipv6_mapped(),
                IpAddr::V6(address) => address,
            };
            Rank::Number(u128::from(Ipv6Addr::from(u128::from(address))))
        }
        Class::Long | Class::Integer => bits(long(&text()).ok_or_else(refused)?.to_u64()),
        Class::Document | Class::ShardDocument => bits(text().parse().map_err(|_| refused())?),
        Class::Boolean => match text().as_str() {
            "true" => bits(2),
            "false" => bits(1),
            other => match other.parse::<i64>().map_err(|_| refused())? {
                i64::MAX => bits(u64::MAX),
                number => bits(u64::try_from(number).map_or(0, |number| number + 1)),
            },
        },
        Class::Double | Class::Float | Class::Score => match text().as_str() {
            "Infinity" => bits(u64::MAX),
            "-Infinity" => bits(0),
            other if class == Class::Double => {
                bits(other.parse::<f64>().map_err(|_| refused())?.to_u64())
            }
            other => bits(f64::from(other.parse::<f32>().map_err(|_| refused())?).to_u64()),
        },
        Class::DateNanos if value.is_i64() => bits(value.as_i64().unwrap_or_default().to_u64()),
        Class::Date | Class::DateNanos => match long(&text()).filter(|_| value.is_number()) {
            Some(i64::MAX) => bits(u64::MAX),
            Some(i64::MIN) => bits(0),
            // Whatever the format is, and if it looks like a year: milliseconds.
            Some(number) => bits(number.saturating_mul(MILLISECOND).to_u64()),
            None => {
                let usual = Dates::default();
                let dates = format.unwrap_or(&usual);
                let read = dates.read(&text(), moment, Rounding::Down);
                // What is printed in milliseconds is understood so, whatever the format is.
                let read = read.or_else(|_| usual.read(&text(), moment, Rounding::Down));
                date_rank(read.map_err(|reason| shard_failure("parse_exception", reason))?)
            }
        },
    })
}

fn long(text: &str) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the nearest there is")]
    let nearest = |number: f64| number as i64;
    text.parse().ok().or_else(|| text.parse().ok().map(nearest))
}
