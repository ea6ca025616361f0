//! The console without a terminal: real figures of made-up lines, drawn into ratatui's test backend.

mod asking;
mod exports;
mod honest;
mod keys;
mod properties;
mod screens;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::tz::TimeZone;
use omphalos_live::{Answer, Dimension, Filter, Hit, Live, Pace, Question, Settings};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::data::Snapshot;
use super::draw::{self, Scene};
use super::key::Key;
use super::model::{Effects, Model};
use super::sort::{Column, Sort};
use super::theme::{Depth, Theme};
use super::thresholds::{Thresholds, Watch};
use crate::top::figures::{Feed, Figures, Reading, SourceState};

/// 2026-11-29T12:00:00Z, in nanoseconds.
const NOON: i64 = 1_795_953_600_000_000_000;
/// Between two lines, in nanoseconds: they take five minutes.
const APART: i64 = 50_000_000;
const LINES: i64 = 6_000;

/// Figures without threads and sources.
struct Fake {
    live: Mutex<Live>,
    feed: Mutex<Feed>,
    window: Mutex<Duration>,
    /// By how much sums of keys may be too large, and are.
    over: u64,
}

impl Fake {
    fn new() -> Self {
        let settings = Settings { pace: Pace::Lines, ..Settings::default() };
        let window = Mutex::new(settings.window);
        let live = Mutex::new(Live::new(settings).unwrap());
        Self { live, feed: Mutex::new(Feed::default()), window, over: 0 }
    }

    /// With a source and the lines of a small site.
    fn busy() -> Self {
        let fake = Self::new();
        fake.feed.lock().unwrap().sources.push(source("/var/log/nginx/access.log"));
        (0..LINES).for_each(|number| fake.take(number));
        fake
    }

    fn take(&self, number: i64) {
        const PATHS: [&str; 8] = [
            "/",
            "/api/v1/items",
            "/api/v1/items/7",
            "/static/site.css",
            "/static/site.js",
            "/blog/one",
            "/login",
            "/api/v2/search",
        ];
        // Heavy ones and light ones, without a random number.
        let mixed = (number * 7_919 + number / 13) % 97;
        let path = PATHS[usize::try_from(mixed % 23 % 8).unwrap()];
        let status = match mixed {
            0 => 500,
            1..=4 => 404,
            5..=9 => 304,
            _ => 200,
        };
        let client = format!("192.0.2.{}", number % 211);
        let line = format!("{client} - - \"GET {path} HTTP/1.1\" {status} {}", 100 * mixed);
        let hit = Hit {
            time: NOON + number * APART,
            path: Some(path.as_bytes()),
            method: Some(if path == "/login" { b"POST" } else { b"GET" }),
            status: Some(status),
            bytes: Some(u64::try_from(100 * mixed).unwrap()),
            latency: Some(1_000_000 * u64::try_from(mixed * mixed / 10 + 1).unwrap()),
            client: Some(client.as_bytes()),
            user: (path == "/login").then_some(b"ada"),
            line: line.as_bytes(),
            ..Hit::default()
        };
        self.live.lock().unwrap().take(&hit);
    }

    /// With the texts of somebody who means no good in each place.
    fn hostile(texts: &[String]) -> Self {
        let fake = Self::new();
        for (number, text) in (0..).zip(texts) {
            let bytes = text.as_bytes();
            let text = Some(bytes);
            let hit = Hit {
                time: NOON + number * APART,
                path: text,
                method: text,
                status: Some(u16::try_from(number % 700).unwrap()),
                bytes: Some(u64::MAX),
                latency: Some(u64::MAX),
                client: text,
                user: text,
                referrer: text,
                agent: text,
                virtual_host: text,
                line: bytes,
                ..Hit::default()
            };
            fake.live.lock().unwrap().take(&hit);
        }
        let mut feed = fake.feed.lock().unwrap();
        feed.notice = texts.first().cloned();
        for text in texts.iter().take(3) {
            let state = Reading::Failed(text.clone());
            let broken = SourceState { state, behind: Some(u64::MAX), ..source(text) };
            feed.sources.push(SourceState { failures: 3, dropped: u64::MAX, ..broken });
        }
        drop(feed);
        fake
    }
}

impl Figures for Fake {
    fn ask(&self, question: &Question) -> Answer {
        let mut answer = self.live.lock().unwrap().ask(question);
        let rows = match &mut answer {
            Answer::Top(top) => top.rows.iter_mut().collect(),
            Answer::Key(detail) => vec![&mut detail.row],
            _ => Vec::new(),
        };
        for sum in rows.into_iter().flat_map(|row| [&mut row.hits, &mut row.bytes, &mut row.errors])
        {
            sum.value += self.over;
            sum.at_most_over += self.over;
        }
        answer
    }

    fn set_filter(&self, filter: Option<Filter>) -> Result<(), String> {
        self.live.lock().unwrap().set_filter(filter);
        Ok(())
    }

    fn count(&self, dimension: Dimension) -> Result<(), String> {
        self.live.lock().unwrap().count(dimension).map_err(|problem| problem.to_string())
    }

    fn set_window(&self, window: Duration) -> Result<(), String> {
        *self.window.lock().unwrap() = window;
        Ok(())
    }

    fn window(&self) -> Duration {
        *self.window.lock().unwrap()
    }

    fn feed(&self) -> Feed {
        self.feed.lock().unwrap().clone()
    }
}

fn source(name: &str) -> SourceState {
    SourceState {
        name: name.to_owned(),
        state: Reading::Following,
        lines: u64::try_from(LINES).unwrap(),
        failures: 0,
        dropped: 0,
        behind: Some(0),
        silent_for: Duration::from_millis(300),
        in_blocks: false,
    }
}

/// A console whose answers come at once.
struct Bench {
    figures: Fake,
    model: Model,
    data: Snapshot,
    watch: Watch,
    theme: Theme,
}

impl Bench {
    fn new(figures: Fake) -> Self {
        let model = Model::new(Dimension::Section, Sort::new(Column::Hits), None);
        let data = Snapshot::empty(model.wanted(), model.window);
        let watch = Watch::new(Thresholds::default());
        let theme = Theme::new(Depth::None, false, true);
        let mut bench = Self { figures, model, data, watch, theme };
        // Once for the rows, and once for the trends of those that are on the screen.
        (0..2).for_each(|_| {
            bench.ask();
            bench.draw(80, 24);
        });
        bench.ask();
        bench
    }

    fn with(figures: Fake, change: impl FnOnce(&mut Self)) -> Self {
        let mut bench = Self::new(figures);
        change(&mut bench);
        bench.ask();
        bench
    }

    fn ask(&mut self) {
        self.data = Snapshot::ask(&self.figures, self.model.wanted());
        self.data.at = (NOON + LINES * APART) / 1_000_000 + 400;
        super::watch_data(&mut self.watch, &self.data);
        self.model.see(&self.data);
    }

    /// Presses a key, and does what it wants.
    fn press(&mut self, key: &Key) -> Effects {
        let effects = self.model.on(key, &self.data);
        self.follow(&effects);
        effects
    }

    fn follow(&mut self, effects: &Effects) {
        if let Some(text) = &effects.filter {
            let filter = (!text.is_empty()).then(|| Filter::new(text).unwrap());
            self.figures.set_filter(filter).unwrap();
        }
        if let Some(window) = effects.window {
            self.figures.set_window(window).unwrap();
        }
        self.model.order(&mut self.data);
        self.ask();
    }

    fn type_keys(&mut self, keys: &str) {
        keys.chars().for_each(|letter| drop(self.press(&Key::Char(letter))));
    }

    fn draw(&mut self, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let zone = TimeZone::UTC;
        let scene = Scene {
            model: &self.model,
            data: &self.data,
            watch: &self.watch,
            theme: &self.theme,
            zone: &zone,
            title: "access.log",
        };
        let mut page = 0;
        let draw = |frame: &mut ratatui::Frame<'_>| {
            let area = frame.area();
            page = draw::draw(&scene, area, frame.buffer_mut());
        };
        terminal.draw(draw).unwrap();
        let rows = self.data.rows().len();
        self.model.selection.set_page(page, rows);
        terminal.backend().buffer().clone()
    }

    fn text(&mut self, width: u16, height: u16) -> String {
        super::export::text(&self.draw(width, height))
    }
}

/// An order of the rows that are shown, by name.
fn names(bench: &Bench) -> Vec<&str> {
    bench.data.rows().iter().map(|row| row.key.as_ref().map_or("", |key| &key.text)).collect()
}

#[test]
fn rows_that_are_as_heavy_keep_their_places() {
    let bench = Bench::new(Fake::busy());
    let mut rows = bench.data.rows().to_vec();
    let before = rows.clone();
    rows.reverse();
    super::sort::sort_rows(&mut rows, Sort::new(Column::Hits), &HashMap::new());
    assert_eq!(rows, before);
}

#[test]
fn what_is_not_known_comes_last_whichever_way_it_is_sorted() {
    let bench = Bench::new(Fake::busy());
    let mut rows = bench.data.rows().to_vec();
    rows[1].latency = None;
    let unknown = rows[1].clone();
    let trends: HashMap<_, _> = bench
        .data
        .trends
        .clone()
        .into_iter()
        .filter(|(id, _)| unknown.key.as_ref().is_some_and(|key| key.id != *id))
        .collect();
    assert_eq!(trends.len() + 1, rows.len());
    for column in [Column::Latency, Column::Trend] {
        let down = Sort::new(column);
        super::sort::sort_rows(&mut rows, down, &trends);
        assert_eq!(rows.last(), Some(&unknown), "{column:?}");
        super::sort::sort_rows(&mut rows, down.reversed(), &trends);
        assert_eq!(rows.last(), Some(&unknown), "{column:?}");
    }
}
