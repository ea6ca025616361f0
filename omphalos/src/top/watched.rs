//! What consoles ask: the collectors, and how the files are that fill them.

use std::sync::Arc;
use std::time::Duration;

use omphalos_live::{Answer, Dimension, Filter, Question};

use super::counter::Counter;
use super::figures::{Feed, Figures, Reading};
use super::source::Source;

/// Sources and what is counted of them.
pub struct Watched {
    /// The collectors.
    pub counter: Arc<Counter>,
    /// Where lines come from.
    pub source: Arc<dyn Source>,
    /// What is read, for people.
    pub shown: String,
}

impl Figures for Watched {
    fn ask(&self, question: &Question) -> Answer {
        self.counter.ask(question)
    }

    fn set_filter(&self, filter: Option<Filter>) {
        // Also lines that were there before the filter are counted by it.
        self.source.begin_again(&|| self.counter.set_filter(filter.clone()));
    }

    fn count(&self, dimension: Dimension) -> Result<(), String> {
        self.counter.count(dimension).map_err(|problem| problem.to_string())
    }

    fn set_window(&self, window: Duration) -> Result<(), String> {
        let is_set = self.counter.set_window(window).map_err(|problem| problem.to_string())?;
        if !is_set {
            self.source.begin_again(&|| self.counter.begin_window(window));
        }
        Ok(())
    }

    fn window(&self) -> Duration {
        self.counter.window()
    }

    fn feed(&self) -> Feed {
        let sources = self.source.states();
        let lines = sources.iter().map(|source| source.lines).sum();
        let failures: u64 = sources.iter().map(|source| source.failures).sum();
        let failed = sources.iter().find_map(|source| match &source.state {
            Reading::Failed(reason) => Some(reason.clone()),
            Reading::CatchingUp | Reading::Following | Reading::Ended => None,
        });
        let notice = match (lines, failures) {
            _ if failed.is_some() => failed,
            (0_u64, _) => Some(format!("no line has come from {} yet", self.shown)),
            (lines, failures) if failures * 2 > lines => Some(format!(
                "{failures} of {lines} lines are not of the format that was given: try --parser auto"
            )),
            _ => None,
        };
        Feed { sources, notice }
    }
}
