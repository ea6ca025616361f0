//! The console in a terminal of its own: how soon a key is answered, and what it costs to look at.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use omphalos_tests::generate::Generator;
use omphalos_tests::program::binary;
use omphalos_tests::rest;

use crate::measure::{load, seconds_of};
use crate::table::Table;

/// Lines a second that come in meanwhile, and how many are written at once.
const RATE: u64 = 500_000;
const AT_ONCE: u64 = 5_000;
/// How often a key is pressed.
const KEYS: usize = 150;
/// How long the idle console is watched.
const IDLE: Duration = Duration::from_secs(20);

/// A console that is drawn and typed into.
struct Console {
    child: Child,
    keys: File,
    /// When bytes came from it last, in nanoseconds since the start, and how many.
    last: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    begun: Instant,
}

impl Console {
    fn start(log: &Path, refresh: &str) -> Self {
        let size = Winsize { ws_row: 50, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a pseudo-terminal");
        let end = |slave: &OwnedFd| Stdio::from(slave.try_clone().expect("a terminal"));
        let child = Command::new("setsid")
            .arg("--ctty")
            .arg(binary("omphalos"))
            .args(["top", "--parser", "combined", "--refresh", refresh])
            .arg(log)
            .env("TERM", "xterm-256color")
            .stdin(end(&pty.slave))
            .stdout(end(&pty.slave))
            .stderr(end(&pty.slave))
            .spawn()
            .expect("omphalos top");
        let keys = File::from(pty.master);
        let mut screen = keys.try_clone().expect("the terminal");
        let (last, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let begun = Instant::now();
        let (noted, counted) = (Arc::clone(&last), Arc::clone(&bytes));
        thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(read @ 1..) = screen.read(&mut buffer) {
                let now = u64::try_from(begun.elapsed().as_nanos()).expect("not so long");
                noted.store(now, Ordering::Release);
                counted.fetch_add(read as u64, Ordering::Release);
            }
        });
        let console = Self { child, keys, last, bytes, begun };
        while console.bytes.load(Ordering::Acquire) < 2_000 {
            rest(Duration::from_millis(10));
        }
        console
    }

    /// How long a key is without an answer on the screen, in milliseconds.
    fn press(&mut self, key: &[u8]) -> f64 {
        let before = self.bytes.load(Ordering::Acquire);
        let pressed = self.begun.elapsed();
        self.keys.write_all(key).expect("a key");
        while self.bytes.load(Ordering::Acquire) == before {
            std::hint::spin_loop();
            thread::yield_now();
        }
        let answered = Duration::from_nanos(self.last.load(Ordering::Acquire));
        answered.saturating_sub(pressed).as_secs_f64() * 1e3
    }

    fn quit(mut self) {
        self.keys.write_all(b"q").expect("a key");
        assert!(self.child.wait().expect("it ends").success());
    }
}

/// Writes lines at the rate until it is stopped.
fn write_lines(path: &Path, stop: &Arc<AtomicBool>) -> thread::JoinHandle<u64> {
    let mut generator = Generator::new(3);
    let mut text = String::new();
    (0..AT_ONCE).for_each(|_| generator.line(&mut text));
    let mut log = File::options().append(true).open(path).expect("the log");
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        let begun = Instant::now();
        let mut written = 0;
        while !stop.load(Ordering::Relaxed) {
            let due = u128::from(RATE) * begun.elapsed().as_millis() / 1000;
            while u128::from(written) < due {
                log.write_all(text.as_bytes()).expect("lines");
                written += AT_ONCE;
            }
            rest(Duration::from_millis(2));
        }
        written
    })
}

/// Measures keys while lines come, and the cost of a console in front of a log that nobody writes.
pub fn measure(directory: &Path, table: &mut Table) {
    let path = directory.join("top.log");
    let mut generator = Generator::new(2);
    let mut text = String::new();
    (0..10_000).for_each(|_| generator.line(&mut text));
    std::fs::write(&path, text).expect("the log");

    let console = Console::start(&path, "1s");
    rest(Duration::from_secs(2));
    let process = console.child.id();
    let before = seconds_of(process);
    rest(IDLE);
    let share = (seconds_of(process) - before) / IDLE.as_secs_f64();
    console.quit();
    table.row(
        "the console before a log that nobody writes, CPU",
        &format!("{:.2} % of a core", share * 100.0),
        "< 0.5 %",
        "160 columns, 50 lines, refresh 1 s; the clock has 10 ms",
    );

    let stop = Arc::new(AtomicBool::new(false));
    let writer = write_lines(&path, &stop);
    // Nothing but keys makes it draw.
    let mut console = Console::start(&path, "1h");
    let before = seconds_of(console.child.id());
    let begun = Instant::now();
    let mut times: Vec<f64> = (0..KEYS)
        .map(|number| {
            rest(Duration::from_millis(60));
            console.press([b"j", b"k"][number % 2])
        })
        .collect();
    let share = (seconds_of(console.child.id()) - before) / begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let rate = writer.join().expect("the writer") as f64 / begun.elapsed().as_secs_f64();
    console.quit();
    std::fs::remove_file(&path).expect("the log");
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(KEYS - 1) * percent / 100];
    table.row(
        "a key of the console while lines come in, p99",
        &format!("{:.1} ms", at(99)),
        "< 50 ms",
        &format!(
            "half {:.1} ms, longest {:.1} ms, {KEYS} keys, {rate:.0} lines/s, {:.0} % of a core, load {}",
            at(50),
            at(100),
            share * 100.0,
            load()
        ),
    );
}
