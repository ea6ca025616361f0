//! The kind of fault: what a file was read with is overwritten when another parser is set for it, once,
//! and nobody knows any more what its lines became. Whatever is set in between, an audit finds each.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use super::*;

const JSON: &str = "{\"@timestamp\":\"2026-11-28T10:00:00Z\",\"message\":\"a\"}\n";
const TEXT: &str = "just some text\n";

/// Appends `text` and ships it; returns what the shipper said.
fn ship(stack: &Stack, path: &Path, arguments: &[&str], text: &str) -> String {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("it is written");
    let shipped = Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .arg(path.display())
        .option("--state-dir", stack.path("state").display())
        .option("--amqp-url", stack.amqp_url())
        .args(arguments)
        .arg("--once")
        .run();
    code_of(&shipped, 0).to_owned()
}

#[test]
fn every_line_is_found_whichever_parser_was_set_when_it_was_shipped() {
    let stack = Stack::shared();
    let path = stack.path("mixed.log");
    let ship = |parser: &str, text: &str| ship(&stack, &path, &["--parser", parser], text);
    ship("auto", &JSON.repeat(3));
    // Nothing new: nothing is read with it.
    ship("raw", "");
    ship("auto", JSON);
    let said = ship("raw", &TEXT.repeat(2));
    assert!(said.contains("were read with parser = \"json\""), "{said}");
    assert!(said.contains("what comes after is read with parser = \"raw\""), "{said}");
    ship("auto", JSON);
    drained(&stack);
    stack.elastic().wait_for_count(7);
    for parser in ["auto", "raw", "json", "combined"] {
        let file = json_of(audit(&stack, &[&path]).args(["--parser", parser]), 0);
        assert_eq!(counts(&file), [7, 7, 0, 0, 0], "{parser}");
    }
}

/// The same of the rule of times: ids begin with the time.
#[test]
fn every_line_is_found_whichever_zone_was_set_when_it_was_shipped() {
    let stack = Stack::shared();
    let path = stack.path("zones.log");
    let ship = |arguments: &[&str], text: &str| ship(&stack, &path, arguments, text);
    let line = "{\"time\":\"2026-11-28 10:00:00\",\"message\":\"a\"}\n";
    ship(&[], &line.repeat(2));
    let said = ship(&["--time-zone", "+05:00"], line);
    assert!(said.contains("is read with parser = \"json\", time_zone = \"+05:00\""), "{said}");
    ship(&["--parser", "json", "--time-zone", "+05:00"], line);
    ship(&["--parser", "json"], line);
    drained(&stack);
    stack.elastic().wait_for_count(5);
    for arguments in
        [&[][..], &["--time-zone", "+05:00"], &["--parser", "json"], &["--parser", "raw"]]
    {
        let file = json_of(audit(&stack, &[&path]).args(arguments), 0);
        assert_eq!(counts(&file), [5, 5, 0, 0, 0], "{arguments:?}");
    }
}
