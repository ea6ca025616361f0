//! A disk that is full, for a while.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file that leaves no room for others; it is deleted when this is dropped.
pub struct Filler {
    path: PathBuf,
}

impl Filler {
    /// Takes all the room that there is where `directory` is. Only sensible on a small file system:
    /// see [`crate::Mount::memory_of`].
    pub fn fill(directory: &Path) -> Self {
        let filler = Self { path: directory.join("filler") };
        let mut file = File::create(&filler.path).expect("a file");
        // The last bytes too, which are fewer than most writes have.
        for size in [1 << 20, 1 << 10, 1] {
            let bytes = vec![b'x'; size];
            let full = (0..).find_map(|_| file.write_all(&bytes).err());
            let error = full.expect("a disk has an end");
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
        }
        filler
    }

    /// Takes the room that there is where `directory` is but for so many bytes.
    pub fn leave(directory: &Path, bytes: u64) -> Self {
        let filler = Self::fill(directory);
        let file = File::options().write(true).open(&filler.path).expect("the file");
        let length = file.metadata().expect("its length").len();
        file.set_len(length.saturating_sub(bytes)).expect("a shorter file");
        filler
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        // Its file system may be gone.
        fs::remove_file(&self.path).ok();
    }
}
