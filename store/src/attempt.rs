//! Work that may fail in ways that are nobody's plan, without more than itself being lost: a panic on
//! what is damaged or hostile ends the work and not the process, and who has gone is not worked for.
//!
//! A program that ends with every panic asks [`is_caught`] first, in its panic hook.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// What tantivy's threads are called that may panic without harm: the writer that they belong to is told,
/// fails what was asked of it, and is replaced.
const TANTIVY: [&str; 2] = ["merge_thread_", "thrd-tantivy-index"];

/// Panics that were caught, since the process began.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// So much more memory than at its beginning the process may have while a search goes on, in bytes:
/// what is counted of aggregations is not all that they need.
const MOST_MEMORY: u64 = 256 << 20;
/// A glance is a look once in so many times.
const GLANCES: u32 = 1024;

thread_local! {
    /// The work of this thread; `None` while a panic would not be caught.
    static WORKING: RefCell<Option<Working>> = const { RefCell::new(None) };
    /// Glances since the last look.
    static GLANCED: Cell<u32> = const { Cell::new(0) };
}

/// Work that goes on.
#[derive(Debug, Clone)]
struct Working {
    /// Who it is for.
    stop: Stop,
    /// What memory the process had when it was looked at first.
    memory: Rc<Cell<Option<u64>>>,
}

/// Tells work that nobody waits for it any more. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

/// Stops the work when it is dropped.
#[derive(Debug)]
pub struct StopWhenDropped(Stop);

impl Stop {
    /// Has it stopped when what is returned is dropped.
    pub fn when_dropped(&self) -> StopWhenDropped {
        StopWhenDropped(self.clone())
    }
}

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Why work came to no end of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Nobody waits for it any more.
    Stopped,
    /// It needs too much memory.
    TooLarge,
    /// It panicked, and said this.
    Panicked(String),
}

/// While there is one, panics of this thread are caught.
struct Within(Option<Working>);

impl Within {
    fn enter(working: Working) -> Self {
        Self(WORKING.with(|before| before.replace(Some(working))))
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        WORKING.with(|working| working.replace(self.0.take()));
    }
}

/// Does work that a panic ends, and nothing but it.
///
/// # Errors
/// [`Ended`] where it did not come to its end.
pub fn attempt<T>(stop: &Stop, work: impl FnOnce() -> T) -> Result<T, Ended> {
    guarded(Working { stop: stop.clone(), memory: Rc::default() }, work)
}

fn guarded<T>(working: Working, work: impl FnOnce() -> T) -> Result<T, Ended> {
    let within = Within::enter(working);
    let done = catch_unwind(AssertUnwindSafe(work));
    drop(within);
    done.map_err(|what| match what.downcast::<Ended>() {
        Ok(ended) => *ended,
        Err(what) => {
            PANICS.fetch_add(1, Ordering::Relaxed);
            Ended::Panicked(said(&*what))
        }
    })
}

/// Does a part of such work, of which a panic is known here already.
///
/// # Errors
/// What a panic says.
pub fn within<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let working = WORKING.with(|working| working.borrow().clone());
    let working =
        working.unwrap_or_else(|| Working { stop: Stop::default(), memory: Rc::default() });
    guarded(working, work).map_err(|ended| match ended {
        Ended::Panicked(what) => what,
        ended => end(ended),
    })
}

/// Ends the work of this thread, without the panic hook: this is no panic that somebody has to hear of.
fn end(how: Ended) -> ! {
    resume_unwind(Box::new(how))
}

/// What a panic says.
fn said(what: &(dyn Any + Send)) -> String {
    let text = what.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| what.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Ends the work of this thread here if nobody waits for it any more. To be called now and then by what
/// may take long.
pub fn look() {
    let is_stopped = WORKING.with(|working| {
        working.borrow().as_ref().is_some_and(|working| working.stop.0.load(Ordering::Relaxed))
    });
    if is_stopped {
        end(Ended::Stopped);
    }
}

/// The same for what is called so often that a look would cost more than it does.
pub fn glance() {
    let glances = GLANCED.get().wrapping_add(1);
    GLANCED.set(glances);
    if glances.is_multiple_of(GLANCES) {
        look();
    }
}

/// Looks, and ends the work of this thread also if the process has taken too much memory since the first
/// such look. Whatever it is for that the process takes more: this is what there is to give up.
pub fn look_at_memory() {
    look();
    let now = memory();
    let is_too_large = WORKING.with(|working| {
        let working = working.borrow();
        let Some(working) = working.as_ref() else { return false };
        let before = working.memory.get().or(now);
        working.memory.set(before);
        now.zip(before).is_some_and(|(now, before)| now > before + MOST_MEMORY)
    });
    if is_too_large {
        end(Ended::TooLarge);
    }
}

/// The memory of the process that is no file's, in bytes.
fn memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes << 10)
}

/// Whether a panic of this thread, now, is caught: for panic hooks.
pub fn is_caught() -> bool {
    let name = thread::current();
    let is_tantivys = name.name().is_some_and(|name| TANTIVY.iter().any(|it| name.starts_with(it)));
    is_tantivys || WORKING.try_with(|working| working.borrow().is_some()).unwrap_or(false)
}

/// How many panics were caught since the process began.
pub fn caught_panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_the_work_alone_and_says_what_it_was() {
        let stop = Stop::default();
        let done = attempt(&stop, || -> () {
            assert!(is_caught());
            panic!("{} cannot be", "what")
        });
        assert_eq!(done, Err(Ended::Panicked("what cannot be".to_owned())));
        assert!(!is_caught());
        assert!(caught_panics() > 0);
        assert_eq!(attempt(&stop, || 1), Ok(1));
    }

    #[test]
    fn work_that_nobody_waits_for_ends_when_it_looks() {
        let stop = Stop::default();
        let inner = attempt(&stop, || {
            look();
            drop(stop.when_dropped());
            attempt(&Stop::default(), look).unwrap();
            look();
        });
        assert_eq!(inner, Err(Ended::Stopped));
        look();
    }

    #[test]
    fn work_that_takes_too_much_memory_ends_and_gives_it_back() {
        let mut steps = 0;
        let done = attempt(&Stop::default(), || {
            let mut held: Vec<Vec<u8>> = Vec::new();
            for _ in 0..64 {
                // A part of the work that is looked at apart.
                within(look_at_memory).unwrap();
                held.push(vec![1; 16 << 20]);
                steps += 1;
            }
            held.len()
        });
        assert_eq!(done, Err(Ended::TooLarge));
        assert!(steps < 40, "{steps} steps of 16 MiB");
    }
}
