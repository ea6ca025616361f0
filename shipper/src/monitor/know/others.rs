//! Who else reads the same files: imports beside this process, or the process beside an import. What
//! they have read keeps the documents and ids that they made, because lines that are read by another
//! rule would be there twice. Their checkpoints say by which rules they read, and up to where; what
//! comes after is read as it is set here.

use std::fs;
use std::io;

use omphalos_common::clock::now_seconds;
use omphalos_common::ids::IdMakers;
use tracing::warn;

use crate::monitor::find::discover::Found;
use crate::monitor::know::again::peek;
use crate::monitor::know::matching::{self, stamp};
use crate::monitor::know::positions::Positions;
use crate::monitor::position::entry::{Entry, Former, Stamp};
use crate::monitor::position::identity::{FileKey, logical_path};
use crate::monitor::position::state::{FILE_NAMES, Other};
use crate::monitor::read::content::Content;
use crate::monitor::read::formats::gathered;

/// All others, and what their checkpoints said when they were looked into last.
#[derive(Debug, Default)]
pub struct Others(Vec<Neighbour>);

#[derive(Debug)]
struct Neighbour {
    other: Other,
    entries: Positions,
    /// What the checkpoint was like that they are from.
    seen: Option<(FileKey, Stamp)>,
}

/// What checkpoints say of a file that is opened.
#[derive(Debug, Default)]
pub struct Heard {
    /// Where its own reading goes on, or what a new one is begun with.
    pub entry: Option<Entry>,
    /// By what its lines were read, over all checkpoints.
    pub spans: Vec<Former>,
}

/// What one checkpoint says of it.
#[derive(Debug)]
struct View {
    entry: Entry,
    is_process: bool,
}

impl Others {
    /// These.
    pub fn new(others: Vec<Other>) -> Self {
        let unknown = |other| Neighbour { other, entries: Positions::default(), seen: None };
        Self(others.into_iter().map(unknown).collect())
    }

    /// What is known of a file that is opened now: `own` is from the own checkpoint.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn hear(
        &mut self,
        own: Option<Entry>,
        found: &Found,
        content: &mut Content,
        ids: &IdMakers,
    ) -> io::Result<Heard> {
        let mut views = Vec::new();
        for neighbour in &mut self.0 {
            neighbour.refresh();
            let is_process = matches!(neighbour.other, Other::Process(_));
            let known = neighbour.entries.candidates(found.key, &logical_path(&found.path));
            for (_, entry) in known {
                // A process reads on what it has found, be it that it has seen nothing of it yet.
                let is_begun = is_process && entry.key.is_like(&found.key);
                if (is_begun || entry.prefix.length > 0) && matching::fits(content, entry)? {
                    views.push(View { entry: entry.clone(), is_process });
                }
            }
        }
        // The file itself first, then who knows most of it.
        views.sort_by_key(|view| {
            let is_other = !view.entry.key.is_like(&found.key);
            (is_other, std::cmp::Reverse(view.entry.offset))
        });
        let last_turn = views.iter().map(|view| view.entry.turn).max();
        let Some(entry) = own.or_else(|| begun_as(&views, found, ids)) else {
            return Ok(Heard::default());
        };
        let turn = last_turn.map_or(entry.turn, |last| last.max(entry.turn) + 1);
        let own_view = View { entry: entry.clone(), is_process: false };
        let spans = spans_of(std::iter::once(own_view).chain(views), content)?;
        Ok(Heard { entry: Some(Entry { turn, ..entry }), spans })
    }
}

impl Neighbour {
    /// Looks into the checkpoint, if it is another one than last time.
    fn refresh(&mut self) {
        let (Other::Import(directory) | Other::Process(directory)) = &self.other;
        let found = FILE_NAMES.iter().find_map(|name| fs::metadata(directory.join(name)).ok());
        let found = found.map(|metadata| (FileKey::from(&metadata), stamp(&metadata)));
        if self.seen == found {
            return;
        }
        self.seen = found;
        match peek(directory) {
            Ok(entries) => self.entries = Positions::new(entries.unwrap_or_default()),
            Err(error) => warn!(
                "{error}; whether it has read files by other rules is not known, and lines of those would be there twice"
            ),
        }
    }
}

/// The entry with which a file that is new here is read from its beginning, if others have read it: with
/// their ids.
fn begun_as(views: &[View], found: &Found, ids: &IdMakers) -> Option<Entry> {
    let View { entry, .. } = views.first()?;
    let Some(scheme) = entry.ids().filter(|scheme| ids.of(*scheme).is_some()) else {
        let path = found.path.display();
        warn!(%path, "it was read with ids of a key that is not known; lines of before are there twice");
        return None;
    };
    let unread = Entry::unread(&found.path, found.key, scheme, now_seconds());
    Some(Entry { splits: entry.splits.clone(), source: entry.source, ..unread })
}

/// By what the lines of a file were read, over all who have read it: who took the last turn knew what all
/// others had read by then.
fn spans_of(views: impl Iterator<Item = View>, content: &Content) -> io::Result<Vec<Former>> {
    let mut views: Vec<View> = views.collect();
    views.sort_by_key(|view| std::cmp::Reverse(view.entry.turn));
    let mut all = Vec::new();
    for View { entry, is_process } in views {
        all.push(if is_process {
            entry.spans(u64::MAX)
        } else if entry.prefix.length == 0 {
            // Nothing was read, and it may be noted by which rules it is to be.
            entry.formats
        } else {
            entry.spans(reach(&entry, content)?)
        });
    }
    Ok(gathered(all))
}

/// Up to where a file may be delivered, at most: where its reader did not say so at its end, that is all
/// of it. An archive is written no further, and is read by one rule.
fn reach(entry: &Entry, content: &Content) -> io::Result<u64> {
    let end = match (entry.reached, content) {
        (Some(end), _) => end,
        (None, Content::Plain(file)) => file.metadata()?.len(),
        (None, _) => u64::MAX,
    };
    Ok(end.max(entry.offset))
}

/// By what the lines of `content` were read, over all `entries`, which fit it; those who have not ended
/// may be reading on.
///
/// # Errors
/// When the file cannot be looked at.
pub fn delivered_by(entries: &[&Entry], content: &Content) -> io::Result<Vec<Former>> {
    let view =
        |entry: &&Entry| View { entry: (*entry).clone(), is_process: entry.reached.is_none() };
    spans_of(entries.iter().map(view), content)
}
