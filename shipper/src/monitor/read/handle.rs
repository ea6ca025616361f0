//! The descriptor behind a tail. It may be closed at any time while the file is where it was found,
//! and is opened again when something is to be read: so ten thousand files need a few descriptors.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::monitor::position::identity::FileKey;
use crate::monitor::read::content::{Content, Outlook};

/// A file that is open, or can be opened again.
#[derive(Debug)]
pub struct Handle {
    key: FileKey,
    is_archive: bool,
    content: Option<Content>,
}

impl Handle {
    /// The handle of an open file.
    pub fn new(key: FileKey, content: Content) -> Self {
        let is_archive = matches!(content, Content::Archive(_));
        Self { key, is_archive, content: Some(content) }
    }

    /// The file, opened again at `path` if need be.
    ///
    /// # Errors
    /// When it cannot be opened; of the kind `NotFound` when it is not there any more, be it that
    /// another file is.
    pub fn get(&mut self, path: &Path) -> io::Result<&mut Content> {
        let content = match self.content.take() {
            Some(content) => content,
            None => self.open(path)?,
        };
        Ok(self.content.insert(content))
    }

    fn open(&self, path: &Path) -> io::Result<Content> {
        let content = Content::open(path)?;
        if content.key()? != self.key {
            return Err(taken());
        }
        Ok(content)
    }

    /// Reads nothing of the file, which `reason` says why.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn refuse(&mut self, path: &Path, reason: String) -> io::Result<()> {
        self.get(path)?;
        let Some(content) = self.content.take() else { return Ok(()) };
        let content = content.refused(reason)?;
        self.is_archive = matches!(content, Content::Archive(_));
        self.content = Some(content);
        Ok(())
    }

    /// Takes the file away, if it is open.
    pub fn take(&mut self) -> Option<Content> {
        self.content.take()
    }

    /// Whether it has a descriptor.
    pub fn is_open(&self) -> bool {
        self.content.is_some()
    }

    /// Whether it is a compressed file.
    pub fn is_archive(&self) -> bool {
        self.is_archive
    }

    /// Whether it comes in through a pipe.
    pub fn is_pipe(&self) -> bool {
        matches!(self.content, Some(Content::Pipe(_)))
    }

    /// Gives the descriptor back; what comes through a pipe could not be had again.
    pub fn close(&mut self) {
        if !self.is_pipe() {
            self.content = None;
        }
    }

    /// Whether more may come behind what was read last.
    pub fn outlook(&self) -> Outlook {
        self.content.as_ref().map_or(Outlook::Open, Content::outlook)
    }

    /// The file as it is now, looked at by name where it is not open.
    ///
    /// # Errors
    /// When it cannot be looked at, or is not there.
    pub fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        if let Some(content) = &self.content {
            return content.file().ok_or(ErrorKind::Unsupported)?.metadata();
        }
        let metadata = fs::metadata(path)?;
        if FileKey::from(&metadata) != self.key {
            return Err(taken());
        }
        Ok(metadata)
    }
}

fn taken() -> io::Error {
    io::Error::new(ErrorKind::NotFound, "another file has taken its place")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_file_is_opened_again_and_never_mistaken_for_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        fs::write(&path, b"one").unwrap();
        let key = FileKey::from(&fs::metadata(&path).unwrap());
        let mut handle = Handle::new(key, Content::open(&path).unwrap());
        handle.close();
        assert!(!handle.is_open());
        assert_eq!(handle.metadata(&path).unwrap().len(), 3);
        let mut text = [0; 3];
        handle.get(&path).unwrap().read_exact(&mut text, 0).unwrap();
        assert_eq!((&text, handle.is_open()), (b"one", true));
        handle.close();
        fs::rename(&path, directory.path().join("a.log.1")).unwrap();
        fs::write(&path, b"two").unwrap();
        assert_eq!(handle.get(&path).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(handle.metadata(&path).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(handle.get(&directory.path().join("a.log.1")).is_ok());
    }
}
