//! Keys that go around: from row to row, from view to view.

use std::time::Duration;

use omphalos_live::{By, Dimension, Scope};

use super::{Effects, Entry, Message, Mode, Model, View};
use crate::top::console::data::Snapshot;
use crate::top::console::export::{Kind, row_text};
use crate::top::console::key::Key;
use crate::top::console::sort::{Column, Sort, sort_rows};
use crate::top::text::clean;

/// Windows that are gone through; then comes all since the start.
const WINDOWS: [Duration; 4] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
];

impl Model {
    pub(super) fn on_browse(&mut self, key: &Key, data: &Snapshot) -> Effects {
        if let Some(column) = column_of(key) {
            return self.sort_by(Sort::new(column));
        }
        match key {
            Key::Char('q') => return Effects { quit: true, ..Effects::default() },
            Key::Char('?') => self.mode = Mode::Help(0),
            Key::Char('/') => return self.begin_filter(),
            Key::Char('d') => {
                let list = self.dimensions(data);
                let at = list.iter().position(|dimension| *dimension == self.dimension);
                self.mode = Mode::Dimensions(at.unwrap_or(0));
            }
            Key::Char('x') => self.mode = Mode::Export,
            Key::Char('w') => return self.next_window(),
            Key::Char('p' | ' ') => self.is_paused = !self.is_paused,
            Key::Char('s') => return self.sort_by(self.sort.next()),
            Key::Char('S') => return self.sort_by(self.sort.reversed()),
            Key::Char('v') => self.next_lines(),
            Key::Char('i') => self.toggle(View::Sources),
            Key::Char('f') => return self.drill(data),
            Key::Char('y' | 'Y') => return self.copy(data, *key == Key::Char('Y')),
            Key::Char(digit @ '1'..='9') => {
                let place = digit.to_digit(10).map_or(0, |digit| digit as usize).saturating_sub(1);
                if let Some(dimension) = Dimension::USUAL.get(place) {
                    self.show(dimension.clone());
                }
            }
            Key::Tab => self.next_dimension(data, 1),
            Key::BackTab => self.next_dimension(data, -1),
            Key::Enter => self.enter(data),
            Key::Escape | Key::Backspace => return self.back(),
            other => self.go(other, data),
        }
        Effects::default()
    }

    /// The keys of the old console.
    pub(super) fn on_classic(&mut self, key: &Key, data: &Snapshot) -> Effects {
        match key {
            Key::Char('q') => return Effects { quit: true, ..Effects::default() },
            Key::Char(' ') => return Effects { redraw: true, ..Effects::default() },
            Key::Char('h') => self.sort = Sort::new(Column::of(By::Hits)),
            Key::Char('b') => self.sort = Sort::new(Column::of(By::Bytes)),
            Key::Char('r') => self.show_or_leave(Dimension::Referrer),
            Key::Char('u') => self.show_or_leave(Dimension::User),
            Key::Escape => self.show(self.home.clone()),
            Key::Char('?') => self.mode = Mode::Help(0),
            other => self.go(other, data),
        }
        Effects::default()
    }

    fn show_or_leave(&mut self, dimension: Dimension) {
        let target = if self.dimension == dimension { self.home.clone() } else { dimension };
        self.show(target);
    }

    fn sort_by(&mut self, sort: Sort) -> Effects {
        // The same key once more turns the order around.
        let again = sort == self.sort;
        self.sort = if again { sort.reversed() } else { sort };
        Effects::default()
    }

    /// Puts rows that are there into the order that is wanted, until those come that were asked for.
    pub fn order(&mut self, data: &mut Snapshot) {
        if let Some(top) = &mut data.top {
            sort_rows(&mut top.rows, self.sort, &data.trends);
            self.selection.settle(&top.rows);
        }
    }

    fn go(&mut self, key: &Key, data: &Snapshot) {
        let page = isize::try_from(self.selection.page().max(1)).unwrap_or(1);
        let by = match key {
            Key::Up | Key::Char('k') => -1,
            Key::Down | Key::Char('j') => 1,
            Key::PageUp => -page,
            Key::PageDown => page,
            Key::Home | Key::Char('g') => isize::MIN,
            Key::End | Key::Char('G') => isize::MAX,
            _ => return,
        };
        match self.view {
            View::Table => self.selection.go(by, data.rows()),
            View::Lines | View::Key(_) | View::Sources => {
                let lines = match self.view {
                    View::Lines => data.lines.len(),
                    View::Sources => data.feed.sources.len(),
                    _ => data.detail.as_ref().map_or(0, |detail| detail.lines.len()),
                };
                let last = lines.saturating_sub(1);
                self.top_line = self.top_line.saturating_add_signed(by).min(last);
            }
        }
    }

    pub(super) fn enter(&mut self, data: &Snapshot) {
        if self.view != View::Table {
            return;
        }
        if !self.shows(data) {
            self.enters = Some(self.dimension.clone());
            return;
        }
        if let Some(key) = self.chosen(data).and_then(|row| row.key.clone()) {
            self.view = View::Key(key);
            self.top_line = 0;
        }
    }

    /// One step back: from a view to the table, and from a filter to none.
    fn back(&mut self) -> Effects {
        if self.view != View::Table {
            self.view = View::Table;
            self.top_line = 0;
            return Effects::default();
        }
        if self.filter.is_empty() {
            self.selection.reset();
            return Effects::default();
        }
        self.use_filter("")
    }

    fn toggle(&mut self, view: View) {
        self.view = if self.view == view { View::Table } else { view };
        self.top_line = 0;
    }

    /// Lines beside the table, lines alone, the table alone.
    fn next_lines(&mut self) {
        self.top_line = 0;
        match (&self.view, self.has_lines) {
            (View::Lines, _) => (self.view, self.has_lines) = (View::Table, false),
            (_, true) => self.view = View::Lines,
            (_, false) => (self.view, self.has_lines) = (View::Table, true),
        }
    }

    fn next_dimension(&mut self, data: &Snapshot, by: isize) {
        let counted: Vec<_> = match data.dimensions.as_slice() {
            [] => Dimension::USUAL.to_vec(),
            counted => counted.iter().map(|counted| counted.dimension.clone()).collect(),
        };
        let at = counted.iter().position(|dimension| *dimension == self.dimension).unwrap_or(0);
        let count = isize::try_from(counted.len()).unwrap_or(1).max(1);
        let at = isize::try_from(at).unwrap_or(0);
        let next = usize::try_from((at + by).rem_euclid(count)).unwrap_or(0);
        if let Some(dimension) = counted.get(next) {
            self.show(dimension.clone());
        }
    }

    fn next_window(&mut self) -> Effects {
        if self.scope == Scope::Start {
            self.scope = Scope::Window;
            return Effects { window: WINDOWS.first().copied(), ..Effects::default() };
        }
        let next = WINDOWS.iter().find(|window| **window > self.window).copied();
        if next.is_none() {
            self.scope = Scope::Start;
        }
        Effects { window: next, ..Effects::default() }
    }

    fn copy(&mut self, data: &Snapshot, whole: bool) -> Effects {
        if self.view == View::Lines {
            let line = data.lines.get(self.top_line).map(|line| clean(&line.text));
            self.message = Some(match line {
                Some(_) => Message::Done("copied the first line".to_owned()),
                None => Message::Failed("there is no line to copy".to_owned()),
            });
            return Effects { copy: line, ..Effects::default() };
        }
        let Some(row) = self.chosen(data) else {
            self.message = Some(Message::Failed("there is no row to copy".to_owned()));
            return Effects::default();
        };
        let name = row.key.as_ref().map(|key| clean(&key.text));
        let text = if whole { row_text(row) } else { name.unwrap_or_default() };
        self.message = Some(Message::Done(format!("copied {text}")));
        Effects { copy: Some(text), ..Effects::default() }
    }

    pub(super) fn on_dimensions(&mut self, key: &Key, at: usize, data: &Snapshot) -> Effects {
        let list = self.dimensions(data);
        let next = match key {
            Key::Up | Key::Char('k') | Key::BackTab => at.saturating_sub(1),
            Key::Down | Key::Char('j') | Key::Tab => (at + 1).min(list.len()),
            Key::Home | Key::PageUp => 0,
            Key::End | Key::PageDown => list.len(),
            Key::Char('f' | '/') => {
                self.mode = Mode::Field(Entry::default());
                return Effects::default();
            }
            Key::Enter => {
                self.mode = match list.get(at) {
                    Some(dimension) => {
                        self.show(dimension.clone());
                        Mode::Browse
                    }
                    None => Mode::Field(Entry::default()),
                };
                return Effects::default();
            }
            Key::Escape | Key::Char('q' | 'd') => {
                self.mode = Mode::Browse;
                return Effects::default();
            }
            _ => at,
        };
        self.mode = Mode::Dimensions(next);
        Effects::default()
    }

    pub(super) fn on_field(&mut self, key: &Key, mut entry: Entry) -> Effects {
        let name = entry.text().trim().to_owned();
        self.mode = match key {
            Key::Escape => Mode::Browse,
            Key::Enter => {
                if !name.is_empty() {
                    self.show(Dimension::named(&name));
                }
                Mode::Browse
            }
            other => {
                entry.on(other);
                Mode::Field(entry)
            }
        };
        Effects::default()
    }

    pub(super) fn on_export(&mut self, key: &Key) -> Effects {
        let export = match key {
            Key::Char(letter) => Kind::of_key(*letter),
            _ => None,
        };
        if export.is_some() || matches!(key, Key::Escape | Key::Enter | Key::Char('q' | 'x')) {
            self.mode = Mode::Browse;
        }
        Effects { export, ..Effects::default() }
    }

    pub(super) fn on_help(&mut self, key: &Key, first: usize) -> Effects {
        self.mode = match key {
            Key::Up | Key::Char('k') => Mode::Help(first.saturating_sub(1)),
            Key::Down | Key::Char('j') => Mode::Help(first.saturating_add(1).min(100)),
            Key::PageUp => Mode::Help(first.saturating_sub(10)),
            Key::PageDown => Mode::Help(first.saturating_add(10).min(100)),
            Key::Home => Mode::Help(0),
            _ => Mode::Browse,
        };
        Effects::default()
    }
}

/// The column that a key sorts by.
fn column_of(key: &Key) -> Option<Column> {
    let Key::Char(letter) = key else { return None };
    Some(match letter {
        'h' => Column::Hits,
        'b' => Column::Bytes,
        'e' => Column::Errors,
        'l' => Column::Latency,
        'c' => Column::Clients,
        't' => Column::Trend,
        'n' => Column::Name,
        _ => return None,
    })
}
