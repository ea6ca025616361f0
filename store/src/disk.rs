//! Files of the store that are not tantivy's.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::error::StoreError;

/// The file with the name of a store.
const IDENTITY: &str = "uuid";

/// Held while the store is open, so that no other process opens it.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Closing it lets go.
    _file: File,
}

impl Lock {
    pub(crate) fn take(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join("lock");
        let opened = made().truncate(false).open(&path);
        let file = opened.map_err(|error| StoreError::File { path, error })?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| StoreError::Locked(directory.to_owned()))?;
        Ok(Self { _file: file })
    }
}

/// How a file is made: for its user alone, and not where a link points.
fn made() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .create(true)
        .write(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// The name of the store in a directory, which it tells as its `cluster_uuid`; `None` where there is
/// no store, or it cannot be read.
pub fn known_identity(directory: &Path) -> Option<String> {
    let text = fs::read_to_string(directory.join(IDENTITY)).ok()?;
    Some(text.trim().to_owned()).filter(|uuid| !uuid.is_empty())
}

/// The name of a store, made once.
pub(crate) fn identity(directory: &Path) -> Result<String, StoreError> {
    let path = directory.join(IDENTITY);
    if let Some(known) = known_identity(directory) {
        return Ok(known);
    }
    let made = format!("{:022x}", rand::random::<u128>() >> 40);
    write_durably(&path, made.as_bytes()).map_err(|error| StoreError::File { path, error })?;
    Ok(made)
}

/// Writes a file so that after a crash either the old or the new one is there.
///
/// # Errors
/// When the disk does not take it; the old one is there then.
pub fn write_durably(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = made().truncate(true).open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
