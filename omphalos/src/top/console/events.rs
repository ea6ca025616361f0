//! What the console waits for: keys, answers and signals, all through one bounded channel.

use std::future::poll_fn;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event as Input};
use rustix::process::Signal;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal as Caught, SignalKind, signal};

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
    /// The process is to stop, until it is continued.
    Stop,
    /// It goes on after a stop, during which anything may have happened to the terminal.
    Continued,
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

/// Signals that end a process that does not catch them, and that can be caught; those of the clocks of
/// real time have numbers alone. What follows a fault of the processor is not among them, nor `SIGPIPE`,
/// which is ignored.
fn ending() -> impl Iterator<Item = i32> {
    let named = [
        Signal::TERM,
        Signal::HUP,
        Signal::INT,
        Signal::QUIT,
        Signal::ABORT,
        Signal::ALARM,
        Signal::USR1,
        Signal::USR2,
        Signal::VTALARM,
        Signal::PROF,
        Signal::IO,
        Signal::STKFLT,
        Signal::POWER,
        Signal::XCPU,
        Signal::XFSZ,
    ];
    named.into_iter().map(Signal::as_raw).chain(34..=64)
}

/// Signals that end the process, and those that stop and continue it, caught from now on.
pub struct Signals {
    runtime: Runtime,
    ending: Vec<Caught>,
    stopping: Vec<Caught>,
    continuing: Vec<Caught>,
}

impl Signals {
    /// Catches them; those that stop and continue it only where a terminal `is_entered` by it.
    ///
    /// # Errors
    /// When they cannot be caught.
    pub fn new(is_entered: bool) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let inside = runtime.enter();
        let caught = |number| signal(SignalKind::from_raw(number));
        let ending = ending().map(caught).collect::<io::Result<_>>()?;
        let of_jobs = |signal: Signal| {
            let numbers = is_entered.then_some(signal.as_raw());
            numbers.into_iter().map(caught).collect::<io::Result<_>>()
        };
        let (stopping, continuing) = (of_jobs(Signal::TSTP)?, of_jobs(Signal::CONT)?);
        drop(inside);
        Ok(Self { runtime, ending, stopping, continuing })
    }

    /// Sends [`Event::End`] at the first that ends it, and the others as they come. A terminal that takes
    /// nothing does not hold up the end for long; `ended` hangs up when there was one.
    pub fn watch(self, sender: SyncSender<Event>, ended: Receiver<()>) -> io::Result<()> {
        let Self { runtime, mut ending, mut stopping, mut continuing } = self;
        let wait = move || {
            loop {
                let event = runtime.block_on(poll_fn(|context| {
                    let mut has_come = |signals: &mut Vec<Caught>| {
                        signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready())
                    };
                    match () {
                        () if has_come(&mut ending) => Poll::Ready(Event::End),
                        () if has_come(&mut stopping) => Poll::Ready(Event::Stop),
                        () if has_come(&mut continuing) => Poll::Ready(Event::Continued),
                        () => Poll::Pending,
                    }
                }));
                let is_end = matches!(event, Event::End);
                // The channel may be full; then the one who empties it is held up.
                sender.try_send(event).ok();
                if is_end {
                    break;
                }
            }
            if ended.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
                terminal::abandon();
                std::process::exit(1);
            }
        };
        thread::Builder::new().name("console-signals".to_owned()).spawn(wait).map(drop)
    }
}
