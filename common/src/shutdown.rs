//! Stopping: one token that every stage watches, set by the first SIGTERM or SIGINT, or by the SIGHUP
//! of a terminal that is closed. Where there is no terminal, SIGHUP asks for other settings.

use std::fs;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::said;

/// Set when the process should finish what it has begun and leave.
pub type Shutdown = CancellationToken;

/// A token that the first signal sets that asks to stop. The second one ends the process at once,
/// with exit code 1, because whoever sends it does not want to wait for the grace period.
///
/// # Errors
/// When the signal handlers cannot be installed.
pub fn on_signals() -> std::io::Result<Shutdown> {
    Ok(watch(Signals::new(None)?))
}

/// The same, and the SIGHUPs that come where there is no terminal: one that waits stands for all that came
/// meanwhile.
///
/// # Errors
/// As [`on_signals`].
pub fn on_signals_but_hangups() -> std::io::Result<(Shutdown, mpsc::Receiver<()>)> {
    let (hangups, received) = mpsc::channel(1);
    Ok((watch(Signals::new(Some(hangups))?), received))
}

fn watch(mut signals: Signals) -> Shutdown {
    let shutdown = Shutdown::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        let name = signals.next().await;
        info!(
            signal = name,
            "stopping: finishing what is in flight; a second signal stops at once"
        );
        token.cancel();
        let name = signals.next().await;
        warn!(
            signal = name,
            "stopping at once; what was in flight is sent again at the next start"
        );
        said::flush();
        std::process::exit(1);
    });
    shutdown
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// None where it is ignored, as `nohup` has it: then it stays ignored.
    hangup: Option<Signal>,
    /// Whether there is a terminal that could be closed. Asked at the start: what is closed cannot be
    /// opened any more.
    has_terminal: bool,
    /// Who wants to know of those that close no terminal.
    hangups: Option<mpsc::Sender<()>>,
}

impl Signals {
    fn new(hangups: Option<mpsc::Sender<()>>) -> std::io::Result<Self> {
        let is_ignored = is_hangup_ignored(&fs::read_to_string("/proc/self/status")?);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: (!is_ignored).then(|| signal(SignalKind::hangup())).transpose()?,
            has_terminal: fs::File::open("/dev/tty").is_ok(),
            hangups,
        })
    }

    /// The next signal that asks to stop.
    async fn next(&mut self) -> &'static str {
        loop {
            let hangup = async {
                match &mut self.hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = hangup => {
                    if self.has_terminal {
                        return "SIGHUP";
                    }
                    if let Some(hangups) = &self.hangups {
                        // Where one waits, that is as good.
                        hangups.try_send(()).ok();
                    } else {
                        warn!("SIGHUP is ignored: what is done once takes no other settings");
                    }
                }
            }
        }
    }
}

/// Whether the mask of ignored signals in `/proc/self/status` (proc(5)) has SIGHUP, the first one.
fn is_hangup_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::is_hangup_ignored;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert!(is_hangup_ignored("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"));
        assert!(!is_hangup_ignored("SigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"));
    }
}
