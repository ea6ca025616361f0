//! How exactly a field keeps numbers and dates: by its type, several of which are one kind.

use serde_json::{Map, Value};
use tantivy::DateTime;

/// Nanoseconds in a millisecond.
const MILLISECOND: i64 = 1_000_000;
/// The first number that `half_float` does not have any more, as it would be rounded.
const BEYOND_HALF: f32 = 65_520.0;
/// The smallest number that it has with all its digits, and the step between those that are smaller.
const LEAST_HALF: f32 = 1.0 / 16_384.0;
const HALF_STEP: f32 = 1.0 / 16_777_216.0;

/// What a type keeps of a value.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Precision {
    /// All that its kind can.
    #[default]
    Full,
    /// Whole numbers from one to another, of a type that is called so.
    Within(i64, i64, &'static str),
    /// `float`: 32 bits.
    Float,
    /// `half_float`: 16 bits.
    Half,
    /// `scaled_float`: whole numbers, divided by this.
    Scaled(f64),
    /// `date`: whole milliseconds.
    Milliseconds,
}

impl Precision {
    /// Of a type, as it is declared.
    pub fn of(kind: &str, members: &Map<String, Value>) -> Self {
        match kind {
            "byte" => Self::Within(i64::from(i8::MIN), i64::from(i8::MAX), "a byte"),
            "short" => Self::Within(i64::from(i16::MIN), i64::from(i16::MAX), "a short"),
            "integer" => Self::Within(i64::from(i32::MIN), i64::from(i32::MAX), "an integer"),
            "float" => Self::Float,
            "half_float" => Self::Half,
            "scaled_float" => {
                let factor = members.get("scaling_factor").and_then(Value::as_f64);
                factor.filter(|factor| *factor > 0.0).map_or(Self::Full, Self::Scaled)
            }
            "date" => Self::Milliseconds,
            _ => Self::Full,
        }
    }

    /// A whole number as it is kept.
    ///
    /// # Errors
    /// When the type does not have it.
    pub fn long(self, number: i64) -> Result<i64, String> {
        match self {
            Self::Within(least, most, name) if !(least..=most).contains(&number) => {
                Err(format!("Value [{number}] is out of range for {name}"))
            }
            _ => Ok(number),
        }
    }

    /// Whether a number is one of an `integer`, before its fraction is cut: those of fewer bits are cut first.
    pub fn has(self, number: f64) -> bool {
        !matches!(self, Self::Within(_, _, "an integer")) || self.spans(number)
    }

    /// Whether a number is one of the type before its fraction is cut.
    pub fn spans(self, number: f64) -> bool {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "they have at most 32 bits")]
            Self::Within(least, most, _) => (least as f64..=most as f64).contains(&number),
            _ => true,
        }
    }

    /// A number as it is kept.
    ///
    /// # Errors
    /// When the type does not have it.
    pub fn double(self, number: f64) -> Result<f64, String> {
        #[expect(clippy::cast_possible_truncation, reason = "it has no more digits")]
        let kept = match self {
            Self::Float => f64::from(number as f32),
            Self::Half => f64::from(half(number as f32)),
            Self::Scaled(factor) => (number * factor + 0.5).floor() / factor,
            _ => number,
        };
        if kept.is_finite() {
            Ok(kept)
        } else {
            Err(format!("supports only finite values, but got [{number}]"))
        }
    }

    /// A moment as it is kept.
    pub fn date(self, date: DateTime) -> DateTime {
        match self {
            Self::Milliseconds => {
                let nanoseconds = date.into_timestamp_nanos();
                let below = nanoseconds.checked_sub(nanoseconds.rem_euclid(MILLISECOND));
                below.map_or(date, DateTime::from_timestamp_nanos)
            }
            _ => date,
        }
    }
}

/// The nearest number of 16 bits, of two the even one.
fn half(number: f32) -> f32 {
    let size = number.abs();
    if size >= BEYOND_HALF {
        return f32::INFINITY.copysign(number);
    }
    if size < LEAST_HALF {
        return (number / HALF_STEP).round_ties_even() * HALF_STEP;
    }
    // 13 of the 23 bits of a fraction are too many.
    let bits = number.to_bits();
    f32::from_bits((bits + 0x0FFF + ((bits >> 13) & 1)) & !0x1FFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_few_bits_are_rounded_as_elasticsearch_does() {
        let kept = |number| Precision::Half.double(number);
        assert_eq!(kept(0.1), Ok(0.099_975_585_937_5));
        assert_eq!(kept(-2049.0), Ok(-2048.0));
        assert_eq!(kept(2051.0), Ok(2052.0));
        assert_eq!(kept(65_519.0), Ok(65_504.0));
        assert_eq!(kept(6e-8), Ok(f64::from(HALF_STEP)));
        assert!(kept(65_520.0).is_err() && Precision::Float.double(1e39).is_err());
        assert_eq!(Precision::Scaled(100.0).double(0.126), Ok(0.13));
    }

    #[test]
    fn types_of_whole_numbers_have_their_ends() {
        let byte = Precision::of("byte", &Map::new());
        assert_eq!((byte.long(-128), byte.long(127)), (Ok(-128), Ok(127)));
        assert_eq!(byte.long(128), Err("Value [128] is out of range for a byte".to_owned()));
    }

    #[test]
    fn dates_have_whole_milliseconds_and_not_those_with_nanoseconds() {
        let moment = DateTime::from_timestamp_nanos(-1);
        assert_eq!(Precision::Milliseconds.date(moment).into_timestamp_nanos(), -1_000_000);
        assert_eq!(Precision::Full.date(moment), moment);
    }
}
