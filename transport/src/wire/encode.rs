//! Writing a batch as the body of a message.

use std::io;

use bytes::Bytes;
use zstd::bulk::Compressor;

use crate::batch::{Batch, HeaderOut};
use crate::message::Origin;

use super::BATCH_VERSION;

/// Turns batches into message bodies, reusing its buffers and its zstd context.
pub struct Encoder {
    host: String,
    compressor: Compressor<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl Encoder {
    /// An encoder for the batches of `host` at zstd level `level`.
    ///
    /// # Errors
    /// When zstd refuses the level.
    pub fn new(host: &str, level: i32) -> io::Result<Self> {
        let mut compressor = Compressor::new(level)?;
        compressor.include_checksum(true)?;
        Ok(Self { host: host.to_owned(), compressor, plain: Vec::new(), packed: Vec::new() })
    }

    /// The message body for `batch`, made at `made_at` seconds since the epoch.
    ///
    /// # Errors
    /// When zstd fails, which it does for want of memory only.
    pub fn encode(&mut self, batch: &Batch, made_at: i64) -> io::Result<Bytes> {
        self.encode_of(Origin::Own, batch, made_at)
    }

    /// The same for a batch of which it is told whether somebody vouches for who made it.
    ///
    /// # Errors
    /// When zstd fails.
    pub fn encode_of(&mut self, origin: Origin, batch: &Batch, made_at: i64) -> io::Result<Bytes> {
        let header = HeaderOut {
            v: BATCH_VERSION,
            host: &self.host,
            at: made_at,
            foreign: origin == Origin::Foreign,
            chunks: &batch.chunks,
        };
        self.plain.clear();
        serde_json::to_writer(&mut self.plain, &header)?;
        self.plain.push(b'\n');
        self.plain.extend_from_slice(&batch.body);
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(self.plain.len()));
        self.compressor.compress_to_buffer(&self.plain, &mut self.packed)?;
        Ok(Bytes::copy_from_slice(&self.packed))
    }
}

/// How a document alone in its message is filed.
#[derive(Debug, Clone, Copy)]
pub struct SingleFiling<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its cleaned dataset.
    pub dataset: &'a str,
    /// Its event day, in days since 1970.
    pub day: i32,
    /// When its message was first made, in seconds since the epoch.
    pub made_at: i64,
}

/// The uncompressed message body of one document, which must be one line.
pub fn encode_single(filing: &SingleFiling<'_>, document: &[u8]) -> Vec<u8> {
    let SingleFiling { id, dataset, day, made_at } = *filing;
    let chunk = serde_json::json!({
        "source": "", "path": "", "dataset": dataset, "start": 0, "end": 0,
        "ids": [id], "days": [day]
    });
    let header =
        serde_json::json!({ "v": BATCH_VERSION, "host": "", "at": made_at, "chunks": [chunk] });
    let mut body = header.to_string().into_bytes();
    body.push(b'\n');
    body.extend_from_slice(document);
    body.push(b'\n');
    body
}
