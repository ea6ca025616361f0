//! What consoles ask: the collectors, and how the files are that fill them.

use std::sync::Arc;
use std::time::Duration;

use omphalos_live::{Answer, Dimension, Filter, KeyId, Question};

use super::counter::Counter;
use super::figures::{Feed, Figures};
use super::source::files::Ledger;

/// Files and what is counted of them.
pub struct Watched {
    /// The collectors.
    pub counter: Arc<Counter>,
    /// The files.
    pub ledger: Ledger,
    /// What is read, for people.
    pub shown: String,
}

impl Figures for Watched {
    fn ask(&self, question: &Question) -> Answer {
        self.counter.ask(question)
    }

    fn key_id(&self, text: &str) -> KeyId {
        self.counter.key_id(text)
    }

    fn set_filter(&self, filter: Option<Filter>) {
        self.counter.set_filter(filter);
    }

    fn count(&self, dimension: Dimension) -> Result<(), String> {
        self.counter.count(dimension).map_err(|problem| problem.to_string())
    }

    fn set_window(&self, window: Duration) -> Result<(), String> {
        self.counter.set_window(window).map_err(|problem| problem.to_string())
    }

    fn window(&self) -> Duration {
        self.counter.window()
    }

    fn feed(&self) -> Feed {
        let sources = self.ledger.states();
        let (lines, failures) = self.ledger.lines();
        let notice = match (lines, failures) {
            (0, _) => Some(format!("no line has come from {} yet", self.shown)),
            (lines, failures) if failures * 2 > lines => Some(format!(
                "{failures} of {lines} lines are not of the format that was given: try --parser auto"
            )),
            _ => None,
        };
        Feed { sources, notice }
    }
}
