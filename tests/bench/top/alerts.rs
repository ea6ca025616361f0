//! What rules of alerts cost: a log is counted with a thousand of them and without.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use omphalos_tests::program::binary;

use crate::RUNS;
use crate::measure::{best, cost, load};
use crate::table::Table;

/// Rules, half of them on each key of a dimension.
const RULES: u32 = 1_000;
/// Lines, each of the next one of so many keys, a hundred thousand of them a second.
const LINES: u32 = 3_000_000;
const KEYS: u32 = 10_000;
const PER_SECOND: u32 = 100_000;

/// Measures it.
pub fn measure(directory: &Path, table: &mut Table) {
    let log = directory.join("keys.log");
    fs::write(&log, lines()).expect("a log");
    let rules = directory.join("rules.toml");
    fs::write(&rules, tables()).expect("rules");
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let top = || {
            let mut top = Command::new(binary("omphalos"));
            top.args(["top", "--once", "--parser", "combined"]).arg(&log);
            top
        };
        without.push(cost(&mut top()));
        with.push(cost(top().arg("--config").arg(&rules)));
    }
    let (with, without) = (best(&with), best(&without));
    table.row(
        "1,000 rules over 10,000 keys at 100,000 lines a second of the log, CPU of `omphalos top`",
        &format!("{:+.1} %", (with.cpu / without.cpu - 1.0) * 100.0),
        "≤ +10 %",
        &format!(
            "{:.2} s and {:.1} MiB against {:.2} s and {:.1} MiB, load {}",
            with.cpu,
            with.peak,
            without.cpu,
            without.peak,
            load()
        ),
    );
}

fn lines() -> String {
    let mut text = String::new();
    for number in 0..LINES {
        let second = number / PER_SECOND;
        writeln!(
            text,
            "10.0.{}.{} - - [22/Nov/2026:12:{:02}:{:02} +0000] \"GET /item/{} HTTP/1.1\" {} 512 \"-\" \"-\"",
            number % 250,
            number % 7,
            second / 60,
            second % 60,
            number.wrapping_mul(2_654_435_761) % KEYS,
            if number % 50 == 0 { 500 } else { 200 }
        )
        .expect("text");
    }
    text
}

fn tables() -> String {
    let mut text = String::new();
    for number in 0..RULES {
        let measure = ["hits", "rate", "bytes", "error_share"][(number % 4) as usize];
        writeln!(
            text,
            "[[alert]]\nname = \"rule {number}\"\nby = \"path\"\nmeasure = \"{measure}\"\nat_least = {}\nwindow = \"1m\"",
            if measure == "error_share" { 60 + number % 40 } else { 10_000_000 + number }
        )
        .expect("text");
        if number % 2 == 0 {
            writeln!(text, "key = \"/item/{}\"", number * 7 % KEYS).expect("text");
        }
    }
    text
}
