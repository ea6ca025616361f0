//! How lines are counted.

use std::time::Duration;

use crate::dimension::Dimension;
use crate::filter::Filter;

/// Dimensions that can be counted at a time.
pub const MOST_DIMENSIONS: usize = 16;
/// Steps that a window can have.
pub const MOST_STEPS: i64 = 720;
/// Keys of one dimension in all steps of a window; with many steps, each has fewer.
const MOST_STEP_KEYS: usize = 30 << 10;
/// Keys that a dimension can have.
const MOST_CAPACITY: usize = 16 << 10;
/// Steps that can be open at a time.
const MOST_OPEN: i64 = 64;

/// What moves time forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// The times of lines, and the clock while no line comes: for lines that come as they happen. A line
    /// ahead of the clock moves time up to the clock.
    #[default]
    Clock,
    /// The times of lines alone: for old lines, which are the same however fast they are read.
    Lines,
}

/// How lines are counted.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How much the sliding window looks back.
    pub window: Duration,
    /// By how much it moves.
    pub step: Duration,
    /// How much older than the newest a line may be to be counted in its step.
    pub lateness: Duration,
    /// How far ahead of the clock the time of a line may be.
    pub ahead: Duration,
    /// What moves time forward.
    pub pace: Pace,
    /// By what lines are counted.
    pub dimensions: Vec<Dimension>,
    /// So many keys of a dimension are exact; with more, sums may be too large by at most the hits divided
    /// by it. A step of a window of more than 60 has less ([`Settings::step_capacity`]).
    pub capacity: usize,
    /// Which lines are counted.
    pub filter: Option<Filter>,
    /// From which status on a response is an error.
    pub errors_from: u16,
    /// Whether different clients are counted.
    pub clients: bool,
    /// Whether figures since the start are kept beside those of the window.
    pub since_start: bool,
    /// How many bytes of the last lines are kept.
    pub line_bytes: usize,
    /// Of the hashes of keys.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Duration::from_mins(5),
            step: Duration::from_secs(5),
            lateness: Duration::from_secs(10),
            ahead: Duration::from_mins(1),
            pace: Pace::default(),
            dimensions: Dimension::USUAL.to_vec(),
            capacity: 512,
            filter: None,
            errors_from: 500,
            clients: true,
            since_start: true,
            line_bytes: 4 << 20,
            seed: 0,
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: expected {expected}, found {found}")]
pub struct SettingsProblem {
    setting: &'static str,
    expected: String,
    found: String,
}

impl SettingsProblem {
    /// That there are not too many of something.
    pub(crate) fn most(setting: &'static str, most: usize, found: usize) -> Result<(), Self> {
        if found <= most {
            return Ok(());
        }
        Err(Self { setting, expected: format!("at most {most}"), found: found.to_string() })
    }

    /// That nothing is named twice.
    pub(crate) fn twice<'a>(
        setting: &'static str,
        mut names: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), Self> {
        while let Some(name) = names.next() {
            if names.clone().any(|other| other == name) {
                let expected = "each field once".to_owned();
                return Err(Self { setting, expected, found: format!("{name} twice") });
            }
        }
        Ok(())
    }
}

impl Settings {
    /// Checks that they can be used.
    ///
    /// # Errors
    /// Which cannot, and why.
    pub fn check(&self) -> Result<(), SettingsProblem> {
        let problem = |setting, expected: String, found: String| {
            Err(SettingsProblem { setting, expected, found })
        };
        let step = nanos(self.step);
        if step < 1_000_000 {
            return problem("step", "at least 1 ms".into(), format!("{:?}", self.step));
        }
        let steps = nanos(self.window).div_euclid(step);
        if !(1..=MOST_STEPS).contains(&steps) || nanos(self.window) % step != 0 {
            let expected = format!("1 to {MOST_STEPS} whole steps of {:?}", self.step);
            return problem("window", expected, format!("{:?}", self.window));
        }
        let open = nanos(self.lateness).saturating_add(nanos(self.ahead)).div_euclid(step);
        if open > MOST_OPEN {
            let expected = format!("at most {MOST_OPEN} steps of {:?}, together", self.step);
            let found = format!("{:?} and {:?}", self.lateness, self.ahead);
            return problem("lateness and ahead", expected, found);
        }
        SettingsProblem::most("dimensions", MOST_DIMENSIONS, self.dimensions.len())?;
        if !(16..=MOST_CAPACITY).contains(&self.capacity) {
            let expected = format!("16 to {MOST_CAPACITY}");
            return problem("capacity", expected, self.capacity.to_string());
        }
        Ok(())
    }

    /// How many steps the window has.
    pub(crate) fn steps(&self) -> i64 {
        nanos(self.window).div_euclid(nanos(self.step).max(1)).max(1)
    }

    /// The capacity of a step: all steps of a window together have a bound as well.
    pub fn step_capacity(&self) -> usize {
        let steps = usize::try_from(self.steps()).unwrap_or(usize::MAX);
        self.capacity.min(MOST_STEP_KEYS / steps.max(1)).max(16)
    }
}

/// As nanoseconds; what is longer than 292 years is as long as that.
pub(crate) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
