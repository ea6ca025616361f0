//! Which format a file has, where nobody says: found out from its first line, once, and kept in the
//! checkpoint, since ids depend on it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use omphalos_common::event::clean_name;
use omphalos_parser::ParserKind;
use omphalos_parser::detect::detect_in;
use omphalos_parser::scribe::{Origin, Recipe, Scribe};
use omphalos_parser::settings::{LineRule, RecipeSettings};
use tracing::{debug, info};

use crate::monitor::broken::Broken;
use crate::monitor::know::files::Host;
use crate::monitor::position::progress::Position;
use crate::monitor::settings::Input;

/// So many choices are named in the log.
const NAMED: usize = 10;

/// How many choices were made, or kept.
#[derive(Debug, Clone, Default)]
pub struct Choices(Arc<AtomicUsize>);

impl Choices {
    /// Whether one more is among the first, which are named.
    pub fn names_one_more(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) < NAMED
    }
}

/// What is known of the format of a file.
pub enum FileFormat {
    /// It is set, or was found out before.
    Known(LineRule),
    /// It was found out, which must be saved before lines leave.
    New(LineRule),
    /// It is still to be found out.
    Undecided(Box<Choice>),
}

impl FileFormat {
    /// It, if it is known.
    pub fn rule(&self) -> Option<&LineRule> {
        match self {
            Self::Known(rule) | Self::New(rule) => Some(rule),
            Self::Undecided(_) => None,
        }
    }
}

/// What a file is read with once its format is known.
pub struct Chosen {
    /// The format, and the rule of times.
    pub rule: LineRule,
    /// What makes documents of its lines.
    pub scribe: Scribe<Position>,
    /// The cleaned dataset.
    pub dataset: Arc<str>,
}

/// A choice that is still to be made.
pub struct Choice {
    recipe: Recipe,
    settings: RecipeSettings,
    host_name: String,
    host_id: String,
    /// What the file is called in documents.
    path: PathBuf,
    choices: Choices,
}

impl Choice {
    /// That of the file that is called `path`.
    pub fn new(input: &Input, host: &Host, path: &Path, choices: &Choices) -> Self {
        Self {
            recipe: input.recipe.clone(),
            settings: input.recipe_settings.clone(),
            host_name: host.name.clone(),
            host_id: host.id.clone(),
            path: path.to_owned(),
            choices: choices.clone(),
        }
    }

    /// The format of a line that is alone.
    pub fn detected(&self, line: &[u8]) -> Option<ParserKind> {
        detect_in(&self.recipe, line, true)
    }

    /// The format of a file that begins with `head`; `None` where no line is whole there, unless that
    /// `is_all` that there will be.
    ///
    /// # Errors
    /// What cannot be.
    pub fn by(&self, head: &[u8], is_all: bool) -> io::Result<Option<Chosen>> {
        let Some(kind) = detect_in(&self.recipe, head, is_all) else { return Ok(None) };
        let (path, parser) = (self.path.display(), kind.name());
        let marks = kind.marks();
        let why = match kind {
            ParserKind::Raw => "the first line is of no format that is known".to_owned(),
            _ => format!("the first line has the format of this parser: {marks}"),
        };
        if self.choices.names_one_more() {
            info!(%path, parser, "{why}; it is kept for this file");
        } else {
            debug!(%path, parser, "{why}; it is kept for this file");
        }
        self.chosen(self.settings.rule(kind)).map(Some)
    }

    /// By what lines of this format are read, as the settings are now.
    pub fn rule(&self, parser: ParserKind) -> LineRule {
        self.settings.rule(parser)
    }

    /// What is read by a rule that was found out, or set, before.
    ///
    /// # Errors
    /// What cannot be: the settings were checked.
    pub fn chosen(&self, rule: LineRule) -> io::Result<Chosen> {
        // Patterns are large when they are compiled: files share those that the settings have.
        let recipe = if rule == self.settings.rule(self.settings.kind()) {
            self.recipe.clone()
        } else {
            self.settings
                .with_rule(&rule)
                .recipe_finished_by(&self.recipe.finish)
                .map_err(|error| Broken::error(error.to_string()))?
        };
        let origin = Origin {
            host_name: &self.host_name,
            host_id: &self.host_id,
            path: self.path.as_os_str().as_encoded_bytes(),
        };
        let dataset = Arc::from(clean_name(&recipe.dataset));
        Ok(Chosen { rule, scribe: recipe.scribe(origin), dataset })
    }
}
