//! What packages have beside the programs, made from what the programs themselves know: manual pages
//! and completions from their command lines, settings files from the rows of their settings. The
//! programs that are shipped do not carry it.

mod manual;
mod settings;

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap_complete::{Shell, generate_to};

pub use manual::{Page, pages};
pub use settings::{SettingsFile, settings_files};

/// Shells whose completions are made.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// The command lines of all programs, by the names of these.
pub fn commands() -> [(&'static str, Command); 3] {
    [
        ("omphalos", omphalos::command()),
        ("omphalos-shipper", omphalos_shipper::cli::command()),
        ("omphalos-indexer", omphalos_indexer::cli::command()),
    ]
}

/// Writes everything into `directory`: `man/PROGRAM/…`, `completions/…` and `etc/….toml`.
///
/// # Errors
/// When something cannot be written.
pub fn write(directory: &Path) -> io::Result<()> {
    let completions = directory.join("completions");
    fs::create_dir_all(&completions)?;
    for (name, command) in commands() {
        for shell in SHELLS {
            generate_to(shell, &mut command.clone(), name, &completions)?;
        }
        let manual = directory.join("man").join(name);
        fs::create_dir_all(&manual)?;
        for page in pages(command)? {
            fs::write(manual.join(format!("{}.1", page.name)), page.text)?;
        }
    }
    let etc = directory.join("etc");
    fs::create_dir_all(&etc)?;
    for file in settings_files() {
        fs::write(etc.join(file.name), file.text())?;
    }
    Ok(())
}
