//! The `[[receive]]` tables: where documents come from.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use omphalos_common::config::{ConfigError, Kind, Period, Setting, Size};
use omphalos_transport::udp::{KeyFile, ReceiveOptions, UdpEncoding};
use serde::Deserialize;

/// The rows of a `[[receive]]` table.
pub const RECEIVE_SETTINGS: &[Setting] = &[
    Setting::new(
        "receive.kind",
        Kind::Choice(&["amqp", "udp"]),
        "amqp: consume the queue of the [amqp] table; udp: receive datagrams. By default udp if receive.listen is set, and amqp otherwise; without any [[receive]] table, amqp.",
    )
    .repeated(),
    Setting::new(
        "receive.listen",
        Kind::Text,
        "Address to receive datagrams at, such as 127.0.0.1:5140 or [::]:5140.",
    )
    .alias("udp")
    .repeated(),
    Setting::new(
        "receive.encoding",
        Kind::Choice(&["omphalos", "ndjson"]),
        "omphalos: what omphalos-shipper sends, with an account of losses; ndjson: plain JSON lines.",
    )
    .default("omphalos")
    .repeated(),
    Setting::new(
        "receive.key_file",
        Kind::Text,
        "Take only datagrams that are sealed with a key in this file: lines of ID (0 to 255) and KEY (openssl rand -hex 32). Only its owner may read the file.",
    )
    .repeated(),
    Setting::new("receive.workers", Kind::Integer, "How many sockets, each with its thread, share the address (SO_REUSEPORT).")
        .default("1")
        .repeated(),
    Setting::new(
        "receive.buffer",
        Kind::Size,
        "SO_RCVBUF of each socket. Only a privileged process gets more than net.core.rmem_max.",
    )
    .default("4MiB")
    .repeated(),
    Setting::new(
        "receive.gap_timeout",
        Kind::Period,
        "How long to wait for a missing datagram before it counts as lost.",
    )
    .default("5s")
    .repeated(),
    Setting::new(
        "spool.max_bytes",
        Kind::Size,
        "Room in the state directory for what came over UDP and is not delivered yet; beyond it, datagrams are refused and counted.",
    )
    .default("1GiB"),
    Setting::new(
        "dead_letters.max_bytes",
        Kind::Size,
        "Room in the state directory for documents that Elasticsearch refuses; used when nothing is received over AMQP.",
    )
    .default("256MiB"),
];

/// Where documents come from.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ReceiveKind {
    /// The queue of `[amqp]`.
    Amqp,
    /// UDP datagrams.
    Udp,
}

/// A `[[receive]]` table as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct ReceiveSettings {
    pub kind: Option<ReceiveKind>,
    pub listen: Option<SocketAddr>,
    pub encoding: UdpEncoding,
    pub key_file: Option<PathBuf>,
    pub workers: u32,
    pub buffer: Size,
    pub gap_timeout: Period,
}

impl Default for ReceiveSettings {
    fn default() -> Self {
        Self {
            kind: None,
            listen: None,
            encoding: UdpEncoding::Omphalos,
            key_file: None,
            workers: 1,
            buffer: Size(4 * 1024 * 1024),
            gap_timeout: Period(Duration::from_secs(5)),
        }
    }
}

/// A table whose one setting is `max_bytes`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct Limit {
    pub max_bytes: Size,
}

const WORKERS: std::ops::RangeInclusive<u32> = 1..=64;
const BUFFER: std::ops::RangeInclusive<u64> = 64 * 1024..=1024 * 1024 * 1024;

impl ReceiveSettings {
    /// From where the table receives.
    pub fn kind(&self) -> ReceiveKind {
        self.kind.unwrap_or(match self.listen {
            Some(_) => ReceiveKind::Udp,
            None => ReceiveKind::Amqp,
        })
    }

    /// The options of a table of kind udp; `None` for the other kind.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn udp(&self) -> Result<Option<ReceiveOptions>, ConfigError> {
        let refuse = |text: String| Err(ConfigError::invalid(text));
        let listen = match (self.kind(), self.listen) {
            (ReceiveKind::Amqp, None) => return Ok(None),
            (ReceiveKind::Amqp, Some(_)) => {
                return refuse(
                    "receive.listen is for kind = \"udp\"; the address of the broker is amqp.url"
                        .to_owned(),
                );
            }
            (ReceiveKind::Udp, None) => {
                return refuse(
                    "receive.listen: expected an address for kind = \"udp\", such as 127.0.0.1:5140, found none".to_owned(),
                );
            }
            (ReceiveKind::Udp, Some(listen)) => listen,
        };
        if !WORKERS.contains(&self.workers) {
            return refuse(format!("receive.workers: expected 1 to 64, found {}", self.workers));
        }
        if !BUFFER.contains(&self.buffer.0) {
            return refuse(format!(
                "receive.buffer: expected 64KiB to 1GiB, found {}",
                self.buffer
            ));
        }
        let keys = match &self.key_file {
            Some(_) if self.encoding == UdpEncoding::Ndjson => {
                return refuse(
                    "receive.key_file: plain ndjson cannot be sealed; remove it, or use encoding = \"omphalos\"".to_owned(),
                );
            }
            Some(path) => Some(KeyFile::open("receive.key_file", path)?),
            None => None,
        };
        Ok(Some(ReceiveOptions {
            listen,
            encoding: self.encoding,
            keys,
            workers: self.workers as usize,
            buffer: self.buffer.as_usize(),
            patience: self.gap_timeout.0,
        }))
    }
}
