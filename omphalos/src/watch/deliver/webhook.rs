//! A URL that gets each event as JSON.

use omphalos_common::config::ConfigError;
use omphalos_live::alert::Event;
use serde::Serialize;

use super::Receiver;
use super::failure::Failure;
use super::http::Poster;
use super::text::key;

/// What a program is told of an event: over HTTP, or on its standard input.
#[derive(Serialize)]
struct Body<'e> {
    /// It changes when what was there before means something else.
    version: u8,
    #[serde(flatten)]
    event: &'e Event,
}

/// An event as programs get it.
pub(super) fn json(event: &Event) -> Result<String, Failure> {
    let json = serde_json::to_string(&Body { version: 1, event });
    json.map_err(|error| Failure::refused(format!("the event is no JSON: {error}")))
}

/// A URL that gets each event by itself.
#[derive(Debug)]
pub(super) struct Webhook(Poster);

impl Webhook {
    pub fn new(receiver: &Receiver) -> Result<Self, ConfigError> {
        let url = receiver.read_url(&["http", "https"], "http://HOST/PATH or https://…")?;
        Poster::new(receiver, url).map(Self)
    }

    pub async fn deliver(&self, event: &Event) -> Result<(), Failure> {
        self.0.post(json(event)?, Some(&key(event))).await
    }
}
