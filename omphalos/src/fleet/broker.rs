//! Heartbeats as they come to the broker.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use omphalos_common::clock::now_millis;
use omphalos_common::telemetry::Health;
use omphalos_transport::amqp::{AmqpSettings, Broker, Sample, Watcher};
use omphalos_transport::{Message, Origin};

use super::member::{Member, Newest};

/// Listens for so long, or until Ctrl-C, and says of each new one at once.
///
/// # Errors
/// When a setting cannot be used, the broker cannot be reached, or `heard` fails.
pub async fn listen(
    settings: &AmqpSettings,
    shipper_users: &[String],
    wait: Duration,
    mut heard: impl FnMut(&Member) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Member>> {
    let broker = Arc::new(Broker::new(settings, "omphalos fleet")?);
    let health = Health::default();
    let mut watcher = Watcher::start(broker, settings, Sample::HEARTBEATS, health.clone());
    let mut newest = Newest::default();
    let end = tokio::time::sleep(wait);
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            _ = tokio::signal::ctrl_c() => break,
            watched = watcher.next() => {
                let Some(watched) = watched else { break };
                // Whoever publishes something else there is none of the fleet.
                let Message { body, about } = &watched.message;
                let sender = about.sender(shipper_users);
                if let Ok(heartbeat) = serde_json::from_slice(body)
                    && let Some(member) = newest.take(heartbeat, sender == Origin::Own, now_millis())
                {
                    heard(member)?;
                }
            }
        }
    }
    if watcher.connects() == 0 {
        bail!("{}", health.problems().join("; "));
    }
    Ok(newest.into_members(now_millis()))
}
