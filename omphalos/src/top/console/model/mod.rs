//! What the person at the keyboard chose, and what a key makes of it. Pure: nothing is drawn, asked or
//! written here; what is to be done is handed back.

mod browse;
mod entry;
mod filtering;
mod selection;

use std::time::Duration;

use omphalos_live::{Dimension, Filter, KeyName, Row, Scope};

pub use entry::{Entry, History};
pub use selection::Selection;

use super::data::{Snapshot, Wanted};
use super::export::Kind;
use super::key::Key;
use super::sort::Sort;

/// Rows that are asked for if nobody says how many.
const ROWS: usize = 200;
/// Lines that are asked for, where they have the screen and where they share it.
const LINES: [usize; 2] = [500, 40];

/// Which console it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// All of it.
    Full,
    /// The old one, with its own screen and keys.
    Classic,
}

/// What has the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// The keys of a dimension.
    Table,
    /// One key of it.
    Key(KeyName),
    /// The last lines.
    Lines,
    /// The sources.
    Sources,
}

/// What keys are for at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Going around.
    Browse,
    /// Typing a filter; why it is none, and the one that was used before.
    Filter {
        /// What is typed.
        entry: Entry,
        /// Why it cannot be used.
        problem: Option<String>,
        /// The one before.
        before: String,
    },
    /// Choosing a dimension from a list; behind its end any field can be typed.
    Dimensions(usize),
    /// Typing the name of a field.
    Field(Entry),
    /// Choosing what to export.
    Export,
    /// Reading the help, from this line on.
    Help(usize),
}

/// Something to be told to the person at the keyboard, until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// It worked.
    Done(String),
    /// It did not.
    Failed(String),
}

/// What a key wants to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent wishes")]
pub struct Effects {
    /// To end.
    pub quit: bool,
    /// To count what this filter means; it has been read already.
    pub filter: Option<String>,
    /// To count what has been typed, once nothing more is typed.
    pub filter_soon: bool,
    /// To look back so far.
    pub window: Option<Duration>,
    /// To copy this text.
    pub copy: Option<String>,
    /// To write a file of this kind.
    pub export: Option<Kind>,
    /// To draw and ask everything anew.
    pub redraw: bool,
    /// To give the terminal back and stop, until the shell goes on with it.
    pub suspend: bool,
}

/// What was chosen.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent choices")]
pub struct Model {
    /// What has the screen.
    pub view: View,
    /// What keys are for.
    pub mode: Mode,
    /// Whose keys are shown.
    pub dimension: Dimension,
    /// In which order.
    pub sort: Sort,
    /// Of which lines.
    pub scope: Scope,
    /// How far the window looks back.
    pub window: Duration,
    /// Which row.
    pub selection: Selection,
    /// The first line on the screen, where lines or sources have it.
    pub top_line: usize,
    /// Whether lines are shown beside the table.
    pub has_lines: bool,
    /// The filter that is used.
    pub filter: String,
    /// Filters that were used.
    pub history: History,
    /// Whether what is shown stays as it is.
    pub is_paused: bool,
    /// Something to be told.
    pub message: Option<Message>,
    /// How many rows there are at most.
    pub rows: usize,
    /// Whether sections are compared with thresholds.
    pub has_thresholds: bool,
    /// Which console it is.
    pub form: Form,
    /// Whether there are keys at all, which can be named.
    pub has_keys: bool,
    /// The format that all lines have, where it is known.
    pub format: Option<&'static str>,
    /// The dimension that the old console goes back to.
    home: Dimension,
    /// The dimension whose first row is to be entered as soon as it is there: its key came before it.
    enters: Option<Dimension>,
}

impl Model {
    /// Before any key.
    pub fn new(dimension: Dimension, sort: Sort, rows: Option<usize>) -> Self {
        Self {
            view: View::Table,
            mode: Mode::Browse,
            home: dimension.clone(),
            dimension,
            sort,
            scope: Scope::Window,
            window: Duration::from_mins(5),
            selection: Selection::default(),
            top_line: 0,
            has_lines: true,
            filter: String::new(),
            history: History::default(),
            is_paused: false,
            message: None,
            rows: rows.unwrap_or(ROWS),
            has_thresholds: false,
            form: Form::Full,
            has_keys: true,
            format: None,
            enters: None,
        }
    }

    /// Whether it is the old console.
    pub fn is_classic(&self) -> bool {
        self.form == Form::Classic
    }

    /// Takes a key.
    pub fn on(&mut self, key: &Key, data: &Snapshot) -> Effects {
        self.message = None;
        self.enters = None;
        match key {
            Key::Interrupt => return Effects { quit: true, ..Effects::default() },
            Key::Redraw => return Effects { redraw: true, ..Effects::default() },
            Key::Suspend => return Effects { suspend: true, ..Effects::default() },
            _ => {}
        }
        match self.mode.clone() {
            Mode::Browse if self.is_classic() => self.on_classic(key, data),
            Mode::Browse => self.on_browse(key, data),
            Mode::Filter { entry, before, .. } => self.on_filter(key, entry, before),
            Mode::Dimensions(at) => self.on_dimensions(key, at, data),
            Mode::Field(entry) => self.on_field(key, entry),
            Mode::Export => self.on_export(key),
            Mode::Help(first) => self.on_help(key, first),
        }
    }

    /// Takes what was asked.
    pub fn see(&mut self, data: &Snapshot) {
        self.window = data.window;
        if self.shows(data) {
            self.selection.settle(data.rows());
            if self.enters.take().is_some() {
                self.enter(data);
            }
        }
    }

    /// Whether these are the keys that are to be shown, and not those before them.
    pub fn shows(&self, data: &Snapshot) -> bool {
        data.wanted.dimension == self.dimension && data.wanted.scope == self.scope
    }

    /// Whether there is nothing to be seen yet of what is to be shown.
    pub fn awaits(&self, data: &Snapshot) -> bool {
        let other_key = match &self.view {
            View::Key(name) => data.wanted.key != Some(name.id),
            _ => false,
        };
        !self.shows(data) || other_key
    }

    /// What is to be asked.
    pub fn wanted(&self) -> Wanted {
        let first = self.selection.first();
        let key = match &self.view {
            View::Key(name) => Some(name.id),
            _ => None,
        };
        let [alone, beside] = LINES;
        Wanted {
            dimension: self.dimension.clone(),
            sort: self.sort,
            rows: self.rows,
            scope: self.scope,
            key,
            trends: match self.view {
                View::Table if !self.is_classic() => first..first + self.selection.page(),
                _ => 0..0,
            },
            lines: match self.view {
                View::Lines => alone,
                View::Key(_) => beside,
                View::Table if self.has_lines && !self.is_classic() => beside,
                View::Table | View::Sources => 0,
            },
            sections: self.has_thresholds,
            is_classic: self.is_classic(),
        }
    }

    /// Counts what has been typed, if it is a filter and another one than before.
    pub fn use_typed(&mut self) -> Effects {
        let Mode::Filter { entry, problem, .. } = &mut self.mode else { return Effects::default() };
        let typed = entry.text();
        match Filter::new(&typed) {
            Ok(filter) => {
                *problem = None;
                let text = filter.text().to_owned();
                self.use_filter(&text)
            }
            Err(error) => {
                *problem = Some(error.to_string());
                Effects::default()
            }
        }
    }

    /// Counts what a filter means from now on; it has been read already.
    fn use_filter(&mut self, text: &str) -> Effects {
        if text == self.filter {
            return Effects::default();
        }
        text.clone_into(&mut self.filter);
        Effects { filter: Some(text.to_owned()), ..Effects::default() }
    }

    /// Goes to a dimension.
    fn show(&mut self, dimension: Dimension) {
        if dimension != self.dimension {
            self.dimension = dimension;
            self.selection.reset();
        }
        self.view = View::Table;
        self.top_line = 0;
    }

    /// The dimensions in a list: the usual ones, and whatever else is counted.
    pub fn dimensions(&self, data: &Snapshot) -> Vec<Dimension> {
        let others = [Dimension::Host, Dimension::Source, Dimension::Dataset];
        let mut list = Dimension::USUAL.to_vec();
        let counted = data.dimensions.iter().map(|counted| counted.dimension.clone());
        for dimension in others.into_iter().chain(counted).chain([self.dimension.clone()]) {
            if !list.contains(&dimension) {
                list.push(dimension);
            }
        }
        list
    }

    /// The row that is chosen, or looked at.
    fn chosen<'a>(&self, data: &'a Snapshot) -> Option<&'a Row> {
        match &self.view {
            View::Key(_) => data.detail.as_ref().map(|detail| &detail.row),
            View::Table if self.shows(data) => self.selection.row(data.rows()),
            _ => None,
        }
    }
}
