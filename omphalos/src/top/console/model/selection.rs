//! Which row is chosen. It is known by its key, so that the choice stays with it when the order changes.

use omphalos_live::{KeyId, Row};

/// The row that is chosen, and which rows are on the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `None` where nobody chose: then it is the first one, whichever that is.
    key: Option<KeyId>,
    at: usize,
    first: usize,
    page: usize,
}

impl Selection {
    /// The place of the row that is chosen.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The place of the first row on the screen.
    pub fn first(&self) -> usize {
        self.first
    }

    /// How many rows are on the screen.
    pub fn page(&self) -> usize {
        self.page
    }

    /// The row that is chosen.
    pub fn row<'a>(&self, rows: &'a [Row]) -> Option<&'a Row> {
        rows.get(self.at)
    }

    /// Finds the row again among others; one that is gone leaves its place to another.
    pub fn settle(&mut self, rows: &[Row]) {
        let id = |row: &Row| row.key.as_ref().map(|key| key.id);
        let last = rows.len().saturating_sub(1);
        if let Some(key) = self.key {
            let found = rows.iter().position(|row| id(row) == Some(key));
            self.at = found.unwrap_or(self.at).min(last);
            if found.is_none() && !rows.is_empty() {
                self.key = rows.get(self.at).and_then(id);
            }
        } else {
            self.at = 0;
        }
        self.scroll(rows.len());
    }

    /// Goes so many rows down, or up.
    pub fn go(&mut self, by: isize, rows: &[Row]) {
        let to = self.at.saturating_add_signed(by);
        self.choose(to, rows);
    }

    /// Goes to the row at a place.
    pub fn choose(&mut self, at: usize, rows: &[Row]) {
        self.at = at.min(rows.len().saturating_sub(1));
        let key = rows.get(self.at).and_then(|row| row.key.as_ref()).map(|key| key.id);
        self.key = key.filter(|_| self.at > 0);
        self.scroll(rows.len());
    }

    /// Goes to the first one and stays there.
    pub fn reset(&mut self) {
        (self.key, self.at, self.first) = (None, 0, 0);
    }

    /// So many rows are on the screen.
    pub fn set_page(&mut self, page: usize, rows: usize) {
        self.page = page;
        self.scroll(rows);
    }

    /// Moves what is on the screen no more than it must.
    fn scroll(&mut self, rows: usize) {
        let page = self.page.max(1);
        let lowest = self.at.saturating_sub(page - 1);
        self.first = self.first.max(lowest).min(self.at).min(rows.saturating_sub(page));
    }
}
