//! The embedded store against the real Elasticsearch, with requests drawn from a seed: see
//! `tests/src/differential`, and `make store-differential` for many more of them.

use omphalos_tests::differential::{Options, run};
use omphalos_tests::{Embedded, Stack};

/// Asks both; fails where an answer differs.
fn compare(kinds: &[&str], seed: u64, requests: u64) {
    let stack = Stack::shared();
    let store = Embedded::start();
    let options = Options {
        seed,
        requests,
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        documents: 80,
        directory: None,
        prefix: stack.prefix().to_owned(),
        tell: |_, _| {},
    };
    let report = run(&stack.search_url(), &store.url(), &options);
    let [agree, refused, differ] = report.sums();
    assert_eq!(differ, 0, "\n{report}");
    assert!(agree > 2 * refused, "hardly anything is answered:\n{report}");
}

#[test]
fn the_store_answers_as_elasticsearch_does_or_refuses() {
    compare(&["query", "string", "sort", "fields", "path"], 1, 200);
}

#[test]
fn aggregations_and_odd_writes_are_as_in_elasticsearch_or_refused() {
    compare(&["aggregations", "write"], 2, 100);
}

#[test]
fn every_way_through_the_pages_meets_each_hit_once() {
    compare(&["paging"], 1, 60);
}
