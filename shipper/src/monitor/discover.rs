//! Which files there are: names, patterns and directories turned into regular files, each once.
//!
//! A file is found by looking, every time anew; events only say when to look. What cannot be seen
//! (a directory without permission, a stalled mount) is reported apart from what is not there.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::identity::FileKey;

/// `*` does not match a hidden file, as in a shell.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// A pattern that excludes may match hidden files and directories too.
const EXCLUDING: MatchOptions = MatchOptions { require_literal_leading_dot: false, ..MATCHING };

/// What one `[[monitor]]` table watches.
#[derive(Debug, Clone)]
pub struct Watched {
    places: Vec<Place>,
    excluded: Vec<Pattern>,
}

#[derive(Debug, Clone)]
enum Place {
    /// A file, or a directory whose files are meant.
    Path(PathBuf),
    /// A pattern, and the directory in front of its first wildcard.
    Glob { pattern: Pattern, base: PathBuf, recursive: bool },
}

/// A regular file that matches.
#[derive(Debug, Clone)]
pub struct Found {
    /// Under which name.
    pub path: PathBuf,
    /// Which file it is.
    pub key: FileKey,
    /// Which table it belongs to.
    pub input: usize,
}

/// What a scan saw, and what it could not see.
#[derive(Debug, Default)]
pub struct Scan {
    /// The files, sorted by path, each inode once.
    pub found: Vec<Found>,
    /// Names without wildcards that are not there.
    pub missing: Vec<PathBuf>,
    /// Patterns and directories without a single file.
    pub empty: Vec<String>,
    /// What could not be looked at, and why.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// A directory to have events from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WatchDirectory {
    /// The directory.
    pub path: PathBuf,
    /// Whether the directories in it matter as well.
    pub recursive: bool,
}

impl Watched {
    /// Reads `paths` (files, directories, patterns with `* ? [ ] **`) and `exclude` (patterns, of
    /// the whole path where they have a slash, else of the file name).
    ///
    /// # Errors
    /// When a pattern cannot be read; the message names it.
    pub fn new(paths: &[String], exclude: &[String]) -> Result<Self, String> {
        let compile = |text: &str| {
            Pattern::new(text).map_err(|error| format!("bad pattern {text:?}: {error}"))
        };
        let place = |text: &String| -> Result<Place, String> {
            let absolute =
                std::path::absolute(text).map_err(|error| format!("{text:?}: {error}"))?;
            let Some(wildcard) = text.find(['*', '?', '[']) else {
                return Ok(Place::Path(absolute));
            };
            let pattern = compile(&absolute.to_string_lossy())?;
            let literal =
                absolute.ancestors().find(|path| !path.to_string_lossy().contains(['*', '?', '[']));
            let recursive = text.get(wildcard..).is_some_and(|rest| rest.contains('/'));
            let base = literal.unwrap_or(Path::new("/")).to_owned();
            Ok(Place::Glob { pattern, base, recursive })
        };
        Ok(Self {
            places: paths.iter().map(place).collect::<Result<_, _>>()?,
            excluded: exclude.iter().map(|text| compile(text)).collect::<Result<_, _>>()?,
        })
    }

    /// Whether a file of this name would be found.
    pub fn owns(&self, path: &Path) -> bool {
        !self.is_excluded(path)
            && self.places.iter().any(|place| match place {
                Place::Path(own) => own == path || path.parent() == Some(own),
                Place::Glob { pattern, .. } => pattern.matches_path_with(path, MATCHING),
            })
    }

    fn is_excluded(&self, path: &Path) -> bool {
        let name = path.file_name().map(Path::new);
        self.excluded.iter().any(|pattern| {
            if pattern.as_str().contains('/') {
                pattern.matches_path_with(path, EXCLUDING)
            } else {
                name.is_some_and(|name| pattern.matches_path(name))
            }
        })
    }

    /// The directories whose events say that something changed here.
    pub fn directories(&self) -> Vec<WatchDirectory> {
        let mut directories = Vec::new();
        for place in &self.places {
            match place {
                Place::Path(path) => {
                    let parent = path.parent().unwrap_or(path).to_owned();
                    directories.push(WatchDirectory { path: parent, recursive: false });
                    if path.is_dir() {
                        directories.push(WatchDirectory { path: path.clone(), recursive: false });
                    }
                }
                Place::Glob { base, recursive, .. } => {
                    directories.push(WatchDirectory { path: base.clone(), recursive: *recursive });
                }
            }
        }
        directories
    }
}

/// Looks at all that is watched.
pub fn scan(inputs: &[Watched]) -> Scan {
    let mut scan = Scan::default();
    let mut seen = HashSet::new();
    for (input, watched) in inputs.iter().enumerate() {
        for place in &watched.places {
            let before = scan.found.len();
            let mut add = |path: PathBuf, scan: &mut Scan| {
                if !watched.is_excluded(&path) {
                    add_file(path, input, &mut seen, scan);
                }
            };
            match place {
                Place::Path(path) => scan_path(path, &mut scan, &mut add),
                Place::Glob { pattern, .. } => {
                    scan_glob(pattern, &mut scan, &mut add);
                    if scan.found.len() == before {
                        scan.empty.push(pattern.as_str().to_owned());
                    }
                }
            }
        }
    }
    scan.found.sort_by(|left, right| left.path.cmp(&right.path));
    scan
}

fn scan_path(path: &Path, scan: &mut Scan, add: &mut impl FnMut(PathBuf, &mut Scan)) {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => scan_directory(path, scan, add),
        Ok(_) => add(path.to_owned(), scan),
        Err(error) if error.kind() == ErrorKind::NotFound => scan.missing.push(path.to_owned()),
        Err(error) => scan.unreadable.push((path.to_owned(), error)),
    }
}

fn scan_directory(path: &Path, scan: &mut Scan, add: &mut impl FnMut(PathBuf, &mut Scan)) {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return scan.unreadable.push((path.to_owned(), error)),
    };
    let before = scan.found.len();
    for entry in entries {
        match entry {
            Ok(entry) if !is_hidden(&entry.path()) => add(entry.path(), scan),
            Ok(_) => {}
            Err(error) => scan.unreadable.push((path.to_owned(), error)),
        }
    }
    if scan.found.len() == before {
        scan.empty.push(path.display().to_string());
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn scan_glob(pattern: &Pattern, scan: &mut Scan, add: &mut impl FnMut(PathBuf, &mut Scan)) {
    // The pattern was compiled before, so it can be again.
    let Ok(paths) = glob::glob_with(pattern.as_str(), MATCHING) else { return };
    for path in paths {
        match path {
            Ok(path) => add(path, scan),
            Err(error) => {
                let path = error.path().to_owned();
                scan.unreadable.push((path, error.into()));
            }
        }
    }
}

/// Notes a regular file, unless it was found under another name.
fn add_file(path: PathBuf, input: usize, seen: &mut HashSet<FileKey>, scan: &mut Scan) {
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => {
            let key = FileKey::from(&metadata);
            if seen.insert(key) {
                scan.found.push(Found { path, key, input });
            }
        }
        // A directory, a pipe, a device; or gone between the listing and now.
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => scan.unreadable.push((path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn names(scan: &Scan, root: &Path) -> Vec<String> {
        let name = |found: &Found| found.path.strip_prefix(root).unwrap().display().to_string();
        scan.found.iter().map(name).collect()
    }

    fn watched(root: &Path, paths: &[&str], exclude: &[&str]) -> Watched {
        let paths: Vec<String> =
            paths.iter().map(|path| root.join(path).display().to_string()).collect();
        let exclude: Vec<String> = exclude.iter().map(|text| (*text).to_owned()).collect();
        Watched::new(&paths, &exclude).unwrap()
    }

    fn tree() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in
            ["a.log", "b.log", "b.log.gz", "c.txt", "sub/d.log", "sub/deep/e.log", ".hidden.log"]
        {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        directory
    }

    #[test]
    fn files_directories_and_patterns_are_found_once() {
        let tree = tree();
        let root = tree.path();
        for (paths, exclude, expected) in [
            (&["a.log"][..], &[][..], &["a.log"][..]),
            (&["a.log", "*.log", "."], &["*.gz"], &["a.log", "b.log", "c.txt"]),
            (&["**/*.log"], &[], &["a.log", "b.log", "sub/d.log", "sub/deep/e.log"]),
            (&["**/*.log"], &["**/deep/*"], &["a.log", "b.log", "sub/d.log"]),
            (&["sub"], &[], &["sub/d.log"]),
            (&["[ab].log"], &["b*"], &["a.log"]),
        ] {
            let scan = scan(&[watched(root, paths, exclude)]);
            assert_eq!(names(&scan, root), expected, "{paths:?}");
        }
    }

    #[test]
    fn links_to_the_same_file_are_one_file() {
        let tree = tree();
        let root = tree.path();
        symlink(root.join("a.log"), root.join("z.log")).unwrap();
        fs::hard_link(root.join("a.log"), root.join("y.log")).unwrap();
        symlink(root.join("loop.log"), root.join("loop.log")).unwrap();
        symlink(root.join("sub"), root.join("dir.log")).unwrap();
        let scan = scan(&[watched(root, &["*.log"], &[])]);
        assert_eq!(names(&scan, root), ["a.log", "b.log"]);
    }

    #[test]
    fn what_is_missing_or_empty_is_told_apart() {
        let tree = tree();
        let root = tree.path();
        fs::create_dir(root.join("none")).unwrap();
        let scan = scan(&[watched(root, &["nothing.log", "*.none", "none"], &[])]);
        assert_eq!(scan.missing, [root.join("nothing.log")]);
        assert_eq!(
            scan.empty,
            [root.join("*.none").display().to_string(), root.join("none").display().to_string()]
        );
        assert!(Watched::new(&["/a/[".to_owned()], &[]).is_err());
    }

    #[test]
    fn directories_to_watch_are_those_in_front_of_the_wildcard() {
        let tree = tree();
        let root = tree.path();
        let directories = watched(root, &["a.log", "*.log", "sub/**/x*", "sub"], &[]).directories();
        let directory = |path: PathBuf, recursive| WatchDirectory { path, recursive };
        assert_eq!(
            directories,
            [
                directory(root.to_owned(), false),
                directory(root.to_owned(), false),
                directory(root.join("sub"), true),
                directory(root.to_owned(), false),
                directory(root.join("sub"), false),
            ]
        );
        assert!(watched(root, &["*.log"], &[]).owns(&root.join("q.log")));
        assert!(!watched(root, &["*.log"], &["q*"]).owns(&root.join("q.log")));
        assert!(watched(root, &["sub"], &[]).owns(&root.join("sub/d.log")));
    }
}
