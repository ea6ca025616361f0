//! Dead letters in files: that of a process, and those of the imports beside it; or one that is named.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use omphalos_common::config::ConfigError;
use omphalos_common::printed::printed;
use omphalos_indexer::collector::DEAD_FILE_NAME;
use omphalos_indexer::config as indexer;
use serde_json::Value;

use super::file::{Letters, Replayed};
use super::letter::{List, Selection, summary};
use super::place::Target;
use crate::run::Settings;
use crate::{dead_files, import};

/// The files.
pub struct Files {
    /// That of the process, or the one that is named.
    first: PathBuf,
    /// Those of imports.
    imports: Vec<PathBuf>,
}

impl Files {
    /// One that is named.
    ///
    /// # Errors
    /// When it is not there.
    pub fn named(file: PathBuf) -> Result<Self, ConfigError> {
        if !file.exists() {
            return Err(ConfigError::invalid(format!(
                "--dead-file: there is no {}; name the file of a process that has dead letters",
                file.display()
            )));
        }
        Ok(Self { first: file, imports: Vec::new() })
    }

    /// Those of a state directory: that of the process need not be there, but the directory has to be.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub fn of(state_dir: &Path) -> Result<Self, ConfigError> {
        if !state_dir.is_dir() {
            return Err(ConfigError::invalid(format!(
                "state_dir: there is no directory {}; name that of the process that has dead letters, with --state-dir",
                state_dir.display()
            )));
        }
        let imports = dead_files::of_imports(state_dir)?;
        Ok(Self { first: dead_files::of_process(state_dir), imports })
    }

    fn each(&self) -> impl Iterator<Item = Letters> {
        std::iter::once(&self.first).chain(&self.imports).map(|file| Letters::new(file))
    }

    /// The newest of all, so many at most, and how many more there are.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn newest(&self, most: usize) -> anyhow::Result<(Vec<Value>, u64)> {
        let (mut newest, mut more) = (Vec::new(), 0);
        for letters in self.each() {
            // Of each file the last ones, which are the newest.
            let mut last = VecDeque::new();
            letters.each(|_, letter| {
                last.push_back(summary(&letter));
                if last.len() > most {
                    last.pop_front();
                    more += 1;
                }
                Ok(())
            })?;
            newest.extend(last.into_iter().rev());
        }
        more += newest.len().saturating_sub(most) as u64;
        newest.truncate(most);
        Ok((newest, more))
    }

    /// Lists those that are meant.
    ///
    /// # Errors
    /// When a file cannot be read, or lines are no letters.
    pub fn list(&self, selection: &Selection, given: &ArgMatches) -> anyhow::Result<()> {
        let (mut list, mut unseen, mut left) = (List::of(given), 0, Vec::new());
        for letters in self.each() {
            let (more, unreadable) = letters.list(selection, &mut list)?;
            unseen += more;
            left.extend(unreadable);
        }
        let mut out = printed(list.form());
        list.end(&mut out, unseen)?;
        nothing(&left)
    }

    /// Shows those that are meant whole.
    ///
    /// # Errors
    /// When a file cannot be read, or lines are no letters.
    pub fn show(&self, selection: &Selection) -> anyhow::Result<()> {
        let mut left = Vec::new();
        for letters in self.each() {
            left.extend(letters.show(selection)?);
        }
        nothing(&left)
    }

    /// Deletes those that are meant; how many, what could not be done, and whether it came to its end.
    pub fn drop(&self, selection: &Selection) -> (usize, Vec<String>, anyhow::Result<()>) {
        let (mut dropped, mut left) = (0, Vec::new());
        let ended = self.each().try_for_each(|letters| {
            let (letters, unreadable) = letters.drop(selection)?;
            dropped += letters;
            left.extend(unreadable);
            anyhow::Ok(())
        });
        (dropped, left, ended)
    }

    /// The file of what an import into the place that settings name could not store.
    ///
    /// # Errors
    /// When they name none.
    pub fn of_import(&self, settings: &Settings) -> anyhow::Result<PathBuf> {
        let directory = self.first.parent().unwrap_or(Path::new(""));
        Ok(directory.join(import::remembered(settings, false)?).join(DEAD_FILE_NAME))
    }

    /// Where those letters go that are replayed with these settings.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn target(&self, settings: Settings) -> anyhow::Result<Target> {
        Target::of(settings, &self.first).await
    }

    /// Indexes those that are meant, of the first file and of the one of an import into the same place; what
    /// became of them, and whether it came to its end.
    pub async fn replay(
        &self,
        selection: &Selection,
        indexer: &indexer::Settings,
        of_import: &Path,
    ) -> (Replayed, anyhow::Result<()>) {
        let mut all = Replayed::default();
        for file in std::iter::once(&self.first).chain(&self.imports) {
            let letters = Letters::new(file);
            let ended = if *file == self.first || *file == *of_import {
                letters.replay(selection, indexer.clone(), &mut all).await
            } else {
                letters.count(selection).map(|count| all.left.extend(elsewhere(file, count)))
            };
            if ended.is_err() {
                return (all, ended);
            }
        }
        (all, Ok(()))
    }
}

/// What is to be said of letters of another place.
fn elsewhere(file: &Path, letters: u64) -> Option<String> {
    (letters > 0).then(|| {
        format!(
            "{letters} dead letters in {} are of imports into another place, and are not replayed; name that place as for the import (--elasticsearch-url, --index-prefix), or this file, if they are to go here: --dead-file",
            file.display()
        )
    })
}

/// Not all could be done where something is left: it is the last word, behind what was done.
///
/// # Errors
/// What is left.
pub fn nothing(left: &[String]) -> anyhow::Result<()> {
    if left.is_empty() {
        return Ok(());
    }
    anyhow::bail!(left.join("\n"))
}
