//! A wall clock that is stepped while programs run, as someone does who sets it. Their monotonic
//! clock, and the times of files, stay the machine's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::repository;

/// The wall clock of those who are started with [`crate::Program::with_clock`] and its file.
pub struct Clock {
    file: PathBuf,
    /// By how many seconds it is ahead of the machine's.
    ahead: i64,
}

impl Clock {
    /// A clock that is right, kept in `file`.
    pub fn new(file: &Path) -> Self {
        let clock = Self { file: file.to_owned(), ahead: 0 };
        clock.write();
        clock
    }

    /// Where it is kept.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Sets it forwards by whole seconds; whoever looks from now on sees it.
    pub fn step_forwards(&mut self, by: Duration) {
        self.ahead += seconds(by);
        self.write();
    }

    /// Sets it backwards by whole seconds; whoever looks from now on sees it.
    pub fn step_backwards(&mut self, by: Duration) {
        self.ahead -= seconds(by);
        self.write();
    }

    fn write(&self) {
        // Nobody may read half of it.
        let unfinished = self.file.with_extension("new");
        fs::write(&unfinished, format!("{:+}\n", self.ahead)).expect("the clock can be written");
        fs::rename(&unfinished, &self.file).expect("the clock can be replaced");
    }
}

fn seconds(by: Duration) -> i64 {
    i64::try_from(by.as_secs()).expect("a number of seconds")
}

/// What has a program look at the clock in `file`. The library that does it is installed where it
/// is missing.
pub(crate) fn variables(file: &Path) -> Vec<(String, String)> {
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        variable("LD_PRELOAD", &library().display().to_string()),
        variable("FAKETIME_TIMESTAMP_FILE", &file.display().to_string()),
        variable("FAKETIME_NO_CACHE", "1"),
        // Two names, of older and newer releases.
        variable("DONT_FAKE_MONOTONIC", "1"),
        variable("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        variable("NO_FAKE_STAT", "1"),
    ]
}

/// libfaketime, the one for programs of several threads.
fn library() -> PathBuf {
    let installer = repository().join("tests/stack/install.sh");
    let installed = Command::new(&installer).arg("faketime").status().expect("install.sh runs");
    assert!(installed.success(), "faketime cannot be installed");
    let folders = fs::read_dir("/usr/lib").expect("a folder of libraries").flatten();
    let mut paths = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    paths.find(|path| path.exists()).expect("install.sh saw it")
}
