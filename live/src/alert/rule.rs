//! What a rule says: which lines are measured, how, from which value on an alert is raised, and below
//! which one it clears.

use std::time::Duration;

use crate::dimension::Dimension;
use crate::filter::Filter;

use super::group::FORGOTTEN_AFTER;
use super::text::{Template, shown};

/// So long may a window be, and a time without lines.
const LONGEST: Duration = Duration::from_hours(30 * 24);
/// After so long a key is forgotten.
const FORGOTTEN: Duration = Duration::from_millis(FORGOTTEN_AFTER.unsigned_abs());
/// How long steps can be, in seconds.
const STEPS: [u64; 14] = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200];
/// Steps that a window has if it can, and at most.
const FEW_STEPS: u64 = 60;
const MOST_STEPS: u64 = 360;

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it is called; no two rules have one name.
    pub name: String,
    /// Whether lines are measured, or heartbeats.
    pub of: Of,
    /// Which lines are measured.
    pub filter: Option<Filter>,
    /// Whose lines.
    pub subject: Subject,
    /// What of them.
    pub measure: Measure,
    /// From which value on.
    pub limit: Limit,
    /// Over how long.
    pub window: Duration,
    /// So long it must have been so before the alert is raised.
    pub wait: Duration,
    /// So long it must have been well before the alert is cleared.
    pub keep: Duration,
    /// Without so many lines in the window, shares, times and changes are not known.
    pub least_hits: u64,
    /// So long an alert stays what it is while its value is not known, for want of lines.
    pub no_data: Duration,
    /// Whether it is an alert when that has passed.
    pub raises_without_data: bool,
    /// How bad that is.
    pub severity: String,
    /// What is said of it.
    pub text: Template,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Of {
    /// Lines.
    #[default]
    Lines,
    /// What shippers and indexers say of themselves, which no other rule sees.
    Heartbeats,
}

impl Of {
    /// What they are called.
    pub const NAMES: [&str; 2] = ["lines", "heartbeats"];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "lines" => Some(Self::Lines),
            "heartbeats" => Some(Self::Heartbeats),
            _ => None,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Heartbeats => "heartbeats",
        }
    }
}

/// Whose lines are measured.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// All of them.
    All,
    /// Those of one key.
    Key(Dimension, String),
    /// Those of each key by itself.
    Each(Dimension),
}

impl Subject {
    /// The dimension of its keys.
    pub fn dimension(&self) -> Option<&Dimension> {
        match self {
            Self::All => None,
            Self::Key(dimension, _) | Self::Each(dimension) => Some(dimension),
        }
    }
}

/// What is measured of lines in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// How many there are.
    Hits,
    /// How many there are a second.
    Rate,
    /// The bytes of their responses.
    Bytes,
    /// Which part of them are errors, in percent.
    ErrorShare,
    /// What so many of a thousand of them took at most, in seconds.
    Latency(u16),
    /// How long ago the last one was, in seconds.
    Silence,
    /// By how much they are more than in the window before, in percent; negative if they are less.
    Change,
}

/// Of what kind the values of a measure are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of lines.
    Hits,
    /// Lines a second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// Hundredths.
    Percent,
    /// Seconds.
    Seconds,
}

/// What measures are called, and the unit of each.
const MEASURES: [(Measure, &str, Unit); 9] = [
    (Measure::Hits, "hits", Unit::Hits),
    (Measure::Rate, "rate", Unit::PerSecond),
    (Measure::Bytes, "bytes", Unit::Bytes),
    (Measure::ErrorShare, "error_share", Unit::Percent),
    (Measure::Latency(500), "latency_p50", Unit::Seconds),
    (Measure::Latency(950), "latency_p95", Unit::Seconds),
    (Measure::Latency(990), "latency_p99", Unit::Seconds),
    (Measure::Silence, "silence", Unit::Seconds),
    (Measure::Change, "change", Unit::Percent),
];

impl Measure {
    /// What all are called.
    pub const NAMES: [&str; 9] = {
        let mut names = [""; 9];
        let mut at = 0;
        while at < names.len() {
            #[expect(clippy::indexing_slicing, reason = "checked while it is compiled")]
            {
                names[at] = MEASURES[at].1;
            }
            at += 1;
        }
        names
    };

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        MEASURES.iter().find(|(_, own, _)| *own == name).map(|(measure, _, _)| *measure)
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        MEASURES.iter().find(|(own, _, _)| *own == self).map_or("latency", |(_, name, _)| name)
    }

    /// Of what kind its values are.
    pub fn unit(self) -> Unit {
        let found = MEASURES.iter().find(|(own, _, _)| *own == self);
        found.map_or(Unit::Seconds, |(_, _, unit)| *unit)
    }

    /// Whether no line at all means the value 0, and is not a value that is unknown.
    pub(super) fn is_sum(self) -> bool {
        matches!(self, Self::Hits | Self::Rate | Self::Bytes)
    }
}

/// From which value on an alert is raised, and from which on it is well again: between both it stays
/// what it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// Raised at this value or above, well below the other.
    AtLeast {
        /// From here on.
        raise: f64,
        /// Below this.
        clear: f64,
    },
    /// Raised at this value or below, well above the other.
    AtMost {
        /// Down from here.
        raise: f64,
        /// Above this.
        clear: f64,
    },
}

impl Limit {
    /// The value at which it is raised.
    pub fn raise(self) -> f64 {
        match self {
            Self::AtLeast { raise, .. } | Self::AtMost { raise, .. } => raise,
        }
    }

    /// The value at which it is well again.
    pub fn clear(self) -> f64 {
        match self {
            Self::AtLeast { clear, .. } | Self::AtMost { clear, .. } => clear,
        }
    }
}

/// A rule that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: expected {expected}, found {found}")]
pub struct RuleProblem {
    /// Which setting of the rule.
    pub setting: &'static str,
    expected: String,
    found: String,
}

impl Rule {
    /// How long the steps are by which its window moves: as many as give a window of at most 60 of them,
    /// or else as few as can be. `None` if no step divides the window.
    pub fn step(&self) -> Option<Duration> {
        let window = self.horizon();
        let seconds = window.as_secs();
        if seconds == 0 || window.subsec_nanos() > 0 {
            return None;
        }
        let find = |most: u64| {
            let fits = |step: &u64| seconds.is_multiple_of(*step) && seconds / *step <= most;
            STEPS.into_iter().find(fits)
        };
        find(FEW_STEPS).or_else(|| find(MOST_STEPS)).map(Duration::from_secs)
    }

    /// Whether it is judged without waiting for what comes late. Of a silence, that is taken in afterwards as
    /// well; and heartbeats are few, so that steps may be short.
    pub fn is_prompt(&self) -> bool {
        self.of == Of::Heartbeats && self.measure == Measure::Silence
    }

    /// What is looked at together: the window, or how long a silence must be.
    fn horizon(&self) -> Duration {
        match (self.measure, self.limit) {
            _ if self.is_prompt() => Duration::from_secs(1),
            // A part of a second more or less is no silence.
            (Measure::Silence, Limit::AtLeast { raise, .. } | Limit::AtMost { raise, .. }) => {
                let seconds = Duration::try_from_secs_f64(raise).unwrap_or_default().as_secs();
                let coarse = seconds.div_ceil(FEW_STEPS).max(1);
                let step = STEPS.into_iter().find(|step| *step >= coarse);
                Duration::from_secs(step.unwrap_or(coarse))
            }
            _ => self.window,
        }
    }

    /// Checks that it can be used.
    ///
    /// # Errors
    /// Which setting cannot, and why.
    pub fn check(&self) -> Result<(), RuleProblem> {
        if self.name.is_empty() || self.name.len() > 128 || self.name.contains(char::is_control) {
            return problem("name", "a name of 1 to 128 bytes", format!("{:?}", self.name));
        }
        self.check_limit()?;
        if self.measure == Measure::Silence {
            self.check_silence()?;
        } else if self.window > LONGEST || self.step().is_none() {
            let expected = "whole seconds, minutes or hours up to 30 days, such as 30s, 5m or 1h";
            return problem("window", expected, format!("{:?}", self.window));
        }
        self.check_subject()
    }

    fn check_limit(&self) -> Result<(), RuleProblem> {
        let (raise, clear) = (self.limit.raise(), self.limit.clear());
        if !raise.is_finite() || !clear.is_finite() {
            return problem("at_least, at_most, clear", "numbers", format!("{raise} and {clear}"));
        }
        let (least, expected) = match self.measure {
            Measure::Change => (-100.0, "more than -100 %, which there always is"),
            _ => (0.0, "more than 0, which there always is"),
        };
        match self.limit {
            Limit::AtLeast { .. } if clear > raise => {
                let expected = "at most at_least, below which it clears if this is not set";
                problem("clear", expected, clear.to_string())
            }
            Limit::AtMost { .. } if clear < raise => {
                let expected = "at least at_most, above which it clears if this is not set";
                problem("clear", expected, clear.to_string())
            }
            Limit::AtLeast { .. } if raise <= least => {
                problem("at_least", expected, raise.to_string())
            }
            Limit::AtMost { .. } if raise < least => {
                problem("at_most", "a value that there can be", raise.to_string())
            }
            Limit::AtLeast { .. } if self.measure == Measure::ErrorShare && raise > 100.0 => {
                problem("at_least", "a part of 100 %", format!("{raise} %"))
            }
            _ => Ok(()),
        }
    }

    fn check_silence(&self) -> Result<(), RuleProblem> {
        let raise = self.limit.raise();
        if matches!(self.limit, Limit::AtMost { .. }) {
            return problem("at_most", "at_least instead", raise.to_string());
        }
        if raise < 1.0 {
            let expected = "how long a silence is an alert, of 1 s and more";
            return problem("at_least", expected, raise.to_string());
        }
        let silent = Duration::try_from_secs_f64(raise).unwrap_or(Duration::MAX);
        let is_each = matches!(self.subject, Subject::Each(_));
        if is_each && silent.saturating_add(self.wait) >= FORGOTTEN {
            let expected = "less than 7 days, together with for: after these a key is forgotten; alert.key watches one for longer";
            return problem("at_least", expected, shown(raise, Unit::Seconds));
        }
        Ok(())
    }

    fn check_subject(&self) -> Result<(), RuleProblem> {
        let has_no_more =
            matches!(self.measure, Measure::Bytes | Measure::ErrorShare | Measure::Latency(_));
        if self.of == Of::Heartbeats && has_no_more {
            let expected = "silence, hits, rate or change: heartbeats have nothing else";
            return problem("measure", expected, self.measure.name().to_owned());
        }
        if self.subject.dimension().is_some_and(|dimension| dimension.field().is_empty()) {
            return problem("by", "the name of a field", "\"\"".to_owned());
        }
        if self.raises_without_data && matches!(self.subject, Subject::Each(_)) {
            let expected =
                "false for each key by itself: measure = \"silence\" says which are silent";
            return problem("no_data_alert", expected, "true".to_owned());
        }
        Ok(())
    }
}

fn problem(setting: &'static str, expected: &str, found: String) -> Result<(), RuleProblem> {
    Err(RuleProblem { setting, expected: expected.to_owned(), found })
}
