//! Reading a message: within bounds, believing nothing.

use std::sync::{Arc, LazyLock};

use memchr::memchr_iter;
use zstd::bulk::Decompressor;
use zstd::dict::DecoderDictionary;

use super::{DICTIONARY, DICTIONARY_VERSION, HASH, Head, MAX_TEXT, TEXT_VERSION};
use crate::message::Origin;
use crate::wire::{
    Document, MAX_DECODED_BYTES, MAX_DOCUMENTS, Parcel, WireError, bad_count, check_dataset,
    check_header, check_object, to_u32,
};
use omphalos_common::event::{DocumentId, ID_BYTES, day_of, foreign_id};

static DECODER: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

/// What a message held.
#[derive(Debug, Default)]
pub struct Content {
    /// The host that read the documents' lines.
    pub host: String,
    /// Where the documents came from, in their order.
    pub parts: Vec<Part>,
    /// The documents.
    pub parcel: Parcel,
    /// Whether this is the heartbeat of the host, which is no line.
    pub is_heartbeat: bool,
}

impl Content {
    /// The same from a sender for whom nobody vouches.
    #[must_use]
    pub fn foreign(mut self) -> Self {
        self.parcel.origin = Origin::Foreign;
        for document in &mut self.parcel.documents {
            document.id = Box::from(foreign_id(&document.id).as_str());
        }
        self
    }
}

/// A contiguous byte range of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The source id.
    pub source: Arc<str>,
    /// The path that the bytes were read from.
    pub path: Arc<str>,
    /// The cleaned dataset.
    pub dataset: Arc<str>,
    /// The first byte of the range.
    pub start: u64,
    /// The byte after the last one.
    pub end: u64,
    /// How many documents were made of it.
    pub documents: usize,
}

/// Reads messages, reusing its zstd context.
pub struct Opener {
    decompressor: Decompressor<'static>,
}

impl Opener {
    /// An opener for messages with any dictionary that we carry.
    ///
    /// # Errors
    /// When zstd has no memory.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { decompressor: Decompressor::with_prepared_dictionary(&DECODER)? })
    }

    /// Whether we carry the dictionary that a message needs.
    pub(in crate::udp) fn knows_dictionary(message: &[u8]) -> bool {
        message.first() == Some(&DICTIONARY_VERSION)
    }

    /// Reads a message that announces so many documents; `in_pieces` when it came in pieces.
    ///
    /// # Errors
    /// When it is not what it says; trying again cannot help.
    pub fn open(
        &mut self,
        documents: usize,
        message: &[u8],
        in_pieces: bool,
    ) -> Result<Content, WireError> {
        let limit = if in_pieces { MAX_DECODED_BYTES } else { MAX_TEXT };
        let short = || bad_header("the message is too short".to_owned());
        let (_, rest) = message.split_first().ok_or_else(short)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > limit {
            return Err(WireError::TooLarge { limit });
        }
        let (ids, frame) = read_ids(documents, rest).ok_or_else(short)?;
        assemble(self.decompress(frame, length)?, &ids)
    }

    /// Unpacks what says that it has so many bytes, which is checked by now, or fewer.
    pub(super) fn decompress(&mut self, frame: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        let mut text = Vec::with_capacity(length);
        self.decompressor.decompress_to_buffer(frame, &mut text).map_err(|error| {
            WireError::Compression { encoding: "zstd", reason: error.to_string() }
        })?;
        Ok(text)
    }
}

/// The ids at the beginning of `bytes`, and what follows them.
fn read_ids(documents: usize, bytes: &[u8]) -> Option<(Vec<DocumentId>, &[u8])> {
    let (time, mut rest) = bytes.split_first_chunk::<4>()?;
    let mut time = i64::from(u32::from_be_bytes(*time));
    // So many cannot be in there: do not believe the number before that is checked.
    if documents > rest.len() / HASH {
        return None;
    }
    let mut ids = Vec::with_capacity(documents);
    for _ in 0..documents {
        let (since, after) = read_number(rest)?;
        let (hash, after) = after.split_first_chunk::<HASH>()?;
        rest = after;
        time = time.checked_add(since)?;
        let seconds = u32::try_from(time).ok()?.to_be_bytes();
        let mut id = [0; ID_BYTES];
        for (to, from) in id.iter_mut().zip(seconds.iter().chain(hash)) {
            *to = *from;
        }
        ids.push(DocumentId::from_bytes(id));
    }
    Some((ids, rest))
}

fn read_number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    const MOST: usize = 10;
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(MOST).enumerate() {
        number |= u64::from(byte & 0x7F).checked_shl(u32::try_from(index * 7).ok()?)?;
        if byte & 0x80 == 0 {
            let value = (number >> 1).cast_signed() ^ -((number & 1).cast_signed());
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

/// Finds the documents in the text.
fn assemble(text: Vec<u8>, ids: &[DocumentId]) -> Result<Content, WireError> {
    let mut line_feeds = memchr_iter(b'\n', &text);
    let end = line_feeds.next().ok_or_else(|| bad_header("the first line does not end".into()))?;
    let head = text.get(..end).unwrap_or_default();
    check_header(head)?;
    let head: Head<'_> =
        serde_json::from_slice(head).map_err(|error| bad_header(error.to_string()))?;
    if head.v != TEXT_VERSION {
        return Err(bad_header(format!("version {}, expected {TEXT_VERSION}", head.v)));
    }
    if head.parts.len() > MAX_DOCUMENTS {
        return Err(WireError::TooMany { what: "parts" });
    }
    let mut parts = Vec::with_capacity(head.parts.len());
    let mut documents = Vec::with_capacity(ids.len());
    let mut start = end + 1;
    let mut ids_left = ids.iter();
    for part in &head.parts {
        let dataset = check_dataset(&part.dataset)?;
        parts.push(Part {
            source: Arc::from(&*part.source),
            path: Arc::from(&*part.path),
            dataset: Arc::clone(&dataset),
            start: part.start,
            end: part.end,
            documents: part.count,
        });
        for _ in 0..part.count {
            let (Some(id), Some(end)) = (ids_left.next(), line_feeds.next()) else {
                return Err(bad_count(ids.len(), documents.len()));
            };
            check_object(text.get(start..end).unwrap_or_default(), documents.len() + 1)?;
            documents.push(document(id, &dataset, start, end));
            start = end + 1;
        }
    }
    if start != text.len() || ids_left.next().is_some() {
        return Err(bad_count(ids.len(), documents.len()));
    }
    let (host, made_at) = (head.host.into_owned(), Some(head.at));
    let parcel = Parcel { text, documents, made_at, ..Parcel::default() };
    Ok(Content { host, parts, parcel, is_heartbeat: false })
}

fn document(id: &DocumentId, dataset: &Arc<str>, start: usize, end: usize) -> Document {
    let [a, b, c, d, ..] = id.to_bytes();
    Document {
        id: Box::from(id.as_str()),
        dataset: Arc::clone(dataset),
        day: Some(day_of(i64::from(u32::from_be_bytes([a, b, c, d])))),
        start: to_u32(start),
        end: to_u32(end),
    }
}

pub(super) fn bad_header(reason: String) -> WireError {
    WireError::Header { reason }
}
