//! Files of the store that are not tantivy's.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::error::StoreError;

/// The file with the name of a store.
const IDENTITY: &str = "uuid";

/// The file with the number of its format.
const FORMAT_FILE: &str = "format";
/// The format that is written: 2, since files have checksums that tantivy gives none.
pub(crate) const FORMAT: u32 = 2;
/// The first format, which had no file that says so.
const OLDEST: u32 = 1;

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

/// How the line of a checksum begins; with what goes before it, it is as long as [`SEAL_BYTES`] says.
const SEAL: &[u8] = b"\n\"crc32:";
const SEAL_BYTES: usize = 18;

/// A text with its checksum, which stands on a line of its own behind it.
pub(crate) fn seal(text: &[u8]) -> Vec<u8> {
    let mut sealed = text.to_vec();
    sealed.extend_from_slice(SEAL);
    sealed.extend_from_slice(format!("{:08x}\"\n", crc32fast::hash(text)).as_bytes());
    sealed
}

/// The text; as it is, where it has no checksum, as in stores of format 1.
///
/// # Errors
/// When it is not the one that was written.
pub(crate) fn unseal(mut sealed: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let length = sealed.len().saturating_sub(SEAL_BYTES);
    let (text, end) = sealed.split_at(length);
    if !end.starts_with(SEAL) {
        return Ok(sealed);
    }
    if seal(text) != sealed {
        let reason = "its checksum is not that of what was written";
        return Err(std::io::Error::new(ErrorKind::InvalidData, reason));
    }
    sealed.truncate(length);
    Ok(sealed)
}

/// Checks that the store in a directory is of a format that is known here, and says which one it has
/// from now on.
pub(crate) fn check_format(directory: &Path) -> Result<(), StoreError> {
    let path = directory.join(FORMAT_FILE);
    let found = match fs::read_to_string(&path) {
        Ok(found) => found.trim().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => OLDEST.to_string(),
        Err(error) => return Err(StoreError::File { path, error }),
    };
    match found.parse::<u32>() {
        Ok(FORMAT) => Ok(()),
        // What is new since is read where it is, and written from now on.
        Ok(OLDEST..FORMAT) => write_durably(&path, format!("{FORMAT}\n").as_bytes())
            .map_err(|error| StoreError::File { path, error }),
        _ => Err(StoreError::Format { directory: directory.to_owned(), found }),
    }
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
