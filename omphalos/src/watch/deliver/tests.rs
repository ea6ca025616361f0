//! What becomes of events between being handed over and being told.

mod command;
mod fake;
mod room;

use omphalos_live::alert::{Alert, Change, Event, Named, State};

pub(super) fn raised() -> Change {
    Change::Raised
}

/// An event of a rule, about one key.
pub(super) fn event(rule: &str, at: i64, change: Change) -> Event {
    let alert = Alert {
        fingerprint: format!("{:016x}", rule.len()),
        rule: rule.to_owned(),
        severity: "critical".to_owned(),
        key: Some(Named { dimension: "vhost".to_owned(), text: "a.example".to_owned() }),
        measure: "p99".to_owned(),
        state: if change.is_raised() { State::Firing } else { State::Ok },
        began: at,
        since: at,
        value: 2.5,
        shown: "2.5s".to_owned(),
        limit: 2.0,
        text: format!("{rule} of a.example is 2.5s"),
    };
    Event { at, change, alert }
}
