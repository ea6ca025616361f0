//! One file being read: from an offset that is proven to fit its content, line by line, to its
//! present end. How lines are read is in `reading.rs`, what becomes of what has no end in `ending.rs`,
//! what the checkpoint says of it in `entry.rs`; here is what is known of the file.
//!
//! Every read begins with the bytes before the offset, so that a file that was truncated, or
//! rewritten past the offset, is noticed at once and for no extra system call. The offset moves
//! over whole lines only; what moves the checkpoint is [`Progress`].

mod damage;
mod ending;
mod entry;
mod format;
mod opening;
mod pieces;
pub mod reading;

pub use pieces::PIECES_SEARCH;

use std::collections::VecDeque;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use omphalos_common::event::SourceId;
use omphalos_common::ids::IdMakers;

use crate::monitor::know::matching;
use crate::monitor::position::clock::{Clock, Names};
use crate::monitor::position::entry::Stamp;
use crate::monitor::position::identity::FileKey;
use crate::monitor::position::progress::{Position, Progress};
use crate::monitor::read::choice::{Choice, Choices, FileFormat};
use crate::monitor::read::content::{Content, Outlook};
use crate::monitor::read::formats::Formats;
use crate::monitor::read::handle::Handle;
use crate::monitor::read::head::Head;
use crate::monitor::read::place::Place;
use crate::monitor::read::unfinished::Unfinished;
use format::Begun;
use omphalos_parser::scribe::charset::Charset;
use omphalos_parser::scribe::{Counts, Scribe};
use omphalos_parser::settings::LineRule;

/// One content of one file: another number after each truncation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TailId(pub u64);

/// How long what has no end waits for it.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// An event for its next line.
    pub event: Duration,
    /// A last line for its line feed.
    pub line: Duration,
}

/// What a tail is made of besides its file.
pub struct Setup {
    /// The number of this content.
    pub id: TailId,
    /// Index of its `[[monitor]]` table.
    pub input: usize,
    /// What it is called in the headers of batches.
    pub shown_path: Arc<str>,
    /// The format of its lines.
    pub format: FileFormat,
    /// What makes what it is read with, where lines before had another format.
    pub choice: Option<Box<Choice>>,
    /// What makes documents of its lines.
    pub scribe: Scribe<Position>,
    /// The cleaned dataset.
    pub dataset: Arc<str>,
    /// What the source id is made of.
    pub names: Names,
    /// What makes the ids of its lines: one of these.
    pub ids: IdMakers,
    /// How often it was said of a file that it was read by other rules.
    pub changes: Choices,
}

impl Setup {
    /// By what lines of the same format are read as the settings are now.
    pub fn rule_now(&self, rule: LineRule) -> LineRule {
        match &self.format {
            FileFormat::Undecided(choice) => choice.rule(rule.parser),
            FileFormat::Known(_) | FileFormat::New(_) => rule,
        }
    }
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
    /// The cleaned dataset of its lines.
    pub dataset: Arc<str>,
    format: FileFormat,
    /// The formats of its lines, where the checkpoint says so.
    formats: Formats,
    /// See [`Entry`](crate::monitor::position::entry::Entry).
    turn: u64,
    /// What makes what the next lines are read with, where they have another format than these.
    choice: Option<Box<Choice>>,
    /// Up to where lines have the present format, where others follow.
    format_end: Option<u64>,
    scribe: Scribe<Position>,
    handle: Handle,
    shown_path: Arc<str>,
    names: Names,
    clock: Clock,
    /// Where events were ended because nothing followed for long, and how often that was.
    splits: VecDeque<u64>,
    splits_made: u64,
    /// Where the next line begins.
    next: Place,
    /// What of its beginning documents were made of.
    head: Head,
    known_size: u64,
    /// What the file was like when it was last looked at from outside.
    stamp: Option<Stamp>,
    /// Whether it is not read any further, because this is a single pass.
    is_done: bool,
    /// Whether it was written to since it was last read, as an event told.
    is_written: bool,
    /// How far the last read came.
    reach: Reach,
    /// Inside a line that is too long: up to where its end was searched for.
    searched: Option<Place>,
    /// Up to where there is nothing but padding.
    padding_end: u64,
    /// In what only goes forward: in padding that is longer than the buffer.
    padded: Option<Padded>,
    unfinished: Unfinished,
    /// Pieces of a first line, whose format is not known as long as it is not whole.
    begun: Begun,
    /// Up to where there is nothing to ship, at the end; 0 if there is something.
    nothing_to: u64,
    /// Whether more could come when it was last read: known without its descriptor too.
    outlook: Outlook,
    /// Where this process began to read it.
    begun_at: u64,
    /// Whether something of it was read before.
    was_read: bool,
    /// How many lines of it were read by this process, and how many of them not understood.
    lines: u64,
    failures: u64,
    told: Told,
}

/// How far a read came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// There may be more to read.
    Somewhere,
    /// To the end of what is there.
    End,
    /// To an end that nothing can follow, and all that stands before it was shipped.
    Over,
}

/// Text without an end, and padding behind it that nothing has followed yet.
struct Padded {
    /// What stands where the next line begins.
    text: Vec<u8>,
    /// Up to where there is padding.
    place: Place,
}

/// What was said of a file, and is not said again.
#[derive(Debug, Default)]
struct Told {
    /// That it is damaged.
    damage: bool,
    /// That lines have no time of their own.
    untimed: bool,
    /// Whether they are of the format that is set: judged once.
    fit: bool,
}

impl Tail {
    /// Goes on in `content`, which has the same bytes before the offset: a copy that a rotation
    /// made.
    ///
    /// # Errors
    /// When the copy cannot be looked at.
    pub fn follow(&mut self, content: Content) -> io::Result<()> {
        self.key = content.key()?;
        self.handle = Handle::new(self.key, content);
        Ok(())
    }

    /// What it says, opened again if need be.
    ///
    /// # Errors
    /// When it cannot be opened, or is not there any more.
    pub fn content(&mut self) -> io::Result<&mut Content> {
        self.handle.get(&self.path)
    }

    /// Whether it is to be said that lines have no time of their own: once, where they should.
    pub fn tells_of_untimed(&mut self) -> bool {
        self.scribe.has_times() && !std::mem::replace(&mut self.told.untimed, true)
    }

    /// How its characters are written.
    pub fn charset(&self) -> Charset {
        self.scribe.charset()
    }

    /// How much of its beginning is known.
    pub fn head_length(&self) -> usize {
        self.head.length()
    }

    /// Whether `content` begins with what was seen of this file, as far as both go.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn began_like(&self, content: &mut Content) -> io::Result<bool> {
        self.head.is_like(content)
    }

    /// The source of its lines with a time, if it is known.
    pub fn timed_source(&self) -> Option<SourceId> {
        self.clock.timed_source()
    }

    /// Whether its name may be numbered by its writer.
    pub fn is_numbered(&self) -> bool {
        self.names.numbered.is_some()
    }

    /// Notes what the file is like, looked at from outside; whether it was otherwise before.
    pub fn note_stamp(&mut self, stamp: Stamp) -> bool {
        self.stamp.replace(stamp) != Some(stamp)
    }

    /// Whether the last read came to the end.
    pub fn is_at_end(&self) -> bool {
        self.reach != Reach::Somewhere
    }

    /// It may have been written to since it was read to its end.
    pub fn look_again(&mut self) {
        self.reach = Reach::Somewhere;
    }

    /// Reads no further than `end`, if there is one; whether it has come so far.
    pub fn stop_at(&mut self, end: Option<u64>) -> bool {
        self.is_done = end.is_some_and(|end| self.offset() >= end);
        self.is_done
    }

    /// Takes its descriptor away, if it has one.
    pub fn take_content(&mut self) -> Option<Content> {
        self.handle.take()
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

    /// Where the next read begins.
    pub fn reads_from(&self) -> u64 {
        self.searched.as_ref().map_or(self.next.offset, |searched| searched.offset)
    }

    /// How many bytes there are that are not confirmed, as far as the last scan and reading tell.
    pub fn lag(&self) -> u64 {
        // Of an archive only the compressed size is known before it is read.
        let seen = self.stamp.filter(|_| self.is_plain()).map_or(0, |stamp| stamp.bytes);
        let length = seen.max(self.known_size);
        length.saturating_sub(self.progress.confirmed().offset)
    }

    /// It was written to, and is to be read.
    pub fn note_written(&mut self) {
        self.is_written = true;
    }

    /// Whether it is longer than when it was last read.
    pub fn has_grown(&self) -> bool {
        self.metadata().is_ok_and(|found| found.len() > self.known_size.max(self.read_to()))
    }

    /// How many bytes are known to have stood in it that are in no document, at least: what was read
    /// or seen from outside, or a single one where only an event tells of something.
    pub fn unread(&self) -> u64 {
        let seen = self.stamp.filter(|_| self.is_plain()).map_or(0, |stamp| stamp.bytes);
        let unread = seen.max(self.known_size).saturating_sub(self.shipped_to());
        unread.max(u64::from(self.is_written))
    }

    /// Whether it has a length that tells how far it is to be read.
    pub fn is_plain(&self) -> bool {
        !self.is_pipe() && !self.is_archive()
    }

    /// Whether it comes in through a pipe.
    pub fn is_pipe(&self) -> bool {
        self.handle.is_pipe()
    }

    /// Whether `content` begins as the file does now, if that can be opened.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn stands_like(&mut self, content: &mut Content) -> io::Result<bool> {
        match self.handle.get(&self.path) {
            Ok(original) => matching::begin_alike(content, original),
            Err(_) => Ok(false),
        }
    }

    /// Whether the file is shorter, or begins otherwise, than what was read.
    pub fn is_rewritten(&mut self) -> bool {
        let prefix = self.head.fingerprint();
        let mut head = vec![0; self.head.length()];
        let is_shorter = self.metadata().is_ok_and(|found| found.len() < self.next.offset);
        let path = &self.path;
        let read = self.handle.get(path).and_then(|content| content.read_exact(&mut head, 0));
        is_shorter || read.is_ok() && !prefix.matches(&head)
    }

    /// Whether everything that is there now was looked at; a last line without an end may be left.
    pub fn has_read_all(&self) -> bool {
        let is_read = |length| self.is_at_end() && self.known_size >= length;
        let all_was_read = if self.is_plain() {
            match self.metadata() {
                Ok(found) => self.offset() >= found.len() || is_read(found.len()),
                // What is nowhere has nothing to read; what cannot be looked at may have.
                Err(error) => error.kind() == io::ErrorKind::NotFound,
            }
        } else {
            is_read(0)
        };
        self.is_done || all_was_read
    }

    /// Whether everything was read and nothing will follow.
    pub fn is_complete(&self) -> bool {
        self.reach == Reach::Over
    }

    /// Whether it is an archive of which the end is missing, as far as it was read.
    pub fn is_cut(&self) -> bool {
        self.outlook == Outlook::Cut
    }

    /// Whether it cannot be read to its end.
    pub fn is_damaged(&self) -> bool {
        matches!(self.outlook, Outlook::Damaged(_) | Outlook::Refused(_))
    }

    /// Whether its lines may be pieces of longer ones.
    pub fn has_pieces(&self) -> bool {
        self.scribe.has_pieces()
    }

    /// Whether it is a compressed file.
    pub fn is_archive(&self) -> bool {
        self.handle.is_archive()
    }

    /// How long the file was when it was last read, at least.
    pub fn known_size(&self) -> u64 {
        self.known_size
    }

    /// Where this process began to read it.
    pub fn begun_at(&self) -> u64 {
        self.begun_at
    }

    /// Where the next line to read begins.
    pub fn offset(&self) -> u64 {
        self.next.offset
    }

    /// Up to where everything became a document: with a last line that does not end, if it did.
    pub fn shipped_to(&self) -> u64 {
        self.scribe.first_begun().map_or(self.read_to(), |(start, _)| start)
    }

    /// Up to where everything was read, be it that some of it is held.
    pub fn read_to(&self) -> u64 {
        self.nothing_to.max(self.next.offset + self.unfinished.shipped())
    }

    /// What was found since that was last taken.
    #[cfg(test)]
    pub fn counts(&self) -> &Counts {
        &self.scribe.counts
    }

    /// What was found since this was last taken.
    pub fn take_counts(&mut self) -> Counts {
        self.lines += self.scribe.counts.lines;
        std::mem::take(&mut self.scribe.counts)
    }

    /// How many lines were read into something that has not ended.
    pub fn held(&self) -> u64 {
        self.scribe.held()
    }

    /// How many facts were ever noted that must be saved before the lines leave: times of
    /// discovery, and where events were ended.
    pub fn marks_made(&self) -> u64 {
        self.clock.marks_made() + self.splits_made
    }

    /// When something must be shipped although its end has not been seen, if nothing more comes.
    pub fn due(&self, waits: Waits) -> Option<Instant> {
        let event = self.event_since().map(|since| since + waits.event);
        let line = self.unfinished.due(waits.line);
        event.into_iter().chain(line).min()
    }

    fn event_since(&self) -> Option<Instant> {
        self.scribe.waiting_since().or_else(|| self.begun.since().filter(|_| self.is_undecided()))
    }

    /// Takes another name for the same file, after a rename.
    pub fn rename(&mut self, path: &Path) {
        path.clone_into(&mut self.path);
    }
}
