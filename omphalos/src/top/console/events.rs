//! What the console waits for: keys, answers and signals, all through one bounded channel.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event as Input};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::data::Snapshot;
use super::key::Key;
use super::terminal;

/// Events that wait; whoever sends more waits as well.
pub const MOST_WAITING: usize = 64;
/// So long a terminal that takes nothing can hold up the end.
const GRACE: Duration = Duration::from_secs(3);

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A key.
    Key(Key),
    /// The terminal has another size.
    Resized,
    /// What was asked.
    Data(Box<Snapshot>),
    /// Something could not be done, and why.
    Refused(String),
    /// No more keys can be read, and why.
    Lost(String),
    /// The process is to end.
    End,
}

/// Reads keys in a thread of its own: nothing else holds them up.
pub fn read_keys(sender: SyncSender<Event>) -> io::Result<()> {
    let read = move || {
        loop {
            let event = match event::read() {
                Ok(Input::Key(key)) => Key::of(&key).map(Event::Key),
                Ok(Input::Paste(text)) => Some(Event::Key(Key::Paste(text))),
                Ok(Input::Resize(..)) => Some(Event::Resized),
                Ok(_) => None,
                Err(error) => {
                    // Whoever would hear of it is gone if it cannot be sent.
                    sender.send(Event::Lost(error.to_string())).ok();
                    return;
                }
            };
            if event.is_some_and(|event| sender.send(event).is_err()) {
                return;
            }
        }
    };
    thread::Builder::new().name("console-keys".to_owned()).spawn(read).map(drop)
}

/// Signals that end the process, caught from now on.
pub struct Signals {
    runtime: Runtime,
    signals: [Signal; 4],
}

impl Signals {
    /// Catches them.
    ///
    /// # Errors
    /// When they cannot be caught.
    pub fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let signals = {
            let _inside = runtime.enter();
            [
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::interrupt())?,
                signal(SignalKind::quit())?,
            ]
        };
        Ok(Self { runtime, signals })
    }

    /// Sends [`Event::End`] at the first of them. A terminal that takes nothing does not hold up the
    /// end for long; `ended` hangs up when there was one.
    pub fn watch(self, sender: SyncSender<Event>, ended: Receiver<()>) -> io::Result<()> {
        let Self { runtime, signals: [mut terminate, mut hangup, mut interrupt, mut quit] } = self;
        let wait = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = quit.recv() => {}
                }
            });
            // The channel may be full; then the one who empties it is held up.
            sender.try_send(Event::End).ok();
            if ended.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
                terminal::abandon();
                std::process::exit(1);
            }
        };
        thread::Builder::new().name("console-signals".to_owned()).spawn(wait).map(drop)
    }
}
