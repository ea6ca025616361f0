//! The ways in which the demo ends early, and that nothing it started outlives it.

use std::fmt::Display;
use std::fs;
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use omphalos_tests::rest;
use tokio::signal::unix::{SignalKind, signal};

use crate::directory;

/// Longer than a server takes to stop in good order.
const LONGEST_STOP: Duration = Duration::from_secs(15);

/// Why the demo ends before its time.
#[derive(Debug)]
pub enum End {
    /// Someone wants it to.
    Stopped,
    /// Something went wrong.
    Failed(String),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl End {
    /// Something went wrong with a named thing.
    pub fn failed(what: &str, problem: impl Display) -> Self {
        Self::Failed(format!("{what}: {problem}"))
    }
}

/// Whether someone wants the demo to end; cheap to clone.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asked for by Ctrl-C, SIGTERM, or a terminal that is closed.
    pub fn on_signals() -> Result<Self, End> {
        let stop = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        drop(entered);
        let asked = stop.clone();
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hang_up.recv() => {}
                }
            });
            asked.0.store(true, Ordering::Relaxed);
        });
        Ok(stop)
    }

    /// Whether it was asked for.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// [`End::Stopped`] when it was asked for.
    pub fn check(&self) -> Result<(), End> {
        if self.is_requested() { Err(End::Stopped) } else { Ok(()) }
    }
}

/// The harness panics when it fails, and in a release build that runs no destructor: ends what we
/// started, then the demo, with a plain message. Ctrl-C while a server starts arrives here too, as
/// the script that starts it ends.
pub fn on_panic(stop: Stop) {
    std::panic::set_hook(Box::new(move |panic| {
        // A script that the same Ctrl-C ended may have been faster.
        rest(Duration::from_millis(100));
        let stopped = stop.is_requested();
        if !stopped {
            let text = panic.payload_as_str().unwrap_or("something panicked");
            eprintln!("\ndemo: {text}\ndemo: what there is to see is in {}", directory::PATH);
        }
        end_children();
        if stopped {
            match directory::remove() {
                Ok(()) => println!("\nStopped; everything is cleaned up."),
                Err(problem) => eprintln!("demo: {problem:?}"),
            }
        }
        std::process::exit(1);
    }));
}

/// Sends SIGTERM to all processes that we started, and waits for their end.
fn end_children() {
    for process in running_children() {
        // One that has ended by now is what we want.
        Command::new("kill").args(["-TERM", &process]).status().ok();
    }
    let begun = Instant::now();
    while !running_children().is_empty() && begun.elapsed() < LONGEST_STOP {
        rest(Duration::from_millis(50));
    }
}

fn running_children() -> Vec<String> {
    let own = std::process::id().to_string();
    let is_ours = |process: &String| {
        let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The name, in parentheses, may contain anything.
        let Some((_, rest)) = text.rsplit_once(") ") else { return false };
        let mut fields = rest.split(' ');
        fields.next() != Some("Z") && fields.next() == Some(&own)
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(is_ours).collect()
}
