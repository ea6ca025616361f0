//! How a file is read: a buffer at a time, its lines made into documents.

use std::borrow::Cow;
use std::io;
use std::time::Instant;

use memchr::memchr;
use omphalos_common::event::day_of;

use crate::batch::OpenBatch;
use crate::monitor::position::identity::GUARD_BYTES;
use crate::monitor::position::progress::Position;
use crate::monitor::read::place::Place;
use crate::monitor::read::tail::{Tail, Waits};
use omphalos_parser::scribe::assemble::{Stand, Whole};
use omphalos_parser::scribe::container::Stream;
use omphalos_parser::scribe::padding::{self, leading_padding};
use omphalos_parser::{Documents, Event, Parsed, Shape, Skipped};

/// How much is read at once, in bytes.
pub const READ_BYTES: usize = 256 * 1024;

/// What all tails share for the length of one read.
pub struct Tools<'a> {
    /// The document writer.
    pub documents: &'a mut Documents,
    /// The read buffer; its length is how much is read.
    pub buffer: &'a mut Vec<u8>,
    /// Where documents go.
    pub batch: &'a mut OpenBatch,
    /// A batch is full from this size on.
    pub batch_bytes: usize,
    /// Lines longer than this are cut.
    pub max_line_bytes: usize,
    /// The present, in milliseconds since the epoch.
    pub now_millis: i64,
}

/// What a read came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// There is nothing more to read now.
    AtEnd,
    /// There may be.
    More,
    /// What stands before the offset is not what was read: the file has other content now.
    Rewritten,
}

impl Tail {
    /// Reads once, at most a buffer full.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&mut self, tools: &mut Tools<'_>) -> io::Result<Look> {
        let mut buffer = std::mem::take(tools.buffer);
        let look = if self.searched.is_some() {
            self.read_past(&mut buffer)
        } else {
            self.read_lines(&mut buffer, tools)
        };
        if buffer.len() > READ_BYTES {
            buffer.truncate(READ_BYTES);
            buffer.shrink_to_fit();
        }
        *tools.buffer = buffer;
        self.is_at_end = matches!(look, Ok(Look::AtEnd));
        look
    }

    fn read_lines(&mut self, buffer: &mut Vec<u8>, tools: &mut Tools<'_>) -> io::Result<Look> {
        let room = buffer.len();
        let (length, data) = self.next.read(self.handle.get(&self.path)?, buffer)?;
        let Some(data) = data.filter(|data| data.starts_with(self.head.behind(self.next.offset)))
        else {
            return Ok(Look::Rewritten);
        };
        self.known_size = self.next.offset + data.len() as u64;
        if self.next.offset == 0 && !data.is_empty() {
            self.charset = omphalos_parser::scribe::charset::Charset::of(self.encoding, data);
        }
        let whole_units = data.len() - data.len() % self.charset.unit();
        let data = data.get(..whole_units).unwrap_or_default();
        let consumed = self.take_lines(data, tools);
        if consumed > 0 {
            self.advance(data.get(..consumed).unwrap_or_default(), tools);
            return Ok(Look::More);
        }
        let is_end = length < room;
        if self.charset.unit() == 1
            && let Some(start) = padding::start(data)
        {
            let text = data.get(..start).unwrap_or_default().to_vec();
            return self.read_over_padding(&text, buffer, tools);
        }
        if self.text_of(data).len() > tools.max_line_bytes {
            self.cut_line(data, tools);
            return Ok(Look::More);
        }
        if is_end {
            let length = data.len() as u64;
            self.unfinished.seen(length);
            let is_final = self.handle.outlook().is_final();
            if is_final && self.unfinished.shipped() != length {
                self.read_rest(tools)?;
            } else if is_final {
                self.end_all_events(tools);
            }
            return Ok(Look::AtEnd);
        }
        // A line longer than the buffer: again, with room for the longest one allowed.
        buffer.resize((tools.max_line_bytes + 2) * self.charset.unit() + GUARD_BYTES, 0);
        self.read_lines(buffer, tools)
    }

    /// Makes documents of the whole lines in `data`; returns how many bytes these lines have.
    fn take_lines(&mut self, data: &[u8], tools: &mut Tools<'_>) -> usize {
        // Most files are ASCII without padding; that is seen faster for all lines at once.
        let is_ascii = self.charset.is_utf8() && data.is_ascii() && memchr(0, data).is_none();
        let mut consumed = 0;
        let start = self.next.offset;
        let seen_end = start + data.len() as u64;
        let mut place = self.assembler.is_some().then(|| self.next.clone());
        for line_end in self.charset.line_ends(data) {
            let whole = data.get(consumed..line_end).unwrap_or_default();
            let offset = start + consumed as u64;
            match &mut place {
                Some(place) => {
                    self.join_line(whole, place, seen_end, tools);
                    place.advance(whole);
                }
                None if is_ascii => {
                    let line = whole.strip_suffix(b"\n").unwrap_or(whole);
                    let line = omphalos_parser::scribe::charset::without_return(line);
                    self.take_line(line, offset, seen_end, tools);
                }
                None => self.take_odd_line(whole, offset, seen_end, tools),
            }
            consumed = line_end;
            if tools.batch.is_full(tools.batch_bytes) {
                break;
            }
        }
        consumed
    }

    /// A line's text, as UTF-8 as far as it is text at all: without end and mark.
    fn text_of<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        self.text_at(line, self.next.offset)
    }

    fn text_at<'a>(&self, line: &'a [u8], offset: u64) -> Cow<'a, [u8]> {
        let line = self.charset.without_end(line).unwrap_or(line);
        let line = if offset == 0 { self.charset.without_mark(line) } else { line };
        self.charset.text(line)
    }

    /// A line that may have characters of any kind, or padding in it.
    fn take_odd_line(&mut self, whole: &[u8], offset: u64, seen_end: u64, tools: &mut Tools<'_>) {
        self.counts.invalid += u64::from(self.charset.is_invalid(whole));
        let text = self.text_at(whole, offset);
        if self.charset.unit() > 1 || memchr(0, &text).is_none() {
            return self.take_line(&text, offset, seen_end, tools);
        }
        // Each piece between padding was written by itself; their places are those in the file
        // because one byte of the file is one of the text before the first that is not ASCII.
        for (start, piece) in padding::pieces(whole) {
            let at = offset + start as u64;
            let text = self.text_at(piece, at).into_owned();
            self.take_line(&text, at, seen_end, tools);
        }
        self.counts.padding += padding::count(whole);
    }

    /// Makes the document of one line, if it has one.
    fn take_line(&mut self, line: &[u8], offset: u64, seen_end: u64, tools: &mut Tools<'_>) {
        let cut = line.len() > tools.max_line_bytes;
        let text = line.get(..tools.max_line_bytes).unwrap_or(line);
        let (time, stream, problem) = (None, None, None);
        let whole = Whole { text, offset, time, stream, problem, cut, lines: 1 };
        self.ship(&whole, seen_end, Shape::Whole, tools);
    }

    /// Gives a line to the assembler, and makes documents of what it ends.
    fn join_line(&mut self, whole: &[u8], place: &Place, seen_end: u64, tools: &mut Tools<'_>) {
        let Some(mut assembler) = self.assembler.take() else { return };
        let text = self.text_at(whole, place.offset);
        self.counts.invalid += u64::from(self.charset.is_invalid(whole));
        if self.splits.contains(&place.offset) {
            assembler.end_all(&mut |whole| self.ship(&whole, seen_end, Shape::Whole, tools));
        }
        let last_time = self.clock.last_time();
        let mark = || Position { offset: place.offset, guard: place.guard(), last_time };
        let stand = Stand { offset: place.offset, mark: &mark };
        assembler.push(&text, &stand, &mut |whole| {
            self.ship(&whole, seen_end, Shape::Whole, tools);
        });
        self.assembler = Some(assembler);
    }

    /// Makes the document of an event, if it has one.
    fn ship(&mut self, whole: &Whole<'_>, seen_end: u64, shape: Shape, tools: &mut Tools<'_>) {
        self.counts.lines += whole.lines;
        self.counts.joined += whole.lines.saturating_sub(1);
        let line = whole.text;
        match self.parser.parse(tools.documents.calendar(), line) {
            Parsed::Nothing(Skipped::Empty) => self.counts.empty += 1,
            Parsed::Nothing(Skipped::Directive) => self.counts.directives += 1,
            Parsed::Event { time, fields, problem } => {
                let problem = problem.or(whole.problem);
                self.counts.failures += u64::from(problem.is_some());
                self.counts.cut += u64::from(whole.cut);
                self.counts.unfinished += u64::from(shape == Shape::Unfinished);
                self.clock.identify(&self.names, line);
                let own = time.or(whole.time);
                let offset = whole.offset;
                let (time, source) = self.clock.time_of(offset, own, seen_end, tools.now_millis);
                let shape = if whole.cut { Shape::Cut } else { shape };
                let stream = whole.stream.map(Stream::as_str);
                let event = Event { offset, time, line, fields, problem, shape, stream };
                tools.documents.write(tools.batch.body(), &self.frame, &event);
                let id = self.clock.id_of(source, offset, time, line);
                tools.batch.add(id, day_of(time.seconds), offset);
                self.counts.documents += 1;
                if self.clock.last_time().is_none() {
                    tools.batch.note_untimed();
                }
            }
        }
    }

    /// Moves over `consumed`, whose documents are in the batch, and makes a chunk of them.
    fn advance(&mut self, consumed: &[u8], tools: &mut Tools<'_>) {
        let start = self.next.offset;
        self.head.see(start, consumed);
        self.next.advance(consumed);
        self.head.settle(self.next.offset);
        self.unfinished.seen(0);
        self.counts.bytes += consumed.len() as u64;
        self.end_chunk(start, self.next.offset, tools);
    }

    fn end_chunk(&mut self, start: u64, end: u64, tools: &mut Tools<'_>) {
        let position = self.settled_position();
        if tools.batch.added() == 0 {
            self.progress.push_nothing(position);
        } else {
            let owner = (self.id, self.progress.push(position));
            tools.batch.end_chunk(owner, self.clock.origin(), &self.shown_path, start..end);
        }
    }

    /// Ships the beginning of a line that is longer than allowed, and goes on to search its end.
    /// The offset stays at its beginning until then: a restart reads it again and makes the same
    /// document.
    fn cut_line(&mut self, data: &[u8], tools: &mut Tools<'_>) {
        let start = self.next.offset;
        let mut searched = self.next.clone();
        searched.advance(data);
        let text = self.text_of(data).into_owned();
        self.end_events(searched.offset, tools);
        self.head.see(start, data);
        self.take_line(&text, start, searched.offset, tools);
        self.end_chunk(start, start, tools);
        self.searched = Some(searched);
    }

    fn read_past(&mut self, buffer: &mut [u8]) -> io::Result<Look> {
        let Some(mut searched) = self.searched.take() else { return Ok(Look::More) };
        let room = buffer.len();
        let (length, data) = searched.read(self.handle.get(&self.path)?, buffer)?;
        let Some(data) = data else { return Ok(Look::Rewritten) };
        self.known_size = self.known_size.max(searched.offset + data.len() as u64);
        let whole_units = data.len() - data.len() % self.charset.unit();
        let data = data.get(..whole_units).unwrap_or_default();
        let line_end = self.charset.line_ends(data).next();
        searched.advance(data.get(..line_end.unwrap_or(data.len())).unwrap_or_default());
        let is_final = self.handle.outlook().is_final();
        let is_end = length < room;
        if line_end.is_none() && !(is_end && is_final) {
            let look = if data.is_empty() { Look::AtEnd } else { Look::More };
            self.searched = Some(searched);
            return Ok(look);
        }
        self.counts.bytes += searched.offset - self.next.offset;
        self.next = searched;
        self.progress.push_nothing(self.position());
        Ok(Look::More)
    }

    /// Passes over NULs that a crash or a hole left behind `text`, once something follows them. Until
    /// then they may be room that the writer will fill.
    fn read_over_padding(
        &mut self,
        text: &[u8],
        buffer: &mut [u8],
        tools: &mut Tools<'_>,
    ) -> io::Result<Look> {
        let start = self.next.offset + text.len() as u64;
        let from = self.padding_end.max(start);
        let content = self.handle.get(&self.path)?;
        let length = content.read_up_to(buffer, from)?;
        let data = buffer.get(..length).unwrap_or_default();
        let padding = leading_padding(data);
        if padding == length {
            self.padding_end = from + length as u64;
            self.unfinished.seen(text.len() as u64);
            return Ok(if length < buffer.len() { Look::AtEnd } else { Look::More });
        }
        let end = from + padding as u64;
        let place = Place::find(content, end)?;
        let begin = self.next.offset;
        self.end_events(end, tools);
        self.head.see(begin, text);
        if !text.is_empty() {
            self.take_odd_line(text, begin, end, tools);
        }
        self.counts.padding += end - start;
        self.counts.bytes += end - begin;
        self.next = place;
        self.padding_end = 0;
        self.unfinished.seen(0);
        self.end_chunk(begin, end, tools);
        Ok(Look::More)
    }

    /// Ships what is due ([`Tail::due`]) at `now`: an event that nothing followed, a last line
    /// without an end. The offset stays before the latter, so that the whole line is read should it
    /// be completed one day.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_due(
        &mut self,
        now: Instant,
        waits: Waits,
        tools: &mut Tools<'_>,
    ) -> io::Result<()> {
        if self.event_since().is_some_and(|since| since + waits.event <= now) {
            let end = self.next.offset;
            self.end_events(end, tools);
            self.splits.push_back(end);
            self.splits_made += 1;
            self.end_chunk(end, end, tools);
        }
        if self.unfinished.due(waits.line).is_some_and(|due| due <= now) {
            self.read_unfinished_line(tools)?;
        }
        Ok(())
    }

    /// Ends all events that are begun.
    fn end_events(&mut self, seen_end: u64, tools: &mut Tools<'_>) {
        let Some(mut assembler) = self.assembler.take() else { return };
        assembler.end_all(&mut |whole| self.ship(&whole, seen_end, Shape::Whole, tools));
        self.assembler = Some(assembler);
    }

    /// Ships everything that is there, as if nothing would follow: for a file that is read once.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_rest(&mut self, tools: &mut Tools<'_>) -> io::Result<()> {
        self.end_all_events(tools);
        self.read_unfinished_line(tools)
    }

    /// Ships all events that are begun.
    pub fn end_all_events(&mut self, tools: &mut Tools<'_>) {
        let end = self.next.offset;
        self.end_events(end, tools);
        if tools.batch.added() > 0 {
            self.end_chunk(end, end, tools);
        }
    }

    fn read_unfinished_line(&mut self, tools: &mut Tools<'_>) -> io::Result<()> {
        if self.searched.is_some() {
            return Ok(());
        }
        let mut line = vec![0; tools.max_line_bytes * self.charset.unit() + 1];
        let start = self.next.offset;
        let length = self.handle.get(&self.path)?.read_up_to(&mut line, start)?;
        line.truncate(length - length % self.charset.unit());
        if self.charset.unit() == 1 {
            line.truncate(line.len() - padding::trailing(&line));
        }
        let is_shipped = self.unfinished.shipped() == length as u64;
        if line.is_empty() || is_shipped || self.charset.line_ends(&line).next().is_some() {
            return Ok(());
        }
        let end = start + line.len() as u64;
        let text = self.text_of(&line).into_owned();
        let (text, time) = match &mut self.assembler {
            Some(assembler) => assembler.unwrapped(&text),
            None => (text, None),
        };
        self.head.see(start, &line);
        let cut = text.len() > tools.max_line_bytes;
        let text = text.get(..tools.max_line_bytes).unwrap_or(&text);
        let whole = Whole { text, offset: start, time, stream: None, problem: None, cut, lines: 1 };
        self.ship(&whole, end, Shape::Unfinished, tools);
        self.end_chunk(start, end, tools);
        self.unfinished.ship(length as u64);
        Ok(())
    }
}
