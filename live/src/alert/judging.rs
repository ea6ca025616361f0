//! What rules see at the end of a step, and what follows from it.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::sketch::{Depth, Merged};

use super::event::{Alert, Event, Named};
use super::group::{ALL, FORGOTTEN_AFTER, Group, Judged, View, millis};
use super::known::Known;
use super::reading::{Amount, Latencies, Reading, seen};
use super::rule::{Limit, Measure, Rule, Subject};
use super::state::{Change, Held, Seen};
use super::window::Window;

/// So many alerts of a rule are held.
const MOST_HELD: usize = 10_000;

/// What a rule saw of one key, whose text is there if it may be new.
#[derive(Debug)]
struct Found {
    rule: usize,
    hash: u64,
    text: Box<str>,
    /// `None` for a key that is forgotten.
    seen: Option<Seen>,
}

/// The window of a view and the one before.
struct Windows<'a> {
    now: Window<'a>,
    before: Option<Window<'a>>,
    /// The highest certain value of all keys, by measure and least hits.
    highest: RefCell<Vec<(Measure, u64, f64)>>,
}

impl Windows<'_> {
    fn of(&self, hash: u64, is_whole: bool) -> Reading<'_> {
        let (now, latencies) = (self.now.amount(hash), self.now.latencies(hash));
        Reading { now, before: self.before(hash), latencies, is_whole }
    }

    fn of_key<'w>(&self, merged: &'w Merged<'w>, is_whole: bool) -> Reading<'w> {
        let (now, latencies) = (Amount::of_key(merged), Latencies::OfKey(&merged.latency));
        Reading { now, before: self.before(merged.key.hash), latencies, is_whole }
    }

    fn before(&self, hash: u64) -> Amount {
        self.before.as_ref().map(|before| before.amount(hash)).unwrap_or_default()
    }

    /// Whether no key reaches the limit of a rule that is raised by high values.
    fn is_below(&self, rule: &Rule) -> bool {
        let Limit::AtLeast { raise, .. } = rule.limit else { return false };
        let mut all = self.highest.borrow_mut();
        let is_known = |(measure, least, _): &&(Measure, u64, f64)| {
            (*measure, *least) == (rule.measure, rule.least_hits)
        };
        let known = all.iter().find(is_known).map(|(_, _, highest)| *highest);
        if let Some(highest) = known {
            return highest < raise;
        }
        let values = self.now.keys.iter().filter_map(|key| self.of_key(key, true).value(rule));
        let highest = values.map(|(least, _)| least).fold(f64::NEG_INFINITY, f64::max);
        all.push((rule.measure, rule.least_hits, highest));
        highest < raise
    }
}

impl Group {
    /// Judges all rules at this end of a step, in milliseconds since 1970.
    pub fn judge(&mut self, at: i64, events: &mut Vec<Event>) {
        self.is_disturbed = false;
        let first_open = at.div_euclid(self.step);
        for (dimension, known) in &mut self.known {
            known.end_steps(first_open);
            if dimension.is_some() {
                known.forget(at.saturating_sub(FORGOTTEN_AFTER));
            }
        }
        let mut found = Vec::new();
        self.views.iter().for_each(|view| self.look(view, at, &mut found));
        self.look_for_silence(at, &mut found);
        // In the order of rules and keys, so that the same lines give the same events.
        found.sort_by(|one, other| (one.rule, &one.text).cmp(&(other.rule, &other.text)));
        for found in found {
            self.conclude(found, at, events);
        }
    }

    /// Whether all lines of a window that ends here were seen.
    fn is_whole(&self, rule: &Rule, at: i64) -> bool {
        let windows = if rule.measure == Measure::Change { 2 } else { 1 };
        let start = at.saturating_sub(millis(rule.window).saturating_mul(windows));
        self.begin.is_some_and(|begin| start >= begin)
    }

    /// Looks at the lines of a view's window, which ends here.
    fn look(&self, view: &View, at: i64, found: &mut Vec<Found>) {
        let last = at.div_euclid(self.step) - 1;
        let now = Window::new(&self.live, view, last);
        let before = view.has_before.then(|| {
            let sums = View { depth: Depth::Sums, rules: Vec::new(), ..*view };
            Window::new(&self.live, &sums, last.saturating_sub(view.steps))
        });
        let windows = Windows { now, before, highest: RefCell::default() };
        let rules = view.rules.iter().filter_map(|rule| Some((*rule, self.rules.get(*rule)?)));
        for (rule, judged) in rules {
            let is_whole = self.is_whole(&judged.rule, at);
            let mut find = |hash: u64, text: &str| {
                let seen = Some(windows.of(hash, is_whole).seen(&judged.rule));
                found.push(Found { rule, hash, text: text.into(), seen });
            };
            match (judged.only, &judged.rule.subject) {
                (Some(hash), Subject::Key(_, text)) => find(hash, text),
                (Some(_), _) => find(ALL, ""),
                (None, _) => self.look_at_each(rule, judged, (&windows, is_whole), found),
            }
        }
    }

    /// Looks at each key: those with lines, those that had some, and those of which there is something to
    /// remember. Of others there is nothing to say.
    fn look_at_each(
        &self,
        rule: usize,
        judged: &Judged,
        (windows, is_whole): (&Windows<'_>, bool),
        found: &mut Vec<Found>,
    ) {
        let now = &windows.now;
        // Of very many rules few are ever near their limits.
        if judged.held.is_empty() && windows.is_below(&judged.rule) {
            return;
        }
        for merged in &now.keys {
            let hash = merged.key.hash;
            let seen = windows.of_key(merged, is_whole).seen(&judged.rule);
            if matches!(seen, Seen::Over(_)) || judged.held.contains_key(&hash) {
                let text = String::from_utf8_lossy(merged.key.text).into();
                found.push(Found { rule, hash, text, seen: Some(seen) });
            }
        }
        let read = |hash| windows.of(hash, is_whole).seen(&judged.rule);
        let known = self.known_of(&judged.rule).filter(|_| is_low(&judged.rule));
        for (hash, (text, _)) in judged.held.iter().filter(|(hash, _)| !now.has(**hash)) {
            let is_forgotten = known.is_some_and(|known| known.get(*hash).is_none());
            let seen = (!is_forgotten).then(|| read(*hash));
            found.push(Found { rule, hash: *hash, text: text.clone(), seen });
        }
        for (hash, key) in known.into_iter().flat_map(Known::keys) {
            if !now.has(hash) && !judged.held.contains_key(&hash) {
                let seen = read(hash);
                if matches!(seen, Seen::Over(_)) {
                    found.push(Found { rule, hash, text: key.text.clone(), seen: Some(seen) });
                }
            }
        }
    }

    fn look_for_silence(&self, at: i64, found: &mut Vec<Found>) {
        let Some(begin) = self.begin else { return };
        for (rule, judged) in self.rules.iter().enumerate() {
            let Some(known) = self.known_of(&judged.rule) else { continue };
            if judged.rule.measure != Measure::Silence {
                continue;
            }
            let silent = |last: Option<i64>| silence(judged.rule.limit, last, begin, at);
            if let Some(hash) = judged.only {
                let text = match &judged.rule.subject {
                    Subject::Key(_, text) => text.as_str(),
                    _ => "",
                };
                let seen = Some(silent(known.get(hash).map(|key| key.last)));
                found.push(Found { rule, hash, text: text.into(), seen });
                continue;
            }
            for (hash, key) in known.keys() {
                let seen = silent(Some(key.last));
                if matches!(seen, Seen::Over(_)) || judged.held.contains_key(&hash) {
                    found.push(Found { rule, hash, text: key.text.clone(), seen: Some(seen) });
                }
            }
            let gone = judged.held.iter().filter(|(hash, _)| known.get(**hash).is_none());
            for (hash, (text, _)) in gone {
                found.push(Found { rule, hash: *hash, text: text.clone(), seen: None });
            }
        }
    }

    /// Lets an alert become what follows from what was seen.
    fn conclude(&mut self, found: Found, at: i64, events: &mut Vec<Event>) {
        let Some(judged) = self.rules.get_mut(found.rule) else { return };
        let Judged { rule, held, .. } = judged;
        let was_held = held.get(&found.hash).map(|(_, held)| *held);
        let mut next = was_held.unwrap_or_default();
        let change = match found.seen {
            Some(seen) => next.judge(rule, seen, at),
            None => next.end(Change::Forgotten, at),
        };
        if was_held.is_none() && !next.is_idle() && held.len() >= MOST_HELD {
            self.left_out += 1;
            return;
        }
        if let Some(change) = change {
            let key = named(rule, &found.text);
            events.push(Event { at, change, alert: Alert::new(rule, key, &next) });
        }
        keep(held, found, next);
    }
}

/// Remembers an alert if there is something to remember.
fn keep(held: &mut HashMap<u64, (Box<str>, Held)>, found: Found, next: Held) {
    if next.is_idle() {
        held.remove(&found.hash);
    } else {
        held.entry(found.hash).or_insert_with(|| (found.text, next)).1 = next;
    }
}

/// The key of an alert.
pub fn named(rule: &Rule, text: &str) -> Option<Named> {
    let dimension = rule.subject.dimension()?;
    Some(Named { dimension: dimension.name().to_owned(), text: text.to_owned() })
}

/// Whether few lines are an alert, so that the keys are watched which have none.
fn is_low(rule: &Rule) -> bool {
    matches!(rule.limit, Limit::AtMost { .. })
}

/// How long a key has been silent whose last line was then, if all lines were seen since `begin`.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of some days")]
fn silence(limit: Limit, last: Option<i64>, begin: i64, at: i64) -> Seen {
    if at < begin {
        return Seen::Unseen;
    }
    let since = last.map_or(begin, |last| last.max(begin));
    let seconds = at.saturating_sub(since).max(0) as f64 / 1000.0;
    match seen(limit, seconds, seconds) {
        // It may have been silent for longer.
        Seen::Between(_) | Seen::Well(_) if last.is_none_or(|last| last < begin) => Seen::Unseen,
        seen => seen,
    }
}
