//! The progress bar on standard error, if that is a terminal.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use omphalos_common::clean::clean;
use omphalos_common::program::complain;

/// Trouble that goes on is said again after so long.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// The bar; cheap to clone.
#[derive(Clone)]
pub struct Progress {
    bar: ProgressBar,
    said: Arc<Mutex<Option<Instant>>>,
}

impl Progress {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        let progress = Self { bar: ProgressBar::no_length(), said: Arc::default() };
        progress.wait_for("looking around");
        progress.bar.enable_steady_tick(Duration::from_millis(200));
        progress
    }

    /// For who looks elsewhere.
    pub fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), said: Arc::default() }
    }

    /// A file begins, of so many bytes; of an archive nobody knows how many.
    pub fn begin(&self, name: &str, bytes: Option<u64>) {
        self.bar.set_message("");
        self.bar.set_prefix(clean(name).into_owned());
        let template = match bytes {
            Some(_) => "{prefix}  {wide_bar} {percent:>3} %  {msg}  {eta} left",
            None => "{prefix}  {spinner} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.reset();
        match bytes {
            Some(bytes) => self.bar.set_length(bytes),
            None => self.bar.unset_length(),
        }
    }

    /// So much of it is done.
    pub fn advance(&self, bytes: u64, documents: u64, absent: u64) {
        self.bar.set_position(bytes);
        if !self.bar.is_hidden() {
            let rate = documents * 1000
                / u64::try_from(self.bar.elapsed().as_millis()).unwrap_or(1).max(1);
            let size = indicatif::HumanBytes(bytes);
            self.bar.set_message(format!("{size}  {rate} lines/s  {absent} not found"));
        }
    }

    /// What is being waited for, besides files.
    pub fn wait_for(&self, what: &str) {
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            self.bar.set_style(style);
        }
        self.bar.set_message(clean(what).into_owned());
    }

    /// Something does not work now, and is tried again.
    pub fn trouble(&self, problem: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() > SAY_AGAIN) {
            *said = Some(Instant::now());
            self.bar.suspend(|| complain("omphalos", &format!("{problem}; trying again")));
        }
    }

    /// Takes the bar away, before results are printed.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
