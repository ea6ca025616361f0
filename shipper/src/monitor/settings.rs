//! The monitor's settings: the rows, the form they are read in, and the checked form that it works
//! with. What a `[[monitor]]` table says of lines and documents is the parser's
//! ([`omphalos_parser::settings`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use omphalos_common::config::{
    About, ConfigError, Kind, Period, Setting, Size, TableError, Tables, path_of,
};
use omphalos_common::event::clean_name;
use omphalos_parser::ParserKind;
use omphalos_parser::scribe::Recipe;
use omphalos_parser::settings::{OWN_FIELDS, RECIPE_SETTINGS, RecipeSettings};
use omphalos_parser::steps::settings::FieldTable;
use serde::Deserialize;

use crate::monitor::find::discover::Watched;
use crate::monitor::find::links::FollowLinks;
use crate::monitor::find::watcher::WatchMode;
use crate::monitor::know::files::PIPE;
use crate::monitor::read::archive::Compression;
use crate::monitor::read::tail::Waits;

/// The rows of what is set once for all files.
pub const ENGINE_SETTINGS: &[Setting] = &[
    Setting::new(
        "watch",
        Kind::Choice(&["auto", "poll"]),
        "How changes are noticed: auto uses inotify where it works; poll looks at the files again and again.",
    )
    .default("auto")
    .about(About::Daemon),
    Setting::new(
        "poll_interval",
        Kind::Period,
        "How often to look at files that inotify does not cover.",
    )
    .default("500ms")
    .about(About::Daemon),
    Setting::new(
        "rescan_interval",
        Kind::Period,
        "How often to look at all patterns and files, even if there was no event.",
    )
    .default("30s")
    .about(About::Daemon),
    Setting::new(
        "max_open_files",
        Kind::Integer,
        "How many files that are being written to stay open, within the limit of the process (RLIMIT_NOFILE); the others, and idle ones, are closed and opened again when they change.",
    )
    .default("16384")
    .about(About::Daemon),
    Setting::new(
        "max_deleted_bytes",
        Kind::Size,
        "Disk space that deleted files may hold until they are read; beyond that, the oldest are given up and counted.",
    )
    .default("1GiB")
    .about(About::Daemon),
    Setting::new(
        "checkpoint_interval",
        Kind::Period,
        "How often to write the checkpoint while it changes.",
    )
    .default("1s"),
];

/// A row of a `[[monitor]]` table.
const fn row(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting::new(key, kind, help).repeated()
}

/// What to read.
const PATHS: &[Setting] = &[
    row(
        "monitor.paths",
        Kind::List,
        "Files, directories (the files in them, not subdirectories) and patterns with * ? [ ] **; - is standard input.",
    )
    .positional("FILE"),
    row(
        "monitor.exclude",
        Kind::List,
        "Patterns of what not to read, compared with the file name, or with the whole path if the pattern has a slash in it.",
    )
    .default("*.bz2,*.xz,*.zip")
    .flag("exclude")
    .about(About::Daemon),
    row(
        "monitor.archives",
        Kind::Switch,
        "Also read .gz and .zst files that match, once each, leaving out what was read before they were compressed. Paths given with such an ending are read in any case.",
    )
    .default("false")
    .flag("archives")
    .about(About::Daemon),
    row(
        "monitor.follow_links",
        Kind::Choice(&["always", "inside", "never"]),
        "Which links to follow: always; inside: those that point to what is below the directory that is named, which is the one before the first * ? [ ] of a pattern, or the one of a file; never: none below that directory. Whoever may write there chooses what is read where it is always.",
    )
    .default("always")
    .flag("follow-links")
    .about(About::Daemon),
];

/// Where to begin.
const BEGINNING: &[Setting] = &[
    row(
        "monitor.start",
        Kind::Choice(&["beginning", "end"]),
        "Where to begin in files that are there at the very first start and not in the checkpoint.",
    )
    .default("beginning")
    .flag("start")
    .about(About::Daemon),
    row(
        "monitor.ignore_older",
        Kind::Period,
        "Skip the content of files that, when found, were last written longer ago than this and are not in the checkpoint; off by default.",
    )
    .flag("ignore-older")
    .about(About::Daemon),
];

/// How long to wait.
const WAITING: &[Setting] = &[
    row(
        "monitor.multiline_timeout",
        Kind::Period,
        "An event is complete when no further line came for this long.",
    )
    .default("2s")
    .flag("multiline-timeout")
    .about(About::Daemon),
    row(
        "monitor.unfinished_after",
        Kind::Period,
        "A last line without a line end is shipped after this long, tagged unfinished, and again as a whole when more of it came.",
    )
    .default("5s")
    .flag("unfinished-after")
    .about(About::Daemon),
];

/// What ids are made of.
const IDS: &[Setting] = &[
    row(
        "monitor.logical_path",
        Kind::Text,
        "The path that document ids are made from: auto (without suffixes of rotation and compression), exact (as it is), or a path of your own.",
    )
    .default("auto")
    .flag("logical-path")
    .about(About::Identity),
];

/// Endings of archives that are not unpacked, and left out by default.
pub const UNREAD_ARCHIVES: [&str; 3] = ["bz2", "xz", "zip"];

/// The rows of a `[[monitor]]` table, in the order of the manual.
pub fn monitor_settings() -> Vec<Setting> {
    let [format, text, line] = RECIPE_SETTINGS;
    [PATHS, format, BEGINNING, text, WAITING, line, IDS].concat()
}

/// What is set once for all files, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct EngineSettings {
    pub watch: WatchMode,
    pub poll_interval: Period,
    pub rescan_interval: Period,
    pub max_open_files: u32,
    pub max_deleted_bytes: Size,
    pub checkpoint_interval: Period,
}

/// A `[[monitor]]` table, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct MonitorSettings {
    pub paths: Vec<String>,
    pub exclude: Vec<String>,
    pub archives: bool,
    pub follow_links: FollowLinks,
    pub start: Start,
    pub ignore_older: Option<Period>,
    pub multiline_timeout: Period,
    pub unfinished_after: Period,
    pub logical_path: String,
    /// What the same table says of lines and documents.
    #[serde(skip)]
    pub recipe: RecipeSettings,
    /// Of this file and no other, whatever characters are in its name; `paths` is for people then.
    #[serde(skip)]
    pub only: Option<PathBuf>,
}

/// Where to begin in a file that is not known.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// At its beginning.
    Beginning,
    /// At its end.
    End,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            watch: WatchMode::Auto,
            poll_interval: Period(Duration::from_millis(500)),
            rescan_interval: Period(Duration::from_secs(30)),
            max_open_files: 16_384,
            max_deleted_bytes: Size(1 << 30),
            checkpoint_interval: Period(Duration::from_secs(1)),
        }
    }
}

impl Default for MonitorSettings {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            exclude: UNREAD_ARCHIVES.map(|ending| format!("*.{ending}")).to_vec(),
            archives: false,
            follow_links: FollowLinks::Always,
            start: Start::Beginning,
            ignore_older: None,
            multiline_timeout: Period(Duration::from_secs(2)),
            unfinished_after: Period(Duration::from_secs(5)),
            logical_path: "auto".to_owned(),
            recipe: RecipeSettings::default(),
            only: None,
        }
    }
}

/// Names and patterns, for people.
fn shown(paths: &[String]) -> String {
    let shown: Vec<String> = paths.iter().map(|path| path_of(path).display().to_string()).collect();
    shown.join(", ")
}

/// A `[[monitor]]` table, checked.
#[derive(Clone, Debug)]
pub struct Input {
    /// What to read.
    pub watched: Watched,
    /// Whether standard input is read, and whether that is all.
    pub has_pipe: bool,
    /// Whether nothing else is read.
    pub is_pipe_only: bool,
    /// Which archives are read.
    pub archives: Archives,
    /// The names and patterns as they were given, for people.
    pub shown: String,
    /// The format of its lines; `None` where each file's is found out.
    pub parser: Option<ParserKind>,
    /// How its lines become documents; until the format of a file is found out, as raw text.
    pub recipe: Recipe,
    /// What the recipe is made of.
    pub recipe_settings: RecipeSettings,
    /// `event.dataset`, fit for an index name.
    pub clean_dataset: Arc<str>,
    /// Where to begin.
    pub start: Start,
    /// How long ago a file was written of which nothing old is wanted.
    pub ignore_older: Option<Duration>,
    /// How long what has no end waits for it.
    pub waits: Waits,
    /// What ids are made of.
    pub logical_path: LogicalPath,
    /// What its one file is called in documents and ids, if not by its path.
    pub called: Option<PathBuf>,
}

impl Input {
    /// The cleaned datasets that its lines may have.
    pub fn datasets(&self) -> Vec<Arc<str>> {
        let is_given = self.parser.is_some() || self.recipe_settings.dataset.is_some();
        if is_given {
            return vec![Arc::clone(&self.clean_dataset)];
        }
        let kinds = ParserKind::NAMES.iter().filter_map(|name| ParserKind::from_name(name));
        let dataset = |kind| clean_name(&self.recipe_settings.dataset_of(kind));
        let mut names: Vec<String> = kinds.map(dataset).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(Arc::from).collect()
    }
}

/// Which archives of those that match are read.
#[derive(Clone, Debug)]
pub struct Archives {
    all: bool,
    named: Vec<Compression>,
}

impl Archives {
    /// Whether any are.
    pub fn are_read(&self) -> bool {
        self.all || !self.named.is_empty()
    }

    /// Whether those are that are compressed so.
    pub fn include(&self, compression: Compression) -> bool {
        self.all || self.named.contains(&compression)
    }
}

/// Which path document ids are made of.
#[derive(Clone, Debug)]
pub enum LogicalPath {
    /// The file's, without suffixes of rotation and compression.
    Auto,
    /// The file's.
    Exact,
    /// This one.
    Given(PathBuf),
}

impl EngineSettings {
    /// Checks what a type cannot express.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self.max_open_files {
            0 => Err(ConfigError::invalid("max_open_files: expected at least 1, found 0")),
            _ => Ok(()),
        }
    }
}

impl MonitorSettings {
    /// The `[[monitor]]` tables.
    ///
    /// # Errors
    /// When a value is of the wrong kind.
    pub fn read(tables: &Tables<'_>) -> Result<Vec<Self>, TableError> {
        #[derive(Deserialize)]
        struct Of<T> {
            #[serde(default = "Vec::new")]
            monitor: Vec<T>,
        }
        #[derive(Deserialize)]
        struct OfHost {
            #[serde(default)]
            fields: FieldTable,
        }
        let OfHost { fields } = tables.part(OWN_FIELDS)?;
        let own: Of<Self> = tables.part(&[PATHS, BEGINNING, WAITING, IDS].concat())?;
        let recipes: Of<RecipeSettings> = tables.part(&RECIPE_SETTINGS.concat())?;
        let both = own.monitor.into_iter().zip(recipes.monitor);
        Ok(both.map(|(own, recipe)| Self { recipe: recipe.with_fields(&fields), ..own }).collect())
    }

    /// These tables, checked.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn inputs(tables: &[Self]) -> Result<Vec<Input>, ConfigError> {
        if tables.iter().all(|table| table.paths.is_empty()) {
            return Err(ConfigError::invalid(
                "nothing to read: name files on the command line, or in [[monitor]] paths = […] of the configuration file",
            ));
        }
        let named = || tables.iter().flat_map(|table| &table.paths);
        if named().any(String::is_empty) {
            return Err(ConfigError::invalid(
                "monitor.paths: expected the name of a file or a pattern, found an empty text",
            ));
        }
        if named().filter(|path| *path == PIPE).count() > 1 {
            return Err(ConfigError::invalid(
                "monitor.paths: - (standard input) can be named once",
            ));
        }
        tables.iter().map(Self::input).collect()
    }

    /// These settings for one file, which is called `called` in documents and ids: all of it is
    /// read, whatever `paths`, `exclude` and `start` say.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn input_of_file(&self, path: &Path, called: &Path) -> Result<Input, ConfigError> {
        Ok(Input {
            watched: Watched::only(path),
            has_pipe: false,
            is_pipe_only: false,
            archives: Archives { all: true, named: Vec::new() },
            shown: path.display().to_string(),
            start: Start::Beginning,
            ignore_older: None,
            called: Some(called.to_owned()),
            ..Self { paths: Vec::new(), ..self.clone() }.input()?
        })
    }

    /// These settings for standard input, or another pipe that is read in its place.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn input_of_pipe(&self) -> Result<Input, ConfigError> {
        Self { paths: vec![PIPE.to_owned()], ..self.clone() }.input()
    }

    /// Whether files of this name are read by this table.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn owns(&self, path: &Path) -> Result<bool, ConfigError> {
        Ok(self.input()?.watched.owns(path))
    }

    fn input(&self) -> Result<Input, ConfigError> {
        let recipe = self.recipe.recipe()?;
        let (pipes, paths): (Vec<String>, Vec<String>) =
            self.paths.iter().cloned().partition(|path| path == PIPE);
        let named = paths.iter().filter_map(|path| Compression::of(Path::new(path)));
        let watched = match &self.only {
            Some(path) => Ok(Watched::only(path)),
            None => {
                Watched::new(&paths, &self.exclude).map(|watched| watched.follow(self.follow_links))
            }
        };
        let watched = watched.map_err(|error| ConfigError::invalid(format!("monitor: {error}")))?;
        Ok(Input {
            watched,
            has_pipe: !pipes.is_empty(),
            is_pipe_only: paths.is_empty(),
            archives: Archives { all: self.archives, named: named.collect() },
            shown: shown(&self.paths),
            clean_dataset: Arc::from(clean_name(&recipe.dataset)),
            parser: Some(self.recipe.kind()).filter(|kind| *kind != ParserKind::Auto),
            recipe,
            recipe_settings: self.recipe.clone(),
            start: self.start,
            ignore_older: self.ignore_older.map(|period| period.0),
            waits: Waits { event: self.multiline_timeout.0, line: self.unfinished_after.0 },
            logical_path: match self.logical_path.as_str() {
                "auto" => LogicalPath::Auto,
                "exact" => LogicalPath::Exact,
                path => LogicalPath::Given(PathBuf::from(path)),
            },
            called: None,
        })
    }
}
