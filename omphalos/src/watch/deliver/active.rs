//! What is raised, for receivers that have to be told again: one that hears nothing of an alert for a while takes it for
//! resolved.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use omphalos_live::alert::{Alert, Event};
use tokio::time::Instant;

/// For so long a receiver is told again that an alert is cleared, should it have forgotten.
const CLEARED_FOR: Duration = Duration::from_mins(15);

/// So many cleared alerts are told again at most.
const MOST_CLEARED: usize = 10_000;

/// An alert that is told again.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Again {
    pub alert: Alert,
    /// When it was cleared, if it is.
    pub cleared: Option<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Active {
    /// By fingerprint.
    raised: BTreeMap<String, Alert>,
    /// The first is the one that was cleared first.
    cleared: VecDeque<Cleared>,
}

#[derive(Debug)]
struct Cleared {
    alert: Alert,
    at: i64,
    until: Instant,
}

impl Active {
    /// What an event changes.
    pub fn follow(&mut self, event: &Event) {
        let (alert, fingerprint) = (event.alert.clone(), &event.alert.fingerprint);
        self.cleared.retain(|cleared| cleared.alert.fingerprint != *fingerprint);
        if event.change.is_raised() {
            self.raised.insert(fingerprint.clone(), alert);
            return;
        }
        self.raised.remove(fingerprint);
        if self.cleared.len() >= MOST_CLEARED {
            self.cleared.pop_front();
        }
        let until = Instant::now() + CLEARED_FOR;
        self.cleared.push_back(Cleared { alert, at: event.at, until });
    }

    /// These are raised, and no others.
    pub fn replace(&mut self, alerts: impl Iterator<Item = Alert>) {
        let raised = alerts.filter(|alert| alert.state.is_raised());
        self.raised = raised.map(|alert| (alert.fingerprint.clone(), alert)).collect();
        let raised = &self.raised;
        self.cleared.retain(|cleared| !raised.contains_key(&cleared.alert.fingerprint));
    }

    pub fn has_any(&self) -> bool {
        !self.raised.is_empty() || !self.cleared.is_empty()
    }

    /// What is to be told again now, if there is anything.
    pub fn again(&mut self) -> Option<Vec<Again>> {
        let now = Instant::now();
        self.cleared.retain(|cleared| cleared.until > now);
        let raised = self.raised.values();
        let raised = raised.map(|alert| Again { alert: alert.clone(), cleared: None });
        let cleared = self.cleared.iter();
        let cleared = cleared.map(|it| Again { alert: it.alert.clone(), cleared: Some(it.at) });
        let all: Vec<Again> = raised.chain(cleared).collect();
        (!all.is_empty()).then_some(all)
    }
}
