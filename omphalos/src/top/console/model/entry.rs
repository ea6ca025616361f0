//! A line that is being typed, and those that were typed before.

use crate::top::console::key::Key;

/// Longer lines cannot be typed, in characters.
const MOST: usize = 2_000;
/// Lines that are remembered.
const MOST_REMEMBERED: usize = 50;

/// A line that is being typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    text: Vec<char>,
    /// Before which character the next one goes.
    cursor: usize,
}

impl Entry {
    /// With a text to begin with, and the cursor behind it.
    pub fn new(text: &str) -> Self {
        let text: Vec<char> = text.chars().filter(|next| !next.is_control()).take(MOST).collect();
        Self { cursor: text.len(), text }
    }

    /// What was typed.
    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// What was typed before and behind the cursor.
    pub fn parts(&self) -> (String, String) {
        let (before, behind) = self.text.split_at(self.cursor.min(self.text.len()));
        (before.iter().collect(), behind.iter().collect())
    }

    /// Takes a key; true if the text is another one then.
    pub fn on(&mut self, key: &Key) -> bool {
        let before = self.text.len();
        match key {
            Key::Char(letter) => self.insert(*letter),
            // Its line feeds are blanks: what is pasted is a text and no command.
            Key::Paste(text) => text.chars().for_each(|letter| {
                self.insert(if letter.is_control() { ' ' } else { letter });
            }),
            Key::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            Key::Delete if self.cursor < self.text.len() => {
                self.text.remove(self.cursor);
            }
            Key::EraseAll => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            Key::EraseWord => self.erase_word(),
            Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Right => self.cursor = (self.cursor + 1).min(self.text.len()),
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = self.text.len(),
            _ => {}
        }
        self.text.len() != before
    }

    fn insert(&mut self, letter: char) {
        if self.text.len() < MOST && !letter.is_control() {
            self.text.insert(self.cursor, letter);
            self.cursor += 1;
        }
    }

    fn erase_word(&mut self) {
        let before = self.text.get(..self.cursor).unwrap_or_default();
        let word = before.iter().rposition(|letter| *letter != ' ').map_or(0, |end| {
            let word = before.get(..end).unwrap_or_default();
            word.iter().rposition(|letter| *letter == ' ').map_or(0, |blank| blank + 1)
        });
        self.text.drain(word..self.cursor);
        self.cursor = word;
    }
}

/// Lines that were typed, to be had again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The last one last.
    lines: Vec<String>,
    /// Which of them is shown, and what was being typed before.
    shown: Option<(usize, String)>,
}

impl History {
    /// Remembers a line.
    pub fn remember(&mut self, line: &str) {
        self.shown = None;
        if line.trim().is_empty() {
            return;
        }
        self.lines.retain(|known| known != line);
        self.lines.push(line.to_owned());
        if self.lines.len() > MOST_REMEMBERED {
            self.lines.remove(0);
        }
    }

    /// The line before the one that is shown; `typed` comes back after the last.
    pub fn older(&mut self, typed: &str) -> Option<&str> {
        let (at, draft) = match self.shown.take() {
            Some((at, draft)) => (at.saturating_sub(1), draft),
            None => (self.lines.len().checked_sub(1)?, typed.to_owned()),
        };
        self.shown = Some((at, draft));
        self.lines.get(at).map(String::as_str)
    }

    /// The line after the one that is shown, or what was being typed.
    pub fn newer(&mut self) -> Option<String> {
        let (at, draft) = self.shown.take()?;
        let Some(line) = self.lines.get(at + 1) else { return Some(draft) };
        self.shown = Some((at + 1, draft));
        Some(line.clone())
    }

    /// Begins at the end again.
    pub fn rewind(&mut self) {
        self.shown = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_typed_and_mended() {
        let mut entry = Entry::new("status:404");
        for (key, text, cursor) in [
            (Key::Backspace, "status:40", 9),
            (Key::Char('3'), "status:403", 10),
            (Key::Home, "status:403", 0),
            (Key::Delete, "tatus:403", 0),
            (Key::Char('s'), "status:403", 1),
            (Key::Left, "status:403", 0),
            (Key::Left, "status:403", 0),
            (Key::Backspace, "status:403", 0),
            (Key::End, "status:403", 10),
            (Key::Paste(" a\nb\u{1b} ".to_owned()), "status:403 a b  ", 16),
            (Key::EraseWord, "status:403 a ", 13),
            (Key::EraseWord, "status:403 ", 11),
            (Key::EraseWord, "", 0),
            (Key::EraseWord, "", 0),
            (Key::Delete, "", 0),
            (Key::Right, "", 0),
        ] {
            entry.on(&key);
            assert_eq!((entry.text().as_str(), entry.cursor), (text, cursor), "{key:?}");
        }
        entry.on(&Key::Paste("x".repeat(3 * MOST)));
        assert_eq!(entry.text().len(), MOST);
        entry.on(&Key::EraseAll);
        assert_eq!(entry.parts(), (String::new(), String::new()));
    }

    #[test]
    fn what_was_typed_comes_back_and_so_does_what_is_being_typed() {
        let mut history = History::default();
        assert_eq!(history.older("draft"), None);
        for line in ["one", "two", " ", "one", "three"] {
            history.remember(line);
        }
        assert_eq!(history.lines, ["two", "one", "three"]);
        assert_eq!(history.older("draft"), Some("three"));
        assert_eq!(history.older("three"), Some("one"));
        assert_eq!(history.older("one"), Some("two"));
        assert_eq!(history.older("two"), Some("two"));
        assert_eq!(history.newer().as_deref(), Some("one"));
        assert_eq!(history.newer().as_deref(), Some("three"));
        assert_eq!(history.newer().as_deref(), Some("draft"));
        assert_eq!(history.newer(), None);
        (0..200).for_each(|number| history.remember(&number.to_string()));
        assert_eq!(history.lines.len(), MOST_REMEMBERED);
    }
}
