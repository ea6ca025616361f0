//! How ids are made of lines: with which hash, and with which key.
//!
//! Version 2 is SipHash-1-3-128, keyed: who writes log lines and does not know the key cannot make
//! two of them share an id, of which the second would be refused as a duplicate and lost. The key is
//! made of the host's id, or stands in a file. Version 1 was XXH3, for which such lines are easily
//! made; files that were begun with it keep it to their end, so that no line gets a second id.

mod keys;
mod maker;

pub use keys::{IdKeys, KeyPrint};
pub use maker::{IdMaker, IdMakers};

/// The version that new files get.
pub const ID_VERSION: u32 = 2;

/// What makes the ids of a file's lines; the same from its first line to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdScheme {
    /// Version 1, without a key.
    Unkeyed,
    /// Version 2, with the key that is made of the host's id.
    OfHost,
    /// Version 2, with the key of this print, from a file of keys.
    OfKey(KeyPrint),
}

impl IdScheme {
    /// What a checkpoint or a header means by these; `None` when it is of a later program.
    pub fn of(version: u32, key: Option<KeyPrint>) -> Option<Self> {
        match (version, key) {
            (1, None) => Some(Self::Unkeyed),
            (2, None) => Some(Self::OfHost),
            (2, Some(print)) => Some(Self::OfKey(print)),
            _ => None,
        }
    }

    /// The version of the hash.
    pub fn version(self) -> u32 {
        match self {
            Self::Unkeyed => 1,
            Self::OfHost | Self::OfKey(_) => 2,
        }
    }

    /// The key, if it is one from a file.
    pub fn key(self) -> Option<KeyPrint> {
        match self {
            Self::OfKey(print) => Some(print),
            Self::Unkeyed | Self::OfHost => None,
        }
    }
}

impl std::fmt::Display for IdScheme {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unkeyed => write!(formatter, "ids of version 1"),
            Self::OfHost => write!(formatter, "the key made of host.id"),
            Self::OfKey(print) => write!(formatter, "the key {print}"),
        }
    }
}
