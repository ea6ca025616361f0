//! The second reader of documents, for what the first one does not read: it knows numbers beyond the
//! range of doubles, and objects and arrays in each other as deep as Elasticsearch allows, of which it
//! keeps account itself, so that nobody can overflow the stack. It is slower, and read with where the
//! first one has failed.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, IgnoredAny};

use super::place::At;
use super::usual::{Name, Names};
use super::{Sink, preview, refused};
use crate::error::ApiError;
use crate::index::literals::{beyond, end_of_string};
use crate::index::values::Given;

/// So many objects and arrays in each other, the document itself included, are the most that
/// Elasticsearch reads.
const MOST_LEVELS: usize = 1000;
/// So many digits may a number have there.
const MOST_DIGITS: usize = 1000;

/// Why a text is no document.
pub enum Unread {
    /// It is not JSON.
    NotJson,
    /// It is, and is refused.
    Refused(ApiError),
}

impl From<ApiError> for Unread {
    fn from(problem: ApiError) -> Self {
        Self::Refused(problem)
    }
}

/// Whether a number may be in the text that is longer than Elasticsearch reads. The first reader would
/// not notice.
pub fn may_have_long_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    // One that is so long is met by one of these steps.
    (0..bytes.len()).step_by(MOST_DIGITS).any(|at| {
        let (before, behind) = bytes.split_at(at);
        let behind = behind.iter().take(MOST_DIGITS).take_while(|byte| is_of_number(**byte));
        let behind = behind.count();
        let before = before.iter().rev().take(MOST_DIGITS).take_while(|byte| is_of_number(**byte));
        behind > 0 && before.count() + behind > MOST_DIGITS
    })
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// An object or array that is open.
enum Open<'t, 'a> {
    Object { place: At<'a>, names: Names<'t>, path: usize },
    Array(At<'a>),
}

/// What comes next.
enum Next<'a> {
    /// A value, which stands there.
    Value(At<'a>),
    /// Nothing in the object or array, which is closed.
    Closed,
}

/// Reads the document `text`.
pub fn read<'a>(sink: &mut Sink<'a>, text: &str, place: At<'a>) -> Result<(), Unread> {
    let mut reader = Reader { text, at: 0, open: Vec::new(), is_first: false };
    let mut next = Next::Value(place);
    loop {
        if let Next::Value(place) = next {
            reader.value(sink, place)?;
        }
        if reader.open.is_empty() {
            return if reader.peek().is_none() { Ok(()) } else { Err(Unread::NotJson) };
        }
        next = reader.next(sink)?;
    }
}

struct Reader<'t, 'a> {
    text: &'t str,
    at: usize,
    open: Vec<Open<'t, 'a>>,
    /// Whether what was opened last has nothing in it yet.
    is_first: bool,
}

impl<'t, 'a> Reader<'t, 'a> {
    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let is_blank = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += rest.iter().take_while(is_blank).count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes this byte, if it is the next one.
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_next = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    /// Reads a value, or the beginning of an object or array.
    fn value(&mut self, sink: &mut Sink<'a>, place: At<'a>) -> Result<(), Unread> {
        match self.peek().ok_or(Unread::NotJson)? {
            b'{' => {
                self.begin(&sink.path)?;
                sink.enter(place)?;
                let path = sink.path.len();
                self.open.push(Open::Object { place, names: Names::default(), path });
            }
            b'[' => {
                self.begin(&sink.path)?;
                self.open.push(Open::Array(place));
            }
            b'"' => {
                let text = self.string()?;
                let range = match &text {
                    Cow::Borrowed(text) => sink.place_of(text),
                    Cow::Owned(_) => None,
                };
                sink.take(place, &Given::Text(text, range))?;
            }
            b'-' | b'0'..=b'9' => {
                let given = self.number(Sink::keeps_text(place))?;
                sink.take(place, &given)?;
            }
            _ if self.takes_word("true") => sink.take(place, &Given::Boolean(true))?,
            _ if self.takes_word("false") => sink.take(place, &Given::Boolean(false))?,
            _ if self.takes_word("null") => sink.take_null(place)?,
            _ => return Err(Unread::NotJson),
        }
        Ok(())
    }

    /// Takes the brace or bracket, if it is not one too many.
    fn begin(&mut self, path: &str) -> Result<(), Unread> {
        self.at += 1;
        self.is_first = true;
        if self.open.len() < MOST_LEVELS {
            return Ok(());
        }
        Err(Unread::Refused(refused(format!(
            "failed to parse: Document nesting depth ({}) exceeds the maximum allowed ({MOST_LEVELS}) at [{}]",
            MOST_LEVELS + 1,
            preview(path)
        ))))
    }

    /// Goes on in what was opened last.
    fn next(&mut self, sink: &mut Sink<'a>) -> Result<Next<'a>, Unread> {
        let is_first = std::mem::take(&mut self.is_first);
        let is_object = matches!(self.open.last(), Some(Open::Object { .. }));
        if self.takes(if is_object { b'}' } else { b']' }) {
            if let Some(Open::Object { path, .. }) = self.open.pop() {
                sink.path.truncate(path);
                sink.depth -= 1;
            }
            return Ok(Next::Closed);
        }
        if !is_first && !self.takes(b',') {
            return Err(Unread::NotJson);
        }
        if let Some(Open::Array(place)) = self.open.last() {
            return Ok(Next::Value(*place));
        }
        if self.peek() != Some(b'"') {
            return Err(Unread::NotJson);
        }
        let name = self.string()?;
        if !self.takes(b':') {
            return Err(Unread::NotJson);
        }
        let Some(Open::Object { place, names, path }) = self.open.last_mut() else {
            return Err(Unread::NotJson);
        };
        sink.path.truncate(*path);
        Ok(Next::Value(sink.name(*place, names, name)?))
    }

    /// Takes the string that begins here.
    fn string(&mut self) -> Result<Cow<'t, str>, Unread> {
        let text: &'t str = self.text;
        let end = end_of_string(text.as_bytes(), self.at + 1);
        let literal = text.get(self.at..end).ok_or(Unread::NotJson)?;
        self.at = end;
        Name.deserialize(&mut serde_json::Deserializer::from_str(literal))
            .map_err(|_| Unread::NotJson)
    }

    /// Takes the number that begins here; as it is written, where it is for texts.
    fn number(&mut self, is_text: bool) -> Result<Given<'t>, Unread> {
        let text: &'t str = self.text;
        let rest = text.get(self.at..).ok_or(Unread::NotJson)?;
        let length = rest.bytes().take_while(|byte| is_of_number(*byte)).count();
        let literal = rest.get(..length).ok_or(Unread::NotJson)?;
        self.at += length;
        serde_json::from_str::<IgnoredAny>(literal).map_err(|_| Unread::NotJson)?;
        let digits = literal.bytes().filter(u8::is_ascii_digit).count();
        if digits > MOST_DIGITS {
            return Err(Unread::Refused(refused(format!(
                "failed to parse: Number value length ({digits}) exceeds the maximum allowed ({MOST_DIGITS})"
            ))));
        }
        if let Ok(number) = literal.parse::<i64>()
            && literal != "-0"
        {
            return Ok(Given::Long(number));
        }
        if let Some(whole) = beyond(literal) {
            return Ok(Given::Beyond(whole.into()));
        }
        let number: f64 = literal.parse().map_err(|_| Unread::NotJson)?;
        Ok(if number.is_finite() && !is_text {
            Given::Double(number)
        } else {
            Given::Huge(literal.into())
        })
    }
}
