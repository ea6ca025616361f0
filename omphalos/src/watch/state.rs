//! The file in which alerts are kept while nobody watches, and the lock by which only one watches.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use omphalos_common::own_files::{create, create_directory};
use omphalos_common::whole_file::read_own;
use omphalos_live::alert::Saved;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::deliver::Undelivered;

const NAME: &str = "alerts.json";
const LOCK: &str = "alerts.lock";

/// What is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Kept {
    /// Alerts, and which keys there were.
    pub alerts: Saved,
    /// What receivers have not been told.
    #[serde(default)]
    pub undelivered: Vec<Undelivered>,
}

/// The file.
#[derive(Debug)]
pub struct StateFile {
    directory: PathBuf,
    _lock: File,
}

impl StateFile {
    /// The file in this directory, which is made if it is not there.
    ///
    /// # Errors
    /// When the directory cannot be used, or another process uses it.
    pub fn open(directory: &Path) -> anyhow::Result<Self> {
        Self::open_unless_used(directory)?.with_context(|| {
            format!(
                "another omphalos watch, or an omphalos run that tells what it raises, uses state_dir {}: give this one another with --state-dir",
                directory.display()
            )
        })
    }

    /// The same; `None` where another process uses it.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn open_unless_used(directory: &Path) -> anyhow::Result<Option<Self>> {
        create_directory(directory)
            .with_context(|| format!("state_dir {} cannot be made", directory.display()))?;
        let path = directory.join(LOCK);
        let lock =
            create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { directory: directory.to_owned(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }

    /// What was kept; nothing at the first start.
    ///
    /// # Errors
    /// When it cannot be read, or is no such file.
    pub fn load(&self) -> anyhow::Result<Kept> {
        let path = self.directory.join(NAME);
        let text = match read_own(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Kept::default());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", path.display()));
            }
        };
        serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} is damaged; remove it to begin anew: what is raised is raised again",
                path.display()
            )
        })
    }

    /// Keeps this instead.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, kept: &Kept) -> anyhow::Result<()> {
        let path = self.directory.join(NAME);
        let write = || -> anyhow::Result<()> {
            let mut file = NamedTempFile::new_in(&self.directory)?;
            file.write_all(&serde_json::to_vec(kept)?)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().with_context(|| format!("{} cannot be written", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_there_again_and_one_alone_may_keep_it() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("a/b");
        let file = StateFile::open(&below).unwrap();
        assert!(file.load().unwrap().alerts.rules.is_empty());
        file.save(&Kept::default()).unwrap();
        let error = StateFile::open(&below).unwrap_err().to_string();
        assert!(error.contains("another omphalos watch, or an omphalos run"), "{error}");
        drop(file);
        let file = StateFile::open(&below).unwrap();
        file.load().unwrap();
        std::fs::write(below.join(NAME), "{").unwrap();
        assert!(file.load().unwrap_err().to_string().contains("remove it to begin anew"));
    }
}
