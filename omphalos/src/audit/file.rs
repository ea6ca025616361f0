//! The audit of one file: read, ask, and note what is not there. A file has the ids that it was begun
//! with; where no checkpoint says which these are, what is not found is looked for with others.

use std::io;
use std::iter::Peekable;

use anyhow::Context;
use futures_util::stream::{self, StreamExt};
use omphalos_common::config::{ConfigError, Size};
use omphalos_common::ids::IdScheme;
use omphalos_shipper::monitor::{ClosedBatch, Recalled, logical_path};

use super::absent::{Absent, AbsentList, State};
use super::asking::Asker;
use super::portion::{Document, Portion};
use super::progress::Progress;
use super::schemes;
use super::searching::Stranger;
use super::target::Target;
use crate::reading::Finished;

/// Documents of so many bytes make one request, more or less.
const PORTION_BYTES: Size = Size(4 * 1024 * 1024);
/// So many portions are asked for at once.
const IN_FLIGHT: usize = 4;
/// So many documents tell whether they are there under other ids.
const SAMPLE: usize = 200;

/// What was found out about a file.
pub struct Audited {
    /// Which file.
    pub target: Target,
    /// What most of its ids are made with, as far as anybody knows.
    pub ids: IdScheme,
    /// How many lines it has.
    pub lines: u64,
    /// How many documents these make.
    pub documents: u64,
    /// How many events steps left out, which were never shipped.
    pub dropped: u64,
    /// How many of those are there.
    pub found: u64,
    /// The documents that were not found.
    pub absent: AbsentList,
    /// The same with other ids that they may have.
    pub others: Vec<AbsentList>,
    /// Whether not all of the file could be read.
    pub is_cut: bool,
    /// Set where none is there, but others of the same places and seconds.
    pub stranger: Option<Stranger>,
}

/// How a file is audited.
pub struct Auditor<'a> {
    /// Asks Elasticsearch for documents.
    pub asker: &'a Asker,
    /// Why there is nothing in a checkpoint about a file, if there is nothing.
    pub why_unknown: &'a str,
    /// Is told how far the audit has come.
    pub progress: &'a Progress,
}

impl Auditor<'_> {
    /// Audits one file.
    ///
    /// # Errors
    /// When it cannot be read, or Elasticsearch be asked, or the ids of its lines not be known.
    pub async fn audit(&self, target: &Target) -> anyhow::Result<Audited> {
        let order = schemes::likeliest_first(target, self.asker).await?;
        if target.has_a_sample() && order.len() > 1 {
            return self.audit_each(target, order).await;
        }
        let mut order = order.into_iter();
        let first = order.next().context("no way to make ids is known")?;
        let (read, Notes { documents, mut found, absent, .. }) =
            self.look_at_all(target, first).await?;
        let mut lists = vec![(found, first, absent)];
        for ids in order {
            if lists.iter().all(|(_, _, absent)| absent.is_empty()) {
                break;
            }
            found += self.look_again(target, ids, &mut lists).await?;
        }
        // Whose ids most have is what the file was shipped with; the first of equals.
        let most = lists.iter().map(|(found, ..)| *found).max();
        let place = lists.iter().position(|(found, ..)| Some(*found) == most).unwrap_or(0);
        let (_, ids, absent) = lists.swap_remove(place);
        let others = lists.into_iter().map(|(_, _, absent)| absent).collect();
        self.audited((target.clone(), ids, read), (documents, found, absent), others).await
    }

    /// What an audit comes to: that of the file with these ids; the documents, how many were found, and those
    /// that were not; and the latter with other ids.
    async fn audited(
        &self,
        (target, ids, read): (Target, IdScheme, Finished),
        (documents, found, mut absent): (u64, u64, AbsentList),
        others: Vec<AbsentList>,
    ) -> anyhow::Result<Audited> {
        let stranger = if found == 0 { strangers(&mut absent, self.asker).await? } else { None };
        let Finished { lines, dropped, is_cut } = read;
        Ok(Audited {
            target,
            ids,
            lines,
            documents,
            dropped,
            found,
            absent,
            others,
            is_cut,
            stranger,
        })
    }

    /// Audits a file of which a sample was shipped that depends on its ids, and nobody knows which these
    /// are: as if they were each of those that they may be, and takes those that most are found with.
    async fn audit_each(&self, target: &Target, order: Vec<IdScheme>) -> anyhow::Result<Audited> {
        let mut best: Option<(IdScheme, Finished, Notes)> = None;
        let mut target = target.clone();
        for ids in order {
            let (read, notes) = self.look_at_all(&target, ids).await?;
            let is_whole = notes.absent.is_empty();
            if best.as_ref().is_none_or(|(_, _, before)| notes.found > before.found) {
                best = Some((ids, read, notes));
            }
            if is_whole {
                break;
            }
            // It need not be said again.
            target = target.quietly();
        }
        let (ids, read, notes) = best.context("no way to make ids is known")?;
        let Notes { documents, found, absent, .. } = notes;
        self.audited((target, ids, read), (documents, found, absent), Vec::new()).await
    }

    /// Looks for all documents of a file, with ids that are made so.
    async fn look_at_all(
        &self,
        target: &Target,
        ids: IdScheme,
    ) -> anyhow::Result<(Finished, Notes)> {
        let mut notes = Notes::new(target)?;
        let turn = |closed: &mut ClosedBatch| Ok((Portion::of_batch(closed)?, Vec::new()));
        let read = self.look_through(target, ids, turn, |(portion, _), found| {
            notes.note(&portion, &found)?;
            self.progress.advance(portion.end, notes.documents, notes.absent.len());
            Ok(portion)
        });
        let read = read.await?;
        Ok((read, notes.finish()?))
    }

    /// Looks for what is absent in all `lists` with other ids, and adds a list of what has none of
    /// these either; returns how many were found.
    async fn look_again(
        &self,
        target: &Target,
        ids: IdScheme,
        lists: &mut Vec<(u64, IdScheme, AbsentList)>,
    ) -> anyhow::Result<u64> {
        let Some((_, _, absent)) = lists.first_mut() else { return Ok(0) };
        let mut picker = Picker { absent: absent.read()?.peekable(), next: 0 };
        let turn = move |closed: &mut ClosedBatch| picker.pick(Portion::of_batch(closed)?);
        let (mut count, mut left) = (0, new_list()?);
        let again = target.quietly();
        let read = self.look_through(&again, ids, turn, |(portion, absent), found| {
            for (absent, is_there) in absent.iter().zip(found) {
                count += u64::from(is_there);
                if !is_there {
                    left.push(*absent).context("cannot write a temporary file")?;
                }
            }
            self.progress.advance(portion.end, portion.end, left.len());
            Ok(portion)
        });
        read.await?;
        for (_, _, absent) in lists.iter_mut() {
            absent.keep_only(&mut left)?;
        }
        lists.push((count, ids, left));
        Ok(count)
    }

    /// Reads a file with ids that are made so, and asks for what `turn` leaves of each batch; `note`
    /// is told what was found, in order.
    async fn look_through(
        &self,
        target: &Target,
        ids: IdScheme,
        turn: impl FnMut(&mut ClosedBatch) -> io::Result<Sought> + Send + 'static,
        mut note: impl FnMut(Sought, Vec<bool>) -> anyhow::Result<Portion>,
    ) -> anyhow::Result<Finished> {
        let (reading, portions) = target.read(ids, PORTION_BYTES, turn)?;
        let paths = paths_of(target);
        let knows_untimed = target.recalled.as_ref().is_some_and(|known| known.untimed().is_some());
        let delivered_to = delivered_to(target);
        let asked = stream::unfold(portions, |mut portions| async {
            portions.recv().await.map(|portion| (portion, portions))
        })
        .map(|sought: io::Result<Sought>| {
            let paths = &paths;
            async move {
                let sought = sought?;
                let Portion { dataset, documents, .. } = &sought.0;
                // What was not shipped yet has no id that could be known.
                let untimed = documents
                    .iter()
                    .find(|document| document.is_untimed && document.start < delivered_to);
                if let Some(document) = untimed.filter(|_| !knows_untimed) {
                    return Err(unknowable(target, document, self.why_unknown).into());
                }
                let found = self.asker.look_up(dataset, documents, paths).await?;
                anyhow::Ok((sought, found))
            }
        })
        .buffered(IN_FLIGHT);
        let mut asked = std::pin::pin!(asked);
        while let Some(answered) = asked.next().await {
            let (sought, found) = answered?;
            let portion = note(sought, found)?;
            reading.confirm(portion.owners);
        }
        reading.finish().await
    }
}

/// What is asked for; and what was known of it, where it is asked for again.
type Sought = (Portion, Vec<Absent>);

/// Picks what was absent out of portions that are read again, and gives it its other ids.
struct Picker<I: Iterator<Item = io::Result<Absent>>> {
    absent: Peekable<I>,
    /// The number of the next document.
    next: u64,
}

impl<I: Iterator<Item = io::Result<Absent>>> Picker<I> {
    fn pick(&mut self, portion: Portion) -> io::Result<Sought> {
        let (mut documents, mut absent) = (Vec::new(), Vec::new());
        for document in portion.documents {
            let number = self.next;
            self.next += 1;
            let is_it =
                |one: &io::Result<Absent>| one.as_ref().map_or(true, |one| one.number <= number);
            if let Some(known) = self.absent.next_if(is_it).transpose()? {
                absent.push(Absent { id: document.id, day: document.day, ..known });
                documents.push(document);
            }
        }
        Ok((Portion { documents, ..portion }, absent))
    }
}

/// What the file may be called in the documents of lines without a time.
fn paths_of(target: &Target) -> Vec<String> {
    let known = target.recalled.as_ref().map(|known| known.path().to_owned());
    let paths = [target.called.clone(), logical_path(&target.called)].into_iter().chain(known);
    let mut paths: Vec<String> = paths.map(|path| path.to_string_lossy().into_owned()).collect();
    paths.sort();
    paths.dedup();
    paths
}

/// Up to where the shipper says that the file is delivered; to its end where it says nothing.
fn delivered_to(target: &Target) -> u64 {
    target.recalled.as_ref().map_or(u64::MAX, Recalled::delivered_to)
}

fn unknowable(target: &Target, document: &Document, why: &str) -> ConfigError {
    if target.recalled.is_some() {
        return ConfigError::invalid(format!(
            "{}: the line at byte {} has no time that parser = {:?} can read, but its shipper's checkpoint says that every line had one; give the --parser that the shipper was given",
            target.path.display(),
            document.start,
            target.monitor.recipe.kind().name()
        ));
    }
    ConfigError::invalid(format!(
        "{}: the line at byte {} has no time of its own, so its id is made of a random number that only the checkpoint of its shipper knows, and {why}; give the shipper's state directory with --state-dir, which may be in use, or the --parser that finds the times",
        target.path.display(),
        document.start
    ))
}

/// Where none of its documents is there, the file may have been shipped with other settings.
async fn strangers(absent: &mut AbsentList, asker: &Asker) -> anyhow::Result<Option<Stranger>> {
    let timed = absent.read()?.filter(|one| one.as_ref().is_ok_and(|one| !one.is_untimed));
    let sample: io::Result<Vec<Document>> = timed
        .take(SAMPLE)
        .map(|one| {
            one.map(|Absent { id, start, day, is_untimed, .. }| Document {
                id,
                start,
                day,
                is_untimed,
            })
        })
        .collect();
    let sample = sample?;
    Ok(if sample.is_empty() { None } else { asker.strangers(&sample).await? })
}

fn new_list() -> anyhow::Result<AbsentList> {
    AbsentList::new().context("cannot make a temporary file")
}

/// What is noted while the answers come in.
struct Notes {
    documents: u64,
    found: u64,
    absent: AbsentList,
    /// The last one that was not found, until it is known where the next document begins.
    open: Option<Absent>,
    /// Up to where the shipper says that the file is delivered.
    delivered_to: u64,
    /// Up to where it is read.
    read_to: u64,
}

impl Notes {
    fn new(target: &Target) -> anyhow::Result<Self> {
        let (delivered_to, absent) = (delivered_to(target), new_list()?);
        Ok(Self { documents: 0, found: 0, absent, open: None, delivered_to, read_to: 0 })
    }

    fn note(&mut self, portion: &Portion, found: &[bool]) -> anyhow::Result<()> {
        for (document, is_there) in portion.documents.iter().zip(found) {
            self.close(document.start)?;
            if *is_there {
                self.found += 1;
            } else {
                let Document { id, start, day, is_untimed } = *document;
                let is_delivered = start < self.delivered_to;
                let state = if is_delivered { State::Missing } else { State::Undelivered };
                let number = self.documents;
                self.open = Some(Absent { number, start, end: start, id, day, is_untimed, state });
            }
            self.documents += 1;
        }
        self.read_to = self.read_to.max(portion.end);
        Ok(())
    }

    /// The next document begins at `end`. One of another stream of a container may begin before.
    fn close(&mut self, end: u64) -> anyhow::Result<()> {
        if let Some(absent) = self.open.take() {
            let end = end.max(absent.start + 1);
            let pushed = self.absent.push(Absent { end, ..absent });
            pushed.context("cannot write a temporary file")?;
        }
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<Self> {
        self.close(self.read_to)?;
        Ok(self)
    }
}
