//! The batch: many documents that travel and are confirmed as one.
//!
//! A batch is NDJSON plus the facts about its documents that the indexer needs without looking
//! into them: their ids, their days, and which byte range of which source they came from. The
//! ranges are also what an audit adds up.

mod settings;

pub use settings::{BATCH_SETTINGS, BatchSettings};

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use omphalos_common::event::DocumentId;

/// A contiguous byte range of one source, and the documents made of it, in order.
///
/// Written into the header of a message (`docs/ARCHITECTURE.md`, "The batch"), where a source, a
/// path and a dataset are text and the ids and days have one entry a document.
#[derive(Serialize, Clone, Debug)]
pub struct Chunk {
    /// The source id, 32 hexadecimal digits.
    pub source: Arc<str>,
    /// The version of the hash that the ids are made with ([`omphalos_common::ids`]); unknown to a relay. In
    /// headers that were written before there was another it is 1 and not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_version: Option<u32>,
    /// The path that the bytes were read from; characters that are not UTF-8 are replaced.
    pub path: Arc<str>,
    /// The cleaned dataset ([`omphalos_common::event::clean_name`]), a part of the index name.
    pub dataset: Arc<str>,
    /// The first byte of the range.
    pub start: u64,
    /// The byte after the last one of the range.
    pub end: u64,
    /// The `_id` of each document.
    pub ids: Vec<DocumentId>,
    /// The event day of each document, in days since 1970-01-01 UTC.
    pub days: Vec<i32>,
    /// Where the line of each document begins, in bytes of the source: a transport that cuts a
    /// chunk needs to know which range each part covers. It does not travel.
    #[serde(skip)]
    pub starts: Vec<u64>,
}

/// Documents of one dataset, ready to be encoded.
#[derive(Debug, Default)]
pub struct Batch {
    /// NDJSON: each document ends with a line feed.
    pub body: Vec<u8>,
    /// Where the documents came from, in the order of the body.
    pub chunks: Vec<Chunk>,
}

impl Batch {
    /// How many documents the batch holds.
    pub fn documents(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.ids.len()).sum()
    }

    /// The cleaned dataset of the batch; empty for a batch without chunks.
    pub fn dataset(&self) -> &str {
        self.chunks.first().map_or("", |chunk| &chunk.dataset)
    }
}

/// What the receiving side reads of the header, borrowed from the message.
#[derive(Deserialize)]
pub(crate) struct HeaderIn<'a> {
    pub v: u32,
    /// When the batch was made, in seconds since the epoch.
    pub at: i64,
    #[serde(borrow)]
    pub chunks: Vec<ChunkIn<'a>>,
}

/// What the receiving side reads of a chunk.
#[derive(Deserialize)]
pub(crate) struct ChunkIn<'a> {
    #[serde(borrow)]
    pub dataset: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub ids: Vec<&'a str>,
    pub days: Vec<i32>,
}

/// The header as the sending side writes it.
#[derive(Serialize)]
pub(crate) struct HeaderOut<'a> {
    pub v: u32,
    pub host: &'a str,
    pub at: i64,
    pub chunks: &'a [Chunk],
}
