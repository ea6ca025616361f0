//! `omphalos top`: figures of files and of a fleet, and that watching costs nobody a line.

use omphalos_tests::udp::free_address;
use omphalos_tests::{Load, LogFile, Program, Stack, eventually, holds};
use serde_json::Value;

/// The lines of JSON that a program has printed.
pub fn printed(output: &str) -> Vec<Value> {
    output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn hits(figures: &Value) -> u64 {
    figures["summary"]["hits"].as_u64().unwrap_or_default()
}

/// All lines, those too whose times are far from the present.
pub fn lines(figures: &Value) -> u64 {
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
    let often = ["--heartbeat-interval", "100ms"];
    let shipper = stack.shipper_over_udp(log.path(), address).args(often).listening().start();
    eventually("heartbeats are sent", || {
        let sent = shipper.metric("omphalos_udp_sender_heartbeats_total");
        holds(sent > 10.0, shipper.log())
    });
    eventually("the watcher has all lines, and no heartbeat among them", || {
        let seen = printed(&watcher.log()).last().map_or(0, lines);
        holds(seen == 5_000, seen)
    });
}

/// A log of old lines, in a directory of its own.
fn old_log(name: &str, lines: u32) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(name);
    std::fs::write(&path, access_lines(lines)).expect("a log");
    let path = path.display().to_string();
    (directory, path)
}

fn access_lines(lines: u32) -> String {
    let line = |number| {
        let second = number % 60;
        format!("192.0.2.1 - - [22/Nov/2026:12:00:{second:02} +0000] \"GET /a HTTP/1.1\" 200 100\n")
    };
    (0..lines).map(line).collect()
}

fn top(directory: &tempfile::TempDir, arguments: &[&str]) -> (Option<i32>, String) {
    let output = directory.path().join("top.out");
    std::fs::remove_file(&output).ok();
    let run = Program::new("omphalos", &output).arg("top").args(arguments).run();
    (run.code, run.output)
}

/// The kind: where reading begins is said to the monitor, and the monitor asks what it remembers.
#[test]
fn what_stood_in_a_file_before_its_end_is_not_counted() {
    let (directory, log) = old_log("access.log", 500);
    let mut watcher = Program::new("omphalos", &directory.path().join("top.out"))
        .args(["top", "--parser", "clf", "--from", "end", "--json", "--batch", "100000"])
        .args(["-i", "7200", "--refresh", "100ms"])
        .arg(&log)
        .start();
    let seen = || printed(&watcher.log()).last().map(lines);
    eventually("figures are printed", || holds(seen().is_some(), "none"));
    let mut written = 0;
    eventually("only new lines are counted", || {
        // The first may come before the end is found.
        let mut file = std::fs::OpenOptions::new().append(true).open(&log).expect("the log");
        std::io::Write::write_all(&mut file, access_lines(1).as_bytes()).expect("a line");
        written += 1;
        holds(seen().is_some_and(|seen| seen > 0), written)
    });
    assert!(seen().is_some_and(|seen| seen <= written), "{:?} of {written}", seen());
    watcher.kill();
}

/// The kind: words that cannot both be followed, of which one was followed without a word.
#[test]
fn words_that_contradict_one_another_are_refused_by_name() {
    let (directory, log) = old_log("access.log", 3);
    let amqp = ["--amqp-url", "amqp://127.0.0.1:1/%2f"];
    let udp = ["--udp", "127.0.0.1:0"];
    let since = ["--since", "1h"];
    let file = [&*log];
    let sources: [(&[&str], &str); 4] =
        [(&amqp, "--amqp-url"), (&udp, "--udp"), (&since, "--since"), (&file, "files")];
    for (at, (one, name)) in sources.iter().enumerate() {
        for (other, other_name) in sources.iter().skip(at + 1) {
            let (code, said) = top(&directory, &[one, other, &["--batch", "1"][..]].concat());
            assert_eq!(code, Some(2), "{name} and {other_name}: {said}");
            assert!(said.contains(name) && said.contains(other_name), "{said}");
        }
    }
    for (arguments, expected) in [
        (&[&*log, "--once", "--from", "end"][..], "--from end begins where --once ends"),
        (&[&*log, "--json", "--from", "end"], "--from end begins where --once ends"),
        (&["-", "--from", "end", "--batch", "1"], "standard input"),
        (&["--udp", "127.0.0.1:0", "--from", "end", "--batch", "1"], "from now on in any case"),
        (&[&*log, "--once", "-i", "0"], "up to 7 days"),
        (&[&*log, "--once", "-i", "8d"], "up to 7 days"),
        (&[&*log, "--once", "--dimension", "host.id"], "--dimension: host.id is a field of"),
        (&[&*log, "--once", "--filter", "a OR log.offset:>5"], "--filter: log.offset is a field"),
        (&[&*log, "--once", "--filter", "ip:10.0.1.*"], "a network, as in ip:10.0.0.0/8"),
        (&[&*log, "--once", "--filter", "status:!200"], "NOT status:200"),
    ] {
        let (code, said) = top(&directory, arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    for arguments in [
        &["-i", "43200"][..],
        &["-i", "3601"],
        &["--replay", "max"],
        &["--filter", "-status:404"],
        &["--filter", "*:*"],
    ] {
        let asked = [&[&*log, "-p", "clf", "--json"], arguments].concat();
        let (code, said) = top(&directory, &asked);
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        assert_eq!(printed(&said).last().map(hits), Some(3), "{arguments:?}: {said}");
    }
}

/// The kind: a reason for which nothing comes that was known to the log alone.
#[test]
fn why_nothing_comes_of_a_file_is_said_with_the_figures_and_by_the_exit_code() {
    let (directory, log) = old_log("access.log", 500);
    let name = |name: &str| directory.path().join(name).display().to_string();
    let cut = {
        let whole = std::process::Command::new("gzip").args(["-c", &log]).output().expect("gzip");
        let half = whole.stdout.get(..whole.stdout.len() / 2).expect("a half");
        std::fs::write(name("cut.log.gz"), half).expect("an archive");
        // One that was written a moment ago may not be finished yet.
        let file = std::fs::File::options().write(true).open(name("cut.log.gz"));
        let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        file.expect("the archive").set_modified(past).expect("an old archive");
        name("cut.log.gz")
    };
    let batch = ["--batch", "2", "--refresh", "1s", "--json", "-p", "clf"];
    for (named, expected) in [
        (name("missing.log"), "the file is not there"),
        (name("*.none"), "no file matches"),
        (cut, "damaged or cut off"),
    ] {
        let (code, said) = top(&directory, &[&[&*named][..], &batch].concat());
        let notice = printed(&said).pop().expect("figures")["notice"].take();
        assert!(notice.as_str().is_some_and(|it| it.contains(expected)), "{named}: {said}");
        assert_eq!(code, Some(1), "{named}: {said}");
    }
    let (code, said) = top(&directory, &[&[&*log][..], &batch].concat());
    assert_eq!(code, Some(0), "{said}");
}
