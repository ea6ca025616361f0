//! The kind: a program does what it likes with its input, its output and its time, and what counts is how it ends.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use omphalos_common::config::Period;
use omphalos_live::alert::Change;
use serde_json::Value;
use tempfile::TempDir;

use super::super::command::Command;
use super::super::failure::Failure;
use super::super::{Deliveries, Receiver, ReceiverKind, key};
use super::event;

fn shell(script: &str) -> Receiver {
    Receiver {
        name: "program".to_owned(),
        kind: Some(ReceiverKind::Command),
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        ..Receiver::default()
    }
}

async fn run(script: &str, text_size: usize) -> Result<(), Failure> {
    let mut event = event("slow", 1_000, Change::Raised);
    event.alert.text = "x".repeat(text_size);
    let command = Command::new(&shell(script)).unwrap();
    let limit = Duration::from_mins(1);
    tokio::time::timeout(limit, command.deliver(&event)).await.expect("it ends by itself")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_is_the_exit_code() {
    // More than a pipe holds, too.
    for size in [10, 1_000_000] {
        for script in [
            "cat >/dev/null",
            // It does not read its input.
            "exit 0",
            "exec <&-",
            // It says more than a pipe holds.
            "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero",
            // What it leaves behind keeps its output open for a while.
            "sleep 10 & exit 0",
        ] {
            assert_eq!(run(script, size).await, Ok(()), "{script}");
        }
        for (script, expected) in [
            ("exit 3", "sh: exit status: 3"),
            ("echo no such user >&2; echo more >&2; exit 1", "sh: exit status: 1: no such user"),
            ("printf '\\n\\033[31mred' >&2; exit 1", "sh: exit status: 1: [31mred"),
            ("cat >/dev/null; kill -9 $$", "sh: signal: 9 (SIGKILL)"),
        ] {
            let failure = run(script, size).await.unwrap_err();
            assert!(!failure.is_final, "it may be repaired");
            assert_eq!(failure.why, expected, "{script}");
        }
    }
    let receiver = Receiver { command: vec!["/not/there".to_owned()], ..shell("") };
    let command = Command::new(&receiver).unwrap();
    let failure = command.deliver(&event("slow", 1, Change::Raised)).await.unwrap_err();
    assert_eq!(failure.why, "/not/there: cannot run it: No such file or directory (os error 2)");
}

/// Whether a process is there and is no zombie.
fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

async fn text_of(path: &Path) -> String {
    loop {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_is_killed_with_all_that_it_started() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("pids");
    // The child is another process, which a kill of the shell alone would leave.
    let script = format!("sleep 1000 & echo $$ $! >>{}; wait", path.display());
    let timeout = Period(Duration::from_secs(1));
    let deliveries =
        Deliveries::start(vec![Receiver { timeout, ..shell(&script) }], Vec::new()).unwrap();
    deliveries.send(&event("slow", 1_000, Change::Raised));
    let begun = Instant::now();
    while deliveries.counts()[0].failed == 0 {
        assert!(begun.elapsed() < Duration::from_mins(1), "it is not killed");
        tokio::task::yield_now().await;
    }
    let first = text_of(&path).await;
    for pid in first.lines().next().unwrap().split(' ') {
        while is_alive(pid) {
            assert!(begun.elapsed() < Duration::from_mins(1), "{pid} is alive");
            tokio::task::yield_now().await;
        }
    }
    // It is tried again, and killed when the program ends.
    fs::remove_file(&path).unwrap();
    let second = text_of(&path).await;
    let kept = deliveries.finish(Duration::ZERO).await;
    assert_eq!(kept[0].waiting.len(), 1);
    for pid in second.split_whitespace() {
        while is_alive(pid) {
            assert!(begun.elapsed() < Duration::from_secs(90), "{pid} is alive");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_one_line_of_json_one_after_the_other() {
    let directory = TempDir::new().unwrap();
    let (lock, path) = (directory.path().join("lock"), directory.path().join("events"));
    // Two at a time would fail to make the directory.
    let script = format!(
        "mkdir {lock} && cat >>{path} && rmdir {lock}",
        lock = lock.display(),
        path = path.display()
    );
    let deliveries = Deliveries::start(vec![shell(&script)], Vec::new()).unwrap();
    let events: Vec<_> = (0..20).map(|at| event("slow", at, Change::Raised)).collect();
    for event in &events {
        deliveries.send(event);
    }
    let counts = |deliveries: &Deliveries| deliveries.counts().remove(0);
    let begun = Instant::now();
    while counts(&deliveries).waiting > 0 {
        assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", counts(&deliveries));
        tokio::task::yield_now().await;
    }
    assert_eq!((counts(&deliveries).delivered, counts(&deliveries).failed), (20, 0));
    let text = fs::read_to_string(&path).unwrap();
    let told: Vec<String> = text
        .lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["version"], 1);
            key(&serde_json::from_value(value).unwrap())
        })
        .collect();
    assert_eq!(told, events.iter().map(key).collect::<Vec<_>>());
}
