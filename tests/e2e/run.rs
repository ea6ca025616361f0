//! The whole chain in one process, with the embedded store and without.

use std::collections::BTreeMap;
use std::fs;

use omphalos_tests::{Elastic, Load, LogFile, Program, Stack, eventually, free_port, holds};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A process with everything in a directory of its own.
pub struct Alone {
    /// Where everything is.
    pub directory: TempDir,
    /// Where its store listens.
    pub url: String,
}

impl Alone {
    /// Nothing runs yet.
    pub fn new() -> Self {
        let directory = TempDir::with_prefix("omphalos-alone-").expect("a directory");
        Self { directory, url: format!("http://127.0.0.1:{}", free_port()) }
    }

    /// `omphalos` with a subcommand and the place of the store.
    pub fn omphalos(&self, subcommand: &str) -> Program {
        let log = self.directory.path().join(format!("{subcommand}.out"));
        Program::new("omphalos", &log)
            .arg(subcommand)
            .option("--store-listen", self.url.trim_start_matches("http://"))
    }

    /// The same for a subcommand that remembers something.
    pub fn with_state(&self, subcommand: &str) -> Program {
        self.omphalos(subcommand)
            .option("--state-dir", self.directory.path().join("state").display())
    }

    /// The store with nothing to read, which listens.
    pub fn start_store(&self) -> Program {
        let store = self.with_state("run").start();
        self.wait_for_store();
        store
    }

    /// Waits until the store listens.
    pub fn wait_for_store(&self) {
        eventually("the store listens", || {
            let asked = self.elastic().request(Method::GET, "", None);
            asked.map(|_| ()).map_err(|error| error.to_string())
        });
    }

    /// A client of the store.
    pub fn elastic(&self) -> Elastic {
        Elastic::new(&self.url, "omphalos")
    }

    /// How often each number is in the store, by the lines' queries, read in pages.
    pub fn numbers(&self) -> BTreeMap<String, u64> {
        let elastic = self.elastic();
        let mut numbers = BTreeMap::new();
        let mut after = Value::Null;
        loop {
            let mut body = json!({
                "size": 1000, "_source": ["url.query"],
                "sort": [{"log.offset": "asc"}, {"log.file.path": "asc"}]
            });
            if !after.is_null() {
                body["search_after"] = after;
            }
            let page = elastic.must(Method::POST, "omphalos-*/_search", &body);
            let hits = page["hits"]["hits"].as_array().expect("hits");
            for hit in hits {
                let query = hit["_source"]["url"]["query"].as_str().expect("a query").to_owned();
                *numbers.entry(query).or_default() += 1;
            }
            if hits.len() < 1000 {
                return numbers;
            }
            after = hits[hits.len() - 1]["sort"].clone();
        }
    }

    /// Waits until so many numbered lines are stored, and makes sure that each is there once.
    pub fn assert_each_once(&self, lines: u64) {
        self.elastic().wait_for_count(lines);
        let numbers = self.numbers();
        let odd: Vec<_> = numbers.iter().filter(|(_, times)| **times != 1).take(5).collect();
        assert!(odd.is_empty(), "lines that are there twice: {odd:?}");
        for number in 0..lines {
            assert!(numbers.contains_key(&format!("n={number:08}")), "line {number} is missing");
        }
        assert_eq!(numbers.len() as u64, lines);
    }
}

fn run(alone: &Alone, log: &LogFile) -> Program {
    alone.with_state("run").arg(log.path().display()).args([
        "--parser",
        "combined",
        "--checkpoint-interval",
        "20ms",
    ])
}

#[test]
fn killing_the_process_under_load_loses_and_repeats_nothing() {
    let alone = Alone::new();
    let log = LogFile::create(&alone.directory.path().join("access.log"));
    let mut process = run(&alone, &log).listening().start();
    let load = Load::start(log, 20, |_, _| {});
    for round in 1..=4 {
        load.wait_for_more(1_000);
        eventually("some documents are stored", || {
            let count = alone.elastic().count()?;
            holds(count >= round * 300, count)
        });
        process.kill();
        load.wait_for_more(200);
        process.restart();
    }
    let log = load.stop();
    alone.assert_each_once(log.written());
    assert!(process.metric("omphalos_indexer_documents_indexed_total") > 0.0);
    assert_eq!(process.http("/readyz").as_deref(), Some("ok\n"));
    assert_eq!(process.terminate(), Some(0));
    let said = process.log();
    let order = ["everything that was read is delivered", "everything that was taken is answered"];
    let places: Vec<_> = order.iter().map(|text| said.rfind(text).expect(text)).collect();
    assert!(places.is_sorted(), "the indexer ends after the shipper: {said}");
}

#[test]
fn another_url_in_the_same_configuration_goes_to_the_servers() {
    let stack = Stack::shared();
    let alone = Alone::new();
    let path = alone.directory.path();
    let mut log = LogFile::create(&path.join("access.log"));
    log.append(500);
    let config = path.join("omphalos.toml");
    let text = format!(
        "state_dir = \"{0}/state\"\n[[monitor]]\npaths = [\"{0}/access.log\"]\nparser = \"combined\"\n[index]\nprefix = \"{1}\"\nreplicas = 0\n",
        path.display(),
        stack.prefix()
    );
    fs::write(&config, text).expect("a configuration");
    let with_config = || alone.omphalos("run").option("--config", config.display());
    let mut here = with_config().start();
    let own = Elastic::new(&alone.url, stack.prefix());
    own.wait_for_count(500);
    assert_eq!(here.terminate(), Some(0));

    // What is delivered is remembered, so only what is new goes to the servers.
    log.append(300);
    let mut there = Program::new("omphalos", &path.join("run.out"))
        .arg("run")
        .option("--config", config.display())
        .option("--amqp-url", stack.amqp_url())
        .option("--elasticsearch-url", stack.search_url())
        .start();
    stack.elastic().wait_for_count(300);
    assert_eq!(there.terminate(), Some(0));
    assert_eq!(stack.amqp().ready("omphalos.index"), Ok(0), "it went through the queue");
}

#[test]
fn what_cannot_run_is_refused_with_what_to_do() {
    let alone = Alone::new();
    let log = alone.directory.path().join("empty.out");
    let nothing = Program::new("omphalos", &log).arg("run").run();
    assert_eq!(nothing.code, Some(2), "{}", nothing.output);
    assert!(nothing.output.contains("nothing to run: name files"), "{}", nothing.output);
}

#[test]
fn a_port_that_is_taken_is_refused_by_name() {
    let alone = Alone::new();
    let address = alone.url.trim_start_matches("http://").to_owned();
    let _taken = std::net::TcpListener::bind(&address).expect("the port");
    let refused = alone.with_state("run").arg("/dev/null").run();
    assert_eq!(refused.code, Some(2), "{}", refused.output);
    let expected = format!("store.listen: cannot listen on {address}");
    assert!(refused.output.contains(&expected), "{}", refused.output);
}
