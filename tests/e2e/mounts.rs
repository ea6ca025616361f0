//! File systems that come and go below what is watched, and directories without events.
//!
//! Most need root. Where nothing can be mounted, they say so and pass.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use omphalos_tests::log_file::{assert_each_once, assert_logs_indexed_once};
use omphalos_tests::{LogFile, Mount, Program, Stack, eventually, holds};

fn directory(stack: &Stack, name: &str) -> PathBuf {
    let path = stack.path("logs").join(name);
    fs::create_dir_all(&path).expect("a directory");
    path
}

/// A shipper of what is in all these directories, which looks again often.
fn shipper(stack: &Stack) -> Program {
    let pattern = stack.path("logs/*/access.log");
    stack.shipper(&pattern).option("--rescan-interval", "500ms")
}

/// An image with an ext4 in it, if one can be made here.
fn image(stack: &Stack) -> Option<PathBuf> {
    let image = stack.path("image");
    let is_made = Mount::make_image(&image);
    if !is_made {
        println!("skipped: mkfs.ext4 does not work here");
    }
    is_made.then_some(image)
}

#[test]
fn a_file_system_that_is_away_for_a_while_is_read_on_where_it_was() {
    let stack = Stack::shared();
    let disk = directory(&stack, "disk");
    let Some(image) = image(&stack) else { return };
    let Some(mount) = Mount::image(&image, &disk) else { return };
    let mut log = LogFile::create(&disk.join("access.log"));
    let _indexer = stack.indexer().start();
    let mut shipper = shipper(&stack).start();
    let elastic = stack.elastic();
    log.append(500);
    elastic.wait_for_count(500);
    log.close();
    mount.detach();
    wait_until_said(&shipper, "no file matches", 1);
    let mount = Mount::image(&image, &disk).expect("a mount");
    log.reopen();
    log.append(500);
    elastic.wait_for_count(1_000);
    // And while no shipper runs.
    log.append(500);
    log.close();
    assert_eq!(shipper.terminate(), Some(0), "{}", shipper.log());
    mount.try_unmount().expect("nobody has anything of it open");
    shipper.restart();
    wait_until_said(&shipper, "no file matches", 2);
    assert_eq!(shipper.terminate(), Some(0), "{}", shipper.log());
    // What was its device is another's now.
    let between = stack.path("between");
    fs::create_dir(&between).expect("a directory");
    let other_image = stack.path("other-image");
    assert!(Mount::make_image(&other_image));
    let _between = Mount::image(&other_image, &between);
    let _mount = Mount::image(&image, &disk).expect("a mount");
    log.reopen();
    log.append(500);
    shipper.restart();
    log.assert_indexed_once(&elastic);
}

#[test]
fn a_file_system_is_not_kept_busy_by_watching_it() {
    let stack = Stack::shared();
    let disk = directory(&stack, "disk");
    let Some(image) = image(&stack) else { return };
    let Some(mount) = Mount::image(&image, &disk) else { return };
    let mut log = LogFile::create(&disk.join("access.log"));
    let mut other = LogFile::seeded(&directory(&stack, "here").join("access.log"), 8);
    let _indexer = stack.indexer().start();
    // Only the file that was read last keeps its descriptor.
    let shipper = shipper(&stack).args(["--max-open-files", "1"]).listening().start();
    log.append(100);
    log.close();
    stack.elastic().wait_for_count(100);
    other.append(100);
    stack.elastic().wait_for_count(200);
    eventually("it can be unmounted", || mount.try_unmount());
    other.append(100);
    stack.elastic().wait_for_count(300);
    let _mount = Mount::image(&image, &disk).expect("a mount");
    log.reopen();
    log.append(100);
    assert_logs_indexed_once(&stack.elastic(), &[log, other]);
    assert!(shipper.sample("omphalos_bytes_lost_total{reason=\"deleted\"}") < 0.5);
}

#[test]
fn a_file_system_in_memory_is_new_each_time() {
    let stack = Stack::shared();
    let memory = directory(&stack, "memory");
    let Some(mut mount) = Mount::memory(&memory) else { return };
    let path = memory.join("access.log");
    let mut log = LogFile::create(&path);
    let _indexer = stack.indexer().start();
    let _shipper = shipper(&stack).start();
    for _ in 0..3 {
        log.append(500);
        stack.elastic().wait_for_count(log.written());
        // The writer of the old file has it open still.
        mount.detach();
        mount = Mount::memory(&memory).expect("a mount");
        log.append(10);
        log.reopen();
    }
    log.append(500);
    log.assert_indexed_once(&stack.elastic());
    drop(mount);
}

#[test]
fn another_directory_over_that_of_a_log_hides_it_and_changes_nothing_else() {
    let stack = Stack::shared();
    let logs = directory(&stack, "here");
    let other = stack.path("other");
    fs::create_dir(&other).expect("a directory");
    let mut below = LogFile::create(&logs.join("access.log"));
    let mut above = LogFile::seeded(&other.join("access.log"), 8);
    let _indexer = stack.indexer().start();
    let _shipper = shipper(&stack).start();
    let elastic = stack.elastic();
    below.append(500);
    elastic.wait_for_count(500);
    for _ in 0..2 {
        let Some(mount) = Mount::directory(&other, &logs) else { return };
        above.append(100);
        elastic.wait_for_count(below.written() + above.written());
        // Its writer does not see what is above.
        below.append(100);
        mount.detach();
        below.append(100);
        elastic.wait_for_count(below.written() + above.written());
    }
    assert_each_once(&elastic, &[below.written(), above.written()]);
}

#[test]
fn directories_beyond_the_limit_of_watches_are_polled_and_the_limit_is_named() {
    // Fewer than directories, in a user namespace of its own: the limit of all others stays.
    const LIMITED: [&str; 5] = [
        "unshare",
        "--map-root-user",
        "sh",
        "-c",
        "echo 8 >/proc/sys/user/max_inotify_watches && exec \"$0\" \"$@\"",
    ];
    let is_possible = Command::new(LIMITED[0]).args(&LIMITED[1..]).arg("true").output();
    if !is_possible.is_ok_and(|output| output.status.success()) {
        println!("skipped: unshare cannot make a user namespace here");
        return;
    }
    let stack = Stack::shared();
    let log_in = |number: u32| {
        let directory = directory(&stack, &number.to_string());
        LogFile::create(&directory.join("access.log"))
    };
    let mut logs: Vec<LogFile> = (0..20).map(log_in).collect();
    let _indexer = stack.indexer().start();
    let shipper = shipper(&stack).under(&LIMITED).listening().start();
    shipper.wait_for_log("raise it with: sysctl fs.inotify.max_user_watches=");
    for round in 0..3 {
        // One more that is found by looking.
        logs.push(log_in(20 + round));
        for log in &mut logs {
            log.append(50);
        }
        stack.elastic().wait_for_count(logs.iter().map(LogFile::written).sum());
    }
    assert_logs_indexed_once(&stack.elastic(), &logs);
    assert_eq!(shipper.count_in_log("raise it with"), 1, "{}", shipper.log());
}

/// Waits until the shipper has said this so many times.
fn wait_until_said(shipper: &Program, text: &str, times: usize) {
    eventually(text, || holds(shipper.count_in_log(text) == times, shipper.log()));
}
