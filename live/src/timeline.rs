//! Which step a line belongs to, and which steps have ended: event time with a watermark.

use crate::settings::{Pace, Settings, nanos};

/// Where time stands.
#[derive(Debug, Clone)]
pub struct Timeline {
    step: i64,
    lateness: i64,
    ahead: i64,
    pace: Pace,
    /// The latest time of a line, or of the clock.
    newest: Option<i64>,
    /// The earliest time of a line.
    oldest: Option<i64>,
    /// What the clock said last.
    clock: Option<i64>,
}

/// What the time of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In this step, which is open.
    In(i64),
    /// In a step that has ended.
    Late,
    /// Further ahead of the clock than may be.
    Ahead,
}

impl Timeline {
    /// Before the first line.
    pub fn new(settings: &Settings) -> Self {
        Self {
            step: nanos(settings.step).max(1),
            lateness: nanos(settings.lateness),
            ahead: nanos(settings.ahead),
            pace: settings.pace,
            newest: None,
            oldest: None,
            clock: None,
        }
    }

    /// What moves time from now on.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// What the clock said last.
    pub fn clock(&self) -> Option<i64> {
        self.clock
    }

    /// Sets what the clock said last, before the first line.
    pub fn set_clock(&mut self, clock: Option<i64>) {
        self.clock = clock;
    }

    /// Takes in the time of a line.
    #[inline]
    pub fn see(&mut self, time: i64) -> When {
        if self.clock.is_some_and(|clock| time > clock.saturating_add(self.ahead)) {
            return When::Ahead;
        }
        let step = self.step_of(time);
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        if self.first_open().is_some_and(|first| step < first) {
            return When::Late;
        }
        self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
        When::In(step)
    }

    /// Takes in what the clock says.
    pub fn advance(&mut self, now: i64) {
        let clock = self.clock.map_or(now, |clock| clock.max(now));
        self.clock = Some(clock);
        // Before the first line there is nothing that could end.
        if self.pace == Pace::Clock {
            self.newest = self.newest.map(|newest| newest.max(clock));
        }
    }

    /// The step that a time is in.
    #[inline]
    pub fn step_of(&self, time: i64) -> i64 {
        time.div_euclid(self.step)
    }

    /// When a step begins.
    pub fn start_of(&self, step: i64) -> i64 {
        step.saturating_mul(self.step)
    }

    /// No line before this time is counted in a step any more, but those of the step that it is in.
    pub fn watermark(&self) -> Option<i64> {
        self.newest.map(|newest| newest.saturating_sub(self.lateness))
    }

    /// The first step that has not ended; `None` before the first line.
    #[inline]
    pub fn first_open(&self) -> Option<i64> {
        self.watermark().map(|watermark| self.step_of(watermark))
    }

    /// The latest time of a line, or of the clock where that moves time.
    pub fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// The earliest time of a line.
    pub fn oldest(&self) -> Option<i64> {
        self.oldest
    }

    /// How long a step is.
    pub fn step(&self) -> i64 {
        self.step
    }
}
