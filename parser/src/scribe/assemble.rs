//! From lines to events: what a container runtime wrapped is unwrapped, pieces of a line are
//! joined, and so are the lines of one event.
//!
//! What is begun is kept in memory. The checkpoint stays before it until its end has come, so that
//! a restart reads it again.

use std::time::Instant;

use super::charset::without_return;
use super::container::{self, Container, Stream};
use super::multiline::{Grouping, Rule};
use crate::{Calendar, Time};

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
    /// Whether other pieces of it are in other documents.
    pub split: bool,
    /// How many lines of the file it is.
    pub lines: u64,
}

/// Something that is begun.
#[derive(Debug)]
struct Begun<M> {
    text: Vec<u8>,
    start: u64,
    mark: M,
    time: Option<Time>,
    stream: Option<Stream>,
    cut: bool,
    split: bool,
    lines: u64,
    /// When something was added last.
    since: Instant,
}

/// Where a line stands.
pub struct Stand<'a, M> {
    /// Where it begins.
    pub offset: u64,
    /// Makes what the caller wants to know of the place, should something begin there.
    pub mark: &'a dyn Fn() -> M,
}

/// Joins the lines of one file, and keeps of each place where something begins what its user marks
/// it with.
#[derive(Debug)]
pub struct Assembler<M> {
    container: Container,
    rule: Option<Rule>,
    most_bytes: usize,
    calendar: Calendar,
    scratch: Vec<u8>,
    /// Lines whose end the runtime has not written yet, at most one a stream.
    partial: Vec<Begun<M>>,
    /// Streams of whose last line pieces were given away before its end came, or are in a file before
    /// this one: what comes next of it is the rest of that line.
    severed: Vec<Option<Stream>>,
    /// Events whose end has not been seen yet, at most one a stream.
    events: Vec<(Begun<M>, Grouping)>,
}

impl<M: Copy> Assembler<M> {
    /// For files of this kind; `None` where every line is an event.
    pub fn new(container: Container, rule: Option<Rule>, most_bytes: usize) -> Option<Self> {
        if container == Container::None && rule.is_none() {
            return None;
        }
        Some(Self {
            container,
            rule,
            most_bytes,
            calendar: Calendar::default(),
            scratch: Vec::new(),
            partial: Vec::new(),
            severed: Vec::new(),
            events: Vec::new(),
        })
    }

    fn begun(&self) -> impl Iterator<Item = &Begun<M>> {
        self.partial.iter().chain(self.events.iter().map(|(event, _)| event))
    }

    /// Where the first thing begins that has not ended.
    pub fn first_begun(&self) -> Option<(u64, M)> {
        self.begun().map(|begun| (begun.start, begun.mark)).min_by_key(|(start, _)| *start)
    }

    /// How many lines of the file are in something that has not ended.
    pub fn held(&self) -> u64 {
        self.begun().map(|begun| begun.lines).sum()
    }

    /// Since when nothing was added to something that is begun.
    pub fn waiting_since(&self) -> Option<Instant> {
        self.begun().map(|begun| begun.since).min()
    }

    /// Takes in the next line; what has ended with it goes to `emit`.
    pub fn push(&mut self, line: &[u8], stand: &Stand<'_, M>, emit: &mut dyn FnMut(Whole<'_>)) {
        let mut scratch = std::mem::take(&mut self.scratch);
        match container::unwrap(self.container, &mut self.calendar, line, &mut scratch) {
            Ok(piece) => {
                let begun = self.partial.iter().position(|begun| begun.stream == piece.stream);
                let mut whole = if let Some(place) = begun {
                    self.partial.swap_remove(place)
                } else {
                    self.begin(Begun::new(stand, piece.time, piece.stream))
                };
                whole.add(piece.text, self.most_bytes);
                if piece.is_partial {
                    self.partial.push(whole);
                } else {
                    self.push_line(whole, emit);
                }
            }
            Err(problem) => {
                self.end_events(emit);
                let mut whole = Begun::new(stand, None, None);
                whole.add(line, self.most_bytes);
                emit(Whole { problem: Some(problem), ..whole.whole() });
            }
        }
        self.scratch = scratch;
    }

    /// A whole line of the program.
    fn push_line(&mut self, mut line: Begun<M>, emit: &mut dyn FnMut(Whole<'_>)) {
        line.text.truncate(without_return(&line.text).len());
        let Some(rule) = &self.rule else { return emit(line.whole()) };
        let of_stream = self.events.iter().position(|(event, _)| event.stream == line.stream);
        if let Some((event, grouping)) = of_stream.and_then(|place| self.events.get_mut(place)) {
            let fits = event.text.len() + 1 + line.text.len() <= self.most_bytes;
            if fits && grouping.continues(&line.text) {
                return event.join(&line);
            }
            emit(event.whole());
            grouping.end();
            grouping.continues(&line.text);
            *event = line;
            return;
        }
        let mut grouping = Grouping::new(rule.clone());
        grouping.continues(&line.text);
        self.events.push((line, grouping));
    }

    fn end_events(&mut self, emit: &mut dyn FnMut(Whole<'_>)) {
        for (event, _) in self.events.drain(..) {
            emit(event.whole());
        }
    }

    /// Ends everything that is begun.
    pub fn end_all(&mut self, emit: &mut dyn FnMut(Whole<'_>)) {
        self.end_events(emit);
        for mut line in std::mem::take(&mut self.partial) {
            self.severed.push(line.stream);
            line.split = true;
            emit(line.whole());
        }
    }

    fn begin(&mut self, mut begun: Begun<M>) -> Begun<M> {
        begun.split = self.take_severed(begun.stream);
        // Between the pieces of a line that is begun already: if reading began here, the rest of that
        // line would be a document once more.
        let first = self.partial.iter().min_by_key(|other| other.start);
        begun.mark = first.map_or(begun.mark, |other| other.mark);
        begun
    }

    fn take_severed(&mut self, stream: Option<Stream>) -> bool {
        let place = self.severed.iter().position(|severed| *severed == stream);
        place.map(|place| self.severed.swap_remove(place)).is_some()
    }

    /// Whether lines come in pieces.
    pub fn has_pieces(&self) -> bool {
        self.container != Container::None
    }

    /// Takes in a line that stands before those that will come, and is in another document.
    pub fn pass(&mut self, line: &[u8]) {
        let mut scratch = Vec::new();
        if let Ok(piece) = container::unwrap(self.container, &mut self.calendar, line, &mut scratch)
        {
            self.take_severed(piece.stream);
            self.severed.extend(piece.is_partial.then_some(piece.stream));
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

impl<M: Copy> Begun<M> {
    fn new(stand: &Stand<'_, M>, time: Option<Time>, stream: Option<Stream>) -> Self {
        let (text, start, mark) = (Vec::new(), stand.offset, (stand.mark)());
        Self {
            text,
            start,
            mark,
            time,
            stream,
            cut: false,
            split: false,
            lines: 0,
            since: Instant::now(),
        }
    }

    /// Adds a piece of the line.
    fn add(&mut self, text: &[u8], most_bytes: usize) {
        let room = most_bytes.saturating_sub(self.text.len());
        self.cut |= text.len() > room;
        self.text.extend_from_slice(text.get(..room).unwrap_or(text));
        self.lines += 1;
        self.since = Instant::now();
    }

    /// Adds a line of the event.
    fn join(&mut self, line: &Self) {
        self.text.push(b'\n');
        self.text.extend_from_slice(&line.text);
        self.cut |= line.cut;
        self.split |= line.split;
        self.lines += line.lines;
        self.since = line.since;
    }

    fn whole(&self) -> Whole<'_> {
        Whole {
            text: &self.text,
            offset: self.start,
            time: self.time,
            stream: self.stream,
            problem: None,
            cut: self.cut,
            split: self.split,
            lines: self.lines,
        }
    }
}
