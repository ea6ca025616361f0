//! Opening a spool: what is on disk, where it ends, and where to go on.
//!
//! Only the last segment is read: the others end where the next one begins. It is continued when
//! it is known to be all there, which takes a sound end and the same start of the machine: what a
//! process wrote outlives the process, but perhaps not the machine. Otherwise a new one is begun,
//! with a gap in the numbers wider than all that may have been given out.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Condvar, Mutex};

use omphalos_common::own_files::{OwnFile, create_directory};
use tracing::warn;
use xxhash_rust::xxh3::xxh3_64;

use super::error::{SpoolError, failed};
use super::progress::Progress;
use super::segment::{self, Beginning, HEADER_BYTES, SegmentHeader};
use super::segments::{Extent, Segment, Segments};
use super::walk::{Step, Walk};
use super::writer::Writer;
use super::{SpoolOptions, SpoolShared, floor};

/// The width of a gap: more records than could be written between two saves.
pub const GAP: u64 = 1 << 32;

/// Not the start of any machine.
const UNKNOWN_BOOT: u64 = 0;

/// A segment as it is found.
struct Found {
    /// `None` when it is damaged.
    header: Option<SegmentHeader>,
    bytes: u64,
}

/// The last segment, read to its end.
struct SegmentTail {
    first: u64,
    /// The number after its last good record.
    end: u64,
    state: TailState,
    /// Whether the machine has not stopped since it was begun.
    same_boot: bool,
}

/// What is after the last good record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TailState {
    /// Nothing: the segment is whole.
    Whole,
    /// The beginning of a record.
    Torn,
    /// Something else, or the header is damaged.
    Damaged,
}

impl SegmentTail {
    fn has_lost_records(&self) -> bool {
        match self.state {
            TailState::Whole => false,
            // Otherwise an append was cut short, and nobody was told that its records are here.
            TailState::Torn => !self.same_boot,
            TailState::Damaged => true,
        }
    }
}

/// Which start of the machine this is.
pub fn boot() -> u64 {
    fs::read("/proc/sys/kernel/random/boot_id").map_or(UNKNOWN_BOOT, |id| xxh3_64(&id))
}

/// Locks the directory and takes stock.
pub fn open(options: SpoolOptions, boot: u64) -> Result<SpoolShared, SpoolError> {
    let SpoolOptions { directory, max_bytes, segment_bytes } = options;
    let lock = lock(&directory)?;
    let saved = floor::load(&directory)?;
    let found = find(&directory)?;
    let tail = match found.last_key_value() {
        Some((first, last)) => Some(read_tail(&directory, *first, last, boot)?),
        None => None,
    };
    let damage = tail.as_ref().is_some_and(SegmentTail::has_lost_records);
    let (segments, file, end) = Start::new(saved, tail, boot).begin(&directory, found)?;
    // What was deleted was acknowledged, even if the floor that said so is lost.
    let floor = saved.unwrap_or(0).max(segments.start());
    let mut progress = Progress::new(floor);
    for gap in segments.gaps() {
        progress.acknowledge(gap);
    }
    let segment_bytes = segment_bytes.min(max_bytes / 4);
    Ok(SpoolShared {
        directory: directory.clone(),
        max_bytes,
        saved: Mutex::new(saved),
        end: AtomicU64::new(end),
        bytes: AtomicU64::new(segments.bytes()),
        damaged: AtomicU64::new(u64::from(damage)),
        writer: Mutex::new(Writer {
            directory,
            max_bytes,
            segment_bytes,
            boot,
            segments,
            file,
            end,
            wakes: 0,
            buffer: Vec::new(),
        }),
        progress: Mutex::new(progress),
        arrived: Condvar::new(),
        _lock: lock,
    })
}

fn lock(directory: &Path) -> Result<File, SpoolError> {
    create_directory(directory).map_err(failed("create the spool directory", directory))?;
    let path = directory.join("lock");
    let lock = OwnFile::default().with(|options| {
        options.write(true).create(true).truncate(false);
    });
    let lock = lock.open(&path).map_err(failed("open", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(SpoolError::Locked { path: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error).into()),
    }
}

fn find(directory: &Path) -> Result<BTreeMap<u64, Found>, SpoolError> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(failed("list", directory))? {
        let name = entry.map_err(failed("list", directory))?.file_name();
        if let Some(first) = name.to_str().and_then(segment::parse_name) {
            found.insert(first, inspect(directory, first)?);
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "spool") {
            warn!(?name, directory = %directory.display(), "not a segment of the spool; leaving it alone");
        }
    }
    Ok(found)
}

fn inspect(directory: &Path, first: u64) -> Result<Found, SpoolError> {
    let path = segment::path(directory, first);
    let file = File::open(&path).map_err(failed("open", &path))?;
    let bytes = file.metadata().map_err(failed("look at", &path))?.len();
    let mut beginning = Vec::new();
    let mut reader = file.take(HEADER_BYTES);
    reader.read_to_end(&mut beginning).map_err(failed("read", &path))?;
    let header = match Beginning::read(&beginning, first) {
        Beginning::Header(header) => Some(header),
        Beginning::Version(version) => return Err(SpoolError::Version { path, version }),
        Beginning::Damage => {
            // The name tells the number, and each record has a checksum of its own.
            warn!(path = %path.display(), bytes, "the header of a spool segment is damaged; reading its records all the same");
            None
        }
    };
    Ok(Found { header, bytes })
}

fn read_tail(
    directory: &Path,
    first: u64,
    last: &Found,
    boot: u64,
) -> Result<SegmentTail, SpoolError> {
    let Found { bytes, header } = last;
    let same_boot = boot != UNKNOWN_BOOT && header.is_some_and(|header| header.boot == boot);
    let mut tail = SegmentTail { first, end: first, state: TailState::Damaged, same_boot };
    let extent = Extent { first, limit: *bytes, bytes: *bytes, stop: u64::MAX, next: None };
    let Some(mut walk) = Walk::open(directory, &extent)? else { return Ok(tail) };
    let state = loop {
        match walk.step()? {
            Step::Record(..) => {}
            Step::End => break TailState::Whole,
            Step::Torn => break TailState::Torn,
            Step::Damage => break TailState::Damaged,
        }
    };
    if header.is_some() {
        tail.state = state;
    }
    tail.end = walk.number();
    let cut = bytes.saturating_sub(walk.offset());
    if cut > 0 {
        warn!(
            path = %walk.path().display(), offset = walk.offset(), cut,
            "the end of a spool segment is torn or damaged; it ends at the last good record"
        );
    }
    Ok(tail)
}

/// The segment in which writing goes on.
enum Start {
    /// In the last segment.
    Continue(SegmentTail),
    /// In a new one.
    New(SegmentHeader),
}

impl Start {
    fn new(saved: Option<u64>, tail: Option<SegmentTail>, boot: u64) -> Self {
        let floor = saved.unwrap_or(0);
        let (first, after) = match tail {
            Some(tail) if tail.same_boot && tail.state == TailState::Whole && floor <= tail.end => {
                return Self::Continue(tail);
            }
            Some(tail) => (tail.end.max(floor) + GAP, tail.end),
            None => (saved.map_or(0, |floor| floor + GAP), floor),
        };
        Self::New(SegmentHeader { first, after, boot })
    }

    /// Returns the segments, the file of the last one, and the number of the next record.
    fn begin(
        self,
        directory: &Path,
        found: BTreeMap<u64, Found>,
    ) -> Result<(Segments, File, u64), SpoolError> {
        let segment = |(first, Found { header, bytes })| {
            let after = header.map_or(first, |header: SegmentHeader| header.after);
            (first, Segment { after, limit: bytes, bytes, synced: false })
        };
        let mut segments: BTreeMap<u64, Segment> = found.into_iter().map(segment).collect();
        match (self, segments.last_entry()) {
            (Self::Continue(SegmentTail { first, end, .. }), Some(last))
                if *last.key() == first =>
            {
                let path = segment::path(directory, first);
                let file = OpenOptions::new().write(true).open(&path);
                let file = file.map_err(failed("open", &path))?;
                let last = last.remove();
                Ok((Segments::new(segments, first, last), file, end))
            }
            (Self::Continue(SegmentTail { first, .. }), _) => {
                let path = segment::path(directory, first);
                let error = io::Error::other("it is not the last segment of the spool");
                Err(failed("go on writing", &path)(error).into())
            }
            (Self::New(header), _) => {
                let file = segment::create(directory, header)?;
                // One of this number was found to be empty.
                segments.remove(&header.first);
                let last = Segment::begun(header);
                Ok((Segments::new(segments, header.first, last), file, header.first))
            }
        }
    }
}
