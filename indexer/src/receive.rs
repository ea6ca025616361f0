//! Where documents come from: the `[consume]` and `[[receive]]` tables, and the limits of what is kept
//! of that on disk.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use omphalos_common::config::{
    About, ConfigError, Kind, Period, Setting, Size, to_optional_listen,
};
use omphalos_transport::udp::{KeyFile, ReceiveOptions, UdpEncoding};
use serde::Deserialize;

use crate::elasticsearch::check_name;

/// A row of the `[consume]` table.
const fn consume(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting::new(key, kind, help).about(About::Daemon)
}

/// The rows of the `[consume]` table.
pub const CONSUME_SETTINGS: &[Setting] = &[
    consume(
        "consume.consumer_timeout",
        Kind::Period,
        "The broker's consumer_timeout. When Elasticsearch has been away for a third of it, deliveries are handed back, because the broker would otherwise close the channel.",
    )
    .default("30m"),
    consume(
        "consume.default_dataset",
        Kind::Text,
        "Dataset of documents from other producers that have no event.dataset.",
    )
    .default("external"),
    consume(
        "consume.shipper_users",
        Kind::List,
        "Users of the broker who may ship the lines of hosts: batches of others, and of whoever does not say its user (amqp.user_id), get ids of their own and the indices of index.foreign_datasets. Without any, batches of all who may publish are believed.",
    ),
];

/// A row of a `[[receive]]` table.
const fn row(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting::new(key, kind, help).repeated().about(About::Daemon)
}

/// The rows of a `[[receive]]` table.
pub const RECEIVE_SETTINGS: &[Setting] = &[
    row(
        "receive.kind",
        Kind::Choice(&["amqp", "udp"]),
        "amqp: consume the queue of the [amqp] table; udp: receive datagrams. By default udp if receive.listen is set, and amqp otherwise; without any [[receive]] table, amqp.",
    ),
    row(
        "receive.listen",
        Kind::Text,
        "Address to receive datagrams at, such as 127.0.0.1:5140 or [::]:5140.",
    )
    .alias("udp"),
    row(
        "receive.encoding",
        Kind::Choice(&["omphalos", "ndjson"]),
        "omphalos: what omphalos-shipper sends, with an account of losses; ndjson: plain JSON lines.",
    )
    .default("omphalos"),
    row(
        "receive.key_file",
        Kind::Text,
        "Take only datagrams that are sealed with a key in this file: lines of ID (0 to 255) and KEY (openssl rand -hex 32). Only its owner may read the file.",
    ),
    row(
        "receive.workers",
        Kind::Integer,
        "How many sockets, each with its thread, share the address (SO_REUSEPORT).",
    )
    .default("1"),
    row(
        "receive.buffer",
        Kind::Size,
        "SO_RCVBUF of each socket. Only a privileged process gets more than net.core.rmem_max.",
    )
    .default("4MiB"),
    row(
        "receive.gap_timeout",
        Kind::Period,
        "How long to wait for a missing datagram before it counts as lost.",
    )
    .default("5s"),
];

/// The rows of the tables with a limit.
pub const LIMIT_SETTINGS: &[Setting] = &[
    Setting::new(
        "spool.max_bytes",
        Kind::Size,
        "Room in the state directory for what came over UDP and is not delivered yet; beyond it, datagrams are refused and counted.",
    )
    .default("1GiB")
    .about(About::Daemon),
    Setting::new(
        "dead_letters.max_bytes",
        Kind::Size,
        "Room in the state directory for documents that Elasticsearch refuses; used when nothing is received over AMQP.",
    )
    .default("256MiB"),
];

/// The `[consume]` table, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct ConsumeSettings {
    pub consumer_timeout: Period,
    pub default_dataset: String,
    pub shipper_users: Vec<String>,
}

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
    #[serde(deserialize_with = "to_optional_listen")]
    pub listen: Option<SocketAddr>,
    pub encoding: UdpEncoding,
    pub key_file: Option<PathBuf>,
    pub workers: u32,
    pub buffer: Size,
    pub gap_timeout: Period,
}

impl Default for ConsumeSettings {
    fn default() -> Self {
        Self {
            consumer_timeout: Period(Duration::from_mins(30)),
            default_dataset: "external".to_owned(),
            shipper_users: Vec::new(),
        }
    }
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

impl ConsumeSettings {
    /// Checks what a type cannot express.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_name("consume.default_dataset", &self.default_dataset)
    }
}

impl ReceiveSettings {
    /// Checks what one table alone does not show.
    ///
    /// # Errors
    /// When the tables do not go together.
    pub fn check(tables: &[Self]) -> Result<(), ConfigError> {
        if tables.iter().filter(|table| table.kind() == ReceiveKind::Amqp).count() > 1 {
            return Err(ConfigError::invalid(
                "receive: expected at most one table of kind amqp, found several",
            ));
        }
        Ok(())
    }

    /// Whether the queue is consumed.
    pub fn has_amqp(tables: &[Self]) -> bool {
        tables.is_empty() || tables.iter().any(|table| table.kind() == ReceiveKind::Amqp)
    }

    /// Where datagrams are taken.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn udp_of(tables: &[Self]) -> Result<Vec<ReceiveOptions>, ConfigError> {
        let options: Result<Vec<Option<ReceiveOptions>>, ConfigError> =
            tables.iter().map(Self::udp).collect();
        Ok(options?.into_iter().flatten().collect())
    }

    /// What the table is for.
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
