//! The manual's reference of settings is made from the programs, and this is where that is checked.

use std::fs;

use omphalos_common::config::{Setting, reference};
use omphalos_tests::repository;

/// Compares a page with what the rows say; with `OMPHALOS_UPDATE_MANUAL=1` writes it instead.
fn check(program: &str, settings: &[Setting]) {
    let path = repository().join(format!("docs/settings-{program}.md"));
    let page = format!(
        "# Settings of omphalos-{program}\n\n\
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
    check("shipper", &omphalos_shipper::config::all_settings());
    check("indexer", &omphalos_indexer::config::all_settings());
}
