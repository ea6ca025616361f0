//! Where dead letters are that are in no queue: a process has a file of them in its state directory, and
//! so has each import that was done beside it, in the directory where it keeps what it remembers.

use std::fs::read_dir;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use omphalos_common::config::ConfigError;
use omphalos_indexer::collector::DEAD_FILE_NAME;

use crate::import::REMEMBERED;

/// Where a replay of a file has, beside it, what is refused again: that is in the file still.
pub const REPLAY: &str = "replay";

/// The file of the process whose state directory it is.
pub fn of_process(state_dir: &Path) -> PathBuf {
    state_dir.join(DEAD_FILE_NAME)
}

/// The files of imports beside it, where there are some: into the store first, then into others by
/// name.
///
/// # Errors
/// When a directory cannot be read.
pub fn of_imports(state_dir: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let files = places_of_imports(state_dir)?.into_iter().map(|place| place.join(DEAD_FILE_NAME));
    Ok(files.filter(|file| file.is_file()).collect())
}

/// Where imports beside it keep what they remember: into the store first, then into others by name.
///
/// # Errors
/// When a directory cannot be read.
pub fn places_of_imports(state_dir: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let imports = state_dir.join(REMEMBERED);
    let unreadable = |error| {
        ConfigError::invalid(format!(
            "state_dir: cannot read {}: {error}; do this as the user who has imported",
            imports.display()
        ))
    };
    let entries = match read_dir(&imports) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(unreadable(error)),
    };
    let mut places = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name() != REPLAY {
            places.push(entry.path());
        }
    }
    places.sort_unstable();
    places.insert(0, imports);
    places.retain(|place| place.is_dir());
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_import_has_its_own() {
        let directory = tempfile::tempdir().unwrap();
        assert!(of_imports(directory.path()).unwrap().is_empty());
        let imports = directory.path().join("import");
        let mut expected = Vec::new();
        for place in ["", "http---b-9200-x", "http---c-9200-x"] {
            let own = imports.join(place);
            std::fs::create_dir_all(own.join(REPLAY)).unwrap();
            std::fs::write(own.join(REPLAY).join(DEAD_FILE_NAME), "").unwrap();
            std::fs::write(own.join(DEAD_FILE_NAME), "").unwrap();
            expected.push(own.join(DEAD_FILE_NAME));
        }
        std::fs::create_dir(imports.join("nothing-refused")).unwrap();
        assert_eq!(of_imports(directory.path()).unwrap(), expected);
    }
}
