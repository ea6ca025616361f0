//! Making messages of a batch, each as large as a datagram allows.

use std::borrow::Cow;
use std::io;
use std::ops::Range;

use memchr::memchr_iter;
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, DictAttachPref};

use super::{DICTIONARY, DICTIONARY_VERSION, HEAD, Head, MAX_TEXT, PartHead, TEXT_VERSION};
use crate::batch::{Batch, Chunk};

/// What part of the room is aimed at. How small documents become is known afterwards only, and a
/// message that came out too large is made again, which costs more than some room.
const FIRST_AIM: f64 = 0.93;
const AIMS: Range<f64> = 0.85..0.985;
/// After a miss, and after a hit: one miss in some twenty messages.
const LOWER: f64 = 0.01;
const RAISE: f64 = 0.0005;

/// Weight of the newest message in the running average.
const WEIGHT: f64 = 0.1;
/// Compressed size as a share of the documents' bytes, before anything is known.
const FIRST_RATIO: f64 = 0.15;

/// Makes messages, reusing its buffers and its zstd context.
pub struct Packer {
    host: String,
    pub(super) compressor: Compressor<'static>,
    entries: Vec<Entry>,
    text: Vec<u8>,
    frame: Vec<u8>,
    message: Vec<u8>,
    /// Bytes of message for a byte of document, on average.
    ratio: f64,
    aim: f64,
}

/// A document of the batch.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Where it ends in the body, with its line feed.
    end: usize,
    chunk: usize,
    /// Its index in the chunk.
    index: usize,
    /// Where it begins in the body.
    start: usize,
}

/// A batch, and when it was made.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// The batch.
    pub batch: &'a Batch,
    /// In seconds since the epoch.
    pub at: i64,
}

impl Packer {
    /// A packer for the batches of `host` at zstd level `level`.
    ///
    /// # Errors
    /// When zstd refuses the level.
    pub fn new(host: &str, level: i32) -> io::Result<Self> {
        let mut compressor = Compressor::with_dictionary(level, DICTIONARY)?;
        // The message has its own length and names the dictionary, the datagram has a checksum.
        compressor.include_checksum(false)?;
        compressor.include_contentsize(false)?;
        compressor.include_dictid(false)?;
        // Of texts beyond 8 KiB zstd thinks that a copy of the dictionary's tables pays, and then
        // searches dictionary and text as two: a tenth slower here, for 1 % of size.
        compressor.set_parameter(CParameter::ForceAttachDict(DictAttachPref::ForceAttach))?;
        Ok(Self {
            host: host.to_owned(),
            compressor,
            entries: Vec::new(),
            text: Vec::new(),
            frame: Vec::new(),
            message: Vec::new(),
            ratio: FIRST_RATIO,
            aim: FIRST_AIM,
        })
    }

    /// Makes messages of at most `room` bytes of the documents in the chunks that `select` takes,
    /// and calls `emit` with the number of documents in each and the message. A document that does
    /// not fit alone makes a message that is too large, to be sent in pieces.
    ///
    /// # Errors
    /// When zstd fails, which it does for want of memory only, when the body and the chunks
    /// disagree, or when `emit` fails.
    pub fn pack(
        &mut self,
        made: Made<'_>,
        room: usize,
        select: impl Fn(&Chunk) -> bool,
        mut emit: impl FnMut(u16, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        made.batch.check()?;
        self.index(made.batch, select);
        let entries = std::mem::take(&mut self.entries);
        let mut rest = entries.as_slice();
        while !rest.is_empty() {
            let mut count = self.guess(rest, room);
            loop {
                let split = rest.split_at_checked(count);
                let (now, later) = split.ok_or_else(|| not_there(rest.len(), count))?;
                self.encode(made, now)?;
                let fits = self.message.len() <= room;
                self.learn(now, fits);
                if fits || count == 1 {
                    emit(count_of(now)?, &self.message)?;
                    rest = later;
                    break;
                }
                // As many as would fit if all were alike, and one less to be sure to get smaller.
                count = (count * room / self.message.len()).min(count - 1).max(1);
            }
        }
        self.entries = entries;
        Ok(())
    }

    /// Notes where each wanted document is.
    fn index(&mut self, batch: &Batch, select: impl Fn(&Chunk) -> bool) {
        self.entries.clear();
        let mut start = 0;
        let mut ends = memchr_iter(b'\n', &batch.body).map(|line_feed| line_feed + 1);
        for (chunk, of_chunk) in batch.chunks.iter().enumerate() {
            let wanted = select(of_chunk);
            for (index, end) in (0..of_chunk.ids.len()).zip(&mut ends) {
                if wanted {
                    self.entries.push(Entry { end, chunk, index, start });
                }
                start = end;
            }
        }
    }

    /// How many of the next documents to try: at least one, at most what a count and a text hold.
    fn guess(&self, rest: &[Entry], room: usize) -> usize {
        let room = f64::from(u32::try_from(room.saturating_sub(HEAD)).unwrap_or(u32::MAX));
        let bytes = room * self.aim / self.ratio;
        let mut total = 0;
        let fitting = rest.iter().take(usize::from(u16::MAX)).take_while(|entry| {
            total += entry.end - entry.start;
            total < MAX_TEXT / 2 && f64::from(u32::try_from(total).unwrap_or(u32::MAX)) <= bytes
        });
        fitting.count().max(1)
    }

    fn learn(&mut self, entries: &[Entry], fits: bool) {
        let bytes: usize = entries.iter().map(|entry| entry.end - entry.start).sum();
        let length = |bytes: usize| f64::from(u32::try_from(bytes.max(1)).unwrap_or(u32::MAX));
        self.ratio += (length(self.message.len()) / length(bytes) - self.ratio) * WEIGHT;
        let aim = if fits { self.aim + RAISE } else { self.aim - LOWER };
        self.aim = aim.clamp(AIMS.start, AIMS.end);
    }

    /// Makes a message of these documents.
    fn encode(&mut self, made: Made<'_>, entries: &[Entry]) -> io::Result<()> {
        let Made { batch, at } = made;
        let parts = parts(batch, entries)?;
        self.text.clear();
        let host = Cow::Borrowed(self.host.as_str());
        let head = Head { v: TEXT_VERSION, host, at, parts };
        serde_json::to_writer(&mut self.text, &head)?;
        self.text.push(b'\n');
        // Documents of one chunk stand side by side, so most of this is one copy.
        let mut run = 0..0;
        for entry in entries {
            if entry.start != run.end {
                self.text.extend_from_slice(lines(batch, run.clone())?);
                run.start = entry.start;
            }
            run.end = entry.end;
        }
        self.text.extend_from_slice(lines(batch, run)?);
        self.message.clear();
        self.message.push(DICTIONARY_VERSION);
        let length = length_of(&self.text)?;
        self.message.extend_from_slice(&length.to_be_bytes());
        self.push_ids(batch, entries)?;
        self.frame.clear();
        self.frame.reserve(zstd::zstd_safe::compress_bound(self.text.len()));
        self.compressor.compress_to_buffer(&self.text, &mut self.frame)?;
        self.message.extend_from_slice(&self.frame);
        Ok(())
    }

    fn push_ids(&mut self, batch: &Batch, entries: &[Entry]) -> io::Result<()> {
        let ids = entries.iter().filter_map(|entry| {
            let id = batch.chunks.get(entry.chunk)?.ids.get(entry.index)?.to_bytes();
            let (time, hash) = id.split_first_chunk::<4>()?;
            Some((u32::from_be_bytes(*time), hash.first_chunk::<{ super::HASH }>().copied()?))
        });
        let mut before = None;
        let mut missing = entries.len();
        for (time, hash) in ids {
            missing -= 1;
            let since = match before {
                None => {
                    self.message.extend_from_slice(&time.to_be_bytes());
                    0
                }
                Some(before) => i64::from(time) - i64::from(before),
            };
            push_number(&mut self.message, since);
            self.message.extend_from_slice(&hash);
            before = Some(time);
        }
        if missing > 0 {
            return Err(io::Error::other(format!("{missing} documents of a message have no id")));
        }
        Ok(())
    }
}

/// [`Batch::check`] has seen to it that there are as many as are looked for.
#[cold]
fn not_there(found: usize, wanted: usize) -> io::Error {
    io::Error::other(format!("{wanted} of {found} documents or bytes of a batch were to be packed"))
}

/// The documents that stand at `range` of the body.
fn lines(batch: &Batch, range: Range<usize>) -> io::Result<&[u8]> {
    let end = range.end;
    batch.body.get(range).ok_or_else(|| not_there(batch.body.len(), end))
}

/// How many documents a message has.
fn count_of(entries: &[Entry]) -> io::Result<u16> {
    let most = u16::MAX;
    u16::try_from(entries.len()).map_err(|_| {
        let text = format!("a message of {} documents, expected at most {most}", entries.len());
        io::Error::other(text)
    })
}

/// How long the text of a message is.
fn length_of(text: &[u8]) -> io::Result<u32> {
    let most = u32::MAX;
    u32::try_from(text.len()).map_err(|_| {
        io::Error::other(format!("a text of {} bytes, expected at most {most}", text.len()))
    })
}

/// The parts that these documents make: a part for each run of one chunk's.
fn parts<'a>(batch: &'a Batch, entries: &[Entry]) -> io::Result<Vec<PartHead<'a>>> {
    let mut parts = Vec::new();
    for run in entries.chunk_by(|a, b| a.chunk == b.chunk) {
        let ([first, ..], [.., last]) = (run, run) else { continue };
        let chunk = batch.chunks.get(first.chunk);
        let chunk = chunk.ok_or_else(|| not_there(batch.chunks.len(), first.chunk + 1))?;
        let starts = &chunk.starts;
        let start_of = |index| {
            let start = starts.get(index).copied();
            start.ok_or_else(|| not_there(starts.len(), index + 1))
        };
        // What lies before a chunk's first document, such as empty lines, belongs to it.
        let start = match first.index {
            0 => chunk.start,
            index => start_of(index)?,
        };
        parts.push(PartHead {
            source: Cow::Borrowed(&chunk.source),
            path: Cow::Borrowed(&chunk.path),
            dataset: Cow::Borrowed(&chunk.dataset),
            start,
            // Up to where the next one begins; behind the last one that is the end of the chunk.
            end: chunk.starts.get(last.index + 1).copied().unwrap_or(chunk.end),
            count: run.len(),
        });
    }
    Ok(parts)
}

/// A signed number as zigzag LEB128
/// (<https://protobuf.dev/programming-guides/encoding/#signed-ints>).
fn push_number(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    loop {
        let [.., low] = (rest & 0x7F).to_be_bytes();
        rest >>= 7;
        if rest == 0 {
            return out.push(low);
        }
        out.push(0x80 | low);
    }
}
