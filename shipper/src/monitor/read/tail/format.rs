//! The format of a file's lines: found out where it is not set, and compared with what was read where
//! it is.

use std::io;
use std::time::Instant;

use omphalos_common::numbers::at_most;
use omphalos_parser::scribe::Counts;
use omphalos_parser::settings::LineRule;
use omphalos_parser::{ParserKind, Preface};

use super::Tail;
use super::reading::Tools;
use crate::monitor::read::choice::{Chosen, FileFormat};
use crate::monitor::read::{directives, fit};

/// Pieces of a first line that is not whole: nobody knows its format yet.
#[derive(Debug)]
pub struct Begun {
    /// How many bytes of them there are, and since when.
    pieces: Option<(usize, Instant)>,
    /// Whether they are to be read as what they look like, because no more will come.
    decides: bool,
    /// As what a line is read that has no end yet.
    guess: ParserKind,
}

impl Default for Begun {
    fn default() -> Self {
        Self { pieces: None, decides: false, guess: ParserKind::Raw }
    }
}

impl Begun {
    /// There are so many bytes of them.
    pub fn seen(&mut self, length: usize) {
        if self.pieces.is_none_or(|(seen, _)| seen != length) {
            self.pieces = Some((length, Instant::now()));
        }
    }

    /// Since when no more of them came.
    pub fn since(&self) -> Option<Instant> {
        self.pieces.map(|(_, since)| since)
    }

    /// Whether the next read decides; whatever it finds, it is not asked again.
    pub fn take_decision(&mut self) -> bool {
        if self.decides {
            (self.pieces, self.decides) = (None, false);
            return true;
        }
        false
    }
}

impl Tail {
    /// Has the next read decide what the pieces are that stand there, if there are any: no more will
    /// come. Returns whether there are.
    pub fn decide(&mut self) -> bool {
        self.begun.decides = self.is_undecided() && self.begun.pieces.is_some();
        self.begun.decides
    }

    /// Whether it is to be said that its lines are of another format than is set: once, when some were
    /// read and nine of ten were not understood. Returns how many of how many were not.
    pub fn tells_of_misfit(&mut self, counts: &Counts) -> Option<(u64, u64)> {
        const ENOUGH: u64 = 10;
        self.failures += counts.failures;
        if self.told.fit || self.lines < ENOUGH {
            return None;
        }
        self.told.fit = true;
        (self.failures * 10 >= self.lines * 9).then_some((self.failures, self.lines))
    }

    /// Whether its format is still to be found out.
    pub fn is_undecided(&self) -> bool {
        matches!(self.format, FileFormat::Undecided(_))
    }

    /// Whether its format was found out since this was asked last: that must be saved before lines
    /// leave.
    pub fn take_new_choice(&mut self) -> bool {
        let FileFormat::New(rule) = &self.format else { return false };
        self.format = FileFormat::Known(rule.clone());
        true
    }

    /// The format of what comes last, as far as it is known.
    pub(super) fn last_rule(&self) -> Option<&LineRule> {
        self.formats.last().or_else(|| self.format.rule())
    }

    /// Of `data`, where the next line begins, what has the present format: lines that begin before its
    /// end, be it that they were not whole when that was noted. None where something of another format
    /// stands: until then an event may go on, because a format with which nothing was read leaves no trace.
    pub(super) fn of_this_format<'d>(&self, data: &'d [u8]) -> Option<&'d [u8]> {
        let Some(end) = self.format_end.filter(|_| !data.is_empty()) else { return Some(data) };
        let left = end.checked_sub(self.next.offset).filter(|left| *left > 0)?;
        let left = at_most(left, data.len());
        let end = self.scribe.charset().line_ends(data).find(|end| *end >= left);
        Some(end.and_then(|end| data.get(..end)).unwrap_or(data))
    }

    /// Goes on with the format of what comes next.
    pub(super) fn change_format(&mut self, tools: &mut Tools<'_>) -> io::Result<()> {
        self.end_all_events(tools)?;
        let offset = self.next.offset;
        self.take_format_of(offset)?;
        let content = self.handle.get(&self.path)?;
        if content.is_seekable() {
            for line in directives::before(content, self.scribe.preface(), offset)? {
                self.scribe.recall(&line);
            }
        }
        Ok(())
    }

    /// Reads with the format of what stands at `offset`.
    pub(super) fn take_format_of(&mut self, offset: u64) -> io::Result<()> {
        let ahead = self.formats.at(offset);
        self.format_end = ahead.as_ref().map(|(_, end)| *end).filter(|_| self.choice.is_some());
        let rule = ahead.map(|(rule, _)| rule).or_else(|| self.formats.last().cloned());
        let (Some(choice), Some(rule)) = (&self.choice, rule) else { return Ok(()) };
        let Chosen { rule, scribe, dataset } = choice.chosen(rule)?;
        self.scribe.adopt(scribe);
        self.dataset = dataset;
        if let FileFormat::Known(known) | FileFormat::New(known) = &mut self.format {
            *known = rule;
        }
        Ok(())
    }

    /// Has a first line that has no end yet read as what it looks like, and returns whether that is
    /// another format than before. It decides nothing: more of the line may make another format of it,
    /// as a user agent does behind what is a whole line without one.
    pub(super) fn guess(&mut self, line: &[u8]) -> io::Result<bool> {
        let FileFormat::Undecided(choice) = &self.format else { return Ok(false) };
        let kind = choice.detected(line).unwrap_or(ParserKind::Raw);
        if self.begun.guess == kind {
            return Ok(false);
        }
        let Chosen { scribe, dataset, .. } = choice.chosen(choice.rule(kind))?;
        self.scribe.adopt(scribe);
        (self.begun.guess, self.dataset) = (kind, dataset);
        Ok(true)
    }

    /// Finds out the format of its lines, of which `data` are the first that will be read, and whether
    /// it could: `is_all` says that there will be no more.
    pub(super) fn choose(&mut self, data: &[u8], is_all: bool) -> io::Result<bool> {
        let FileFormat::Undecided(choice) = &self.format else { return Ok(true) };
        let offset = self.next.offset;
        let content = self.handle.get(&self.path)?;
        let mut head = Vec::new();
        if offset > 0 && content.is_seekable() {
            // What speaks of the format stands at the beginning.
            head.resize(fit::HEAD_BYTES, 0);
            let length = content.read_up_to(&mut head, 0)?.len();
            head.truncate(length);
        }
        let beginning = if head.is_empty() { data } else { &head };
        let Some(chosen) = choice.by(beginning, is_all)? else { return Ok(false) };
        let Chosen { rule, scribe, dataset } = chosen;
        self.scribe.adopt(scribe);
        if self.scribe.preface() != Preface::None && offset > 0 {
            for line in directives::before(content, self.scribe.preface(), offset)? {
                self.scribe.recall(&line);
            }
        }
        (self.format, self.dataset) = (FileFormat::New(rule), dataset);
        Ok(true)
    }

    /// Which format its first lines have; `None` where they cannot be read once more, or are joined.
    pub fn looks_like(&mut self) -> Option<ParserKind> {
        let charset = self.scribe.charset();
        let is_plain = !self.scribe.is_joining();
        let content = self.handle.get(&self.path).ok();
        let content = content.filter(|content| is_plain && content.is_seekable())?;
        fit::detected(content, charset).ok()
    }
}
