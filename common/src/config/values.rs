//! The kinds of value that TOML has no type for, and secrets kept in files.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::{Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer};

use super::ConfigError;
use super::setting::found;
use crate::whole_file::read_text;

/// A number of bytes, written `1048576`, `"64KiB"`, `"8MiB"` or `"2GB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Size {
    /// What one looks like, for errors.
    pub(super) const EXAMPLE: &str = "a size such as \"64KiB\" or \"8MiB\"";

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
            Err(_) => Err(format!("expected {}, found {}", Self::EXAMPLE, found(text))),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", ByteSize(self.0).display().iec())
    }
}

/// A length of time, written `"250ms"`, `"10m"`, `"1h 30m"`, `"2d"` or `"1w"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl Period {
    /// What one looks like, for errors.
    pub(super) const EXAMPLE: &str = "a time such as \"250ms\", \"10m\" or \"2d\"";
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Months and years differ in length; a day has 24 hours here.
        let span = text.parse::<Span>().ok();
        span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
            .and_then(|duration| Duration::try_from(duration).ok())
            .map(Self)
            .ok_or_else(|| format!("expected {}, found {}", Self::EXAMPLE, found(text)))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Size;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(Size::EXAMPLE)
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
                formatter.write_str(Period::EXAMPLE)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// What was given for HOST:PORT, as it may be said: somebody may have written a password into it, as into
/// a URL.
pub fn shown_address(text: &str) -> String {
    if let Some((_, host)) = text.rsplit_once('@') {
        return format!("…@{host}");
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !port.bytes().all(|byte| byte.is_ascii_digit()) => {
            // Of an IPv6 address without brackets no part is a secret.
            let is_address = text.parse::<std::net::Ipv6Addr>().is_ok() || port.ends_with(']');
            if is_address { text.to_owned() } else { format!("{host}:…") }
        }
        _ => text.to_owned(),
    }
}

/// Reads an address to listen on: `127.0.0.1:9186`, `[::1]:9186`, `localhost:9186`, or `:9186` for all
/// IPv4 addresses of this machine.
///
/// # Errors
/// What was expected and what was found.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let refuse = |reason: &str| {
        let found = shown_address(text);
        format!("expected HOST:PORT or :PORT, such as 127.0.0.1:9186, found {found:?}: {reason}")
    };
    if text.contains('@') {
        return Err(refuse("an address has no user and no password"));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(refuse("it has no port"));
    };
    let port = port.parse::<u16>().map_err(|_| refuse("a port is a number from 0 to 65535"))?;
    if host.is_empty() {
        return Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
    }
    if host.contains(':') && !host.starts_with('[') {
        return Err(refuse("IPv6 addresses are written in brackets, [::1]:9186"));
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match (bare, port).to_socket_addrs() {
        Ok(mut found) => found.next().ok_or_else(|| refuse("this host has no address")),
        Err(error) => Err(refuse(&error.to_string())),
    }
}

/// [`listen_address`], for a setting of this kind.
///
/// # Errors
/// Those of it.
pub fn to_listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    listen_address(&text).map_err(serde::de::Error::custom)
}

/// The same for a setting that may be absent.
///
/// # Errors
/// Those of [`listen_address`].
pub fn to_optional_listen<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    to_listen(deserializer).map(Some)
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
    let (name, secret) = match file {
        None => (key.to_owned(), value),
        Some(path) => (format!("{key}_file"), Some(read_secret_file(key, value.is_some(), path)?)),
    };
    if secret.as_ref().is_some_and(|secret| secret.chars().any(char::is_control)) {
        return Err(ConfigError::invalid(format!(
            "{name}: expected one line of text, found a line end or another control character in it; of a file, white space at both ends is left out, and nothing else"
        )));
    }
    Ok(secret)
}

/// What the file at `path`, which `key`_file names, holds, without white space at its ends.
///
/// # Errors
/// When `key` is set as well, or the file cannot be read.
pub fn read_secret_file(key: &str, is_set: bool, path: &Path) -> Result<String, ConfigError> {
    if is_set {
        return Err(ConfigError::invalid(format!("both {key} and {key}_file are set; keep one")));
    }
    match read_text(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => Err(ConfigError::invalid(format!(
            "{key}_file: cannot read {}: {error}",
            path.display()
        ))),
    }
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
    read_text(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_on_are_hosts_with_a_port() {
        for (text, expected) in [
            ("127.0.0.1:9186", "127.0.0.1:9186"),
            ("[::1]:9186", "[::1]:9186"),
            (":9186", "0.0.0.0:9186"),
            ("0.0.0.0:0", "0.0.0.0:0"),
        ] {
            assert_eq!(listen_address(text), Ok(expected.parse().unwrap()), "{text}");
        }
        let local = listen_address("localhost:80").unwrap();
        assert!(local.ip().is_loopback() && local.port() == 80, "{local}");
        for (text, reason) in [
            ("0.0.0.0:80000", "a port is a number from 0 to 65535"),
            ("9186", "it has no port"),
            ("", "it has no port"),
            ("::1:9186", "in brackets"),
            ("127.0.0.1:", "a port is a number"),
            ("127.0.0.1:-1", "a port is a number"),
            ("user:secret", "a port is a number"),
            ("user:secret@127.0.0.1:1", "an address has no user and no password"),
            ("host.invalid:80", ": "),
        ] {
            let error = listen_address(text).unwrap_err();
            assert!(error.contains(&format!("found {:?}: ", shown_address(text))), "{error}");
            assert!(!error.contains("secret"), "{error}");
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn times_are_in_the_units_that_people_write() {
        let period = |text: &str| text.parse::<Period>().map(|period| period.0);
        let seconds = Duration::from_secs;
        for (text, expected) in [
            ("250ms", Duration::from_millis(250)),
            ("0s", seconds(0)),
            ("1.5s", Duration::from_millis(1500)),
            ("1h 30m", seconds(5400)),
            ("90 minutes", seconds(5400)),
            ("2d", seconds(2 * 86_400)),
            ("1w", seconds(7 * 86_400)),
            ("1w2d3h", seconds((9 * 24 + 3) * 3600)),
            ("10000h", seconds(10_000 * 3600)),
        ] {
            assert_eq!(period(text), Ok(expected), "{text}");
        }
        for text in ["", "5", "-1s", "1mo", "1y", "1x", "s", "1s -2s", "99999999999999999999s"] {
            let error = period(text).unwrap_err();
            assert!(error.starts_with("expected a time such as"), "{text}: {error}");
        }
    }
}
