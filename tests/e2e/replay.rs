//! What fuzzing runs, without libFuzzer: the seeds, each input that ever broke something, and some
//! thousand mutations of them, always the same.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

#[path = "../../fuzz/src/lib.rs"]
mod targets;

/// Bytes that formats make something of.
const SPECIAL: &[u8] = b"\0\n\r\t \"\\'{}[]()<>:,.-+*/%#=&?;0919aZ\x1b\x7f\x80\xc3\xed\xef\xff";
/// Longer inputs say nothing new.
const MOST_BYTES: usize = 4096;

/// The name of a target, and what it does with an input.
type Target = (&'static str, fn(&[u8]));

/// The inputs of a target in `fuzz/seeds`.
fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = omphalos_tests::repository().join("fuzz/seeds").join(target);
    let entries =
        fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", directory.display());
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Runs an input; a panic says which it was, and where it can be had.
fn try_out((target, run): Target, name: &str, data: &[u8]) {
    let result = catch_unwind(AssertUnwindSafe(|| run(data)));
    if let Err(panic) = result {
        let path = std::env::temp_dir().join(format!("omphalos-fuzz-{target}"));
        fs::write(&path, data).unwrap();
        eprintln!("{name} breaks {target}; the input is in {}", path.display());
        resume_unwind(panic);
    }
}

fn mutate(random: &mut SmallRng, data: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=data.len());
        let end = random.random_range(at..=data.len().min(at + 32));
        match random.random_range(0..6) {
            0 => data.iter_mut().skip(at).take(1).for_each(|byte| *byte = random.random()),
            1 => data.insert(at, *SPECIAL.choose(random).unwrap()),
            2 => drop(data.drain(at..end)),
            3 => {
                let part = data[at..end].repeat(random.random_range(1..=8));
                drop(data.splice(at..at, part));
            }
            4 => {
                let from = random.random_range(0..=other.len());
                let part = &other[from..other.len().min(from + 64)];
                drop(data.splice(at..end, part.iter().copied()));
            }
            _ => data
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= 1 << random.random_range(0..8)),
        }
    }
    data.truncate(MOST_BYTES);
}

fn replay(name: &'static str, run: fn(&[u8]), mutations: usize) {
    let target = (name, run);
    let seeds = seeds(name);
    for (path, data) in &seeds {
        try_out(target, &path.display().to_string(), data);
    }
    let mut random = SmallRng::seed_from_u64(19);
    for number in 0..mutations {
        let (path, data) = seeds.choose(&mut random).unwrap();
        let (_, other) = seeds.choose(&mut random).unwrap();
        let mut data = data.clone();
        mutate(&mut random, &mut data, other);
        try_out(target, &format!("mutation {number}, of {}", path.display()), &data);
    }
}

/// The targets, each with a test that gives it so many mutations.
macro_rules! targets {
    ($($name:ident, $mutations:literal;)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name), targets::$name::run, $mutations);
        })*

        const TARGETS: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! {
    checkpoint, 3_000;
    lines, 30_000;
    monitor, 300;
    replies, 30_000;
    requests, 10_000;
    settings, 30_000;
    spool, 1_000;
    udp, 20_000;
    wire, 20_000;
}

#[test]
fn every_target_is_replayed() {
    let directory = omphalos_tests::repository().join("fuzz");
    for folder in ["fuzz_targets", "seeds"] {
        let entries = fs::read_dir(directory.join(folder)).unwrap();
        let mut found: Vec<String> = entries
            .map(|entry| entry.unwrap().path().file_stem().unwrap().display().to_string())
            .collect();
        found.sort();
        assert_eq!(found, TARGETS, "{folder}");
    }
}
