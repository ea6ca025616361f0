//! What the shipper says of itself in its heartbeats.

use std::time::Duration;

use omphalos_common::heartbeat::{self, Input, Maker, Now, Service, ticks};
use omphalos_common::telemetry::Health;
use omphalos_transport::road::TakeHeartbeat;
use tokio::task::JoinHandle;
use tracing::debug;

use crate::books::Sums;
use crate::config::Settings;
use crate::metrics::{FileLag, ShipperMetrics};
use crate::monitor::Host;

/// The way of heartbeats, as long as it is held.
pub struct Heartbeats(JoinHandle<()>);

impl Heartbeats {
    /// Ends it; afterwards the road can be closed.
    pub async fn end(self) {
        self.0.abort();
        // It was aborted, or ended by itself.
        drop(self.0.await);
    }
}

/// What a shipper knows of itself.
#[derive(Clone)]
pub struct Teller {
    /// What it counts.
    pub metrics: ShipperMetrics,
    /// How its parts are.
    pub health: Health,
}

/// What heartbeats are made of.
pub struct Pulse {
    /// Makes them.
    pub maker: Maker,
    /// One comes so often.
    pub interval: Duration,
    /// What is in them.
    pub teller: Teller,
}

/// Makes heartbeats of a shipper on this host with these settings.
pub fn maker(settings: &Settings, host: &Host, interval: Duration) -> Maker {
    let service = Service {
        name: "omphalos-shipper".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let host = heartbeat::Host { name: host.name.clone(), id: Some(host.id.clone()) };
    Maker::new(host, service, &format!("{settings:?}"), interval)
}

impl Pulse {
    /// Says how it is, again and again.
    pub fn start(mut self, mut take: TakeHeartbeat) -> Heartbeats {
        Heartbeats(tokio::spawn(async move {
            let mut ticks = ticks(self.interval);
            loop {
                ticks.tick().await;
                match self.maker.make(self.teller.now()).to_json() {
                    Ok(document) => take(document),
                    Err(error) => debug!(%error, "a heartbeat cannot be written"),
                }
            }
        }))
    }
}

impl Teller {
    /// How the shipper is now.
    pub fn now(&self) -> Now {
        let Sums { lines, bytes, confirmed, in_flight, skipped, joined, held, .. } =
            self.metrics.totals();
        let (files, inputs_unreadable) = self.metrics.lags();
        Now {
            inputs: files.iter().map(input_of).collect(),
            inputs_unreadable,
            lines,
            bytes,
            books: vec![
                ("read", lines),
                ("confirmed", confirmed),
                ("in_flight", in_flight),
                ("skipped", skipped),
                ("joined", joined),
                ("held", held),
            ],
            problems: self.health.problems(),
        }
    }
}

fn input_of(file: &FileLag) -> Input {
    Input {
        path: file.path.to_string_lossy().into_owned(),
        lag_bytes: file.bytes,
        lag_seconds: file.waiting.as_secs_f64(),
    }
}
