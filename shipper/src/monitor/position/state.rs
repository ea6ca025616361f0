//! The state directory: who uses it, and how the checkpoint gets into it and out again whatever
//! happens meanwhile.
//!
//! A new checkpoint is written beside the old one, synced, and renamed over it; the old one is kept
//! as `checkpoint.previous`. A damaged one is set aside and the previous one used; failing that, the
//! files are read again, which their ids make harmless.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use omphalos_common::own_files::{OwnFile, create, create_directory};
use omphalos_common::whole_file::{read_own, read_own_text};
use tracing::warn;

use crate::monitor::position::checkpoint::{overtaken, parse};
use crate::monitor::position::entry::Entry;
use crate::monitor::position::identity::FileKey;

/// The file that is locked by the shipper that uses the directory.
const LOCK_NAME: &str = "lock";
/// It is there once a shipper has started.
const STARTED_NAME: &str = "started";
/// What a checkpoint is called that cannot be read.
const DAMAGED_NAME: &str = "checkpoint.damaged";

/// The checkpoint, and the one before it.
pub const FILE_NAMES: [&str; 2] = ["checkpoint", "checkpoint.previous"];

/// What is known when a shipper starts.
#[derive(Debug, Default)]
pub struct Remembered {
    /// How far each file is delivered.
    pub entries: Vec<Entry>,
    /// Who else reads the same files.
    pub others: Vec<Other>,
    /// Whether no shipper ever started with this state directory. That there are no entries does
    /// not say so: there may have been no file yet, or the checkpoint may be damaged.
    pub is_first_start: bool,
    /// Whether there was a checkpoint and nothing of it can be read.
    pub is_damaged: bool,
}

/// Somebody else with a state directory, who reads the same files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Other {
    /// An import, which reads to the present end of a file.
    Import(PathBuf),
    /// A process, which goes on with what comes after.
    Process(PathBuf),
}

/// The state directory, locked for this process.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    lock: Mutex<File>,
}

/// Why the state directory cannot be used.
#[derive(thiserror::Error, Debug)]
pub enum StateError {
    /// Another process uses it.
    #[error(
        "the state directory {path} is in use by another process{}; stop it, or give this one a state_dir of its own",
        shown(*.process)
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The number of the process, if that is known.
        process: Option<u32>,
    },
    /// It cannot be read or written.
    #[error("cannot {action} {path}: {reason}; nothing is shipped that could not be remembered")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says. Not a source: it would be said twice where sources are shown.
        reason: io::Error,
    },
}

/// The number of a process, to be said behind what it is.
fn shown(process: Option<u32>) -> String {
    process.map(|number| format!(" (pid {number})")).unwrap_or_default()
}

impl StateDir {
    /// Creates the directory if need be, and locks it until dropped.
    ///
    /// # Errors
    /// When it is locked by another process, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        Ok(Self { path: path.to_owned(), lock: Mutex::new(take_lock(path)?) })
    }

    /// Makes sure that the directory at our path is still the one that we have locked. Where
    /// somebody has deleted it, a new one is made and locked, unless another shipper was faster.
    fn hold(&self) -> Result<(), StateError> {
        if self.is_held() {
            return Ok(());
        }
        let lock = take_lock(&self.path)?;
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = lock;
        warn!(state_dir = %self.path.display(), "the state directory was deleted while it was in use; it is made anew, with all that is known");
        self.note_start()
    }

    /// Whether what stands at our path is what we have locked.
    pub fn is_held(&self) -> bool {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = lock.metadata().map(|ours| FileKey::from(&ours));
        let there = fs::metadata(self.path.join(LOCK_NAME)).map(|there| FileKey::from(&there));
        matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
    }

    /// Writes down that a shipper has started with this state directory, so that no later start
    /// takes itself for the first one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_start(&self) -> Result<(), StateError> {
        let text = || "a shipper has started with this state directory\n".to_owned();
        self.text_once(STARTED_NAME, text).map(|_| ())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finds out whether a checkpoint could be saved.
    ///
    /// # Errors
    /// When it could not.
    pub fn probe(&self) -> Result<(), StateError> {
        let path = self.path.join("probe");
        let written = create(&path).and_then(|mut file| file.write_all(b"omphalos"));
        written.map_err(failed("write", &path))?;
        fs::remove_file(&path).map_err(failed("remove", &path))
    }

    /// Reads the checkpoint; no entries when there is none that can be read.
    ///
    /// # Errors
    /// When a checkpoint is there and the system does not let us read it.
    pub fn load(&self) -> Result<Remembered, StateError> {
        let mut is_damaged = false;
        for (place, name) in FILE_NAMES.into_iter().enumerate() {
            let path = self.path.join(name);
            let bytes = match read_own(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(failed("read", &path)(error)),
            };
            match parse(&bytes) {
                Ok(entries) => {
                    let entries = if place == 0 { entries } else { overtaken(entries) };
                    return Ok(Remembered { entries, ..Remembered::default() });
                }
                Err(reason) => {
                    is_damaged = true;
                    self.set_aside(&path, &reason);
                }
            }
        }
        let traces = [STARTED_NAME, DAMAGED_NAME];
        let is_first_start = !traces.iter().any(|name| self.path.join(name).exists());
        Ok(Remembered { is_first_start, is_damaged, ..Remembered::default() })
    }

    fn set_aside(&self, path: &Path, reason: &str) {
        let aside = self.path.join(DAMAGED_NAME);
        warn!(
            checkpoint = %path.display(), set_aside = %aside.display(),
            "the checkpoint is damaged ({reason}); using the previous one, or reading the files again: their ids keep repeats out of the index"
        );
        if let Err(error) = fs::rename(path, &aside) {
            warn!(path = %path.display(), %error, "cannot set the damaged checkpoint aside");
        }
    }

    /// Replaces the checkpoint; when this returns, the new one survives a crash.
    ///
    /// # Errors
    /// When it cannot be written; the old one is then still in place.
    pub fn save(&self, bytes: &[u8]) -> Result<(), StateError> {
        self.hold()?;
        let path = self.path.join("checkpoint");
        let new = self.path.join("checkpoint.new");
        let previous = self.path.join("checkpoint.previous");
        let mut file = create(&new).map_err(failed("create", &new))?;
        file.write_all(bytes).map_err(failed("write", &new))?;
        file.sync_all().map_err(failed("sync", &new))?;
        keep_previous(&path, &previous).map_err(failed("keep", &previous))?;
        fs::rename(&new, &path).map_err(failed("replace", &path))?;
        self.sync_names()
    }

    fn sync_names(&self) -> Result<(), StateError> {
        let directory = File::open(&self.path).map_err(failed("open", &self.path))?;
        directory.sync_all().map_err(failed("sync", &self.path))
    }

    /// The text in the file `name` of the state directory, made by `make` if there is none.
    ///
    /// # Errors
    /// When it can be neither read nor written.
    pub fn text_once(
        &self,
        name: &str,
        make: impl FnOnce() -> String,
    ) -> Result<String, StateError> {
        let path = self.path.join(name);
        match read_own_text(&path) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(failed("read", &path)(error));
            }
            _ => {}
        }
        let text = make();
        // Where there is no room, a file may be made and nothing be written into it.
        let new = self.path.join(format!("{name}.new"));
        let mut file = create(&new).map_err(failed("create", &new))?;
        file.write_all(text.as_bytes()).map_err(failed("write", &new))?;
        file.sync_all().map_err(failed("sync", &new))?;
        fs::rename(&new, &path).map_err(failed("make", &path))?;
        self.sync_names()?;
        Ok(text)
    }
}

/// Whether somebody uses the state directory `path`.
pub fn is_in_use(path: &Path) -> bool {
    let options = OwnFile::default().with(|options| {
        options.read(true);
    });
    let lock = options.open(&path.join(LOCK_NAME));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Locks it within `patience`: a lock that another process holds for a moment gives no sign when it goes.
///
/// # Errors
/// When it is still held then, or cannot be locked.
#[expect(clippy::disallowed_methods, reason = "nobody tells when a lock goes")]
pub fn lock_within(patience: Duration, lock: &File) -> Result<(), TryLockError> {
    const STEP: Duration = Duration::from_millis(5);
    let until = Instant::now() + patience;
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(STEP),
            other => return other,
        }
    }
}

/// Who only looks whether it is in use is waited for.
const GLANCE: Duration = Duration::from_millis(50);

/// Creates the directory if need be, and locks it.
fn take_lock(path: &Path) -> Result<File, StateError> {
    create_directory(path).map_err(failed("create the state directory", path))?;
    let lock_path = path.join(LOCK_NAME);
    let lock = OwnFile::default().with(|options| {
        options.write(true).create(true).truncate(false);
    });
    let lock = lock.open(&lock_path);
    let mut lock = lock.map_err(failed("open", &lock_path))?;
    match lock_within(GLANCE, &lock) {
        Ok(()) => {
            // Who is refused is told by whom. Where there is no room for that, nothing is said.
            let number = format!("{}\n", std::process::id());
            drop(lock.set_len(0).and_then(|()| lock.write_all(number.as_bytes())));
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            let text = read_own_text(&lock_path).unwrap_or_default();
            Err(StateError::Locked { path: path.to_owned(), process: text.trim().parse().ok() })
        }
        Err(TryLockError::Error(error)) => Err(failed("lock", &lock_path)(error)),
    }
}

/// A link keeps the old file in place until the new one takes its name; where the file system has
/// no links, the old one is away for a moment, and found again as the previous one.
fn keep_previous(path: &Path, previous: &Path) -> io::Result<()> {
    for result in [fs::remove_file(previous), fs::hard_link(path, previous)] {
        match result {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => return rename_if_there(path, previous),
            Ok(()) => {}
        }
    }
    Ok(())
}

fn rename_if_there(path: &Path, previous: &Path) -> io::Result<()> {
    match fs::rename(path, previous) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StateError + 'a {
    move |reason| StateError::Io { action, path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_shipper_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let first = StateDir::open(directory.path()).unwrap();
        let error = StateDir::open(directory.path()).unwrap_err().to_string();
        let by_whom = format!("in use by another process (pid {});", std::process::id());
        assert!(error.contains(&by_whom), "{error}");
        drop(first);
        StateDir::open(directory.path()).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = StateDir::open(&file.join("state")).unwrap_err().to_string();
        assert!(
            error.contains("create the state directory") && error.contains("file/state"),
            "{error}"
        );
        // Root may write anywhere, so a directory in the way stands for a read-only one.
        let state = StateDir::open(&directory.path().join("state")).unwrap();
        fs::create_dir(state.path().join("checkpoint.new")).unwrap();
        let error = state.save(b"").unwrap_err().to_string();
        assert!(error.contains("checkpoint.new"), "{error}");
    }

    #[test]
    fn text_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        assert_eq!(state.text_once("host-id", || "a".to_owned()).unwrap(), "a");
        assert_eq!(state.text_once("host-id", || "b".to_owned()).unwrap(), "a");
    }
}
