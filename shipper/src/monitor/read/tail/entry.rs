//! How far a file is delivered, and what the checkpoint says of it.

use std::io;

use super::Tail;
use crate::monitor::know::matching::stamp;
use crate::monitor::position::entry::Entry;
use crate::monitor::position::progress::Position;

impl Tail {
    /// Notes that a chunk of this file is confirmed.
    ///
    /// # Errors
    /// [`Broken`](crate::monitor::broken::Broken) when it has no such chunk on its way.
    pub fn confirm(&mut self, number: u64) -> io::Result<()> {
        self.progress.confirm(number)?;
        let offset = self.progress.confirmed().offset;
        self.clock.forget_before(offset);
        while self.splits.front().is_some_and(|split| *split <= offset) {
            self.splits.pop_front();
        }
        Ok(())
    }

    /// What the checkpoint says of this file: up to where it is confirmed.
    pub fn entry(&self, seen: i64) -> Entry {
        let entry = self.entry_at(self.progress.confirmed(), seen);
        let complete = self.is_read_archive().then(|| self.metadata().ok()).flatten();
        Entry { complete: complete.map(|metadata| stamp(&metadata)), ..entry }
    }

    /// The same when it is read no further: whether anything may have left, and up to where, is known.
    pub fn last_entry(&self, seen: i64) -> Entry {
        let reached = self.progress.is_settled().then(|| self.reached());
        Entry { reached, ..self.entry(seen) }
    }

    /// Up to where something of it became a document: beyond the last line end, where a part of a line
    /// did. Also what is not one yet, where an event was ended because that has another format: whoever
    /// reads it again ends the event there too.
    fn reached(&self) -> u64 {
        let is_cut = u64::from(self.searched.is_some());
        let part = self.unfinished.shipped().max(is_cut);
        let offset = self.progress.confirmed().offset;
        if part > 0 {
            self.next.offset + part
        } else if self.formats.change_at(offset) && self.format_end != Some(offset) {
            self.known_size.max(offset)
        } else {
            offset
        }
    }

    /// Whether it is an archive of which everything is confirmed.
    pub fn is_read_archive(&self) -> bool {
        self.is_archive() && self.progress.is_settled() && self.is_complete()
    }

    /// The same for where it is read, to find its content elsewhere.
    pub fn entry_at_offset(&self) -> Entry {
        self.entry_at(self.position(), 0)
    }

    fn entry_at(&self, position: Position, seen: i64) -> Entry {
        let splits = self.splits.iter().filter(|split| **split > position.offset);
        let mut entry = Entry {
            path: self.path.clone(),
            key: self.key,
            prefix: self.head.fingerprint(),
            unread: self.is_unread(),
            offset: position.offset,
            guard: position.guard,
            id_version: 1,
            id_key: None,
            source: None,
            untimed: None,
            last_time: position.last_time.map(|time| (time.seconds, time.nanos)),
            marks: Vec::new(),
            splits: splits.copied().collect(),
            complete: None,
            reached: None,
            turn: self.turn,
            formats: self.formats.former(),
            parser: self.last_rule().map(|rule| rule.parser.name().to_owned()),
            times: self.last_rule().and_then(|rule| rule.times.clone()),
            dataset: self.last_rule().and_then(|rule| rule.dataset.clone()),
            seen,
        };
        self.clock.note(&mut entry);
        entry
    }

    /// Whether nothing of it was read, by anybody who had this checkpoint.
    fn is_unread(&self) -> bool {
        !self.was_read && self.head.length() > 0 && self.reads_from() == 0 && self.read_to() == 0
    }

    /// Where the next line begins.
    pub(super) fn position(&self) -> Position {
        let guard = self.next.guard();
        Position { offset: self.next.offset, guard, last_time: self.clock.last_time() }
    }

    /// Up to where everything became a document or is nothing: before what is begun.
    pub(super) fn settled_position(&self) -> Position {
        self.scribe.first_begun().map_or_else(|| self.position(), |(_, mark)| mark)
    }
}
