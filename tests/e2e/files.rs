//! What can be where a log is expected, and what can become of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use omphalos_tests::{LogFile, Program, Stack, eventually, holds};

#[test]
fn whatever_takes_the_place_of_a_log_is_not_read_and_the_log_is_when_it_is_back() {
    let stack = Stack::shared();
    let directory = stack.path("logs");
    fs::create_dir(&directory).expect("a directory");
    let mut log = LogFile::create(&directory.join("access.log"));
    let (place, aside) = (log.path().to_owned(), stack.path("aside.log"));
    let _indexer = stack.indexer().start();
    let shipper = stack.shipper(&place).option("--rescan-interval", "500ms").listening().start();
    log.append(100);
    stack.elastic().wait_for_count(100);
    let intruders: [(&str, &dyn Fn()); 5] = [
        ("is a FIFO, not a regular file", &|| make_fifo(&place)),
        ("is a socket, not a regular file", &|| drop(UnixListener::bind(&place))),
        ("no file matches", &|| fs::create_dir(&place).expect("a directory")),
        ("Too many levels of symbolic links", &|| symlink(&place, &place).expect("a link")),
        ("the file is not there", &|| symlink("nowhere", &place).expect("a link")),
    ];
    for (says, put) in intruders {
        let before = shipper.count_in_log(says);
        fs::rename(&place, &aside).expect("the log can be renamed");
        put();
        eventually(says, || holds(shipper.count_in_log(says) > before, shipper.log()));
        // Its writer has it open.
        log.append(100);
        assert_eq!(shipper.http("/healthz").as_deref(), Some("ok\n"), "{says}");
        remove(&place);
        fs::rename(&aside, &place).expect("the log can be renamed");
        log.append(100);
        stack.elastic().wait_for_count(log.written());
    }
    // A file in the place of its directory.
    let away = stack.path("away");
    fs::rename(&directory, &away).expect("the directory can be renamed");
    fs::write(&directory, "not a directory\n").expect("a file");
    shipper.wait_for_log("Not a directory");
    log.append(100);
    fs::remove_file(&directory).expect("removed");
    fs::rename(&away, &directory).expect("the directory can be renamed");
    log.append(100);
    log.assert_indexed_once(&stack.elastic());
    eventually("nothing is wrong any more", || {
        holds(shipper.http("/readyz").is_some(), shipper.log())
    });
}

pub fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(made.success());
}

fn remove(path: &Path) {
    let is_directory = fs::symlink_metadata(path).expect("it is there").is_dir();
    let removed = if is_directory { fs::remove_dir(path) } else { fs::remove_file(path) };
    removed.expect("it can be removed");
}

#[test]
fn a_link_that_is_pointed_to_another_file_is_followed_and_both_are_read() {
    let stack = Stack::shared();
    let directory = stack.path("logs");
    fs::create_dir(&directory).expect("a directory");
    let link = stack.path("current.log");
    let point_to = |name: &str| {
        let new = stack.path("new-link");
        symlink(directory.join(name), &new).expect("a link");
        fs::rename(&new, &link).expect("the link can be replaced");
    };
    let mut log = LogFile::create(&directory.join("first.log"));
    point_to("first.log");
    let _indexer = stack.indexer().start();
    let _shipper = stack.shipper(&link).start();
    log.append(500);
    stack.elastic().wait_for_count(500);
    log.append(500);
    log.go_on_in(&directory.join("second.log"));
    log.append(500);
    point_to("second.log");
    stack.elastic().wait_for_count(1_500);
    log.append(500);
    stack.elastic().wait_for_count(2_000);
    // And back: what was read of the first one is known.
    log.go_on_in(&directory.join("first.log"));
    log.append(500);
    point_to("first.log");
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn files_without_a_descriptor_are_let_go_with_their_directory() {
    let stack = Stack::shared();
    let log_in = |name: &str| {
        let directory = stack.path("logs").join(name);
        fs::create_dir_all(&directory).expect("a directory");
        LogFile::create(&directory.join("access.log")).append(10);
        directory
    };
    let directories = ["one", "two", "three"].map(log_in);
    let shipper = Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .arg(stack.path("logs/*/access.log").display())
        .args(["--transport", "null", "--max-open-files", "1", "--rescan-interval", "200ms"])
        .option("--state-dir", stack.path("state").display())
        .listening()
        .start();
    for directory in &directories {
        shipper.wait_for_log(&format!("{}/access.log offset=0", directory.display()));
    }
    for directory in &directories {
        fs::remove_dir_all(directory).expect("removed");
    }
    log_in("four");
    eventually("the deleted files are let go", || {
        let files = shipper.metric("omphalos_files");
        let is_ready = shipper.http("/readyz").is_some();
        holds((files - 1.0).abs() < 0.5 && is_ready, format!("{files} files; {}", shipper.log()))
    });
    assert!(shipper.count_in_log("cannot read the file") <= 1, "{}", shipper.log());
}

#[test]
fn deleted_files_are_kept_for_the_broker_within_their_budget_and_given_up_beyond_it() {
    let mut stack = Stack::with_broker(&[]);
    let _indexer = stack.indexer().start();
    let mut large = LogFile::create(&stack.path("large.log"));
    let mut small = LogFile::create(&stack.path("small.log"));
    // So that the shipper soon reads no more.
    let limits = ["--batch-in-flight-messages", "1", "--batch-bytes", "16KiB"];
    let shipper = stack.shipper(&stack.path("*.log")).args(limits);
    let shipper = shipper.args(["--exclude", "shipper.log", "--exclude", "indexer.log"]);
    let shipper = shipper.args(["--max-deleted-bytes", "1MiB", "--rescan-interval", "500ms"]);
    let shipper = shipper.listening().start();
    large.append(100);
    small.append(100);
    stack.elastic().wait_for_count(200);
    stack.broker().wait_for_queue("/", "omphalos.index");
    stack.broker().kill();
    large.append(20_000);
    small.append(1_000);
    eventually("lines wait for the broker", || {
        let waiting = shipper.metric("omphalos_documents_in_flight");
        holds(waiting > 0.0, waiting)
    });
    for log in [&large, &small] {
        fs::remove_file(log.path()).expect("the log can be deleted");
    }
    shipper.wait_for_log("deleted files hold more disk space than max_deleted_bytes allows");
    let lost = shipper.sample("omphalos_bytes_lost_total{reason=\"given_up\"}");
    assert!((3e6..6e6).contains(&lost), "{lost} bytes");
    stack.broker().start();
    eventually("the small one is delivered", || {
        let found = stack.elastic().documents(&["log.file.path"]);
        let from = |name: &str| {
            let of = found.iter().filter(|(_, d)| {
                d["log"]["file"]["path"].as_str().expect("a path").ends_with(name)
            });
            of.count()
        };
        holds(from("small.log") == 1_100, format!("{} of 1100", from("small.log")))
    });
    let logged = shipper.count_in_log("deleted files hold more disk space");
    assert_eq!(logged, 1, "the small one is within the budget");
}
