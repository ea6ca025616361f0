//! One file being read: from an offset that is proven to fit its content, line by line, to its
//! present end.
//!
//! Every read begins with the bytes before the offset, so that a file that was truncated, or
//! rewritten past the offset, is noticed at once and for no extra system call. The offset moves
//! over whole lines only; what moves the checkpoint is [`Progress`].

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::{memchr, memchr_iter, memrchr};
use omphalos_common::event::day_of;

use super::checkpoint::Entry;
use super::clock::Clock;
use super::directives;
use super::handle::Handle;
use super::identity::{FileKey, Fingerprint, GUARD_BYTES, PREFIX_BYTES};
use super::place::{Place, read_up_to};
use super::progress::{Position, Progress};
use crate::batch::OpenBatch;
use crate::parser::{Documents, Event, Frame, Parsed, Parser, Skipped};

/// One content of one file: another number after each truncation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TailId(pub u64);

/// How much is read at once, in bytes.
pub const READ_BYTES: usize = 256 * 1024;

/// How much of a file is searched for its first data line.
const FIRST_LINE_SEARCH: usize = 64 * 1024;

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

/// How many of what was found.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// Lines, whatever became of them.
    pub lines: u64,
    /// Bytes of those lines.
    pub bytes: u64,
    /// Lines without content.
    pub empty: u64,
    /// Lines about the file.
    pub directives: u64,
    /// Lines that were not understood and are shipped whole.
    pub failures: u64,
    /// Lines that were cut.
    pub cut: u64,
}

/// What a tail is made of besides its file.
pub struct Setup {
    /// The number of this content.
    pub id: TailId,
    /// Index of its `[[monitor]]` table.
    pub input: usize,
    /// The format's parser.
    pub parser: Parser,
    /// What all documents share.
    pub frame: Frame,
    /// Which path the source id is made of.
    pub logical_path: PathBuf,
}

/// A file being read.
pub struct Tail {
    /// Which content.
    pub id: TailId,
    /// Index of its `[[monitor]]` table.
    pub input: usize,
    /// Under which watched name it was last seen.
    pub path: PathBuf,
    /// Which file it is.
    pub key: FileKey,
    /// What of it is confirmed.
    pub progress: Progress,
    /// What was found since someone last took this.
    pub counts: Counts,
    handle: Handle,
    parser: Parser,
    frame: Frame,
    shown_path: Arc<str>,
    logical_path: PathBuf,
    clock: Clock,
    /// Where the next line begins.
    next: Place,
    /// The beginning of what documents were made of, at most [`PREFIX_BYTES`].
    head: Vec<u8>,
    known_size: u64,
    /// Inside a line that is too long: up to where its end was searched for.
    searched: Option<Place>,
}

impl Tail {
    /// Reads `file` from its beginning; or from where `entry` says, which must fit it
    /// ([`super::matching::fits`]).
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(
        setup: Setup,
        path: PathBuf,
        file: File,
        entry: Option<&Entry>,
    ) -> io::Result<Self> {
        let handle = Handle::new(file)?;
        let key = handle.key();
        let mut tail = Self {
            id: setup.id,
            input: setup.input,
            shown_path: Arc::from(path.to_string_lossy()),
            path,
            key,
            progress: Progress::default(),
            counts: Counts::default(),
            handle,
            parser: setup.parser,
            frame: setup.frame,
            logical_path: setup.logical_path,
            clock: entry.map(Clock::resumed).unwrap_or_default(),
            next: Place::default(),
            head: Vec::new(),
            known_size: 0,
            searched: None,
        };
        let seen = entry.map_or(0, |entry| u64::from(entry.prefix.length));
        tail.go_to(entry.map_or(0, |entry| entry.offset), seen)?;
        Ok(tail)
    }

    /// Skips all lines that are there, for `start = "end"`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn skip_to_end(&mut self) -> io::Result<()> {
        let file = self.handle.get(&self.path)?;
        let mut end = file.metadata()?.len();
        let mut block = vec![0; FIRST_LINE_SEARCH];
        while end > 0 {
            let start = end.saturating_sub(block.len() as u64);
            let length = usize::try_from(end - start).unwrap_or(block.len());
            let part = block.get_mut(..length).unwrap_or_default();
            file.read_exact_at(part, start)?;
            if let Some(line_feed) = memrchr(b'\n', part) {
                return self.go_to(start + line_feed as u64 + 1, 0);
            }
            end = start;
        }
        Ok(())
    }

    /// Goes on at `offset`, where a line begins; `seen` bytes from the beginning on were seen.
    fn go_to(&mut self, offset: u64, seen: u64) -> io::Result<()> {
        let file = self.handle.get(&self.path)?;
        self.next = Place::find(file, offset)?;
        let seen = usize::try_from(seen.max(offset)).unwrap_or(PREFIX_BYTES);
        self.head = vec![0; seen.min(PREFIX_BYTES)];
        file.read_exact_at(&mut self.head, 0)?;
        if !self.clock.is_identified()
            && let Some(first) = first_data_line(file, offset, self.parser.has_directives())?
        {
            self.clock.identify(&self.logical_path, &first);
        }
        if self.parser.has_directives() {
            let mut calendar = crate::parser::Calendar::default();
            for line in directives::before(file, offset)? {
                self.parser.parse(&mut calendar, &line);
            }
        }
        self.progress = Progress::new(self.position());
        Ok(())
    }

    /// Goes on in `file`, which has the same bytes before the offset: a copy that a rotation made.
    pub fn follow(&mut self, key: FileKey, file: File) {
        self.key = key;
        self.handle = Handle::of(key, file);
    }

    /// Whether it has a descriptor.
    pub fn is_open(&self) -> bool {
        self.handle.is_open()
    }

    /// Gives the descriptor back until something is to be read.
    pub fn close(&mut self) {
        self.handle.close();
    }

    /// Opens the same file under another name.
    ///
    /// # Errors
    /// When it cannot be opened there, or is another one.
    pub fn reopen(&mut self, path: &Path) -> io::Result<()> {
        self.handle.get(path).map(|_| ())
    }

    /// The file as it is now.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.handle.metadata(&self.path)
    }

    /// How long the file was when it was last read, at least.
    pub fn known_size(&self) -> u64 {
        self.known_size
    }

    /// Where the next line to read begins.
    pub fn offset(&self) -> u64 {
        self.next.offset
    }

    /// How many times of discovery were ever noted; each must be saved before its lines leave.
    pub fn marks_made(&self) -> u64 {
        self.clock.marks_made()
    }

    /// Notes that a chunk of this file is confirmed.
    pub fn confirm(&mut self, number: u64) {
        self.progress.confirm(number);
        self.clock.forget_before(self.progress.confirmed().offset);
    }

    /// What the checkpoint says of this file: up to where it is confirmed.
    pub fn entry(&self, seen: i64) -> Entry {
        self.entry_at(self.progress.confirmed(), seen)
    }

    /// The same for where it is read, to find its content elsewhere.
    pub fn entry_at_offset(&self) -> Entry {
        self.entry_at(self.position(), 0)
    }

    fn entry_at(&self, position: Position, seen: i64) -> Entry {
        let mut entry = Entry {
            path: self.path.clone(),
            key: self.key,
            prefix: Fingerprint::of(&self.head),
            offset: position.offset,
            guard: position.guard,
            source: None,
            untimed: None,
            last_time: position.last_time.map(|time| (time.seconds, time.nanos)),
            marks: Vec::new(),
            seen,
        };
        self.clock.note(&mut entry);
        entry
    }

    fn position(&self) -> Position {
        let guard = Fingerprint::of(&self.next.guard);
        Position { offset: self.next.offset, guard, last_time: self.clock.last_time() }
    }

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
        look
    }

    fn read_lines(&mut self, buffer: &mut Vec<u8>, tools: &mut Tools<'_>) -> io::Result<Look> {
        let (length, data) = self.next.read(self.handle.get(&self.path)?, buffer)?;
        let Some(data) = data.filter(|data| data.starts_with(self.known())) else {
            return Ok(Look::Rewritten);
        };
        self.known_size = self.next.offset + data.len() as u64;
        let consumed = self.take_lines(data, tools);
        if consumed > 0 {
            let consumed = data.get(..consumed).unwrap_or_default();
            self.advance(consumed, tools);
            return Ok(Look::More);
        }
        if without_return(data).len() > tools.max_line_bytes {
            self.cut_line(data, tools);
            return Ok(Look::More);
        }
        if length < buffer.len() {
            return Ok(Look::AtEnd);
        }
        // A line longer than the buffer: again, with room for the longest one allowed.
        buffer.resize(tools.max_line_bytes + GUARD_BYTES + 2, 0);
        self.read_lines(buffer, tools)
    }

    /// Makes documents of the whole lines in `data`; returns how many bytes these lines have.
    fn take_lines(&mut self, data: &[u8], tools: &mut Tools<'_>) -> usize {
        let mut consumed = 0;
        let start = self.next.offset;
        let seen_end = start + data.len() as u64;
        for line_feed in memchr_iter(b'\n', data) {
            let line = without_return(data.get(consumed..line_feed).unwrap_or_default());
            self.take_line(line, start + consumed as u64, seen_end, tools);
            consumed = line_feed + 1;
            if tools.batch.is_full(tools.batch_bytes) {
                break;
            }
        }
        consumed
    }

    /// Makes the document of one line, if it has one.
    fn take_line(&mut self, line: &[u8], offset: u64, seen_end: u64, tools: &mut Tools<'_>) {
        self.counts.lines += 1;
        let cut = line.len() > tools.max_line_bytes;
        let line = line.get(..tools.max_line_bytes).unwrap_or(line);
        match self.parser.parse(tools.documents.calendar(), line) {
            Parsed::Nothing(Skipped::Empty) => self.counts.empty += 1,
            Parsed::Nothing(Skipped::Directive) => self.counts.directives += 1,
            Parsed::Event { time, fields, problem } => {
                self.counts.failures += u64::from(problem.is_some());
                self.counts.cut += u64::from(cut);
                self.clock.identify(&self.logical_path, line);
                let (time, source) = self.clock.time_of(offset, time, seen_end, tools.now_millis);
                let event = Event { source, offset, time, line, fields, problem, cut };
                let id = tools.documents.write(tools.batch.body(), &self.frame, &event);
                tools.batch.add(id, day_of(time.seconds), offset);
            }
        }
    }

    /// Moves over `consumed`, whose documents are in the batch, and makes a chunk of them.
    fn advance(&mut self, consumed: &[u8], tools: &mut Tools<'_>) {
        let start = self.next.offset;
        self.see(consumed);
        self.next.advance(consumed);
        self.counts.bytes += consumed.len() as u64;
        self.end_chunk(start, self.next.offset, tools);
    }

    /// Notes that documents are made of `bytes`, which begin where the next line does. It needs no
    /// file: documents whose chunk could not be made would be lost.
    fn see(&mut self, bytes: &[u8]) {
        let unknown = bytes.get(self.known().len()..).unwrap_or_default();
        let room = PREFIX_BYTES.saturating_sub(self.head.len());
        self.head.extend(unknown.iter().take(room));
    }

    /// What must stand where the next line begins, because documents were made of it already: by
    /// the last process, or of a line that was not finished.
    fn known(&self) -> &[u8] {
        let offset = usize::try_from(self.next.offset).unwrap_or(usize::MAX);
        self.head.get(offset..).unwrap_or_default()
    }

    fn end_chunk(&mut self, start: u64, end: u64, tools: &mut Tools<'_>) {
        let position = self.position();
        if tools.batch.added() == 0 {
            self.progress.push_nothing(position);
        } else {
            let owner = (self.id, self.progress.push(position));
            tools.batch.end_chunk(owner, self.clock.source(), &self.shown_path, start..end);
        }
    }

    /// Ships the beginning of a line that is longer than allowed, and goes on to search its end.
    /// The offset stays at its beginning until then: a restart reads it again and makes the same
    /// document.
    fn cut_line(&mut self, data: &[u8], tools: &mut Tools<'_>) {
        let start = self.next.offset;
        let mut searched = self.next.clone();
        searched.advance(data);
        self.see(data);
        self.take_line(data, start, searched.offset, tools);
        self.end_chunk(start, start, tools);
        self.searched = Some(searched);
    }

    fn read_past(&mut self, buffer: &mut [u8]) -> io::Result<Look> {
        let Some(searched) = &mut self.searched else { return Ok(Look::More) };
        let (_, data) = searched.read(self.handle.get(&self.path)?, buffer)?;
        let Some(data) = data else { return Ok(Look::Rewritten) };
        let Some(line_feed) = memchr(b'\n', data) else {
            searched.advance(data);
            return Ok(if data.is_empty() { Look::AtEnd } else { Look::More });
        };
        searched.advance(data.get(..=line_feed).unwrap_or_default());
        self.counts.bytes += searched.offset - self.next.offset;
        self.next = std::mem::take(searched);
        self.searched = None;
        self.progress.push_nothing(self.position());
        Ok(Look::More)
    }

    /// Ships the last line although it does not end, for a file that is read once. The offset stays
    /// before it, so that the whole line is read should it be completed one day.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_unfinished_line(&mut self, tools: &mut Tools<'_>) -> io::Result<()> {
        if self.searched.is_some() {
            return Ok(());
        }
        let mut line = vec![0; tools.max_line_bytes + 1];
        let start = self.next.offset;
        let length = read_up_to(self.handle.get(&self.path)?, &mut line, start)?;
        line.truncate(length);
        if !line.is_empty() && memchr(b'\n', &line).is_none() {
            let end = start + length as u64;
            self.see(&line);
            self.take_line(without_return(&line), start, end, tools);
            self.end_chunk(start, end, tools);
        }
        Ok(())
    }

    /// Takes another name for the same file, after a rename.
    pub fn rename(&mut self, path: &Path) {
        path.clone_into(&mut self.path);
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The first line before `end` that is data: not empty, no directive. Behind `end`, where nothing
/// was read, it may be unfinished still.
fn first_data_line(file: &File, end: u64, has_directives: bool) -> io::Result<Option<Vec<u8>>> {
    let length = usize::try_from(end).unwrap_or(FIRST_LINE_SEARCH).min(FIRST_LINE_SEARCH);
    let mut bytes = vec![0; length];
    let length = read_up_to(file, &mut bytes, 0)?;
    let lines = bytes.get(..length).unwrap_or_default().split(|byte| *byte == b'\n');
    let is_blank = |line: &[u8]| line.trim_ascii().is_empty();
    let is_directive = |line: &[u8]| has_directives && line.starts_with(b"#");
    let mut lines = lines.map(without_return);
    let line = lines.find(|line| !is_blank(line) && !is_directive(line));
    Ok(line.map(<[u8]>::to_vec))
}
