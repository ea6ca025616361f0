//! Alerts: rules that are judged at each end of a step, by the times of lines and not by the clock, so
//! that a replay raises and clears at the same lines as the live run did.
//!
//! [`Alerts`] is owned by one thread, which gives it lines ([`Alerts::take`]) and the clock
//! ([`Alerts::advance`]), and takes events from it. Rules whose windows move by the same steps, and that mean the
//! same lines, share their collectors (`group.rs`); each rule holds the alerts of its keys (`state.rs`). What is held is
//! bounded, and what is not held for that is counted.

mod alerts;
mod event;
mod group;
mod judging;
mod known;
mod reading;
mod rule;
mod saved;
mod state;
#[cfg(test)]
mod tests;
mod text;
mod window;

pub use alerts::{Alerts, AlertsProblem, LeftOut};
pub use event::{Alert, Event, Named};
pub use known::MOST_KNOWN;
pub use rule::{Limit, Measure, Of, Rule, RuleProblem, Subject, Unit};
pub use saved::{Saved, SavedHeld, SavedKeys, SavedRule};
pub use state::{Change, Held, State};
pub use text::{NAMES as TEXT_NAMES, Template, shown};
