//! A limit as it is written: a number, or a text with a unit.

use std::fmt;

use omphalos_common::config::{Period, Size};
use omphalos_live::alert::Unit;
use serde::{Deserialize, Deserializer, de};

/// A number, or a text with a unit, such as `"5 %"`, `"250ms"` or `"10MB"`.
#[derive(Debug, Clone, PartialEq)]
pub enum Amount {
    /// In the unit of the measure.
    Number(f64),
    /// With a unit, which the measure must have.
    Text(String),
}

impl Amount {
    /// So many.
    #[expect(clippy::cast_precision_loss, reason = "a limit")]
    pub fn of(number: u64) -> Self {
        Self::Number(number as f64)
    }

    /// The value in the unit of a measure: lines, lines a second, bytes, percent, seconds.
    ///
    /// # Errors
    /// What is expected, and what was found.
    #[expect(clippy::cast_precision_loss, reason = "sizes of limits")]
    pub fn in_unit(&self, unit: Unit) -> Result<f64, String> {
        let text = match self {
            Self::Number(number) => return Ok(*number),
            Self::Text(text) => text.trim(),
        };
        if let Ok(number) = text.parse() {
            return Ok(number);
        }
        let without = |end: &str| text.strip_suffix(end).and_then(|text| text.trim().parse().ok());
        let (value, expected) = match unit {
            Unit::Hits => (None, "a number of lines, such as 100"),
            Unit::PerSecond => (without("/s"), "lines a second, such as 100 or \"100/s\""),
            Unit::Percent => (without("%"), "percent, such as 5 or \"5 %\""),
            Unit::Bytes => {
                let size = text.parse::<Size>().ok();
                (size.map(|size| size.0 as f64), "bytes, such as 1000000 or \"1MB\"")
            }
            Unit::Seconds => {
                let period = text.parse::<Period>().ok();
                (period.map(|period| period.0.as_secs_f64()), "a time, such as \"250ms\" or \"5m\"")
            }
        };
        value.ok_or_else(|| format!("expected {expected}, found {text:?}"))
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Amount;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number, or a text such as \"5 %\", \"250ms\" or \"10MB\"")
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
                Ok(Amount::Number(number))
            }

            #[expect(clippy::cast_precision_loss, reason = "a limit")]
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
                Ok(Amount::Number(number as f64))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                Ok(Amount::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_has_the_unit_of_its_measure() {
        let text = |text: &str| Amount::Text(text.to_owned());
        for (amount, unit, value) in [
            (Amount::Number(5.0), Unit::Percent, 5.0),
            (text("5"), Unit::Hits, 5.0),
            (text("5 %"), Unit::Percent, 5.0),
            (text("-50%"), Unit::Percent, -50.0),
            (text("0.5/s"), Unit::PerSecond, 0.5),
            (text("1MB"), Unit::Bytes, 1e6),
            (text("1MiB"), Unit::Bytes, 1_048_576.0),
            (text("250ms"), Unit::Seconds, 0.25),
            (text("1h 30m"), Unit::Seconds, 5400.0),
        ] {
            assert_eq!(amount.in_unit(unit), Ok(value), "{amount:?}");
        }
        for (amount, unit) in [
            (text("5s"), Unit::Hits),
            (text("5 %"), Unit::Seconds),
            (text("5m"), Unit::Percent),
            (text("many"), Unit::Bytes),
            (text(""), Unit::PerSecond),
        ] {
            let error = amount.in_unit(unit).unwrap_err();
            assert!(error.starts_with("expected ") && error.contains("found \""), "{error}");
        }
    }
}
