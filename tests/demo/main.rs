//! `make demo`: the main job on a log that is being written, over real servers, with a rotation and
//! two `kill -9` on the way; then the counts, and a search.
//!
//! All it makes is in `target/demo/`, and is removed at the end unless something failed.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a tool for developers")]

mod directory;
mod end;
mod progress;
mod report;
mod scene;
mod search;
mod story;
mod writer;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use omphalos_tests::{repository, rest};

use directory::Claim;
use end::{End, Stop};
use scene::Scene;

const PLAN: &str = "\
Ships 200,000 lines of an access log to Elasticsearch while the log is being written: half a minute.
RabbitMQ and Elasticsearch are installed first if they are missing; lines with \"stack:\" say what.
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(End::Stopped) => {
            println!("Stopped; everything is cleaned up.");
            ExitCode::FAILURE
        }
        Err(End::Failed(problem)) => {
            eprintln!("demo: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), End> {
    // Commands are printed as they work from here.
    std::env::set_current_dir(repository())?;
    let claim = Claim::new()?;
    let stop = Stop::on_signals()?;
    end::on_panic(stop.clone());
    println!("{PLAN}");
    let result = play(&stop);
    if !matches!(result, Err(End::Failed(_))) {
        directory::remove()?;
    }
    drop(claim);
    result
}

/// The whole story, from the servers' start to their end.
fn play(stop: &Stop) -> Result<(), End> {
    let mut scene = Scene::start(stop)?;
    println!("\nShipper:  {}", scene.shipper.command_line());
    println!("Indexer:  {}", scene.indexer.command_line());
    println!("Their own logs: {}, {}\n", scene::SHIPPER_LOG, scene::INDEXER_LOG);
    println!("What is sent again after a kill is confirmed again, and refused by Elasticsearch.");
    let told = story::tell(&mut scene, stop)?;
    let tally = report::compare(&scene, &told)?;
    tally.print();
    if !tally.is_exact() {
        return Err(End::Failed(format!(
            "lines and documents differ; see {} and {}",
            scene::SHIPPER_LOG,
            scene::INDEXER_LOG
        )));
    }
    search::run_and_print(&scene)?;
    wait_for_enter(stop);
    println!("\nStopping and cleaning up.");
    Ok(())
}

/// On a terminal, leaves everything running until a key or a signal says to stop.
fn wait_for_enter(stop: &Stop) {
    if !io::stdin().is_terminal() {
        return;
    }
    println!("\nAll is still running, so that you can try this in another terminal.");
    println!("Press Enter to stop and clean up.");
    let reader = thread::spawn(|| io::stdin().read_line(&mut String::new()));
    while !reader.is_finished() && !stop.is_requested() {
        rest(Duration::from_millis(100));
    }
}
