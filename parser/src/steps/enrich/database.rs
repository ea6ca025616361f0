//! Files that say where addresses are, in the format of `MaxMind`'s: read as a whole, shared by all who name
//! the same file, and read again when another file has come in its place.
//!
//! Whatever is wrong with a file that comes later, the former stays in use; that is said and counted.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use maxminddb::Reader;
use tracing::{info, warn};

use super::places::Record;

/// A file is looked at no more often.
const EVERY: Duration = Duration::from_secs(5);

/// A larger file is none that is meant: the largest of `MaxMind`'s have some hundred megabytes.
const MOST_BYTES: u64 = 1 << 30;

/// What the types of databases are called that have what is looked for.
const KINDS: [&str; 5] = ["City", "Country", "Enterprise", "ASN", "ISP"];

/// How often a file could not be read again.
static NOT_REREAD: AtomicU64 = AtomicU64::new(0);

/// How often a file that had come in place of another could not be used.
pub fn not_reread() -> u64 {
    NOT_REREAD.load(Ordering::Relaxed)
}

/// A database.
pub struct Database {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    reader: Arc<Reader<Vec<u8>>>,
    /// The file that was read last, or could not be.
    file: Option<Identity>,
    looked: Instant,
    edition: u64,
}

/// By what it is seen that a file is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    place: (u64, u64),
    written: (i64, i64),
    bytes: u64,
}

impl Database {
    /// The database in this file.
    ///
    /// # Errors
    /// When it is none, or one of something else.
    pub fn open(path: &Path) -> Result<Arc<Self>, String> {
        static OPEN: Mutex<Vec<Weak<Database>>> = Mutex::new(Vec::new());
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|database| database.strong_count() > 0);
        if let Some(known) = open.iter().filter_map(Weak::upgrade).find(|it| it.path == path) {
            return Ok(known);
        }
        let (reader, file) = read(path)?;
        let state = State {
            reader: Arc::new(reader),
            file: Some(file),
            looked: Instant::now(),
            edition: 0,
        };
        let database = Arc::new(Self { path: path.to_owned(), state: Mutex::new(state) });
        open.push(Arc::downgrade(&database));
        Ok(database)
    }

    /// Shows `see` what it says of an address, if it knows it.
    pub fn look_up(&self, address: IpAddr, see: impl FnOnce(&Record<'_>)) {
        let reader = Arc::clone(&self.state().reader);
        let found = reader.lookup(address).and_then(|found| found.decode::<Record<'_>>());
        if let Ok(Some(record)) = found {
            see(&record);
        }
    }

    /// How often it was read again, after a look whether it has to be if the last was some time ago.
    pub fn edition(&self) -> u64 {
        let mut state = self.state();
        if state.looked.elapsed() >= EVERY {
            self.look(&mut state);
        }
        state.edition
    }

    fn look(&self, state: &mut State) {
        state.looked = Instant::now();
        let file = std::fs::metadata(&self.path).ok().map(|about| Identity::of(&about));
        if file == state.file {
            return;
        }
        match read(&self.path) {
            Ok((reader, file)) => {
                info!(path = %self.path.display(), "the database of addresses is another, and was read");
                state.reader = Arc::new(reader);
                state.file = Some(file);
                state.edition += 1;
            }
            Err(problem) => {
                warn!("{problem}; the former database stays in use");
                NOT_REREAD.fetch_add(1, Ordering::Relaxed);
                // It is tried again when it has changed.
                state.file = file;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Identity {
    fn of(about: &std::fs::Metadata) -> Self {
        Self {
            place: (about.dev(), about.ino()),
            written: (about.mtime(), about.mtime_nsec()),
            bytes: about.len(),
        }
    }
}

/// Reads a file, and looks whether it is what it should be.
fn read(path: &Path) -> Result<(Reader<Vec<u8>>, Identity), String> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        format!("{shown}: cannot read it: {error}; geoipupdate fetches MaxMind's databases")
    };
    // Opening a pipe would wait for somebody to write into it.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(format!("{shown}: expected a file, found something else"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    let mut bytes = Vec::with_capacity(usize::try_from(about.len().min(MOST_BYTES)).unwrap_or(0));
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("{shown}: expected at most {MOST_BYTES} bytes, found more"));
    }
    let reader = Reader::from_source(bytes).map_err(|error| {
        format!(
            "{shown}: expected a database in MaxMind's format (.mmdb), found a file that is none, or not all of one ({error}); fetch it again, with geoipupdate for example"
        )
    })?;
    let kind = &reader.metadata().database_type;
    if !KINDS.iter().any(|known| kind.contains(known)) {
        return Err(format!(
            "{shown}: expected a database of cities, countries or networks, such as GeoLite2-City or GeoLite2-ASN, found one of type {kind:?}"
        ));
    }
    Ok((reader, Identity::of(&about)))
}

#[cfg(test)]
impl Database {
    /// Looks now.
    pub fn look_now(&self) {
        self.look(&mut self.state());
    }
}
