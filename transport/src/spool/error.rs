//! Why the spool refuses: each error names the file, the cause and what to do.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::segment::MAX_BODY;

/// Why a spool cannot be opened, read or saved.
#[derive(thiserror::Error, Debug)]
pub enum SpoolError {
    /// Another process uses the directory.
    #[error(
        "the spool directory {path} is in use by another process; stop it, or give this one a directory of its own"
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// A later version wrote a segment.
    #[error(
        "the spool segment {path} has format version {version}, which this program does not know; use the version that wrote it, or move the segment away"
    )]
    Version {
        /// The segment.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] FileError),
}

/// Why records were not appended.
#[derive(thiserror::Error, Debug)]
pub enum AppendError {
    /// They would take more room than there is.
    #[error(
        "the spool {path} is full: {needed} bytes more than the {used} in it would exceed the limit of {limit}"
    )]
    Full {
        /// The directory.
        path: PathBuf,
        /// What these records would take.
        needed: u64,
        /// What there is.
        used: u64,
        /// What there may be.
        limit: u64,
    },
    /// One is larger than any may be.
    #[error("a record of {length} bytes is too large for the spool, which takes up to {MAX_BODY}")]
    TooLarge {
        /// Its size.
        length: usize,
    },
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] FileError),
}

/// What the system refused to do with a file of the spool.
#[derive(thiserror::Error, Debug)]
#[error("cannot {action} {path}: {reason}; {}", advice(.reason))]
pub struct FileError {
    /// What was tried.
    pub action: &'static str,
    /// On which file.
    pub path: PathBuf,
    /// What the system says. Not a source: it would be said twice where sources are shown.
    pub reason: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk of the spool",
        ErrorKind::PermissionDenied => "let this user read and write the spool directory",
        ErrorKind::ReadOnlyFilesystem => "put the spool where it can be written",
        _ => "check the spool directory and the disk it is on",
    }
}

/// For `map_err`.
pub fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> FileError + 'a {
    move |reason| FileError { action, path: path.to_owned(), reason }
}
