//! How a file gets into the set: what is known of it is looked for, so that nothing of it is read
//! twice.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tracing::{debug, info};

use crate::monitor::broken::Broken;
use crate::monitor::find::discover::Found;
use crate::monitor::know::copies::{self, Kinship, Origin, Standing};
use crate::monitor::know::files::Files;
use crate::monitor::know::matching::{self, stamp};
use crate::monitor::know::others::Kin;
use crate::monitor::position::clock::Names;
use crate::monitor::position::entry::Entry;
use crate::monitor::position::identity::{FileKey, Fingerprint, PREFIX_BYTES, logical_path};
use crate::monitor::read::archive::Compression;
use crate::monitor::read::choice::{Choice, FileFormat};
use crate::monitor::read::content::{Content, Outlook};
use crate::monitor::read::place::{Place, last_line_end};
use crate::monitor::read::tail::{Setup, Tail, TailId};
use crate::monitor::settings::{LogicalPath, Start};
use omphalos_common::clock::now_seconds;
use omphalos_parser::scribe;
use omphalos_parser::scribe::charset::Charset;

/// So many of the files that a scan found are named in the log.
pub const MOST_NAMED: usize = 20;

/// What is known of a file that was found.
enum Known {
    /// Nothing is known: it is new.
    Nothing,
    /// Where to go on, and the file that it is a copy of, if that is being read.
    Position(Box<Entry>, Option<TailId>),
    /// There is nothing in it that was not read elsewhere.
    Everything(Box<Entry>),
    /// It is a copy of a file that is still being read; or an archive that is not complete yet.
    Later,
}

/// How an attempt to open a file ended.
enum Opened {
    /// It is to be read.
    New(Box<Tail>),
    /// It is being read already.
    Known(TailId),
    /// It need not be read, or not yet.
    NotNow,
}

impl Files {
    /// Begins to read a file that was found; `None` when it cannot be opened now, or need not be.
    pub(super) fn open(&mut self, found: &Found) -> Option<TailId> {
        match self.try_open(found) {
            Ok(opened) => {
                self.note_readable(&found.path);
                match opened {
                    Opened::New(tail) => Some(self.add(*tail)),
                    Opened::Known(id) => Some(id),
                    Opened::NotNow => None,
                }
            }
            // It went away since it was found.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.overtaken.push(found.clone());
                None
            }
            Err(error) => {
                self.note_unopened(&found.path, &error);
                None
            }
        }
    }

    /// Opens what is at the path of `found` now. What the scan said of it is a hint only: it may
    /// have been renamed since, and another file be there.
    fn try_open(&mut self, found: &Found) -> io::Result<Opened> {
        let content = Content::open(&found.path)?;
        if let (Some(input), Some(file)) = (self.inputs.get(found.input), content.file()) {
            input.watched.permit(&found.path, file)?;
        }
        let metadata = content.file().ok_or(io::ErrorKind::NotFound)?.metadata()?;
        let (key, stamp) = (FileKey::from(&metadata), stamp(&metadata));
        if key != found.key {
            self.overtaken.push(found.clone());
        }
        if let Some(id) = self.by_key.get(&key) {
            return Ok(Opened::Known(*id));
        }
        let age = metadata.modified().ok().and_then(age_of);
        let is_archive = Compression::of(&found.path).is_some();
        if is_archive && age.is_some_and(|age| age < self.limits.archive_quiet) {
            self.waiting.insert(key);
            return Ok(Opened::NotNow);
        }
        self.open_as(&Found { key, stamp, ..found.clone() }, content, age)
    }

    /// Begins to read `content`, which is that of `found`, where what is known of it says.
    fn open_as(
        &mut self,
        found: &Found,
        mut content: Content,
        age: Option<Duration>,
    ) -> io::Result<Opened> {
        let known = self.known(found, &mut content)?;
        let is_new = matches!(known, Known::Nothing);
        if matches!(known, Known::Position(..) | Known::Everything(_)) {
            self.remembered.remove_blank(found.key);
        }
        let entry = match known {
            Known::Later => {
                // What ends in the middle and is written no further is not waited for.
                let is_old = age.is_some_and(|age| age >= self.limits.copy_wait);
                if is_old && content.outlook() == Outlook::Cut {
                    self.note_cut(&found.path);
                } else {
                    self.waiting.insert(found.key);
                }
                return Ok(Opened::NotNow);
            }
            Known::Everything(entry) => {
                debug!(path = %found.path.display(), "a copy with nothing new in it");
                self.remembered.add(*entry, true);
                return Ok(Opened::NotNow);
            }
            Known::Position(entry, original) => {
                self.continued.extend(original);
                Some(entry)
            }
            Known::Nothing => None,
        };
        let is_unread = entry.as_ref().is_none_or(|entry| !entry.has_seen());
        let kin = if is_unread { self.kin(found, &mut content)? } else { Vec::new() };
        let opened = self.begin(found, content, (entry.as_deref().cloned(), kin));
        if opened.is_err()
            && let Some(entry) = &entry
        {
            self.remember_again(entry);
        }
        let mut tail = opened?;
        if is_new {
            self.skip_old(found, &mut tail, age)?;
        }
        self.say_opened(&found.path, &tail);
        Ok(Opened::New(Box::new(tail)))
    }

    /// What is known of other files of the same log: lines that are in both have the same ids, and are to
    /// be read by the same rules.
    fn kin(&mut self, found: &Found, content: &mut Content) -> io::Result<Vec<Kin>> {
        let logical = logical_path(&found.path);
        let absent = self.remembered.candidates(found.key, &logical).into_iter();
        let absent = absent.map(|(_, entry)| Kin { entry: entry.clone(), has_all: false });
        let mut kin: Vec<Kin> = absent.filter(|kin| kin.entry.has_seen()).collect();
        let alike: Vec<TailId> = self.alike(&logical).map(|tail| tail.id).collect();
        for id in alike {
            let Some(tail) = self.tails.get_mut(&id) else { continue };
            // What is behind its end was read in no file.
            let reached = tail.metadata().ok().filter(|_| tail.is_plain()).map(|found| found.len());
            let entry = Entry { reached, ..tail.entry_at_offset() };
            // As long a beginning as is kept proves enough; else they are compared.
            let has_all = found.stamp.bytes > 0
                && tail.head_length() < PREFIX_BYTES
                && tail.stands_like(content)?
                && copies::is_prefix(content, tail.content()?)?;
            if has_all || entry.prefix.length > 0 {
                kin.push(Kin { entry, has_all });
            }
            // It may have been opened for that.
            self.note_use(id);
        }
        Ok(kin)
    }

    /// Begins to read `content`, which is that of `found`, from where an entry says, if there is one, with
    /// all that others know of it, and its `kin`.
    pub(super) fn begin(
        &mut self,
        found: &Found,
        mut content: Content,
        known: (Option<Entry>, Vec<Kin>),
    ) -> io::Result<Tail> {
        let heard = self.others.hear(known, found, &mut content, &self.host.ids)?;
        let setup = self.setup(found.input, &found.path)?;
        Tail::open(setup, found.path.clone(), content, &heard)
    }

    fn say_opened(&mut self, path: &Path, tail: &Tail) {
        let (path, offset) = (path.display(), tail.offset());
        if self.is_to_be_named() {
            info!(%path, offset, "reading");
        } else {
            debug!(%path, offset, "reading");
        }
    }

    /// Counts a file that is opened; whether it is one of the first that a scan opens, which are
    /// named in the log.
    pub(super) fn is_to_be_named(&mut self) -> bool {
        self.opened_now += 1;
        self.opened_now <= MOST_NAMED
    }

    /// Begins to read files that a scan found and that were renamed before they could be opened:
    /// nobody may ever look for them under their new names.
    pub(super) fn open_overtaken(&mut self) -> Vec<TailId> {
        let mut opened = Vec::new();
        for found in std::mem::take(&mut self.overtaken) {
            self.is_unsettled = true;
            if self.by_key.contains_key(&found.key) || self.remembered.knows(found.key) {
                continue;
            }
            // What cannot be looked for now is found by the next scan, or is nowhere.
            let Ok(Some(path)) = matching::find_inode(&found.path, found.key) else { continue };
            debug!(from = %found.path.display(), to = %path.display(), "renamed before it was opened");
            if let Some(id) = self.open(&Found { path, ..found }) {
                self.gone.entry(id).or_insert_with(Instant::now);
                opened.push(id);
            }
        }
        self.overtaken.clear();
        opened
    }

    /// Skips what is not wanted of a file that is not known.
    fn skip_old(&self, found: &Found, tail: &mut Tail, age: Option<Duration>) -> io::Result<()> {
        let Some(input) = self.inputs.get(found.input) else { return Ok(()) };
        let is_old = input.ignore_older.is_some_and(|most| age.is_some_and(|age| age > most));
        let reason = match input.start {
            Start::End if self.is_first_start => "start",
            _ if is_old => "ignore_older",
            _ => return Ok(()),
        };
        let bytes = tail.skip_to_end()?;
        self.metrics.skipped(reason, bytes);
        debug!(path = %found.path.display(), reason, bytes, "skipped what was there");
        Ok(())
    }

    /// Looks for what is known of a file.
    fn known(&mut self, found: &Found, content: &mut Content) -> io::Result<Known> {
        let logical = logical_path(&found.path);
        let absent = self.remembered.candidates(found.key, &logical);
        let entries = absent.iter().map(|(_, entry)| *entry);
        // One that has seen nothing of its file does not say that nobody else has.
        let has_seen = |entry: &&Entry| entry.has_seen();
        let same = matching::find_same(content, found.key, entries.filter(has_seen))?;
        if let Some(entry) = same.cloned() {
            return Ok(self.take_over(entry, found));
        }
        let alike: Vec<TailId> = self.alike(&logical).map(|tail| tail.id).collect();
        for id in alike {
            let known = self.compare(id, found, content)?;
            // It may have been opened for that.
            self.note_use(id);
            if !matches!(known, Known::Nothing) {
                return Ok(known);
            }
        }
        if let Some(known) = self.known_as_copy(found, content, &logical)? {
            return Ok(known);
        }
        let absent = self.remembered.candidates(found.key, &logical);
        let entries = absent.iter().map(|(_, entry)| *entry);
        if let Some(entry) = matching::find_same(content, found.key, entries)?.cloned() {
            return Ok(self.take_over(entry, found));
        }
        if content.outlook() == Outlook::Cut { Ok(Known::Later) } else { Ok(Known::Nothing) }
    }

    /// Looks for a file that is remembered and of which this one is a copy.
    fn known_as_copy(
        &mut self,
        found: &Found,
        content: &mut Content,
        logical: &Path,
    ) -> io::Result<Option<Known>> {
        let absent = self.remembered.candidates(found.key, logical);
        let entries = absent.iter().map(|(_, entry)| *entry);
        let others = entries.filter(|entry| !entry.key.is_like(&found.key));
        Ok(match copies::find_original(content, found.candidate(), others)? {
            Origin::Own => None,
            Origin::CopyOf(original) => {
                let original = original.clone();
                Some(self.take_over(original, found))
            }
            Origin::PerhapsOf(original) => {
                let place = matching::find_inode(&original.path, original.key)?;
                let mut original = Content::open(&place.ok_or(io::ErrorKind::NotFound)?)?;
                let is_prefix = copies::is_prefix(content, &mut original)?;
                let length = matching::length(&mut original)?;
                (is_prefix && self.awaits_emptying(found, length)).then_some(Known::Later)
            }
        })
    }

    /// Whether `found`, all of which stands in a file of `original_bytes` too, is to be waited for:
    /// that one may be about to be emptied.
    fn awaits_emptying(&mut self, found: &Found, original_bytes: u64) -> bool {
        self.suspects.waits(found.key, found.stamp, original_bytes, self.limits.copy_wait)
    }

    fn take_over(&mut self, entry: Entry, found: &Found) -> Known {
        self.forget_entry(&entry, found);
        Known::Position(Box::new(Entry { complete: None, ..entry }), None)
    }

    /// A file could not be opened after it had taken over a position: or it would be a new file when
    /// it can be, with other ids.
    fn remember_again(&mut self, entry: &Entry) {
        let candidates = self.remembered.candidates(entry.key, &logical_path(&entry.path));
        let is_it = |known: &Entry| known.key == entry.key && known.offset == entry.offset;
        let is_known = candidates.iter().any(|(_, known)| is_it(known));
        if !is_known && !self.by_key.contains_key(&entry.key) {
            self.remembered.add(entry.clone(), false);
        }
    }

    /// A position that a file takes over is not remembered any more, unless it also says that there
    /// is nothing new in another file.
    fn forget_entry(&mut self, entry: &Entry, found: &Found) {
        if entry.complete.is_some() && entry.key != found.key {
            return;
        }
        let candidates = self.remembered.candidates(entry.key, &logical_path(&entry.path));
        let number =
            candidates.iter().find(|(_, known)| *known == entry).map(|(number, _)| *number);
        if let Some(number) = number {
            self.remembered.remove(number);
        }
    }

    /// What the file `id`, which is being read, says of one that was found under another name.
    fn compare(&mut self, id: TailId, found: &Found, content: &mut Content) -> io::Result<Known> {
        let Some(tail) = self.tails.get_mut(&id) else { return Ok(Known::Nothing) };
        let position = tail.entry_at_offset();
        if tail.is_plain() && position.prefix.length > 0 && tail.is_rewritten() {
            // Which of the two contents this is a copy of shows when that is dealt with.
            let is_later = tail.began_like(content)? || tail.stands_like(content)?;
            return Ok(if is_later { Known::Later } else { Known::Nothing });
        }
        // One that has nothing in it yet may be a copy that is about to be made.
        let is_alike = found.stamp.bytes == 0
            || if position.prefix.length > 0 {
                tail.began_like(content)?
            } else {
                tail.stands_like(content)?
            };
        if !is_alike {
            return Ok(Known::Nothing);
        }
        let standing = copies::standing(&position)?;
        match copies::kinship(found.candidate(), &position, standing) {
            Kinship::Other | Kinship::Unknown => Ok(Known::Nothing),
            Kinship::Undecided => {
                let original = tail.content()?;
                let is_prefix = copies::is_prefix(content, original)?;
                let length = matching::length(original)?;
                let is_later = is_prefix && self.awaits_emptying(found, length);
                Ok(if is_later { Known::Later } else { Known::Nothing })
            }
            // One that is there with its content has all that an archive of it can have.
            Kinship::Copy if matches!(standing, Standing::InPlace | Standing::Rotated) => {
                if copies::is_prefix(content, tail.content()?)? {
                    self.compare_copy(id, found, content)
                } else {
                    let is_later = content.outlook() == Outlook::Cut;
                    Ok(if is_later { Known::Later } else { Known::Nothing })
                }
            }
            Kinship::Copy => self.compare_copy(id, found, content),
        }
    }

    /// How much of the file `id`, which is being read, is in a copy of it.
    fn compare_copy(
        &mut self,
        id: TailId,
        found: &Found,
        content: &mut Content,
    ) -> io::Result<Known> {
        let Some(tail) = self.tails.get_mut(&id) else { return Ok(Known::Nothing) };
        let position = tail.entry_at_offset();
        if !position.has_seen() {
            // Nothing of it was read yet: what it is shows when something was.
            return Ok(if tail.has_read_all() { Known::Nothing } else { Known::Later });
        }
        if tail.is_archive() && !tail.has_read_all() {
            // To look into it costs reading it once more, so it is looked into once.
            return Ok(Known::Later);
        }
        let charset = tail.charset();
        if let Ok(original) = tail.content()
            && matching::is_beginning(content, original, position.offset)?
        {
            // Until all of it is delivered, this may be the only copy that is left after a crash.
            let confirmed = tail.progress.confirmed().offset;
            return if matching::length(content)? <= confirmed {
                copied(found, content, charset, &position)
            } else {
                Ok(Known::Later)
            };
        }
        if content.outlook() == Outlook::Cut {
            return Ok(Known::Later);
        }
        if position.offset == 0 && u64::from(position.prefix.length) < PREFIX_BYTES as u64 {
            // Nothing but a part of a line was read, which proves nothing and saves nothing.
            return Ok(Known::Nothing);
        }
        if !matching::fits(content, &position)? {
            return Ok(Known::Nothing);
        }
        if !tail.has_read_all() {
            return Ok(Known::Later);
        }
        // What is on its way is read again from the copy: repeats have the same ids.
        Ok(Known::Position(Box::new(tail.entry(now_seconds())), Some(id)))
    }

    /// What a file is read with.
    pub(super) fn setup(&mut self, input: usize, path: &Path) -> io::Result<Setup> {
        let id = TailId(self.next_id);
        self.next_id += 1;
        let settings = self.inputs.get(input).ok_or_else(|| {
            Broken::error(format!("there is no [[monitor]] table of number {input}"))
        })?;
        let path = settings.called.as_deref().unwrap_or(path);
        let origin = scribe::Origin {
            host_name: &self.host.name,
            host_id: &self.host.id,
            path: path.as_os_str().as_encoded_bytes(),
        };
        let logical = logical_path(path);
        let is_auto = matches!(settings.logical_path, LogicalPath::Auto);
        let may_be_numbered = is_auto && logical != path && !logical.exists();
        let choice = Choice::new(settings, &self.host, path, &self.choices);
        let (format, choice) = match settings.parser {
            Some(kind) => (FileFormat::Known(choice.rule(kind)), Some(Box::new(choice))),
            None => (FileFormat::Undecided(Box::new(choice)), None),
        };
        Ok(Setup {
            id,
            input,
            dataset: Arc::clone(&settings.clean_dataset),
            format,
            choice,
            shown_path: Arc::from(path.to_string_lossy()),
            scribe: settings.recipe.scribe(origin),
            names: Names {
                logical: match &settings.logical_path {
                    LogicalPath::Auto => logical.clone(),
                    LogicalPath::Exact => path.to_owned(),
                    LogicalPath::Given(path) => path.clone(),
                },
                numbered: may_be_numbered.then(|| path.to_owned()),
                id,
                sources: self.sources.clone(),
            },
            ids: self.host.ids.clone(),
            changes: self.changes.clone(),
        })
    }
}

/// How long ago that was; `None` if it is in the future.
fn age_of(time: SystemTime) -> Option<Duration> {
    SystemTime::now().duration_since(time).ok()
}

/// The entry of a copy of the beginning of the file that `original` knows: read to its end.
fn copied(
    found: &Found,
    content: &mut Content,
    charset: Charset,
    original: &Entry,
) -> io::Result<Known> {
    let metadata = content.file().ok_or(io::ErrorKind::NotFound)?.metadata()?;
    let length = matching::length(content)?;
    // It may end in the middle of a line, and be written on.
    let end = last_line_end(content, charset, length)?;
    let mut head = [0; PREFIX_BYTES];
    let prefix = Fingerprint::of(content.read_up_to(&mut head, 0)?);
    let place = Place::find(content, end)?;
    Ok(Known::Everything(Box::new(Entry {
        path: found.path.clone(),
        key: FileKey::from(&metadata),
        prefix,
        offset: place.offset,
        guard: place.guard(),
        complete: Some(stamp(&metadata)),
        seen: now_seconds(),
        ..original.clone()
    })))
}
