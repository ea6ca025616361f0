//! What cannot be: going on would lose lines or ship them twice, so the monitor stops. It goes the
//! way of an error of reading, because it is found where files are read.

use std::io;

/// What was found, and what should have been.
#[derive(thiserror::Error, Debug)]
#[error("{0}")]
pub struct Broken(String);

impl Broken {
    /// The error that says `what`.
    pub fn error(what: impl Into<String>) -> io::Error {
        io::Error::other(Self(what.into()))
    }

    /// What cannot be, if that is what `error` says, and not that a file cannot be read.
    pub fn said_by(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }
}

/// The first `length` of `bytes`, and what stands behind them.
///
/// # Errors
/// [`Broken`] when there are not so many.
pub fn split(bytes: &[u8], length: usize) -> io::Result<(&[u8], &[u8])> {
    bytes.split_at_checked(length).ok_or_else(|| too_short(bytes.len(), length))
}

/// The first `length` of `bytes`.
///
/// # Errors
/// [`Broken`] when there are not so many.
pub fn first(bytes: &[u8], length: usize) -> io::Result<&[u8]> {
    split(bytes, length).map(|(first, _)| first)
}

#[cold]
fn too_short(found: usize, wanted: usize) -> io::Error {
    Broken::error(format!("{wanted} bytes were to be taken of {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_told_from_what_cannot_be_read() {
        assert_eq!(split(b"abc", 2).unwrap(), (&b"ab"[..], &b"c"[..]));
        let error = first(b"abc", 4).unwrap_err();
        assert_eq!(error.to_string(), "4 bytes were to be taken of 3");
        assert!(Broken::said_by(&error).is_some());
        assert!(Broken::said_by(&io::Error::other("no")).is_none());
        assert!(Broken::said_by(&io::ErrorKind::NotFound.into()).is_none());
    }
}
