//! A walk along a pattern: lists only directories in which something may match, asks the file
//! system only about names that do, follows links, and comes to an end where links run in circles.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::fs::{self, FileType, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::monitor::find::discover::{Found, Scan, Table, Watched};
use crate::monitor::find::pattern::Component;
use crate::monitor::know::matching::stamp;
use crate::monitor::position::identity::FileKey;

/// What all walks of one scan have come across.
#[derive(Debug, Default)]
pub struct Collected {
    scan: Scan,
    seen: HashSet<FileKey>,
    directories: BTreeSet<PathBuf>,
}

impl Collected {
    /// Notes that events are needed from this directory, or from where it would appear.
    pub fn needs_events_from(&mut self, directory: &Path) {
        if !self.directories.contains(directory) {
            let there = directory.ancestors().find(|path| path.is_dir());
            self.directories.extend(there.map(Path::to_owned));
        }
    }

    /// Notes that events are needed from where this link points to, whether or not that is there.
    pub fn follow_link(&mut self, path: &Path) -> Option<PathBuf> {
        let link = fs::read_link(path).ok()?;
        let parent = path.parent().unwrap_or(path);
        let target = fs::canonicalize(path).unwrap_or_else(|_| parent.join(link));
        self.needs_events_from(target.parent().unwrap_or(&target));
        Some(target)
    }

    /// Notes a link that is named and is not to be followed.
    pub fn refuse_link(&mut self, path: &Path) {
        self.scan.irregular.push((path.to_owned(), "a link, which follow_links leaves out"));
    }

    /// Notes something that cannot be looked at.
    pub fn unreadable(&mut self, path: &Path, error: io::Error) {
        // Only in the directory above is a change of permissions seen.
        self.needs_events_from(path.parent().unwrap_or(path));
        self.scan.unreadable.push((path.to_owned(), error));
    }

    /// What is still to be filled in.
    pub fn scan(&mut self) -> &mut Scan {
        &mut self.scan
    }

    /// All of it, sorted by path, everything once.
    pub fn into_scan(mut self) -> Scan {
        let scan = &mut self.scan;
        scan.found.sort_by(|left, right| left.path.cmp(&right.path));
        scan.missing.sort();
        scan.missing.dedup();
        scan.excluded.sort();
        scan.excluded.dedup();
        scan.irregular.sort();
        scan.irregular.dedup();
        scan.unreadable.sort_by(|left, right| left.0.cmp(&right.0));
        scan.unreadable.dedup_by(|left, right| left.0 == right.0);
        scan.directories = self.directories.into_iter().collect();
        self.scan
    }
}

/// The walk along one pattern of one table.
pub struct Walk<'a> {
    components: &'a [Component],
    watched: &'a Watched,
    /// The number of the table.
    input: usize,
    collected: &'a mut Collected,
    /// The directories that we are in, each with the `**` that led there.
    open: Vec<(FileKey, usize)>,
    /// The same, of all that were entered through a link.
    followed: HashSet<(FileKey, usize)>,
    /// How many files matched, found before or not.
    matched: usize,
}

/// A name in a directory that matches so far; first files, then directories, then links, so that a
/// file is found by its own name and not by a link if possible.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    kind: Kind,
    name: OsString,
    /// The components that come next.
    next: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    File,
    Directory,
    Link,
}

impl Kind {
    fn of(kind: FileType) -> Option<Self> {
        match kind {
            kind if kind.is_file() => Some(Self::File),
            kind if kind.is_dir() => Some(Self::Directory),
            kind if kind.is_symlink() => Some(Self::Link),
            _ => None,
        }
    }
}

impl<'a> Walk<'a> {
    /// A walk for this table.
    pub fn new(
        components: &'a [Component],
        table: Table<'a>,
        collected: &'a mut Collected,
    ) -> Self {
        let Table { input, watched } = table;
        Self {
            components,
            watched,
            input,
            collected,
            open: Vec::new(),
            followed: HashSet::new(),
            matched: 0,
        }
    }

    /// Walks from this directory on. Returns how many files match.
    pub fn from(mut self, directory: &Path) -> usize {
        self.enter(directory, vec![0], false);
        self.matched
    }

    /// Notes a file that matches, if it is a regular one and was not found before.
    pub fn file(&mut self, path: PathBuf) {
        if self.watched.is_excluded(&path) {
            return;
        }
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => self.found(path, &metadata),
            // A directory, a pipe, a device; or gone between the listing and now.
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => self.collected.unreadable(&path, error),
        }
    }

    fn found(&mut self, path: PathBuf, metadata: &Metadata) {
        self.matched += 1;
        let key = FileKey::from(metadata);
        if self.collected.seen.insert(key) {
            let stamp = stamp(metadata);
            self.collected.scan.found.push(Found { path, key, input: self.input, stamp });
        }
    }

    /// Goes on in a directory with these components.
    fn enter(&mut self, path: &Path, mut states: Vec<usize>, is_link: bool) {
        if self.watched.excludes_all_below(path) {
            return;
        }
        let before = self.open.len();
        if states.iter().any(|state| self.is_any_depth(*state)) {
            match fs::metadata(path) {
                Ok(metadata) => self.cut_circles(FileKey::from(&metadata), &mut states, is_link),
                Err(error) => return self.cannot_enter(path, error),
            }
        }
        self.close_over(&mut states);
        if states.iter().all(|state| matches!(self.component(*state), Some(Component::Name(_)))) {
            for state in states {
                self.join(path, state);
            }
        } else {
            self.list(path, &states);
        }
        self.open.truncate(before);
    }

    /// Takes out each `**` that has led to this directory before: on the way here, or by a link.
    /// So a tree is walked at most once for every link into it.
    fn cut_circles(&mut self, key: FileKey, states: &mut Vec<usize>, is_link: bool) {
        states.retain(|state| {
            if !matches!(self.components.get(*state), Some(Component::AnyDepth)) {
                return true;
            }
            let here = (key, *state);
            let is_new = !self.open.contains(&here) && (!is_link || self.followed.insert(here));
            if is_new {
                self.open.push(here);
            }
            is_new
        });
    }

    /// Adds what follows each `**`, which may stand for nothing.
    fn close_over(&self, states: &mut Vec<usize>) {
        let mut at = 0;
        while let Some(state) = states.get(at).copied() {
            if self.is_any_depth(state) && !states.contains(&(state + 1)) {
                states.push(state + 1);
            }
            at += 1;
        }
    }

    /// Goes on with a name that need not be looked for.
    fn join(&mut self, directory: &Path, state: usize) {
        let Some(Component::Name(name)) = self.component(state) else { return };
        let path = directory.join(name);
        if self.is_end(state + 1) {
            self.collected.needs_events_from(directory);
            if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
                self.link(&path, vec![state + 1]);
            } else {
                self.file(path);
            }
            return;
        }
        if fs::read_link(&path).is_ok() {
            // It may be pointed elsewhere.
            self.collected.needs_events_from(directory);
            if !self.watched.follows(&path) {
                return;
            }
        }
        self.enter(&path, vec![state + 1], false);
    }

    fn list(&mut self, path: &Path, states: &[usize]) {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.cannot_enter(path, error),
        };
        self.collected.directories.insert(path.to_owned());
        let mut listed = Vec::new();
        for entry in entries {
            let kind = entry.and_then(|entry| Ok((entry.file_type()?, entry.file_name())));
            match kind {
                Ok((kind, name)) => listed.extend(self.matching(kind, name, states)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    self.collected.unreadable(path, error);
                    break;
                }
            }
        }
        listed.sort();
        for Listed { kind, name, next } in listed {
            let path = path.join(name);
            match kind {
                Kind::File => self.file(path),
                Kind::Directory => self.enter(&path, next, false),
                Kind::Link => self.link(&path, next),
            }
        }
    }

    /// The name, if it matches so far and can lead to a file.
    fn matching(&self, kind: FileType, name: OsString, states: &[usize]) -> Option<Listed> {
        let kind = Kind::of(kind)?;
        let next: Vec<usize> = states
            .iter()
            .filter(|state| self.component(**state).is_some_and(|component| component.fits(&name)))
            .map(|state| if self.is_any_depth(*state) { *state } else { *state + 1 })
            .filter(|next| match kind {
                Kind::File => self.is_end(*next),
                Kind::Directory => !self.is_end(*next),
                Kind::Link => true,
            })
            .collect();
        (!next.is_empty()).then_some(Listed { kind, name, next })
    }

    /// Goes on with a link, to a file or to a directory.
    pub fn link(&mut self, path: &Path, next: Vec<usize>) {
        let is_wanted = next.iter().any(|state| self.is_end(*state));
        if !self.watched.follows(path) {
            return;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let next = next.into_iter().filter(|state| !self.is_end(*state)).collect();
                self.enter(path, next, true);
            }
            Ok(metadata) if metadata.is_file() => {
                if is_wanted && !self.watched.is_excluded(path) {
                    self.linked_file(path, &metadata);
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if is_wanted && !self.watched.is_excluded(path) {
                    self.collected.follow_link(path);
                }
            }
            // A link to itself is no directory.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) && !is_wanted => {}
            Err(error) => {
                if !self.watched.is_excluded(path) {
                    self.collected.unreadable(path, error);
                }
            }
        }
    }

    /// Notes a file that was found by a link: its writes are seen in its own directory only.
    fn linked_file(&mut self, path: &Path, metadata: &Metadata) {
        let before = self.collected.scan.found.len();
        self.found(path.to_owned(), metadata);
        if self.collected.scan.found.len() > before
            && let Some(target) = self.collected.follow_link(path)
        {
            self.collected.scan.links.push((path.to_owned(), target));
        }
    }

    /// A directory that is not there will be noticed where it appears.
    fn cannot_enter(&mut self, path: &Path, error: io::Error) {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                self.collected.needs_events_from(path);
            }
            _ => self.collected.unreadable(path, error),
        }
    }

    fn component(&self, state: usize) -> Option<&'a Component> {
        self.components.get(state)
    }

    fn is_any_depth(&self, state: usize) -> bool {
        matches!(self.component(state), Some(Component::AnyDepth))
    }

    fn is_end(&self, state: usize) -> bool {
        state == self.components.len()
    }
}
