//! `omphalos watch`: what is raised and cleared, kept over kills, and said by nobody's silence but a
//! host's own.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use omphalos_tests::wait::rest;
use omphalos_tests::{Elastic, LogFile, Program, Prometheus, Stack, eventually, holds};
use serde_json::Value;

/// Raised with ten lines in five seconds, cleared without any.
const BUSY: &str = "name = \"busy\", at_least = 10, clear = 1, window = \"5s\"";
const SILENT: &str = "name = \"silent\", measure = \"silence\", by = \"host\", at_least = \"6s\"";

fn watch(directory: &Path, log: &Path) -> Program {
    Program::new("omphalos", &directory.join("watch.log"))
        .arg("watch")
        .arg(log.display())
        .args(["--parser", "combined", "--lateness", "1s"])
        .option("--state-dir", directory.join("state").display())
        .listening()
}

/// Lines that are written now.
fn write(log: &mut LogFile, lines: usize) {
    let now = Timestamp::now().strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
    let line = format!("192.0.2.1 - - [{now}] \"GET /a HTTP/1.1\" 200 1 \"-\" \"-\"\n");
    log.append_text(&line.repeat(lines));
}

fn events(program: &Program, what: &str) -> f64 {
    program.sample(&format!("omphalos_alert_events_total{{rule=\"busy\",what=\"{what}\"}}"))
}

#[test]
fn what_is_raised_is_remembered_over_a_kill_and_cleared_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut log = LogFile::create(&directory.path().join("access.log"));
    let mut program = watch(directory.path(), log.path()).option("--alert", BUSY).start();
    program.wait_for_log("reading");
    write(&mut log, 50);
    eventually("it is raised", || holds(events(&program, "raised") > 0.5, program.log()));
    eventually("it is kept", || {
        let kept = fs::read_to_string(directory.path().join("state/alerts.json"));
        let kept = kept.unwrap_or_default();
        holds(kept.contains("\"firing\""), kept)
    });
    program.kill();
    let program = watch(directory.path(), log.path()).option("--alert", BUSY).start();
    // Without a line it is known after its window that there is none.
    eventually("it is cleared", || holds(events(&program, "cleared") > 0.5, program.log()));
    assert!(events(&program, "raised") < 0.5, "{}", program.log());
    assert!(program.sample("omphalos_alerts_raised{rule=\"busy\"}") < 0.5);
}

/// Every line that came while it watched is in the sums that Prometheus reads, also those of a step of
/// which it saw only a part.
#[test]
fn series_and_alerts_are_read_by_a_real_prometheus() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("omphalos.toml");
    let output =
        "[[output]]\nkind = \"prometheus\"\ntags = [\"status\", \"path\"]\ninterval = \"1s\"\n";
    fs::write(&config, output).expect("a file");
    let mut log = LogFile::create(&directory.path().join("access.log"));
    let program = watch(directory.path(), log.path())
        .option("--config", config.display())
        .option("--from", "end")
        .option("--alert", BUSY)
        .start();
    program.wait_for_log("watching");
    let prometheus =
        Prometheus::start(&directory.path().join("prometheus"), "groups: []", &[program.port()]);
    let value = |query: &str| prometheus.value(query).unwrap_or(0.0);
    for round in 1..=3 {
        write(&mut log, 50);
        eventually("the lines are counted", || {
            let hits = value("omphalos_series_hits_total{status=\"200\",path=\"/a\"}");
            let bytes = value("omphalos_series_bytes_total");
            let seen = format!("{hits} hits, {bytes} bytes");
            let expected = format!("{0} hits, {0} bytes", 50 * round);
            holds(seen == expected, format!("{seen}: {}", program.log()))
        });
    }
    eventually("the alert is counted", || {
        let raised = value("omphalos_alert_events_total{rule=\"busy\",what=\"raised\"}");
        holds(raised > 0.5, format!("{raised}"))
    });
}

#[test]
fn what_happens_is_a_document_once_however_often_it_is_sent() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    let path = log.path().to_owned();
    let start = || {
        watch(stack.directory(), &path)
            .option("--alert", BUSY)
            .option("--elasticsearch-url", stack.search_url())
            .option("--index-prefix", stack.prefix())
            .start()
    };
    let mut program = start();
    program.wait_for_log("reading");
    write(&mut log, 50);
    program.wait_for_log("raised: busy");
    let alerts = Elastic::new(&stack.search_url(), &format!("{}-alerts", stack.prefix()));
    alerts.wait_for_count(1);
    program.kill();
    let mut program = start();
    program.wait_for_log("cleared: busy");
    alerts.wait_for_count(2);
    assert_eq!(program.terminate(), Some(0), "{}", program.log());
    assert_eq!(alerts.count(), Ok(2));
}

#[test]
fn a_second_one_is_refused_and_a_rule_that_is_gone_is_cleared() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut log = LogFile::create(&directory.path().join("access.log"));
    let mut program = watch(directory.path(), log.path()).option("--alert", BUSY).start();
    program.wait_for_log("reading");
    write(&mut log, 50);
    program.wait_for_log("raised: busy");
    let second = Program::new("omphalos", &directory.path().join("second.log"))
        .arg("watch")
        .arg(log.path().display())
        .option("--state-dir", directory.path().join("state").display())
        .option("--alert", BUSY)
        .run();
    assert_eq!(second.code, Some(1), "{}", second.output);
    assert!(
        second.output.contains("another omphalos watch, or an omphalos run"),
        "{}",
        second.output
    );
    assert_eq!(program.terminate(), Some(0), "{}", program.log());
    let mut program = watch(directory.path(), log.path()).option("--alert", SILENT).start();
    program.wait_for_log("cleared: its rule is not there any more, or another one: busy");
    assert_eq!(program.terminate(), Some(0), "{}", program.log());
}

/// What cannot be kept is told all the same, and kept as soon as that can be.
#[test]
fn a_state_that_cannot_be_written_stops_nobody() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut log = LogFile::create(&directory.path().join("access.log"));
    let mut program = watch(directory.path(), log.path()).option("--alert", BUSY).start();
    program.wait_for_log("reading");
    let file = directory.path().join("state/alerts.json");
    fs::create_dir_all(file.join("in the way")).expect("a directory");
    write(&mut log, 50);
    program.wait_for_log("raised: busy");
    program.wait_for_log("alerts.json cannot be written");
    assert!(program.is_running());
    fs::remove_dir_all(&file).expect("it goes");
    eventually("it is kept", || {
        let kept = fs::read_to_string(&file).unwrap_or_default();
        holds(kept.contains("busy"), kept)
    });
    assert_eq!(program.terminate(), Some(0), "{}", program.log());
}

/// A host is silent when it writes nothing; not when the broker is away, nor when who watches is.
#[test]
fn a_host_of_a_fleet_is_silent_by_itself_alone() {
    let mut stack = Stack::with_broker(&[]);
    let mut log = LogFile::create(&stack.path("access.log"));
    let mut shipper = stack.shipper(log.path()).start();
    let program = Program::new("omphalos", &stack.path("watch.log"))
        .arg("watch")
        .option("--amqp-url", stack.broker().url())
        .args(["--lateness", "1s"])
        .option("--state-dir", stack.path("watching").display())
        .option("--alert", SILENT)
        .listening()
        .start();
    let raised = || program.sample("omphalos_alerts_raised{rule=\"silent\"}");
    let judged = || program.sample("omphalos_watch_lines_total");
    let speak = |log: &mut LogFile| {
        let before = judged();
        eventually("a line is judged", || {
            write(log, 1);
            holds(judged() > before, program.log())
        });
    };
    speak(&mut log);
    stack.broker().stop();
    // Longer than the silence that would be an alert.
    rest(Duration::from_secs(9));
    assert!(raised() < 0.5, "{}", program.log());
    stack.broker().start();
    speak(&mut log);
    assert!(!program.log().contains("raised: silent"), "{}", program.log());
    shipper.kill();
    eventually("its host is silent", || holds(raised() > 0.5, program.log()));
    let _shipper = stack.shipper(log.path()).start();
    speak(&mut log);
    eventually("it speaks again", || holds(raised() < 0.5, program.log()));
}

#[test]
fn old_lines_raise_the_same_in_any_order_and_text_and_json_say_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let line = |second: u32, status: u32| {
        format!(
            "192.0.2.1 - - [22/Nov/2026:12:{:02}:{:02} +0000] \"GET /a HTTP/1.1\" {status} 1\n",
            second / 60,
            second % 60
        )
    };
    let lines: Vec<String> = (0..600)
        .map(|second| line(second, if (200..300).contains(&second) { 500 } else { 200 }))
        .collect();
    let mut turned = lines.clone();
    for chunk in turned[1..].chunks_mut(5) {
        chunk.reverse();
    }
    let top = |name: &str, lines: &[String], arguments: &[&str]| {
        let path = directory.path().join(name);
        fs::write(&path, lines.concat()).expect("a log");
        let run = Program::new("omphalos", &directory.path().join(format!("{name}.out")))
            .args(["top", "--once", "--parser", "clf"])
            .args(arguments)
            .option("--alert", "name = \"errors\", measure = \"error_share\", at_least = \"50 %\", clear = 10, keep_for = \"20s\"")
            .arg(path.display())
            .run();
        assert_eq!(run.code, Some(0), "{}", run.output);
        run.output
    };
    let text = top("in-order", &lines, &[]);
    assert!(text.contains("raised   2026-11-22T12:03:50Z errors: all traffic has 50 %"), "{text}");
    assert!(text.contains("cleared  2026-11-22T12:06:15Z errors: "), "{text}");
    let events = |output: &str| {
        let figures = output.lines().find_map(|line| serde_json::from_str::<Value>(line).ok());
        figures.expect("figures")["events"].clone()
    };
    let json = events(&top("in-order.json", &lines, &["--json"]));
    assert_eq!(json.as_array().map(Vec::len), Some(2), "{json}");
    assert_eq!(json, events(&top("turned", &turned, &["--json"])));
    assert_eq!(json[0]["change"], "cleared");
    assert_eq!(json[1]["alert"]["rule"], "errors");
}
