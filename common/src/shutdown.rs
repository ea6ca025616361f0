//! Stopping: one token that every stage watches, set by the first SIGTERM or SIGINT.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Set when the process should finish what it has begun and leave.
pub type Shutdown = CancellationToken;

/// A token that the first SIGTERM or SIGINT sets. The second one ends the process at once, with
/// exit code 1, because whoever sends it does not want to wait for the grace period.
///
/// # Errors
/// When the signal handlers cannot be installed.
pub fn on_signals() -> std::io::Result<Shutdown> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = Shutdown::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        let name = next(&mut terminate, &mut interrupt).await;
        info!(
            signal = name,
            "stopping: finishing what is in flight; a second signal stops at once"
        );
        token.cancel();
        let name = next(&mut terminate, &mut interrupt).await;
        warn!(
            signal = name,
            "stopping at once; what was in flight is sent again at the next start"
        );
        std::process::exit(1);
    });
    Ok(shutdown)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
