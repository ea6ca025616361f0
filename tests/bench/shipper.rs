//! The shipper: parsing against compressing its output, shipping against a bare publisher.

use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use omphalos_tests::generate::Generator;
use omphalos_tests::program::binary;
use omphalos_tests::{Amqp, Server, rest};

use crate::RUNS;
use crate::measure::{Cost, best, cost, memory};
use crate::messages;
use crate::table::Table;

/// Writes the log that everything is measured with.
pub fn make_log(directory: &Path, lines: u64) -> PathBuf {
    let path = directory.join("access.log");
    let mut generator = Generator::new(1);
    let mut file = File::create(&path).expect("the log can be created");
    let mut text = String::new();
    for number in 0..lines {
        generator.line(&mut text);
        if text.len() > 1 << 20 || number + 1 == lines {
            file.write_all(text.as_bytes()).expect("the log can be written");
            text.clear();
        }
    }
    let size = file.metadata().expect("the log").len();
    println!("input: {lines} combined lines, {size} bytes, {} a line", size / lines);
    path
}

/// The other side: zstd level 1 over the NDJSON, as `zstd -1` does it.
pub fn yardstick(file: &str) {
    let input = BufReader::with_capacity(128 * 1024, File::open(file).expect("the NDJSON"));
    zstd::stream::copy_encode(input, std::io::sink(), 1).expect("zstd");
}

/// A shipper of `log`, from its beginning to its end.
pub fn shipper(directory: &Path, log: &Path) -> Command {
    let state = directory.join("state");
    fs::remove_dir_all(&state).ok();
    let mut command = Command::new(binary("omphalos-shipper"));
    command.arg(log).args(["--once", "--parser", "combined", "--state-dir"]).arg(state);
    command
}

fn yardstick_command(ndjson: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("our own path"));
    command.arg("yardstick").arg(ndjson);
    command
}

fn ndjson(directory: &Path, log: &Path) -> PathBuf {
    let path = directory.join("access.ndjson");
    let output = File::create(&path).expect("the NDJSON can be created");
    let parsed = Command::new(binary("omphalos"))
        .args(["parse", "--parser", "combined"])
        .arg(log)
        .stdout(output)
        .status();
    assert!(parsed.expect("omphalos runs").success(), "omphalos parse failed");
    path
}

/// Tail, parse and encode to nowhere.
pub fn compare_parsing(directory: &Path, log: &Path, table: &mut Table) {
    let ndjson = ndjson(directory, log);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        theirs.push(cost(&mut yardstick_command(&ndjson)));
        ours.push(cost(shipper(directory, log).args(["--transport", "null"])));
    }
    let (ours, theirs) = (best(&ours), best(&theirs));
    table.ratio(
        "tail + parse + encode to `null`, CPU, against `zstd -1` of the NDJSON",
        ours.cpu / theirs.cpu,
        "≤ 0.5 ×, aim 0.35 ×",
        &format!(
            "{:.2} s against {:.2} s; {:.2} s wall, {:.0} MiB",
            ours.cpu, theirs.cpu, ours.wall, ours.peak
        ),
    );
}

/// The whole way into RabbitMQ.
pub fn compare_shipping(directory: &Path, log: &Path, table: &mut Table) {
    let broker = Server::rabbitmq(&directory.join("rabbitmq"), &[]);
    let url = format!("{}/%2f", broker.url());
    let ship = || {
        let mut command = shipper(directory, log);
        command.args(["--amqp-url", &url]);
        cost(&mut command)
    };
    let saved = directory.join("messages");
    ship();
    messages::save(&url, &saved);
    let empty = || Amqp::connect(&url).purge("omphalos.index");
    let ndjson = directory.join("access.ndjson");
    let (mut ours, mut bare, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        theirs.push(cost(&mut yardstick_command(&ndjson)));
        bare.push(publish(&saved, &url, "batch", 1));
        empty();
        ours.push(ship());
        empty();
    }
    let (ours, bare, theirs) = (best(&ours), best(&bare), best(&theirs));
    table.ratio(
        "the whole shipper to RabbitMQ, CPU, same yardstick",
        ours.cpu / theirs.cpu,
        "≤ 1.6 ×",
        &format!("{:.2} s against {:.2} s", ours.cpu, theirs.cpu),
    );
    table.row(
        "rate into RabbitMQ against a bare publisher of the same messages",
        &format!("{:.0} %", bare.wall / ours.wall * 100.0),
        "≥ 90 %",
        &format!(
            "1,000,000 lines in {:.2} s against {:.2} s (whole processes)",
            ours.wall, bare.wall
        ),
    );
    table.row("shipper peak RSS at full speed", &format!("{:.1} MiB", ours.peak), "≤ 40 MiB", "");
}

/// A bare publisher of saved messages, in a process of its own.
fn publish(saved: &Path, url: &str, encoding: &str, times: usize) -> Cost {
    let mut command = Command::new(std::env::current_exe().expect("our own path"));
    cost(command.arg("publish").arg(saved).args([url, encoding, &times.to_string()]))
}

/// The sender alone: what confirms, accounts and reconnects cost, with messages that are ready.
pub fn compare_sending(directory: &Path, table: &mut Table) {
    const TIMES: usize = 5;
    let broker = Server::rabbitmq(&directory.join("rabbitmq"), &[]);
    let url = format!("{}/%2f", broker.url());
    let saved = directory.join("messages");
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        bare.push(publish(&saved, &url, "batch", TIMES));
        Amqp::connect(&url).purge("omphalos.index");
        let mut command = Command::new(std::env::current_exe().expect("our own path"));
        ours.push(cost(command.arg("send").arg(&saved).args([&url, &TIMES.to_string()])));
        Amqp::connect(&url).purge("omphalos.index");
    }
    let (ours, bare) = (best(&ours), best(&bare));
    table.row(
        "the shipper's sender alone, given the same ready-made messages",
        &format!("{:.0} %", bare.wall / ours.wall * 100.0),
        "≥ 90 %",
        &format!("{TIMES},000,000 lines in {:.2} s against {:.2} s", ours.wall, bare.wall),
    );
}

/// One plain JSON document a message: there the broker is what limits, and must be all that does.
pub fn compare_single_documents(directory: &Path, log: &Path, table: &mut Table) {
    const LINES: usize = 100_000;
    let broker = Server::rabbitmq(&directory.join("rabbitmq"), &[]);
    let url = format!("{}/%2f", broker.url());
    let text = fs::read_to_string(log).expect("the log");
    let part: String = text.split_inclusive('\n').take(LINES).collect();
    let log = directory.join("part.log");
    fs::write(&log, part).expect("a part of the log");
    let ship = || {
        let mut command = shipper(directory, &log);
        command.args(["--amqp-url", &url, "--batch-encoding", "json"]);
        cost(&mut command)
    };
    let empty = || Amqp::connect(&url).purge("omphalos.index");
    let saved = directory.join("documents");
    empty();
    ship();
    messages::save(&url, &saved);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        bare.push(publish(&saved, &url, "json", 1));
        empty();
        ours.push(ship());
        empty();
    }
    let (ours, bare) = (best(&ours), best(&bare));
    table.row(
        "the same with one plain JSON document a message",
        &format!("{:.0} %", bare.wall / ours.wall * 100.0),
        "≥ 90 %",
        &format!("{LINES} documents in {:.2} s against {:.2} s", ours.wall, bare.wall),
    );
}

/// Memory of a shipper that has nothing to do.
pub fn idle_memory(directory: &Path, table: &mut Table) {
    let broker = Server::rabbitmq(&directory.join("rabbitmq"), &[]);
    let log = directory.join("idle.log");
    fs::write(&log, "one line\n").expect("a log");
    let state = directory.join("idle");
    let mut child = Command::new(binary("omphalos-shipper"))
        .arg(&log)
        .args(["--amqp-url", &format!("{}/%2f", broker.url()), "--state-dir"])
        .arg(&state)
        .stderr(Stdio::null())
        .spawn()
        .expect("the shipper starts");
    // Ready when the line is confirmed and remembered.
    let text = || fs::read_to_string(state.join("checkpoint")).unwrap_or_default();
    while !text().contains("\"offset\":9") {
        rest(Duration::from_millis(20));
    }
    let resident = memory(&child, "VmRSS:").unwrap_or_default();
    child.kill().expect("kill");
    child.wait().expect("wait");
    table.row(
        "shipper RSS idle with one file",
        &format!("{resident:.1} MiB"),
        "≤ 12 MiB",
        "connected to RabbitMQ",
    );
}
