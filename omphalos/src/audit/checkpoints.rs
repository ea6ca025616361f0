//! Who has shipped a file: the process whose state directory is given, or an import beside it, which
//! remembers by itself.

use std::io;
use std::path::Path;

use omphalos_common::config::ConfigError;
use omphalos_shipper::monitor::{Entry, Recalled, peek, recall};

use crate::dead_files::places_of_imports;

/// What checkpoints say.
pub struct Checkpoints {
    /// That of the process whose state directory it is.
    of_process: Vec<Entry>,
    /// Those of imports beside it: into the store first, then into others.
    of_imports: Vec<Entry>,
    /// Why a file may be unknown to them.
    pub why_unknown: String,
}

impl Checkpoints {
    /// Those in and below a state directory; `is_named` says that it was asked for.
    ///
    /// # Errors
    /// When it has none though it was asked for, or what it has cannot be read.
    pub fn read(state_dir: &Path, is_named: bool) -> Result<Self, ConfigError> {
        let shown = state_dir.display();
        let mut of_imports = Vec::new();
        for place in places_of_imports(state_dir)? {
            match peek(&place) {
                Ok(found) => of_imports.extend(found.unwrap_or_default()),
                Err(error) if is_named => {
                    return Err(ConfigError::invalid(format!("--state-dir: {error}")));
                }
                Err(_) => {}
            }
        }
        let has_imports = !of_imports.is_empty();
        let (of_process, why_unknown) = match peek(state_dir) {
            Ok(Some(entries)) => (entries, format!("the one in {shown} says nothing of this file")),
            Ok(None) if has_imports => {
                let why =
                    format!("{shown} has those of imports only, which say nothing of this file");
                (Vec::new(), why)
            }
            Ok(None) if is_named => {
                return Err(ConfigError::invalid(format!(
                    "--state-dir: {shown} has no checkpoint, and no import beside one; expected the state directory of the shipper, of omphalos run, or that an import was given"
                )));
            }
            Err(error) if is_named => {
                return Err(ConfigError::invalid(format!("--state-dir: {error}")));
            }
            Ok(None) => (Vec::new(), format!("there is none in {shown}")),
            Err(error) => (Vec::new(), error.to_string()),
        };
        Ok(Self { of_process, of_imports, why_unknown })
    }

    /// What they say of the file at `path`, which its shipper knows as `called`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn recall(&self, path: &Path, called: &Path) -> io::Result<Option<Recalled>> {
        recall(&self.of_process, &self.of_imports, path, called)
    }
}
