//! Prometheus's Alertmanager. It takes for resolved what it has not been told again in time, so all that is raised is told
//! again and again, with an end that is always a while ahead; should this process end, its alerts resolve by themselves.

use std::time::Duration;

use omphalos_common::clock::now_millis;
use omphalos_common::config::ConfigError;
use omphalos_live::alert::{Alert, Event};
use serde_json::{Value, json};

use super::Receiver;
use super::active::Again;
use super::failure::Failure;
use super::http::Poster;
use super::text::time;

/// So many alerts are in one request.
pub(super) const MOST_AT_ONCE: usize = 500;

/// An alert ends by itself after so many times `resend` without a word: three may fail.
const MISSED: u32 = 4;

#[derive(Debug)]
pub(super) struct Alertmanager {
    poster: Poster,
    /// How often it is told again.
    pub resend: Duration,
}

impl Alertmanager {
    pub fn new(receiver: &Receiver) -> Result<Self, ConfigError> {
        let mut url = receiver.read_url(&["http", "https"], "http://HOST:9093 or https://…")?;
        let path = format!("{}/api/v2/alerts", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let resend = receiver.resend.map_or(Duration::from_mins(1), |resend| resend.0);
        Ok(Self { poster: Poster::new(receiver, url)?, resend })
    }

    /// Tells what happened, in the order in which it did.
    pub async fn deliver(&self, events: &[Event]) -> Result<(), Failure> {
        let end = self.end();
        let alerts = events.iter().map(|event| {
            let cleared = (!event.change.is_raised()).then_some(event.at);
            told(&event.alert, cleared.unwrap_or(end))
        });
        self.post(alerts.collect()).await
    }

    /// Tells again what is raised, and what was cleared not long ago.
    pub async fn tell_again(&self, alerts: &[Again]) -> Result<(), Failure> {
        let end = self.end();
        let alerts = alerts.iter().map(|again| told(&again.alert, again.cleared.unwrap_or(end)));
        self.post(alerts.collect()).await
    }

    async fn post(&self, alerts: Vec<Value>) -> Result<(), Failure> {
        self.poster.post(Value::from(alerts).to_string(), None).await
    }

    /// When what is raised now ends if nothing is told again.
    fn end(&self) -> i64 {
        let ahead = i64::try_from((self.resend * MISSED).as_millis()).unwrap_or(i64::MAX);
        now_millis().saturating_add(ahead)
    }
}

fn told(alert: &Alert, end: i64) -> Value {
    let mut labels = json!({ "alertname": alert.rule, "severity": alert.severity });
    if let (Some(labels), Some(key)) = (labels.as_object_mut(), &alert.key) {
        labels.insert("dimension".to_owned(), key.dimension.clone().into());
        labels.insert("key".to_owned(), key.text.clone().into());
    }
    json!({
        "labels": labels,
        "annotations": { "summary": alert.text, "value": alert.shown },
        // It refuses what ends before it begins.
        "startsAt": time(alert.began.min(end)),
        "endsAt": time(end),
    })
}
