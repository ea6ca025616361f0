//! An import and the process beside it may find the same new file at the same moment, and each read it by
//! its own rules. So they take turns: whoever looks for files holds a lock until what it has found is in
//! its checkpoint, where the other reads by which rules.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use omphalos_common::own_files::OwnFile;
use tracing::debug;

use crate::monitor::position::state::{Other, lock_within};

/// The lock, in the state directory of the process.
const NAME: &str = "opening.lock";
/// Somebody who is stopped while it is his turn does not hold up others for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The turn, and whether it is ours.
#[derive(Debug, Default)]
pub struct Turn {
    locks: Vec<PathBuf>,
    held: Vec<File>,
    /// It is given away when the checkpoint of this number is on disk.
    until: Option<u64>,
    /// Whether it was waited for in vain, and is not again before it can be had.
    is_impatient: bool,
}

impl Turn {
    /// With these others, of whoever has the state directory `own`.
    pub fn new(others: &[Other], own: &Path) -> Self {
        let directory = |other: &Other| match other {
            Other::Process(directory) => directory.clone(),
            Other::Import(_) => own.to_owned(),
        };
        let mut locks: Vec<PathBuf> = others.iter().map(directory).collect();
        locks.sort_unstable();
        locks.dedup();
        locks.retain(|directory| directory.is_dir());
        let locks = locks.into_iter().map(|directory| directory.join(NAME)).collect();
        Self { locks, ..Self::default() }
    }

    /// Waits for it. What cannot be locked, or is not given away, is gone without.
    pub fn take(&mut self) {
        if !self.held.is_empty() {
            return;
        }
        let patience = if self.is_impatient { Duration::ZERO } else { PATIENCE };
        self.is_impatient = false;
        for path in &self.locks {
            match lock(path, patience) {
                Some(file) => self.held.push(file),
                None => self.is_impatient = true,
            }
        }
    }

    /// Whether it is ours.
    #[cfg(test)]
    pub fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Keeps it until the checkpoint of this number is on disk.
    pub fn keep(&mut self, number: u64) {
        self.until = Some(number);
    }

    /// Gives it away, if what it was kept for is on disk.
    pub fn give(&mut self, is_saved: impl Fn(u64) -> bool) {
        if self.until.is_none_or(is_saved) {
            self.until = None;
            self.held.clear();
        }
    }
}

fn lock(path: &Path, patience: Duration) -> Option<File> {
    let options = OwnFile::default().with(|options| {
        options.write(true).create(true).truncate(false);
    });
    let opened = options.open(path).map_err(TryLockError::Error);
    let locked = opened.and_then(|file| lock_within(patience, &file).map(|()| file));
    locked
        .inspect_err(|error| debug!(path = %path.display(), %error, "goes on without its turn"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_what_it_found_is_on_disk() {
        let directory = tempfile::tempdir().unwrap();
        let (of_process, of_import) = (directory.path(), directory.path().join("import"));
        let mut process = Turn::new(&[Other::Import(of_import.clone())], of_process);
        let mut import = Turn::new(&[Other::Process(of_process.to_owned())], &of_import);
        process.take();
        process.keep(3);
        process.give(|saved| saved <= 2);
        let lock_path = of_process.join(NAME);
        let is_free = || lock(&lock_path, Duration::ZERO).is_some();
        assert!(!is_free());
        import.take();
        assert!(import.held.is_empty() && import.is_impatient, "it waited, and goes on");
        process.give(|saved| saved <= 3);
        assert!(is_free());
        import.take();
        assert!(!import.held.is_empty() && !is_free());
        import.give(|_| false);
        assert!(is_free(), "it found nothing");
        let mut alone = Turn::new(&[], of_process);
        alone.take();
        assert!(alone.held.is_empty());
    }
}
