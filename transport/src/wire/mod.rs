//! The bytes of a message: how a batch is written, and how anything that claims to be one is read.
//!
//! A message body is zstd (RFC 8878) of a JSON header line followed by NDJSON documents; the
//! content type carries the version. Plain JSON and NDJSON from other producers are read too.
//! Whatever arrives is taken for hostile: reading never panics, is bounded in memory, and ends in
//! a [`Parcel`] whose documents are safe to splice into a `_bulk` request, or in a [`WireError`].

mod decode;
mod encode;
mod foreign;
#[cfg(test)]
mod tests;

pub use decode::{Envelope, decode};
pub(super) use decode::{bad_count, check_dataset, check_header, check_object, to_u32};
pub use encode::{Encoder, SingleFiling, encode_single};

use std::sync::Arc;

use crate::message::Origin;

/// Content type of a batch.
pub const CONTENT_TYPE_BATCH: &str = "application/vnd.omphalos.batch.v1";
/// Content type of a message that is one JSON document (RFC 8259).
pub const CONTENT_TYPE_JSON: &str = "application/json";
/// Content type of newline-delimited JSON.
pub const CONTENT_TYPE_NDJSON: &str = "application/x-ndjson";
/// Content encoding of a batch.
pub const CONTENT_ENCODING_ZSTD: &str = "zstd";

/// The version in a batch's header.
const BATCH_VERSION: u32 = 1;

/// The most that a message may hold once decompressed, in bytes: a bound on what one hostile
/// message can make the indexer allocate.
pub const MAX_DECODED_BYTES: usize = 64 * 1024 * 1024;

/// No message holds more documents, nor more chunks or parts of files: each of them costs memory beside
/// its bytes, and nothing is said about how few of these it has.
pub const MAX_DOCUMENTS: usize = 100_000;

/// The longest `_id` that Elasticsearch accepts, in bytes.
const MAX_ID_BYTES: usize = 512;

/// What a message held: documents that are safe to index.
#[derive(Debug, Default)]
pub struct Parcel {
    /// The text that the documents' ranges refer to.
    pub text: Vec<u8>,
    /// The documents, in order.
    pub documents: Vec<Document>,
    /// Lines of someone else's NDJSON that are no documents: what is wrong with each, and its bytes.
    pub refused: Vec<(WireError, Vec<u8>)>,
    /// Reference time for "far off" dates, in seconds since the epoch: when the batch was made,
    /// so that a redelivered message is filed where its first copy was. `None` when unknown.
    pub made_at: Option<i64>,
    /// Whether their ids are those of a host, because somebody vouches for who made them.
    pub origin: Origin,
    /// Whether somebody vouches for who sent them, whatever ids they have: a heartbeat has none of a host.
    pub sender: Origin,
}

/// One document of a [`Parcel`].
#[derive(Debug, Clone)]
pub struct Document {
    /// The `_id`: only `A-Z a-z 0-9 _ -`.
    pub id: Box<str>,
    /// The cleaned dataset.
    pub dataset: Arc<str>,
    /// The event day in days since 1970-01-01 UTC; `None` when the document has no time of its own.
    pub day: Option<i32>,
    /// Start in [`Parcel::text`]; the document is one line of JSON, an object.
    pub start: u32,
    /// End in [`Parcel::text`], without the line feed.
    pub end: u32,
}

/// Why a message is not what it says. None of these can be cured by trying again.
#[derive(thiserror::Error, Debug, PartialEq, Eq)]
pub enum WireError {
    /// Neither ours nor plain JSON.
    #[error(
        "unsupported content type {found:?}; expected {CONTENT_TYPE_BATCH}, {CONTENT_TYPE_JSON} or {CONTENT_TYPE_NDJSON}"
    )]
    ContentType {
        /// The content type of the message.
        found: String,
    },
    /// An encoding that we do not read.
    #[error("unsupported content encoding {found:?}; expected zstd, gzip or none")]
    ContentEncoding {
        /// The content encoding of the message.
        found: String,
    },
    /// The compressed bytes are damaged.
    #[error("cannot decompress as {encoding}: {reason}")]
    Compression {
        /// Encoding named by the message.
        encoding: &'static str,
        /// What the decoder says.
        reason: String,
    },
    /// More bytes than a message of its road may hold.
    #[error("holds more than {limit} bytes when decompressed, expected at most that many")]
    TooLarge {
        /// So many may be in it.
        limit: usize,
    },
    /// More than [`MAX_DOCUMENTS`] of something.
    #[error("holds more than {MAX_DOCUMENTS} {what}, expected at most that many in one message")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
    },
    /// What the process did not survive.
    #[error("the indexer died {deaths} times while it read this message, so it is not read again")]
    Deadly {
        /// How often.
        deaths: u32,
    },
    /// The first line of a batch is not its header.
    #[error("bad batch header: {reason}")]
    Header {
        /// What is wrong with it.
        reason: String,
    },
    /// Ids, days and documents do not come in equal numbers.
    #[error("the header announces {announced} {what}, found {found}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many the header announces.
        announced: usize,
        /// How many there are in the message.
        found: usize,
    },
    /// An `_id` that could break out of its action line, or that is too long.
    #[error(
        "bad document id {id:?}; expected 1 to {MAX_ID_BYTES} of the characters A-Z a-z 0-9 _ -"
    )]
    Id {
        /// The id, shortened.
        id: String,
    },
    /// A dataset that would make an index name outside the configured pattern.
    #[error("bad dataset {dataset:?}; expected a cleaned name of a-z 0-9 _ -")]
    Dataset {
        /// The name, shortened.
        dataset: String,
    },
    /// A line that is not a JSON object.
    #[error("line {line} is not a JSON object: {reason}")]
    Document {
        /// Counted from 1, the header not included.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// It holds no document.
    #[error("holds no document")]
    Empty,
}

impl WireError {
    /// All names that [`Self::kind`] gives.
    pub const KINDS: [&'static str; 11] = [
        "bad_content_type",
        "bad_content_encoding",
        "bad_compression",
        "too_large",
        "deadly",
        "bad_header",
        "bad_count",
        "bad_id",
        "bad_dataset",
        "bad_document",
        "empty",
    ];

    /// A short stable name, for metrics and for selecting dead letters.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ContentType { .. } => "bad_content_type",
            Self::ContentEncoding { .. } => "bad_content_encoding",
            Self::Compression { .. } => "bad_compression",
            Self::TooLarge { .. } | Self::TooMany { .. } => "too_large",
            Self::Deadly { .. } => "deadly",
            Self::Header { .. } => "bad_header",
            Self::Count { .. } => "bad_count",
            Self::Id { .. } => "bad_id",
            Self::Dataset { .. } => "bad_dataset",
            Self::Document { .. } => "bad_document",
            Self::Empty => "empty",
        }
    }
}

/// The beginning of a hostile text, fit for an error message.
fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}
