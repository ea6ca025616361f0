//! Where dead letters are: in the queue of a broker that is named, or else in a file of the state
//! directory; and where they are replayed to.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use omphalos_common::config::{ConfigError, Loaded, Setting, load};
use omphalos_indexer::config as indexer;

use crate::run::chain::Embedded;
use crate::run::{Settings, all_settings, store_options};
use crate::{dead_files, import};

/// The tables that say where dead letters are, and where their documents belong.
const TABLES: [&str; 5] = ["state_dir", "amqp", "elasticsearch", "index", "store"];

/// Where dead letters are.
pub enum Place {
    /// In the queue.
    Queue,
    /// In this file, which is named.
    File(PathBuf),
    /// In the files of this state directory.
    Directory(PathBuf),
}

/// Where the documents of letters in a file go.
pub struct Target {
    /// How they are indexed.
    pub indexer: indexer::Settings,
    /// The store, where no other process has it open.
    pub embedded: Option<Embedded>,
}

/// The settings of the command: those of `omphalos run` that it has a use for.
pub fn rows() -> Vec<Setting> {
    let mut rows = all_settings();
    rows.retain(|row| TABLES.contains(&row.top()));
    for row in &mut rows {
        *row = match row.key {
            "state_dir" => row.help(
                "State directory of a process without a broker, which has its dead letters and those of imports.",
            ),
            "amqp.url" => row.default("").help(
                "Broker URLs, tried in turn: dead letters are in its queue, and are published to it.",
            ),
            _ => *row,
        };
    }
    rows
}

/// Reads flags, environment and file.
///
/// # Errors
/// When something cannot be used.
pub fn settings(given: &ArgMatches) -> Result<Settings, ConfigError> {
    let read = |name: &str| std::env::var_os(name);
    let Loaded { settings, .. } = load::<Settings, _>(&rows(), given, read, std::iter::empty())?;
    Ok(settings)
}

impl Place {
    /// By what is named: a file, a broker, a state directory; else what is there in the directories
    /// that programs use by themselves, and the broker of this machine.
    pub fn of(settings: &Settings, named: Option<&PathBuf>) -> Self {
        let defaults =
            [Settings::default().state_dir().to_owned(), indexer::Settings::default().state_dir];
        Self::among(settings, named, &defaults)
    }

    fn among(settings: &Settings, named: Option<&PathBuf>, defaults: &[PathBuf]) -> Self {
        if let Some(file) = named {
            return Self::File(file.clone());
        }
        if settings.shipper.amqp.names_broker() {
            return Self::Queue;
        }
        if settings.state_dir() != Settings::default().state_dir() {
            return Self::Directory(settings.state_dir().to_owned());
        }
        let has_some = |directory: &&PathBuf| {
            dead_files::of_process(directory).exists()
                || dead_files::of_imports(directory).is_ok_and(|files| !files.is_empty())
        };
        defaults.iter().find(has_some).cloned().map_or(Self::Queue, Self::Directory)
    }
}

impl Target {
    /// Where the process of these settings indexes: Elasticsearch, or the store, through the process
    /// that has it open, if there is one.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn of(mut settings: Settings, file: &Path) -> anyhow::Result<Self> {
        if let (Some(parent), None) = (file.parent(), &settings.store)
            && settings.state_dir() == Settings::default().state_dir()
        {
            settings.set_state_dir(parent.to_owned());
        }
        let mut embedded = None;
        // An indexer without a URL writes to the Elasticsearch of this machine, and has no store.
        let directory = store_options(&settings, &settings.store()).directory;
        if settings.indexer.elasticsearch.url.is_none() && directory.exists() {
            embedded = import::store(&mut settings).await?;
        }
        settings.indexer.check()?;
        Ok(Self { indexer: settings.indexer, embedded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::config::from_text;
    use omphalos_indexer::collector::DEAD_FILE_NAME;

    #[test]
    fn what_is_named_says_where_they_are_and_else_what_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let (with, without) = (directory.path().join("with"), directory.path().join("without"));
        std::fs::create_dir(&with).unwrap();
        std::fs::write(with.join(DEAD_FILE_NAME), "").unwrap();
        let defaults = [without.clone(), with.clone()];
        let place = |text: &str, named: Option<&PathBuf>, defaults: &[PathBuf]| match Place::among(
            &from_text(text).unwrap(),
            named,
            defaults,
        ) {
            Place::Queue => None,
            Place::File(path) | Place::Directory(path) => Some(path),
        };
        let file = PathBuf::from("/f");
        let broker = "[amqp]\nurl = [\"amqp://h\"]\n";
        let state = "state_dir = \"/s\"\n";
        assert_eq!(place(broker, Some(&file), &defaults), Some(file));
        assert_eq!(place(&format!("{state}{broker}"), None, &defaults), None);
        assert_eq!(place(state, None, &defaults), Some(PathBuf::from("/s")));
        assert_eq!(place("", None, &defaults), Some(with));
        assert_eq!(place("", None, &defaults[..1]), None);
        // An import alone may have some.
        std::fs::create_dir_all(without.join("import")).unwrap();
        assert_eq!(place("", None, &defaults[..1]), None);
        std::fs::write(without.join("import").join(DEAD_FILE_NAME), "").unwrap();
        assert_eq!(place("", None, &defaults[..1]), Some(without));
    }
}
