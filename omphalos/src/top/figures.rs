//! What is shown, for whoever shows it: questions to the collectors, and how their sources are.

use std::time::Duration;

use omphalos_live::{Answer, Dimension, Filter, Question};

use super::alarms::Told;

/// The newest line is looked for among so many that came last.
const LAST_LINES: usize = 64;

/// The collectors and their sources, from any thread. Nothing here waits for a source.
pub trait Figures: Send + Sync {
    /// Answers a question.
    fn ask(&self, question: &Question) -> Answer;

    /// Counts the lines from now on that `filter` means; what was counted before is forgotten.
    ///
    /// # Errors
    /// Why it cannot be counted, for people; what was counted stays.
    fn set_filter(&self, filter: Option<Filter>) -> Result<(), String>;

    /// Counts the keys of one more dimension from now on.
    ///
    /// # Errors
    /// Why it cannot be counted, for people.
    fn count(&self, dimension: Dimension) -> Result<(), String>;

    /// Looks back so far from now on.
    ///
    /// # Errors
    /// Why it cannot, for people.
    fn set_window(&self, window: Duration) -> Result<(), String>;

    /// How far the sliding window looks back.
    fn window(&self) -> Duration;

    /// How the sources are.
    fn feed(&self) -> Feed;

    /// How alerts stand, with `most` of what happened last.
    fn alerts(&self, _most: usize) -> Told {
        Told::default()
    }

    /// The time of the newest line, in milliseconds since 1970. It stays as it is when nothing comes,
    /// while the end of a summary goes on with the clock.
    fn newest(&self) -> Option<i64> {
        match self.ask(&Question::Lines { most: LAST_LINES }) {
            Answer::Lines { lines } => lines.iter().map(|line| line.at).max(),
            _ => None,
        }
    }
}

/// How the sources are.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    /// Each of them.
    pub sources: Vec<SourceState>,
    /// What a reader should know of all of them: that nothing is read yet, and why.
    pub notice: Option<String>,
}

/// How one source is.
#[derive(Debug, Clone)]
pub struct SourceState {
    /// A file's path, `-`, or the address of a broker.
    pub name: String,
    /// What it does.
    pub state: Reading,
    /// Lines that came from it.
    pub lines: u64,
    /// Lines that were not understood.
    pub failures: u64,
    /// Lines that are known to be missing: dropped because they came too fast, or lost on the way.
    pub dropped: u64,
    /// Bytes that wait to be read, where that is known.
    pub behind: Option<u64>,
    /// Since when nothing came.
    pub silent_for: Duration,
    /// Whether its lines come in blocks, as those of nginx with `buffer=` do.
    pub in_blocks: bool,
}

impl SourceState {
    /// A source of which nothing came yet.
    pub fn new(name: String, state: Reading) -> Self {
        Self {
            name,
            state,
            lines: 0,
            failures: 0,
            dropped: 0,
            behind: None,
            silent_for: Duration::ZERO,
            in_blocks: false,
        }
    }
}

/// What a source does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// It is read from its beginning, or from where there was more than could be taken.
    CatchingUp,
    /// Its lines are taken as they come.
    Following,
    /// It has ended.
    Ended,
    /// It cannot be read.
    Failed(String),
}
