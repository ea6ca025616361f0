//! Who answers a question about figures: the collectors of this process where they have counted all that is
//! asked about, and else the store or Elasticsearch.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use omphalos_live::{Answer, Dimension, Question, Scope};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Page;
use super::parameters::Range;
use super::problem::Problem;
use crate::top::figures::Figures;
use crate::top::history::{History, Period};

/// So many questions are asked at once,
const AT_ONCE: usize = 8;
/// so many more wait,
const WAITING: usize = 256;
/// and one takes so long at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many questions are under way.
pub struct Gate {
    at_once: Semaphore,
    waiting: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self { at_once: Semaphore::new(AT_ONCE), waiting: Semaphore::new(AT_ONCE + WAITING) }
    }
}

impl Gate {
    /// Does work that others wait for, on a thread of its own.
    ///
    /// # Errors
    /// Those of the work, and when it takes too long or too many wait.
    pub async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.wait_for(async {
            let done = spawn_blocking(work).await;
            done.map_err(|_| Problem::behind("the question could not be asked"))?
        })
        .await
    }

    /// Waits for what a server says.
    ///
    /// # Errors
    /// Those of the work, and when it takes too long or too many wait.
    pub async fn wait_for<T>(
        &self,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Problem::busy())?;
        let answer = timeout(PATIENCE, async {
            let _at_once = self.at_once.acquire().await.map_err(|_| Problem::busy())?;
            work.await
        });
        answer.await.unwrap_or_else(|_| Err(Problem::slow(PATIENCE.as_secs())))
    }
}

/// Where figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The lines of this process, as they come.
    Live,
    /// The store, or Elasticsearch.
    Stored,
}

/// Somebody to ask.
#[derive(Clone)]
pub struct Asked {
    figures: Arc<dyn Figures>,
    history: Option<Arc<History>>,
    /// Where the figures come from.
    pub origin: Origin,
    /// Which lines are meant.
    pub scope: Scope,
}

impl Page {
    /// Whom to ask about a range.
    ///
    /// # Errors
    /// When nobody knows.
    pub fn whom(&self, range: &Range) -> Result<Asked, Problem> {
        if let Some(tap) = &self.behind.tap {
            let is_window = range.until.is_none() && range.ago == Some(tap.window());
            let has_all = self.behind.tap_has_all && tap.has_whole_window();
            if range.filter.is_none() && (self.behind.asker.is_none() || is_window && has_all) {
                return Ok(Asked {
                    figures: Arc::clone(tap) as Arc<dyn Figures>,
                    history: None,
                    origin: Origin::Live,
                    scope: Scope::Window,
                });
            }
        }
        self.stored(range)
    }

    /// What is stored of a range.
    ///
    /// # Errors
    /// When this process knows of no store.
    pub fn stored(&self, range: &Range) -> Result<Asked, Problem> {
        let Some(asker) = self.behind.asker.clone() else {
            return Err(Problem::parameter(
                "filter",
                "this process sends its lines elsewhere and keeps none: only all lines of the last 15 minutes can be asked for here",
            ));
        };
        let period = Period { since: range.since, until: range.until };
        let history = Arc::new(History::over(asker, period, range.filter.clone()));
        Ok(Asked {
            figures: Arc::clone(&history) as Arc<dyn Figures>,
            history: Some(history),
            origin: Origin::Stored,
            scope: Scope::Start,
        })
    }
}

impl Asked {
    /// The answer to a question. Waits for it.
    ///
    /// # Errors
    /// When there is none.
    pub fn ask(&self, question: &Question, filter: Option<&str>) -> Result<Answer, Problem> {
        let answer = self.figures.ask(question);
        if let Some(fault) = self.history.as_ref().and_then(|history| history.take_fault()) {
            return Err(Problem::of_fault(&fault, filter));
        }
        match answer {
            Answer::Uncounted { dimension } => Err(uncounted(&dimension)),
            answer => Ok(answer),
        }
    }
}

fn uncounted(dimension: &Dimension) -> Problem {
    Problem::missing(&format!(
        "{dimension} is no field that this process counts, and it has no store to ask"
    ))
}

/// From when to when, as an answer says it.
pub fn span(range: &Range) -> (Timestamp, Timestamp) {
    (range.since, range.until.unwrap_or_else(Timestamp::now))
}
