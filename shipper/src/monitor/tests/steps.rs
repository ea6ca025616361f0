//! What happens between two steps of the monitor that look like one: between seeing a name and
//! opening it, between a listing and the search in it, between a start and what is remembered.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use omphalos_common::config::Period;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Level, Metadata, Subscriber};

use super::rig::Rig;
use crate::monitor::Start;
use omphalos_parser::ParserKind;

/// Lines without a time, more than a kilobyte of them, always the same.
fn report() -> String {
    let line = |volume: u32| format!("backing up volume {volume:04}: ok\n");
    (0..60).map(line).collect::<Vec<_>>().concat()
}

/// Lines with a time, all of the same second.
fn timed(words: std::ops::Range<u32>, writer: &str) -> String {
    let line = |word| format!("{{\"time\":\"2026-11-22T10:00:00Z\",\"{writer}\":{word}}}\n");
    words.map(line).collect::<Vec<_>>().concat()
}

fn gzip(path: &Path) {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&fs::read(path).unwrap()).unwrap();
    fs::write(format!("{}.gz", path.display()), encoder.finish().unwrap()).unwrap();
    fs::remove_file(path).unwrap();
}

#[test]
fn what_is_opened_is_what_is_remembered_whatever_was_seen_before() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "one\n");
    rig.start();
    rig.settle();
    rig.stop();
    rig.append("app.log", "two\n");
    rig.start();
    rig.look_while(|rig| {
        fs::rename(rig.path("app.log"), rig.path("app.log.1")).unwrap();
        rig.append("app.log", "three\n");
    });
    rig.settle();
    let mut lines = rig.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "three", "two"]);
    rig.stop();
    rig.append("app.log", "four\n");
    rig.start();
    rig.settle();
    assert_eq!(rig.lines().last(), Some(&"four"));
    assert_eq!(rig.shipped.len(), 4);
}

#[test]
fn a_new_file_that_is_renamed_before_it_is_opened_is_read_though_nobody_watches_its_new_name() {
    let mut rig = Rig::new(&["app.log"]);
    rig.start();
    rig.settle();
    rig.append("app.log", "one\n");
    rig.look_while(|rig| {
        fs::rename(rig.path("app.log"), rig.path("app.log.1")).unwrap();
    });
    rig.settle();
    rig.append("app.log", "two\n");
    rig.look_while(|rig| {
        fs::rename(rig.path("app.log"), rig.path("app.log.2")).unwrap();
        rig.append("app.log", "three\n");
    });
    rig.settle();
    assert_eq!(rig.counts().into_values().collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn reports_that_say_the_same_are_each_shipped_however_they_are_written_and_put_away() {
    for (by_rename, in_one_go, is_idle) in
        [(true, true, false), (true, false, true), (false, true, true), (false, false, false)]
    {
        let mut rig = Rig::new(&["app.log"]);
        rig.start();
        for night in 0..4 {
            if in_one_go {
                fs::write(rig.path("new"), report()).unwrap();
                fs::rename(rig.path("new"), rig.path("app.log")).unwrap();
            } else {
                for line in report().split_inclusive('\n') {
                    rig.append("app.log", line);
                    rig.look();
                }
            }
            rig.settle();
            if is_idle {
                rig.close_descriptors();
            }
            if by_rename {
                fs::rename(rig.path("app.log"), rig.path(&format!("app.log.{night}"))).unwrap();
            } else {
                fs::remove_file(rig.path("app.log")).unwrap();
            }
        }
        rig.settle();
        let counts = rig.counts();
        let is_right = counts.len() == 60 && counts.values().all(|count| *count == 4);
        assert!(is_right, "{by_rename} {in_one_go} {is_idle}: {} documents", rig.shipped.len());
    }
}

#[test]
fn reports_that_say_the_same_are_each_shipped_over_restarts() {
    for by_rename in [true, false] {
        let mut rig = Rig::new(&["app.log*"]);
        for night in 0..4 {
            rig.append("app.log", report());
            rig.start();
            rig.settle();
            rig.stop();
            if by_rename {
                fs::rename(rig.path("app.log"), rig.path(&format!("app.log.{night}"))).unwrap();
            } else {
                fs::remove_file(rig.path("app.log")).unwrap();
            }
        }
        rig.start();
        rig.settle();
        assert!(rig.counts().values().all(|count| *count == 4), "{}", rig.shipped.len());
    }
}

#[test]
fn a_copy_is_known_when_its_original_is_emptied_also_over_a_restart() {
    for restarts in [false, true] {
        let mut rig = Rig::new(&["app.log*"]);
        rig.copy_wait = Duration::from_hours(1);
        rig.append("app.log", report());
        rig.start();
        rig.settle();
        rig.append("app.log", "unread\n");
        fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
        if restarts {
            rig.stop();
            rig.start();
        }
        rig.settle();
        fs::write(rig.path("app.log"), "new\n").unwrap();
        rig.settle();
        assert_eq!(rig.shipped.len(), 62);
        assert!(rig.counts().values().all(|count| *count == 1));
    }
}

#[test]
fn a_copy_that_is_still_empty_when_it_is_seen_is_waited_for() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.copy_wait = Duration::from_hours(1);
    rig.append("app.log", report());
    rig.start();
    rig.settle();
    rig.append("app.log.1", "");
    rig.settle();
    let report = report();
    let (begin, rest) = report.split_at(3);
    rig.append("app.log.1", begin);
    rig.settle();
    rig.append("app.log.1", rest);
    rig.settle();
    fs::write(rig.path("app.log"), "new\n").unwrap();
    rig.settle();
    assert_eq!(rig.shipped.len(), 61);
}

#[test]
fn the_rest_of_a_file_is_not_looked_for_in_the_archive_of_an_older_one_that_begins_alike() {
    for is_known in [true, false] {
        let mut rig = Rig::new(&["app.log"]);
        let banner = "the same banner\n".repeat(100);
        let numbered = |numbers: std::ops::Range<u32>| {
            numbers.map(|number| format!("line {number}\n")).collect::<Vec<_>>().concat()
        };
        rig.append("app.log", &banner);
        rig.append("app.log", numbered(0..30));
        rig.start();
        rig.settle();
        fs::rename(rig.path("app.log"), rig.path("app.log.1")).unwrap();
        gzip(&rig.path("app.log.1"));
        rig.settle();
        rig.append("app.log", &banner);
        rig.settle();
        if is_known {
            rig.save();
            rig.crash();
        } else {
            rig.stop();
        }
        rig.append("app.log", numbered(100..110));
        fs::rename(rig.path("app.log.1.gz"), rig.path("app.log.2.gz")).unwrap();
        fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
        fs::write(rig.path("app.log"), "new\n").unwrap();
        rig.start();
        rig.settle();
        let counts = rig.counts();
        assert_eq!((counts.len(), counts["the same banner"]), (42, 200), "{is_known}");
        assert_eq!(counts.values().sum::<usize>(), 241, "{is_known}");
    }
}

#[test]
fn an_archive_belongs_to_the_file_that_it_was_made_of_and_not_to_a_new_one_that_begins_alike() {
    for lines_of_banner in [5, 100] {
        let mut rig = Rig::new(&["app.log*"]);
        rig.input().archives = true;
        let banner = "the same banner\n".repeat(lines_of_banner);
        let numbers: String = (0..9).map(|number| char::from(b'a' + number)).collect();
        rig.append("app.log", &banner);
        rig.append("app.log", numbers.replace("", "\n"));
        rig.start();
        rig.settle();
        rig.stop();
        fs::rename(rig.path("app.log"), rig.path("app.log.1")).unwrap();
        gzip(&rig.path("app.log.1"));
        rig.append("app.log", &banner);
        rig.start();
        rig.settle();
        let counts = rig.counts();
        assert_eq!(counts["the same banner"], 2 * lines_of_banner);
        assert_eq!(counts.values().sum::<usize>(), 2 * lines_of_banner + 9);
    }
}

#[test]
fn a_file_is_remembered_before_anything_of_it_leaves() {
    for archived in [false, true] {
        let mut rig = Rig::new(&["app.log"]);
        // Nothing is saved because it is time.
        rig.settings.engine.checkpoint_interval = Period(Duration::from_hours(1));
        rig.start();
        rig.settle();
        rig.append("app.log", report());
        rig.settle();
        assert_eq!(rig.shipped.len(), 60);
        rig.crash();
        rig.append("app.log", "unread\n");
        fs::rename(rig.path("app.log"), rig.path("app.log.1")).unwrap();
        if archived {
            gzip(&rig.path("app.log.1"));
        }
        rig.append("app.log", "new\n");
        rig.start();
        rig.settle();
        let counts = rig.counts();
        assert!(counts.len() == 62 && counts.values().all(|count| *count == 1), "{counts:?}");
    }
}

#[test]
fn copies_are_no_numbered_logs_though_their_original_is_rotated_before_they_are_judged() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.copy_wait = Duration::from_hours(1);
    rig.recipe().parser = ParserKind::Json;
    rig.append("app.log", timed(0..20, "app"));
    rig.start();
    rig.settle();
    for copy in ["app.log.8", "app.log.9"] {
        fs::copy(rig.path("app.log"), rig.path(copy)).unwrap();
        rig.settle();
    }
    fs::rename(rig.path("app.log"), rig.path("app.log.1")).unwrap();
    rig.settle();
    rig.append("app.log", timed(20..25, "app"));
    rig.settle();
    let counts = rig.counts();
    assert!(counts.len() == 25 && counts.values().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn numbered_logs_of_several_writers_stay_apart_though_they_begin_alike() {
    for all_at_once in [true, false] {
        let mut rig = Rig::new(&["worker.*"]);
        rig.recipe().parser = ParserKind::Json;
        let both = |rig: &mut Rig, [one, two]: [&str; 2]| {
            for (name, text) in [("worker.1", one), ("worker.2", two)] {
                rig.append(name, text);
                if !all_at_once {
                    rig.settle();
                }
            }
        };
        if !all_at_once {
            rig.start();
        }
        let banner = timed(0..60, "both");
        both(&mut rig, [&banner, &banner]);
        both(&mut rig, [&timed(0..10, "one"), &timed(0..10, "two")]);
        if all_at_once {
            rig.start();
        }
        rig.settle();
        rig.stop();
        rig.start();
        both(&mut rig, [&timed(10..20, "one"), &timed(10..20, "two")]);
        rig.settle();
        let counts = rig.counts();
        assert_eq!(counts.values().sum::<usize>(), 160, "{all_at_once}");
        // Without times too.
        let mut rig = Rig::new(&["worker.*"]);
        rig.append("worker.1", report());
        rig.append("worker.2", report());
        rig.start();
        rig.settle();
        assert_eq!(rig.shipped.len(), 120);
    }
}

#[test]
fn what_is_written_after_the_first_start_is_read_whatever_becomes_of_the_checkpoint() {
    for fate in ["none", "damaged", "empty", "other version", "gone"] {
        let mut rig = Rig::new(&["app.log"]);
        rig.input().start = Start::End;
        if fate != "none" {
            rig.append("app.log", "old\n");
        }
        rig.start();
        rig.settle();
        rig.stop();
        for name in ["checkpoint", "checkpoint.previous"] {
            let path = rig.settings.state_dir.join(name);
            let Ok(text) = fs::read_to_string(&path) else { continue };
            match fate {
                "damaged" => fs::write(&path, text.replace("app.log", "app.lag")).unwrap(),
                "empty" => fs::write(&path, "").unwrap(),
                "other version" => fs::write(&path, text.replacen(" 1 ", " 9 ", 1)).unwrap(),
                "gone" => fs::remove_file(&path).unwrap(),
                _ => {}
            }
        }
        rig.append("app.log", "new\n");
        rig.start();
        rig.settle();
        assert!(rig.lines().contains(&"new"), "{fate}");
    }
}

#[test]
fn what_was_compressed_a_moment_ago_is_known_although_its_inode_is_used_again() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.input().archives = true;
    rig.archive_quiet = Duration::from_millis(300);
    rig.append("app.log", report());
    rig.start();
    rig.settle();
    rig.stop();
    rig.append("app.log", "unread\n");
    fs::rename(rig.path("app.log"), rig.path("app.log.1")).unwrap();
    gzip(&rig.path("app.log.1"));
    // On most file systems it gets the inode that is free now.
    rig.append("app.log", "new\n");
    rig.start();
    while rig.shipped.len() < 62 {
        rig.settle();
    }
    rig.settle();
    assert!(rig.counts().values().all(|count| *count == 1), "{:?}", rig.counts());
}

#[test]
fn a_file_without_a_descriptor_is_missed_twice_before_it_is_given_up() {
    let mut rig = Rig::new(&["app.log"]);
    rig.second_look = Duration::from_hours(1);
    rig.append("app.log", "one\n");
    rig.start();
    rig.settle();
    rig.append("app.log", "two\n");
    rig.close_descriptors();
    // As if it were renamed while its directory is read.
    fs::rename(rig.path("app.log"), rig.path("../away")).unwrap();
    rig.look();
    fs::rename(rig.path("../away"), rig.path("app.log.1")).unwrap();
    rig.settle();
    assert_eq!(rig.lines(), ["one", "two"]);
    assert_eq!(rig.metric("bytes_lost_total{reason=\"deleted\"}"), 0);
}

#[test]
fn a_state_directory_that_is_deleted_is_made_anew_and_never_shared() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "one\n");
    rig.start();
    rig.settle();
    fs::remove_dir_all(&rig.settings.state_dir).unwrap();
    rig.append("app.log", "two\n");
    rig.settle();
    rig.save();
    let second = crate::monitor::StateDir::open(&rig.settings.state_dir).unwrap_err().to_string();
    assert!(second.contains("in use by another"), "{second}");
    // The other way round: somebody else is faster.
    fs::remove_dir_all(&rig.settings.state_dir).unwrap();
    let other = crate::monitor::StateDir::open(&rig.settings.state_dir).unwrap();
    rig.append("app.log", "three\n");
    rig.go_round_until_unsaved();
    rig.append("app.log", "four\n");
    for _ in 0..20 {
        rig.rescan();
        rig.round();
        rig.confirm_all();
    }
    assert!(!rig.lines().contains(&"four"), "nothing is read that cannot be remembered");
    drop(other);
    rig.settle();
    assert_eq!(rig.lines(), ["one", "two", "three", "four"]);
}

/// Counts lines of our own log.
struct LogLines(Arc<AtomicUsize>);

impl Subscriber for LogLines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_start_after_a_rotation_of_many_files_names_a_few_of_them() {
    let mut rig = Rig::new(&["*.log"]);
    let names: Vec<String> = (0..200).map(|number| format!("{number}.log")).collect();
    for name in &names {
        rig.append(name, "one\n");
    }
    rig.start();
    rig.settle();
    rig.stop();
    for name in &names {
        rig.append(name, "two\n");
        fs::rename(rig.path(name), rig.path(&format!("{name}.1"))).unwrap();
        rig.append(name, "three\n");
    }
    let lines = Arc::new(AtomicUsize::new(0));
    with_default(LogLines(Arc::clone(&lines)), || {
        rig.start();
        rig.settle();
    });
    assert_eq!(rig.shipped.len(), 600);
    let lines = lines.load(Ordering::Relaxed);
    assert!((1..40).contains(&lines), "{lines} lines of log");
}
