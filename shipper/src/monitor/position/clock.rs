//! Which time and which source a line gets: its own, its neighbour's, or that of its discovery.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use omphalos_common::event::{DocumentId, SourceId};
use omphalos_common::ids::IdMaker;

use crate::monitor::broken::Broken;
use crate::monitor::position::entry::{Entry, Mark};
use crate::monitor::read::tail::TailId;
use omphalos_parser::Time;

/// How much of a file's first data line goes into its source id.
const FIRST_LINE_BYTES: usize = 1024;

/// What tells a file's lines from those of other files.
#[derive(Debug)]
pub struct Names {
    /// What the file is called through all rotations.
    pub logical: PathBuf,
    /// What it is called itself, where that may be no mark of a rotation: `worker.2` beside
    /// `worker.1`, without any `worker`.
    pub numbered: Option<PathBuf>,
    /// Which content it is.
    pub id: TailId,
    /// The sources of all files.
    pub sources: Sources,
}

impl Names {
    /// Those of a file with this logical path, which nobody else numbers.
    pub fn of(logical: &Path) -> Self {
        let (id, sources) = (TailId::default(), Sources::default());
        Self { logical: logical.to_owned(), numbered: None, id, sources }
    }

    /// The source of lines with a time, of the file that begins with this data line.
    fn source_of(&self, ids: &IdMaker, first_line: &[u8]) -> SourceId {
        let of = |path: &Path| ids.source_id(path.as_os_str().as_bytes(), first_line);
        let source = of(&self.logical);
        let claim = self.sources.claim(source, self.id, self.numbered.is_some());
        match &self.numbered {
            Some(path) if claim == Claim::OfNumbered => of(path),
            _ => source,
        }
    }
}

/// Which file has which source. Two that were numbered by their writers, begin alike and say the
/// same at the same second would else share ids.
#[derive(Debug, Default, Clone)]
pub struct Sources(Arc<Mutex<HashMap<SourceId, Holder>>>);

#[derive(Debug, Clone, Copy)]
struct Holder {
    id: TailId,
    /// Whether it was never seen under the name that a log has before any rotation.
    is_numbered: bool,
}

/// To whom a source belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// To the file that asks.
    Own,
    /// To another file, which was numbered by its writer as far as anybody knows.
    OfNumbered,
    /// To another file that has or had the first name: who asks is a part of the same log.
    OfRotated,
}

impl Sources {
    /// Notes that a file has this source, and whether it may be numbered, unless another one has it.
    pub fn claim(&self, source: SourceId, id: TailId, is_numbered: bool) -> Claim {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = sources.entry(source).or_insert(Holder { id, is_numbered });
        match holder {
            Holder { id: other, .. } if *other == id => Claim::Own,
            Holder { is_numbered: true, .. } => Claim::OfNumbered,
            Holder { .. } => Claim::OfRotated,
        }
    }

    /// Forgets a file that had this source.
    pub fn release(&self, source: SourceId, id: TailId) {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.get(&source).is_some_and(|holder| holder.id == id) {
            sources.remove(&source);
        }
    }
}

/// Where lines come from, as their batch says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineSource {
    /// The source of lines with a time; that of lines without if those are all there were so far.
    pub source: SourceId,
    /// The version of their ids.
    pub id_version: u32,
}

/// What the identities of a file's lines depend on, besides the lines.
#[derive(Debug)]
pub struct Clock {
    ids: Arc<IdMaker>,
    /// Of lines with a time: made from the logical path and the first data line.
    source: Option<SourceId>,
    /// Of lines without: random, and kept in the checkpoint.
    untimed: Option<SourceId>,
    /// Of the last line that had one.
    last_time: Option<Time>,
    marks: VecDeque<Mark>,
    marks_made: u64,
}

impl Clock {
    /// The clock of a file whose ids are made so.
    pub fn new(ids: Arc<IdMaker>) -> Self {
        let (marks, marks_made) = (VecDeque::new(), 0);
        Self { ids, source: None, untimed: None, last_time: None, marks, marks_made }
    }

    /// The clock of a file that is read on from where the checkpoint says, with the ids that it was
    /// begun with.
    pub fn resumed(ids: Arc<IdMaker>, entry: &Entry) -> Self {
        Self {
            ids,
            source: entry.source,
            untimed: entry.untimed,
            last_time: entry.last_time.map(|(seconds, nanos)| Time { seconds, nanos }),
            marks: entry.marks.iter().copied().collect(),
            marks_made: 0,
        }
    }

    /// Sets the source of lines with a time from the first data line, unless it is known.
    pub fn identify(&mut self, names: &Names, first_line: &[u8]) {
        if self.source.is_none() {
            let line = first_line.get(..FIRST_LINE_BYTES).unwrap_or(first_line);
            self.source = Some(names.source_of(&self.ids, line));
            // That there is such a file is on disk before anything of it leaves: after a crash it may
            // be looked for under another name, and ids may be made with another key.
            self.marks_made += 1;
        }
    }

    /// Forgets the source again: what it was made of was a part of the first line, and whoever reads the
    /// file later makes it of the whole one.
    pub fn forget_identity(&mut self, names: &Names) {
        if let Some(source) = self.source.take() {
            names.sources.release(source, names.id);
        }
    }

    /// The source of lines with a time, if it is known.
    pub fn timed_source(&self) -> Option<SourceId> {
        self.source
    }

    /// Whether the source of lines with a time is known.
    pub fn is_identified(&self) -> bool {
        self.source.is_some()
    }

    /// The time of the line at `offset` and the source that its id is made of.
    ///
    /// A line without a time gets that of the line before it. Where there is none, it gets
    /// `now_millis`, when it is first seen: that is noted, up to `seen_end`, and must be on disk
    /// before the line leaves, so that the line has the same id if it is read again.
    pub fn time_of(
        &mut self,
        offset: u64,
        own: Option<Time>,
        seen_end: u64,
        now_millis: i64,
    ) -> (Time, SourceId) {
        if let (Some(time), Some(source)) = (own.or(self.last_time), self.source) {
            self.last_time = Some(time);
            return (time, source);
        }
        let known = self.marks.iter().find(|mark| mark.end > offset).copied();
        let mark = known.unwrap_or_else(|| {
            let mark = Mark { end: seen_end, millis: now_millis };
            self.marks.push_back(mark);
            self.marks_made += 1;
            mark
        });
        let source = *self.untimed.get_or_insert_with(|| SourceId::from_random(rand::random()));
        (Time::from_millis(mark.millis), source)
    }

    /// The id of the line at `offset` that happened at `time`.
    pub fn id_of(&self, source: SourceId, offset: u64, time: Time, line: &[u8]) -> DocumentId {
        self.ids.document_id(source, offset, time.seconds, line)
    }

    /// Where a range of lines comes from that documents were made of.
    ///
    /// # Errors
    /// `Broken` when no line has been given a source yet.
    pub fn origin(&self) -> io::Result<LineSource> {
        let timed = self.source.filter(|_| self.last_time.is_some());
        let source = timed.or(self.untimed).ok_or_else(|| {
            Broken::error("documents were made of lines that have no source of either kind")
        })?;
        Ok(LineSource { source, id_version: self.ids.scheme().version() })
    }

    /// The time of the last line that had one.
    pub fn last_time(&self) -> Option<Time> {
        self.last_time
    }

    /// How many discoveries were ever noted.
    pub fn marks_made(&self) -> u64 {
        self.marks_made
    }

    /// Forgets what only lines before `offset` needed.
    pub fn forget_before(&mut self, offset: u64) {
        while self.marks.front().is_some_and(|mark| mark.end <= offset) {
            self.marks.pop_front();
        }
    }

    /// Writes what must survive into `entry`.
    pub fn note(&self, entry: &mut Entry) {
        entry.set_ids(self.ids.scheme());
        entry.source = self.source;
        entry.untimed = self.untimed;
        entry.marks = self.marks.iter().filter(|mark| mark.end > entry.offset).copied().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::position::identity::FileKey;

    fn clock() -> Clock {
        let mut clock = Clock::new(Arc::new(IdMaker::of_host("h")));
        clock.identify(&Names::of(Path::new("/a.log")), b"first");
        clock
    }

    #[test]
    fn a_line_without_a_time_gets_that_of_the_line_before() {
        let mut clock = clock();
        let own = Time::from_seconds(5);
        let source = IdMaker::of_host("h").source_id(b"/a.log", b"first");
        assert_eq!(clock.time_of(0, Some(own), 9, 1), (own, source));
        assert_eq!(clock.time_of(3, None, 9, 1), (own, source));
        assert_eq!(clock.marks_made(), 1, "that there is such a file");
    }

    #[test]
    fn a_discovery_is_remembered_for_all_that_was_there() {
        let mut first = clock();
        let (time, source) = first.time_of(0, None, 100, 7000);
        assert_eq!(time, Time::from_millis(7000));
        assert_eq!(first.time_of(99, None, 150, 8000), (time, source));
        assert_eq!(first.time_of(100, None, 150, 8000).0, Time::from_millis(8000));
        assert_eq!(first.marks_made(), 3, "that there is such a file, and two times");

        // Read again after a crash, from the beginning of what was not confirmed.
        let mut entry = Entry {
            offset: 50,
            ..Entry::blank(Path::new("/a"), FileKey { device: 1, inode: 1, born: None })
        };
        first.note(&mut entry);
        let mut again = Clock::resumed(Arc::clone(&first.ids), &entry);
        assert_eq!(again.time_of(50, None, 900, 9000), (time, source));
        assert_eq!(again.time_of(149, None, 900, 9000).0, Time::from_millis(8000));
        again.forget_before(100);
        entry.offset = 100;
        again.note(&mut entry);
        assert_eq!(entry.marks, [Mark { end: 150, millis: 8000 }]);
    }
}
