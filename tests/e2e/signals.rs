//! Signals, and what stops with them: also where nobody hears any more what is said of it.
//!
//! What is written to standard error fails when the terminal is closed (EIO), when the reader of a pipe
//! has gone (EPIPE), and when the disk is full (ENOSPC). Whoever logs then must not fail: the task that
//! waits for signals logs, too.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use omphalos_tests::program::binary;
use omphalos_tests::{LogFile, Port, Program, eventually, holds};

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
        .listening()
        .start();
    // Without a line in flight there would be nothing to wait for.
    eventually("a line is in flight", || {
        holds(shipper.metric("omphalos_documents_in_flight") > 0.0, shipper.log())
    });
    shipper.signal("-TERM");
    shipper.wait_for_log("a second signal stops at once");
    assert!(shipper.is_running());
    shipper.signal("-INT");
    assert_eq!(shipper.wait().code(), Some(1), "{}", shipper.log());
}

#[test]
fn a_hangup_without_a_terminal_has_the_settings_read_again() {
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
    shipper.wait_for_log("reloaded: the new settings are in use");
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

/// Runs a command of the shell in a terminal, whose other end script(1) holds.
fn in_terminal(command: &str) -> Child {
    Command::new("script")
        .args(["--quiet", "--command", command, "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("script of util-linux")
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
    let mut terminal = in_terminal(&command);
    eventually("the shipper reads", || holds(read().contains("reading"), read()));
    terminal.kill().expect("killed");
    terminal.wait().expect("ended");
    eventually("it ends in peace", || holds(read().contains("stopped; everything"), read()));
    assert!(read().contains("SIGHUP"), "{}", read());
}

/// A program of each kind, with where it listens and what it is given.
struct Daemon {
    name: &'static str,
    arguments: Vec<String>,
    listens: Port,
}

/// They keep their state below `directory`; neither a broker nor Elasticsearch is there, so that they
/// have something to say at all times.
fn daemons(directory: &Path) -> Vec<Daemon> {
    let log = directory.join("access.log");
    fs::write(&log, "one\n").expect("a log");
    let log = log.display().to_string();
    let store = format!("--store-listen=127.0.0.1:{}", Port::reserve().number());
    let amqp = "--amqp-url=amqp://guest:guest@127.0.0.1:1/";
    let all: [(&'static str, &[&str]); 4] = [
        ("omphalos-shipper", &[&log, "--transport=null"]),
        ("omphalos-shipper", &[&log, amqp, "--stop-grace=1s"]),
        ("omphalos-indexer", &[amqp, "--elasticsearch-url=http://127.0.0.1:1"]),
        ("omphalos", &["run", &log, &store]),
    ];
    let daemon = |(number, (name, given)): (usize, (&'static str, &[&str]))| {
        let listens = Port::reserve();
        let mut arguments: Vec<String> = given.iter().map(|one| (*one).to_owned()).collect();
        arguments.push(format!("--state-dir={}", directory.join(number.to_string()).display()));
        arguments.push(format!("--listen=127.0.0.1:{}", listens.number()));
        Daemon { name, arguments, listens }
    };
    all.into_iter().enumerate().map(daemon).collect()
}

impl Daemon {
    /// Signals are heard before anybody is listened to.
    fn wait_until_it_listens(&self) {
        eventually(&format!("{} {:?} listens", self.name, self.arguments), || {
            TcpStream::connect(("127.0.0.1", self.listens.number()))
        });
    }
}

#[test]
fn a_signal_ends_it_also_where_nothing_can_be_said() {
    let directory = directory();
    for unheard in ["2>/dev/full", "2> >(exec true)"] {
        let shell = format!("exec \"$0\" \"$@\" {unheard}");
        for daemon in daemons(directory.path()) {
            let mut program = Program::new(daemon.name, &directory.path().join("output"))
                .under(&["bash", "-c", &shell])
                .args(&daemon.arguments)
                .start();
            daemon.wait_until_it_listens();
            let code = program.terminate();
            assert_eq!(code, Some(0), "{} {:?} {unheard}", daemon.name, daemon.arguments);
        }
    }
}

/// The kind of fault: what nobody reads is waited for by whoever logs, and with it by the delivery.
#[test]
fn a_reader_that_sleeps_holds_up_nobody_who_logs() {
    let directory = directory();
    let logs = directory.path().join("logs");
    fs::create_dir(&logs).expect("a directory");
    // A line of the log for each: more than a pipe takes.
    for number in 0..1500 {
        fs::write(logs.join(format!("{number}-{}.log", "x".repeat(100))), "x\n").expect("a log");
    }
    let mut shipper = Command::new(binary("omphalos-shipper"))
        .arg(&logs)
        .args(["--once", "--transport", "null", "--log-level", "debug", "--state-dir"])
        .arg(directory.path().join("state"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shipper");
    eventually("it ends", || {
        let ended = shipper.try_wait().expect("a state");
        holds(ended.is_some_and(|status| status.success()), format!("{ended:?}"))
    });
}

#[test]
fn a_second_signal_ends_it_at_once_also_where_nothing_can_be_said() {
    let directory = directory();
    let mut daemon = daemons(directory.path()).swap_remove(1);
    daemon.arguments.retain(|argument| !argument.starts_with("--stop-grace"));
    let mut shipper = Program::new(daemon.name, &directory.path().join("output"))
        .under(&["bash", "-c", "exec \"$0\" \"$@\" 2>/dev/full"])
        .args(&daemon.arguments)
        .args(["--stop-grace", "10m"])
        .start();
    daemon.wait_until_it_listens();
    // Without a line in flight there would be nothing to wait for.
    let metrics = format!("http://127.0.0.1:{}/metrics", daemon.listens.number());
    eventually("a line is in flight", || {
        let answer = reqwest::blocking::get(&metrics).and_then(reqwest::blocking::Response::text);
        let text = answer.unwrap_or_default();
        let is_waiting =
            |line: &str| line.starts_with("omphalos_documents_in_flight") && !line.ends_with(" 0");
        holds(text.lines().any(is_waiting), text)
    });
    // Whichever is first: the other one is the second.
    shipper.signal("-TERM");
    shipper.signal("-INT");
    assert_eq!(shipper.wait().code(), Some(1));
}

/// A process that is not ours; it ends with the test.
struct Stranger(String);

impl Stranger {
    fn has_ended(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0));
        // Nobody may be there to take its exit code.
        status.map_or(true, |status| status.contains("State:\tZ"))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        if !self.has_ended() {
            Command::new("kill").args(["-9", &self.0]).status().ok();
        }
    }
}

#[test]
fn a_terminal_that_is_closed_ends_what_speaks_to_it() {
    let directory = directory();
    for (number, daemon) in daemons(directory.path()).iter().enumerate() {
        let noted = directory.path().join(format!("pid-{number}"));
        let command = format!(
            "echo $$ >{}; exec {} {}",
            noted.display(),
            binary(daemon.name).display(),
            daemon.arguments.join(" ")
        );
        let mut terminal = in_terminal(&command);
        daemon.wait_until_it_listens();
        let process = Stranger(fs::read_to_string(&noted).expect("its id").trim().to_owned());
        terminal.kill().expect("killed");
        terminal.wait().expect("ended");
        eventually(&format!("{} {:?} ends", daemon.name, daemon.arguments), || {
            holds(process.has_ended(), &process.0)
        });
    }
}
