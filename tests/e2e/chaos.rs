//! A short run of `make chaos`.

use std::time::Duration;

use omphalos_tests::chaos::{Options, run};
use tempfile::TempDir;

#[test]
fn plugs_pulled_in_a_random_order_lose_and_repeat_nothing() {
    let directory = TempDir::with_prefix("omphalos-chaos-").expect("a directory");
    let first = Some("while 300 files are rotated".to_owned());
    let options = Options { seed: 12, time: Duration::from_mins(1), only: None, first };
    let report = run(directory.path(), &options);
    println!("{report}");
}
