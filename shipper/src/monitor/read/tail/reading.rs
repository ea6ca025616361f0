//! How a file is read: a buffer at a time, its lines made into documents. What stands behind the
//! last line end is dealt with in `ending.rs`.
//!
//! Each read of what only goes forward ([`Content::is_seekable`]) begins at a [`Place`], and these
//! never move back: neither here nor there.
//!
//! [`Content::is_seekable`]: crate::monitor::read::content::Content::is_seekable

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::MetadataExt;

use memchr::memchr;
use omphalos_common::event::{DocumentId, day_of};

use crate::monitor::batch::{OpenBatch, Owner};
use crate::monitor::broken;
use crate::monitor::position::clock::{Clock, Names};
use crate::monitor::position::identity::GUARD_BYTES;
use crate::monitor::position::progress::Position;
use crate::monitor::read::foreign;
use crate::monitor::read::place::Place;
use crate::monitor::read::tail::{Reach, Tail};
use omphalos_parser::scribe::padding;
use omphalos_parser::scribe::{Desk, Line, Scribe};
use omphalos_parser::{Documents, Time};

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
    /// The present, in milliseconds since the epoch.
    pub now_millis: i64,
}

/// Where the documents of one file are put for the length of one read: each gets its time and its id,
/// and is noted in the batch.
pub(super) struct BatchDesk<'a> {
    clock: &'a mut Clock,
    names: &'a Names,
    batch: &'a mut OpenBatch,
    /// Up to where the file was seen: lines without a time are discovered so far.
    seen_end: u64,
    now_millis: i64,
}

impl Desk for BatchDesk<'_> {
    fn put(
        &mut self,
        offset: u64,
        own: Option<Time>,
        text: &[u8],
        write: impl FnOnce(&mut Vec<u8>, Time, DocumentId) -> bool,
    ) {
        self.clock.identify(self.names, text);
        let (time, source) = self.clock.time_of(offset, own, self.seen_end, self.now_millis);
        let id = self.clock.id_of(source, offset, time, text);
        if !write(self.batch.body(), time, id) {
            return;
        }
        self.batch.add(id, day_of(time.seconds), offset);
        if self.clock.last_time().is_none() {
            self.batch.note_untimed();
        }
    }
}

/// What makes documents of one file, for the length of one read.
pub(super) struct Work<'a> {
    pub(super) scribe: &'a mut Scribe<Position>,
    pub(super) documents: &'a mut Documents,
    pub(super) desk: BatchDesk<'a>,
    /// Where events were ended because nothing followed for long.
    splits: &'a VecDeque<u64>,
    /// Where the next line begins.
    place: &'a Place,
    batch_bytes: usize,
}

impl Work<'_> {
    /// Takes in the lines of `data`, which stand where the next line begins; returns those that were
    /// taken before the batch was full.
    fn take_lines<'d>(&mut self, data: &'d [u8]) -> io::Result<&'d [u8]> {
        let charset = self.scribe.charset();
        // Most files are ASCII without padding; that is seen faster for all lines at once.
        let is_ascii = charset.is_utf8() && data.is_ascii() && memchr(0, data).is_none();
        // Where events may have several lines, each of them may be where one begins.
        let mut joined = self.scribe.is_joining().then(|| self.place.clone());
        let (mut consumed, mut rest) = (0, data);
        for line_end in charset.line_ends(data) {
            // Line ends come in order, so each is behind what was consumed.
            let (bytes, behind) = broken::split(rest, line_end - consumed)?;
            let line = Line { bytes, offset: self.place.offset + consumed as u64, is_ascii };
            match &mut joined {
                Some(place) => {
                    self.join_line(line, place);
                    place.advance(bytes);
                }
                None => self.scribe.take(line, &Position::default, self.documents, &mut self.desk),
            }
            (consumed, rest) = (line_end, behind);
            if self.desk.batch.is_full(self.batch_bytes) {
                break;
            }
        }
        broken::first(data, consumed)
    }

    fn join_line(&mut self, line: Line<'_>, place: &Place) {
        if self.splits.contains(&line.offset) {
            self.scribe.end_all(self.documents, &mut self.desk);
        }
        let last_time = self.desk.clock.last_time();
        let mark = || Position { offset: place.offset, guard: place.guard(), last_time };
        self.scribe.take(line, &mark, self.documents, &mut self.desk);
    }
}

/// What a read came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// There is nothing more to read now.
    AtEnd,
    /// There may be more to read now.
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
        self.reach = Reach::Somewhere;
        self.scribe.see_written(self.metadata().ok().map(|file| file.mtime()));
        let look = if self.searched.is_some() {
            self.read_past(&mut buffer)
        } else if let Some(padded) = self.padded.take() {
            self.read_on_padding(padded, &mut buffer, tools)
        } else {
            self.read_lines(&mut buffer, tools)
        };
        if buffer.len() > READ_BYTES {
            buffer.truncate(READ_BYTES);
            buffer.shrink_to_fit();
        }
        *tools.buffer = buffer;
        self.reach = match (&look, self.reach) {
            (Ok(Look::AtEnd), Reach::Over) => Reach::Over,
            (Ok(Look::AtEnd), _) => Reach::End,
            _ => Reach::Somewhere,
        };
        self.outlook = self.handle.outlook();
        self.is_written &= look.is_err();
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
        if let Some(look) = self.learn(data, length == room, tools)? {
            return Ok(look);
        }
        let charset = self.scribe.charset();
        let data = charset.whole_units(data);
        let seen_end = self.next.offset + data.len() as u64;
        let Some(of_format) = self.of_this_format(data) else {
            self.change_format(tools)?;
            // What comes next goes into the batch of another dataset.
            return Ok(Look::More);
        };
        let consumed = self.at_work(seen_end, tools).take_lines(of_format)?;
        if !consumed.is_empty() {
            self.advance(consumed, tools)?;
            return Ok(Look::More);
        }
        let is_end = length < room;
        if charset.unit() == 1
            && let Some(start) = padding::start(data)
        {
            let (text, padding) = broken::split(data, start)?;
            if let Some(place) = self.behind_padding(text, padding) {
                self.pass_padding(text, place, tools)?;
                return Ok(Look::More);
            }
            if is_end {
                return self.stop_at_text(text.len(), tools);
            }
            let text = text.to_vec();
            return self.read_over_padding(text, buffer, tools);
        }
        if self.scribe.is_too_long(data, self.next.offset) {
            self.cut_line(data, tools)?;
            return Ok(Look::More);
        }
        if is_end {
            let nuls = if charset.unit() == 1 { padding::trailing(data) } else { 0 };
            return self.stop_at_text(data.len() - nuls, tools);
        }
        // A line longer than the buffer: again, with room for the longest one allowed.
        buffer.resize((self.scribe.most_bytes() + 2) * charset.unit() + GUARD_BYTES, 0);
        self.read_lines(buffer, tools)
    }

    /// Finds out what the lines are of which `data` are the next, as far as that is not known; what the
    /// read came to, where they are not taken in now. There may be more behind them, if the buffer
    /// `is_full`.
    fn learn(
        &mut self,
        data: &[u8],
        is_full: bool,
        tools: &mut Tools<'_>,
    ) -> io::Result<Option<Look>> {
        if data.is_empty() {
            return Ok(None);
        }
        if self.next.offset == 0 {
            if !self.is_archive()
                && let Some(reason) = foreign::refusal(data, self.is_pipe())
            {
                self.known_size = 0;
                self.handle.refuse(&self.path, reason)?;
                return Ok(Some(Look::More));
            }
            self.scribe.see_beginning(data);
        }
        if !self.is_undecided() {
            return Ok(None);
        }
        let decides = self.begun.take_decision();
        let is_all = is_full || decides || self.handle.outlook().is_final();
        if self.choose(data, is_all)? {
            // Its lines go into the batch of another dataset.
            return Ok(Some(Look::More));
        }
        if let Some(end) = self.scribe.charset().line_ends(data).last() {
            // Nothing but blank lines, or pieces of a line: they are read when there is more, or when
            // that has not come for long. By what stands there the file is known again.
            self.head.see(self.next.offset, data.get(..end).unwrap_or(data))?;
            let look = self.stop_at_text(0, tools)?;
            if !decides && self.scribe.has_pieces() {
                self.begun.seen(data.len());
                self.nothing_to = 0;
            }
            return Ok(Some(look));
        }
        Ok(None)
    }

    pub(super) fn at_work<'a>(&'a mut self, seen_end: u64, tools: &'a mut Tools<'_>) -> Work<'a> {
        let (clock, names, batch) = (&mut self.clock, &self.names, &mut *tools.batch);
        let now_millis = tools.now_millis;
        Work {
            scribe: &mut self.scribe,
            documents: &mut *tools.documents,
            desk: BatchDesk { clock, names, batch, seen_end, now_millis },
            splits: &self.splits,
            place: &self.next,
            batch_bytes: tools.batch_bytes,
        }
    }

    /// Moves over `consumed`, whose documents are in the batch, and makes a chunk of them.
    fn advance(&mut self, consumed: &[u8], tools: &mut Tools<'_>) -> io::Result<()> {
        let start = self.next.offset;
        self.head.see(start, consumed)?;
        self.next.advance(consumed);
        self.head.settle(self.next.offset);
        self.nothing_to = 0;
        self.unfinished.seen(0);
        self.scribe.counts.bytes += consumed.len() as u64;
        self.end_chunk(start, self.next.offset, tools)
    }

    pub(super) fn end_chunk(
        &mut self,
        start: u64,
        end: u64,
        tools: &mut Tools<'_>,
    ) -> io::Result<()> {
        let position = self.settled_position();
        if tools.batch.added() == 0 {
            self.progress.push_nothing(position);
        } else {
            let origin = self.clock.origin()?;
            let owner = Owner { tail: self.id, chunk: self.progress.push(position) };
            tools.batch.end_chunk(owner, origin, &self.shown_path, start..end);
        }
        Ok(())
    }

    /// Ships the beginning of a line that is longer than allowed, and goes on to search its end.
    /// The offset stays at its beginning until then: a restart reads it again and makes the same
    /// document.
    fn cut_line(&mut self, data: &[u8], tools: &mut Tools<'_>) -> io::Result<()> {
        let start = self.next.offset;
        let mut searched = self.next.clone();
        searched.advance(data);
        self.head.see(start, data)?;
        let Work { scribe, documents, mut desk, .. } = self.at_work(searched.offset, tools);
        scribe.end_all(documents, &mut desk);
        scribe.take_beginning(data, start, documents, &mut desk);
        self.end_chunk(start, start, tools)?;
        self.nothing_to = 0;
        self.unfinished.seen(0);
        self.searched = Some(searched);
        Ok(())
    }

    fn read_past(&mut self, buffer: &mut [u8]) -> io::Result<Look> {
        let Some(mut searched) = self.searched.take() else { return Ok(Look::More) };
        let room = buffer.len();
        let (length, data) = searched.read(self.handle.get(&self.path)?, buffer)?;
        let Some(data) = data else { return Ok(Look::Rewritten) };
        self.known_size = self.known_size.max(searched.offset + data.len() as u64);
        let data = self.scribe.charset().whole_units(data);
        let line_end = self.scribe.charset().line_ends(data).next();
        let passed = broken::first(data, line_end.unwrap_or(data.len()))?;
        self.head.see(searched.offset, passed)?;
        searched.advance(passed);
        let is_final = self.handle.outlook().is_final();
        let is_end = length < room;
        if line_end.is_none() && !(is_end && is_final) {
            let look = if data.is_empty() { Look::AtEnd } else { Look::More };
            self.searched = Some(searched);
            return Ok(look);
        }
        self.scribe.counts.bytes += searched.offset - self.next.offset;
        self.next = searched;
        self.progress.push_nothing(self.position());
        Ok(Look::More)
    }
}
