//! The kind of fault: a line is there twice, because who reads it again does so by another rule, of format,
//! times or dataset. In whatever order a process and imports have read a file, each line is there once.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use omphalos_tests::{Program, eventually, holds};

use super::{Alone, row};
use crate::circumstances::directory;

/// The settings, of which each makes other documents of the same lines.
const PLAIN: &[&str] = &["--parser", "json"];
const ZONED: &[&str] = &["--parser", "json", "--time-zone", "+05:00"];
const SHOP: &[&str] = &["--parser", "json", "--dataset", "shop"];

/// A file, and how many lines it has, each of which is to be in the store once.
struct Log {
    alone: Alone,
    path: PathBuf,
    lines: u64,
}

impl Log {
    fn new() -> Self {
        let alone = Alone::new();
        let path = alone.directory.path().join("a.log");
        Self { alone, path, lines: 0 }
    }

    fn append(&mut self, lines: u64) {
        let log = OpenOptions::new().create(true).append(true).open(&self.path);
        let mut log = log.expect("the file");
        for _ in 0..lines {
            let second = self.lines;
            let line = format!("{{\"time\":\"2026-11-22T01:00:{second:02}\",\"n\":{second}}}\n");
            log.write_all(line.as_bytes()).expect("written");
            self.lines += 1;
        }
    }

    /// A process, when it has read all that is there.
    fn run(&self, settings: &[&str]) -> Program {
        // What is confirmed is on disk at a clean end only.
        let run = self.alone.with_state("run").arg(self.path.display()).args(settings);
        let running = run.args(["--checkpoint-interval", "1h"]).start();
        eventually("all lines are there", || {
            let count = self.alone.elastic().count()?;
            holds(count >= self.lines, count)
        });
        self.assert_each_once();
        running
    }

    fn run_and_stop(&self, settings: &[&str]) {
        let mut running = self.run(settings);
        assert_eq!(running.terminate(), Some(0), "{}", running.log());
    }

    /// Imports; returns how many lines were new, and what was said.
    fn import(&self, settings: &[&str]) -> (u64, String) {
        let import = self.alone.with_state("import").arg(self.path.display()).args(settings).run();
        assert_eq!(import.code, Some(0), "{}", import.output);
        (row(&import.output, "indexed").expect("a row"), import.output)
    }

    fn assert_each_once(&self) {
        assert_eq!(self.alone.elastic().count(), Ok(self.lines));
    }
}

#[test]
fn a_process_and_imports_read_by_turns_by_other_rules() {
    let mut log = Log::new();
    log.append(2);
    assert_eq!(log.import(PLAIN).0, 2);
    log.append(2);
    log.run_and_stop(ZONED);
    // It knows where it stopped itself, and what the process has read since.
    let (new, said) = log.import(PLAIN);
    assert_eq!(new, 0, "{said}");
    log.append(2);
    assert_eq!(log.import(SHOP).0, 2);
    log.run_and_stop(SHOP);
    log.append(2);
    log.run_and_stop(SHOP);
    let (new, said) = log.import(ZONED);
    assert_eq!(new, 0, "{said}");
    let mut running = log.run(PLAIN);
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn what_may_have_been_delivered_before_a_process_was_killed_is_read_by_the_same_rule() {
    for other in [ZONED, SHOP] {
        let mut log = Log::new();
        log.append(2);
        let mut first = log.run(PLAIN);
        log.append(2);
        eventually("all lines are there", || {
            let count = log.alone.elastic().count()?;
            holds(count >= log.lines, count)
        });
        first.kill();
        log.append(1);
        let mut second = log.run(other);
        log.append(1);
        eventually("all lines are there", || {
            let count = log.alone.elastic().count()?;
            holds(count >= log.lines, count)
        });
        log.assert_each_once();
        second.wait_for_log("or they would be there twice; what comes after is read with");
        let said = second.log();
        assert_eq!(said.matches(": its lines up to byte 185 were read with").count(), 1, "{said}");
        assert_eq!(second.terminate(), Some(0));
    }
}

#[test]
fn what_a_process_has_indexed_is_not_imported_into_another_dataset() {
    let mut log = Log::new();
    log.append(3);
    log.run_and_stop(SHOP);
    let (new, said) = log.import(PLAIN);
    assert_eq!(new, 0, "{said}");
    let expected =
        "it was begun with parser = \"json\", dataset = \"shop\", and is read so to its end";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn of_two_imports_at_once_the_second_is_refused_and_the_first_goes_on() {
    let directory = directory();
    let file = directory.path().join("a.log");
    std::fs::write(&file, "one\ntwo\n").expect("a file");
    let import = |name: &str| {
        Program::new("omphalos", &directory.path().join(name))
            .arg("import")
            .arg(file.display())
            .args(["--elasticsearch-url", "http://127.0.0.1:1", "--log-level", "info"])
            .option("--state-dir", directory.path().join("state").display())
    };
    let mut first = import("first.out").start();
    first.wait_for_log("connection refused");
    let begun = Instant::now();
    let second = import("second.out").run();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}: {}", begun.elapsed(), second.output);
    assert_eq!(second.code, Some(2), "{}", second.output);
    let expected = format!(
        "state_dir: another import (pid {}) is at work with {}; wait for its end",
        first.id(),
        directory.path().join("state").display()
    );
    assert!(second.output.contains(&expected), "{expected}: {}", second.output);
    first.signal("-INT");
    assert_eq!(first.wait().code(), Some(1), "{}", first.log());
}

#[test]
fn a_process_that_finds_its_store_open_says_so() {
    let alone = Alone::new();
    let _first = alone.start_store();
    let second = Program::new("omphalos", &alone.directory.path().join("second.out"))
        .arg("run")
        .option("--store-listen", alone.url.trim_start_matches("http://"))
        .option("--state-dir", alone.directory.path().join("state").display())
        .run();
    assert_eq!(second.code, Some(2), "{}", second.output);
    let expected = format!(
        "another process has the store in {} open, and serves it at {}: an import, or another omphalos run",
        alone.directory.path().join("state/store").display(),
        alone.url.trim_start_matches("http://")
    );
    assert!(second.output.contains(&expected), "{expected}: {}", second.output);
}
