//! A portion of a file: documents as it says they should be, without their bodies.

use std::io;
use std::sync::Arc;

use omphalos_common::event::DocumentId;
use omphalos_shipper::monitor::{ClosedBatch, Owner};
use omphalos_transport::batch::Chunk;

/// What of an id does not depend on time: the hash of host, source, offset and line.
pub type Hash = [u8; 12];

/// A document that should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document {
    /// Its id; where it is untimed, all but the seconds.
    pub id: DocumentId,
    /// Where its line begins.
    pub start: u64,
    /// Its event day; of an untimed one the present.
    pub day: i32,
    /// Whether its line has no time, so that the seconds in its id are those of its discovery, which
    /// nobody remembers.
    pub is_untimed: bool,
}

impl Document {
    /// The same as a document that came from somebody for whom nobody vouches, as over UDP without a
    /// key: it has another id.
    #[must_use]
    pub fn foreign(self) -> Self {
        Self { id: self.id.foreign(), ..self }
    }

    /// What its id and that of the document in Elasticsearch have in common.
    pub fn hash(&self) -> Hash {
        hash_of(self.id)
    }
}

/// The part of an id that does not depend on time.
pub fn hash_of(id: DocumentId) -> Hash {
    let [_, _, _, _, hash @ ..] = id.to_bytes();
    hash
}

/// The seconds since the epoch that an id begins with.
pub fn seconds_of(id: DocumentId) -> u32 {
    let [a, b, c, d, ..] = id.to_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// Whether a chunk says of each of its documents where it begins and of which day it is.
///
/// # Errors
/// When it does not.
pub fn check(chunk: &Chunk) -> io::Result<()> {
    let Chunk { path, ids, days, starts, .. } = chunk;
    if ids.len() == days.len() && ids.len() == starts.len() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "a chunk of {path} has {} ids, {} days and {} starts; this is a fault of omphalos, please report it",
        ids.len(),
        days.len(),
        starts.len()
    )))
}

/// Documents in the order of their file.
#[derive(Debug)]
pub struct Portion {
    /// Their cleaned dataset.
    pub dataset: Arc<str>,
    /// The documents.
    pub documents: Vec<Document>,
    /// How far the file is read.
    pub end: u64,
    /// Whom to tell when the portion is dealt with.
    pub owners: Vec<Owner>,
}

impl Portion {
    /// The documents of a batch.
    ///
    /// # Errors
    /// When it does not say where each of its documents stands: some would not be looked for.
    pub fn of_batch(closed: &mut ClosedBatch) -> io::Result<Self> {
        let chunks = &closed.batch.chunks;
        chunks.iter().try_for_each(check)?;
        debug_assert_eq!(chunks.len(), closed.untimed.len(), "each chunk says what is untimed");
        let mut documents = Vec::with_capacity(closed.batch.documents());
        for (chunk, untimed) in chunks.iter().zip(&closed.untimed) {
            let of_chunk = chunk.ids.iter().zip(&chunk.starts).zip(&chunk.days).enumerate();
            documents.extend(of_chunk.map(|(place, ((id, start), day))| Document {
                id: *id,
                start: *start,
                day: *day,
                is_untimed: place < *untimed,
            }));
        }
        Ok(Self {
            dataset: chunks.first().map(|chunk| Arc::clone(&chunk.dataset)).unwrap_or_default(),
            documents,
            end: chunks.last().map_or(0, |chunk| chunk.end),
            owners: std::mem::take(&mut closed.owners),
        })
    }
}
