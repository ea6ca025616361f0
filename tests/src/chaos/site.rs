//! One host of the fleet: a log that is written, and a shipper on its way to the brokers.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use omphalos_shipper::monitor::peek;

use super::worker::Worker;
use super::writer::{Kind, Writer};
use crate::program::Program;
use crate::wait::{eventually, holds};
use crate::{Clock, Filler, Mount, TcpProxy};

/// Room for state, in bytes.
const STATE_BYTES: u64 = 8 << 20;

/// One host.
pub struct Site {
    /// Where its logs are.
    pub logs: PathBuf,
    /// What it writes.
    pub kind: Kind,
    /// Its settings: which files, and how they are read.
    pub settings: PathBuf,
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
        let writer = Writer::start(kind, &logs, seed);
        let settings = directory.join("shipper.toml");
        let tables = kind.tables().into_iter().map(|table| table.in_directory(&logs));
        std::fs::write(&settings, tables.collect::<String>()).expect("the settings");
        let shipper = Program::new("omphalos-shipper", &directory.join("shipper.log"))
            .option("--config", settings.display())
            .option("--host-name", name)
            .option("--amqp-url", urls(&links))
            .option("--state-dir", state.display())
            .option("--checkpoint-interval", "200ms")
            .with_clock(clock.file());
        let shipper = Worker::start(name, shipper);
        Self { logs, kind, settings, writer, shipper, links, state, disk, filler: None, clock }
    }

    /// All files that its logs ever were and that may have lines which are not in Elasticsearch.
    pub fn files_to_audit(&self) -> Vec<PathBuf> {
        let found = std::fs::read_dir(&self.logs).expect("a directory").flatten();
        let mut files: Vec<PathBuf> = found.map(|entry| entry.path()).collect();
        if self.writer.has_many_logs() {
            // What was finished a minute after its rotation is forgotten, and so are the ids of
            // its lines; it was in Elasticsearch long before anybody deleted anything.
            let remembered = self.remembered_inodes();
            files.retain(|file| inode_of(file).is_some_and(|inode| remembered.contains(&inode)));
        }
        files.sort();
        files
    }

    /// Waits until its shipper would know each of its many logs after a crash. A file that comes
    /// and is renamed to a name that does not match before anybody has seen it is nobody's.
    pub fn wait_until_remembered(&self) {
        let logs: BTreeSet<u64> = self.writer.with_many_logs(|logs| {
            logs.paths().map(|path| inode_of(path).expect("a log")).collect()
        });
        eventually("the checkpoint has all logs", || {
            let remembered = self.remembered_inodes();
            let missing = logs.difference(&remembered).count();
            holds(missing == 0, format!("{missing} of {} logs are not in it", logs.len()))
        });
    }

    /// The inodes in the checkpoint.
    fn remembered_inodes(&self) -> BTreeSet<u64> {
        let entries = peek(&self.state).expect("a checkpoint that can be read");
        entries.into_iter().flatten().map(|entry| entry.key.inode).collect()
    }
}

fn inode_of(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|metadata| metadata.ino())
}

/// A `[[monitor]]` table.
struct Table {
    pattern: &'static str,
    parser: &'static str,
    dataset: &'static str,
    archives: bool,
}

impl Table {
    fn in_directory(self, logs: &Path) -> String {
        let Self { pattern, parser, dataset, archives } = self;
        let pattern = logs.join(pattern);
        let pattern = pattern.display();
        format!(
            "[[monitor]]\npaths = [\"{pattern}\"]\nparser = {parser:?}\ndataset = {dataset:?}\narchives = {archives}\n"
        )
    }
}

impl Kind {
    /// What its shipper reads.
    fn tables(self) -> Vec<Table> {
        let table = |pattern, parser, dataset| Table { pattern, parser, dataset, archives: true };
        match self {
            Self::Renamed | Self::CopiedAndTruncated => {
                vec![table("access.log*", "combined", "access")]
            }
            Self::Compressed => vec![table("events.json*", "json", "json")],
            Self::Untimed => vec![table("jobs.log*", "raw", "jobs")],
            Self::Many => vec![
                Table { archives: false, ..table("timed-*.log", "combined", "many") },
                Table { archives: false, ..table("untimed-*.log", "raw", "many-untimed") },
            ],
        }
    }
}

/// Brokers behind links, as a setting.
pub fn urls(links: &[TcpProxy]) -> String {
    let urls = links.iter().map(|link| format!("amqp://guest:guest@127.0.0.1:{}", link.port()));
    urls.collect::<Vec<_>>().join(",")
}
