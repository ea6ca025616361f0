//! What is kept of alerts while nobody watches.

use serde::{Deserialize, Serialize};

use super::event::Alert;
use super::rule::Of;
use super::state::Held;

/// Alerts, and what is known of keys, as they were at the end of the last step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The rules.
    pub rules: Vec<SavedRule>,
    /// Which keys there were.
    pub known: Vec<SavedKeys>,
}

/// A rule and its alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedRule {
    /// The name of the rule.
    pub name: String,
    /// What it says, so that another of the same name is told from it.
    pub meaning: String,
    /// Up to when it was judged, in milliseconds since 1970.
    pub judged: Option<i64>,
    /// Its alerts.
    pub held: Vec<SavedHeld>,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedHeld {
    /// The text of its key.
    pub key: String,
    /// Where it stands.
    pub held: Held,
    /// What is told of it if its rule is gone.
    pub alert: Alert,
}

/// Keys of a dimension among the lines of a filter, each with the time of its last line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedKeys {
    /// What was seen.
    #[serde(default = "lines")]
    pub of: String,
    /// The filter.
    pub filter: String,
    /// The dimension; `None` for all lines.
    pub dimension: Option<String>,
    /// Texts, and milliseconds since 1970. A key is there once more for each step that had not ended.
    pub keys: Vec<(String, i64)>,
}

fn lines() -> String {
    Of::Lines.name().to_owned()
}
