//! The inside of a datagram: documents, compressed with a dictionary that both ends carry.
//!
//! ```text
//! 0  1  version of the dictionary
//! 1  4  length of the text
//! 5  4  time of the first document's id, in seconds since 1970
//! 9     for each document the rest of its id: the time since the one before it (zigzag LEB128)
//!       and 12 bytes of hash; these are random, and would only slow the compressor down
//!       the text as one zstd frame
//! ```
//!
//! The text is a line of JSON, `{"v":1,"host":…,"at":…,"parts":[{"source":…,"path":…,"dataset":…,
//! "start":…,"end":…,"count":…}]}`, and then the documents as NDJSON. A part is a contiguous byte
//! range of one source, as a chunk of a batch is; the day of a document is that of its id.

mod heartbeat;
mod open;
mod pack;
#[cfg(test)]
mod tests;

pub use open::{Content, Opener, Part};
pub use pack::{Made, Packer};

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The dictionary that messages are compressed with. Trained by `tests/dictionary` on documents
/// of all our parsers; a file that has been released never changes, a better one gets a new
/// version.
pub(super) const DICTIONARY: &[u8] = include_bytes!("dictionary/1.zdict");
/// Version of the dictionary.
pub(super) const DICTIONARY_VERSION: u8 = 1;

/// The version in the first line of the text.
const TEXT_VERSION: u32 = 1;

/// Length of a message before the rest of the ids.
const HEAD: usize = 9;
/// Length of the hash in an id.
const HASH: usize = 12;

/// The longest text of a message that is not in pieces: a bound on what one hostile datagram can
/// make its receiver unpack.
pub(super) const MAX_TEXT: usize = 4 * 1024 * 1024;

/// The longest message in pieces: one document of the longest line that shippers allow.
pub(super) const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// The first line of the text.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    v: u32,
    #[serde(borrow)]
    host: Cow<'a, str>,
    at: i64,
    #[serde(borrow)]
    parts: Vec<PartHead<'a>>,
}

/// A part in the first line of the text.
#[derive(Serialize, Deserialize)]
struct PartHead<'a> {
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow)]
    dataset: Cow<'a, str>,
    start: u64,
    end: u64,
    count: usize,
}
