//! What follows from the definitions alone: every line is kept, every end of a step is looked at, and
//! every key that ever was.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Settings;
use crate::alert::{Change, Limit, Measure, Rule, Subject};
use crate::tests::model::{Model as Lines, Owned, Truth};

/// Where an alert stands, with since when.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stands {
    Fine,
    Waiting(i64),
    Raised,
    Calming(i64),
    Dark,
}

/// One rule, and all lines.
pub struct Model {
    rule: Rule,
    lines: Lines,
    step: i64,
    begin: Option<i64>,
    at: Option<i64>,
    alerts: BTreeMap<Option<String>, (Stands, Option<i64>)>,
    /// Keys, the times of all their lines, and whether these count at once, or when their step has ended.
    keys: BTreeMap<Option<String>, Vec<(i64, bool)>>,
    pub events: Vec<(i64, String, Option<String>, Change)>,
}

/// What a value is for the limit.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Is {
    Over,
    Between,
    Well,
    Hidden,
    Nothing,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

impl Model {
    pub fn new(rule: &Rule, settings: &Settings) -> Self {
        let step = rule.step().unwrap();
        let ahead = (step * 64).saturating_sub(settings.lateness).min(Duration::from_mins(1));
        let settings = Settings { step, window: step, ahead, ..settings.clone() };
        Self {
            rule: rule.clone(),
            lines: Lines::new(&settings),
            step: millis(step),
            begin: None,
            at: None,
            alerts: BTreeMap::new(),
            keys: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// Whose line it is; an error where it is nobody's.
    fn key(&self, line: &Owned) -> Result<Option<String>, ()> {
        match &self.rule.subject {
            Subject::All => Ok(None),
            Subject::Each(dimension) | Subject::Key(dimension, _) => {
                line.key(dimension).map(Some).ok_or(())
            }
        }
    }

    pub fn take(&mut self, line: &Owned) {
        let is_meant = self.rule.filter.as_ref().is_none_or(|filter| filter.matches(&line.hit()));
        let (late, ahead) = (self.lines.late, self.lines.ahead_of_clock);
        let clock = self.lines.clock();
        // All lines move time, so that it is known from each whether it is in time.
        self.lines.take_if(line, true);
        let is_in_time = (late, ahead) == (self.lines.late, self.lines.ahead_of_clock);
        if is_in_time && self.begin.is_none() {
            self.begin = Some(line.time.div_euclid(self.step * 1_000_000) * self.step);
        }
        if !is_meant {
            self.lines.lines.pop();
        } else if let Ok(key) = self.key(line) {
            let is_ahead = ahead != self.lines.ahead_of_clock;
            let time = if is_ahead { clock.unwrap() } else { line.time };
            let millis = time.div_euclid(1_000_000);
            self.keys.entry(key).or_default().push((millis, !is_in_time));
        }
        self.go();
    }

    pub fn advance(&mut self, now: i64) {
        self.lines.advance(now);
        self.go();
    }

    fn go(&mut self) {
        if self.begin.is_none() {
            return;
        }
        let ended = self.lines.first_open() * self.step;
        let mut at = *self.at.get_or_insert(ended.min(self.begin.unwrap()));
        while at + self.step <= ended {
            at += self.step;
            self.judge(at);
        }
        self.at = Some(at.max(ended));
    }

    fn judge(&mut self, at: i64) {
        let subjects: Vec<Option<String>> = match &self.rule.subject {
            Subject::All => vec![None],
            Subject::Key(_, key) => vec![Some(key.clone())],
            Subject::Each(_) => {
                let is_there = |times: &[(i64, bool)]| {
                    times.iter().any(|(time, at_once)| *at_once || *time < at)
                };
                let keys = self.keys.iter().filter(|(_, times)| is_there(times));
                keys.map(|(key, _)| key.clone()).collect()
            }
        };
        for subject in subjects {
            let is = self.look(subject.as_ref(), at);
            self.conclude(subject, is, at);
        }
    }

    fn lines_between(&self, subject: Option<&String>, from: i64, to: i64) -> Truth {
        let steps = from.div_euclid(self.step)..to.div_euclid(self.step);
        let is_in = |(line, step): &&(Owned, Option<i64>)| {
            step.is_some_and(|step| steps.contains(&step))
                && (subject.is_none() || self.key(line) == Ok(subject.cloned()))
        };
        Truth::of(self.lines.lines.iter().filter(is_in).map(|(line, _)| line))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of tests are small")]
    fn look(&self, subject: Option<&String>, at: i64) -> Is {
        let begin = self.begin.unwrap();
        if self.rule.measure == Measure::Silence {
            let times = self.keys.get(&subject.cloned());
            // Lines of steps that have not ended do not count yet.
            let counts = |(time, at_once): &&(i64, bool)| *at_once || *time < at;
            let last = times.into_iter().flatten().filter(counts).map(|(time, _)| *time).max();
            if at < begin || matches!(self.rule.subject, Subject::Each(_)) && last.is_none() {
                return Is::Hidden;
            }
            let silent = (at - last.unwrap_or(begin).max(begin)).max(0) as f64 / 1000.0;
            let is = self.stands(silent);
            let is_known = last.is_some_and(|last| last >= begin);
            return if is == Is::Over || is_known { is } else { Is::Hidden };
        }
        let window = millis(self.rule.window);
        let truth = self.lines_between(subject, at - window, at);
        let before = self.lines_between(subject, at - 2 * window, at - window);
        let windows = if self.rule.measure == Measure::Change { 2 } else { 1 };
        let is_whole = at - windows * window >= begin;
        let is_enough = |hits: u64| hits >= self.rule.least_hits.max(1);
        let value = match self.rule.measure {
            Measure::Hits => Some(truth.hits as f64),
            Measure::Rate => Some(truth.hits as f64 / self.rule.window.as_secs_f64()),
            Measure::Bytes => Some(truth.bytes as f64),
            Measure::ErrorShare => {
                is_enough(truth.hits).then(|| truth.errors as f64 * 100.0 / truth.hits as f64)
            }
            Measure::Latency(rank) => is_enough(truth.latencies.len() as u64)
                .then(|| truth.quantile(usize::from(rank)) as f64 / 1e9),
            Measure::Change => is_enough(before.hits)
                .then(|| (truth.hits as f64 / before.hits as f64 - 1.0) * 100.0),
            Measure::Silence => None,
        };
        let Some(value) = value else {
            return if is_whole { Is::Nothing } else { Is::Hidden };
        };
        let is = self.stands(value);
        let is_sum = matches!(self.rule.measure, Measure::Hits | Measure::Rate | Measure::Bytes);
        // More lines can only make a sum larger.
        let is_certain = match self.rule.limit {
            Limit::AtLeast { .. } => is == Is::Over,
            Limit::AtMost { .. } => is == Is::Well,
        };
        if is_whole || is_sum && is_certain { is } else { Is::Hidden }
    }

    fn stands(&self, value: f64) -> Is {
        let (is_over, is_well) = match self.rule.limit {
            Limit::AtLeast { raise, clear } => (value >= raise, value < clear),
            Limit::AtMost { raise, clear } => (value <= raise, value > clear),
        };
        if is_over {
            Is::Over
        } else if is_well {
            Is::Well
        } else {
            Is::Between
        }
    }

    fn conclude(&mut self, subject: Option<String>, is: Is, at: i64) {
        let rule = &self.rule;
        let (stands, dark_since) =
            *self.alerts.entry(subject.clone()).or_insert((Stands::Fine, None));
        let long = |since: i64, duration: Duration| at - since >= millis(duration);
        let raise = |since: i64| {
            if long(since, rule.wait) {
                (Stands::Raised, Some(Change::Raised))
            } else {
                (Stands::Waiting(since), None)
            }
        };
        let calm = |since: i64| {
            if long(since, rule.keep) {
                (Stands::Fine, Some(Change::Cleared))
            } else {
                (Stands::Calming(since), None)
            }
        };
        let mut dark = None;
        let (next, change) = match (is, stands) {
            (Is::Hidden, same) => {
                dark = dark_since;
                (same, None)
            }
            (Is::Nothing, Stands::Fine | Stands::Waiting(_)) if !rule.raises_without_data => {
                (Stands::Fine, None)
            }
            (Is::Nothing, same) => {
                let same = if matches!(same, Stands::Waiting(_)) { Stands::Fine } else { same };
                let since = dark_since.unwrap_or(at);
                dark = Some(since);
                match (same == Stands::Dark, long(since, rule.no_data)) {
                    (false, true) if rule.raises_without_data => {
                        (Stands::Dark, Some(Change::NoData))
                    }
                    (false, true) => {
                        dark = None;
                        (Stands::Fine, Some(Change::ClearedWithoutData))
                    }
                    _ => (same, None),
                }
            }
            (Is::Over, Stands::Fine) => raise(at),
            (Is::Over, Stands::Waiting(since)) => raise(since),
            (_, Stands::Fine | Stands::Waiting(_)) => (Stands::Fine, None),
            (Is::Well, Stands::Raised) => calm(at),
            (Is::Well, Stands::Calming(since)) => calm(since),
            (_, Stands::Raised | Stands::Calming(_)) => (Stands::Raised, None),
            (Is::Over, Stands::Dark) => {
                let (next, change) = raise(at);
                (next, change.or(Some(Change::Cleared)))
            }
            (_, Stands::Dark) => (Stands::Fine, Some(Change::Cleared)),
        };
        self.alerts.insert(subject.clone(), (next, dark));
        if let Some(change) = change {
            self.events.push((at, rule.name.clone(), subject, change));
        }
    }
}
