//! A process under test: started, killed, held still; and its books through all its lives.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use crate::program::Program;

/// Sums of counters over their labels, by name without prefix and suffix.
pub type Counts = BTreeMap<String, u64>;

/// What is read of the metrics.
const COUNTED: [&str; 13] = [
    "lines_read",
    "documents_confirmed",
    "documents_in_flight",
    "lines_skipped",
    "lines_joined",
    "bytes_lost",
    "documents_received",
    "documents_indexed",
    "documents_duplicate",
    "documents_dead",
    "documents_dropped",
    "documents_returned",
    "amqp_receiver_messages_acknowledged",
];

/// The words of the last line of a log, and the counters that they are.
const LAST_WORDS: [(&str, &str); 8] = [
    ("read", "lines_read"),
    ("confirmed", "documents_confirmed"),
    ("skipped", "lines_skipped"),
    ("received", "documents_received"),
    ("indexed", "documents_indexed"),
    ("duplicate", "documents_duplicate"),
    ("dead", "documents_dead"),
    ("returned", "documents_returned"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Suspended,
    Down,
}

/// A process under test.
pub struct Worker {
    /// What it is called.
    pub name: String,
    /// The process.
    pub program: Program,
    state: State,
    /// Of this life, as last seen.
    now: Counts,
    /// Of all lives before.
    before: Counts,
    /// When each of its lives began.
    pub starts: Vec<Instant>,
    /// How many lives ended without a last word.
    pub kills: u32,
    /// The most memory that it ever had, in bytes.
    pub peak: u64,
    /// Open descriptors, as last seen.
    pub descriptors: u64,
}

impl Worker {
    /// Starts `program`.
    pub fn start(name: &str, program: Program) -> Self {
        Self {
            name: name.to_owned(),
            program: program.listening().start(),
            state: State::Running,
            now: Counts::new(),
            before: Counts::new(),
            starts: vec![Instant::now()],
            kills: 0,
            peak: 0,
            descriptors: 0,
        }
    }

    /// Looks at its counters, if it runs and answers.
    pub fn look(&mut self) {
        if self.state != State::Running {
            return;
        }
        let Some(text) = self.program.http("/metrics") else { return };
        self.now = counts(&text);
        self.peak = self.peak.max(self.program.peak_memory());
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.program.id()));
        self.descriptors = descriptors.map_or(0, |found| found.count() as u64);
    }

    /// A counter of this life.
    pub fn now(&self, name: &str) -> u64 {
        self.now.get(name).copied().unwrap_or(0)
    }

    /// A counter over all lives, as far as it is known: what a life counted between the last look
    /// and its `kill -9` nobody knows.
    pub fn ever(&self, name: &str) -> u64 {
        self.now(name) + self.before.get(name).copied().unwrap_or(0)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.look();
        self.program.kill();
        self.kills += 1;
        self.end_life();
    }

    /// Stops it in good order; its log has its last word.
    pub fn stop(&mut self) {
        let code = self.program.terminate();
        assert_eq!(code, Some(0), "{} stops with 0", self.name);
        let log = self.program.log();
        let last = log.lines().rev().find(|line| line.contains("counts since the start"));
        let last = last.unwrap_or_else(|| panic!("{} has no last word", self.name));
        for word in last.split(' ') {
            let Some((key, value)) = word.split_once('=') else { continue };
            if let Some((_, name)) = LAST_WORDS.iter().find(|(short, _)| *short == key) {
                self.now.insert((*name).to_owned(), value.parse().expect("a number"));
            }
        }
        self.end_life();
    }

    fn end_life(&mut self) {
        for (name, count) in std::mem::take(&mut self.now) {
            *self.before.entry(name).or_default() += count;
        }
        self.state = State::Down;
    }

    /// Starts it again.
    pub fn restart(&mut self) {
        self.program.restart();
        self.starts.push(Instant::now());
        self.state = State::Running;
    }

    /// Holds it still.
    pub fn suspend(&mut self) {
        self.program.suspend();
        self.state = State::Suspended;
    }

    /// Lets it go on.
    pub fn resume(&mut self) {
        self.program.resume();
        self.state = State::Running;
    }

    /// How many lines it has written into its own log.
    pub fn log_lines(&self) -> u64 {
        self.program.log().lines().count() as u64
    }
}

fn counts(text: &str) -> Counts {
    let mut counts = Counts::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split([' ', '{']).next().unwrap_or_default();
        let name = name.strip_prefix("omphalos_").unwrap_or(name);
        let name = name.strip_suffix("_total").unwrap_or(name);
        let value = line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        if let Some(value) = value.filter(|_| COUNTED.contains(&name)) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "counters are whole"
            )]
            let value = value as u64;
            *counts.entry(name.to_owned()).or_default() += value;
        }
    }
    counts
}
