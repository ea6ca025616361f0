//! A file beside each segment of tantivy's that says which document has which id: entries of 16
//! bytes, sorted, each the key of an id and the number of its document.
//!
//! An inverted index would do as well, but a dictionary of what is random costs more than all
//! columns together.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Write;

use tantivy::directory::{OwnedBytes, TerminatingWrite, WritePtr};
use tantivy::index::SegmentComponent;
use tantivy::indexer::DocIdMapping;
use tantivy::schema::Schema;
use tantivy::schema::document::ErasedDocument;
use tantivy::{
    DocId, PluginMergeContext, PluginWriter, PluginWriterContext, Segment, SegmentPlugin,
    SegmentReader, TantivyError,
};
use xxhash_rust::xxh3::xxh3_64;

use super::document::Incoming;

/// What the names of these files end with.
const EXTENSION: &str = "ids";
/// Bytes of an entry.
const ENTRY: usize = 16;
/// Bits of an entry that are the number of a document.
const NUMBER_BITS: u32 = 32;
/// Bytes of an id that its key begins with, so that those that begin with a time are neighbours.
const PREFIX: usize = 5;
/// Bytes of the key behind them, of a hash of the id. In tests ids share their keys.
const HASH: usize = if cfg!(test) { 0 } else { 7 };

/// What a document is found by. Two ids may have the same one, once in 2^56.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(u128);

impl Key {
    /// The key of an id.
    pub fn of(id: &str) -> Self {
        let prefix = id.bytes().chain(std::iter::repeat(0)).take(PREFIX);
        let hash = xxh3_64(id.as_bytes()).to_be_bytes();
        let bytes = prefix.chain(hash.into_iter().take(HASH));
        Self(bytes.fold(0, |key, byte| key << 8 | u128::from(byte)))
    }

    fn entry(self, document: DocId) -> u128 {
        self.0 << NUMBER_BITS | u128::from(document)
    }
}

/// The number of an entry's document.
fn document(entry: u128) -> DocId {
    // The others are the key.
    u32::try_from(entry & u128::from(u32::MAX)).unwrap_or(u32::MAX)
}

fn key(entry: u128) -> Key {
    Key(entry >> NUMBER_BITS)
}

/// The entries of a segment.
#[derive(Debug, Clone)]
pub struct IdFile {
    bytes: OwnedBytes,
    /// The first and the last key.
    ends: Option<(Key, Key)>,
}

impl IdFile {
    /// Of a segment.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(segment: &SegmentReader) -> tantivy::Result<Self> {
        let file = segment.open_read(SegmentComponent::Custom(EXTENSION.to_owned()))?;
        let mut opened = Self { bytes: file.read_bytes()?, ends: None };
        let entries = opened.entries();
        let first = entries.first().map(|entry| key(u128::from_be_bytes(*entry)));
        let last = entries.last().map(|entry| key(u128::from_be_bytes(*entry)));
        opened.ends = first.zip(last);
        Ok(opened)
    }

    fn entries(&self) -> &[[u8; ENTRY]] {
        self.bytes.as_slice().as_chunks().0
    }

    /// The documents whose ids have a key, deleted ones too.
    pub fn documents(&self, wanted: Key) -> impl Iterator<Item = DocId> {
        let may_have = self.ends.is_some_and(|(first, last)| first <= wanted && wanted <= last);
        let entries = if may_have { self.entries() } else { &[] };
        let before = |entry: &[u8; ENTRY]| key(u128::from_be_bytes(*entry)) < wanted;
        let from = entries.get(entries.partition_point(before)..).unwrap_or_default();
        let found = from.iter().map(|entry| u128::from_be_bytes(*entry));
        found.take_while(move |entry| key(*entry) == wanted).map(document)
    }
}

/// Has tantivy write and merge these files.
pub struct IdPlugin;

impl SegmentPlugin for IdPlugin {
    fn extensions(&self) -> &[&str] {
        &[EXTENSION]
    }

    fn create_writer(&self, _: &PluginWriterContext) -> tantivy::Result<Box<dyn PluginWriter>> {
        Ok(Box::new(IdWriter::default()))
    }

    fn merge(&self, context: PluginMergeContext) -> tantivy::Result<()> {
        let mut runs = Vec::with_capacity(context.readers.len());
        let mut base = 0;
        for reader in context.readers {
            runs.push(Run::new(reader, base)?);
            base += reader.num_docs();
        }
        // The next entry of each run.
        let mut heads: BinaryHeap<Reverse<(u128, usize)>> = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            heads.extend(run.next().map(|entry| Reverse((entry, number))));
        }
        let mut file = create(context.target_segment)?;
        while let Some(Reverse((entry, number))) = heads.pop() {
            file.write_all(&entry.to_be_bytes())?;
            let next = runs.get_mut(number).and_then(Iterator::next);
            heads.extend(next.map(|entry| Reverse((entry, number))));
        }
        Ok(file.terminate()?)
    }
}

fn create(segment: &Segment) -> tantivy::Result<WritePtr> {
    Ok(segment.open_write(SegmentComponent::Custom(EXTENSION.to_owned()))?)
}

/// The entries of a segment that is merged with others, with the numbers that its documents get:
/// segments follow one another, without the documents that are deleted.
struct Run {
    file: IdFile,
    at: usize,
    base: DocId,
    /// New numbers where documents are deleted; `None` of those.
    numbers: Option<Vec<Option<DocId>>>,
}

impl Run {
    fn new(reader: &SegmentReader, base: DocId) -> tantivy::Result<Self> {
        let numbers = reader.alive_bitset().map(|alive| {
            let mut next = 0..;
            let number = |old| if alive.is_alive(old) { next.next() } else { None };
            (0..reader.max_doc()).map(number).collect()
        });
        Ok(Self { file: IdFile::open(reader)?, at: 0, base, numbers })
    }
}

impl Iterator for Run {
    type Item = u128;

    fn next(&mut self) -> Option<u128> {
        loop {
            let entry = u128::from_be_bytes(*self.file.entries().get(self.at)?);
            self.at += 1;
            let old = document(entry);
            let number = match &self.numbers {
                None => Some(old),
                Some(numbers) => numbers.get(old as usize).copied().flatten(),
            };
            if let Some(number) = number {
                return Some(key(entry).entry(self.base + number));
            }
        }
    }
}

/// Gathers the entries of a segment.
#[derive(Default)]
struct IdWriter {
    entries: Vec<u128>,
}

impl PluginWriter for IdWriter {
    fn add_document(
        &mut self,
        number: DocId,
        document: &dyn ErasedDocument,
        _: &Schema,
    ) -> tantivy::Result<()> {
        let Some(document) = document.as_any().downcast_ref::<Box<Incoming>>() else {
            return Err(TantivyError::InvalidArgument("a document of another kind".to_owned()));
        };
        self.entries.push(document.key.entry(number));
        Ok(())
    }

    fn serialize(
        mut self: Box<Self>,
        segment: &Segment,
        order: Option<&DocIdMapping>,
    ) -> tantivy::Result<()> {
        if order.is_some() {
            return Err(TantivyError::InvalidArgument("ids of documents in another order".into()));
        }
        self.entries.sort_unstable();
        let mut file = create(segment)?;
        for entry in &self.entries {
            file.write_all(&entry.to_be_bytes())?;
        }
        Ok(file.terminate()?)
    }

    fn mem_usage(&self) -> usize {
        self.entries.capacity() * ENTRY
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
