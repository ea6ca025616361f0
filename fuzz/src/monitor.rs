//! A monitor whose file grows in pieces, is cut, replaced and renamed, while the monitor is stopped and
//! killed.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use omphalos_common::config::Size;
use omphalos_common::event::DocumentId;
use omphalos_parser::ParserKind;
use omphalos_parser::scribe::container::Container;
use omphalos_parser::scribe::multiline::MultilineKind;
use omphalos_parser::settings::RecipeSettings;
use omphalos_shipper::monitor::fuzzing::Rounds;
use omphalos_shipper::monitor::{Ended, MonitorSettings};

use super::{check_document, directory, one_of};

const PARSERS: [ParserKind; 5] =
    [ParserKind::Raw, ParserKind::Auto, ParserKind::Json, ParserKind::W3c, ParserKind::Combined];
const CONTAINERS: [Container; 3] = [Container::None, Container::Docker, Container::Cri];
const MULTILINE: [MultilineKind; 3] =
    [MultilineKind::None, MultilineKind::Indent, MultilineKind::Java];
/// More than a case needs; each costs a millisecond.
const MOST_STEPS: usize = 12;

/// The first bytes say how the file is read; then come steps: what is done, how much is written, and
/// that.
pub fn run(data: &[u8]) {
    let Some((&[parser, container, multiline], mut steps)) = data.split_first_chunk() else {
        return;
    };
    let directory = directory();
    let (path, state) = (directory.path().join("a.log"), directory.path().join("state"));
    let recipe = RecipeSettings {
        parser: one_of(&PARSERS, parser),
        container: one_of(&CONTAINERS, container),
        multiline: one_of(&MULTILINE, multiline),
        max_line_bytes: Size(256),
        ..RecipeSettings::default()
    };
    let pattern = directory.path().join("*.log").display().to_string();
    let table = MonitorSettings { paths: vec![pattern], recipe, ..MonitorSettings::default() };
    let mut kept: HashMap<DocumentId, Vec<u8>> = HashMap::new();
    let mut keep = |id: DocumentId, text: &[u8]| keep_one(&mut kept, id, text);
    let mut rounds = None;
    let mut has_grown_only = true;
    for _ in 0..MOST_STEPS {
        let Some((&[step, length], behind)) = steps.split_first_chunk() else { break };
        let (text, behind) = behind.split_at(usize::from(length).min(behind.len()));
        steps = behind;
        match step % 8 {
            0..=3 => append(&path, text),
            4 => {
                has_grown_only = false;
                fs::write(&path, text).expect("it is written");
            }
            5 => {
                has_grown_only = false;
                // There may be none.
                fs::rename(&path, directory.path().join(format!("{}.log", length % 3))).ok();
            }
            6 => drop(rounds.take()),
            _ => {
                let ended = rounds.take().map(|rounds: Rounds| rounds.stop(&mut keep));
                check(ended.flatten().as_ref());
            }
        }
        if step & 0x10 == 0 {
            let running =
                rounds.take().or_else(|| Rounds::start(std::slice::from_ref(&table), &state));
            rounds = running.and_then(|mut running| {
                let ended = running.settle(&mut keep);
                check(ended.as_ref());
                ended.is_none().then_some(running)
            });
        }
    }
    drop(rounds);
    let is_plain = parser == b'0' && container == b'0' && multiline == b'0';
    if has_grown_only && is_plain {
        check_lines(&path, kept.len());
    }
}

/// An id is that of one document, but for the name that its file had when it was read.
fn keep_one(kept: &mut HashMap<DocumentId, Vec<u8>>, id: DocumentId, text: &[u8]) {
    let text = text.strip_suffix(b"\n").expect("a document ends");
    check_document(text);
    let Some(before) = kept.insert(id, text.to_vec()) else { return };
    let [before, text] = [&before, text].map(|text| {
        let text = String::from_utf8_lossy(text).into_owned();
        let names = ["/0.log", "/1.log", "/2.log"];
        names.iter().fold(text, |text, name| text.replace(name, "/a.log"))
    });
    assert_eq!(before, text, "an id is that of one document");
}

fn check(ended: Option<&Ended>) {
    assert!(!matches!(ended, Some(Ended::Broken(_))), "{ended:?}");
}

fn append(path: &Path, text: &[u8]) {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text)).expect("it is written");
}

/// A file that has only grown has a document for each of its lines at most, and the text of each once.
fn check_lines(path: &Path, documents: usize) {
    let content = fs::read(path).unwrap_or_default();
    if content.iter().all(|byte| byte.is_ascii() && *byte != 0) {
        let lines =
            content.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        let lines = lines.count();
        assert!(documents <= lines, "{documents} documents of {lines} lines");
    }
}
