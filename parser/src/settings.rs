//! What a `[[monitor]]` table says of lines and documents: the rows, the form they are read in, and
//! the check that makes a [`Recipe`] of them.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use omphalos_common::config::{About, ConfigError, Kind, Setting, Size};
use serde::{Deserialize, Serialize};

use crate::pattern::Patterns;
use crate::scribe::charset::EncodingSetting;
use crate::scribe::container::Container;
use crate::scribe::multiline::{MultilineKind, Rule};
use crate::scribe::{Finish, Recipe};
use crate::steps::Steps;
use crate::steps::settings::{FieldTable, FieldValue, StepSettings, own_fields};
use crate::{Format, ModuleKind, ParserKind, TimeRule};

/// A row of these: in each `[[monitor]]` table, and about what documents say.
const fn row(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting::new(key, kind, help).repeated().about(About::Document)
}

/// The rows: of the format, of how text becomes events, and of what is kept of a line. The monitor
/// puts them between its own, in the order of the manual.
pub const RECIPE_SETTINGS: [&[Setting]; 3] = [FORMAT, TEXT, LINE];

/// Fields that a host gives to all its documents.
pub const OWN_FIELDS: &[Setting] = &[Setting::new(
    "fields",
    Kind::Table,
    "Fields of your own in all documents of the host, such as fields.labels.env = \"prod\".",
)
.in_file_alone()
.about(About::Document)];

const FORMAT: &[Setting] = &[
    row("monitor.parser", Kind::Choice(ParserKind::NAMES), "Format of the lines; auto finds it out from the first line of each file, and raw is any text.")
        .default("auto")
        .flag("parser"),
    row(
        "monitor.format",
        Kind::Text,
        "The server's own format string, by which lines are read: nginx's log_format, as in $remote_addr - $remote_user [$time_local] \"$request\" $status, perhaps with escape=json or escape=none in front, or Apache's LogFormat, as in %h %l %u %t \"%r\" %>s %b; parser is access then. For parser = postgresql it is the log_line_prefix, for regex a regular expression with named groups, and for grok a grok pattern.",
    )
    .flag("format"),
    row(
        "monitor.patterns",
        Kind::Table,
        "Patterns of your own for parser = grok, by their names, as in patterns.ORDER = '[A-Z]{3}-%{INT}': format may name them, and they one another and those of the library, before which they go.",
    )
    .in_file_alone(),
    row(
        "monitor.dataset",
        Kind::Text,
        "event.dataset, and, cleaned up, a part of the index name; by default that of the format, such as access, json, syslog or raw.",
    )
    .flag("dataset"),
    row(
        "monitor.time_field",
        Kind::Text,
        "The member of a json line that holds its time, with dots into objects, or the group of a pattern; by default the first of the usual members that is one.",
    )
    .flag("time-field"),
    row(
        "monitor.time_format",
        Kind::Text,
        "How the time of a json line, or in the group of a pattern, is written: iso8601, clf, rfc2822, unix, unix_ms, unix_us, unix_ns, or a pattern such as %d.%m.%Y %H:%M:%S; by default any of those forms.",
    )
    .flag("time-format"),
    row(
        "monitor.time_zone",
        Kind::Text,
        "The zone of times that say none: a name such as Europe/Berlin, an offset such as +01:00, or local; by default UTC.",
    )
    .flag("time-zone"),
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
        "Unwrap the lines of a container runtime: docker (its json-file driver) or cri (Kubernetes); the pod or container that the path names is in the documents.",
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
    row(
        "monitor.module",
        Kind::Choice(ModuleKind::NAMES),
        "Add what Elastic's dashboards of this server ask for (docs/steps.md): event.kind, category, type, outcome and module, related.*, url.extension, host.hostname, data_stream.*. The dataset of access logs is then nginx.access, apache.access or iis.access.",
    )
    .flag("module"),
    row(
        "monitor.fields",
        Kind::Table,
        "Fields of your own in all documents, such as fields.labels.env = \"prod\"; beside those at the top of the file, which they go before.",
    )
    .in_file_alone(),
    row(
        "monitor.step",
        Kind::Tables,
        "[[monitor.step]]: what is done with documents before they leave, in this order (docs/steps.md): set, rename, drop_field, keep, drop, sample, mask, hash, url, split, user_agent, geoip.",
    )
    .in_file_alone(),
];

/// What a `[[monitor]]` table says of lines and documents, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct RecipeSettings {
    pub parser: ParserKind,
    pub format: Option<String>,
    pub patterns: Patterns,
    pub dataset: Option<String>,
    pub time_field: Option<String>,
    pub time_format: Option<String>,
    pub time_zone: Option<String>,
    pub encoding: EncodingSetting,
    pub container: Container,
    pub multiline: MultilineKind,
    pub multiline_pattern: Option<String>,
    pub multiline_count: Option<u32>,
    pub keep_original: bool,
    pub max_line_bytes: Size,
    pub module: Option<ModuleKind>,
    pub fields: FieldTable,
    #[serde(rename = "step")]
    pub steps: Arc<[StepSettings]>,
}

/// What is said of how lines and the times in them are written, as it is in settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct TimeSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The server's own format string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// What of a recipe the ids and the index of documents depend on: by which format lines are read, their
/// times, and their dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRule {
    /// The format.
    pub parser: ParserKind,
    /// The rule of times; `None` where nobody wrote it down.
    pub times: Option<TimeSettings>,
    /// The dataset, be it that of the format; `None` where nobody wrote it down.
    pub dataset: Option<String>,
}

impl LineRule {
    /// Whether lines are the same by both, as far as that is known.
    pub fn agrees(&self, other: &Self) -> bool {
        self.parser == other.parser
            && may_be(self.times.as_ref(), other.times.as_ref())
            && may_be(self.dataset.as_ref(), other.dataset.as_ref())
    }
}

/// Whether both are the same, as far as they are known.
fn may_be<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.is_none() || other.is_none() || one == other
}

impl fmt::Display for LineRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "parser = {:?}", self.parser.name())?;
        let is_own = |dataset: &&String| *dataset != self.parser.default_dataset();
        if let Some(dataset) = self.dataset.as_ref().filter(is_own) {
            write!(formatter, ", dataset = {dataset:?}")?;
        }
        let Some(times) = &self.times else { return Ok(()) };
        let names = [
            ("time_field", &times.field),
            ("time_format", &times.format),
            ("time_zone", &times.zone),
            ("format", &times.line),
        ];
        for (name, value) in names {
            if let Some(value) = value {
                write!(formatter, ", {name} = {value:?}")?;
            }
        }
        Ok(())
    }
}

impl Default for RecipeSettings {
    fn default() -> Self {
        Self {
            parser: ParserKind::Auto,
            format: None,
            patterns: Patterns::new(),
            dataset: None,
            time_field: None,
            time_format: None,
            time_zone: None,
            encoding: EncodingSetting::Auto,
            container: Container::None,
            multiline: MultilineKind::None,
            multiline_pattern: None,
            multiline_count: None,
            keep_original: false,
            max_line_bytes: Size(1024 * 1024),
            module: None,
            fields: FieldTable::new(),
            steps: Arc::default(),
        }
    }
}

/// Puts fields in place of those of the same names, table by table.
fn lay_over(fields: &mut FieldTable, others: FieldTable) {
    for (name, value) in others {
        match (fields.get_mut(&name), value) {
            (Some(FieldValue::Table(inner)), FieldValue::Table(others)) => lay_over(inner, others),
            (_, value) => drop(fields.insert(name, value)),
        }
    }
}

/// Whether its lines are those of a web server, as far as that is known.
fn is_web(kind: ParserKind) -> bool {
    kind.default_dataset() == ACCESS
        || matches!(kind, ParserKind::NginxError | ParserKind::ApacheError | ParserKind::Auto)
}

/// The dataset of access logs.
const ACCESS: &str = "access";

/// Sizes that make no sense are refused rather than obeyed.
const LINE_BYTES: RangeInclusive<u64> = 256..=16 * 1024 * 1024;

impl RecipeSettings {
    /// Checks what a type cannot express.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn recipe(&self) -> Result<Recipe, ConfigError> {
        self.recipe_finished_by(&Finish {
            module: self.module,
            own_fields: own_fields(&self.fields)?,
            steps: Steps::of_settings(&self.steps)?,
        })
    }

    /// The same for somebody who has made the steps and the fields before.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn recipe_finished_by(&self, finish: &Finish) -> Result<Recipe, ConfigError> {
        if !LINE_BYTES.contains(&self.max_line_bytes.0) {
            return Err(ConfigError::invalid(format!(
                "monitor.max_line_bytes: expected 256B to 16MiB, found {}",
                self.max_line_bytes
            )));
        }
        let pattern = self.multiline_pattern.as_deref();
        let multiline = Rule::new(self.multiline, pattern, self.multiline_count)
            .map_err(|error| ConfigError::invalid(format!("monitor: {error}")))?;
        let kind = self.kind();
        self.check_module(kind)?;
        self.check_patterns(kind)?;
        Ok(Recipe {
            format: self.lines(&self.times()?)?,
            dataset: self.dataset_of(kind),
            encoding: self.encoding,
            container: self.container,
            multiline: multiline.or_else(|| Rule::of_format(kind)),
            keep_original: self.keep_original,
            max_line_bytes: self.max_line_bytes.as_usize(),
            finish: Finish { module: self.module, ..finish.clone() },
        })
    }

    /// These with the fields of the host, which are in front of its own.
    #[must_use]
    pub fn with_fields(mut self, of_host: &FieldTable) -> Self {
        let own = std::mem::replace(&mut self.fields, of_host.clone());
        lay_over(&mut self.fields, own);
        self
    }

    /// A module is that of a web server.
    fn check_module(&self, kind: ParserKind) -> Result<(), ConfigError> {
        match self.module {
            Some(module) if !is_web(kind) => Err(ConfigError::invalid(format!(
                "monitor.module: expected none unless parser is that of a web server's log, found module = {:?} with parser = {:?}",
                module.name(),
                kind.name()
            ))),
            _ => Ok(()),
        }
    }

    /// Only grok names patterns.
    fn check_patterns(&self, kind: ParserKind) -> Result<(), ConfigError> {
        if kind == ParserKind::Grok {
            let checked = crate::pattern::check_own(&self.patterns);
            return checked.map_err(|problem| ConfigError::invalid(format!("monitor.{problem}")));
        }
        if self.patterns.is_empty() {
            return Ok(());
        }
        Err(ConfigError::invalid(format!(
            "monitor.patterns: expected none unless parser = grok, found some with parser = {:?}",
            kind.name()
        )))
    }

    /// The format string, with patterns of one's own put in: it says the same without them.
    fn whole_format(&self) -> Result<Option<String>, String> {
        match &self.format {
            Some(text) if !self.patterns.is_empty() => {
                crate::pattern::with_own(text, &self.patterns).map(Some)
            }
            format => Ok(format.clone()),
        }
    }

    /// The format of lines: a format string has one.
    pub fn kind(&self) -> ParserKind {
        match self.parser {
            ParserKind::Auto if self.format.is_some() => ParserKind::Access,
            kind => kind,
        }
    }

    /// The format of lines, checked.
    fn lines(&self, times: &TimeRule) -> Result<Format, ConfigError> {
        let format = self
            .whole_format()
            .map_err(|problem| ConfigError::invalid(format!("monitor.format: {problem}")))?;
        match (format, self.kind()) {
            (Some(text), kind) if kind.has_format() => kind
                .format_of(&text, times)
                .map_err(|problem| ConfigError::invalid(format!("monitor.format: {problem}"))),
            (Some(_), kind) => Err(ConfigError::invalid(format!(
                "monitor.format: expected none unless parser = access, postgresql, regex or grok, found parser = {:?}",
                kind.name()
            ))),
            (None, ParserKind::Access) => Err(ConfigError::invalid(
                "monitor.format: expected the server's format string for parser = access, such as '%h %l %u %t \"%r\" %>s %b', found none",
            )),
            (None, kind) if kind.has_pattern() => Err(ConfigError::invalid(format!(
                "monitor.format: expected the pattern of lines for parser = {:?}, such as '(?<user.name>\\w+) (?<message>.*)', or for grok '%{{WORD:user.name}} %{{GREEDYDATA:message}}', found none",
                kind.name()
            ))),
            (None, kind) => Ok(kind.format_with(times)),
        }
    }

    /// What is said of times, which only formats may have that have a use for it.
    fn times(&self) -> Result<TimeRule, ConfigError> {
        let of_members = [("time_field", &self.time_field), ("time_format", &self.time_format)];
        // What is found out may have a use for all of them.
        let kind = self.kind();
        let is_json = kind.has_time_field() || kind == ParserKind::Auto;
        let has_zone = kind.has_zone();
        let useless = of_members.into_iter().find(|(_, set)| set.is_some() && !is_json);
        let useless = useless.map(|(name, _)| (name, "json, regex or grok"));
        let zone = (self.time_zone.is_some() && !has_zone)
            .then_some(("time_zone", "json or w3c, or one of text with local times"));
        if let Some((name, kinds)) = useless.or(zone) {
            return Err(ConfigError::invalid(format!(
                "monitor.{name}: expected none unless parser = {kinds}, whose times need it"
            )));
        }
        let [field, format, zone] =
            [&self.time_field, &self.time_format, &self.time_zone].map(Option::as_deref);
        TimeRule::new(field, format, zone)
            .map_err(|error| ConfigError::invalid(format!("monitor.{error}")))
    }

    /// These for lines of another format, without what is said of times that it has no use for.
    #[must_use]
    pub fn with_parser(&self, parser: ParserKind) -> Self {
        let is_json = parser.has_time_field();
        let has_zone = parser.has_zone();
        let settings = self.clone();
        Self {
            parser,
            format: settings.format.filter(|_| parser.has_format()),
            patterns: if parser == ParserKind::Grok { settings.patterns } else { Patterns::new() },
            time_field: settings.time_field.filter(|_| is_json),
            time_format: settings.time_format.filter(|_| is_json),
            time_zone: settings.time_zone.filter(|_| has_zone),
            module: settings.module.filter(|_| is_web(parser)),
            ..settings
        }
    }

    /// The dataset of lines of this format.
    pub fn dataset_of(&self, parser: ParserKind) -> String {
        match (&self.dataset, self.module, parser.default_dataset()) {
            (Some(dataset), ..) => dataset.clone(),
            (None, Some(module), ACCESS) => format!("{}.{ACCESS}", module.name()),
            (None, _, dataset) => dataset.to_owned(),
        }
    }

    /// By what lines of this format are read.
    pub fn rule(&self, parser: ParserKind) -> LineRule {
        let settings = self.with_parser(parser);
        // Settings that cannot be used were refused before.
        let whole = settings.whole_format().ok().flatten();
        let Self { time_field, time_format, time_zone, format, .. } = settings;
        let format = whole.or(format);
        let times =
            TimeSettings { field: time_field, format: time_format, zone: time_zone, line: format };
        LineRule { parser, times: Some(times), dataset: Some(self.dataset_of(parser)) }
    }

    /// These for lines that are read by `rule`.
    #[must_use]
    pub fn with_rule(&self, rule: &LineRule) -> Self {
        let dataset = rule.dataset.clone().or_else(|| self.dataset.clone());
        let settings = Self { dataset, ..self.with_parser(rule.parser) };
        match rule.times.clone() {
            Some(TimeSettings { field, format, zone, line }) => Self {
                time_field: field,
                time_format: format,
                time_zone: zone,
                format: line,
                patterns: Patterns::new(),
                ..settings
            },
            None => settings,
        }
    }

    /// Whether an event may have several lines.
    pub fn joins_lines(&self) -> bool {
        self.multiline != MultilineKind::None
            || Rule::of_format(self.kind()).is_some()
            || self.container != Container::None
    }
}

#[cfg(test)]
mod tests;
