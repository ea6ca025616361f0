//! Anything that may happen to the files of a log and to the shipper, in any order: every line
//! that could be read is shipped, and under one id only.
//!
//! The model knows which file holds which lines, and which files the shipper can find: those whose
//! names match, those it has open, and those of which something is on disk. A line is excused when
//! the last such file that holds it goes. Nothing else may be missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Write;
use std::time::Duration;

use omphalos_common::config::Period;
use omphalos_common::event::DocumentId;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::rig::{Rig, cases};
use omphalos_parser::ParserKind;

/// The name that the writer opens.
const LIVE: &str = "app.log";

#[derive(Debug, Clone)]
enum Action {
    /// The writer writes lines.
    Append(u8),
    /// It writes the beginning of a line, or the rest of one.
    AppendPart,
    /// The log is renamed; the writer opens a new one, at once or some lines later.
    Rotate {
        at_once: bool,
    },
    /// The log is copied and truncated.
    CopyTruncate,
    /// The writer's file is emptied.
    Truncate,
    /// The log is deleted; the writer opens a new one.
    DeleteAndCreate,
    /// A rotated file is deleted.
    DeleteRotated(Index),
    /// The log is copied to a rotated name.
    Copy,
    /// A rotated file is replaced by its archive.
    Compress(Index),
    /// The shipper looks at everything.
    Look,
    /// It gets a few turns only.
    LookALittle(u8),
    Confirm(Index),
    ConfirmAll,
    Save,
    Stop,
    Crash,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (1u8..4).prop_map(Action::Append),
        2 => Just(Action::AppendPart),
        4 => any::<bool>().prop_map(|at_once| Action::Rotate { at_once }),
        3 => Just(Action::CopyTruncate),
        1 => Just(Action::Truncate),
        1 => Just(Action::DeleteAndCreate),
        1 => any::<Index>().prop_map(Action::DeleteRotated),
        2 => Just(Action::Copy),
        3 => any::<Index>().prop_map(Action::Compress),
        8 => Just(Action::Look),
        2 => (1u8..4).prop_map(Action::LookALittle),
        3 => any::<Index>().prop_map(Action::Confirm),
        3 => Just(Action::ConfirmAll),
        2 => Just(Action::Save),
        2 => Just(Action::Stop),
        2 => Just(Action::Crash),
    ]
}

/// How a case is set up.
#[derive(Debug, Clone, Copy)]
struct Setting {
    /// Whether lines have a time of their own.
    timed: bool,
    /// Whether rotated files match as well.
    all_names: bool,
    /// Whether lines are long, so that one of them fills what is fingerprinted. Of short lines
    /// without a time nobody can tell a copy from another file that says the same.
    long: bool,
}

type FileNumber = usize;

/// A file by content, whatever it is called.
#[derive(Debug, Default, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a model")]
struct Content {
    lines: BTreeSet<u32>,
    /// Whether the shipper that runs has it open.
    open: bool,
    /// Whether it is a copy of a file that the shipper has open, and will be looked for.
    wanted: bool,
    /// Whether it has looked since the file was truncated.
    seen: bool,
    /// Whether something of its lines was read, so that copies of it can be known.
    read: bool,
    /// Whether it is in the checkpoint.
    saved: bool,
    /// Whether it was after something of its lines was read.
    saved_read: bool,
    /// Of which file it is a copy.
    origin: Option<FileNumber>,
}

struct World {
    rig: Rig,
    setting: Setting,
    files: Vec<Content>,
    /// What is in the directory.
    names: BTreeMap<String, FileNumber>,
    /// What was deleted while the shipper had it open.
    deleted: BTreeSet<FileNumber>,
    /// What the writer has open.
    writer: fs::File,
    writing: FileNumber,
    rotations: u32,
    next_line: u32,
    /// The rest of a line that is begun.
    pending: Option<(u32, String)>,
    /// Lines that need not be shipped any more.
    excused: BTreeSet<u32>,
    written: BTreeSet<u32>,
    /// Lines that may come twice, because nobody can say any more what is a copy: those without a
    /// time that stand in a copy whose original is nowhere, and those in a copy that is found when
    /// there is no log of the first name, as if writers had numbered their logs.
    repeatable: BTreeSet<u32>,
}

impl World {
    fn new(setting: Setting) -> Self {
        let mut rig = Rig::new(&[if setting.all_names { "app.log*" } else { LIVE }]);
        rig.settings.engine.checkpoint_interval = Period(Duration::from_hours(1));
        rig.input().archives = true;
        rig.recipe().parser = ParserKind::Json;
        let writer = open(&rig);
        let names = BTreeMap::from([(LIVE.to_owned(), 0)]);
        Self {
            rig,
            setting,
            files: vec![Content::default()],
            names,
            deleted: BTreeSet::new(),
            writer,
            writing: 0,
            rotations: 0,
            next_line: 0,
            pending: None,
            excused: BTreeSet::new(),
            written: BTreeSet::new(),
            repeatable: BTreeSet::new(),
        }
    }

    fn follow(&mut self, action: &Action) {
        match *action {
            Action::Append(lines) => {
                self.finish_line();
                for _ in 0..lines {
                    self.begin_line();
                    self.finish_line();
                }
            }
            Action::AppendPart => self.append_part(),
            Action::Rotate { at_once } => self.rotate(at_once),
            Action::CopyTruncate if !(self.setting.timed || self.setting.long) => {}
            // A copy is compared with its original, which may be truncated before that.
            Action::Copy if !self.setting.timed => {}
            Action::CopyTruncate => self.copy_and_truncate(),
            Action::Truncate => self.truncate(),
            Action::DeleteAndCreate => {
                self.delete(LIVE);
                self.reopen();
            }
            Action::DeleteRotated(index) => {
                if let Some(name) = self.some_rotated(index) {
                    self.delete(&name);
                }
            }
            Action::Copy => self.copy(false),
            Action::Compress(index) => self.compress(index),
            Action::Look => self.look(),
            Action::LookALittle(rounds) => {
                if self.rig.is_running() {
                    for _ in 0..rounds {
                        self.rig.round();
                    }
                }
            }
            Action::Confirm(index) => {
                if !self.rig.held.is_empty() {
                    self.rig.confirm(index.index(self.rig.held.len()));
                }
            }
            Action::ConfirmAll => self.rig.confirm_all(),
            Action::Save => {
                if self.rig.is_running() {
                    self.rig.save();
                    self.note_saved();
                }
            }
            Action::Stop => {
                if self.rig.is_running() {
                    self.rig.stop();
                    self.note_saved();
                    self.note_end();
                }
            }
            Action::Crash => {
                if self.rig.is_running() {
                    self.rig.crash();
                    self.note_end();
                }
            }
        }
        self.excuse();
    }

    fn note_saved(&mut self) {
        for file in &mut self.files {
            file.saved |= file.open && file.seen;
            file.saved_read |= file.open && file.read;
        }
    }

    /// What the shipper had only open is lost with it.
    fn note_end(&mut self) {
        self.deleted.clear();
        for file in &mut self.files {
            file.open = false;
            file.wanted = false;
        }
    }

    /// Excuses lines that are nowhere where they could be found.
    fn excuse(&mut self) {
        let mut readable: BTreeSet<u32> = BTreeSet::new();
        for (name, file) in &self.names {
            let file = &self.files[*file];
            if self.setting.all_names || name == LIVE || file.open || file.wanted || file.saved {
                readable.extend(&file.lines);
            }
        }
        for file in &self.deleted {
            readable.extend(&self.files[*file].lines);
        }
        let on_their_way = self.rig.held.iter().flat_map(|held| held.lines().map(number_of));
        readable.extend(on_their_way.flatten());
        readable.extend(self.rig.shipped.iter().filter_map(|shipped| number_of(shipped.line())));
        self.excused.extend(self.written.difference(&readable));
    }

    fn begin_line(&mut self) {
        let number = self.next_line;
        self.next_line += 1;
        let room = if self.setting.long { 1100 } else { 0 };
        let time = if self.setting.timed {
            format!("\"time\":\"2026-11-22T00:{:02}:{:02}Z\",", number / 60 % 60, number % 60)
        } else {
            String::new()
        };
        let text = format!("{{{time}\"n\":{number},\"x\":\"{:room$}{number}\"}}\n", "");
        self.pending = Some((number, text));
    }

    fn finish_line(&mut self) {
        let Some((number, text)) = self.pending.take() else { return };
        self.writer.write_all(text.as_bytes()).unwrap();
        self.files[self.writing].lines.insert(number);
        self.written.insert(number);
    }

    fn append_part(&mut self) {
        if self.pending.is_some() {
            return self.finish_line();
        }
        self.begin_line();
        let Some((_, text)) = &mut self.pending else { return };
        let rest = text.split_off(text.len() / 2);
        self.writer.write_all(text.as_bytes()).unwrap();
        *text = rest;
    }

    /// A line that is begun in another file, or one that is gone, never gets whole.
    fn reopen(&mut self) {
        self.pending = None;
        self.writer = open(&self.rig);
        self.writing = self.files.len();
        self.files.push(Content::default());
        self.names.insert(LIVE.to_owned(), self.writing);
    }

    fn rotated_name(&mut self) -> String {
        self.rotations += 1;
        format!("{LIVE}.{}", self.rotations)
    }

    fn rotate(&mut self, at_once: bool) {
        // A writer that has not noticed the last rotation does so now.
        if self.names.contains_key(LIVE) {
            let name = self.rotated_name();
            fs::rename(self.rig.path(LIVE), self.rig.path(&name)).unwrap();
            let file = self.names.remove(LIVE).unwrap();
            self.names.insert(name, file);
        }
        if at_once || self.pending.is_none() && !self.names.contains_key(LIVE) {
            self.finish_line();
            self.reopen();
        }
    }

    /// A copy of a file that is written on is found by its name only.
    fn copy(&mut self, is_last: bool) {
        let Some(original) = self.names.get(LIVE).copied() else { return };
        let name = self.rotated_name();
        fs::copy(self.rig.path(LIVE), self.rig.path(&name)).unwrap();
        self.add_copy(name, original);
        if let (false, Some(copy)) = (is_last, self.files.last_mut()) {
            let lines = std::mem::take(&mut copy.lines);
            *copy = Content { lines, origin: copy.origin, ..Content::default() };
        }
    }

    fn copy_and_truncate(&mut self) {
        if self.writing == self.names.get(LIVE).copied().unwrap_or(usize::MAX) {
            // What is torn apart is in neither file.
            self.finish_line();
            self.copy(true);
            self.truncate();
        }
    }

    fn truncate(&mut self) {
        self.pending = None;
        self.writer.set_len(0).unwrap();
        // What is on disk of it says nothing of what will be written.
        let open = self.files[self.writing].open;
        self.files[self.writing] = Content { open, ..Content::default() };
    }

    /// A copy is known by what is known of its original.
    fn add_copy(&mut self, name: String, original: FileNumber) {
        let number = original;
        let original = self.files[original].clone();
        let (wanted, saved) = (original.open && original.read, original.saved_read);
        self.names.insert(name, self.files.len());
        let origin = Some(number);
        self.files.push(Content { open: false, wanted, saved, origin, ..original });
    }

    fn some_rotated(&self, index: Index) -> Option<String> {
        // A deleted file is closed some time after its last line, so nothing deletes what is written.
        let is_old = |file: FileNumber| file != self.writing;
        let old = self.names.iter().filter(|(name, file)| *name != LIVE && is_old(**file));
        let names: Vec<&String> = old.map(|(name, _)| name).collect();
        (!names.is_empty()).then(|| (*index.get(&names)).clone())
    }

    fn delete(&mut self, name: &str) {
        let Some(file) = self.names.remove(name) else { return };
        fs::remove_file(self.rig.path(name)).unwrap();
        if self.files[file].open {
            self.deleted.insert(file);
        }
        self.lose_original(file);
    }

    fn lose_original(&mut self, file: FileNumber) {
        if !self.setting.timed {
            let copies = self.files.iter().filter(|copy| copy.origin == Some(file));
            self.repeatable.extend(copies.flat_map(|copy| &copy.lines));
        }
    }

    /// As `gzip` does, which has read everything before it deletes.
    fn compress(&mut self, index: Index) {
        let Some(name) = self.some_rotated(index).filter(|name| !name.ends_with('z')) else {
            return;
        };
        let file = self.names[&name];
        let bytes = fs::read(self.rig.path(&name)).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&bytes).unwrap();
        let archive = format!("{name}.gz");
        fs::write(self.rig.path(&archive), encoder.finish().unwrap()).unwrap();
        fs::remove_file(self.rig.path(&name)).unwrap();
        self.names.remove(&name);
        if self.files[file].open {
            self.deleted.insert(file);
        }
        self.lose_original(file);
        self.add_copy(archive, file);
    }

    fn look(&mut self) {
        if !self.rig.is_running() {
            self.rig.start();
        }
        if !self.names.contains_key(LIVE) {
            let copies = self.files.iter().filter(|file| file.origin.is_some() && !file.open);
            self.repeatable.extend(copies.flat_map(|copy| &copy.lines));
        }
        self.rig.look();
        for (name, file) in &self.names {
            // One that nobody watches is known if it was found when it was still watched.
            let file = &mut self.files[*file];
            if self.setting.all_names || name == LIVE || file.wanted {
                file.open = true;
            }
            file.seen = file.open;
            file.read = file.open && !file.lines.is_empty();
        }
    }

    fn finish(&mut self) {
        self.finish_line();
        self.excuse();
        for _ in 0..3 {
            self.look();
            self.rig.settle();
        }
        let mut ids: HashMap<u32, DocumentId> = HashMap::new();
        for shipped in &self.rig.shipped {
            // A line that was torn by a rotation is none.
            let Some(number) = number_of(shipped.line()) else { continue };
            let first = *ids.entry(number).or_insert(shipped.id);
            let may_repeat = self.repeatable.contains(&number);
            assert!(first == shipped.id || may_repeat, "line {number} was shipped twice");
        }
        for number in self.written.difference(&self.excused) {
            assert!(ids.contains_key(number), "line {number} was not shipped");
        }
    }
}

fn number_of(line: &str) -> Option<u32> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line["n"].as_u64().and_then(|number| u32::try_from(number).ok())
}

fn open(rig: &Rig) -> fs::File {
    fs::OpenOptions::new().create(true).append(true).open(rig.path(LIVE)).unwrap()
}

fn setting() -> impl Strategy<Value = Setting> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    flags.prop_map(|(timed, all_names, long)| Setting { timed, all_names, long })
}

/// Written in one line, to be read.
#[derive(Clone)]
struct Case {
    setting: Setting,
    actions: Vec<Action>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}, {:?}", self.setting, self.actions)
    }
}

proptest! {
    #![proptest_config(cases(500))]
    #[test]
    fn no_line_is_lost_or_shipped_twice_whatever_happens_to_files_and_shipper(
        case in (setting(), vec(action(), 1..40)).prop_map(|(setting, actions)| Case { setting, actions }),
    ) {
        let mut world = World::new(case.setting);
        for action in &case.actions {
            world.follow(action);
        }
        world.finish();
    }
}

/// Found by chance: an archive of an earlier copy is the newest file of those that go on where the log
/// ended, and has nothing more.
#[test]
fn of_several_copies_of_a_truncated_log_the_one_that_has_more_is_read() {
    let mut runner = TestRunner::deterministic();
    let mut tree = any::<Index>().new_tree(&mut runner).unwrap();
    while tree.simplify() {}
    let first = tree.current();
    let mut world = World::new(Setting { timed: true, all_names: false, long: false });
    for action in [
        Action::Append(1),
        Action::Look,
        Action::Copy,
        Action::Append(1),
        Action::CopyTruncate,
        Action::CopyTruncate,
        Action::Compress(first),
    ] {
        world.follow(&action);
    }
    world.finish();
}
