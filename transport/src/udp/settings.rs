//! The `[udp]` table: where a shipper sends datagrams, and how.

use std::path::PathBuf;

use serde::Deserialize;

use super::keys::KeyFile;
use super::parity::ParityShare;
use super::sender::UdpSenderOptions;
use omphalos_common::config::{About, ConfigError, Kind, Setting, Size, shown_address};

/// A row of the `[udp]` table.
const fn row(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting::new(key, kind, help).about(About::Daemon)
}

/// The rows of the `[udp]` table.
pub const UDP_SETTINGS: &[Setting] = &[
    row(
        "udp.to",
        Kind::List,
        "Where to send datagrams: HOST:PORT, or several (see udp.spread). If it is set and no transport is chosen, the transport is udp.",
    )
    .alias("udp"),
    row(
        "udp.spread",
        Kind::Choice(&["failover", "split"]),
        "With several destinations: failover uses the first that listens; split divides the files among all that do.",
    )
    .default("failover"),
    row(
        "udp.encoding",
        Kind::Choice(&["omphalos", "ndjson"]),
        "omphalos: numbered and compressed, so that losses are known; ndjson: plain JSON lines, for other receivers.",
    )
    .default("omphalos"),
    row(
        "udp.mtu",
        Kind::Text,
        "Packet size in bytes, including the IP and UDP headers; auto asks the kernel for that of the path.",
    )
    .default("auto"),
    row(
        "udp.rate",
        Kind::Size,
        "At most this many bytes a second to each destination, so that receivers are not overrun; files wait meanwhile.",
    )
    .default("32MiB"),
    row("udp.send_buffer", Kind::Size, "SO_SNDBUF of each socket.").default("1MiB"),
    row(
        "udp.fec",
        Kind::Text,
        "off, or a share such as 10%: the receiver restores up to that share of each group of datagrams if it is lost. Costs that share of bandwidth.",
    )
    .default("off"),
    row(
        "udp.retransmit",
        Kind::Switch,
        "Send again what the receiver asks for. Costs udp.retransmit_bytes of memory, and needs udp.key_file at both ends.",
    )
    .default("false"),
    row(
        "udp.retransmit_bytes",
        Kind::Size,
        "How many bytes of sent datagrams to keep for udp.retransmit.",
    )
    .default("16MiB"),
    row(
        "udp.key_file",
        Kind::Text,
        "Seal datagrams with the first key in this file: lines of ID (0 to 255) and KEY (openssl rand -hex 32). Only its owner may read the file.",
    ),
];

/// How destinations share the work.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// The first that listens gets everything.
    Failover,
    /// Each gets the files that are its own.
    Split,
}

/// What is in a datagram.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum UdpEncoding {
    /// Our own: numbered, compressed, perhaps sealed.
    Omphalos,
    /// Documents as plain NDJSON.
    Ndjson,
}

/// The `[udp]` table as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct UdpSettings {
    pub to: Vec<String>,
    pub spread: Spread,
    pub encoding: UdpEncoding,
    pub mtu: String,
    pub rate: Size,
    pub send_buffer: Size,
    pub fec: String,
    pub retransmit: bool,
    pub retransmit_bytes: Size,
    pub key_file: Option<PathBuf>,
}

impl Default for UdpSettings {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            spread: Spread::Failover,
            encoding: UdpEncoding::Omphalos,
            mtu: "auto".to_owned(),
            rate: Size(32 * 1024 * 1024),
            send_buffer: Size(1024 * 1024),
            fec: "off".to_owned(),
            retransmit: false,
            retransmit_bytes: Size(16 * 1024 * 1024),
            key_file: None,
        }
    }
}

/// Packets smaller than IPv6 guarantees, or larger than IP has, make no sense.
const MTU: std::ops::RangeInclusive<usize> = 1280..=65_535;
const RATE: std::ops::RangeInclusive<u64> = 16 * 1024..=4_000_000_000;

impl UdpSettings {
    /// Checks the table; `host` and `level` are those of the shipper.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn options(&self, host: &str, level: i32) -> Result<UdpSenderOptions, ConfigError> {
        let refuse = |text: String| Err(ConfigError::invalid(text));
        if self.to.is_empty() {
            return refuse("udp.to: expected a destination, as HOST:PORT, found none".to_owned());
        }
        for to in &self.to {
            let port = to.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none_or(|port| port == 0) || to.contains('@') {
                return refuse(format!(
                    "udp.to: expected HOST:PORT, such as 127.0.0.1:5140 or [::1]:5140, found {:?}",
                    shown_address(to)
                ));
            }
        }
        if !RATE.contains(&self.rate.0) {
            return refuse(format!("udp.rate: expected 16KiB to 4GB, found {}", self.rate));
        }
        let keys = match &self.key_file {
            Some(path) => Some(KeyFile::open("udp.key_file", path)?),
            None => None,
        };
        if self.retransmit && keys.is_none() {
            return refuse(
                "udp.retransmit needs udp.key_file: receivers answer nobody whom they cannot authenticate".to_owned(),
            );
        }
        let plain = self.encoding == UdpEncoding::Ndjson;
        if plain && (keys.is_some() || self.fec != "off") {
            return refuse(
                "udp.encoding: plain ndjson cannot be sealed or repaired; remove udp.key_file, udp.fec and udp.retransmit, or use omphalos".to_owned(),
            );
        }
        Ok(UdpSenderOptions {
            to: self.to.clone(),
            spread: self.spread,
            encoding: self.encoding,
            mtu: self.mtu()?,
            rate: self.rate.0,
            send_buffer: self.send_buffer.as_usize(),
            parity: self.parity()?,
            ring_bytes: self.retransmit.then_some(self.retransmit_bytes.as_usize()),
            keys,
            host: host.to_owned(),
            level,
            first_number: 0,
        })
    }

    fn mtu(&self) -> Result<Option<usize>, ConfigError> {
        match self.mtu.parse::<usize>() {
            _ if self.mtu == "auto" => Ok(None),
            Ok(mtu) if MTU.contains(&mtu) => Ok(Some(mtu)),
            _ => Err(ConfigError::invalid(format!(
                "udp.mtu: expected auto or 1280 to 65535, found {:?}",
                self.mtu
            ))),
        }
    }

    fn parity(&self) -> Result<Option<ParityShare>, ConfigError> {
        if self.fec == "off" {
            return Ok(None);
        }
        let share = self.fec.parse::<ParityShare>();
        share
            .map(Some)
            .map_err(|error| ConfigError::invalid(format!("udp.fec: expected off, or {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        for (text, expected) in [
            ("", "udp.to: expected a destination, as HOST:PORT, found none"),
            (
                "to = [\"web\"]",
                "udp.to: expected HOST:PORT, such as 127.0.0.1:5140 or [::1]:5140, found \"web\"",
            ),
            (
                "to = [\"u:secret@web:1\"]",
                "udp.to: expected HOST:PORT, such as 127.0.0.1:5140 or [::1]:5140, found \"…@web:1\"",
            ),
            (
                "to = [\"u:secret\", \"x@web:1\"]",
                "udp.to: expected HOST:PORT, such as 127.0.0.1:5140 or [::1]:5140, found \"u:…\"",
            ),
            ("to = [\"a:1\"]\nrate = 1", "udp.rate: expected 16KiB to 4GB, found 1 B"),
            ("to = [\"a:1\"]\nmtu = \"9\"", "udp.mtu: expected auto or 1280 to 65535, found \"9\""),
            (
                "to = [\"a:1\"]\nretransmit = true",
                "udp.retransmit needs udp.key_file: receivers answer nobody whom they cannot authenticate",
            ),
        ] {
            let settings: UdpSettings = toml::from_str(text).unwrap();
            assert_eq!(settings.options("h", 1).unwrap_err().to_string(), expected);
        }
        let settings: UdpSettings = toml::from_str("to = [\"a:1\"]\nfec = \"90%\"").unwrap();
        let error = settings.options("h", 1).unwrap_err().to_string();
        assert!(error.starts_with("udp.fec: expected off, or "), "{error}");
    }
}
