//! Files that are rotated and truncated while they are written and read.

use std::fs;

use omphalos_tests::log_file::assert_each_once;
use omphalos_tests::{Load, LogFile, Stack, eventually, holds};

#[test]
fn no_line_is_lost_or_repeated_over_renames_under_load() {
    let stack = Stack::shared();
    let log = LogFile::create(&stack.path("access.log"));
    let _indexer = stack.indexer().start();
    let _shipper = stack.shipper(log.path()).start();
    let mut rotations = 0;
    let load = Load::start(log, 100, move |log, times| {
        if times % 40 == 0 {
            rotations += 1;
            log.rotate(rotations);
        }
    });
    load.wait_for_more(40_000);
    load.stop().assert_indexed_once(&stack.elastic());
}

#[test]
fn no_line_is_lost_or_repeated_over_copies_and_truncations_under_load() {
    let stack = Stack::shared();
    let log = LogFile::create(&stack.path("access.log"));
    let _indexer = stack.indexer().start();
    let shipper = stack.shipper(log.path()).start();
    let mut rotations = 0;
    let load = Load::start(log, 100, move |log, times| {
        if times % 40 == 0 {
            rotations += 1;
            log.copy_and_truncate(rotations);
        }
    });
    load.wait_for_more(40_000);
    load.stop().assert_indexed_once(&stack.elastic());
    assert!(shipper.log().contains("the file was truncated"));
}

#[test]
fn watching_rotated_names_as_well_changes_nothing() {
    let stack = Stack::shared();
    let log = LogFile::create(&stack.path("access.log"));
    let _indexer = stack.indexer().start();
    let _shipper = stack.shipper(&stack.path("access.log*")).start();
    let mut rotations = 0;
    let load = Load::start(log, 100, move |log, times| match times % 60 {
        20 => {
            rotations += 1;
            log.rotate(rotations);
        }
        50 => {
            rotations += 1;
            log.copy_and_truncate(rotations);
        }
        _ => {}
    });
    load.wait_for_more(30_000);
    load.stop().assert_indexed_once(&stack.elastic());
}

#[test]
fn rotations_while_the_shipper_is_stopped_are_caught_up_with() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(1_000);
    assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    log.append(1_000);
    log.rotate(1);
    log.append(1_000);
    assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    log.append(1_000);
    log.copy_and_truncate(2);
    log.append(1_000);
    let shipped = stack.shipper(log.path()).arg("--once").run();
    assert_eq!(shipped.code, Some(0));
    assert!(shipped.output.contains("reading the rest of a rotated file"), "{}", shipped.output);
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn a_file_truncated_and_written_past_the_old_offset_is_read_from_its_beginning() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    let _indexer = stack.indexer().start();
    let mut shipper = stack.shipper(log.path()).start();
    log.append(100);
    stack.elastic().wait_for_count(100);
    // Stopped, so that both happen between two looks.
    shipper.signal("-STOP");
    log.truncate();
    log.append(500);
    shipper.signal("-CONT");
    log.assert_indexed_once(&stack.elastic());
    assert!(shipper.is_running());
}

#[test]
fn more_files_than_descriptors_are_followed_through_their_rotations() {
    const FILES: usize = 60;
    let stack = Stack::shared();
    let name = |number: usize| stack.path(&format!("worker-{number:02}.log"));
    let mut logs: Vec<LogFile> = (0..FILES).map(|number| LogFile::create(&name(number))).collect();
    let _indexer = stack.indexer().start();
    let shipper = stack
        .shipper(&stack.path("worker-*.log"))
        .args(["--max-open-files", "4"])
        .listening()
        .start();
    for round in 0..6 {
        for log in &mut logs {
            log.append(20);
            // Its name does not match any more, and most have no descriptor.
            if round % 2 == 1 {
                log.rotate(round);
            }
        }
        // A file that comes and goes between two looks is nobody's.
        stack.elastic().wait_for_count(logs.iter().map(LogFile::written).sum());
    }
    let written = [120; FILES];
    let elastic = stack.elastic();
    assert_each_once(&elastic, &written);
    eventually("the descriptors are given back", || {
        let open = fs::read_dir(format!("/proc/{}/fd", shipper.id())).expect("its descriptors");
        let files = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        let logs: Vec<_> =
            files.filter(|path| path.to_string_lossy().contains("worker-")).collect();
        // Rotated files stay open for a while, because their writers may not have noticed.
        let live = logs.iter().filter(|path| path.extension().is_some_and(|end| end == "log"));
        let live = live.count();
        holds(live <= 4, format!("{live} of {logs:?}"))
    });
}
