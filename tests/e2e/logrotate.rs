//! The real logrotate, in each of the ways that it is used in.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use omphalos_tests::log_file::assert_logs_indexed_once;
use omphalos_tests::{Load, LogFile, Logrotate, Program, Stack, eventually, holds};

/// A name, and the directives.
type Mode = (&'static str, &'static [&'static str]);

const MODES: [Mode; 6] = [
    ("create", &["create"]),
    ("copytruncate", &["copytruncate"]),
    ("copycompress", &["copytruncate", "compress"]),
    ("dateext", &["create", "dateext", "dateformat -%Y%m%d-%s"]),
    ("delaycompress", &["create", "compress", "delaycompress"]),
    ("compress", &["create", "compress"]),
];

/// A log in a directory of its own, and what rotates it.
struct Rotated {
    log: LogFile,
    logrotate: Logrotate,
}

impl Rotated {
    fn new(stack: &Stack, (name, directives): Mode) -> Self {
        Self::at(&stack.path("logs").join(name), directives)
    }

    fn at(directory: &Path, directives: &[&str]) -> Self {
        fs::create_dir_all(directory).expect("a directory");
        let log = LogFile::create(&directory.join("access.log"));
        let logrotate = Logrotate::new(log.path(), directives);
        Self { log, logrotate }
    }

    fn rotate(&mut self) {
        rotate(&mut self.log, &self.logrotate);
    }
}

/// Rotates, and tells the writer.
fn rotate(log: &mut LogFile, logrotate: &Logrotate) {
    logrotate.rotate();
    if logrotate.replaces() {
        log.reopen();
    }
}

/// A log in each mode.
fn one_of_each(stack: &Stack) -> Vec<Rotated> {
    MODES.into_iter().map(|mode| Rotated::new(stack, mode)).collect()
}

fn append_to_each(all: &mut [Rotated], lines: u64) {
    for rotated in all {
        rotated.log.append(lines);
    }
}

fn into_logs(all: Vec<Rotated>) -> Vec<LogFile> {
    all.into_iter().map(|rotated| rotated.log).collect()
}

/// A shipper of the logs in all directories.
fn shipper(stack: &Stack, pattern: &str) -> Program {
    stack.shipper(&stack.path("logs").join(pattern)).option("--rescan-interval", "1s")
}

/// Ships what there is, once.
fn ship(stack: &Stack, pattern: &str, arguments: &[&str]) -> String {
    let shipped = shipper(stack, pattern).args(arguments).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    shipped.output
}

fn index(stack: &Stack) {
    let indexed = stack.indexer().arg("--drain").run();
    assert_eq!(indexed.code, Some(0), "{}", indexed.output);
}

/// Writes all the time, and rotates again and again. Where nothing is compressed at once, the writer
/// goes on in the old file for a moment, until it is told.
fn write_and_rotate(stack: &Stack, mode: Mode) -> Load {
    const PERIOD: Duration = Duration::from_millis(700);
    let Rotated { log, logrotate } = Rotated::new(stack, mode);
    let may_lag = mode.0 != "compress";
    let mut last = Instant::now();
    Load::start(log, 10, move |log, _| {
        if last.elapsed() < PERIOD {
            return;
        }
        logrotate.rotate();
        if logrotate.replaces() {
            if may_lag {
                log.append(20);
            }
            log.reopen();
        }
        last = Instant::now();
    })
}

/// Waits until each log was rotated three times; those with dates in their names go along.
fn wait_for_rotations(stack: &Stack) {
    let third = |name: &str| stack.path("logs").join(name).join("access.log.3");
    let compressed = |name: &str| third(name).with_added_extension("gz");
    let plain = ["create", "copytruncate"].map(third);
    let expected = [plain, ["delaycompress", "compress"].map(compressed)].concat();
    eventually("the logs are rotated", || {
        let missing = expected.iter().find(|path| !path.exists());
        holds(missing.is_none(), format!("{missing:?}"))
    });
}

#[test]
fn logrotate_loses_and_repeats_nothing_under_load_in_any_mode() {
    let stack = Stack::shared();
    let _indexer = stack.indexer().start();
    let shipper = shipper(&stack, "*/access.log").start();
    let loads = MODES.map(|mode| write_and_rotate(&stack, mode));
    wait_for_rotations(&stack);
    let logs = loads.map(Load::stop);
    assert_logs_indexed_once(&stack.elastic(), &logs);
    assert!(shipper.log().contains("the file was truncated"));
}

#[test]
fn logrotate_with_all_its_files_watched_as_well_changes_nothing() {
    let stack = Stack::shared();
    let _indexer = stack.indexer().start();
    let _shipper = shipper(&stack, "*/access.log*").arg("--archives").start();
    let loads = MODES.map(|mode| write_and_rotate(&stack, mode));
    wait_for_rotations(&stack);
    assert_logs_indexed_once(&stack.elastic(), &loads.map(Load::stop));
}

#[test]
fn one_logrotate_while_the_shipper_is_stopped_is_caught_up_with_in_any_mode() {
    let stack = Stack::shared();
    let mut all = one_of_each(&stack);
    append_to_each(&mut all, 500);
    ship(&stack, "*/access.log", &[]);
    for rotated in &mut all {
        rotated.log.append(300);
        rotated.rotate();
        rotated.log.append(300);
    }
    let said = ship(&stack, "*/access.log", &[]);
    let found = said.matches("reading the rest of a rotated file").count();
    assert_eq!(found, MODES.len(), "{said}");
    assert!(said.contains("compress/access.log.1.gz"), "{said}");
    index(&stack);
    assert_logs_indexed_once(&stack.elastic(), &into_logs(all));
}

#[test]
fn a_number_before_the_extension_is_known_as_one_of_a_rotation() {
    let stack = Stack::shared();
    let mut rotated = Rotated::new(&stack, ("extension", &["create", "extension .log"]));
    rotated.log.append(500);
    ship(&stack, "*/access.log", &[]);
    rotated.log.append(300);
    rotated.rotate();
    assert!(rotated.log.path().with_file_name("access.1.log").exists());
    rotated.log.append(300);
    let said = ship(&stack, "*/access.log", &[]);
    assert!(said.contains("reading the rest of a rotated file"), "{said}");
    index(&stack);
    rotated.log.assert_indexed_once(&stack.elastic());
}

#[test]
fn logs_that_are_rotated_into_another_directory_are_caught_up_with_if_it_is_watched() {
    let stack = Stack::shared();
    let mut rotated = Rotated::new(&stack, ("olddir", &["create", "olddir old"]));
    let old = rotated.log.path().with_file_name("old");
    fs::create_dir(&old).expect("a directory");
    let ship = |code: i32| {
        let shipper = shipper(&stack, "*/access.log").arg(old.display());
        let shipped = shipper.arg("--once").run();
        assert_eq!(shipped.code, Some(code), "{}", shipped.output);
    };
    rotated.log.append(500);
    // There is nothing in it yet, which is said.
    ship(1);
    for _ in 0..2 {
        rotated.log.append(300);
        rotated.rotate();
    }
    rotated.log.append(300);
    ship(0);
    index(&stack);
    rotated.log.assert_indexed_once(&stack.elastic());
}

#[test]
fn several_logrotates_while_the_shipper_is_stopped_are_caught_up_with_in_any_mode() {
    const ALL: &str = "*/access.log*";
    let stack = Stack::shared();
    let mut all = one_of_each(&stack);
    append_to_each(&mut all, 500);
    ship(&stack, ALL, &["--archives"]);
    for _ in 0..3 {
        for rotated in &mut all {
            rotated.log.append(300);
            rotated.rotate();
        }
    }
    append_to_each(&mut all, 300);
    ship(&stack, ALL, &["--archives"]);
    index(&stack);
    let logs = into_logs(all);
    assert_logs_indexed_once(&stack.elastic(), &logs);
    // Nothing is left to be sent.
    ship(&stack, ALL, &["--archives"]);
    assert_eq!(stack.amqp().ready("omphalos.index"), Ok(0));
    // Ids are the same in rotated and compressed files, so not even a lost checkpoint repeats lines.
    fs::remove_dir_all(stack.path("state")).expect("the state directory");
    ship(&stack, ALL, &["--archives"]);
    index(&stack);
    assert_logs_indexed_once(&stack.elastic(), &logs);
}

#[test]
fn several_logrotates_while_the_broker_is_away_are_caught_up_with_in_any_mode() {
    // So few that most of what is rotated cannot be read before the broker is back.
    let few = ["--batch-in-flight-messages", "2", "--batch-bytes", "16KiB"];
    let mut stack = Stack::with_broker(&[]);
    let mut all = one_of_each(&stack);
    // Only the first name of this one is watched: each file must be found before it is renamed.
    let by_name = Rotated::at(&stack.path("by-name"), &["create"]);
    let path = by_name.log.path().to_owned();
    all.push(by_name);
    let _indexer = stack.indexer().start();
    let shipper = shipper(&stack, "*/access.log*").arg(path.display()).args(few);
    let shipper = shipper.arg("--archives").start();
    append_to_each(&mut all, 300);
    stack.elastic().wait_for_count(all.len() as u64 * 300);
    stack.broker().wait_for_queue("/", "omphalos.index");
    stack.broker().kill();
    for files in 1..=3 {
        append_to_each(&mut all, 300);
        all.iter_mut().for_each(Rotated::rotate);
        let reads = format!(" reading path={} offset=0", path.display());
        eventually("the new file is found", || {
            holds(shipper.count_in_log(&reads) == files + 1, shipper.log())
        });
    }
    append_to_each(&mut all, 300);
    shipper.wait_for_log("trying again, for ever");
    stack.broker().start();
    assert_logs_indexed_once(&stack.elastic(), &into_logs(all));
}
