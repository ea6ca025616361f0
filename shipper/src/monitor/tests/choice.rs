//! The format of a file is found out from its first line, once, and kept: whatever is read later,
//! whoever reads it.

use std::collections::BTreeSet;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use omphalos_common::config::Period;
use omphalos_common::event::SourceId;
use omphalos_parser::scribe::multiline::MultilineKind;
use proptest::prelude::*;

use super::rig::Rig;
use crate::monitor::position::checkpoint;
use crate::monitor::{begin_again, peek, recall};
use omphalos_parser::ParserKind;

const JSON: &str = "{\"@timestamp\":\"2026-11-28T10:00:00Z\",\"message\":\"a\"}\n";
const CLF: &str = "198.51.100.1 - - [28/Nov/2026:12:00:01 +0000] \"GET / HTTP/1.1\" 200 10\n";
const W3C: &str =
    "#Fields: date time c-ip cs-method sc-status\n2026-11-28 12:00:01 198.51.100.1 GET 200\n";
const TEXT: &str = "just some text\n";

/// What was shipped, as what.
fn datasets(rig: &Rig) -> Vec<String> {
    let datasets = rig.shipped.iter().map(|shipped| &shipped.document["event"]["dataset"]);
    datasets.map(|dataset| dataset.as_str().unwrap().to_owned()).collect()
}

fn rig() -> Rig {
    let mut rig = Rig::new(&["*.log"]);
    rig.recipe().parser = ParserKind::Auto;
    rig
}

#[test]
fn each_file_is_read_as_what_it_is() {
    for (text, dataset, count) in
        [(JSON, "json", 1), (CLF, "access", 1), (W3C, "access", 1), (TEXT, "raw", 1)]
    {
        let mut rig = rig();
        rig.append("a.log", text);
        rig.start();
        rig.settle();
        assert_eq!(datasets(&rig), vec![dataset; count], "{text}");
        assert!(!rig.shipped[0].has_tag("parse_failure"), "{text}");
    }
}

#[test]
fn nothing_is_chosen_before_there_is_a_line() {
    let mut rig = rig();
    rig.append("a.log", "");
    rig.start();
    rig.settle();
    let (begin, end) = JSON.split_at(9);
    rig.append("a.log", begin);
    rig.look();
    rig.append("a.log", end);
    rig.look();
    rig.settle();
    assert_eq!(datasets(&rig), ["json"]);
}

#[test]
fn a_single_line_without_an_end_is_read_as_what_it_is() {
    let mut rig = rig();
    rig.once = true;
    rig.append("a.log", JSON.trim_end());
    rig.start();
    rig.finish();
    assert_eq!(datasets(&rig), ["json"]);
}

#[test]
fn what_was_chosen_is_kept_over_restarts_whatever_follows() {
    let mut rig = rig();
    rig.append("a.log", JSON);
    rig.start();
    rig.settle();
    rig.stop();
    rig.append("a.log", CLF.repeat(20));
    rig.start();
    rig.settle();
    assert_eq!(datasets(&rig), vec!["json"; 21]);
}

/// Else a lost checkpoint, or an import of a live file, would make other ids.
#[test]
fn the_first_line_with_something_in_it_decides_however_much_is_there() {
    for beginning in ["", "\n\r\n", "\u{feff}", "\n \n"] {
        let mut rig = rig();
        rig.append("a.log", beginning);
        rig.start();
        rig.settle();
        rig.append("a.log", JSON);
        rig.look();
        rig.settle();
        rig.append("a.log", TEXT.repeat(30));
        rig.look();
        rig.settle();
        assert_eq!(datasets(&rig), vec!["json"; 31], "{beginning:?}");
        let mut again = rig_with(&format!("{beginning}{JSON}{}", TEXT.repeat(30)));
        again.start();
        again.settle();
        assert_eq!(datasets(&again), vec!["json"; 31], "{beginning:?}, at once");
    }
}

fn rig_with(text: &str) -> Rig {
    let rig = rig();
    rig.append("a.log", text);
    rig
}

#[test]
fn half_a_line_that_is_shipped_decides_nothing() {
    let mut rig = rig();
    rig.input().unfinished_after = Period(Duration::ZERO);
    let (begin, end) = JSON.split_at(20);
    rig.append("a.log", begin);
    rig.start();
    rig.settle();
    assert_eq!(datasets(&rig), ["raw"]);
    rig.append("a.log", end);
    rig.look();
    rig.settle();
    assert_eq!(datasets(&rig), ["raw", "json"]);
}

#[test]
fn what_was_there_before_the_first_start_says_what_follows_it() {
    let mut rig = rig();
    rig.input().start = crate::monitor::Start::End;
    rig.append("a.log", W3C);
    rig.start();
    rig.settle();
    rig.append("a.log", "2026-11-28 12:00:02 198.51.100.1 GET 404\n");
    rig.look();
    rig.settle();
    assert_eq!(datasets(&rig), ["access"]);
    assert_eq!(rig.shipped[0].document["http"]["response"]["status_code"], 404);
}

#[test]
fn a_pipe_is_read_as_what_it_is() {
    let mut rig = Rig::new(&["-"]);
    rig.recipe().parser = ParserKind::Auto;
    let (pieces, received) = sync_channel(4);
    rig.pipe = Some(received);
    rig.start();
    pieces.send(Ok(JSON.into())).unwrap();
    drop(pieces);
    rig.finish();
    assert_eq!(datasets(&rig), ["json"]);
}

/// The kind of fault: what a file was begun with is overwritten when another format is set once.
#[test]
fn another_format_is_for_what_comes_after_and_what_was_begun_with_comes_back() {
    let mut rig = rig();
    let kinds = [ParserKind::Auto, ParserKind::Combined, ParserKind::Auto, ParserKind::Raw];
    for (kind, text) in kinds.into_iter().zip([JSON, CLF, JSON, TEXT]) {
        rig.recipe().parser = kind;
        rig.append("a.log", text);
        rig.start();
        rig.settle();
        rig.stop();
    }
    // Nothing is read with these.
    for kind in [ParserKind::Json, ParserKind::Combined, ParserKind::Auto] {
        rig.recipe().parser = kind;
        rig.start();
        rig.settle();
        rig.stop();
    }
    rig.append("a.log", JSON);
    rig.start();
    rig.settle();
    assert_eq!(datasets(&rig), ["json", "access", "json", "raw", "json"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A crash loses what was not on disk: the choice that made ids is, before they leave.
    #[test]
    fn no_crash_changes_a_choice(
        lines in proptest::collection::vec(prop_oneof![3 => Just(JSON), 1 => Just(TEXT), 1 => Just(CLF)], 1..12),
        crashes in proptest::collection::vec(any::<bool>(), 12),
    ) {
        let mut rig = rig();
        let mut ids = std::collections::HashSet::new();
        rig.start();
        for (line, crashes) in lines.iter().zip(&crashes) {
            rig.append("a.log", line);
            rig.look();
            if *crashes {
                // It may have arrived, although nobody confirmed it.
                ids.extend(rig.held_documents().iter().map(|held| held.id));
                rig.crash();
                rig.start();
            }
        }
        rig.look();
        rig.settle();
        ids.extend(rig.shipped.iter().map(|shipped| shipped.id));
        prop_assert_eq!(ids.len(), lines.len(), "each line has one id, however often it is shipped");
        let mut all = datasets(&rig);
        all.dedup();
        prop_assert_eq!(all.len(), 1, "{:?}", all);
    }

    /// Whoever reads the file again with what the checkpoint says gets the documents that were delivered,
    /// whatever was set when, and whatever is set now.
    #[test]
    fn what_is_read_again_is_what_was_delivered_whatever_was_set(
        steps in proptest::collection::vec((kind(), proptest::collection::vec(line(), 0..4), 0..3_u8), 1..6),
        joins in any::<bool>(),
    ) {
        let mut rig = rig();
        // What waiting has ended is not said to whoever reads the file again.
        rig.input().multiline_timeout = Period(Duration::from_hours(1));
        if joins {
            rig.recipe().multiline = MultilineKind::Indent;
        }
        for (kind, lines, ends) in steps {
            rig.recipe().parser = kind;
            rig.append("a.log", lines.concat());
            rig.start();
            rig.look();
            match ends {
                0 => {
                    rig.settle();
                    rig.stop();
                }
                1 => {
                    rig.confirm_all();
                    rig.crash();
                }
                _ => rig.crash(),
            }
        }
        rig.once = true;
        rig.start();
        rig.finish();
        let delivered = told(&rig);
        let path = rig.path("a.log");
        let entries = peek(&rig.settings.state_dir).unwrap().unwrap_or_default();
        let Some(recalled) = recall(&entries, &[], &path, &path).unwrap() else {
            prop_assert!(delivered.is_empty());
            return Ok(());
        };
        for kind in KINDS {
            let ids = recalled.ids().unwrap();
            let again = begin_again(&path, Some(&recalled), ids, SourceId::from_random(1), 0).unwrap();
            let state = rig.open_state();
            state.save(&checkpoint::serialize(vec![again]).unwrap()).unwrap();
            drop(state);
            rig.shipped.clear();
            rig.recipe().parser = kind;
            rig.start();
            rig.finish();
            let again = told(&rig);
            prop_assert!(again == delivered, "{:?}, not {:?}: {:?}", again, delivered, kind);
        }
    }
}

const KINDS: [ParserKind; 5] =
    [ParserKind::Auto, ParserKind::Raw, ParserKind::Json, ParserKind::Clf, ParserKind::W3c];

fn kind() -> impl Strategy<Value = ParserKind> {
    proptest::sample::select(KINDS.to_vec())
}

fn line() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![JSON, CLF, W3C, TEXT, " indented\n", "\n"])
}

/// What became of the lines by where they stand: dataset, whether it was understood, and the id where
/// that is made of a time of its own.
fn told(rig: &Rig) -> BTreeSet<(u64, String, bool, Option<String>)> {
    let told = rig.shipped.iter().map(|shipped| {
        let document = &shipped.document;
        let dataset = document["event"]["dataset"].as_str().unwrap().to_owned();
        let is_timed = !shipped.has_tag("time_assumed") && dataset != "raw";
        let id = is_timed.then(|| format!("{:?}", shipped.id));
        let offset = document["log"]["offset"].as_u64().unwrap();
        (offset, dataset, shipped.has_tag("parse_failure"), id)
    });
    told.collect()
}
