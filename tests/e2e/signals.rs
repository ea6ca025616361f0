//! Signals, and what stops with them.

use std::fs;
use std::process::{Command, Stdio};

use omphalos_tests::program::binary;
use omphalos_tests::{LogFile, Program, eventually, holds};

use crate::circumstances::directory;

#[test]
fn a_second_signal_ends_it_at_once() {
    let directory = directory();
    let path = directory.path().join("a.log");
    fs::write(&path, "one\n").expect("a log");
    let mut shipper = Program::new("omphalos-shipper", &directory.path().join("shipper.log"))
        .arg(path.display())
        .option("--state-dir", directory.path().join("state").display())
        .args(["--amqp-url", "amqp://guest:guest@127.0.0.1:1/", "--stop-grace", "10m"])
        .start();
    shipper.wait_for_log("reading");
    shipper.signal("-TERM");
    shipper.wait_for_log("a second signal stops at once");
    assert!(shipper.is_running());
    shipper.signal("-INT");
    assert_eq!(shipper.wait().code(), Some(1), "{}", shipper.log());
}

#[test]
fn a_hangup_without_a_terminal_is_said_and_passed_over() {
    let directory = directory();
    let log = LogFile::create(&directory.path().join("access.log"));
    let mut shipper = Program::new("omphalos-shipper", &directory.path().join("shipper.log"))
        .under(&["setsid"])
        .args(["--transport", "null"])
        .arg(log.path().display())
        .option("--state-dir", directory.path().join("state").display())
        .start();
    shipper.wait_for_log("reading");
    shipper.signal("-HUP");
    shipper.wait_for_log("SIGHUP is ignored: settings are read at the start only");
    assert!(shipper.is_running());
    assert_eq!(shipper.terminate(), Some(0), "{}", shipper.log());
}

/// The first checkpoint proves that the state directory can be written: who stops before it is there
/// waits for it, and has not failed.
#[test]
fn stopping_while_starting_is_no_failure() {
    let directory = directory();
    let log = LogFile::create(&directory.path().join("access.log"));
    for round in 0..20 {
        let mut shipper = Program::new("omphalos-shipper", &directory.path().join("shipper.log"))
            .args(["--transport", "null"])
            .arg(log.path().display())
            .option("--state-dir", directory.path().join(format!("state{round}")).display())
            .start();
        shipper.wait_for_log("reads");
        let code = shipper.terminate();
        assert!(code == Some(0) || code.is_none(), "{round}: {code:?}\n{}", shipper.log());
        assert!(!shipper.log().contains("could not be saved"), "{}", shipper.log());
    }
}

#[test]
fn a_terminal_that_is_closed_stops_what_runs_in_it_as_ctrl_c_does() {
    let directory = directory();
    let log = LogFile::create(&directory.path().join("access.log"));
    let said = directory.path().join("shipper.log");
    let command = format!(
        "exec {} {} --transport null --state-dir {} 2>{}",
        binary("omphalos-shipper").display(),
        log.path().display(),
        directory.path().join("state").display(),
        said.display()
    );
    let read = || fs::read_to_string(&said).unwrap_or_default();
    // script(1) holds the other end of the terminal.
    let mut terminal = Command::new("script")
        .args(["--quiet", "--command", &command, "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("script of util-linux");
    eventually("the shipper reads", || holds(read().contains("reading"), read()));
    terminal.kill().expect("killed");
    terminal.wait().expect("ended");
    eventually("it ends in peace", || holds(read().contains("stopped; everything"), read()));
    assert!(read().contains("SIGHUP"), "{}", read());
}
