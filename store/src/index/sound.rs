//! Whether the files of an index are what was written: their checksums are compared once while they are
//! there, before anything is read that they could mislead.
//!
//! A small store is read through when it is opened. A large one goes on being read beside its work, and
//! who asks for an index that was not read yet waits for it, a while.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crc32fast::Hasher;
use rustix::io::Errno;
use serde::Deserialize;
use tantivy::TantivyError;
use tantivy::directory::error::OpenReadError;

use super::Index;
use crate::attempt::look;
use crate::error::{ApiError, StoreError};

/// How long a request waits for the files of an index to be read.
const PATIENCE: Duration = Duration::from_secs(10);
/// After so long it looks whether its client is still there.
const GLANCE: Duration = Duration::from_millis(100);
/// Files are not read again before, whatever is suspected.
const AGAIN: Duration = Duration::from_mins(1);
/// What is read at once, in bytes.
const STEP: usize = 1 << 20;
/// What stands at the very end of a file of a segment.
const MAGIC: u32 = 1337;
/// Bytes of the length of what is before it, and of it.
const ENDING: usize = 8;
/// Longer is none of tantivy's.
const LONGEST_FOOTER: u32 = 50_000;

/// What is known of the files of an index.
#[derive(Debug, Default)]
pub(super) struct Soundness {
    state: Mutex<Known>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Known {
    /// When all of them were found to be what was written.
    sound: Option<Instant>,
    /// Somebody waits for them to be read, or has read what cannot have been written.
    is_wanted: bool,
    /// They are not; nothing is read any more.
    is_damaged: bool,
}

impl Soundness {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of reading the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checked {
    Sound,
    /// There was no time for all.
    Unfinished,
}

/// How long who asks now waits for files to be read.
pub fn patience() -> Instant {
    Instant::now() + PATIENCE
}

impl Index {
    /// Waits until its files are known to be what was written, or for long enough: a large index takes
    /// its time.
    ///
    /// # Errors
    /// 503 where they are not.
    pub fn await_sound(&self, end: Instant) -> Result<(), ApiError> {
        let mut known = self.soundness.lock();
        loop {
            if known.is_damaged {
                return Err(ApiError::unavailable(format!(
                    "index [{}] is damaged and was set aside; the log says what to do",
                    self.name
                )));
            }
            if known.sound.is_some() || Instant::now() >= end {
                return Ok(());
            }
            known.is_wanted = true;
            self.soundness.changed.notify_all();
            let waited = self.soundness.changed.wait_timeout(known, GLANCE);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            look();
            known = self.soundness.lock();
        }
    }

    /// Reads something of its files; where that shows that they are not what was written, they are read
    /// through again, soon.
    ///
    /// # Errors
    /// Those of the work; 500 where it panicked.
    pub fn reading<T>(&self, work: impl FnOnce() -> Result<T, ApiError>) -> Result<T, ApiError> {
        let done = crate::attempt::within(work);
        let done = done.unwrap_or_else(|what| {
            Err(ApiError::panicked(&format!("index [{}]: {what}", self.name)))
        });
        // Nothing else than tantivy's own errors is one of these.
        if done.as_ref().is_err_and(|error| error.status >= 500) {
            self.doubt();
        }
        done
    }

    /// Has the files read again: something was wrong.
    pub(super) fn doubt(&self) {
        let mut known = self.soundness.lock();
        known.is_wanted |= known.sound.is_none_or(|sound| sound.elapsed() > AGAIN);
    }

    /// Whether its files are to be read: they were not yet, or somebody doubts them. First those that
    /// somebody waits for.
    pub fn wants_check(&self) -> Option<bool> {
        let known = self.soundness.lock();
        let is_unknown = known.sound.is_none() && !known.is_damaged;
        (is_unknown || known.is_wanted).then_some(known.is_wanted)
    }

    /// Reads its files through, at leisure unless somebody waits.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where they are not what was written.
    pub fn check(&self) -> Result<(), StoreError> {
        let rest = |worked: Duration| {
            let known = self.soundness.lock();
            let is_nobody_waiting = |known: &mut Known| !known.is_wanted;
            let changed = &self.soundness.changed;
            drop(changed.wait_timeout_while(known, worked, is_nobody_waiting));
        };
        let checked = check_files(&self.tantivy, &self.directory, None, rest);
        let mut known = self.soundness.lock();
        known.is_wanted = false;
        match checked {
            Err(error @ StoreError::Damaged { .. }) => {
                known.is_damaged = true;
                self.soundness.changed.notify_all();
                return Err(error);
            }
            Err(error) => tracing::warn!(index = self.name, "its files cannot be checked: {error}"),
            Ok(_) => {}
        }
        known.sound = Some(Instant::now());
        self.soundness.changed.notify_all();
        Ok(())
    }

    /// Reads its files through as far as there is time.
    pub(super) fn check_at_start(
        tantivy: &tantivy::Index,
        directory: &Path,
        until: Instant,
    ) -> Result<Soundness, StoreError> {
        let checked = check_files(tantivy, directory, Some(until), |_| {})?;
        let sound = (checked == Checked::Sound).then(Instant::now);
        Ok(Soundness {
            state: Mutex::new(Known { sound, ..Known::default() }),
            ..Soundness::default()
        })
    }

    /// As if it had just been opened, in a store too large to be read through at the start.
    #[cfg(test)]
    pub fn forget_check(&self) {
        self.soundness.lock().sound = None;
    }

    /// One that was made just now.
    pub(super) fn assume_sound(&self) {
        self.soundness.lock().sound = Some(Instant::now());
    }
}

/// Compares the checksums of all files of the segments that there are.
fn check_files(
    tantivy: &tantivy::Index,
    directory: &Path,
    until: Option<Instant>,
    rest: impl Fn(Duration),
) -> Result<Checked, StoreError> {
    // While this is there, tantivy deletes none of them.
    let metas = tantivy.load_metas().map_err(|error| damaged(directory, &error))?;
    let mut files: Vec<PathBuf> = metas.list_segment_files().into_iter().collect();
    files.sort();
    for file in files {
        let path = directory.join(super::DATA).join(file);
        match check_file(&path, until, &rest) {
            Ok(Checked::Sound) => {}
            Ok(Checked::Unfinished) => return Ok(Checked::Unfinished),
            // Not every segment has all of them; what it needs is missed when it is opened.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if is_damage(&error) => {
                return Err(StoreError::Damaged { path, reason: error.to_string() });
            }
            Err(error) => return Err(StoreError::File { path, error }),
        }
    }
    Ok(Checked::Sound)
}

#[derive(Deserialize)]
struct Footer {
    crc: u32,
}

fn check_file(
    path: &Path,
    until: Option<Instant>,
    rest: &impl Fn(Duration),
) -> io::Result<Checked> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let (footer, mut left) = footer(&mut file, length)?;
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; STEP];
    while left > 0 {
        if until.is_some_and(|until| Instant::now() >= until) {
            return Ok(Checked::Unfinished);
        }
        let begun = Instant::now();
        let step = usize::try_from(left).map_or(STEP, |left| left.min(STEP));
        let bytes = buffer.get_mut(..step).unwrap_or_default();
        file.read_exact(bytes)?;
        hasher.update(bytes);
        left -= step as u64;
        rest(begun.elapsed());
    }
    let found = hasher.finalize();
    if found == footer.crc {
        return Ok(Checked::Sound);
    }
    let reason = format!("its checksum is {found:08x}, and {:08x} was written", footer.crc);
    Err(io::Error::new(ErrorKind::InvalidData, reason))
}

/// What stands behind the bytes that count, and how many these are.
fn footer(file: &mut File, length: u64) -> io::Result<(Footer, u64)> {
    let invalid = || io::Error::new(ErrorKind::InvalidData, "it does not end as such a file does");
    let before = length.checked_sub(ENDING as u64).ok_or_else(invalid)?;
    file.seek(SeekFrom::Start(before))?;
    let mut ending = [0; ENDING];
    file.read_exact(&mut ending)?;
    let [a, b, c, d, magic @ ..] = ending;
    let size = u32::from_le_bytes([a, b, c, d]);
    if u32::from_le_bytes(magic) != MAGIC || size > LONGEST_FOOTER {
        return Err(invalid());
    }
    let bytes = before.checked_sub(size.into()).ok_or_else(invalid)?;
    file.seek(SeekFrom::Start(bytes))?;
    let mut text = vec![0; size as usize];
    file.read_exact(&mut text)?;
    let footer = serde_json::from_slice(&text).map_err(|_| invalid())?;
    Ok((footer, bytes))
}

/// What tantivy says of an index in a directory: that it is damaged, or that the system cannot read it
/// now.
pub(super) fn damaged(directory: &Path, error: &TantivyError) -> StoreError {
    let system = match error {
        TantivyError::IoError(error)
        | TantivyError::OpenReadError(OpenReadError::IoError { io_error: error, .. }) => {
            Some(error)
        }
        _ => None,
    };
    match system.filter(|error| !is_damage(error)) {
        Some(other) => StoreError::File {
            path: directory.to_owned(),
            error: other.raw_os_error().map_or_else(
                || io::Error::new(other.kind(), other.to_string()),
                io::Error::from_raw_os_error,
            ),
        },
        None => StoreError::Damaged { path: directory.to_owned(), reason: error.to_string() },
    }
}

/// Whether an error says that what is on disk is not what was written: nothing that the system lacks, or
/// does not allow.
pub(super) fn is_damage(error: &io::Error) -> bool {
    match error.raw_os_error() {
        None => true,
        Some(code) => [Errno::IO, Errno::NOENT].iter().any(|known| known.raw_os_error() == code),
    }
}
