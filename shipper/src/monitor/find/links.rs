//! Which links are followed. A shipper often reads what others cannot, in directories where others may make
//! links: whoever may do so chooses what is read, and shipped, wherever links are followed.
//!
//! The names that somebody wrote into the settings are trusted, with the links in them: `/var/log` may be
//! one. Below, a link counts as [`FollowLinks`] says. A walk leaves out those that are not to be followed;
//! since they may be made in between, what was opened is looked at once more: the system says where it is.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Which links are followed.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum FollowLinks {
    /// All.
    #[default]
    Always,
    /// Those to what is below the directory that is named.
    Inside,
    /// None below the directory that is named.
    Never,
}

/// The rule, and the directories that are named.
#[derive(Debug, Clone, Default)]
pub struct Links {
    which: FollowLinks,
    named: Vec<PathBuf>,
}

impl Links {
    /// This rule below these directories.
    pub fn new(which: FollowLinks, named: Vec<PathBuf>) -> Self {
        Self { which, named }
    }

    /// Whether a link at `path` is to be followed.
    pub fn follows(&self, path: &Path) -> bool {
        match self.which {
            FollowLinks::Always => true,
            // What is above is named.
            _ if !self.concern(path) => true,
            FollowLinks::Never => false,
            // Where it points to nothing, nothing is read.
            FollowLinks::Inside => {
                fs::canonicalize(path).map_or(true, |real| self.is_allowed(path, &real))
            }
        }
    }

    /// Refuses what was opened at `path` if a link led there that is not to be followed.
    ///
    /// # Errors
    /// Of the kind `NotFound` then; others when the system does not say where it is.
    pub fn permit(&self, path: &Path, file: &File) -> io::Result<()> {
        if self.which == FollowLinks::Always {
            return Ok(());
        }
        let real = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        if self.is_allowed(path, &real) {
            return Ok(());
        }
        Err(io::Error::new(
            ErrorKind::NotFound,
            "it is behind a link, and follow_links leaves that out",
        ))
    }

    /// Whether `path` is below a directory that is named.
    pub fn concern(&self, path: &Path) -> bool {
        self.above(path).next().is_some()
    }

    /// The named directories that `path` is below.
    fn above(&self, path: &Path) -> impl Iterator<Item = (&PathBuf, PathBuf)> {
        let path = path.to_owned();
        self.named.iter().filter_map(move |named| {
            let rest = path.strip_prefix(named).ok().filter(|rest| *rest != Path::new(""))?;
            Some((named, rest.to_owned()))
        })
    }

    /// Whether what is found at `path` may be the file that is at `real`, of which no part is a link.
    fn is_allowed(&self, path: &Path, real: &Path) -> bool {
        self.above(path).any(|(named, rest)| {
            fs::canonicalize(named).is_ok_and(|named| match self.which {
                FollowLinks::Always => true,
                FollowLinks::Inside => real.starts_with(named),
                FollowLinks::Never => real == named.join(rest),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// What was opened is permitted or not, by whichever link it was reached.
    #[test]
    fn what_was_opened_is_where_it_may_be() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("real/deep")).unwrap();
        for name in ["real/a.log", "real/deep/b.log", "secret"] {
            fs::write(at(name), name).unwrap();
        }
        // The name of the directory itself may be a link.
        symlink(at("real"), at("named")).unwrap();
        symlink(at("secret"), at("real/out.log")).unwrap();
        symlink("deep/b.log", at("real/in.log")).unwrap();
        symlink(root.path(), at("real/up")).unwrap();
        for (which, name, expected) in [
            (FollowLinks::Never, "named/a.log", true),
            (FollowLinks::Never, "named/deep/b.log", true),
            (FollowLinks::Never, "named/in.log", false),
            (FollowLinks::Never, "named/out.log", false),
            (FollowLinks::Never, "named/up/secret", false),
            (FollowLinks::Inside, "named/a.log", true),
            (FollowLinks::Inside, "named/in.log", true),
            (FollowLinks::Inside, "named/up/real/a.log", true),
            (FollowLinks::Inside, "named/out.log", false),
            (FollowLinks::Inside, "named/up/secret", false),
            (FollowLinks::Always, "named/out.log", true),
        ] {
            let links = Links::new(which, vec![at("named")]);
            let file = File::open(at(name)).unwrap();
            assert_eq!(links.permit(&at(name), &file).is_ok(), expected, "{which:?} {name}");
        }
    }
}
