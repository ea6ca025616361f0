//! The alerts of what is counted, and what happened last.

use std::collections::{BTreeMap, VecDeque};

use omphalos_live::alert::{Alert, Alerts, AlertsProblem, Event, LeftOut, Of, Rule, Saved};
use omphalos_live::{Hit, Pace, Settings};

/// So many events are kept to be looked at.
const MOST_RECENT: usize = 200;
/// So many events wait to be told.
const MOST_NEW: usize = 10_000;

/// Rules, their alerts and events.
#[derive(Debug)]
pub struct Alarms {
    rules: Vec<Rule>,
    lines: Settings,
    alerts: Alerts,
    /// Events of the line before, which are looked at once it is counted.
    events: Vec<Event>,
    /// Events that nobody was told of yet.
    new: VecDeque<Event>,
    recent: VecDeque<Event>,
    dropped: u64,
    /// How often what happened, by the names of rules.
    happened: BTreeMap<(String, &'static str), u64>,
}

impl Alarms {
    /// Of these rules, about lines that are counted so.
    ///
    /// # Errors
    /// When a rule cannot be used.
    pub fn new(rules: Vec<Rule>, lines: &Settings) -> Result<Self, AlertsProblem> {
        Ok(Self {
            alerts: Alerts::new(rules.clone(), lines)?,
            rules,
            lines: lines.clone(),
            events: Vec::new(),
            new: VecDeque::new(),
            recent: VecDeque::new(),
            dropped: 0,
            happened: BTreeMap::new(),
        })
    }

    /// Takes in a line.
    pub fn take(&mut self, hit: &Hit<'_>) {
        self.take_of(Of::Lines, hit);
    }

    /// Takes in a line, or a heartbeat.
    pub fn take_of(&mut self, of: Of, hit: &Hit<'_>) {
        self.alerts.take_of(of, hit, &mut self.events);
        if !self.events.is_empty() {
            self.note();
        }
    }

    /// Says what the clock shows, in nanoseconds since 1970.
    pub fn advance(&mut self, now: i64) {
        self.alerts.advance(now, &mut self.events);
        self.note();
    }

    fn note(&mut self) {
        for event in self.events.drain(..) {
            let word = if event.change.is_raised() { "raised" } else { "cleared" };
            *self.happened.entry((event.alert.rule.clone(), word)).or_default() += 1;
            if self.new.len() < MOST_NEW {
                self.new.push_back(event.clone());
            } else {
                self.dropped += 1;
            }
            self.recent.push_front(event);
        }
        self.recent.truncate(MOST_RECENT);
    }

    /// Lines are read once more from the first on: what they said already is not said again.
    pub fn begin_again(&mut self) {
        let saved = self.alerts.save();
        // They were checked before.
        if let Ok(mut alerts) = Alerts::new(self.rules.clone(), &self.lines) {
            alerts.restore(&saved, &mut self.events);
            self.alerts = alerts;
        }
    }

    /// What moves time from now on.
    pub fn set_pace(&mut self, pace: Pace) {
        self.lines.pace = pace;
        self.alerts.set_pace(pace);
    }

    /// Goes on from what was kept.
    pub fn restore(&mut self, saved: &Saved) {
        self.alerts.restore(saved, &mut self.events);
        self.note();
    }

    /// What is to be kept.
    pub fn save(&self) -> Saved {
        self.alerts.save()
    }

    /// The alerts themselves.
    pub fn alerts(&mut self) -> &mut Alerts {
        &mut self.alerts
    }

    /// Takes the events that nobody was told of yet, and how many more there were than are kept.
    pub fn take_new(&mut self) -> (Vec<Event>, u64) {
        (self.new.drain(..).collect(), std::mem::take(&mut self.dropped))
    }

    /// Alerts that are not ok.
    pub fn active(&self) -> Vec<Alert> {
        self.alerts.active()
    }

    /// What happened last, the newest first.
    pub fn recent(&self) -> Vec<Event> {
        self.recent.iter().cloned().collect()
    }

    /// How often alerts of each rule were raised and cleared.
    pub fn happened(&self) -> Vec<(String, &'static str, u64)> {
        let words = ["raised", "cleared"];
        let pairs = self.rules.iter().flat_map(|rule| words.map(|word| (rule.name.clone(), word)));
        pairs
            .map(|(rule, word)| {
                let count = self.happened.get(&(rule.clone(), word)).copied().unwrap_or(0);
                (rule, word, count)
            })
            .collect()
    }

    /// How many alerts of each rule are raised.
    pub fn raised(&self) -> Vec<(String, u64)> {
        let mut raised: BTreeMap<&str, u64> =
            self.rules.iter().map(|rule| (rule.name.as_str(), 0)).collect();
        let active = self.active();
        for alert in active.iter().filter(|alert| alert.state.is_raised()) {
            *raised.entry(&alert.rule).or_default() += 1;
        }
        raised.into_iter().map(|(rule, count)| (rule.to_owned(), count)).collect()
    }

    /// What was left out.
    pub fn left_out(&self) -> LeftOut {
        self.alerts.left_out()
    }
}
