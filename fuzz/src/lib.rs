//! What fuzzing runs: for each target a function of some bytes that must not panic, whatever they are.
//! `fuzz_targets/` gives them to libFuzzer, `tests/replay` gives them the seeds.

mod checkpoint;
mod lines;
mod monitor;
mod replies;
mod requests;
mod settings;
mod spool;
mod udp;
mod wire;

use std::path::Path;

use tempfile::TempDir;

/// A target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 9] = [
    ("lines", lines::run),
    ("monitor", monitor::run),
    ("wire", wire::run),
    ("udp", udp::run),
    ("spool", spool::run),
    ("checkpoint", checkpoint::run),
    ("replies", replies::run),
    ("requests", requests::run),
    ("settings", settings::run),
];

/// Runs the target of this name.
///
/// # Panics
/// When there is none, and when it has found something.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of that name");
    target.1(data);
}

/// One of `all`, by a byte of the input; `0` is the first, so that seeds can be read.
fn one_of<T: Copy>(all: &[T], byte: u8) -> T {
    all[usize::from(byte.wrapping_sub(b'0')) % all.len()]
}

/// A directory for one input, in memory where that is possible.
fn directory() -> TempDir {
    let shared = Path::new("/dev/shm");
    let made = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
    made.expect("a temporary directory")
}

/// What every document must be: an object on one line, in UTF-8, that a JSON parser takes.
fn check_document(document: &[u8]) {
    let text = std::str::from_utf8(document).expect("a document is UTF-8");
    assert!(text.starts_with('{') && text.ends_with('}') && !text.contains('\n'), "{text}");
    let read = serde_json::from_str::<serde::de::IgnoredAny>(text);
    assert!(read.is_ok(), "{read:?}: {text}");
}
