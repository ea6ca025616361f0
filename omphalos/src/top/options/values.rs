//! Values of the command line, and what is expected where one cannot be read.

use std::time::Duration;

use omphalos_common::config::{Period, Size};
use omphalos_live::By;
use omphalos_transport::amqp::{SHARES, Sample};

use crate::top::console::{Background, Colours};

/// A time, in seconds unless it says otherwise: the original's have no unit.
pub fn period(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    text.parse::<Period>().map(|period| period.0)
}

/// A size.
pub fn bytes(text: &str) -> Result<u64, String> {
    text.parse::<Size>().map(|size| size.0)
}

/// What rows are ordered by.
pub fn by(text: &str) -> Result<By, String> {
    Ok(match text {
        "hits" => By::Hits,
        "bytes" => By::Bytes,
        "errors" => By::Errors,
        "latency" => By::Latency,
        "clients" => By::Clients,
        _ => return Err("expected hits, bytes, errors, latency or clients".to_owned()),
    })
}

/// How many times as fast old lines are played; `max` is as fast as they can be read.
pub fn speed(text: &str) -> Result<f64, String> {
    if matches!(text, "max" | "inf") {
        return Ok(f64::INFINITY);
    }
    let speed: f64 = text.trim_end_matches('x').parse().map_err(|_| expected_speed())?;
    if speed.is_finite() && speed >= 0.001 { Ok(speed) } else { Err(expected_speed()) }
}

fn expected_speed() -> String {
    "expected a factor of 0.001 or more, such as 1 or 60, or max".to_owned()
}

/// One of so many messages.
pub fn sample(text: &str) -> Result<Sample, String> {
    let expected = || format!("expected 1, 1/2, 1/4, 1/8 or 1/{SHARES}, found {text:?}");
    let part = text.strip_prefix("1/").unwrap_or(text).parse::<u8>().map_err(|_| expected())?;
    let shares = SHARES.checked_div(part).filter(|shares| shares * part == SHARES);
    shares.and_then(Sample::of).ok_or_else(expected)
}

/// In how many colours.
pub fn colours(text: &str) -> Result<Colours, String> {
    Ok(match text {
        "auto" => Colours::Auto,
        "never" => Colours::Never,
        "16" => Colours::Of16,
        "256" => Colours::Of256,
        "true" => Colours::True,
        _ => return Err("expected auto, never, 16, 256 or true".to_owned()),
    })
}

/// What is behind the text.
pub fn background(text: &str) -> Result<Background, String> {
    Ok(match text {
        "auto" => Background::Auto,
        "light" => Background::Light,
        "dark" => Background::Dark,
        _ => return Err("expected auto, light or dark".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_seconds_unless_they_say_otherwise() {
        assert_eq!(period("120"), Ok(Duration::from_mins(2)));
        assert_eq!(period("5m"), Ok(Duration::from_mins(5)));
        assert!(period("soon").is_err());
        assert_eq!(speed("60x"), Ok(60.0));
        assert!(["max", "inf"].iter().all(|word| speed(word) == Ok(f64::INFINITY)));
        assert!(speed("0").is_err() && speed("NaN").is_err() && speed("-inf").is_err());
    }
}
