//! One line, as collectors look at it, and how it is made of what parsers and documents say.

mod from_document;
mod from_event;
mod line_reader;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

pub use from_document::{Document, DocumentProblem, DocumentReader};
pub use from_event::{Place, with_event};
pub use line_reader::LineReader;

/// The fields of a line that have no place of their own in a [`Hit`].
pub trait Others {
    /// The value of the field with this name in ECS (`url.query`), or with any other name with dots; the
    /// first of several.
    fn field(&self, name: &str) -> Option<Cow<'_, [u8]>>;

    /// Whether `test` holds for any of the values of this field.
    fn is_any_of(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.field(name).is_some_and(|value| test(&value))
    }

    /// Whether `test` holds for any field that is a text.
    fn any(&self, test: &mut dyn FnMut(&[u8]) -> bool) -> bool;
}

/// No other fields.
#[derive(Debug, Clone, Copy)]
pub struct NoOthers;

impl Others for NoOthers {
    fn field(&self, _: &str) -> Option<Cow<'_, [u8]>> {
        None
    }

    fn any(&self, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }
}

/// A line, borrowed.
#[derive(Clone, Copy)]
pub struct Hit<'a> {
    /// When it happened, in nanoseconds since 1970.
    pub time: i64,
    /// Path of the URL, without the query.
    pub path: Option<&'a [u8]>,
    /// Request method.
    pub method: Option<&'a [u8]>,
    /// Response status.
    pub status: Option<u16>,
    /// Bytes of the response.
    pub bytes: Option<u64>,
    /// How long it took, in nanoseconds.
    pub latency: Option<u64>,
    /// Address or name of the client.
    pub client: Option<&'a [u8]>,
    /// Authenticated user.
    pub user: Option<&'a [u8]>,
    /// The page that led here.
    pub referrer: Option<&'a [u8]>,
    /// The client's software.
    pub agent: Option<&'a [u8]>,
    /// Virtual host.
    pub virtual_host: Option<&'a [u8]>,
    /// `host.name`.
    pub host: Option<&'a [u8]>,
    /// File or stream that it stood in.
    pub source: Option<&'a [u8]>,
    /// `event.dataset`.
    pub dataset: Option<&'a [u8]>,
    /// The line itself, for people to look at.
    pub line: &'a [u8],
    /// All other fields.
    pub others: &'a dyn Others,
}

impl Default for Hit<'_> {
    fn default() -> Self {
        Self {
            time: 0,
            path: None,
            method: None,
            status: None,
            bytes: None,
            latency: None,
            client: None,
            user: None,
            referrer: None,
            agent: None,
            virtual_host: None,
            host: None,
            source: None,
            dataset: None,
            line: b"",
            others: &NoOthers,
        }
    }
}

impl fmt::Debug for Hit<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Hit")
            .field("time", &self.time)
            .field("line", &String::from_utf8_lossy(self.line))
            .finish_non_exhaustive()
    }
}

/// The first segment of a path, with its slash: what old consoles call a section.
pub fn section(path: &[u8]) -> &[u8] {
    let inside = path.strip_prefix(b"/").unwrap_or(path);
    let before = path.len() - inside.len();
    // Segments are short: what looks at many bytes at once takes longer to begin.
    let end = inside.iter().position(|byte| *byte == b'/').unwrap_or(inside.len());
    path.get(..before + end).unwrap_or(path)
}
