//! Log files in directories of one tree, as a pattern with `**` finds them.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use omphalos_tests::Program;
use omphalos_tests::generate::Generator;

/// Of all lines in a tree.
pub const DATASET: &str = "many";
/// Over so many directories the files are spread.
const DIRECTORIES: usize = 100;
/// So many lines are in each file before anything is measured: more than the shipper keeps of a
/// file's beginning.
const FIRST_LINES: usize = 8;

/// The tree.
pub struct Tree {
    root: PathBuf,
    files: usize,
    generator: Generator,
    number: u64,
}

impl Tree {
    /// An empty tree, for so many files.
    pub fn create(root: &Path, files: usize) -> Self {
        fs::create_dir_all(root).expect("a directory");
        Self { root: root.to_owned(), files, generator: Generator::new(11), number: 0 }
    }

    /// Creates the directories and the files, each empty.
    pub fn create_files(&self) {
        for directory in 0..DIRECTORIES.min(self.files) {
            fs::create_dir(self.directory(directory)).expect("a directory");
        }
        for file in 0..self.files {
            File::create_new(self.path(file)).expect("a new file");
        }
    }

    /// Creates the files with a few lines in each; returns how many lines those are.
    pub fn fill(&mut self) -> u64 {
        self.create_files();
        for file in 0..self.files {
            let text: String = (0..FIRST_LINES).map(|_| self.line()).collect();
            self.append(file, &text);
        }
        (self.files * FIRST_LINES) as u64
    }

    /// Appends a line to each file, which is opened for that.
    pub fn append_to_each(&mut self) {
        for file in 0..self.files {
            self.append_line(file);
        }
    }

    /// Appends a line to one file.
    pub fn append_line(&mut self, file: usize) {
        let line = self.line();
        self.append(file, &line);
    }

    /// All files, to be appended to.
    pub fn open(&self) -> Vec<File> {
        (0..self.files).map(|file| open(&self.path(file))).collect()
    }

    /// The shipper of this tree.
    pub fn watched_by(&self, shipper: Program) -> Program {
        let pattern = self.root.join("**/*.log");
        shipper.arg(pattern.display()).args(["--parser", "combined", "--dataset", DATASET])
    }

    /// A line that is nowhere else in the tree.
    fn line(&mut self) -> String {
        let mut text = String::new();
        self.generator.numbered_line(&mut text, self.number);
        self.number += 1;
        text
    }

    fn append(&self, file: usize, text: &str) {
        let path = self.path(file);
        open(&path).write_all(text.as_bytes()).expect("the log can be written");
    }

    fn directory(&self, number: usize) -> PathBuf {
        self.root.join(format!("host-{number:02}"))
    }

    /// Neighbours in number are not neighbours on disk: nothing may depend on that.
    fn path(&self, file: usize) -> PathBuf {
        self.directory(file % DIRECTORIES).join(format!("app-{file:05}.log"))
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().append(true).open(path).expect("the log can be opened")
}
