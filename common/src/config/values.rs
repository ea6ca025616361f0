//! The kinds of value that TOML has no type for, and secrets kept in files.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer};

use super::ConfigError;

/// A number of bytes, written `1048576`, `"64KiB"`, `"8MiB"` or `"2GB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Size {
    /// As an index into memory, or the largest one.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<ByteSize>() {
            Ok(size) => Ok(Self(size.as_u64())),
            Err(_) => Err(format!("expected a size such as \"64KiB\" or \"8MiB\", found {text:?}")),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", ByteSize(self.0).display().iec())
    }
}

/// A length of time, written `"250ms"`, `"1s"`, `"10m"` or `"1h 30m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<SignedDuration>()
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok())
            .map(Self)
            .ok_or_else(|| format!("expected a time such as \"250ms\" or \"10m\", found {text:?}"))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Size;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a size such as \"64KiB\" or \"8MiB\"")
            }

            fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<Size, E> {
                u64::try_from(bytes).map(Size).map_err(E::custom)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Period;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a time such as \"250ms\" or \"10m\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The secret that the setting `key` gives directly, or that the file named by `key`_file holds
/// (its white space at both ends is not part of it).
///
/// # Errors
/// When both are given, or the file cannot be read.
pub fn read_secret(
    key: &str,
    value: Option<String>,
    file: Option<&Path>,
) -> Result<Option<String>, ConfigError> {
    let Some(path) = file else {
        return Ok(value);
    };
    if value.is_some() {
        return Err(ConfigError::invalid(format!("both {key} and {key}_file are set; keep one")));
    }
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) => Err(ConfigError::invalid(format!(
            "{key}_file: cannot read {}: {error}",
            path.display()
        ))),
    }
}

/// A URL from behind its user and password, which must not reach a log: its host and what follows.
pub fn without_credentials(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, host)| host)
}

/// The mode bits of everyone but the owner.
const OTHERS: u32 = 0o077;

/// The text of a file of keys, which only its owner may read.
///
/// # Errors
/// What is wrong with it, to be said behind its name.
pub fn read_private(path: &Path) -> Result<String, String> {
    let unreadable = |error| format!("cannot read it: {error}");
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & OTHERS != 0 {
        return Err(format!(
            "others can read it (mode {:03o}); make it the owner's alone: chmod 600 {}",
            mode & 0o777,
            path.display()
        ));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}
