//! What was: figures of documents that Elasticsearch or the embedded store has, by their aggregations.
//! No document is read but those that are shown, however many there are.
//!
//! [`requests`] makes requests of questions, [`answers`] makes answers of what comes back.

mod answers;
mod requests;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use omphalos_indexer::elasticsearch::Fault;
use omphalos_live::{Answer, Counted, Detail, Dimension, Filter, KeyId, Question, Scope, Series};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use self::answers::{
    Span, at, detail_of, lines_of, names_of, rows_of, series_of, summary_of, top_of,
};
use self::requests::{Range, choice, details, key_filter, last_lines, named, summary, terms};
use super::figures::{Feed, Figures, Reading, SourceState};
use super::number::moment;
use crate::search::{Asker, Query};

/// Keys whose texts and courses are remembered, so that they can be asked for by their ids.
const MOST_KEYS: usize = 4096;
/// Most keys that are asked for by name: each is a query of its own.
const MOST_NAMED: usize = 200;

/// From when to when.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    /// The first moment.
    pub since: Timestamp,
    /// The first moment after it; now without.
    pub until: Option<Timestamp>,
}

impl Period {
    /// Its ends for people: in whole seconds, in the zone that times are shown in.
    pub fn shown(&self) -> [String; 2] {
        let zone = TimeZone::system();
        let until = self.until.map_or_else(|| "now".to_owned(), |until| moment(until, &zone));
        [moment(self.since, &zone), until]
    }
}

/// When the step begins that `since` is in, of those that the time until `now` is divided into.
pub fn start_of_step(since: Timestamp, now: Timestamp) -> Timestamp {
    let span = Span::new(since.as_millisecond(), now.as_millisecond());
    Timestamp::from_millisecond(span.start_of_step(span.from)).unwrap_or(since)
}

/// What is asked, for whoever shows it.
pub struct History {
    asker: Asker,
    runtime: Handle,
    period: Period,
    state: Mutex<State>,
}

struct State {
    filter: Option<String>,
    window: Duration,
    /// The course that came with the last summary, of this scope.
    series: Option<(Scope, Series)>,
    /// Keys that were answered, with their courses.
    keys: HashMap<(Dimension, KeyId), Known>,
    lines: u64,
    failures: u64,
    newest: Option<i64>,
    problem: Option<String>,
    /// The last fault, for who can do something about it.
    fault: Option<Fault>,
    /// Why the last dimension could not be asked for.
    refused: Option<String>,
}

struct Known {
    text: String,
    scope: Scope,
    detail: Detail,
}

impl History {
    /// Asks once, so that what is wrong with the server or the filter is known before a screen opens.
    ///
    /// # Errors
    /// [`Fault`] of that request.
    pub async fn start(
        asker: Asker,
        period: Period,
        window: Option<Duration>,
        filter: Option<String>,
    ) -> Result<Self, Fault> {
        let history = Self::over(asker, period, filter);
        if let Some(window) = window {
            history.lock().window = window.max(Duration::from_secs(1));
        }
        let span = history.span(Scope::Start);
        history.asker.whole(&summary(&history.range(span))).await?;
        Ok(history)
    }

    /// The same without asking anything yet.
    pub fn over(asker: Asker, period: Period, filter: Option<String>) -> Self {
        let whole = period.until.unwrap_or_else(Timestamp::now).duration_since(period.since);
        let whole = Duration::try_from(whole).unwrap_or_default();
        let state = State {
            filter,
            window: whole.max(Duration::from_secs(1)),
            series: None,
            keys: HashMap::new(),
            lines: 0,
            failures: 0,
            newest: None,
            problem: None,
            fault: None,
            refused: None,
        };
        let runtime = Handle::current();
        Self { asker, runtime, period, state: Mutex::new(state) }
    }

    /// The fault of the last request, if it had one.
    pub fn take_fault(&self) -> Option<Fault> {
        self.lock().fault.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From when to when a scope is.
    fn span(&self, scope: Scope) -> Span {
        let until = self.period.until.unwrap_or_else(Timestamp::now);
        let since = match scope {
            Scope::Start => self.period.since,
            Scope::Window | Scope::Ended | Scope::Until(_) => {
                until.checked_sub(self.lock().window).unwrap_or(self.period.since)
            }
        };
        Span::new(since.as_millisecond(), until.as_millisecond())
    }

    fn range(&self, span: Span) -> Range {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap_or_default();
        let typed = self.lock().filter.clone().unwrap_or_default();
        // What goes on is asked for to the end of its last step: so the next request is the same, and a store has
        // only what is new to compute.
        let to = if self.period.until.is_some() { span.to } else { span.end_of_step(span.to) };
        let query = Query::new(&typed, Some(at(span.from)), Some(at(to)));
        Range { query: query.of_lines(), step: span.step }
    }

    /// Sends a request and waits for what comes back. Whoever asks here waits for nothing else.
    fn send(&self, body: &Value) -> Result<Value, String> {
        let answer = block_in_place(|| self.runtime.block_on(self.asker.whole(body)));
        let mut state = self.lock();
        match answer {
            Ok(answer) => {
                (state.problem, state.fault) = (None, None);
                Ok(answer)
            }
            Err(fault) => {
                let problem = fault.to_string();
                (state.problem, state.fault) = (Some(problem.clone()), Some(fault));
                Err(problem)
            }
        }
    }

    fn summary(&self, scope: Scope) -> Option<Answer> {
        let span = self.span(scope);
        let answer = self.send(&summary(&self.range(span))).ok()?;
        let series = series_of(at(&answer, "/aggregations"), &span);
        let found = summary_of(&answer, scope, &span, &series);
        let mut state = self.lock();
        state.lines = found.summary.hits;
        state.failures = found.failures;
        state.newest = found.newest;
        state.series = Some((scope, series));
        Some(Answer::Summary(Box::new(found.summary)))
    }

    fn series(&self, scope: Scope) -> Option<Answer> {
        let known = self.lock().series.take_if(|(of, _)| *of == scope);
        if known.is_none() {
            self.summary(scope)?;
        }
        let (_, series) = known.or_else(|| self.lock().series.take())?;
        Some(Answer::Series(series))
    }

    fn top(&self, wanted: &requests::Top<'_>, scope: Scope) -> Result<Answer, String> {
        let span = self.span(scope);
        let range = self.range(span);
        let is_chosen_first = wanted.is_chosen_first();
        let request = if is_chosen_first { choice } else { terms };
        let mut answer = self.send(&request(&range, wanted))?;
        let mut top = top_of(&answer, wanted, scope);
        if is_chosen_first {
            let names = names_of(&answer, wanted, MOST_NAMED);
            if *wanted.dimension == Dimension::Section {
                top.keys = names.len() as u64;
            }
            answer = match names.as_slice() {
                [] => Value::Null,
                names => self.send(&named(&range, wanted.dimension, names))?,
            };
        }
        let found = rows_of(at(&answer, "/aggregations/keys"), wanted, scope, &span);
        top.rows = found.iter().map(|detail| detail.row.clone()).collect();
        self.remember(wanted.dimension, scope, found);
        Ok(Answer::Top(top))
    }

    fn remember(&self, dimension: &Dimension, scope: Scope, found: Vec<Detail>) {
        let mut state = self.lock();
        if state.keys.len() > MOST_KEYS {
            state.keys.clear();
        }
        for detail in found {
            let Some(key) = detail.row.key.clone() else { continue };
            let known = Known { text: key.text, scope, detail };
            state.keys.insert((dimension.clone(), key.id), known);
        }
    }

    /// All about a key that was answered before. Its last lines are asked for; its course is known.
    fn key(&self, dimension: &Dimension, key: KeyId, lines: usize, scope: Scope) -> Option<Answer> {
        let place = (dimension.clone(), key);
        let (text, known) = {
            let state = self.lock();
            let known = state.keys.get(&place)?;
            let fresh = (known.scope == scope).then(|| known.detail.clone());
            (known.text.clone(), fresh)
        };
        if lines == 0
            && let Some(detail) = known
        {
            return Some(Answer::Key(Box::new(detail)));
        }
        let span = self.span(scope);
        let range = self.range(span).with(&key_filter(dimension, &text));
        let answer = self.send(&details(&range, lines)).ok()?;
        let detail = detail_of(&answer, (dimension, &text), scope, &span);
        Some(Answer::Key(Box::new(detail)))
    }

    fn lines(&self, most: usize) -> Option<Answer> {
        let span = self.span(Scope::Start);
        let answer = self.send(&last_lines(&self.range(span), most)).ok()?;
        Some(Answer::Lines { lines: lines_of(&answer) })
    }

    /// What is asked, and from when to when, for people.
    fn shown(&self) -> String {
        let [since, until] = self.period.shown();
        format!("{}, {since} to {until}", self.asker.asked())
    }
}

impl Figures for History {
    fn ask(&self, question: &Question) -> Answer {
        let nothing = || Answer::Lines { lines: Vec::new() };
        match question {
            Question::Summary { scope } => self.summary(*scope).unwrap_or_else(nothing),
            Question::Series { scope } => self.series(*scope).unwrap_or_else(nothing),
            Question::Lines { most } => self.lines(*most).unwrap_or_else(nothing),
            Question::Dimensions => {
                let usual = Dimension::USUAL.into_iter();
                let dimensions = usual.map(|dimension| Counted { dimension, since: None });
                Answer::Dimensions { dimensions: dimensions.collect() }
            }
            Question::Key { dimension, key, lines, scope } => {
                self.key(dimension, *key, *lines, *scope).unwrap_or_else(nothing)
            }
            Question::Top { dimension, by, most, least_hits, scope } => {
                let wanted = requests::Top {
                    dimension,
                    by: *by,
                    most: *most,
                    least_hits: (*least_hits).max(1),
                };
                self.top(&wanted, *scope).unwrap_or_else(|problem| {
                    self.lock().refused = Some(problem);
                    Answer::Uncounted { dimension: dimension.clone() }
                })
            }
        }
    }

    fn set_filter(&self, filter: Option<Filter>) -> Result<(), String> {
        let mut state = self.lock();
        state.filter = filter.map(|filter| filter.text().to_owned());
        state.keys.clear();
        state.series = None;
        Ok(())
    }

    /// All fields are there to be asked for: one that was refused is refused again.
    fn count(&self, _: Dimension) -> Result<(), String> {
        self.lock().refused.take().map_or(Ok(()), Err)
    }

    fn set_window(&self, window: Duration) -> Result<(), String> {
        let mut state = self.lock();
        state.window = window;
        state.keys.clear();
        state.series = None;
        Ok(())
    }

    fn window(&self) -> Duration {
        self.lock().window
    }

    fn feed(&self) -> Feed {
        let name = self.shown();
        let state = self.lock();
        let now = Timestamp::now();
        let is_over = self.period.until.is_some_and(|until| until <= now);
        let newest = state.newest.filter(|_| !is_over);
        let silent = newest.map_or(0, |newest| now.as_millisecond().saturating_sub(newest));
        let going_on = if is_over { Reading::Ended } else { Reading::Following };
        let notice = match &state.problem {
            None if state.lines == 0 => Some(format!("no line in {name}")),
            problem => problem.clone(),
        };
        let source = SourceState {
            lines: state.lines,
            failures: state.failures,
            silent_for: Duration::from_millis(silent.try_into().unwrap_or(0)),
            ..SourceState::new(name, state.problem.clone().map_or(going_on, Reading::Failed))
        };
        Feed { sources: vec![source], notice }
    }

    /// As the aggregations say it: no document is asked for.
    fn newest(&self) -> Option<i64> {
        self.lock().newest
    }
}
