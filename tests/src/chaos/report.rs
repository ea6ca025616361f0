//! What was done, and what came of it.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};
use std::time::Duration;

use super::books::Books;

/// What one run came to.
#[derive(Debug, Default)]
pub struct Report {
    /// What was drawn from.
    pub seed: u64,
    /// How long faults were injected.
    pub time: Duration,
    /// How long it took after each fault until lines went through as ever, by the fault's name.
    pub recoveries: BTreeMap<String, Vec<Duration>>,
    /// Lines written.
    pub lines: u64,
    /// Documents found, each once.
    pub documents: u64,
    /// Dead letters found, each for a line that was to be refused.
    pub dead: u64,
    /// Documents that came again and were refused.
    pub duplicates: u64,
    /// The books.
    pub books: Books,
    /// The most memory of each process, in bytes.
    pub peaks: BTreeMap<String, u64>,
    /// Open descriptors of each process, before and after.
    pub descriptors: BTreeMap<String, (u64, u64)>,
    /// Lines in the log of each process.
    pub log_lines: BTreeMap<String, u64>,
}

impl Report {
    /// Takes the faults of another run in.
    pub fn add(&mut self, other: &Self) {
        for (name, times) in &other.recoveries {
            self.recoveries.entry(name.clone()).or_default().extend(times);
        }
        self.time += other.time;
        self.lines += other.lines;
        self.documents += other.documents;
        self.dead += other.dead;
        self.duplicates += other.duplicates;
        self.books.compared += other.books.compared;
        self.books.repaired += other.books.repaired;
        self.books.unanswered += other.books.unanswered;
        for (name, peak) in &other.peaks {
            let most = self.peaks.entry(name.clone()).or_default();
            *most = (*most).max(*peak);
        }
        self.descriptors.extend(other.descriptors.clone());
        for (name, lines) in &other.log_lines {
            *self.log_lines.entry(name.clone()).or_default() += lines;
        }
    }
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        writeln!(out, "| fault | times | through again after, median | worst |")?;
        writeln!(out, "| --- | --- | --- | --- |")?;
        for (name, times) in &self.recoveries {
            let (median, worst) = middle_and_worst(times);
            writeln!(out, "| {name} | {} | {median:.1} s | {worst:.1} s |", times.len())?;
        }
        let all: Vec<Duration> = self.recoveries.values().flatten().copied().collect();
        let (median, worst) = middle_and_worst(&all);
        writeln!(out, "| all | {} | {median:.1} s | {worst:.1} s |\n", all.len())?;
        let Books { compared, repaired, unanswered } = self.books;
        writeln!(
            out,
            "{} lines in {:.0?}: {} documents, each once, and {} dead letters; {} repeats refused",
            self.lines, self.time, self.documents, self.dead, self.duplicates
        )?;
        writeln!(
            out,
            "books compared {compared} times; {repaired} lines deleted by hand came back by audit; {unanswered} documents whose answer was lost, or who counted them killed"
        )?;
        for (name, peak) in &self.peaks {
            let (before, after) = self.descriptors.get(name).copied().unwrap_or_default();
            let lines = self.log_lines.get(name).copied().unwrap_or(0);
            writeln!(
                out,
                "{name}: {} MiB at most; {before} descriptors, {after} at the end; {lines} lines of its own log",
                peak >> 20
            )?;
        }
        Ok(())
    }
}

/// The median and the longest, in seconds.
fn middle_and_worst(times: &[Duration]) -> (f64, f64) {
    let mut times = times.to_vec();
    times.sort();
    let at = |place: Option<&Duration>| place.map_or(0.0, Duration::as_secs_f64);
    (at(times.get(times.len() / 2)), at(times.last()))
}
