//! The kind of fault: a line is there twice because it was read twice by different rules, of format, times
//! or dataset. A process that is stopped or killed and started with other settings, and imports beside
//! it, may read a log by turns in any way: each text at each place has one id in one dataset.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use omphalos_common::config::Period;
use omphalos_common::event::DocumentId;
use omphalos_parser::ParserKind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::rig::{Rig, cases};
use crate::monitor::Other;

const LIVE: &str = "app.log";

/// What may be set. Lines that it finds no time in have ids that only the checkpoint of their reader
/// knows, so raw text is set where nobody else reads them.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Json,
    Auto,
    Zone,
    Field,
    Dataset,
    Raw,
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Append(u8),
    /// The beginning of a line, or the rest of one.
    AppendPart,
    Rotate,
    /// A rotation that copies the log and empties it.
    CopyTruncate,
    /// A copy under the name of a rotated log, beside the log.
    Copy,
    /// The log is replaced by a copy of itself, as `cp` and `mv` do.
    Replace,
    /// The process looks at everything; it is started where it does not run.
    Look,
    /// It gets a few turns only.
    LookALittle(u8),
    Confirm(Index),
    ConfirmAll,
    Save,
    Stop,
    /// It is killed, and what left it arrives, or does not.
    Kill {
        arrives: bool,
    },
    /// What it is started with next.
    Set(Rule),
    /// An import, which ends by itself, or is killed after so many turns, be it that it has just saved.
    Import(Rule, Option<(u8, bool)>),
    /// One of the log alone, without what was made of it.
    ImportLive(Rule),
}

fn rule() -> impl Strategy<Value = Rule> {
    use Rule::{Auto, Dataset, Field, Json, Raw, Zone};
    proptest::sample::select(vec![Json, Auto, Zone, Field, Dataset, Raw])
}

fn action() -> impl Strategy<Value = Action> {
    let turns = proptest::option::of((0u8..6, any::<bool>()));
    prop_oneof![
        6 => (1u8..4).prop_map(Action::Append),
        2 => Just(Action::AppendPart),
        1 => Just(Action::Rotate),
        1 => Just(Action::CopyTruncate),
        1 => Just(Action::Copy),
        1 => Just(Action::Replace),
        6 => Just(Action::Look),
        1 => (1u8..4).prop_map(Action::LookALittle),
        2 => any::<Index>().prop_map(Action::Confirm),
        2 => Just(Action::ConfirmAll),
        2 => Just(Action::Save),
        3 => Just(Action::Stop),
        3 => any::<bool>().prop_map(|arrives| Action::Kill { arrives }),
        5 => rule().prop_map(Action::Set),
        4 => (rule(), turns).prop_map(|(rule, turns)| Action::Import(rule, turns)),
        1 => rule().prop_map(Action::ImportLive),
    ]
}

struct World {
    rig: Rig,
    /// Whether there are imports; else lines need no time.
    has_imports: bool,
    lines: u32,
    rotations: u32,
    /// Whether the process that runs finds out formats.
    finds_out: bool,
    /// Whether there was no whole line in the log when it looked last.
    has_found_nothing: bool,
    /// The rest of a line that is begun.
    pending: String,
}

impl World {
    fn new(has_imports: bool, ships_parts: bool) -> Self {
        let mut rig = Rig::new(&["app.log*"]);
        rig.settings.engine.checkpoint_interval = Period(Duration::from_hours(1));
        if ships_parts {
            rig.input().unfinished_after = Period(Duration::ZERO);
        }
        rig.others = vec![Other::Import(rig.settings.state_dir.join("import"))];
        let (lines, rotations, pending) = (0, 0, String::new());
        let (finds_out, has_found_nothing) = (false, false);
        let mut world =
            Self { rig, has_imports, lines, rotations, finds_out, has_found_nothing, pending };
        world.set(Rule::Json);
        world
    }

    fn set(&mut self, rule: Rule) {
        let recipe = self.rig.recipe();
        (recipe.time_field, recipe.time_zone, recipe.dataset) = (None, None, None);
        recipe.parser = ParserKind::Json;
        match rule {
            Rule::Raw if !self.has_imports => recipe.parser = ParserKind::Raw,
            Rule::Json | Rule::Raw => {}
            Rule::Auto => recipe.parser = ParserKind::Auto,
            Rule::Zone => recipe.time_zone = Some("+05:00".to_owned()),
            Rule::Field => recipe.time_field = Some("end".to_owned()),
            Rule::Dataset => recipe.dataset = Some("shop".to_owned()),
        }
    }

    fn follow(&mut self, action: Action) {
        let is_running = self.rig.is_running();
        match action {
            Action::Append(lines) => {
                self.finish_line();
                for _ in 0..lines {
                    let line = self.line();
                    self.rig.append(LIVE, line);
                }
            }
            Action::AppendPart if self.pending.is_empty() => {
                let mut line = self.line();
                self.pending = line.split_off(line.len() / 2);
                self.rig.append(LIVE, line);
            }
            Action::AppendPart => self.finish_line(),
            Action::Look => self.look(),
            Action::LookALittle(turns) if is_running => {
                for _ in 0..turns {
                    self.rig.round();
                }
                self.rig.give_turn();
            }
            Action::Confirm(index) if !self.rig.held.is_empty() => {
                self.rig.confirm(index.index(self.rig.held.len()));
            }
            Action::ConfirmAll => self.rig.confirm_all(),
            Action::Save if is_running => self.rig.save(),
            Action::Stop if is_running => drop(self.rig.stop()),
            Action::Kill { arrives } => kill(&mut self.rig, arrives),
            Action::Set(rule) => self.set(rule),
            Action::Import(rule, turns) if self.has_imports => self.import(rule, turns),
            Action::ImportLive(rule) if self.has_imports && self.rig.path(LIVE).exists() => {
                let live = self.rig.path(LIVE).display().to_string();
                let all = std::mem::replace(&mut self.rig.input().paths, vec![live]);
                self.import(rule, None);
                self.rig.input().paths = all;
            }
            other => self.follow_rotation(other),
        }
    }

    /// What becomes of the log, and is made of it.
    fn follow_rotation(&mut self, action: Action) {
        match action {
            Action::Rotate => {
                if let Some(rotated) = self.rotated() {
                    fs::rename(self.rig.path(LIVE), rotated).unwrap();
                    // Without it, copies would look like the logs of several writers.
                    self.rig.append(LIVE, "");
                }
            }
            Action::CopyTruncate => {
                if let Some(rotated) = self.rotated() {
                    fs::copy(self.rig.path(LIVE), rotated).unwrap();
                    fs::write(self.rig.path(LIVE), "").unwrap();
                }
            }
            // Lines without a time are there twice by what ids are made of.
            Action::Copy if self.has_imports => {
                self.look_before_copy();
                if let Some(rotated) = self.rotated() {
                    fs::copy(self.rig.path(LIVE), rotated).unwrap();
                }
            }
            Action::Replace if self.has_imports => {
                self.look_before_copy();
                let (live, copy) = (self.rig.path(LIVE), self.rig.path("copy"));
                if live.exists() {
                    fs::copy(&live, &copy).unwrap();
                    fs::rename(&copy, &live).unwrap();
                }
            }
            _ => {}
        }
    }

    /// Its two times, and with a zone three, are those of different seconds. Where there are copies, it is
    /// so long that a file is known again by it, after a crash and under another name.
    fn line(&mut self) -> String {
        const LONG: usize = 1024;
        let padding = ".".repeat(if self.has_imports { LONG } else { 0 });
        let number = self.lines;
        self.lines += 1;
        let (minute, second) = (number / 60 % 60, number % 60);
        let time = |hour: u32| format!("2026-11-22T{hour:02}:{minute:02}:{second:02}");
        let (start, end) = (time(1), time(2));
        format!(
            "{{\"n\":{number},\"time\":\"{start}\",\"end\":\"{end}\",\"more\":\"{padding}\",\"m\":{number}}}\n"
        )
    }

    fn finish_line(&mut self) {
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            self.rig.append(LIVE, rest);
        }
    }

    fn look(&mut self) {
        if !self.rig.is_running() {
            self.finds_out = self.rig.recipe().parser == ParserKind::Auto;
            self.rig.start();
        }
        self.rig.look();
        let live = fs::read(self.rig.path(LIVE)).unwrap_or_default();
        self.has_found_nothing = !live.contains(&b'\n');
    }

    /// Of what it has found and not read, nobody knows that a copy has it too.
    fn look_before_copy(&mut self) {
        self.finish_line();
        if self.rig.is_running() || self.has_found_nothing {
            self.look();
        }
    }

    /// What the log is called after a rotation, if there is one.
    fn rotated(&mut self) -> Option<PathBuf> {
        self.finish_line();
        self.rotations += 1;
        let rotated = self.rig.path(&format!("{LIVE}.{}", self.rotations));
        self.rig.path(LIVE).exists().then_some(rotated)
    }

    fn import(&mut self, rule: Rule, turns: Option<(u8, bool)>) {
        if self.finds_out && self.rig.is_running() {
            // Until the first line is whole, it does not know by which rule it reads.
            let live = fs::read(self.rig.path(LIVE)).unwrap_or_default();
            if !live.contains(&b'\n') {
                self.finish_line();
            }
            // It does so as soon as there is a line.
            self.rig.look();
        }
        let set = self.rig.recipe().clone();
        self.set(rule);
        self.rig.import(|rig| {
            rig.start();
            match turns {
                Some((turns, saves)) => {
                    for _ in 0..turns {
                        if rig.round().is_some() {
                            break;
                        }
                    }
                    if saves {
                        rig.save();
                    }
                    kill(rig, true);
                }
                None => drop(rig.finish()),
            }
        });
        *self.rig.recipe() = set;
    }

    fn finish(&mut self) {
        self.finish_line();
        self.look();
        self.rig.settle();
        self.follow(Action::Import(Rule::Zone, None));
        let mut places: BTreeMap<(u64, &str), Vec<(DocumentId, &str)>> = BTreeMap::new();
        for shipped in &self.rig.shipped {
            let document = &shipped.document;
            let place = (document["log"]["offset"].as_u64().unwrap(), shipped.line());
            let dataset = document["event"]["dataset"].as_str().unwrap();
            let documents = places.entry(place).or_default();
            if !documents.contains(&(shipped.id, dataset)) {
                documents.push((shipped.id, dataset));
            }
        }
        for (place, documents) in &places {
            if place.0 == 0 && !place.1.ends_with('}') {
                // A part of a first line has no time, nor has a line before it, and decides nothing.
                continue;
            }
            assert_eq!(documents.len(), 1, "{place:?} is there more than once: {documents:?}");
        }
        let texts: BTreeSet<&str> = places.keys().map(|(_, text)| *text).collect();
        for number in 0..self.lines {
            let start = format!("{{\"n\":{number},");
            let is_it = |text: &&&str| text.starts_with(&start) && text.ends_with('}');
            assert_eq!(texts.iter().filter(is_it).count(), 1, "line {number}");
        }
    }
}

/// Nothing is written by who is dead.
fn kill(rig: &mut Rig, arrives: bool) {
    if arrives {
        rig.crash_late();
    } else {
        rig.crash();
    }
    drop(rig.open_state());
}

/// Written in one line, to be read.
#[derive(Clone)]
struct Case(bool, bool, Vec<Action>);

impl std::fmt::Debug for Case {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "imports {}, parts {}, {:?}", self.0, self.1, self.2)
    }
}

proptest! {
    #![proptest_config(cases(1000))]
    #[test]
    fn each_line_has_one_id_in_one_dataset_whoever_reads_it_by_whatever_is_set(
        case in (any::<bool>(), any::<bool>(), vec(action(), 1..30))
            .prop_map(|(imports, parts, actions)| Case(imports, parts, actions)),
    ) {
        let Case(has_imports, ships_parts, actions) = case;
        let mut world = World::new(has_imports, ships_parts);
        for action in actions {
            world.follow(action);
        }
        world.finish();
    }
}

fn follow(actions: &[Action]) {
    let mut world = World::new(true, false);
    for action in actions {
        world.follow(*action);
    }
    world.finish();
}

#[test]
fn what_a_process_read_behind_an_import_is_imported_as_that() {
    follow(&[
        Action::Append(2),
        Action::Import(Rule::Json, None),
        Action::Append(2),
        Action::Set(Rule::Zone),
        Action::Look,
        Action::ConfirmAll,
        Action::Stop,
        Action::Import(Rule::Json, None),
    ]);
}

#[test]
fn what_was_imported_behind_a_process_is_read_as_that() {
    follow(&[
        Action::Append(2),
        Action::Look,
        Action::ConfirmAll,
        Action::Stop,
        Action::Append(2),
        Action::Import(Rule::Dataset, None),
        Action::Set(Rule::Zone),
    ]);
}

#[test]
fn what_a_process_may_have_delivered_before_it_was_killed_is_read_as_that() {
    for rule in [Rule::Zone, Rule::Field, Rule::Dataset] {
        let arrives = true;
        follow(&[
            Action::Append(2),
            Action::Look,
            Action::ConfirmAll,
            Action::Append(2),
            Action::Look,
            Action::Kill { arrives },
            Action::Set(rule),
        ]);
    }
}

#[test]
fn what_is_written_after_a_clean_end_is_read_by_what_is_set_then() {
    let mut world = World::new(false, false);
    for rule in [Rule::Json, Rule::Dataset, Rule::Json] {
        world.follow(Action::Set(rule));
        world.follow(Action::Append(1));
        world.look();
        world.rig.settle();
        world.follow(Action::Stop);
    }
    let dataset = |shipped: &super::rig::Shipped| shipped.document["event"]["dataset"].clone();
    let datasets: Vec<_> = world.rig.shipped.iter().map(dataset).collect();
    assert_eq!(datasets, ["json", "shop", "json"]);
    world.finish();
}
