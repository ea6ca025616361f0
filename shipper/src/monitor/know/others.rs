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
use crate::monitor::position::identity::{FileKey, Fingerprint, PREFIX_BYTES, logical_path};
use crate::monitor::position::state::{FILE_NAMES, Other, is_in_use};
use crate::monitor::read::archive::Compression;
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

/// What the own checkpoint says of another file of the same log.
#[derive(Debug)]
pub struct Kin {
    /// What is known of it.
    pub entry: Entry,
    /// Whether it is known that all that is in the file stands in that one too.
    pub has_all: bool,
}

/// What one entry says of it.
#[derive(Debug)]
struct View {
    entry: Entry,
    whose: Whose,
}

/// Whose entry it is, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The own one of the file, or the one that it is begun with.
    Own,
    /// That of an import, which reads no further than to where the file ended when it opened it.
    Import,
    /// That of a process, which may be reading on.
    Process,
    /// Somebody else's of another file of the same log with the same content, such as the original of a copy:
    /// lines that are in both have the same ids.
    Original,
    /// The own one of such a file.
    Kin,
    /// The own one of such a file that has all that is in this one.
    Whole,
    /// Anybody's of a file that begins with the same lines.
    Beginning,
}

impl Whose {
    /// Whether it is somebody else's, with all that it knows in the file.
    fn is_another(self) -> bool {
        matches!(self, Self::Import | Self::Process | Self::Original)
    }
}

impl Others {
    /// These.
    pub fn new(others: Vec<Other>) -> Self {
        let unknown = |other| Neighbour { other, entries: Positions::default(), seen: None };
        Self(others.into_iter().map(unknown).collect())
    }

    /// What is known of a file that is opened now: `own` is from the own checkpoint, and `kin` is of other
    /// files of the same log, if it is new here.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn hear(
        &mut self,
        (own, kin): (Option<Entry>, Vec<Kin>),
        found: &Found,
        content: &mut Content,
        ids: &IdMakers,
    ) -> io::Result<Heard> {
        let mut views = Vec::new();
        for Kin { entry, has_all } in kin {
            let whose = match likeness_of(&entry, found, content)? {
                _ if has_all => Whose::Whole,
                Likeness::Same => Whose::Kin,
                Likeness::Beginning => Whose::Beginning,
                Likeness::None => continue,
            };
            views.push(View { entry, whose });
        }
        for neighbour in &mut self.0 {
            neighbour.refresh();
            let known = neighbour.entries.candidates(found.key, &logical_path(&found.path));
            for (_, entry) in known {
                // It reads on what it has found, be it that it has seen nothing of it yet.
                let is_begun = entry.key.is_like(&found.key) && neighbour.may_read_on();
                let whose = match (likeness_of(entry, found, content)?, &neighbour.other) {
                    (Likeness::Same | Likeness::Beginning, _) if !entry.has_seen() && !is_begun => {
                        continue;
                    }
                    (Likeness::Same, _) if !entry.key.is_like(&found.key) => Whose::Original,
                    (Likeness::Same, Other::Process(_)) => Whose::Process,
                    (Likeness::Same, Other::Import(_)) => Whose::Import,
                    (Likeness::Beginning, _) => Whose::Beginning,
                    (Likeness::None, _) => continue,
                };
                // A process reads on when it is started again.
                let is_over = matches!(neighbour.other, Other::Import(_));
                let reached = entry.reached.filter(|_| is_over);
                views.push(View { entry: Entry { reached, ..entry.clone() }, whose });
            }
        }
        // The file itself first, then who knows most of it.
        views.sort_by_key(|view| {
            let is_other = !view.entry.key.is_like(&found.key);
            (is_other, std::cmp::Reverse(view.entry.offset))
        });
        let is_of_it = |entry: &Entry| entry.key.is_like(&found.key);
        let turns =
            views.iter().map(|view| &view.entry).chain(&own).filter(|entry| is_of_it(entry));
        let last = turns.map(|entry| entry.turn).max().unwrap_or_default();
        for View { entry, whose } in &mut views {
            if *whose == Whose::Import && is_of_it(entry) && entry.turn < last {
                // It was killed, and who opened the file later has noted how far it came at most.
                entry.reached = entry.reached.or(Some(seen(entry)));
            }
        }
        let last_turn = views.iter().map(|view| view.entry.turn).max();
        let entry = match own {
            Some(entry) => entry,
            None if views.is_empty() => return Ok(Heard::default()),
            None => begun_as(&views, unread(found, content, ids)?, ids),
        };
        let turn = last_turn.map_or(entry.turn, |last| last.max(entry.turn) + 1);
        let own_view = View { entry: entry.clone(), whose: Whose::Own };
        let views = std::iter::once(own_view).chain(views);
        let views = views.map(|view| (view.entry.key.is_like(&found.key), view));
        let spans = spans_of(views.collect(), content)?;
        Ok(Heard { entry: Some(Entry { turn, ..entry }), spans })
    }
}

impl Neighbour {
    /// Whether what it has found and read nothing of may be read by it: a process reads on whenever it is
    /// started, an import as long as it is there.
    fn may_read_on(&self) -> bool {
        match &self.other {
            Other::Process(_) => true,
            Other::Import(directory) => is_in_use(directory),
        }
    }

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

/// With what a file that is new here, and `unread`, is read from its beginning: with the ids of those who have
/// read it, if there are any.
fn begun_as(views: &[View], unread: Entry, ids: &IdMakers) -> Entry {
    let another = views.iter().find(|view| view.whose.is_another());
    let Some(View { entry, .. }) = another else { return unread };
    let Some(scheme) = entry.ids().filter(|scheme| ids.of(*scheme).is_some()) else {
        let path = unread.path.display();
        warn!(%path, "it was read with ids of a key that is not known; lines of before are there twice");
        return unread;
    };
    let mut begun = Entry { splits: entry.splits.clone(), source: entry.source, ..unread };
    begun.set_ids(scheme);
    begun
}

/// The entry of a file of which nothing was read. Its beginning proves which content it is whose lines are to
/// be read by what is known of others.
fn unread(found: &Found, content: &mut Content, ids: &IdMakers) -> io::Result<Entry> {
    let mut head = [0; PREFIX_BYTES];
    let prefix = Fingerprint::of(content.read_up_to(&mut head, 0)?);
    let scheme = ids.of_new_files().scheme();
    Ok(Entry {
        prefix,
        unread: true,
        ..Entry::unread(&found.path, found.key, scheme, now_seconds())
    })
}

/// What a file is to the one that an entry knows.
enum Likeness {
    /// The same, or a copy, as far as the entry knows it.
    Same,
    /// As long a beginning as is kept is the same: it was edited behind that, or is a copy of before.
    Beginning,
    /// Nothing says that it is any.
    None,
}

fn likeness_of(entry: &Entry, found: &Found, content: &mut Content) -> io::Result<Likeness> {
    if matching::fits(content, entry)? {
        return Ok(Likeness::Same);
    }
    // An archive is asked for its length by reading it.
    let is_shorter = |content: &Content| match content.file() {
        Some(file) if content.is_seekable() => Ok(file.metadata()?.len() < entry.offset),
        _ => io::Result::Ok(true),
    };
    let may_be = entry.path == found.path || is_shorter(content)?;
    let begins = may_be && matching::begins_as(content, entry)?;
    Ok(if begins { Likeness::Beginning } else { Likeness::None })
}

/// By what the lines of a file were read, over all who have read it: who took the last turn knew what all
/// others had read by then, and who has read the file itself knows better than who has read its like.
/// Each view says whether it is of the file itself.
fn spans_of(mut views: Vec<(bool, View)>, content: &Content) -> io::Result<Vec<Former>> {
    views.sort_by_key(|(is_of_it, view)| (!is_of_it, std::cmp::Reverse(view.entry.turn)));
    let is_known = views.iter().any(|(is_of_it, view)| *is_of_it && view.entry.has_seen());
    let mut all = Vec::new();
    for (_, View { entry, whose }) in views {
        all.push(match whose {
            // Nothing was read, and it may be noted by which rules it is to be.
            Whose::Own if !entry.has_seen() => entry.formats,
            Whose::Process => entry.spans(u64::MAX),
            Whose::Beginning => entry.spans(seen(&entry)),
            Whose::Original | Whose::Kin if is_known => entry.spans(seen(&entry)),
            // A short beginning may be that of any file of the log.
            Whose::Kin if seen(&entry) < PREFIX_BYTES as u64 => entry.spans(seen(&entry)),
            Whose::Own | Whose::Import | Whose::Original | Whose::Kin | Whose::Whole => {
                entry.spans(reach(&entry, content)?)
            }
        });
    }
    Ok(gathered(all))
}

/// Up to where an entry proves that a file has the same content.
fn seen(entry: &Entry) -> u64 {
    entry.offset.max(u64::from(entry.prefix.length))
}

/// Up to where a file may be delivered, at most: where its reader did not say so at its end, that is all
/// of it. An archive is written no further, and is read by one rule.
fn reach(entry: &Entry, content: &Content) -> io::Result<u64> {
    let end = match (entry.reached, content) {
        (Some(end), _) => end,
        (None, Content::Plain(file)) => match length_of(entry) {
            Some(end) => end,
            None => file.metadata()?.len(),
        },
        (None, _) => u64::MAX,
    };
    Ok(end.max(entry.offset))
}

/// How long the file is that an entry knows, where it still is with what was read of it.
fn length_of(entry: &Entry) -> Option<u64> {
    let mut content = Content::open(&entry.path).ok()?;
    let found = content.file()?.metadata().ok()?;
    let is_it = Compression::of(&entry.path).is_none() && entry.key.is_like(&FileKey::from(&found));
    (is_it && matching::fits(&mut content, entry).ok()?).then_some(found.len())
}

/// By what the lines of `content` were read, over all `entries`, which fit it; those who have not ended
/// may be reading on.
///
/// # Errors
/// When the file cannot be looked at.
pub fn delivered_by(entries: &[&Entry], content: &Content) -> io::Result<Vec<Former>> {
    let view = |entry: &&Entry| {
        let whose = if entry.reached.is_none() { Whose::Process } else { Whose::Own };
        (true, View { entry: (*entry).clone(), whose })
    };
    spans_of(entries.iter().map(view).collect(), content)
}
