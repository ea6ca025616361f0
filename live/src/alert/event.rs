//! What is told of alerts. All times are milliseconds since 1970.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::rule::Rule;
use super::state::{Change, Held, State};
use super::text::{seconds, shown};

/// A key of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Named {
    /// The dimension, as it is called.
    pub dimension: String,
    /// The text of the key.
    pub text: String,
}

/// An alert that is raised, cleared, or not known any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, by the times of lines.
    pub at: i64,
    /// What happened.
    pub change: Change,
    /// The alert, as it is from then on.
    pub alert: Alert,
}

/// An alert: a rule and, if it has one, a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The same for the same rule and key, whenever: 16 hexadecimal digits.
    pub fingerprint: String,
    /// The name of the rule.
    pub rule: String,
    /// How bad it is.
    pub severity: String,
    /// Whose lines; `None` for all.
    pub key: Option<Named>,
    /// What is measured.
    pub measure: String,
    /// Where it stands.
    pub state: State,
    /// Since when something is wrong.
    pub began: i64,
    /// Since when it stands there.
    pub since: i64,
    /// The last value that was known.
    pub value: f64,
    /// The value for people.
    pub shown: String,
    /// The value from which on it is raised.
    pub limit: f64,
    /// What is said of it.
    pub text: String,
}

impl Alert {
    /// An alert as it is held.
    pub(super) fn new(rule: &Rule, key: Option<Named>, held: &Held) -> Self {
        let value = shown(held.value, rule.measure.unit());
        let name = key.as_ref().map_or("all traffic", |key| key.text.as_str());
        let text = rule.text.fill(|wanted| match wanted {
            "name" => rule.name.clone(),
            "key" => name.to_owned(),
            "value" => value.clone(),
            "limit" => shown(rule.limit.raise(), rule.measure.unit()),
            "clear" => shown(rule.limit.clear(), rule.measure.unit()),
            "window" => seconds(rule.window.as_secs_f64()),
            "severity" => rule.severity.clone(),
            _ => word(held.state).to_owned(),
        });
        Self {
            fingerprint: fingerprint(&rule.name, key.as_ref()),
            rule: rule.name.clone(),
            severity: rule.severity.clone(),
            measure: rule.measure.name().to_owned(),
            state: held.state,
            began: held.began,
            since: held.since,
            value: held.value,
            shown: value,
            limit: rule.limit.raise(),
            text,
            key,
        }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Ok => "cleared",
        State::Pending => "pending",
        State::Firing => "raised",
        State::Recovering => "recovering",
        State::NoData => "no data",
    }
}

/// What tells alerts apart.
fn fingerprint(rule: &str, key: Option<&Named>) -> String {
    let mut text = rule.as_bytes().to_vec();
    if let Some(key) = key {
        for part in [&key.dimension, &key.text] {
            text.push(0);
            text.extend_from_slice(part.as_bytes());
        }
    }
    format!("{:016x}", xxh3_64(&text))
}
