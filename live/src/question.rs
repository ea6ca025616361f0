//! What can be asked of the figures.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::dimension::Dimension;

/// Which lines a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All lines since the start, also those that were late or ahead of the clock.
    Start,
    /// The steps of the window that ends with the newest line, whether they have ended or not.
    #[default]
    Window,
    /// The steps of the window that ends at the watermark: the same whenever the lines are read.
    Ended,
    /// The steps of the window that ends here, in milliseconds since 1970, which is the end of a step.
    /// Where one line ended several steps, each of their ends can be asked for until the next line.
    Until(i64),
}

/// By what keys are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Lines.
    #[default]
    Hits,
    /// Bytes of the responses.
    Bytes,
    /// Lines that are errors.
    Errors,
    /// What 95 % of the lines took at most.
    Latency,
    /// How many different clients there were.
    Clients,
}

/// Which value of a dimension: a hash of its text, written in hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(pub(crate) u64);

impl KeyId {
    /// Of this text, for whoever keeps keys of its own: [`crate::Live`] mixes a seed in, and knows its own
    /// ([`crate::Live::key_id`]).
    pub fn of(text: &[u8]) -> Self {
        Self(xxh3_64(text).max(1))
    }
}

impl TryFrom<String> for KeyId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = u64::from_str_radix(&text, 16);
        number.map(Self).map_err(|_| {
            format!("the id of a key: expected up to 16 hexadecimal digits, found {text:?}")
        })
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        format!("{:016x}", id.0)
    }
}

/// Something that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "question", rename_all = "snake_case")]
pub enum Question {
    /// The figures of all lines.
    Summary {
        /// Which lines.
        #[serde(default)]
        scope: Scope,
    },
    /// The heaviest keys of a dimension.
    Top {
        /// Whose keys.
        dimension: Dimension,
        /// What makes them heavy.
        #[serde(default)]
        by: By,
        /// How many.
        most: usize,
        /// Those with fewer lines are left out.
        #[serde(default)]
        least_hits: u64,
        /// Which lines.
        #[serde(default)]
        scope: Scope,
    },
    /// All that is known of one key.
    Key {
        /// Its dimension.
        dimension: Dimension,
        /// The key; [`crate::Live::key_id`] makes it from a text.
        key: KeyId,
        /// How many of its last lines.
        lines: usize,
        /// Which lines.
        #[serde(default)]
        scope: Scope,
    },
    /// The figures of each step.
    Series {
        /// Which steps; since the start are those that are kept.
        #[serde(default)]
        scope: Scope,
    },
    /// The last lines.
    Lines {
        /// How many.
        most: usize,
    },
    /// What is counted.
    Dimensions,
}
