//! What a process under test may have and say at most, whatever happens.

use std::time::{Duration, Instant};

use super::many_logs::LOGS;
use super::site::Site;

/// What a shipper has of memory at most, in bytes, whatever happens to what is behind it.
pub const SHIPPER_MEMORY: u64 = 48 << 20;
/// And an indexer.
pub const INDEXER_MEMORY: u64 = 160 << 20;
/// And so many descriptors more than at the beginning: rotated files that are still looked at.
const MORE_DESCRIPTORS: u64 = 64;
/// And a process writes so many lines into its log for each fault.
const LOG_LINES_EACH: u64 = 30;
/// A rotated file is read on for a minute after its last line or a start, and closed some seconds
/// later.
const LINGER: Duration = Duration::from_secs(90);
/// What is said of a rotation of many logs: some of them are named at each of some looks.
const LOG_LINES_A_ROTATION: usize = 150;

/// The bounds of one process.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of memory.
    pub memory: u64,
    /// Descriptors more than at the beginning.
    pub more_descriptors: u64,
    /// Lines in its log.
    pub log_lines: u64,
}

impl Bounds {
    /// Those of an indexer, after so many faults.
    pub fn of_indexer(faults: usize) -> Self {
        Self {
            memory: INDEXER_MEMORY,
            more_descriptors: MORE_DESCRIPTORS,
            log_lines: LOG_LINES_EACH * (faults as u64 + 1),
        }
    }

    /// Those of the shipper of this site, after so many faults.
    pub fn of_shipper(site: &Site, faults: usize) -> Self {
        let usual = Self { memory: SHIPPER_MEMORY, ..Self::of_indexer(faults) };
        if !site.writer.has_many_logs() {
            return usual;
        }
        let since = held_since(&site.shipper.starts);
        let (held, ever) = site
            .writer
            .with_many_logs(|logs| (logs.rotations_since(since), logs.rotations_since(None)));
        Self {
            more_descriptors: usual.more_descriptors + (held * LOGS) as u64,
            log_lines: usual.log_lines + (ever * LOG_LINES_A_ROTATION) as u64,
            ..usual
        }
    }
}

/// What was rotated before this is held no more; `None` if all may be. A start within that time
/// begins it anew.
fn held_since(starts: &[Instant]) -> Option<Instant> {
    let mut since = Instant::now().checked_sub(LINGER)?;
    for start in starts.iter().rev() {
        if *start <= since {
            break;
        }
        since = start.checked_sub(LINGER)?;
    }
    Some(since)
}
