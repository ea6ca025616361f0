//! Files and directories of our own: whatever the umask is, nobody else reads them, and nothing is written
//! through a link that somebody put where one of them is to be.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, Result};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::umask;

/// From here on, whatever this process makes is its user's alone: also what libraries make.
pub fn keep_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// How a file of ours is opened that may have to be made.
#[derive(Debug)]
pub struct OwnFile(OpenOptions);

impl Default for OwnFile {
    fn default() -> Self {
        let mut options = OpenOptions::new();
        options
            .mode(0o600)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
        Self(options)
    }
}

impl OwnFile {
    /// With more options.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut OpenOptions)) -> Self {
        set(&mut self.0);
        self
    }

    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be opened, or is a link or a pipe.
    pub fn open(&self, path: &Path) -> Result<File> {
        let is_pipe = || Error::other("it is a pipe, where a file is to be: remove it");
        let file = self.0.open(path).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::LOOP) => Error::other("it is a link, and nothing is written through links: remove it, or name the file itself"),
            Some(Errno::NXIO) => is_pipe(),
            _ => error,
        })?;
        if file.metadata()?.file_type().is_fifo() { Err(is_pipe()) } else { Ok(file) }
    }
}

/// Makes a file to be written, or empties the one that is there.
///
/// # Errors
/// When it cannot be made, or is a link.
pub fn create(path: &Path) -> Result<File> {
    OwnFile::default()
        .with(|options| {
            options.write(true).create(true).truncate(true);
        })
        .open(path)
}

/// Makes a directory, and those above it.
///
/// # Errors
/// When one cannot be made.
pub fn create_directory(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    #[test]
    fn what_is_made_is_of_its_user_alone_and_never_where_a_link_points() {
        let directory = tempfile::tempdir().unwrap();
        let (below, victim) = (directory.path().join("a/b"), directory.path().join("victim"));
        create_directory(&below).unwrap();
        create_directory(&below).unwrap();
        create(&below.join("file")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&below), mode(&below.join("file"))), (0o700, 0o600));
        assert_eq!(mode(&directory.path().join("a")), 0o700);
        fs::write(&victim, "all").unwrap();
        for target in [victim.clone(), directory.path().join("new")] {
            let link = below.join("link");
            symlink(&target, &link).unwrap();
            let error = create(&link).unwrap_err().to_string();
            assert!(error.starts_with("it is a link"), "{error}");
            fs::remove_file(link).unwrap();
        }
        assert_eq!(fs::read_to_string(victim).unwrap(), "all");
        let pipe = below.join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(create(&pipe).unwrap_err().to_string().starts_with("it is a pipe"));
        assert!(!directory.path().join("new").exists());
    }
}
