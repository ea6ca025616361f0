//! Shipping what is missing: the file is read once more, and of its documents those leave that were
//! not found, just as the shipper would send them.

use std::io;
use std::iter::Peekable;
use std::sync::Arc;
use std::time::{Duration, Instant};

use omphalos_common::config::Size;
use omphalos_common::event::DocumentId;
use omphalos_common::ids::IdScheme;
use omphalos_shipper::monitor::{ClosedBatch, Owner};
use omphalos_transport::batch::{Batch, Chunk, Encoding};
use omphalos_transport::messages::BatchMessages;

use super::absent::{Absent, AbsentList, State};
use super::asking::Asker;
use super::broker::Publisher;
use super::portion::{Document, check, hash_of};
use super::progress::Progress;
use super::target::Target;

/// So many documents are looked for at once.
const AT_ONCE: usize = 5_000;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// What became of the missing documents of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Published and confirmed.
    pub shipped: u64,
    /// Of those, found in Elasticsearch afterwards.
    pub found: u64,
}

/// How a repair ships documents.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// A batch is full with so many bytes.
    pub batch_bytes: Size,
    /// zstd level.
    pub level: i32,
    /// Whether lines without a time are shipped as well.
    pub with_untimed: bool,
}

/// Documents to ship, and whom to tell.
struct Shipment {
    batch: Batch,
    owners: Vec<Owner>,
}

/// Ships the missing documents of a file, whose ids were made so; returns how many.
///
/// # Errors
/// When the file cannot be read or the broker takes nothing.
pub async fn ship(
    target: &Target,
    ids: IdScheme,
    absent: &mut AbsentList,
    manner: Manner,
    publisher: &mut Publisher,
) -> anyhow::Result<u64> {
    let mut messages = BatchMessages::new(&target.host.name, Encoding::Batch, manner.level)?;
    let mut picker = Picker::new(absent.read()?, manner.with_untimed);
    let turn = move |closed: &mut ClosedBatch| picker.pick(closed);
    let (reading, mut shipments) = target.quietly().read(ids, manner.batch_bytes, turn)?;
    let mut shipped = 0;
    while let Some(shipment) = shipments.recv().await {
        let Shipment { batch, owners } = shipment?;
        let documents = batch.documents();
        if documents > 0 {
            for message in messages.of(&batch)? {
                publisher.publish(message).await?;
            }
            shipped += documents as u64;
        }
        reading.confirm(owners);
    }
    reading.finish().await?;
    Ok(shipped)
}

/// Waits until the documents that were shipped are found; returns how many are, when all are or no
/// more came for `patience`.
///
/// # Errors
/// When Elasticsearch cannot be asked.
pub async fn wait(
    target: &Target,
    absent: &mut AbsentList,
    (asker, progress): (&Asker, &Progress),
    with_untimed: bool,
    patience: Duration,
) -> anyhow::Result<u64> {
    let dataset = target.monitor.input_of_file(&target.path, &target.called)?.clean_dataset;
    let mut all = absent
        .read()?
        .filter(|one| one.as_ref().map_or(true, |one| is_shippable(one, with_untimed)));
    let mut found = 0;
    let mut news = Instant::now();
    loop {
        let some: io::Result<Vec<Absent>> = all.by_ref().take(AT_ONCE).collect();
        let mut some: Vec<Document> = some?.iter().map(document).collect();
        if some.is_empty() {
            return Ok(found);
        }
        loop {
            let answers = asker.look_where_they_belong(&dataset, &some).await?;
            let before = some.len();
            some = left(some, &answers);
            if some.len() < before {
                news = Instant::now();
                found += (before - some.len()) as u64;
            }
            progress.wait_for(&format!("{found} of what was shipped has arrived"));
            if some.is_empty() || news.elapsed() >= patience {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The documents that are not there, by an answer for each.
fn left(documents: Vec<Document>, is_there: &[bool]) -> Vec<Document> {
    debug_assert_eq!(documents.len(), is_there.len(), "an answer for each document");
    let answered = documents.into_iter().zip(is_there);
    answered.filter(|(_, is_there)| !**is_there).map(|(document, _)| document).collect()
}

/// It has been shipped with the id that is noted, whole.
fn document(absent: &Absent) -> Document {
    let Absent { id, start, day, .. } = *absent;
    Document { id, start, day, is_untimed: false }
}

fn is_shippable(absent: &Absent, with_untimed: bool) -> bool {
    absent.state == State::Missing && (with_untimed || !absent.is_untimed)
}

/// Picks the missing documents out of batches that are read again.
struct Picker<I: Iterator<Item = io::Result<Absent>>> {
    wanted: Peekable<I>,
    /// The number of the next document.
    next: u64,
    with_untimed: bool,
}

impl<I: Iterator<Item = io::Result<Absent>>> Picker<I> {
    fn new(wanted: I, with_untimed: bool) -> Self {
        Self { wanted: wanted.peekable(), next: 0, with_untimed }
    }

    fn pick(&mut self, closed: &mut ClosedBatch) -> io::Result<Shipment> {
        let mut picked = Batch::default();
        let mut texts = closed.batch.body.split_inclusive(|byte| *byte == b'\n');
        for chunk in &closed.batch.chunks {
            check(chunk)?;
            let mut run: Option<Chunk> = None;
            for (place, id) in chunk.ids.iter().enumerate() {
                let text = texts.next().ok_or_else(|| {
                    io::Error::other(format!(
                        "a batch of {} has fewer lines than ids; this is a fault of omphalos, please report it; nothing more is shipped",
                        chunk.path
                    ))
                })?;
                if self.wants(*id)? {
                    picked.body.extend_from_slice(text);
                    add(run.get_or_insert_with(|| begin(chunk, place)), chunk, place);
                } else {
                    picked.chunks.extend(run.take());
                }
            }
            picked.chunks.extend(run);
        }
        Ok(Shipment { batch: picked, owners: std::mem::take(&mut closed.owners) })
    }

    /// Whether the next document, which has this id, is missing. Should the file have changed
    /// meanwhile, it is another one.
    fn wants(&mut self, id: DocumentId) -> io::Result<bool> {
        let number = self.next;
        self.next += 1;
        let is_it =
            |one: &io::Result<Absent>| one.as_ref().map_or(true, |one| one.number <= number);
        let Some(absent) = self.wanted.next_if(is_it).transpose()? else { return Ok(false) };
        Ok(is_shippable(&absent, self.with_untimed) && absent.hash() == hash_of(id))
    }
}

/// A part of `chunk` without documents, which begins at document `place`.
fn begin(chunk: &Chunk, place: usize) -> Chunk {
    let start = chunk.starts.get(place).copied().unwrap_or(chunk.start);
    Chunk {
        source: Arc::clone(&chunk.source),
        id_version: chunk.id_version,
        path: Arc::clone(&chunk.path),
        dataset: Arc::clone(&chunk.dataset),
        start,
        end: start,
        ids: Vec::new(),
        days: Vec::new(),
        starts: Vec::new(),
    }
}

/// Adds document `place` of `chunk` to the part.
fn add(part: &mut Chunk, chunk: &Chunk, place: usize) {
    part.ids.extend(chunk.ids.get(place));
    part.days.extend(chunk.days.get(place));
    part.starts.extend(chunk.starts.get(place));
    part.end = chunk.starts.get(place + 1).copied().unwrap_or(chunk.end);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> DocumentId {
        DocumentId::from_bytes([number; 16])
    }

    fn absent(number: u64, byte: u8, state: State) -> Absent {
        let start = number * 10;
        let id = id(byte);
        Absent { number, start, end: start + 10, id, day: 1, is_untimed: number == 5, state }
    }

    fn batch(first: u8, ends: &[u64]) -> ClosedBatch {
        let mut batch = Batch::default();
        let mut number = first;
        let mut start = u64::from(first) * 10;
        for end in ends {
            let numbers: Vec<u8> =
                (number..).take(usize::try_from((end - start) / 10).unwrap()).collect();
            number += u8::try_from(numbers.len()).unwrap();
            for number in &numbers {
                batch.body.extend_from_slice(format!("{{{number}}}\n").as_bytes());
            }
            batch.chunks.push(Chunk {
                source: Arc::from("s"),
                id_version: Some(2),
                path: Arc::from("/p"),
                dataset: Arc::from("d"),
                start,
                end: *end,
                ids: numbers.iter().map(|number| id(*number)).collect(),
                days: numbers.iter().map(|number| i32::from(*number)).collect(),
                starts: numbers.iter().map(|number| u64::from(*number) * 10).collect(),
            });
            start = *end;
        }
        ClosedBatch { batch, owners: Vec::new(), untimed: vec![0; ends.len()], needs_save: 0 }
    }

    #[test]
    fn only_what_is_missing_is_picked_in_contiguous_parts() {
        let missing = State::Missing;
        let wanted = vec![
            absent(1, 1, missing),
            absent(2, 2, missing),
            absent(3, 3, State::Dead(0)),
            absent(4, 99, missing),
            absent(5, 5, missing),
            absent(7, 7, missing),
        ];
        let mut picker = Picker::new(wanted.into_iter().map(Ok), false);
        let first = picker.pick(&mut batch(0, &[20, 60])).unwrap().batch;
        assert_eq!(first.body, b"{1}\n{2}\n", "not the dead, the changed and the untimed one");
        let ranges: Vec<_> = first.chunks.iter().map(|part| (part.start, part.end)).collect();
        assert_eq!(ranges, [(10, 20), (20, 30)]);
        assert_eq!(first.chunks[1].ids, [id(2)]);
        assert_eq!((first.chunks[1].days[0], first.chunks[1].starts[0]), (2, 20));
        let second = picker.pick(&mut batch(6, &[80])).unwrap().batch;
        assert_eq!((second.body.as_slice(), second.documents()), (&b"{7}\n"[..], 1));
        assert_eq!((second.chunks[0].start, second.chunks[0].end), (70, 80));
    }
}
