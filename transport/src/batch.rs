//! The batch: many documents that travel and are confirmed as one.
//!
//! A batch is NDJSON plus the facts about its documents that the indexer needs without looking
//! into them: their ids, their days, and which byte range of which source they came from. The
//! ranges are also what an audit adds up.

mod settings;

pub use settings::{BATCH_SETTINGS, BatchSettings, COMPRESSION_LEVEL, Encoding};

use std::io;
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

    /// Whether the body and the chunks tell of the same documents: a road that went by one of them
    /// would lose what only the other one has.
    ///
    /// # Errors
    /// When they do not.
    pub fn check(&self) -> Result<(), BatchError> {
        let documents = self.documents();
        let lines = memchr::memchr_iter(b'\n', &self.body).count();
        let is_whole = self.body.last().is_none_or(|last| *last == b'\n');
        let odd = |chunk: &&Chunk| {
            chunk.days.len() != chunk.ids.len() || chunk.starts.len() != chunk.ids.len()
        };
        let odd = self.chunks.iter().find(odd);
        if lines == documents && is_whole && odd.is_none() {
            return Ok(());
        }
        let chunk = odd.or(self.chunks.first());
        Err(BatchError {
            lines: lines + usize::from(!is_whole),
            documents,
            is_whole,
            chunk: chunk.map_or_else(
                || "no chunk".to_owned(),
                |chunk| {
                    format!(
                        "the chunk of {} from byte {} with {} ids, {} days and {} starts",
                        chunk.path,
                        chunk.start,
                        chunk.ids.len(),
                        chunk.days.len(),
                        chunk.starts.len()
                    )
                },
            ),
        })
    }

    /// The cleaned dataset of the batch; empty for a batch without chunks.
    pub fn dataset(&self) -> &str {
        self.chunks.first().map_or("", |chunk| &chunk.dataset)
    }
}

/// A batch of which nothing is sent, because its body and its chunks disagree.
#[derive(thiserror::Error, Debug)]
#[error(
    "a batch has {lines} lines{} and ids of {documents} documents, with {chunk}; expected one of each for every document. Nothing of it is sent: it is read again from the checkpoint at the next start; report this",
    if *.is_whole { "" } else { ", the last one unfinished," }
)]
pub struct BatchError {
    lines: usize,
    documents: usize,
    is_whole: bool,
    chunk: String,
}

impl From<BatchError> for io::Error {
    fn from(error: BatchError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// What the receiving side reads of the header, borrowed from the message.
#[derive(Deserialize)]
pub(crate) struct HeaderIn<'a> {
    pub v: u32,
    /// When the batch was made, in seconds since the epoch.
    pub at: i64,
    /// Whether nobody vouches for who made the documents.
    #[serde(default)]
    pub foreign: bool,
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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
    pub chunks: &'a [Chunk],
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Batches of `{}\n` whose body and chunks disagree, each in another way.
    pub(crate) fn disagreeing() -> Vec<Batch> {
        let id = || DocumentId::from_bytes([7; 16]);
        let batch = |body: &str, ids: usize, days: usize, starts: usize| {
            let chunk = Chunk {
                source: Arc::from("0".repeat(32)),
                id_version: Some(2),
                path: Arc::from("/var/log/x.log"),
                dataset: Arc::from("access"),
                start: 7,
                end: 9,
                ids: (0..ids).map(|_| id()).collect(),
                days: vec![0; days],
                starts: vec![7; starts],
            };
            Batch { body: body.as_bytes().to_vec(), chunks: vec![chunk] }
        };
        assert!(batch("{}\n{}\n", 2, 2, 2).check().is_ok());
        vec![
            batch("{}\n{}\n", 1, 1, 1),
            batch("{}\n{}\n", 3, 3, 3),
            batch("{}\n{}\n", 2, 1, 2),
            batch("{}\n{}\n", 2, 2, 1),
            batch("{}\n{}", 1, 1, 1),
            Batch { body: b"{}\n".to_vec(), chunks: Vec::new() },
        ]
    }

    #[test]
    fn a_batch_whose_body_and_chunks_disagree_is_refused_by_name() {
        let told: Vec<String> =
            disagreeing().iter().map(|batch| batch.check().unwrap_err().to_string()).collect();
        assert!(
            told[0].starts_with(
                "a batch has 2 lines and ids of 1 documents, with the chunk of /var/log/x.log from byte 7 with 1 ids, 1 days and 1 starts;"
            ),
            "{}",
            told[0]
        );
        assert!(told[4].contains("2 lines, the last one unfinished, and"), "{}", told[4]);
    }
}
