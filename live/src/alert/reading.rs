//! What lines of a window say of one subject, and what that is by the measure and the limit of a rule.

use crate::sketch::{Counts, KeyLatency, Latency, Merged, Over};
use crate::step::Totals;

use super::rule::{Limit, Measure, Rule};
use super::state::Seen;

/// What is certain at least, and what there may be at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// At least.
    pub least: u64,
    /// At most.
    pub most: u64,
}

impl Range {
    fn new(sum: u64, over: u64) -> Self {
        Self { least: sum.saturating_sub(over), most: sum }
    }
}

/// The lines of a subject in a window.
#[derive(Debug, Clone, Copy, Default)]
pub struct Amount {
    hits: Range,
    bytes: Range,
    errors: Range,
}

impl Amount {
    /// Of all lines: exact.
    pub fn of_all(totals: &Totals) -> Self {
        Self::new(&totals.counts, &Over::default())
    }

    /// Of one key.
    pub fn of_key(merged: &Merged<'_>) -> Self {
        Self::new(&merged.counts, &merged.over)
    }

    /// Of a key that is in no table: there may be so much of it.
    pub fn absent(floor: &Over) -> Self {
        let mut counts = Counts::default();
        counts.add_over(floor);
        Self::new(&counts, floor)
    }

    fn new(counts: &Counts, over: &Over) -> Self {
        Self {
            hits: Range::new(counts.hits, over.hits),
            bytes: Range::new(counts.bytes, over.bytes),
            errors: Range::new(counts.errors, over.errors),
        }
    }
}

/// How long lines took.
#[derive(Debug, Clone, Copy, Default)]
pub enum Latencies<'a> {
    /// Nobody says.
    #[default]
    None,
    /// All of them.
    OfAll(&'a Latency),
    /// Those of one key.
    OfKey(&'a KeyLatency),
}

impl Latencies<'_> {
    /// How many lines say it.
    fn lines(self) -> u64 {
        match self {
            Self::None => 0,
            Self::OfAll(latency) => latency.count(),
            Self::OfKey(latency) => latency.count(),
        }
    }

    /// What so many of a thousand lines took at most, in nanoseconds.
    fn at(self, of_thousand: u64) -> u64 {
        match self {
            Self::None => 0,
            Self::OfAll(latency) => latency.at(of_thousand),
            Self::OfKey(latency) => latency.at(of_thousand),
        }
    }
}

/// All that a rule can ask about a subject.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Its lines in the window.
    pub now: Amount,
    /// Its lines in the window before, where that is asked for.
    pub before: Amount,
    /// How long lines took.
    pub latencies: Latencies<'a>,
    /// Whether all lines of the window were seen.
    pub is_whole: bool,
}

impl Reading<'_> {
    /// The value by a measure, at least and at most; `None` where there are not enough lines to tell.
    #[expect(clippy::cast_precision_loss, reason = "values for limits")]
    pub fn value(&self, rule: &Rule) -> Option<(f64, f64)> {
        let Amount { hits, bytes, errors } = self.now;
        let pair = |range: Range| (range.least as f64, range.most as f64);
        let enough = rule.least_hits.max(1);
        match rule.measure {
            Measure::Hits => Some(pair(hits)),
            Measure::Bytes => Some(pair(bytes)),
            Measure::Rate => {
                let seconds = rule.window.as_secs_f64();
                let (least, most) = pair(hits);
                Some((least / seconds, most / seconds))
            }
            Measure::ErrorShare => {
                let share = |part: u64, whole: u64| (part as f64 * 100.0 / whole as f64).min(100.0);
                let is_known = hits.least >= enough;
                is_known.then(|| (share(errors.least, hits.most), share(errors.most, hits.least)))
            }
            Measure::Latency(of_thousand) => {
                let is_known = self.latencies.lines() >= enough;
                let value = self.latencies.at(u64::from(of_thousand)) as f64 / 1e9;
                is_known.then_some((value, value))
            }
            Measure::Change => {
                let before = self.before.hits;
                // In this order whole percents are exact.
                let change =
                    |now: u64, before: u64| (now as f64 - before as f64) * 100.0 / before as f64;
                let is_known = before.least >= enough;
                is_known.then(|| (change(hits.least, before.most), change(hits.most, before.least)))
            }
            Measure::Silence => None,
        }
    }

    /// What a rule sees. Nothing that may be too large raises an alert, and nothing that may be too
    /// small.
    pub fn seen(&self, rule: &Rule) -> Seen {
        let Some((least, most)) = self.value(rule) else {
            return if self.is_whole { Seen::NoLines } else { Seen::Unseen };
        };
        if self.is_whole {
            return seen(rule.limit, least, most);
        }
        // There were more lines than were seen.
        match rule.limit {
            Limit::AtLeast { raise, .. } if rule.measure.is_sum() && least >= raise => {
                Seen::Over(least)
            }
            Limit::AtMost { clear, .. } if rule.measure.is_sum() && least > clear => {
                Seen::Well(least)
            }
            _ => Seen::Unseen,
        }
    }
}

/// Where a value stands that is between these two.
pub fn seen(limit: Limit, least: f64, most: f64) -> Seen {
    match limit {
        Limit::AtLeast { raise, .. } if least >= raise => Seen::Over(least),
        Limit::AtLeast { clear, .. } if least < clear => Seen::Well(least),
        Limit::AtLeast { .. } => Seen::Between(least),
        Limit::AtMost { raise, .. } if most <= raise => Seen::Over(most),
        Limit::AtMost { clear, .. } if most > clear => Seen::Well(most),
        Limit::AtMost { .. } => Seen::Between(most),
    }
}
