//! What becomes of one alert: of one rule and one key, at each end of a step.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rule::Rule;

/// What is known of a value when it is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen {
    /// It is at the limit, or beyond.
    Over(f64),
    /// It is between the limit and where it would be well.
    Between(f64),
    /// It is well.
    Well(f64),
    /// Not all lines of the window were seen.
    Unseen,
    /// There are not enough lines to tell.
    NoLines,
}

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing is wrong.
    #[default]
    Ok,
    /// The limit is reached, not yet for long enough.
    Pending,
    /// Raised.
    Firing,
    /// Raised, and well, not yet for long enough.
    Recovering,
    /// Raised because the value has not been known for too long.
    NoData,
}

impl State {
    /// Whether somebody was told that something is wrong.
    pub fn is_raised(self) -> bool {
        matches!(self, Self::Firing | Self::Recovering | Self::NoData)
    }
}

/// What is told of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is raised.
    Raised,
    /// It is well again.
    Cleared,
    /// Its value is not known any more, and that is an alert by its rule.
    NoData,
    /// It is cleared because its value is not known any more.
    ClearedWithoutData,
    /// It is cleared because its key has not been seen for so long that it is forgotten.
    Forgotten,
    /// It is cleared because its rule is not there any more, or another one.
    RuleChanged,
}

impl Change {
    /// Whether something is wrong from now on.
    pub fn is_raised(self) -> bool {
        matches!(self, Self::Raised | Self::NoData)
    }
}

/// An alert between two judgements. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Held {
    /// Where it stands.
    pub state: State,
    /// Since when.
    pub since: i64,
    /// Since when something is wrong: before it is raised the limit was reached for a while.
    pub began: i64,
    /// Since when the value has not been known.
    pub unknown_since: Option<i64>,
    /// The last value.
    pub value: f64,
}

impl Held {
    /// Whether there is nothing to remember.
    pub fn is_idle(&self) -> bool {
        self.state == State::Ok && self.unknown_since.is_none()
    }

    /// What follows from what is seen at the end of a step.
    pub fn judge(&mut self, rule: &Rule, seen: Seen, at: i64) -> Option<Change> {
        match seen {
            Seen::Over(value) | Seen::Between(value) | Seen::Well(value) => self.value = value,
            Seen::Unseen => return None,
            Seen::NoLines => return self.without_lines(rule, at),
        }
        self.unknown_since = None;
        let is_over = matches!(seen, Seen::Over(_));
        let is_well = matches!(seen, Seen::Well(_));
        match self.state {
            State::Ok => is_over.then(|| self.begin(rule, at)).flatten(),
            State::Pending if !is_over => self.go(State::Ok, at, None),
            State::Pending => self.raise_in_time(rule, at),
            State::Firing if is_well && rule.keep.is_zero() => self.clear(at),
            State::Firing if is_well => self.go(State::Recovering, at, None),
            State::Recovering if !is_well => self.go(State::Firing, at, None),
            State::Recovering if has_passed(self.since, rule.keep, at) => self.clear(at),
            State::Firing | State::Recovering => None,
            // The silence is over: what there is now is judged as if nothing had been.
            State::NoData if is_over => {
                self.state = State::Ok;
                // What is pending is no alert yet, and that nothing is known is over.
                self.begin(rule, at).or(Some(Change::Cleared))
            }
            State::NoData => self.clear(at),
        }
    }

    fn begin(&mut self, rule: &Rule, at: i64) -> Option<Change> {
        self.go(State::Pending, at, None);
        self.began = at;
        self.raise_in_time(rule, at)
    }

    fn raise_in_time(&mut self, rule: &Rule, at: i64) -> Option<Change> {
        if has_passed(self.since, rule.wait, at) {
            return self.go(State::Firing, at, Some(Change::Raised));
        }
        None
    }

    fn clear(&mut self, at: i64) -> Option<Change> {
        self.go(State::Ok, at, Some(Change::Cleared))
    }

    fn go(&mut self, state: State, at: i64, change: Option<Change>) -> Option<Change> {
        (self.state, self.since) = (state, at);
        change
    }

    fn without_lines(&mut self, rule: &Rule, at: i64) -> Option<Change> {
        // Where there is nothing, nothing reaches a limit.
        if self.state == State::Pending {
            self.go(State::Ok, at, None);
        }
        if self.state == State::Ok && !rule.raises_without_data {
            return None;
        }
        let since = *self.unknown_since.get_or_insert(at);
        if self.state == State::NoData || !has_passed(since, rule.no_data, at) {
            return None;
        }
        if rule.raises_without_data {
            self.began = since;
            return self.go(State::NoData, at, Some(Change::NoData));
        }
        self.unknown_since = None;
        let change = self.state.is_raised().then_some(Change::ClearedWithoutData);
        self.go(State::Ok, at, change)
    }

    /// Clears it for another reason than its value.
    pub fn end(&mut self, change: Change, at: i64) -> Option<Change> {
        let was_raised = self.state.is_raised();
        self.unknown_since = None;
        self.go(State::Ok, at, was_raised.then_some(change))
    }

    /// When something may happen to it by time alone.
    pub fn next(&self, rule: &Rule) -> impl Iterator<Item = i64> {
        let after = |since: i64, duration: Duration| since.saturating_add(millis(duration));
        let unknown = self.unknown_since.filter(|_| self.state != State::NoData);
        let by_data = unknown.map(|since| after(since, rule.no_data));
        let by_state = match self.state {
            State::Pending => Some(after(self.since, rule.wait)),
            State::Recovering => Some(after(self.since, rule.keep)),
            State::Ok | State::Firing | State::NoData => None,
        };
        by_data.into_iter().chain(by_state)
    }
}

fn has_passed(since: i64, duration: Duration, at: i64) -> bool {
    at.saturating_sub(since) >= millis(duration)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
