//! A shipper that runs, as it is seen from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use omphalos_tests::{Program, eventually, free_port, holds, rest};
use reqwest::blocking::{Client, Response};

use crate::measure::memory_of;

/// The kernel counts processor time in these, on every Linux.
const TICKS_A_SECOND: f64 = 100.0;
/// The checkpoint has not changed for so long when everything is remembered.
const QUIET: Duration = Duration::from_secs(3);

/// The shipper.
pub struct Running {
    program: Program,
    client: Client,
    url: String,
    checkpoint: PathBuf,
}

/// What its metrics said at one time.
pub struct Scrape(String);

/// Processor time in seconds.
#[derive(Clone, Copy)]
pub struct Cpu {
    pub user: f64,
    pub system: f64,
}

impl Running {
    /// Starts it with its state in `directory`, and with what `configure` adds.
    pub fn start(directory: &Path, configure: impl FnOnce(Program) -> Program) -> Self {
        let port = free_port();
        let state = directory.join("state");
        let shipper = Program::new("omphalos-shipper", &directory.join("shipper.log"))
            .args(["--transport", "null", "--watch", "auto"])
            .option("--state-dir", state.display())
            .option("--listen", format!("127.0.0.1:{port}"));
        Self {
            client: Client::builder().timeout(Duration::from_secs(5)).build().expect("a client"),
            url: format!("http://127.0.0.1:{port}/metrics"),
            checkpoint: state.join("checkpoint"),
            program: configure(shipper).start(),
        }
    }

    /// Its metrics; empty while it does not answer.
    pub fn scrape(&self) -> Scrape {
        let answer = self.client.get(&self.url).send().and_then(Response::text);
        Scrape(answer.unwrap_or_default())
    }

    /// Waits until so many documents of the dataset are confirmed.
    pub fn wait_for(&self, dataset: &str, documents: u64) {
        eventually("documents are confirmed", || {
            let confirmed = self.scrape().confirmed(dataset);
            holds(confirmed >= documents, format!("{confirmed} of {documents}"))
        });
    }

    /// Waits until it has saved everything that it has to remember.
    pub fn settle(&self) {
        eventually("the checkpoint stays as it is", || {
            let saved = fs::metadata(&self.checkpoint).and_then(|found| found.modified());
            let age = saved.ok().and_then(|saved| saved.elapsed().ok()).unwrap_or_default();
            holds(age >= QUIET, format!("changed {age:?} ago"))
        });
    }

    /// The processor time that it has used.
    pub fn cpu(&self) -> Cpu {
        let stat = fs::read_to_string(self.proc("stat")).expect("it runs");
        // The name in parentheses may have spaces.
        let (_, behind_name) = stat.rsplit_once(')').expect("a name");
        let mut fields = behind_name.split_whitespace().skip(11);
        let mut seconds = || {
            let ticks: f64 = fields.next().and_then(|field| field.parse().ok()).expect("ticks");
            ticks / TICKS_A_SECOND
        };
        Cpu { user: seconds(), system: seconds() }
    }

    /// What share of a processor it uses, over that time.
    pub fn cpu_over(&self, time: Duration) -> Cpu {
        let (before, begun) = (self.cpu(), Instant::now());
        rest(time);
        let (after, seconds) = (self.cpu(), begun.elapsed().as_secs_f64());
        Cpu {
            user: (after.user - before.user) / seconds,
            system: (after.system - before.system) / seconds,
        }
    }

    /// Resident memory in MiB: now, and at most so far.
    pub fn memory(&self) -> (f64, f64) {
        let memory = |name| memory_of(self.program.id(), name).expect("it runs");
        (memory("VmRSS:"), memory("VmHWM:"))
    }

    /// How many descriptors it has.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).expect("it runs").count()
    }

    /// Waits until it has written `text` to its log.
    pub fn wait_for_log(&self, text: &str) {
        self.program.wait_for_log(text);
    }

    /// Stops it; it saves its checkpoint before it ends.
    pub fn terminate(&mut self) {
        assert_eq!(self.program.terminate(), Some(0), "{}", self.program.log());
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.program.id()))
    }
}

impl Scrape {
    /// How many documents of a dataset are confirmed.
    pub fn confirmed(&self, dataset: &str) -> u64 {
        self.counter("omphalos_documents_confirmed_total", dataset)
    }

    /// How many lines of a dataset were read.
    pub fn read(&self, dataset: &str) -> u64 {
        self.counter("omphalos_lines_read_total", dataset)
    }

    fn counter(&self, name: &str, dataset: &str) -> u64 {
        let sample = format!("{name}{{dataset=\"{dataset}\"}} ");
        let value = self.0.lines().find_map(|line| line.strip_prefix(&sample));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }
}

impl Cpu {
    /// Both.
    pub fn total(self) -> f64 {
        self.user + self.system
    }

    /// A share of a processor in words: `2.5 %`, and of that `1.0 % system`.
    pub fn in_percent(self) -> (String, String) {
        (format!("{:.2} %", self.total() * 100.0), format!("{:.2} % system", self.system * 100.0))
    }
}
