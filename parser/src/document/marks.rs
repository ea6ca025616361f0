//! Where in a document that was just written the texts are that steps look up, so that these need not
//! read it again.

use std::ops::Range;

/// Those of a request, where the parser alone wrote their objects.
#[derive(Debug, Clone, Copy, Default)]
pub struct Marks {
    /// `source.ip`, in `source`.
    pub source: Option<Mark>,
    /// `user_agent.original`, in `user_agent`.
    pub agent: Option<Mark>,
}

/// A document that was just written.
#[derive(Debug)]
pub struct Fresh<'o> {
    /// Where it stands last,
    pub out: &'o mut Vec<u8>,
    /// from here on.
    pub start: usize,
    /// Where in it things are.
    pub marks: Marks,
}

/// A text in an object.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    begin: usize,
    length: usize,
    /// Where the brace is that ends the object.
    pub end: usize,
}

impl Mark {
    /// The text that was just written behind `name`, which has its opening quote, at `at`: it is the last
    /// of the document, and a comma stands behind it. Where its object ends is not known yet.
    pub fn of_last(out: &[u8], at: usize, name: &[u8]) -> Self {
        let begin = at + name.len() - 1;
        let length = out.len().saturating_sub(begin + 1);
        Self { begin, length, end: begin + length }
    }

    /// The same in the object that has just ended.
    pub fn in_last_of(self, out: &[u8]) -> Self {
        Self { end: out.len().saturating_sub(1), ..self }
    }

    /// The text, with its quotes.
    pub fn text(&self) -> Range<usize> {
        self.begin..self.begin + self.length
    }

    /// Notes that `bytes` were put in before it.
    pub fn move_by(&mut self, bytes: usize) {
        self.begin += bytes;
        self.end += bytes;
    }
}
