//! The manual's reference of settings is made from the programs, and this is where that is checked.

mod running;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use omphalos_common::config::{Setting, from_text, reference, schema};
use omphalos_tests::program::binary;
use omphalos_tests::repository;

/// Compares a page with what the rows say; with `OMPHALOS_UPDATE_MANUAL=1` writes it instead.
fn check(page: &str, program: &str, settings: &[Setting]) {
    let text = format!(
        "# Settings of {program}\n\n\
         Each setting can be given by a flag, by an environment variable (`--amqp-url` is `OMPHALOS_AMQP_URL`)\n\
         or in the TOML file named by `--config`, in this order of precedence. This page is made from the program:\n\
         `OMPHALOS_UPDATE_MANUAL=1 cargo test -p omphalos-tests --test e2e manual`.\n{}",
        reference(settings)
    );
    check_file(&format!("settings-{page}.md"), &text);
}

fn check_file(name: &str, text: &str) {
    let path = repository().join("docs").join(name);
    if std::env::var_os("OMPHALOS_UPDATE_MANUAL").is_some() {
        fs::write(&path, text).expect("the file can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found,
        text,
        "{} is out of date; docs/settings-shipper.md says how to make it",
        path.display()
    );
}

#[test]
fn the_schema_for_editors_is_of_all_settings() {
    let all = [
        omphalos_shipper::config::all_settings(),
        omphalos_indexer::config::all_settings(),
        omphalos::run::all_settings(),
        omphalos::watch::settings(),
        omphalos::setup::settings(),
    ];
    let schema = serde_json::to_string_pretty(&schema(&all.concat())).expect("JSON");
    check_file("omphalos.schema.json", &(schema + "\n"));
}

#[test]
fn the_pages_of_settings_say_what_the_programs_know() {
    check("shipper", "omphalos-shipper", &omphalos_shipper::config::all_settings());
    check("indexer", "omphalos-indexer", &omphalos_indexer::config::all_settings());
    check("run", "omphalos run", &omphalos::run::all_settings());
    check("watch", "omphalos watch", &omphalos::watch::settings());
}

/// README and the pages of the manual, how-tos too, each with its name.
fn pages() -> Vec<(String, String)> {
    let directories = ["docs", "docs/howto"].map(|name| repository().join(name)).into_iter();
    let pages = directories.flat_map(|path| fs::read_dir(path).expect("the manual"));
    let pages = pages.map(|entry| entry.expect("an entry").path());
    let pages = pages.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let pages = pages.chain([repository().join("README.md")]);
    pages
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("a page")))
        .collect()
}

#[test]
fn every_file_of_settings_in_the_manual_is_taken_by_every_program() {
    let mut blocks = 0;
    for (page, text) in pages() {
        let blocks_of_page = text.split("```toml\n").skip(1).map(|block| (block, "```"));
        // How-tos write files: `cat >/etc/omphalos/shipper.toml <<'END'`.
        let files = text.split(".toml <<'END'\n").skip(1).map(|block| (block, "END\n"));
        for (block, end) in blocks_of_page.chain(files) {
            let block = block.split(end).next().expect("its end");
            let taken = [
                from_text::<omphalos_shipper::config::Settings>(block).map(drop),
                from_text::<omphalos_indexer::config::Settings>(block).map(drop),
                from_text::<omphalos::run::Settings>(block).map(drop),
                from_text::<omphalos::watch::Read>(block).map(drop),
            ];
            for taken in taken {
                assert!(taken.is_ok(), "{page}: {taken:?}\n{block}");
            }
            blocks += 1;
        }
    }
    assert!(blocks >= 4, "{blocks} blocks were found");
}

/// Each as it stands there, with `--help` behind it: which reads the line, and refuses a flag that
/// there is not.
#[test]
fn every_command_of_ours_in_the_manual_is_one() {
    let shell: String = ["omphalos", "omphalos-shipper", "omphalos-indexer"]
        .map(|name| format!("{name}() {{ {} \"$@\"; }}\n", binary(name).display()))
        .concat();
    let mut commands = 0;
    for (page, text) in pages() {
        let mut in_shell = false;
        for line in text.replace("\\\n", " ").lines() {
            if line.starts_with("```") {
                in_shell = line == "```sh";
            }
            let line = match line.strip_prefix("    ") {
                Some(line) => line,
                None if in_shell => line,
                None => continue,
            };
            let line = line.trim_start().trim_start_matches("$ ");
            let line = line.trim_start_matches("target/quick/");
            if !["omphalos ", "omphalos-shipper ", "omphalos-indexer "]
                .iter()
                .any(|name| line.starts_with(name))
                || line.starts_with("omphalos-shipper:")
            {
                continue;
            }
            let line = line.split(" | ").next().unwrap_or_default();
            let line = line.split(" # ").next().unwrap_or_default().replace(" ... ", " ");
            let script = format!("{shell}set -f\n{line} --help\n");
            let ran = Command::new("bash").args(["-c", &script]).output().expect("bash");
            let said = String::from_utf8_lossy(&ran.stderr);
            assert!(ran.status.success(), "{page}: {line}\n{said}");
            commands += 1;
        }
    }
    assert!(commands >= 30, "{commands} commands were found");
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
fn every_row_about_files_plugs_and_attacks_names_tests_that_are_there() {
    for page in ["docs/files.md", "docs/plugs.md", "docs/SECURITY.md"] {
        check_rows(page);
    }
}

fn check_rows(name: &str) {
    let page = fs::read_to_string(repository().join(name)).expect("the page");
    let places =
        ["common/src", "indexer/src", "omphalos/src", "shipper/src", "transport/src", "tests/e2e"];
    let sources: String = places.iter().map(|place| sources(&repository().join(place))).collect();
    let is_head = |line: &str| line.starts_with("| when") || line.starts_with("| what ");
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
