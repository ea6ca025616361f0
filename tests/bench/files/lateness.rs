//! How long lines take from being written to being confirmed.
//!
//! Lines are counted, not recognised, so one that is overtaken by others is not seen while more are
//! written. But when the writer has stopped nothing can stand in for it: the lines of the last
//! second, one in each file, are then waited for to the last one.

use std::time::{Duration, Instant};

use omphalos_tests::rest;

use super::running::{Running, Scrape};
use super::writer::Tick;

/// Between two samples.
const PAUSE: Duration = Duration::from_millis(50);
/// Nothing is waited for longer than that.
const LONGEST: Duration = Duration::from_mins(1);

/// How many documents were confirmed at a time.
pub struct Sample {
    pub at: Instant,
    pub confirmed: u64,
}

/// How late lines were, in seconds.
pub struct Lateness {
    pub median: f64,
    pub worst: f64,
}

/// Looks at the metrics 20 times a second until `is_over`, and keeps what `confirmed` makes of them.
pub fn sample(
    running: &Running,
    confirmed: impl Fn(&Scrape) -> u64,
    mut is_over: impl FnMut(&Scrape) -> bool,
) -> Vec<Sample> {
    let begun = Instant::now();
    let mut samples = Vec::new();
    while begun.elapsed() < LONGEST {
        let due = Instant::now() + PAUSE;
        let scrape = running.scrape();
        samples.push(Sample { at: Instant::now(), confirmed: confirmed(&scrape) });
        if is_over(&scrape) {
            break;
        }
        rest(due.saturating_duration_since(Instant::now()));
    }
    samples
}

impl Lateness {
    /// Of what was written since the first sample; `before` documents were confirmed before the
    /// first line. `None` when not everything was confirmed.
    pub fn of(ticks: &[Tick], samples: &[Sample], before: u64) -> Option<Self> {
        let first = samples.first()?.at;
        let mut later = samples.iter().peekable();
        let mut found = Vec::new();
        for tick in ticks.iter().filter(|tick| tick.begun >= first) {
            while later.peek()?.confirmed < before + tick.lines {
                later.next();
            }
            found.push(later.peek()?.at.duration_since(tick.begun).as_secs_f64());
        }
        found.sort_by(f64::total_cmp);
        let (median, worst) = (found.get(found.len() / 2)?, found.last()?);
        Some(Self { median: *median, worst: *worst })
    }
}
