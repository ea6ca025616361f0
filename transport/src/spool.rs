//! A bounded queue on disk: written by several threads, read in order by one consumer, and
//! acknowledged in any order.
//!
//! It is for what cannot be asked for again, such as a datagram. When [`Spool::append`] returns,
//! the records are with the kernel and survive the death of the process, `kill -9` included. They
//! do not yet survive the death of the machine: a segment is synced by the first [`Spool::save`]
//! after it is closed, not at each append.
//!
//! Each record has a number, from 0, one more than the record before it. A number is never given
//! to two records, so it can be part of a record's identity. To keep that true where the end of
//! what was written is not known, numbering leaves a gap: after a restart of the machine, and
//! after a damaged end. Nothing waits for the numbers in a gap.
//!
//! Every record that is not acknowledged is delivered again after a restart, and so are those
//! acknowledged above the floor, the first number that is not. Repeats are the price of losing
//! nothing. What is damaged on disk is never delivered: the rest of its segment is skipped with a
//! warning, and left in place until its turn to be deleted.
//!
//! The directory holds `lock`, the segments (`<first number>.spool`) and `floor` with its previous
//! copy. It takes no more than [`SpoolOptions::max_bytes`] for segments: beyond that, `append`
//! refuses, and what to do then is the caller's choice.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tracing::warn;

mod error;
mod floor;
mod open;
mod progress;
mod reader;
mod segment;
mod segments;
mod walk;
mod writer;

#[cfg(test)]
mod tests;

pub use error::{AppendError, FileError, SpoolError};
pub use reader::{SpoolReader, SpoolRecord};
pub use segment::{MAX_BODY, RECORD_OVERHEAD};

use progress::Progress;
use segment::HEADER_BYTES;
use walk::{Step, Walk};
use writer::Writer;

/// Where a spool is, and how large it may become.
#[derive(Debug, Clone)]
pub struct SpoolOptions {
    /// Its directory, which nothing else should use; created if need be.
    pub directory: PathBuf,
    /// The most that all segments together may take on disk.
    pub max_bytes: u64,
    /// How large a segment may become before the next one is begun: at most a quarter of
    /// `max_bytes` is used, so that there is always one that can be deleted.
    pub segment_bytes: u64,
}

/// The writing side, and all that is not reading; its clones are the same spool.
///
/// The directory stays locked until the last clone and the reader are dropped.
#[derive(Debug, Clone)]
pub struct Spool {
    shared: Arc<SpoolShared>,
}

/// What the clones of a [`Spool`] and its [`SpoolReader`] share.
///
/// Who needs several locks takes them in the order of the fields.
#[derive(Debug)]
struct SpoolShared {
    directory: PathBuf,
    max_bytes: u64,
    /// The floor that is on disk; held while saving, so that one save follows another.
    saved: Mutex<Option<u64>>,
    writer: Mutex<Writer>,
    /// Apart from the writer, so that reading and acknowledging do not wait for a write.
    progress: Mutex<Progress>,
    /// The writer has something new.
    arrived: Condvar,
    /// Copies of what the writer knows, for those who do not want to wait for it.
    end: AtomicU64,
    bytes: AtomicU64,
    damaged: AtomicU64,
    _lock: File,
}

impl Spool {
    /// Opens the spool, or creates an empty one, and finds out where it ended.
    ///
    /// # Errors
    /// When another process uses the directory, when it cannot be read or written, or when a
    /// segment is in a format that this version does not know.
    pub fn open(options: SpoolOptions) -> Result<(Self, SpoolReader), SpoolError> {
        Self::open_in_boot(options, open::boot())
    }

    fn open_in_boot(options: SpoolOptions, boot: u64) -> Result<(Self, SpoolReader), SpoolError> {
        let shared = Arc::new(open::open(options, boot)?);
        Ok((Self { shared: Arc::clone(&shared) }, SpoolReader::new(shared)))
    }

    /// Writes the records one after another, all of them or none, and returns their numbers.
    ///
    /// The records are taken while the spool is locked: they should be at hand, and their iterator
    /// must not call the spool.
    ///
    /// # Errors
    /// When they do not fit into the spool, when one is larger than [`MAX_BODY`], or when they
    /// cannot be written; in each case the spool is as it was.
    pub fn append<'a>(
        &self,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Range<u64>, AppendError> {
        let mut writer = self.shared.writer();
        let numbers = writer.append(records)?;
        self.shared.publish(&writer);
        drop(writer);
        self.shared.arrived.notify_one();
        Ok(numbers)
    }

    /// Whether records that take this many bytes would fit now: those of the bodies, and
    /// [`RECORD_OVERHEAD`] for each.
    pub fn has_room(&self, bytes: u64) -> bool {
        bytes <= self.room()
    }

    /// How many bytes of records would fit now, counted as for [`Self::has_room`].
    pub fn room(&self) -> u64 {
        self.shared.max_bytes.saturating_sub(self.bytes().saturating_add(HEADER_BYTES))
    }

    /// The number that the next record will get.
    pub fn end(&self) -> u64 {
        self.shared.end.load(Ordering::Acquire)
    }

    /// The first number that is not acknowledged, or [`Self::end`].
    pub fn floor(&self) -> u64 {
        self.shared.progress().floor()
    }

    /// What all segments take on disk.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Acquire)
    }

    /// How many records are not acknowledged.
    pub fn backlog(&self) -> u64 {
        self.shared.progress().missing_below(self.end())
    }

    /// How many records were lost to damage on disk since the spool was opened.
    ///
    /// How many were in a damaged end, met when the spool is opened, cannot be known: it counts
    /// as one. An append that was cut short by the death of the process does not count.
    pub fn damaged(&self) -> u64 {
        self.shared.damaged.load(Ordering::Relaxed)
    }

    /// This record is safely delivered. Any order will do, and saying it again does no harm.
    pub fn acknowledge(&self, number: u64) {
        if number < self.end() {
            self.shared.progress().acknowledge(number..number + 1);
        }
    }

    /// Makes the floor survive a restart, deletes the segments wholly below both the floor and
    /// `keep_from`, and syncs those that are complete.
    ///
    /// To be called every few seconds, by a thread that may wait for the disk.
    ///
    /// # Errors
    /// When a file cannot be written, synced or deleted. The rest is done all the same, so that a
    /// full disk does not keep segments from being deleted; the next call tries again.
    pub fn save(&self, keep_from: u64) -> Result<(), SpoolError> {
        let mut saved = locked(&self.shared.saved);
        let retired = self.shared.retire_current();
        let floor = self.floor();
        let written =
            if *saved == Some(floor) { Ok(()) } else { floor::save(&self.shared.directory, floor) };
        if written.is_ok() {
            *saved = Some(floor);
        }
        let deleted = self.shared.delete_below(floor.min(keep_from));
        let synced = self.shared.sync_closed();
        retired.and(written).and(deleted).and(synced).map_err(SpoolError::from)
    }

    /// Visits the records on disk from this number on, acknowledged or not, in order, as of now.
    ///
    /// # Errors
    /// When a segment cannot be read. What is damaged is skipped with a warning instead.
    pub fn scan(&self, from: u64, mut visit: impl FnMut(u64, &[u8])) -> Result<(), SpoolError> {
        let extents = self.shared.writer().segments.extents();
        for extent in extents.into_iter().filter(|extent| extent.stop > from) {
            // One that is gone was acknowledged and deleted meanwhile.
            let Some(mut walk) = Walk::open(&self.shared.directory, &extent)? else { continue };
            loop {
                match walk.step()? {
                    Step::Record(number, body) if number >= from => visit(number, body),
                    Step::Record(..) => {}
                    Step::End => break,
                    Step::Torn | Step::Damage => {
                        let (path, offset) = (walk.path().display(), walk.offset());
                        warn!(%path, offset, "a segment of the spool is damaged; skipping the rest of it");
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes a waiting [`SpoolReader::next`] return, or the next one that would wait.
    pub fn wake(&self) {
        self.shared.writer().wakes += 1;
        self.shared.arrived.notify_all();
    }
}

impl SpoolShared {
    fn writer(&self) -> MutexGuard<'_, Writer> {
        locked(&self.writer)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        locked(&self.progress)
    }

    /// Call after each change, before the lock is released.
    fn publish(&self, writer: &Writer) {
        self.end.store(writer.end, Ordering::Release);
        self.bytes.store(writer.segments.bytes(), Ordering::Release);
    }

    /// Closes the current segment when nothing in it is wanted any more and it is worth deleting.
    fn retire_current(&self) -> Result<(), FileError> {
        let mut writer = self.writer();
        if writer.is_worth_retiring() && self.progress().floor() >= writer.end {
            writer.rotate()?;
            self.publish(&writer);
        }
        Ok(())
    }

    fn delete_below(&self, number: u64) -> Result<(), FileError> {
        let mut doomed = self.take_below(number).into_iter();
        for (first, segment) in doomed.by_ref() {
            if let Err(error) = segment::remove(&self.directory, first) {
                let mut writer = self.writer();
                writer.segments.give_back(doomed.chain([(first, segment)]));
                self.publish(&writer);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Forgets these segments before their files go, so that the reader does not look for one.
    fn take_below(&self, number: u64) -> Vec<(u64, segments::Segment)> {
        let mut writer = self.writer();
        let doomed = writer.segments.take_below(number);
        self.publish(&writer);
        doomed
    }

    /// Not done as a segment is closed: the thread that fills it has a socket to empty.
    fn sync_closed(&self) -> Result<(), FileError> {
        let unsynced = self.writer().segments.closed_unsynced();
        for first in &unsynced {
            segment::sync(&self.directory, *first)?;
            self.writer().segments.set_synced(*first);
        }
        if unsynced.is_empty() { Ok(()) } else { floor::sync_directory(&self.directory) }
    }
}

/// A thread that panicked has left nothing half done that the next one could not read.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
