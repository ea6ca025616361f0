//! The view as a file: as text and as a picture, as it is on the screen, or its numbers as CSV and JSON.

mod csv;
mod json;
mod svg;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use omphalos_live::Row;
use ratatui::buffer::Buffer;

pub use csv::csv;
pub use json::json;
pub use svg::svg;

use crate::top::number::{is_exact, mark};
use crate::top::text::clean;

/// What stands before a number that may be too large, or is an estimate.
const ABOUT: &str = "≈";

/// Files of the same second that are told apart.
const MOST_OF_A_SECOND: usize = 100;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, as it is on the screen.
    Text,
    /// A table of numbers.
    Csv,
    /// All that was answered.
    Json,
    /// A picture of the screen.
    Svg,
}

impl Kind {
    /// All of them, with the keys that choose them.
    pub const ALL: [(char, Self, &'static str); 4] = [
        ('t', Self::Text, "text, as it is on the screen"),
        ('c', Self::Csv, "CSV, the rows of the table"),
        ('j', Self::Json, "JSON, all that is known"),
        ('s', Self::Svg, "SVG, a picture of the screen"),
    ];

    /// The kind that a key chooses.
    pub fn of_key(key: char) -> Option<Self> {
        Self::ALL.iter().find(|(known, _, _)| *known == key).map(|(_, kind, _)| *kind)
    }

    /// How the names of its files end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Svg => "svg",
        }
    }
}

/// Writes a file into a directory, never over another one, and says what it is called.
///
/// # Errors
/// When it cannot be written.
pub fn write(directory: &Path, stamp: &str, kind: Kind, content: &str) -> io::Result<PathBuf> {
    for number in 1..=MOST_OF_A_SECOND {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let name = format!("omphalos-top-{stamp}{suffix}.{}", kind.extension());
        let path = directory.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(content.as_bytes())?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "there are 100 of this second already"))
}

/// What is on the screen, without the blanks at the ends of lines.
pub fn text(screen: &Buffer) -> String {
    let mut text = String::new();
    for y in screen.area.top()..screen.area.bottom() {
        let mut line = String::new();
        let mut x = screen.area.left();
        while let Some(cell) = screen.cell((x, y)) {
            line.push_str(cell.symbol());
            x = x.saturating_add(cells_of(cell.symbol()));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A row as one line, its parts apart by tabulators; what may be too large says so, as on the screen.
pub fn row_text(row: &Row) -> String {
    let name = row.key.as_ref().map(|key| clean(&key.text)).unwrap_or_default();
    let latency = row.latency.map(|latency| format!("\tp95 {} ns", latency.p95));
    let sums = [row.hits, row.bytes, row.errors];
    let [hits, bytes, errors] = sums.map(|sum| format!("{}{}", mark(sum, ABOUT), sum.value));
    let about = if is_exact(row.clients) { "" } else { ABOUT };
    let clients = format!("{about}{}", row.clients.count);
    format!(
        "{name}\t{hits} hits\t{bytes} bytes\t{errors} errors\t{clients} clients{}",
        latency.unwrap_or_default()
    )
}

/// How many cells a sign takes, at least one.
fn cells_of(symbol: &str) -> u16 {
    u16::try_from(unicode_width::UnicodeWidthStr::width(symbol)).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_never_written_over_another() {
        let directory = tempfile::tempdir().unwrap();
        let write = |content: &str| write(directory.path(), "20261129-160000", Kind::Csv, content);
        let (first, second) = (write("one").unwrap(), write("two").unwrap());
        assert!(first.ends_with("omphalos-top-20261129-160000.csv"));
        assert!(second.ends_with("omphalos-top-20261129-160000-2.csv"));
        assert_eq!(std::fs::read_to_string(first).unwrap(), "one");
        for number in 3..=MOST_OF_A_SECOND {
            write(&number.to_string()).unwrap();
        }
        assert_eq!(write("more").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(super::write(Path::new("/nowhere"), "1", Kind::Svg, "").is_err());
    }
}
