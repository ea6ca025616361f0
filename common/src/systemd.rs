//! What systemd is told, where it started the process with `Type=notify`: that it has begun, how it is, that it
//! still goes round, and that it stops. <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>

use std::time::Duration;

use sd_notify::{NotifyState, notify, watchdog_enabled};
use tracing::debug;

use crate::shutdown::Shutdown;
use crate::telemetry::Health;

/// Where no watchdog waits: how often is looked whether something has changed.
const USUAL: Duration = Duration::from_secs(5);

/// Tells systemd that the process has begun, and from now on how it is, until `stop`. A part that is stuck
/// ([`Health::stuck`]) ends the signs of life, so that a watchdog starts the process again; a server that is away
/// does not, and stands in `systemctl status`. Does nothing where systemd did not ask for it.
pub fn begin(health: Health, stop: Shutdown) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    // Twice as often as has to be, as systemd recommends.
    let every = watchdog_enabled().map_or(USUAL, |patience| (patience / 2).min(USUAL));
    tokio::spawn(async move {
        tell(&[NotifyState::Ready]);
        let mut said = None;
        while !stop.is_cancelled() {
            if health.stuck().is_empty() {
                tell(&[NotifyState::Watchdog]);
            }
            let state = state(&health);
            if said.as_ref() != Some(&state) {
                tell(&[NotifyState::Status(&state)]);
                said = Some(state);
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.cancelled() => {}
            }
        }
        tell(&[NotifyState::Stopping, NotifyState::Status("finishing what is in flight")]);
    });
}

/// One line for `systemctl status`.
fn state(health: &Health) -> String {
    let problems = [health.stuck(), health.problems()].concat();
    if problems.is_empty() { "at work".to_owned() } else { problems.join("; ").replace('\n', " ") }
}

/// Whoever listens badly is no reason to stop.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        debug!(%error, "systemd cannot be told");
    }
}
