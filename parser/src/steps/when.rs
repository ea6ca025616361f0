//! Which lines a step is about.

use regex::Regex;

use super::view::View;

/// The levels from the least to the most severe; those that mean about the same are one.
const LEVELS: [&[&str]; 8] = [
    &["trace"],
    &["debug"],
    &["info"],
    &["notice"],
    &["warn"],
    &["error"],
    &["critical"],
    &["alert", "emergency", "fatal"],
];

/// The names of levels, for messages.
pub const LEVEL_NAMES: &str =
    "trace, debug, info, notice, warn, error, critical, alert, emergency or fatal";

/// How severe a level is; `None` of what is none.
pub fn severity(level: &str) -> Option<usize> {
    LEVELS.iter().position(|names| names.contains(&level))
}

/// What is asked of a line.
#[derive(Debug, Clone)]
pub enum Condition {
    /// Whether it has this field, and one of its values matches the pattern, if there is one.
    Field(Box<str>, Option<Regex>),
    /// Whether its level is at least, or at most, so severe. A line without a level is what is asked for
    /// where that keeps it.
    Level(usize),
}

impl Condition {
    /// Whether a line stays that is to be kept if it fulfils this.
    pub fn keeps(&self, view: &mut View<'_>) -> bool {
        match self {
            Self::Field(..) => self.is_met(view),
            Self::Level(least) => severity_of(view).is_none_or(|found| found >= *least),
        }
    }

    /// Whether a line goes that is to be dropped if it fulfils this.
    pub fn drops(&self, view: &mut View<'_>) -> bool {
        match self {
            Self::Field(..) => self.is_met(view),
            Self::Level(most) => severity_of(view).is_some_and(|found| found <= *most),
        }
    }

    fn is_met(&self, view: &mut View<'_>) -> bool {
        let Self::Field(field, pattern) = self else { return false };
        let Some(node) = view.get(field) else { return false };
        match pattern {
            None => &*node.json() != "null",
            Some(pattern) => node.texts().iter().any(|text| pattern.is_match(text)),
        }
    }
}

fn severity_of(view: &mut View<'_>) -> Option<usize> {
    let node = view.get("log.level")?;
    let texts = node.texts();
    let level = texts.first()?;
    severity(level).or_else(|| severity(crate::level::folded(level.as_bytes())?))
}
