//! Many files: what ten thousand of them cost while nothing happens and while all are written to,
//! how soon they are known again after a start, whether all of a storm of new ones are found, and
//! what a thousand slow ones take from a fast one.
//!
//! The shipper is a process of its own that ships to nowhere and is watched from outside: by its
//! metrics, and by what the kernel knows of it. Events come from inotify, as everywhere.

mod beside;
mod creation;
mod idle;
mod lateness;
mod running;
mod start;
mod tree;
mod writer;
mod writing;

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::table::Table;
use running::Running;
use tree::Tree;

/// How many files there are.
const FILES: usize = 10_000;
/// How late a line may be beyond the flush interval.
const PATIENCE: Duration = Duration::from_secs(1);
/// `batch.flush_interval`, as it is by default.
const FLUSH_INTERVAL: Duration = Duration::from_millis(300);

/// Measures all of it, in a directory of its own.
pub fn measure(table: &mut Table) {
    allow_descriptors();
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    many(&directory.join("many"), table);
    creation::measure(&directory.join("creation"), table);
    beside::compare(&directory.join("beside"), table);
}

/// What is measured with the same files, one after another.
fn many(directory: &Path, table: &mut Table) {
    let mut tree = Tree::create(&directory.join("logs"), FILES);
    let lines = tree.fill();
    let mut running = Running::start(directory, |shipper| tree.watched_by(shipper));
    running.wait_for(tree::DATASET, lines);
    running.settle();
    idle::measure(&running, table);
    writing::measure(&running, &tree, table);
    running.terminate();
    start::measure(directory, &mut tree, table);
    fs::remove_dir_all(directory).expect("the files can be removed");
}

/// Writers keep all files open.
fn allow_descriptors() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let wanted = (2 * FILES as u64).min(most);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, most).expect("a higher limit");
}

/// In words, how late a line may be.
fn in_time() -> String {
    format!("≤ {:.1} s", (FLUSH_INTERVAL + PATIENCE).as_secs_f64())
}
