//! Reading a spool in order, from the floor on.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use super::error::SpoolError;
use super::segment;
use super::segments::Extent;
use super::walk::{Step, Walk};
use super::writer::Writer;
use super::{SpoolShared, locked};

/// One record, as it was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolRecord {
    /// What to acknowledge it by.
    pub number: u64,
    /// The bytes of the record.
    pub body: Vec<u8>,
}

/// The reading side; there is one.
#[derive(Debug)]
pub struct SpoolReader {
    shared: Arc<SpoolShared>,
    /// Every number below it was given out, or need not be.
    position: u64,
    /// The segment being read; `None` until the one with `position` is opened.
    walk: Option<Walk>,
    /// How many of [`Writer::wakes`] were heeded.
    wakes: u64,
}

/// What there is in the part of the segment that was seen.
enum RecordSeen {
    Record(SpoolRecord),
    End,
    Damage,
}

/// What there is beyond that part.
enum Outlook {
    /// More in this segment.
    More,
    /// Another segment to open.
    Segment(Extent),
    /// Less in this segment than there should be.
    Missing,
    /// Nothing yet: the writer has written no more.
    Nothing,
}

/// From where on a segment cannot be read.
struct Damage {
    first: u64,
    offset: u64,
}

impl SpoolReader {
    pub(super) fn new(shared: Arc<SpoolShared>) -> Self {
        let position = shared.progress().floor();
        Self { shared, position, walk: None, wakes: 0 }
    }

    /// The next record that is not acknowledged; waits for one if need be. `None` when none came
    /// in time, or after [`Spool::wake`](super::Spool::wake).
    ///
    /// # Errors
    /// When a segment cannot be read; the next call tries again. What is damaged is skipped with
    /// a warning instead, and counts as acknowledged.
    pub fn next(&mut self, wait: Duration) -> Result<Option<SpoolRecord>, SpoolError> {
        let mut deadline = None;
        loop {
            match self.read_on()? {
                RecordSeen::Record(record) => return Ok(Some(record)),
                RecordSeen::Damage => self.give_up_segment()?,
                RecordSeen::End => {
                    // Asked for the time only now: most calls never come here.
                    let deadline =
                        *deadline.get_or_insert_with(|| Instant::now().checked_add(wait));
                    if !self.look_further(deadline)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Goes back to the first record that is not acknowledged.
    pub fn rewind(&mut self) {
        self.position = self.shared.progress().floor();
        self.walk = None;
    }

    fn read_on(&mut self) -> Result<RecordSeen, SpoolError> {
        let Some(walk) = &mut self.walk else { return Ok(RecordSeen::End) };
        loop {
            match walk.step()? {
                Step::Record(number, _) if number < self.position => {}
                Step::Record(number, body) => {
                    self.position = number + 1;
                    if !locked(&self.shared.progress).contains(number) {
                        return Ok(RecordSeen::Record(SpoolRecord { number, body: body.to_vec() }));
                    }
                }
                Step::End => return Ok(RecordSeen::End),
                Step::Torn | Step::Damage => return Ok(RecordSeen::Damage),
            }
        }
    }

    /// Returns whether there may be more to read; waits until the deadline, or for ever if `None`.
    fn look_further(&mut self, deadline: Option<Instant>) -> Result<bool, SpoolError> {
        let shared = Arc::clone(&self.shared);
        let mut writer = shared.writer();
        loop {
            match self.look(&writer) {
                Outlook::More => return Ok(true),
                Outlook::Nothing => {}
                Outlook::Missing => {
                    drop(writer);
                    self.give_up_segment()?;
                    return Ok(true);
                }
                Outlook::Segment(extent) => {
                    drop(writer);
                    self.open(&extent)?;
                    return Ok(true);
                }
            }
            if writer.wakes != self.wakes {
                self.wakes = writer.wakes;
                return Ok(false);
            }
            let Some(waited) = wait(&shared, writer, deadline) else { return Ok(false) };
            writer = waited;
        }
    }

    fn look(&mut self, writer: &Writer) -> Outlook {
        if let Some(walk) = &mut self.walk {
            match writer.segments.extent(walk.first()) {
                Some(extent) if walk.extend(extent) => return Outlook::More,
                Some(Extent { next: None, .. }) => return Outlook::Nothing,
                Some(extent) if walk.number() < extent.stop => return Outlook::Missing,
                Some(Extent { next: Some(next), .. }) => self.position = self.position.max(next),
                // Acknowledged before it was read, and deleted.
                None => {}
            }
            self.walk = None;
        }
        self.position = self.position.max(self.shared.progress().floor());
        writer.segments.extent_at(self.position).map_or(Outlook::Nothing, Outlook::Segment)
    }

    fn open(&mut self, extent: &Extent) -> Result<(), SpoolError> {
        self.walk = Walk::open(&self.shared.directory, extent)?;
        if self.walk.is_none() {
            self.give_up(&Damage { first: extent.first, offset: 0 })?;
        }
        Ok(())
    }

    fn give_up_segment(&mut self) -> Result<(), SpoolError> {
        let Some(walk) = &self.walk else { return Ok(()) };
        let (first, offset) = (walk.first(), walk.offset());
        self.give_up(&Damage { first, offset })
    }

    /// The rest of the segment counts as acknowledged, so that the floor can pass it.
    fn give_up(&mut self, damage: &Damage) -> Result<(), SpoolError> {
        let shared = Arc::clone(&self.shared);
        let mut writer = shared.writer();
        let last = writer.segments.extent(damage.first).is_some_and(|extent| extent.next.is_none());
        if last {
            // What would be added to it could not be read either. An empty one is made anew.
            writer.rotate()?;
            shared.publish(&writer);
        }
        // If it is no longer known, it was acknowledged and deleted: not damage.
        if let Some(extent) = writer.segments.extent(damage.first) {
            let lost = self.position..extent.stop.min(writer.end);
            let lost = shared.progress().acknowledge(lost);
            shared.damaged.fetch_add(lost, Ordering::Relaxed);
            self.position = extent.next.map_or(self.position, |next| self.position.max(next));
            warn_of(&shared, damage, extent, lost);
        }
        self.walk = None;
        Ok(())
    }
}

/// Once: when it is met again, all that it holds is acknowledged.
fn warn_of(shared: &SpoolShared, damage: &Damage, extent: Extent, lost: u64) {
    if lost > 0 {
        let path = segment::path(&shared.directory, damage.first);
        let cut = extent.bytes.saturating_sub(damage.offset);
        warn!(
            path = %path.display(), offset = damage.offset, cut, lost,
            "a spool segment is damaged; the records in the rest of it are lost"
        );
    }
}

/// Waits for the writer to have news; `None` when the time is over.
fn wait<'a>(
    shared: &SpoolShared,
    writer: MutexGuard<'a, Writer>,
    deadline: Option<Instant>,
) -> Option<MutexGuard<'a, Writer>> {
    let Some(deadline) = deadline else {
        return Some(shared.arrived.wait(writer).unwrap_or_else(PoisonError::into_inner));
    };
    let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
    let waited = shared.arrived.wait_timeout(writer, left);
    Some(waited.unwrap_or_else(PoisonError::into_inner).0)
}
