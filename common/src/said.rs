//! What is said to people on standard error, which may be gone: the terminal was closed, the pipe has
//! no reader, the disk is full. `eprintln!` panics then, and whoever was about to stop does not. Or it
//! does not take any more: the terminal was stopped with Ctrl-S, the reader of the pipe sleeps. Who
//! logs must go on then, too, so a thread of its own writes, and what would wait for it without bound
//! is dropped and counted.
//!
//! So nothing prints with `eprintln!` and `println!` here; clippy refuses them. What a program was
//! asked for goes to standard output with `writeln!`, whose error is the program's.

use std::collections::VecDeque;
use std::fmt::Arguments;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::panic;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::warn;

use crate::clean::clean_lines;

/// So much may wait to be written, in bytes, with something for each text.
const MOST_WAITING: usize = 1024 * 1024;
/// What a text costs beside its bytes.
const EACH: usize = 64;
/// Who wants to know that all is written, to end or to draw beside it, waits so long at most.
const PATIENCE: Duration = Duration::from_secs(1);

/// What waits to be written.
#[derive(Default)]
struct Waiting {
    texts: VecDeque<Vec<u8>>,
    /// What they cost.
    bytes: usize,
    /// Whether one more is being written.
    is_writing: bool,
    /// How many were dropped since that was said.
    dropped: u64,
    /// Whether somebody has waited in vain since something was taken.
    is_stuck: bool,
}

/// The queue, and the thread that writes.
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

static QUEUE: Queue = Queue {
    waiting: Mutex::new(Waiting {
        texts: VecDeque::new(),
        bytes: 0,
        is_writing: false,
        dropped: 0,
        is_stuck: false,
    }),
    changed: Condvar::new(),
};

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a text, unless too much waits already.
    fn put(&self, text: &[u8]) {
        let mut waiting = self.lock();
        let cost = text.len() + EACH;
        if waiting.bytes > 0 && waiting.bytes + cost > MOST_WAITING {
            waiting.dropped += 1;
            return;
        }
        waiting.bytes += cost;
        waiting.texts.push_back(text.to_vec());
        self.changed.notify_all();
    }

    /// Writes what comes to `output`, for ever.
    fn run(&self, mut output: impl Write) {
        loop {
            let waiting = self.lock();
            let idle = self.changed.wait_while(waiting, |waiting| waiting.texts.is_empty());
            let mut waiting = idle.unwrap_or_else(PoisonError::into_inner);
            let Some(text) = waiting.texts.pop_front() else { continue };
            waiting.is_writing = true;
            drop(waiting);
            // Nobody is left to whom it could be said.
            output.write_all(&text).ok();
            let mut waiting = self.lock();
            (waiting.bytes, waiting.is_stuck) =
                (waiting.bytes.saturating_sub(text.len() + EACH), false);
            let is_all = waiting.texts.is_empty();
            let dropped = if is_all { std::mem::take(&mut waiting.dropped) } else { 0 };
            drop(waiting);
            if dropped > 0 {
                warn!("{dropped} log lines were dropped, because standard error did not take them");
            }
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }

    /// Waits until all is written, not for long, and not again where that was in vain.
    fn flush(&self) {
        let waiting = self.lock();
        let is_busy = |waiting: &mut Waiting| {
            !waiting.is_stuck && (waiting.is_writing || !waiting.texts.is_empty())
        };
        let waited = self.changed.wait_timeout_while(waiting, PATIENCE, is_busy);
        let (mut waiting, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        waiting.is_stuck |= waited.timed_out();
    }
}

/// Says a line on standard error; whoever says it goes on, also where nobody can hear it.
#[macro_export]
macro_rules! tell {
    () => { $crate::said::tell(format_args!("\n")) };
    ($form:literal $($rest:tt)*) => {
        $crate::said::tell(format_args!("{}\n", format_args!($form $($rest)*)))
    };
}

/// Writes to standard error what [`tell!`](crate::tell!) is given, before it returns if that is taken.
pub fn tell(text: Arguments<'_>) {
    let text = clean_lines(&text.to_string(), takes_colours(&io::stderr())).into_owned();
    write(text.as_bytes());
    flush();
}

/// Has it written to standard error, soon; what cannot be written is lost.
pub fn write(text: &[u8]) {
    static THREAD: OnceLock<bool> = OnceLock::new();
    let start = || {
        // What panics ends the process at once, and what was logged before says why.
        if !thread::panicking() {
            let usual = panic::take_hook();
            panic::set_hook(Box::new(move |what| {
                flush();
                usual(what);
            }));
        }
        let named = thread::Builder::new().name("said".to_owned());
        named.spawn(|| QUEUE.run(output())).is_ok()
    };
    if *THREAD.get_or_init(start) {
        QUEUE.put(text);
    } else {
        io::stderr().write_all(text).ok();
    }
}

/// Standard error, without its lock: who panics takes that, and must not wait for who does not listen.
fn output() -> Box<dyn Write> {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(own) => Box::new(File::from(own)),
        Err(_) => Box::new(io::stderr()),
    }
}

/// Waits a moment until what was said is written: who ends a process does so first.
pub fn flush() {
    QUEUE.flush();
}

/// Whether what is said there may have colours: on a terminal that knows commands, unless somebody wants
/// none (<https://no-color.org>).
pub fn takes_colours(output: &impl IsTerminal) -> bool {
    let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty());
    output.is_terminal() && !is_unwanted && !is_dumb()
}

/// Whether the terminal knows no commands, as a log of a build or the shell of an editor.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|name| name == "dumb")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::time::Instant;

    use super::*;

    /// A terminal that takes a text for each permission.
    struct Terminal {
        permissions: Receiver<()>,
        taken: SyncSender<Vec<u8>>,
    }

    impl Write for Terminal {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.permissions.recv().map_err(io::Error::other)?;
            self.taken.send(text.to_vec()).map_err(io::Error::other)?;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The kind of fault: a terminal that takes nothing holds up whoever logs, and so the delivery.
    #[test]
    fn nobody_waits_for_a_terminal_that_takes_nothing_and_what_is_dropped_is_counted() {
        let queue = Arc::new(Queue { waiting: Mutex::default(), changed: Condvar::new() });
        let (permit, permissions) = sync_channel(3000);
        let (taken, texts) = sync_channel(3000);
        let writer = Arc::clone(&queue);
        thread::spawn(move || writer.run(Terminal { permissions, taken }));
        let text = [b'x'; 1000];
        let begun = Instant::now();
        for number in 0..3000_u32 {
            queue.put(&[&number.to_be_bytes(), &text[..]].concat());
        }
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
        queue.flush();
        assert!(begun.elapsed() >= PATIENCE);
        // It is not waited for a second time.
        let again = Instant::now();
        queue.flush();
        assert!(again.elapsed() < PATIENCE);
        let waiting = queue.lock();
        let (dropped, bytes) = (waiting.dropped, waiting.bytes);
        drop(waiting);
        assert!(dropped > 1000 && bytes <= MOST_WAITING, "{dropped} {bytes}");
        // When it takes texts again, they come in their order, and the next is not dropped.
        let kept = 3000 - u32::try_from(dropped).unwrap();
        for number in 0..kept {
            permit.send(()).unwrap();
            assert_eq!(texts.recv().unwrap()[..4], number.to_be_bytes());
        }
        permit.send(()).unwrap();
        queue.put(b"last");
        queue.flush();
        assert_eq!(texts.recv().unwrap(), b"last");
        let waiting = queue.lock();
        assert_eq!((waiting.dropped, waiting.bytes, waiting.is_writing), (0, 0, false));
    }

    #[test]
    fn a_text_of_any_length_is_taken_where_nothing_waits() {
        let queue = Queue { waiting: Mutex::default(), changed: Condvar::new() };
        queue.put(&vec![0; 2 * MOST_WAITING]);
        queue.put(b"x");
        let waiting = queue.lock();
        assert_eq!((waiting.texts.len(), waiting.dropped), (1, 1));
    }
}
