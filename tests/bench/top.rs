//! `omphalos top`: counting a log, against `GoAccess`; memory with millions of keys; how soon a key of the
//! console is answered while lines come; what watching a fleet costs its broker.

mod alerts;
mod console;
mod fleet;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use omphalos_tests::program::binary;
use omphalos_tests::repository;

use crate::RUNS;
use crate::measure::{best, cost, load, memory_of};
use crate::table::Table;

/// Different paths and clients.
const KEYS: u64 = 10_000_000;
/// Lines that are written at once.
const AT_ONCE: u64 = 10_000;

/// Measures all of it.
pub fn measure(directory: &Path, log: &Path, table: &mut Table) {
    compare_with_goaccess(directory, log, table);
    count_many_keys(table);
    alerts::measure(directory, table);
    console::measure(directory, table);
    fleet::measure(directory, table);
}

fn compare_with_goaccess(directory: &Path, log: &Path, table: &mut Table) {
    let installed =
        Command::new(repository().join("tests/stack/install.sh")).arg("goaccess").status();
    assert!(installed.expect("install.sh runs").success(), "there is no goaccess");
    let report = directory.join("goaccess.json");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let mut top = Command::new(binary("omphalos"));
        top.args(["top", "--once", "--parser", "combined"]).arg(log);
        ours.push(cost(&mut top));
        // It takes so long that two runs are enough.
        if run < 2 {
            let mut goaccess = Command::new("goaccess");
            goaccess.args(["--no-global-config", "--log-format=COMBINED", "--no-progress", "-o"]);
            theirs.push(cost(goaccess.arg(&report).arg(log)));
        }
    }
    let (ours, theirs) = (best(&ours), best(&theirs));
    table.row(
        "a report of 1,000,000 lines, CPU, GoAccess against `omphalos top --once`",
        &format!("{:.1} ×", theirs.cpu / ours.cpu),
        "≥ 15 ×",
        &format!(
            "{:.2} s and {:.1} MiB against {:.2} s and {:.1} MiB, load {}",
            theirs.cpu,
            theirs.peak,
            ours.cpu,
            ours.peak,
            load()
        ),
    );
}

/// Lines that all have another path and another client.
fn count_many_keys(table: &mut Table) {
    let mut top = Command::new(binary("omphalos"))
        .args(["top", "--once", "--json", "--parser", "combined", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("omphalos top");
    let mut input = top.stdin.take().expect("piped");
    let mut text = String::new();
    let mut peak: f64 = 0.0;
    for number in 0..KEYS {
        let [_, a, b, c] = u32::try_from(number).expect("a number").to_be_bytes();
        writeln!(
            text,
            "{}.{a}.{b}.{c} - - [22/Nov/2026:12:{:02}:{:02} +0000] \"GET /item/{number} HTTP/1.1\" 200 {} \"-\" \"-\"",
            10 + number / (1 << 24),
            number * 60 / KEYS,
            number * 3600 / KEYS % 60,
            number % 1000
        )
        .expect("text");
        if (number + 1) % AT_ONCE == 0 {
            input.write_all(text.as_bytes()).expect("it reads");
            text.clear();
            peak = peak.max(memory_of(top.id(), "VmHWM:").unwrap_or(0.0));
        }
    }
    drop(input);
    let output = top.wait_with_output().expect("it ends");
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).expect("figures");
    let clients = figures["summary"]["clients"]["count"].as_f64().expect("clients");
    table.row(
        "`omphalos top`, 10 million different paths and clients, peak RSS",
        &format!("{peak:.1} MiB"),
        "≤ 128 MiB",
        &format!(
            "{} lines; {clients} clients counted, {:+.2} %",
            figures["summary"]["hits"],
            (clients / KEYS as f64 - 1.0) * 100.0
        ),
    );
}
