//! What happens to a file, case by case: how `docs/files.md` says.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use omphalos_common::config::{Period, Size};

use super::rig::{Held, Rig};
use crate::monitor::Ended;
use crate::monitor::Start;
use omphalos_parser::ParserKind;

/// A monitor of `app.log` that has read `text` there.
fn reading(text: &str) -> Rig {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", text);
    rig.start();
    rig.settle();
    rig
}

#[test]
fn a_file_of_three_bytes_is_read() {
    let rig = reading("ab\n");
    assert_eq!(rig.lines(), ["ab"]);
}

#[test]
fn a_last_line_without_an_end_is_shipped_after_its_time_and_again_when_it_is_whole() {
    let mut rig = Rig::new(&["app.log"]);
    rig.input().unfinished_after = Period(Duration::ZERO);
    rig.append("app.log", "one\nbegun");
    rig.start();
    rig.settle();
    rig.settle();
    assert_eq!(rig.lines(), ["one", "begun"]);
    assert!(rig.shipped[1].has_tag("unfinished") && !rig.shipped[0].has_tag("unfinished"));
    rig.append("app.log", " and done\n");
    rig.settle();
    assert_eq!(rig.lines(), ["one", "begun", "begun and done"]);
    assert_eq!(rig.metric("lines_unfinished"), 1);
    // A restart ships nothing again.
    rig.stop();
    rig.start();
    rig.settle();
    assert_eq!(rig.shipped.len(), 3);
}

#[test]
fn a_last_line_waits_for_its_end_as_long_as_it_may() {
    let mut rig = reading("one\nbegun");
    assert_eq!(rig.lines(), ["one"]);
    rig.append("app.log", "!\n");
    rig.settle();
    assert_eq!(rig.lines(), ["one", "begun!"]);
}

#[test]
fn padding_that_a_crash_left_is_passed_over_when_something_follows() {
    let mut rig = reading("one\ntorn");
    rig.append("app.log", [0; 5000]);
    rig.settle();
    assert_eq!(rig.lines(), ["one"], "it may be room that is filled yet");
    rig.append("app.log", "two\n");
    rig.settle();
    assert_eq!(rig.lines(), ["one", "torn", "two"]);
    assert_eq!(rig.metric("bytes_skipped_total{reason=\"padding\"}"), 5000);
}

#[test]
fn room_that_was_reserved_is_read_as_it_is_filled() {
    let mut rig = Rig::new(&["app.log"]);
    fs::write(rig.path("app.log"), [0; 10_000]).unwrap();
    rig.start();
    let mut file = fs::OpenOptions::new().write(true).open(rig.path("app.log")).unwrap();
    for line in ["one\n", "two\n"] {
        std::io::Write::write_all(&mut file, line.as_bytes()).unwrap();
        rig.settle();
    }
    assert_eq!(rig.lines(), ["one", "two"]);
}

#[test]
fn a_hole_in_a_file_is_passed_over() {
    const HOLE: u64 = 40_000_000;
    let mut rig = reading("one\n");
    let file = fs::OpenOptions::new().write(true).open(rig.path("app.log")).unwrap();
    file.set_len(HOLE).unwrap();
    rig.append("app.log", "two\n");
    rig.settle();
    assert_eq!(rig.lines(), ["one", "two"]);
    assert_eq!(rig.metric("bytes_skipped_total{reason=\"padding\"}"), HOLE - 4);
}

#[test]
fn a_file_rewritten_past_the_offset_between_two_looks_is_read_from_its_beginning() {
    let mut rig = reading("one\ntwo\n");
    fs::write(rig.path("app.log"), "other\nand\nlonger\n").unwrap();
    rig.settle();
    assert_eq!(rig.lines(), ["one", "two", "other", "and", "longer"]);
}

#[test]
fn two_files_with_the_same_first_kilobyte_are_both_read() {
    let mut rig = Rig::new(&["app.log*"]);
    let head = "the same banner\n".repeat(100);
    rig.append("app.log", format!("{head}one\n"));
    rig.start();
    rig.settle();
    fs::rename(rig.path("app.log"), rig.path("app.log.1")).unwrap();
    rig.append("app.log", format!("{head}two\n"));
    rig.settle();
    assert_eq!(rig.shipped.len(), 202);
    assert_eq!(rig.lines().last(), Some(&"two"));
}

#[test]
fn a_new_file_that_begins_like_a_small_rotated_one_is_read_whole() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.append("app.log", "started\n");
    rig.start();
    rig.settle();
    fs::rename(rig.path("app.log"), rig.path("app.log.1")).unwrap();
    rig.append("app.log", "started\nand more\n");
    rig.settle();
    assert_eq!(rig.lines(), ["started", "started", "and more"]);
}

#[test]
fn a_copy_under_a_rotated_name_adds_nothing_and_one_under_another_name_is_another_file() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.copy_wait = Duration::from_hours(1);
    let text = "a line without a time\n".repeat(60);
    rig.append("app.log", &text);
    rig.start();
    rig.settle();
    fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
    rig.settle();
    rig.stop();
    rig.start();
    rig.settle();
    assert_eq!(rig.shipped.len(), 60, "its original may be emptied yet");
    fs::copy(rig.path("app.log"), rig.path("app.log.bak")).unwrap();
    rig.settle();
    assert_eq!(rig.shipped.len(), 120);
    fs::write(rig.path("app.log"), "something new\n").unwrap();
    rig.settle();
    assert_eq!(rig.shipped.len(), 121);
}

#[test]
fn what_takes_the_place_of_a_file_is_not_read_and_the_file_is_when_it_is_back() {
    let mut rig = reading("one\n");
    let (path, away) = (rig.path("app.log"), rig.path("away"));
    for kind in ["directory", "pipe", "loop"] {
        fs::rename(&path, &away).unwrap();
        match kind {
            "directory" => fs::create_dir(&path).unwrap(),
            "pipe" => {
                let mode = rustix::fs::Mode::RUSR;
                let fifo = rustix::fs::FileType::Fifo;
                rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, mode, 0).unwrap();
            }
            _ => symlink(&path, &path).unwrap(),
        }
        rig.settle();
        if kind == "directory" { fs::remove_dir(&path) } else { fs::remove_file(&path) }.unwrap();
        fs::rename(&away, &path).unwrap();
        rig.append("app.log", format!("after a {kind}\n"));
        rig.settle();
    }
    let expected = ["one", "after a directory", "after a pipe", "after a loop"];
    assert_eq!(rig.lines(), expected);
}

#[test]
fn a_link_that_points_elsewhere_is_followed_after_the_rest_of_the_old_file() {
    let mut rig = Rig::new(&["app.log"]);
    for name in ["a", "b"] {
        rig.append(name, format!("{name} one\n"));
    }
    symlink(rig.path("a"), rig.path("app.log")).unwrap();
    rig.start();
    rig.settle();
    rig.append("a", "a two\n");
    fs::remove_file(rig.path("app.log")).unwrap();
    symlink(rig.path("b"), rig.path("app.log")).unwrap();
    rig.settle();
    let mut lines = rig.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["a one", "a two", "b one"]);
}

#[test]
fn a_file_with_two_names_is_read_once() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", "one\n");
    fs::hard_link(rig.path("a.log"), rig.path("b.log")).unwrap();
    rig.start();
    rig.settle();
    rig.append("b.log", "two\n");
    fs::remove_file(rig.path("a.log")).unwrap();
    rig.settle();
    assert_eq!(rig.lines(), ["one", "two"]);
}

#[test]
fn a_name_that_is_not_text_is_read_and_remembered() {
    let mut rig = Rig::new(&["*.log"]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.log");
    let path = rig.path("x").with_file_name(name);
    fs::write(&path, "one\n").unwrap();
    rig.start();
    rig.settle();
    rig.stop();
    super::rig::append(&path, b"two\n");
    rig.start();
    rig.settle();
    assert_eq!(rig.lines(), ["one", "two"]);
    assert!(
        rig.shipped[0].document["log"]["file"]["path"]
            .as_str()
            .unwrap()
            .ends_with("caf\u{fffd}.log")
    );
}

#[test]
fn long_lines_are_whole_and_longer_ones_are_cut_marked_and_counted() {
    let mut rig = Rig::new(&["app.log"]);
    rig.recipe().max_line_bytes = Size(200_000);
    let (long, longer) = ("x".repeat(100_000), "y".repeat(5_000_000));
    rig.append("app.log", format!("{long}\n{longer}\nnext\n"));
    rig.start();
    rig.settle();
    assert_eq!(rig.lines(), [&*long, &*"y".repeat(200_000), "next"]);
    assert!(rig.shipped[1].has_tag("truncated") && !rig.shipped[0].has_tag("truncated"));
    assert_eq!(rig.metric("lines_cut"), 1);
}

#[test]
fn files_that_come_and_are_rotated_while_nothing_may_be_read_are_read_afterwards() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "one\n");
    rig.start();
    rig.settle();
    for number in 2..9 {
        fs::rename(rig.path("app.log"), rig.path(&format!("app.log.{number}"))).unwrap();
        rig.append("app.log", format!("in file {number}\n"));
        rig.round_without_taking();
    }
    rig.settle();
    let mut lines = rig.lines();
    lines.sort_unstable();
    let expected = (2..9).map(|number| format!("in file {number}")).chain(["one".to_owned()]);
    assert_eq!(lines, expected.collect::<Vec<_>>());
}

#[test]
fn a_deleted_file_is_read_to_its_end() {
    let mut rig = reading("one\n");
    rig.append("app.log", "two\n");
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.append("app.log", "three\n");
    rig.settle();
    let mut lines = rig.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "three", "two"]);
}

#[test]
fn what_was_written_to_a_closed_file_that_is_deleted_is_counted_and_named() {
    for (is_seen, lost) in [(true, 4), (false, 1)] {
        let mut rig = Rig::new(&["app.log"]);
        rig.append("app.log", "one\n");
        rig.start();
        rig.settle();
        rig.close_descriptors();
        rig.append("app.log", "two\n");
        let path = rig.path("app.log").display().to_string();
        if is_seen {
            rig.look_while(|rig| fs::remove_file(rig.path("app.log")).unwrap());
        } else {
            // Only an event tells that something was written.
            rig.touch(&path);
            fs::remove_file(&path).unwrap();
        }
        rig.settle();
        assert_eq!(rig.lines(), ["one"]);
        assert_eq!(rig.metric("bytes_lost_total{reason=\"deleted\"}"), lost, "{is_seen}");
    }
    // Nothing was written to this one.
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "one\n");
    rig.start();
    rig.settle();
    rig.close_descriptors();
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.settle();
    assert_eq!(rig.metric("bytes_lost_total{reason=\"deleted\"}"), 0);
}

#[test]
fn deleted_files_that_hold_too_much_are_given_up_and_counted() {
    let mut rig = Rig::new(&["app.log"]);
    rig.settings.engine.max_deleted_bytes = Size(64 * 1024);
    rig.settings.batch.bytes = Size(1024);
    rig.append("app.log", "one\n");
    rig.start();
    rig.settle();
    rig.append("app.log", "x\n".repeat(100_000));
    fs::remove_file(rig.path("app.log")).unwrap();
    // One turn reads a part only.
    rig.rescan();
    rig.round();
    rig.rescan();
    rig.settle();
    let read = rig.shipped.iter().filter(|shipped| shipped.line() == "x").count() as u64;
    assert!(read < 100_000);
    assert_eq!(rig.metric("bytes_lost_total{reason=\"given_up\"}"), 200_000 - 2 * read);
}

#[test]
fn what_stood_in_a_file_before_the_very_first_start_is_skipped_with_start_end() {
    let mut rig = Rig::new(&["*.log"]);
    rig.input().start = Start::End;
    rig.append("a.log", "old\n");
    rig.start();
    rig.settle();
    rig.append("a.log", "new\n");
    rig.settle();
    rig.stop();
    // It came while nobody looked, so it is new.
    rig.append("b.log", "in b\n");
    rig.start();
    rig.settle();
    assert_eq!(rig.lines(), ["new", "in b"]);
    assert_eq!(rig.metric("bytes_skipped_total{reason=\"start\"}"), 4);
}

#[test]
fn files_older_than_wanted_are_skipped_up_to_their_end_and_counted() {
    let mut rig = Rig::new(&["*.log"]);
    rig.input().ignore_older = Some(Period(Duration::from_hours(1)));
    rig.append("old.log", "old\n");
    rig.append("new.log", "new\n");
    let file = fs::File::open(rig.path("old.log")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(2)).unwrap();
    rig.start();
    rig.settle();
    rig.append("old.log", "written again\n");
    rig.settle();
    assert_eq!(rig.lines(), ["new", "written again"]);
    assert_eq!(rig.metric("bytes_skipped_total{reason=\"ignore_older\"}"), 4);
}

#[test]
fn what_cannot_be_read_is_shown_in_health_and_metrics_until_it_can() {
    let mut rig = reading("one\n");
    let (path, away) = (rig.path("app.log"), rig.path("away"));
    fs::rename(&path, &away).unwrap();
    symlink(&path, &path).unwrap();
    rig.settle();
    rig.report();
    let problems = rig.health.problems();
    assert!(problems.iter().any(|problem| problem.contains("app.log")), "{problems:?}");
    assert_eq!(rig.metric("files_unreadable"), 1);
    fs::remove_file(&path).unwrap();
    fs::rename(&away, &path).unwrap();
    rig.settle();
    rig.report();
    assert_eq!((rig.health.problems().len(), rig.metric("files_unreadable")), (0, 0));
}

#[test]
fn a_file_at_full_speed_does_not_keep_slow_ones_waiting() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a-fast.log", format!("{}\n", "x".repeat(99)).repeat(100_000));
    for number in 0..50 {
        rig.append(&format!("slow-{number}.log"), format!("slow {number}\n"));
    }
    rig.start();
    while rig.held.iter().flat_map(Held::lines).filter(|line| line.starts_with('s')).count() < 50 {
        rig.round();
        let fast: usize = rig.held.iter().map(|held| held.lines().count()).sum();
        assert!(fast < 50_000, "the slow ones wait for the fast one");
    }
}

#[test]
fn a_single_pass_ends_although_a_copy_must_wait_for_its_original() {
    let mut rig = Rig::new(&["app.log*"]);
    let text = "a line without a time\n".repeat(100);
    rig.append("app.log", &text);
    rig.append("app.log.1", &text);
    rig.once = true;
    rig.start();
    assert_eq!(rig.finish(), Ended::Settled);
    assert_eq!(rig.shipped.len(), 200, "both exist");
}

#[test]
fn a_single_pass_rests_while_nothing_is_taken() {
    let mut rig = Rig::new(&["app.json"]);
    let line = "{\"@timestamp\":\"2026-11-22T10:00:00Z\",\"text\":\"some text\"}\n";
    rig.append("app.json", line.repeat(1_000));
    rig.recipe().parser = ParserKind::Json;
    let long = Period(Duration::from_hours(1));
    (rig.settings.batch.flush_interval, rig.settings.engine.checkpoint_interval) = (long, long);
    rig.settings.batch.bytes = Size(16 * 1024);
    rig.once = true;
    rig.start();
    for _ in 0..10 {
        rig.round_without_taking();
    }
    assert!(rig.rest() > Duration::from_secs(1), "{:?}", rig.rest());
    assert_eq!(rig.finish(), Ended::Settled);
    assert_eq!(rig.shipped.len(), 1_000);
}

#[test]
fn a_single_pass_says_when_it_missed_something() {
    let mut rig = Rig::new(&["app.log", "missing.log"]);
    rig.append("app.log", "one\nunfinished");
    rig.once = true;
    rig.start();
    let path = rig.path("missing.log").display().to_string();
    let missed = vec![format!("{path}: the file is not there")];
    assert_eq!(rig.finish(), Ended::Incomplete(missed));
    assert_eq!(rig.lines(), ["one", "unfinished"]);
}

/// What is in `app.log` is shipped, and after a restart the file is known as the one that was read:
/// nothing of it is read again.
fn is_known_after_a_restart(rig: &mut Rig, lines: &[&str]) {
    rig.settle();
    assert_eq!(rig.lines(), lines);
    assert_eq!(rig.stop(), Ended::Settled);
    rig.start();
    rig.settle();
    assert_eq!(rig.lines(), lines, "it was read again");
}

#[test]
fn a_file_is_known_again_when_padding_stands_in_its_beginning() {
    let mut rig = reading("one\n");
    rig.append("app.log", [0; 100]);
    rig.settle();
    // The padding is passed over before the line behind it has an end.
    rig.append("app.log", "tw");
    rig.settle();
    rig.append("app.log", "o\nthree\n");
    is_known_after_a_restart(&mut rig, &["one", "two", "three"]);
}

#[test]
fn a_file_is_known_again_when_it_begins_with_a_line_that_is_too_long() {
    let mut rig = Rig::new(&["app.log"]);
    rig.recipe().max_line_bytes = Size(256);
    rig.append("app.log", "x".repeat(300));
    rig.start();
    rig.settle();
    rig.append("app.log", format!("{}\ntwo\n", "y".repeat(200)));
    is_known_after_a_restart(&mut rig, &[&"x".repeat(256), "two"]);
}

#[test]
fn what_cannot_be_ends_the_monitor_before_anything_more_leaves() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "one\n");
    rig.start();
    rig.look();
    let owner = rig.confirm_twice(0);
    rig.append("app.log", "two\n");
    rig.rescan();
    let Some(Ended::Broken(what)) = rig.round() else { panic!("it goes on") };
    assert!(what.contains("app.log: chunk 0 was confirmed"), "{what} of {owner:?}");
    assert!(rig.held.is_empty(), "the second line left");
}
