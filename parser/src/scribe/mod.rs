//! From a line of a file to its document, in one place: characters ([`charset`]) and padding
//! ([`padding`]), what a container runtime wrapped around lines ([`container`]), which lines make one
//! event ([`multiline`], joined by [`assemble`]), the format's parser, and the document, to which the path
//! of a container's log adds what it says (`pod.rs`).
//!
//! What is shipped and what `omphalos parse` shows comes from here. A [`Recipe`] is what the settings
//! of a `[[monitor]]` table say, checked; it makes the [`Scribe`] of each file. Where lines stand, and
//! which time a line gets that has none, is for whoever reads the file: the scribe's [`Desk`].

pub mod assemble;
pub mod charset;
pub mod container;
mod directives;
pub mod multiline;
pub mod padding;
mod pod;
mod recipe;

pub use recipe::{Finish, Origin, Recipe};

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use memchr::memchr;
use omphalos_common::event::DocumentId;

use crate::{
    Calendar, Documents, Event, Frame, List, Parse, Parsed, Preface, Shape, Time, Written,
};
use assemble::{Assembler, Stand, Whole};
use charset::{Charset, EncodingSetting, without_return};
use container::Stream;
use directives::Directives;

/// How many of what was found.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    /// Lines, whatever became of them.
    pub lines: u64,
    /// Bytes that were moved over, counted by whoever reads the file.
    pub bytes: u64,
    /// Documents that were written.
    pub documents: u64,
    /// Lines without content.
    pub empty: u64,
    /// Lines about the file.
    pub directives: u64,
    /// Lines that went into the document of the line before them.
    pub joined: u64,
    /// Lines that were not understood and are shipped whole.
    pub failures: u64,
    /// Documents whose time is not that of their line.
    pub untimed: u64,
    /// Lines that were cut.
    pub cut: u64,
    /// Lines with something that is no character.
    pub invalid: u64,
    /// Lines that were shipped before their end was written.
    pub unfinished: u64,
    /// Documents of some pieces of a container's line, without the others.
    pub split: u64,
    /// Bytes of padding that were passed over.
    pub padding: u64,
    /// Events that steps dropped, by the names of the steps.
    pub dropped: Vec<(Arc<str>, u64)>,
}

impl Counts {
    fn drop_by(&mut self, step: &Arc<str>) {
        match self.dropped.iter_mut().find(|(name, _)| name == step) {
            Some((_, count)) => *count += 1,
            None => self.dropped.push((Arc::clone(step), 1)),
        }
    }
}

/// Some bytes of a file, most often a line with its end.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where in the file they begin.
    pub offset: u64,
    /// Whether they are known to be ASCII without NUL, in a file of UTF-8.
    pub is_ascii: bool,
}

/// Where documents are put: what the scribe asks of whoever reads the file.
pub trait Desk {
    /// Puts down the document of the event that begins at `offset` and says `text`: calls `write`
    /// with the buffer to append to, the time of the event, which is `own` if there is one, and its id.
    /// That returns whether there is a document: where a step dropped it, nothing was appended, but the
    /// times and ids of other lines are as if it were there.
    fn put(
        &mut self,
        offset: u64,
        own: Option<Time>,
        text: &[u8],
        write: impl FnOnce(&mut Vec<u8>, Time, DocumentId) -> bool,
    );
}

/// Makes documents of the lines of one file, and keeps of each place where something begins what
/// its user marks it with (`M`).
#[derive(Debug)]
pub struct Scribe<M> {
    /// What was found since someone last took this.
    pub counts: Counts,
    encoding: EncodingSetting,
    charset: Charset,
    most_bytes: usize,
    assembler: Option<Assembler<M>>,
    parser: Box<dyn Parse>,
    directives: Directives,
    /// The memory of the lists of lines.
    list: List<'static>,
    frame: Frame,
    /// When the file was written last, in seconds since 1970.
    written: Option<i64>,
}

impl<M: Copy> Scribe<M> {
    /// Notes when the file was written last, in seconds since 1970: days without a year get theirs by that.
    /// `None` where lines are read as they are written.
    pub fn see_written(&mut self, seconds: Option<i64>) {
        self.written = seconds;
    }

    /// Notes how the file begins, which may tell its charset.
    pub fn see_beginning(&mut self, head: &[u8]) {
        self.charset = Charset::of(self.encoding, head);
    }

    /// Reads lines as `other` would from now on; what has begun goes on.
    pub fn adopt(&mut self, other: Self) {
        (self.parser, self.frame) = (other.parser, other.frame);
        if self.preface() != Preface::None {
            for directive in self.directives.take() {
                self.recall(&directive);
            }
        }
    }

    /// How the characters of the file are written.
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// Longer lines are cut, in bytes of their text as UTF-8.
    pub fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    /// Whether an event may have several lines, or a line be more than its text.
    pub fn is_joining(&self) -> bool {
        self.assembler.is_some()
    }

    /// By which lines that stand earlier in the file lines are read.
    pub fn preface(&self) -> Preface {
        self.parser.preface()
    }

    /// Whether lines have a time that can be read, as a rule.
    pub fn has_times(&self) -> bool {
        self.parser.has_times()
    }

    /// Takes in a directive that stands before the lines that will come, and returns whether it is one.
    pub fn recall(&mut self, directive: &[u8]) -> bool {
        let mut others = List::default();
        let directive = self.charset.without_mark(directive);
        let parsed = self.parser.parse(&mut Calendar::default(), directive, &mut others);
        let is_directive = matches!(parsed, Parsed::Directive);
        if is_directive {
            self.directives.remember(directive);
        }
        is_directive
    }

    /// Whether lines come in pieces, of which the first may stand long before the last, or in a file
    /// that was rotated.
    pub fn has_pieces(&self) -> bool {
        self.assembler.as_ref().is_some_and(Assembler::has_pieces)
    }

    /// Takes in the lines that stand before those that will come, and are in other documents: they tell
    /// which pieces are the rest of a line. `bytes` begin with a whole line.
    pub fn recall_pieces(&mut self, bytes: &[u8]) {
        let Some(mut assembler) = self.assembler.take() else { return };
        let mut start = 0;
        for end in self.charset.line_ends(bytes) {
            let line = bytes.get(start..end).unwrap_or_default();
            assembler.pass(&self.text(line, u64::MAX));
            start = end;
        }
        self.assembler = Some(assembler);
    }

    /// Where the first thing begins that has not ended.
    pub fn first_begun(&self) -> Option<(u64, M)> {
        self.assembler.as_ref().and_then(Assembler::first_begun)
    }

    /// How many lines are in something that has not ended.
    pub fn held(&self) -> u64 {
        self.assembler.as_ref().map_or(0, Assembler::held)
    }

    /// Since when nothing was added to something that is begun.
    pub fn waiting_since(&self) -> Option<Instant> {
        self.assembler.as_ref().and_then(Assembler::waiting_since)
    }

    /// Whether the text of these bytes is longer than a line may be.
    pub fn is_too_long(&self, bytes: &[u8], offset: u64) -> bool {
        self.text(bytes, offset).len() > self.most_bytes
    }

    /// Takes in the next line, and writes the documents of what has ended with it. `mark` is asked
    /// for what is to be kept of this place, should something begin here.
    pub fn take(
        &mut self,
        line: Line<'_>,
        mark: &dyn Fn() -> M,
        documents: &mut Documents,
        desk: &mut impl Desk,
    ) {
        let Line { bytes, offset, is_ascii } = line;
        if let Some(mut assembler) = self.assembler.take() {
            self.counts.invalid += u64::from(self.charset.is_invalid(bytes));
            let text = self.text(bytes, offset);
            let stand = Stand { offset, mark };
            assembler.push(&text, &stand, &mut |whole| {
                self.write(&whole, Shape::Whole, documents, desk);
            });
            self.assembler = Some(assembler);
        } else if is_ascii {
            let text = without_return(bytes.strip_suffix(b"\n").unwrap_or(bytes));
            self.write_text(text, offset, documents, desk);
        } else {
            self.take_alone(bytes, offset, documents, desk);
        }
    }

    /// Writes the documents of bytes that are no part of anything longer. There may be padding in
    /// them: each piece between was written by itself.
    pub fn take_alone(
        &mut self,
        bytes: &[u8],
        offset: u64,
        documents: &mut Documents,
        desk: &mut impl Desk,
    ) {
        self.counts.invalid += u64::from(self.charset.is_invalid(bytes));
        let text = self.text(bytes, offset);
        if self.charset.unit() > 1 || memchr(0, &text).is_none() {
            return self.write_text(&text, offset, documents, desk);
        }
        // The places of pieces are those in the file, because one byte of the file is one of the text
        // before the first that is not ASCII.
        for (start, piece) in padding::pieces(bytes) {
            let at = offset + start as u64;
            let text = self.text(piece, at);
            self.write_text(&text, at, documents, desk);
        }
        self.counts.padding += padding::count(bytes);
    }

    /// Writes the document of the beginning of a line that is longer than allowed.
    pub fn take_beginning(
        &mut self,
        bytes: &[u8],
        offset: u64,
        documents: &mut Documents,
        desk: &mut impl Desk,
    ) {
        let text = self.text(bytes, offset);
        self.write_text(&text, offset, documents, desk);
    }

    /// Writes the document of a last line that has no end yet.
    pub fn take_unfinished(
        &mut self,
        bytes: &[u8],
        offset: u64,
        documents: &mut Documents,
        desk: &mut impl Desk,
    ) {
        let text = self.text(bytes, offset);
        let (text, time) = match &mut self.assembler {
            Some(assembler) => {
                let (text, time) = assembler.unwrapped(&text);
                (Cow::Owned(text), time)
            }
            None => (text, None),
        };
        let whole = Whole { time, ..self.alone(&text, offset) };
        self.write(&whole, Shape::Unfinished, documents, desk);
    }

    /// Ends everything that is begun, and writes its documents.
    pub fn end_all(&mut self, documents: &mut Documents, desk: &mut impl Desk) {
        let Some(mut assembler) = self.assembler.take() else { return };
        assembler.end_all(&mut |whole| self.write(&whole, Shape::Whole, documents, desk));
        self.assembler = Some(assembler);
    }

    /// The text of bytes that stand at `offset`, as UTF-8 as far as it is text at all: without line
    /// end and mark.
    fn text<'a>(&self, bytes: &'a [u8], offset: u64) -> Cow<'a, [u8]> {
        let line = self.charset.without_end(bytes).unwrap_or(bytes);
        let line = if offset == 0 { self.charset.without_mark(line) } else { line };
        self.charset.text(line)
    }

    /// A line that is an event by itself, cut where it is too long.
    fn alone<'a>(&self, text: &'a [u8], offset: u64) -> Whole<'a> {
        let cut = text.len() > self.most_bytes;
        let text = text.get(..self.most_bytes).unwrap_or(text);
        Whole { text, offset, time: None, stream: None, problem: None, cut, split: false, lines: 1 }
    }

    fn write_text(
        &mut self,
        text: &[u8],
        offset: u64,
        documents: &mut Documents,
        desk: &mut impl Desk,
    ) {
        let whole = self.alone(text, offset);
        self.write(&whole, Shape::Whole, documents, desk);
    }

    /// Writes the document of an event, if it has one.
    fn write(
        &mut self,
        whole: &Whole<'_>,
        shape: Shape,
        documents: &mut Documents,
        desk: &mut impl Desk,
    ) {
        self.counts.lines += whole.lines;
        self.counts.joined += whole.lines.saturating_sub(1);
        let line = whole.text;
        if line.trim_ascii().is_empty() {
            self.counts.empty += 1;
            return;
        }
        let mut others = std::mem::take(&mut self.list);
        documents.calendar().set_latest(self.written);
        let parsed = self.parser.parse(documents.calendar(), line, &mut others);
        // What was found is looked at where it is: it is large.
        let (own, is_assumed, fields, problem) = match &parsed {
            Parsed::Directive => {
                self.counts.directives += 1;
                self.directives.remember(line);
                others.give_back(&mut self.list);
                return;
            }
            Parsed::Event { time, is_assumed, fields, problem } => {
                (*time, *is_assumed, fields, problem.or(whole.problem))
            }
        };
        self.counts.cut += u64::from(whole.cut);
        self.counts.unfinished += u64::from(shape == Shape::Unfinished);
        self.counts.split += u64::from(whole.split);
        let shape = match shape {
            _ if whole.cut => Shape::Cut,
            Shape::Whole if whole.split => Shape::Split,
            other => other,
        };
        let (offset, stream) = (whole.offset, whole.stream.map(Stream::as_str));
        // Asked after each line, so that it is about this one.
        let is_doubtful = documents.calendar().take_assumed();
        let is_told = if own.is_some() { !is_doubtful } else { whole.time.is_some() };
        let is_time_assumed = is_assumed || !is_told;
        let own = own.or(whole.time);
        self.counts.untimed += u64::from(is_time_assumed);
        let mut written = Written { is_left_out: false, dropped_by: None };
        desk.put(offset, own, line, |out, time, id| {
            let others = &others;
            let event = Event {
                offset,
                time,
                is_time_assumed,
                line,
                fields,
                others,
                problem,
                shape,
                stream,
            };
            written = documents.write(out, &self.frame, &event, id);
            written.dropped_by.is_none()
        });
        self.counts.failures += u64::from(problem.is_some() || written.is_left_out);
        match written.dropped_by {
            Some(step) => self.counts.drop_by(step),
            None => self.counts.documents += 1,
        }
        drop(parsed);
        others.give_back(&mut self.list);
    }
}
