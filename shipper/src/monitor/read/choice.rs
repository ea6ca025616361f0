//! Which format a file has, where nobody says: found out from its first lines, once, and kept in the
//! checkpoint, since ids depend on it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use omphalos_common::event::clean_name;
use omphalos_parser::ParserKind;
use omphalos_parser::detect::detect_in;
use omphalos_parser::scribe::{Origin, Recipe, Scribe};
use omphalos_parser::settings::RecipeSettings;
use tracing::{debug, info};

use crate::monitor::broken::Broken;
use crate::monitor::know::files::Host;
use crate::monitor::position::progress::Position;
use crate::monitor::settings::Input;

/// So many logs are remembered by what they are; beyond that, each file speaks for itself.
const MOST_LOGS: usize = 10_000;

/// So many choices are named in the log.
const NAMED: usize = 10;

/// Which formats logs were found to have: a file of the same log is likely to have the same, whatever
/// its first lines are.
#[derive(Debug, Clone, Default)]
pub struct Formats {
    logs: Arc<Mutex<HashMap<PathBuf, ParserKind>>>,
    choices: Arc<AtomicUsize>,
}

impl Formats {
    /// Remembers what a log is; that it may be anything says nothing.
    pub fn note(&self, log: &Path, kind: ParserKind) {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if kind == ParserKind::Raw {
            return;
        }
        if logs.len() >= MOST_LOGS && !logs.contains_key(log) {
            logs.clear();
        }
        logs.insert(log.to_owned(), kind);
    }

    fn of(&self, log: &Path) -> Option<ParserKind> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).get(log).copied()
    }

    /// Whether one more choice is among the first, which are named.
    fn names_one_more(&self) -> bool {
        self.choices.fetch_add(1, Ordering::Relaxed) < NAMED
    }
}

/// What is known of the format of a file.
pub enum FileFormat {
    /// It is set, or was found out before.
    Known(ParserKind),
    /// It was found out, which must be saved before lines leave.
    New(ParserKind),
    /// It is still to be found out.
    Undecided(Box<Choice>),
}

impl FileFormat {
    /// It, if it is known.
    pub fn kind(&self) -> Option<ParserKind> {
        match self {
            Self::Known(kind) | Self::New(kind) => Some(*kind),
            Self::Undecided(_) => None,
        }
    }
}

/// What a file is read with once its format is known.
pub struct Chosen {
    /// The format.
    pub kind: ParserKind,
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
    /// What its log is called.
    log: PathBuf,
    formats: Formats,
}

impl Choice {
    /// What is known of the format of the file of `log` that is called `path`: what the settings say, or
    /// that it is to be found out.
    pub fn of(
        input: &Input,
        host: &Host,
        path: &Path,
        log: &Path,
        formats: &Formats,
    ) -> FileFormat {
        if let Some(kind) = input.parser {
            return FileFormat::Known(kind);
        }
        FileFormat::Undecided(Box::new(Self {
            recipe: input.recipe.clone(),
            settings: input.recipe_settings.clone(),
            host_name: host.name.clone(),
            host_id: host.id.clone(),
            path: path.to_owned(),
            log: log.to_owned(),
            formats: formats.clone(),
        }))
    }

    /// The format of a file that begins with one of `heads`: the first that has one; else that of its
    /// log.
    ///
    /// # Errors
    /// What cannot be.
    pub fn by(&self, heads: &[&[u8]]) -> io::Result<Chosen> {
        let found = heads.iter().map(|head| detect_in(&self.recipe, head));
        let found =
            found.reduce(|best, next| if best.kind == ParserKind::Raw { next } else { best });
        let (kind, why) = match (found, self.formats.of(&self.log)) {
            (Some(found), _) if found.kind != ParserKind::Raw => {
                (found.kind, format!("{} of its first {} lines are", found.read, found.of))
            }
            (_, Some(kind)) => (kind, "the log was before".to_owned()),
            _ => (ParserKind::Raw, "its first lines are of no format that is known".to_owned()),
        };
        let (path, parser) = (self.path.display(), kind.name());
        if self.formats.names_one_more() {
            info!(%path, parser, "{why}: the parser is chosen for good");
        } else {
            debug!(%path, parser, "{why}: the parser is chosen for good");
        }
        self.kind(kind)
    }

    /// The format that was found out before.
    ///
    /// # Errors
    /// What cannot be: the settings were checked.
    pub fn kind(&self, kind: ParserKind) -> io::Result<Chosen> {
        self.formats.note(&self.log, kind);
        let settings = RecipeSettings { parser: kind, ..self.settings.clone() };
        let recipe = settings.recipe().map_err(|error| Broken::error(error.to_string()))?;
        let origin = Origin {
            host_name: &self.host_name,
            host_id: &self.host_id,
            path: self.path.as_os_str().as_encoded_bytes(),
        };
        let dataset = Arc::from(clean_name(&recipe.dataset));
        Ok(Chosen { kind, scribe: recipe.scribe(origin), dataset })
    }
}
