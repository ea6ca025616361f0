//! Programs of this version and of an earlier one, beside and after each other, under load: every line is there
//! once. `make test-upgrades FROM=COMMIT` builds the earlier ones, says where they are, and runs these tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use omphalos_tests::program::binary;
use omphalos_tests::udp::free_address;
use omphalos_tests::{Load, LogFile, Program, Stack, eventually, holds};

use crate::run::Alone;

/// So many lines at least are written between two steps.
const BETWEEN: u64 = 500;

/// Where the programs of the earlier version are.
fn earlier() -> PathBuf {
    let directory = std::env::var_os("OMPHALOS_EARLIER_PROGRAMS");
    directory.expect("OMPHALOS_EARLIER_PROGRAMS, which make test-upgrades sets").into()
}

/// Where those of this version are.
fn current() -> PathBuf {
    let shipper = binary("omphalos-shipper");
    shipper.parent().expect("the directory of the programs").to_owned()
}

fn wait_for(stack: &Stack, lines: u64) {
    eventually("lines are indexed", || {
        let count = stack.elastic().count()?;
        holds(count >= lines, format!("{count} of {lines}"))
    });
}

/// A writer whose log is shipped and indexed while programs are exchanged by `steps`.
fn exchange(stack: &Stack, steps: impl FnOnce(&Load, &mut Program, &mut Program)) {
    let log = LogFile::create(&stack.path("access.log"));
    let mut shipper = stack.shipper(log.path()).of(&earlier()).start();
    let mut indexer = stack.indexer().of(&earlier()).start();
    let load = Load::start(log, 5, |log, times| {
        if times % 300 == 0 {
            log.rotate(u32::try_from(times / 300).expect("few rotations"));
        }
    });
    wait_for(stack, BETWEEN);
    steps(&load, &mut shipper, &mut indexer);
    load.wait_for_more(BETWEEN);
    let log = load.stop();
    stack.elastic().wait_for_count(log.written());
    assert_eq!(shipper.terminate(), Some(0));
    assert_eq!(indexer.terminate(), Some(0));
    log.assert_indexed_once(&stack.elastic());
}

#[test]
#[ignore = "needs programs of an earlier version: make test-upgrades"]
fn indexers_first_and_then_shippers_and_the_other_way_round() {
    for are_shippers_first in [false, true] {
        exchange(&Stack::shared(), |load, shipper, indexer| {
            let (first, second) =
                if are_shippers_first { (shipper, indexer) } else { (indexer, shipper) };
            first.replace(&current());
            load.wait_for_more(BETWEEN);
            second.replace(&current());
        });
    }
}

/// Until all is upgraded, one host and one indexer may be of either version, and one is taken back.
#[test]
#[ignore = "needs programs of an earlier version: make test-upgrades"]
fn both_versions_beside_each_other_and_an_indexer_taken_back() {
    let stack = Stack::shared();
    exchange(&stack, |load, shipper, indexer| {
        let second = stack.indexer().start();
        load.wait_for_more(BETWEEN);
        shipper.replace(&current());
        load.wait_for_more(BETWEEN);
        indexer.replace(&current());
        load.wait_for_more(BETWEEN);
        indexer.replace(&earlier());
        drop(second);
    });
}

/// What an earlier receiver has in its spool is indexed by this one; it was upgraded first, as the manual says.
#[test]
#[ignore = "needs programs of an earlier version: make test-upgrades"]
fn a_spool_of_an_earlier_receiver_is_indexed() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    let address = free_address();
    // Nothing answers there: what comes stays in the spool.
    let mut old = Program::new("omphalos-indexer", &stack.path("receiver.log"))
        .option("--udp", address)
        .option("--state-dir", stack.receiver_dir().display())
        .option("--elasticsearch-url", "http://127.0.0.1:1")
        .of(&earlier())
        .start();
    old.wait_for_log("taking datagrams");
    let mut shipper = stack.shipper_over_udp(log.path(), address).of(&earlier()).start();
    log.append(3_000);
    stack.wait_for_ledger("all is received", |ledger| ledger.totals.documents == 3_000);
    old.kill();
    let mut new = stack.indexer_over_udp(address).start();
    stack.elastic().wait_for_count(3_000);
    shipper.replace(&current());
    log.append(1_000);
    stack.elastic().wait_for_count(4_000);
    assert_eq!(shipper.terminate(), Some(0));
    assert_eq!(new.terminate(), Some(0));
    log.assert_indexed_once(&stack.elastic());
}

fn all_once(numbers: &BTreeMap<String, u64>, lines: u64) -> Result<(), String> {
    let repeated = numbers.values().filter(|count| **count != 1).count();
    let state = format!("{} of {lines}, {repeated} repeated", numbers.len());
    holds(numbers.len() as u64 == lines && repeated == 0, state)
}

/// A store, with its checkpoint, goes on where an earlier version left it: by a stop, and by `kill -9`.
#[test]
#[ignore = "needs programs of an earlier version: make test-upgrades"]
fn a_store_of_an_earlier_version_goes_on() {
    for is_killed in [false, true] {
        let alone = Alone::new();
        let mut log = LogFile::create(&alone.directory.path().join("access.log"));
        let run = |directory: &Path| {
            alone
                .with_state("run")
                .arg(log.path().display())
                .args(["--parser", "combined", "--host-name", "web1"])
                .of(directory)
        };
        let (mut old, new) = (run(&earlier()), run(&current()));
        old.restart();
        alone.wait_for_store();
        log.append(2_000);
        eventually("the lines are in the store", || all_once(&alone.numbers(), 2_000));
        log.append(2_000);
        if is_killed {
            old.kill();
        } else {
            assert_eq!(old.terminate(), Some(0));
        }
        let mut new = new.start();
        alone.wait_for_store();
        log.append(1_000);
        eventually("all are there once", || all_once(&alone.numbers(), 5_000));
        assert_eq!(new.terminate(), Some(0));
    }
}
