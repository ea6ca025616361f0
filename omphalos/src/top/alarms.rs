//! The alerts of what is counted, and what happened last.

use std::collections::{BTreeMap, VecDeque};

use omphalos_live::alert::{Alert, Alerts, AlertsProblem, Event, LeftOut, Of, Rule, Saved};
use omphalos_live::{Hit, Pace, Settings};

/// So many events are kept to be looked at, or told.
const MOST_EVENTS: usize = 10_000;

/// How alerts stand.
#[derive(Debug, Default)]
pub struct Told {
    /// Those that are not ok, raised ones first.
    pub alerts: Vec<Alert>,
    /// What was raised and cleared last, the newest first.
    pub events: Vec<Event>,
    /// How many events there were before these.
    pub earlier: u64,
    /// What was left out.
    pub left_out: LeftOut,
}

/// Rules, their alerts and events.
#[derive(Debug)]
pub struct Alarms {
    rules: Vec<Rule>,
    lines: Settings,
    alerts: Alerts,
    /// Events of the line before, which are looked at once it is counted.
    of_line: Vec<Event>,
    /// What happened last, the newest at the end.
    events: VecDeque<Event>,
    /// How many of the last of them nobody was told of yet, and how many more there were.
    untold: usize,
    dropped: u64,
    /// How many there were in all.
    all: u64,
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
            of_line: Vec::new(),
            events: VecDeque::new(),
            untold: 0,
            dropped: 0,
            all: 0,
            happened: BTreeMap::new(),
        })
    }

    /// Takes in a line.
    pub fn take(&mut self, hit: &Hit<'_>) {
        self.take_of(Of::Lines, hit);
    }

    /// Takes in a line, or a heartbeat.
    pub fn take_of(&mut self, of: Of, hit: &Hit<'_>) {
        self.alerts.take_of(of, hit, &mut self.of_line);
        if !self.of_line.is_empty() {
            self.note();
        }
    }

    /// Says what the clock shows, in nanoseconds since 1970.
    pub fn advance(&mut self, now: i64) {
        self.alerts.advance(now, &mut self.of_line);
        self.note();
    }

    /// No more lines will come.
    pub fn finish(&mut self) {
        self.alerts.finish(&mut self.of_line);
        self.note();
    }

    fn note(&mut self) {
        for event in self.of_line.drain(..) {
            let word = if event.change.is_raised() { "raised" } else { "cleared" };
            *self.happened.entry((event.alert.rule.clone(), word)).or_default() += 1;
            self.all += 1;
            self.untold += 1;
            self.events.push_back(event);
        }
        let surplus = self.events.len().saturating_sub(MOST_EVENTS);
        self.events.drain(..surplus);
        self.dropped += self.untold.saturating_sub(self.events.len()) as u64;
        self.untold = self.untold.min(self.events.len());
    }

    /// Lines are read once more from the first on: what they said already is not said again.
    pub fn begin_again(&mut self) {
        let saved = self.alerts.save();
        // They were checked before.
        if let Ok(mut alerts) = Alerts::new(self.rules.clone(), &self.lines) {
            alerts.restore(&saved, &mut self.of_line);
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
        self.alerts.restore(saved, &mut self.of_line);
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
        let told = self.events.len() - self.untold;
        let new = self.events.iter().skip(told).cloned().collect();
        self.untold = 0;
        (new, std::mem::take(&mut self.dropped))
    }

    /// Alerts that are not ok.
    pub fn active(&self) -> Vec<Alert> {
        self.alerts.active()
    }

    /// How alerts stand, with `most` of what happened last.
    pub fn told(&self, most: usize) -> Told {
        let events: Vec<Event> = self.events.iter().rev().take(most).cloned().collect();
        let earlier = self.all - events.len() as u64;
        Told { alerts: self.active(), events, earlier, left_out: self.left_out() }
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
