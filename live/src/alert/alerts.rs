//! All rules: lines and the clock go in, events come out.

use std::time::Duration;

use crate::dimension::Dimension;
use crate::hit::Hit;
use crate::settings::{Pace, Settings, SettingsProblem, nanos};

use super::event::{Alert, Event};
use super::group::{Group, Judged};
use super::judging::named;
use super::rule::{Of, Rule, RuleProblem};
use super::saved::{Saved, SavedHeld, SavedKeys, SavedRule};
use super::state::{Change, State};

/// So many rules can be judged.
const MOST_RULES: usize = 10_000;
/// Each group of rules counts each line once more.
const MOST_GROUPS: usize = 16;

/// What rules of one group have in common: what they are about, whether they wait for what is late, how long
/// their steps are, and their filter.
type Meant = (Of, bool, Duration, String);

/// Rules that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlertsProblem {
    /// One of them cannot.
    #[error("alert {name:?}: {problem}")]
    Rule {
        /// Which.
        name: String,
        /// Why.
        problem: RuleProblem,
    },
    /// Two have one name.
    #[error("alert {0:?} is there twice: expected a name of its own for each")]
    Twice(String),
    /// There are too many.
    #[error("expected at most {most} {what}, found {found}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there can be.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// Lines cannot be counted as these rules need it.
    #[error("alert {name:?} and those with the same filter: {problem}")]
    Group {
        /// The first of them.
        name: String,
        /// Why.
        problem: SettingsProblem,
    },
}

/// What was left out, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Alerts that were not held because there were too many.
    pub alerts: u64,
    /// Lines whose keys were too many to be watched for silence.
    pub keys: u64,
    /// Lines that came after their step was judged, by those rules that left out most.
    pub late: u64,
}

/// Rules and their alerts. One thread owns it.
#[derive(Debug)]
pub struct Alerts {
    groups: Vec<Group>,
}

impl Alerts {
    /// Of these rules. Of `lines`, the lateness, the pace, the capacity, what is an error and the seed are used.
    ///
    /// # Errors
    /// Which rule cannot be used, and why.
    pub fn new(rules: Vec<Rule>, lines: &Settings) -> Result<Self, AlertsProblem> {
        let too_many = |what, most, found| Err(AlertsProblem::TooMany { what, most, found });
        if rules.len() > MOST_RULES {
            return too_many("alerts", MOST_RULES, rules.len());
        }
        let mut names = std::collections::HashSet::new();
        let mut sorted: Vec<(Meant, Vec<Rule>)> = Vec::new();
        for rule in rules {
            let named = |problem| AlertsProblem::Rule { name: rule.name.clone(), problem };
            rule.check().map_err(named)?;
            if !names.insert(rule.name.clone()) {
                return Err(AlertsProblem::Twice(rule.name));
            }
            let Some(step) = rule.step() else { continue };
            let meant = (rule.of, rule.is_prompt(), step, filter_of(&rule));
            match sorted.iter_mut().find(|(other, _)| *other == meant) {
                Some((_, rules)) => rules.push(rule),
                None => sorted.push((meant, vec![rule])),
            }
        }
        if sorted.len() > MOST_GROUPS {
            let what = "different filters and lengths of windows";
            return too_many(what, MOST_GROUPS, sorted.len());
        }
        let groups = sorted.into_iter().map(|((_, _, step, _), rules)| {
            let name = rules.first().map_or_else(String::new, |rule| rule.name.clone());
            let group = Group::new(rules, step, lines);
            group.map_err(|problem| AlertsProblem::Group { name, problem })
        });
        Ok(Self { groups: groups.collect::<Result<_, _>>()? })
    }

    /// Takes in a line. Events are added to `events` in the order of their times.
    pub fn take(&mut self, hit: &Hit<'_>, events: &mut Vec<Event>) {
        self.take_of(Of::Lines, hit, events);
    }

    /// Takes in a line, or a heartbeat, which only rules of such see.
    pub fn take_of(&mut self, of: Of, hit: &Hit<'_>, events: &mut Vec<Event>) {
        let before = events.len();
        let groups = self.groups.iter_mut().filter(|group| group.of == of);
        groups.for_each(|group| group.take(hit, events));
        sort(events, before);
    }

    /// Says what the clock shows, in nanoseconds since 1970; to be called about once a second.
    pub fn advance(&mut self, now: i64, events: &mut Vec<Event>) {
        let before = events.len();
        self.groups.iter_mut().for_each(|group| group.advance(now, events));
        sort(events, before);
    }

    /// No more lines will come: judges what is left, without waiting for lines that are late.
    pub fn finish(&mut self, events: &mut Vec<Event>) {
        let before = events.len();
        self.groups.iter_mut().for_each(|group| group.finish(events));
        sort(events, before);
    }

    /// What moves time from now on.
    pub fn set_pace(&mut self, pace: Pace) {
        self.groups.iter_mut().for_each(|group| group.live.set_pace(pace));
    }

    /// Begins at this time, in nanoseconds since 1970, though no line has come: it is an alert if none
    /// does. All lines are heard from `heard` on.
    pub fn begin(&mut self, now: i64, heard: i64) {
        for group in &mut self.groups {
            group.live.begin(now);
            group.begin.get_or_insert(begin_of(heard, group.step));
        }
    }

    /// Lines may be missing from now on, so that nothing is known until [`Self::resume`]: nobody is
    /// silent because they are not heard.
    pub fn pause(&mut self) {
        self.groups.iter_mut().for_each(|group| group.begin = Some(i64::MAX));
    }

    /// All lines are there from this time on, in nanoseconds since 1970.
    pub fn resume(&mut self, now: i64) {
        for group in &mut self.groups {
            group.begin = Some(begin_of(now, group.step));
            group.is_disturbed = true;
        }
    }

    /// Alerts that are not ok: raised ones first, and those first that began first.
    pub fn active(&self) -> Vec<Alert> {
        let rules = self.groups.iter().flat_map(|group| &group.rules);
        let mut active: Vec<Alert> = rules.flat_map(alerts_of).collect();
        active.retain(|alert| alert.state != State::Ok);
        active.sort_by(|one, other| {
            let order = |alert: &Alert| (!alert.state.is_raised(), alert.began);
            order(one)
                .cmp(&order(other))
                .then_with(|| (&one.rule, &one.key).cmp(&(&other.rule, &other.key)))
        });
        active
    }

    /// What was left out.
    pub fn left_out(&self) -> LeftOut {
        let mut left_out = LeftOut::default();
        for group in &self.groups {
            left_out.alerts += group.left_out;
            left_out.late = left_out.late.max(group.live.lates);
            left_out.keys += group.known.iter().map(|(_, known)| known.left_out()).sum::<u64>();
        }
        left_out
    }

    /// What is to be kept while nobody watches.
    pub fn save(&self) -> Saved {
        let mut saved = Saved::default();
        for group in &self.groups {
            for judged in &group.rules {
                let held = judged.held.values().map(|(key, held)| SavedHeld {
                    key: key.to_string(),
                    held: *held,
                    alert: Alert::new(&judged.rule, named(&judged.rule, key), held),
                });
                let mut held: Vec<SavedHeld> = held.collect();
                held.sort_by(|one, other| one.key.cmp(&other.key));
                saved.rules.push(SavedRule {
                    name: judged.rule.name.clone(),
                    meaning: meaning(&judged.rule),
                    judged: group.judged,
                    held,
                });
            }
            let filter =
                group.rules.first().map_or_else(String::new, |judged| filter_of(&judged.rule));
            for (dimension, known) in &group.known {
                let keys = known.all().map(|seen| (seen.text.to_string(), seen.last));
                let mut keys: Vec<(String, i64)> = keys.collect();
                keys.sort_unstable();
                let dimension = dimension.as_ref().map(|dimension| dimension.name().to_owned());
                let (of, filter) = (group.of.name().to_owned(), filter.clone());
                saved.known.push(SavedKeys { of, filter, dimension, keys });
            }
        }
        saved
    }

    /// Goes on from what was kept, before the first line. What was raised by a rule that is not there any
    /// more, or says something else, is cleared.
    pub fn restore(&mut self, saved: &Saved, events: &mut Vec<Event>) {
        for rule in &saved.rules {
            if !self.groups.iter_mut().any(|group| restore_rule(group, rule)) {
                let raised = rule.held.iter().filter(|held| held.held.state.is_raised());
                events.extend(raised.map(|held| Event {
                    at: rule.judged.unwrap_or(held.held.since),
                    change: Change::RuleChanged,
                    alert: Alert { state: State::Ok, ..held.alert.clone() },
                }));
            }
        }
        for keys in &saved.known {
            self.groups.iter_mut().for_each(|group| restore_keys(group, keys));
        }
    }
}

/// Where the first whole step begins, in milliseconds since 1970.
fn begin_of(now: i64, step: i64) -> i64 {
    let step = step.max(1);
    let now = now.div_euclid(1_000_000);
    now.div_euclid(step).saturating_add(i64::from(now % step != 0)).saturating_mul(step)
}

fn sort(events: &mut [Event], from: usize) {
    if let Some(new) = events.get_mut(from..) {
        new.sort_by_key(|event| event.at);
    }
}

fn alerts_of(judged: &Judged) -> impl Iterator<Item = Alert> + '_ {
    let rule = &judged.rule;
    judged.held.values().map(|(key, held)| Alert::new(rule, named(rule, key), held))
}

fn filter_of(rule: &Rule) -> String {
    rule.filter.as_ref().map_or_else(String::new, |filter| filter.text().to_owned())
}

/// All of a rule that its alerts depend on.
fn meaning(rule: &Rule) -> String {
    let times = [rule.window, rule.wait, rule.keep, rule.no_data].map(nanos);
    // Files of before know no others than lines.
    let of = if rule.of == Of::Lines { "" } else { "heartbeats " };
    format!(
        "{of}{:?} {:?} {:?} {:?} {times:?} {} {}",
        filter_of(rule),
        rule.subject,
        rule.measure,
        rule.limit,
        rule.least_hits,
        rule.raises_without_data
    )
}

/// Whether the rule is there, and says the same.
fn restore_rule(group: &mut Group, saved: &SavedRule) -> bool {
    let is_it = |judged: &&mut Judged| {
        judged.rule.name == saved.name && meaning(&judged.rule) == saved.meaning
    };
    let Some(judged) = group.rules.iter_mut().find(is_it) else { return false };
    for held in &saved.held {
        // The hash of a key that was cut is not known: it is judged as one without lines.
        let hash = judged.only.unwrap_or_else(|| group.live.key_id(held.key.as_bytes()).0);
        judged.held.insert(hash, (held.key.as_str().into(), held.held));
    }
    group.judged = group.judged.max(saved.judged);
    group.is_disturbed = true;
    true
}

fn restore_keys(group: &mut Group, saved: &SavedKeys) {
    let filter = group.rules.first().map_or_else(String::new, |judged| filter_of(&judged.rule));
    if filter != saved.filter || group.of.name() != saved.of {
        return;
    }
    for (dimension, known) in &mut group.known {
        if dimension.as_ref().map(Dimension::name) != saved.dimension.as_deref() {
            continue;
        }
        for (key, last) in &saved.keys {
            let hash = if dimension.is_some() {
                group.live.key_id(key.as_bytes()).0
            } else {
                super::group::ALL
            };
            // What was in a step that had not ended is in one again: it may be read once more.
            if group.judged.is_none_or(|judged| *last >= judged) {
                let step = last.div_euclid(group.step);
                known.see(step, hash, key.as_bytes(), *last);
            } else {
                known.expect(hash, key, *last);
            }
        }
    }
}
