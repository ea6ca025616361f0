//! Every line, and what follows from the definitions alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::SECOND;
use crate::{Dimension, Hit, Pace, Scope, Settings};

/// A line, owned.
#[derive(Debug, Clone, PartialEq)]
pub struct Owned {
    pub time: i64,
    pub path: String,
    pub client: Option<String>,
    pub status: Option<u16>,
    pub bytes: u64,
    pub latency: Option<u64>,
    pub text: String,
}

impl Owned {
    pub fn hit(&self) -> Hit<'_> {
        Hit {
            time: self.time,
            path: Some(self.path.as_bytes()),
            client: self.client.as_ref().map(String::as_bytes),
            status: self.status,
            bytes: Some(self.bytes),
            latency: self.latency,
            line: self.text.as_bytes(),
            ..Hit::default()
        }
    }

    pub fn key(&self, dimension: &Dimension) -> Option<String> {
        match dimension {
            Dimension::Path => Some(self.path.clone()),
            Dimension::Client => self.client.clone(),
            Dimension::Status => self.status.map(|status| status.to_string()),
            other => panic!("the model has no {other}"),
        }
    }

    pub fn is_error(&self) -> bool {
        self.status.is_some_and(|status| status >= 500)
    }
}

/// What is true of some lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    pub hits: u64,
    pub bytes: u64,
    pub errors: u64,
    pub clients: BTreeSet<String>,
    pub latencies: Vec<u64>,
}

impl Truth {
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a Owned>) -> Self {
        let mut truth = Self::default();
        for line in lines {
            truth.hits += 1;
            truth.bytes += line.bytes;
            truth.errors += u64::from(line.is_error());
            truth.clients.extend(line.client.clone());
            truth.latencies.extend(line.latency);
        }
        truth.latencies.sort_unstable();
        truth
    }

    pub fn quantile(&self, of_thousand: usize) -> u64 {
        self.latencies[(self.latencies.len() * of_thousand).div_ceil(1000) - 1]
    }
}

/// All lines, and which step each belongs to.
#[derive(Debug)]
pub struct Model {
    step: i64,
    steps: i64,
    lateness: i64,
    ahead: i64,
    pace: Pace,
    pub lines: Vec<(Owned, Option<i64>)>,
    newest: Option<i64>,
    clock: Option<i64>,
    quiet: Option<(i64, i64)>,
    pub late: u64,
    pub ahead_of_clock: u64,
}

impl Model {
    pub fn new(settings: &Settings) -> Self {
        let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap();
        Self {
            step: nanos(settings.step),
            steps: nanos(settings.window) / nanos(settings.step),
            lateness: nanos(settings.lateness),
            ahead: nanos(settings.ahead),
            pace: settings.pace,
            lines: Vec::new(),
            newest: None,
            clock: None,
            quiet: None,
            late: 0,
            ahead_of_clock: 0,
        }
    }

    /// The first step whose end is behind the watermark, or at it.
    pub fn first_open(&self) -> i64 {
        self.newest.map_or(i64::MIN, |newest| (newest - self.lateness).div_euclid(self.step))
    }

    pub fn take(&mut self, line: &Owned) {
        self.take_if(line, true);
    }

    /// What the clock said last.
    pub fn clock(&self) -> Option<i64> {
        self.clock
    }

    /// Takes a line, of which a filter may have left nothing but its time.
    pub fn take_if(&mut self, line: &Owned, is_meant: bool) {
        self.quiet = None;
        let step = line.time.div_euclid(self.step);
        let is_ahead = self.clock.is_some_and(|clock| line.time > clock + self.ahead);
        let is_late = !is_ahead && step < self.first_open();
        self.ahead_of_clock += u64::from(is_ahead && is_meant);
        self.late += u64::from(is_late && is_meant);
        if !is_ahead && !is_late {
            let clock = self.clock.filter(|_| self.pace == Pace::Clock);
            let time = line.time.min(clock.unwrap_or(i64::MAX));
            self.newest = Some(self.newest.unwrap_or(time).max(time));
        }
        if is_meant {
            self.lines.push((line.clone(), (!is_ahead && !is_late).then_some(step)));
        }
    }

    pub fn advance(&mut self, now: i64) {
        let now = self.clock.unwrap_or(now).max(now);
        self.clock = Some(now);
        if let Some(newest) = self.newest.filter(|_| self.pace == Pace::Clock) {
            let (since, from) = *self.quiet.get_or_insert((now, newest));
            self.newest = Some(newest.max((from + now - since).min(now)));
        }
    }

    /// The steps of a window.
    pub fn window(&self, scope: Scope) -> std::ops::RangeInclusive<i64> {
        let last = match scope {
            Scope::Ended => self.first_open().saturating_sub(1),
            Scope::Until(end) => (end * 1_000_000).div_euclid(self.step) - 1,
            _ => self.newest.unwrap_or(0).div_euclid(self.step),
        };
        last.saturating_sub(self.steps - 1)..=last
    }

    pub fn lines_of(&self, scope: Scope) -> Vec<&Owned> {
        let window = self.window(scope);
        let is_in = |step: &Option<i64>| {
            scope == Scope::Start || step.is_some_and(|step| window.contains(&step))
        };
        self.lines.iter().filter(|(_, step)| is_in(step)).map(|(line, _)| line).collect()
    }

    pub fn lines_of_step(&self, step: i64) -> Vec<&Owned> {
        let lines = self.lines.iter().filter(|(_, own)| *own == Some(step));
        lines.map(|(line, _)| line).collect()
    }

    pub fn keys(&self, dimension: &Dimension, scope: Scope) -> BTreeMap<String, Truth> {
        let mut lines: BTreeMap<String, Vec<&Owned>> = BTreeMap::new();
        for line in self.lines_of(scope) {
            if let Some(key) = line.key(dimension) {
                lines.entry(key).or_default().push(line);
            }
        }
        lines.into_iter().map(|(key, lines)| (key, Truth::of(lines))).collect()
    }

    /// The most keys that lines of a dimension ever had.
    pub fn distinct(&self, dimension: &Dimension) -> usize {
        self.keys(dimension, Scope::Start).len()
    }
}

/// Settings whose tables are as small as can be, so that they overflow.
pub fn small(window: i64, step: i64, pace: Pace) -> Settings {
    let seconds = |seconds: i64| Duration::from_nanos((seconds * SECOND).unsigned_abs());
    Settings {
        window: seconds(window),
        step: seconds(step),
        lateness: seconds(3),
        ahead: seconds(10),
        pace,
        dimensions: vec![Dimension::Path, Dimension::Client, Dimension::Status],
        capacity: 16,
        ..Settings::default()
    }
}
