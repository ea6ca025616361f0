//! How a file is begun: at its beginning, where the checkpoint says, or at its end.

use omphalos_common::ids::IdMakers;
use omphalos_common::numbers::at_most;
use omphalos_parser::Preface;
use omphalos_parser::scribe::charset::{Charset, MARK_BYTES};
use omphalos_parser::scribe::padding;
use omphalos_parser::settings::LineRule;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::{debug, warn};

use super::format::Begun;
use super::{Reach, Setup, Tail, Told};
use crate::monitor::broken;
use crate::monitor::know::matching;
use crate::monitor::know::others::Heard;
use crate::monitor::position::clock::Clock;
use crate::monitor::position::entry::{Entry, Former};
use crate::monitor::position::progress::Progress;
use crate::monitor::read::choice::FileFormat;
use crate::monitor::read::content::{Content, Outlook};
use crate::monitor::read::directives;
use crate::monitor::read::formats::{Formats, MOST_CHANGES, Outcome};
use crate::monitor::read::handle::Handle;
use crate::monitor::read::head::Head;
use crate::monitor::read::place::{Place, last_line_end};
use crate::monitor::read::unfinished::Unfinished;

/// So many of the rules that lines of a file were read by are shown: the last ones.
const MOST_SHOWN: usize = 3;

/// How much of a file is searched for its first data line.
const FIRST_LINE_SEARCH: usize = 64 * 1024;

impl Tail {
    /// Reads `content` from its beginning; or from where the entry says that was `heard`, which must fit
    /// it ([`crate::monitor::know::matching::fits`]).
    ///
    /// # Errors
    /// When the file cannot be read, or its ids were begun with a key that is not known.
    pub fn open(setup: Setup, path: PathBuf, content: Content, heard: &Heard) -> io::Result<Self> {
        let key = content.key()?;
        let entry = heard.entry.as_ref();
        let clock = clock_of(&setup.ids, entry)?;
        let (setup, formats) = as_begun(setup, &path, heard)?;
        let ahead = formats.at(entry.map_or(0, |entry| entry.offset));
        let mut tail = Self {
            id: setup.id,
            input: setup.input,
            shown_path: setup.shown_path,
            path,
            key,
            progress: Progress::default(),
            dataset: setup.dataset,
            format: setup.format,
            formats,
            turn: entry.map_or(0, |entry| entry.turn),
            format_end: ahead.map(|(_, end)| end).filter(|_| setup.choice.is_some()),
            choice: setup.choice,
            scribe: setup.scribe,
            handle: Handle::new(key, content),
            names: setup.names,
            clock,
            splits: entry
                .map_or_else(VecDeque::new, |entry| entry.splits.iter().copied().collect()),
            splits_made: 0,
            next: Place::default(),
            head: Head::default(),
            known_size: 0,
            stamp: None,
            is_done: false,
            is_written: false,
            reach: Reach::Somewhere,
            searched: None,
            padding_end: 0,
            padded: None,
            unfinished: Unfinished::default(),
            begun: Begun::default(),
            nothing_to: 0,
            outlook: Outlook::Open,
            begun_at: 0,
            was_read: entry.is_some_and(Entry::has_seen),
            lines: 0,
            failures: 0,
            told: Told::default(),
        };
        let seen = entry.map_or(0, |entry| u64::from(entry.prefix.length));
        tail.go_to(entry.map_or(0, |entry| entry.offset), seen)?;
        Ok(tail)
    }

    /// Skips all lines that are there; returns how many bytes they are.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn skip_to_end(&mut self) -> io::Result<u64> {
        let content = self.handle.get(&self.path)?;
        let end = matching::length(content)?;
        let offset = last_line_end(content, self.scribe.charset(), end)?;
        self.go_to(offset, 0)?;
        Ok(offset)
    }

    /// Goes on at `offset`, where a line begins; `seen` bytes from the beginning on were seen.
    fn go_to(&mut self, offset: u64, seen: u64) -> io::Result<()> {
        let content = self.handle.get(&self.path)?;
        // What only goes forward is read from its beginning, to know which directives are in force;
        // repeats have the same ids.
        let preface = self.scribe.preface();
        let again = preface != Preface::None && !content.is_seekable();
        let offset = if again { 0 } else { offset };
        if again {
            self.take_format_of(0)?;
        }
        let content = self.handle.get(&self.path)?;
        self.head = Head::read(content, seen.max(offset))?;
        let mut mark = [0; MARK_BYTES];
        self.scribe.see_beginning(content.read_up_to(&mut mark, 0)?);
        let charset = self.scribe.charset();
        let preface = self.scribe.preface();
        let scribe = &mut self.scribe;
        if !self.clock.is_identified()
            && let Some(first) = first_data_line(content, charset, offset, |line| match preface {
                Preface::None => false,
                Preface::Directives(_) => line.starts_with(b"#"),
                // A first line that names no columns is data.
                Preface::Header => scribe.recall(line),
            })?
        {
            self.clock.identify(&self.names, &first);
        }
        for line in directives::before(content, self.scribe.preface(), offset)? {
            self.scribe.recall(&line);
        }
        if self.scribe.has_pieces() {
            let before = super::pieces::lines_before(content, offset)?;
            self.scribe.recall_pieces(&before);
        }
        self.next = Place::find(content, offset)?;
        self.begun_at = offset;
        self.head.settle(offset);
        self.progress = Progress::new(self.position());
        Ok(())
    }
}

/// Lines keep the rule by which they were read; one that is set is for those that nobody has read.
fn as_begun(mut setup: Setup, path: &Path, heard: &Heard) -> io::Result<(Setup, Formats)> {
    let Some(entry) = &heard.entry else { return Ok((setup, Formats::default())) };
    let first = heard.spans.first().map_or_else(|| entry.last_rule(), Former::rule);
    let begun = || first.or_else(|| entry.unsaid_rule()).map(|rule| setup.rule_now(rule));
    let Some(wanted) = setup.format.rule().cloned().or_else(begun) else {
        return Ok((setup, Formats::default()));
    };
    let (formats, outcome) = Formats::new(&heard.spans, &wanted);
    let last = formats.last().unwrap_or(&wanted);
    // Of whom nothing was seen, nobody else knows that he reads.
    let is_new = !entry.has_seen()
        || formats.former() != entry.formats
        || entry.last_rule().as_ref() != Some(last);
    // Who reads a file once more, by rules that are given, has nothing to say.
    let is_again = entry.prefix.length == 0 && !entry.formats.is_empty();
    if is_new && !is_again {
        tell(&setup, path, &formats, (&wanted, &outcome));
    }
    let ahead = formats.at(entry.offset);
    let rule = ahead.map_or_else(|| last.clone(), |(rule, _)| rule);
    let is_set = setup.format.rule() == Some(&rule);
    // It must be on disk before lines leave.
    let format =
        if is_new { FileFormat::New(rule.clone()) } else { FileFormat::Known(rule.clone()) };
    let choice = match std::mem::replace(&mut setup.format, format) {
        FileFormat::Undecided(choice) => Some(choice),
        FileFormat::Known(_) | FileFormat::New(_) => setup.choice.take(),
    };
    if !is_set && let Some(choice) = &choice {
        let chosen = choice.chosen(rule)?;
        (setup.scribe, setup.dataset) = (chosen.scribe, chosen.dataset);
    }
    // Of a stream that is read from its beginning again, what is before has it, too.
    setup.choice = choice.filter(|_| formats.have_changed());
    Ok((setup, formats))
}

/// Says of a file, once, that not all of it is read as it is set, and up to where.
fn tell(setup: &Setup, path: &Path, formats: &Formats, (wanted, outcome): (&LineRule, &Outcome)) {
    let (path, former) = (path.display(), formats.former());
    let last = formats.last().unwrap_or(wanted);
    let shown = |rules: Vec<&LineRule>| {
        let latest = rules.get(rules.len().saturating_sub(MOST_SHOWN)..).unwrap_or_default();
        let shown: Vec<_> = latest.iter().map(ToString::to_string).collect();
        shown.join(", then ")
    };
    let rules: Vec<LineRule> = former.iter().filter_map(Former::rule).collect();
    let said = match (outcome, former.last()) {
        (Outcome::Refused, _) => format!(
            "{path}: it was read with {MOST_CHANGES} other formats by turns; {last} is kept for it instead of {wanted}"
        ),
        (Outcome::Others, _) => format!(
            "{path}: it was begun with {}, and is read so to its end, or its lines would be there twice; {wanted} is not used for it",
            shown(rules.iter().chain([last]).collect())
        ),
        (Outcome::Used, Some(Former { end, .. })) => format!(
            "{path}: its lines up to byte {end} were read with {}, and are read so again, or they would be there twice; what comes after is read with {last}",
            shown(rules.iter().collect())
        ),
        (Outcome::Used, None) => return,
    };
    if setup.changes.names_one_more() { warn!("{said}") } else { debug!("{said}") }
}

/// A file keeps the ids that it was begun with; a new one gets those of new files.
fn clock_of(ids: &IdMakers, entry: Option<&Entry>) -> io::Result<Clock> {
    let Some(entry) = entry else { return Ok(Clock::new(Arc::clone(ids.of_new_files()))) };
    let maker = entry.ids().and_then(|scheme| ids.of(scheme));
    let maker = maker.ok_or_else(|| io::Error::other("the key of its ids is not known"))?;
    Ok(Clock::resumed(Arc::clone(maker), entry))
}

/// The first line before `end` that is data: not empty, no directive. Behind `end`, where nothing
/// was read, it may be unfinished still.
fn first_data_line(
    content: &mut Content,
    charset: Charset,
    end: u64,
    mut is_directive: impl FnMut(&[u8]) -> bool,
) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = vec![0; at_most(end, FIRST_LINE_SEARCH)];
    let mut rest = charset.without_mark(content.read_up_to(&mut buffer, 0)?);
    let is_blank = |line: &[u8]| line.trim_ascii().is_empty();
    while !rest.is_empty() {
        let end = charset.line_ends(rest).next().unwrap_or(rest.len());
        let (line, behind) = broken::split(rest, end)?;
        rest = behind;
        let line = charset.text(charset.without_end(line).unwrap_or(line));
        let pieces = if charset.unit() == 1 { padding::pieces(&line) } else { vec![(0, &*line)] };
        let line = pieces.first().map_or(&[][..], |(_, piece)| piece);
        if !is_blank(line) && !is_directive(line) {
            return Ok(Some(line.to_vec()));
        }
    }
    Ok(None)
}
