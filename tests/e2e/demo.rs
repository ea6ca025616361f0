//! `omphalos demo`: every line once, in time, in little memory, and what it says to try works.

use std::fs;
use std::process::Command;

use omphalos_tests::program::binary;
use omphalos_tests::{Program, eventually};

use crate::run::Alone;

/// The number in the row that begins with `name`.
fn row(output: &str, name: &str) -> Option<f64> {
    let line = output.lines().find_map(|line| line.trim().strip_prefix(name))?;
    line.split_whitespace().next()?.replace(',', "").parse().ok()
}

#[test]
fn the_demo_shows_a_result_soon_and_proves_that_every_line_is_stored_once() {
    let alone = Alone::new();
    let demo = Program::new("omphalos", &alone.directory.path().join("demo.out"))
        .args(["demo", "--seconds", "12", "--seed", "3", "--listen"])
        .arg(alone.url.trim_start_matches("http://"))
        .option("--directory", alone.directory.path().join("kept").display());
    let mut demo = demo.start();
    demo.wait_for_log("/_cat/indices?v'");
    try_out(&demo.log());
    let said = demo.log();
    let page = said.split_once("  page    ").expect("the page first").1;
    let (page, rest) = page.split_once("  (open it").expect("the page first");
    assert!(rest.contains("  log     "), "{said}");
    let answer = reqwest::blocking::get(format!("{page}api/v1/health")).expect("an answer");
    assert!(answer.text().expect("a text").contains("\"reads_files\":true"));
    assert_eq!(demo.wait().code(), Some(0), "{}", demo.log());
    let said = demo.log();
    assert!(said.contains("Every line is stored, and each once."), "{said}");
    let (written, stored) = (row(&said, "lines written"), row(&said, "documents stored"));
    assert!(written == stored && written > Some(1_000.0), "{said}");
    assert!(row(&said, "most memory") < Some(200.0) && said.contains(" MiB"), "{said}");

    // The file says the same as the demo.
    let kept = fs::read_dir(alone.directory.path().join("kept")).expect("the directory");
    let log = kept.flatten().map(|entry| entry.path());
    let log = log.into_iter().find(|path| path.extension().is_some_and(|end| end == "log"));
    let lines = fs::read_to_string(log.expect("the log")).expect("the log").lines().count();
    assert_eq!(written, u32::try_from(lines).ok().map(f64::from));
}

/// Runs every command that is shown, as a shell does.
fn try_out(said: &str) {
    let program = binary("omphalos").display().to_string();
    let mut commands: Vec<&str> = said.lines().map(str::trim).collect();
    commands.retain(|line| line.starts_with("curl '") || line.contains(" search '"));
    assert_eq!(commands.len(), 5, "{said}");
    for command in commands {
        assert!(command.starts_with("curl") || command.starts_with(&program), "{command}");
        if command.contains("--follow") || command.contains("198.51.100") {
            // It goes on for ever; and the attack comes later.
            continue;
        }
        eventually("what is shown works", || {
            let output = Command::new("sh").args(["-c", command]).output().expect("a shell");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.success() && !text.is_empty() { Ok(()) } else { Err(text) }
        });
    }
}

#[test]
fn a_signal_ends_the_demo_with_its_proof_and_nothing_is_left() {
    let alone = Alone::new();
    let demo = Program::new("omphalos", &alone.directory.path().join("demo.out"))
        .arg("demo")
        .variable("TMPDIR", alone.directory.path().display())
        .option("--listen", alone.url.trim_start_matches("http://"));
    let mut demo = demo.start();
    demo.wait_for_log("The first line was found");
    demo.signal("-INT");
    assert_eq!(demo.wait().code(), Some(0), "{}", demo.log());
    assert!(demo.log().contains("Every line is stored, and each once."), "{}", demo.log());
    let left = fs::read_dir(alone.directory.path()).expect("the directory").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["demo.out"], "nothing is left behind");
}
