//! The progress bar on standard error, if that is a terminal.

use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use omphalos_common::shutdown::Shutdown;
use omphalos_common::tell;
use omphalos_shipper::metrics::ShipperMetrics;
use tokio::task::JoinHandle;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
const TEMPLATE: &str =
    "  {wide_bar} {percent:>3} %  {bytes} of about {total_bytes}  {msg}  {eta} left";

/// Said when the import is told to stop, since the answers that it still waits for may not come.
const STOPPING: &str = "stopping: waiting a moment for the answers to what was sent; what is indexed is kept, and the rest is read again by the same command; a second signal stops at once";

/// A task that moves the bar.
pub struct Progress(JoinHandle<()>);

impl Progress {
    /// Begins: so many files with so many bytes, about.
    ///
    /// It is taken away at `stop`; at `shutdown` it says that the import ends, and how.
    pub fn start(
        (files, bytes): (usize, u64),
        metrics: ShipperMetrics,
        (stop, shutdown): (Shutdown, Shutdown),
    ) -> Self {
        tell!("importing {files} {}", if files == 1 { "file" } else { "files" });
        let bar = ProgressBar::new(bytes);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Self(tokio::spawn(async move {
            let mut is_stopping = false;
            while !stop.is_cancelled() {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = shutdown.cancelled(), if !is_stopping => {
                        is_stopping = true;
                        bar.suspend(|| tell!("{STOPPING}"));
                    }
                    () = tokio::time::sleep(PAUSE) => {}
                }
                let done = metrics.totals();
                // What was read and is not indexed yet does not count.
                let settled = done.confirmed + done.skipped + done.joined;
                let share = |bytes: u64| {
                    let part =
                        u128::from(bytes) * u128::from(settled) / u128::from(done.lines.max(1));
                    u64::try_from(part).unwrap_or(bytes).min(bytes)
                };
                let position = share(done.bytes);
                if position > bar.length().unwrap_or(0) {
                    // An archive had more in it than was guessed.
                    bar.set_length(position + position / 10);
                }
                bar.set_position(position);
                let elapsed = u64::try_from(bar.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
                bar.set_message(format!("{} lines/s", HumanCount(settled * 1000 / elapsed)));
            }
            bar.finish_and_clear();
        }))
    }

    /// Takes the bar away.
    pub async fn end(self) {
        // It has been told to stop, and does nothing that could fail.
        drop(self.0.await);
    }
}
