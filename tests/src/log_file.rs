//! A log file as a writer sees it: appended to, rotated, truncated; and what was ever written.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::Elastic;
use crate::generate::{Generator, untimed_line};

/// A log that is being written.
pub struct LogFile {
    path: PathBuf,
    /// `None` while it is closed.
    file: Option<File>,
    generator: Generator,
    written: u64,
}

impl LogFile {
    /// An empty log at `path`.
    pub fn create(path: &Path) -> Self {
        Self::seeded(path, 7)
    }

    /// An empty log at `path`, whose lines are others than those of another seed.
    pub fn seeded(path: &Path, seed: u64) -> Self {
        let file = Some(append_to(path));
        Self { path: path.to_owned(), file, generator: Generator::new(seed), written: 0 }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends so many lines, each with a number of its own.
    pub fn append(&mut self, lines: u64) {
        let mut text = String::new();
        for _ in 0..lines {
            self.generator.numbered_line(&mut text, self.written);
            self.written += 1;
        }
        self.append_text(&text);
    }

    /// Appends so many lines without any time, each with a number of its own.
    pub fn append_untimed(&mut self, lines: u64) {
        let mut text = String::new();
        for _ in 0..lines {
            untimed_line(&mut text, self.written);
            self.written += 1;
        }
        self.append_text(&text);
    }

    /// Appends a JSON object with a number of its own, and with `detail` as a member.
    pub fn append_event(&mut self, detail: &str) {
        let time = jiff::Timestamp::now();
        let number = self.written;
        self.written += 1;
        self.append_text(&format!(
            "{{\"@timestamp\":\"{time:.3}\",\"url\":{{\"query\":\"n={number:08}\"}},\"detail\":{detail}}}\n"
        ));
    }

    /// Appends text as it is.
    pub fn append_text(&mut self, text: &str) {
        let mut file = self.file.as_ref().expect("the log is open");
        file.write_all(text.as_bytes()).expect("the log can be written");
    }

    /// Closes the file and goes on in the one that has its name now, as a writer does that a
    /// rotation tells to.
    pub fn reopen(&mut self) {
        self.file = Some(append_to(&self.path));
    }

    /// Goes on in a file of another name.
    pub fn go_on_in(&mut self, path: &Path) {
        path.clone_into(&mut self.path);
        self.reopen();
    }

    /// Closes the file until [`Self::reopen`].
    pub fn close(&mut self) {
        self.file = None;
    }

    /// How many numbered lines were ever written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Renames the file to `name.N` and goes on in a new one, as logrotate does with `create`.
    pub fn rotate(&mut self, number: u32) {
        let mut rotated = self.path.clone().into_os_string();
        rotated.push(format!(".{number}"));
        fs::rename(&self.path, rotated).expect("the log can be renamed");
        self.reopen();
    }

    /// Compresses the file that was renamed to `name.N`, as logrotate does with `compress`.
    pub fn compress(&self, number: u32) {
        let named = |ending: &str| {
            let mut name = self.path.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        let plain = named(&format!(".{number}"));
        let archive = named(&format!(".{number}.gz"));
        let content = fs::read(&plain).expect("the rotated log");
        let file = File::create(&archive).expect("an archive");
        let mut encoder = GzEncoder::new(file, Compression::fast());
        encoder.write_all(&content).expect("the archive can be written");
        encoder.finish().expect("the archive can be finished");
        fs::remove_file(plain).expect("the rotated log can be removed");
    }

    /// Copies the file to `name.N`, empties it and goes on in it, as logrotate does with
    /// `copytruncate`; nothing is written in between.
    pub fn copy_and_truncate(&mut self, number: u32) {
        let mut copy = self.path.clone().into_os_string();
        copy.push(format!(".{number}"));
        fs::copy(&self.path, copy).expect("the log can be copied");
        self.truncate();
    }

    /// Empties the file and goes on in it.
    pub fn truncate(&mut self) {
        let file = self.file.as_ref().expect("the log is open");
        file.set_len(0).expect("the log can be truncated");
    }

    /// Waits until every numbered line is in the index, and makes sure that each is there once, by
    /// id and by content.
    pub fn assert_indexed_once(&self, elastic: &Elastic) {
        elastic.wait_for_count(self.written);
        assert_each_once(elastic, &[self.written]);
    }
}

/// Every number below `written[n]` must be in the documents of worker n, once; and every id too.
pub fn assert_each_once(elastic: &Elastic, written: &[u64]) {
    let documents = elastic.documents(&["url.query", "log.file.path"]);
    let total: u64 = written.iter().sum();
    assert_eq!(documents.len() as u64, total, "documents, each id once");
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, document) in &documents {
        let query = document["url"]["query"].as_str().expect("a query");
        *seen.entry(query).or_default() += 1;
    }
    let most = written.iter().max().copied().unwrap_or(0);
    let expected = |number: u64| written.iter().filter(|count| number < **count).count() as u64;
    for number in 0..most {
        let query = format!("n={number:08}");
        assert_eq!(
            seen.get(query.as_str()).copied().unwrap_or(0),
            expected(number),
            "line {number}"
        );
    }
}

/// Waits until every numbered line of all these logs is in the index, and makes sure that each is
/// there once. Each log is alone in its directory.
pub fn assert_logs_indexed_once(elastic: &Elastic, logs: &[LogFile]) {
    elastic.wait_for_count(logs.iter().map(LogFile::written).sum());
    let documents = elastic.documents(&["url.query", "log.file.path"]);
    for log in logs {
        let directory = log.path.parent().expect("a directory");
        let mut times = vec![0; usize::try_from(log.written).expect("a number of lines")];
        for (_, document) in &documents {
            let path = document["log"]["file"]["path"].as_str().expect("a path");
            if Path::new(path).parent() == Some(directory) {
                let query = document["url"]["query"].as_str().expect("a query");
                let number = query.strip_prefix("n=").and_then(|text| text.parse().ok());
                times[number.unwrap_or(usize::MAX)] += 1;
            }
        }
        let odd = times.iter().enumerate().filter(|(_, times)| **times != 1);
        let odd: Vec<_> = odd.take(10).collect();
        assert!(
            odd.is_empty(),
            "{}: lines, and how often they are there: {odd:?}",
            directory.display()
        );
    }
}

fn append_to(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("the log can be opened")
}
