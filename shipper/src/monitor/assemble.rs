//! From lines to events: what a container runtime wrapped is unwrapped, pieces of a line are
//! joined, and so are the lines of one event.
//!
//! What is begun is kept in memory. The checkpoint stays before it until its end has come, so that
//! a restart reads it again.

use std::time::Instant;

use super::charset::without_return;
use super::container::{self, Container, Stream};
use super::multiline::{Grouping, Rule};
use super::place::Place;
use super::progress::Position;
use crate::parser::{Calendar, Time};

/// What becomes one document.
#[derive(Debug)]
pub struct Whole<'a> {
    /// Its lines, joined by line feeds.
    pub text: &'a [u8],
    /// Where the first begins.
    pub offset: u64,
    /// What the runtime says of it.
    pub time: Option<Time>,
    /// Which stream it was written to.
    pub stream: Option<Stream>,
    /// Why it could not be unwrapped.
    pub problem: Option<&'static str>,
    /// Whether it was longer than allowed.
    pub cut: bool,
    /// How many lines of the file it is.
    pub lines: u64,
}

/// Something that is begun.
#[derive(Debug)]
struct Begun {
    text: Vec<u8>,
    start: Position,
    time: Option<Time>,
    stream: Option<Stream>,
    cut: bool,
    lines: u64,
}

/// Where a line stands.
pub struct At<'a> {
    /// The place.
    pub place: &'a Place,
    /// The time of the last line before it that had one.
    pub last_time: Option<Time>,
}

impl At<'_> {
    fn position(&self) -> Position {
        let Place { offset, .. } = *self.place;
        Position { offset, guard: self.place.guard(), last_time: self.last_time }
    }
}

/// Joins the lines of one file.
#[derive(Debug)]
pub struct Assembler {
    container: Container,
    grouping: Option<Grouping>,
    most_bytes: usize,
    calendar: Calendar,
    scratch: Vec<u8>,
    /// Lines whose end the runtime has not written yet, at most one a stream.
    partial: Vec<Begun>,
    /// The event whose end has not been seen yet.
    event: Option<Begun>,
    /// When the last line came.
    since: Option<Instant>,
}

impl Assembler {
    /// For files of this kind; `None` where every line is an event.
    pub fn new(container: Container, rule: Option<Rule>, most_bytes: usize) -> Option<Self> {
        if container == Container::None && rule.is_none() {
            return None;
        }
        Some(Self {
            container,
            grouping: rule.map(Grouping::new),
            most_bytes,
            calendar: Calendar::default(),
            scratch: Vec::new(),
            partial: Vec::new(),
            event: None,
            since: None,
        })
    }

    /// Where the first thing begins that has not ended.
    pub fn first_begun(&self) -> Option<Position> {
        let begun = self.partial.iter().chain(&self.event);
        begun.map(|begun| begun.start).min_by_key(|start| start.offset)
    }

    /// Since when nothing was added to what is begun.
    pub fn waiting_since(&self) -> Option<Instant> {
        self.since.filter(|_| self.event.is_some() || !self.partial.is_empty())
    }

    /// Takes in the next line; what has ended with it goes to `emit`.
    pub fn push(&mut self, line: &[u8], at: &At<'_>, emit: &mut dyn FnMut(Whole<'_>)) {
        self.since = Some(Instant::now());
        let mut scratch = std::mem::take(&mut self.scratch);
        match container::unwrap(self.container, &mut self.calendar, line, &mut scratch) {
            Ok(piece) => {
                let begun = self.partial.iter().position(|begun| begun.stream == piece.stream);
                let mut whole = match begun {
                    Some(place) => self.partial.swap_remove(place),
                    None => Begun::new(at, piece.time, piece.stream),
                };
                whole.add(piece.text, self.most_bytes);
                if piece.is_partial {
                    self.partial.push(whole);
                } else {
                    self.push_line(whole, emit);
                }
            }
            Err(problem) => {
                self.end_event(emit);
                let mut whole = Begun::new(at, None, None);
                whole.add(line, self.most_bytes);
                emit(Whole { problem: Some(problem), ..whole.whole() });
            }
        }
        self.scratch = scratch;
    }

    /// A whole line of the program.
    fn push_line(&mut self, mut line: Begun, emit: &mut dyn FnMut(Whole<'_>)) {
        line.text.truncate(without_return(&line.text).len());
        let Some(grouping) = &mut self.grouping else { return emit(line.whole()) };
        if let Some(event) = &mut self.event {
            let fits = event.text.len() + 1 + line.text.len() <= self.most_bytes;
            if event.stream == line.stream && fits && grouping.continues(&line.text) {
                return event.join(&line);
            }
        }
        self.end_event(emit);
        if let Some(grouping) = &mut self.grouping {
            grouping.continues(&line.text);
        }
        self.event = Some(line);
    }

    fn end_event(&mut self, emit: &mut dyn FnMut(Whole<'_>)) {
        if let Some(grouping) = &mut self.grouping {
            grouping.end();
        }
        if let Some(event) = self.event.take() {
            emit(event.whole());
        }
    }

    /// Ends everything that is begun.
    pub fn end_all(&mut self, emit: &mut dyn FnMut(Whole<'_>)) {
        self.end_event(emit);
        for line in std::mem::take(&mut self.partial) {
            emit(line.whole());
        }
    }

    /// What a runtime wrapped in `line`, or `line` itself: for a line that has no end.
    pub fn unwrapped(&mut self, line: &[u8]) -> (Vec<u8>, Option<Time>) {
        let mut scratch = Vec::new();
        match container::unwrap(self.container, &mut self.calendar, line, &mut scratch) {
            Ok(piece) => (piece.text.to_vec(), piece.time),
            Err(_) => (line.to_vec(), None),
        }
    }
}

impl Begun {
    fn new(at: &At<'_>, time: Option<Time>, stream: Option<Stream>) -> Self {
        Self { text: Vec::new(), start: at.position(), time, stream, cut: false, lines: 0 }
    }

    /// Adds a piece of the line.
    fn add(&mut self, text: &[u8], most_bytes: usize) {
        let room = most_bytes.saturating_sub(self.text.len());
        self.cut |= text.len() > room;
        self.text.extend_from_slice(text.get(..room).unwrap_or(text));
        self.lines += 1;
    }

    /// Adds a line of the event.
    fn join(&mut self, line: &Self) {
        self.text.push(b'\n');
        self.text.extend_from_slice(&line.text);
        self.cut |= line.cut;
        self.lines += line.lines;
    }

    fn whole(&self) -> Whole<'_> {
        Whole {
            text: &self.text,
            offset: self.start.offset,
            time: self.time,
            stream: self.stream,
            problem: None,
            cut: self.cut,
            lines: self.lines,
        }
    }
}
