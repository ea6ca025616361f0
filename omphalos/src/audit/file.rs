//! The audit of one file: read, ask, and note what is not there.

use std::io;

use anyhow::Context;
use futures_util::stream::{self, StreamExt};
use omphalos_common::config::{ConfigError, Size};
use omphalos_shipper::monitor::{Recalled, logical_path};

use super::absent::{Absent, AbsentList, State};
use super::asking::Asker;
use super::portion::{Document, Portion};
use super::progress::Progress;
use super::reading::{Reading, Target};
use super::searching::Stranger;

/// Documents of so many bytes make one request, more or less.
const PORTION_BYTES: Size = Size(4 * 1024 * 1024);
/// So many portions are asked for at once.
const IN_FLIGHT: usize = 4;
/// So many documents tell whether they are there under other ids.
const SAMPLE: usize = 200;

/// What was found out.
pub struct Audited {
    /// Which file.
    pub target: Target,
    /// How many lines it has.
    pub lines: u64,
    /// How many documents these make.
    pub documents: u64,
    /// How many of those are there.
    pub found: u64,
    /// Those that are not.
    pub absent: AbsentList,
    /// Whether not all of the file could be read.
    pub is_cut: bool,
    /// Set where none is there, but others of the same places and seconds.
    pub stranger: Option<Stranger>,
}

/// Audits one file. `why` says why there is nothing in a checkpoint about it, if there is nothing.
///
/// # Errors
/// When it cannot be read, or Elasticsearch be asked, or the ids of its lines not be known.
pub async fn audit(
    target: &Target,
    asker: &Asker,
    why: &str,
    progress: &Progress,
) -> anyhow::Result<Audited> {
    let (reading, portions) = Reading::start(target, PORTION_BYTES, Portion::of_batch)?;
    let paths = paths_of(target);
    let knows_untimed = target.recalled.as_ref().is_some_and(|known| known.untimed().is_some());
    let asked = stream::unfold(portions, |mut portions| async {
        portions.recv().await.map(|portion| (portion, portions))
    })
    .map(|portion: Portion| {
        let paths = &paths;
        async move {
            let untimed = portion.documents.iter().find(|document| document.is_untimed);
            if let Some(document) = untimed.filter(|_| !knows_untimed) {
                return Err(unknowable(target, document, why).into());
            }
            let found = asker.look_up(&portion.dataset, &portion.documents, paths).await?;
            anyhow::Ok((portion, found))
        }
    })
    .buffered(IN_FLIGHT);
    let mut asked = std::pin::pin!(asked);
    let mut notes = Notes::new(target)?;
    while let Some(answered) = asked.next().await {
        let (portion, found) = answered?;
        notes.note(&portion, &found)?;
        progress.advance(portion.end, notes.documents, notes.absent.len());
        reading.confirm(portion.owners);
    }
    let read = reading.finish().await?;
    let Notes { documents, found, mut absent, .. } = notes.finish()?;
    let stranger = if found == 0 { strangers(&mut absent, asker).await? } else { None };
    let (target, lines, is_cut) = (target.clone(), read.lines, read.is_cut);
    Ok(Audited { target, lines, documents, found, absent, is_cut, stranger })
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

fn unknowable(target: &Target, document: &Document, why: &str) -> ConfigError {
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
        let delivered_to = target.recalled.as_ref().map_or(u64::MAX, Recalled::delivered_to);
        let absent = AbsentList::new().context("cannot make a temporary file")?;
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
