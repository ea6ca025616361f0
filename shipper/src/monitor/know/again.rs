//! Reading a file from its beginning once more and getting the same ids: what of the checkpoint that
//! takes, and how a checkpoint is looked into that belongs to a running shipper.
//!
//! Of lines without a time the checkpoint keeps the source, but not when each was discovered, once
//! it is delivered: of their ids all is known but the seconds.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use omphalos_common::event::SourceId;
use omphalos_common::ids::IdScheme;
use omphalos_common::whole_file::read_own;
use omphalos_parser::ParserKind;
use omphalos_parser::settings::LineRule;

use crate::monitor::know::matching::fits;
use crate::monitor::know::others::delivered_by;
use crate::monitor::position::checkpoint;
use crate::monitor::position::entry::{Entry, Former, Mark};
use crate::monitor::position::identity::{FileKey, logical_path};
use crate::monitor::position::state::{FILE_NAMES, StateDir, StateError};
use crate::monitor::read::content::Content;

/// Why a checkpoint cannot be looked into.
#[derive(thiserror::Error, Debug)]
pub enum PeekError {
    /// It cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// What the system says. Not a source: it would be said twice where sources are shown.
        reason: io::Error,
    },
    /// It is not what it should be, and neither is the one before it.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The entries of the checkpoint in `state_dir`, which is not locked and not changed; `None` when
/// there is none.
///
/// # Errors
/// When one is there and cannot be read.
pub fn peek(state_dir: &Path) -> Result<Option<Vec<Entry>>, PeekError> {
    let mut damaged = None;
    for (place, path) in FILE_NAMES.map(|name| state_dir.join(name)).into_iter().enumerate() {
        match read_own(&path) {
            Ok(bytes) => match checkpoint::parse(&bytes) {
                Ok(entries) if place == 0 => return Ok(Some(entries)),
                Ok(entries) => return Ok(Some(checkpoint::overtaken(entries))),
                Err(reason) => damaged = damaged.or(Some(PeekError::Damaged { path, reason })),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(reason) => return Err(PeekError::Unreadable { path, reason }),
        }
    }
    damaged.map_or(Ok(None), Err)
}

/// What checkpoints say of a file.
#[derive(Debug, Clone)]
pub struct Recalled {
    entry: Entry,
    /// By what its lines were read that may be delivered.
    spans: Vec<Former>,
}

impl Recalled {
    /// Up to where it is delivered.
    pub fn delivered_to(&self) -> u64 {
        self.entry.offset
    }

    /// What the ids of its lines without a time are made of, if there was one.
    pub fn untimed(&self) -> Option<SourceId> {
        self.entry.untimed
    }

    /// What makes the ids of its lines; `None` when only a later program knows.
    pub fn ids(&self) -> Option<IdScheme> {
        self.entry.ids()
    }

    /// The format that its lines were begun with, if that is known.
    pub fn parser(&self) -> Option<ParserKind> {
        let first = self.spans.first().map_or_else(|| self.entry.last_rule(), Former::rule);
        first.or_else(|| self.entry.unsaid_rule()).map(|rule| rule.parser)
    }

    /// By what its lines were read, one after another, and are read on, where the checkpoint says so.
    pub fn rules(&self) -> Vec<LineRule> {
        let all = self.spans.iter().filter_map(Former::rule).chain(self.entry.last_rule());
        let mut rules: Vec<LineRule> = all.collect();
        rules.dedup();
        rules
    }

    /// What it was called when it was last seen.
    pub fn path(&self) -> &Path {
        &self.entry.path
    }
}

/// What `entries`, or else those of `others`, say of the content of the file at `path`, which the shipper
/// knows as `called`: of the same file, or else of the same logical path, and where prefix and guard fit;
/// and by what its lines were read, over all of them.
///
/// # Errors
/// When the file cannot be read.
pub fn recall(
    entries: &[Entry],
    others: &[Entry],
    path: &Path,
    called: &Path,
) -> io::Result<Option<Recalled>> {
    let key = FileKey::from(&fs::metadata(path)?);
    let logical = logical_path(called);
    let is_it = |entry: &&Entry| {
        entry.has_seen() && (entry.key == key || logical_path(&entry.path) == logical)
    };
    let mut content = Content::open(path)?;
    let mut known = Vec::new();
    for entries in [entries, others] {
        let mut candidates: Vec<&Entry> = entries.iter().filter(is_it).collect();
        // The file itself first, then who knows most of it.
        candidates.sort_by_key(|entry| (entry.key != key, std::cmp::Reverse(entry.offset)));
        for entry in candidates {
            if fits(&mut content, entry)? {
                known.push(entry);
            }
        }
    }
    let Some(entry) = known.first().map(|entry| (*entry).clone()) else { return Ok(None) };
    Ok(Some(Recalled { entry, spans: delivered_by(&known, &content)? }))
}

/// The entry with which the file at `path` is read from its beginning, for ids that are made so: its
/// lines get the sources that are recalled, those without a time else `untimed`, and all of the
/// latter the time `millis`.
///
/// # Errors
/// When the file cannot be looked at.
pub fn begin_again(
    path: &Path,
    recalled: Option<&Recalled>,
    ids: IdScheme,
    untimed: SourceId,
    millis: i64,
) -> io::Result<Entry> {
    let known = recalled.map(|recalled| &recalled.entry);
    // An archive that was changed just now has to wait, and what is old is forgotten meanwhile.
    let unread = Entry::unread(path, FileKey::from(&fs::metadata(path)?), ids, millis / 1000);
    Ok(Entry {
        formats: recalled.map(|recalled| recalled.spans.clone()).unwrap_or_default(),
        source: known.and_then(|entry| entry.source),
        untimed: known.and_then(|entry| entry.untimed).or(Some(untimed)),
        marks: vec![Mark { end: u64::MAX, millis }],
        splits: known.map(|entry| entry.splits.clone()).unwrap_or_default(),
        ..unread
    })
}

/// Notes files of which nothing is read yet in the checkpoint of `state`, beside what is in it.
///
/// # Errors
/// When it cannot be read or written.
pub fn note_unread(state: &StateDir, unread: Vec<Entry>) -> Result<(), StateError> {
    let mut entries = state.load()?.entries;
    entries.retain(|known| {
        let is_again = |new: &Entry| new.key == known.key && known.prefix.length == 0;
        !unread.iter().any(is_again)
    });
    entries.extend(unread);
    let bytes = checkpoint::serialize(entries).map_err(|reason| StateError::Io {
        action: "write",
        path: state.path().to_owned(),
        reason,
    })?;
    state.save(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::StateDir;
    use crate::monitor::position::identity::Fingerprint;

    fn entry_of(path: &Path, length: usize) -> Entry {
        let text = fs::read(path).unwrap();
        let key = FileKey::from(&fs::metadata(path).unwrap());
        Entry {
            prefix: Fingerprint::of(&text[..length.min(1024)]),
            offset: length as u64,
            guard: Fingerprint::of(&text[length.saturating_sub(256)..length]),
            untimed: Some(SourceId::from_random(length as u128)),
            ..Entry::blank(path, key)
        }
    }

    #[test]
    fn a_checkpoint_in_use_is_read_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        assert!(peek(directory.path()).unwrap().is_none());
        let state = StateDir::open(directory.path()).unwrap();
        let file = directory.path().join("a.log");
        fs::write(&file, "one\ntwo\n").unwrap();
        let entries = [entry_of(&file, 4)];
        state.save(&checkpoint::serialize(entries.to_vec()).unwrap()).unwrap();
        assert_eq!(peek(directory.path()).unwrap().unwrap(), entries);
        fs::write(directory.path().join("checkpoint"), "nonsense").unwrap();
        let error = peek(directory.path()).unwrap_err().to_string();
        assert!(error.contains("checkpoint is damaged: the first line does not end"), "{error}");
        // Nothing was set aside, and the one before is used where there is one.
        state.save(&checkpoint::serialize(entries.to_vec()).unwrap()).unwrap();
        fs::write(directory.path().join("checkpoint.previous"), b"x").unwrap();
        assert_eq!(peek(directory.path()).unwrap().unwrap(), entries);
    }

    #[test]
    fn a_file_is_recalled_by_its_content_under_any_name_of_its_rotation() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("a.log"), "one\ntwo\nthree\n").unwrap();
        fs::write(path("b.log"), "one\ntwo\nthree\n").unwrap();
        let entries = [entry_of(&path("a.log"), 4), entry_of(&path("b.log"), 8)];
        let recalled = |at: &str, called: &str| {
            let found = recall(&entries, &[], &path(at), &path(called)).unwrap();
            found.map(|found| found.delivered_to())
        };
        assert_eq!(recalled("a.log", "a.log"), Some(4));
        fs::copy(path("a.log"), path("a.log.1")).unwrap();
        assert_eq!(recalled("a.log.1", "a.log.1"), Some(4));
        fs::copy(path("a.log"), path("moved")).unwrap();
        assert_eq!(recalled("moved", "moved"), None);
        assert_eq!(recalled("moved", "b.log.2.gz"), Some(8));
        fs::write(path("moved"), "other\n").unwrap();
        assert_eq!(recalled("moved", "b.log"), None);
        let recalled = recall(&entries, &[], &path("b.log"), &path("b.log")).unwrap().unwrap();
        assert_eq!(recalled.untimed(), Some(SourceId::from_random(8)));
        assert_eq!(recalled.path(), path("b.log"));
    }
}
