//! The account of what came and what did not: for each stream and in all. It is kept in a file, so
//! that it goes on where it was after a restart, and `omphalos-indexer streams` can show it.
//!
//! Two sums hold at any moment:
//!
//! - each datagram that was read from a socket is counted once, as received, late, repaired
//!   (but for those restored from parity), repeated, refused, parity, mark, heartbeat or lines;
//! - each number of a stream is counted once:
//!   `next - first = received + repaired + late + missing + lost`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use omphalos_common::own_files::create;
use omphalos_common::whole_file::read_own;
use serde::{Deserialize, Serialize};

use super::record::How;

const VERSION: u32 = 1;
const NAME: &str = "streams.json";

/// What is counted for a stream, and in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Data that came by itself, in time.
    pub received: u64,
    /// Data that came after it had been given up.
    pub late: u64,
    /// Data restored from parity.
    pub restored: u64,
    /// Data that came after we had asked for it.
    pub resent: u64,
    /// Data that had been here before.
    pub repeated: u64,
    /// Data that did not come in time. What came late after all is in `late`.
    pub given_up: u64,
    /// Parity datagrams that came.
    pub parity: u64,
    /// Marks that came.
    pub marks: u64,
    /// Heartbeats that came.
    pub heartbeats: u64,
    /// Datagrams of plain NDJSON.
    pub lines: u64,
    /// Documents that were accepted.
    pub documents: u64,
    /// Datagrams that were not accepted, for each reason.
    pub refused: BTreeMap<String, u64>,
    /// Datagrams that the kernel dropped before we could read them; of all senders.
    pub kernel_drops: u64,
    /// Bytes of datagrams that were read.
    pub bytes: u64,
}

impl Totals {
    /// Data that was lost for us at first, and is here all the same.
    pub fn repaired(&self) -> u64 {
        self.restored.saturating_add(self.resent)
    }

    /// Data that is lost as far as we know now.
    pub fn lost(&self) -> u64 {
        self.given_up.saturating_sub(self.late)
    }

    /// How many datagrams were refused, for any reason.
    pub fn all_refused(&self) -> u64 {
        self.refused.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// The account of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamAccount {
    /// Its id, 16 hexadecimal digits.
    pub stream: String,
    /// The sender's host name; empty while no mark has come.
    #[serde(default)]
    pub host: String,
    /// Address and port that it comes from.
    pub source: String,
    /// The first number of the account.
    pub first: u64,
    /// One more than the highest number that is known to exist.
    pub next: u64,
    /// Below this number everything has come or is given up.
    pub settled: u64,
    /// Counts of its datagrams.
    #[serde(flatten)]
    pub counts: Totals,
    /// How many documents the sender says it sent, up to `next`.
    pub documents_sent: u64,
    /// Numbers that have not come and may still.
    pub missing: u64,
    /// First number and length of what has not come, as far back as is remembered.
    pub unseen: Vec<(u64, u64)>,
    /// The number of the newest mark.
    #[serde(default)]
    pub last_mark: Option<u64>,
    /// The number of the newest heartbeat.
    #[serde(default)]
    pub last_heartbeat: Option<u64>,
    /// Whether the sender said that nothing will follow.
    #[serde(default)]
    pub ended: bool,
    /// Numbers that came and are pieces of messages that are not complete: they are counted, but
    /// nothing of them is in the spool, so that they are gone when the receiver ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<(u64, How)>,
    /// Whether its datagrams are sealed; `None` while that is not known, because an older version
    /// did not write it into the spool.
    #[serde(default)]
    pub sealed: Option<bool>,
    /// Whether its sender answers requests.
    #[serde(default)]
    pub answers: bool,
    /// When anything came last, in seconds since the epoch.
    pub seen_at: u64,
}

/// Where a stream stood of which nothing else is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// Id of the stream.
    pub stream: u64,
    /// Numbers below this were here, or are lost.
    pub next: u64,
    /// How many documents it had sent.
    pub documents_sent: u64,
    /// Whether its datagrams are sealed, as far as that is known.
    #[serde(default)]
    pub sealed: Option<bool>,
}

/// The account of all streams, as it is saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// When it was taken, in seconds since the epoch.
    pub at: u64,
    /// It includes all records of the spool before this one.
    pub spool_end: u64,
    /// In all, with streams that are forgotten.
    pub totals: Totals,
    /// For each stream that is remembered.
    pub streams: Vec<StreamAccount>,
    /// Streams of which only their end is remembered, the oldest first.
    #[serde(default)]
    pub retired: Vec<Retired>,
}

/// A ledger that cannot be read or written.
#[derive(thiserror::Error, Debug)]
pub enum LedgerError {
    /// The file system refuses.
    #[error("cannot {verb} {path}: {reason}")]
    Io {
        /// The operation, as a verb for the message.
        verb: &'static str,
        /// The file that it was tried on.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// It is not a ledger that we can read.
    #[error(
        "{path} is not a ledger of streams: {reason}; move it away to begin a new one: what was lost before is then not known any more"
    )]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    ledger: T,
}

/// The file in the state directory that a ledger is saved in.
#[derive(Debug, Clone)]
pub struct LedgerFile {
    directory: PathBuf,
}

impl LedgerFile {
    /// The ledger in this directory, which must be there to save it.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Path of the file.
    pub fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// Reads it; `None` when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be used.
    pub fn load(&self) -> Result<Option<Ledger>, LedgerError> {
        let path = self.path();
        let text = match read_own(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(reason) => return Err(LedgerError::Io { verb: "read", path, reason }),
        };
        let damaged = |reason: String| LedgerError::Damaged { path: path.clone(), reason };
        let read: Versioned<Ledger> =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if read.version != VERSION {
            return Err(damaged(format!("version {}, expected {VERSION}", read.version)));
        }
        Ok(Some(read.ledger))
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written; then the old one is still there.
    pub fn save(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        let path = self.path();
        let failed = |reason| LedgerError::Io { verb: "write", path: path.clone(), reason };
        let text = serde_json::to_vec(&Versioned { version: VERSION, ledger })
            .map_err(|error| failed(error.into()))?;
        let temporary = self.directory.join(format!("{NAME}.new"));
        let write = || {
            let mut file = create(&temporary)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let file = LedgerFile::new(directory.path());
        assert_eq!(file.load().unwrap(), None);
        let counts = Totals { received: 3, given_up: 2, late: 1, ..Totals::default() };
        let stream = StreamAccount {
            stream: "00000000000000ff".to_owned(),
            host: "web1".to_owned(),
            source: "127.0.0.1:9".to_owned(),
            first: 0,
            next: 6,
            settled: 5,
            counts: counts.clone(),
            documents_sent: 60,
            missing: 1,
            unseen: vec![(1, 1), (5, 1)],
            last_mark: Some(4),
            last_heartbeat: Some(2),
            ended: true,
            pieces: vec![(3, How::Late)],
            sealed: Some(true),
            answers: true,
            seen_at: 7,
        };
        let retired = vec![Retired { stream: 1, next: 2, documents_sent: 3, sealed: Some(false) }];
        let ledger = Ledger { at: 1, spool_end: 2, totals: counts, streams: vec![stream], retired };
        file.save(&ledger).unwrap();
        assert_eq!(file.load().unwrap(), Some(ledger));
    }

    #[test]
    fn a_damaged_ledger_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let file = LedgerFile::new(directory.path());
        fs::write(file.path(), "{\"version\":2}").unwrap();
        let error = file.load().unwrap_err().to_string();
        assert!(error.contains("streams.json is not a ledger of streams"), "{error}");
    }
}
