//! Whether the files of a checkpoint can be read on: with the keys that their ids were begun with.

use omphalos_common::config::ConfigError;
use omphalos_common::ids::{ID_VERSION, IdKeys, IdScheme};

use crate::config::Settings;
use crate::monitor::Entry;

/// Refuses keys without one that a file was begun with: what is read again of it would get other
/// ids, and be there twice.
///
/// # Errors
/// Names a file, its key, and what to do.
pub fn check_keys(
    entries: &[Entry],
    keys: &IdKeys,
    settings: &Settings,
) -> Result<(), ConfigError> {
    let is_unknown = |entry: &&Entry| entry.ids().is_none_or(|ids| !keys.has(ids));
    let mut unknown = entries.iter().filter(is_unknown);
    let Some(first) = unknown.next() else { return Ok(()) };
    let (path, state_dir) = (first.path.display(), settings.state_dir.display());
    let others = match unknown.count() {
        0 => String::new(),
        count => format!(" and {count} other files"),
    };
    let Some(IdScheme::OfKey(print)) = first.ids() else {
        return Err(ConfigError::invalid(format!(
            "the checkpoint in {state_dir} has ids of version {} for {path}{others}; expected 1 to {ID_VERSION}: a later omphalos-shipper wrote it, use that one",
            first.id_version
        )));
    };
    let found = match &settings.id_key_file {
        Some(file) => format!("and {} does not have it", file.display()),
        None => "and no file of keys is named".to_owned(),
    };
    Err(ConfigError::invalid(format!(
        "id_key_file: ids of {path}{others} were begun with the key {print} (its fingerprint, as in the checkpoint in {state_dir}), {found}; keep the old key in that file, on a line after the new one: with another key, what is read again would be indexed twice"
    )))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::monitor::{Entry, FileKey};

    #[test]
    fn a_key_that_a_file_was_begun_with_is_asked_for() {
        let (old, new) = ("ab".repeat(16), "cd".repeat(16));
        let keys = |lines: &[&str]| IdKeys::parse(&lines.join("\n")).unwrap();
        let key = FileKey { device: 1, inode: 1, born: None };
        let entry = |path: &str, ids| Entry::unread(Path::new(path), key, ids, 0);
        let of_old = keys(&[&old]).of_new_files();
        let settings = Settings {
            state_dir: PathBuf::from("/state"),
            id_key_file: Some(PathBuf::from("/keys")),
            ..Settings::default()
        };
        let check = |entries: &[Entry], keys: &IdKeys, settings: &Settings| {
            check_keys(entries, keys, settings).map_err(|error| error.to_string())
        };
        let always = [entry("/1", IdScheme::Unkeyed), entry("/2", IdScheme::OfHost)];
        assert_eq!(check(&always, &IdKeys::default(), &settings), Ok(()));
        let entries = [&always[..], &[entry("/3", of_old), entry("/4", of_old)]].concat();
        assert_eq!(check(&entries, &keys(&[&old]), &settings), Ok(()));
        assert_eq!(check(&entries, &keys(&[&new, &old]), &settings), Ok(()));
        assert_eq!(check(&entries, &keys(&["host", &old]), &settings), Ok(()));
        let refused = check(&entries, &keys(&[&new]), &settings).unwrap_err();
        let print = of_old.key().unwrap();
        assert!(
            refused.starts_with(&format!(
                "id_key_file: ids of /3 and 1 other files were begun with the key {print} (its fingerprint, as in the checkpoint in /state), and /keys does not have it; keep the old key"
            )),
            "{refused}"
        );
        let unnamed = Settings { id_key_file: None, ..settings.clone() };
        let refused = check(&entries, &IdKeys::default(), &unnamed).unwrap_err();
        assert!(refused.contains("and no file of keys is named"), "{refused}");
        let later = Entry { id_version: 3, ..entry("/5", IdScheme::OfHost) };
        let refused = check(&[later], &keys(&[&new]), &settings).unwrap_err();
        assert!(refused.contains("ids of version 3 for /5; expected 1 to 2"), "{refused}");
    }
}
