//! The shipper's settings: the rows of their table, the form they are read in, and the checked
//! form that the stages work with.

mod rows;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use omphalos_common::config::{ConfigError, HasRows, Period, Setting, Size};
use omphalos_common::event::clean_name;
use omphalos_common::ids::{ID_VERSION, IdKeys};
use omphalos_common::program::{OfProcess, ProcessSettings};
use omphalos_common::telemetry::LogFormat;
use omphalos_parser::scribe::Recipe;
use omphalos_parser::scribe::charset::EncodingSetting;
use omphalos_parser::scribe::container::Container;
use omphalos_parser::scribe::multiline::{MultilineKind, Rule};
use omphalos_transport::amqp::{AMQP_SETTINGS, AmqpSettings};
use omphalos_transport::batch::{BATCH_SETTINGS, BatchSettings};
use omphalos_transport::udp::{UDP_SETTINGS, UdpSettings};
use serde::Deserialize;

use crate::monitor::{Compression, PIPE, Waits, WatchMode, Watched};
use crate::road::TransportKind;
use omphalos_parser::ParserKind;

/// All settings of the shipper.
pub fn all_settings() -> Vec<Setting> {
    [rows::OWN_SETTINGS, BATCH_SETTINGS, AMQP_SETTINGS, UDP_SETTINGS].concat()
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

/// The settings as they are read; see the rows for what they mean.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct Settings {
    pub state_dir: PathBuf,
    pub host_name: Option<String>,
    pub id_key_file: Option<PathBuf>,
    pub id_version: u32,
    pub transport: Option<TransportKind>,
    pub listen: Option<SocketAddr>,
    pub log_level: String,
    pub log_format: LogFormat,
    pub watch: WatchMode,
    pub poll_interval: Period,
    pub rescan_interval: Period,
    pub max_open_files: u32,
    pub max_deleted_bytes: Size,
    pub checkpoint_interval: Period,
    pub stop_grace: Period,
    pub monitor: Vec<MonitorSettings>,
    pub batch: BatchSettings,
    pub amqp: AmqpSettings,
    pub udp: UdpSettings,
}

/// A `[[monitor]]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct MonitorSettings {
    pub paths: Vec<String>,
    pub exclude: Vec<String>,
    pub archives: bool,
    pub parser: ParserKind,
    pub dataset: Option<String>,
    pub start: Start,
    pub ignore_older: Option<Period>,
    pub encoding: EncodingSetting,
    pub container: Container,
    pub multiline: MultilineKind,
    pub multiline_pattern: Option<String>,
    pub multiline_count: Option<u32>,
    pub multiline_timeout: Period,
    pub unfinished_after: Period,
    pub keep_original: bool,
    pub max_line_bytes: Size,
    pub logical_path: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from("/var/lib/omphalos-shipper"),
            host_name: None,
            id_key_file: None,
            id_version: ID_VERSION,
            transport: None,
            listen: None,
            log_level: "info".to_owned(),
            log_format: LogFormat::Human,
            watch: WatchMode::Auto,
            poll_interval: Period(Duration::from_millis(500)),
            rescan_interval: Period(Duration::from_secs(30)),
            max_open_files: 16_384,
            max_deleted_bytes: Size(1 << 30),
            checkpoint_interval: Period(Duration::from_secs(1)),
            stop_grace: Period(Duration::from_secs(10)),
            monitor: Vec::new(),
            batch: BatchSettings::default(),
            amqp: AmqpSettings::default(),
            udp: UdpSettings::default(),
        }
    }
}

impl Default for MonitorSettings {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            exclude: ["*.bz2", "*.xz", "*.zip"].map(str::to_owned).to_vec(),
            archives: false,
            parser: ParserKind::Raw,
            dataset: None,
            start: Start::Beginning,
            ignore_older: None,
            encoding: EncodingSetting::Auto,
            container: Container::None,
            multiline: MultilineKind::None,
            multiline_pattern: None,
            multiline_count: None,
            multiline_timeout: Period(Duration::from_secs(2)),
            unfinished_after: Period(Duration::from_secs(5)),
            keep_original: false,
            max_line_bytes: Size(1024 * 1024),
            logical_path: "auto".to_owned(),
        }
    }
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
    /// How its lines become documents.
    pub recipe: Recipe,
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

/// Sizes that make no sense are refused rather than obeyed.
const LINE_BYTES: std::ops::RangeInclusive<u64> = 256..=16 * 1024 * 1024;

impl HasRows for Settings {
    fn rows() -> Vec<Setting> {
        all_settings()
    }
}

impl OfProcess for Settings {
    fn process(&self) -> ProcessSettings<'_> {
        ProcessSettings {
            listen: self.listen,
            log_level: &self.log_level,
            log_format: self.log_format,
        }
    }
}

impl Settings {
    /// Checks what a type cannot express, and prepares the inputs.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn inputs(&self) -> Result<Vec<Input>, ConfigError> {
        self.batch.check()?;
        if self.max_open_files == 0 {
            return Err(ConfigError::invalid("max_open_files: expected at least 1, found 0"));
        }
        if self.monitor.iter().all(|monitor| monitor.paths.is_empty()) {
            return Err(ConfigError::invalid(
                "nothing to read: name files on the command line, or in [[monitor]] paths = […] of the configuration file",
            ));
        }
        let named = self.monitor.iter().flat_map(|monitor| &monitor.paths);
        if named.filter(|path| *path == PIPE).count() > 1 {
            return Err(ConfigError::invalid(
                "monitor.paths: - (standard input) can be named once",
            ));
        }
        self.monitor.iter().map(MonitorSettings::input).collect()
    }

    /// The transport that is set, or follows from `udp.to`.
    pub fn transport(&self) -> TransportKind {
        self.transport.unwrap_or(match self.udp.to.as_slice() {
            [] => TransportKind::Amqp,
            _ => TransportKind::Udp,
        })
    }

    /// What ids are made with.
    ///
    /// # Errors
    /// When the file of keys cannot be used; the message names the setting.
    pub fn id_keys(&self) -> Result<IdKeys, ConfigError> {
        let keys = match &self.id_key_file {
            Some(path) => IdKeys::open("id_key_file", path)?,
            None => IdKeys::default(),
        };
        match self.id_version {
            1 => Ok(keys.unkeyed()),
            ID_VERSION => Ok(keys),
            other => Err(ConfigError::invalid(format!(
                "id_version: expected 1 or {ID_VERSION}, found {other}"
            ))),
        }
    }
}

impl MonitorSettings {
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

    /// Whether an event may have several lines.
    pub fn joins_lines(&self) -> bool {
        self.multiline != MultilineKind::None || self.container != Container::None
    }

    /// Whether files of this name are read by this table.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn owns(&self, path: &Path) -> Result<bool, ConfigError> {
        Ok(self.input()?.watched.owns(path))
    }

    fn input(&self) -> Result<Input, ConfigError> {
        if !LINE_BYTES.contains(&self.max_line_bytes.0) {
            let range = "256B to 16MiB";
            return Err(out_of_range("monitor.max_line_bytes", self.max_line_bytes, range));
        }
        let kind = self.multiline;
        let multiline = Rule::new(kind, self.multiline_pattern.as_deref(), self.multiline_count)
            .map_err(|error| ConfigError::invalid(format!("monitor: {error}")))?;
        let (pipes, paths): (Vec<String>, Vec<String>) =
            self.paths.iter().cloned().partition(|path| path == PIPE);
        let named = paths.iter().filter_map(|path| Compression::of(Path::new(path)));
        let watched = Watched::new(&paths, &self.exclude)
            .map_err(|error| ConfigError::invalid(format!("monitor: {error}")))?;
        let dataset =
            self.dataset.clone().unwrap_or_else(|| self.parser.default_dataset().to_owned());
        Ok(Input {
            watched,
            has_pipe: !pipes.is_empty(),
            is_pipe_only: paths.is_empty(),
            archives: Archives { all: self.archives, named: named.collect() },
            shown: self.paths.join(", "),
            clean_dataset: Arc::from(clean_name(&dataset)),
            recipe: Recipe {
                format: self.parser.format(),
                dataset,
                encoding: self.encoding,
                container: self.container,
                multiline,
                keep_original: self.keep_original,
                max_line_bytes: self.max_line_bytes.as_usize(),
            },
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

fn out_of_range(key: &str, found: Size, expected: &str) -> ConfigError {
    ConfigError::invalid(format!("{key}: expected {expected}, found {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::config::load_shown_defaults;

    /// Every default that the manual shows, given as a flag, must come to the defaults in code;
    /// which also shows that every row has a place in the struct.
    #[test]
    fn the_rows_say_what_the_defaults_are() {
        let loaded: Settings = load_shown_defaults(&all_settings(), &["/a"]).unwrap();
        let mut expected = Settings::default();
        expected.amqp.url = Some(vec!["amqp://guest:guest@127.0.0.1:5672/%2f".to_owned()]);
        expected.monitor =
            vec![MonitorSettings { paths: vec!["/a".to_owned()], ..MonitorSettings::default() }];
        assert_eq!(loaded, expected);
    }

    #[test]
    fn every_row_has_a_place_in_the_struct() {
        for setting in all_settings() {
            let (table, key) = setting.key.split_once('.').unwrap_or(("", setting.key));
            let header = match (table, setting.is_repeated()) {
                ("", _) => String::new(),
                (table, true) => format!("[[{table}]]\n"),
                (table, false) => format!("[{table}]\n"),
            };
            let error = toml::from_str::<Settings>(&format!("{header}{key} = {{}}\n")).unwrap_err();
            assert!(!error.message().contains("unknown field"), "{}: {error}", setting.key);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        let refused = |text: &str| {
            let settings: Settings = toml::from_str(text).unwrap();
            settings.inputs().unwrap_err().to_string()
        };
        let with = |text: &str| refused(&format!("[[monitor]]\npaths = [\"/a\"]\n{text}"));
        assert!(refused("").starts_with("nothing to read: name files"));
        assert_eq!(
            with("max_line_bytes = 1"),
            "monitor.max_line_bytes: expected 256B to 16MiB, found 1 B"
        );
        assert_eq!(with("[batch]\nbytes = 1"), "batch.bytes: expected 1KiB to 64MiB, found 1 B");
        assert_eq!(
            with("[batch]\ncompression_level = 20"),
            "batch.compression_level: expected 1 to 19, found 20"
        );
        assert_eq!(with("exclude = [\"[\"]").split(':').next(), Some("monitor"));
    }
}
