//! The descriptor behind a tail. It may be closed at any time while the file is where it was found,
//! and is opened again when something is to be read: so ten thousand files need a few descriptors.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::identity::FileKey;

/// A file that is open, or can be opened again.
#[derive(Debug)]
pub struct Handle {
    key: FileKey,
    file: Option<File>,
}

impl Handle {
    /// The handle of an open file.
    ///
    /// # Errors
    /// When the file cannot be looked at.
    pub fn new(file: File) -> io::Result<Self> {
        Ok(Self { key: FileKey::from(&file.metadata()?), file: Some(file) })
    }

    /// The handle of an open file that is known.
    pub fn of(key: FileKey, file: File) -> Self {
        Self { key, file: Some(file) }
    }

    /// Which file it is.
    pub fn key(&self) -> FileKey {
        self.key
    }

    /// The file, opened again at `path` if need be.
    ///
    /// # Errors
    /// When it cannot be opened; of the kind `NotFound` when it is not there any more, be it that
    /// another file is.
    pub fn get(&mut self, path: &Path) -> io::Result<&File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => self.open(path)?,
        };
        Ok(self.file.insert(file))
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        let file = File::open(path)?;
        if FileKey::from(&file.metadata()?) != self.key {
            return Err(io::Error::new(ErrorKind::NotFound, "another file has taken its place"));
        }
        Ok(file)
    }

    /// Whether it has a descriptor.
    pub fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Gives the descriptor back.
    pub fn close(&mut self) {
        self.file = None;
    }

    /// The file as it is now, looked at by name where it is not open.
    ///
    /// # Errors
    /// When it cannot be looked at, or is not there.
    pub fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        if let Some(file) = &self.file {
            return file.metadata();
        }
        let metadata = fs::metadata(path)?;
        if FileKey::from(&metadata) != self.key {
            return Err(io::Error::new(ErrorKind::NotFound, "another file has taken its place"));
        }
        Ok(metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_closed_file_is_opened_again_and_never_mistaken_for_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        fs::write(&path, b"one").unwrap();
        let mut handle = Handle::new(File::open(&path).unwrap()).unwrap();
        handle.close();
        assert!(!handle.is_open());
        assert_eq!(handle.metadata(&path).unwrap().len(), 3);
        let mut text = String::new();
        handle.get(&path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), handle.is_open()), ("one", true));
        handle.close();
        fs::rename(&path, directory.path().join("a.log.1")).unwrap();
        fs::write(&path, b"two").unwrap();
        assert_eq!(handle.get(&path).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(handle.metadata(&path).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(handle.get(&directory.path().join("a.log.1")).is_ok());
    }
}
