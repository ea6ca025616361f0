//! `omphalos top`: figures of files and of a fleet, and that watching costs nobody a line.

use omphalos_tests::udp::free_address;
use omphalos_tests::{Load, LogFile, Program, Stack, eventually, holds};
use serde_json::Value;

/// The lines of JSON that a program has printed.
fn printed(output: &str) -> Vec<Value> {
    output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn hits(figures: &Value) -> u64 {
    figures["summary"]["hits"].as_u64().unwrap_or_default()
}

/// All lines, those too whose times are far from the present.
fn lines(figures: &Value) -> u64 {
    let apart = ["late", "ahead"].map(|name| figures["summary"][name].as_u64().unwrap_or_default());
    hits(figures) + apart.iter().sum::<u64>()
}

#[test]
fn figures_of_a_file_are_those_of_its_lines() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("access.log");
    let line = |number: u32, status: u16, path: &str| {
        format!(
            "192.0.2.{} - - [22/Nov/2026:12:00:{:02} +0000] \"GET {path} HTTP/1.1\" {status} 100\n",
            number % 7,
            number % 60
        )
    };
    let mut text: String = (0..300).map(|number| line(number, 200, "/shop/a?b=c")).collect();
    text.extend((0..100).map(|number| line(number, 503, "/api/x/y")));
    text.push_str("this is no access line\n");
    std::fs::write(&path, text).expect("a log");
    let top = |arguments: &[&str]| {
        let run = Program::new("omphalos", &directory.path().join("top.out"))
            .arg("top")
            .args(["--parser", "clf"])
            .args(arguments)
            .arg(path.display())
            .run();
        assert_eq!(run.code, Some(0), "{}", run.output);
        run.output
    };
    // The output of each is behind that of the one before.
    let figures = printed(&top(&["--json"])).pop().expect("figures");
    assert_eq!(hits(&figures), 401);
    assert_eq!(figures["summary"]["bytes"], 40_000);
    assert_eq!(figures["summary"]["errors"], 100);
    assert_eq!(figures["summary"]["clients"]["count"], 7);
    assert_eq!(figures["failures"], 1);
    let rows: Vec<(String, u64)> = figures["top"]["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let key = row["key"]["text"].as_str().expect("a key").to_owned();
            (key, row["hits"]["value"].as_u64().expect("hits"))
        })
        .collect();
    assert_eq!(rows, [("/shop".to_owned(), 300), ("/api".to_owned(), 100)]);
    let filter = "status:>=500 AND path:/api*";
    let filtered = printed(&top(&["--json", "--filter", filter])).pop().expect("figures");
    assert_eq!((hits(&filtered), &filtered["summary"]["left_out"]), (100, &Value::from(301)));
    let text = top(&["--once", "--dimension", "path"]);
    assert!(
        text.contains("300") && text.contains("/shop/a") && text.contains("1 not understood"),
        "{text}"
    );
    let nothing = top(&["--once", "--dimension", "no.such"]);
    assert!(nothing.contains("no line has a value of no.such"), "{nothing}");
    let clients = top(&["--once", "--by", "clients", "--dimension", "status", "-c", "1"]);
    assert!(clients.contains("status   200 300   503 100"), "{clients}");
}

#[test]
fn a_broker_that_cannot_be_reached_is_said_without_its_password() {
    let directory = tempfile::tempdir().expect("a directory");
    let run = Program::new("omphalos", &directory.path().join("top.out"))
        .arg("top")
        .option("--amqp-url", "amqp://u:hunter2@127.0.0.1:1/%2f")
        .args(["--json", "--batch", "2", "--refresh", "1s"])
        .run();
    let notice = printed(&run.output).pop().expect("figures")["notice"].take();
    let notice = notice.as_str().expect("a notice");
    assert!(notice.contains("amqp://127.0.0.1:1/%2f: connection refused"), "{notice}");
    assert!(!run.output.contains("hunter2"), "{}", run.output);
}

#[test]
fn whoever_watches_a_fleet_sees_it_and_costs_nobody_a_line() {
    let stack = Stack::shared();
    let log = LogFile::create(&stack.path("access.log"));
    let shipper = stack.shipper(log.path()).start();
    let load = Load::start(log, 5, |_, _| {});
    shipper.wait_for_log("connected to");
    let indexer = stack.indexer().start();
    indexer.wait_for_log("consuming from");
    let mut watcher = Program::new("omphalos", &stack.path("top.out"))
        .arg("top")
        .option("--amqp-url", stack.amqp_url())
        .args(["--batch", "100000", "--refresh", "100ms", "--json"])
        .start();
    let seen = || printed(&watcher.log()).last().map_or(0, lines);
    eventually("the watcher sees lines", || holds(seen() > 1_000, seen()));
    // The only queue that is left is not the watcher's: shippers must notice that nobody takes lines.
    drop(indexer);
    eventually("all is indexed that was published", || {
        let waiting = stack.amqp().ready("omphalos.index")?;
        holds(waiting == 0 || stack.indexer().arg("--drain").run().code == Some(0), waiting)
    });
    shipper.suspend();
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    stack.amqp().delete_queue("omphalos.index");
    shipper.resume();
    shipper.wait_for_log("routes to no queue");
    load.wait_for_more(2_000);
    let _indexer = stack.indexer().start();
    load.stop().assert_indexed_once(&stack.elastic());
    assert!(watcher.is_running(), "{}", watcher.log());
    watcher.kill();
}

#[test]
fn what_shippers_send_as_datagrams_can_be_watched_without_an_indexer() {
    let stack = Stack::shared();
    let address = free_address();
    let watcher = Program::new("omphalos", &stack.path("top.out"))
        .arg("top")
        .option("--udp", address)
        .args(["--batch", "100000", "--refresh", "100ms", "--json"])
        .start();
    eventually("the watcher listens", || {
        let figures = printed(&watcher.log());
        holds(!figures.is_empty(), figures.len())
    });
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(5_000);
    let shipped = stack.shipper_over_udp(log.path(), address).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    eventually("the watcher has all lines", || {
        let seen = printed(&watcher.log()).last().map_or(0, lines);
        holds(seen == 5_000, seen)
    });
}
