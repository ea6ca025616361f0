//! Dead letters in the file of a process without a broker. They are replayed along the local road; what is
//! refused again is gathered in a file of its own, and takes the place of the old letters in one step
//! when all that were replayed have their verdict. Whoever is killed before that leaves the file as it
//! was, and the next replay finds as duplicates what was indexed. A running process may append
//! meanwhile, and has no less room for that.

use std::collections::{HashMap, HashSet};
use std::fs::{File, TryLockError, remove_dir_all};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::Context;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use omphalos_common::config::ConfigError;
use omphalos_common::own_files::create_directory;
use omphalos_common::printed::{Form, printed};
use omphalos_common::program::complain;
use omphalos_indexer::collector::{DEAD_FILE_NAME, DeadFile, FileLetter, read_lines};
use omphalos_indexer::config as indexer;
use omphalos_indexer::metrics::Sums;
use omphalos_transport::dead_letter::{self as header, Header};
use omphalos_transport::wire::{CONTENT_TYPE_BATCH, SingleFiling, encode_single};
use omphalos_transport::{About, Message};
use tokio::signal::ctrl_c;

use super::letter::{Filed, List, Selection, show};
use crate::dead_files::REPLAY;
use crate::local_road::{LocalRoad, WINDOW};

/// The file.
pub struct Letters {
    file: DeadFile,
}

/// What became of letters, of one file or several.
#[derive(Debug, Default)]
pub struct Replayed {
    /// How many have a verdict.
    pub letters: usize,
    sums: Sums,
    /// What could not be done.
    pub left: Vec<String>,
}

impl Replayed {
    fn add(&mut self, letters: usize, sums: Sums) {
        self.letters += letters;
        self.sums.indexed += sums.indexed;
        self.sums.duplicate += sums.duplicate;
        self.sums.dead += sums.dead;
    }

    /// What became of them, for people.
    pub fn shown(&self) -> String {
        let Self { letters, sums: Sums { indexed, duplicate, dead }, .. } = self;
        format!(
            "{letters} dead letters replayed: {indexed} indexed, {duplicate} there already, {dead} refused again and kept"
        )
    }
}

/// What is done with letters by their numbers.
#[derive(Debug, Default)]
struct Replay {
    /// Those that are done with.
    done: HashSet<u64>,
    /// The first one with each id, and those with the same: a replay that was killed may have left a
    /// letter and its successor.
    first: HashMap<String, u64>,
    same: Vec<(u64, u64)>,
    /// Those that cannot be replayed.
    garbled: u64,
    /// Lines that are no letters.
    unreadable: u64,
}

impl Letters {
    /// Those in the file of this path.
    pub fn new(path: &Path) -> Self {
        Self { file: DeadFile::new(path, u64::MAX) }
    }

    fn shown(&self) -> String {
        self.file.path().display().to_string()
    }

    /// The letters with their numbers; returns how many lines are none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn each(
        &self,
        mut take: impl FnMut(u64, Filed<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<u64> {
        let lines = read_lines(self.file.path())
            .with_context(|| format!("cannot read {}", self.shown()))?;
        let mut unreadable = 0_u64;
        for (number, line) in (0..).zip(lines) {
            let line = line.with_context(|| format!("cannot read {}", self.shown()))?;
            let Some(letter) = FileLetter::parse(&line) else {
                unreadable += 1;
                continue;
            };
            take(number, Filed { letter, file: self.file.path() })?;
        }
        Ok(unreadable)
    }

    /// What is to be said where lines are no letters.
    fn unreadable(&self, lines: u64) -> Option<String> {
        (lines > 0).then(|| format!(
            "{lines} lines of {} are no dead letters, such as what a process that was killed had begun to write; they stay as they are: look at them, and take them out with an editor while no process writes there",
            self.shown()
        ))
    }

    /// Lists those that are meant; returns how many were not looked at, and what could not be done.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(
        &self,
        selection: &Selection,
        list: &mut List,
    ) -> anyhow::Result<(u64, Option<String>)> {
        let mut out = printed(list.form());
        let mut more = 0;
        let unreadable = self.each(|_, letter| {
            if !list.has_room() {
                more += 1;
            } else if selection.has(&letter) {
                list.add(&mut out, &letter)?;
            }
            Ok(())
        })?;
        Ok((more, self.unreadable(unreadable)))
    }

    /// Shows those that are meant whole; returns what could not be done.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn show(&self, selection: &Selection) -> anyhow::Result<Option<String>> {
        let mut out = printed(Form::Json);
        let unreadable = self.each(|_, letter| {
            if selection.has(&letter) {
                show(&mut out, &letter)?;
            }
            Ok(())
        })?;
        Ok(self.unreadable(unreadable))
    }

    /// Deletes those that are meant; returns how many, and what could not be done.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn drop(&self, selection: &Selection) -> anyhow::Result<(usize, Option<String>)> {
        let _alone = self.alone()?;
        let mut dropped = HashSet::new();
        let unreadable = self.each(|number, letter| {
            if selection.has(&letter) {
                dropped.insert(number);
            }
            Ok(())
        })?;
        self.take_out(&dropped, [])?;
        Ok((dropped.len(), self.unreadable(unreadable)))
    }

    /// How many are meant.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn count(&self, selection: &Selection) -> anyhow::Result<u64> {
        let mut count = 0;
        self.each(|_, letter| {
            count += u64::from(selection.has(&letter));
            Ok(())
        })?;
        Ok(count)
    }

    /// Indexes those that are meant, and adds to `all` what became of them.
    ///
    /// # Errors
    /// When the file cannot be written, or the indexer failed.
    pub async fn replay(
        &self,
        selection: &Selection,
        settings: indexer::Settings,
        all: &mut Replayed,
    ) -> anyhow::Result<()> {
        let _alone = self.alone()?;
        let again = self.begin_again()?;
        let mut settings = settings;
        // What was a dead letter must have room as one again.
        settings.dead_letters.max_bytes.0 = u64::MAX;
        let road = LocalRoad::start(settings, &again)?;
        let mut replay = Replay::default();
        let sent = tokio::select! {
            sent = self.send(selection, &road, &mut replay) => sent,
            stopped = ctrl_c() => stopped.map_err(Into::into).and_then(|()| {
                Err(anyhow::anyhow!("stopped; the same command goes on with what is left"))
            }),
        };
        // Where the sending failed, the indexer knows why. After that it writes no letters any more.
        let sums = road.close().await;
        let done = replay.all_done();
        self.take_out(&done, replay.refused_again(&again.join(DEAD_FILE_NAME))?)?;
        remove_dir_all(&again).with_context(|| format!("cannot remove {}", again.display()))?;
        let sums = sums?;
        all.add(done.len(), sums);
        sent?;
        all.left.extend(self.unreadable(replay.unreadable));
        if sums.dead > 0 {
            all.left.push(format!(
                "{} dead letters were refused again and are in {} still; fix the cause first: omphalos dead list says why",
                sums.dead,
                self.shown()
            ));
        }
        if replay.garbled > 0 {
            all.left.push(format!(
                "{} dead letters cannot be replayed, see above; they are in {} still",
                replay.garbled,
                self.shown()
            ));
        }
        Ok(())
    }

    /// The directory, empty, for what is refused again. What a replay that was killed left in it is in
    /// the file still.
    fn begin_again(&self) -> Result<PathBuf, ConfigError> {
        let directory = self.file.directory().join(REPLAY);
        let made = match remove_dir_all(&directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => create_directory(&directory),
        };
        made.map_err(|error| {
            ConfigError::invalid(format!(
                "cannot make {}: {error}; do this as the user whose dead letters they are",
                directory.display()
            ))
        })?;
        Ok(directory)
    }

    /// Sends those that are meant, and notes which have a verdict.
    async fn send(
        &self,
        selection: &Selection,
        road: &LocalRoad,
        replay: &mut Replay,
    ) -> anyhow::Result<()> {
        let mut receipts = FuturesUnordered::new();
        let lines = read_lines(self.file.path())
            .with_context(|| format!("cannot read {}", self.shown()))?;
        for (number, line) in (0..).zip(lines) {
            let line = line.with_context(|| format!("cannot read {}", self.shown()))?;
            let Some(letter) = FileLetter::parse(&line) else {
                replay.unreadable += 1;
                continue;
            };
            let filed = Filed { letter, file: self.file.path() };
            if !selection.has(&filed) {
                continue;
            }
            let Some(message) = replay.message(number, &filed.letter) else {
                continue;
            };
            let receipt = road.send(message).await;
            receipts.push(async move { (number, receipt.await) });
            while receipts.len() >= WINDOW.messages {
                note(receipts.next().await, replay)?;
            }
        }
        while !receipts.is_empty() {
            note(receipts.next().await, replay)?;
        }
        Ok(())
    }

    /// Takes letters out, and puts others in their place.
    fn take_out(
        &self,
        numbers: &HashSet<u64>,
        others: impl IntoIterator<Item = io::Result<Vec<u8>>>,
    ) -> anyhow::Result<()> {
        if numbers.is_empty() {
            return Ok(());
        }
        let replaced = self.file.replace(|number| !numbers.contains(&number), others);
        replaced.with_context(|| {
            format!("cannot write {} anew; nothing is taken out of it", self.shown())
        })
    }

    /// Nobody else takes letters out, whose numbers would be others then.
    fn alone(&self) -> anyhow::Result<File> {
        let directory = self.file.directory();
        let cannot = || format!("cannot lock {}", directory.display());
        let file = File::open(directory).with_context(cannot)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => anyhow::bail!(ConfigError::invalid(format!(
                "another omphalos dead is at work in {}; wait for its end",
                directory.display()
            ))),
            Err(TryLockError::Error(error)) => Err(error).with_context(cannot),
        }
    }
}

/// Notes a verdict.
fn note(verdict: Option<(u64, bool)>, replay: &mut Replay) -> anyhow::Result<()> {
    match verdict {
        Some((number, true)) => {
            replay.done.insert(number);
            Ok(())
        }
        Some((_, false)) => anyhow::bail!("the indexer ended before all were replayed"),
        None => Ok(()),
    }
}

impl Replay {
    /// The letters that are done with: those with a verdict, and those with the same document.
    fn all_done(&self) -> HashSet<u64> {
        let same = self.same.iter().filter(|(_, first)| self.done.contains(first));
        self.done.iter().copied().chain(same.map(|(number, _)| *number)).collect()
    }

    /// Of the letters in a file, those that take the place of one that is done with.
    fn refused_again(&self, path: &Path) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
        let is_done = |line: &[u8]| {
            let letter = FileLetter::parse(line);
            let id = letter.as_ref().and_then(|letter| letter.header(header::ID));
            let number = id.and_then(|id| self.first.get(id));
            number.is_some_and(|number| self.done.contains(number))
        };
        let lines = read_lines(path)?;
        Ok(lines.filter(move |line| line.as_ref().map_or(true, |line| is_done(line))))
    }

    /// The message that a letter becomes; `None` where another one has the same document, or where
    /// there is something wrong with it, which is said.
    fn message(&mut self, number: u64, letter: &FileLetter) -> Option<Message> {
        match message(letter) {
            Ok((id, message)) => {
                let first = *self.first.entry(id).or_insert(number);
                if first != number {
                    self.same.push((number, first));
                    return None;
                }
                Some(message)
            }
            Err(reason) => {
                self.garbled += 1;
                complain("omphalos", &reason);
                None
            }
        }
    }
}

/// The message with the document of a letter, filed as it was before, and its id; or what is wrong.
fn message(letter: &FileLetter) -> Result<(String, Message), String> {
    let named = |header| letter.header(header).unwrap_or("(none)");
    let garbled = |what: String| {
        format!(
            "the dead letter with id {} of dataset {}, stored at {}: {what}, so it is not replayed and stays in the file",
            named(header::ID),
            named(header::DATASET),
            named(header::AT)
        )
    };
    let (Some(id), Some(dataset)) = (letter.header(header::ID), letter.header(header::DATASET))
    else {
        return Err(garbled(
            "it is a message that could not be read, of which the file has only the text"
                .to_owned(),
        ));
    };
    let text = |header: Header| letter.header(header).map(|text| (header, text));
    let number = |found: Option<(Header, &str)>| {
        let Some((Header(name), text)) = found else { return Ok(None) };
        text.parse::<i64>()
            .map(Some)
            .map_err(|_| garbled(format!("its {name} is {text:?}, expected a number")))
    };
    // A document without a time was filed as an outlier, and so is the year -5,877,641.
    let day = number(text(header::DAY))?.unwrap_or(i32::MIN.into());
    let day = i32::try_from(day).map_err(|_| garbled(format!("its day {day} is none")))?;
    let made_at = number(text(header::MADE_AT).or_else(|| text(header::AT)))?.unwrap_or(0);
    let filing = SingleFiling { id, dataset, day, made_at };
    let body = Bytes::from(encode_single(&filing, letter.body()));
    Ok((id.to_owned(), Message { body, about: About::new("replay", CONTENT_TYPE_BATCH) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(members: &str) -> FileLetter {
        FileLetter::parse(format!("{{{members}\"document\":\"{{}}\"}}").as_bytes()).unwrap()
    }

    #[test]
    fn a_letter_that_would_be_filed_elsewhere_is_named_and_not_replayed() {
        let sound = "\"x-omphalos-id\":\"abc\",\"x-omphalos-dataset\":\"access\",";
        for more in ["", "\"x-omphalos-day\":\"-3\",\"x-omphalos-at\":\"5\","] {
            assert!(message(&letter(&format!("{sound}{more}"))).is_ok(), "{more}");
        }
        for members in [
            "",
            "\"x-omphalos-id\":\"abc\",",
            &format!("{sound}\"x-omphalos-day\":\"monday\","),
            &format!("{sound}\"x-omphalos-day\":\"2147483648\","),
            &format!("{sound}\"x-omphalos-made-at\":\"\","),
            &format!("{sound}\"x-omphalos-at\":\"?\","),
        ] {
            let error = message(&letter(members)).unwrap_err();
            assert!(error.ends_with("so it is not replayed and stays in the file"), "{error}");
        }
    }
}
