//! Lines that a container runtime writes in pieces, of which some are read long before the others, or
//! stand in another file.
//!
//! The kind of fault: a part of a line looks like a line. So whatever happens between two pieces (a
//! pause, a rotation, a restart, a crash), a document is a whole line of the program and has no tag for
//! it, or it has one; and all documents together are what was written, each piece once.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime};

use omphalos_common::config::Period;
use omphalos_parser::ParserKind;
use omphalos_parser::scribe::container::Container;
use proptest::collection::vec;
use proptest::prelude::*;

use super::rig::Rig;

#[derive(Debug, Clone, Copy)]
enum Action {
    /// A piece on one of two streams; whether it is the last of its line.
    Write {
        stderr: bool,
        last: bool,
    },
    Rename,
    Look,
    Restart,
    Crash,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (any::<bool>(), any::<bool>()).prop_map(|(stderr, last)| Action::Write { stderr, last }),
        2 => Just(Action::Rename),
        2 => Just(Action::Look),
        1 => Just(Action::Restart),
        1 => Just(Action::Crash),
    ]
}

/// As many files as are looked at.
const MOST_RENAMES: u64 = 5;

struct World {
    rig: Rig,
    container: Container,
    /// The text of each line that is begun or whole, by stream, and the one that is being written.
    whole: Vec<String>,
    begun: [String; 2],
    pieces: usize,
    renames: u64,
}

impl World {
    fn new(container: Container, parser: ParserKind, waits: bool) -> Self {
        let mut rig = Rig::new(&["0.log*"]);
        rig.recipe().container = container;
        rig.recipe().parser = parser;
        let timeout = if waits { Duration::from_hours(1) } else { Duration::ZERO };
        rig.input().multiline_timeout = Period(timeout);
        rig.append("0.log", "");
        rig.start();
        Self { rig, container, whole: Vec::new(), begun: Default::default(), pieces: 0, renames: 0 }
    }

    fn follow(&mut self, action: Action) {
        match action {
            Action::Write { stderr, last } => self.write(stderr, last),
            Action::Rename if self.renames < MOST_RENAMES => {
                self.renames += 1;
                let name = format!("0.log.20261122-10{:04}", self.renames);
                fs::rename(self.rig.path("0.log"), self.rig.path(&name)).unwrap();
                // The clock of the file system is coarser than this test is slow.
                let renamed = fs::File::options().append(true).open(self.rig.path(&name)).unwrap();
                let age = Duration::from_secs(1000 - self.renames);
                renamed.set_modified(SystemTime::now() - age).unwrap();
                self.rig.append("0.log", "");
            }
            Action::Rename => {}
            Action::Look => self.rig.settle(),
            Action::Restart => {
                self.rig.settle();
                self.rig.stop();
                self.rig.start();
            }
            Action::Crash => {
                self.rig.look();
                self.rig.crash();
                self.rig.start();
            }
        }
    }

    fn write(&mut self, stderr: bool, last: bool) {
        self.pieces += 1;
        let text = format!("<{}>", self.pieces);
        let time = "2026-11-22T10:00:00Z";
        let stream = if stderr { "stderr" } else { "stdout" };
        let line = if self.container == Container::Cri {
            format!("{time} {stream} {} {text}\n", if last { "F" } else { "P" })
        } else {
            let end = if last { "\\n" } else { "" };
            format!("{{\"log\":\"{text}{end}\",\"stream\":\"{stream}\",\"time\":\"{time}\"}}\n")
        };
        self.rig.append("0.log", line);
        let begun = &mut self.begun[usize::from(stderr)];
        begun.push_str(&text);
        if last {
            self.whole.push(std::mem::take(begun));
        }
    }

    fn finish(mut self) {
        for stderr in [false, true] {
            if !self.begun[usize::from(stderr)].is_empty() {
                self.write(stderr, true);
            }
        }
        // What is held in a file that was rotated is given away.
        self.rig.settle();
        self.rig.stop();
        self.rig.input().multiline_timeout = Period(Duration::ZERO);
        self.rig.start();
        self.rig.settle();
        let mut documents = BTreeMap::new();
        for shipped in &self.rig.shipped {
            let text = shipped.document["message"].as_str().unwrap().to_owned();
            let is_whole = self.whole.contains(&text);
            assert_eq!(is_whole, !shipped.has_tag("split"), "{text} of {:?}", self.whole);
            let before = documents.insert(text.clone(), shipped.id);
            assert!(before.is_none_or(|id| id == shipped.id), "{text} is there twice");
        }
        let mut found: Vec<usize> = Vec::new();
        for text in documents.keys() {
            let pieces = text.split(['<', '>']).filter_map(|number| number.parse::<usize>().ok());
            found.extend(pieces);
        }
        found.sort_unstable();
        assert_eq!(found, (1..=self.pieces).collect::<Vec<_>>(), "{:?}", documents.keys());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn a_document_of_a_container_is_a_whole_line_or_says_that_it_is_not(
        container in prop_oneof![Just(Container::Cri), Just(Container::Docker)],
        parser in prop_oneof![Just(ParserKind::Auto), Just(ParserKind::Raw)],
        waits in any::<bool>(),
        actions in vec(action(), 1..25),
    ) {
        let mut world = World::new(container, parser, waits);
        for action in actions {
            world.follow(action);
        }
        world.finish();
    }
}

#[test]
fn a_line_whose_pieces_are_in_two_files_is_two_documents_that_say_so() {
    let mut rig = Rig::new(&["0.log"]);
    rig.recipe().container = Container::Cri;
    rig.append("0.log", "2026-11-22T10:00:00Z stdout P the beginning \n");
    rig.start();
    rig.settle();
    fs::rename(rig.path("0.log"), rig.path("0.log.20261122-100001")).unwrap();
    rig.append("0.log", "2026-11-22T10:00:00Z stdout F and the end\n");
    rig.append("0.log", "2026-11-22T10:00:01Z stdout F a whole line\n");
    rig.input().multiline_timeout = Period(Duration::ZERO);
    rig.settle();
    rig.stop();
    rig.start();
    rig.settle();
    let mut found: Vec<(String, bool)> = rig
        .shipped
        .iter()
        .map(|shipped| {
            let text = shipped.document["message"].as_str().unwrap();
            (text.to_owned(), shipped.has_tag("split"))
        })
        .collect();
    found.sort();
    let expected = [("a whole line", false), ("and the end", true), ("the beginning ", true)];
    assert_eq!(found, expected.map(|(text, is_split)| (text.to_owned(), is_split)));
    assert_eq!(rig.metric("lines_split"), 2);
}

/// As long as it is not whole, nobody knows the format of a first line.
#[test]
fn a_piece_that_is_alone_is_shipped_by_a_single_pass_too() {
    for container in [Container::Cri, Container::Docker] {
        let mut rig = Rig::new(&["0.log"]);
        rig.recipe().container = container;
        rig.once = true;
        let line = match container {
            Container::Docker => {
                "{\"log\":\"a piece\",\"stream\":\"stdout\",\"time\":\"2026-11-22T10:00:00Z\"}\n"
            }
            _ => "2026-11-22T10:00:00Z stdout P a piece\n",
        };
        rig.append("0.log", line);
        rig.start();
        rig.finish();
        let [shipped] = &rig.shipped[..] else { panic!("{} documents", rig.shipped.len()) };
        assert_eq!(shipped.document["message"], "a piece");
    }
}
