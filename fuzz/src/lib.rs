//! What fuzzing runs: for each target a function of some bytes that must not panic, whatever they are.
//! `fuzz_targets/` gives them to libFuzzer, `tests/e2e/replay.rs` gives them the seeds. No list has them all:
//! a program would have the code of all then, and libFuzzer looks at what ran of it after each input.

pub mod checkpoint;
pub mod lines;
pub mod monitor;
pub mod replies;
pub mod requests;
pub mod settings;
pub mod spool;
pub mod udp;
pub mod wire;

use std::path::Path;

use tempfile::TempDir;

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
