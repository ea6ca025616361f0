//! Why something is not delivered.

use std::time::Duration;

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What happened, and where it helps, what to do.
    pub why: String,
    /// The same would happen again: it is given up.
    pub is_final: bool,
    /// How long the receiver asks to be left alone.
    pub wait: Option<Duration>,
}

impl Failure {
    /// It may succeed later.
    pub fn later(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_final: false, wait: None }
    }

    /// It was refused, and would be again.
    pub fn refused(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_final: true, wait: None }
    }

    /// With the time that the receiver asks to be left alone.
    pub fn after(mut self, wait: Option<Duration>) -> Self {
        self.wait = wait;
        self
    }
}
