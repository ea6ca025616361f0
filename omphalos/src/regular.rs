//! Files that are read from beginning to end, and perhaps once more: no pipes, no devices, no directories.

use std::fs::FileType;
use std::path::{Path, PathBuf};

use omphalos_common::config::ConfigError;
use omphalos_shipper::monitor::{PIPE, kind_of};

/// The absolute path of a regular file.
///
/// # Errors
/// When it cannot be looked at, or is something else; the message says what.
pub fn regular_file(name: &Path) -> Result<PathBuf, ConfigError> {
    let shown = name.display();
    let unreadable = |error| ConfigError::invalid(format!("cannot read {shown}: {error}"));
    let path = std::path::absolute(name).map_err(unreadable)?;
    match std::fs::metadata(&path) {
        Ok(found) if found.is_file() => Ok(path),
        Ok(found) => Err(irregular(name, found.file_type())),
        Err(_) if name.as_os_str() == PIPE => Err(of_stream(name, "standard input")),
        Err(error) => Err(unreadable(error)),
    }
}

/// What to say of a file that is of another kind.
pub fn irregular(name: &Path, kind: FileType) -> ConfigError {
    let shown = name.display();
    if kind.is_dir() {
        return ConfigError::invalid(format!(
            "{shown}: expected a file, found a directory; name the files in it, as in {shown}/*"
        ));
    }
    of_stream(name, kind_of(kind))
}

fn of_stream(name: &Path, kind: &str) -> ConfigError {
    ConfigError::invalid(format!(
        "{}: expected a file, found {kind}, whose lines cannot be read once more; write them to a file and name that",
        name.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn what_is_no_file_is_said_to_be_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "").unwrap();
        assert_eq!(regular_file(&at("file")).unwrap(), at("file"));
        let _socket = UnixListener::bind(at("socket")).unwrap();
        let (owner, fifo) = (rustix::fs::Mode::RUSR, rustix::fs::FileType::Fifo);
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), fifo, owner, 0).unwrap();
        for (path, found) in [
            (
                at("fifo"),
                "found a FIFO, whose lines cannot be read once more; write them to a file",
            ),
            (at("socket"), "found a socket, whose lines"),
            (PathBuf::from("/dev/null"), "found a device, whose lines"),
            (PathBuf::from(PIPE), "found standard input, whose lines"),
            (directory.path().to_owned(), "found a directory; name the files in it, as in "),
        ] {
            let error = regular_file(&path).unwrap_err().to_string();
            let expected = format!("{}: expected a file, {found}", path.display());
            assert!(error.starts_with(&expected), "{error}");
        }
        let error = regular_file(&at("none")).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot read {}: No such file", at("none").display())));
    }
}
