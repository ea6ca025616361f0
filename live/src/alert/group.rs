//! Rules that share collectors, because they mean the same lines and their windows move by the same steps.

use std::collections::HashMap;
use std::time::Duration;

use crate::dimension::Dimension;
use crate::filter::Filter;
use crate::hit::Hit;
use crate::live::Live;
use crate::settings::{Settings, SettingsProblem, nanos};
use crate::sketch::Depth;
use crate::timeline::When;

use super::event::Event;
use super::known::Known;
use super::rule::{Limit, Measure, Of, Rule, Subject};
use super::state::Held;

/// So many steps can be open at a time.
const MOST_OPEN: u32 = 64;
/// A key that was not there for so long is forgotten.
pub const FORGOTTEN_AFTER: i64 = 7 * 24 * 3_600_000;
/// Stands for all lines, where keys have hashes.
pub const ALL: u64 = 0;

/// A rule, and its alerts by the hashes of their keys.
#[derive(Debug)]
pub struct Judged {
    /// The rule.
    pub rule: Rule,
    /// Alerts of which there is something to remember, with the texts of their keys.
    pub held: HashMap<u64, (Box<str>, Held)>,
    /// The hash of its only key, or that of all lines; `None` for each key.
    pub only: Option<u64>,
}

/// What is merged for rules that look at the same keys over the same window.
#[derive(Debug)]
pub struct View {
    /// The place of the dimension; `None` for all lines.
    pub place: Option<usize>,
    /// Steps of the window.
    pub steps: i64,
    /// What of each key is looked at.
    pub depth: Depth,
    /// Whether the window before is looked at as well.
    pub has_before: bool,
    /// Which rules.
    pub rules: Vec<usize>,
}

/// Rules with their collectors.
#[derive(Debug)]
pub struct Group {
    /// What the rules are about.
    pub of: Of,
    /// The collectors.
    pub live: Live,
    /// The rules.
    pub rules: Vec<Judged>,
    /// Keys of the dimensions, `None` for all lines, where a rule must know which there were.
    pub known: Vec<(Option<Dimension>, Known)>,
    /// The end of the last step that was judged, in milliseconds since 1970.
    pub judged: Option<i64>,
    /// Since when all lines were seen; at the end of all times while some are not.
    pub begin: Option<i64>,
    /// Whether something other than time has changed since the last judgement, as a line does that is late.
    pub is_disturbed: bool,
    /// How long a step is, in milliseconds.
    pub step: i64,
    /// What is looked at.
    pub views: Vec<View>,
    /// Alerts that were not held, because there were too many.
    pub left_out: u64,
}

impl Group {
    /// A group of rules, which were checked.
    ///
    /// # Errors
    /// When there are too many dimensions, or windows that are too long together.
    pub fn new(
        rules: Vec<Rule>,
        step: Duration,
        lines: &Settings,
    ) -> Result<Self, SettingsProblem> {
        let filter: Option<Filter> = rules.first().and_then(|rule| rule.filter.clone());
        let longest = rules.iter().map(|rule| looks_back(rule, step)).max().unwrap_or(step);
        let mut dimensions: Vec<Dimension> = Vec::new();
        for rule in &rules {
            let counted = rule.subject.dimension().filter(|_| rule.measure != Measure::Silence);
            if let Some(dimension) = counted.filter(|own| !dimensions.contains(own)) {
                dimensions.push(dimension.clone());
            }
        }
        let is_prompt = rules.iter().all(Rule::is_prompt);
        let lateness = if is_prompt { Duration::ZERO } else { lines.lateness };
        let ahead = (step * MOST_OPEN).saturating_sub(lateness).min(Duration::from_mins(1));
        let settings = Settings {
            lateness,
            window: longest,
            step,
            ahead,
            dimensions,
            filter,
            // No rule is about them.
            clients: false,
            since_start: false,
            line_bytes: 0,
            ..lines.clone()
        };
        let of = rules.first().map_or(Of::Lines, |rule| rule.of);
        let live = Live::new(settings)?;
        let mut group = Self {
            of,
            live,
            rules: Vec::new(),
            known: Vec::new(),
            judged: None,
            begin: None,
            is_disturbed: true,
            step: nanos(step) / 1_000_000,
            views: Vec::new(),
            left_out: 0,
        };
        for rule in rules {
            group.add(rule);
        }
        Ok(group)
    }

    fn add(&mut self, rule: Rule) {
        let only = match &rule.subject {
            Subject::All => Some(ALL),
            Subject::Key(_, key) => Some(self.live.key_id(key.as_bytes()).0),
            Subject::Each(_) => None,
        };
        let knows = rule.measure == Measure::Silence
            || only.is_none() && matches!(rule.limit, Limit::AtMost { .. });
        let dimension = rule.subject.dimension();
        if knows && !self.known.iter().any(|(own, _)| own.as_ref() == dimension) {
            self.known.push((dimension.cloned(), Known::default()));
        }
        let number = self.rules.len();
        let place = dimension.and_then(|dimension| self.live.place(dimension));
        if rule.measure != Measure::Silence {
            let steps = nanos(rule.window) / (self.step * 1_000_000).max(1);
            let depth = if matches!(rule.measure, Measure::Latency(_)) {
                Depth::Latency
            } else {
                Depth::Sums
            };
            let has_before = rule.measure == Measure::Change;
            let same = |view: &&mut View| view.place == place && view.steps == steps;
            if let Some(view) = self.views.iter_mut().find(same) {
                view.rules.push(number);
                view.has_before |= has_before;
                if depth == Depth::Latency {
                    view.depth = depth;
                }
            } else {
                self.views.push(View { place, steps, depth, has_before, rules: vec![number] });
            }
        }
        self.rules.push(Judged { rule, held: HashMap::new(), only });
    }

    /// Takes in a line, and judges what it ends.
    pub fn take(&mut self, hit: &Hit<'_>, events: &mut Vec<Event>) {
        let (when, is_meant) = self.live.take_when(hit);
        if let When::In(step) = when
            && self.begin.is_none()
        {
            self.begin = Some(self.live.timeline.start_of(step) / 1_000_000);
        }
        if is_meant && !self.known.is_empty() {
            self.know(hit, when);
        }
        self.judge_ended(events);
    }

    /// Notes which keys a line has.
    fn know(&mut self, hit: &Hit<'_>, when: When) {
        // Whoever has a wrong clock is not silent.
        let clock = self.live.timeline.clock().filter(|_| when == When::Ahead);
        let time = clock.unwrap_or(hit.time).div_euclid(1_000_000);
        for (dimension, known) in &mut self.known {
            let mut see = |hash: u64, text: &[u8]| {
                if let When::In(number) = when {
                    known.see(number, hash, text, time);
                } else {
                    self.is_disturbed = true;
                    known.see_late(hash, text, time);
                }
            };
            match dimension {
                None => see(ALL, b""),
                Some(dimension) => {
                    let live = &self.live;
                    dimension.with_value(hit, |value| see(live.key_id(value).0, value));
                }
            }
        }
    }

    /// Says what the clock shows, and judges what has ended by it.
    pub fn advance(&mut self, now: i64, events: &mut Vec<Event>) {
        self.live.advance(now);
        self.judge_ended(events);
    }

    /// No more lines will come: judges up to the step of the newest line. That one is not whole, so that it
    /// only raises what more lines could not have made well, and nothing is known from then on.
    pub fn finish(&mut self, events: &mut Vec<Event>) {
        self.live.finish(false);
        self.judge_ended(events);
        self.begin = self.begin.map(|_| i64::MAX);
        self.live.finish(true);
        self.judge_ended(events);
    }

    /// Judges each end of a step that time has moved over.
    pub fn judge_ended(&mut self, events: &mut Vec<Event>) {
        let Some(ended) = self.live.ended_at().map(|at| at / 1_000_000) else { return };
        if self.judged.is_some_and(|judged| judged >= ended) {
            return;
        }
        let Some(begin) = self.begin else { return };
        let mut at = *self.judged.get_or_insert(begin.min(ended).div_euclid(self.step) * self.step);
        loop {
            at = self.next_end(at, ended);
            if at > ended {
                break;
            }
            self.judge(at, events);
            self.judged = Some(at);
        }
        self.judged = Some(ended);
    }

    /// The next end of a step at which anything can happen.
    fn next_end(&self, at: i64, ended: i64) -> i64 {
        let next = at.saturating_add(self.step);
        if next > ended || self.is_disturbed {
            return next;
        }
        let number = |end: i64| end.div_euclid(self.step);
        // The first window without lines is judged as well: it is there that they are gone.
        let oldest = number(next).saturating_sub(self.live.settings().steps() + 1);
        let ahead = self.live.kept().find(|step| step.number >= oldest);
        let with_lines = match ahead {
            Some(step) if step.number < number(next) => return next,
            Some(step) => step.number.saturating_add(1).saturating_mul(self.step),
            None => i64::MAX,
        };
        let by_time = self.next_change(at).saturating_add(self.step - 1).div_euclid(self.step);
        by_time.saturating_mul(self.step).min(with_lines).max(next)
    }

    /// When, after this, anything happens by time alone.
    fn next_change(&self, at: i64) -> i64 {
        let mut next = i64::MAX;
        let mut note = |time: i64| {
            if time > at {
                next = next.min(time);
            }
        };
        for judged in &self.rules {
            let rule = &judged.rule;
            judged.held.values().flat_map(|(_, held)| held.next(rule)).for_each(&mut note);
            if let Some(begin) = self.begin {
                let window = millis(rule.window);
                note(begin.saturating_add(window));
                note(begin.saturating_add(window.saturating_mul(2)));
                limits(rule).for_each(|limit| note(begin.saturating_add(limit)));
            }
            if let Some(known) = self.known_of(rule) {
                for (_, seen) in known.keys() {
                    limits(rule).for_each(|limit| note(seen.last.saturating_add(limit)));
                    note(seen.last.saturating_add(FORGOTTEN_AFTER + 1));
                }
            }
        }
        next
    }

    /// The keys that a rule must know.
    pub fn known_of(&self, rule: &Rule) -> Option<&Known> {
        let dimension = rule.subject.dimension();
        let found = self.known.iter().find(|(own, _)| own.as_ref() == dimension);
        found.map(|(_, known)| known)
    }
}

/// How far a rule looks back.
fn looks_back(rule: &Rule, step: Duration) -> Duration {
    match rule.measure {
        Measure::Silence => step,
        Measure::Change => rule.window * 2,
        _ => rule.window,
    }
}

pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// How long silences are where something happens, in milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "it saturates")]
fn limits(rule: &Rule) -> impl Iterator<Item = i64> {
    let is_silence = rule.measure == Measure::Silence;
    let limits = [rule.limit.raise(), rule.limit.clear()].into_iter().filter(move |_| is_silence);
    limits.map(|seconds| (seconds * 1000.0).ceil() as i64)
}
