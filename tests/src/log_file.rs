//! A log file as a writer sees it: appended to, rotated, truncated; and what was ever written.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::Elastic;
use crate::generate::Generator;

/// A log that is being written.
pub struct LogFile {
    path: PathBuf,
    file: File,
    generator: Generator,
    written: u64,
}

impl LogFile {
    /// An empty log at `path`.
    pub fn create(path: &Path) -> Self {
        let file = append_to(path);
        Self { path: path.to_owned(), file, generator: Generator::new(7), written: 0 }
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
        self.file.write_all(text.as_bytes()).expect("the log can be written");
    }

    /// Appends text as it is.
    pub fn append_text(&mut self, text: &str) {
        self.file.write_all(text.as_bytes()).expect("the log can be written");
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
        self.file = append_to(&self.path);
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
        self.file.set_len(0).expect("the log can be truncated");
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

fn append_to(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("the log can be opened")
}
