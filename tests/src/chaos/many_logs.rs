//! Three hundred small logs of one host: lines with times in one half of them, without in the
//! other; and their rotation, all at once, while lines are being written.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::generate::{Generator, untimed_line};
use crate::wait::rest;

/// How many there are.
pub const LOGS: usize = 300;
/// So many rotated files of each log are kept in any case.
const KEPT: usize = 2;
/// The longest pause between the renames of two logs.
const LONGEST_GAP: Duration = Duration::from_millis(1);
/// Writers go on in the new file when at most so many other logs are renamed.
const MOST_LATE: usize = 20;
/// Lines that are written to a log at once, at most.
const MOST_LINES: u64 = 3;

/// The logs.
pub struct ManyLogs {
    logs: Vec<Log>,
    generator: Generator,
    random: SmallRng,
    written: u64,
    /// Lines below this number are in Elasticsearch, so that nobody needs their files any more.
    settled: u64,
    /// When they were rotated.
    rotations: Vec<Instant>,
}

/// One of them.
struct Log {
    path: PathBuf,
    has_times: bool,
    /// Where its writer writes: for a moment, what was renamed.
    file: File,
    /// The number behind the last line of each rotated file, the newest first.
    ends: VecDeque<u64>,
}

impl ManyLogs {
    /// Empty logs in `directory`.
    pub fn create(directory: &Path, seed: u64) -> Self {
        let log = |number: usize| {
            let has_times = number.is_multiple_of(2);
            let kind = if has_times { "timed" } else { "untimed" };
            let path = directory.join(format!("{kind}-{number:03}.log"));
            Log { file: append_to(&path), path, has_times, ends: VecDeque::new() }
        };
        Self {
            logs: (0..LOGS).map(log).collect(),
            generator: Generator::new(seed),
            random: SmallRng::seed_from_u64(seed),
            written: 0,
            settled: 0,
            rotations: Vec::new(),
        }
    }

    /// How many lines were ever written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// How often they were rotated since then, or ever.
    pub fn rotations_since(&self, since: Option<Instant>) -> usize {
        let is_later = |rotation: &&Instant| since.is_none_or(|since| **rotation >= since);
        self.rotations.iter().filter(is_later).count()
    }

    /// All lines that were written are in Elasticsearch, for good.
    pub fn settle(&mut self) {
        self.settled = self.written;
    }

    /// The files that have the names of the logs now.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.logs.iter().map(|log| &*log.path)
    }

    /// Appends so many lines, each to any of the logs.
    pub fn append(&mut self, lines: u64) {
        for _ in 0..lines {
            let number = self.random.random_range(0..LOGS);
            self.append_to(number, 1);
        }
    }

    /// Appends some lines to each of the logs.
    pub fn append_to_each(&mut self) {
        (0..LOGS).for_each(|number| self.append_some_to(number));
    }

    /// Waits for any time up to `most`.
    pub fn pause(&mut self, most: Duration) {
        rest(self.random.random_range(Duration::ZERO..=most));
    }

    /// Renames one log after another, and makes a new file for each at once; its writer notices
    /// that some renames later. Lines are written before, between and after.
    pub fn rotate(&mut self) {
        self.rotations.push(Instant::now());
        let late = self.random.random_range(0..=MOST_LATE);
        for number in 0..LOGS + late {
            if number < LOGS {
                self.pause(LONGEST_GAP);
                self.append_some_to(number);
                self.rename(number);
            }
            if let Some(number) = number.checked_sub(late) {
                self.append_some_to(number);
                self.logs[number].file = append_to(&self.logs[number].path);
                self.logs[number].ends[0] = self.written;
                self.append_some_to(number);
            }
            self.append(1);
        }
    }

    fn rename(&mut self, number: usize) {
        let log = &mut self.logs[number];
        for rotation in (0..=log.ends.len()).rev() {
            fs::rename(log.rotated(rotation), log.rotated(rotation + 1)).expect("a rename");
        }
        append_to(&log.path);
        // Until its writer notices, anything may be in it.
        log.ends.push_front(u64::MAX);
        while log.ends.len() > KEPT && log.ends.back().is_some_and(|end| *end <= self.settled) {
            fs::remove_file(log.rotated(log.ends.len())).expect("a rotated file");
            log.ends.pop_back();
        }
    }

    fn append_some_to(&mut self, number: usize) {
        let lines = self.random.random_range(1..=MOST_LINES);
        self.append_to(number, lines);
    }

    fn append_to(&mut self, number: usize, lines: u64) {
        let log = &mut self.logs[number];
        let mut text = String::new();
        for number in self.written..self.written + lines {
            if log.has_times {
                self.generator.numbered_line(&mut text, number);
            } else {
                untimed_line(&mut text, number);
            }
        }
        self.written += lines;
        log.file.write_all(text.as_bytes()).expect("the log can be written");
    }
}

impl Log {
    /// What it is called after so many rotations.
    fn rotated(&self, rotations: usize) -> PathBuf {
        match rotations {
            0 => self.path.clone(),
            _ => self.path.with_extension(format!("log.{rotations}")),
        }
    }
}

fn append_to(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("the log can be opened")
}
