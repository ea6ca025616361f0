//! Which files there are: names, patterns and directories turned into regular files, each once.
//!
//! A file is found by looking, every time anew; events only say when to look. What cannot be seen
//! (a directory without permission, a stalled mount) is reported apart from what is not there.

use std::fs::{self, File, FileType};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use omphalos_common::config::{has_bytes, path_of};

use crate::monitor::find::links::{FollowLinks, Links};
use crate::monitor::find::pattern::{
    Component, Exclusion, PathPattern, alternatives, has_wildcard,
};
use crate::monitor::find::walk::{Collected, Walk};
use crate::monitor::know::copies::Candidate;
use crate::monitor::position::entry::Stamp;
use crate::monitor::position::identity::FileKey;

/// What one `[[monitor]]` table watches.
#[derive(Debug, Clone)]
pub struct Watched {
    places: Vec<Place>,
    excluded: Vec<Exclusion>,
    links: Links,
}

#[derive(Debug, Clone)]
enum Place {
    /// A file, or a directory whose files are meant.
    Path(PathBuf),
    /// A pattern, or the name of a file that looks like one.
    Glob(Glob),
}

#[derive(Debug, Clone)]
struct Glob {
    pattern: PathPattern,
    /// All of it as a name.
    name: PathBuf,
    /// The directories in it whose names look like patterns, the longest first, each with the pattern
    /// for where it is there.
    directories: Vec<(PathBuf, PathPattern)>,
}

impl Glob {
    /// What is to be looked for now: a directory that is there is what its name means.
    fn pattern(&self) -> &PathPattern {
        let there = self.directories.iter().find(|(directory, _)| directory.is_dir());
        there.map_or(&self.pattern, |(_, pattern)| pattern)
    }

    /// The directories before the first part that is a pattern, whichever that is.
    fn named(&self) -> Vec<PathBuf> {
        let patterns = self.directories.iter().map(|(_, pattern)| pattern).chain([&self.pattern]);
        let before = |pattern: &PathPattern| {
            let names = pattern.components().split_last().map_or(&[][..], |(_, before)| before);
            let names = names.iter().map_while(|part| match part {
                Component::Name(name) => Some(name),
                _ => None,
            });
            Path::new("/").join(names.collect::<PathBuf>())
        };
        patterns.map(before).collect()
    }

    fn matches(&self, path: &Path) -> bool {
        self.name == path
            || self.pattern.matches(path)
            || self.directories.iter().any(|(_, pattern)| pattern.matches(path))
    }
}

/// A regular file that matches.
#[derive(Debug, Clone)]
pub struct Found {
    /// Path under which it was found.
    pub path: PathBuf,
    /// Device, inode and time of birth.
    pub key: FileKey,
    /// Which table it belongs to.
    pub input: usize,
    /// Size and times when it was found.
    pub stamp: Stamp,
}

impl Found {
    /// The same, to be compared with files that are known.
    pub fn candidate(&self) -> Candidate<'_> {
        Candidate { path: &self.path, key: self.key, modified: self.stamp.modified }
    }
}

/// What a scan saw, and what it could not see.
#[derive(Debug, Default)]
pub struct Scan {
    /// The files, sorted by path, each inode once.
    pub found: Vec<Found>,
    /// Those of them that are links, and where the file itself is.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Names without wildcards that are not there.
    pub missing: Vec<PathBuf>,
    /// Names without wildcards that are neither a regular file nor a directory, and what they are.
    pub irregular: Vec<(PathBuf, &'static str)>,
    /// Names without wildcards of files that `exclude` leaves out.
    pub excluded: Vec<PathBuf>,
    /// Patterns and directories without a single file.
    pub empty: Vec<String>,
    /// What could not be looked at, and why.
    pub unreadable: Vec<(PathBuf, io::Error)>,
    /// The directories to have events from, sorted: those in which something was looked for, and
    /// for each that is not there the nearest one above it that is.
    pub directories: Vec<PathBuf>,
}

impl Watched {
    /// Reads `paths` (files, directories, patterns with `* ? [ ] **`) and `exclude` (patterns, of
    /// the whole path where they have a slash, else of the file name).
    ///
    /// # Errors
    /// When a pattern cannot be read; the message names it.
    pub fn new(paths: &[String], exclude: &[String]) -> Result<Self, String> {
        let bad = |text: &str, error| format!("bad pattern {text:?}: {error}");
        let mut places = Vec::new();
        for text in paths {
            places.extend(places_of(text)?);
        }
        let exclusion = |text: &String| Exclusion::new(text).map_err(|error| bad(text, error));
        let excluded = exclude.iter().map(exclusion).collect::<Result<_, _>>()?;
        Ok(Self { places, excluded, links: Links::default() })
    }

    /// The same with fewer links.
    #[must_use]
    pub fn follow(mut self, which: FollowLinks) -> Self {
        let named = self.places.iter().flat_map(|place| match place {
            Place::Path(path) if path.is_dir() => vec![path.clone()],
            Place::Path(path) => vec![path.parent().unwrap_or(path).to_owned()],
            Place::Glob(glob) => glob.named(),
        });
        self.links = Links::new(which, named.collect());
        self
    }

    /// Refuses what was opened at `path` if a link led there that is not to be followed.
    ///
    /// # Errors
    /// Then, and when the system does not say where it is.
    pub fn permit(&self, path: &Path, file: &File) -> io::Result<()> {
        self.links.permit(path, file)
    }

    /// Whether `path` is below a directory that is named here.
    pub fn concerns(&self, path: &Path) -> bool {
        self.links.concern(path)
    }

    /// Whether a link at `path` is to be followed.
    pub fn follows(&self, path: &Path) -> bool {
        self.links.follows(path)
    }

    /// This file and nothing else, whatever characters are in its name.
    pub fn only(path: &Path) -> Self {
        let places = vec![Place::Path(path.to_owned())];
        Self { places, excluded: Vec::new(), links: Links::default() }
    }

    /// Whether a file of this name would be found.
    pub fn owns(&self, path: &Path) -> bool {
        !self.is_excluded(path)
            && self.places.iter().any(|place| match place {
                Place::Path(own) => own == path || path.parent() == Some(own),
                Place::Glob(glob) => glob.matches(path),
            })
    }

    /// Whether a file of this name is not wanted.
    pub fn is_excluded(&self, path: &Path) -> bool {
        self.excluded.iter().any(|exclusion| exclusion.excludes(path))
    }

    /// Whether nothing below this directory is wanted.
    pub fn excludes_all_below(&self, directory: &Path) -> bool {
        self.excluded.iter().any(|exclusion| exclusion.excludes_all_below(directory))
    }
}

/// A `[[monitor]]` table.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    /// Which one.
    pub input: usize,
    /// What it watches.
    pub watched: &'a Watched,
}

/// Looks at all that is watched.
pub fn scan(inputs: &[Watched]) -> Scan {
    let mut collected = Collected::default();
    for (input, watched) in inputs.iter().enumerate() {
        let table = Table { input, watched };
        for place in &watched.places {
            match place {
                Place::Path(path) => look_at(path, table, &mut collected),
                Place::Glob(glob) => look_for(glob, table, &mut collected),
            }
        }
    }
    collected.into_scan()
}

/// What is meant by a text of `paths`.
fn places_of(text: &str) -> Result<Vec<Place>, String> {
    let unusable = |error: io::Error| format!("{text:?}: {error}");
    let name = std::path::absolute(path_of(text)).map_err(unusable)?;
    let is_there = fs::symlink_metadata(&name).is_ok();
    let finds_others = text.contains(['*', '?']);
    if has_bytes(text) || is_there && !finds_others {
        return Ok(vec![Place::Path(name)]);
    }
    if !is_there && (text == "~" || text.starts_with('~') && text.contains('/')) {
        return Err(format!(
            "{text:?}: ~ is not replaced here, as a shell would; write the whole path, such as /home/NAME/…"
        ));
    }
    let texts = if is_there { Some(vec![text.to_owned()]) } else { choices(text) };
    let texts = texts.ok_or_else(|| {
        format!(
            "{text:?}: the braces stand for more patterns than can be looked for; use * instead"
        )
    })?;
    let place = |text: String| {
        let absolute = std::path::absolute(&text).map_err(unusable)?;
        if !has_wildcard(&text) {
            return Ok(Place::Path(absolute));
        }
        let base = std::env::current_dir().ok().filter(|_| Path::new(&text).is_relative());
        let base = base.unwrap_or_default();
        let below = |base: &Path| {
            let pattern = PathPattern::below(base, &absolute);
            pattern.map_err(|error| format!("bad pattern {text:?}: {error}"))
        };
        let names = absolute.ancestors().skip(1).filter(|name| looks_like_pattern(name, &base));
        let directories = names.map(|name| Ok((name.to_owned(), below(name)?)));
        let directories = directories.collect::<Result<_, String>>()?;
        Ok(Place::Glob(Glob { pattern: below(&base)?, name: absolute, directories }))
    };
    texts.into_iter().map(place).collect()
}

/// Whether the last part of a name below `base` looks like a pattern, and could be a name all the same:
/// `*` and `?` are always meant to match others.
fn looks_like_pattern(name: &Path, base: &Path) -> bool {
    let last = name.file_name().unwrap_or_default().to_string_lossy();
    let is_below = name.strip_prefix(base).is_ok_and(|below| below != Path::new(""));
    is_below && last.contains('[') && !name.to_string_lossy().contains(['*', '?'])
}

/// What `{a,b}` in a text stands for, behind the directory that is there.
fn choices(text: &str) -> Option<Vec<String>> {
    let directory = Path::new(text).ancestors().skip(1).filter_map(Path::to_str);
    let directory = directory.filter(|name| !name.is_empty()).find(|name| Path::new(name).is_dir());
    let (there, rest) = text.split_at_checked(directory.map_or(0, str::len))?;
    let all = alternatives(rest)?;
    Some(all.into_iter().map(|rest| format!("{there}{rest}")).collect())
}

/// Looks for what matches a pattern. A file that has it for a name is what is meant by it, as a shell
/// gives names; but nobody who may make one file takes away the others that `*` and `?` match.
fn look_for(glob: &Glob, table: Table<'_>, collected: &mut Collected) {
    let (name, pattern) = (glob.name.as_path(), glob.pattern());
    let is_name = fs::symlink_metadata(name).is_ok();
    if is_name {
        look_at(name, table, collected);
    }
    if !is_name || name.to_string_lossy().contains(['*', '?']) {
        let walk = Walk::new(pattern.components(), table, collected);
        if walk.from(Path::new("/")) == 0 && !is_name {
            collected.scan().empty.push(pattern.as_str().to_owned());
        }
    }
}

/// Looks at a name without wildcards.
fn look_at(path: &Path, table: Table<'_>, collected: &mut Collected) {
    collected.needs_events_from(path.parent().unwrap_or(path));
    // Where it is a link, what it points to may come and go.
    let target = collected.follow_link(path);
    if target.is_some() && !table.watched.follows(path) {
        return collected.refuse_link(path);
    }
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let walk = Walk::new(&[Component::Visible], table, collected);
            if walk.from(path) == 0 {
                collected.scan().empty.push(path.display().to_string());
            }
        }
        Ok(metadata) if metadata.is_file() && table.watched.is_excluded(path) => {
            collected.scan().excluded.push(path.to_owned());
        }
        Ok(metadata) if metadata.is_file() => {
            let mut walk = Walk::new(&[], table, collected);
            match target {
                Some(_) => walk.link(path, vec![0]),
                None => walk.file(path.to_owned()),
            }
        }
        Ok(metadata) => {
            let kind = kind_of(metadata.file_type());
            collected.scan().irregular.push((path.to_owned(), kind));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            collected.scan().missing.push(path.to_owned());
        }
        Err(error) => collected.unreadable(path, error),
    }
}

/// What a file is that is none to be read on and on.
pub fn kind_of(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_dir() => "a directory",
        _ => "a device",
    }
}

#[cfg(test)]
mod tests;
