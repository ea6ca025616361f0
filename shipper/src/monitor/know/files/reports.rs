//! What cannot be read: said once, known for as long as it is so.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use tracing::{error, warn};

use crate::monitor::broken::Broken;
use crate::monitor::find::discover::Scan;
use crate::monitor::settings::UNREAD_ARCHIVES;

/// What is wrong with an archive of which nothing is read.
const CUT: &str = "the archive ends in the middle, and seems to be that of a file that is known; nothing is read of it, because it cannot be told what of it was read before";

/// What was said of the last scan, and is not said again while it is so.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Announced {
    /// A file that was named is not there.
    Missing(PathBuf),
    /// What was named is no regular file.
    Irregular(PathBuf, &'static str),
    /// What was named is excluded.
    Excluded(PathBuf),
    /// No file matches a pattern.
    Empty(String),
    /// A file or directory cannot be looked at.
    Unreadable(PathBuf),
}

impl Announced {
    /// In a few words, for what is said at the end; what is unreadable is known with its reason.
    fn missed(&self) -> Option<String> {
        Some(match self {
            Self::Missing(path) => format!("{}: the file is not there", path.display()),
            Self::Irregular(path, kind) => {
                format!("{}: it is {kind}, not a regular file", path.display())
            }
            Self::Excluded(path) => format!("{}: {}", path.display(), excluded(path)),
            Self::Empty(pattern) if Path::new(pattern).is_dir() => {
                format!("{pattern}: no file to be read is in it")
            }
            Self::Empty(pattern) => format!("{pattern}: no file matches"),
            Self::Unreadable(_) => return None,
        })
    }
}

/// Why a file that is named is not read.
fn excluded(path: &Path) -> String {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    if UNREAD_ARCHIVES.contains(&ending) {
        return format!(".{ending} archives are not read; unpack it, or pack it as .gz or .zst");
    }
    "it is named, but left out by a pattern of exclude; it is not read".to_owned()
}

/// What is wrong with files now.
#[derive(Debug, Default)]
pub struct Reports {
    /// What was said once of what a scan saw, and need not be said again.
    announced: HashSet<Announced>,
    /// What could not be looked at by the last scan, and why.
    unseen: BTreeMap<PathBuf, String>,
    /// Files that were found and cannot be read now, and why.
    unreadable: BTreeMap<PathBuf, String>,
    /// Archives of which it cannot be told what was read before, because their ends are missing.
    cut: BTreeSet<PathBuf>,
    /// What was found that cannot be, and where.
    broken: Option<String>,
}

impl Reports {
    /// Says what a scan could not look at, unless it was said before and is still so.
    pub fn announce(&mut self, scan: &Scan) {
        let mut current = HashSet::new();
        let mut once = |fact: Announced, say: &dyn Fn()| {
            if !self.announced.contains(&fact) {
                say();
            }
            current.insert(fact);
        };
        for path in &scan.missing {
            once(Announced::Missing(path.clone()), &|| {
                warn!(path = %path.display(), "the file is not there; waiting for it");
            });
        }
        for (path, kind) in &scan.irregular {
            once(Announced::Irregular(path.clone(), kind), &|| {
                warn!(path = %path.display(), "is {kind}, not a regular file; it is not read");
            });
        }
        for path in &scan.excluded {
            once(Announced::Excluded(path.clone()), &|| {
                warn!(path = %path.display(), "{}", excluded(path));
            });
        }
        for pattern in &scan.empty {
            once(Announced::Empty(pattern.clone()), &|| {
                warn!(pattern, "no file matches; waiting for one");
            });
        }
        for (path, error) in &scan.unreadable {
            once(Announced::Unreadable(path.clone()), &|| {
                warn!(path = %path.display(), %error, "cannot look there; what was read of it stays remembered, trying again");
            });
        }
        self.announced = current;
        let unseen = scan.unreadable.iter();
        self.unseen = unseen.map(|(path, error)| (path.clone(), error.to_string())).collect();
        // What went away need not be read any more. Mostly there is nothing, and many files.
        if !self.unreadable.is_empty() {
            let found: HashSet<&Path> = scan.found.iter().map(|found| &*found.path).collect();
            self.unreadable.retain(|path, _| found.contains(&**path));
        }
    }

    /// Notes that a file cannot be opened or read now, and says so once.
    pub fn note_unopened(&mut self, path: &Path, error: &io::Error) {
        if self.note_broken(path, error) {
            return;
        }
        if self.unreadable.insert(path.to_owned(), error.to_string()).is_none() {
            warn!(path = %path.display(), %error, "cannot read the file; trying again");
        }
    }

    /// Notes an archive that ends in the middle; whether that was not known.
    pub fn note_cut(&mut self, path: &Path) -> bool {
        let is_new = self.cut.insert(path.to_owned());
        if is_new {
            error!(path = %path.display(), "{CUT}");
        }
        is_new
    }

    /// Notes what cannot be, if that is what `error` says.
    pub fn note_broken(&mut self, path: &Path, error: &io::Error) -> bool {
        let Some(what) = Broken::said_by(error) else { return false };
        self.broken.get_or_insert_with(|| format!("{}: {what}", path.display()));
        true
    }

    /// Notes that a file can be read.
    pub fn note_readable(&mut self, path: &Path) {
        // Mostly there is nothing, and this is asked at each turn.
        if !self.unreadable.is_empty() {
            self.unreadable.remove(path);
        }
    }

    /// What was found that cannot be, if anything was.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// What was named and is not there, or cannot be read, and why.
    pub fn missed(&self) -> Vec<String> {
        let unreadable = self.unreadable.iter().chain(&self.unseen);
        let unreadable = unreadable.map(|(path, error)| format!("{}: {error}", path.display()));
        let cut = self.cut.iter().map(|path| format!("{}: {CUT}", path.display()));
        // Of a directory that cannot be searched it is said why.
        let is_known = |fact: &&Announced| match fact {
            Announced::Empty(name) => self.unseen.contains_key(Path::new(name)),
            _ => false,
        };
        let announced = self.announced.iter().filter(|fact| !is_known(fact));
        let announced = announced.filter_map(Announced::missed);
        let mut missed: Vec<String> = announced.chain(unreadable).chain(cut).collect();
        missed.sort_unstable();
        missed
    }

    /// What cannot be read now, in a few words; `None` when everything can.
    pub fn trouble(&self) -> Option<String> {
        let (path, reason) = self.unreadable.iter().chain(&self.unseen).next()?;
        let path = path.display();
        Some(match self.unreadable_count() {
            1 => format!("cannot read {path}: {reason}"),
            count => format!("cannot read {count} files or directories, such as {path}: {reason}"),
        })
    }

    /// How many files and directories cannot be read now.
    pub fn unreadable_count(&self) -> usize {
        self.unreadable.len() + self.unseen.len()
    }
}
