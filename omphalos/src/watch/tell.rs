//! What is raised and cleared, in the log.

use jiff::Timestamp;
use omphalos_live::alert::{Change, Event};
use tracing::{info, warn};

/// `event.dataset` of events that are kept as documents.
pub const DATASET: &str = "omphalos.alerts";

/// What happened, for people.
pub fn word(change: Change) -> &'static str {
    match change {
        Change::Raised => "raised",
        Change::NoData => "no data",
        Change::Cleared => "cleared",
        Change::ClearedWithoutData => "cleared: its value is not known any more",
        Change::Forgotten => "cleared: it has not been seen for a week",
        Change::RuleChanged => "cleared: its rule is not there any more, or another one",
    }
}

/// Logs an event.
pub fn log(event: &Event) {
    let alert = &event.alert;
    let what = word(event.change);
    let severity = alert.severity.as_str();
    let at = Timestamp::from_millisecond(event.at).unwrap_or_default();
    if event.change.is_raised() {
        warn!(severity, %at, "{what}: {}", alert.text);
    } else {
        info!(severity, %at, "{what}: {}", alert.text);
    }
}
