//! What a `[[monitor]]` table says of lines and documents: the rows, the form they are read in, and
//! the check that makes a [`Recipe`] of them.

use std::ops::RangeInclusive;

use omphalos_common::config::{About, ConfigError, Kind, Setting, Size};
use serde::Deserialize;

use crate::ParserKind;
use crate::scribe::Recipe;
use crate::scribe::charset::EncodingSetting;
use crate::scribe::container::Container;
use crate::scribe::multiline::{MultilineKind, Rule};

/// A row of these: in each `[[monitor]]` table, and about what documents say.
const fn row(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting::new(key, kind, help).repeated().about(About::Document)
}

/// The rows: of the format, of how text becomes events, and of what is kept of a line. The monitor
/// puts them between its own, in the order of the manual.
pub const RECIPE_SETTINGS: [&[Setting]; 3] = [FORMAT, TEXT, LINE];

const FORMAT: &[Setting] = &[
    row("monitor.parser", Kind::Choice(ParserKind::NAMES), "Format of the lines; auto finds it out from the first lines of each file, and raw is any text.")
        .default("auto")
        .flag("parser"),
    row(
        "monitor.dataset",
        Kind::Text,
        "event.dataset, and, cleaned up, a part of the index name; by default access, json or raw, depending on the format.",
    )
    .flag("dataset"),
];

const TEXT: &[Setting] = &[
    row(
        "monitor.encoding",
        Kind::Choice(EncodingSetting::NAMES),
        "Character encoding; auto is UTF-16 if the file begins with a byte order mark, and UTF-8 otherwise. latin-1 is Windows-1252.",
    )
    .default("auto")
    .flag("encoding"),
    row(
        "monitor.container",
        Kind::Choice(Container::NAMES),
        "Unwrap the lines of a container runtime: docker (its json-file driver) or cri (Kubernetes).",
    )
    .default("none")
    .flag("container"),
    row(
        "monitor.multiline",
        Kind::Choice(MultilineKind::NAMES),
        "Which lines make one event: start, a line that matches begins one; continuation, a line that matches continues one; indent, an indented line continues one; count, a fixed number of lines; java, python, go or rust, the stack traces of that language.",
    )
    .default("none")
    .flag("multiline"),
    row(
        "monitor.multiline_pattern",
        Kind::Text,
        "Regular expression for multiline = start or continuation.",
    )
    .flag("multiline-pattern"),
    row("monitor.multiline_count", Kind::Integer, "How many lines make an event, for multiline = count.")
        .flag("multiline-count"),
];

const LINE: &[Setting] = &[
    row("monitor.keep_original", Kind::Switch, "Keep the whole line in event.original.")
        .default("false")
        .flag("keep-original"),
    row(
        "monitor.max_line_bytes",
        Kind::Size,
        "Longer lines are cut, tagged truncated, and counted.",
    )
    .default("1MiB")
    .flag("max-line-bytes"),
];

/// What a `[[monitor]]` table says of lines and documents, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct RecipeSettings {
    pub parser: ParserKind,
    pub dataset: Option<String>,
    pub encoding: EncodingSetting,
    pub container: Container,
    pub multiline: MultilineKind,
    pub multiline_pattern: Option<String>,
    pub multiline_count: Option<u32>,
    pub keep_original: bool,
    pub max_line_bytes: Size,
}

impl Default for RecipeSettings {
    fn default() -> Self {
        Self {
            parser: ParserKind::Auto,
            dataset: None,
            encoding: EncodingSetting::Auto,
            container: Container::None,
            multiline: MultilineKind::None,
            multiline_pattern: None,
            multiline_count: None,
            keep_original: false,
            max_line_bytes: Size(1024 * 1024),
        }
    }
}

/// Sizes that make no sense are refused rather than obeyed.
const LINE_BYTES: RangeInclusive<u64> = 256..=16 * 1024 * 1024;

impl RecipeSettings {
    /// Checks what a type cannot express.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn recipe(&self) -> Result<Recipe, ConfigError> {
        if !LINE_BYTES.contains(&self.max_line_bytes.0) {
            return Err(ConfigError::invalid(format!(
                "monitor.max_line_bytes: expected 256B to 16MiB, found {}",
                self.max_line_bytes
            )));
        }
        let pattern = self.multiline_pattern.as_deref();
        let multiline = Rule::new(self.multiline, pattern, self.multiline_count)
            .map_err(|error| ConfigError::invalid(format!("monitor: {error}")))?;
        let default = || self.parser.default_dataset().to_owned();
        Ok(Recipe {
            format: self.parser.format(),
            dataset: self.dataset.clone().unwrap_or_else(default),
            encoding: self.encoding,
            container: self.container,
            multiline,
            keep_original: self.keep_original,
            max_line_bytes: self.max_line_bytes.as_usize(),
        })
    }

    /// Whether an event may have several lines.
    pub fn joins_lines(&self) -> bool {
        self.multiline != MultilineKind::None || self.container != Container::None
    }
}
