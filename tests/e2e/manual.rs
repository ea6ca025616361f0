//! The manual's reference of settings is made from the programs, and this is where that is checked.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use omphalos_common::config::{Setting, reference};
use omphalos_tests::repository;

/// Compares a page with what the rows say; with `OMPHALOS_UPDATE_MANUAL=1` writes it instead.
fn check(page: &str, program: &str, settings: &[Setting]) {
    let path = repository().join(format!("docs/settings-{page}.md"));
    let page = format!(
        "# Settings of {program}\n\n\
         Each setting can be given by a flag, by an environment variable (`--amqp-url` is `OMPHALOS_AMQP_URL`)\n\
         or in the TOML file named by `--config`, in this order of precedence. This page is made from the program:\n\
         `OMPHALOS_UPDATE_MANUAL=1 cargo test -p omphalos-tests --test e2e manual`.\n{}",
        reference(settings)
    );
    if std::env::var_os("OMPHALOS_UPDATE_MANUAL").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found,
        page,
        "{} is out of date; its second paragraph says how to make it",
        path.display()
    );
}

#[test]
fn the_pages_of_settings_say_what_the_programs_know() {
    check("shipper", "omphalos-shipper", &omphalos_shipper::config::all_settings());
    check("indexer", "omphalos-indexer", &omphalos_indexer::config::all_settings());
    check("run", "omphalos run", &omphalos::run::all_settings());
}

/// The text of all sources below `directory`.
fn sources(directory: &Path) -> String {
    let entries = fs::read_dir(directory).expect("a directory of the repository");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.fold(String::new(), |text, path| {
        let more = if path.is_dir() {
            sources(&path)
        } else if path.extension().is_some_and(|end| end == "rs") {
            fs::read_to_string(&path).expect("a source")
        } else {
            String::new()
        };
        text + &more
    })
}

#[test]
fn every_row_about_files_and_plugs_names_tests_that_are_there() {
    for page in ["docs/files.md", "docs/plugs.md"] {
        check_rows(page);
    }
}

fn check_rows(name: &str) {
    let page = fs::read_to_string(repository().join(name)).expect("the page");
    let sources =
        sources(&repository().join("shipper/src")) + &sources(&repository().join("tests/e2e"));
    let is_head = |line: &str| line.starts_with("| when") || line.starts_with("| what |");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !is_head(line));
    let mut missing = BTreeSet::new();
    for row in rows.filter(|row| !row.starts_with("| ---")) {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let names: Vec<&str> = cell.split('`').filter(|name| name.contains('_')).collect();
        assert!(!names.is_empty() || cell == "the same", "no test: {row}");
        let is_there = |name: &&str| sources.contains(&format!("fn {name}("));
        missing.extend(names.into_iter().filter(|name| !is_there(name)));
    }
    assert!(missing.is_empty(), "{name} names tests that are not there: {missing:?}");
}
