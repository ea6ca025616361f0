//! The real logrotate, on one log, with its configuration and its memory in a directory of its own.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::Duration;

use jiff::Timestamp;

use crate::repository;
use crate::wait::rest;

/// Debian keeps it where only root looks.
const SEARCH_PATH: &str = "/usr/sbin:/sbin:/usr/bin:/bin";

/// How much behind its clock may be, in milliseconds.
const BEHIND: i64 = 100;

/// A configuration of logrotate.
pub struct Logrotate {
    directory: PathBuf,
    replaces: bool,
    /// When it was last used, where it names files by seconds.
    last: Option<Cell<i64>>,
}

impl Logrotate {
    /// For the log at `path`, with these directives besides `rotate`. Its own files are beside the
    /// log, in a directory.
    pub fn new(path: &Path, directives: &[&str]) -> Self {
        install();
        let directory = path.parent().expect("a directory").join("logrotate");
        fs::create_dir_all(&directory).expect("a directory");
        let lines = directives.join("\n");
        let text = format!("{} {{\nrotate 20\n{lines}\n}}\n", path.display());
        fs::write(directory.join("conf"), text).expect("a configuration");
        let replaces = !directives.contains(&"copytruncate");
        let last = directives.contains(&"dateext").then(Cell::default);
        Self { directory, replaces, last }
    }

    /// Whether the log has another file behind its name after a rotation.
    pub fn replaces(&self) -> bool {
        self.replaces
    }

    /// Rotates the log now.
    pub fn rotate(&self) {
        self.wait_for_name();
        let output = Command::new("logrotate")
            .env("PATH", SEARCH_PATH)
            .args(["--force", "--state"])
            .arg(self.directory.join("state"))
            .arg(self.directory.join("conf"))
            .output()
            .expect("logrotate runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "logrotate: {errors}");
        // Not before: logrotate may look at the clock a second later than we would.
        if let Some(last) = &self.last {
            last.set(Timestamp::now().as_second());
        }
    }

    /// Two files cannot have the same second in their names. The clock that logrotate looks at is
    /// some milliseconds behind ours.
    fn wait_for_name(&self) {
        let Some(last) = &self.last else { return };
        while (Timestamp::now().as_millisecond() - BEHIND) / 1000 <= last.get() {
            rest(Duration::from_millis(20));
        }
    }
}

fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let script = repository().join("tests/stack/install.sh");
        let status = Command::new(script).arg("logrotate").status().expect("install.sh runs");
        assert!(status.success(), "there is no logrotate");
    });
}
