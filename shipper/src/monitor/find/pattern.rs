//! A pattern of paths, one component at a time, so that a walk can tell early where it need not go.

use std::ffi::{OsStr, OsString};
use std::path::{self, Path};

use glob::{MatchOptions, Pattern, PatternError};

/// `*` does not match a hidden file, as in a shell.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// A pattern that excludes may match hidden files and directories too.
const EXCLUDING: MatchOptions = MatchOptions { require_literal_leading_dot: false, ..MATCHING };

/// So many patterns may stand in one.
const MOST_ALTERNATIVES: usize = 1000;

/// One component of a path that is looked for.
#[derive(Debug, Clone)]
pub enum Component {
    /// Exactly this name.
    Name(OsString),
    /// A name that matches.
    Wild(Pattern),
    /// Any name that is not hidden.
    Visible,
    /// Any number of directories that are not hidden: `**`.
    AnyDepth,
}

/// A pattern with `* ? [ ] **` that paths are found by.
#[derive(Debug, Clone)]
pub struct PathPattern {
    whole: Pattern,
    components: Vec<Component>,
}

impl PathPattern {
    /// Reads the pattern in `absolute`, which is behind the directory `base`, if that is not empty: that
    /// is a name. At its end, `**` stands for all files below.
    ///
    /// # Errors
    /// When a component cannot be read.
    pub fn below(base: &Path, absolute: &Path) -> Result<Self, PatternError> {
        let escaped = absolute
            .strip_prefix(base)
            .map(|pattern| Path::new(&Pattern::escape(&base.to_string_lossy())).join(pattern));
        let absolute = escaped.as_deref().unwrap_or(absolute);
        let names = absolute.components().filter_map(|component| match component {
            path::Component::Normal(name) => Some(name),
            path::Component::ParentDir => Some(OsStr::new("..")),
            _ => None,
        });
        let mut components = names.map(Component::new).collect::<Result<Vec<_>, _>>()?;
        if let Some(Component::AnyDepth) = components.last() {
            components.push(Component::Visible);
        }
        Ok(Self { whole: Pattern::new(&absolute.to_string_lossy())?, components })
    }

    /// The pattern as it was written, made absolute.
    pub fn as_str(&self) -> &str {
        self.whole.as_str()
    }

    /// The components below the root.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// Whether the walk of this pattern would find a file of this path.
    pub fn matches(&self, path: &Path) -> bool {
        self.whole.matches_with(&path.to_string_lossy(), MATCHING)
    }
}

impl Component {
    fn new(name: &OsStr) -> Result<Self, PatternError> {
        let text = name.to_string_lossy();
        Ok(match &*text {
            "**" => Self::AnyDepth,
            text if has_wildcard(text) => Self::Wild(Pattern::new(text)?),
            _ => Self::Name(name.to_owned()),
        })
    }

    /// Whether a file or directory of this name fits here. A name that is not UTF-8 is compared
    /// with U+FFFD for what is not: patterns are text.
    pub fn fits(&self, name: &OsStr) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Wild(pattern) => pattern.matches_with(&name.to_string_lossy(), MATCHING),
            Self::Visible | Self::AnyDepth => !name.as_encoded_bytes().starts_with(b"."),
        }
    }
}

/// Whether this is more than a name.
pub fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The patterns that `{a,b}` in `text` stands for: one for each, at most so many that they can be
/// looked for; `None` when there are more. A brace without a comma is a letter, as in a shell.
pub fn alternatives(text: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut left = vec![text.to_owned()];
    while let Some(text) = left.pop() {
        match first_choice(&text) {
            None => found.push(text),
            Some((before, choices, behind)) => {
                let whole = choices.iter().map(|choice| format!("{before}{choice}{behind}"));
                left.extend(whole.rev());
            }
        }
        if found.len() + left.len() > MOST_ALTERNATIVES {
            return None;
        }
    }
    Some(found)
}

/// The first innermost `{a,b}` of a text: what stands before it, its choices, and what stands behind.
fn first_choice(text: &str) -> Option<(&str, Vec<&str>, &str)> {
    for (end, _) in text.match_indices('}') {
        let (before, behind) = text.split_at_checked(end)?;
        let Some((before, choices)) = before.rsplit_once('{') else { continue };
        if choices.contains(',') && !choices.contains('}') {
            return Some((before, choices.split(',').collect(), behind.strip_prefix('}')?));
        }
    }
    None
}

/// A pattern of what is not wanted: of the whole path where it has a slash, else of the file name.
#[derive(Debug, Clone)]
pub struct Exclusion {
    pattern: Pattern,
    is_of_path: bool,
    /// The directories of which everything is excluded.
    tree: Option<Pattern>,
}

impl Exclusion {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let tree = text.strip_suffix("/**").or_else(|| text.strip_suffix("/**/*"));
        Ok(Self {
            pattern: Pattern::new(text)?,
            is_of_path: text.contains('/'),
            tree: tree.map(Pattern::new).transpose()?,
        })
    }

    /// Whether a file of this path is not wanted.
    pub fn excludes(&self, path: &Path) -> bool {
        if self.is_of_path {
            return self.pattern.matches_with(&path.to_string_lossy(), EXCLUDING);
        }
        path.file_name().is_some_and(|name| self.pattern.matches(&name.to_string_lossy()))
    }

    /// Whether nothing below this directory is wanted.
    pub fn excludes_all_below(&self, directory: &Path) -> bool {
        let text = directory.to_string_lossy();
        self.tree.as_ref().is_some_and(|tree| {
            tree.matches_with(&text, EXCLUDING) || self.pattern.matches_with(&text, EXCLUDING)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_below_a_tree_is_excluded_and_nothing_beside_it() {
        let exclusion = Exclusion::new("/var/log/private/**").unwrap();
        for below in ["/var/log/private", "/var/log/private/a", "/var/log/private/.a/b"] {
            assert!(exclusion.excludes_all_below(Path::new(below)), "{below}");
        }
        for beside in ["/var/log", "/var/log/privately", "/var/log/x/private"] {
            assert!(!exclusion.excludes_all_below(Path::new(beside)), "{beside}");
        }
        let anywhere = Exclusion::new("**/cache/**").unwrap();
        assert!(anywhere.excludes_all_below(Path::new("/srv/x/cache")));
        assert!(!anywhere.excludes_all_below(Path::new("/srv/x/caches")));
        let files = Exclusion::new("/var/log/private/*").unwrap();
        assert!(!files.excludes_all_below(Path::new("/var/log/private")), "deeper ones are wanted");
    }

    #[test]
    fn braces_with_a_comma_stand_for_several_patterns() {
        let of = |text: &str| alternatives(text).unwrap();
        assert_eq!(of("/l/{a,b}.log"), ["/l/a.log", "/l/b.log"]);
        assert_eq!(of("{a,b}{1,2}"), ["a1", "a2", "b1", "b2"]);
        assert_eq!(of("x{a,b{1,2}}y"), ["xay", "xb1y", "xay", "xb2y"]);
        assert_eq!(of("{,s}x"), ["x", "sx"]);
        for text in ["{4f2a-11}.log", "a{b", "a}b", "{}", "a.log"] {
            assert_eq!(of(text), [text]);
        }
        assert_eq!(alternatives(&"{a,b}".repeat(20)), None);
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_refused() {
        for text in ["/a/[", "/a/b**", "/a/***/c", "/a/[x/y]"] {
            assert!(PathPattern::below(Path::new(""), Path::new(text)).is_err(), "{text}");
        }
    }
}
