//! What systemd is told (`Type=notify`), and the units that are shipped with the programs.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use omphalos_tests::{LogFile, Program};

use crate::circumstances::directory;

/// The most that `systemd-analyze security` may give a unit; 10 is the worst.
const MOST_EXPOSED: f64 = 2.0;

/// Listens as systemd does.
struct Systemd {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Systemd {
    fn listen(directory: &Path) -> Self {
        let path = directory.join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_mins(1))).expect("a timeout");
        Self { socket, path }
    }

    /// Waits until something is said that begins so, and says what.
    fn hear(&self, wanted: &str) -> String {
        let mut heard = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let length = self.socket.recv(&mut buffer).unwrap_or_else(|error| {
                panic!("nothing that begins with {wanted}: {error}; heard {heard:?}")
            });
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if let Some(line) = text.lines().find(|line| line.starts_with(wanted)) {
                return line.to_owned();
            }
            heard.push(text);
        }
    }
}

#[test]
fn systemd_hears_that_it_has_begun_how_it_is_and_that_it_stops() {
    let directory = directory();
    let systemd = Systemd::listen(directory.path());
    let log = LogFile::create(&directory.path().join("access.log"));
    let mut shipper = Program::new("omphalos-shipper", &directory.path().join("shipper.log"))
        .arg(log.path().display())
        .option("--state-dir", directory.path().join("state").display())
        .args(["--amqp-url", "amqp://guest:guest@127.0.0.1:1/"])
        .variable("NOTIFY_SOCKET", systemd.path.display())
        .variable("WATCHDOG_USEC", 1_000_000)
        .start();
    systemd.hear("READY=1");
    let status = systemd.hear("STATUS=amqp");
    assert!(status.contains("127.0.0.1"), "the broker that is away is named: {status}");
    for _ in 0..3 {
        systemd.hear("WATCHDOG=1");
    }
    shipper.signal("-TERM");
    systemd.hear("STOPPING=1");
    assert_eq!(shipper.wait().code(), Some(0), "{}", shipper.log());
}

#[test]
fn settings_that_cannot_be_used_are_no_beginning() {
    let directory = directory();
    let systemd = Systemd::listen(directory.path());
    for (program, arguments) in [
        ("omphalos-shipper", &["--amqp-url", "http://localhost", "x.log"][..]),
        ("omphalos-indexer", &["--elasticsearch-url", "amqp://localhost"]),
        ("omphalos", &["run"]),
    ] {
        let mut begun = Program::new(program, &directory.path().join("log"))
            .args(arguments.iter().copied())
            .variable("NOTIFY_SOCKET", systemd.path.display())
            .start();
        assert_eq!(begun.wait().code(), Some(2), "{}", begun.log());
    }
    systemd.socket.set_nonblocking(true).expect("it does not wait");
    assert!(systemd.socket.recv(&mut [0; 1]).is_err(), "nobody has said READY");
}

/// Each unit allows no more than the program needs.
#[test]
fn units_expose_little() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("systemd-analyze is not here: how much units expose was not looked at");
        return;
    }
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd");
    let mut count = 0;
    for entry in fs::read_dir(units).expect("units") {
        let unit = entry.expect("a unit").path();
        let told = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(&unit)
            .output()
            .expect("an answer");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let last = told.lines().last().unwrap_or_default();
        let level = last.split(": ").nth(1).and_then(|rest| rest.split(' ').next());
        let level: f64 = level.and_then(|level| level.parse().ok()).unwrap_or(f64::MAX);
        assert!(level <= MOST_EXPOSED, "{}: {last}", unit.display());
        count += 1;
    }
    assert_eq!(count, 4, "shipper, indexer, relay, run");
}
