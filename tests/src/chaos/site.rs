//! One host of the fleet: a log that is written, and a shipper on its way to the brokers.

use std::path::{Path, PathBuf};

use super::worker::Worker;
use super::writer::{Kind, Writer};
use crate::program::Program;
use crate::{Clock, Filler, Mount, TcpProxy};

/// Lines a second.
const LINES: u64 = 200;
/// Room for state, in bytes.
const STATE_BYTES: u64 = 8 << 20;

/// One host.
pub struct Site {
    /// Where its logs are.
    pub logs: PathBuf,
    /// What it writes.
    pub kind: Kind,
    /// Its log.
    pub writer: Writer,
    /// Its shipper.
    pub shipper: Worker,
    /// Its ways to the brokers.
    pub links: Vec<TcpProxy>,
    /// Where its shipper remembers.
    pub state: PathBuf,
    /// The small file system of that directory, if there can be one.
    pub disk: Option<Mount>,
    /// What fills that.
    pub filler: Option<Filler>,
    /// The wall clock of its shipper.
    pub clock: Clock,
}

impl Site {
    /// A host called `name` in `directory`, on its way to brokers at these ports.
    pub fn start(directory: &Path, name: &str, kind: Kind, brokers: &[u16], seed: u64) -> Self {
        let logs = directory.join("log");
        let state = directory.join("state");
        std::fs::create_dir_all(&logs).expect("a directory");
        std::fs::create_dir_all(&state).expect("a directory");
        let disk = Mount::memory_of(&state, STATE_BYTES);
        let clock = Clock::new(&directory.join("clock"));
        let links: Vec<TcpProxy> = brokers.iter().map(|port| TcpProxy::before(*port)).collect();
        let writer = Writer::start(kind, &logs.join(kind.file_name()), LINES, seed);
        let shipper = Program::new("omphalos-shipper", &directory.join("shipper.log"))
            .arg(logs.join(kind.pattern()).display())
            .args(["--parser", kind.parser(), "--host-name", name, "--archives"])
            .option("--amqp-url", urls(&links))
            .option("--state-dir", state.display())
            .option("--checkpoint-interval", "200ms")
            .with_clock(clock.file());
        let shipper = Worker::start(name, shipper);
        Self { logs, kind, writer, shipper, links, state, disk, filler: None, clock }
    }

    /// All files that its log ever was.
    pub fn files(&self) -> Vec<PathBuf> {
        let found = std::fs::read_dir(&self.logs).expect("a directory").flatten();
        let mut files: Vec<PathBuf> = found.map(|entry| entry.path()).collect();
        files.sort();
        files
    }
}

impl Kind {
    fn file_name(self) -> &'static str {
        if self == Self::Compressed { "events.json" } else { "access.log" }
    }

    fn pattern(self) -> &'static str {
        if self == Self::Compressed { "events.json*" } else { "access.log*" }
    }

    /// The format of its lines.
    pub fn parser(self) -> &'static str {
        if self == Self::Compressed { "json" } else { "combined" }
    }

    /// The dataset of its documents.
    pub fn dataset(self) -> &'static str {
        if self == Self::Compressed { "json" } else { "access" }
    }
}

/// Brokers behind links, as a setting.
pub fn urls(links: &[TcpProxy]) -> String {
    let urls = links.iter().map(|link| format!("amqp://guest:guest@127.0.0.1:{}", link.port()));
    urls.collect::<Vec<_>>().join(",")
}
