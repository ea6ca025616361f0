//! The lines that this process reads, looked at while their documents are made: counted from the start, so that
//! who opens the page sees figures at once, and shown to whoever watches just then. Nobody who watches is waited
//! for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use omphalos_common::clock::now_millis;
use omphalos_common::shutdown::Shutdown;
use omphalos_live::alert::{Limit, Rule, Saved};
use omphalos_live::{
    Answer, Dimension, DocumentReader, Filter, Place, Question, Settings, with_event,
};
use omphalos_parser::{Documents, Event};
use serde_json::{Value, json};
use tokio::sync::broadcast::{self, Receiver};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::DropGuard;

use crate::search::{Asker, Query};
use crate::top::alarms::Told;
use crate::top::counter::{Counter, over};
use crate::top::figures::{Feed, Figures, Reading, SourceState};

/// How far figures look back.
const WINDOW: Duration = Duration::from_mins(15);
/// So long it is looked for lines that were there before.
const LOOKING: Duration = Duration::from_secs(2);
/// How often the clock moves them.
const TICK: Duration = Duration::from_millis(250);
/// So many lines wait for each who watches; who is slower misses some, and is told how many.
const WAITING: usize = 2048;
/// A document that is larger is shown by its beginning, in bytes.
const LARGEST: usize = 8 * 1024;
/// So much of its line is shown then.
const SHORTENED: usize = 4 * 1024;
/// So many files are told apart.
const MOST_FILES: usize = 512;
/// Bytes of the last lines, for a process that has nowhere to look them up.
const LINE_BYTES: usize = 256 * 1024;

/// A document, without its line feed.
pub type Shown = Bytes;

/// The lines of this process.
pub struct Tap {
    counter: Arc<Counter>,
    /// Since when they are counted.
    since: Instant,
    /// Whether there was no line of the window before that.
    is_first: AtomicBool,
    lines: broadcast::Sender<Shown>,
    accounts: Mutex<Vec<Account>>,
    /// The rules of its alerts, for people.
    rules: Vec<Value>,
}

/// What came from one file.
#[derive(Debug, Clone)]
pub struct Account {
    /// `log.file.path`.
    pub path: Box<[u8]>,
    /// `event.dataset`.
    pub dataset: Box<str>,
    /// Lines since the start.
    pub lines: u64,
    /// Those that were not understood.
    pub failures: u64,
    /// When the last one came.
    pub last: Instant,
    /// The time of the newest, in milliseconds since 1970.
    pub newest: i64,
}

impl Tap {
    /// Has seen nothing yet. Lines are counted, and judged by the rules, from now on; what was raised before is
    /// in `kept`.
    ///
    /// # Errors
    /// When a rule cannot be used.
    pub fn new(rules: Vec<Rule>, kept: &Saved) -> anyhow::Result<Arc<Self>> {
        let mut dimensions = Dimension::USUAL.to_vec();
        dimensions.extend(["host", "source", "dataset", "level"].map(Dimension::named));
        let settings = Settings { dimensions, line_bytes: LINE_BYTES, ..Settings::default() };
        let counter = Arc::new(Counter::new(over(WINDOW, settings))?);
        let shown: Vec<Value> = rules.iter().map(shown_rule).collect();
        counter.judge(rules)?;
        counter.with_alarms(|alarms| alarms.restore(kept));
        let (lines, _) = broadcast::channel(WAITING);
        let (since, is_first) = (Instant::now(), AtomicBool::new(false));
        if !shown.is_empty() {
            let now = now_millis().saturating_mul(1_000_000);
            counter.begin(now, now);
        }
        let accounts = Mutex::default();
        Ok(Arc::new(Self { counter, since, is_first, lines, accounts, rules: shown }))
    }

    /// Documents that are looked at while they are made.
    pub fn documents(self: &Arc<Self>) -> Documents {
        let tap = Arc::clone(self);
        let mut reader = DocumentReader::default();
        let mut at = 0;
        Documents::seen_by(Box::new(move |event, place, document| {
            at = tap.note(at, event, &place.path, &place.dataset);
            let from = Place {
                host: Some(place.host.as_bytes()),
                source: Some(&place.path),
                dataset: Some(place.dataset.as_bytes()),
            };
            with_event(event, &from, &mut reader, |hit| tap.counter.take(hit));
            if tap.lines.receiver_count() > 0 {
                // Who has gone meanwhile misses nothing.
                drop(tap.lines.send(shown(event, &place.path, document)));
            }
        }))
    }

    /// Whether all lines of the window are counted: none was there before, and none came too late.
    pub fn has_whole_window(&self) -> bool {
        let window = i64::try_from(WINDOW.as_nanos()).unwrap_or(i64::MAX);
        let begin = now_millis().saturating_mul(1_000_000).saturating_sub(window);
        let began = self.is_first.load(Ordering::Relaxed) || self.since.elapsed() >= WINDOW;
        began && self.counter.latest_late().is_none_or(|late| late < begin)
    }

    /// Looks, before the first line is read, whether there are lines of the window already: where there are none,
    /// all are counted. What does not answer soon is not waited for.
    pub async fn look_before(&self, asker: &Asker) {
        let since = Timestamp::now().checked_sub(WINDOW).unwrap_or_default();
        let query = Query::new("", Some(since), None).of_lines();
        let body = json!({ "size": 0, "track_total_hits": 1, "query": query });
        let Ok(Ok(answer)) = timeout(LOOKING, asker.whole(&body)).await else { return };
        let count = answer.pointer("/hits/total/value").and_then(Value::as_u64);
        self.is_first.store(count == Some(0), Ordering::Relaxed);
    }

    /// Documents from now on.
    pub fn watch(&self) -> Receiver<Shown> {
        self.lines.subscribe()
    }

    /// What counts and judges them.
    pub fn counter(&self) -> Arc<Counter> {
        Arc::clone(&self.counter)
    }

    /// The rules of its alerts, for people.
    pub fn rules(&self) -> &[Value] {
        &self.rules
    }

    /// What came from each file.
    pub fn accounts(&self) -> Vec<Account> {
        self.lock().clone()
    }

    /// Moves time from now on, until what is returned is dropped.
    pub fn start(self: &Arc<Self>) -> DropGuard {
        let stop = Shutdown::new();
        tokio::spawn(Arc::clone(self).tick(stop.clone()));
        stop.drop_guard()
    }

    async fn tick(self: Arc<Self>, stop: Shutdown) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.counter.advance(now_millis().saturating_mul(1_000_000));
        }
    }

    /// Notes that a line came from a file, which is probably the one at `at`; where it is.
    fn note(&self, at: usize, event: &Event<'_>, path: &[u8], dataset: &str) -> usize {
        let mut accounts = self.lock();
        let is_of = |account: &Account| *account.path == *path && *account.dataset == *dataset;
        let place = match accounts.get(at) {
            Some(account) if is_of(account) => at,
            _ => accounts.iter().position(is_of).unwrap_or(accounts.len()),
        };
        let newest = event.time.as_nanos() / 1_000_000;
        if place == accounts.len() {
            if place == MOST_FILES {
                accounts.sort_by_key(|account| std::cmp::Reverse(account.last));
                accounts.truncate(MOST_FILES - 1);
            }
            let (path, dataset) = (path.into(), dataset.into());
            let last = Instant::now();
            accounts.push(Account { path, dataset, lines: 0, failures: 0, last, newest });
        }
        let place = place.min(accounts.len() - 1);
        if let Some(account) = accounts.get_mut(place) {
            account.lines += 1;
            account.failures += u64::from(event.problem.is_some());
            account.last = Instant::now();
            account.newest = account.newest.max(newest);
        }
        place
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown_rule(rule: &Rule) -> Value {
    json!({
        "name": rule.name,
        "measure": rule.measure.name(),
        "limit": rule.limit.raise(),
        "clear": rule.limit.clear(),
        "is_at_least": matches!(rule.limit, Limit::AtLeast { .. }),
        "window_seconds": rule.window.as_secs(),
        "filter": rule.filter.as_ref().map(Filter::text),
        "severity": rule.severity
    })
}

/// A document as it is shown.
fn shown(event: &Event<'_>, path: &[u8], document: &[u8]) -> Shown {
    let document = document.strip_suffix(b"\n").unwrap_or(document);
    if document.len() <= LARGEST {
        return Bytes::copy_from_slice(document);
    }
    let start = event.line.get(..SHORTENED).unwrap_or(event.line);
    let time = Timestamp::from_nanosecond(event.time.as_nanos().into());
    let short: Value = json!({
        "@timestamp": time.unwrap_or_default().to_string(),
        "message": String::from_utf8_lossy(start),
        "log": { "file": { "path": String::from_utf8_lossy(path) }, "offset": event.offset },
        "tags": ["shortened"]
    });
    Bytes::from(short.to_string())
}

impl Figures for Tap {
    fn ask(&self, question: &Question) -> Answer {
        self.counter.ask(question)
    }

    fn set_filter(&self, _: Option<Filter>) -> Result<(), String> {
        Err("what all who look at the page see has no filter".to_owned())
    }

    fn count(&self, _: Dimension) -> Result<(), String> {
        Err("what all who look at the page see has its own fields".to_owned())
    }

    fn set_window(&self, _: Duration) -> Result<(), String> {
        Err("what all who look at the page see has its own window".to_owned())
    }

    fn window(&self) -> Duration {
        WINDOW
    }

    fn alerts(&self, most: usize) -> Told {
        self.counter.alerts(most)
    }

    fn feed(&self) -> Feed {
        let source = |account: &Account| SourceState {
            lines: account.lines,
            failures: account.failures,
            silent_for: account.last.elapsed(),
            ..SourceState::new(
                String::from_utf8_lossy(&account.path).into_owned(),
                Reading::Following,
            )
        };
        Feed { sources: self.lock().iter().map(source).collect(), notice: None }
    }
}

#[cfg(test)]
mod tests {
    use omphalos_live::Scope;
    use omphalos_parser::{Fields, Frame, List, Origin, Shape, Time};

    use super::*;

    fn write(documents: &mut Documents, line: &[u8], path: &[u8]) -> Vec<u8> {
        write_of(documents, line, path, 0)
    }

    /// The document of a line that is so many seconds old.
    fn write_of(documents: &mut Documents, line: &[u8], path: &[u8], seconds: i64) -> Vec<u8> {
        let origin = Origin { host_name: "h", host_id: "i", path };
        let event = Event {
            offset: 7,
            time: Time { seconds: now_millis() / 1000 - seconds, nanos: 0 },
            is_time_assumed: false,
            line,
            fields: &Fields::Message,
            others: &List::default(),
            problem: Some("odd"),
            shape: Shape::Whole,
            stream: None,
        };
        let mut out = Vec::new();
        documents.write(
            &mut out,
            &Frame::new("d", origin, false),
            &event,
            omphalos_common::event::DocumentId::from_bytes([0; 16]),
        );
        out
    }

    fn hits(tap: &Tap) -> u64 {
        match tap.ask(&Question::Summary { scope: Scope::Window }) {
            Answer::Summary(summary) => summary.hits,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_are_counted_from_the_start_and_shown_from_when_somebody_looks() {
        let tap = Tap::new(Vec::new(), &Saved::default()).unwrap();
        let mut documents = tap.documents();
        let written = write(&mut documents, b"one", b"/a");
        assert_eq!((hits(&tap), tap.has_whole_window()), (1, false));
        let mut lines = tap.watch();
        assert_eq!(write(&mut documents, b"one", b"/a"), written, "it is the same document");
        assert_eq!(hits(&tap), 2);
        assert_eq!([&*lines.try_recv().unwrap(), b"\n"].concat(), written);
        write(&mut documents, &vec![b'x'; 1_000_000], b"/b");
        let short = lines.try_recv().unwrap();
        assert!(short.len() < LARGEST && short.windows(9).any(|part| part == b"shortened"));
        let sources = tap.feed().sources;
        assert_eq!((sources[0].lines, sources[0].failures, sources.len()), (2, 2, 2));
    }

    /// Lines of several files, or of hosts far away, come in any order.
    #[test]
    fn a_window_of_which_a_line_came_too_late_to_be_counted_is_not_whole() {
        let tap = Tap::new(Vec::new(), &Saved::default()).unwrap();
        tap.is_first.store(true, Ordering::Relaxed);
        let mut documents = tap.documents();
        write(&mut documents, b"one", b"/a");
        write_of(&mut documents, b"two", b"/b", 5);
        write_of(&mut documents, b"two", b"/b", 2 * 900);
        assert_eq!((hits(&tap), tap.has_whole_window()), (2, true), "it is of no concern");
        write_of(&mut documents, b"three", b"/b", 60);
        assert_eq!((hits(&tap), tap.has_whole_window()), (2, false));
    }

    #[test]
    fn files_are_told_apart_up_to_a_number() {
        let tap = Tap::new(Vec::new(), &Saved::default()).unwrap();
        let mut documents = tap.documents();
        for number in 0..2 * MOST_FILES {
            write(&mut documents, b"x", format!("/{number}").as_bytes());
        }
        assert_eq!(tap.accounts().len(), MOST_FILES);
    }
}
