//! What a frame shows, asked in one go: drawing never asks.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use omphalos_live::alert::{Alert, Event as AlertEvent};
use omphalos_live::{
    Answer, Classes, Counted, Detail, Dimension, KeyId, Line, Question, Row, Scope, Series,
    Summary, Top,
};

use super::sort::{Sort, sort_rows};
use super::thresholds::Traffic;
use crate::top::figures::{Feed, Figures, Reading};
use crate::top::number::certain;

/// Sections that are compared with thresholds, by hits and by bytes.
const MOST_SECTIONS: usize = 200;
/// So many events are looked at.
const SHOWN_EVENTS: usize = 200;
/// Rows whose trend is known when they are ordered by it.
const MOST_TRENDS: usize = 64;

/// What is to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Whose keys.
    pub dimension: Dimension,
    /// In which order.
    pub sort: Sort,
    /// How many of them.
    pub rows: usize,
    /// Of which lines.
    pub scope: Scope,
    /// The key that is looked at.
    pub key: Option<KeyId>,
    /// Rows whose trend is shown.
    pub trends: Range<usize>,
    /// How many of the last lines.
    pub lines: usize,
    /// Whether sections are compared with thresholds.
    pub sections: bool,
    /// Whether statuses and methods are shown beside the table.
    pub is_classic: bool,
}

/// What is shown.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What was to be shown.
    pub wanted: Wanted,
    /// When it was asked, in milliseconds since 1970.
    pub at: i64,
    /// How far the window looks back.
    pub window: Duration,
    /// All lines.
    pub summary: Summary,
    /// The time of the newest line, in milliseconds since 1970.
    pub newest: Option<i64>,
    /// Lines since the start, however old.
    pub hits_since_start: u64,
    /// All lines, step by step.
    pub series: Series,
    /// The keys, in order; `None` where the dimension is not counted.
    pub top: Option<Top>,
    /// Why the dimension cannot be counted.
    pub problem: Option<String>,
    /// The steps of keys that are on the screen.
    pub trends: HashMap<KeyId, Series>,
    /// All about the key that is looked at.
    pub detail: Option<Box<Detail>>,
    /// The last lines, the newest first.
    pub lines: Vec<Line>,
    /// What sections have, where that is compared with thresholds.
    pub sections: Vec<(String, Traffic)>,
    /// Alerts that are not ok, raised ones first.
    pub alerts: Vec<Alert>,
    /// What was raised and cleared, the newest first.
    pub events: Vec<AlertEvent>,
    /// The heaviest statuses.
    pub statuses: Vec<Row>,
    /// The heaviest methods.
    pub methods: Vec<Row>,
    /// What is counted.
    pub dimensions: Vec<Counted>,
    /// How the sources are.
    pub feed: Feed,
    /// Whether reading has only just begun, so that sources may not be known yet.
    pub is_early: bool,
}

impl Snapshot {
    /// Before anything was asked.
    pub fn empty(wanted: Wanted, window: Duration) -> Self {
        Self {
            at: 0,
            window,
            summary: no_summary(wanted.scope),
            newest: None,
            hits_since_start: 0,
            series: Series { step: 1, points: Vec::new() },
            top: None,
            problem: None,
            trends: HashMap::new(),
            detail: None,
            lines: Vec::new(),
            sections: Vec::new(),
            alerts: Vec::new(),
            events: Vec::new(),
            statuses: Vec::new(),
            methods: Vec::new(),
            dimensions: Vec::new(),
            feed: Feed::default(),
            is_early: false,
            wanted,
        }
    }

    /// Asks for what is wanted.
    pub fn ask(figures: &dyn Figures, wanted: Wanted) -> Self {
        let scope = wanted.scope;
        let mut snapshot = Self::empty(wanted, figures.window());
        snapshot.at = Timestamp::now().as_millisecond();
        if let Answer::Summary(summary) = figures.ask(&Question::Summary { scope }) {
            snapshot.summary = *summary;
        }
        snapshot.newest = figures.newest();
        snapshot.hits_since_start = snapshot.summary.hits;
        if snapshot.summary.hits == 0 {
            let all = Question::Summary { scope: Scope::Start };
            if let Answer::Summary(all) = figures.ask(&all) {
                snapshot.hits_since_start = all.hits;
            }
        }
        if let Answer::Series(series) = figures.ask(&Question::Series { scope }) {
            snapshot.series = series;
        }
        if let Answer::Dimensions { dimensions } = figures.ask(&Question::Dimensions) {
            snapshot.dimensions = dimensions;
        }
        snapshot.ask_top(figures);
        snapshot.ask_trends(figures);
        snapshot.ask_key_and_lines(figures);
        snapshot.ask_sections(figures);
        snapshot.feed = figures.feed();
        let told = figures.alerts(SHOWN_EVENTS);
        (snapshot.alerts, snapshot.events) = (told.alerts, told.events);
        snapshot
    }

    /// Whether what was there at the start, or before a filter, is still being read: nothing can be
    /// said yet about what there is not.
    pub fn is_reading(&self) -> bool {
        let sources = &self.feed.sources;
        let is_any = sources.iter().any(|source| source.state == Reading::CatchingUp);
        is_any || sources.is_empty() && self.is_early
    }

    /// The keys, in order.
    pub fn rows(&self) -> &[Row] {
        self.top.as_ref().map_or(&[], |top| &top.rows)
    }

    /// The keys, which are counted from now on where they were not.
    fn ask_top(&mut self, figures: &dyn Figures) {
        let question = self.top_of(self.wanted.dimension.clone());
        let mut answer = figures.ask(&question);
        if matches!(answer, Answer::Uncounted { .. }) {
            match figures.count(self.wanted.dimension.clone()) {
                Ok(()) => answer = figures.ask(&question),
                Err(problem) => self.problem = Some(problem),
            }
        }
        if let Answer::Top(top) = answer {
            self.top = Some(top);
        }
    }

    fn top_of(&self, dimension: Dimension) -> Question {
        Question::Top {
            dimension,
            by: self.wanted.sort.by(),
            most: self.wanted.rows,
            least_hits: 0,
            scope: self.wanted.scope,
        }
    }

    fn ask_trends(&mut self, figures: &dyn Figures) {
        let Self { wanted, top: Some(top), trends, .. } = self else { return };
        sort_rows(&mut top.rows, wanted.sort, trends);
        let range = if wanted.sort.is_by_trend() { 0..MOST_TRENDS } else { wanted.trends.clone() };
        let asked = top.rows.iter().skip(range.start).take(range.len().min(MOST_TRENDS));
        for id in asked.filter_map(|row| row.key.as_ref().map(|key| key.id)) {
            let question = Question::Key {
                dimension: wanted.dimension.clone(),
                key: id,
                lines: 0,
                scope: wanted.scope,
            };
            if let Answer::Key(detail) = figures.ask(&question) {
                trends.insert(id, detail.series);
            }
        }
        if wanted.sort.is_by_trend() {
            sort_rows(&mut top.rows, wanted.sort, trends);
        }
    }

    fn ask_key_and_lines(&mut self, figures: &dyn Figures) {
        let Wanted { key, lines, scope, .. } = self.wanted;
        if let Some(key) = key {
            let dimension = self.wanted.dimension.clone();
            let question = Question::Key { dimension, key, lines, scope };
            if let Answer::Key(detail) = figures.ask(&question) {
                self.detail = Some(detail);
            }
        }
        if lines > 0
            && let Answer::Lines { lines } = figures.ask(&Question::Lines { most: lines })
        {
            self.lines = lines;
        }
    }

    fn ask_sections(&mut self, figures: &dyn Figures) {
        use omphalos_live::By;
        let scope = self.wanted.scope;
        let rows = |dimension, by, most| {
            let question = Question::Top { dimension, by, most, least_hits: 0, scope };
            match figures.ask(&question) {
                Answer::Top(top) => top.rows,
                _ => Vec::new(),
            }
        };
        if self.wanted.sections {
            let mut sections: HashMap<String, Traffic> = HashMap::new();
            for by in [By::Hits, By::Bytes] {
                for row in rows(Dimension::Section, by, MOST_SECTIONS) {
                    let Some(key) = row.key else { continue };
                    let is_least = row.hits.at_most_over > 0 || row.bytes.at_most_over > 0;
                    let (hits, size) = (certain(row.hits), certain(row.bytes));
                    let traffic = Traffic { hits, size, is_least };
                    sections.insert(key.text, traffic);
                }
            }
            self.sections = sections.into_iter().collect();
        }
        if self.wanted.is_classic {
            self.statuses = rows(Dimension::Status, By::Hits, 5);
            self.methods = rows(Dimension::Method, By::Hits, 8);
        }
    }

    /// Whether the same is to be seen in both, but for the time at which they were asked.
    pub fn looks_like(&self, other: &Self) -> bool {
        let feed = |snapshot: &Self| {
            let states = snapshot.feed.sources.iter().map(|source| {
                let silent = source.silent_for.as_secs();
                let counts = (source.lines, source.failures, source.dropped, source.behind, silent);
                (source.name.clone(), source.state.clone(), counts, source.in_blocks)
            });
            (states.collect::<Vec<_>>(), snapshot.feed.notice.clone())
        };
        self.at / 1_000 == other.at / 1_000
            && self.wanted == other.wanted
            && self.summary == other.summary
            && self.top == other.top
            && self.detail == other.detail
            && self.lines == other.lines
            && self.series == other.series
            && self.trends == other.trends
            && self.problem == other.problem
            && self.alerts == other.alerts
            && self.events == other.events
            && feed(self) == feed(other)
    }
}

fn no_summary(scope: Scope) -> Summary {
    Summary {
        scope,
        from: None,
        to: None,
        hits: 0,
        bytes: 0,
        errors: 0,
        classes: Classes::default(),
        rate: omphalos_live::Rate::default(),
        now: omphalos_live::Rate::default(),
        clients: omphalos_live::About::default(),
        latency: None,
        late: 0,
        ahead: 0,
        left_out: 0,
    }
}
