//! Typing a filter, and making one of a row.

use std::fmt::Write as _;

use omphalos_live::{Dimension, Filter};

use super::{Effects, Entry, Message, Mode, Model, View};
use crate::top::console::data::Snapshot;
use crate::top::console::key::Key;

impl Model {
    pub(super) fn begin_filter(&mut self) -> Effects {
        self.history.rewind();
        self.mode = Mode::Filter {
            entry: Entry::new(&self.filter),
            problem: None,
            before: self.filter.clone(),
        };
        Effects::default()
    }

    pub(super) fn on_filter(&mut self, key: &Key, mut entry: Entry, before: String) -> Effects {
        match key {
            Key::Escape => {
                self.mode = Mode::Browse;
                return self.use_filter(&before);
            }
            Key::Enter => {
                self.mode = Mode::Filter { entry, problem: None, before };
                let effects = self.use_typed();
                if matches!(&self.mode, Mode::Filter { problem: None, .. }) {
                    self.history.remember(&self.filter);
                    self.mode = Mode::Browse;
                }
                return effects;
            }
            Key::Up => {
                if let Some(line) = self.history.older(&entry.text()) {
                    entry = Entry::new(line);
                }
            }
            Key::Down => {
                if let Some(line) = self.history.newer() {
                    entry = Entry::new(&line);
                }
            }
            other => {
                if entry.on(other) {
                    self.history.rewind();
                }
            }
        }
        let problem = Filter::new(&entry.text()).err().map(|problem| problem.to_string());
        let filter_soon = problem.is_none() && entry.text().trim() != self.filter;
        self.mode = Mode::Filter { entry, problem, before };
        Effects { filter_soon, ..Effects::default() }
    }

    /// Only the lines of the row that is chosen, of those that are counted now.
    pub(super) fn drill(&mut self, data: &Snapshot) -> Effects {
        let row = match &self.view {
            View::Key(name) => Some(name.clone()),
            _ => self.chosen(data).and_then(|row| row.key.clone()),
        };
        let Some(name) = row else {
            self.message = Some(Message::Failed("there is no row to filter by".to_owned()));
            return Effects::default();
        };
        match filter_of(&self.dimension, &name.text, name.is_cut, &self.filter) {
            Ok(filter) => {
                self.history.remember(&filter);
                self.view = View::Table;
                self.selection.reset();
                self.use_filter(&filter)
            }
            Err(problem) => {
                self.message = Some(Message::Failed(problem));
                Effects::default()
            }
        }
    }
}

/// The filter that means the lines of a key, and of `others` alone if there is such a filter already.
///
/// # Errors
/// When there is no such filter.
fn filter_of(
    dimension: &Dimension,
    text: &str,
    is_cut: bool,
    others: &str,
) -> Result<String, String> {
    if text.is_empty() {
        return Err("an empty text cannot be filtered by".to_owned());
    }
    let this = match dimension {
        // It is no field: these are the paths that begin with it.
        Dimension::Section => format!("path:({} OR {}/*)", quoted(text), escaped(text)),
        other => {
            let name = field_name(other);
            if is_cut {
                format!("{name}:{}*", escaped(text))
            } else {
                format!("{name}:{}", quoted(text))
            }
        }
    };
    let filter = match others.trim() {
        "" | "*" => this,
        others if others.contains(&this) => others.to_owned(),
        others if others.contains(" OR ") || others.contains("||") => format!("({others}) {this}"),
        others => format!("{others} {this}"),
    };
    Filter::new(&filter).map(|_| filter).map_err(|problem| problem.to_string())
}

fn field_name(dimension: &Dimension) -> &str {
    match dimension {
        Dimension::VirtualHost => "url.domain",
        Dimension::Source => "file",
        other => other.name(),
    }
}

fn quoted(text: &str) -> String {
    // Others could be read as an operator, or as a part of a pattern.
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    let begins_plainly = text.starts_with(|first: char| first.is_ascii_digit() || first == '/');
    if begins_plainly && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// As a part of a pattern, with everything in it standing for itself.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        let sign = if letter.is_alphanumeric() || "/._".contains(letter) { "" } else { "\\" };
        if write!(pattern, "{sign}{letter}").is_err() {
            break;
        }
    }
    pattern
}
