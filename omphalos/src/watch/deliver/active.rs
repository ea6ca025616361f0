//! What is raised, for receivers that have to be told again: one that hears nothing of an alert for a while takes it for
//! resolved.

use std::collections::{BTreeMap, VecDeque};

use omphalos_common::clock::now_millis;
use omphalos_live::alert::{Alert, Event};
use serde::{Deserialize, Serialize};

/// For so long a receiver is told again that an alert is cleared, should it have forgotten, in
/// milliseconds.
const CLEARED_FOR: i64 = 15 * 60_000;

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

/// An alert that was cleared not long ago.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cleared {
    alert: Alert,
    /// When it was cleared, by the times of lines.
    at: i64,
    /// Until when it is told again, by the clock. Both are in milliseconds since 1970.
    until: i64,
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
        let until = now_millis().saturating_add(CLEARED_FOR);
        self.cleared.push_back(Cleared { alert, at: event.at, until });
    }

    /// These are raised, and no others.
    pub fn replace(&mut self, alerts: impl Iterator<Item = Alert>) {
        let raised = alerts.filter(|alert| alert.state.is_raised());
        self.raised = raised.map(|alert| (alert.fingerprint.clone(), alert)).collect();
        let raised = &self.raised;
        self.cleared.retain(|cleared| !raised.contains_key(&cleared.alert.fingerprint));
    }

    /// These were cleared before the start.
    pub fn remember(&mut self, cleared: Vec<Cleared>) {
        let latest = now_millis().saturating_add(CLEARED_FOR);
        let cleared = cleared.into_iter().take(MOST_CLEARED);
        self.cleared = cleared.map(|it| Cleared { until: it.until.min(latest), ..it }).collect();
    }

    /// What was cleared not long ago, for the next run.
    pub fn cleared(&self) -> Vec<Cleared> {
        self.cleared.iter().cloned().collect()
    }

    pub fn has_any(&self) -> bool {
        !self.raised.is_empty() || !self.cleared.is_empty()
    }

    /// What is to be told again now, if there is anything.
    pub fn again(&mut self) -> Option<Vec<Again>> {
        let now = now_millis();
        self.cleared.retain(|cleared| cleared.until > now);
        let raised = self.raised.values();
        let raised = raised.map(|alert| Again { alert: alert.clone(), cleared: None });
        let cleared = self.cleared.iter();
        let cleared = cleared.map(|it| Again { alert: it.alert.clone(), cleared: Some(it.at) });
        let all: Vec<Again> = raised.chain(cleared).collect();
        (!all.is_empty()).then_some(all)
    }
}
