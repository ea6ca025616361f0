//! `make chaos`: the whole chain under faults that are drawn from a seed; see `tests/src/chaos`.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a tool for developers")]
#![allow(clippy::expect_used, reason = "a harness that cannot set its scene says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use omphalos_tests::Mount;
use omphalos_tests::chaos::{Options, Report, run};

/// Pulls every plug of the whole chain, in an order drawn from a seed, and counts every line.
#[derive(Parser)]
struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many seeds, one after another.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// For so many seconds each; starting and counting come on top.
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// Only faults whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Where everything is written, in a directory for each seed, whose content is deleted first.
    #[arg(long, default_value = "target/chaos")]
    directory: PathBuf,
}

/// In a directory that we made, so that no other one is emptied.
const MARK: &str = ".chaos";

/// Makes the directory, or empties it, of a run that was killed too.
fn prepare(directory: &Path) {
    Mount::release_below(directory);
    if directory.exists() {
        let mut content = fs::read_dir(directory).expect("a directory that can be read");
        assert!(
            directory.join(MARK).exists() || content.next().is_none(),
            "{} holds something that is not of an earlier run: delete it, or give another --directory",
            directory.display()
        );
        fs::remove_dir_all(directory).expect("what an earlier run left can be removed");
    }
    fs::create_dir_all(directory).expect("a directory");
    fs::write(directory.join(MARK), "").expect("the directory can be written to");
}

fn main() {
    let Arguments { seed, seeds, seconds, only, directory } = Arguments::parse();
    // Programs that are started elsewhere are told of it.
    let parent = std::path::absolute(directory).expect("a path");
    end_children_on_panic();
    let mut sum = Report::default();
    for seed in seed..seed + seeds {
        let directory = parent.join(seed.to_string());
        prepare(&directory);
        let options =
            Options { seed, time: Duration::from_secs(seconds), only: only.clone(), first: None };
        let report = run(&directory, &options);
        println!("\nseed {seed}\n\n{report}");
        sum.add(&report);
    }
    if seeds > 1 {
        println!("\nall {seeds} seeds\n\n{sum}");
    }
}

/// What was started by us does not outlive us: an indexer of a run that failed would take messages
/// of the next one, which is on the same ports.
fn end_children_on_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |about| {
        usual(about);
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
                // Servers end by themselves, in good order, when their standard input ends.
                let name = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
                if name.starts_with("omphalos") {
                    kill(Pid::from_raw(child), Signal::SIGKILL).ok();
                }
            }
        }
    }));
}
