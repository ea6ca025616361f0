//! Each event as a document in Elasticsearch, or in the embedded store, where it can be searched beside the
//! lines that it is about.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use omphalos_indexer::elasticsearch::{Client, Fault};
use omphalos_live::alert::Event;
use serde::Deserialize;
use serde_json::json;

use super::failure::Failure;
use super::text::key;
use crate::watch::tell::{DATASET, word};

/// Documents in a request.
pub(super) const MOST_AT_ONCE: usize = 500;

/// Where documents of events go.
pub struct Documents {
    client: Client,
    /// What the names of indices begin with.
    prefix: String,
}

impl fmt::Debug for Documents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Documents").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Reply {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Verdict,
}

#[derive(Deserialize)]
struct Verdict {
    status: u16,
    #[serde(default)]
    error: serde_json::Value,
}

impl Documents {
    /// To indices of this prefix.
    pub fn new(client: Client, prefix: String) -> Self {
        Self { client, prefix }
    }

    /// Where they go, for people.
    pub fn shown(&self) -> &str {
        self.client.shown()
    }

    pub(super) async fn deliver(&self, events: &[Event]) -> Result<(), Failure> {
        let body: String = events.iter().map(|event| self.item(event)).collect();
        let reply = self.client.bulk(Bytes::from(body)).await.map_err(|fault| match fault {
            Fault::Transient(_) | Fault::Full(..) | Fault::Hold(_) => {
                Failure::later(fault.to_string())
            }
            Fault::TooLarge(_) | Fault::Wrong(_) => Failure::refused(fault.to_string()),
        })?;
        let reply: Reply = serde_json::from_slice(&reply)
            .map_err(|error| Failure::later(format!("{}: {error}", self.shown())))?;
        if reply.items.len() != events.len() {
            return Err(Failure::later(format!("{}: answers other requests", self.shown())));
        }
        // One that is there already was told before.
        let refused = reply.items.into_iter().map(|item| item.create);
        let mut refused = refused.filter(|create| !matches!(create.status, 200..=299 | 409));
        let Some(Verdict { status, error }) = refused.next() else { return Ok(()) };
        let why = format!("{}: {status} {error}", self.shown());
        Err(if status == 429 || status >= 500 {
            Failure::later(why)
        } else {
            Failure::refused(why)
        })
    }

    /// The two lines of a bulk request: the same for the same event, whenever it is sent.
    fn item(&self, event: &Event) -> String {
        let time = Timestamp::from_millisecond(event.at).unwrap_or_default();
        let index = format!("{}-alerts-{}", self.prefix, time.strftime("%Y.%m.%d"));
        let action = json!({ "create": { "_index": index, "_id": key(event) } });
        format!("{action}\n{}\n", document(event, time))
    }
}

/// The event by the names of ECS (<https://www.elastic.co/docs/reference/ecs/ecs-event>).
fn document(event: &Event, time: Timestamp) -> serde_json::Value {
    let alert = &event.alert;
    let action = serde_json::to_value(event.change).unwrap_or_default();
    let began = Timestamp::from_millisecond(alert.began).unwrap_or_default();
    json!({
        "@timestamp": time.to_string(),
        "message": format!("{}: {}", word(event.change), alert.text),
        "event": {
            "kind": "alert",
            "dataset": DATASET,
            "action": action,
            "start": began.to_string(),
        },
        "rule": { "name": alert.rule },
        "log": { "level": alert.severity },
        "omphalos": { "alert": {
            "fingerprint": alert.fingerprint,
            "state": alert.state,
            "measure": alert.measure,
            "dimension": alert.key.as_ref().map(|key| &key.dimension),
            "key": alert.key.as_ref().map(|key| &key.text),
            "value": alert.value,
            "limit": alert.limit,
        } },
    })
}
