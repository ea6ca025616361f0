//! Reading a message: decompress within bounds, believe nothing, and mark where each document is.

use std::io::Read;
use std::sync::Arc;

use memchr::memchr_iter;

use crate::batch::{ChunkIn, HeaderIn};
use crate::message::Origin;
use omphalos_common::event::{foreign_id, is_clean_name};
use omphalos_common::numbers::at_most;

use super::{
    BATCH_VERSION, CONTENT_TYPE_BATCH, CONTENT_TYPE_JSON, CONTENT_TYPE_NDJSON, Document,
    MAX_DECODED_BYTES, MAX_DOCUMENTS, MAX_ID_BYTES, Parcel, WireError, foreign, shortened,
};

const TOO_LARGE: WireError = WireError::TooLarge { limit: MAX_DECODED_BYTES };

/// zstd's own default limit on a frame's window: 128 MiB would be 27; documents never need it.
const ZSTD_WINDOW_LOG_MAX: u32 = 26;

/// What the transport knows about a message besides its body.
#[derive(Debug, Default, Clone, Copy)]
pub struct Envelope<'a> {
    /// The message's content type, if it names one.
    pub content_type: Option<&'a str>,
    /// The message's content encoding, if it names one.
    pub content_encoding: Option<&'a str>,
    /// The message id, if it has one.
    pub message_id: Option<&'a str>,
    /// Whether somebody vouches for its sender, so that the ids in a batch are kept.
    pub origin: Origin,
    /// When the message was made, in seconds since the epoch, if it says so.
    pub timestamp: Option<i64>,
    /// The dataset of foreign documents that name none; must be clean.
    pub default_dataset: &'a str,
    /// A number that no other delivery has: documents of a message without an id are told apart by it.
    pub nonce: u128,
    /// The present, in seconds since the epoch: the time of foreign documents that have none.
    pub now: i64,
}

/// Reads the message `body`.
///
/// # Errors
/// [`WireError`] when the message is not what it says; trying again cannot help.
pub fn decode(envelope: &Envelope<'_>, body: &[u8]) -> Result<Parcel, WireError> {
    let text = decompress(envelope.content_encoding.unwrap_or_default(), body)?;
    // A parameter such as "; charset=utf-8" does not change what it is.
    let content_type = envelope.content_type.unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    // Media types have no case (RFC 9110, 8.3.1).
    match content_type.to_ascii_lowercase().as_str() {
        CONTENT_TYPE_BATCH => decode_batch(envelope.origin, text),
        CONTENT_TYPE_JSON => foreign::decode_one(envelope, text),
        CONTENT_TYPE_NDJSON => foreign::decode_lines(envelope, &text),
        "" if foreign::begins_an_object(&text) => foreign::decode_one(envelope, text),
        _ => Err(WireError::ContentType { found: shortened(content_type) }),
    }
}

fn decompress(encoding: &str, body: &[u8]) -> Result<Vec<u8>, WireError> {
    // Codings have no case either (RFC 9110, 8.4.1).
    match encoding.to_ascii_lowercase().as_str() {
        "" | "identity" if body.len() > MAX_DECODED_BYTES => Err(TOO_LARGE),
        "" | "identity" => Ok(body.to_vec()),
        "zstd" => {
            let failed = |error: std::io::Error| WireError::Compression {
                encoding: "zstd",
                reason: error.to_string(),
            };
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(failed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(failed)?;
            let announced = zstd::zstd_safe::get_frame_content_size(body).ok().flatten();
            read_bounded(decoder, announced).and_then(|read| read.map_err(failed))
        }
        "gzip" => {
            let decoder = flate2::bufread::MultiGzDecoder::new(body);
            read_bounded(decoder, None).and_then(|read| {
                read.map_err(|error| WireError::Compression {
                    encoding: "gzip",
                    reason: error.to_string(),
                })
            })
        }
        _ => Err(WireError::ContentEncoding { found: shortened(encoding) }),
    }
}

/// Reads to the end, or to the limit. `announced` is a size that the sender claims: a hint only.
fn read_bounded(
    reader: impl Read,
    announced: Option<u64>,
) -> Result<std::io::Result<Vec<u8>>, WireError> {
    let limit = MAX_DECODED_BYTES as u64;
    if announced.is_some_and(|size| size > limit) {
        return Err(TOO_LARGE);
    }
    // One byte more than announced, so that the reader meets the end without growing the buffer.
    let capacity = at_most(announced.unwrap_or(0), MAX_DECODED_BYTES) + 1;
    let mut text = Vec::with_capacity(capacity);
    match reader.take(limit + 1).read_to_end(&mut text) {
        Ok(_) if text.len() > MAX_DECODED_BYTES => Err(TOO_LARGE),
        Ok(_) => Ok(Ok(text)),
        Err(error) => Ok(Err(error)),
    }
}

fn decode_batch(sender: Origin, text: Vec<u8>) -> Result<Parcel, WireError> {
    let bad_header = |reason: String| WireError::Header { reason };
    let mut line_feeds = memchr_iter(b'\n', &text);
    let header_end =
        line_feeds.next().ok_or_else(|| bad_header("the first line does not end".to_owned()))?;
    if line_feeds.clone().count() > MAX_DOCUMENTS {
        return Err(WireError::TooMany { what: "documents" });
    }
    let header = text.get(..header_end).unwrap_or_default();
    check_header(header)?;
    let header: HeaderIn<'_> =
        serde_json::from_slice(header).map_err(|error| bad_header(error.to_string()))?;
    if header.v != BATCH_VERSION {
        return Err(bad_header(format!("version {}, expected {BATCH_VERSION}", header.v)));
    }
    if header.chunks.len() > MAX_DOCUMENTS {
        return Err(WireError::TooMany { what: "chunks" });
    }
    let announced: usize = header.chunks.iter().map(|chunk| chunk.ids.len()).sum();
    let mut documents = Vec::with_capacity(announced);
    let mut start = header_end + 1;
    for chunk in &header.chunks {
        let dataset = check_chunk(chunk)?;
        for (id, day) in chunk.ids.iter().zip(&chunk.days) {
            let Some(end) = line_feeds.next() else {
                return Err(bad_count(announced, documents.len()));
            };
            check_id(id)?;
            check_object(text.get(start..end).unwrap_or_default(), documents.len() + 1)?;
            documents.push(Document {
                id: match sender {
                    Origin::Own => Box::from(*id),
                    Origin::Foreign => Box::from(foreign_id(id).as_str()),
                },
                dataset: Arc::clone(&dataset),
                day: Some(*day),
                start: to_u32(start),
                end: to_u32(end),
            });
            start = end + 1;
        }
    }
    if start != text.len() {
        return Err(bad_count(announced, documents.len() + line_feeds.count().max(1)));
    }
    if documents.is_empty() {
        return Err(WireError::Empty);
    }
    let made_at = Some(header.at);
    // A relay says of whom it took datagrams that were not sealed, and has given them their ids.
    let origin = if header.foreign { Origin::Foreign } else { sender };
    Ok(Parcel { text, documents, made_at, origin, sender: origin, ..Parcel::default() })
}

/// Refuses a header in which stands far more than the largest message has, before it is read into memory
/// that would be many times as large: a comma stands behind each id, day and member.
pub(crate) fn check_header(header: &[u8]) -> Result<(), WireError> {
    const MOST_COMMAS: usize = 16 * MAX_DOCUMENTS;
    if memchr_iter(b',', header).count() > MOST_COMMAS {
        return Err(WireError::TooMany { what: "ids, days and chunks in its header" });
    }
    Ok(())
}

pub(crate) fn bad_count(announced: usize, found: usize) -> WireError {
    WireError::Count { what: "documents", announced, found }
}

fn check_chunk(chunk: &ChunkIn<'_>) -> Result<Arc<str>, WireError> {
    if chunk.ids.len() != chunk.days.len() {
        return Err(WireError::Count {
            what: "days",
            announced: chunk.ids.len(),
            found: chunk.days.len(),
        });
    }
    check_dataset(&chunk.dataset)
}

/// A dataset that may become a part of an index name.
pub(crate) fn check_dataset(dataset: &str) -> Result<Arc<str>, WireError> {
    if !is_clean_name(dataset) {
        return Err(WireError::Dataset { dataset: shortened(dataset) });
    }
    Ok(Arc::from(dataset))
}

fn check_id(id: &str) -> Result<(), WireError> {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if id.is_empty() || id.len() > MAX_ID_BYTES || !id.bytes().all(safe) {
        return Err(WireError::Id { id: shortened(id) });
    }
    Ok(())
}

/// The cheap part of the check: an object by its braces, on one line by how it was cut out. The
/// rest is Elasticsearch's, which answers for each document alone.
pub(crate) fn check_object(document: &[u8], line: usize) -> Result<(), WireError> {
    if document.starts_with(b"{") && document.ends_with(b"}") {
        return Ok(());
    }
    Err(WireError::Document { line, reason: "it does not begin with { and end with }".to_owned() })
}

/// Offsets fit because the text is at most [`MAX_DECODED_BYTES`] long.
pub(crate) fn to_u32(offset: usize) -> u32 {
    debug_assert!(offset <= MAX_DECODED_BYTES, "a text is bounded");
    u32::try_from(offset).unwrap_or(u32::MAX)
}
