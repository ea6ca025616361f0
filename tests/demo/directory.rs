//! `target/demo/`: one demo's at a time, empty at the start.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use crate::end::End;

/// Where everything is, from the repository.
pub const PATH: &str = "target/demo";

/// The directory is ours alone as long as this lives.
pub struct Claim {
    /// Locked until it is closed.
    _handle: File,
}

impl Claim {
    /// Makes the directory, or empties the one that a failed demo left.
    pub fn new() -> Result<Self, End> {
        fs::create_dir_all(PATH)?;
        let handle = File::open(PATH)?;
        match handle.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(End::Failed(format!("another demo runs in {PATH}; stop that first")));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        for entry in fs::read_dir(PATH)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { _handle: handle })
    }
}

/// Removes the directory with all that is in it.
pub fn remove() -> Result<(), End> {
    if Path::new(PATH).exists() {
        fs::remove_dir_all(PATH)
            .map_err(|error| End::Failed(format!("cannot remove {PATH}: {error}")))?;
    }
    Ok(())
}
