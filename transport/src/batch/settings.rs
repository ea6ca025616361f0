//! The settings of batches, and of how many may be on their way.

use std::time::Duration;

use omphalos_common::config::{About, ConfigError, Kind, Period, Setting, Size};
use serde::Deserialize;

use crate::receipt::Window;

/// The one row of these that a repair has a use for.
pub const COMPRESSION_LEVEL: Setting =
    Setting::new("batch.compression_level", Kind::Integer, "zstd level, 1 to 19.").default("1");

/// The rows of `[batch]`.
pub const BATCH_SETTINGS: &[Setting] = &[
    Setting::new("batch.bytes", Kind::Size, "A batch is sent when it has this many bytes of documents.")
        .default("1MiB"),
    Setting::new("batch.flush_interval", Kind::Period, "A batch is sent at the latest this long after its first line.")
        .default("300ms"),
    // What is imported has ids, which only the one has.
    Setting::new(
        "batch.encoding",
        Kind::Choice(&["batch", "json"]),
        "batch: compressed, many documents per message; json: one plain JSON document per message, for other consumers.",
    )
    .default("batch")
    .about(About::Daemon),
    COMPRESSION_LEVEL,
    Setting::new("batch.in_flight_messages", Kind::Integer, "How many messages may be waiting for their confirm.")
        .default("1024"),
    Setting::new("batch.in_flight_bytes", Kind::Size, "How many bytes of messages may be waiting for their confirm.")
        .default("8MiB"),
    Setting::new(
        "batch.confirm_timeout",
        Kind::Period,
        "When a confirm takes longer than this, the connection is given up and made anew.",
    )
    .default("1m"),
];

/// How a batch becomes messages.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// One message a batch.
    Batch,
    /// One message a document.
    Json,
}

/// Sizes that make no sense are refused rather than obeyed.
const BYTES: std::ops::RangeInclusive<u64> = 1024..=64 * 1024 * 1024;

/// The `[batch]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct BatchSettings {
    pub bytes: Size,
    pub flush_interval: Period,
    pub encoding: Encoding,
    pub compression_level: i32,
    pub in_flight_messages: u32,
    pub in_flight_bytes: Size,
    pub confirm_timeout: Period,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            bytes: Size(1024 * 1024),
            flush_interval: Period(Duration::from_millis(300)),
            encoding: Encoding::Batch,
            compression_level: 1,
            in_flight_messages: 1024,
            in_flight_bytes: Size(8 * 1024 * 1024),
            confirm_timeout: Period(Duration::from_mins(1)),
        }
    }
}

impl BatchSettings {
    /// How much may be on its way.
    pub fn window(&self) -> Window {
        Window {
            messages: self.in_flight_messages as usize,
            bytes: self.in_flight_bytes.as_usize(),
        }
    }

    /// Checks what a type cannot express.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !BYTES.contains(&self.bytes.0) {
            return Err(ConfigError::invalid(format!(
                "batch.bytes: expected 1KiB to 64MiB, found {}",
                self.bytes
            )));
        }
        if !(1..=19).contains(&self.compression_level) {
            return Err(ConfigError::invalid(format!(
                "batch.compression_level: expected 1 to 19, found {}",
                self.compression_level
            )));
        }
        if self.in_flight_messages == 0 {
            return Err(ConfigError::invalid(
                "batch.in_flight_messages: expected at least 1, found 0",
            ));
        }
        Ok(())
    }
}
