//! One stream of server-sent events for all that moves: a browser allows six connections to a server, so
//! one has to be enough for a page.
//!
//! Each who watches has a task, which never waits for anybody else: who takes events too slowly misses
//! lines, and is told how many. Figures are asked for once for all who want the same.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::unfold;
use omphalos_common::telemetry::Peer;
use omphalos_live::{DocumentReader, Filter};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::mpsc::{self, Sender};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

use super::Page;
use super::api::{Overview, health, judged_here, newest, overview, sources};
use super::parameters::{Parameters, RANGE, Range};
use super::problem::Problem;
use super::reply::Reply;
use super::tap::Shown;

/// Events that wait to be taken.
const WAITING: usize = 8;
/// How often lines are sent, and how many at most; the others are counted.
const LINES_EVERY: Duration = Duration::from_millis(250);
const MOST_LINES: usize = 250;
/// How often it is looked what others wrote, and how far back that may be dated.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_BACK: Duration = Duration::from_secs(30);
/// Documents that are known to be sent.
const MOST_KNOWN: usize = 4096;
/// For figures, a store is busy for one part in so many at most, up to this pause.
const OF_THE_TIME: u32 = 20;
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How often figures are sent at most, and what is about the process.
const FIGURES_EVERY: Duration = Duration::from_secs(2);
const STATE_EVERY: Duration = Duration::from_secs(2);
/// What can be watched.
const TOPICS: [&str; 5] = ["overview", "lines", "sources", "health", "alerts"];

/// Answers with a stream that ends when who asked goes away, or the process.
pub async fn live(page: State<Arc<Page>>, peer: Extension<Peer>, uri: Uri) -> Response {
    let Extension(Peer(peer)) = peer;
    let begun = page.rates.stream(peer.ip());
    let begun = begun.and_then(|stream| Ok((stream, Watcher::new(&page, &uri)?)));
    let (counted, (watcher, wanted)) = match begun {
        Ok(both) => both,
        Err(problem) => return problem.into_response(),
    };
    let (events, taken) = mpsc::channel(WAITING);
    let (stop, page, of_figures) = (page.stop.clone(), Arc::clone(&page), events.clone());
    tokio::spawn(async move {
        // Lines do not wait for figures, which may take long.
        let figures = async {
            match wanted {
                Some(wanted) => figures(&page, &wanted, of_figures).await,
                None => drop(of_figures),
            }
        };
        let both = async { tokio::join!(watcher.run(events), figures) };
        stop.run_until_cancelled(Box::pin(both)).await;
        drop(counted);
    });
    let stream = unfold(taken, async |mut taken| {
        let event: Bytes = taken.recv().await?;
        Some((Ok::<Bytes, std::io::Error>(event), taken))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(stream)).into_response()
}

/// One who watches.
struct Watcher {
    page: Arc<Page>,
    lines: Option<Lines>,
    /// Topics about the process, with what was sent of them last.
    states: Vec<(&'static str, Bytes)>,
}

/// Where new lines come from.
enum Lines {
    /// This process reads them.
    Read(Receiver<Shown>, Option<Filter>),
    /// Others do: it is looked for them where they are stored.
    Stored(Box<Range>, Known),
}

/// Ids of documents that were sent.
#[derive(Default)]
struct Known {
    ids: HashSet<String>,
    order: VecDeque<String>,
    has_begun: bool,
}

/// Lines that were not sent, and those that are.
#[derive(Default)]
struct Found {
    lines: VecDeque<Bytes>,
    skipped: u64,
}

impl Watcher {
    /// What an address asks for, and of what figures are wanted.
    fn new(page: &Arc<Page>, uri: &Uri) -> Result<(Self, Option<Overview>), Problem> {
        let known: [&[&str]; 3] = [&RANGE, &["topics", "top", "by", "n"], &[]];
        let parameters = Parameters::read(uri, &known)?;
        let topics = parameters.text("topics").unwrap_or("overview,lines,health");
        let topics: Vec<&str> = topics.split(',').map(str::trim).collect();
        if let Some(odd) = topics.iter().find(|topic| !TOPICS.contains(topic)) {
            let detail = format!("topics: expected {}, found {odd:?}", TOPICS.join(", "));
            return Err(Problem::parameter("topics", &detail));
        }
        let overview = Overview::of(&parameters)?;
        let has_lines = topics.contains(&"lines");
        let lines = has_lines.then(|| Lines::new(page, &overview.range)).transpose()?;
        let states = TOPICS.into_iter().skip(2).filter(|topic| topics.contains(topic));
        let states = states.map(|topic| (topic, Bytes::new())).collect();
        let wanted = topics.contains(&"overview").then_some(overview);
        Ok((Self { page: Arc::clone(page), lines, states }, wanted))
    }

    /// Sends what is new until nobody takes it any more.
    async fn run(mut self, events: Sender<Bytes>) {
        let (mut lines, mut looks) = (ticks(LINES_EVERY), ticks(LOOK_EVERY));
        let mut states = ticks(STATE_EVERY);
        if events.send(Bytes::from_static(b"retry: 2000\n\n")).await.is_err() {
            return;
        }
        let is_read = matches!(self.lines, Some(Lines::Read(..)));
        let is_stored = matches!(self.lines, Some(Lines::Stored(..)));
        loop {
            let event = tokio::select! {
                () = events.closed() => return,
                _ = lines.tick(), if is_read => self.new_lines().await,
                _ = looks.tick(), if is_stored => self.new_lines().await,
                _ = states.tick() => Some(self.news()),
            };
            if let Some(event) = event
                && events.send(event).await.is_err()
            {
                return;
            }
        }
    }

    async fn new_lines(&mut self) -> Option<Bytes> {
        let mut found = Found::default();
        match self.lines.as_mut()? {
            Lines::Read(lines, filter) => found.take(lines, filter.as_ref()),
            Lines::Stored(range, known) => {
                if let Err(problem) = found.look(&self.page, range, known).await {
                    return Some(event("problem", problem.json().to_string().as_bytes()));
                }
            }
        }
        found.event()
    }

    /// What has changed of the process; a comment where nothing has, so that a connection that is gone is
    /// noticed.
    fn news(&mut self) -> Bytes {
        let mut news = Vec::new();
        for (topic, sent) in &mut self.states {
            let state = match *topic {
                "health" => health(&self.page),
                "alerts" => judged_here(&self.page),
                _ => sources(&self.page),
            };
            let Ok(Reply { body, .. }) = state else { continue };
            if *sent != body {
                news.extend_from_slice(&event(topic, &body));
                *sent = body;
            }
        }
        if news.is_empty() { Bytes::from_static(b":\n\n") } else { Bytes::from(news) }
    }
}

/// Sends figures until nobody takes them any more.
async fn figures(page: &Arc<Page>, wanted: &Overview, events: Sender<Bytes>) {
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = events.closed() => return,
            () = sleep(pause) => {}
        }
        let begun = Instant::now();
        let event = match overview(page, wanted).await {
            Ok(reply) => event("overview", &reply.body),
            Err(problem) => event("problem", problem.json().to_string().as_bytes()),
        };
        // A store that needs long is not asked all the time.
        let usual = wanted.fresh().max(FIGURES_EVERY);
        pause = (begun.elapsed() * OF_THE_TIME).clamp(usual, LONGEST_PAUSE);
        if events.send(event).await.is_err() {
            return;
        }
    }
}

impl Lines {
    fn new(page: &Page, range: &Range) -> Result<Self, Problem> {
        let tap = page.behind.tap.as_ref();
        let has_all = page.behind.tap_has_all || page.behind.asker.is_none();
        if let Some(tap) = tap.filter(|_| has_all) {
            let filter = range.filter.as_deref().map(Filter::new).transpose();
            let filter =
                filter.map_err(|problem| Problem::parameter("filter", &problem.to_string()))?;
            return Ok(Self::Read(tap.watch(), filter));
        }
        Ok(Self::Stored(Box::new(range.clone()), Known::default()))
    }
}

impl Found {
    /// Takes what was read since the last time.
    fn take(&mut self, lines: &mut Receiver<Shown>, filter: Option<&Filter>) {
        let mut reader = DocumentReader::default();
        loop {
            match lines.try_recv() {
                Ok(line) => {
                    let is_meant = filter.is_none_or(|filter| {
                        reader.read(&line).is_ok_and(|document| filter.matches(&document.hit()))
                    });
                    if is_meant {
                        self.add(line);
                    }
                }
                Err(TryRecvError::Lagged(missed)) => self.skipped += missed,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// Looks for what others stored since the last time.
    async fn look(&mut self, page: &Page, range: &Range, known: &mut Known) -> Result<(), Problem> {
        let since = jiff::Timestamp::now().checked_sub(LOOK_BACK).unwrap_or(range.since);
        let range = Range { since, until: None, ..range.clone() };
        let found = newest(page, &range, MOST_LINES).await?;
        let is_first = !std::mem::replace(&mut known.has_begun, true);
        for (id, line) in found.into_iter().rev() {
            // What was there before is on the page already.
            if known.insert(id) && !is_first {
                self.add(line);
            }
        }
        Ok(())
    }

    fn add(&mut self, line: Bytes) {
        if self.lines.len() == MOST_LINES {
            self.lines.pop_front();
            self.skipped += 1;
        }
        self.lines.push_back(line);
    }

    fn event(&self) -> Option<Bytes> {
        if self.lines.is_empty() && self.skipped == 0 {
            return None;
        }
        let mut data = Vec::with_capacity(self.lines.iter().map(|line| line.len() + 1).sum());
        data.extend_from_slice(format!("{{\"skipped\":{},\"lines\":[", self.skipped).as_bytes());
        for (number, line) in self.lines.iter().enumerate() {
            if number > 0 {
                data.push(b',');
            }
            data.extend_from_slice(line);
        }
        data.extend_from_slice(b"]}");
        Some(event("lines", &data))
    }
}

impl Known {
    /// Notes an id; false if it was known.
    fn insert(&mut self, id: String) -> bool {
        if !self.ids.insert(id.clone()) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > MOST_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

/// An event. Data is one line: a line feed in JSON is white space, which none of ours has, or escaped.
fn event(name: &str, data: &[u8]) -> Bytes {
    let mut event = format!("event: {name}\ndata: ").into_bytes();
    event.extend(data.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    event.extend_from_slice(b"\n\n");
    Bytes::from(event)
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::broadcast;

    fn line(status: u16) -> Shown {
        let document = format!("{{\"http\":{{\"response\":{{\"status_code\":{status}}}}}}}");
        document.into_bytes().into()
    }

    #[test]
    fn what_cannot_be_shown_is_counted() {
        let (sender, mut lines) = broadcast::channel(1024);
        for _ in 0..1100 {
            sender.send(line(200)).unwrap();
        }
        let mut found = Found::default();
        found.take(&mut lines, None);
        assert_eq!((found.lines.len(), found.skipped), (MOST_LINES, 1100 - 250));
        sender.send(line(200)).unwrap();
        sender.send(line(503)).unwrap();
        let mut found = Found::default();
        found.take(&mut lines, Some(&Filter::new("status:>=500").unwrap()));
        assert_eq!(
            found.event().unwrap(),
            "event: lines\ndata: {\"skipped\":0,\"lines\":[{\"http\":{\"response\":{\"status_code\":503}}}]}\n\n"
        );
        assert_eq!(Found::default().event(), None);
    }

    #[test]
    fn no_data_begins_an_event_of_its_own() {
        assert_eq!(event("a", b"1\n\nevent: b\r2"), "event: a\ndata: 1  event: b 2\n\n");
    }

    #[test]
    fn what_is_known_is_bounded() {
        let mut known = Known::default();
        assert!(known.insert("a".to_owned()));
        assert!(!known.insert("a".to_owned()));
        for number in 0..2 * MOST_KNOWN {
            known.insert(number.to_string());
        }
        assert_eq!((known.ids.len(), known.order.len()), (MOST_KNOWN, MOST_KNOWN));
    }
}
