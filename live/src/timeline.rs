//! Which step a line belongs to, and which steps have ended: event time with a watermark.

use crate::settings::{Pace, Settings, nanos};

/// Where time stands.
#[derive(Debug, Clone)]
pub struct Timeline {
    step: i64,
    lateness: i64,
    ahead: i64,
    pace: Pace,
    /// The latest time of a line, and what has passed since it came.
    newest: Option<i64>,
    /// The earliest time of a line.
    oldest: Option<i64>,
    /// What the clock said last.
    clock: Option<i64>,
    /// Since when no line came, by the clock, and what was the newest then.
    quiet: Option<(i64, i64)>,
    /// What follows from `newest`: dividing takes longer than all else that is done here a line.
    first_open: Option<i64>,
    /// The step of the line before, and its first and last nanosecond.
    current: (i64, i64, i64),
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
            quiet: None,
            first_open: None,
            current: (0, 0, -1),
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

    /// Begins at this time, if no line has come yet.
    pub fn begin(&mut self, now: i64) {
        if self.newest.is_none() {
            self.clock = Some(self.clock.map_or(now, |clock| clock.max(now)));
            self.set_newest(now);
        }
    }

    /// Takes in the time of a line.
    #[inline]
    pub fn see(&mut self, time: i64) -> When {
        self.quiet = None;
        if self.clock.is_some_and(|clock| time > clock.saturating_add(self.ahead)) {
            return When::Ahead;
        }
        let (mut step, first, last) = self.current;
        if time < first || time > last {
            step = self.step_of(time);
            let next = self.start_of(step.saturating_add(1));
            self.current = (step, self.start_of(step), next.saturating_sub(1));
        }
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        if self.first_open.is_some_and(|first| step < first) {
            return When::Late;
        }
        // A host whose clock is fast must not make the lines of all others late.
        let present = self.clock.filter(|_| self.pace == Pace::Clock);
        let time = present.map_or(time, |clock| time.min(clock));
        if self.newest.is_none_or(|newest| time > newest) {
            self.set_newest(time);
        }
        When::In(step)
    }

    fn set_newest(&mut self, time: i64) {
        self.newest = Some(time);
        let open = self.step_of(time.saturating_sub(self.lateness));
        self.first_open = self.first_open.max(Some(open));
    }

    /// Takes in what the clock says.
    pub fn advance(&mut self, now: i64) {
        let clock = self.clock.map_or(now, |clock| clock.max(now));
        self.clock = Some(clock);
        // Before the first line there is nothing that could end.
        let Some(newest) = self.newest.filter(|_| self.pace == Pace::Clock) else { return };
        // Lines may be on their way for long: while none comes, time goes on from the newest one, and
        // is not set to that of the clock.
        let (since, from) = *self.quiet.get_or_insert((clock, newest));
        let time = from.saturating_add(clock.saturating_sub(since)).min(clock);
        if time > newest {
            self.set_newest(time);
        }
    }

    /// No more lines will come, so that none is waited for: steps end up to that of the newest line, and
    /// with `all` that one as well.
    pub fn finish(&mut self, all: bool) {
        let Some(newest) = self.newest else { return };
        let open = self.step_of(newest).saturating_add(i64::from(all));
        self.first_open = self.first_open.max(Some(open));
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

    /// The first step that has not ended, the one that the watermark is in: that is the newest time less
    /// the lateness. `None` before the first line.
    #[inline]
    pub fn first_open(&self) -> Option<i64> {
        self.first_open
    }

    /// The latest time of a line, and what has passed since it came, where the clock moves time.
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
