//! Tells what is raised and cleared.

use omphalos_live::alert::{Change, Event};
use tracing::{info, warn};

/// Whoever is told.
#[derive(Debug, Default)]
pub struct Teller {}

impl Teller {
    /// Tells the log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells of an event.
    pub fn tell(&mut self, event: &Event) {
        let alert = &event.alert;
        let what = match event.change {
            Change::Raised => "raised",
            Change::NoData => "no data",
            Change::Cleared => "cleared",
            Change::ClearedWithoutData => "cleared: its value is not known any more",
            Change::Forgotten => "cleared: it has not been seen for a week",
            Change::RuleChanged => "cleared: its rule is not there any more, or another one",
        };
        let severity = alert.severity.as_str();
        if event.change.is_raised() {
            warn!(severity, at = event.at, "{what}: {}", alert.text);
        } else {
            info!(severity, at = event.at, "{what}: {}", alert.text);
        }
    }
}
