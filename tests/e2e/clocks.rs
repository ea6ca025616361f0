//! Clocks that are set while everything runs.

use std::time::Duration;

use jiff::Timestamp;
use omphalos_tests::{Clock, Load, LogFile, Stack};

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_clock_that_is_stepped_while_lines_are_shipped_loses_and_repeats_nothing() {
    let stack = Stack::shared();
    let mut clock = Clock::new(&stack.path("clock"));
    let log = LogFile::create(&stack.path("access.log"));
    let _indexer = stack.indexer().with_clock(clock.file()).start();
    let shipper = stack.shipper(log.path()).with_clock(clock.file());
    let mut shipper = shipper.option("--checkpoint-interval", "20ms").start();
    let load = Load::start(log, 20, |_, _| {});
    for _ in 0..3 {
        clock.step_forwards(HOUR);
        load.wait_for_more(1_000);
        clock.step_backwards(HOUR);
        load.wait_for_more(1_000);
        clock.step_backwards(HOUR);
        load.wait_for_more(1_000);
        shipper.kill();
        clock.step_forwards(HOUR);
        shipper.restart();
        load.wait_for_more(1_000);
    }
    load.stop().assert_indexed_once(&stack.elastic());
    // That it does look at this clock: what it says has the time.
    clock.step_backwards(HOUR * 24 * 400);
    let shown = Timestamp::now() - HOUR * 24 * 400;
    assert_eq!(shipper.terminate(), Some(0), "{}", shipper.log());
    assert!(shipper.log().contains(&shown.strftime("%Y-%m-").to_string()), "{}", shipper.log());
}
