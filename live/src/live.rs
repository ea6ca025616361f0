//! Both collectors at once: `aggregate`, since the start, and `sliding`, the last steps.
//!
//! A line is added to the step that it belongs to, and to nothing else. When a step has ended, its
//! sums are added to those since the start, and it is kept until it has left the window. So both cost
//! one pass a line, and what they cost beside that depends on steps and capacity, not on traffic. An answer
//! merges what it needs, and changes nothing.

use std::collections::VecDeque;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::dimension::Dimension;
use crate::filter::Filter;
use crate::hit::Hit;
use crate::question::KeyId;
use crate::recent::{Hashes, Recent};
use crate::settings::{MOST_DIMENSIONS, Pace, Settings, SettingsProblem};
use crate::sketch::{Figures, Key, Table, bucket};
use crate::step::Step;
use crate::timeline::{Timeline, When};

/// Figures of lines. One thread owns it and asks it.
#[derive(Debug)]
pub struct Live {
    pub(crate) settings: Settings,
    pub(crate) timeline: Timeline,
    /// What is counted, by the places of its tables.
    pub(crate) places: Vec<Option<Counted>>,
    /// Steps that have not ended, in order.
    pub(crate) open: Vec<Step>,
    /// Steps of the window that have ended, in order.
    pub(crate) ended: VecDeque<Step>,
    /// All steps that have ended since the start.
    pub(crate) start: Step,
    /// Lines that are in no step and not yet in `start`.
    pub(crate) stray: Step,
    pub(crate) recent: Recent,
    pub(crate) lates: u64,
    /// The latest time of a line that was late.
    pub(crate) latest_late: Option<i64>,
    pub(crate) aheads: u64,
    pub(crate) left_out: u64,
}

/// A dimension that is counted.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub dimension: Dimension,
    /// Since when, in nanoseconds; `None` for the start.
    pub since: Option<i64>,
}

impl Live {
    /// Without a line.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(settings: Settings) -> Result<Self, SettingsProblem> {
        settings.check()?;
        let mut live = Self {
            timeline: Timeline::new(&settings),
            places: Vec::new(),
            open: Vec::new(),
            ended: VecDeque::new(),
            start: Step::new(0, 0, settings.capacity),
            stray: Step::new(0, 0, settings.capacity),
            recent: Recent::new(settings.line_bytes),
            lates: 0,
            latest_late: None,
            aheads: 0,
            left_out: 0,
            settings,
        };
        for dimension in live.settings.dimensions.clone() {
            live.count(dimension)?;
        }
        Ok(live)
    }

    /// The latest time of a line that is in no step because it came when its step had ended, in nanoseconds since
    /// 1970: what reaches back to it has not all lines.
    pub fn latest_late(&self) -> Option<i64> {
        self.latest_late
    }

    /// Counts a line. False if the filter leaves it out.
    pub fn take(&mut self, hit: &Hit<'_>) -> bool {
        self.take_when(hit).1
    }

    /// Counts a line. Returns which step it is in, and false if the filter leaves it out.
    pub(crate) fn take_when(&mut self, hit: &Hit<'_>) -> (When, bool) {
        self.let_go();
        let when = self.timeline.see(hit.time);
        // Time is moved by all lines: that few are meant does not make a window longer.
        if self.settings.filter.as_ref().is_some_and(|filter| !filter.matches(hit)) {
            self.left_out += 1;
            self.end_steps();
            return (when, false);
        }
        self.count_in(when, hit);
        self.end_steps();
        (when, true)
    }

    fn count_in(&mut self, when: When, hit: &Hit<'_>) {
        let figures = self.figures(hit);
        let seed = self.settings.seed;
        let step = match when {
            When::In(number) => {
                let at = self.place_of_step(number);
                self.open.get_mut(at)
            }
            When::Late => {
                self.lates += 1;
                self.latest_late = self.latest_late.max(Some(hit.time));
                self.settings.since_start.then_some(&mut self.stray)
            }
            When::Ahead => {
                self.aheads += 1;
                self.settings.since_start.then_some(&mut self.stray)
            }
        };
        let Some(step) = step else { return };
        step.totals.take(&figures);
        let mut hashes: Hashes = [0; MOST_DIMENSIONS];
        let tables = step.tables.iter_mut();
        for ((counted, table), noted) in self.places.iter().zip(tables).zip(&mut hashes) {
            let Some(counted) = counted else { continue };
            counted.dimension.with_value(hit, |value| {
                let known = figures.client.filter(|_| counted.dimension == Dimension::Client);
                *noted = known.unwrap_or_else(|| hash(seed, value));
                table.take(Key::new(*noted, value), &figures);
            });
        }
        self.recent.take(hit.time, hit.line, hashes);
    }

    fn figures(&self, hit: &Hit<'_>) -> Figures {
        let class = hit.status.filter(|status| (100..600).contains(status)).unwrap_or(0) / 100;
        Figures {
            bytes: hit.bytes.unwrap_or(0),
            class: u8::try_from(class).unwrap_or(0),
            is_error: hit.status.is_some_and(|status| status >= self.settings.errors_from),
            client: hit
                .client
                .filter(|_| self.settings.clients)
                .map(|client| hash(self.settings.seed, client)),
            latency: hit.latency,
            bucket: hit.latency.map_or(0, bucket),
        }
    }

    /// Where among the open steps this one is, which is made if it is not there.
    fn place_of_step(&mut self, number: i64) -> usize {
        // Lines nearly always belong to the last.
        if self.open.last().is_some_and(|step| step.number == number) {
            return self.open.len() - 1;
        }
        match self.open.binary_search_by_key(&number, |step| step.number) {
            Ok(at) => at,
            Err(at) => {
                let capacity = self.settings.step_capacity();
                self.open.insert(at, Step::new(number, self.places.len(), capacity));
                at
            }
        }
    }

    /// Says what the clock shows, in nanoseconds since 1970; to be called about once a second. Then it is known
    /// which lines are ahead of it. With [`Pace::Clock`] time also goes on, and steps end, while no
    /// line comes between two calls.
    pub fn advance(&mut self, now: i64) {
        self.let_go();
        self.timeline.advance(now);
        self.end_steps();
    }

    /// Begins at this time, in nanoseconds since 1970, if no line has come yet: time goes on from there.
    pub fn begin(&mut self, now: i64) {
        self.timeline.begin(now);
    }

    /// No more lines will come: steps end up to the one that the newest line is in, without waiting for
    /// lines that are late. With `all` that one ends as well, though it may be but a part of one.
    pub(crate) fn finish(&mut self, all: bool) {
        self.let_go();
        self.timeline.finish(all);
        self.end_steps();
    }

    /// What moves time from now on: a file is read to its end by the times of its lines, and followed by
    /// the clock.
    pub fn set_pace(&mut self, pace: Pace) {
        self.settings.pace = pace;
        self.timeline.set_pace(pace);
    }

    /// Looks back so far from now on. What has left a shorter window does not come back into a longer one.
    ///
    /// # Errors
    /// When the window cannot be so long, or is not a number of whole steps.
    pub fn set_window(&mut self, window: Duration) -> Result<(), SettingsProblem> {
        let settings = Settings { window, ..self.settings.clone() };
        settings.check()?;
        self.settings = settings;
        self.let_go();
        Ok(())
    }

    /// How far it looks back.
    pub fn window(&self) -> Duration {
        self.settings.window
    }

    /// Ends the steps before the watermark.
    fn end_steps(&mut self) {
        let Some(first) = self.timeline.first_open() else { return };
        if self.open.first().is_some_and(|step| step.number < first) {
            let left = self.open.split_off(self.open.partition_point(|step| step.number < first));
            for mut step in std::mem::replace(&mut self.open, left) {
                if self.settings.since_start {
                    add(&mut self.start, &step);
                }
                step.seal();
                self.ended.push_back(step);
            }
            if self.stray.totals.counts.hits > 0 {
                add(&mut self.start, &self.stray);
                self.stray.clear(0);
            }
        }
    }

    /// Lets go of steps that had left the window before this line or this moment: those that it ends are
    /// asked for first, each with its own window.
    fn let_go(&mut self) {
        let Some(front) = self.ended.front() else { return };
        let Some(first) = self.timeline.first_open() else { return };
        let oldest = first.saturating_sub(self.settings.steps());
        if front.number < oldest {
            let left = self.ended.partition_point(|step| step.number < oldest);
            self.ended.drain(..left);
        }
    }

    /// The end of the last step that has ended, in nanoseconds since 1970. When it moves, alerts are
    /// judged for each end of a step that it moved over ([`crate::Scope::Until`]), so that a replay
    /// gives the same answers.
    pub fn ended_at(&self) -> Option<i64> {
        self.timeline.first_open().map(|first| self.timeline.start_of(first))
    }

    /// How lines are counted.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Counts the keys of one more dimension, from now on. Nothing changes if it is counted already.
    ///
    /// # Errors
    /// When there are as many as can be.
    pub fn count(&mut self, dimension: Dimension) -> Result<(), SettingsProblem> {
        if self.place(&dimension).is_some() {
            return Ok(());
        }
        let mut dimensions = self.dimensions();
        dimensions.push(dimension.clone());
        let settings = Settings { dimensions, ..self.settings.clone() };
        settings.check()?;
        self.settings = settings;
        let counted = Counted { dimension, since: self.timeline.newest() };
        if let Some(place) = self.places.iter_mut().find(|place| place.is_none()) {
            *place = Some(counted);
            return Ok(());
        }
        self.places.push(Some(counted));
        for step in [&mut self.start, &mut self.stray] {
            step.tables.push(Table::new(self.settings.capacity));
        }
        let capacity = self.settings.step_capacity();
        for step in self.open.iter_mut().chain(&mut self.ended) {
            step.tables.push(Table::new(capacity));
        }
        Ok(())
    }

    /// Forgets the keys of a dimension.
    pub fn stop_counting(&mut self, dimension: &Dimension) {
        let Some(place) = self.place(dimension) else { return };
        if let Some(counted) = self.places.get_mut(place) {
            *counted = None;
        }
        self.settings.dimensions = self.dimensions();
        let steps = self.open.iter_mut().chain(&mut self.ended);
        for step in steps.chain([&mut self.start, &mut self.stray]) {
            if let Some(table) = step.tables.get_mut(place) {
                *table = table.emptied();
            }
        }
        self.recent.forget(place);
    }

    /// What is counted.
    pub fn dimensions(&self) -> Vec<Dimension> {
        self.places.iter().flatten().map(|counted| counted.dimension.clone()).collect()
    }

    /// Begins anew with another filter: what was counted before had the other one.
    pub fn set_filter(&mut self, filter: Option<Filter>) {
        let settings = Settings { filter, dimensions: self.dimensions(), ..self.settings.clone() };
        // They were checked before, and the filter is none of what is checked.
        if let Ok(mut live) = Self::new(settings) {
            live.timeline.set_clock(self.timeline.clock());
            *self = live;
        }
    }

    /// The id of the key with this text, in any dimension.
    pub fn key_id(&self, text: &[u8]) -> KeyId {
        KeyId(hash(self.settings.seed, text))
    }

    pub(crate) fn place(&self, dimension: &Dimension) -> Option<usize> {
        self.places
            .iter()
            .position(|place| place.as_ref().is_some_and(|counted| counted.dimension == *dimension))
    }
}

/// The hash of a key; 0 stands for none.
#[inline]
fn hash(seed: u64, text: &[u8]) -> u64 {
    xxh3_64_with_seed(text, seed).max(1)
}

/// Adds the lines of a step to those since the start.
fn add(start: &mut Step, step: &Step) {
    start.totals.add(&step.totals);
    for (ours, theirs) in start.tables.iter_mut().zip(&step.tables) {
        ours.add(theirs);
    }
}
