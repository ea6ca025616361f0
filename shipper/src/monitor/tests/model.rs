//! Anything that may happen to a file and to its reader, in any order, against what must come of
//! it: every whole line becomes a document, always the same one, and nothing is passed over.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::monitor::position::identity::{GUARD_BYTES, PREFIX_BYTES};

/// Longer than what fits into the smallest read buffer.
const MAX_LINE_BYTES: usize = 1500;

/// A read buffer must hold what proves that the content is the same, and something more.
const MIN_BUFFER_BYTES: usize = GUARD_BYTES + PREFIX_BYTES + 1;

/// What a line is like; its text says in which content it stands.
#[derive(Debug, Clone, Copy)]
enum Line {
    Plain,
    Timed,
    Empty,
    NoText,
    /// With a carriage return at its end, and so many bytes more than allowed, or less.
    Long(bool, i8),
    TooLong(u16),
}

#[derive(Debug, Clone)]
enum Action {
    Append(Vec<Line>),
    /// Finishes a line that is begun, and appends a part of another.
    AppendPart(Line, Index),
    AppendMore(Index),
    Rewrite(Vec<Line>, Option<(Line, Index)>),
    Read {
        times: u8,
        buffer_bytes: usize,
        batch_bytes: usize,
    },
    Confirm(Index),
    Save,
    Restart,
    Crash,
    LoseCheckpoint,
    /// Its descriptor is needed for another file.
    Close,
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        3 => Just(Line::Plain),
        3 => Just(Line::Timed),
        1 => Just(Line::Empty),
        1 => Just(Line::NoText),
        1 => (any::<bool>(), -2i8..=2).prop_map(|(has_return, more)| Line::Long(has_return, more)),
        1 => (1u16..2500).prop_map(Line::TooLong),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let part = || (line(), any::<Index>());
    let sizes = (1u8..4, MIN_BUFFER_BYTES..2500, prop_oneof![1usize..2000, Just(usize::MAX)]);
    let read = sizes.prop_map(|(times, buffer_bytes, batch_bytes)| Action::Read {
        times,
        buffer_bytes,
        batch_bytes,
    });
    prop_oneof![
        4 => vec(line(), 1..4).prop_map(Action::Append),
        3 => part().prop_map(|(line, index)| Action::AppendPart(line, index)),
        3 => any::<Index>().prop_map(Action::AppendMore),
        1 => (vec(line(), 0..4), proptest::option::of(part()))
            .prop_map(|(lines, part)| Action::Rewrite(lines, part)),
        8 => read,
        4 => any::<Index>().prop_map(Action::Confirm),
        2 => Just(Action::Save),
        1 => Just(Action::Restart),
        1 => Just(Action::Crash),
        1 => Just(Action::LoseCheckpoint),
        2 => Just(Action::Close),
    ]
}

/// A file that things happen to, and what is known of it.
struct World {
    log: Log,
    tail: Tail,
    /// Whether the first data line of every content has a time, so that ids need no checkpoint.
    begins_timed: bool,
    /// How often the file was rewritten, which is in every line but empty ones.
    generation: u8,
    lines_made: u32,
    content: Vec<u8>,
    /// The rest of the line that is begun.
    pending: Vec<u8>,
    /// Whether the file was rewritten since the tail last looked.
    is_rewritten: bool,
    /// What is on disk.
    checkpoint: Option<Entry>,
    in_flight: BTreeMap<u64, Chunk>,
    /// The document that each line became when it was first read.
    ids: HashMap<(u8, u64), DocumentId>,
    delivered: HashSet<(u8, u64)>,
}

impl World {
    fn new(begins_timed: bool) -> Self {
        let mut log = Log::new(ParserKind::Json, "");
        log.max_line_bytes = MAX_LINE_BYTES;
        Self {
            tail: log.open(),
            log,
            begins_timed,
            generation: 0,
            lines_made: 0,
            content: Vec::new(),
            pending: Vec::new(),
            is_rewritten: false,
            checkpoint: None,
            in_flight: BTreeMap::new(),
            ids: HashMap::new(),
            delivered: HashSet::new(),
        }
    }

    fn follow(&mut self, action: Action) {
        match action {
            Action::Append(lines) => self.append(&lines, None),
            Action::AppendPart(line, index) => self.append(&[], Some((line, index))),
            Action::AppendMore(index) => self.append_some(index),
            Action::Rewrite(lines, part) => self.rewrite(&lines, part),
            Action::Read { times, buffer_bytes, batch_bytes } => {
                self.log.buffer_bytes = buffer_bytes;
                self.log.batch_bytes = batch_bytes;
                for _ in 0..times {
                    self.look();
                }
            }
            Action::Confirm(index) => self.confirm(index),
            Action::Save => self.checkpoint = Some(saved(&self.tail.entry(0))),
            Action::Restart => {
                self.checkpoint = Some(saved(&self.tail.entry(0)));
                self.open();
            }
            Action::Crash => self.open(),
            Action::LoseCheckpoint if self.begins_timed => {
                self.checkpoint = None;
                self.open();
            }
            Action::LoseCheckpoint => {}
            Action::Close => self.tail.close(),
        }
        self.check_progress();
    }

    fn append(&mut self, lines: &[Line], part: Option<(Line, Index)>) {
        for line in lines {
            let line = self.text_of(*line);
            self.pending.extend(line);
        }
        self.write_pending(self.pending.len());
        if let Some((line, index)) = part {
            self.pending = self.text_of(line);
            self.append_some(index);
        }
    }

    /// Appends a part of what is pending, perhaps up to its very end.
    fn append_some(&mut self, index: Index) {
        self.write_pending(index.index(self.pending.len() + 1));
    }

    fn write_pending(&mut self, count: usize) {
        let part: Vec<u8> = self.pending.drain(..count).collect();
        self.log.append(&part);
        self.content.extend(part);
    }

    /// What is written stands there at once: nobody sees the file empty in between.
    fn rewrite(&mut self, lines: &[Line], part: Option<(Line, Index)>) {
        self.log.rewrite("");
        self.generation += 1;
        self.content.clear();
        self.pending.clear();
        self.is_rewritten = true;
        self.append(lines, part);
    }

    /// A line that there is only once.
    fn text_of(&mut self, line: Line) -> Vec<u8> {
        self.lines_made += 1;
        let letter = char::from(b'A' + self.generation);
        let word = format!("{letter}{}{letter}", self.lines_made);
        let long =
            |bytes: usize| format!("{word}{}", letter.to_string().repeat(bytes - word.len()));
        let is_first = whole_lines(&[&self.content[..], &self.pending].concat()).is_empty();
        let mut bytes = match line {
            Line::Empty => Vec::new(),
            Line::Timed => timed(&word, self.lines_made),
            _ if is_first && self.begins_timed => timed(&word, self.lines_made),
            Line::Plain => word.into_bytes(),
            Line::NoText => [word.as_bytes(), b"\0\xff\xe2\x82"].concat(),
            Line::Long(has_return, more) => {
                let bytes = MAX_LINE_BYTES.saturating_add_signed(isize::from(more));
                [long(bytes).as_bytes(), if has_return { b"\r" } else { b"" }].concat()
            }
            Line::TooLong(more) => long(MAX_LINE_BYTES + usize::from(more)).into_bytes(),
        };
        bytes.push(b'\n');
        bytes
    }

    fn look(&mut self) -> Look {
        let offset = usize::try_from(self.tail.offset()).unwrap();
        let is_other = self.is_rewritten && !self.begins_like_before(offset);
        self.log.now_millis += 1000;
        let marks = self.tail.marks_made();
        let shipped = self.log.look(&mut self.tail);
        if shipped.look == Look::Rewritten {
            assert!(self.is_rewritten, "nobody wrote the file anew");
            assert!(shipped.chunks.is_empty());
            self.tail = self.log.open();
            self.start_over();
            return Look::More;
        }
        assert!(!is_other, "that there is other content was not noticed");
        self.is_rewritten = false;
        for document in &shipped.documents {
            self.check(document);
        }
        for chunk in shipped.chunks {
            self.in_flight.insert(chunk.number, chunk);
        }
        if self.tail.marks_made() != marks {
            // Must be on disk before the batch leaves.
            self.checkpoint = Some(saved(&self.tail.entry(0)));
        }
        shipped.look
    }

    /// Whether the content in front of `offset` is what was read there: without a letter, which
    /// would tell, because each rewriting has its own.
    fn begins_like_before(&self, offset: usize) -> bool {
        let before = self.content.get(..offset);
        before.is_some_and(|before| self.log.fits(&self.tail.entry_at_offset()) && is_blank(before))
    }

    fn check(&mut self, document: &Document) {
        let lines = whole_lines_and_rest(&self.content);
        let line = lines.iter().find(|(offset, _)| *offset == document.offset);
        let Some((_, line)) = line else { panic!("no line begins there: {document:?}") };
        let is_cut = line.len() > MAX_LINE_BYTES;
        let shipped = &line[..line.len().min(MAX_LINE_BYTES)];
        assert_eq!(document.line, String::from_utf8_lossy(shipped));
        assert_eq!(document.is_cut, is_cut);
        let place = (self.generation, document.offset);
        let first = *self.ids.entry(place).or_insert(document.id);
        assert_eq!(first, document.id, "not the same document again: {document:?}");
    }

    /// Confirms any of the chunks that are on their way.
    fn confirm(&mut self, index: Index) {
        let numbers: Vec<u64> = self.in_flight.keys().copied().collect();
        if !numbers.is_empty() {
            self.confirm_number(*index.get(&numbers));
        }
    }

    fn confirm_number(&mut self, number: u64) {
        let chunk = self.in_flight.remove(&number).unwrap();
        self.tail.confirm(number).unwrap();
        if !self.is_rewritten {
            let places = chunk.offsets.iter().map(|offset| (self.generation, *offset));
            self.delivered.extend(places);
        }
    }

    /// What a new process does.
    fn open(&mut self) {
        let entry = self.checkpoint.clone().filter(|entry| self.log.fits(entry));
        self.tail = self.log.open_at(&self.log.path, entry.as_ref());
        self.start_over();
    }

    fn start_over(&mut self) {
        self.in_flight.clear();
        self.is_rewritten = false;
    }

    fn check_progress(&self) {
        let confirmed = self.tail.entry(0).offset;
        let first = self.in_flight.values().map(|chunk| chunk.range.start).min();
        assert!(confirmed <= first.unwrap_or(confirmed).min(self.tail.offset()));
        let mut passed = whole_lines(&self.content);
        passed.retain(|(offset, _)| *offset < confirmed && !self.is_rewritten);
        for (offset, _) in passed {
            assert!(self.delivered.contains(&(self.generation, offset)), "{offset} was skipped");
        }
    }

    /// Reads to the end, and has everything confirmed, the last first.
    fn finish(&mut self) {
        let mut looks = 0;
        while self.look() == Look::More {
            looks += 1;
            assert!(looks < 10_000, "reading comes to no end");
        }
        while !self.in_flight.is_empty() {
            self.confirm_number(*self.in_flight.keys().next_back().unwrap());
            self.check_progress();
        }
        let end = self.content.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        assert_eq!(self.tail.entry(0).offset, end as u64);
        assert!(self.tail.progress.is_settled());
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

fn timed(word: &str, number: u32) -> Vec<u8> {
    let (minute, second) = (number / 60, number % 60);
    let time = format!("2026-11-22T00:{minute:02}:{second:02}Z");
    format!("{{\"time\":\"{time}\",\"word\":\"{word}\"}}").into_bytes()
}

/// Where each line begins, and what it is without its end; the unfinished one too.
fn whole_lines_and_rest(content: &[u8]) -> Vec<(u64, &[u8])> {
    let mut start = 0;
    let mut lines = Vec::new();
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        lines.push((start, text.strip_suffix(b"\r").unwrap_or(text)));
        start += line.len() as u64;
    }
    lines.retain(|(_, line)| !is_blank(line));
    lines
}

fn whole_lines(content: &[u8]) -> Vec<(u64, &[u8])> {
    let end = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    whole_lines_and_rest(&content[..end])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn every_line_becomes_one_document_whatever_happens(
        begins_timed in any::<bool>(),
        actions in vec(action(), 1..40),
    ) {
        let mut world = World::new(begins_timed);
        for action in actions {
            world.follow(action);
        }
        world.finish();
    }
}
