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
        /// The directory of the spool.
        path: PathBuf,
    },
    /// A later version wrote a segment.
    #[error(
        "the spool segment {path} has format version {version}, which this program does not know; use the version that wrote it, or move the segment away"
    )]
    Version {
        /// Path of the segment.
        path: PathBuf,
        /// The version that its header has.
        version: u32,
    },
    /// A file operation failed.
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
        /// The directory of the spool.
        path: PathBuf,
        /// What these records would take.
        needed: u64,
        /// Bytes that the spool takes now.
        used: u64,
        /// Bytes that it may take.
        limit: u64,
    },
    /// One is larger than any may be.
    #[error("a record of {length} bytes is too large for the spool, which takes up to {MAX_BODY}")]
    TooLarge {
        /// Length of the record, in bytes.
        length: usize,
    },
    /// A file operation failed.
    #[error(transparent)]
    Io(#[from] FileError),
}

/// What the system refused to do with a file of the spool.
#[derive(thiserror::Error, Debug)]
#[error("cannot {action} {path}: {reason}; {}", advice(.reason))]
pub struct FileError {
    /// The operation, as a verb for the message.
    pub action: &'static str,
    /// The file or directory that it was tried on.
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

/// Makes the error of this operation on this file, for `map_err`.
pub fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> FileError + 'a {
    move |reason| FileError { action, path: path.to_owned(), reason }
}
