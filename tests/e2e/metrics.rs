//! What programs serve as metrics, and what the manual says of it: each has what the other names, and
//! every counter is there from the start with all that it tells apart. A counter that appears with its
//! first event has no increase that Prometheus could see, so an alert on it misses that event.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::symlink;

use omphalos_tests::{LogFile, Program, eventually, free_port, holds, repository};
use tempfile::TempDir;

/// Where nobody listens.
const NO_BROKER: &str = "amqp://guest:guest@127.0.0.1:1/%2f";
const NO_ELASTICSEARCH: &str = "http://127.0.0.1:1";

/// What a sender counts that says at the start that it is there.
const GREETING: [&str; 2] = ["udp_sender_bytes", "udp_sender_marks"];

/// The heads of the manual's tables.
const EVERY: &str = "every program, under these very names";
const RELOADS: &str = "every program, also of one process";
const SHIPPER: &str = "shipper";
const SHIPPER_UDP: &str = "shipper over UDP";
const INDEXER: &str = "indexer";
const INDEXER_UDP: &str = "indexer and relay over UDP";
const PAGE: &str = "the page of `omphalos run`";

/// Names by the heads of tables.
pub type Tables = BTreeMap<String, BTreeSet<String>>;

/// The chapter of the manual.
fn chapter() -> String {
    let page = fs::read_to_string(repository().join("docs/operations.md")).expect("the page");
    let (_, rest) = page.split_once("## Health and metrics").expect("the chapter");
    rest.split("\n## ").next().expect("its text").to_owned()
}

/// The names in the manual's tables of metrics, by the heads of the tables.
pub fn manual() -> Tables {
    let chapter = chapter();
    let rows: Vec<&str> = chapter.lines().filter(|line| line.starts_with("| ")).collect();
    let mut tables = Tables::new();
    let mut head = "";
    for (place, row) in rows.iter().enumerate() {
        let cell = row.trim_start_matches("| ").split(" |").next().expect("a cell");
        if rows.get(place + 1).is_some_and(|next| next.starts_with("| ---")) {
            head = cell;
        } else if !cell.starts_with("---") && !head.is_empty() && !head.starts_with('|') {
            tables.entry(head.to_owned()).or_default().extend(names(cell));
        }
    }
    tables
}

/// The names in a cell; `_end` is the first of them with another last word.
fn names(cell: &str) -> Vec<String> {
    let texts = cell.split('`').skip(1).step_by(2);
    let texts = texts.map(|text| text.split('{').next().unwrap_or_default());
    let texts: Vec<&str> = texts.filter(|text| !text.is_empty()).collect();
    let stem = texts.first().and_then(|first| first.rsplit_once('_')).map_or("", |parts| parts.0);
    let whole = |text: &&str| match text.strip_prefix('_') {
        Some(end) => format!("{stem}_{end}"),
        None => (*text).to_owned(),
    };
    texts.iter().map(whole).collect()
}

/// A scrape.
struct Scrape(String);

impl Scrape {
    fn of(program: &Program) -> Self {
        Self(program.http("/metrics").unwrap_or_default())
    }

    /// The names of the metrics as the manual has them, with their kinds.
    fn families(&self) -> BTreeMap<String, &str> {
        let types = self.0.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types
            .map(|line| {
                let (name, kind) = line.split_once(' ').expect("a kind");
                (of_manual(name).to_owned(), kind)
            })
            .collect()
    }

    /// The samples of counters: the name as in the manual, the labels and the value.
    fn counts(&self) -> Vec<(&str, &str, &str)> {
        let samples = self.0.lines().filter(|line| !line.starts_with('#'));
        let counts = samples.filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            let (name, labels) = key.split_once('{').unwrap_or((key, ""));
            Some((of_manual(name).strip_suffix("_total")?, labels, value))
        });
        counts.collect()
    }
}

/// A name without what tells the programs and the parts of one apart.
fn of_manual(name: &str) -> &str {
    let own = name.strip_prefix("omphalos_").unwrap_or(name);
    let part = ["shipper_", "indexer_"].into_iter().find_map(|part| own.strip_prefix(part));
    part.unwrap_or(own)
}

/// A program that has nothing to do and no servers, and the names that it should have.
struct Idle {
    program: Program,
    expected: BTreeSet<String>,
}

/// Programs of every kind. What they are with is kept as long as they run.
struct Idles {
    directory: TempDir,
    receiver: UdpSocket,
    tables: Tables,
}

impl Idles {
    fn new() -> Self {
        let directory = TempDir::with_prefix("omphalos-idle-").expect("a directory");
        fs::write(directory.path().join("empty.log"), "").expect("a log");
        let receiver = UdpSocket::bind("127.0.0.1:0").expect("a port");
        Self { directory, receiver, tables: manual() }
    }

    fn program(&self, name: &'static str, number: u8) -> Program {
        let path = |end: &str| self.directory.path().join(format!("{number}{end}"));
        let program = Program::new(name, &path(".out"));
        let subcommand = match number {
            5 => program.arg("relay"),
            6 => program.arg("run"),
            _ => program,
        };
        subcommand.option("--state-dir", path(".state").display()).listening()
    }

    /// The names in tables, but for those that begin with what such a program has nothing to do with.
    fn names(&self, heads: &[&str], without: &[&str]) -> BTreeSet<String> {
        let heads = heads.iter().chain(&[EVERY, RELOADS]);
        let names = heads.flat_map(|head| self.tables.get(*head).expect(head));
        names.filter(|name| without.iter().all(|end| !name.starts_with(end))).cloned().collect()
    }

    /// How an indexer publishes dead letters, and a relay everything.
    fn publishing(&self) -> BTreeSet<String> {
        let names = self.tables.get(SHIPPER).expect(SHIPPER).iter();
        names.filter(|name| name.starts_with("amqp_sender")).cloned().collect()
    }

    fn all(&self) -> Vec<Idle> {
        let log = self.directory.path().join("empty.log").display().to_string();
        let broker = |program: Program| program.option("--amqp-url", NO_BROKER);
        let writes = |program: Program| program.option("--elasticsearch-url", NO_ELASTICSEARCH);
        let takes =
            |program: Program| program.option("--udp", format!("127.0.0.1:{}", free_port()));
        let to = self.receiver.local_addr().expect("its address");
        let programs = [
            (broker(self.program("omphalos-shipper", 1).arg(&log)), self.names(&[SHIPPER], &[])),
            (
                self.program("omphalos-shipper", 2).arg(&log).option("--udp", to),
                self.names(&[SHIPPER, SHIPPER_UDP], &["amqp"]),
            ),
            (
                broker(writes(self.program("omphalos-indexer", 3))),
                &self.names(&[INDEXER], &[]) | &self.publishing(),
            ),
            (
                takes(writes(self.program("omphalos-indexer", 4))),
                self.names(&[INDEXER, INDEXER_UDP], &["amqp", "relay"]),
            ),
            (
                takes(broker(self.program("omphalos-indexer", 5))),
                &self.names(&[INDEXER_UDP], &[]) | &self.publishing(),
            ),
            (
                writes(self.program("omphalos", 6).arg(&log)),
                self.names(&[SHIPPER, INDEXER, PAGE], &["amqp"]),
            ),
        ];
        let start = |(program, expected): (Program, _)| Idle { program: program.start(), expected };
        programs.map(start).into()
    }
}

#[test]
fn a_fresh_program_has_what_the_manual_names_and_every_counter_at_0() {
    let (idles, chapter) = (Idles::new(), chapter());
    let reasons = fs::read_to_string(repository().join("docs/udp.md")).expect("a page");
    for Idle { program, expected } in idles.all() {
        let scrape = eventually("the program serves what the manual says", || {
            let scrape = Scrape::of(&program);
            let found: BTreeSet<String> = scrape.families().into_keys().collect();
            let missing: Vec<_> = expected.difference(&found).collect();
            let more: Vec<_> = found.difference(&expected).collect();
            let text = format!(
                "{}: missing {missing:?}, not in the manual {more:?}",
                program.command_line()
            );
            if found == expected { Ok(scrape) } else { Err(text) }
        });
        let counts = scrape.counts();
        for (name, kind) in scrape.families() {
            let is_there = counts.iter().any(|(counted, ..)| *counted == name);
            assert_eq!(is_there, kind == "counter", "{name}, a {kind}, from the start");
        }
        for (name, labels, value) in counts {
            assert!(value == "0" || GREETING.contains(&name), "{value} {name}{{{labels}");
            let label = |key: &str| labels.split_once(key)?.1.split('"').next();
            for value in ["reason=\"", "outcome=\""].into_iter().filter_map(label) {
                let is_told =
                    [&chapter, &reasons].iter().any(|page| page.contains(&format!("`{value}`")));
                assert!(is_told, "{value} of {name} is not in the manual");
            }
        }
    }
}

#[test]
fn run_says_how_far_files_are_behind_and_which_cannot_be_read() {
    let directory = TempDir::with_prefix("omphalos-lag-").expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let mut log = LogFile::create(&path("access.log"));
    log.append(20);
    symlink(path("circle.log"), path("circle.log")).expect("a circle");
    let program = Program::new("omphalos", &path("run.out"))
        .arg("run")
        .args(["access.log", "circle.log"].map(|name| path(name).display().to_string()))
        .args(["--parser", "combined", "--elasticsearch-url", NO_ELASTICSEARCH])
        .option("--state-dir", path("state").display())
        .listening()
        .start();
    let bytes = fs::metadata(path("access.log")).expect("the log").len();
    eventually("the file is behind", || {
        let value = |name: &str| program.metric(&format!("omphalos_shipper_{name}"));
        let found = ["file_lag_bytes", "file_lag_seconds", "files", "files_unreadable"].map(value);
        let [_, seconds, ..] = found;
        let expected = [bytes.to_string(), seconds.to_string(), "1".to_owned(), "1".to_owned()];
        let is_so = seconds > 0.0 && found.map(|value| value.to_string()) == expected;
        holds(is_so, format!("{found:?} of {bytes} bytes"))
    });
}
